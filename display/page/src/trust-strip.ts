/** Every input with its state and age, in word, shape and colour. */

import { label, make, mark, write } from "./elements";
import { estimateOf } from "./estimate-item";
import { type Moment, streams } from "./moment";
import { age } from "./words";

/** Registration error above which a distance of a few millimetres means little. */
const WIDE_MM = 5;
/** After two days a map of technetium is one of noise. */
const OLD_H = 48;

export interface Item {
  readonly key: string;
  readonly title: string;
  readonly state: string;
  readonly word: string;
  readonly detail: string;
}

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
    write(row.title, item.title);
    write(row.word, item.word);
    write(row.detail, item.detail);
    label(row.element, `${item.title}: ${item.word}`);
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
  const { devices, pose } = moment.state;
  const inputs = devices.map((device): Item => {
    const isStale = device.state === "live" && !moment.isDelivering(device);
    const state = moment.isLive && !isStale ? device.state : device.state === "live" ? "silent" : device.state;
    const old = device.age_s !== null && streams(device) ? age(moment.age(device.age_s)) : "";
    const error = device.kind === "tracker" ? (pose?.tracker_error_mm ?? null) : null;
    const residual = error === null ? "" : `error ${error.toFixed(1)} mm`;
    return {
      key: `device ${device.name}`,
      title: device.label,
      state,
      word: [state.toUpperCase(), old].filter(Boolean).join(" "),
      detail: device.detail || residual,
    };
  });
  const picture: Item = {
    key: "picture",
    title: "This picture",
    state: moment.isLive ? "live" : "lost",
    word: moment.isLive ? `LIVE ${Math.round(moment.received.delay_s * 1000)} ms` : `OLD ${age(moment.since_s)}`,
    detail: "",
  };
  return [...inputs, registrationOf(moment), calibrationOf(moment), studyOf(moment), estimateOf(moment), picture];
}

/** Whether the study lies on the patient, and how far that may be wrong at the tip. */
function registrationOf(moment: Moment): Item {
  const shown = { key: "registration", title: "Registration" };
  if (!moment.state.registered) return { ...shown, state: "silent", word: "NONE", detail: "no direction" };
  const error = moment.pose?.registration_error_mm ?? null;
  if (moment.pose === null) return { ...shown, state: moment.isLive ? "live" : "silent", word: "SET", detail: "no pose now" };
  if (error === null) return { ...shown, state: "live", word: "SET", detail: "error not known" };
  const isWide = error > WIDE_MM;
  return { ...shown, state: isWide ? "doubtful" : "live", word: `± ${Math.max(1, Math.round(error))} mm`, detail: "at the tip" };
}

/** When the probe was calibrated, and what it does not report. */
function calibrationOf(moment: Moment): Item {
  const shown = { key: "calibration", title: "Calibration" };
  const { calibrated_at, server_time_utc } = moment.state;
  if (calibrated_at === null) return { ...shown, state: "silent", word: "NONE", detail: "run acquire" };
  const days = Math.max(1, Math.round((Date.parse(server_time_utc) - Date.parse(calibrated_at)) / 86_400_000));
  const isToday = server_time_utc.startsWith(calibrated_at);
  const detail = isToday ? "battery: no report" : "not of today";
  return { ...shown, state: isToday ? "live" : "doubtful", word: isToday ? "TODAY" : `${days} d OLD`, detail };
}

/** How long ago the study was taken. */
function studyOf(moment: Moment): Item {
  const shown = { key: "study", title: "Study" };
  const { study, server_time_utc } = moment.state;
  if (study === null) return { ...shown, state: "silent", word: "NONE", detail: "choose one" };
  if (study.taken_at_utc === null) return { ...shown, state: "doubtful", word: "NO DATE", detail: "activity not known" };
  const hours = (Date.parse(server_time_utc) - Date.parse(study.taken_at_utc)) / 3_600_000;
  const isOld = !(hours >= 0 && hours < OLD_H);
  return { ...shown, state: isOld ? "doubtful" : "live", word: `${Math.round(hours)} h`, detail: "since the scan" };
}
