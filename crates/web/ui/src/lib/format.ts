// From decimal text to what people read, in the reader's own format and time zone. Intl reads decimal text exactly, so
// no figure passes through a float on its way to the screen.

const NONE = "–";
const numbers = new Map<string, Intl.NumberFormat>();

function number(decimals: number, sign: "auto" | "exceptZero"): Intl.NumberFormat {
  const key = `${decimals}${sign}`;
  let found = numbers.get(key);
  if (!found) {
    found = new Intl.NumberFormat(undefined, { minimumFractionDigits: decimals, maximumFractionDigits: decimals, signDisplay: sign });
    numbers.set(key, found);
  }
  return found;
}

function shown(text: string | number, decimals: number, sign: "auto" | "exceptZero"): string {
  const written = number(decimals, sign).format(text as `${number}`);
  // A true minus is as wide as a plus, so columns stand still; a nothing that was rounded has no sign.
  if (/^-[0.,]*$/.test(written)) return written.slice(1);
  return written.replace("-", "\u2212");
}

/** A decimal with its own number of decimals, or with as many as told. */
export function plain(text: string | null | undefined, decimals?: number): string {
  if (text === null || text === undefined) return NONE;
  return shown(text, decimals ?? text.split(".")[1]?.length ?? 0, "auto");
}

export function money(text: string | null | undefined, decimals = 2): string {
  return text === null || text === undefined ? NONE : shown(text, decimals, "auto");
}

/** With its sign, plus too. */
export function gain(text: string | number | null | undefined, decimals = 2): string {
  return text === null || text === undefined ? NONE : shown(text, decimals, "exceptZero");
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : shown(value, 0, "auto");
}

export function decimal(value: number | null | undefined, decimals: number): string {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : shown(value, decimals, "auto");
}

/** A share from 0 to 1. */
export function percent(value: number | null | undefined, decimals = 0): string {
  return value === null || value === undefined || !Number.isFinite(value) ? NONE : `${shown(value * 100, decimals, "auto")} %`;
}

export type Trend = "up" | "down" | "flat";

export function trend(text: string | number | null | undefined): Trend {
  const value = Number(text ?? 0);
  return value > 0.004_999 ? "up" : value < -0.004_999 ? "down" : "flat";
}

/** Of 10^6 and so on; `round` leaves the decimals out, as on an axis. */
export function bytes(value: number | null | undefined, round = false): string {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  if (size >= 1e9) return `${decimal(value / 1e9, round ? 1 : 2)} GB`;
  if (size >= 1e6) return `${decimal(value / 1e6, round || size >= 1e8 ? 0 : 1)} MB`;
  if (size >= 1e3) return `${decimal(value / 1e3, 0)} kB`;
  return `${count(value)} B`;
}

/** A length of time, two units at most. */
export function span(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  if (ms > 0 && ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${String(seconds % 60).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const clocks = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const minutes = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dates = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short" });
const longDates = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", year: "numeric" });
const utcDays = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short", timeZone: "UTC" });

const DAY_MS = 86_400_000;

export const clock = (ms: number): string => clocks.format(ms);
export const minute = (ms: number): string => minutes.format(ms);
export const date = (ms: number): string => dates.format(ms);
/** The days of profit are UTC days. */
export const utcDay = (ms: number): string => utcDays.format(ms);

/** Short while it is today's, with its date when it is older. */
export function moment(ms: number | null | undefined, now = Date.now()): string {
  if (ms === null || ms === undefined) return NONE;
  const away = Math.abs(now - ms);
  return away < DAY_MS / 2 ? clock(ms) : away < 300 * DAY_MS ? `${date(ms)} ${minute(ms)}` : longDates.format(ms);
}

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `reduce_only` as people write it. */
export function words(text: string): string {
  return text.replaceAll("_", " ");
}
