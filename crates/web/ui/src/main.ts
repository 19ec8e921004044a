import "./style.css";
import { PriceChart, ProfitChart, spark } from "./chart";
import { byId, cells, make, put, reconcile, row, text } from "./dom";
import { bytes, clock, money, plain, price, span, trend } from "./format";
import { Link, ask } from "./link";
import { Ring } from "./ring";
import type { EquityLine, EventRow, Fill, LedgerLine, LinkState, Message, Metrics, Order, Page, Slot, Summary, Totals } from "./types";

// What the page keeps is bounded: a ring of prices for the symbol in view, short ones for the others, the latest fills.
const PRICES_MAX = 16_000;
const SPARK_MAX = 150;
const SPARKS_MAX = 64;
const SPARK_EVERY_MS = 2_000;
const EQUITY_MAX = 2_000;
const EQUITY_EVERY_MS = 5_000;
const FILLS_MAX = 50;
const SLOW_MS = 10_000;

const prices = new Ring(PRICES_MAX);
const equity = new Ring(EQUITY_MAX);
const sparks = new Map<string, Ring>();
const symbols = new Map<string, Summary>();
let selected: string | null = decodeURIComponent(location.hash.slice(1)) || null;
let orders: Order[] = [];
let slots: Slot[] = [];
let fills: Fill[] = [];
let newest = "";
let totals: Totals | null = null;
let startedMs = 0;
/** The server's clock minus this page's. */
let skew = 0;
let windowMs = 600_000;
let allOrders = false;

const serverNow = (): number => Date.now() + skew;
const current = (): Summary | undefined => (selected === null ? undefined : symbols.get(selected));

const chart = new PriceChart(byId<HTMLCanvasElement>("price-chart"), () => {
  const summary = current();
  return {
    prices,
    orders,
    slots,
    fills,
    entry: summary?.entry ? Number(summary.entry) : null,
    decimals: summary?.price_decimals ?? 2,
    now: link.age < 3_000 ? serverNow() : serverNow() - link.age,
    windowMs,
    allOrders,
  };
});
const profit = new ProfitChart(byId<HTMLCanvasElement>("equity-chart"), equity);
const link = new Link(receive);

function receive(message: Message): void {
  switch (message.type) {
    case "hello": {
      const { status, metrics } = message;
      skew = status.time_ms - Date.now();
      startedMs = status.started_ms;
      put("exchange", status.exchange);
      put("mode", status.mode);
      byId("mode").dataset["mode"] = status.mode;
      put("version", `Plimsoll ${status.version} · account ${status.account}`);
      const hint = status.hints[0];
      byId("hint").hidden = hint === undefined;
      put("hint", hint ?? "");
      showTotals(status.totals, status.time_ms);
      showLinks(status.links, status.stopping);
      showMetrics(metrics);
      break;
    }
    case "pulse":
      skew = message.time_ms - Date.now();
      for (const summary of message.symbols) takeSummary(summary, message.time_ms);
      if (selected === null || (symbols.size > 0 && !symbols.has(selected))) select(symbols.keys().next().value ?? null);
      showTotals(message.totals, message.time_ms);
      showLinks(message.links, message.stopping);
      if (message.metrics) showMetrics(message.metrics);
      showTabs();
      showSymbol();
      chart.draw();
      break;
    case "symbol":
      if (message.symbol === selected) takeDetail(message);
      break;
    case "lost":
    case "error":
      console.info("plimsoll:", message);
      break;
    case "bye":
      break;
  }
}

function takeSummary(summary: Summary, timeMs: number): void {
  symbols.set(summary.symbol, summary);
  if (summary.price === null) return;
  const value = Number(summary.price);
  if (summary.symbol === selected) prices.push(timeMs, value);
  let ring = sparks.get(summary.symbol);
  if (!ring && sparks.size < SPARKS_MAX) {
    ring = new Ring(SPARK_MAX);
    sparks.set(summary.symbol, ring);
  }
  if (ring && (ring.length === 0 || timeMs - ring.time(ring.length - 1) >= SPARK_EVERY_MS)) ring.push(timeMs, value);
}

function takeDetail(detail: Extract<Message, { type: "symbol" }>): void {
  if (detail.prices) {
    // The history comes once, when the watch begins; what came meanwhile is later and stays.
    const later: [number, number][] = [];
    const end = detail.prices.at(-1)?.[0] ?? 0;
    for (let i = prices.from(end + 1); i < prices.length; i += 1) later.push([prices.time(i), prices.value(i)]);
    prices.clear();
    for (const [time, value] of detail.prices) prices.push(time, Number(value));
    for (const [time, value] of later) prices.push(time, value);
    const ring = sparks.get(detail.symbol);
    if (ring && ring.length < 5) {
      ring.clear();
      const from = prices.from(end - SPARK_MAX * SPARK_EVERY_MS);
      for (let i = from; i < prices.length; i += 1) {
        if (ring.length === 0 || prices.time(i) - ring.time(ring.length - 1) >= SPARK_EVERY_MS) ring.push(prices.time(i), prices.value(i));
      }
    }
  }
  if (detail.orders) orders = detail.orders;
  if (detail.slots) slots = detail.slots;
  if (detail.fills) {
    fills = detail.fills.slice(0, FILLS_MAX);
    const known = fills.findIndex((fill) => fill.trade_id === newest);
    const fresh = newest === "" ? [] : fills.slice(0, known < 0 ? fills.length : known).map((fill) => fill.trade_id);
    newest = fills[0]?.trade_id ?? "none";
    chart.flash(fresh);
    showFills(new Set(fresh));
  }
  showOrders();
  showSymbol();
  chart.draw();
}

function select(symbol: string | null): void {
  if (symbol === null) return;
  selected = symbol;
  history.replaceState(null, "", `#${encodeURIComponent(symbol)}`);
  prices.clear();
  [orders, slots, fills, newest] = [[], [], [], ""];
  link.watch(symbol);
  showTabs();
  showSymbol();
  showOrders();
  showFills(new Set());
  chart.reset();
}

function showTotals(next: Totals, timeMs: number): void {
  totals = next;
  const pnl = next.pnl[0];
  if (pnl) {
    put("net", money(pnl.net, 2, true), trend(pnl.net));
    put("net-asset", next.pnl.length > 1 ? `${pnl.asset} (first of ${next.pnl.length} assets)` : pnl.asset);
    put("realized", money(pnl.realized), trend(pnl.realized));
    put("fees", money(pnl.fees));
    put("funding", money(pnl.funding), trend(pnl.funding));
    put("unrealized", money(pnl.unrealized), trend(pnl.unrealized));
    if (equity.length === 0 || timeMs - equity.time(equity.length - 1) >= EQUITY_EVERY_MS) {
      equity.push(timeMs, Number(pnl.net));
      showProfit();
    }
  }
  put("equity", next.equity ? money(next.equity.amount) : "–");
  put("working", String(next.orders_working));
  put("placed", plain(String(next.orders_placed)));
  put("fills-count", plain(String(next.fills)));
}

function showTabs(): void {
  reconcile(
    byId("tabs"),
    [...symbols.values()],
    (summary) => summary.symbol,
    (summary) => {
      const tab = make("button", "tab");
      tab.setAttribute("role", "tab");
      tab.setAttribute("type", "button");
      tab.setAttribute("aria-controls", "market");
      tab.append(make("span", "dot"), make("span", "name", summary.symbol), make("span", "last"), make("canvas", "spark"), make("span", "gain"));
      tab.addEventListener("click", () => select(summary.symbol));
      return tab;
    },
    (tab, summary) => {
      const chosen = summary.symbol === selected;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      tab.dataset["phase"] = summary.closed === null ? summary.phase : "closed";
      tab.title = summary.closed ?? summary.phase;
      const [dot, , last, line, gain] = tab.children;
      if (dot) dot.setAttribute("aria-label", summary.closed ?? summary.phase);
      if (last) text(last, price(summary.price, summary.price_decimals));
      if (gain) {
        text(gain, money(summary.pnl.net, 2, true));
        (gain as HTMLElement).dataset["trend"] = trend(summary.pnl.net);
      }
      const ring = sparks.get(summary.symbol);
      if (line && ring) spark(line as HTMLCanvasElement, ring);
    },
  );
}

byId("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const names = [...symbols.keys()];
  const at = names.indexOf(selected ?? "");
  const to = Math.min(Math.max(at + step, 0), names.length - 1);
  select(names[to] ?? null);
  (byId("tabs").querySelector('[aria-selected="true"]') as HTMLElement | null)?.focus();
});

let lastPrice = NaN;
function showSymbol(): void {
  const summary = current();
  if (!summary) return;
  const value = summary.price === null ? NaN : Number(summary.price);
  put("symbol", summary.symbol);
  put("price", price(summary.price, summary.price_decimals), value > lastPrice ? "up" : value < lastPrice ? "down" : (byId("price").dataset["trend"] ?? "flat"));
  lastPrice = value;
  put("spread", summary.bid && summary.ask ? `${plain(summary.bid)} / ${plain(summary.ask)}` : "no book");
  const closed = summary.closed ?? (summary.phase === "trading" ? null : summary.phase);
  byId("closed").hidden = closed === null;
  put("closed", closed === null ? "" : `Opens nothing now: ${closed}. Closing and cancelling go on.`);
  put("holding", `${plain(summary.holding)} ${summary.base}`, trend(summary.holding === "0" ? "0" : String(Number(summary.holding) * 1e6)));
  put("entry", price(summary.entry, summary.price_decimals));
  put("slots", String(summary.slots_held));
  put("interval", plain(summary.interval));
  put("symbol-net", money(summary.pnl.net, 2, true), trend(summary.pnl.net));
  put("symbol-trips", money(summary.pnl.round_trips, 2, true), trend(summary.pnl.round_trips));
  document.title = `${price(summary.price, summary.price_decimals)} ${summary.symbol}${totals?.pnl[0] ? ` · ${money(totals.pnl[0].net, 2, true)}` : ""} – Plimsoll`;
  away(value);
}

/** How far each order is from the price; only this moves with every tick. */
function away(value: number): void {
  for (const element of Array.from(byId("orders").children) as HTMLElement[]) {
    const cell = element.children[3];
    if (!cell || !(value > 0)) continue;
    if (element.dataset["key"] === "price") {
      cells(element, ["price", byId("price").textContent ?? ""]);
      continue;
    }
    const share = ((Number(element.dataset["price"]) - value) / value) * 100;
    text(cell, `${share < 0 ? "−" : "+"}${Math.abs(share).toFixed(2)} %`);
  }
}

interface Rung {
  key: string;
  order: Order | null;
}

function showOrders(): void {
  const summary = current();
  const sells = orders.filter((order) => order.side === "sell");
  const buys = orders.filter((order) => order.side === "buy");
  const rungs: Rung[] = [...sells, ...buys].map((order) => ({ key: order.id, order }));
  if (orders.length > 0) rungs.splice(sells.length, 0, { key: "price", order: null });
  const held = new Set(slots.filter((slot) => Number(slot.held) > 0).map((slot) => slot.level));
  reconcile(
    byId("orders"),
    rungs,
    (rung) => rung.key,
    (rung) => row(rung.order?.side ?? "here", "n", "n", "n muted"),
    (element, { order }) => {
      if (!order) {
        element.className = "here";
        cells(element, ["price", price(summary?.price ?? null, summary?.price_decimals ?? 2), "", ""]);
        return;
      }
      element.className = order.state === "live" ? "" : "pending";
      element.title = `${order.state}, sent ${clock(order.sent_ms)}${order.side === "sell" && held.has(order.level) ? ", sells a held slot" : ""}`;
      element.dataset["price"] = order.price;
      const part = Number(order.filled) > 0 ? `${order.filled} / ${order.qty}` : order.qty;
      cells(element, [`${order.side === "buy" ? "Buy" : "Sell"} ${order.level > 0 ? "+" : order.level < 0 ? "−" : ""}${Math.abs(order.level)}`, plain(order.price), part]);
    },
  );
  byId("orders-none").hidden = orders.length > 0;
  put("orders-count", `${buys.length} buy · ${sells.length} sell`);
  away(Number(summary?.price ?? NaN));
}

function showFills(fresh: ReadonlySet<string>): void {
  reconcile(
    byId("fills"),
    fills,
    (fill) => fill.trade_id,
    (fill) => {
      const element = row("muted", fill.side, "n", "n", "n");
      if (fresh.has(fill.trade_id)) element.className = `flash-${fill.side}`;
      const gain = fill.side === "sell" ? money(fill.slot_realized, 3, true) : "";
      cells(element, [clock(fill.time_ms), fill.side === "buy" ? "Buy" : "Sell", plain(fill.price), fill.qty, gain]);
      if (fill.side === "sell") (element.children[4] as HTMLElement).dataset["trend"] = trend(fill.slot_realized);
      return element;
    },
    () => {},
  );
  byId("fills-none").hidden = fills.length > 0;
}

function showLinks(links: LinkState[], stopping: boolean): void {
  reconcile(
    byId("links"),
    links,
    (one) => one.feed,
    () => make("li"),
    (element, one) => {
      element.className = one.up ? "up" : "down";
      text(element, `${one.feed} ${one.up ? "up" : "down"}`);
    },
  );
  document.body.classList.toggle("stopping", stopping);
}

function showMetrics(metrics: Metrics): void {
  const budget = metrics.ledger_budget_bytes;
  const share = (value: number | null) => `${Math.min(100, ((value ?? 0) / Math.max(1, budget)) * 100).toFixed(2)}%`;
  byId("water").style.width = share(metrics.rss_bytes);
  byId("used").style.width = share(metrics.ledger_used_bytes);
  byId("plan").style.left = share(metrics.ledger_planned_bytes);
  put("rss", bytes(metrics.rss_bytes));
  put("ledger-used", bytes(metrics.ledger_used_bytes));
  put("ledger-planned", bytes(metrics.ledger_planned_bytes));
  put("ledger-budget", bytes(budget));
  put("tasks", String(metrics.tasks));
  put("cpu", metrics.cpu_cores === null ? "–" : `${(metrics.cpu_cores * 100).toFixed(1)} %`);
  put("alloc", metrics.alloc_mb === null ? "–" : `${metrics.alloc_mb.toFixed(1)} MB`);
  put("overflows", plain(String(metrics.ledger_overflows)));
  put("ship-note", `${share(metrics.rss_bytes).replace(/\.\d+%/, " %")} of the budget`);
  byId("hull").setAttribute("aria-label", `resident ${bytes(metrics.rss_bytes)}, planned at worst ${bytes(metrics.ledger_planned_bytes)}, budget ${bytes(budget)}`);
}

/** What is worth asking for now and then rather than being told. */
async function slowly(): Promise<void> {
  if (document.hidden) return;
  const ledger = ask<{ lines: LedgerLine[] }>("api/ledger").then(({ lines }) => {
    const largest = lines.sort((a, b) => b.bytes - a.bytes).slice(0, 9);
    reconcile(
      byId("ledger"),
      largest,
      (one) => one.name,
      () => row("name", "n", "n"),
      (element, one) => {
        element.title = `${one.len} of ${one.capacity}, most ever ${one.high_water}, limit acted ${one.overflows} times`;
        cells(element, [one.name, `${((one.len / Math.max(1, one.capacity)) * 100).toFixed(0)} %`, bytes(one.bytes)]);
      },
    );
  });
  const log = ask<Page<EventRow>>("api/events?limit=30").then(({ items }) => {
    reconcile(
      byId("events"),
      items,
      (event) => `${event.time_ms} ${event.code} ${event.symbol ?? ""} ${event.text}`,
      (event) => {
        const element = make("li", event.severity);
        element.append(make("time", "", clock(event.time_ms)), make("span", "", event.text));
        return element;
      },
      () => {},
    );
    byId("events-none").hidden = items.length > 0;
  });
  // Either may be away for a while; the rest of the page does not depend on them.
  await Promise.allSettled([ledger, log]);
}

async function pastProfit(): Promise<void> {
  const past = await ask<EquityLine>("api/equity?points=1000");
  const later: [number, number][] = [];
  const end = past.points.at(-1)?.time_ms ?? 0;
  for (let i = equity.from(end + 1); i < equity.length; i += 1) later.push([equity.time(i), equity.value(i)]);
  equity.clear();
  for (const point of past.points) equity.push(point.time_ms, Number(point.net));
  for (const [time, value] of later) equity.push(time, value);
  showProfit();
}

function showProfit(): void {
  profit.draw();
  put("equity-range", equity.length < 2 ? "" : `last ${span(equity.time(equity.length - 1) - equity.time(0))}`);
}

function showLife(): void {
  const state = link.state;
  const chip = byId("link");
  chip.dataset["state"] = state;
  text(chip, { live: "live", polling: "polling", lost: "disconnected", connecting: "connecting" }[state]);
  if (startedMs > 0) put("uptime", `up ${span(serverNow() - startedMs)}`);
  const stale = byId("stale");
  stale.hidden = state !== "lost";
  document.body.classList.toggle("is-stale", state === "lost");
  if (state === "lost") {
    const age = link.age === Infinity ? "No data yet" : `Data is ${span(link.age)} old`;
    const next = link.nextTry;
    const why = { stopping: "The bot was stopped. ", replaced_by_newer: "A newer page took this one's place. " }[link.reason] ?? "";
    put("stale-text", `Disconnected. ${why}${age}.${next === null ? " Trying now…" : ` Next try in ${span(next + 999)}.`}`);
  }
  const latest = fills[0];
  put("fills-age", latest ? `last ${span(serverNow() - latest.time_ms)} ago` : "");
}

for (const button of Array.from(document.querySelectorAll<HTMLButtonElement>("[data-minutes]"))) {
  button.addEventListener("click", () => {
    windowMs = Number(button.dataset["minutes"]) * 60_000;
    for (const other of Array.from(document.querySelectorAll("[data-minutes]"))) other.setAttribute("aria-pressed", String(other === button));
    chart.reset();
  });
}
byId("fit").addEventListener("click", () => {
  allOrders = !allOrders;
  byId("fit").setAttribute("aria-pressed", String(allOrders));
  chart.draw();
});
byId("retry").addEventListener("click", () => link.now());
window.addEventListener("hashchange", () => {
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (wanted !== selected && symbols.has(wanted)) select(wanted);
});

if (selected !== null) link.watch(selected);
setInterval(showLife, 500);
setInterval(() => void slowly(), SLOW_MS);
void slowly();
pastProfit().catch((error: unknown) => console.info("plimsoll: no past profit:", error));
