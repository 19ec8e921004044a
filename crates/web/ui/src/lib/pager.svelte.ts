// A list that is read page by page, newest first. No more rows are kept than one can read.

import { Problem } from "./api";
import type { Page } from "./types";

/** Rows kept; beyond that a filter finds sooner. */
const ROWS_MAX = 2_000;

export class Pager<T> {
  rows = $state.raw<readonly T[]>([]);
  next = $state<string | null>(null);
  busy = $state(true);
  problem = $state.raw<Problem | null>(null);
  private turn = 0;

  constructor(private readonly fetch: (before: string | null) => Promise<Page<T>>) {}

  get full(): boolean {
    return this.rows.length >= ROWS_MAX;
  }

  /** From the newest on. */
  async begin(): Promise<void> {
    await this.read(null);
  }

  async more(): Promise<void> {
    if (this.next !== null && !this.busy && !this.full) await this.read(this.next);
  }

  private async read(before: string | null): Promise<void> {
    const turn = ++this.turn;
    this.busy = true;
    try {
      const page = await this.fetch(before);
      if (turn !== this.turn) return;
      this.rows = before === null ? page.items : [...this.rows, ...page.items].slice(0, ROWS_MAX);
      this.next = page.next;
      this.problem = null;
    } catch (error) {
      if (turn !== this.turn) return;
      this.problem = error instanceof Problem ? error : new Problem(0, "page", String(error), null, null);
      if (before === null) [this.rows, this.next] = [[], null];
    } finally {
      if (turn === this.turn) this.busy = false;
    }
  }
}
