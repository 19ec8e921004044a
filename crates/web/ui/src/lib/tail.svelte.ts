// The log as it is written. So many lines are kept; the oldest go.

import { ask, query } from "./api";
import type { LogLevel, LogLine, Page } from "./types";

const LINES_MAX = 1_000;
/** Lines that come while the reader holds the list still. */
const WAITING_MAX = 1_000;
/** Stored lines that stand below the new ones from the start. */
const BEFORE = 100;
const DRAW_MS = 200;
const RETRY_MS = 3_000;

type Told = { type: "hello" } | ({ type: "log" } & LogLine) | { type: "lost"; lines: number } | { type: "bye"; reason: string };

export class LogTail {
  lines = $state.raw<readonly (LogLine & { key: number })[]>([]);
  open = $state(false);
  held = $state(false);
  lost = $state(0);
  waiting = $state(0);

  private key = 0;
  private socket: WebSocket | null = null;
  private fresh: (LogLine & { key: number })[] = [];
  private drawing = 0;
  private again = 0;
  private turn = 0;

  follow(level: LogLevel, contains: string): void {
    this.stop();
    this.lines = [];
    this.fresh = [];
    this.lost = 0;
    this.waiting = 0;
    const url = new URL("ws/logs", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("level", level);
    if (contains !== "") url.searchParams.set("contains", contains);
    const turn = ++this.turn;
    ask<Page<LogLine>>(query("api/logs", { level, contains, limit: BEFORE })).then(
      (page) => {
        if (turn !== this.turn) return;
        // What was told live meanwhile is stored, too.
        const newest = page.items[0]?.time_ms ?? 0;
        const later = this.lines.filter((line) => line.time_ms > newest);
        this.lines = [...later, ...page.items.map((line) => ({ ...line, key: ++this.key }))];
      },
      // The new lines come all the same.
      () => {},
    );
    const connect = (): void => {
      const socket = new WebSocket(url);
      this.socket = socket;
      socket.onopen = () => (this.open = true);
      socket.onmessage = (event: MessageEvent<string>) => this.take(JSON.parse(event.data) as Told);
      socket.onclose = () => {
        if (this.socket !== socket) return;
        this.open = false;
        this.again = window.setTimeout(connect, RETRY_MS);
      };
    };
    connect();
  }

  stop(): void {
    this.turn += 1;
    window.clearTimeout(this.again);
    window.clearTimeout(this.drawing);
    this.drawing = 0;
    const socket = this.socket;
    this.socket = null;
    this.open = false;
    socket?.close();
  }

  hold(held: boolean): void {
    this.held = held;
    if (!held) this.draw();
  }

  private take(told: Told): void {
    if (told.type === "lost") this.lost += told.lines;
    if (told.type !== "log") return;
    this.fresh.push({ ...told, key: ++this.key });
    if (this.fresh.length > WAITING_MAX) this.lost += this.fresh.splice(0, this.fresh.length - WAITING_MAX).length;
    // Many lines become one drawing.
    if (this.drawing === 0) this.drawing = window.setTimeout(() => this.draw(), DRAW_MS);
  }

  private draw(): void {
    this.drawing = 0;
    if (this.held) {
      this.waiting = this.fresh.length;
      return;
    }
    // Newest first, as in the stored list.
    this.lines = [...this.fresh.reverse(), ...this.lines].slice(0, LINES_MAX);
    this.fresh = [];
    this.waiting = 0;
  }
}
