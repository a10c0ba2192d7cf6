/** The rate over the last minute. */

import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import type { TrendList } from "../feed-types";
import { authorised } from "../feed/admission";
import type { Received } from "../feed/feed";
import type { Moment } from "../feed/moment";
import { DIM, FAINT, HELD, PROBE } from "../kit/colours";
import { t } from "../kit/language";
import { spaced } from "../kit/words";

const SPAN_S = 60;
/** Fewer times stand below a narrower plot. */
const NARROW_PX = 400;

export class Trend {
  private readonly taken_ms: number[] = [];
  private readonly rates_cps: (number | null)[] = [];
  private background_cps: number | null = null;
  /** When somebody marked a moment, by the service's time of day, ms. */
  private marks_ms: readonly number[] = [];
  private marks_s: readonly number[] = [];
  private readonly plot: uPlot;

  constructor(private readonly box: HTMLElement) {
    const font = "600 15px system-ui, sans-serif";
    const axis = { stroke: DIM, font, grid: { stroke: FAINT, width: 1 }, ticks: { show: false } };
    this.plot = new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        hooks: { draw: [(plot) => this.drawMarks(plot)] },
        cursor: { show: false },
        padding: [14, 38, 0, 0],
        scales: {
          x: { time: false, range: [-SPAN_S, 0] },
          y: { range: (_, __, greatest) => [0, Math.max(10, greatest * 1.1)] },
        },
        axes: [
          {
            ...axis,
            size: 30,
            splits: (plot) => (plot.width < NARROW_PX ? [-60, -30, 0] : [-60, -45, -30, -15, 0]),
            values: (_, splits) => splits.map((s) => (s === 0 ? t.trend.now : t.trend.ago(-s))),
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
    document.addEventListener("language", () => this.plot.redraw(false, true)); // it keeps the words of its axes
  }

  /** Fetch what this page had not seen itself when its first state came; without it the trend begins empty. */
  async fill(newest: () => Received | null): Promise<void> {
    this.taken_ms.length = this.rates_cps.length = 0; // gaps of the time before
    try {
      const answer = await fetch("/v1/trend", { headers: authorised({}) });
      if (!answer.ok) return;
      const { points, session_id } = (await answer.json()) as TrendList;
      const received = newest();
      if (received === null || received.hello.session_id !== session_id) return;
      const first_ms = this.taken_ms[0] ?? Infinity;
      const now_s = received.state.server_monotonic_s;
      const past = points
        .map((point) => ({ ...point, at_ms: received.at_ms - (received.delay_s + now_s - point.server_monotonic_s) * 1000 }))
        .filter((point) => point.at_ms < first_ms);
      this.taken_ms.unshift(...past.map((point) => point.at_ms));
      this.rates_cps.unshift(...past.map((point) => point.rate_cps));
      this.box.dataset["filled"] = `${past.length}`;
    } catch {
      return; // it fills itself within a minute
    }
  }

  /** Mark a moment, by the service's time of day, ms. */
  mark(at_ms: number): void {
    this.marks_ms = [...this.marks_ms, at_ms];
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

  /** Drop the rates: another run of the service has its own. Marks are of the record, which goes on. */
  forget(): void {
    this.taken_ms.length = 0;
    this.rates_cps.length = 0;
  }

  draw(now_ms: number, moment: Moment | null): void {
    if (moment !== null) {
      // both by the service's time of day: this page's clock may be wrong by hours
      const server_ms = Date.parse(moment.state.server_time_utc) + moment.since_s * 1000;
      this.marks_ms = this.marks_ms.filter((at_ms) => at_ms >= server_ms - SPAN_S * 1000);
      this.marks_s = this.marks_ms.map((at_ms) => (at_ms - server_ms) / 1000).filter((s) => s <= 1);
      this.box.dataset["marks"] = `${this.marks_s.length}`;
    }
    const ages_s = this.taken_ms.map((at_ms) => (at_ms - now_ms) / 1000);
    this.plot.setData([ages_s, this.rates_cps, ages_s.map(() => this.background_cps)]);
  }

  private drawMarks({ ctx, bbox, valToPos }: uPlot): void {
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = HELD;
    ctx.lineWidth = 3;
    for (const at_s of this.marks_s) {
      const x = valToPos(at_s, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - 9, bbox.top);
      ctx.lineTo(x + 9, bbox.top);
      ctx.lineTo(x, bbox.top + 14);
      ctx.fill();
    }
    ctx.restore();
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(50, this.box.clientWidth), height: Math.max(50, this.box.clientHeight) };
  }
}
