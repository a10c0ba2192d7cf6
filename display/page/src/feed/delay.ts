/** How long a message was under way, by the service's clock and the page's, from pings. */

import type { Pong } from "../feed-types";

export class Delay {
  private leastRoundTrip_ms = Infinity;
  private serverAhead_s: number | null = null;

  /** Take a pong in; the quickest round trip tells the clocks' offset best. */
  learn(pong: Pong, now_ms: number): void {
    const roundTrip_ms = now_ms - pong.client_ms;
    if (roundTrip_ms > this.leastRoundTrip_ms) {
      this.leastRoundTrip_ms *= 1.01; // clocks drift: an old record must not stand for hours
      return;
    }
    this.leastRoundTrip_ms = roundTrip_ms;
    this.serverAhead_s = pong.server_monotonic_s - (pong.client_ms + roundTrip_ms / 2) / 1000;
  }

  /** Seconds since the service made a message; 0 before the first pong. */
  since(server_monotonic_s: number, now_ms: number): number {
    if (this.serverAhead_s === null) return 0;
    return Math.max(0, now_ms / 1000 + this.serverAhead_s - server_monotonic_s);
  }
}
