/** Words on a picture, always whole: within it, beside what they are about, over no others. */

import type { Canvas } from "./canvas";

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Between words and the picture's edge, and between words and what they are about, px. */
const MARGIN = 4;
const GAP = 6;
/** Height of a line as a share of its font's size. */
const LINE = 1.25;

export class Labels {
  private taken: Box[] = [];
  private waiting: (() => void)[] = [];

  constructor(private readonly canvas: Canvas) {}

  /** Begin a new picture. */
  clear(): void {
    this.taken = [];
    this.waiting = [];
  }

  /** Write what was put so far, over everything that was drawn meanwhile. */
  write(): void {
    for (const write of this.waiting) write();
  }

  /** Put words at their own place, their middle at `y`; others leave them room. */
  fix(words: string, x: number, y: number, size: number, align: "center" | "left" = "center", weight = 600): void {
    const width = this.canvas.widthOf(words, size, weight);
    this.taken.push({ left: align === "left" ? x : x - width / 2, top: y - size * 0.6, width, height: size * 1.2 });
    this.waiting.push(() => this.canvas.text(words, x, y, size, { align, weight }));
  }

  /** Put words beside what is at `about`; those that are wider than the picture become smaller. */
  put(words: string, about: Box, size: number, colour: string): void {
    const { canvas } = this;
    const fitting = canvas.sizeWithin(words, size, canvas.width - 2 * MARGIN);
    const box = this.place({ width: canvas.widthOf(words, fitting), height: fitting * LINE }, about);
    this.taken.push(box);
    this.waiting.push(() => canvas.text(words, box.left, box.top + box.height / 2, fitting, { colour, align: "left" }));
  }

  /** On the right of it, on the left, over it or under it; where all that is taken, the nearest free height. */
  private place({ width, height }: { width: number; height: number }, about: Box): Box {
    const { canvas, taken } = this;
    const within = (left: number, top: number): Box => ({
      left: Math.max(MARGIN, Math.min(left, canvas.width - width - MARGIN)),
      top: Math.max(MARGIN, Math.min(top, canvas.height - height - MARGIN)),
      width,
      height,
    });
    const middle = about.left + (about.width - width) / 2;
    const high = about.top + (about.height - height) / 2;
    const beside = [
      within(about.left + about.width + GAP, high),
      within(about.left - width - GAP, high),
      within(middle, about.top - height - GAP),
      within(middle, about.top + about.height + GAP),
    ];
    const isFree = (box: Box): boolean => !taken.some((other) => overlap(box, other));
    const free = beside.find((box) => isFree(box) && !overlap(box, about)) ?? beside.find(isFree);
    if (free) return free;
    const rows = Array.from({ length: Math.floor(canvas.height / height) }, (_, row) => within(middle, row * height));
    rows.sort((one, other) => Math.abs(one.top - high) - Math.abs(other.top - high));
    return rows.find(isFree) ?? beside[0]!;
  }
}

function overlap(one: Box, other: Box): boolean {
  return (
    one.left < other.left + other.width &&
    other.left < one.left + one.width &&
    one.top < other.top + other.height &&
    other.top < one.top + one.height
  );
}
