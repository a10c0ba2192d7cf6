/** What counts after an excision say, in the surgeon's words. */

import type { BedState, CountingState, LimitsState, SpecimenState } from "./feed-types";
import { spaced, withError } from "./words";

export interface BedWords {
  readonly decision: "none" | "removed" | "still-there" | "count-on";
  readonly word: string;
  readonly detail: string;
}

const DECISIONS = {
  removed: { decision: "removed", word: "\u2713 REMOVED" },
  "still there": { decision: "still-there", word: "\u25b2 STILL THERE" },
  "count on": { decision: "count-on", word: "\u25c6 COUNT ON" },
} as const;

/** What is known of a bed: the decision, and the limit that it rests on. */
export function bedOf(bed: BedState | null): BedWords {
  if (bed === null) return { decision: "none", word: "BED NOT COUNTED", detail: "Hold the probe over the bed, then count." };
  return { ...DECISIONS[bed.decision], detail: bedWords(bed) };
}

function bedWords({ decision, left_share, left_mbq, needed_s, reason }: BedState): string {
  if (left_share === null) return reason;
  if (decision === "still there") return `At least ${share(left_share.lower)} of it is left`;
  const most = left_share.upper === null ? "" : `At most ${share(left_share.upper)} can be left`;
  const mbq = left_mbq?.upper == null ? "" : ` (${megabecquerels(left_mbq.upper)})`;
  if (decision === "removed") return `${most}${mbq}`;
  const hold = needed_s === null || needed_s <= 0 ? reason : `hold ${Math.ceil(needed_s)} s more`;
  return `${most}: ${hold}`;
}

/** A share, never as none. */
function share(value: number): string {
  if (value < 0.01) return "1\u00a0%";
  return `${value < 0.095 ? Math.ceil(value * 100) : Math.round(value * 100)}\u00a0%`;
}

function megabecquerels(activity_mbq: number): string {
  return activity_mbq >= 0.1 ? `${activity_mbq.toFixed(1)}\u00a0MBq` : `${Math.max(1, Math.ceil(activity_mbq * 1000))}\u00a0kBq`;
}

/** What is being counted, for how long, and how much. */
export function countingWords(counting: CountingState | null): string {
  if (counting === null) return "";
  const what = { bed: "the bed", specimen: "the specimen", background: "the background" }[counting.what];
  const of = counting.what === "bed" ? "" : ` of ${Math.round(counting.most_s)}`;
  return `Counting ${what}: ${Math.floor(counting.live_time_s)}${of} s, ${spaced(counting.counts)} counts`;
}

const RULES = {
  hottest: "HOTTEST",
  hot: "\u25b2 OVER 10\u00a0%",
  cold: "\u2713 UNDER 10\u00a0%",
  undecided: "\u25c6 COUNT AGAIN",
} as const;

/** A specimen's rate with its error, its share of the hottest with both limits, and what the ten-percent rule says. */
export function specimenOf(specimen: SpecimenState): { rate: string; share: string; word: string } {
  const { rate_cps, low_cps, high_cps, rule, reason } = specimen;
  let rate = "too hot to tell";
  if (rate_cps !== null && low_cps !== null && high_cps !== null) {
    const { value, error } = withError(rate_cps, (high_cps - low_cps) / 2);
    rate = `${value} ± ${error} /s`;
  }
  const word = rule === null ? (reason ? "CANNOT TELL" : "\u2026") : RULES[rule];
  return { rate, share: specimen.share ? interval(specimen.share) : reason, word };
}

function interval({ best, lower, upper }: LimitsState): string {
  const percent = (value: number): string => (value < 0.0995 ? (100 * value).toFixed(1) : Math.round(100 * value).toString());
  const between = `${percent(lower)} to ${upper === null ? "any" : percent(upper)}\u00a0%`;
  return best === null ? between : `${percent(best)}\u00a0% of the hottest (${between})`;
}
