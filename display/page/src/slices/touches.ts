/** Fingers on an element: one touches and slides, two spread and close. */

export interface Gestures {
  /** Whether fingers are for this now. */
  isWanted: () => boolean;
  /** The first finger has come down. */
  onBegin: () => void;
  /** One finger is here, px of the element. */
  onTouch: (x: number, y: number) => void;
  /** A second finger has come down, the middle of both is here; gives the size that their distance stands for. */
  onPinch: (x: number, y: number) => number;
  /** Their distance now stands for this size. */
  onSize: (size: number) => void;
}

/** Fingers closer than this are one, px. */
const LEAST_SPREAD = 10;

export class Touches {
  private readonly down = new Map<number, { x: number; y: number }>();
  /** Size for each pixel of the two fingers' distance; null while one finger slides. */
  private perPixel: number | null = null;

  constructor(
    private readonly element: HTMLElement,
    private readonly gestures: Gestures,
  ) {
    element.addEventListener("pointerdown", (event) => this.begin(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"] as const) {
      element.addEventListener(end, (event) => {
        this.down.delete(event.pointerId);
        if (this.down.size === 0) this.perPixel = null;
      });
    }
  }

  private begin(event: PointerEvent): void {
    if (!this.gestures.isWanted() || this.down.size === 2) return;
    this.element.setPointerCapture(event.pointerId);
    this.note(event);
    if (this.down.size === 1) {
      this.perPixel = null;
      this.gestures.onBegin();
      this.touch(event);
    } else {
      const [one, other] = [...this.down.values()];
      this.perPixel = this.gestures.onPinch((one!.x + other!.x) / 2, (one!.y + other!.y) / 2) / this.spread();
    }
  }

  private move(event: PointerEvent): void {
    if (!this.down.has(event.pointerId) || !this.gestures.isWanted()) return;
    this.note(event);
    if (this.perPixel === null) this.touch(event);
    else if (this.down.size === 2) this.gestures.onSize(this.perPixel * this.spread());
  }

  private touch(event: PointerEvent): void {
    const { x, y } = this.down.get(event.pointerId)!;
    this.gestures.onTouch(x, y);
  }

  private note(event: PointerEvent): void {
    const { left, top } = this.element.getBoundingClientRect();
    this.down.set(event.pointerId, { x: event.clientX - left, y: event.clientY - top });
  }

  private spread(): number {
    const [one, other] = [...this.down.values()];
    return Math.max(LEAST_SPREAD, Math.hypot(one!.x - other!.x, one!.y - other!.y));
  }
}
