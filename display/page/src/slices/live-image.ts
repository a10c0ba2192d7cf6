/** The image that the probe's own counts make: fetched anew with each number, and how old it is. */

import type { LiveImageState } from "../feed-types";
import type { Moment } from "../feed/moment";
import { t } from "../kit/language";
import { age, spaced } from "../kit/words";
import { fetchVolume, type Volume } from "./volume";

/** Least activity concentration at the top of the colours, Bq/mL: 0.1 MBq in 3 mL. Less would colour noise. */
const LEAST_TOP = 3e4;
/** Share of the hottest voxel that is the top of the colours, so that what is beside it is seen. */
const TOP_SHARE = 0.85;
const RETRY_MS = 1000;

export type LiveImageFreshness = "none" | "live" | "stale";

export class LiveImage {
  private volume: Volume | null = null;
  private wanted = "";
  private abort = new AbortController();

  /** The voxels to show, of the newest image that has come; null where there is none. */
  follow(state: LiveImageState | null): Volume | null {
    if (state?.volume == null) this.forget();
    else if (state.volume.etag !== this.wanted && this.abort.signal.aborted) {
      this.wanted = state.volume.etag;
      this.abort = new AbortController();
      void this.load(state, this.abort);
    }
    return this.volume;
  }

  /** Hold nothing, and wait for nothing. */
  forget(): void {
    this.abort.abort();
    this.volume = null;
    this.wanted = "";
  }

  constructor() {
    this.abort.abort();
  }

  private async load(state: LiveImageState, abort: AbortController): Promise<void> {
    try {
      const volume = await fetchVolume(state.volume!, abort.signal);
      if (!abort.signal.aborted) this.volume = volume;
    } catch {
      // two newer ones may have come meanwhile, and the service has forgotten this one: the next state names another
      if (!abort.signal.aborted) await new Promise((resolve) => window.setTimeout(resolve, RETRY_MS));
      if (!abort.signal.aborted) this.wanted = "";
    }
    abort.abort();
  }
}

/** Activity at the top of the colours, Bq/mL. */
export function topOf(volume: Volume): number {
  return Math.max(LEAST_TOP, TOP_SHARE * volume.state.greatest);
}

export function freshnessOf(moment: Moment | null): LiveImageFreshness {
  const image = moment?.state.live_image ?? null;
  if (moment === null || image === null || image.volume === null) return "none";
  return moment.isLive && moment.age(image.age_s) <= image.stale_after_s ? "live" : "stale";
}

/** How old it is, and of how much it knows anything. */
export function liveImageWords(moment: Moment | null): string {
  const image = moment?.state.live_image ?? null;
  if (moment === null || image === null) return t.slices.noImage;
  if (image.volume === null) return t.slices.nothingKnown;
  const old = age(moment.age(image.age_s));
  if (freshnessOf(moment) === "stale") return t.slices.imageOld(old);
  return t.slices.known(old, spaced(image.known_ml), image.without.map((name) => t.service(name)).join(", "));
}
