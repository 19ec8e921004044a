// Commands to the bot: those that are harmless at once, the others by way of a dialog that says what will happen.

import { enc, Problem, tell } from "./api";
import { t } from "./prefs.svelte";
import type { Done, Preview, Verb } from "./types";

/** What takes nothing away. */
const HARMLESS: readonly Verb[] = ["pause", "resume", "drain", "cleanup_slots", "resync"];

const SAID_MS = 7_000;

class Control {
  /** The command that the dialog is about. */
  asked = $state.raw<{ verb: Verb; symbol: string | null } | null>(null);
  preview = $state.raw<Preview | null>(null);
  problem = $state<string | null>(null);
  busy = $state(false);
  /** What came of the last command; goes away by itself. */
  said = $state.raw<{ text: string; bad: boolean } | null>(null);
  private timer = 0;

  private path(verb: Verb, symbol: string | null): string {
    return symbol === null ? `api/control/${verb}` : `api/symbols/${enc(symbol)}/control/${verb}`;
  }

  async command(verb: Verb, symbol: string | null): Promise<void> {
    if (HARMLESS.includes(verb)) {
      await this.run(verb, symbol, null);
      return;
    }
    this.asked = { verb, symbol };
    await this.foresee();
  }

  /** Asks anew what would happen. */
  async foresee(): Promise<void> {
    if (!this.asked) return;
    const { verb, symbol } = this.asked;
    this.preview = null;
    this.problem = null;
    try {
      this.preview = await tell<Preview>("POST", `${this.path(verb, symbol)}/preview`);
    } catch (error) {
      this.problem = reason(error);
    }
  }

  async confirm(): Promise<void> {
    const { asked, preview } = this;
    if (!asked || !preview) return;
    await this.run(asked.verb, asked.symbol, preview.confirm);
  }

  drop(): void {
    this.asked = null;
    this.preview = null;
    this.problem = null;
  }

  private async run(verb: Verb, symbol: string | null, confirm: string | null): Promise<void> {
    this.busy = true;
    try {
      const done = await tell<Done>("POST", this.path(verb, symbol), confirm === null ? undefined : { confirm });
      this.drop();
      this.say(`${t().control.verbs[verb]}: ${done.detail}`, false);
    } catch (error) {
      if (error instanceof Problem && error.code === "confirm_needed") {
        await this.foresee();
        this.problem = t().control.changed;
      } else if (this.asked) this.problem = reason(error);
      else this.say(reason(error), true);
    } finally {
      this.busy = false;
    }
  }

  say(text: string, bad: boolean): void {
    this.said = { text, bad };
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => (this.said = null), SAID_MS);
  }
}

export function reason(error: unknown): string {
  if (!(error instanceof Problem)) return String(error);
  if (error.status === 0) return t().common.unreachable;
  return error.hint === null ? error.detail : `${error.detail} (${error.hint})`;
}

export const control = new Control();
