/** The procedure in the surgeon's words. */

import type { PlannedState, ProcedureState } from "./feed-types";
import { t } from "./language";
import { spaced } from "./words";

export function stepWord(state: ProcedureState): string {
  return t.procedure.steps[state.step].word.toLowerCase();
}

/** Side, depth, activity now, and the rate to expect at the skin. */
export function plannedWords({ side, depth_mm, activity_mbq, skin_rate_cps, proposal }: PlannedState): string {
  const words = t.procedure;
  return [
    words.sides[side],
    depth_mm === null ? words.depthUnknown : words.deep(Math.max(0, Math.round(depth_mm))),
    activity_mbq === null ? words.activityUnknown : words.activity(activity_mbq.toPrecision(2).replace(".", t.units.decimal)),
    skin_rate_cps === null ? "" : words.expect(spaced(skin_rate_cps)),
    proposal ? t.service(proposal) : "",
  ]
    .filter(Boolean)
    .join(", ");
}
