/** Whether the probe counts what the estimate predicts at the same poses: a needle on a logarithmic scale. */

import type { AgreementState } from "../feed-types";
import type { Moment } from "../feed/moment";
import { find, label, mark, write } from "../kit/elements";
import { t } from "../kit/language";
import { fixed } from "../kit/words";

/** Twofold from the middle of the scale to either end. */
const DOUBLINGS = 2;

export class AgreementGauge {
  private readonly gauge = find("agreement", HTMLElement);
  private readonly word = find("agreement-word", HTMLElement);
  private readonly needle = part(this.gauge, ".needle");
  private readonly chance = part(this.gauge, ".chance");

  /** Show what holds now; null where the page knows nothing. */
  draw(moment: Moment | null): void {
    const agreement = moment?.estimate?.agreement ?? null;
    mark(this.gauge, agreement?.verdict ?? "none");
    write(this.word, agreement ? wordOf(agreement) : "–");
    label(this.gauge, agreement ? wordsOf(agreement) : t.agreement.none);
    if (agreement === null) return;
    const [low, high] = [place(agreement.low), place(agreement.high)];
    this.chance.style.left = `${low}%`;
    this.chance.style.width = `${high - low}%`;
    this.needle.style.left = `${place(agreement.measured_cps / agreement.expected_cps)}%`;
  }
}

function part(gauge: HTMLElement, selector: string): HTMLElement {
  const found = gauge.querySelector<HTMLElement>(selector);
  if (found === null) throw new Error(`index.html has no ${selector} in #${gauge.id}`);
  return found;
}

/** Where a ratio lies on the scale, per cent from the left; the ends stand for all beyond. */
function place(ratio: number): number {
  const doublings = Math.max(-DOUBLINGS, Math.min(DOUBLINGS, Math.log2(ratio)));
  return 50 + (50 * doublings) / DOUBLINGS;
}

function wordOf({ verdict, measured_cps, expected_cps }: AgreementState): string {
  if (verdict === "agrees") return t.agreement.agrees;
  const ratio = measured_cps / expected_cps;
  return t.agreement.times(ratio < 9.95 ? fixed(ratio, 1) : Math.round(ratio).toString());
}

function wordsOf(agreement: AgreementState): string {
  return t.agreement.said(Math.round(agreement.measured_cps), Math.round(agreement.expected_cps), wordOf(agreement));
}
