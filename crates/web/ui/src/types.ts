// What the server sends. Numbers that matter are decimal text; only what is drawn becomes a float.

export interface Pnl {
  asset: string;
  realized: string;
  fees: string;
  funding: string;
  unrealized: string | null;
  net: string;
  round_trips: string;
}

export interface Summary {
  symbol: string;
  base: string;
  quote: string;
  price_decimals: number;
  qty_decimals: number;
  phase: string;
  closed: string | null;
  price: string | null;
  bid: string | null;
  ask: string | null;
  mark: string | null;
  price_time_ms: number | null;
  holding: string;
  entry: string | null;
  anchor: string | null;
  interval: string;
  slots_held: number;
  orders_working: number;
  orders_placed: number;
  orders_foreign: number;
  fills: number;
  pnl: Pnl;
  time_ms: number;
}

export interface Totals {
  trading: number;
  symbols: number;
  orders_working: number;
  orders_placed: number;
  fills: number;
  pnl: Pnl[];
  equity: { asset: string; amount: string } | null;
}

export interface LinkState {
  feed: string;
  up: boolean;
}

export interface Status {
  version: string;
  exchange: string;
  mode: string;
  account: string;
  time_ms: number;
  started_ms: number;
  stopping: boolean;
  links: LinkState[];
  totals: Totals;
  symbols: Summary[];
  hints: string[];
}

export interface Order {
  id: string;
  level: number;
  side: "buy" | "sell";
  price: string;
  qty: string;
  filled: string;
  state: string;
  sent_ms: number;
}

export interface Slot {
  level: number;
  price: string;
  held: string;
  cost: string;
  order: string | null;
}

export interface Fill {
  trade_id: string;
  level: number | null;
  side: "buy" | "sell";
  price: string;
  qty: string;
  slot_realized: string;
  time_ms: number;
}

export interface Metrics {
  alloc_mb: number | null;
  rss_bytes: number | null;
  cpu_cores: number | null;
  tasks: number;
  ledger_budget_bytes: number;
  ledger_planned_bytes: number;
  ledger_used_bytes: number;
  ledger_overflows: number;
}

export interface LedgerLine {
  name: string;
  capacity: number;
  len: number;
  high_water: number;
  overflows: number;
  bytes: number;
}

export interface EventRow {
  time_ms: number;
  severity: string;
  code: string;
  symbol: string | null;
  text: string;
}

export interface EquityLine {
  asset: string;
  points: { time_ms: number; net: string }[];
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export type Message =
  | { type: "hello"; interval_ms: number; status: Status; metrics: Metrics }
  | { type: "pulse"; seq: number; time_ms: number; stopping: boolean; links: LinkState[]; totals: Totals; symbols: Summary[]; metrics?: Metrics }
  | { type: "symbol"; seq: number; symbol: string; orders?: Order[]; slots?: Slot[]; fills?: Fill[]; prices?: [number, string][] }
  | { type: "lost"; frames: number }
  | { type: "error"; detail: string }
  | { type: "bye"; reason: string };
