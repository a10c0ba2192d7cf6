/** Whether the probe counts what the estimate predicts at the same poses: a needle on a logarithmic scale. */

import { find, label, mark, write } from "./elements";
import type { AgreementState } from "./feed-types";
import type { Moment } from "./moment";

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
    label(this.gauge, agreement ? wordsOf(agreement) : "no prediction");
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
  if (verdict === "agrees") return "as predicted";
  const ratio = measured_cps / expected_cps;
  return `${ratio < 9.95 ? ratio.toFixed(1) : Math.round(ratio)} × predicted`;
}

function wordsOf(agreement: AgreementState): string {
  const [measured, expected] = [agreement.measured_cps, agreement.expected_cps].map((cps) => Math.round(cps));
  return `counted ${measured} per second, ${expected} predicted: ${wordOf(agreement)}`;
}
