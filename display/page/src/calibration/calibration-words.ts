/** What came of a calibration, in words. */

import type { CalibrationState, VerdictFigure } from "../feed-types";
import { t } from "../kit/language";

export function outcomeWord({ passed }: CalibrationState): string {
  return passed ? t.calibration.passed : t.calibration.notPassed;
}

/** A number that was measured, with its standard error where it has one. */
export function figureWords({ name, value, unit, sigma }: VerdictFigure): string {
  const digits = (number: number): string => (Math.abs(number) >= 100 || Number.isInteger(number) ? number.toFixed(0) : number.toPrecision(2)).replace(".", t.units.decimal);
  const error = sigma === null ? "" : ` ± ${digits(sigma)}`;
  return [`${t.service(name)} ${digits(value)}${error}`, t.service(unit)].filter(Boolean).join(" ");
}
