/** What somebody chose for this display alone: it outlives a reload, and ends with the tab. */

type Choice = "colours" | "layer" | "sound" | "window";

export function remembered(choice: Choice): string | null {
  return sessionStorage.getItem(`radionav.${choice}`);
}

export function remember(choice: Choice, chosen: string): void {
  sessionStorage.setItem(`radionav.${choice}`, chosen);
}
