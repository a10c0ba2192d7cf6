/** What the targets rest on, in the trust strip: how old, how much, how well it fits, what was left out. */

import type { PosteriorState, RejectionState } from "../feed-types";
import type { Moment } from "../feed/moment";
import { t } from "../kit/language";
import { age } from "../kit/words";
import type { Item } from "./trust-item";

/** Share of readings left out above which something is wrong with the inputs. */
const MANY = 0.2;

/** As old as the newest count in it. */
export function estimateOf(moment: Moment): Item {
  const { posterior, rejections, study } = moment.state;
  const shown = { key: "estimate", title: t.trust.estimate };
  const leftOut = leftOutWords(rejections);
  if (posterior === null) {
    const detail = study === null ? t.trust.noStudy : [t.trust.noCounts, leftOut].filter(Boolean).join(", ");
    return { ...shown, state: "connecting", word: t.trust.noneYet, detail };
  }
  const old = age(moment.age(posterior.age_s));
  if (moment.estimate === null) {
    return { ...shown, state: "silent", word: t.trust.pictureOld(old), detail: t.trust.noNewCounts(old) };
  }
  const trouble = troubleOf(posterior, rejections);
  const rests = [beganWords(posterior.restarts), leftOut].filter(Boolean).join(", ") || posterior.response;
  return {
    ...shown,
    state: trouble ? "doubtful" : "live",
    word: `${trouble ? trouble.word : t.trust.state.live} ${old}`,
    detail: [trouble?.why, t.trust.readings(posterior.readings), rests].filter(Boolean).join(", "),
  };
}

function troubleOf(posterior: PosteriorState, rejections: readonly RejectionState[]): { word: string; why: string } | null {
  if (!posterior.consistent) return { word: t.trust.doesNotFit, why: t.trust.fitNowhere };
  if (!posterior.within_calibration) return { word: t.trust.state.doubtful, why: t.trust.uncalibrated };
  const left = total(rejections);
  return left > MANY * (left + posterior.readings) ? { word: t.trust.state.doubtful, why: "" } : null;
}

function total(rejections: readonly RejectionState[]): number {
  return rejections.reduce((sum, { readings }) => sum + readings, 0);
}

function beganWords(restarts: number): string {
  return restarts === 0 ? "" : t.trust.beganAnew(restarts);
}

function leftOutWords(rejections: readonly RejectionState[]): string {
  if (rejections.length === 0) return "";
  const why = rejections.map(({ reason, readings }) => `${readings} × ${t.service(reason)}`).join(", ");
  return t.trust.leftOut(total(rejections), why);
}
