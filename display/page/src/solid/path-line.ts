/** The tip's way as a line in three dimensions: grown by what is new, never made anew as long as it is one way. */

import { BufferAttribute, BufferGeometry, DynamicDrawUsage, Line, LineBasicMaterial } from "three";
import type { Point } from "../kit/vectors";
import type { TipPath } from "./tip-path";

/** Places that there is room for at first; it doubles. */
const FIRST_ROOM = 64;

export class PathLine {
  readonly line = new Line(new BufferGeometry(), new LineBasicMaterial({ color: 0x38bdf8 }));
  private places = roomFor(FIRST_ROOM);
  /** Whether the graphics card has none of the places yet: it is handed all of them. */
  private isNew = true;
  /** The way that it is of. */
  private of = "";
  /** Points of that way that were ever laid. */
  private laid = 0;
  /** Places before the first that is drawn, and with the last. */
  private begin = 0;
  private end = 0;

  constructor() {
    this.line.geometry.setAttribute("position", this.places);
    this.line.frustumCulled = false; // else three.js would measure all of it to find out whether it is in sight
  }

  /** Lay what was added to the way, and on to where the tip is now; null where that is not known. */
  lay(path: TipPath, tip_mm: Point | null): void {
    if (path.of !== this.of) {
      this.of = path.of;
      this.laid = this.begin = this.end = 0;
    }
    const added = path.points.slice(Math.max(0, path.points.length - (path.length - this.laid)));
    this.makeRoom(added.length + 1, path.points.length - added.length);
    const from = this.end;
    for (const point of added) this.places.setXYZ(this.end++, ...point);
    this.laid = path.length;
    this.begin = this.end - path.points.length;
    const isHeld = tip_mm !== null && path.points.length > 0;
    if (isHeld) this.places.setXYZ(this.end, ...tip_mm);
    this.upload(from, this.end + Number(isHeld));
    this.line.geometry.setDrawRange(this.begin, this.end - this.begin + Number(isHeld));
  }

  /** Have room for more places after those that stay: twice of what there was, or of what that takes. */
  private makeRoom(more: number, staying: number): void {
    if (this.end + more <= this.places.count) return;
    const wider = roomFor(Math.max(2 * staying, staying + more, FIRST_ROOM));
    wider.array.set(this.places.array.subarray(3 * (this.end - staying), 3 * this.end));
    this.end = staying;
    this.line.geometry.dispose(); // with the graphics card's copy
    this.line.geometry.setAttribute("position", wider);
    this.places = wider;
    this.isNew = true;
  }

  private upload(from: number, to: number): void {
    if (to === from) return;
    if (!this.isNew) this.places.addUpdateRange(3 * from, 3 * (to - from));
    this.places.needsUpdate = true;
    this.isNew = false;
  }
}

function roomFor(places: number): BufferAttribute & { array: Float32Array } {
  const made = new BufferAttribute(new Float32Array(3 * places), 3) as BufferAttribute & { array: Float32Array };
  made.setUsage(DynamicDrawUsage);
  return made;
}
