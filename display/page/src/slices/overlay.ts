/** Which activity lies over the CT: the scan's, or the live image. */

import { find } from "../kit/elements";
import { remember, remembered } from "../kit/remembered";

export type Layer = "scan" | "live";

export class Overlay {
  private readonly buttons = {
    scan: find("overlay-scan", HTMLButtonElement),
    live: find("overlay-live", HTMLButtonElement),
  };
  private shown: Layer = "scan";

  constructor() {
    for (const layer of ["scan", "live"] as const) {
      this.buttons[layer].addEventListener("click", () => this.choose(layer));
    }
    if (remembered("layer") === "live") this.choose("live");
  }

  get layer(): Layer {
    return this.shown;
  }

  choose(layer: Layer): void {
    this.shown = layer;
    remember("layer", layer);
    for (const [name, button] of Object.entries(this.buttons)) {
      button.setAttribute("aria-checked", String(name === layer));
    }
  }

  /** Show the other one. */
  turn(): void {
    this.choose(this.shown === "scan" ? "live" : "scan");
  }
}
