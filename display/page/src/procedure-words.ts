/** The procedure in the surgeon's words. */

import type { PlannedState, ProcedureState } from "./feed-types";
import { spaced } from "./words";

/** Each step, and what is done at it. */
export const STEPS: Record<ProcedureState["step"], { word: string; hint: string }> = {
  patient: { word: "Patient", hint: "" },
  plan: { word: "Plan", hint: "Say of each hot spot what it is." },
  "time-out": { word: "Time-out", hint: "Read each aloud, and touch it when it holds." },
  "skin scan": { word: "Skin scan", hint: "Sweep slowly over the skin until a target is located." },
  incision: { word: "Incision", hint: "Mark the point on the skin, and cut." },
  "in vivo": { word: "In vivo", hint: "Follow the sentence to the target. Mark it under Excision when it is out." },
  "ex vivo": { word: "Ex vivo", hint: "Count each specimen on the bench, under Excision." },
  bed: { word: "Bed", hint: "Count the bed of each target, under Excision." },
  ended: { word: "Ended", hint: "" },
};

/** What is touched in place of writing. */
export const REASONS = ["Emergency", "Device not available", "Surgeon's judgement", "Done by other means"] as const;

export function stepWord(state: ProcedureState): string {
  return STEPS[state.step].word.toLowerCase();
}

export function sortWord(sort: "target" | "injection" | "neither"): string {
  return { target: "Target", injection: "Injection site", neither: "Neither" }[sort];
}

/** Side, depth, activity now, and the rate to expect at the skin. */
export function plannedWords({ side, depth_mm, activity_mbq, skin_rate_cps }: PlannedState): string {
  return [
    side === "midline" ? "midline" : `patient's ${side}`,
    depth_mm === null ? "depth not known" : `${Math.max(0, Math.round(depth_mm))} mm deep`,
    activity_mbq === null ? "activity not known" : `${activity_mbq.toPrecision(2)} MBq now`,
    skin_rate_cps === null ? "" : `expect ${spaced(skin_rate_cps)} /s at the skin`,
  ]
    .filter(Boolean)
    .join(", ");
}
