/** A canvas that fills its box at the screen's own resolution, and the strokes that the drawings share. */

import { INK } from "./colours";

/** More would cost time that no eye at two metres pays for. */
const GREATEST_RATIO = 2;

export class Canvas {
  readonly context: CanvasRenderingContext2D;
  width = 0;
  height = 0;
  /** Root font size, px: the layout's unit. */
  rem = 16;

  constructor(
    readonly element: HTMLCanvasElement,
    onResize: () => void,
  ) {
    const context = element.getContext("2d", { alpha: false });
    if (context === null) throw new Error("this browser has no 2-D canvas");
    this.context = context;
    new ResizeObserver(() => {
      this.fit();
      onResize();
    }).observe(element);
    this.fit();
  }

  /** Fill with one colour. */
  clear(colour: string): void {
    this.context.fillStyle = colour;
    this.context.fillRect(0, 0, this.width, this.height);
  }

  line(points: readonly (readonly [number, number])[], colour: string, width: number, dash: number[] = []): void {
    const { context } = this;
    context.beginPath();
    points.forEach(([x, y], n) => (n === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
    this.stroke(colour, width, dash);
  }

  ring(x: number, y: number, radius: number, colour: string, width: number, dash: number[] = []): void {
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.stroke(colour, width, dash);
  }

  disc(x: number, y: number, radius: number, colour: string): void {
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.context.fillStyle = colour;
    this.context.fill();
  }

  /** Width of text as `text` writes it, its rim included, px. */
  widthOf(words: string, size: number, weight = 600): number {
    this.context.font = font(size, weight);
    return this.context.measureText(words).width + size / 5;
  }

  /** The size at which words are no wider than that, the wanted one or less, px. */
  sizeWithin(words: string, wanted: number, width: number): number {
    return wanted * Math.min(1, width / this.widthOf(words, wanted));
  }

  /** The place nearest to `x` about which words are whole, px. */
  wholeAt(words: string, x: number, size: number, weight = 600): number {
    const half = this.widthOf(words, size, weight) / 2;
    return Math.max(half, Math.min(this.width - half, x));
  }

  /** Text with a dark rim, legible on any tissue. */
  text(
    words: string,
    x: number,
    y: number,
    size: number,
    { colour = INK, align = "center", weight = 600 }: { colour?: string; align?: CanvasTextAlign; weight?: number } = {},
  ): void {
    const { context } = this;
    context.font = font(size, weight);
    context.textAlign = align;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = size / 5;
    context.strokeStyle = "rgb(11 13 16 / 85%)";
    context.strokeText(words, x, y);
    context.fillStyle = colour;
    context.fillText(words, x, y);
  }

  /** Stroke the current path. */
  stroke(colour: string, width: number, dash: number[] = []): void {
    this.context.setLineDash(dash);
    this.context.strokeStyle = colour;
    this.context.lineWidth = width;
    this.context.lineCap = dash.length > 0 ? "butt" : "round";
    this.context.stroke();
    this.context.setLineDash([]);
  }

  private fit(): void {
    const ratio = Math.min(window.devicePixelRatio, GREATEST_RATIO);
    this.rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.width = this.element.clientWidth;
    this.height = this.element.clientHeight;
    this.element.width = Math.max(1, Math.round(this.width * ratio));
    this.element.height = Math.max(1, Math.round(this.height * ratio));
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }
}

function font(size: number, weight: number): string {
  return `${weight} ${size}px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif`;
}
