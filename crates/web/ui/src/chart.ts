// The price with the grid on it, drawn by hand: working orders as lines from when they were sent to now, held slots as
// blocks in the margin, fills where and when they happened.

import { clock, minute, plain } from "./format";
import { Ring } from "./ring";
import type { Fill, Order, Slot } from "./types";

export interface Scene {
  prices: Ring;
  orders: Order[];
  slots: Slot[];
  fills: Fill[];
  entry: number | null;
  decimals: number;
  /** The server's time now. */
  now: number;
  windowMs: number;
  allOrders: boolean;
}

interface Palette {
  line: string;
  area: string;
  grid: string;
  text: string;
  muted: string;
  buy: string;
  sell: string;
  held: string;
  surface: string;
  accent: string;
}

const GUTTER = 78;
const FOOT = 20;
const FLASH_MS = 1_400;
const WINDOW_MS_MIN = 60_000;
/** Orders on each side that the scale makes room for, unless all are wanted. */
const NEAREST = 4;

export function palette(element: Element): Palette {
  const style = getComputedStyle(element);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    line: read("--ink"),
    area: read("--area"),
    grid: read("--rule"),
    text: read("--ink"),
    muted: read("--muted"),
    buy: read("--buy"),
    sell: read("--sell"),
    held: read("--held"),
    surface: read("--surface"),
    accent: read("--accent"),
  };
}

/** Fits the bitmap to the element and the screen; returns the context in CSS pixels. */
export function fit(canvas: HTMLCanvasElement): { context: CanvasRenderingContext2D; width: number; height: number } | null {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const context = canvas.getContext("2d");
  if (!context || width < 16 || height < 16) return null;
  const scale = Math.min(window.devicePixelRatio || 1, 3);
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** A step of 1, 2 or 5 times a power of ten that gives about `count` of them. */
export function niceStep(span: number, count: number): number {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const factor = raw / power;
  return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}

const STEPS_MS = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400].map((seconds) => seconds * 1000);

export function timeStep(span: number, count: number): number {
  return STEPS_MS.find((step) => span / step <= count) ?? 86_400_000;
}

export class PriceChart {
  private low = 0;
  private high = 0;
  private moving = false;
  private pointer: { x: number; y: number } | null = null;
  private readonly seen = new Map<string, number>();
  private scheduled = false;
  private readonly calm = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly scene: () => Scene,
  ) {
    canvas.addEventListener("pointermove", (event) => {
      this.pointer = { x: event.offsetX, y: event.offsetY };
      this.draw();
    });
    canvas.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Jumps to the new scale instead of gliding: another symbol or stretch of time. */
  reset(): void {
    this.low = this.high = 0;
    this.seen.clear();
    this.draw();
  }

  /** Marks fills as new, so that they flash. */
  flash(ids: string[]): void {
    const now = performance.now();
    for (const id of ids) this.seen.set(id, now);
    for (const [id, at] of this.seen) if (now - at > FLASH_MS) this.seen.delete(id);
    this.draw();
  }

  draw(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.paint();
      if (this.moving || this.seen.size > 0) this.draw();
    });
  }

  private range(scene: Scene, since: number, last: number): [number, number] {
    let low = last;
    let high = last;
    for (let i = scene.prices.from(since); i < scene.prices.length; i += 1) {
      const value = scene.prices.value(i);
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const levels = scene.orders.map((order) => Number(order.price)).filter((level) => level > 0);
    const near = (side: number[]) => side.sort((a, b) => Math.abs(a - last) - Math.abs(b - last)).slice(0, scene.allOrders ? Infinity : NEAREST);
    for (const level of [...near(levels.filter((level) => level < last)), ...near(levels.filter((level) => level >= last))]) {
      if (level < low) low = level;
      if (level > high) high = level;
    }
    const pad = Math.max((high - low) * 0.06, last * 1e-5);
    return [low - pad, high + pad];
  }

  private paint(): void {
    const fitted = fit(this.canvas);
    if (!fitted) return;
    const { context, width, height } = fitted;
    const scene = this.scene();
    const colors = palette(this.canvas);
    const plot = { right: width - GUTTER, bottom: height - FOOT };
    context.font = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
    context.textBaseline = "middle";
    const { prices } = scene;
    if (prices.length === 0) {
      context.fillStyle = colors.muted;
      context.textAlign = "center";
      context.fillText("waiting for the first price", plot.right / 2, plot.bottom / 2);
      this.moving = false;
      return;
    }
    const until = Math.max(scene.now, prices.time(prices.length - 1));
    // A page just opened has little to show: the stretch grows with it up to the one chosen.
    const span = Math.min(scene.windowMs, Math.max(WINDOW_MS_MIN, (until - prices.time(0)) * 1.05));
    scene.windowMs = span;
    const since = until - span;
    const last = prices.value(prices.length - 1);
    const [low, high] = this.range(scene, since, last);
    if (this.low === this.high || this.calm.matches) {
      [this.low, this.high] = [low, high];
    } else {
      this.low += (low - this.low) * 0.2;
      this.high += (high - this.high) * 0.2;
    }
    const unit = (high - low) / plot.bottom;
    this.moving = Math.abs(low - this.low) > unit * 0.4 || Math.abs(high - this.high) > unit * 0.4;
    if (!this.moving) [this.low, this.high] = [low, high];

    const x = (time: number) => ((time - since) / scene.windowMs) * (plot.right - 10);
    const y = (value: number) => plot.bottom - ((value - this.low) / (this.high - this.low)) * plot.bottom;
    const show = (value: number) => plain(value.toFixed(scene.decimals));

    this.axes(context, colors, scene, since, until, plot, x, y, show, y(last));
    this.slots(context, colors, scene, plot, y);
    this.orders(context, colors, scene, since, plot, x, y);

    context.save();
    context.beginPath();
    context.rect(0, 0, plot.right, plot.bottom);
    context.clip();
    if (scene.entry !== null) {
      context.strokeStyle = colors.accent;
      context.setLineDash([8, 4, 2, 4]);
      context.lineWidth = 1.25;
      line(context, 0, y(scene.entry), plot.right, y(scene.entry));
      context.setLineDash([]);
    }
    this.prices(context, colors, prices, since, last, plot, x, y);
    this.fills(context, colors, scene, since, x, y);
    context.restore();

    tag(context, plot.right, y(last), show(last), colors.line, colors.surface, plot.bottom);
    if (this.pointer) this.cross(context, colors, since, scene.windowMs, plot, show);
  }

  private axes(
    context: CanvasRenderingContext2D,
    colors: Palette,
    scene: Scene,
    since: number,
    until: number,
    plot: { right: number; bottom: number },
    x: (time: number) => number,
    y: (value: number) => number,
    show: (value: number) => string,
    taken: number,
  ): void {
    context.strokeStyle = colors.grid;
    context.fillStyle = colors.muted;
    context.lineWidth = 1;
    const step = niceStep(this.high - this.low, plot.bottom / 46);
    context.textAlign = "left";
    for (let value = Math.ceil(this.low / step) * step; value < this.high; value += step) {
      const at = Math.round(y(value)) + 0.5;
      line(context, 0, at, plot.right, at);
      if (Math.abs(at - taken) > 15 && at > 8) context.fillText(show(value), plot.right + 8, at);
    }
    const every = timeStep(scene.windowMs, plot.right / 90);
    // Midnight of this place, so that ticks fall on its round hours.
    const shift = new Date(until).getTimezoneOffset() * 60_000;
    context.textAlign = "center";
    for (let time = Math.ceil((since - shift) / every) * every + shift; time < until; time += every) {
      const at = Math.round(x(time)) + 0.5;
      if (at < 24 || at > plot.right - 24) continue;
      line(context, at, 0, at, plot.bottom);
      context.fillText(every < 60_000 ? clock(time) : minute(time), at, plot.bottom + FOOT / 2 + 2);
    }
  }

  private orders(
    context: CanvasRenderingContext2D,
    colors: Palette,
    scene: Scene,
    since: number,
    plot: { right: number; bottom: number },
    x: (time: number) => number,
    y: (value: number) => number,
  ): void {
    context.textAlign = "right";
    context.textBaseline = "alphabetic";
    let lastLabel = -Infinity;
    const sorted = [...scene.orders].sort((a, b) => Number(b.price) - Number(a.price));
    for (const order of sorted) {
      const at = y(Number(order.price));
      if (at < -1 || at > plot.bottom + 1) continue;
      const color = order.side === "buy" ? colors.buy : colors.sell;
      const from = Math.max(0, x(Math.max(order.sent_ms, since)));
      context.strokeStyle = color;
      context.lineWidth = 1.25;
      context.globalAlpha = order.state === "live" ? 0.9 : 0.45;
      context.setLineDash(order.state === "live" ? [] : [3, 3]);
      line(context, Math.min(from, plot.right - 26), at, plot.right, at);
      context.setLineDash([]);
      context.fillStyle = color;
      context.beginPath();
      context.arc(Math.min(from, plot.right - 26), at, 2.25, 0, Math.PI * 2);
      context.fill();
      // The end reaches into the margin as a tooth, so that the ladder reads without following lines.
      context.fillRect(plot.right, at - 1.5, 5, 3);
      if (at - lastLabel > 13 && at > 12) {
        context.fillText(`${order.side === "buy" ? "B" : "S"} ${order.qty}`, plot.right - 4, at - 3);
        lastLabel = at;
      }
      context.globalAlpha = 1;
    }
    context.textBaseline = "middle";
  }

  private slots(
    context: CanvasRenderingContext2D,
    colors: Palette,
    scene: Scene,
    plot: { right: number; bottom: number },
    y: (value: number) => number,
  ): void {
    const sells = new Map(scene.orders.filter((order) => order.side === "sell").map((order) => [order.level, Number(order.price)]));
    context.fillStyle = colors.held;
    for (const slot of scene.slots) {
      if (Number(slot.held) === 0) continue;
      // A held slot spans from what it bought at to where it sells.
      const bottom = y(Number(slot.price));
      const top = y(sells.get(slot.level) ?? Number(slot.price)) + 2;
      const height = Math.max(3, bottom - top - 1);
      if (bottom < 0 || bottom - height > plot.bottom) continue;
      const upper = Math.max(0, bottom - height);
      context.globalAlpha = 0.1;
      context.fillRect(0, upper, plot.right, Math.min(plot.bottom, bottom) - upper);
      context.globalAlpha = 0.95;
      context.fillRect(0, upper, 4, Math.min(plot.bottom, bottom) - upper);
      context.globalAlpha = 1;
    }
  }

  private prices(
    context: CanvasRenderingContext2D,
    colors: Palette,
    prices: Ring,
    since: number,
    last: number,
    plot: { right: number; bottom: number },
    x: (time: number) => number,
    y: (value: number) => number,
  ): void {
    const first = Math.max(0, prices.from(since) - 1);
    context.beginPath();
    for (let i = first; i < prices.length; i += 1) {
      const [px, py] = [x(prices.time(i)), y(prices.value(i))];
      if (i === first) context.moveTo(px, py);
      else context.lineTo(px, py);
    }
    const end = plot.right - 10;
    context.lineTo(end, y(last));
    context.strokeStyle = colors.line;
    context.lineWidth = 1.75;
    context.lineJoin = "round";
    context.stroke();
    context.fillStyle = colors.line;
    context.beginPath();
    context.arc(end, y(last), 3.5, 0, Math.PI * 2);
    context.fill();
  }

  private fills(context: CanvasRenderingContext2D, colors: Palette, scene: Scene, since: number, x: (time: number) => number, y: (value: number) => number): void {
    const now = performance.now();
    for (const fill of scene.fills) {
      if (fill.time_ms < since) continue;
      const [px, py] = [x(fill.time_ms), y(Number(fill.price))];
      const way = fill.side === "buy" ? 1 : -1;
      context.fillStyle = fill.side === "buy" ? colors.buy : colors.sell;
      context.strokeStyle = colors.surface;
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(px, py + way * 2);
      context.lineTo(px - 5.5, py + way * 11);
      context.lineTo(px + 5.5, py + way * 11);
      context.closePath();
      context.stroke();
      context.fill();
      const age = now - (this.seen.get(fill.trade_id) ?? -Infinity);
      if (age < FLASH_MS) {
        context.globalAlpha = 1 - age / FLASH_MS;
        context.strokeStyle = context.fillStyle;
        context.lineWidth = 2;
        context.beginPath();
        context.arc(px, py, 4 + (this.calm.matches ? 8 : (age / FLASH_MS) * 26), 0, Math.PI * 2);
        context.stroke();
        context.globalAlpha = 1;
      }
    }
    for (const [id, at] of this.seen) if (now - at > FLASH_MS) this.seen.delete(id);
  }

  private cross(
    context: CanvasRenderingContext2D,
    colors: Palette,
    since: number,
    windowMs: number,
    plot: { right: number; bottom: number },
    show: (value: number) => string,
  ): void {
    const { x, y } = this.pointer ?? { x: -1, y: -1 };
    if (x < 0 || x > plot.right || y < 0 || y > plot.bottom) return;
    context.strokeStyle = colors.muted;
    context.lineWidth = 1;
    context.setLineDash([2, 3]);
    line(context, 0, y + 0.5, plot.right, y + 0.5);
    line(context, x + 0.5, 0, x + 0.5, plot.bottom);
    context.setLineDash([]);
    tag(context, plot.right, y, show(this.low + (1 - y / plot.bottom) * (this.high - this.low)), colors.muted, colors.surface, plot.bottom);
    const text = clock(since + (x / (plot.right - 10)) * windowMs);
    const half = context.measureText(text).width / 2 + 6;
    const middle = Math.min(Math.max(x, half), plot.right - half);
    context.fillStyle = colors.muted;
    context.fillRect(middle - half, plot.bottom + 2, half * 2, FOOT - 3);
    context.fillStyle = colors.surface;
    context.textAlign = "center";
    context.fillText(text, middle, plot.bottom + FOOT / 2 + 1);
  }
}

function line(context: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function tag(context: CanvasRenderingContext2D, x: number, y: number, text: string, back: string, front: string, bottom: number): void {
  const middle = Math.min(Math.max(y, 9), bottom - 9);
  context.fillStyle = back;
  context.beginPath();
  context.moveTo(x, middle);
  context.lineTo(x + 6, middle - 9);
  context.lineTo(x + GUTTER, middle - 9);
  context.lineTo(x + GUTTER, middle + 9);
  context.lineTo(x + 6, middle + 9);
  context.closePath();
  context.fill();
  context.fillStyle = front;
  context.textAlign = "left";
  context.fillText(text, x + 9, middle + 0.5);
}

/** A line over time with the ground at zero: above it in one colour, below in the other. */
export class ProfitChart {
  private scheduled = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly points: Ring,
  ) {
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  draw(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.paint();
    });
  }

  private paint(): void {
    const fitted = fit(this.canvas);
    if (!fitted) return;
    const { context, width, height } = fitted;
    const colors = palette(this.canvas);
    const { points } = this;
    const right = width - 62;
    const bottom = height - FOOT;
    context.font = "11px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
    context.textBaseline = "middle";
    if (points.length < 2) {
      context.fillStyle = colors.muted;
      context.textAlign = "center";
      context.fillText("the line begins with the second reading", right / 2, bottom / 2);
      return;
    }
    const since = points.time(0);
    const until = points.time(points.length - 1);
    let low = 0;
    let high = 0;
    for (let i = 0; i < points.length; i += 1) {
      low = Math.min(low, points.value(i));
      high = Math.max(high, points.value(i));
    }
    const pad = Math.max((high - low) * 0.12, 0.01);
    [low, high] = [low - pad, high + pad];
    const x = (time: number) => ((time - since) / Math.max(1, until - since)) * right;
    const y = (value: number) => bottom - ((value - low) / (high - low)) * bottom;
    const step = niceStep(high - low, bottom / 34);
    const digits = Math.max(0, Math.min(4, -Math.floor(Math.log10(step))));
    context.lineWidth = 1;
    context.textAlign = "left";
    for (let value = Math.ceil(low / step) * step; value < high; value += step) {
      const at = Math.round(y(value)) + 0.5;
      const zero = Math.abs(value) < step / 1e6;
      context.strokeStyle = zero ? colors.muted : colors.grid;
      line(context, 0, at, right, at);
      context.fillStyle = colors.muted;
      if (at > 6) context.fillText(plain((zero ? 0 : value).toFixed(digits)), right + 8, at);
    }
    const every = timeStep(until - since, right / 90);
    const shift = new Date(until).getTimezoneOffset() * 60_000;
    context.textAlign = "center";
    for (let time = Math.ceil((since - shift) / every) * every + shift; time < until; time += every) {
      const at = x(time);
      if (at > 20 && at < right - 20) context.fillText(every < 60_000 ? clock(time) : minute(time), at, bottom + FOOT / 2 + 2);
    }
    const zero = y(0);
    for (const [color, top, depth] of [
      [colors.buy, 0, zero],
      [colors.sell, zero, bottom - zero],
    ] as const) {
      if (depth <= 0) continue;
      context.save();
      context.beginPath();
      context.rect(0, top, right, depth);
      context.clip();
      context.beginPath();
      for (let i = 0; i < points.length; i += 1) {
        const [px, py] = [x(points.time(i)), y(points.value(i))];
        if (i === 0) context.moveTo(px, py);
        else context.lineTo(px, py);
      }
      context.strokeStyle = color;
      context.lineWidth = 2;
      context.lineJoin = "round";
      context.stroke();
      context.lineTo(x(until), zero);
      context.lineTo(x(since), zero);
      context.closePath();
      context.fillStyle = color;
      context.globalAlpha = 0.13;
      context.fill();
      context.restore();
    }
  }
}

/** A small line without axes. */
export function spark(canvas: HTMLCanvasElement, points: Ring): void {
  const fitted = fit(canvas);
  if (!fitted || points.length < 2) return;
  const { context, width, height } = fitted;
  const colors = palette(canvas);
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < points.length; i += 1) {
    low = Math.min(low, points.value(i));
    high = Math.max(high, points.value(i));
  }
  const since = points.time(0);
  const length = Math.max(1, points.time(points.length - 1) - since);
  const span = high - low || 1;
  context.beginPath();
  for (let i = 0; i < points.length; i += 1) {
    const px = ((points.time(i) - since) / length) * (width - 2) + 1;
    const py = height - 2 - ((points.value(i) - low) / span) * (height - 4);
    if (i === 0) context.moveTo(px, py);
    else context.lineTo(px, py);
  }
  context.strokeStyle = colors.accent;
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.stroke();
}
