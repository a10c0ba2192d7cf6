/** Where to go: bull's-eye, distance, motion, depth, probability, where to hold the probe next, and one sentence. */

import type { GuidanceState, TargetState } from "../feed-types";
import type { Moment } from "../feed/moment";
import { find, label, mark, write } from "../kit/elements";
import { t } from "../kit/language";
import { age, percent, sourceName, withUnit } from "../kit/words";
import { Bullseye, isDrawable } from "./bullseye";
import { ghostWords } from "./ghost";

/** Letters that fit into the guidance's two lines at its full size. */
const TWO_LINES = 84;

export class AimPanel {
  private readonly panel = find("aim", HTMLElement);
  private readonly name = find("target-name", HTMLElement);
  private readonly probability = find("probability", HTMLElement);
  private readonly canvas = find("bullseye", HTMLCanvasElement);
  private readonly trouble = find("no-aim", HTMLElement);
  private readonly distance = find("distance", HTMLElement);
  private readonly value = find("distance-value", HTMLElement);
  private readonly error = find("distance-error", HTMLElement);
  private readonly motion = find("motion", HTMLElement);
  private readonly depth = find("depth", HTMLElement);
  private readonly near = find("near", HTMLElement);
  private readonly guidance = find("guidance", HTMLElement);
  private readonly bullseye = new Bullseye(this.canvas);

  /** Show what holds now; null where the page knows nothing. */
  draw(moment: Moment | null): void {
    const target = moment?.target ?? null;
    const pose = moment?.pose ?? null;
    const isAimed = target !== null && pose !== null && isDrawable(target);
    write(this.name, target ? t.service(target.name) : t.aim.target);
    this.writeProbability(moment, target);
    const advice = moment?.advice ?? null;
    const guidance = moment?.state.guidance ?? null;
    const told = moment?.pose && moment.estimate ? moment.state.shine : null;
    const shining = moment?.state.targets.find(({ name }) => name === told?.name);
    const shine = told && shining ? { ...told, name: sourceName(shining) } : told;
    this.panel.dataset["shine"] = shine?.is_warned ? "warned" : "none";
    const others = moment?.state.targets.filter((other) => other !== target) ?? [];
    this.bullseye.draw(isAimed && guidance ? { pose, target, others, guidance } : null, advice, shine);
    this.panel.dataset["advice"] = advice ? "shown" : "none";
    const state = isAimed ? "located" : this.stateWithout(moment, target);
    mark(this.panel, state);
    mark(this.canvas, state);
    write(this.trouble, isAimed ? "" : this.wordsWithout(moment, target));
    const seen = isAimed ? directionWords(target) : this.wordsWithout(moment, target);
    const through = shine?.is_warned ? t.aim.shine(t.service(shine.name), Math.round(shine.share * 100)) : "";
    label(this.canvas, [seen, advice ? ghostWords(advice) : "", through].filter(Boolean).join("; "));
    this.writeDistance(isAimed ? target : null);
    this.writeFacts(isAimed && guidance?.target === target.name ? guidance : null);
    const sentence = t.service(guidance?.sentence ?? "");
    write(this.guidance, sentence.replaceAll(new RegExp(`(\\d) (?=${t.units.mm})`, "g"), "$1\u00a0"));
    this.guidance.dataset["length"] = sentence.length > TWO_LINES ? "long" : "short";
    mark(this.guidance, moment === null ? "none" : isOutlived(moment) ? "stale" : "live");
  }

  /** How sure it is that the target is there; in its place how old that is, once it rests on no new counts. */
  private writeProbability(moment: Moment | null, target: TargetState | null): void {
    const posterior = moment?.state.posterior ?? null;
    const isOld = moment !== null && moment.isLive && posterior !== null && moment.estimate === null;
    mark(this.probability, isOld ? "old" : "live");
    const sure = target ? t.aim.sure(percent(target.probability)) : "";
    write(this.probability, isOld ? withUnit(t.trust.noNewCounts(age(moment.age(posterior.age_s)))) : sure);
  }

  private stateWithout(moment: Moment | null, target: TargetState | null): string {
    if (moment === null || target === null) return "none";
    if (!moment.isLive) return "stale";
    return target.localisable ? "no-pose" : "unlocated";
  }

  private wordsWithout(moment: Moment | null, target: TargetState | null): string {
    if (moment === null) return t.aim.noData;
    if (!moment.isLive) return t.aim.noLiveData;
    if (target === null) return moment.state.study === null ? t.aim.chooseStudy : t.aim.noTarget;
    if (!target.localisable) return t.aim.notLocated(t.service(target.reason));
    return moment.pose === null ? moment.poseTrouble : t.aim.unknown;
  }

  private writeFacts(guidance: GuidanceState | null): void {
    const { motion = null, depth_mm = null, depth_half_width_mm = null, probability_near = null } = guidance ?? {};
    mark(this.motion, motion ?? "none");
    write(this.motion, motion === null ? "–" : t.aim.motion[motion]);
    const half = depth_half_width_mm === null ? "" : ` ± ${Math.max(1, Math.round(depth_half_width_mm))}`;
    write(this.depth, depth_mm === null ? "–" : `${Math.round(depth_mm)}${half} ${t.units.mm}`);
    write(this.near, probability_near === null ? "–" : percent(probability_near));
  }

  private writeDistance(target: TargetState | null): void {
    const distance_mm = target?.distance_mm ?? null;
    mark(this.distance, distance_mm === null ? "none" : "live");
    if (distance_mm === null) {
      write(this.value, "–");
      write(this.error, t.units.mm);
      label(this.distance, t.aim.distanceUnknown);
      return;
    }
    const half = target?.distance_half_width_mm ?? null;
    const rounded = Math.round(distance_mm).toString();
    const error = half === null ? "" : `± ${Math.max(1, Math.round(half))} `;
    write(this.value, rounded);
    write(this.error, `${error}${t.units.mm}`);
    label(this.distance, half === null ? `${rounded} ${t.units.mm}` : t.aim.distance(rounded, Math.round(half)));
  }
}

/** Whether the guidance rests on a pose, a rate or an advice that was live when it was sent, and is no longer. */
function isOutlived(moment: Moment): boolean {
  const { pose, rate, guidance } = moment.state;
  const isOver = guidance.advice !== null && moment.advice === null;
  return !moment.isLive || isOver || (pose !== null && moment.seen === null) || (rate !== null && moment.rate === null);
}

function directionWords(target: TargetState & { tip_right_mm: number; tip_up_mm: number; tip_ahead_mm: number }): string {
  return t.aim.direction(t.service(target.name), target.tip_right_mm, target.tip_up_mm, target.tip_ahead_mm);
}
