/** Drawing in the slices: a touch places a ball, two fingers or keys size it, each step can be undone. */

import type { Ball, DrawnKind } from "../kit/ball";
import { find, write } from "../kit/elements";
import { fieldsOf, Kept, pointOf } from "../kit/kept";
import { t } from "../kit/language";
import { along, type Point } from "../kit/vectors";
import { type Expected, ExpectedActivity, type Written, writtenOf } from "./expected-activity";
import { Touches } from "./touches";

/** Of a node, and what the service takes. */
const RADIUS_MM = 5;
const LEAST_MM = 2;
const GREATEST_MM = 40;
/** One touch of a size key, and one of an arrow. */
const STEP_MM = 1;
const NUDGE_MM = 2;
/** The ways of the arrow keys in the axial slice, and of the brackets through it. */
const NUDGES: Record<string, Point> = {
  arrowright: [1, 0, 0],
  arrowleft: [-1, 0, 0],
  arrowdown: [0, 1, 0],
  arrowup: [0, -1, 0],
  "]": [0, 0, 1],
  "[": [0, 0, -1],
};

interface Placed {
  readonly centre_mm: Point | null;
  readonly radius_mm: number;
}

/** A ball as far as it was drawn, and what was written beside it. */
interface Begun extends Placed {
  readonly kind: DrawnKind;
  readonly written: Written;
}

const NOWHERE: Placed = { centre_mm: null, radius_mm: RADIUS_MM };

export class Drawing {
  /** Enters the ball in the plan, and what is expected in it; gives why not, empty where it is in. */
  onSet: (ball: Ball, expected: Expected) => Promise<string> = () => Promise.resolve("");
  /** The slices are to go through here; null: as before it was drawn. */
  onMove: (centre_mm: Point | null) => void = () => undefined;
  /** Gives where the slices are now. */
  onNudge: () => Point | null = () => null;

  private readonly bar = find("drawing", HTMLElement);
  private readonly words = find("drawing-words", HTMLElement);
  private readonly refusal = find("drawing-refusal", HTMLElement);
  private readonly keys = {
    "-": find("drawing-smaller", HTMLButtonElement),
    "+": find("drawing-larger", HTMLButtonElement),
    z: find("drawing-undo", HTMLButtonElement),
    enter: find("drawing-set", HTMLButtonElement),
    escape: find("drawing-cancel", HTMLButtonElement),
  };
  private readonly expected = new ExpectedActivity(() => {
    this.refused = "";
    this.tell();
  });
  private readonly kept = new Kept("drawing", begunOf);
  /** Names the plan and the study that is drawn in. */
  private of = "";
  private kind: DrawnKind | null = null;
  private now: Placed = NOWHERE;
  private past: Placed[] = [];
  private refused = "";
  private isSending = false;

  constructor() {
    for (const [key, button] of Object.entries(this.keys)) button.addEventListener("click", () => this.press(key));
    document.addEventListener("language", () => this.tell());
  }

  get isActive(): boolean {
    return this.kind !== null;
  }

  /** What is being drawn; null while nothing is placed. */
  get ball(): Ball | null {
    const { kind, now } = this;
    if (kind === null || now.centre_mm === null) return null;
    const name = t.drawing.name(t.procedure.sorts[kind], Math.round(2 * now.radius_mm));
    return { kind, name, centre_mm: now.centre_mm, radius_mm: now.radius_mm, isOpen: true };
  }

  begin(kind: DrawnKind): void {
    this.expected.forget();
    this.take(kind, NOWHERE);
    const at_mm = this.onNudge();
    if (at_mm) this.onMove(at_mm);
  }

  /** Draw in this plan and study; what was being drawn in them before page or service began anew goes on. */
  goOn(of: string): void {
    if (of === this.of) return;
    this.leave(); // what was drawn in another plan is none of this one's
    this.of = of;
    const begun = this.kept.find(of);
    if (begun === null) return;
    this.expected.write(begun.written);
    this.take(begun.kind, { centre_mm: begun.centre_mm, radius_mm: begun.radius_mm });
    if (begun.centre_mm) this.onMove(begun.centre_mm);
  }

  private take(kind: DrawnKind, placed: Placed): void {
    this.kind = kind;
    this.now = placed;
    this.past = [];
    this.refused = "";
    this.tell();
  }

  /** That plan is over: what was begun in it is forgotten, also where page or service began anew since. */
  close(of: string): void {
    if (of === this.of && this.kind === null) return;
    this.of = of;
    this.end();
  }

  /** Draw no more; what was not set is forgotten. */
  end(): void {
    this.kept.keep(this.of, null);
    this.stop();
  }

  /** Draw no more until plan and study are there again: a service that has just begun has none yet. */
  leave(): void {
    this.of = "";
    this.stop();
  }

  private stop(): void {
    if (this.kind === null) return;
    this.kind = null;
    this.onMove(null);
    this.tell();
  }

  /** Let fingers on a view draw; `at` gives the patient's place under a point of it. */
  listen(element: HTMLElement, at: (x: number, y: number) => Point | null): void {
    new Touches(element, {
      isWanted: () => this.isActive && !this.isSending,
      onBegin: () => this.remember(),
      onTouch: (x, y) => this.move(at(x, y)),
      onPinch: (x, y) => {
        const before = this.past.at(-1)?.centre_mm ?? null;
        this.move(before ?? at(x, y));
        return this.now.radius_mm;
      },
      onSize: (radius_mm) => this.size(radius_mm),
    });
  }

  /** Do what a key is for; false where it is for something else. */
  press(key: string): boolean {
    if (this.kind === null || this.isSending) return false;
    const nudge = NUDGES[key];
    if (nudge) {
      const from = this.now.centre_mm ?? this.onNudge();
      this.remember();
      this.move(from && along(from, nudge, NUDGE_MM));
    } else if (key === "+" || key === "=" || key === "-") {
      this.remember();
      this.size(this.now.radius_mm + (key === "-" ? -STEP_MM : STEP_MM));
    } else if (key === "z") this.undo();
    else if (key === "enter") void this.set();
    else if (key === "escape") this.end();
    else return false;
    return true;
  }

  private remember(): void {
    this.past.push(this.now);
    this.refused = "";
  }

  private undo(): void {
    this.now = this.past.pop() ?? NOWHERE;
    if (this.now.centre_mm) this.onMove(this.now.centre_mm);
    this.refused = "";
    this.tell();
  }

  private move(centre_mm: Point | null): void {
    if (centre_mm === null) return;
    this.now = { ...this.now, centre_mm };
    this.onMove(centre_mm);
    this.tell();
  }

  private size(radius_mm: number): void {
    this.now = { ...this.now, radius_mm: Math.max(LEAST_MM, Math.min(GREATEST_MM, radius_mm)) };
    this.tell();
  }

  private async set(): Promise<void> {
    const { ball } = this;
    if (ball === null) return;
    const expected = this.expected.read();
    if (typeof expected === "string") {
      this.refused = expected;
      this.tell();
      return;
    }
    const { of } = this;
    this.isSending = true;
    this.tell();
    this.refused = await this.onSet(ball, expected);
    this.isSending = false;
    if (this.refused) this.tell();
    else if (this.of === of) this.end();
    else if (this.of === "") this.kept.keep(of, null); // its study is gone meanwhile, and it is in the plan
  }

  private tell(): void {
    const { kind, now } = this;
    this.bar.hidden = kind === null;
    if (kind === null) return;
    this.kept.keep(this.of, { kind, ...now, written: this.expected.written });
    this.expected.tell();
    const sort = t.procedure.sorts[kind];
    const across_mm = Math.round(2 * now.radius_mm);
    const words = now.centre_mm === null ? t.drawing.touch(sort) : t.drawing.placed(sort, across_mm);
    write(this.words, this.refused ? "" : words);
    write(this.refusal, t.service(this.refused));
    this.keys.z.disabled = this.isSending || this.past.length === 0;
    this.keys.enter.disabled = this.isSending || now.centre_mm === null;
    this.keys["-"].disabled = now.radius_mm <= LEAST_MM;
    this.keys["+"].disabled = now.radius_mm >= GREATEST_MM;
  }
}

function begunOf(kept: unknown): Begun | null {
  const found = fieldsOf(kept);
  const { kind, radius_mm } = found ?? {};
  const written = writtenOf(found?.["written"]);
  if ((kind !== "target" && kind !== "injection") || typeof radius_mm !== "number" || written === null) return null;
  const within_mm = Math.max(LEAST_MM, Math.min(GREATEST_MM, radius_mm));
  return { kind, centre_mm: pointOf(found?.["centre_mm"]), radius_mm: within_mm, written };
}
