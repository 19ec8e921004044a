// Figures the page works out itself. They are shown beside the bot's own, never instead of them.

import type { Summary } from "./types";

/** What a position is worth at the mark, in the quote asset; null without a price. */
export function worth(one: Summary): number | null {
  const price = one.mark ?? one.price;
  return price === null ? null : Math.abs(Number(one.holding)) * Number(price);
}

/** What all positions are worth, by quote asset. */
export function exposure(symbols: readonly Summary[]): [asset: string, value: number][] {
  const sums = new Map<string, number>();
  for (const one of symbols) sums.set(one.quote, (sums.get(one.quote) ?? 0) + (worth(one) ?? 0));
  return [...sums];
}

export type Tone = "good" | "warn" | "bad" | "cool" | "";

export function phaseTone(one: Pick<Summary, "phase" | "closed" | "closing">): Tone {
  if (one.phase === "halted" || one.closing) return "bad";
  if (one.closed !== null || one.phase === "draining" || one.phase === "drained") return "warn";
  return one.phase === "trading" ? "good" : "";
}

export function severityTone(severity: string): Tone {
  return severity === "critical" ? "bad" : severity === "warning" ? "warn" : "";
}

export const TIER_TONES: Record<string, Tone> = { green: "good", yellow: "warn", orange: "warn", red: "bad" };
