// Candles made of the prices that the page has.

import type { Candle } from "../charts/Candles.svelte";
import type { Ring } from "./ring";
import type { Candles } from "./types";

/** All candles of so many seconds, the unfinished last included. */
export function candlesOf(prices: Ring, stepS: number, from = 0): Candle[] {
  const stepMs = stepS * 1000;
  const made: Candle[] = [];
  let current: Candle | null = null;
  for (let at = prices.from(from); at < prices.length; at += 1) {
    const price = prices.value(at);
    const time_ms = Math.floor(prices.time(at) / stepMs) * stepMs;
    if (!current || current.time_ms !== time_ms) {
      current = { time_ms, open: price, high: price, low: price, close: price };
      made.push(current);
    } else {
      current.high = Math.max(current.high, price);
      current.low = Math.min(current.low, price);
      current.close = price;
    }
  }
  return made;
}

/** What the bot tells, for drawing. */
export function drawn(told: Candles["candles"][number]): Candle {
  const { time_ms, open, high, low, close } = told;
  return { time_ms, open: Number(open), high: Number(high), low: Number(low), close: Number(close) };
}
