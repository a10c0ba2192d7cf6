/** Numbers and names as the surgeon reads them. */

import type { TargetState } from "../feed-types";
import { t } from "./language";

const THIN_SPACE = "\u2009";

/** A number with so many decimals, written as the language does. */
export function fixed(value: number, decimals: number): string {
  return value.toFixed(decimals).replace(".", t.units.decimal);
}

/** An integer with thin spaces between thousands. */
export function spaced(value: number): string {
  const digits = Math.round(Math.abs(value)).toString();
  const grouped = digits.length > 4 ? digits.replace(/\B(?=(\d{3})+$)/g, THIN_SPACE) : digits;
  return value <= -0.5 ? `\u2212${grouped}` : grouped;
}

/** A value and its error, both rounded to the error's leading digit (two where that is a one). */
export function withError(value: number, error: number): { value: string; error: string } {
  const decade = error > 0 ? Math.floor(Math.log10(error)) : -1;
  const place = error / 10 ** decade < 1.95 ? decade - 1 : decade;
  if (place < 0) return { value: fixed(value, 1), error: fixed(error, 1) };
  const step = 10 ** place;
  return { value: spaced(Math.round(value / step) * step), error: spaced(Math.round(error / step) * step) };
}

/** An age in seconds, minutes or hours. */
export function age(seconds: number): string {
  const { s, min, h } = t.units;
  if (seconds < 10) return `${fixed(seconds, 1)} ${s}`;
  if (seconds < 120) return `${seconds.toFixed(0)} ${s}`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(0)} ${min}` : `${(seconds / 3600).toFixed(0)} ${h}`;
}

/** The same words, whose last line does not end before a unit. */
export function withUnit(words: string): string {
  return words.replace(/(\d) (?=\S+$)/, "$1\u00a0");
}

/** A probability, never 0 or 100 %. */
export function percent(probability: number): string {
  if (probability > 0.99) return "> 99 %";
  if (probability < 0.01) return "< 1 %";
  return `${Math.round(probability * 100)} %`;
}

/** A DICOM person name (family^given^middle^prefix^suffix, PS3.5 6.2.1.1) as on a wristband. */
export function personName(name: string): string {
  const [family = "", ...rest] = name.split("=")[0]!.split("^");
  const given = rest.filter((part) => part !== "").join(" ");
  return [family, given].filter((part) => part !== "").join(", ") || t.general.noName;
}

/** Date and time of an ISO 8601 instant, in this room's time zone. */
export function dateTime(iso: string | null): string {
  if (iso === null) return t.general.dateUnknown;
  const when = new Date(iso);
  if (Number.isNaN(when.getTime())) return iso;
  const two = (part: number): string => part.toString().padStart(2, "0");
  const day = `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
  return `${day} ${two(when.getHours())}:${two(when.getMinutes())}`;
}

/** What a source is called; an organ says that it is one, whatever the map called it. */
export function sourceName({ name, kind }: Pick<TargetState, "name" | "kind">): string {
  return kind === "organ" ? t.aim.organ(t.service(name)) : t.service(name);
}
