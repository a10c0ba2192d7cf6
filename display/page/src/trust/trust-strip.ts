/** Every input with its state and age, in word, shape and colour. */

import type { DeviceState } from "../feed-types";
import { DEAD_WARNING, type Moment, streams, toolWords } from "../feed/moment";
import { label, make, mark, write } from "../kit/elements";
import { t } from "../kit/language";
import { age, fixed, withUnit } from "../kit/words";
import { estimateOf } from "./estimate-item";
import type { Item } from "./trust-item";

/** Registration error above which a distance of a few millimetres means little. */
const WIDE_MM = 5;
/** What was said longer ago may have changed since. */
const OLD_BATTERY_S = 120;
/** After two days a map of technetium is one of noise. */
const OLD_H = 48;

interface Row {
  readonly element: HTMLElement;
  readonly title: HTMLElement;
  readonly word: HTMLElement;
  readonly detail: HTMLElement;
}

export class TrustStrip {
  private readonly rows = new Map<string, Row>();

  constructor(private readonly strip: HTMLElement) {}

  /** Show what holds now; null where the page knows nothing. */
  draw(moment: Moment | null): void {
    const items = moment ? itemsOf(moment) : [];
    for (const [key, row] of this.rows) {
      if (!items.some((item) => item.key === key)) {
        row.element.remove();
        this.rows.delete(key);
      }
    }
    for (const item of items) this.show(item);
  }

  private show(item: Item): void {
    const row = this.rows.get(item.key) ?? this.add(item.key);
    mark(row.element, item.state);
    row.element.toggleAttribute("data-wide", item.isWide ?? false);
    write(row.title, item.title);
    write(row.word, withUnit(item.word));
    write(row.detail, item.detail);
    label(row.element, [`${item.title}: ${item.word}`, item.detail].filter(Boolean).join(", "));
  }

  private add(key: string): Row {
    const title = make("span", "title");
    const word = make("b", "word");
    const detail = make("span", "detail");
    const element = make("div", "input", make("i", "shape"), title, word, detail);
    element.setAttribute("role", "listitem");
    element.dataset["key"] = key;
    this.strip.append(element);
    const row = { element, title, word, detail };
    this.rows.set(key, row);
    return row;
  }
}

function itemsOf(moment: Moment): Item[] {
  const inputs = moment.state.devices.map((device) => inputOf(device, moment));
  const picture: Item = {
    key: "picture",
    title: t.trust.picture,
    state: moment.isLive ? "live" : "lost",
    word: moment.isLive ? `${t.trust.state.live} ${Math.round(moment.received.delay_s * 1000)} ${t.units.ms}` : t.trust.pictureOld(age(moment.since_s)),
    detail: "",
  };
  return [...inputs, registrationOf(moment), calibrationOf(moment), studyOf(moment), estimateOf(moment), picture];
}

/** What is said longer than this needs more room than others do. */
const LONG = 40;

/**
 * A device: whether it delivers, how old its newest reading is, and all that is known of it, the worst first. An alarm
 * of its own says nothing against its readings, and stands before what does: nobody may be near enough to hear it.
 */
function inputOf(device: DeviceState, moment: Moment): Item {
  const isStale = device.state === "live" && !moment.isDelivering(device);
  const link = moment.isLive && !isStale ? device.state : device.state === "live" ? "silent" : device.state;
  const old = device.age_s !== null && streams(device) ? age(moment.age(device.age_s)) : "";
  const dead = device === moment.probe ? (moment.rate?.dead_fraction ?? null) : null;
  const doubt = (dead ?? 0) > DEAD_WARNING || device.condition?.battery_low ? "doubtful" : "live";
  const state = moment.isAlarming(device) ? "alarm" : link !== "live" ? link : doubt;
  const detail = knownOf(device, moment, dead);
  return {
    key: `device ${device.name}`,
    title: titleOf(device),
    state,
    word: [t.trust.state[state], old].filter(Boolean).join(" "),
    detail,
    isWide: device === moment.probe || detail.length > LONG,
  };
}

/** All that is known of a device beside its state: what must be known now, what is wrong, and what is well. */
function knownOf(device: DeviceState, moment: Moment, dead: number | null): string {
  const { condition } = device;
  const error = device.kind === "tracker" ? (moment.seen?.tracker_error_mm ?? null) : null;
  const deadWords = dead === null ? "" : t.trust.deadTime(`${Math.round(dead * 100)} %`);
  const isMuch = (dead ?? 0) > DEAD_WARNING;
  const urgent = [
    moment.isAlarming(device) ? t.trust.ownAlarm : "",
    condition?.battery_low ? t.trust.batteryLow : "",
    isMuch ? deadWords : "",
  ];
  const wrong = [said(device.detail), (device.tools ?? []).map(toolWords).join("; ")];
  const well = [
    error === null ? "" : t.trust.error(fixed(error, 1)),
    isMuch ? "" : deadWords,
    condition?.battery_low ? "" : batteryOf(device, moment),
  ];
  const together = (words: readonly string[]): string => words.filter(Boolean).join(", ");
  const first = moment.isDelivering(device) ? [together(urgent), ...wrong] : [...wrong, together(urgent)];
  return [...first, together(well)].filter(Boolean).join("; ");
}

/**
 * What the service says of a device: a sentence, or several. Each is looked up by itself, or the first would take the
 * others for what is put into it; what no language knows by itself still belongs to the sentence before.
 */
function said(detail: string): string {
  const sentences: string[] = [];
  for (const part of detail.split("; ")) {
    const before = t.service(part) === part ? sentences.pop() : undefined;
    sentences.push(before === undefined ? part : `${before}; ${part}`);
  }
  return sentences.map((sentence) => t.service(sentence)).join("; ");
}

/**
 * What a device says of a battery that is not low, and how long ago where that is long. Nobody must believe that one is
 * watched which is not: the probe in hand says so where it says nothing of it.
 */
function batteryOf(device: DeviceState, moment: Moment): string {
  const { condition } = device;
  if (condition?.battery_v == null && condition?.battery_low == null) return device === moment.probe ? t.trust.noBattery : "";
  const told = condition.battery_v == null ? t.trust.batteryGood : t.trust.battery(fixed(condition.battery_v, 2));
  const told_s = moment.age(condition.age_s);
  return told_s > OLD_BATTERY_S ? `${told}, ${age(told_s)}` : told;
}

/** The site file names probes and trackers; what there is one of has a name in each language. */
function titleOf({ kind, label: named }: DeviceState): string {
  return kind === "probe" || kind === "tracker" ? named : t.trust.device[kind];
}

/** Whether the study lies on the patient, whether that is trusted, and how far it may be wrong at the tip. */
function registrationOf(moment: Moment): Item {
  const shown = { key: "registration", title: t.trust.registration };
  if (!moment.state.registered) return { ...shown, state: "silent", word: t.trust.none, detail: t.trust.noDirection };
  const { seen } = moment;
  if (seen === null) return { ...shown, state: moment.isLive ? "live" : "silent", word: t.trust.set, detail: t.trust.noPose };
  if (seen.doubt) return { ...shown, state: "doubtful", word: t.trust.state.doubtful, detail: t.service(seen.doubt) };
  const error = seen.registration_error_mm;
  if (error === null) return { ...shown, state: "live", word: t.trust.set, detail: t.trust.errorUnknown };
  const isWide = error > WIDE_MM;
  return { ...shown, state: isWide ? "doubtful" : "live", word: `± ${Math.max(1, Math.round(error))} ${t.units.mm}`, detail: t.trust.atTip };
}

/** When the probe was calibrated. */
function calibrationOf(moment: Moment): Item {
  const shown = { key: "calibration", title: t.trust.calibration };
  const { calibrated_at, server_time_utc } = moment.state;
  if (calibrated_at === null) return { ...shown, state: "silent", word: t.trust.none, detail: t.trust.runAcquire };
  const days = Math.max(1, Math.round((Date.parse(server_time_utc) - Date.parse(calibrated_at)) / 86_400_000));
  const isToday = server_time_utc.startsWith(calibrated_at);
  const word = isToday ? t.trust.today : t.trust.daysOld(days);
  return { ...shown, state: isToday ? "live" : "doubtful", word, detail: isToday ? calibrated_at : `${calibrated_at}, ${t.trust.notToday}` };
}

/** How long ago the study was taken. */
function studyOf(moment: Moment): Item {
  const shown = { key: "study", title: t.trust.study };
  const { study, server_time_utc } = moment.state;
  if (study === null) return { ...shown, state: "silent", word: t.trust.none, detail: t.trust.chooseOne };
  if (study.taken_at_utc === null) return { ...shown, state: "doubtful", word: t.trust.noDate, detail: t.trust.activityUnknown };
  const hours = (Date.parse(server_time_utc) - Date.parse(study.taken_at_utc)) / 3_600_000;
  const isOld = !(hours >= 0 && hours < OLD_H);
  return { ...shown, state: isOld ? "doubtful" : "live", word: `${Math.round(hours)} ${t.units.h}`, detail: t.trust.sinceScan };
}
