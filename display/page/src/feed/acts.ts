/** What a person does, sent to the service: done, or refused with a sentence. */

import { t } from "../kit/language";
import { authorised } from "./admission";

export interface Outcome {
  /** Why nothing was done; empty where it was. */
  readonly refusal: string;
  /** Number of the entry that it made in the record; 0 for none. */
  readonly seq: number;
}

/** Post a request. */
export async function act(path: string, request: object): Promise<Outcome> {
  try {
    const headers = authorised({ "content-type": "application/json" });
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(request) });
    if (answer.status === 401 || answer.status === 403) document.dispatchEvent(new CustomEvent("person-wanted"));
    if (!answer.ok) return { refusal: await answer.text(), seq: 0 };
    const done = answer.status === 204 ? { seq: 0 } : ((await answer.json()) as { seq: number });
    return { refusal: "", seq: done.seq };
  } catch {
    return { refusal: t.general.noAnswer, seq: 0 };
  }
}
