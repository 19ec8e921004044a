//! What trades and what guards it, made up.

use async_trait::async_trait;
use plimsoll_market::{Symbol, Time};
use plimsoll_web::dto::{
    BreakerDto, CandleDto, CheckDto, DiskDto, DiskKindDto, FillDto, GuardsDto, JournalDto, JournalSymbolDto, LinkDto, OrderDto, RatesDto,
    ReconciliationDto, RungDto, StrategyDto, StreamsDto,
};
use plimsoll_web::{CandleLength, Desk, HistoryError, Page, RowsWanted, money};

use super::MadeUp;

/// Bytes of a megabyte.
const MB: u64 = 1 << 20;

fn page<T>(mut rows: Vec<T>, wanted: &RowsWanted) -> Result<Page<T>, HistoryError> {
    let from = match wanted.page.before {
        Some(before) => before.parse::<usize>().map_err(|_| HistoryError::Refused { reason: format!("{before:?} is no cursor") })?,
        None => 0,
    };
    let until = from.saturating_add(wanted.page.limit);
    let next = (until < rows.len()).then(|| plimsoll_web::Cursor::from(&until.to_string()).unwrap());
    rows.truncate(until);
    rows.drain(..from.min(rows.len()));
    Ok(Page { items: rows, next })
}

fn within(wanted: &RowsWanted, symbol: &str, side: &str, time_ms: u64) -> bool {
    wanted.symbol.is_none_or(|wanted| wanted.as_str() == symbol)
        && wanted.side.is_none_or(|wanted| wanted.as_str() == side)
        && wanted.since.is_none_or(|since| since.millis() <= time_ms)
        && wanted.until.is_none_or(|until| time_ms < until.millis())
}

#[async_trait]
impl Desk for MadeUp {
    async fn orders(&self, wanted: RowsWanted) -> Result<Page<OrderDto>, HistoryError> {
        let world = self.lock();
        let all = world.markets.iter().flat_map(|market| market.stored.iter().map(|order| OrderDto::new(order, &market.instrument)));
        let fits = |row: &OrderDto| {
            within(&wanted, &row.symbol, &row.side, row.time_ms) && wanted.status.is_none_or(|status| status.as_str() == row.status)
        };
        let mut rows: Vec<OrderDto> = all.filter(fits).collect();
        rows.sort_by(|a, b| (b.time_ms, &b.id).cmp(&(a.time_ms, &a.id)));
        page(rows, &wanted)
    }

    async fn fills(&self, wanted: RowsWanted) -> Result<Page<FillDto>, HistoryError> {
        let world = self.lock();
        let all = world.markets.iter().flat_map(|market| market.fills.iter().map(|fill| FillDto::new(fill, &market.instrument)));
        let mut rows: Vec<FillDto> = all.filter(|row| within(&wanted, &row.symbol, &row.side, row.time_ms)).collect();
        rows.sort_by(|a, b| (b.time_ms, &b.trade_id).cmp(&(a.time_ms, &a.trade_id)));
        page(rows, &wanted)
    }

    async fn candles(&self, symbol: Symbol, length: CandleLength) -> Result<Vec<CandleDto>, HistoryError> {
        let world = self.lock();
        let market = world.markets.iter().find(|market| market.instrument.symbol == symbol).unwrap();
        let step = length.duration().as_millis() as u64;
        let last = world.now.millis() / step * step;
        let wave = |n: u64| market.price * (1.0 + (n % 50) as f64 / 5_000.0);
        let text = |price: f64| format!("{price:.2}");
        Ok((0..1_000_u64)
            .map(|n| CandleDto {
                time_ms: last - (999 - n) * step,
                open: text(wave(n)),
                high: text(wave(n).max(wave(n + 1)) * 1.000_5),
                low: text(wave(n).min(wave(n + 1)) * 0.999_5),
                close: text(wave(n + 1)),
                volume: format!("{}.{:03}", 10 + n % 7, n % 1_000),
            })
            .collect())
    }

    async fn strategies(&self, since: Time) -> Result<Vec<StrategyDto>, HistoryError> {
        let world = self.lock();
        let strategy = |market: &super::Market| {
            let earned: i128 = market.fills.iter().filter(|fill| fill.fill.time >= since).map(|fill| fill.slot_realized).sum();
            StrategyDto {
                symbol: market.instrument.symbol.to_string(),
                number: 0,
                kind: "grid".to_owned(),
                parameters: [("price_interval", "60"), ("order_quantity", "250")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
                allocation: None,
                held: plimsoll_market::format_units(i128::from(market.holding), market.instrument.qty_scale).to_string(),
                cost: money(market.cost.abs()),
                earned: money(earned),
                asset: market.instrument.quote.to_string(),
                fills: market.fills.len() as u64,
                orders: market.orders.len() as u64,
            }
        };
        Ok(world.markets.iter().map(strategy).collect())
    }

    fn guards(&self) -> GuardsDto {
        let world = self.lock();
        let rung = |tier: &str, from: &str, text: &str| RungDto {
            tier: tier.to_owned(),
            from_percent: Some(from.to_owned()),
            text: text.to_owned(),
            here: tier == "green",
        };
        let name = |market: &super::Market| market.instrument.symbol.to_string();
        GuardsDto {
            account: None,
            ladder: vec![
                rung("green", "0", "as it should be"),
                rung("yellow", "10", "a human is told"),
                rung("orange", "15", "nothing more is opened"),
                rung("red", "20", "nothing more is opened until it is re-armed"),
            ],
            breakers: world
                .markets
                .iter()
                .map(|market| BreakerDto {
                    name: "paused".to_owned(),
                    symbol: Some(name(market)),
                    open: market.paused,
                    until_ms: None,
                    text: "an operator has paused it".to_owned(),
                })
                .collect(),
            preflight: world.markets.iter().map(|market| CheckDto { name: name(market), ok: true, text: String::new() }).collect(),
            drift: Vec::new(),
            reconciliations: world
                .markets
                .iter()
                .map(|market| ReconciliationDto {
                    symbol: name(market),
                    foreign_orders: 0,
                    taken_over: 0,
                    late_fills: 0,
                    healed_in_ms: None,
                })
                .collect(),
            monitored: Vec::new(),
        }
    }

    fn streams(&self) -> StreamsDto {
        let up = self.lock().links_up;
        StreamsDto {
            feeds: ["market", "account", "requests"].map(|feed| LinkDto { feed: feed.to_owned(), up }).into(),
            open: 2,
            connects: 3,
            disconnects: 1,
            failures: 0,
            frames: 123_456,
            malformed: 0,
            book_gaps: 1,
            book_snapshots: 3,
            resyncs: 1,
            resyncs_failed: 0,
            clock_offset_ms: -7,
        }
    }

    fn rates(&self) -> RatesDto {
        RatesDto {
            weight_used: 121,
            weight_limit: 2_400,
            orders_used: 7,
            orders_limit: 300,
            in_flight: 1,
            waiting: 0,
            requests: 4_711,
            requests_failed: 2,
            rate_limited: 0,
            http_opened: 4,
            http_failures: 0,
        }
    }

    fn disk(&self) -> Option<DiskDto> {
        let kind = |kind: &str, bytes| DiskKindDto { kind: kind.to_owned(), bytes };
        Some(DiskDto {
            time_ms: self.lock().now.millis(),
            used_bytes: 84 * MB,
            limit_bytes: 4_096 * MB,
            limit: "budget".to_owned(),
            percent: 2,
            free_bytes: Some(120_000 * MB),
            level: "calm".to_owned(),
            kinds: vec![kind("database", 64 * MB), kind("journal", 20 * MB)],
        })
    }

    async fn journal(&self) -> Result<JournalDto, HistoryError> {
        let world = self.lock();
        let symbols = world.markets.iter().map(|market| JournalSymbolDto {
            symbol: market.instrument.symbol.to_string(),
            segments: 2,
            bytes: 10 * MB,
            oldest: "20231114T101320Z-000001".to_owned(),
            newest: "20231114T181320Z-000002".to_owned(),
        });
        Ok(JournalDto { enabled: true, keep_bytes: 256 * MB, bytes: 20 * MB, symbols: symbols.collect() })
    }
}
