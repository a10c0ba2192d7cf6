/** How a calibration stands, asked of the service again and again while somebody looks. */

import type { CalibrationState, LandmarkList } from "../feed-types";
import { authorised } from "../feed/admission";
import { t } from "../kit/language";

/** The service keeps an answer back for ten seconds at most. */
const SILENCE_MS = 15_000;
const RETRY_MS = 1000;

export interface Heard {
  /** Null where nothing is known now. */
  readonly state: CalibrationState | null;
  /** Why not; empty where it is. */
  readonly trouble: string;
  /** Whether asking again may help. */
  readonly isFinal?: boolean;
}

export class CalibrationLine {
  private abort = new AbortController();

  constructor(private readonly onHeard: (heard: Heard) => void) {}

  /** Ask from the beginning. */
  follow(): void {
    this.leave();
    this.abort = new AbortController();
    void this.ask(this.abort.signal);
  }

  /** Ask no more. */
  leave(): void {
    this.abort.abort();
  }

  private async ask(signal: AbortSignal): Promise<void> {
    let seq = -1;
    while (!signal.aborted) {
      const heard = await listen(seq, signal);
      if (signal.aborted) return;
      this.onHeard(heard);
      if (heard.isFinal) return;
      seq = heard.state?.seq ?? -1;
      if (heard.state === null) await new Promise((resolve) => window.setTimeout(resolve, RETRY_MS));
    }
  }
}

async function listen(after: number, signal: AbortSignal): Promise<Heard> {
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(SILENCE_MS)]);
    const answer = await fetch(`/v1/calibrations?after=${after}`, { signal: within, headers: authorised({}) });
    if (answer.status === 404) return { state: null, trouble: t.calibration.noTracker, isFinal: true };
    if (!answer.ok) return { state: null, trouble: await answer.text() };
    return { state: (await answer.json()) as CalibrationState, trouble: "" };
  } catch {
    return { state: null, trouble: t.calibration.silent };
  }
}

/** What a check of the registration can touch. */
export async function fetchLandmarks(): Promise<LandmarkList> {
  try {
    const answer = await fetch("/v1/calibrations/landmarks", { headers: authorised({}) });
    return answer.ok ? ((await answer.json()) as LandmarkList) : { names: [], trouble: await answer.text() };
  } catch {
    return { names: [], trouble: t.calibration.silent };
  }
}
