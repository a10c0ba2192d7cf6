/** One slice through the patient that follows the tip: CT, activity, probe, targets and the patient's sides. */

import type { PoseState, TargetState } from "../feed-types";
import type { Ball } from "../kit/ball";
import { Canvas } from "../kit/canvas";
import { colourOf, CROSSHAIR, DIM, INK, PROBE } from "../kit/colours";
import { regionOf, section, shadow } from "../kit/ellipsoid";
import { Labels } from "../kit/labels";
import { t } from "../kit/language";
import { along, column, cross, dot, negate, subtract, type Point } from "../kit/vectors";
import { sourceName } from "../kit/words";
import { paint, type Fusion, type Raster } from "./slice";

/** A view's name and the directions of the screen in patient axes. */
export interface Cut {
  readonly name: "axial" | "coronal" | "sagittal" | "probe";
  readonly right: Point;
  readonly down: Point;
}

/** The radiological convention: the patient's left on the right of the screen, as seen from the feet and the front. */
export const CUTS = {
  axial: { name: "axial", right: [1, 0, 0], down: [0, 1, 0] },
  coronal: { name: "coronal", right: [1, 0, 0], down: [0, 0, -1] },
  sagittal: { name: "sagittal", right: [0, 1, 0], down: [0, 0, -1] },
} as const satisfies Record<string, Cut>;

/** The plane through the probe's axis and its right side, the way it looks downwards. */
export function alongProbe(pose: PoseState): Cut {
  return { name: "probe", right: negate(column(pose.patient_from_tip, 0)), down: column(pose.patient_from_tip, 2) };
}

/** What all three views show. */
export interface Subject {
  readonly fusion: Fusion;
  readonly at_mm: Point;
  readonly pose: PoseState | null;
  readonly targets: readonly TargetState[];
  readonly balls: readonly Ball[];
  /** Somebody draws: the picture keeps still under her finger. */
  readonly isDrawn: boolean;
}

/** Patient mm across the shorter side of the smallest view. */
const FIELD_MM = 200;
/** Screen pixels for each sample of the picture; CT voxels are about two pixels wide at this field. */
const COARSENESS = 1.5;
/** How far ahead of the tip the picture is centred: tissue matters more than the air behind the probe. */
const FOCUS_MM = 35;
/** Share of the view in which that point may move before the picture follows: a still picture is easier to read. */
const CALM = 0.3;
const CALM_DRAWN = 0.9;
/** Distance of the tip off the plane from which on it is told. */
const OFF_PLANE_MM = 1.5;
const SHAFT_MM = 90;
const LOOK_MM = 60;
const OPPOSITES = [
  ["R", "L"],
  ["A", "P"],
  ["F", "H"],
] as const;

/** Letter of the side of the patient that a direction points to: L left, R right, A front, P back, H head, F feet. */
export function sideOf(direction: Point): string {
  const sizes = direction.map(Math.abs);
  const axis = sizes.indexOf(Math.max(...sizes));
  return OPPOSITES[axis]![direction[axis]! > 0 ? 1 : 0];
}

export class SliceView {
  private readonly canvas: Canvas;
  private readonly labels: Labels;
  private normal: Point;
  private readonly picture = document.createElement("canvas");
  private readonly ink = this.picture.getContext("2d")!;
  private image: ImageData | null = null;
  private middle_mm: Point | null = null;
  private subject: Subject | null = null;
  private painted = "";
  private paintedFusion: Fusion | null = null;

  constructor(
    element: HTMLCanvasElement,
    private cut: Cut,
    private readonly absent: () => string = () => t.slices.noStudy,
  ) {
    this.normal = cross(cut.right, cut.down);
    this.canvas = new Canvas(element, () => this.redraw());
    this.labels = new Labels(this.canvas);
  }

  /** Another patient, another picture: the next is centred anew. */
  recentre(): void {
    this.middle_mm = null;
  }

  /** The direction that the plane is moved along, patient axes. */
  get across(): Point {
    return this.normal;
  }

  /** Draw, along another plane where one is given; null where there is nothing to cut. */
  draw(subject: Subject | null, cut: Cut = this.cut): void {
    this.cut = cut;
    this.normal = cross(cut.right, cut.down);
    this.subject = subject;
    this.redraw();
  }

  /** The patient's place under a point of the view, px; null where nothing is shown. */
  placeAt(x: number, y: number): Point | null {
    if (this.middle_mm === null) return null;
    const { canvas, scale } = this;
    const across_mm = along(this.middle_mm, this.cut.right, (x - canvas.width / 2) / scale);
    return along(across_mm, this.cut.down, (y - canvas.height / 2) / scale);
  }

  /** Pixels for each mm. */
  private get scale(): number {
    return Math.min(this.canvas.width, this.canvas.height) / FIELD_MM;
  }

  private redraw(): void {
    const { canvas, subject } = this;
    if (subject === null) {
      this.middle_mm = null;
      canvas.clear("#000");
      const words = this.absent();
      const size = canvas.sizeWithin(words, canvas.rem * 1.1, canvas.width - canvas.rem);
      canvas.text(words, canvas.width / 2, canvas.height / 2, size, { colour: DIM });
      return;
    }
    const { scale } = this;
    const isAhead = subject.pose !== null && !subject.isDrawn;
    const focus_mm = isAhead ? along(subject.at_mm, subject.pose.axis, FOCUS_MM) : subject.at_mm;
    const middle_mm = this.follow(subject.at_mm, focus_mm, scale);
    this.paintPicture(subject.fusion, middle_mm, scale);
    canvas.context.imageSmoothingEnabled = true;
    canvas.context.drawImage(this.picture, 0, 0, canvas.width, canvas.height);

    const place = (position_mm: Point): [number, number] => {
      const off = subtract(position_mm, middle_mm);
      return [
        canvas.width / 2 + dot(off, this.cut.right) * scale,
        canvas.height / 2 + dot(off, this.cut.down) * scale,
      ];
    };
    this.drawCrosshair(place(subject.at_mm));
    this.nameSides();
    this.drawRuler(scale);
    for (const ball of subject.balls) this.drawBall(ball, subject.at_mm, place, scale);
    for (const target of subject.targets) this.drawTarget(target, subject.at_mm, place, scale);
    if (subject.pose) this.drawProbe(subject.pose, subject.at_mm, place);
    this.labels.write();
  }

  /** Middle of the picture: in the plane of the tip, moved along only when the focus leaves the calm part. */
  private follow(at_mm: Point, focus_mm: Point, scale: number): Point {
    const { right, down } = this.cut;
    const share = this.subject?.isDrawn ? CALM_DRAWN : CALM;
    const old = this.middle_mm ?? focus_mm;
    const off = subtract(focus_mm, old);
    const excess = (step: number, side: number): number => {
      const calm = (side * share) / 2 / scale;
      return step - Math.max(-calm, Math.min(calm, step));
    };
    let middle = along(old, this.normal, dot(subtract(at_mm, old), this.normal));
    middle = along(middle, right, excess(dot(off, right), this.canvas.width));
    middle = along(middle, down, excess(dot(off, down), this.canvas.height));
    this.middle_mm = middle;
    return middle;
  }

  private paintPicture(fusion: Fusion, middle_mm: Point, scale: number): void {
    const width = Math.max(1, Math.round(this.canvas.width / COARSENESS));
    const height = Math.max(1, Math.round(this.canvas.height / COARSENESS));
    const turn = [...this.cut.right, ...this.cut.down].map((part) => part.toFixed(3)).join(" ");
    const key = `${width} ${height} ${middle_mm.map((mm) => mm.toFixed(2)).join(" ")} ${turn}`;
    if (key === this.painted && fusion === this.paintedFusion && this.image !== null) return;
    if (this.image === null || this.image.width !== width || this.image.height !== height) {
      this.picture.width = width;
      this.picture.height = height;
      this.image = this.ink.createImageData(width, height);
    }
    const acrossStep = this.canvas.width / width / scale;
    const downStep = this.canvas.height / height / scale;
    const left_mm = along(middle_mm, this.cut.right, (0.5 - width / 2) * acrossStep);
    const raster: Raster = {
      origin_mm: along(left_mm, this.cut.down, (0.5 - height / 2) * downStep),
      right_mm: along([0, 0, 0], this.cut.right, acrossStep),
      down_mm: along([0, 0, 0], this.cut.down, downStep),
      width,
      height,
    };
    paint(new Uint32Array(this.image.data.buffer), raster, fusion);
    this.ink.putImageData(this.image, 0, 0);
    this.painted = key;
    this.paintedFusion = fusion;
  }

  private drawCrosshair([x, y]: [number, number]): void {
    const { canvas } = this;
    const gap = canvas.rem;
    const faint = `${CROSSHAIR}99`;
    canvas.line([[x, 0], [x, y - gap]], faint, 1);
    canvas.line([[x, y + gap], [x, canvas.height]], faint, 1);
    canvas.line([[0, y], [x - gap, y]], faint, 1);
    canvas.line([[x + gap, y], [canvas.width, y]], faint, 1);
  }

  /** Solid where the plane cuts the 95 % region, dashed with the distance to go where it lies off the plane. */
  private drawTarget(target: TargetState, at_mm: Point, place: (mm: Point) => [number, number], scale: number): void {
    const region = regionOf(target);
    if (region === null || target.centre_mm === null) return;
    const { context } = this.canvas;
    const { right, down } = this.cut;
    const height = dot(subtract(at_mm, target.centre_mm), this.normal);
    const cutting = section(region, right, down, this.normal, height);
    if (cutting === null && target.kind !== "target") return;
    const ellipse = cutting ?? shadow(region, right, down);
    const [x, y] = place(target.centre_mm);
    const colour = colourOf(target.kind);
    const centre = [x + ellipse.x * scale, y + ellipse.y * scale] as const;
    const radii = [Math.max(3, ellipse.long * scale), Math.max(3, ellipse.short * scale)] as const;
    for (const [rim, width] of [["rgb(0 0 0 / 60%)", 5], [colour, 2.5]] as const) {
      context.beginPath();
      context.ellipse(...centre, ...radii, ellipse.tilt_rad, 0, 2 * Math.PI);
      this.canvas.stroke(rim, width, cutting ? [] : [5, 6]);
    }
    const name = sourceName(target);
    const side = sideOf(height > 0 ? negate(this.normal) : this.normal);
    const words = cutting ? name : t.slices.off(name, Math.abs(height).toFixed(0), side);
    this.tell(words, centre, Math.max(...radii), colour);
  }

  /** Filled where the plane cuts it, dashed with the distance to go where it lies off the plane. */
  private drawBall(ball: Ball, at_mm: Point, place: (mm: Point) => [number, number], scale: number): void {
    const { context } = this.canvas;
    const height = dot(subtract(at_mm, ball.centre_mm), this.normal);
    const left = ball.radius_mm ** 2 - height ** 2;
    const centre = place(ball.centre_mm);
    const radius = Math.max(3, Math.sqrt(left > 0 ? left : ball.radius_mm ** 2) * scale);
    const colour = colourOf(ball.kind);
    for (const [rim, width] of [["rgb(0 0 0 / 60%)", 6], [colour, ball.isOpen ? 4 : 2.5]] as const) {
      context.beginPath();
      context.arc(...centre, radius, 0, 2 * Math.PI);
      context.fillStyle = `${colour}${ball.isOpen ? "2e" : "00"}`;
      if (left > 0) context.fill();
      this.canvas.stroke(rim, width, left > 0 ? [] : [5, 6]);
    }
    const side = sideOf(height > 0 ? negate(this.normal) : this.normal);
    const words = left > 0 ? ball.name : t.slices.off(ball.name, Math.abs(height).toFixed(0), side);
    this.tell(words, centre, radius, colour);
  }

  private tell(words: string, [x, y]: readonly [number, number], radius: number, colour: string): void {
    const about = { left: x - radius, top: y - radius, width: 2 * radius, height: 2 * radius };
    this.labels.put(words, about, this.canvas.rem * 0.85, colour);
  }

  private drawProbe(pose: PoseState, at_mm: Point, place: (mm: Point) => [number, number]): void {
    const tip = place(pose.tip_mm);
    const back = place(along(pose.tip_mm, negate(pose.axis), SHAFT_MM));
    const ahead = place(along(pose.tip_mm, pose.axis, LOOK_MM));
    const thick = this.canvas.rem * 0.32;
    this.canvas.line([back, tip], "rgb(0 0 0 / 60%)", thick + 3);
    this.canvas.line([back, tip], PROBE, thick);
    this.canvas.line([tip, ahead], PROBE, 1.5, [6, 6]);
    this.canvas.disc(...tip, thick * 1.1, "#0b0d10");
    this.canvas.ring(...tip, thick * 1.1, PROBE, 2.5);
    const off = dot(subtract(pose.tip_mm, at_mm), this.normal);
    if (Math.abs(off) < OFF_PLANE_MM) return;
    const side = sideOf(off > 0 ? this.normal : negate(this.normal));
    const words = t.slices.off(t.slices.probe, Math.abs(off).toFixed(0), side);
    this.tell(words, tip, thick * 2, PROBE);
  }

  /** Letters of the sides, and the name of the cut. */
  private nameSides(): void {
    const { canvas, labels } = this;
    const { right, down, name } = this.cut;
    const size = canvas.rem * 1.3;
    const inset = size * 0.85;
    const letters = [
      [sideOf(negate(right)), inset, canvas.height / 2],
      [sideOf(right), canvas.width - inset, canvas.height / 2],
      [sideOf(negate(down)), canvas.width / 2, inset],
      [sideOf(down), canvas.width / 2, canvas.height - inset],
    ] as const;
    labels.clear();
    for (const [letter, x, y] of letters) labels.fix(letter, x, y, size);
    labels.fix(t.slices.cuts[name], inset * 0.7, inset, canvas.rem * 0.8, "left", 700);
  }

  private drawRuler(scale: number): void {
    const { canvas } = this;
    const right = canvas.width - canvas.rem;
    const y = canvas.height - canvas.rem;
    const left = right - 50 * scale;
    canvas.line([[left, y - 5], [left, y], [right, y], [right, y - 5]], INK, 2);
    canvas.text(`50 ${t.units.mm}`, (left + right) / 2, y - canvas.rem * 0.7, canvas.rem * 0.7);
  }
}
