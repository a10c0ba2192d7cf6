/**
 * The rate as a pitch, as surgeons know it from probe consoles: logarithmic, relative to the background.
 *
 * A pitch proportional to the rate leaves the range where the ear tells steps apart; a logarithmic one, silent
 * below a squelch, keeps the same interval for the same ratio everywhere.
 */

import { remember, remembered } from "../kit/remembered";
import type { Texts } from "../texts/en";

/** What is told by notes, each short, Hz: none of them has the one, three or ten pulses of an alarm after IEC 60601-1-8. */
const SIGNALS = { lost: [660, 440], back: [440, 660], alarm: [550, 825, 550, 825] } as const;

/** How it stands: each has its words. */
export type ToneState = keyof Texts["rate"]["tone"];

const LOWEST_HZ = 196;
const OCTAVES = 3.5;
/** Rates from the squelch to this many times it fill the octaves. */
const SPAN = 1000;
/** Times the background at which the tone sets in: a rate no surgeon would call hot stays silent. */
const SQUELCH = 2;
const SQUELCH_UNKNOWN_CPS = 10;
const LOUDNESS = 0.2;
const GLIDE_S = 0.02;
const SIGNAL_S = 0.12;
/** A running audio clock that stands still for so long is a dead sound card. */
const DEAD_AFTER_MS = 600;

/** Rates between which the tone rises, for a probe's background. */
export function toneRange(background_cps: number | null): { low_cps: number; high_cps: number } {
  const low_cps = background_cps === null ? SQUELCH_UNKNOWN_CPS : Math.max(1, SQUELCH * background_cps);
  return { low_cps, high_cps: low_cps * SPAN };
}

/** Pitch of a rate, Hz; null below the squelch. */
export function pitch_hz(rate_cps: number, background_cps: number | null): number | null {
  const { low_cps } = toneRange(background_cps);
  if (rate_cps < low_cps) return null;
  return LOWEST_HZ * 2 ** (OCTAVES * Math.min(1, Math.log(rate_cps / low_cps) / Math.log(SPAN)));
}

export class Tone {
  private muted = remembered("sound") === "muted";
  private context: AudioContext | null = null;
  private oscillator: OscillatorNode | null = null;
  private gain: GainNode | null = null;
  private clock_s = -1;
  private advancedAt_ms = 0;
  /** Until when the last signal sounds, by the audio clock: the next one waits. */
  private signalledUntil_s = 0;

  get isMuted(): boolean {
    return this.muted;
  }

  set isMuted(isMuted: boolean) {
    this.muted = isMuted;
    remember("sound", isMuted ? "muted" : "on");
  }

  /** Make the sound ready; browsers let it run only after a touch or a key, kiosks at once. */
  start(): void {
    if (this.context === null || this.context.state === "closed") {
      const context = new AudioContext({ latencyHint: "interactive" });
      const gain = new GainNode(context, { gain: 0 });
      const oscillator = new OscillatorNode(context, { type: "triangle", frequency: LOWEST_HZ });
      oscillator.connect(gain).connect(context.destination);
      oscillator.start();
      this.context = context;
      this.signalledUntil_s = 0;
      this.oscillator = oscillator;
      this.gain = gain;
      this.advancedAt_ms = performance.now();
    }
    if (this.context.state !== "running") void this.context.resume();
  }

  /** Begin anew with another audio context, where the old one is dead. */
  restart(): void {
    void this.context?.close();
    this.context = null;
    this.start();
  }

  /** Sound `frequency_hz`, null for silence; says what can be heard. */
  play(frequency_hz: number | null, isLive: boolean, now_ms: number): ToneState {
    const isAudible = frequency_hz !== null && isLive && !this.isMuted;
    if (this.context !== null && this.gain !== null && this.oscillator !== null) {
      const at_s = this.context.currentTime;
      if (isAudible) this.oscillator.frequency.setTargetAtTime(frequency_hz, at_s, GLIDE_S);
      this.gain.gain.setTargetAtTime(isAudible ? LOUDNESS : 0, at_s, GLIDE_S);
    }
    if (this.context === null || this.context.state !== "running") return "off";
    if (this.isDead(this.context.currentTime, now_ms)) return "dead";
    if (this.isMuted) return "muted";
    if (!isLive) return "stale";
    return isAudible ? "playing" : "quiet";
  }

  /** Short notes for a change of state; none while muted or where nothing sounds anyhow. */
  signal(kind: keyof typeof SIGNALS): void {
    const { context } = this;
    if (context === null || context.state !== "running" || this.isMuted) return;
    const begin_s = Math.max(context.currentTime, this.signalledUntil_s);
    this.signalledUntil_s = begin_s + SIGNALS[kind].length * SIGNAL_S * 1.5;
    SIGNALS[kind].forEach((frequency, n) => {
      const gain = new GainNode(context, { gain: 0 });
      const note = new OscillatorNode(context, { type: "square", frequency });
      const start_s = begin_s + n * SIGNAL_S * 1.5;
      gain.gain.setValueAtTime(LOUDNESS / 4, start_s);
      gain.gain.setTargetAtTime(0, start_s + SIGNAL_S, GLIDE_S);
      note.connect(gain).connect(context.destination);
      note.start(start_s);
      note.stop(start_s + SIGNAL_S * 2);
    });
  }

  private isDead(clock_s: number, now_ms: number): boolean {
    if (clock_s !== this.clock_s) {
      this.clock_s = clock_s;
      this.advancedAt_ms = now_ms;
    }
    return now_ms - this.advancedAt_ms > DEAD_AFTER_MS;
  }
}
