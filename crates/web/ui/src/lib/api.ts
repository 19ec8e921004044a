// Asking the bot. Every answer that is no success becomes a `Problem` with the server's own words.

const ASK_MS = 10_000;

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly hint: string | null,
    readonly retryAfterS: number | null,
  ) {
    super(detail);
  }
}

/** What the session knows that requests need; kept here so that the page's parts need not pass it on. */
export const session: { csrf: string | null; onLogin: () => void } = { csrf: null, onLogin: () => {} };

async function problem(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const text = (key: string): string | null => (typeof body[key] === "string" ? body[key] : null);
  const wait = Number(response.headers.get("retry-after") ?? body["retry_after_s"]);
  return new Problem(
    response.status,
    text("code") ?? text("error") ?? String(response.status),
    text("detail") ?? text("title") ?? response.statusText,
    text("hint"),
    Number.isFinite(wait) && wait > 0 ? wait : null,
  );
}

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { signal: AbortSignal.timeout(ASK_MS), ...init });
  } catch {
    throw new Problem(0, "unreachable", "", null, null);
  }
  if (response.ok) return response;
  const said = await problem(response);
  if (said.status === 401 && said.code === "login_needed") session.onLogin();
  throw said;
}

/** Asks for JSON. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(ASK_MS);
  const response = await send(path, {
    headers: { accept: "application/json" },
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  return (await response.json()) as T;
}

/** Asks for text of a kind, such as `text/csv`. */
export async function askText(path: string, accept: string): Promise<string> {
  return (await send(path, { headers: { accept } })).text();
}

/** Has something done. */
export async function tell<T>(method: "POST" | "DELETE" | "PUT", path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (session.csrf !== null) headers["x-csrf-token"] = session.csrf;
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await send(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** A path with those parameters that are there. */
export function query(path: string, parameters: Record<string, string | number | null | undefined>): string {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") given.set(key, String(value));
  }
  const text = given.toString();
  return text === "" ? path : `${path}?${text}`;
}

export const enc = encodeURIComponent;
