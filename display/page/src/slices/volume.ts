/** A volume fetched from the service, and its values between voxels. */

import type { VolumeState } from "../feed-types";
import { authorised } from "../feed/admission";
import { mustBeGood, NoAnswer } from "../feed/answers";
import { t } from "../kit/language";
import { apply, invert, type Matrix, type Point, subtract } from "../kit/vectors";

/** Voxels a step may move across an axis and still count as along another. */
const STILL = 1e-9;

export interface Volume {
  readonly state: VolumeState;
  readonly voxels: Int16Array | Float32Array;
  readonly voxelFromPatient: Matrix;
}

/** Fetch the voxels; throws where they do not fill the grid. */
export async function fetchVolume(state: VolumeState, signal: AbortSignal): Promise<Volume> {
  const answer = await fetch(state.url, { signal, headers: authorised({}) });
  mustBeGood(answer);
  const bytes = await answer.arrayBuffer();
  const [slices, rows, columns] = state.shape;
  const voxels = state.dtype === "int16" ? new Int16Array(bytes) : new Float32Array(bytes);
  const wanted = slices * rows * columns;
  if (voxels.length !== wanted) throw new NoAnswer(() => t.slices.incomplete(voxels.length, wanted));
  return { state, voxels, voxelFromPatient: invert(state.patient_from_voxel) };
}

/** Fractional index (k, j, i) of a position in patient axes, mm. */
export function indexOf(volume: Volume, position_mm: Point): Point {
  return apply(volume.voxelFromPatient, subtract(position_mm, volume.state.origin_mm));
}

/** Middle of the grid in patient axes, mm. */
export function centreOf(state: VolumeState): Point {
  const middle = state.shape.map((count) => (count - 1) / 2) as unknown as Point;
  const offset = apply(state.patient_from_voxel, middle);
  return [offset[0] + state.origin_mm[0], offset[1] + state.origin_mm[1], offset[2] + state.origin_mm[2]];
}

/**
 * Trilinear values at `out.length` points along a line of indices (k, j, i) from `start` by `step`;
 * `outside` where the grid has none.
 */
export function sampleLine(volume: Volume, start: Point, step: Point, out: Float32Array, outside: number): void {
  const [from, to] = insideRange(start, step, volume.state.shape, out.length);
  out.fill(outside, 0, from);
  out.fill(outside, to);
  if (from === to) return;
  const axis = alignedAxis(step);
  if (axis === null) sampleOblique(volume, start, step, out, from, to);
  else sampleAligned(volume, start, step[axis], axis, out, from, to);
}

type Axis = 0 | 1 | 2;

/** The two axes across each. */
const ACROSS = [
  [1, 2],
  [0, 2],
  [0, 1],
] as const;

/** The one axis that a step follows, null for a slanting one. */
function alignedAxis(step: Point): Axis | null {
  const isStill = (axis: Axis): boolean => Math.abs(step[axis]) <= STILL;
  if (isStill(0) && isStill(1)) return 2;
  if (isStill(0) && isStill(2)) return 1;
  return isStill(1) && isStill(2) ? 0 : null;
}

/** The two voxels around a fractional index: offset of the first, offset to the second, weight of the second. */
function cell(index: number, count: number, stride: number): [number, number, number] {
  const first = Math.max(0, Math.min(count - 2, Math.floor(index)));
  return [first * stride, count > 1 ? stride : 0, index - first];
}

/**
 * A line along one axis of the grid, as with every scan that lies straight: the four neighbours across the
 * line keep their weights, so each voxel along it is mixed once and not for every point between.
 */
function sampleAligned(
  { voxels, state }: Volume,
  start: Point,
  stride: number,
  axis: Axis,
  out: Float32Array,
  from: number,
  to: number,
): void {
  const { shape } = state;
  const strides: Point = [shape[1] * shape[2], shape[2], 1];
  const [one, two] = ACROSS[axis];
  const [base1, next1, weight1] = cell(start[one], shape[one], strides[one]);
  const [base2, next2, weight2] = cell(start[two], shape[two], strides[two]);
  const pitch = strides[axis];
  const enter = start[axis] + from * stride;
  const leave = start[axis] + (to - 1) * stride;
  const first = Math.max(0, Math.floor(Math.min(enter, leave)));
  const last = Math.min(shape[axis] - 1, Math.ceil(Math.max(enter, leave)));
  const mixed = new Float32Array(last - first + 2);
  const corner = base1 + base2 + first * pitch;
  mix(voxels, corner, next1, next2, pitch, weight1, weight2, mixed);
  stretch(mixed, enter - first, stride, out, from, to);
}

/** Bilinear mixture of four neighbours for each voxel along a line; the last stands twice, for `stretch`. */
function mix(
  voxels: Int16Array | Float32Array,
  corner: number,
  next1: number,
  next2: number,
  pitch: number,
  weight1: number,
  weight2: number,
  mixed: Float32Array,
): void {
  const count = mixed.length - 1;
  for (let n = 0, a = corner; n < count; n++, a += pitch) {
    const front = voxels[a]! + (voxels[a + next2]! - voxels[a]!) * weight2;
    const back = voxels[a + next1]! + (voxels[a + next1 + next2]! - voxels[a + next1]!) * weight2;
    mixed[n] = front + (back - front) * weight1;
  }
  mixed[count] = mixed[count - 1]!;
}

function stretch(mixed: Float32Array, at: number, stride: number, out: Float32Array, from: number, to: number): void {
  for (let n = from; n < to; n++, at += stride) {
    const m = at | 0;
    const value = mixed[m]!;
    out[n] = value + (mixed[m + 1]! - value) * (at - m);
  }
}

function sampleOblique(
  { voxels, state }: Volume,
  start: Point,
  step: Point,
  out: Float32Array,
  from: number,
  to: number,
): void {
  const [slices, rows, columns] = state.shape;
  // the last cell starts one voxel before the end; a grid of one voxel has no next one to step to
  const lastK = Math.max(0, slices - 2);
  const lastJ = Math.max(0, rows - 2);
  const lastI = Math.max(0, columns - 2);
  const nextK = slices > 1 ? rows * columns : 0;
  const nextJ = rows > 1 ? columns : 0;
  const nextI = columns > 1 ? 1 : 0;
  const [dk, dj, di] = step;
  let k = start[0] + from * dk;
  let j = start[1] + from * dj;
  let i = start[2] + from * di;
  for (let n = from; n < to; n++, k += dk, j += dj, i += di) {
    const k0 = k >= lastK ? lastK : k | 0;
    const j0 = j >= lastJ ? lastJ : j | 0;
    const i0 = i >= lastI ? lastI : i | 0;
    const fk = k - k0;
    const fj = j - j0;
    const fi = i - i0;
    const a = (k0 * rows + j0) * columns + i0;
    const b = a + nextJ;
    const c = a + nextK;
    const d = c + nextJ;
    const va = voxels[a]! + (voxels[a + nextI]! - voxels[a]!) * fi;
    const vb = voxels[b]! + (voxels[b + nextI]! - voxels[b]!) * fi;
    const vc = voxels[c]! + (voxels[c + nextI]! - voxels[c]!) * fi;
    const vd = voxels[d]! + (voxels[d + nextI]! - voxels[d]!) * fi;
    const front = va + (vb - va) * fj;
    out[n] = front + (vc + (vd - vc) * fj - front) * fk;
  }
}

/** Value at one position in patient axes, mm; 0 outside. */
export function valueAt(volume: Volume, position_mm: Point): number {
  const value = new Float32Array(1);
  sampleLine(volume, indexOf(volume, position_mm), [0, 0, 0], value, 0);
  return value[0]!;
}

/** Half-open range of steps along a line that lie within the grid. */
function insideRange(start: Point, step: Point, shape: Point, count: number): [number, number] {
  let from = 0;
  let to = count - 1;
  const edge = 1e-6;
  for (let axis = 0; axis < 3; axis++) {
    const first = start[axis]!;
    const stride = step[axis]!;
    const last = shape[axis]! - 1 + edge;
    if (Math.abs(stride) <= STILL) {
      if (first < -edge || first > last) return [0, 0];
    } else {
      const enter = (-edge - first) / stride;
      const leave = (last - first) / stride;
      from = Math.max(from, Math.ceil(Math.min(enter, leave)));
      to = Math.min(to, Math.floor(Math.max(enter, leave)));
    }
  }
  return from <= to ? [from, to + 1] : [0, 0];
}
