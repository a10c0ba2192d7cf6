/** A picture of what the display shows, kept with an entry of the procedure's record. */

import { authorised } from "../feed/admission";
import { find } from "../kit/elements";
import { t } from "../kit/language";

const SIDE = 640;
const FOOT = 72;
const BANNER = 56;
const GROUND = "#0b0d10";

/** Draw the bull's-eye and the axial slice side by side, the numbers below, and have them kept. */
export async function keepPicture(seq: number): Promise<void> {
  const banners = (["simulated", "replay"] as const).filter((name) => !find(name, HTMLElement).hidden);
  const top = banners.length * BANNER;
  const canvas = document.createElement("canvas");
  canvas.width = 2 * SIDE;
  canvas.height = top + SIDE + FOOT;
  const ink = canvas.getContext("2d")!;
  ink.fillStyle = GROUND;
  ink.fillRect(0, 0, canvas.width, canvas.height);
  banners.forEach((name, n) => drawBanner(ink, name, n * BANNER));
  fit(ink, find("bullseye", HTMLCanvasElement), 0, top);
  fit(ink, find("axial", HTMLCanvasElement), SIDE, top);
  ink.fillStyle = "#e8edf2";
  ink.font = "600 30px system-ui, sans-serif";
  ink.fillText(words(), 16, top + SIDE + 46);
  const png = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (png === null) return;
  // a picture that is not kept costs the report a picture, and nothing else
  await fetch(`/v1/procedure/pictures/${seq}`, { method: "POST", headers: authorised({}), body: png }).catch(() => null);
}

/** Across the picture, in the banner's own colour: it may be cut out of its report. */
function drawBanner(ink: CanvasRenderingContext2D, name: "simulated" | "replay", top: number): void {
  const { width } = ink.canvas;
  ink.fillStyle = getComputedStyle(find(name, HTMLElement)).color;
  ink.fillRect(0, top, width, BANNER);
  ink.fillStyle = GROUND;
  ink.font = "800 36px system-ui, sans-serif";
  ink.textAlign = "center";
  for (const share of [0.2, 0.5, 0.8]) ink.fillText(t.page[name], width * share, top + 41);
  ink.textAlign = "start";
}

function fit(ink: CanvasRenderingContext2D, source: HTMLCanvasElement, left: number, top: number): void {
  const scale = Math.min(SIDE / source.width, SIDE / source.height);
  const [width, height] = [source.width * scale, source.height * scale];
  ink.drawImage(source, left + (SIDE - width) / 2, top + (SIDE - height) / 2, width, height);
}

function words(): string {
  const said = ["rate-number", "distance"].map((id) => find(id, HTMLElement).getAttribute("aria-label") ?? "");
  return `${said.join("   ")}   ${new Date().toLocaleTimeString()}`;
}
