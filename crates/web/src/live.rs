//! The live view: one task that turns the latest status into frames, and what subscribers share.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use plimsoll_bounded::{Broadcast, FixedState, Grants, LedgerHandle, List, Map, NotPlanned, Ring, Task};
use plimsoll_market::{Symbol, Time, format_units};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::convert;
use crate::convert::LedgerSum;
use crate::dto::{FillDto, LinkDto, MetricsDto, SlotDto, StatusDto, SummaryDto, TotalsDto, WorkingDto};
use crate::limits::{
    FILLS_RECENT, FRAME_BYTES_MAX, FRAME_INTERVAL, HISTORY_POINTS_MAX, LIVE_SLOTS_MAX, SAMPLE_INTERVAL, SYMBOLS_LIVELY, SYMBOLS_MAX,
    SYMBOLS_PER_FRAME,
};
use crate::ports::{Source, SymbolNow};

/// Frames between two samples of all prices.
const SAMPLE_TICKS: u64 = (SAMPLE_INTERVAL.as_millis() / FRAME_INTERVAL.as_millis()) as u64;
/// Frames between two readings of memory and CPU.
const METRICS_TICKS: u64 = 2 * SAMPLE_TICKS;

/// A frame on its way to the subscribers; the text is shared.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Whom it is for: those who watch this symbol, or everybody.
    pub(crate) watchers_of: Option<Symbol>,
    /// The JSON text.
    pub(crate) text: Utf8Bytes,
}

/// A price at a time, of the symbol whose name hashes to `symbol`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    symbol: u64,
    time_ms: u64,
    price: i64,
}

/// Who watches a symbol, and what they were last told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watch {
    watchers: usize,
    orders: u64,
    slots: u64,
    fills: u64,
}

/// Everything a frame can say. Sections are whole: applying one twice, or missing one before it, does no harm.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message<'a> {
    /// The first frame of a connection; the symbols follow in pulses.
    Hello { interval_ms: u64, status: &'a StatusDto, metrics: &'a MetricsDto },
    /// Everything that moves for all symbols; `symbols` has those that changed.
    Pulse {
        seq: u64,
        time_ms: u64,
        stopping: bool,
        links: &'a [LinkDto],
        totals: &'a TotalsDto,
        symbols: &'a [SummaryDto],
        #[serde(skip_serializing_if = "Option::is_none")]
        metrics: Option<&'a MetricsDto>,
    },
    /// The sections of a watched symbol that changed; all of them, and the price's history, when the watch begins.
    Symbol {
        seq: u64,
        symbol: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        orders: Option<Vec<WorkingDto>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        slots: Option<Vec<SlotDto>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        fills: Option<Vec<FillDto>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prices: Option<Vec<(u64, String)>>,
    },
    /// Frames that this subscriber was too slow for; what they said is said again right after.
    Lost { frames: u64 },
    /// A message of the subscriber that makes no sense.
    Error { detail: &'a str },
    /// The last frame.
    Bye { reason: &'a str },
}

fn encode(message: &Message<'_>) -> Utf8Bytes {
    match serde_json::to_string(message) {
        Ok(text) => text.into(),
        Err(error) => {
            // Maps with odd keys are the only thing that serde_json refuses, and there are none.
            tracing::error!(%error, "live frame could not be written");
            Utf8Bytes::from_static("{\"type\":\"error\",\"detail\":\"frame could not be written\"}")
        }
    }
}

/// What the subscribers and the task that feeds them share.
pub(crate) struct Live {
    pub(crate) frames: Broadcast<Frame>,
    source: Arc<dyn Source>,
    ledger: LedgerHandle,
    dashboard: String,
    watched: Mutex<Map<Symbol, Watch>>,
    samples: Mutex<Ring<Sample>>,
    /// Memory is short: nobody is served live.
    closed: AtomicBool,
    /// Wakes the subscribers when it has become so.
    closing: Notify,
    /// How often those who fell behind were to be let go.
    sweeps: AtomicU64,
}

/// Opens and closes the door for live subscribers, as memory allows. Cheap to clone; never waits.
///
/// A subscriber that is sent away finds its way back by itself and is told everything anew.
#[derive(Clone)]
pub struct Viewers {
    live: Arc<Live>,
}

impl Viewers {
    pub(crate) fn new(live: Arc<Live>) -> Self {
        Self { live }
    }

    /// Sends every live subscriber away, and each that comes, until [`Viewers::let_in`]. Again it does no harm.
    pub fn send_away(&self) {
        if !self.live.closed.swap(true, Relaxed) {
            self.live.closing.notify_waiters();
        }
    }

    /// Lets live subscribers in again.
    pub fn let_in(&self) {
        self.live.closed.store(false, Relaxed);
    }

    /// Has those let go who lost frames since the time before: they are too slow, and what waits for them takes room.
    ///
    /// Those who take nothing or do not answer need no sweep: each is let go within seconds.
    pub fn sweep(&self) {
        self.live.sweeps.fetch_add(1, Relaxed);
    }

    /// Returns how many live subscribers there are.
    pub fn count(&self) -> usize {
        self.live.frames.subscribers()
    }
}

impl std::fmt::Debug for Viewers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Viewers({})", self.count())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn mark(value: &impl Hash) -> u64 {
    FixedState.hash_one(value)
}

fn mark_json(value: &impl Serialize) -> u64 {
    serde_json::to_vec(value).map_or(0, |bytes| mark(&bytes))
}

impl Live {
    pub(crate) fn new(
        grants: &mut Grants,
        subscribers: usize,
        source: Arc<dyn Source>,
        ledger: LedgerHandle,
        dashboard: String,
    ) -> Result<Self, NotPlanned> {
        Ok(Self {
            frames: Broadcast::new(grants.take("web.live.frames")?, subscribers),
            source,
            ledger,
            dashboard,
            watched: Mutex::new(Map::new(grants.take("web.live.watched")?)),
            samples: Mutex::new(Ring::new(grants.take("web.live.samples")?)),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            sweeps: AtomicU64::new(0),
        })
    }

    /// Tells whether memory is too short for live subscribers.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Waits until memory is too short for live subscribers.
    pub(crate) async fn closed(&self) {
        loop {
            // Made before the look, so that a wake-up in between is not missed.
            let closing = self.closing.notified();
            if self.is_closed() {
                return;
            }
            closing.await;
        }
    }

    pub(crate) fn sweeps(&self) -> u64 {
        self.sweeps.load(Relaxed)
    }

    pub(crate) fn ledger_sum(&self) -> LedgerSum {
        let mut sum =
            LedgerSum { budget_bytes: self.ledger.budget(), planned_bytes: self.ledger.total_bytes(), used_bytes: 0, overflows: 0 };
        for line in self.ledger.lines() {
            sum.used_bytes += line.used_bytes();
            sum.overflows += line.overflows;
        }
        sum
    }

    pub(crate) fn metrics(&self) -> MetricsDto {
        MetricsDto::new(&self.source.metrics(), self.ledger_sum())
    }

    pub(crate) fn symbols(&self) -> Vec<Arc<SymbolNow>> {
        let mut symbols = self.source.symbols();
        symbols.truncate(SYMBOLS_MAX);
        symbols
    }

    pub(crate) fn status(&self, symbols: &[Arc<SymbolNow>]) -> StatusDto {
        StatusDto::new(self.source.now(), &self.source.system(), symbols.iter().map(AsRef::as_ref), self.dashboard.clone())
    }

    /// What a subscriber is told first: the system, then all symbols.
    pub(crate) fn greeting(&self) -> Vec<Utf8Bytes> {
        let symbols = self.symbols();
        let mut status = self.status(&symbols);
        let summaries = std::mem::take(&mut status.symbols);
        let hello = Message::Hello { interval_ms: FRAME_INTERVAL.as_millis() as u64, status: &status, metrics: &self.metrics() };
        let mut texts = vec![encode(&hello)];
        let StatusDto { time_ms, stopping, links, totals, .. } = &status;
        for symbols in summaries.chunks(SYMBOLS_PER_FRAME) {
            let pulse = Message::Pulse { seq: 0, time_ms: *time_ms, stopping: *stopping, links, totals, symbols, metrics: None };
            texts.push(encode(&pulse));
        }
        texts
    }

    /// Everything about one symbol, for a watch that begins; `None` when it is not traded here.
    pub(crate) fn opening(&self, symbol: &Symbol) -> Option<Utf8Bytes> {
        let now = self.source.symbol(symbol)?;
        Some(encode(&Message::Symbol {
            seq: 0,
            symbol: symbol.as_str(),
            orders: Some(convert::orders(&now)),
            slots: Some(convert::slots(&now, LIVE_SLOTS_MAX)),
            fills: Some(self.fills(symbol)),
            prices: Some(self.prices(&now)),
        }))
    }

    pub(crate) fn knows(&self, symbol: &Symbol) -> bool {
        self.source.symbol(symbol).is_some()
    }

    pub(crate) fn lost(frames: u64) -> Utf8Bytes {
        encode(&Message::Lost { frames })
    }

    pub(crate) fn error(detail: &str) -> Utf8Bytes {
        encode(&Message::Error { detail })
    }

    pub(crate) fn bye(reason: &str) -> Utf8Bytes {
        encode(&Message::Bye { reason })
    }

    fn fills(&self, symbol: &Symbol) -> Vec<FillDto> {
        let mut fills = self.source.fills(symbol);
        fills.truncate(FILLS_RECENT);
        fills
    }

    fn prices(&self, now: &SymbolNow) -> Vec<(u64, String)> {
        let id = mark(&now.status.symbol);
        let points: Vec<(u64, i64)> =
            lock(&self.samples).iter().filter(|sample| sample.symbol == id).map(|sample| (sample.time_ms, sample.price)).collect();
        let scale = now.instrument.price_scale;
        thin(&points, HISTORY_POINTS_MAX)
            .into_iter()
            .map(|(time, price)| (time, format_units(i128::from(price), scale).to_string()))
            .collect()
    }

    fn sample(&self, symbols: &[Arc<SymbolNow>], now: Time) {
        let mut samples = lock(&self.samples);
        for symbol in symbols {
            let Some(price) = convert::shown_price(symbol) else { continue };
            samples.roll(Sample { symbol: mark(&symbol.status.symbol), time_ms: now.millis(), price: price.units() });
        }
    }

    /// Counts one watcher more, or says that there is no room.
    fn watch(&self, symbol: Symbol) -> bool {
        match lock(&self.watched).get_or_insert_with(symbol, Watch::default) {
            Ok(watch) => {
                watch.watchers += 1;
                true
            }
            Err(_) => false,
        }
    }

    fn unwatch(&self, symbol: &Symbol) {
        let mut watched = lock(&self.watched);
        if let Some(watch) = watched.get_mut(symbol) {
            watch.watchers -= 1;
            if watch.watchers == 0 {
                watched.remove(symbol);
            }
        }
    }

    fn publish(&self, frame: &Frame) {
        if frame.text.len() > FRAME_BYTES_MAX {
            // The line's bytes would be a lie. The next watch or request still shows everything.
            tracing::error!(size_bytes = frame.text.len(), "live frame is larger than planned and was left out");
            return;
        }
        self.frames.publish(frame);
    }
}

/// The symbols one subscriber watches; they are let go when it is dropped.
pub(crate) struct Watches {
    live: Arc<Live>,
    symbols: arrayvec::ArrayVec<Symbol, { crate::limits::WATCH_MAX }>,
}

impl Watches {
    pub(crate) fn none(live: Arc<Live>) -> Self {
        Self { live, symbols: arrayvec::ArrayVec::new() }
    }

    /// Watches these from now on and no others; returns those that are new. What is beyond the limits is left out.
    pub(crate) fn replace(&mut self, wanted: &[Symbol]) -> Vec<Symbol> {
        let Self { live, symbols } = self;
        symbols.retain(|symbol| {
            let keep = wanted.contains(symbol);
            if !keep {
                live.unwatch(symbol);
            }
            keep
        });
        let mut added = Vec::new();
        for symbol in wanted {
            if !symbols.contains(symbol) && !symbols.is_full() && live.watch(*symbol) {
                symbols.push(*symbol);
                added.push(*symbol);
            }
        }
        added
    }

    pub(crate) fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        for symbol in &self.symbols {
            self.live.unwatch(symbol);
        }
    }
}

/// Keeps at most `most` points: of each stretch the lowest and the highest, in their order, and the last point.
fn thin(points: &[(u64, i64)], most: usize) -> Vec<(u64, i64)> {
    if points.len() <= most || most < 4 {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil((most - 1) / 2);
    let mut kept = Vec::with_capacity(most);
    for chunk in points.chunks(stretch) {
        let low = chunk.iter().min_by_key(|(_, price)| *price);
        let high = chunk.iter().max_by_key(|(_, price)| *price);
        let (Some(&low), Some(&high)) = (low, high) else { continue };
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        kept.push(first);
        if second != first {
            kept.push(second);
        }
    }
    if let Some(&last) = points.last().filter(|last| kept.last() != Some(last)) {
        kept.push(last);
    }
    kept
}

/// Makes frames until it is told to end.
pub(crate) struct Hub {
    live: Arc<Live>,
    /// What was last told of each symbol, in their order.
    marks: List<u64>,
    ticks: u64,
    seq: u64,
}

impl Hub {
    pub(crate) fn new(live: Arc<Live>, grants: &mut Grants) -> Result<Self, NotPlanned> {
        Ok(Self { live, marks: List::new(grants.take("web.live.marks")?), ticks: 0, seq: 0 })
    }

    pub(crate) async fn run(mut self, task: Task) {
        let mut ticker = interval(FRAME_INTERVAL);
        // Late frames are not made up for: only the latest matters.
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        task.pulse.expect_every(FRAME_INTERVAL * 40);
        while task.stop.or(ticker.tick()).await.is_some() {
            task.pulse.beat();
            self.tick();
        }
    }

    /// Makes the frames that are due now.
    fn tick(&mut self) {
        let tick = self.ticks;
        self.ticks += 1;
        let sampling = tick.is_multiple_of(SAMPLE_TICKS);
        let watched = self.live.frames.subscribers() > 0;
        if !sampling && !watched {
            return;
        }
        let symbols = self.live.symbols();
        if sampling {
            self.live.sample(&symbols, self.live.source.now());
        }
        if !watched {
            return;
        }
        if sampling || symbols.len() <= SYMBOLS_LIVELY {
            self.pulse(&symbols, sampling, tick.is_multiple_of(METRICS_TICKS));
        }
        self.details();
    }

    fn pulse(&mut self, symbols: &[Arc<SymbolNow>], due: bool, with_metrics: bool) {
        let changed: Vec<SummaryDto> = symbols.iter().enumerate().filter_map(|(at, symbol)| self.changed(at, symbol)).collect();
        if changed.is_empty() && !due {
            return;
        }
        let system = self.live.source.system();
        let links: Vec<LinkDto> = system.links.iter().map(LinkDto::new).collect();
        let totals = TotalsDto::new(symbols.iter().map(AsRef::as_ref), system.equity);
        let metrics = with_metrics.then(|| self.live.metrics());
        let time_ms = self.live.source.now().millis();
        // At least one frame goes out, so that those who listen know that the data is fresh.
        for symbols in changed.chunks(SYMBOLS_PER_FRAME).chain(changed.is_empty().then_some(changed.as_slice())) {
            self.seq += 1;
            let (links, totals, metrics) = (links.as_slice(), &totals, metrics.as_ref());
            let message = Message::Pulse { seq: self.seq, time_ms, stopping: system.stopping, links, totals, symbols, metrics };
            self.live.publish(&Frame { watchers_of: None, text: encode(&message) });
        }
    }

    /// The summary of a symbol when it differs from what was last told.
    fn changed(&mut self, at: usize, now: &SymbolNow) -> Option<SummaryDto> {
        let mut summary = SummaryDto::new(now);
        // The engine's own time moves with every status; alone it is no news.
        let time_ms = std::mem::take(&mut summary.time_ms);
        let mark = mark_json(&summary);
        summary.time_ms = time_ms;
        match self.marks.as_mut_slice().get_mut(at) {
            Some(last) if *last == mark => None,
            Some(last) => {
                *last = mark;
                Some(summary)
            }
            // A list that is full means more symbols than can be shown: then all are told each time.
            None => self.marks.push(mark).map_or_else(|_| Some(summary.clone()), |()| Some(summary.clone())),
        }
    }

    fn details(&mut self) {
        let watched: Vec<(Symbol, Watch)> = lock(&self.live.watched).iter().map(|(symbol, watch)| (*symbol, *watch)).collect();
        for (symbol, before) in watched {
            let Some(now) = self.live.source.symbol(&symbol) else { continue };
            let (orders, slots) = (convert::orders(&now), convert::slots(&now, LIVE_SLOTS_MAX));
            let fills = self.live.fills(&symbol);
            let after = Watch { orders: mark_json(&orders), slots: mark_json(&slots), fills: mark_json(&fills), watchers: before.watchers };
            if (after.orders, after.slots, after.fills) == (before.orders, before.slots, before.fills) {
                continue;
            }
            if let Some(watch) = lock(&self.live.watched).get_mut(&symbol) {
                *watch = Watch { watchers: watch.watchers, ..after };
            }
            self.seq += 1;
            let message = Message::Symbol {
                seq: self.seq,
                symbol: symbol.as_str(),
                orders: (after.orders != before.orders).then_some(orders),
                slots: (after.slots != before.slots).then_some(slots),
                fills: (after.fills != before.fills).then_some(fills),
                prices: None,
            };
            self.live.publish(&Frame { watchers_of: Some(symbol), text: encode(&message) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(points: usize, most: usize) {
        // A saw with one spike that must survive.
        let points: Vec<(u64, i64)> =
            (0..points as u64).map(|t| (t, if t == points as u64 / 2 { 9_999 } else { (t % 7) as i64 })).collect();
        let thinned = thin(&points, most);
        assert!(thinned.len() <= most.max(points.len().min(most)), "{} of {}", thinned.len(), points.len());
        assert!(thinned.is_sorted_by_key(|(time, _)| *time));
        assert_eq!(thinned.last(), points.last());
        assert!(points.len() < 3 || thinned.iter().any(|(_, price)| *price == 9_999));
    }

    #[test]
    fn thinning_keeps_extremes_and_the_last_point_within_the_limit() {
        for (points, most) in [(0, 8), (3, 8), (8, 8), (9, 8), (1_000, 8), (3_600, HISTORY_POINTS_MAX), (7_201, HISTORY_POINTS_MAX)] {
            check(points, most);
        }
    }
}
