/** The token that this display, or the person at it, was let in with. */

import type { Signed } from "../feed-types";
import { t } from "../kit/language";

const KEY = "radionav.token";
const NAME = "radionav.person";

/** A person's token, for as long as this page is open, before the display's own, which it keeps. */
export function token(): string | null {
  return sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);
}

/** Who has signed in at this display; empty for nobody. */
export function person(): string {
  return sessionStorage.getItem(NAME) ?? "";
}

/** Headers with the token in them, where there is one. */
export function authorised(headers: Record<string, string>): Record<string, string> {
  const held = token();
  return held === null ? headers : { ...headers, authorization: `Bearer ${held}` };
}

/** Let a person in by her secret, or the display by its token and no name; gives why not, or nothing. */
export async function signIn(name: string, secret: string): Promise<string> {
  try {
    const answer = await fetch("/v1/sign-in", { method: "POST", body: JSON.stringify({ name, secret }) });
    if (answer.status === 404) return t.signIn.noNeed;
    if (!answer.ok) return await answer.text();
    const signed = (await answer.json()) as Signed;
    if (name === "") localStorage.setItem(KEY, signed.token);
    else {
      sessionStorage.setItem(KEY, signed.token);
      sessionStorage.setItem(NAME, signed.name);
    }
    return "";
  } catch {
    return t.signIn.noAnswer;
  }
}

/** End a person's session; the display stays. */
export async function signOut(): Promise<void> {
  await fetch("/v1/sign-out", { method: "POST", headers: authorised({}) }).catch(() => null);
  forgetPerson();
}

/** A person's session has ended, the display's own token holds as ever; gives whether there was one. */
export function leavePerson(): boolean {
  const isHers = sessionStorage.getItem(KEY) !== null;
  forgetPerson();
  return isHers;
}

function forgetPerson(): void {
  sessionStorage.removeItem(KEY);
  sessionStorage.removeItem(NAME);
}
