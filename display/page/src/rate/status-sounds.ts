/** Own sounds for a change of state: short square notes, unlike the tone of the rate. */

import type { Moment } from "../feed/moment";
import type { Tone } from "./tone";

type Inputs = "live" | "lost" | "unknown";

export class StatusSounds {
  private former: Inputs = "unknown";
  /** Names of the devices whose own alarm has sounded. */
  private alarming: ReadonlySet<string> = new Set();

  constructor(private readonly tone: Tone) {}

  /** Falling when the rate or the pose is lost, rising when both are back, to and fro when a device's own alarm begins. */
  draw(moment: Moment | null): void {
    if (moment?.isLive) this.soundAlarms(moment);
    const now: Inputs = moment === null ? "unknown" : moment.rate !== null && moment.pose !== null ? "live" : "lost";
    if (now === "lost" && this.former === "live") this.tone.signal("lost");
    if (now === "live" && this.former === "lost") this.tone.signal("back");
    if (now !== "unknown") this.former = now;
  }

  /** Once for each device: the strip goes on telling of it, and nobody may be near enough to hear the device itself. */
  private soundAlarms(moment: Moment): void {
    const alarming = moment.state.devices.filter((device) => moment.isAlarming(device)).map(({ name }) => name);
    if (alarming.some((name) => !this.alarming.has(name))) this.tone.signal("alarm");
    this.alarming = new Set(alarming);
  }
}
