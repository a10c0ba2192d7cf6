/** What a key does: the page's own letters, and those that the site file gives to the keys of a foot pedal. */

import type { KeyState } from "../feed-types";

/** The page's own key of each act. */
const LETTERS: Record<KeyState["act"], string> = {
  sound: "m",
  hold: "h",
  peak: "j",
  background: "g",
  mark: "k",
  procedure: "p",
  "next step": "n",
  excision: "x",
  out: "r",
  bed: "b",
  specimen: "s",
  undo: "z",
  "live image": "v",
  window: "w",
  colours: "c",
  lock: "l",
  head: "]",
  feet: "[",
  distance: "d",
  calibration: "t",
};

/**
 * The page's own key that a key stands for: as the site file has it; else the letter on it, and where another alphabet
 * is set, the letter at the same place of a Latin keyboard.
 */
export function keyOf({ key, code }: KeyboardEvent, ofSite: readonly KeyState[]): string {
  const given = ofSite.find((each) => each.key === key || each.key === code);
  if (given) return LETTERS[given.act];
  const isLatin = /^[\x20-\x7e]$/.test(key);
  return (isLatin || !code.startsWith("Key") ? key : code.slice(3)).toLowerCase();
}
