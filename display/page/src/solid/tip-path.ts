/** The way of the tip over the patient so far: the service keeps it, so that it outlives this page. */

import type { PathPoints } from "../feed-types";
import { authorised } from "../feed/admission";
import { mustBeGood } from "../feed/answers";
import type { Moment } from "../feed/moment";
import type { Point } from "../kit/vectors";

const ASK_EVERY_MS = 500;
/** As many as the service keeps. */
const MOST_POINTS = 4000;

export class TipPath {
  readonly points: Point[] = [];
  /** The run of the service and the path that the points are of. */
  of = "";
  /** Points that the path ever had, of those that this page was told. */
  length = 0;
  private askedAt_ms = -Infinity;
  private isAsking = false;

  /** Drop what is of another patient, scan or registration, and fetch what the page lacks. */
  follow({ state }: Moment, now_ms: number): void {
    const of = nameOf(state.session_id, state.path.number);
    if (of !== this.of) {
      this.of = of;
      this.points.length = this.length = 0;
      this.askedAt_ms = -Infinity;
    }
    if (state.path.length > this.length && !this.isAsking && now_ms - this.askedAt_ms >= ASK_EVERY_MS) {
      this.askedAt_ms = now_ms;
      void this.ask();
    }
  }

  private async ask(): Promise<void> {
    this.isAsking = true;
    try {
      const answer = await fetch(`/v1/path?since=${this.length}`, { headers: authorised({}) });
      mustBeGood(answer);
      const { session_id, number, first, points_mm } = (await answer.json()) as PathPoints;
      if (nameOf(session_id, number) !== this.of) return; // asked before it began anew, answered after, or the reverse
      this.points.push(...points_mm);
      this.points.splice(0, Math.max(0, this.points.length - MOST_POINTS));
      this.length = first + points_mm.length;
    } catch {
      return; // asked again with one of the next states
    } finally {
      this.isAsking = false;
    }
  }
}

function nameOf(session_id: string, number: number): string {
  return `${session_id} ${number}`;
}
