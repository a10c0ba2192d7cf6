/** What counts after an excision say, in the surgeon's words. */

import type { BedState, CountingState, LimitsState, SpecimenState } from "../feed-types";
import { t } from "../kit/language";
import { fixed, spaced, withError } from "../kit/words";

export interface BedWords {
  readonly decision: "none" | "removed" | "still-there" | "count-on";
  readonly word: string;
  readonly detail: string;
}

const DECISIONS = { removed: "removed", "still there": "still-there", "count on": "count-on" } as const;

/** What is known of a bed: the decision, and the limit that it rests on. */
export function bedOf(bed: BedState | null): BedWords {
  if (bed === null) return { decision: "none", word: t.resection.notCounted, detail: t.resection.holdOverBed };
  return { decision: DECISIONS[bed.decision], word: t.resection.decisions[bed.decision], detail: bedWords(bed) };
}

function bedWords({ decision, left_share, left_mbq, needed_s, reason }: BedState): string {
  if (left_share === null) return t.service(reason);
  if (decision === "still there") return t.resection.atLeast(share(left_share.lower));
  const most = left_share.upper === null ? "" : t.resection.atMost(share(left_share.upper));
  const mbq = left_mbq?.upper == null ? "" : ` (${megabecquerels(left_mbq.upper)})`;
  if (decision === "removed") return `${most}${mbq}`;
  const hold = needed_s === null || needed_s <= 0 ? t.service(reason) : t.resection.holdMore(Math.ceil(needed_s));
  return `${most}: ${hold}`;
}

/** A share, never as none. */
function share(value: number): string {
  if (value < 0.01) return "1\u00a0%";
  return `${value < 0.095 ? Math.ceil(value * 100) : Math.round(value * 100)}\u00a0%`;
}

function megabecquerels(activity_mbq: number): string {
  if (activity_mbq >= 0.1) return `${fixed(activity_mbq, 1)}\u00a0${t.units.mbq}`;
  return `${Math.max(1, Math.ceil(activity_mbq * 1000))}\u00a0${t.units.kbq}`;
}

/** What is being counted, for how long, and how much. */
export function countingWords(counting: CountingState | null): string {
  if (counting === null) return "";
  const so_far_s = Math.floor(counting.live_time_s);
  const seconds = counting.what === "bed" ? `${so_far_s}` : t.resection.ofMost(so_far_s, Math.round(counting.most_s));
  return t.resection.progress(t.resection.what[counting.what], seconds, spaced(counting.counts));
}

/** A specimen's rate with its error, its share of the hottest with both limits, and what the ten-percent rule says. */
export function specimenOf(specimen: SpecimenState): { rate: string; share: string; word: string } {
  const { rate_cps, low_cps, high_cps, rule, reason } = specimen;
  let rate = t.resection.tooHot;
  if (rate_cps !== null && low_cps !== null && high_cps !== null) {
    const { value, error } = withError(rate_cps, (high_cps - low_cps) / 2);
    rate = `${value} ± ${error} ${t.units.perSecond}`;
  }
  const word = rule === null ? (reason ? t.resection.cannotTell : "\u2026") : t.resection.rules[rule];
  return { rate, share: specimen.share ? interval(specimen.share) : t.service(reason), word };
}

function interval({ best, lower, upper }: LimitsState): string {
  const percent = (value: number): string => (value < 0.0995 ? fixed(100 * value, 1) : Math.round(100 * value).toString());
  const between = t.resection.between(percent(lower), upper === null ? t.resection.any : percent(upper));
  return best === null ? between : t.resection.ofHottest(percent(best), between);
}
