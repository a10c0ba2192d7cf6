/** Own sounds for a change of state: two short square notes, unlike the tone of the rate and unlike any alarm. */

import type { Moment } from "./moment";
import type { Tone } from "./tone";

type Inputs = "live" | "lost" | "unknown";

export class StatusSounds {
  private former: Inputs = "unknown";

  constructor(private readonly tone: Tone) {}

  /** Falling when the rate or the pose is lost, rising when both are back. */
  draw(moment: Moment | null): void {
    const now: Inputs = moment === null ? "unknown" : moment.rate !== null && moment.pose !== null ? "live" : "lost";
    if (now === "lost" && this.former === "live") this.tone.signal("lost");
    if (now === "live" && this.former === "lost") this.tone.signal("back");
    if (now !== "unknown") this.former = now;
  }
}
