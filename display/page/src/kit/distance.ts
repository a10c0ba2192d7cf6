/** From how far the display is read: 2 m with large numbers, 1 m with large pictures. */

import { find, label, write } from "./elements";
import { t } from "./language";

const KEY = "radionav.distance";
/** A screen that is narrower than this stands or lies near. */
const NEAR = "(max-width: 1400px)";

export class Distance {
  private readonly button = find("distance-button", HTMLButtonElement);

  constructor() {
    this.button.addEventListener("click", () => this.turn());
    window.matchMedia(NEAR).addEventListener("change", () => this.show());
    document.addEventListener("language", () => this.show());
    this.show();
  }

  /** Choose the other one, for this display. */
  turn(): void {
    localStorage.setItem(KEY, this.metres === "1" ? "2" : "1");
    this.show();
  }

  private get metres(): "1" | "2" {
    const chosen = localStorage.getItem(KEY);
    if (chosen === "1" || chosen === "2") return chosen;
    return window.matchMedia(NEAR).matches ? "1" : "2";
  }

  private show(): void {
    const { metres } = this;
    document.body.dataset["distance"] = metres;
    write(this.button, `${metres === "1" ? "2" : "1"} ${t.units.m}`);
    label(this.button, metres === "1" ? t.page.readFar : t.page.readNear);
  }
}
