// An answer that a page shows, asked again now and then while somebody looks.

import { Problem } from "./api";

export class Resource<T> {
  data = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** When `data` came, by this page's own clock. */
  at = $state(0);
  busy = $state(false);

  private turn = 0;

  constructor(private readonly fetch: (signal: AbortSignal) => Promise<T>) {}

  async load(): Promise<void> {
    const turn = ++this.turn;
    this.busy = true;
    try {
      const data = await this.fetch(AbortSignal.timeout(15_000));
      // A later question has been asked meanwhile: its answer counts.
      if (turn !== this.turn) return;
      this.data = data;
      this.problem = null;
      this.at = performance.now();
    } catch (error) {
      if (turn !== this.turn) return;
      this.problem = error instanceof Problem ? error : new Problem(0, "page", String(error), null, null);
    } finally {
      if (turn === this.turn) this.busy = false;
    }
  }

  /** Nothing that is still under way counts any more. */
  forget(): void {
    this.turn += 1;
    this.busy = false;
  }
}

/**
 * Asks now, again whenever what `fetch` reads reactively before its first wait changes, and every so often.
 * To be called while a component is made; ends with it.
 */
export function resource<T>(fetch: (signal: AbortSignal) => Promise<T>, everyMs?: number): Resource<T> {
  const made = new Resource(fetch);
  $effect(() => {
    void made.load();
    const timer = everyMs === undefined ? 0 : window.setInterval(() => void (document.hidden || made.load()), everyMs);
    return () => {
      window.clearInterval(timer);
      made.forget();
    };
  });
  return made;
}
