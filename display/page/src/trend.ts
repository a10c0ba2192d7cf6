/** The rate over the last minute. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { DIM, FAINT, PROBE } from "./colours";
import { spaced } from "./words";

const SPAN_S = 60;

export class Trend {
  private readonly taken_ms: number[] = [];
  private readonly rates_cps: (number | null)[] = [];
  private background_cps: number | null = null;
  private readonly plot: uPlot;

  constructor(private readonly box: HTMLElement) {
    const font = "600 15px system-ui, sans-serif";
    const axis = { stroke: DIM, font, grid: { stroke: FAINT, width: 1 }, ticks: { show: false } };
    this.plot = new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        cursor: { show: false },
        padding: [14, 28, 0, 0],
        scales: {
          x: { time: false, range: [-SPAN_S, 0] },
          y: { range: (_, __, greatest) => [0, Math.max(10, greatest * 1.1)] },
        },
        axes: [
          {
            ...axis,
            size: 30,
            splits: () => [-60, -45, -30, -15, 0],
            values: (_, splits) => splits.map((s) => (s === 0 ? "now" : `\u2212${-s} s`)),
          },
          { ...axis, size: 76, values: (_, splits) => splits.map(spaced) },
        ],
        series: [
          {},
          { stroke: PROBE, width: 2.5, fill: "rgb(74 222 128 / 12%)", points: { show: false }, spanGaps: false },
          { stroke: DIM, width: 1.5, dash: [4, 6], points: { show: false } },
        ],
      },
      [[], [], []],
      box,
    );
    new ResizeObserver(() => this.plot.setSize(this.size())).observe(box);
  }

  /** Note a rate; null breaks the line, so that silence is a gap and not a slope. */
  note(now_ms: number, rate_cps: number | null, background_cps: number | null): void {
    this.taken_ms.push(now_ms);
    this.rates_cps.push(rate_cps);
    this.background_cps = background_cps;
    const old = this.taken_ms.findIndex((at_ms) => now_ms - at_ms <= SPAN_S * 1000);
    this.taken_ms.splice(0, Math.max(0, old));
    this.rates_cps.splice(0, Math.max(0, old));
  }

  forget(): void {
    this.taken_ms.length = 0;
    this.rates_cps.length = 0;
  }

  draw(now_ms: number): void {
    const ages_s = this.taken_ms.map((at_ms) => (at_ms - now_ms) / 1000);
    this.plot.setData([ages_s, this.rates_cps, ages_s.map(() => this.background_cps)]);
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(50, this.box.clientWidth), height: Math.max(50, this.box.clientHeight) };
  }
}
