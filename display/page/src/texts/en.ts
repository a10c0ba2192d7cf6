/** Every word of the page in English; another language gives the same names other words. */

import type { BedState, CountingState, DeviceState, PlannedState, ProcedureState, RateState, SpecimenState } from "../feed-types";
import type { ToneState } from "../tone";

/** Units, and what numbers are written with. */
const units = {
  decimal: ".",
  m: "m",
  mm: "mm",
  s: "s",
  min: "min",
  h: "h",
  days: "d",
  ms: "ms",
  perSecond: "/s",
  countsPerSecond: "counts/s",
  mbq: "MBq",
  kbq: "kBq",
  ml: "mL",
};

/** What stands in index.html. */
const page = {
  simulated: "SIMULATED",
  notAPatient: "not a patient",
  simulatedLabel: "Simulated, not a patient",
  replay: "REPLAY",
  notOfNow: "not of now",
  replayLabel: "Replay of a recording, not of now",
  study: "Study in use",
  countRate: "Count rate",
  countsPerSecond: units.countsPerSecond,
  countedOver: "counted over",
  timesBackground: "times background",
  peak: "peak",
  deadTime: "dead time",
  agreement: "counted, against the estimate",
  hold: "Hold 5 s",
  newPeak: "New peak",
  backgroundHere: "Background here",
  trend: "Count rate over the last minute",
  aim: "Target seen from the probe",
  toTheTarget: "to the target",
  underTheSkin: "under the skin",
  found: "found within 5 mm",
  slices: "Slices through the tip",
  overlay: "Activity over the CT",
  scan: "Scan",
  liveImage: "Live image",
  looks: "How the slices look",
  stepDown: "One slice to the feet",
  stepUp: "One slice to the head",
  procedure: "Procedure",
  afterExcision: "After the excision",
  excision: "Excision",
  signIn: "Sign in",
  studies: "Received studies",
  frozen: "PAGE FROZEN",
  reload: "nothing here is live: reload",
  inputs: "Inputs and their ages",
  drawing: "Draw in the slices",
  smaller: "Smaller",
  larger: "Larger",
  undo: "Undo",
  set: "Set",
  cancel: "Cancel",
  readFar: "Large numbers, to be read from 2 m",
  readNear: "Large pictures, to be read from 1 m",
};

const header = {
  noStudy: "No study in use",
  id: (id: string) => `ID ${id}`,
  live: "Live",
  notAdmitted: "This display is not admitted: enter its token",
  foreign: "This page and the service are of different versions: reload the page",
  waiting: "No data: waiting for the service",
  connecting: "No data: connecting",
  noLiveData: (old: string) => `NO LIVE DATA for ${old}`,
  procedure: (step: string) => `Procedure: ${step}`,
  studies: (count: number) => `Studies (${count})`,
  signOut: (name: string) => `Sign out ${name}`,
};

const general = {
  noName: "no name",
  dateUnknown: "date unknown",
  close: "Close",
  notNow: "Not now",
  noAnswer: "The service does not answer: nothing was done",
  key: (key: string) => `key ${key}`,
};

const rate = {
  tone: {
    off: "SOUND OFF – touch to start",
    muted: "MUTED",
    quiet: "Tone on, below its range",
    playing: "Tone",
    stale: "TONE STOPPED – no live rate",
    dead: "SOUND LOST – check the speaker",
  } satisfies Record<ToneState, string>,
  status: {
    overload: "OVERLOAD – move the probe away",
    saturated: "SATURATED – the rate is at least this",
    resynced: "A reading was lost on the line",
  } satisfies Record<Exclude<RateState["status"], "ok">, string>,
  noData: "No data",
  noProbe: "NO PROBE",
  noLiveData: "NO LIVE DATA",
  smoothed: (seconds: number) => `made of a rate that the instrument smooths over ${seconds} s`,
  highDeadTime: "HIGH DEAD TIME – move away for a sure number",
  none: "no count rate",
  background: "background",
  backgroundHere: "background here",
  lastOld: (old: string) => `last rate ${old} old`,
  held: (seconds: number) => `HELD – ${seconds} s`,
  moreThan: (cps: number) => `more than ${cps} counts per second`,
  notLive: (said: string) => `no live rate; the last was ${said}`,
  said: (value: string, error: string) => `${value} plus or minus ${error} counts per second`,
};

const agreement = {
  none: "no prediction",
  agrees: "as predicted",
  times: (ratio: string) => `${ratio} × predicted`,
  said: (measured: number, expected: number, word: string) => `counted ${measured} per second, ${expected} predicted: ${word}`,
};

const trend = { now: "now", ago: (seconds: number) => `−${seconds} s` };

const aim = {
  target: "Target",
  sure: (percent: string) => `${percent} sure it is there`,
  motion: { toward: "▲ toward", away: "▼ away", still: "steady" },
  noData: "No data",
  noLiveData: "No live data",
  chooseStudy: "Choose a study",
  noTarget: "No target yet",
  noTargetLabel: "no target",
  notLocated: (why: string) => `Not located yet: ${why}`,
  unknown: "Direction unknown",
  noPoses: (tracker: string) => `${tracker}: no poses`,
  noTracker: "No tracker is set up",
  unseen: "The tracker does not see the probe",
  distanceUnknown: "distance unknown",
  distance: (mm: string, half: number) => `${mm} plus or minus ${half} mm`,
  shine: (name: string, percent: number) => `${name} shines through, ${percent} % of the rate`,
  direction: (name: string, right_mm: number, up_mm: number, ahead_mm: number) =>
    `${name}: ${sides(right_mm, up_mm, "mm")}, ${Math.abs(ahead_mm).toFixed(0)} mm ${ahead_mm < 0 ? "behind" : "ahead"}`,
  hold: "HOLD",
  holdNext: "HOLD NEXT",
  holdStill: "hold still here",
  holdThere: (right_mm: number, up_mm: number, right_deg: number, up_deg: number) =>
    `hold next: ${sides(right_mm, up_mm, "mm")}, tilt ${sides(right_deg, up_deg, "degrees")}`,
  up: "UP",
  behind: "BEHIND",
  shineThrough: "SHINE-THROUGH",
  organ: (name: string) => `${name} (organ)`,
  from: { skin: "skin", tip: "tip" },
};

function sides(right: number, up: number, unit: string): string {
  const [x, y] = [Math.abs(right).toFixed(0), Math.abs(up).toFixed(0)];
  return `${x} ${unit} ${right < 0 ? "left" : "right"}, ${y} ${unit} ${up < 0 ? "down" : "up"}`;
}

const slices = {
  cuts: { axial: "AXIAL", coronal: "CORONAL", sagittal: "SAGITTAL", probe: "PROBE" },
  windows: { soft: "Soft tissue", bone: "Bone", lung: "Lung" },
  maps: { inferno: "Inferno", cividis: "Cividis" },
  lock: "Lock",
  locked: "Locked",
  noStudy: "No study in use",
  noPose: "No live probe position",
  off: (name: string, mm: string, side: string) => `${name} ${mm} mm ${side}`,
  probe: "probe",
  alongLabel: "slice along the probe, its right on the right",
  noAlong: "no slice along the probe",
  none: (cut: string) => `${cut} slice: none`,
  through: (cut: string, isTip: boolean, side: string) =>
    `${cut} slice through ${isTip ? "the tip" : "the target"}, ${side} on the right`,
  loading: "Loading the volumes",
  failed: (why: string) => `The volumes cannot be loaded (${why}); trying again`,
  doesNotFollow: "LOCKED: does not follow the tip",
  throughTarget: "Through the target: no live probe position",
  moved: (mm: number, half: number) => `Map moved ${mm} mm ± ${half}`,
  solid: (surfaces: number, targets: number, isTracked: boolean) =>
    `3-D view: ${surfaces} surfaces, ${targets} located targets, ${isTracked ? "probe shown" : "no live probe"}`,
  noImage: "No live image yet: sweep slowly over the skin",
  nothingKnown: "Nothing can be told yet: sweep closer",
  imageOld: (old: string) => `LIVE IMAGE ${old} OLD`,
  known: (old: string, ml: string, without: string) => `${old} old, ${ml} mL known${without && `, without ${without}`}`,
};

const trust = {
  state: { connecting: "CONNECTING", live: "LIVE", silent: "SILENT", lost: "LOST" } satisfies Record<DeviceState["state"], string>,
  device: { dicom: "Scanner", recorder: "Recording", mqtt: "Hospital broker" },
  error: (mm: string) => `error ${mm} mm`,
  picture: "This picture",
  pictureOld: (old: string) => `OLD ${old}`,
  registration: "Registration",
  none: "NONE",
  set: "SET",
  noDirection: "no direction",
  noPose: "no pose now",
  errorUnknown: "error not known",
  atTip: "at the tip",
  calibration: "Calibration",
  runAcquire: "run acquire",
  noBattery: "battery: no report",
  battery: (volts: string) => `battery ${volts} V`,
  batteryLow: "BATTERY LOW: change it",
  notToday: "not of today",
  today: "TODAY",
  daysOld: (days: number) => `${days} d OLD`,
  study: "Study",
  chooseOne: "choose one",
  noDate: "NO DATE",
  activityUnknown: "activity not known",
  sinceScan: "since the scan",
  estimate: "Estimate",
  noStudy: "no study in use",
  noCounts: "no counts used yet",
  noneYet: "NONE YET",
  noNewCounts: (old: string) => `no new counts for ${old}`,
  readings: (count: number) => `${count} readings`,
  doesNotFit: "DOES NOT FIT",
  fitNowhere: "the counts fit no position",
  doubtful: "DOUBTFUL",
  uncalibrated: "seen from where the probe is not calibrated",
  beganAnew: (times: number) => (times === 1 ? "began anew once" : `began anew ${times} times`),
  leftOut: (count: number, why: string) => `${count} left out: ${why}`,
};

const procedure = {
  steps: {
    patient: { word: "Patient", hint: "" },
    plan: { word: "Plan", hint: "Say of each hot spot what it is." },
    "time-out": { word: "Time-out", hint: "Read each aloud, and touch it when it holds." },
    "skin scan": { word: "Skin scan", hint: "Sweep slowly over the skin until a target is located." },
    incision: { word: "Incision", hint: "Mark the point on the skin, and cut." },
    "in vivo": { word: "In vivo", hint: "Follow the sentence to the target. Mark it under Excision when it is out." },
    "ex vivo": { word: "Ex vivo", hint: "Count each specimen on the bench, under Excision." },
    bed: { word: "Bed", hint: "Count the bed of each target, under Excision." },
    ended: { word: "Ended", hint: "" },
  } satisfies Record<ProcedureState["step"], { word: string; hint: string }>,
  reasons: ["Emergency", "Device not available", "Surgeon's judgement", "Done by other means"] as readonly string[],
  sorts: { target: "Target", injection: "Injection site", organ: "Organ", neither: "Neither" } satisfies Record<
    NonNullable<PlannedState["confirmed"]>,
    string
  >,
  draw: { target: "Draw a target", injection: "Draw an injection site" },
  erase: "Take back",
  sides: { left: "patient's left", right: "patient's right", midline: "midline" } satisfies Record<PlannedState["side"], string>,
  deep: (mm: number) => `${mm} mm deep`,
  depthUnknown: "depth not known",
  activity: (mbq: string) => `${mbq} MBq now`,
  activityUnknown: "activity not known",
  expect: (cps: string) => `expect ${cps} /s at the skin`,
  mark: "Mark now",
  confirm: "Confirm name and ID of the patient on the table.",
  choose: "Choose the patient",
  report: "Report",
  overrides: (count: number) => `${count} steps were taken with a reason; the report names them.`,
  endEarly: "End early",
  next: (step: string) => `Next: ${step}`,
  back: (step: string) => `Back to ${step}`,
  notYet: (need: string) => `Not yet: ${need}`,
  reason: "Reason",
  goOn: (step: string) => `Go on to ${step}`,
  missing: "This is missing:",
  sayWhy: "To go on all the same, say why; the report names it.",
};

const drawing = {
  name: (sort: string, mm: number) => `${sort} ${mm} mm`,
  touch: (sort: string) => `${sort}: touch where it lies in a slice`,
  placed: (sort: string, mm: number) => `${sort}, ${mm} mm across: slide to move it; two fingers, + or − to size it`,
};

const resection = {
  out: (name: string) => `${name} is out`,
  noneLocated: "No target is located: none can be marked as taken out.",
  stop: "Stop",
  counting: "… COUNTING",
  countBed: "Count bed",
  notOut: "Not out",
  backgroundUnknown: "background not counted",
  background: (cps: string) => `background ${cps} /s`,
  holdToSpecimen: "Hold the probe to a specimen, away from the patient, and count it.",
  specimen: "Specimen",
  countBackground: "Background",
  onTheBench: (background: string) => `On the bench: ${background}`,
  of: (name: string) => `of ${name}`,
  ofNone: "of no target",
  labelled: (number: number, name: string) => `Specimen ${number} is of: ${name}`,
  undo: "Undo",
  discard: (number: number) => `Discard specimen ${number}`,
  row: (number: number, rest: string) => `Specimen ${number}: ${rest}`,
  notCounted: "BED NOT COUNTED",
  holdOverBed: "Hold the probe over the bed, then count.",
  decisions: {
    removed: "✓ REMOVED",
    "still there": "▲ STILL THERE",
    "count on": "◆ COUNT ON",
  } satisfies Record<BedState["decision"], string>,
  atLeast: (share: string) => `At least ${share} of it is left`,
  atMost: (share: string) => `At most ${share} can be left`,
  holdMore: (seconds: number) => `hold ${seconds} s more`,
  what: { bed: "the bed", specimen: "the specimen", background: "the background" } satisfies Record<CountingState["what"], string>,
  progress: (what: string, seconds: string, counts: string) => `Counting ${what}: ${seconds} s, ${counts} counts`,
  ofMost: (seconds: number, most: number) => `${seconds} of ${most}`,
  rules: {
    hottest: "HOTTEST",
    hot: "▲ OVER 10\u00a0%",
    cold: "✓ UNDER 10\u00a0%",
    undecided: "◆ COUNT AGAIN",
  } satisfies Record<NonNullable<SpecimenState["rule"]>, string>,
  cannotTell: "CANNOT TELL",
  tooHot: "too hot to tell",
  any: "any",
  between: (low: string, high: string) => `${low} to ${high}\u00a0%`,
  ofHottest: (best: string, between: string) => `${best}\u00a0% of the hottest (${between})`,
};

const signIn = {
  name: "Name",
  token: "Token of this display",
  secret: "Secret",
  letIn: "Let this display in",
  notAdmitted: "This display is not admitted",
  who: "Who acts?",
  noNeed: "Nobody need sign in in this room",
  noAnswer: "The service does not answer",
};

const studies = {
  title: "Studies",
  isThis: "Is this the patient on the table?",
  empty: "No study was received yet. Send one from the console.",
  failed: (why: string) => `The list cannot be loaded (${why}).`,
  accepted: "accepted",
  refused: (why: string) => `refused: ${why}`,
  missing: "missing",
  noDescription: "no description",
  from: (objects: string, sender: string) => `${objects} from ${sender}`,
  objects: (count: number) => (count === 1 ? "1 object" : `${count} objects`),
  conflicts: (objects: string) => `${objects} came again with other content; all are kept, the sender's rule says which is used`,
  inUse: "In use",
  confirmPatient: "Confirm the patient",
  use: "Use this study",
  name: "Name",
  id: "ID",
  bothMatch: "Both match: use this study",
  notThis: "Not this patient",
  compare: "Compare with the wristband, and touch each that matches.",
  touch: "touch if it matches",
  matches: "✓ matches",
  notInUse: (why: string) => `Not in use: ${why}`,
};

const frames = {
  joined: (by: string) => `CT and activity: ${by}`,
  apart: "Not used: nothing says how two frames of reference of this study lie to each other.",
  ask: "They are one space",
  sure: "I answer for it: no patient and no table moved between them",
};

const worklist = {
  title: "Worklist",
  ask: "Ask who is scheduled today",
  none: "Nobody is scheduled today.",
  failed: (why: string) => `The worklist cannot be asked (${why}).`,
  born: (day: string) => `born ${day}`,
  noProcedure: "no procedure",
  bothMatch: "Both match: begin the procedure",
  notBegun: (why: string) => `Not begun: ${why}`,
};

/** What is said of sentences that the service makes: it makes them in English. */
const service = (sentence: string): string => sentence;

export const en = {
  units, page, header, general, rate, agreement, trend, aim, slices, trust, procedure, drawing, resection, signIn, studies, frames,
  worklist, service,
};

/** The words of the page in a language. */
export type Texts = typeof en;
