/**
 * The sentences that the service makes, and how a language finds its own for them.
 *
 * The service speaks English, in its record, on MQTT and in its report; each sentence, with `{}` for what is put
 * in, and `{n}` for what is only a number, is the code that another language looks up. One that is not listed
 * stays as it is: never silence.
 */

export const SENTENCES = [
  // what keeps from navigating
  "No tracker in the site file: count rate only",
  "Calibrating: the patient is not looked at meanwhile",
  "Counting on the bench: the patient is not looked at meanwhile",
  "Not registered to the patient: count rate only",
  "The probe is not calibrated: run acquire",
  "the probe is not calibrated: run acquire",
  "The calibration is of another probe ({}, not {}): run acquire with this one",
  "No study of this patient: send one, or choose one from the list",
  "No position can be told: {}",
  "The tracker does not see the probe",
  "Sweep slowly over the skin",
  "the study has no CT in the activity's space",
  "the process of the estimate was lost ({}); all counts are being counted again",
  "{}: choose the study again to start afresh",
  "the estimate failed ({})",
  "its process was lost {} times ({})",
  // what speaks against a position
  "Position not trusted: {}",
  "{} was missed by {} mm: the reference has slipped, register again",
  "the registration is {} h old: register again",
  "the registration was last checked {} min ago: touch a landmark with acquire verify",
  "the tip's calibration expired on {}: run acquire tool",
  "the probe counts most {}° beside its axis: run acquire tool, then acquire axis",
  "here the registration is good to {} mm only: add landmarks nearby, with acquire register",
  "{} is gone: register again",
  "registration doubtful: by the counts all lies {} mm elsewhere, as where the reference slipped; touch a landmark with acquire verify, register again if it is missed",
  "registration doubtful: by the counts all lies {} mm elsewhere, as where the reference slipped; register again, then choose the study again",
  "the registration is of another patient than the study: register the one on the table",
  "the landmarks were marked in another scan than the study: mark them in this one, register again",
  "registered with a newer calibration of the tip than this room navigates by: restart radionav",
  "registered with another calibration of the tip than this room navigates by: register again",
  "the registration was made with other tools than the site file names: register again",
  "a new calibration of the tip waits: restart radionav",
  "a new delay of the counts waits: restart radionav",
  "the tip's axis passed by now: restart radionav",
  "the landmarks lie on the skin only with x and y turned: they are RAS where LPS was said",
  "the landmarks lie {} mm from the skin of the study: they were marked in another one",
  // guidance
  "Nothing counted yet: hold the probe to the skin and sweep slowly",
  "The counts do not fit any position: check probe, tracker and patient's marker, then sweep again",
  "No target yet: sweep slowly over the whole area",
  "{}: the counts speak against it",
  "Cannot tell yet where {} is: {}; sweep slowly around it",
  "{} is located, but the probe is not tracked: show its marker to the tracker",
  "{}: {} mm ± {}, behind the tip: turn the probe round",
  "{}: {} mm ± {}, straight ahead",
  "{}: {} mm ± {}, tilt {}, {} mm deeper ahead",
  "No target yet: {}",
  "Cannot tell yet: {}",
  "Hold next: {}",
  "hold still here",
  "hold {}",
  "{}, tilt {}",
  "tilt {}",
  "{} and {}",
  "left {n}°",
  "right {n}°",
  "up {n}°",
  "down {n}°",
  "{n} mm to the patient's left",
  "{n} mm to the patient's right",
  "{n} mm to the back",
  "{n} mm to the front",
  "{n} mm to the head",
  "{n} mm to the feet",
  // why a target is not located
  "nothing counted yet",
  "the counts do not show it (probability {})",
  "the map says so, the counts do not yet",
  "its region still reaches {} mm",
  "the counts do not fit any position",
  "the counts do not fit",
  // why a count was left out
  "no number, or no direction",
  "fewer counts than none",
  "its pose is not in the room",
  "its live time cannot be",
  "more counts than the instrument can count",
  "counted twice",
  "older than the one before",
  "its interval overlaps the one before",
  "its pose is off the hand's way",
  "its pose jumped into the patient",
  // what a step of the procedure needs
  "both identifiers of the patient are confirmed",
  "each hot spot is confirmed as a target, an injection site or neither",
  "at least one hot spot is a target",
  "each item of the time-out is confirmed and none fails",
  "a target is located",
  "a target is marked as taken out",
  "a specimen is counted of each target taken out",
  "the bed of each target taken out is counted and free",
  "all steps are taken",
  // the time-out
  "nuclide",
  "probe",
  "window",
  "quality check",
  "tracker",
  "registration",
  "side",
  "the calibrated one",
  "joined",
  "none: no direction",
  "{}, and no calibration for it",
  "all energies: this probe has no window",
  "channels {} to {}",
  "its own analyser {}",
  "{}; calibrated for {} to {} keV, see that they are the same",
  "{} to {} keV",
  "not done: run acquire",
  "{} steps passed on {}",
  "{} steps passed on {}, not today: run acquire",
  "live, residual {} mm",
  "live",
  "silent",
  "lost",
  "connecting",
  "not there",
  "no target is planned",
  "{}, {}: {}",
  "{}: {}",
  "left",
  "right",
  "midline",
  // refusals
  "somebody else has acted meanwhile: look again, then repeat it if it still holds",
  "the procedure of {} ({}) is not ended: end it first; a study of another patient, or of another name, is never loaded into it",
  "the map in use has no hot spot {}",
  "{} cannot be confirmed ({}): mend it, or go on with a reason",
  "{}: that has to be so first",
  "not yet so: {}. To go on all the same, give a reason",
  "{}; {}",
  "the procedure is not recorded any more ({}): make room on the disk and start again",
  "the procedure is not recorded any more ({}): move its file away and start again",
  "no such study has come in",
  "the study is of another patient: ID and name must both be those in the study",
  "the study holds no map: it has no SPECT or PET that could be placed in the patient",
  "too many requests: wait a second",
  "sign in first",
  "{} may not do this: sign in as somebody who may",
  "this study is the map at the step {}: go back to plan first",
  "there is no map in use to draw on",
  "nobody drew {}: a hot spot of the map is sorted out as neither",
  "that place lies outside of the study's images",
  "there is a {} already: give it another name",
  "{} is there already, {} mm away: confirm that one",
  "another study has come into use meanwhile: look again, then repeat it if it still holds",
  "the worklist has nobody of this ID and name today: ask it again",
  "the worklist gives no patient ID: have it corrected there",
  "{} at the step plan, not at {}: go back to it first",
  "{} was drawn in another space than the map has now and is left out: draw it again",
  "hot spots are confirmed",
  "targets are drawn",
  "what was drawn is erased",
  "{} was taken out: give this one another name",
  "the study is being read again by what was said of it: wait until it has been",
  // after the excision
  "something is being counted: stop that first",
  "a calibration is under way: end it first",
  "nothing is estimated yet: there is no target to be taken out",
  "there is no target {}",
  "{} is not located ({}): nobody could say whether it is gone from a place that is not known",
  "no target was marked as number {}",
  "no target was marked as number {}: say first what was taken out",
  "the bed cannot be counted: {}",
  "there is no specimen {}",
  "no target {} was marked as taken out",
  "the counts could not be judged ({}): count again",
  "The {} was not counted: {}",
  "specimen",
  "background",
  "only {} s were counted: hold the probe still, {} s are best",
  "the instrument is overloaded: hold the probe farther away and count again",
  "the instrument is saturated: hold the probe farther away and count again",
  "the study is not read again yet: wait, or choose it",
  "the probe was not calibrated for such distances and angles: hold it nearer, pointing at the bed",
  "the counts do not fit a source at this place: count the bed anew",
  "more counts at this pose would not decide it",
  "too few counts yet",
  // devices
  "being opened",
  "open, waiting for its first reading",
  "no reading for {} s in the recording",
  "this is a replay of a recording: nothing is done in it",
  "no reading for {} s: check that it is switched on and its cable is whole",
  "no reading for {} s, though bytes come: check its baud rate and that it is the model in the site file",
  "could not be opened within {} s: check its cable and power",
  "another instrument answers: {} instead of {}; connect the former one, or restart to use this one",
  "{} is gone ({}): check the cable and that the instrument is on, and that no other program reads the same port",
  "what comes from {} is not OpenIGTLink: {}. Check host and port",
  "the link to {} is lost ({}). Check the tracker's computer and cable",
  "{} does not answer within {} s. Check that the tracker's computer is on and its firewall lets us in",
  "the network does not know the host {} ({}). Check its name",
  "nothing listens at {}. Start the tracker's OpenIGTLink server, or check the port",
  "cannot reach {} ({})",
  "the tracker says: {}",
  // what a tracker says of a tool
  "partly outside the volume: move the camera so that all of the tool is inside",
  "averaged over fewer frames than asked: hold it still for a moment",
  "outside the volume: move the camera, or the tool into its volume",
  "too few of its markers are seen: clear the line of sight, clean or renew the spheres",
  "infrared disturbs it: turn lamps and reflecting things away from the camera",
  "its markers do not fit its definition: clean or renew the spheres, and check the tool's .rom file in the site file",
  "there is too much for the tracker's buffer: take reflecting things out of its sight",
  "there is too much for the tracker's computation: take reflecting things out of its sight",
  "the tracker fell behind: take tools out of the site file",
  "the camera's sensors are out of step: switch the tracker off and on; if it comes again, call NDI's service",
  "the tracker failed over it: switch the tracker off and on; if it comes again, call NDI's service",
  "not in sight: clear the line of sight between tool and camera",
  "tracking it is not enabled: end other programs that use the tracker; it is opened again by itself",
  "unplugged: check the tool's plug",
  "not in its port: check the tool's plug",
  "not initialised: end other programs that use the tracker; it is opened again by itself",
  "not enabled: end other programs that use the tracker; it is opened again by itself",
  "in a state that we do not know ({}): switch the tracker off and on; if it comes again, call NDI's service",
  "a quaternion of length {} is no rotation",
  "a POSITION of 12 bytes does not say how the tool is turned",
  "tool type {} does not know its turn about its axis",
  "it is in {} twice: give each tool its own name at the sender",
  "it comes both in {} and in {}: give each tool its own name at the sender",
  "{} has it in two places by turns, as two trackers of one name are: give each tool its own name at the sender",
  "{} navigates by a tool of the same name, so this one is not used: give one of the two another name",
  // names of what is looked for
  "target {}",
  "injection",
  "unmapped",
  "unmapped {}",
  // what a hot spot may be instead of a target
  "kidney? {n} mL, at the back, with its like on the other side",
  "bladder? {n} mL, in the middle of the trunk",
  "liver? {n} mL, on the right of the trunk",
  "salivary gland? {n} mL, in head or neck, with its like on the other side",
  "thyroid? {n} mL, at the front of the neck",
] as const;

export type Sentence = (typeof SENTENCES)[number];

interface Rule {
  readonly pattern: RegExp;
  readonly words: string;
}

/** Says the service's sentences in another language, as `words` has them, with `{0}`, `{1}` … for names and numbers. */
export function translator(words: Record<Sentence, string>, decimal: string): (sentence: string) => string {
  const weight = (sentence: string): number => sentence.replace(/\{n?\}/g, "").length;
  const rules: readonly Rule[] = [...SENTENCES]
    .sort((one, other) => weight(other) - weight(one)) // what says most of itself fits best
    .map((sentence) => ({ pattern: patternOf(sentence), words: words[sentence] }));
  const say = (sentence: string): string => {
    if (/^\d+\.\d+$/.test(sentence)) return sentence.replace(".", decimal);
    const rule = rules.find(({ pattern }) => pattern.test(sentence));
    if (rule === undefined) return sentence;
    const parts = rule.pattern.exec(sentence)!.slice(1);
    const said = rule.words.replace(/\{(\d)\}/g, (_, n: string) => say(parts[Number(n)]!));
    const isCapital = sentence[0] !== sentence[0]!.toLowerCase();
    return isCapital ? said[0]!.toUpperCase() + said.slice(1) : said;
  };
  return say;
}

/** The first letter may be a capital: a sentence begins with one wherever it stands. */
function patternOf(sentence: string): RegExp {
  const escaped = sentence
    .split(/(\{n?\})/)
    .map((part) => ({ "{}": "(.+?)", "{n}": "([\\d.]+)" })[part] ?? part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("");
  const [first, rest] = [escaped[0]!, escaped.slice(1)];
  const either = /[a-z]/i.test(first) ? `[${first.toLowerCase()}${first.toUpperCase()}]` : first;
  return new RegExp(`^${either}${rest}$`);
}
