/** A picture of what the display shows, kept with an entry of the procedure's record. */

import { authorised } from "./admission";
import { find } from "./elements";
import { t } from "./language";

const SIDE = 640;
const FOOT = 72;

/** Draw the bull's-eye and the axial slice side by side, the numbers below, and have them kept. */
export async function keepPicture(seq: number): Promise<void> {
  const canvas = document.createElement("canvas");
  canvas.width = 2 * SIDE;
  canvas.height = SIDE + FOOT;
  const ink = canvas.getContext("2d")!;
  ink.fillStyle = "#0b0d10";
  ink.fillRect(0, 0, canvas.width, canvas.height);
  fit(ink, find("bullseye", HTMLCanvasElement), 0);
  fit(ink, find("axial", HTMLCanvasElement), SIDE);
  ink.fillStyle = "#e8edf2";
  ink.font = "600 30px system-ui, sans-serif";
  ink.fillText(words(), 16, SIDE + 46);
  const png = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (png === null) return;
  // a picture that is not kept costs the report a picture, and nothing else
  await fetch(`/v1/procedure/pictures/${seq}`, { method: "POST", headers: authorised({}), body: png }).catch(() => null);
}

function fit(ink: CanvasRenderingContext2D, source: HTMLCanvasElement, left: number): void {
  const scale = Math.min(SIDE / source.width, SIDE / source.height);
  const [width, height] = [source.width * scale, source.height * scale];
  ink.drawImage(source, left + (SIDE - width) / 2, (SIDE - height) / 2, width, height);
}

function words(): string {
  const isShown = (banner: string): boolean => !find(banner, HTMLElement).hidden;
  const simulated = isShown("simulated") ? `${t.page.simulated}   ` : "";
  const replay = isShown("replay") ? `${t.page.replay}   ` : "";
  const said = ["rate-number", "distance"].map((id) => find(id, HTMLElement).getAttribute("aria-label") ?? "");
  return `${simulated}${replay}${said.join("   ")}   ${new Date().toLocaleTimeString()}`;
}
