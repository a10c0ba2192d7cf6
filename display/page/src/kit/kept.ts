/**
 * What was begun at this display and is not done: it outlives a reload and the service, and comes back only to what
 * it is of.
 *
 * A text that was half written about one patient must never stand before another. So each names its procedure or
 * its study, and where it is asked for with another it is gone for good.
 */

import type { ProcedureState, StudyState } from "../feed-types";
import type { Point } from "./vectors";

export class Kept<T> {
  private readonly key: string;

  /** @param read checks what was kept, maybe by another version of the page; null for what this one never keeps */
  constructor(
    name: "drawing" | "lock" | "override" | "relabelled",
    private readonly read: (kept: unknown) => T | null,
  ) {
    this.key = `radionav.${name}`;
  }

  /** What was kept of this procedure or study; null where nothing was. */
  find(of: string): T | null {
    const written = sessionStorage.getItem(this.key);
    if (of === "" || written === null) return null;
    const found = fieldsOf(parse(written));
    if (found?.["of"] === of) return this.read(found["what"]);
    sessionStorage.removeItem(this.key);
    return null;
  }

  /** Keep it, in place of what was; null keeps nothing. What belongs to nothing (an empty name) is not kept. */
  keep(of: string, what: T | null): void {
    if (of === "") return;
    if (what === null) sessionStorage.removeItem(this.key);
    else sessionStorage.setItem(this.key, JSON.stringify({ of, what }));
  }
}

/** Names a procedure, and none of another record that began with the same number; empty while none has begun. */
export function procedureOf({ number, began_at_utc }: ProcedureState): string {
  return number > 0 && began_at_utc ? `${number} ${began_at_utc}` : "";
}

/** Names a study with the volumes that were made of it; empty for none. */
export function studyOf(study: StudyState | null): string {
  return study ? JSON.stringify([study.patient_id, study.study_uid, study.anatomy?.etag, study.activity?.etag]) : "";
}

/** The fields of an object; null where it is none. */
export function fieldsOf(kept: unknown): Record<string, unknown> | null {
  return typeof kept === "object" && kept !== null ? (kept as Record<string, unknown>) : null;
}

/** A place or a direction; null where it is none. */
export function pointOf(kept: unknown): Point | null {
  if (!Array.isArray(kept) || kept.length !== 3 || !kept.every(Number.isFinite)) return null;
  const [x, y, z] = kept as number[];
  return [x!, y!, z!];
}

function parse(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    return null;
  }
}
