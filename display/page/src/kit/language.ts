/** The language of the page: the site file's until somebody chooses, from then on hers at this display. */

import type { Hello } from "../feed-types";
import { en, type Texts } from "../texts/en";
import { ru } from "../texts/ru";
import { find, label, write } from "./elements";

export type Language = NonNullable<Hello["language"]>;

const LANGUAGES: Record<Language, { texts: Texts; name: string; other: Language }> = {
  en: { texts: en, name: "English", other: "ru" },
  ru: { texts: ru, name: "Русский", other: "en" },
};

const CHOSEN = "radionav.language";
/** The site's, so that a display whose service is away, or does not let it in, speaks it too. */
const LAST = "radionav.site-language";

export let language: Language = "en";
/** The words of the page, in its language. */
export let t: Texts = en;

/** Begin with what was spoken here last. */
export function beginSpeaking(): void {
  find("language", HTMLButtonElement).addEventListener("click", () => {
    localStorage.setItem(CHOSEN, LANGUAGES[language].other);
    speak(LANGUAGES[language].other);
  });
  speak(known(localStorage.getItem(CHOSEN)) ?? known(localStorage.getItem(LAST)) ?? "en");
}

/** The service says what the site speaks. */
export function hearLanguage(told: Language): void {
  localStorage.setItem(LAST, told);
  const wanted = known(localStorage.getItem(CHOSEN)) ?? told;
  if (wanted !== language) speak(wanted);
}

function known(name: string | null): Language | null {
  return name !== null && name in LANGUAGES ? (name as Language) : null;
}

/** Everything that is drawn anew says it in the new language; what is not follows the event `language`. */
function speak(wanted: Language): void {
  language = wanted;
  t = LANGUAGES[wanted].texts;
  document.documentElement.lang = wanted;
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) write(element, pageText(element.dataset["text"]!));
  for (const element of document.querySelectorAll<HTMLElement>("[data-label]")) label(element, pageText(element.dataset["label"]!));
  for (const element of document.querySelectorAll<HTMLElement>("[data-key-of]")) write(element, t.general.key(element.dataset["keyOf"]!));
  const { other } = LANGUAGES[wanted];
  const button = find("language", HTMLButtonElement);
  write(button, other.toUpperCase());
  label(button, LANGUAGES[other].name);
  button.lang = other;
  document.dispatchEvent(new Event("language"));
}

/** A text of index.html; throws where the texts have none of that name. */
function pageText(name: string): string {
  const text = (t.page as Record<string, string>)[name];
  if (text === undefined) throw new Error(`index.html asks for the text ${name}, which no language has`);
  return text;
}
