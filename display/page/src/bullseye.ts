/** What the probe would see: where the target lies off its axis, and how deep ahead. */

import { Canvas } from "./canvas";
import { CROSSHAIR, DIM, FAINT, GROUND, INJECTION, INK, PROBE, TARGET } from "./colours";
import { extent, regionOf, shadow } from "./ellipsoid";
import type { PoseState, TargetState } from "./feed-types";
import { column, negate } from "./vectors";

/** Half fields, mm; the smallest that holds the target is used. */
const FIELDS_MM = [20, 40, 80, 160] as const;
/** The field grows at once, and shrinks only when the target would fill less than this share of the smaller one. */
const CALM = 0.8;
const ON_AXIS_DEG = 8;

export interface Sight {
  readonly pose: PoseState;
  readonly target: TargetState;
  readonly others: readonly TargetState[];
}

type Seen = TargetState & { tip_right_mm: number; tip_up_mm: number; tip_ahead_mm: number };

/** Whether a target may be drawn: located, and seen from a probe whose place is known. */
export function isDrawable(target: TargetState): target is Seen {
  const { localisable, tip_right_mm, tip_up_mm, tip_ahead_mm } = target;
  return localisable && tip_right_mm !== null && tip_up_mm !== null && tip_ahead_mm !== null;
}

export class Bullseye {
  private readonly canvas: Canvas;
  private sight: Sight | null = null;
  private field_mm: number = FIELDS_MM[1];

  constructor(element: HTMLCanvasElement) {
    this.canvas = new Canvas(element, () => this.redraw());
  }

  /** Draw; null leaves the rings empty. */
  draw(sight: Sight | null): void {
    this.sight = sight;
    this.redraw();
  }

  private redraw(): void {
    const { canvas, sight } = this;
    canvas.clear(GROUND);
    const gauge = canvas.rem * 5.2;
    const radius = Math.min(canvas.width - gauge, canvas.height) / 2 - canvas.rem;
    const x = (canvas.width - gauge) / 2;
    const y = canvas.height / 2;
    if (sight && isDrawable(sight.target)) {
      this.field_mm = this.chooseField(sight.target);
      this.drawRings(x, y, radius, (sight.target.off_axis_deg ?? 180) <= ON_AXIS_DEG);
      for (const other of sight.others) {
        if (isDrawable(other)) this.drawOther(other, x, y, radius);
      }
      this.drawTarget(sight.pose, sight.target, x, y, radius);
      this.drawDepth(sight.pose, sight.target, canvas.width - gauge + canvas.rem * 1.4, y, radius);
    } else {
      this.drawRings(x, y, radius, false);
    }
  }

  private chooseField({ tip_right_mm, tip_up_mm, tip_ahead_mm }: Seen): number {
    const off = Math.max(Math.hypot(tip_right_mm, tip_up_mm), Math.abs(tip_ahead_mm) / 2);
    const fits = FIELDS_MM.find((field) => off <= field) ?? FIELDS_MM[3];
    if (fits >= this.field_mm) return fits;
    return FIELDS_MM.find((field) => off <= field * CALM && field <= this.field_mm) ?? this.field_mm;
  }

  private drawRings(x: number, y: number, radius: number, isOnAxis: boolean): void {
    const { canvas } = this;
    canvas.disc(x, y, radius, "#0b0d10");
    for (const share of [0.25, 0.5, 0.75, 1]) {
      canvas.ring(x, y, radius * share, share === 0.25 && isOnAxis ? PROBE : FAINT, share === 0.25 && isOnAxis ? 5 : 2);
    }
    canvas.line([[x - radius, y], [x + radius, y]], FAINT, 2);
    canvas.line([[x, y - radius], [x, y + radius]], FAINT, 2);
    canvas.line([[x - 14, y], [x + 14, y]], PROBE, 3);
    canvas.line([[x, y - 14], [x, y + 14]], PROBE, 3);
    const size = canvas.rem * 0.75;
    const diagonal = Math.SQRT1_2 * radius;
    for (const share of [0.5, 1]) {
      const at = diagonal * share;
      canvas.text(`${this.field_mm * share} mm`, x + at, y + at, size, { colour: DIM });
    }
    canvas.text("UP", x, y - radius + size, size, { colour: DIM, weight: 700 });
  }

  private drawTarget(pose: PoseState, target: Seen, x: number, y: number, radius: number): void {
    const { canvas } = this;
    const { context } = canvas;
    const scale = radius / this.field_mm;
    const off = Math.hypot(target.tip_right_mm, target.tip_up_mm);
    const shrink = off * scale > radius ? radius / (off * scale) : 1; // beyond the last ring: at the rim, hollow
    const tx = x + target.tip_right_mm * scale * shrink;
    const ty = y - target.tip_up_mm * scale * shrink;
    const colour = target.kind === "injection" ? INJECTION : TARGET;
    canvas.line([[x, y], [tx, ty]], `${CROSSHAIR}cc`, 3, [9, 7]);
    const region = regionOf(target);
    if (region) {
      const right = negate(column(pose.patient_from_tip, 0)); // the tip's x axis points left
      const ellipse = shadow(region, right, negate(column(pose.patient_from_tip, 1)));
      context.save();
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.clip();
      context.beginPath();
      context.ellipse(tx, ty, ellipse.long * scale, ellipse.short * scale, ellipse.tilt_rad, 0, 2 * Math.PI);
      context.fillStyle = "rgb(255 255 255 / 10%)";
      context.fill();
      canvas.stroke(colour, 3);
      context.restore();
    }
    const dot = canvas.rem * 0.6;
    canvas.disc(tx, ty, dot + 3, "#0b0d10");
    if (shrink === 1 && target.tip_ahead_mm >= 0) canvas.disc(tx, ty, dot, colour);
    else canvas.ring(tx, ty, dot, colour, 4);
  }

  private drawOther(target: Seen, x: number, y: number, radius: number): void {
    const scale = radius / this.field_mm;
    const dx = target.tip_right_mm * scale;
    const dy = -target.tip_up_mm * scale;
    if (Math.hypot(dx, dy) > radius) return;
    const { rem } = this.canvas;
    const colour = target.kind === "injection" ? INJECTION : DIM;
    this.canvas.ring(x + dx, y + dy, rem * 0.45, colour, 3);
    this.canvas.text(target.name, x + dx, y + dy - rem, rem * 0.75, { colour });
  }

  /** The tip at the top, millimetres ahead of it downwards, the target's 95 % extent as a band. */
  private drawDepth(pose: PoseState, target: Seen, x: number, y: number, radius: number): void {
    const { canvas } = this;
    const { rem } = canvas;
    const top = y - radius;
    const deepest_mm = this.field_mm * 2;
    const at = (mm: number): number => top + (Math.max(0, Math.min(deepest_mm, mm)) / deepest_mm) * 2 * radius;
    canvas.line([[x, top], [x, y + radius]], FAINT, rem * 0.9);
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const mm = deepest_mm * share;
      canvas.text(mm === 0 ? "tip" : `${mm}`, x + rem * 1.2, at(mm), rem * 0.75, { colour: DIM, align: "left" });
    }
    canvas.line([[x - rem * 0.6, top], [x + rem * 0.6, top]], PROBE, 4);
    if (target.tip_ahead_mm < 0) {
      canvas.text("BEHIND", x, top + rem * 1.2, rem * 0.75, { colour: INK, weight: 700 });
      return;
    }
    const region = regionOf(target);
    const half = region ? extent(region, column(pose.patient_from_tip, 2)) : 0;
    const colour = target.kind === "injection" ? INJECTION : TARGET;
    const low = at(target.tip_ahead_mm - half);
    const high = at(target.tip_ahead_mm + half);
    canvas.context.fillStyle = "rgb(255 255 255 / 28%)";
    canvas.context.fillRect(x - rem * 0.45, low, rem * 0.9, high - low);
    const deep = at(target.tip_ahead_mm);
    canvas.line([[x - rem * 0.7, deep], [x + rem * 0.7, deep]], colour, 5);
  }
}
