// What is drawn on a canvas takes its colours from the page's style sheet.

export type Colour = "ink" | "muted" | "rule" | "surface" | "water" | "water-fill" | "brass" | "buy" | "buy-fill" | "sell" | "sell-fill";

export function colour(name: Colour): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The same with less body: for fills under lines. */
export function faint(name: Colour, alpha: number): string {
  const hex = colour(name);
  return `${hex}${Math.round(alpha * 255)
    .toString(16)
    .padStart(2, "0")}`;
}

export const FONT = '11.5px "Plex Sans", system-ui, sans-serif';
