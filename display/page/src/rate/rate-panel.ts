/** The count rate: huge, rounded to its error, never shown as live when it is not. */

import type { KeptRateState, ProcedureRequest, RateState, State } from "../feed-types";
import { act } from "../feed/acts";
import { DEAD_WARNING, type Moment } from "../feed/moment";
import { find, label, mark, write } from "../kit/elements";
import { t } from "../kit/language";
import { age, fixed, spaced, withError } from "../kit/words";
import { pitch_hz, type Tone, toneRange } from "./tone";

const HOLD_MS = 5000;

/** How long a refusal stays where nothing else takes its place. */
const REFUSED_MS = 8000;

interface Held {
  readonly rate: RateState;
  readonly until_ms: number;
}

interface Refused {
  readonly words: string;
  readonly until_ms: number;
}

export class RatePanel {
  private readonly panel = find("rate", HTMLElement);
  private readonly number = find("rate-number", HTMLElement);
  private readonly value = find("rate-value", HTMLElement);
  private readonly error = find("rate-error", HTMLElement);
  private readonly note = find("rate-note", HTMLElement);
  private readonly integration = find("integration", HTMLElement);
  private readonly background = find("background", HTMLElement);
  private readonly ratio = find("ratio", HTMLElement);
  private readonly toneButton = find("tone", HTMLElement);
  private readonly toneWord = find("tone-word", HTMLElement);
  private readonly toneRange = find("tone-range", HTMLElement);
  private readonly holdButton = find("hold", HTMLElement);
  private readonly peakText = find("peak", HTMLElement);
  private readonly backgroundOf = find("background-of", HTMLElement);
  private readonly referenceButton = find("reference", HTMLElement);
  private held: Held | null = null;
  private wanted: RateState | null = null;
  /** As the page shows it: what is asked for is of this. */
  private state: State | null = null;
  private refused: Refused | null = null;
  /** The run of the service, the probe and the patient that the hold is of. */
  private countedOf = "";

  constructor(private readonly tone: Tone) {
    this.toneButton.addEventListener("click", () => this.touchTone());
    this.holdButton.addEventListener("click", () => this.hold(performance.now()));
    this.referenceButton.addEventListener("click", () => this.takeReference());
    find("peak-reset", HTMLElement).addEventListener("click", () => this.forgetPeak());
  }

  /** Begin to look for the greatest rate anew, on each display of the room. */
  forgetPeak(): void {
    void this.ask("begin_peak");
  }

  /** Take the rate of now as the background to compare with, on each display; once more: that of the calibration. */
  takeReference(): void {
    void this.ask(this.state?.background ? "leave_background" : "choose_background");
  }

  /** Keep the number on the screen for 5 s, or until the probe is lost or beyond what it can count. */
  hold(now_ms: number): void {
    if (this.wanted) this.held = { rate: this.wanted, until_ms: now_ms + HOLD_MS };
  }

  /** Start the sound where there is none, else mute or unmute it. */
  touchTone(): void {
    switch (this.toneButton.dataset["state"]) {
      case "off":
        this.tone.start();
        break;
      case "dead":
        this.tone.restart();
        break;
      default:
        this.tone.isMuted = !this.tone.isMuted;
    }
  }

  /** Show what holds now; null where the page knows nothing. */
  draw(moment: Moment | null, now_ms: number): void {
    const live = moment?.rate ?? null;
    if (moment && live) this.beginAnewWith(moment, live);
    this.wanted = live;
    this.state = moment?.state ?? null;
    if (this.refused && now_ms > this.refused.until_ms) this.refused = null;
    // a held number must not stand before what has to be known at once
    const isBroken = live === null || live.status === "overload" || live.status === "saturated";
    if (this.held && (now_ms > this.held.until_ms || isBroken)) this.held = null;
    this.holdButton.setAttribute("aria-pressed", String(this.held !== null));
    const last = live ?? moment?.state.rate ?? null;
    this.writeNumber(this.held?.rate ?? last, live !== null);
    this.writeDetails(last);
    mark(this.panel, live === null ? (last ? "stale" : "none") : this.held ? "held" : live.status);
    write(this.note, this.words(moment, live, now_ms));
    this.sound(live, now_ms);
  }

  private async ask(action: ProcedureRequest["action"]): Promise<void> {
    if (this.state === null) return;
    const { refusal } = await act("/v1/procedure/acts", { revision: this.state.procedure.revision, action });
    this.refused = refusal ? { words: refusal, until_ms: performance.now() + REFUSED_MS } : null;
  }

  /** No number is held that was counted by another probe, of another patient or before a restart. */
  private beginAnewWith({ received }: Moment, { device }: RateState): void {
    const { hello, state } = received;
    const of = JSON.stringify([hello.session_id, device, state.study?.patient_id]);
    if (of === this.countedOf) return;
    this.countedOf = of;
    this.held = null;
  }

  private words(moment: Moment | null, live: RateState | null, now_ms: number): string {
    if (moment === null) return t.rate.noData;
    if (live === null) {
      const { probe, state } = moment;
      const old = state.rate ? t.rate.lastOld(age(moment.age(state.rate.age_s))) : "";
      if (!moment.isLive) return `${t.rate.noLiveData} – ${old}`;
      return [t.rate.noProbe, old, t.service(probe?.detail ?? "")].filter(Boolean).join(" – ");
    }
    if (this.held) return t.rate.held(Math.ceil((this.held.until_ms - now_ms) / 1000));
    if (live.status !== "ok") return t.rate.status[live.status];
    if (live.dead_fraction > DEAD_WARNING) return t.rate.highDeadTime;
    if (this.refused) return t.service(this.refused.words);
    return live.time_constant_s ? t.rate.smoothed(Math.round(live.time_constant_s)) : "";
  }

  private writeNumber(rate: RateState | null, isLive: boolean): void {
    const told = (words: string): string => (isLive || rate === null ? words : t.rate.notLive(words));
    if (rate === null || rate.rate_cps === null) {
      this.writeValue(rate === null ? "–" : `> ${spaced(rate.low_cps)}`);
      write(this.error, "");
      label(this.number, rate === null ? t.rate.none : told(t.rate.moreThan(Math.round(rate.low_cps))));
      return;
    }
    const { value, error } = rounded(rate, rate.rate_cps);
    this.writeValue(value);
    write(this.error, `± ${error}`);
    label(this.number, told(t.rate.said(value, error)));
  }

  private writeValue(text: string): void {
    write(this.value, text);
    this.value.dataset["length"] = text.length > 7 ? "longest" : text.length > 5 ? "long" : "short";
  }

  private writeDetails(rate: RateState | null): void {
    write(this.integration, rate ? `${fixed(rate.integration_s, 1)} ${t.units.s}` : "–");
    const { background: reference = null, peak = null } = this.state ?? {};
    const background_cps = reference?.rate_cps ?? rate?.background_cps ?? null;
    write(this.backgroundOf, reference ? t.rate.backgroundHere : t.rate.background);
    this.referenceButton.setAttribute("aria-pressed", String(reference !== null));
    write(this.background, background_cps === null ? "–" : `${fixed(background_cps, 1)} ${t.units.perSecond}`);
    write(this.ratio, rate ? ratioWords(rate, reference, background_cps) : "–");
    write(this.peakText, peak === null ? "–" : `${rounded(peak, peak.rate_cps).value} ${t.units.perSecond}`);
  }

  private sound(live: RateState | null, now_ms: number): void {
    // beyond correction the true rate is higher than any that could be counted: the highest pitch
    const rate_cps = live === null ? null : (live.rate_cps ?? Infinity);
    const background_cps = live?.background_cps ?? null;
    const pitch = rate_cps === null ? null : pitch_hz(rate_cps, background_cps);
    const state = this.tone.play(pitch, live !== null, now_ms);
    mark(this.toneButton, state);
    write(this.toneWord, t.rate.tone[state]);
    const { low_cps, high_cps } = toneRange(background_cps);
    write(this.toneRange, state === "off" ? t.general.key("M") : `${spaced(low_cps)} – ${spaced(high_cps)} ${t.units.perSecond}, ${t.general.key("M")}`);
  }
}

/** A rate and its error as they are shown. */
function rounded({ low_cps, high_cps }: Pick<KeptRateState, "low_cps" | "high_cps">, rate_cps: number): { value: string; error: string } {
  return withError(rate_cps, high_cps === null ? rate_cps - low_cps : (high_cps - low_cps) / 2);
}

/**
 * Rate over background with its 95 % interval: the logarithm of a ratio of two Poisson counts has about the variance
 * 1/n + 1/m. The background of a calibration is counted for so long that the rate's own error is all.
 */
function ratioWords(rate: RateState, reference: KeptRateState | null, background_cps: number | null): string {
  if (rate.rate_cps === null || background_cps === null || background_cps <= 0) return "–";
  const ratio = rate.rate_cps / background_cps;
  const variance = 1 / Math.max(1, rate.counts) + (reference ? 1 / Math.max(1, reference.counts) : 0);
  const factor = Math.exp(1.96 * Math.sqrt(variance));
  return `× ${short(ratio)} (${short(ratio / factor)}–${short(ratio * factor)})`;
}

function short(ratio: number): string {
  return ratio < 9.95 ? fixed(ratio, 1) : spaced(ratio);
}
