/** A file of landmarks that 3D Slicer wrote, as a person hands it to the display. */

export interface LandmarkFile {
  readonly name: string;
  readonly content: Record<string, unknown>;
  /** Points that are to be touched. */
  readonly count: number;
}

/** Slicer's points whose names begin with it are not touched. */
const TARGET = "target";

/** Read a chosen file; null where it is none of Slicer's: what is wrong in one of its own the service says. */
export async function readLandmarks(file: File): Promise<LandmarkFile | null> {
  try {
    const content = JSON.parse(await file.text()) as { markups?: { controlPoints?: { label?: string }[] }[] };
    if (!Array.isArray(content.markups)) return null;
    const points = content.markups.flatMap((markup) => markup.controlPoints ?? []);
    const count = points.filter(({ label }) => !label?.toLowerCase().startsWith(TARGET)).length;
    return { name: file.name, content, count };
  } catch {
    return null;
  }
}
