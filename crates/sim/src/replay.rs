//! A market played from a recording in hftbacktest's raw format.
//!
//! A line is `<local time> <raw JSON>`, the time in nanoseconds or microseconds. Understood are Binance USDⓈ-M's diff depth,
//! book ticker, trades and mark prices, and one REST depth snapshot among them. The book follows Binance's procedure (snapshot,
//! then the diffs from its id on) and between two diffs the book ticker, which is ahead of them. Lines of other symbols are
//! passed over; what cannot be read is counted and passed over.
//!
//! Time stamps become those of now: the first line happens when the venue starts, the others as much later as recorded,
//! divided by the speed.
//!
//! A live market is played the same way, each line as soon as it is there: [`RESTART`] says that lines are missing before the next,
//! and that a snapshot follows.

use std::collections::BTreeMap;

use core::time::Duration;
use plimsoll_market::{Book, Bps, Instrument, Price, Qty, RefPrice, Round, Side, Time, parse_units};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits::{REPLAY_BUFFER_MAX, REPLAY_LINE_MAX};
use crate::source::SourceEvent;

/// Lines of a recording, in order; files of consecutive days are chained by the caller.
pub type Lines = Box<dyn Iterator<Item = String> + Send>;

/// The line of a live market after which the book is made anew: what is kept of it stands until the next snapshot, which takes the
/// diffs since this line into account.
pub const RESTART: &str = "0 restart";

/// The stream of trades in which those of one order are one.
const AGGREGATED: &str = "aggTrade";
/// The stream of each trade.
const SINGLE: &str = "trade";

/// How often a live market that is quiet is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How a recording is to be played.
pub struct ReplaySpec {
    /// The lines.
    pub lines: Lines,
    /// How much faster than recorded, in thousandths, 1 to 2,000,000.
    pub speed_milli: u32,
}

/// What was wrong with a recording so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faults {
    /// Lines that could not be read.
    pub malformed: u64,
    /// Diffs that did not follow their predecessor.
    pub gaps: u64,
    /// Levels that were dropped because bid and ask overlapped.
    pub crossed: u64,
    /// The book's snapshot has not come yet; without one, only levels that changed are known.
    pub before_snapshot: bool,
}

/// Recordings that begin within this of each other are played together; others each from its own beginning.
const TOGETHER: u64 = 3_600_000_000_000;

pub(crate) struct Replay {
    lines: Lines,
    speed_milli: u32,
    instrument: Instrument,
    prefix: String,
    start: Time,
    /// Recorded time that happens at `start`.
    origin: u64,
    /// The next record with its recorded time.
    next: Option<(u64, Record)>,
    clock: u64,
    waiting: Waiting,
    ticker: Option<Ticker>,
    malformed: u64,
    /// The stream that tells its trades.
    trades: Option<&'static str>,
    gaps: u64,
    crossed: u64,
    last_update: Option<u64>,
    marks: bool,
    /// When a live market is looked at next; `None` for a recording.
    due: Option<Time>,
}

/// Whether the snapshot has come.
enum Waiting {
    /// Not yet; diffs are applied and kept, to be applied again on top of it.
    For(Vec<Depth>), // tidy: bounded by REPLAY_BUFFER_MAX
    /// It came, or there is none in this recording.
    Over,
}

/// What a line says.
enum Record {
    Depth(Depth),
    Snapshot { last_update: u64, levels: Vec<(Side, Price, Qty)> },
    Ticker(Ticker),
    Trade { price: Price, qty: Qty, taker: Side },
    Mark { mark: RefPrice, index: RefPrice, funding: Bps },
    Restart,
}

struct Depth {
    first: u64,
    last: u64,
    previous: u64,
    levels: Vec<(Side, Price, Qty)>, // tidy: bounded by the line it was read from
}

#[derive(Clone, Copy)]
struct Ticker {
    update: u64,
    bid: (Price, Qty),
    ask: (Price, Qty),
}

impl Replay {
    pub(crate) fn new(spec: ReplaySpec, instrument: &Instrument, start: Time) -> Self {
        Self::begin(spec, instrument, start, None)
    }

    fn begin(spec: ReplaySpec, instrument: &Instrument, start: Time, due: Option<Time>) -> Self {
        let mut new = Self {
            lines: spec.lines,
            speed_milli: spec.speed_milli,
            instrument: *instrument,
            prefix: format!("{}@", instrument.symbol.as_str().to_ascii_lowercase()),
            start,
            origin: 0,
            next: None,
            clock: 0,
            waiting: Waiting::For(Vec::new()),
            ticker: None,
            malformed: 0,
            gaps: 0,
            crossed: 0,
            last_update: None,
            marks: false,
            due,
            // Live streams tell the trades of one order together. Of recordings the first trade shows which they have.
            trades: due.map(|_| AGGREGATED),
        };
        new.read();
        new.origin = new.next.as_ref().map_or(0, |(at, _)| *at);
        new
    }

    /// A market whose lines come as they happen: `None` of `lines` means that there is none yet.
    pub(crate) fn live(lines: Lines, instrument: &Instrument, start: Time) -> Self {
        Self::begin(ReplaySpec { lines, speed_milli: 1_000 }, instrument, start, Some(start))
    }

    /// Whether its lines come as they happen.
    pub(crate) const fn is_live(&self) -> bool {
        self.due.is_some()
    }

    /// Lets recordings of the same time begin together.
    pub(crate) fn align<'a>(replays: impl Iterator<Item = &'a mut Self>) {
        let mut replays: Vec<&mut Self> = replays.filter(|r| r.next.is_some()).collect();
        let Some(first) = replays.iter().map(|r| r.origin).min() else { return };
        if replays.iter().all(|r| r.origin - first <= TOGETHER) {
            replays.iter_mut().for_each(|r| r.origin = first);
        }
    }

    pub(crate) fn next_at(&self) -> Option<Time> {
        if self.due.is_some() {
            return self.due;
        }
        let (at, _) = self.next.as_ref()?;
        let recorded = u128::from(at.saturating_sub(self.origin));
        let nanos = recorded * 1_000 / u128::from(self.speed_milli.max(1));
        Some(self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    pub(crate) fn skip_to(&mut self, now: Time) {
        if let Some(due) = &mut self.due {
            *due = now.max(*due);
            return;
        }
        if let Some((at, _)) = &self.next
            && self.next_at().is_some_and(|due| due < now)
        {
            (self.origin, self.start) = (*at, now);
        }
    }

    /// Whether the recording has mark prices.
    pub(crate) fn tells_marks(&self) -> bool {
        self.marks
    }

    pub(crate) fn step(&mut self, book: &Book, events: &mut Vec<SourceEvent>) {
        if self.next.is_none() && self.due.is_some() {
            self.read();
        }
        let Some((_, record)) = self.next.take() else {
            self.due = self.due.map(|due| due + LOOK_EVERY);
            return;
        };
        match record {
            Record::Restart => (self.waiting, self.last_update, self.ticker) = (Waiting::For(Vec::new()), None, None),
            Record::Depth(depth) => self.depth(depth, book, events),
            Record::Snapshot { last_update, levels } => self.snapshot(last_update, levels, book, events),
            Record::Ticker(ticker) => {
                let newer = self.last_update.is_none_or(|last| ticker.update > last);
                if newer && self.ticker.is_none_or(|t| ticker.update > t.update) {
                    self.ticker = Some(ticker);
                    overlay(ticker, book, &[], events);
                }
            }
            Record::Trade { price, qty, taker } => events.push(SourceEvent::Trade { price, qty, taker }),
            Record::Mark { mark, index, funding } => {
                self.marks = true;
                events.push(SourceEvent::Mark { mark, index, funding });
            }
        }
        self.read();
    }

    fn depth(&mut self, depth: Depth, book: &Book, events: &mut Vec<SourceEvent>) {
        if self.last_update.is_some_and(|last| depth.last < last) {
            return;
        }
        if self.last_update.is_some_and(|last| depth.previous != last && depth.first > last) {
            self.gaps += 1;
        }
        self.last_update = Some(depth.last);
        events.extend(depth.levels.iter().map(|&(side, price, qty)| SourceEvent::Level { side, price, qty }));
        // The ticker may be ahead of this diff: what it says of the top holds until a diff has caught up with it.
        if let Some(ticker) = self.ticker.filter(|t| t.update > depth.last) {
            overlay(ticker, book, &depth.levels, events);
        }
        if let Waiting::For(kept) = &mut self.waiting {
            kept.push(depth);
            if kept.len() >= REPLAY_BUFFER_MAX && self.due.is_some() {
                // Its snapshot comes late: what is older than it will not be missed.
                kept.remove(0);
            } else if kept.len() >= REPLAY_BUFFER_MAX {
                // A recording that continues an earlier one has no snapshot; diffs alone fill its book.
                self.waiting = Waiting::Over;
            }
        }
    }

    /// Puts the snapshot in the place of the book, then the kept diffs that are newer.
    fn snapshot(&mut self, last_update: u64, levels: Vec<(Side, Price, Qty)>, book: &Book, events: &mut Vec<SourceEvent>) {
        let Waiting::For(kept) = core::mem::replace(&mut self.waiting, Waiting::Over) else { return };
        let key = |side: Side, price: Price| (side == Side::Sell, price);
        let mut target: BTreeMap<(bool, Price), Qty> = BTreeMap::new();
        let newer = kept.iter().filter(|d| d.last >= last_update).flat_map(|d| d.levels.iter().copied());
        for (side, price, qty) in levels.into_iter().chain(newer) {
            target.insert(key(side, price), qty);
        }
        for side in [Side::Buy, Side::Sell] {
            let gone = book.levels(side).filter(|l| !target.contains_key(&key(side, l.price)));
            events.extend(gone.map(|l| SourceEvent::Level { side, price: l.price, qty: Qty::ZERO }));
        }
        let side_of = |sell: bool| if sell { Side::Sell } else { Side::Buy };
        events.extend(target.iter().map(|(&(sell, price), &qty)| SourceEvent::Level { side: side_of(sell), price, qty }));
        let last = kept.last().map_or(last_update, |d| d.last.max(last_update));
        self.last_update = Some(last);
        if let Some(ticker) = self.ticker.filter(|t| t.update > last) {
            let target: Vec<(Side, Price, Qty)> = target.into_iter().map(|((sell, price), qty)| (side_of(sell), price, qty)).collect();
            overlay(ticker, book, &target, events);
        }
    }

    /// Reads on to the next line that says something about this market.
    fn read(&mut self) {
        self.next = None;
        for line in self.lines.by_ref() {
            match parse(&line, &self.instrument, &self.prefix, self.trades) {
                Ok(Some((at, record))) => {
                    if self.trades.is_none() && matches!(record, Record::Trade { .. }) {
                        self.trades = Some(if line.contains("@aggTrade\"") { AGGREGATED } else { SINGLE });
                    }
                    // Recorders' clocks step back now and then; the market's does not.
                    self.clock = self.clock.max(at);
                    self.next = Some((self.clock, record));
                    return;
                }
                Ok(None) => {}
                Err(Malformed) => self.malformed += 1,
            }
        }
    }

    pub(crate) fn note_crossed(&mut self, levels: u64) {
        self.crossed += levels;
    }

    pub(crate) fn faults(&self) -> Faults {
        Faults {
            malformed: self.malformed,
            gaps: self.gaps,
            crossed: self.crossed,
            before_snapshot: matches!(self.waiting, Waiting::For(_)),
        }
    }
}

/// What a line of a recording says, with its book kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// A level has this quantity now; zero deletes it.
    Level {
        /// Its side.
        side: Side,
        /// Its price.
        price: Price,
        /// Its quantity.
        qty: Qty,
    },
    /// A trade.
    Trade {
        /// Side of the order that took.
        taker: Side,
        /// Price.
        price: Price,
        /// Quantity.
        qty: Qty,
    },
    /// A mark price.
    Mark(RefPrice),
}

/// A recording read for its own sake, at the times it was made: what changed, in the order of its lines.
///
/// # Bounds
/// One book of [`crate::limits::REPLAYED_LEVELS_MAX`] levels a side, and one line.
pub struct Recording {
    replay: Replay,
    book: Book,
    events: Vec<SourceEvent>, // tidy: bounded by one step of a source: twice the levels of its book
}

impl Recording {
    /// Reads the lines of a contract.
    pub fn new(lines: Lines, instrument: &Instrument) -> Self {
        let mut replay = Replay::new(ReplaySpec { lines, speed_milli: 1_000 }, instrument, Time::ZERO);
        replay.start = Time::from_nanos(replay.origin);
        Self { replay, book: Book::new(crate::limits::REPLAYED_LEVELS_MAX), events: Vec::new() }
    }

    /// Takes the next line that says something and calls `each` with what it says; returns when it was recorded, `None` at the end.
    pub fn step(&mut self, mut each: impl FnMut(Recorded)) -> Option<Time> {
        let at = self.replay.next_at()?;
        self.replay.step(&self.book, &mut self.events);
        for event in self.events.drain(..) {
            match event {
                SourceEvent::Level { side, price, qty } => {
                    self.book.set(plimsoll_market::LevelChange { side, level: plimsoll_market::Level { price, qty } });
                    each(Recorded::Level { side, price, qty });
                }
                SourceEvent::Trade { price, qty, taker } => each(Recorded::Trade { taker, price, qty }),
                SourceEvent::Mark { mark, .. } => each(Recorded::Mark(mark)),
                // A recording has trades, no takers of its own.
                SourceEvent::Take { .. } => {}
            }
        }
        Some(at)
    }

    /// What was wrong with it so far.
    pub fn faults(&self) -> Faults {
        self.replay.faults()
    }
}

/// Lets the top be as the ticker says: nothing better than it, and its quantities. `pending` are changes of the same step,
/// which are not in the book yet.
fn overlay(ticker: Ticker, book: &Book, pending: &[(Side, Price, Qty)], events: &mut Vec<SourceEvent>) {
    let better = |side: Side, price: Price| match side {
        Side::Buy => price > ticker.bid.0,
        Side::Sell => price < ticker.ask.0,
    };
    for side in [Side::Buy, Side::Sell] {
        let there = book.levels(side).map(|l| l.price).take_while(|p| better(side, *p));
        let coming =
            pending.iter().filter(|(s, price, qty)| *s == side && !qty.is_zero() && better(side, *price)).map(|(_, price, _)| *price);
        events.extend(there.chain(coming).map(|price| SourceEvent::Level { side, price, qty: Qty::ZERO }));
    }
    for (side, (price, qty)) in [(Side::Buy, ticker.bid), (Side::Sell, ticker.ask)] {
        if !price.is_zero() {
            events.push(SourceEvent::Level { side, price, qty });
        }
    }
}

/// A line that is no record.
struct Malformed;

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    stream: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, rename = "lastUpdateId")]
    last_update: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawDepth<'a> {
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    pu: u64,
    #[serde(borrow)]
    b: Vec<[&'a str; 2]>, // tidy: bounded by the line it is read from; lives as long as the call
    #[serde(borrow)]
    a: Vec<[&'a str; 2]>, // tidy: bounded by the line it is read from; lives as long as the call
}

#[derive(Deserialize)]
struct RawSnapshot<'a> {
    #[serde(rename = "lastUpdateId")]
    last_update: u64,
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>, // tidy: bounded by the line it is read from; lives as long as the call
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>, // tidy: bounded by the line it is read from; lives as long as the call
}

#[derive(Deserialize)]
struct RawTicker<'a> {
    u: u64,
    b: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    a: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
}

#[derive(Deserialize)]
struct RawTrade<'a> {
    p: &'a str,
    q: &'a str,
    m: bool,
    #[serde(rename = "X", default = "market")]
    kind: &'a str,
}

const fn market() -> &'static str {
    "MARKET"
}

#[derive(Deserialize)]
struct RawMark<'a> {
    p: &'a str,
    i: &'a str,
    r: &'a str,
}

/// Reads a line; `None` for one that is well but says nothing here.
fn parse(line: &str, instrument: &Instrument, prefix: &str, trades: Option<&str>) -> Result<Option<(u64, Record)>, Malformed> {
    if line.len() > REPLAY_LINE_MAX {
        return Err(Malformed);
    }
    let line = line.trim_end();
    if line.is_empty() {
        return Ok(None);
    }
    if line == RESTART {
        return Ok(Some((0, Record::Restart)));
    }
    let (stamp, json) = line.split_once(' ').ok_or(Malformed)?;
    let at: u64 = stamp.parse().map_err(|_| Malformed)?;
    // Microseconds have 16 digits until the year 2286, nanoseconds 19 since 2001.
    let at = if stamp.len() <= 16 { at.saturating_mul(1_000) } else { at };
    let wrapped: Wrapped = read(json)?;
    if wrapped.last_update.is_some() {
        let raw: RawSnapshot = read(json)?;
        return Ok(Some((at, Record::Snapshot { last_update: raw.last_update, levels: levels(&raw.bids, &raw.asks, instrument)? })));
    }
    let (Some(stream), Some(data)) = (wrapped.stream, wrapped.data) else { return Ok(None) };
    let Some(kind) = stream.strip_prefix(prefix) else { return Ok(None) };
    let data = data.get();
    let record = if kind.starts_with("depth") {
        let raw: RawDepth = read(data)?;
        Record::Depth(Depth { first: raw.first, last: raw.u, previous: raw.pu, levels: levels(&raw.b, &raw.a, instrument)? })
    } else if kind == "bookTicker" {
        let raw: RawTicker = read(data)?;
        let bid = (price(raw.b, instrument)?, qty(raw.bid_qty, instrument)?);
        Record::Ticker(Ticker { update: raw.u, bid, ask: (price(raw.a, instrument)?, qty(raw.ask_qty, instrument)?) })
    } else if trades.map_or(kind == AGGREGATED || kind == SINGLE, |trades| kind == trades) {
        let raw: RawTrade = read(data)?;
        let (price, qty) = (price(raw.p, instrument)?, qty(raw.q, instrument)?);
        if raw.kind != "MARKET" || price.is_zero() || qty.is_zero() {
            return Ok(None);
        }
        // `m`: the buyer was the maker, so the seller took.
        Record::Trade { price, qty, taker: if raw.m { Side::Sell } else { Side::Buy } }
    } else if kind.starts_with("markPrice") {
        let raw: RawMark = read(data)?;
        let reference = |text| parse_units(text, 8, Round::Nearest).ok().and_then(|u| i64::try_from(u).ok()).ok_or(Malformed);
        let funding = parse_units(raw.r, 6, Round::Nearest).ok().and_then(|u| i32::try_from(u).ok()).ok_or(Malformed)?;
        let (mark, index) = (RefPrice::from_units(reference(raw.p)?), RefPrice::from_units(reference(raw.i)?));
        Record::Mark { mark, index, funding: Bps::from_ppm(funding) }
    } else {
        return Ok(None);
    };
    Ok(Some((at, record)))
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(json).map_err(|_| Malformed)
}

fn price(text: &str, instrument: &Instrument) -> Result<Price, Malformed> {
    instrument.parse_price(text, Round::Exact).map_err(|_| Malformed)
}

fn qty(text: &str, instrument: &Instrument) -> Result<Qty, Malformed> {
    instrument.parse_qty(text, Round::Exact).map_err(|_| Malformed)
}

fn levels(bids: &[[&str; 2]], asks: &[[&str; 2]], instrument: &Instrument) -> Result<Vec<(Side, Price, Qty)>, Malformed> {
    let sides = bids.iter().map(|l| (Side::Buy, l)).chain(asks.iter().map(|l| (Side::Sell, l)));
    sides.map(|(side, [p, q])| Ok((side, price(p, instrument)?, qty(q, instrument)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in "\\PC{0,200}", stamp in 0_u64.., body in "\\PC{0,80}") {
            let btc = Instrument::example_btcusdt();
            let _outcome = parse(&line, &btc, "btcusdt@", None);
            let _outcome = parse(&format!("{stamp} {{\"stream\":\"btcusdt@trade\",\"data\":{body}}}"), &btc, "btcusdt@", None);
        }
    }

    #[test]
    fn stamps_are_micro_or_nanoseconds() {
        let btc = Instrument::example_btcusdt();
        let trade = |stamp: &str, kind: &str| {
            let line = format!(r#"{stamp} {{"stream":"btcusdt@trade","data":{{"p":"100.10","q":"0.002","X":"{kind}","m":true}}}}"#);
            parse(&line, &btc, "btcusdt@", None).ok().flatten().map(|(at, _)| at)
        };
        assert_eq!(trade("1680652700441533", "MARKET"), Some(1_680_652_700_441_533_000));
        assert_eq!(trade("1723161255088176367", "MARKET"), Some(1_723_161_255_088_176_367));
        assert_eq!(trade("1723161255088176367", "INSURANCE_FUND"), None);
    }
}
