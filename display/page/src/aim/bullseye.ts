/** What the probe would see: where the target lies off its axis, how deep, and where to hold the probe next. */

import type { AdviceState, GuidanceState, PoseState, ShineState, TargetState } from "../feed-types";
import { Canvas } from "../kit/canvas";
import { colourOf, CROSSHAIR, DIM, FAINT, GROUND, INJECTION, INK, PROBE } from "../kit/colours";
import { extent, regionOf, shadow } from "../kit/ellipsoid";
import { t } from "../kit/language";
import { column, negate } from "../kit/vectors";
import { sourceName } from "../kit/words";
import { type Depth, drawDepth } from "./depth-bar";
import { drawGhost } from "./ghost";

/** Half fields, mm; the smallest that holds the target is used. */
const FIELDS_MM = [20, 40, 80, 160] as const;
/** The field grows at once, and shrinks only when the target would fill less than this share of the smaller one. */
const CALM = 0.8;
const ON_AXIS_DEG = 8;
/** Half the opening of the cone towards an injection site. */
const CONE_RAD = 0.45;

export interface Sight {
  readonly pose: PoseState;
  readonly target: TargetState;
  readonly others: readonly TargetState[];
  readonly guidance: GuidanceState;
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
  private advice: AdviceState | null = null;
  private shine: ShineState | null = null;
  private field_mm: number = FIELDS_MM[1];

  constructor(element: HTMLCanvasElement) {
    this.canvas = new Canvas(element, () => this.redraw());
  }

  /** Draw a target and where to hold the probe next; null where there is no such thing. */
  draw(sight: Sight | null, advice: AdviceState | null, shine: ShineState | null): void {
    this.shine = shine?.is_warned ? shine : null;
    this.sight = sight;
    this.advice = advice;
    this.redraw();
  }

  private redraw(): void {
    const { canvas, advice } = this;
    canvas.clear(GROUND);
    const gauge = canvas.rem * 5.2;
    const radius = Math.min(canvas.width - gauge, canvas.height) / 2 - canvas.rem;
    const x = (canvas.width - gauge) / 2;
    const y = canvas.height / 2;
    const target = this.sight && isDrawable(this.sight.target) ? this.sight.target : null;
    if (target || advice) this.field_mm = this.chooseField(target, advice);
    this.drawRings(x, y, radius, (target?.off_axis_deg ?? 180) <= ON_AXIS_DEG);
    if (this.shine) this.drawShine(this.shine, x, y, radius);
    if (advice) drawGhost(canvas, advice, x, y, radius, this.field_mm);
    if (target && this.sight) {
      for (const other of this.sight.others) {
        if (isDrawable(other)) this.drawOther(other, x, y, radius);
      }
      this.drawTarget(this.sight.pose, target, x, y, radius);
    }
    const depth = target && this.sight ? depthOf(this.sight, target) : null;
    drawDepth(canvas, depth, canvas.width - gauge + canvas.rem * 1.4, y, radius);
  }

  private chooseField(target: Seen | null, advice: AdviceState | null): number {
    const off = Math.max(
      target ? Math.hypot(target.tip_right_mm, target.tip_up_mm) : 0,
      target ? Math.abs(target.tip_ahead_mm) / 2 : 0,
      advice ? Math.hypot(advice.right_mm, advice.up_mm) : 0,
    );
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
      canvas.text(`${this.field_mm * share} ${t.units.mm}`, x + at, y + at, size, { colour: DIM });
    }
    canvas.text(t.aim.up, x, y - radius + size, size, { colour: DIM, weight: 700 });
  }

  /** A cone towards the injection site that the probe mostly counts. */
  private drawShine(shine: ShineState, x: number, y: number, radius: number): void {
    const { canvas } = this;
    const { context, rem } = canvas;
    const towards = Math.atan2(-shine.tip_up_mm, shine.tip_right_mm);
    context.beginPath();
    context.moveTo(x, y);
    context.arc(x, y, radius, towards - CONE_RAD, towards + CONE_RAD);
    context.closePath();
    context.fillStyle = `${INJECTION}38`;
    context.fill();
    canvas.stroke(INJECTION, 3, [10, 8]);
    const [right, down] = [x + Math.cos(towards) * radius * 0.72, y + Math.sin(towards) * radius * 0.72];
    const size = rem * 0.9;
    const words = `${t.service(shine.name)} ${Math.round(shine.share * 100)} %`;
    canvas.text(t.aim.shineThrough, canvas.wholeAt(t.aim.shineThrough, right, size, 700), down - rem * 0.6, size, { colour: INJECTION, weight: 700 });
    canvas.text(words, canvas.wholeAt(words, right, size), down + rem * 0.6, size, { colour: INJECTION });
  }

  private drawTarget(pose: PoseState, target: Seen, x: number, y: number, radius: number): void {
    const { canvas } = this;
    const { context } = canvas;
    const scale = radius / this.field_mm;
    const off = Math.hypot(target.tip_right_mm, target.tip_up_mm);
    const shrink = off * scale > radius ? radius / (off * scale) : 1; // beyond the last ring: at the rim, hollow
    const tx = x + target.tip_right_mm * scale * shrink;
    const ty = y - target.tip_up_mm * scale * shrink;
    const colour = colourOf(target.kind);
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
    if (target.tip_ahead_mm < 0) canvas.text(t.aim.behind, tx, ty - dot * 2.2, canvas.rem, { colour: INK, weight: 700 });
  }

  private drawOther(target: Seen, x: number, y: number, radius: number): void {
    const scale = radius / this.field_mm;
    const dx = target.tip_right_mm * scale;
    const dy = -target.tip_up_mm * scale;
    if (Math.hypot(dx, dy) > radius) return;
    const { rem } = this.canvas;
    const colour = target.kind === "target" ? DIM : colourOf(target.kind);
    this.canvas.ring(x + dx, y + dy, rem * 0.45, colour, 3);
    const name = sourceName(target);
    if (name === this.shine?.name) return; // the cone says it
    this.canvas.text(name, x + dx, y + dy - rem, rem * 0.75, { colour });
  }
}

/** Under the skin where it is known; else ahead of the tip, unless the target lies behind it. */
function depthOf({ pose, guidance }: Sight, target: Seen): Depth | null {
  const { depth_mm, depth_half_width_mm } = guidance;
  if (target.name === guidance.target && depth_mm !== null && depth_half_width_mm !== null) {
    return { from: "skin", mm: depth_mm, half_mm: depth_half_width_mm };
  }
  if (target.tip_ahead_mm < 0) return null;
  const region = regionOf(target);
  const half_mm = region ? extent(region, column(pose.patient_from_tip, 2)) : 0;
  return { from: "tip", mm: target.tip_ahead_mm, half_mm };
}
