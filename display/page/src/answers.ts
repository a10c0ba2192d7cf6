/** What the service was asked for and did not give, in the page's words. */

import { t } from "./language";

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

/** Why something cannot be shown; whatever the browser itself throws means that nothing came. */
export function whyNot(error: unknown): string {
  return error instanceof NoAnswer ? error.words() : t.general.away;
}
