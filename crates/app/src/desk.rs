//! What trades, what guards it and what carries it, for the web server.

use crate::config::{Config, ShownStrategy};
use crate::journal::{SUFFIX, journal_folder};
use crate::limits::{CANDLES_CACHED, CANDLES_PAUSE, CANDLES_TIMEOUT, CANDLES_WEIGHT_PERCENT, DISK_NAMES_MAX};
use crate::ports::Now;
use crate::settings::Settings;
use async_trait::async_trait;
use plimsoll_bounded::{Class, Grant, Line, Map, Pool, WatchReceiver, WhenFull, reply};
use plimsoll_exchange::binance::encode::{Interval, klines};
use plimsoll_gateway::{Clock, Endpoint, GatewayStats, ask_once};
use plimsoll_market::{Feed, Instrument, Round, Symbol, Time, format_units};
use plimsoll_monitor::{DiskDecision, DiskKind, DiskUse};
use plimsoll_safety::Tier;
use plimsoll_storage::{Reader, RowCursor, RowLimit, RowQuery};
use plimsoll_web::dto::{
    BreakerDto, CandleDto, CheckDto, DiskDto, DiskKindDto, DriftDto, FillDto, GuardsDto, JournalDto, JournalSymbolDto, LinkDto, OrderDto,
    RatesDto, ReconciliationDto, RungDto, StrategyDto, StreamsDto,
};
use plimsoll_web::{CandleLength, Cursor, Desk, HistoryError, LinkNow, Page, RowsWanted, money};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Candles that one question asks for, which costs a weight of five.
const CANDLES_ASKED: u16 = 1_000;
/// The largest answer.
const CANDLES_BYTES_MAX: usize = 512 << 10;
/// Bytes that a thousand candles take at worst: a time, and five texts of at most 24 characters.
const CANDLES_BYTES: usize = CANDLES_ASKED as usize * (size_of::<CandleDto>() + 5 * 24);
/// Strategies' numbers below this are long ones, the rest of them mirrors.
const SHORT: u8 = 32;

/// What was last measured of the disk.
#[derive(Clone, Copy)]
pub struct DiskSeen {
    /// When.
    pub time: Time,
    /// What our files take.
    pub disk: DiskUse,
    /// What that means.
    pub decision: DiskDecision,
}

/// Where the watcher of the disk leaves it.
pub type DiskShown = Arc<Mutex<Option<DiskSeen>>>;

struct Cached {
    candles: Vec<CandleDto>, // tidy: bounded by CANDLES_ASKED
    fetched: Instant,
}

/// Candles that were asked for lately. Charts ask for the same ones again and again, and an exchange must not be asked more often than
/// orders leave room for.
pub struct Candles {
    kept: Mutex<Map<(Symbol, CandleLength), Cached>>,
    /// One question at a time, and a pause behind each.
    turn: Semaphore,
    asked: Mutex<Option<Instant>>,
    end: Endpoint,
}

impl Candles {
    /// Declares the line.
    pub const fn line() -> Line<'static> {
        Map::<(Symbol, CandleLength), Cached>::line("app.candles", CANDLES_CACHED, WhenFull::DropOldest, Class::BestEffort)
            .with_heap(CANDLES_BYTES)
    }

    /// Keeps none yet; asks there.
    pub fn new(grant: Grant, end: Endpoint) -> Self {
        Self { kept: Mutex::new(Map::new(grant)), turn: Semaphore::new(1), asked: Mutex::new(None), end }
    }

    fn kept(&self, symbol: Symbol, length: CandleLength, young: Option<Duration>) -> Option<Vec<CandleDto>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(&(symbol, length))?;
        young.is_none_or(|young| found.fetched.elapsed() < young).then(|| found.candles.clone())
    }

    async fn get(&self, symbol: Symbol, length: CandleLength, stats: &GatewayStats) -> Result<Vec<CandleDto>, HistoryError> {
        // A minute's candle moves with every trade; a day's looks the same a minute later.
        let young = (length.duration() / 12).clamp(Duration::from_secs(5), Duration::from_secs(60));
        if let Some(kept) = self.kept(symbol, length, Some(young)) {
            return Ok(kept);
        }
        let stale = || self.kept(symbol, length, None);
        let unavailable = |reason: String| stale().ok_or(HistoryError::Unavailable { reason });
        let Ok(turn) = self.turn.acquire().await else { return unavailable("the process is stopping".to_owned()) };
        // Somebody else may have asked for them meanwhile.
        if let Some(kept) = self.kept(symbol, length, Some(young)) {
            return Ok(kept);
        }
        let session = &stats.session;
        if u64::from(session.weight_used) * 100 >= u64::from(session.weight_limit.max(1)) * CANDLES_WEIGHT_PERCENT {
            return unavailable("what the exchange allows in a minute is left to orders and comparisons".to_owned());
        }
        let last = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = last.and_then(|last| CANDLES_PAUSE.checked_sub(last.elapsed())) {
            tokio::time::sleep(wait).await;
        }
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let fetched = fetch(&self.end, symbol, length).await;
        drop(turn);
        match fetched {
            Ok(candles) => {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.is_full() && !kept.contains_key(&(symbol, length)) {
                    let oldest = kept.iter().min_by_key(|(_, kept)| kept.fetched).map(|(key, _)| *key);
                    oldest.map(|oldest| kept.remove(&oldest));
                }
                // There is room: one has just left.
                drop(kept.insert((symbol, length), Cached { candles: candles.clone(), fetched: Instant::now() }));
                Ok(candles)
            }
            Err(reason) => unavailable(reason),
        }
    }
}

async fn fetch(end: &Endpoint, symbol: Symbol, length: CandleLength) -> Result<Vec<CandleDto>, String> {
    let interval = Interval::parse(length.as_str()).ok_or("the exchange has no such candles")?;
    let mut query = String::new();
    let spec = klines(&mut query, &symbol, interval, CANDLES_ASKED, None, None);
    let answer = ask_once(end, "", &format!("{}?{query}", spec.path), CANDLES_TIMEOUT, CANDLES_BYTES_MAX).await;
    let (status, body) = answer.map_err(|error| error.to_string())?;
    if status != 200 {
        return Err(format!("the exchange answers {status}"));
    }
    let rows: Vec<Vec<serde_json::Value>> = serde_json::from_slice(&body).map_err(|_| "the exchange's candles cannot be read")?;
    let candle = |row: &Vec<serde_json::Value>| {
        let text = |at: usize| Some(row.get(at)?.as_str()?.chars().take(24).collect::<String>());
        Some(CandleDto {
            time_ms: row.first()?.as_u64()?,
            open: text(1)?,
            high: text(2)?,
            low: text(3)?,
            close: text(4)?,
            volume: text(5)?,
        })
    };
    let candles: Option<Vec<CandleDto>> = rows.iter().take(usize::from(CANDLES_ASKED)).map(candle).collect();
    candles.ok_or_else(|| "the exchange's candles cannot be read".to_owned())
}

/// The port.
pub struct DeskNow {
    /// What is the case now.
    pub now: Arc<Now>,
    /// Reads storage.
    pub reader: Reader,
    /// What trades, and by which limits, as the configuration has it now.
    pub settings: Arc<Settings>,
    /// Symbols that the risk monitor watches.
    pub monitored: Vec<Symbol>, // tidy: bounded by MONITORED_MAX, fixed at the start
    /// The gateway's figures.
    pub gateway: WatchReceiver<GatewayStats>,
    /// The disk.
    pub disk: DiskShown,
    /// Candles.
    pub candles: Candles,
    /// Whether there is a journal, what it may take, and where it is.
    pub journal: (bool, u64, PathBuf),
    /// Workers for what would block.
    pub workers: Pool,
    /// The clock.
    pub clock: Clock,
}

impl DeskNow {
    /// What the configuration says.
    fn shown(config: &Config) -> Vec<(Symbol, Vec<ShownStrategy>)> {
        config.symbols.iter().map(|symbol| (symbol.symbol, symbol.shown.clone())).collect()
    }

    /// The rules that give the numbers of these symbols their decimals, those included that are not traded any more.
    async fn instruments(&self, symbols: &BTreeSet<Symbol>) -> Result<BTreeMap<Symbol, Instrument>, HistoryError> {
        let mut known: BTreeMap<Symbol, Instrument> =
            self.now.symbols.iter().map(|traded| (traded.instrument.symbol, traded.instrument)).collect();
        let any = self.now.symbols.first().map(|traded| traded.instrument);
        let more = symbols.iter().any(|symbol| !known.contains_key(symbol));
        if let Some(any) = any.filter(|_| more) {
            let scales = self.reader.scales(&self.now.account).await.map_err(unavailable)?;
            for (symbol, scales) in scales {
                // Only what is shown is known of it: its numbers' decimals, and what they count.
                let plimsoll_storage::StoredScales { base, quote, price_scale, qty_scale } = scales;
                known.entry(symbol).or_insert(Instrument { symbol, base, quote, price_scale, qty_scale, ..any });
            }
        }
        Ok(known)
    }
}

fn unavailable(error: plimsoll_storage::StoreError) -> HistoryError {
    HistoryError::Unavailable { reason: error.to_string() }
}

fn query(wanted: &RowsWanted) -> Result<(RowQuery, RowLimit), HistoryError> {
    let refused = |reason: String| HistoryError::Refused { reason };
    let limit = RowLimit::new(u32::try_from(wanted.page.limit).unwrap_or(u32::MAX)).map_err(|error| refused(error.to_string()))?;
    let read = |text: Cursor| text.parse::<RowCursor>().map_err(|_| refused(format!("{text:?} is no cursor of this list")));
    let before = wanted.page.before.map(read).transpose()?;
    let RowsWanted { symbol, status, side, since, until, page: _ } = *wanted;
    Ok((RowQuery { symbol, status, side, since, until, before }, limit))
}

fn next(cursor: Option<RowCursor>) -> Option<Cursor> {
    cursor.and_then(|cursor| Cursor::from(&cursor.to_string()).ok())
}

#[async_trait]
impl Desk for DeskNow {
    async fn orders(&self, wanted: RowsWanted) -> Result<Page<OrderDto>, HistoryError> {
        let (query, limit) = query(&wanted)?;
        let found = self.reader.all_orders(&self.now.account, &query, limit).await.map_err(unavailable)?;
        let known = self.instruments(&found.rows.iter().map(|(symbol, _)| *symbol).collect()).await?;
        let row = |(symbol, order): &(Symbol, _)| known.get(symbol).map(|instrument| OrderDto::new(order, instrument));
        Ok(Page { items: found.rows.iter().filter_map(row).collect(), next: next(found.next) })
    }

    async fn fills(&self, wanted: RowsWanted) -> Result<Page<FillDto>, HistoryError> {
        let (query, limit) = query(&wanted)?;
        let found = self.reader.all_fills(&self.now.account, &query, limit).await.map_err(unavailable)?;
        let known = self.instruments(&found.rows.iter().map(|(symbol, _)| *symbol).collect()).await?;
        let row = |(symbol, booked): &(Symbol, _)| known.get(symbol).map(|instrument| FillDto::new(booked, instrument));
        Ok(Page { items: found.rows.iter().filter_map(row).collect(), next: next(found.next) })
    }

    async fn candles(&self, symbol: Symbol, length: CandleLength) -> Result<Vec<CandleDto>, HistoryError> {
        self.candles.get(symbol, length, &self.gateway.get()).await
    }

    async fn strategies(&self, since: Time) -> Result<Vec<StrategyDto>, HistoryError> {
        let earned = self.reader.earned(&self.now.account, since).await.map_err(unavailable)?;
        let views = self.now.views();
        let mut all = Vec::new();
        for (symbol, shown) in &self.settings.with(Self::shown) {
            let Some(view) = views.iter().find(|view| view.status.symbol == *symbol) else { continue };
            let (instrument, status) = (&view.instrument, &view.status);
            for (at, strategy) in shown.iter().enumerate() {
                // A symbol's only strategy has all numbers, whichever kind it is.
                let own = |number: u8| number != CLOSES && (shown.len() == 1 || place(number) == at);
                let slots = status.slots.iter().filter(|slot| own(slot.leg.strategy()));
                let (held, cost) = slots.fold((0, 0), |(held, cost), slot| {
                    let worth = instrument.amount(slot.cost, Round::Nearest).map_or(0, |amount| amount.units);
                    (held + i128::from(slot.held.units()), cost + worth)
                });
                let rows = earned.iter().filter(|row| row.symbol == *symbol && row.strategy.is_some_and(own));
                let (gain, fills) = rows.fold((0, 0), |(gain, fills), row| (gain + row.earned, fills + row.fills));
                all.push(StrategyDto {
                    symbol: symbol.to_string(),
                    number: u8::try_from(at).unwrap_or(u8::MAX).saturating_mul(NUMBERS),
                    kind: strategy.kind.clone(),
                    parameters: strategy.parameters.clone(),
                    allocation: strategy.allocation.clone(),
                    held: format_units(held, instrument.qty_scale).to_string(),
                    cost: money(cost),
                    earned: money(gain),
                    asset: instrument.quote.to_string(),
                    fills,
                    orders: status.orders.iter().filter(|order| own(order.id.leg().strategy())).count() as u64,
                });
            }
        }
        Ok(all)
    }

    fn guards(&self) -> GuardsDto {
        let equity = self.now.equity.get().equity;
        let views = self.now.views();
        let tier = equity.map_or(Tier::Green, |equity| equity.tier);
        let rung = |of: Tier, from: u32, text: &str| RungDto {
            tier: of.as_str().to_owned(),
            from_percent: (from < 1_000_000).then(|| format_units(i128::from(from), 4).to_string()),
            text: text.to_owned(),
            here: tier == of,
        };
        let account = equity.and_then(|equity| equity.demand).map(|demand| BreakerDto {
            name: demand.rule.as_str().to_owned(),
            symbol: None,
            open: true,
            until_ms: None,
            text: if demand.close { "the account's rules close all positions" } else { "the account's rules open nothing more" }.to_owned(),
        });
        let of_symbols = views.iter().map(|view| {
            let status = &view.status;
            let lock = status.lock.filter(|lock| lock.holds(self.clock.now()));
            let name = lock.map(|lock| lock.rule.as_str()).or(status.closed);
            BreakerDto {
                name: name.unwrap_or("none").to_owned(),
                symbol: Some(status.symbol.to_string()),
                open: name.is_some(),
                until_ms: lock.and_then(|lock| lock.until).map(Time::millis),
                text: match (lock, status.closed) {
                    (Some(lock), _) if lock.until.is_some() => "a rule opens nothing more for a time",
                    (Some(_), _) => "a rule opens nothing more until an operator re-arms it",
                    (None, Some(_)) => "nothing is opened while this lasts",
                    (None, None) => "nothing stands against opening",
                }
                .to_owned(),
            }
        });
        let checked = self.now.symbols.iter().map(|traded| CheckDto {
            name: traded.instrument.symbol.to_string(),
            ok: traded.refusal.get().is_none(),
            text: traded.refusal.get().unwrap_or_default(),
        });
        let unknown = self.now.refused.iter().map(|why| CheckDto {
            name: why.split(':').next().unwrap_or_default().to_owned(),
            ok: false,
            text: why.clone(),
        });
        let drifts = views.iter().filter(|view| !view.status.drift.is_flat()).map(|view| DriftDto {
            symbol: view.status.symbol.to_string(),
            qty: format_units(i128::from(view.status.drift.units()), view.instrument.qty_scale).to_string(),
        });
        let compared = views.iter().map(|view| ReconciliationDto {
            symbol: view.status.symbol.to_string(),
            foreign_orders: u64::from(view.status.foreign_orders),
            taken_over: u64::from(view.status.taken_over),
            late_fills: view.status.late_fills,
            healed_in_ms: (!view.status.healed_in.is_zero()).then(|| view.status.healed_in.as_millis() as u64),
        });
        let ladder = self.settings.with(|config| config.risk.ladder);
        GuardsDto {
            account: None,
            ladder: vec![
                rung(Tier::Green, 0, "as it should be"),
                rung(Tier::Yellow, ladder.yellow, "a human is told"),
                rung(Tier::Orange, ladder.orange, "nothing more is opened until the fall is less again"),
                rung(Tier::Red, ladder.red, "nothing more is opened until an operator re-arms the account"),
            ],
            breakers: account.into_iter().chain(of_symbols).collect(),
            preflight: checked.chain(unknown).collect(),
            drift: drifts.collect(),
            reconciliations: compared.collect(),
            monitored: self.monitored.iter().map(Symbol::to_string).collect(),
        }
    }

    fn streams(&self) -> StreamsDto {
        let GatewayStats { session, socket_failures, .. } = self.gateway.get();
        let link = |feed| LinkDto::new(&LinkNow { feed, up: self.now.links.is_up(feed) });
        StreamsDto {
            feeds: [Feed::Market, Feed::Account, Feed::Requests].map(link).into(),
            open: u64::from(session.conns_open),
            connects: session.connects,
            disconnects: session.disconnects,
            failures: socket_failures,
            frames: session.frames,
            malformed: session.frames_malformed + session.frames_oversized,
            book_gaps: session.book_gaps,
            book_snapshots: session.book_snapshots,
            resyncs: session.resyncs,
            resyncs_failed: session.resyncs_failed,
            clock_offset_ms: session.clock_offset_ms,
        }
    }

    fn rates(&self) -> RatesDto {
        let GatewayStats { session, http_opened, http_failures, .. } = self.gateway.get();
        RatesDto {
            weight_used: u64::from(session.weight_used),
            weight_limit: u64::from(session.weight_limit),
            orders_used: u64::from(session.orders_used),
            orders_limit: u64::from(session.orders_limit),
            in_flight: u64::from(session.requests_in_flight),
            waiting: u64::from(session.requests_waiting),
            requests: session.requests,
            requests_failed: session.requests_failed,
            rate_limited: session.rate_limited,
            http_opened,
            http_failures,
        }
    }

    fn disk(&self) -> Option<DiskDto> {
        let DiskSeen { time, disk, decision } = (*self.disk.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(DiskDto {
            time_ms: time.millis(),
            used_bytes: disk.used(),
            limit_bytes: decision.limit_bytes,
            limit: decision.limit.as_str().to_owned(),
            percent: decision.percent,
            free_bytes: disk.free,
            level: decision.level.as_str().to_owned(),
            kinds: DiskKind::ALL.map(|kind| DiskKindDto { kind: kind.as_str().to_owned(), bytes: disk.of(kind) }).into(),
        })
    }

    async fn journal(&self) -> Result<JournalDto, HistoryError> {
        let (enabled, keep_bytes, data_dir) = self.journal.clone();
        let (answer, asked) = reply();
        let job = move || drop(answer.send(segments(&journal_folder(&data_dir))));
        let busy = || HistoryError::Unavailable { reason: "nobody has time to look at the files".to_owned() };
        self.workers.submit_blocking(job).map_err(|_| busy())?;
        let symbols = asked.wait(Duration::from_secs(5)).await.map_err(|_| busy())?;
        Ok(JournalDto { enabled, keep_bytes, bytes: symbols.iter().map(|symbol| symbol.bytes).sum(), symbols })
    }
}

/// The number of a closing of everything, which is nobody's.
const CLOSES: u8 = 63;
/// Numbers that each strategy of a symbol has.
const NUMBERS: u8 = plimsoll_strategy::limits::NUMBERS_A_CHILD;

/// Which of a symbol's strategies has a number; a short one's are those of the long one and 32 more.
const fn place(number: u8) -> usize {
    (number % SHORT / NUMBERS) as usize
}

/// Looks at the files of a journal: `20231114T101320Z-BTCUSDT-000001.journal`.
fn segments(folder: &std::path::Path) -> Vec<JournalSymbolDto> {
    let mut found: BTreeMap<String, JournalSymbolDto> = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    for entry in entries.take(DISK_NAMES_MAX).filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(SUFFIX) else { continue };
        let Some(symbol) = stem.split_once('-').and_then(|(_, rest)| rest.rsplit_once('-')).map(|(symbol, _)| symbol.to_owned()) else {
            continue;
        };
        let bytes = entry.metadata().map_or(0, |file| file.len());
        let row = found.entry(symbol.clone()).or_insert_with(|| JournalSymbolDto {
            symbol,
            segments: 0,
            bytes: 0,
            oldest: name.clone(),
            newest: name.clone(),
        });
        (row.segments, row.bytes) = (row.segments + 1, row.bytes + bytes);
        if name < row.oldest {
            row.oldest.clone_from(&name);
        }
        if name > row.newest {
            row.newest = name;
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_whose_it_is_long_or_short() {
        for (number, at) in [(0, 0), (7, 0), (8, 1), (31, 3), (32, 0), (40, 1), (62, 3)] {
            assert_eq!(place(number), at, "{number}");
        }
    }

    #[test]
    fn segments_are_counted_by_symbol() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("20231114T101320Z-BTCUSDT-000001.journal", 10),
            ("20231115T101320Z-BTCUSDT-000002.journal", 20),
            ("20231115T101320Z-1000-PEPE-USDT-000001.journal", 5),
            ("notes.txt", 100),
            ("x.journal", 100),
        ] {
            std::fs::write(folder.path().join(name), vec![0; bytes]).unwrap();
        }
        let found = segments(folder.path());
        assert_eq!(
            found.iter().map(|row| (row.symbol.as_str(), row.segments, row.bytes)).collect::<Vec<_>>(),
            [("1000-PEPE-USDT", 1, 5), ("BTCUSDT", 2, 30),]
        );
        assert!(found[1].oldest.contains("000001") && found[1].newest.contains("000002"));
        assert!(segments(&folder.path().join("none")).is_empty());
    }
}
