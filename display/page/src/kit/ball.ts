/** A ball that a person draws in the plan: a target or an injection site that the map does not show. */

import type { PlannedState, ProcedureState } from "../feed-types";
import { t } from "./language";
import type { Point } from "./vectors";

export type DrawnKind = "target" | "injection";

export interface Ball {
  readonly kind: DrawnKind;
  readonly name: string;
  readonly centre_mm: Point;
  readonly radius_mm: number;
  /** Whether it is being drawn; else it is in the plan. */
  readonly isOpen: boolean;
}

/** The balls that stand in the plan, while it is made: later the estimate says where they are. */
export function ballsOf(procedure: ProcedureState): readonly Ball[] {
  if (procedure.step !== "plan") return [];
  return procedure.sources.flatMap((source) => {
    const kind = kindOf(source);
    if (source.radius_mm == null || kind === null) return [];
    return [{ kind, name: t.service(source.name), centre_mm: source.centre_mm, radius_mm: source.radius_mm, isOpen: false }];
  });
}

function kindOf({ confirmed, proposed }: PlannedState): DrawnKind | null {
  const kind = confirmed ?? proposed;
  return kind === "neither" ? null : kind === "target" ? "target" : "injection";
}
