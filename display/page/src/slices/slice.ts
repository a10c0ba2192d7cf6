/** A plane through the patient, painted: CT in grey, activity over it in colour. */

import { ash } from "../kit/colours";
import { along, apply, type Point } from "../kit/vectors";
import { indexOf, sampleLine, type Volume } from "./volume";

/** Where the picture's first sample lies, and the steps from sample to sample, patient axes, mm. */
export interface Raster {
  readonly origin_mm: Point;
  readonly right_mm: Point;
  readonly down_mm: Point;
  readonly width: number;
  readonly height: number;
}

/** What to paint and between which values. */
export interface Fusion {
  readonly anatomy: Volume | null;
  readonly activity: Volume | null;
  /** Activity shown as the map's top; what is hotter looks the same. */
  readonly ceiling: number;
  /** A scan knows all of its grid; a live image only some of it, and that is tinted where nothing is hot. */
  readonly kind: "scan" | "live" | "stale";
  readonly window: Window;
  /** 256 colours of the activity. */
  readonly colours: Uint8ClampedArray;
}

/** Grey window of the CT, HU. */
export interface Window {
  readonly name: "soft" | "bone" | "lung";
  readonly black_hu: number;
  readonly white_hu: number;
}

/** Centre and width as radiologists set them: 40/400, 300/1500, -600/1500. */
export const WINDOWS: readonly Window[] = [
  { name: "soft", black_hu: -160, white_hu: 240 },
  { name: "bone", black_hu: -450, white_hu: 1050 },
  { name: "lung", black_hu: -1350, white_hu: 150 },
];

/** Activity below this share of the ceiling is left away, so that the CT stays legible. */
export const FLOOR = 0.12;
const OPACITY = 0.8;
/** What a live image adds to the blue, and leaves of the red, where it knows that nothing is hot. */
const KNOWN_BLUE = 26;
const KNOWN_RED = 0.82;

/** Paint a plane into `pixels` (ABGR in memory order of a little-endian machine: `ImageData`'s RGBA). */
export function paint(pixels: Uint32Array, raster: Raster, fusion: Fusion): void {
  const { width, height } = raster;
  const grey = new Float32Array(width);
  const hot = new Float32Array(width);
  for (let row = 0; row < height; row++) {
    const start_mm = along(raster.origin_mm, raster.down_mm, row);
    sampleRow(fusion.anatomy, start_mm, raster.right_mm, grey, fusion.window.black_hu);
    sampleRow(fusion.activity, start_mm, raster.right_mm, hot, NaN);
    blend(pixels.subarray(row * width, (row + 1) * width), grey, hot, fusion);
  }
}

function sampleRow(volume: Volume | null, start_mm: Point, step_mm: Point, out: Float32Array, outside: number): void {
  if (volume === null) out.fill(outside);
  else sampleLine(volume, indexOf(volume, start_mm), apply(volume.voxelFromPatient, step_mm), out, outside);
}

/** What is not a number is unknown, and stays as the CT has it. */
function blend(pixels: Uint32Array, grey: Float32Array, hot: Float32Array, fusion: Fusion): void {
  const { ceiling, kind, window } = fusion;
  const colours = kind === "stale" ? ash : fusion.colours;
  const isTinted = kind === "live";
  const toGrey = 255 / (window.white_hu - window.black_hu);
  const toStep = 1 / ceiling;
  for (let n = 0; n < pixels.length; n++) {
    const level = (grey[n]! - window.black_hu) * toGrey;
    const shade = level < 0 ? 0 : level > 255 ? 255 : level;
    const share = hot[n]! * toStep;
    if (!(share >= FLOOR)) {
      const flat = shade | 0;
      const isKnown = isTinted && share === share;
      const blue = isKnown ? Math.min(255, flat + KNOWN_BLUE) : flat;
      const red = isKnown ? (KNOWN_RED * flat) | 0 : flat;
      pixels[n] = 0xff000000 | (blue << 16) | (flat << 8) | red;
      continue;
    }
    // the map fades in over twice the floor: a hard edge would look like an outline that the scan does not have
    const fade = OPACITY * (share >= 3 * FLOOR ? 1 : (share - FLOOR) / (2 * FLOOR));
    const at = 3 * (share >= 1 ? 255 : (share * 255) | 0);
    const rest = (1 - fade) * shade;
    const red = (rest + fade * colours[at]!) | 0;
    const green = (rest + fade * colours[at + 1]!) | 0;
    const blue = (rest + fade * colours[at + 2]!) | 0;
    pixels[n] = 0xff000000 | (blue << 16) | (green << 8) | red;
  }
}
