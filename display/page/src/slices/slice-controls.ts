/** How the slices look, and whether they follow the tip. */

import { cividis, inferno } from "../kit/colours";
import { find, write } from "../kit/elements";
import { t } from "../kit/language";
import { remember, remembered } from "../kit/remembered";
import type { Point } from "../kit/vectors";
import { WINDOWS, type Window } from "./slice";

const MAPS = [
  { name: "inferno", colours: inferno },
  { name: "cividis", colours: cividis },
] as const;

export class SliceControls {
  /** Where the slices stand still; null while they follow the tip. */
  locked_mm: Point | null = null;
  onStep: (steps: number) => void = () => undefined;
  /** Gives where the slices are now, to be locked there. */
  onLock: () => Point | null = () => null;

  private readonly windowButton = find("window", HTMLButtonElement);
  private readonly colourButton = find("colours", HTMLButtonElement);
  private readonly lockButton = find("lock", HTMLButtonElement);
  private window = chosen("window", WINDOWS);
  private map = chosen("colours", MAPS);

  constructor() {
    this.windowButton.addEventListener("click", () => this.press("w"));
    this.colourButton.addEventListener("click", () => this.press("c"));
    this.lockButton.addEventListener("click", () => this.press("l"));
    find("step-up", HTMLButtonElement).addEventListener("click", () => this.press("]"));
    find("step-down", HTMLButtonElement).addEventListener("click", () => this.press("["));
    document.addEventListener("language", () => this.tell());
    this.tell();
  }

  /** Window and colours; the same objects as long as nothing is chosen anew. */
  get look(): { window: Window; colours: Uint8ClampedArray } {
    return { window: WINDOWS[this.window]!, colours: MAPS[this.map]!.colours };
  }

  press(key: string): void {
    if (key === "w") this.window = (this.window + 1) % WINDOWS.length;
    if (key === "c") this.map = (this.map + 1) % MAPS.length;
    remember("window", WINDOWS[this.window]!.name);
    remember("colours", MAPS[this.map]!.name);
    if (key === "l") this.locked_mm = this.locked_mm === null ? this.onLock() : null;
    if (key === "]") this.onStep(1);
    if (key === "[") this.onStep(-1);
    this.tell();
  }

  lock(at_mm: Point | null): void {
    this.locked_mm = at_mm;
    this.tell();
  }

  private tell(): void {
    write(this.windowButton, t.slices.windows[WINDOWS[this.window]!.name]);
    write(this.colourButton, t.slices.maps[MAPS[this.map]!.name]);
    write(this.lockButton, this.locked_mm === null ? t.slices.lock : t.slices.locked);
    this.lockButton.setAttribute("aria-pressed", String(this.locked_mm !== null));
  }
}

/** Which of some looks was chosen on this display; the first where none was. */
function chosen(choice: "colours" | "window", looks: readonly { readonly name: string }[]): number {
  return Math.max(0, looks.findIndex(({ name }) => name === remembered(choice)));
}
