/** Colours of the canvases (the style sheet has its own) and the colour map of the activity. */

export const INK = "#e8edf2";
export const DIM = "#7d8a97";
export const FAINT = "#2a323b";
export const GROUND = "#12161b";
export const PROBE = "#4ade80";
export const CROSSHAIR = "#38bdf8";
export const TARGET = "#ffffff";
export const INJECTION = "#ffb454";

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

/** The same lightness without its colour: what is not of now. */
export const ash: Uint8ClampedArray = inferno.map((_, n, all) => {
  const at = n - (n % 3);
  return 0.3 * all[at]! + 0.59 * all[at + 1]! + 0.11 * all[at + 2]!;
});
