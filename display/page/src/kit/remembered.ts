/** What somebody chose for this display alone: it outlives a reload, and ends with the tab. */

export type Panel = "calibration" | "procedure" | "resection" | "studies";
type Choice = "colours" | "layer" | "sound" | "turn" | "window" | `panel ${Panel}`;

export function remembered(choice: Choice): string | null {
  return sessionStorage.getItem(`radionav.${choice}`);
}

export function remember(choice: Choice, chosen: string): void {
  sessionStorage.setItem(`radionav.${choice}`, chosen);
}

export function wasOpen(panel: Panel): boolean {
  return remembered(`panel ${panel}`) === "open";
}

export function rememberOpen(panel: Panel, isOpen: boolean): void {
  remember(`panel ${panel}`, isOpen ? "open" : "closed");
}
