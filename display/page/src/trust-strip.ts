/** Every input with its state and age, in word, shape and colour. */

import { label, make, mark, write } from "./elements";
import { estimateOf } from "./estimate-item";
import { type Moment, streams } from "./moment";
import { age } from "./words";

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
  return [...inputs, estimateOf(moment), picture];
}
