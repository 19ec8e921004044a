// From decimal text to what people read. Digits are never made up: text is cut or grouped, not computed, where it can be.

const MINUS = "\u2212";

function group(whole: string): string {
  return whole.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** A decimal text with grouped digits, and its sign as a minus. */
export function plain(text: string | null): string {
  if (text === null) return "–";
  const negative = text.startsWith("-");
  const [whole = "0", fraction] = (negative ? text.slice(1) : text).split(".");
  return (negative ? MINUS : "") + group(whole) + (fraction === undefined ? "" : "." + fraction);
}

/** Money at so many decimals; `signed` shows a plus too. */
export function money(text: string | null, decimals = 2, signed = false): string {
  if (text === null) return "–";
  const value = Number(text);
  if (!Number.isFinite(value)) return "–";
  const shown = Math.abs(value).toFixed(decimals);
  const zero = Number(shown) === 0;
  const sign = zero ? "" : value < 0 ? MINUS : signed ? "+" : "";
  return sign + plain(shown);
}

/** Drops zeros that say nothing: 61659.70000000 at 8 digits becomes 61659.70 at 2. */
export function price(text: string | null, decimals: number): string {
  if (text === null) return "–";
  return plain(Number(text).toFixed(decimals));
}

export function trend(text: string | null): "up" | "down" | "flat" {
  const value = text === null ? 0 : Number(text);
  return value > 0.005 ? "up" : value < -0.005 ? "down" : "flat";
}

export function bytes(value: number | null): string {
  if (value === null) return "–";
  if (value >= 1e9) return (value / 1e9).toFixed(2) + " GB";
  if (value >= 1e6) return (value / 1e6).toFixed(1) + " MB";
  return (value / 1e3).toFixed(0) + " kB";
}

export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${String(seconds % 60).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const clocks = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const minutesOnly = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const clock = (ms: number): string => clocks.format(ms);
export const minute = (ms: number): string => minutesOnly.format(ms);
