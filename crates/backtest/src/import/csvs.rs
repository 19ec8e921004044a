//! Rows of Binance Vision's files, and of candles that name their columns.

use super::repeats::Repeats;
use super::{ImportError, ImportOptions, Place, Take, open, stamp};
use crate::tape::{Bar, Tick};
use core::time::Duration;
use csv::ByteRecord;
use plimsoll_market::{Bps, Price, Qty, Round, Side, Time, parse_units};
use plimsoll_sim::replay::RESTART;
use std::path::{Path, PathBuf};

/// What the rows of a file are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowKind {
    /// Candles.
    Klines,
    /// Trades of one taker at one price.
    AggTrades,
    /// Single trades.
    Trades,
    /// Best bid and ask.
    BookTicker,
    /// Funding rates.
    Funding,
    /// Lines of a recorder.
    Recording,
}

impl RowKind {
    /// Reads the word that the command line takes.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "klines" => Some(Self::Klines),
            "agg-trades" => Some(Self::AggTrades),
            "trades" => Some(Self::Trades),
            "book-ticker" => Some(Self::BookTicker),
            "funding" => Some(Self::Funding),
            "recording" => Some(Self::Recording),
            _ => None,
        }
    }
}

/// Where the fields of a row are.
#[derive(Clone, Copy, Debug)]
struct Columns {
    /// The number that grows, for trades and tops.
    id: Option<usize>,
    time: usize,
    /// The time is a candle's end.
    at_end: bool,
    /// Price, or the four prices of a candle, or bid and ask.
    prices: [usize; 4],
    qtys: [usize; 2],
    /// Whether the buyer rested.
    maker: usize,
}

impl Columns {
    /// As Binance Vision orders them when there is no head.
    const fn of(kind: RowKind) -> Self {
        let none = usize::MAX;
        match kind {
            RowKind::Klines => Self { id: None, time: 0, at_end: false, prices: [1, 2, 3, 4], qtys: [5, none], maker: none },
            RowKind::AggTrades => Self { id: Some(0), time: 5, at_end: false, prices: [1, none, none, none], qtys: [2, none], maker: 6 },
            RowKind::Trades => Self { id: Some(0), time: 4, at_end: false, prices: [1, none, none, none], qtys: [2, none], maker: 5 },
            RowKind::BookTicker => Self { id: Some(0), time: 5, at_end: false, prices: [1, 3, none, none], qtys: [2, 4], maker: none },
            RowKind::Funding | RowKind::Recording => {
                Self { id: None, time: 0, at_end: false, prices: [2, none, none, none], qtys: [none, none], maker: none }
            }
        }
    }

    /// By their names, when the first row has names.
    fn named(kind: RowKind, head: &ByteRecord) -> Option<Self> {
        let names: Vec<String> = head.iter().map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase()).collect();
        let find = |of: &[&str]| of.iter().find_map(|name| names.iter().position(|n| n == name));
        let mut columns = Self::of(kind);
        match kind {
            RowKind::Klines => {
                let begins = find(&["open_time", "timestamp", "time", "date"]);
                let ends = find(&["close_time", "close_datetime"]);
                columns.time = begins.or(ends)?;
                columns.at_end = begins.is_none();
                for (place, name) in columns.prices.iter_mut().zip(["open", "high", "low", "close"]) {
                    *place = find(&[name])?;
                }
                columns.qtys[0] = find(&["volume"]).unwrap_or(usize::MAX);
            }
            RowKind::AggTrades | RowKind::Trades => {
                columns.id = find(&["agg_trade_id", "id", "trade_id"]);
                columns.time = find(&["transact_time", "time", "timestamp"])?;
                columns.prices[0] = find(&["price"])?;
                columns.qtys[0] = find(&["quantity", "qty", "amount"])?;
                columns.maker = find(&["is_buyer_maker"])?;
            }
            RowKind::BookTicker => {
                columns.id = find(&["update_id"]);
                columns.time = find(&["transaction_time", "event_time"])?;
                columns.prices[0] = find(&["best_bid_price"])?;
                columns.prices[1] = find(&["best_ask_price"])?;
                columns.qtys = [find(&["best_bid_qty"])?, find(&["best_ask_qty"])?];
            }
            RowKind::Funding | RowKind::Recording => {
                columns.time = find(&["calc_time", "funding_time", "time"])?;
                columns.prices[0] = find(&["last_funding_rate", "funding_rate", "rate"])?;
            }
        }
        Some(columns)
    }
}

fn reader(from: &mut dyn std::io::Read) -> csv::Reader<&mut dyn std::io::Read> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(64 << 10).from_reader(from)
}

/// Whether a row is names, not values.
fn is_head(row: &ByteRecord) -> bool {
    row.iter().all(|field| field.iter().any(u8::is_ascii_alphabetic)) && !row.is_empty()
}

/// The first two rows that hold values, and the head before them.
fn first_rows(path: &Path) -> Result<(Option<ByteRecord>, Vec<ByteRecord>), ImportError> {
    open::open(path, |from| {
        let mut rows = Vec::new();
        let mut head = None;
        let mut reader = reader(from);
        let mut row = ByteRecord::new();
        while rows.len() < 2 && reader.read_byte_record(&mut row).map_err(|e| unreadable(path, &e))? {
            if head.is_none() && rows.is_empty() && is_head(&row) {
                head = Some(row.clone());
            } else {
                rows.push(row.clone());
            }
        }
        Ok((head, rows))
    })
}

fn unreadable(path: &Path, error: &csv::Error) -> ImportError {
    ImportError::Read { path: path.to_owned(), text: error.to_string() }
}

/// What the rows of a file are, by its name or its first rows.
pub(super) fn guess(path: &Path) -> Result<Option<RowKind>, ImportError> {
    let name = open::bare_name(path);
    let by_name = [
        ("aggtrades", RowKind::AggTrades),
        ("bookticker", RowKind::BookTicker),
        ("fundingrate", RowKind::Funding),
        ("klines", RowKind::Klines),
        ("trades", RowKind::Trades),
    ];
    if let Some((_, kind)) = by_name.into_iter().find(|(part, _)| name.contains(part)) {
        return Ok(Some(kind));
    }
    let recorded = open::open(path, |from| {
        let mut begin = [0_u8; 64];
        let got = from.read(&mut begin).map_err(|e| ImportError::Read { path: path.to_owned(), text: e.to_string() })?;
        let text = begin.get(..got).unwrap_or_default();
        let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
        Ok(digits >= 16 && text.get(digits..digits + 2) == Some(b" {") || text.starts_with(RESTART.as_bytes()))
    })?;
    if recorded {
        return Ok(Some(RowKind::Recording));
    }
    let (head, rows) = first_rows(path)?;
    if let Some(head) = &head {
        let kinds = [RowKind::Klines, RowKind::BookTicker, RowKind::AggTrades, RowKind::Funding];
        return Ok(kinds.into_iter().find(|kind| Columns::named(*kind, head).is_some()));
    }
    let Some(row) = rows.first() else { return Ok(None) };
    let is_flag = |at: usize| row.get(at).is_some_and(|f| matches!(f.to_ascii_lowercase().as_slice(), b"true" | b"false"));
    Ok(match row.len() {
        12 => Some(RowKind::Klines),
        7 | 8 if is_flag(6) => Some(RowKind::AggTrades),
        6 | 7 if is_flag(5) => Some(RowKind::Trades),
        7 => Some(RowKind::BookTicker),
        3 => Some(RowKind::Funding),
        _ => None,
    })
}

/// The length of a file's candles, from its first two.
pub(super) fn candle_secs(path: &Path) -> Result<u32, ImportError> {
    let (head, rows) = first_rows(path)?;
    let columns = head.map_or(Some(Columns::of(RowKind::Klines)), |head| Columns::named(RowKind::Klines, &head));
    let columns = columns.ok_or_else(|| ImportError::Unknown { path: path.to_owned() })?;
    let times: Vec<Time> = rows.iter().filter_map(|row| stamp::parse(core::str::from_utf8(row.get(columns.time)?).ok()?)).collect();
    let secs = match times.as_slice() {
        [a, b] if b > a => (b.since(*a).as_millis() + 500) / 1_000,
        _ => 0,
    };
    let known = [1, 60, 180, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 43_200, 86_400];
    known.into_iter().find(|known| u128::from(*known) == secs).ok_or_else(|| ImportError::Read {
        path: path.to_owned(),
        text: format!("its first two candles are {secs} s apart; that is no length of candles that is known"),
    })
}

/// The rows of files as ticks.
struct Rows<'a> {
    kind: RowKind,
    options: &'a ImportOptions,
    length: Duration,
    last_time: Time,
    last_id: Option<u64>,
    repeats: Repeats,
}

pub(super) fn read(
    files: &[PathBuf],
    kind: RowKind,
    candle_secs: u32,
    options: &ImportOptions,
    sink: &mut dyn Take,
    progress: &mut dyn FnMut(usize),
) -> Result<u64, ImportError> {
    let length = Duration::from_secs(u64::from(candle_secs));
    let mut rows = Rows { kind, options, length, last_time: Time::ZERO, last_id: None, repeats: Repeats::new() };
    for (number, path) in files.iter().enumerate() {
        progress(number);
        open::open(path, |from| {
            let mut columns = Columns::of(kind);
            let mut reader = reader(from);
            let mut row = ByteRecord::new();
            let mut first = true;
            while reader.read_byte_record(&mut row).map_err(|e| unreadable(path, &e))? {
                let line = row.position().map_or(0, csv::Position::line);
                if core::mem::take(&mut first) && is_head(&row) {
                    columns = Columns::named(kind, &row).ok_or_else(|| ImportError::Unknown { path: path.clone() })?;
                    continue;
                }
                let (time, tick) = rows.row(path, line, &row, &columns)?;
                sink.take(time, &tick)?;
            }
            Ok(())
        })?;
    }
    Ok(0)
}

impl Rows<'_> {
    fn row(&mut self, path: &Path, line: u64, row: &ByteRecord, columns: &Columns) -> Result<(Time, Tick), ImportError> {
        let mut place = Place { file: path.to_owned(), line, time: Time::ZERO };
        let wrong = |place: &Place, text: String| ImportError::Row { place: place.clone(), text };
        let field = |at: usize| row.get(at).and_then(|f| core::str::from_utf8(f).ok()).map(str::trim).unwrap_or_default();
        let time = stamp::parse(field(columns.time)).ok_or_else(|| wrong(&place, format!("{:?} is no time", field(columns.time))))?;
        let time = if columns.at_end {
            // Ends are told as the last millisecond or as the next beginning.
            Time::from_nanos((time.nanos() + 1_000_000).saturating_sub(self.length.as_nanos() as u64) / 1_000_000_000 * 1_000_000_000)
        } else {
            time
        };
        place.time = time;
        self.order(&place, field(columns.id.unwrap_or(usize::MAX)), columns.id.is_some())?;
        let instrument = &self.options.instrument;
        let price = |at: usize| -> Result<Price, ImportError> {
            let text = field(at);
            let price = instrument.parse_price(text, self.options.prices).map_err(|error| {
                wrong(&place, format!("price {text:?} of {} with {} digits: {error}", instrument.symbol, instrument.price_scale))
            })?;
            if price.is_zero() { Err(wrong(&place, "a price of zero".to_owned())) } else { Ok(price) }
        };
        // What is traded in smaller steps than the contract's is cut: it only bounds what can fill.
        let qty = |at: usize| -> Result<Qty, ImportError> {
            let text = field(at);
            instrument.parse_qty(text, Round::Down).map_err(|error| wrong(&place, format!("quantity {text:?}: {error}")))
        };
        let tick = match self.kind {
            RowKind::Klines => {
                let [o, h, l, c] = columns.prices;
                let volume = if columns.qtys[0] == usize::MAX { Qty::ZERO } else { qty(columns.qtys[0])? };
                let bar = Bar { open: price(o)?, high: price(h)?, low: price(l)?, close: price(c)?, volume };
                if !bar.is_sound() {
                    return Err(wrong(&place, "open and close do not lie between low and high".to_owned()));
                }
                let prices = [bar.open, bar.high, bar.low, bar.close].map(|p| p.units().unsigned_abs());
                let values = [prices[0], prices[1], prices[2], prices[3], volume.units()];
                if let Some(back) = self.repeats.push(values, bar.high == bar.low) {
                    let what = format!("these candles are those of {back} candles before, one by one, under other times");
                    return Err(ImportError::Repeated { place, what });
                }
                Tick::Candle(bar)
            }
            RowKind::AggTrades | RowKind::Trades => {
                let taker = match field(columns.maker).to_ascii_lowercase().as_str() {
                    // The buyer was the maker, so the seller took.
                    "true" | "1" => Side::Sell,
                    "false" | "0" => Side::Buy,
                    other => return Err(wrong(&place, format!("{other:?} does not say who took"))),
                };
                Tick::Trade { taker, price: price(columns.prices[0])?, qty: qty(columns.qtys[0])? }
            }
            RowKind::BookTicker => {
                let [bid, ask] = [columns.prices[0], columns.prices[1]];
                let (bid, ask) = (price(bid)?, price(ask)?);
                if bid >= ask {
                    return Err(wrong(&place, "the bid is not below the ask".to_owned()));
                }
                Tick::Top { bid: (bid, qty(columns.qtys[0])?), ask: (ask, qty(columns.qtys[1])?) }
            }
            RowKind::Funding | RowKind::Recording => {
                let text = field(columns.prices[0]);
                let rate = parse_units(text, 6, Round::Nearest).ok().and_then(|ppm| i32::try_from(ppm).ok());
                Tick::Funding(Bps::from_ppm(rate.ok_or_else(|| wrong(&place, format!("{text:?} is no rate")))?))
            }
        };
        Ok((time, tick))
    }

    /// Whether a row follows the one before.
    fn order(&mut self, place: &Place, id: &str, has_id: bool) -> Result<(), ImportError> {
        let (time, last) = (place.time, self.last_time);
        if has_id {
            let id: u64 = id.parse().map_err(|_| ImportError::Row { place: place.clone(), text: format!("{id:?} is no number") })?;
            match self.last_id {
                Some(before) if id == before => return Err(ImportError::Repeated { place: place.clone(), what: format!("number {id}") }),
                Some(before) if id < before => {
                    return Err(ImportError::OutOfOrder { place: place.clone(), last: format!("number {before}") });
                }
                Some(before) if id > before + 1 && self.kind != RowKind::BookTicker && !self.options.allow_missing => {
                    let what = format!("trades {} to {} are missing", before + 1, id - 1);
                    return Err(ImportError::Gap { place: place.clone(), what });
                }
                Some(_) | None => {}
            }
            self.last_id = Some(id);
        }
        let candles = self.kind == RowKind::Klines;
        if last > Time::ZERO {
            if time < last {
                return Err(ImportError::OutOfOrder { place: place.clone(), last: stamp::show(last) });
            }
            if candles && time == last {
                return Err(ImportError::Repeated { place: place.clone(), what: "the candle of this time was told before".to_owned() });
            }
            let silence = time.since(last).saturating_sub(self.length);
            if self.kind != RowKind::Funding && silence > self.options.gap_max {
                let what = match self.length.as_secs() {
                    0 => format!("nothing for {} s", silence.as_secs()),
                    secs => format!("{} candles are missing", silence.as_secs() / secs),
                };
                return Err(ImportError::Gap { place: place.clone(), what });
            }
            if candles && (time.since(last).as_nanos() % self.length.as_nanos().max(1)) != 0 {
                let text = format!("the candle does not begin a whole number of {} s after the one before", self.length.as_secs());
                return Err(ImportError::Row { place: place.clone(), text });
            }
        }
        self.last_time = time;
        Ok(())
    }
}
