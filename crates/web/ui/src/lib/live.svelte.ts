// What the bot says now. By WebSocket while there is one, by asking while there is none; knows how old the picture is.

import { ask } from "./api";
import { Ring } from "./ring";
import type { Feed, Fill, Message, Metrics, Page, Slot, Status, Summary, Totals, Working } from "./types";

export type Contact = "connecting" | "live" | "polling" | "lost";

const SILENCE_MS = 8_000;
const POLL_MS = 2_000;
const LOST_MS = 3_500;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;
/** A newer page has our place: come back rarely, or the two would push each other out without end. */
const REPLACED_MS = 60_000;
/** The server follows so many symbols in detail for one page. */
export const WATCH_MAX = 4;
/** A quarter of an hour of seconds comes with a watch; as much again is kept. */
const PRICES_MAX = 1_800;
const FILLS_MAX = 100;

/** A symbol that is watched in detail. */
export class Detail {
  orders = $state.raw<Working[]>([]);
  slots = $state.raw<Slot[]>([]);
  fills = $state.raw<Fill[]>([]);
  /** Rises with each new price; the prices themselves are drawn, not bound. */
  priced = $state(0);
  readonly prices = new Ring(PRICES_MAX);
}

class Live {
  status = $state.raw<Omit<Status, "symbols" | "totals" | "links"> | null>(null);
  totals = $state.raw<Totals | null>(null);
  links = $state.raw<Feed[]>([]);
  metrics = $state.raw<Metrics | null>(null);
  symbols = $state.raw<Summary[]>([]);
  details = $state.raw<ReadonlyMap<string, Detail>>(new Map());
  contact = $state<Contact>("connecting");
  /** Milliseconds since the bot was last heard, refreshed twice a second. */
  age = $state(0);
  /** Milliseconds until the next attempt; null while connected. */
  retryIn = $state<number | null>(null);
  /** The reader's clock less the bot's. */
  skew = 0;
  /** Now, in whole seconds of the bot's clock; moves once a second. */
  now = $state(Date.now());

  private socket: WebSocket | null = null;
  private heard = 0;
  private retryMs = RETRY_MS_MIN;
  private retryAt = 0;
  private polled = 0;
  private polling = false;
  private said = "";
  private watched: string[] = [];
  private timer = 0;

  start(): void {
    if (this.timer !== 0) return;
    this.timer = window.setInterval(() => this.check(), 500);
    document.addEventListener("visibilitychange", this.woken);
    this.connect();
  }

  /** Forgets everything that was shown: who reads may have changed. */
  stop(): void {
    window.clearInterval(this.timer);
    this.timer = 0;
    document.removeEventListener("visibilitychange", this.woken);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.heard = 0;
    this.said = "";
    this.contact = "connecting";
    this.status = null;
    this.totals = null;
    this.symbols = [];
    this.details = new Map();
  }

  symbol(name: string): Summary | undefined {
    return this.symbols.find((one) => one.symbol === name);
  }

  /** Follows these in detail from now on, and no others. */
  watch(symbols: readonly string[]): void {
    const wanted = symbols.slice(0, WATCH_MAX);
    if (wanted.length === this.watched.length && wanted.every((name, at) => name === this.watched[at])) return;
    this.watched = wanted;
    this.details = new Map(wanted.map((name) => [name, this.details.get(name) ?? new Detail()]));
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ watch: wanted }));
  }

  /** Tries at once. */
  retry(): void {
    this.retryMs = RETRY_MS_MIN;
    if (!this.socket) this.connect();
  }

  private readonly woken = (): void => {
    if (!document.hidden && !this.socket) this.retry();
  };

  private connect(): void {
    const url = new URL("ws", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.socket = socket;
    const opened = performance.now();
    socket.onopen = () => {
      this.heard = performance.now();
      if (this.watched.length > 0) socket.send(JSON.stringify({ watch: this.watched }));
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      if (this.socket !== socket) return;
      this.heard = performance.now();
      if (this.heard - opened > 5_000) this.retryMs = RETRY_MS_MIN;
      const message = JSON.parse(event.data) as Message;
      this.said = message.type === "bye" ? message.reason : "";
      this.take(message);
    };
    socket.onclose = () => {
      if (this.socket === socket) this.drop();
    };
  }

  private drop(): void {
    this.socket = null;
    const wait = this.said === "replaced_by_newer" ? REPLACED_MS : this.retryMs * (0.75 + Math.random() / 2);
    if (this.said === "") this.said = "no connection";
    this.retryAt = performance.now() + wait;
    this.retryMs = Math.min(this.retryMs * 2, RETRY_MS_MAX);
  }

  private check(): void {
    const now = performance.now();
    if (this.socket) {
      if (this.socket.readyState === WebSocket.OPEN && now - this.heard > SILENCE_MS) {
        const silent = this.socket;
        this.drop();
        silent.close();
      }
    } else if (now >= this.retryAt) this.connect();
    else if (!this.polling && now - this.polled >= POLL_MS && !document.hidden) void this.poll();
    this.look(now);
  }

  private look(now: number): void {
    const age = this.heard === 0 ? Infinity : now - this.heard;
    this.age = age;
    this.retryIn = this.socket ? null : Math.max(0, this.retryAt - now);
    if (this.heard === 0) this.contact = this.said === "" ? "connecting" : "lost";
    else if (age > LOST_MS + (this.socket ? 0 : POLL_MS)) this.contact = "lost";
    else this.contact = this.socket?.readyState === WebSocket.OPEN ? "live" : "polling";
    this.now = Math.floor((Date.now() - this.skew) / 1000) * 1000;
  }

  private async poll(): Promise<void> {
    this.polling = true;
    this.polled = performance.now();
    try {
      const status = await ask<Status>("api/status");
      const metrics = await ask<Metrics>("api/system/metrics/current");
      if (this.socket?.readyState === WebSocket.OPEN) return;
      this.heard = performance.now();
      this.take({ type: "hello", interval_ms: POLL_MS, status, metrics });
      for (const symbol of this.watched) {
        const path = `api/symbols/${encodeURIComponent(symbol)}`;
        const detail = await ask<Summary & { orders: Working[]; slots: Slot[] }>(path);
        const fills = await ask<Page<Fill>>(`${path}/fills?limit=50`);
        this.take({ type: "symbol", seq: 0, symbol, orders: detail.orders, slots: detail.slots, fills: fills.items });
      }
    } catch {
      // Nothing heard: the age of the picture says it.
    } finally {
      this.polling = false;
    }
  }

  private take(message: Message): void {
    switch (message.type) {
      case "hello": {
        const { symbols, totals, links, ...status } = message.status;
        this.status = status;
        this.skew = Date.now() - status.time_ms;
        this.totals = totals;
        this.links = links;
        this.metrics = message.metrics;
        // The symbols of a greeting by socket follow in pulses: those that are traded no longer must go.
        if (symbols.length > 0 || totals.symbols === 0) this.symbols = symbols;
        else if (this.symbols.length > totals.symbols) this.symbols = [];
        this.sample(symbols);
        break;
      }
      case "pulse": {
        this.totals = message.totals;
        this.links = message.links;
        if (message.metrics) this.metrics = message.metrics;
        if (this.status && this.status.stopping !== message.stopping) this.status = { ...this.status, stopping: message.stopping };
        if (message.symbols.length > 0) this.symbols = merged(this.symbols, message.symbols);
        this.sample(message.symbols);
        break;
      }
      case "symbol": {
        const detail = this.details.get(message.symbol);
        if (!detail) break;
        if (message.orders) detail.orders = message.orders;
        if (message.slots) detail.slots = message.slots;
        if (message.fills) detail.fills = message.fills.slice(0, FILLS_MAX);
        if (message.prices) {
          detail.prices.clear();
          for (const [time, price] of message.prices) detail.prices.push(time, Number(price));
          detail.priced += 1;
        }
        break;
      }
      case "lost":
      case "error":
      case "bye":
        break;
    }
  }

  private sample(symbols: readonly Summary[]): void {
    for (const { symbol, price, price_time_ms, time_ms } of symbols) {
      const detail = this.details.get(symbol);
      if (!detail || price === null) continue;
      // One point a second is enough for what is drawn.
      const second = Math.floor((price_time_ms ?? time_ms) / 1000) * 1000;
      detail.prices.push(second, Number(price));
      detail.priced += 1;
    }
  }
}

function merged(old: readonly Summary[], news: readonly Summary[]): Summary[] {
  const later = new Map(news.map((one) => [one.symbol, one]));
  const all = old.map((one) => {
    const newer = later.get(one.symbol);
    if (newer) later.delete(one.symbol);
    return newer ?? one;
  });
  return later.size === 0 ? all : [...all, ...later.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
}

export const live = new Live();
