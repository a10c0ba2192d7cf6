/** Colours of the canvases (the style sheet has its own) and the colour map of the activity. */

import type { TargetState } from "../feed-types";

type SourceKind = TargetState["kind"];

export const INK = "#e8edf2";
export const DIM = "#7d8a97";
export const FAINT = "#2a323b";
export const GROUND = "#12161b";
export const PROBE = "#4ade80";
export const CROSSHAIR = "#38bdf8";
export const HELD = "#7cb8ff";
export const TARGET = "#ffffff";
export const INJECTION = "#ffb454";

/** What is looked for is white; injection sites and organs are not looked for. */
export function colourOf(kind: SourceKind): string {
  return kind === "target" ? TARGET : INJECTION;
}

/** Matplotlib's inferno as polynomials of degree 6 (fit by M. Zucker, public domain), red, green, blue. */
const INFERNO = [
  [0.0002189403691, 0.1065134194856, 11.60249308247, -41.70399613139, 77.162935699427, -71.31942824499, 25.13112622477],
  [0.001651004631, 0.5639564367884, -3.972853965666, 17.43639888205, -33.40235894210, 32.62606426398, -12.24266895239],
  [-0.01948089843709, 3.932712388889, -15.9423941062914, 44.35414519873, -81.80730925739, 73.20951985803, -23.07032500287],
] as const;

/** 256 steps of inferno, red, green, blue in turn, 0 to 255. */
export const inferno: Uint8ClampedArray = new Uint8ClampedArray(
  Array.from({ length: 256 }, (_, step) =>
    INFERNO.map((terms) => 255 * terms.reduceRight((sum, term) => sum * (step / 255) + term, 0)),
  ).flat(),
);

/** Matplotlib's cividis (Nunez, Anderton and Renslow, PLoS ONE 13, 2018) at 17 places, red, green, blue. */
const CIVIDIS = [
  [0, 34, 78], [0, 46, 106], [26, 56, 111], [50, 67, 109], [67, 78, 108], [83, 90, 109], [97, 101, 111], [111, 112, 115],
  [125, 124, 120], [140, 136, 120], [155, 148, 118], [171, 160, 114], [188, 174, 108], [205, 187, 99], [222, 201, 88],
  [240, 216, 70], [254, 232, 56],
] as const;

/** 256 steps of cividis: for eyes that do not tell red from green. */
export const cividis: Uint8ClampedArray = new Uint8ClampedArray(
  Array.from({ length: 256 }, (_, step) => {
    const at = (step / 255) * (CIVIDIS.length - 1);
    const from = Math.min(CIVIDIS.length - 2, Math.floor(at));
    return CIVIDIS[from]!.map((value, channel) => value + (CIVIDIS[from + 1]![channel]! - value) * (at - from));
  }).flat(),
);

/** The same lightness without its colour: what is not of now. */
export const ash: Uint8ClampedArray = inferno.map((_, n, all) => {
  const at = n - (n % 3);
  return 0.3 * all[at]! + 0.59 * all[at + 1]! + 0.11 * all[at + 2]!;
});
