// Keeps the page fed: by WebSocket while there is one, by asking while there is none; says how old the data is.

import type { Fill, Message, Metrics, Order, Page, Slot, Status, Summary } from "./types";

export type LinkState = "connecting" | "live" | "polling" | "lost";

const SILENCE_MS = 8_000;
const POLL_MS = 2_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;
/** A newer page has our place: come back rarely, or the two would push each other out without end. */
const REPLACED_MS = 60_000;

export class Link {
  private socket: WebSocket | null = null;
  private heard = 0;
  private retryMs = RETRY_MS_MIN;
  private retryAt = 0;
  private polling = false;
  private polled = 0;
  private watched: string | null = null;
  private said = "";

  constructor(private readonly onMessage: (message: Message) => void) {
    setInterval(() => this.check(), 500);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && !this.socket) this.now();
    });
    this.connect();
  }

  /** Milliseconds since the server was last heard. */
  get age(): number {
    return this.heard === 0 ? Infinity : performance.now() - this.heard;
  }

  get state(): LinkState {
    if (this.heard === 0) return this.said === "" ? "connecting" : "lost";
    if (this.age > 3_500 + (this.socket ? 0 : POLL_MS)) return "lost";
    return this.socket?.readyState === WebSocket.OPEN ? "live" : "polling";
  }

  /** Milliseconds until the next attempt; null while connected. */
  get nextTry(): number | null {
    return this.socket ? null : Math.max(0, this.retryAt - performance.now());
  }

  get reason(): string {
    return this.said;
  }

  watch(symbol: string): void {
    this.watched = symbol;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ watch: [symbol] }));
  }

  /** Tries at once. */
  now(): void {
    this.retryMs = RETRY_MS_MIN;
    if (!this.socket) this.connect();
  }

  private connect(): void {
    const url = new URL("ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.socket = socket;
    const opened = performance.now();
    socket.onopen = () => {
      this.heard = performance.now();
      if (this.watched !== null) socket.send(JSON.stringify({ watch: [this.watched] }));
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      if (this.socket !== socket) return;
      this.heard = performance.now();
      if (this.heard - opened > 5_000) this.retryMs = RETRY_MS_MIN;
      const message = JSON.parse(event.data) as Message;
      if (message.type === "bye") this.said = message.reason;
      else this.said = "";
      this.onMessage(message);
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
      return;
    }
    if (now >= this.retryAt) this.connect();
    else if (!this.polling && now - this.polled >= POLL_MS && !document.hidden) void this.poll();
  }

  private async poll(): Promise<void> {
    this.polling = true;
    this.polled = performance.now();
    try {
      const status = await ask<Status>("api/status");
      const metrics = await ask<Metrics>("api/system/metrics/current");
      if (this.socket?.readyState === WebSocket.OPEN) return;
      this.heard = performance.now();
      this.onMessage({ type: "hello", interval_ms: POLL_MS, status, metrics });
      const { time_ms, stopping, links, totals, symbols } = status;
      this.onMessage({ type: "pulse", seq: 0, time_ms, stopping, links, totals, symbols });
      const symbol = this.watched;
      if (symbol === null) return;
      const path = `api/symbols/${encodeURIComponent(symbol)}`;
      const detail = await ask<Summary & { orders: Order[]; slots: Slot[] }>(path);
      const fills = await ask<Page<Fill>>(`${path}/fills?limit=50`);
      this.onMessage({ type: "symbol", seq: 0, symbol, orders: detail.orders, slots: detail.slots, fills: fills.items });
    } catch {
      // Nothing heard: the age of the data says it.
    } finally {
      this.polling = false;
    }
  }
}

/** Asks for JSON; an answer that is no success, or none within five seconds, is an error. */
export async function ask<T>(path: string): Promise<T> {
  const response = await fetch(path, { signal: AbortSignal.timeout(5_000), headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}
