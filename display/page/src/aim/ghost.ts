/** The probe as it should be held next: a dashed ring where the tip goes, an arrow the way to tilt. */

import type { AdviceState } from "../feed-types";
import type { Canvas } from "../kit/canvas";
import { PROBE } from "../kit/colours";
import { t } from "../kit/language";

/** Tilt below which no arrow is drawn, and tilt whose arrow is as long as the rings' radius. */
const LEAST_DEG = 4;
const WHOLE_DEG = 60;
const DASHES = 14;

/** Draw it in rings of `radius` about `x`, `y` that show `field_mm`: as the probe comes there, it comes to the middle. */
export function drawGhost(
  canvas: Canvas,
  advice: AdviceState,
  x: number,
  y: number,
  radius: number,
  field_mm: number,
): void {
  const { rem } = canvas;
  const size = rem * 1.7;
  const away = Math.hypot(advice.right_mm, advice.up_mm) / field_mm;
  const shrink = (radius / field_mm) * Math.min(1, 1 / Math.max(away, 1e-9));
  const gx = x + advice.right_mm * shrink;
  const gy = y - advice.up_mm * shrink;
  const length = Math.hypot(gx - x, gy - y);
  if (length > size) {
    const [ux, uy] = [(gx - x) / length, (gy - y) / length];
    canvas.line([[x, y], [gx - ux * size, gy - uy * size]], `${PROBE}99`, 3, [4, 8]);
  }
  const dash = (Math.PI * size) / DASHES;
  canvas.ring(gx, gy, size, "rgb(11 13 16 / 85%)", 11);
  canvas.ring(gx, gy, size, PROBE, advice.reached ? 7 : 5, advice.reached ? [] : [dash, dash]);
  const word = advice.reached ? t.aim.hold : t.aim.holdNext;
  const isAbove = advice.tilt_up_deg < -LEAST_DEG || gy > y + radius - size * 2; // out of the arrow's way
  const side = Math.max(0, Math.abs(gx - x) - radius + rem * 3.5) * Math.sign(gx - x); // words stay within the rings
  canvas.text(word, gx - side, gy + (isAbove ? -1 : 1) * (size + rem * 0.8), rem * 1.1, { colour: PROBE, weight: 700 });
  drawTilt(canvas, advice, gx, gy, radius, size);
}

function drawTilt(canvas: Canvas, advice: AdviceState, x: number, y: number, radius: number, start: number): void {
  const tilt_deg = Math.hypot(advice.tilt_right_deg, advice.tilt_up_deg);
  if (tilt_deg < LEAST_DEG) return;
  const [ux, uy] = [advice.tilt_right_deg / tilt_deg, -advice.tilt_up_deg / tilt_deg];
  const end = start + Math.max(canvas.rem, radius * Math.min(1, tilt_deg / WHOLE_DEG) - start);
  const head = canvas.rem * 0.9;
  const tip = [x + ux * end, y + uy * end] as const;
  canvas.line([[x + ux * start, y + uy * start], tip], PROBE, 5);
  for (const side of [-1, 1]) {
    canvas.line([tip, [tip[0] - (ux + side * uy * 0.7) * head, tip[1] - (uy - side * ux * 0.7) * head]], PROBE, 5);
  }
}

/** The same in words. */
export function ghostWords(advice: AdviceState): string {
  if (advice.reached) return t.aim.holdStill;
  const { right_mm, up_mm, tilt_right_deg, tilt_up_deg } = advice;
  return t.aim.holdThere(right_mm, up_mm, tilt_right_deg, tilt_up_deg);
}
