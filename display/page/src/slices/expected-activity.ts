/** What a person expects in what she draws: how much, in which unit, and when it was so. */

import { find, label, write } from "../kit/elements";
import { fieldsOf } from "../kit/kept";
import { t } from "../kit/language";

export interface Expected {
  readonly activity_mbq: number | null;
  /** Null: now. */
  readonly activity_at_utc: string | null;
}

/** In MBq; the curie is 37 GBq exactly. */
const UNITS = { mbq: 1, kbq: 1e-3, mci: 37, uci: 0.037 } as const;
type Unit = keyof typeof UNITS;
const ORDER = Object.keys(UNITS) as Unit[];

/** As it stands in the fields, whether or not it can be read. */
export interface Written {
  readonly amount: string;
  readonly time: string;
  readonly unit: Unit;
}

/** What was kept of it; null where that is none. */
export function writtenOf(kept: unknown): Written | null {
  const { amount, time, unit } = fieldsOf(kept) ?? {};
  const known = ORDER.find((each) => each === unit);
  return typeof amount === "string" && typeof time === "string" && known ? { amount, time, unit: known } : null;
}

export class ExpectedActivity {
  private readonly amount = find("drawing-activity", HTMLInputElement);
  private readonly time = find("drawing-time", HTMLInputElement);
  private readonly unitKey = find("drawing-unit", HTMLButtonElement);
  private unit: Unit = "mbq";

  /** @param onChange called as it is written: what was refused may be mended by now */
  constructor(onChange: () => void) {
    this.unitKey.addEventListener("click", () => {
      this.unit = ORDER[(ORDER.indexOf(this.unit) + 1) % ORDER.length]!;
      onChange();
    });
    for (const input of [this.amount, this.time]) input.addEventListener("input", onChange);
  }

  forget(): void {
    this.amount.value = "";
    this.time.value = "";
  }

  get written(): Written {
    return { amount: this.amount.value, time: this.time.value, unit: this.unit };
  }

  write({ amount, time, unit }: Written): void {
    this.amount.value = amount;
    this.time.value = time;
    this.unit = unit;
  }

  tell(): void {
    write(this.unitKey, t.units[this.unit]);
    this.amount.placeholder = t.drawing.activity;
    label(this.amount, t.drawing.activity);
  }

  /** What was written; or a sentence why it is none. Nothing written: the image is to say. */
  read(): Expected | string {
    const written = this.amount.value.trim().replace(",", ".");
    if (this.time.validity.badInput) return t.drawing.noTime;
    const activity_at_utc = this.time.value === "" ? null : new Date(this.time.value).toISOString();
    if (written === "") return activity_at_utc === null ? { activity_mbq: null, activity_at_utc } : t.drawing.timeAlone;
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written) ? Number(written) : NaN;
    const activity_mbq = value * UNITS[this.unit];
    return activity_mbq > 0 && Number.isFinite(activity_mbq) ? { activity_mbq, activity_at_utc } : t.drawing.noActivity(this.amount.value.trim());
  }
}
