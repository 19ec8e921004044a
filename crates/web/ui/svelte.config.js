import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

// What scrolls must be reachable by keyboard; the compiler does not know the role that says so.
const SCROLLS = "a11y_no_noninteractive_tabindex";

export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true, warningFilter: (warning) => warning.code !== SCROLLS },
};
