/** How deep the target lies: under the skin where the skin is known, else ahead of the tip. */

import type { Canvas } from "../kit/canvas";
import { DIM, FAINT, PROBE, TARGET } from "../kit/colours";
import { t } from "../kit/language";

/** Depths at the lower end, mm; the smallest that holds the target is used. */
const DEEPEST_MM = [40, 80, 160, 320] as const;

/** A depth, half its 95 % interval, and what it is counted from. */
export interface Depth {
  readonly from: "skin" | "tip";
  readonly mm: number;
  readonly half_mm: number;
}

/** Draw it about `x`, from `y - radius` down to `y + radius`; an empty bar where no depth is known. */
export function drawDepth(canvas: Canvas, depth: Depth | null, x: number, y: number, radius: number): void {
  const { rem, context } = canvas;
  const top = y - radius;
  canvas.line([[x, top], [x, y + radius]], FAINT, rem * 0.9);
  if (depth === null) return;
  const reach = depth.mm + depth.half_mm;
  const deepest_mm = DEEPEST_MM.find((mm) => reach <= mm) ?? DEEPEST_MM[3];
  const at = (mm: number): number => top + (Math.max(0, Math.min(deepest_mm, mm)) / deepest_mm) * 2 * radius;
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const mm = deepest_mm * share;
    canvas.text(mm === 0 ? t.aim.from[depth.from] : `${mm}`, x + rem * 1.2, at(mm), rem * 0.85, { colour: DIM, align: "left" });
  }
  canvas.line([[x - rem * 0.6, top], [x + rem * 0.6, top]], depth.from === "tip" ? PROBE : DIM, 4);
  const low = at(depth.mm - depth.half_mm);
  context.fillStyle = "rgb(255 255 255 / 28%)";
  context.fillRect(x - rem * 0.45, low, rem * 0.9, at(reach) - low);
  const deep = at(depth.mm);
  canvas.line([[x - rem * 0.7, deep], [x + rem * 0.7, deep]], TARGET, 5);
}
