/** The procedure in the surgeon's words. */

import type { PlannedState, ProcedureState } from "../feed-types";
import { t } from "../kit/language";
import { dateTime, spaced } from "../kit/words";

/** So many digits, and no power of ten. */
function megabecquerels(activity_mbq: number, digits: number): string {
  return Number(activity_mbq.toPrecision(digits)).toString().replace(".", t.units.decimal);
}

export function stepWord(state: ProcedureState): string {
  return t.procedure.steps[state.step].word.toLowerCase();
}

/** Side, depth, activity now, and the rate to expect at the skin. */
export function plannedWords({ side, depth_mm, activity_mbq, skin_rate_cps, proposal, masking, entered_mbq, entered_at_utc }: PlannedState): string {
  const words = t.procedure;
  return [
    words.sides[side],
    depth_mm === null ? words.depthUnknown : words.deep(Math.max(0, Math.round(depth_mm))),
    activity_mbq === null ? words.activityUnknown : words.activity(megabecquerels(activity_mbq, 2)),
    entered_mbq == null ? "" : words.entered(megabecquerels(entered_mbq, 3), dateTime(entered_at_utc ?? null)),
    skin_rate_cps === null ? "" : words.expect(spaced(Number(skin_rate_cps.toPrecision(3)))),
    proposal ? t.service(proposal) : "",
    masking ? t.service(masking) : "",
  ]
    .filter(Boolean)
    .join(", ");
}
