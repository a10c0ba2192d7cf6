/** What the service was asked for and did not give, in the page's words. */

import { t } from "../kit/language";

/** An answer that is none. */
export class NoAnswer extends Error {
  /** @param words why, in the page's language as it is when they are asked for */
  constructor(readonly words: () => string) {
    super();
  }
}

/** Throws `NoAnswer` where a request was refused. */
export function mustBeGood(answer: Response): void {
  if (!answer.ok) throw new NoAnswer(() => t.general.answers(answer.status));
}

/** Why something cannot be shown: `fetch` throws a TypeError where nothing came, and anything else is the page's own. */
export function whyNot(error: unknown): string {
  if (error instanceof NoAnswer) return error.words();
  return error instanceof TypeError ? t.general.away : String(error);
}
