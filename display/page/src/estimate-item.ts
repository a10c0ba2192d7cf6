/** What the targets rest on, in the trust strip: how old, how much, how well it fits, what was left out. */

import type { PosteriorState, RejectionState } from "./feed-types";
import type { Moment } from "./moment";
import type { Item } from "./trust-strip";
import { age } from "./words";

/** Share of readings left out above which something is wrong with the inputs. */
const MANY = 0.2;

/** As old as the newest count in it. */
export function estimateOf(moment: Moment): Item {
  const { posterior, rejections, study } = moment.state;
  const shown = { key: "estimate", title: "Estimate" };
  const leftOut = leftOutWords(rejections);
  if (posterior === null) {
    const detail = study === null ? "no study in use" : ["no counts used yet", leftOut].filter(Boolean).join(", ");
    return { ...shown, state: "connecting", word: "NONE YET", detail };
  }
  const old = age(moment.age(posterior.age_s));
  if (moment.estimate === null) {
    return { ...shown, state: "silent", word: `OLD ${old}`, detail: `no new counts for ${old}` };
  }
  const trouble = troubleOf(posterior, rejections);
  const rests = [beganWords(posterior.restarts), leftOut].filter(Boolean).join(", ") || posterior.response;
  return {
    ...shown,
    state: trouble ? "doubtful" : "live",
    word: `${trouble ? trouble.word : "LIVE"} ${old}`,
    detail: [trouble?.why, `${posterior.readings} readings`, rests].filter(Boolean).join(", "),
  };
}

function troubleOf(posterior: PosteriorState, rejections: readonly RejectionState[]): { word: string; why: string } | null {
  if (!posterior.consistent) return { word: "DOES NOT FIT", why: "the counts fit no position" };
  if (!posterior.within_calibration) return { word: "DOUBTFUL", why: "seen from where the probe is not calibrated" };
  const left = total(rejections);
  return left > MANY * (left + posterior.readings) ? { word: "DOUBTFUL", why: "" } : null;
}

function total(rejections: readonly RejectionState[]): number {
  return rejections.reduce((sum, { readings }) => sum + readings, 0);
}

function beganWords(restarts: number): string {
  if (restarts === 0) return "";
  return restarts === 1 ? "began anew once" : `began anew ${restarts} times`;
}

function leftOutWords(rejections: readonly RejectionState[]): string {
  if (rejections.length === 0) return "";
  return `${total(rejections)} left out: ${rejections.map(({ reason, readings }) => `${readings} × ${reason}`).join(", ")}`;
}
