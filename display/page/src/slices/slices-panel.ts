/** The three slices of the study in use, following the tip. */

import type { MapShiftState, StudyState, TargetState } from "../feed-types";
import { whyNot } from "../feed/answers";
import type { Moment } from "../feed/moment";
import { ballsOf } from "../kit/ball";
import { find, label, mark, write } from "../kit/elements";
import { fieldsOf, Kept, pointOf, procedureOf, studyOf } from "../kit/kept";
import { t } from "../kit/language";
import { along, type Point } from "../kit/vectors";
import { SolidView } from "../solid/solid-view";
import { Drawing } from "./drawing";
import { freshnessOf, LiveImage, liveImageWords, topOf } from "./live-image";
import { Overlay } from "./overlay";
import type { Fusion } from "./slice";
import { SliceControls } from "./slice-controls";
import { alongProbe, type Cut, CUTS, sideOf, SliceView, type Subject } from "./slice-view";
import { centreOf, fetchVolume, valueAt, type Volume } from "./volume";

/** The hottest target reaches this share of the colour map; an injection site beyond it saturates. */
const HEADROOM = 0.85;
const RETRY_MS = 2000;
/** One step through the slices. */
const STEP_MM = 2;
/** From the feet to the head: the way that keys go through the axial slices. */
const CUTS_NORMAL: Point = [0, 0, 1];

/** Where the slices stand still, and the plane along the probe as it was held then. */
interface Lock {
  readonly at_mm: Point;
  readonly along: Cut | null;
}

export class SlicesPanel {
  private readonly controls = new SliceControls();
  private readonly probe = new SliceView(find("probe-slice", HTMLCanvasElement), CUTS.axial, () => t.slices.noPose);
  private readonly probeCanvas = find("probe-slice", HTMLCanvasElement);
  private readonly solid = new SolidView(find("solid", HTMLCanvasElement));
  private readonly views = Object.entries(CUTS).map(([id, cut]) => new SliceView(find(id, HTMLCanvasElement), cut));
  private readonly canvases = Object.keys(CUTS).map((id) => find(id, HTMLCanvasElement));
  private readonly note = find("slices-note", HTMLElement);
  private readonly shift = find("map-shift", HTMLElement);
  private readonly told = find("live-image", HTMLElement);
  private readonly live = new LiveImage();
  readonly overlay = new Overlay();
  readonly drawing = new Drawing();
  /** Where the slices stood still before somebody drew; undefined while nobody does. */
  private lockedBefore: Point | null | undefined = undefined;
  /** Names the study that is shown. */
  private wanted = "";
  private readonly kept = new Kept("lock", lockOf);
  private lock: Lock | null = null;
  private abort = new AbortController();
  private anatomy: Volume | null = null;
  private activity: Volume | null = null;
  private fusion: Fusion | null = null;
  /** Why the volumes are not there; undefined while nothing is wrong. */
  private trouble: unknown;
  private at_mm: Point | null = null;
  /** The plane along the probe as it is held; while the slices are locked, as it was held then. */
  private along: Cut | null = null;

  constructor() {
    this.views.forEach((view, n) => {
      this.canvases[n]!.addEventListener(
        "wheel",
        (event) => {
          event.preventDefault();
          this.scroll(view.across, Math.sign(event.deltaY));
        },
        { passive: false },
      );
      this.drawing.listen(this.canvases[n]!, (x, y) => view.placeAt(x, y));
    });
    this.drawing.onNudge = () => this.at_mm;
    this.drawing.onMove = (centre_mm) => this.goThrough(centre_mm);
    this.controls.onStep = (steps) => this.scroll(CUTS_NORMAL, steps);
    this.controls.onLock = () => this.at_mm;
  }

  /** Do what a key is for: W the window, C the colours, L follows the tip or stands still, [ and ] go through the slices. */
  press(key: string): void {
    this.controls.press(key);
  }

  /** Move the picture across a plane; it stands still from then on. */
  private scroll(across: Point, steps: number): void {
    const from_mm = this.controls.locked_mm ?? this.at_mm; // the step before may not be drawn yet
    if (from_mm !== null) this.controls.lock(along(from_mm, across, steps * STEP_MM));
  }

  /** Keep the slices where somebody draws; null lets them be as they were before. */
  private goThrough(centre_mm: Point | null): void {
    if (this.lockedBefore === undefined) this.lockedBefore = this.controls.locked_mm;
    this.controls.lock(centre_mm ?? this.lockedBefore);
    if (centre_mm === null) this.lockedBefore = undefined;
  }

  /** Show what holds now; null where the page knows nothing. */
  draw(moment: Moment | null): void {
    const study = moment?.state.study ?? null;
    this.want(study);
    if (moment !== null) this.goOnDrawing(moment);
    const isLive = this.overlay.layer === "live" && study !== null;
    mark(this.told, isLive ? freshnessOf(moment) : "hidden");
    write(this.told, isLive ? liveImageWords(moment) : "");
    const subject = moment && study ? this.subject(moment, study) : null;
    for (const view of this.views) view.draw(subject);
    const isLocked = this.controls.locked_mm !== null;
    const where = isLocked ? "locked" : moment?.pose ? "tip" : "target";
    this.drawAlong(subject, isLocked);
    this.keepLock();
    this.solid.draw(moment, study);
    this.canvases.forEach((canvas, n) => {
      const cut = Object.values(CUTS)[n]!;
      const name = t.slices.cuts[cut.name].toLowerCase();
      canvas.dataset["state"] = subject === null ? "none" : where;
      label(canvas, subject === null ? t.slices.none(name) : t.slices.through(name, where, sideOf(cut.right)));
    });
    write(this.note, this.words(moment, study));
    write(this.shift, study === null ? "" : shiftWords(moment?.estimate?.map_shift ?? null));
  }

  private drawAlong(subject: Subject | null, isLocked: boolean): void {
    const pose = subject?.pose ?? null;
    if (!isLocked || this.along === null) this.along = pose && alongProbe(pose);
    const cut = subject && this.along;
    if (cut) this.probe.draw(subject, cut);
    else this.probe.draw(null);
    const state = cut === null ? "none" : isLocked ? "locked" : "tip";
    mark(this.probeCanvas, state);
    label(this.probeCanvas, t.slices.along[state]);
  }

  /** What was being drawn before page or service began anew goes on; what somebody has gone on from meanwhile ends. */
  private goOnDrawing({ state: { procedure } }: Moment): void {
    const of = this.wanted && procedureOf(procedure) ? `${procedureOf(procedure)} ${this.wanted}` : "";
    if (procedure.step === "plan") {
      if (of !== "") this.drawing.goOn(of);
    } else if (of !== "") this.drawing.close(of);
    else this.drawing.leave();
  }

  /** Where they stood before somebody drew is kept: what is drawn may be cancelled. */
  private keepLock(): void {
    const at_mm = this.lockedBefore === undefined ? this.controls.locked_mm : this.lockedBefore;
    if (at_mm === (this.lock?.at_mm ?? null) && (at_mm === null || this.along === this.lock?.along)) return;
    this.lock = at_mm && { at_mm, along: this.along };
    this.kept.keep(this.wanted, this.lock);
  }

  private words(moment: Moment | null, study: StudyState | null): string {
    if (moment === null || study === null) return "";
    if (this.trouble !== undefined) return t.slices.failed(whyNot(this.trouble));
    if ((study.anatomy && !this.anatomy) || (study.activity && !this.activity)) return t.slices.loading;
    if (this.drawing.isActive) return ""; // the keys say it: words would lie over what is drawn
    if (this.controls.locked_mm !== null) return t.slices.doesNotFollow;
    return moment.pose === null ? t.slices.throughTarget : "";
  }

  private subject(moment: Moment, study: StudyState): Subject | null {
    const volume = study.activity ?? study.anatomy;
    if (volume === null) return null;
    const { targets } = moment.state;
    const target = moment.target;
    const at_mm: Point = this.controls.locked_mm ?? moment.pose?.tip_mm ?? target?.centre_mm ?? target?.mapped_mm ?? centreOf(volume);
    this.at_mm = at_mm;
    const { ball, isActive } = this.drawing;
    const balls = [...ballsOf(moment.state.procedure), ...(ball ? [ball] : [])];
    return { fusion: this.fuse(moment), at_mm, pose: moment.pose, targets, balls, isDrawn: isActive };
  }

  /** The same object as long as nothing changes, so that a still picture is not painted again. */
  private fuse(moment: Moment): Fusion {
    const next = this.overlay.layer === "live" ? this.liveFusion(moment) : this.scanFusion(moment.state.targets);
    const keys = Object.keys(next) as (keyof Fusion)[];
    if (this.fusion === null || keys.some((key) => next[key] !== this.fusion![key])) this.fusion = next;
    return this.fusion;
  }

  private scanFusion(targets: readonly TargetState[]): Fusion {
    const { anatomy, activity } = this;
    return { anatomy, activity, ceiling: activity ? ceilingOf(activity, targets) : 1, kind: "scan", ...this.controls.look };
  }

  private liveFusion(moment: Moment): Fusion {
    const activity = this.live.follow(moment.state.live_image);
    const kind = freshnessOf(moment) === "live" ? "live" : "stale";
    return { anatomy: this.anatomy, activity, ceiling: activity ? topOf(activity) : 1, kind, ...this.controls.look };
  }

  private want(study: StudyState | null): void {
    const key = studyOf(study);
    if (key === this.wanted) return;
    this.wanted = key;
    this.abort.abort();
    this.abort = new AbortController();
    this.anatomy = null;
    this.activity = null;
    this.live.forget();
    this.trouble = undefined;
    for (const view of [...this.views, this.probe]) view.recentre();
    this.drawing.leave(); // its places are the other study's
    this.lock = this.kept.find(key);
    this.controls.lock(this.lock?.at_mm ?? null);
    this.along = this.lock?.along ?? null;
    if (study) void this.load(study, this.abort.signal);
  }

  private async load(study: StudyState, signal: AbortSignal): Promise<void> {
    try {
      const [activity, anatomy] = await Promise.all([
        study.activity && fetchVolume(study.activity, signal),
        study.anatomy && fetchVolume(study.anatomy, signal),
      ]);
      if (signal.aborted) return;
      this.activity = activity;
      this.anatomy = anatomy;
      this.trouble = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.trouble = error;
      window.setTimeout(() => {
        if (!signal.aborted) void this.load(study, signal);
      }, RETRY_MS);
    }
  }
}

function lockOf(kept: unknown): Lock | null {
  const found = fieldsOf(kept);
  const at_mm = pointOf(found?.["at_mm"]);
  const along = fieldsOf(found?.["along"]);
  const right = pointOf(along?.["right"]);
  const down = pointOf(along?.["down"]);
  return at_mm && { at_mm, along: right && down && { name: "probe", right, down } };
}

/**
 * Activity at the top of the colour map: the hottest mapped target with some headroom, so that a node stays
 * visible beside an injection site a hundred times as hot; the greatest value where nothing is mapped.
 */
function ceilingOf(activity: Volume, targets: readonly TargetState[]): number {
  const values = targets.flatMap((target) =>
    target.kind === "target" && target.mapped_mm ? [valueAt(activity, target.mapped_mm)] : [],
  );
  const hottest = Math.max(0, ...values) / HEADROOM;
  return hottest > 0 ? Math.min(hottest, activity.state.greatest) : activity.state.greatest || 1;
}

/** How far the patient lies from where the map has her; nothing where the counts cannot tell it from none. */
function shiftWords(shift: MapShiftState | null): string {
  if (shift === null || shift.distance_mm <= shift.half_width_mm) return "";
  return t.slices.moved(Math.round(shift.distance_mm), Math.max(1, Math.round(shift.half_width_mm)));
}
