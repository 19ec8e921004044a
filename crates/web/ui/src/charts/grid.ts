// The grid drawn into the chart: working orders, held slots, the average entry and fills, at their prices.

import type { CanvasRenderingTarget2D } from "fancy-canvas";
import type {
  IChartApi,
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesApi,
  ISeriesPrimitive,
  SeriesAttachedParameter,
  Time,
  UTCTimestamp,
} from "lightweight-charts";

import type { Fill, Slot, Working } from "../lib/types";
import { colour, faint, FONT } from "./colours";

export interface GridPicture {
  orders: readonly Working[];
  slots: readonly Slot[];
  fills: readonly Fill[];
  entry: string | null;
  /** Seconds of a candle, so that a fill finds its own. */
  stepS: number;
  labels: { entry: string };
}

/** An order's line is so long, at the right edge; a held slot's bar at most so long beside it. */
const ORDER_PX = 84;
const HELD_PX = 56;

export class GridPrimitive implements ISeriesPrimitive<Time> {
  private chart: IChartApi | null = null;
  private series: ISeriesApi<"Candlestick"> | null = null;
  private redraw: () => void = () => {};
  private picture: GridPicture | null = null;
  private readonly views: readonly IPrimitivePaneView[] = [{ zOrder: () => "top", renderer: () => this.renderer }];
  private readonly renderer: IPrimitivePaneRenderer = { draw: (target) => this.draw(target) };

  attached(parameters: SeriesAttachedParameter<Time>): void {
    this.chart = parameters.chart as IChartApi;
    this.series = parameters.series as ISeriesApi<"Candlestick">;
    this.redraw = parameters.requestUpdate;
  }

  detached(): void {
    this.chart = null;
    this.series = null;
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return this.views;
  }

  show(picture: GridPicture): void {
    this.picture = picture;
    this.redraw();
  }

  private draw(target: CanvasRenderingTarget2D): void {
    const { chart, series, picture } = this;
    if (!chart || !series || !picture) return;
    target.useMediaCoordinateSpace(({ context, mediaSize: { width, height } }) => {
      const y = (price: string): number | null => {
        const at = series.priceToCoordinate(Number(price));
        return at === null || at < -20 || at > height + 20 ? null : Math.round(at) + 0.5;
      };
      const ordered = Math.min(ORDER_PX, width * 0.17);
      const holds = Math.min(HELD_PX, width * 0.11);
      const most = picture.slots.reduce((sum, slot) => Math.max(sum, Number(slot.held)), 0);
      for (const slot of picture.slots) {
        const at = y(slot.price);
        if (at === null || Number(slot.held) === 0) continue;
        const long = Math.max(4, (Number(slot.held) / most) * holds);
        context.fillStyle = colour("brass");
        context.fillRect(width - ordered - 6 - long, at - 2, long, 4);
      }
      context.lineWidth = 1;
      for (const order of picture.orders) {
        const at = y(order.price);
        if (at === null) continue;
        const ink = order.side === "buy" ? "buy" : "sell";
        context.strokeStyle = faint(ink, 0.16);
        context.setLineDash([]);
        context.beginPath();
        context.moveTo(0, at);
        context.lineTo(width, at);
        context.stroke();
        context.strokeStyle = colour(ink);
        context.lineWidth = 2;
        if (order.state !== "live") context.setLineDash([4, 4]);
        context.beginPath();
        context.moveTo(width - ordered, at);
        context.lineTo(width, at);
        context.stroke();
        context.lineWidth = 1;
      }
      context.setLineDash([]);
      if (picture.entry !== null) {
        const at = y(picture.entry);
        if (at !== null) {
          context.strokeStyle = colour("brass");
          context.setLineDash([6, 4]);
          context.beginPath();
          context.moveTo(0, at);
          context.lineTo(width, at);
          context.stroke();
          context.setLineDash([]);
          context.font = FONT;
          context.fillStyle = colour("brass");
          context.fillText(picture.labels.entry, 8, at - 5);
        }
      }
      for (const fill of picture.fills) {
        const at = y(fill.price);
        const second = Math.floor(fill.time_ms / 1000 / picture.stepS) * picture.stepS;
        const x = chart.timeScale().timeToCoordinate(second as UTCTimestamp);
        if (at === null || x === null) continue;
        const up = fill.side === "buy";
        context.fillStyle = colour(up ? "buy" : "sell");
        context.strokeStyle = colour("surface");
        context.lineWidth = 1;
        context.beginPath();
        context.moveTo(x, at + (up ? -4 : 4));
        context.lineTo(x - 4, at + (up ? 4 : -4));
        context.lineTo(x + 4, at + (up ? 4 : -4));
        context.closePath();
        context.fill();
        context.stroke();
      }
    });
  }
}
