/**
 * Says that the page is frozen when it is. A page whose own thread hangs can do nothing, but the browser's compositor
 * goes on: it fades a curtain in, unless the page winds that animation back ten times a second.
 */

import { find } from "../kit/elements";

const WIND_EVERY_MS = 100;
/** A busy host may hold the page up for a while. */
const FROZEN_AFTER_MS = 700;

export function watchForFreezing(): void {
  const curtain = find("frozen", HTMLElement);
  const falling = curtain.animate(
    [{ opacity: 0 }, { opacity: 0, offset: 0.95 }, { opacity: 1 }],
    { duration: FROZEN_AFTER_MS, fill: "both" },
  );
  let woundAt_ms = performance.now();
  window.setInterval(() => {
    const now_ms = performance.now();
    if (now_ms - woundAt_ms > FROZEN_AFTER_MS) document.body.dataset["thawed"] = `${Math.round(now_ms - woundAt_ms)}`;
    woundAt_ms = now_ms;
    falling.currentTime = 0;
    falling.play();
  }, WIND_EVERY_MS);
}
