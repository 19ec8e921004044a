// What the reader chose; kept in this browser alone.

import { en, type Dictionary } from "../words/en";

export type Theme = "system" | "light" | "dark";
export type Language = "en" | "zh";

function kept(key: string): string | null {
  try {
    return localStorage.getItem(`plimsoll.${key}`);
  } catch {
    return null;
  }
}

function keep(key: string, value: string): void {
  try {
    localStorage.setItem(`plimsoll.${key}`, value);
  } catch {
    // A browser that keeps nothing: the choice lasts as long as the page.
  }
}

const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

class Preferences {
  theme = $state<Theme>("system");
  language = $state<Language>("en");
  words = $state.raw<Dictionary>(en);
  private systemIsDark = $state(systemDark.matches);
  readonly dark = $derived(this.theme === "dark" || (this.theme === "system" && this.systemIsDark));

  constructor() {
    systemDark.addEventListener("change", () => (this.systemIsDark = systemDark.matches));
    const theme = kept("theme");
    if (theme === "light" || theme === "dark") this.theme = theme;
    this.dress();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    keep("theme", theme);
    this.dress();
  }

  private dress(): void {
    if (this.theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.theme;
  }

  /** The chosen language, or else the browser's. */
  async begin(): Promise<void> {
    const language = kept("language") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
    await this.speak(language === "zh" ? "zh" : "en");
  }

  async setLanguage(language: Language): Promise<void> {
    keep("language", language);
    await this.speak(language);
  }

  private async speak(language: Language): Promise<void> {
    this.words = language === "zh" ? (await import("../words/zh")).zh : en;
    this.language = language;
    document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  }
}

export const prefs = new Preferences();

/** The words of the chosen language; reactive where it is called. */
export const t = (): Dictionary => prefs.words;
