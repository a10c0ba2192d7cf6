/** What holds now: the newest state, with every age counted on by the page's own clock. */

import type { AdviceState, DeviceState, PoseState, PosteriorState, RateState, TargetState, ToolState } from "../feed-types";
import { t } from "../kit/language";
import type { Received } from "./feed";

export type Freshness = "live" | "stale";

/** An estimate without a newer count is no longer of now; updates come several times a second. */
const ESTIMATE_STALE_AFTER_S = 2;

/** Above this share of hidden counts the rate itself is in doubt. */
export const DEAD_WARNING = 0.3;

export class Moment {
  /** Seconds since the service made the state. */
  readonly since_s: number;

  constructor(
    readonly received: Received,
    now_ms: number,
  ) {
    this.since_s = (now_ms - received.at_ms) / 1000 + received.delay_s;
  }

  get state() {
    return this.received.state;
  }

  /** Whether the feed itself is alive. */
  get isLive(): boolean {
    return this.since_s <= this.received.hello.stale_after_s;
  }

  /** An age as of now, of one that the service gave as of sending. */
  age(sent_s: number): number {
    return sent_s + this.since_s;
  }

  /** The probe in hand: the one that the rate is of, else the one that navigation depends on. */
  get probe(): DeviceState | null {
    const probes = this.state.devices.filter((device) => device.kind === "probe");
    const named = probes.find((device) => device.name === this.state.rate?.device);
    return named ?? probes.find((device) => device.primary) ?? probes[0] ?? null;
  }

  /** The trackers that navigation depends on. */
  get trackers(): readonly DeviceState[] {
    return this.state.devices.filter((device) => device.kind === "tracker" && device.primary);
  }

  /** Whether a device that delivers readings still does. */
  isDelivering(device: DeviceState): boolean {
    if (!this.isLive || device.state !== "live") return false;
    return device.age_s === null || !streams(device) || this.age(device.age_s) <= this.limit(device);
  }

  /** Whether a device says now that its own alarm is on. */
  isAlarming(device: DeviceState): boolean {
    return this.isDelivering(device) && (device.condition?.alarm ?? false);
  }

  /** The rate, null unless it is of now. */
  get rate(): RateState | null {
    const { rate } = this.state;
    const probe = this.probe;
    if (rate === null || probe === null || !this.isDelivering(probe)) return null;
    return this.age(rate.age_s) <= this.limit(probe) ? rate : null;
  }

  /** The pose, null unless it is of now and nothing speaks against it. */
  get pose(): PoseState | null {
    return this.seen?.doubt ? null : this.seen;
  }

  /** The pose, null unless it is of now; something may speak against it. */
  get seen(): PoseState | null {
    const { pose } = this.state;
    const trackers = this.trackers;
    if (pose === null || !this.isLive || !trackers.every((tracker) => this.isDelivering(tracker))) return null;
    const limits = trackers.map((tracker) => this.limit(tracker));
    return this.age(pose.age_s) <= Math.max(this.received.hello.stale_after_s, ...limits) ? pose : null;
  }

  /** What the targets rest on, null unless newer counts go on coming in. */
  get estimate(): PosteriorState | null {
    const { posterior } = this.state;
    if (posterior === null || !this.isLive) return null;
    return this.age(posterior.age_s) <= ESTIMATE_STALE_AFTER_S ? posterior : null;
  }

  /** Where to hold the probe next, null unless it may still be followed from where the probe is now. */
  get advice(): AdviceState | null {
    const { advice } = this.state.guidance;
    if (advice === null || this.pose === null) return null;
    return this.age(advice.age_s) <= advice.stale_after_s ? advice : null;
  }

  /** The target that the guidance is about, else the likeliest. */
  get target(): TargetState | null {
    const { targets, guidance } = this.state;
    const named = targets.find((target) => target.name === guidance.target);
    const searched = targets.filter((target) => target.kind === "target");
    const likeliest = searched.reduce<TargetState | null>(
      (best, target) => (best === null || rank(target) > rank(best) ? target : best),
      null,
    );
    return named ?? likeliest;
  }

  /** Why there is no live pose, in words. */
  get poseTrouble(): string {
    if (this.seen?.doubt) return t.service(this.seen.doubt);
    const lost = this.trackers.flatMap(({ tools }) => tools ?? []).find((tool) => !tool.is_seen);
    if (lost) return toolWords(lost);
    const bad = this.trackers.find((tracker) => !this.isDelivering(tracker));
    if (bad) return t.service(bad.detail) || t.aim.noPoses(bad.label);
    return this.trackers.length === 0 ? t.aim.noTracker : t.aim.unseen;
  }

  private limit(device: DeviceState): number {
    return device.stale_after_s ?? this.received.hello.stale_after_s;
  }
}

/** Whether a device sends readings all the time, so that silence means something. */
export function streams(device: DeviceState): boolean {
  return device.streams ?? true;
}

/** What a tracker says of a tool, after the tool's name. */
export function toolWords({ name, said }: ToolState): string {
  return `${name}: ${t.service(said)}`;
}

function rank(target: TargetState): number {
  return target.probability + (target.localisable ? 1 : 0);
}
