// Where the reader is: the part of the address behind #.

export const PAGES = [
  "overview",
  "symbol",
  "orders",
  "strategies",
  "risk",
  "system",
  "logs",
  "backtest",
  "settings",
  "login",
  "setup",
] as const;
export type PageName = (typeof PAGES)[number];

class Route {
  page = $state<PageName>("overview");
  /** What follows the page's name, such as a symbol. */
  rest = $state("");
  params = $state.raw(new URLSearchParams());

  constructor() {
    this.read();
    window.addEventListener("hashchange", () => this.read());
  }

  private read(): void {
    const [path = "", search = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
    const [name = "", ...rest] = path.split("/");
    this.page = PAGES.find((one) => one === name) ?? "overview";
    this.rest = decode(rest.join("/"));
    this.params = new URLSearchParams(search);
  }

  go(address: string): void {
    location.hash = address;
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

export const route = new Route();
