// What the server sends. Numbers that matter are decimal text; only what is drawn becomes a float.

export interface Money {
  asset: string;
  amount: string;
}

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
  phase: "booting" | "trading" | "draining" | "drained" | "halted";
  closed: string | null;
  locked_until_ms: number | null;
  closing: boolean;
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
  slots_cleaned: number;
  fees_unconverted: number;
  orders_working: number;
  orders_placed: number;
  orders_canceled: number;
  orders_rejected: number;
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
  orders_canceled: number;
  orders_rejected: number;
  fills: number;
  pnl: Pnl[];
  equity: Money | null;
}

export interface Risk {
  tier: "green" | "yellow" | "orange" | "red";
  drawdown_percent: string;
  peak: string;
  day_start: string;
  stopped_by: string | null;
  closing: boolean;
  drift: string | null;
  abnormal_symbols: number;
}

export interface Feed {
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
  links: Feed[];
  risk: Risk | null;
  totals: Totals;
  symbols: Summary[];
  hints: string[];
}

export type Side = "buy" | "sell";

/** An order at the exchange or on its way. */
export interface Working {
  id: string;
  strategy: number;
  level: number;
  side: Side;
  price: string;
  qty: string;
  filled: string;
  state: string;
  sent_ms: number;
}

export interface Slot {
  strategy: number;
  level: number;
  price: string;
  held: string;
  cost: string;
  order: string | null;
}

/** An order as it is stored. */
export interface Order {
  id: string;
  order_id: string | null;
  symbol: string;
  strategy: number;
  level: number;
  side: Side;
  price: string | null;
  qty: string;
  filled: string;
  status: string;
  reduce_only: boolean;
  time_ms: number;
}

export interface Fill {
  trade_id: string;
  order_id: string;
  id: string | null;
  symbol: string;
  strategy: number | null;
  level: number | null;
  side: Side;
  price: string;
  qty: string;
  value: string;
  fee: Money;
  realized: string;
  slot_realized: string;
  maker: boolean;
  time_ms: number;
}

export interface Funding {
  time_ms: number;
  symbol: string;
  amount: Money;
}

export interface PnlDay {
  day_ms: number;
  asset: string;
  net: string;
  realized: string;
  slot_realized: string;
  fees: string;
  funding: string;
  turnover: string;
  fills: number;
  wins: number;
  losses: number;
  other_fees: number;
}

export interface PnlDaily {
  from_ms: number;
  to_ms: number;
  days: PnlDay[];
}

export interface EventRow {
  time_ms: number;
  severity: "info" | "warning" | "critical";
  code: string;
  symbol: string | null;
  text: string;
}

export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

export interface LogLine {
  time_ms: number;
  level: LogLevel;
  target: string;
  text: string;
  account: string | null;
  symbol: string | null;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface EquityLine {
  asset: string;
  since_ms: number;
  until_ms: number;
  points: { time_ms: number; equity: string | null; net: string }[];
}

export interface LedgerLine {
  name: string;
  capacity: number;
  len: number;
  high_water: number;
  overflows: number;
  item_bytes: number;
  bytes: number;
  policy: string;
  class: string;
}

export interface Ledger {
  budget_bytes: number;
  planned_bytes: number;
  used_bytes: number;
  overflows: number;
  lines: LedgerLine[];
}

export interface Metrics {
  alloc_mb: number | null;
  heap_inuse_mb: number | null;
  time_ms: number;
  rss_bytes: number | null;
  rss_anon_bytes: number | null;
  retained_bytes: number | null;
  memory_pressure: number | null;
  pressure_rung: number;
  pressure_word: string;
  memory_limit_bytes: number | null;
  memory_limiter: string | null;
  memory_used_ratio: number | null;
  leak_suspects: string[];
  leak_slope_bytes_per_hour: number | null;
  purges: number;
  cleanups: number;
  cpu_cores: number | null;
  open_files: number | null;
  tasks: number;
  ledger_budget_bytes: number;
  ledger_planned_bytes: number;
  ledger_used_bytes: number;
  ledger_overflows: number;
}

export interface SystemPoint {
  time_ms: number;
  cpu_cores: number | null;
  rss_bytes: number | null;
  allocated_bytes: number | null;
  ledger_used_bytes: number | null;
  tasks: number | null;
  open_files: number | null;
  pressure_rung: number | null;
}

export interface SystemHistory {
  from_ms: number;
  to_ms: number;
  points: SystemPoint[];
}

export interface Spread {
  min: number;
  avg: number;
  max: number;
}

export interface SystemDaily {
  days: { day_ms: number; rss_bytes: Spread | null; cpu_cores: Spread | null; allocated_bytes: Spread | null }[];
}

export interface TaskRow {
  name: string;
  group: string;
  owner: string;
  state: "running" | "pausing" | "ended";
  age_ms: number;
  quiet_ms: number;
  beats: number;
  overdue: boolean;
  restarts: number;
  exit: string | null;
  last_failure: string | null;
}

export interface Tasks {
  live: number;
  overdue: number;
  left_out: number;
  tasks: TaskRow[];
}

export interface Pool {
  max: number;
  size: number;
  in_use: number;
  idle: number;
  waiting: number;
  acquires: number;
  refused: number;
  wait_total_ms: number;
  wait_max_ms: number;
  held: { holder: string; held_ms: number; too_long: boolean }[];
  held_too_long: number;
  healthy: boolean | null;
  checked_ago_ms: number | null;
  check_took_ms: number | null;
  failing: string | null;
}

export interface Channel {
  name: string;
  kind: string;
  up: boolean;
  queued: number;
  sent: number;
  failed: number;
  retried: number;
  dropped: number;
  suppressed: number;
  folded: number;
  last_error: string | null;
  last_error_ms: number | null;
  last_ok_ms: number | null;
}

export interface Done {
  verb: string;
  symbols: string[];
  detail: string;
}

export type Message =
  | { type: "hello"; interval_ms: number; status: Status; metrics: Metrics }
  | { type: "pulse"; seq: number; time_ms: number; stopping: boolean; links: Feed[]; totals: Totals; symbols: Summary[]; metrics?: Metrics }
  | { type: "symbol"; seq: number; symbol: string; orders?: Working[]; slots?: Slot[]; fills?: Fill[]; prices?: [number, string][] }
  | { type: "lost"; frames: number }
  | { type: "error"; detail: string }
  | { type: "bye"; reason: string };

export type Scope = "read" | "control" | "admin";

export interface AuthStatus {
  setup_needed: boolean;
  logged_in: boolean;
  scope: Scope | null;
  csrf: string | null;
  totp_enabled: boolean;
  expires_ms: number | null;
}

export interface LoginSession {
  id: string;
  created_ms: number;
  seen_ms: number;
  expires_ms: number;
  agent: string;
  address: string;
  current: boolean;
}

export interface Token {
  id: string;
  name: string;
  scope: Scope;
  created_ms: number;
  used_ms: number | null;
  expires_ms: number | null;
}

export interface TotpBegun {
  secret: string;
  url: string;
  qr_svg: string;
}

export interface AuditRow {
  time_ms: number;
  actor: string;
  address: string;
  action: string;
  target: string;
  outcome: string;
  detail: string;
}

export type Verb = "pause" | "resume" | "drain" | "cancel_all" | "flatten" | "rearm" | "cleanup_slots" | "resync" | "stop";

/** What a command would do. */
export interface Preview {
  verb: Verb;
  symbols: string[];
  text: string;
  orders_canceled: number;
  positions: { symbol: string; qty: string; value: string | null; asset: string; unrealized: string | null }[];
  /** The word to repeat; null when none is needed. */
  confirm: string | null;
}

export interface Candles {
  interval: string;
  candles: { time_ms: number; open: string; high: string; low: string; close: string; volume: string | null }[];
}

export interface Strategy {
  symbol: string;
  number: number;
  kind: string;
  parameters: Record<string, string>;
  allocation: string | null;
  held: string;
  cost: string;
  earned: string;
  asset: string;
  fills: number;
  orders: number;
}

export interface Strategies {
  strategies: Strategy[];
  earned_days: number;
}

export interface Guards {
  account: Risk | null;
  ladder: { tier: Risk["tier"]; from_percent: string | null; text: string; here: boolean }[];
  breakers: { name: string; symbol: string | null; open: boolean; until_ms: number | null; text: string }[];
  preflight: { name: string; ok: boolean; text: string }[];
  drift: { symbol: string; qty: string }[];
  reconciliations: { symbol: string; foreign_orders: number; taken_over: number; late_fills: number; healed_in_ms: number | null }[];
  monitored: string[];
}

export interface Streams {
  feeds: Feed[];
  open: number;
  connects: number;
  disconnects: number;
  failures: number;
  frames: number;
  malformed: number;
  book_gaps: number;
  book_snapshots: number;
  resyncs: number;
  resyncs_failed: number;
  clock_offset_ms: number;
}

export interface Rates {
  weight_used: number;
  weight_limit: number;
  orders_used: number;
  orders_limit: number;
  in_flight: number;
  waiting: number;
  requests: number;
  requests_failed: number;
  rate_limited: number;
  http_opened: number;
  http_failures: number;
}

export interface Disk {
  time_ms: number;
  used_bytes: number;
  limit_bytes: number;
  limit: string;
  percent: number;
  free_bytes: number | null;
  level: string;
  kinds: { kind: string; bytes: number }[];
}

export interface Journal {
  enabled: boolean;
  keep_bytes: number;
  bytes: number;
  symbols: { symbol: string; segments: number; bytes: number; oldest: string; newest: string }[];
}
