import { readFileSync } from "node:fs";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

/** A running bot, for `npm run dev`. */
const BOT = process.env.PLIMSOLL_DEV ?? "127.0.0.1:15173";

/** Packages of which something is in the build. */
const USED: Record<string, string> = {
  svelte: "LICENSE.md",
  clsx: "license",
  "lightweight-charts": "LICENSE",
  uplot: "LICENSE",
  "@fontsource-variable/ibm-plex-sans": "LICENSE",
  "@fontsource/ibm-plex-mono": "LICENSE",
};

/** What Lightweight Charts asks to be said, beside a link to its makers where it is shown. */
const CHARTS_NOTICE =
  "TradingView Lightweight Charts\u2122\nCopyright (c) 2025 TradingView, Inc. https://www.tradingview.com/\n\nIt draws with fancy-canvas, by its makers, under the MIT licence.\n";

/** The licences of what the page is made of, as a file beside it. */
function licences(): Plugin {
  return {
    name: "licences",
    generateBundle() {
      const texts = Object.entries(USED).map(
        ([name, file]) => `== ${name}\n\n${readFileSync(`node_modules/${name}/${file}`, "utf8").trim()}\n`,
      );
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: [CHARTS_NOTICE, ...texts].join("\n") });
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [svelte(), licences()],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // The page may not load anything inline: its content security policy allows files of its own origin alone.
    assetsInlineLimit: 0,
  },
  server: {
    // The bot answers only to its own name and origin.
    proxy: {
      "/api": { target: `http://${BOT}`, changeOrigin: true, headers: { origin: `http://${BOT}` } },
      "/ws": { target: `ws://${BOT}`, ws: true, changeOrigin: true, headers: { origin: `http://${BOT}` } },
    },
  },
});
