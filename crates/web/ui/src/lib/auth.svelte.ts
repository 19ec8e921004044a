// Who reads. Without a login nothing but the way in is shown.

import { ask, Problem, session, tell } from "./api";
import { live } from "./live.svelte";
import type { AuthStatus, Scope } from "./types";

const RETRY_MS = 2_000;

class Auth {
  /** Null until the bot has been heard. */
  status = $state.raw<AuthStatus | null>(null);
  unreachable = $state(false);

  constructor() {
    session.onLogin = () => void this.look();
  }

  get scope(): Scope | null {
    return this.status?.scope ?? null;
  }

  get mayControl(): boolean {
    return this.scope === "control" || this.scope === "admin";
  }

  async look(): Promise<void> {
    try {
      this.take(await ask<AuthStatus>("api/auth/status"));
      this.unreachable = false;
    } catch {
      this.unreachable = true;
      setTimeout(() => void this.look(), RETRY_MS);
    }
  }

  async login(password: string, code: string | null): Promise<void> {
    this.take(await tell<AuthStatus>("POST", "api/auth/login", code === null ? { password } : { password, code }));
  }

  async setup(code: string, password: string): Promise<void> {
    this.take(await tell<AuthStatus>("POST", "api/auth/setup", { code, password }));
  }

  async logout(): Promise<void> {
    try {
      await tell("POST", "api/auth/logout");
    } catch (error) {
      // Without a session there is nothing to leave.
      if (!(error instanceof Problem) || error.status !== 401) throw error;
    }
    await this.look();
  }

  take(status: AuthStatus): void {
    session.csrf = status.csrf;
    if (this.status?.logged_in && !status.logged_in) live.stop();
    this.status = status;
  }
}

export const auth = new Auth();
