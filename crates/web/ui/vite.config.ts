import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // The page may not load anything inline: its content security policy allows files of its own origin alone.
    assetsInlineLimit: 0,
  },
  server: { proxy: { "/api": "http://127.0.0.1:15173", "/ws": { target: "ws://127.0.0.1:15173", ws: true } } },
});
