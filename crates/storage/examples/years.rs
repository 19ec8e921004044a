//! What years of trading do to the database: loads them through the writer, then asks everything that can be asked.
//!
//! `cargo run --release -p plimsoll-storage --example years -- URL YEARS` loads YEARS of 2,000 fills a day (each with its order) with
//! the history beside them: an equity point every minute and a sample of the process every minute of the last seven days,
//! lines of the log and events. Prints the time of each query over many places of the account's life (p50, p95 and the longest), the
//! size of the database before and after the retention, and the memory of this process at each step. Without arguments it shows
//! itself: two days, in a database that is gone afterwards.

#![allow(clippy::print_stderr, reason = "it shows its progress and its figures")]

use std::error::Error;
use std::time::{Duration, Instant};

use plimsoll_bounded::{Grant, Tasks};
use plimsoll_market::{
    Alert, AlertCode, Amount, Asset, FundingPayment, LogLevel, Name, Order, OrderStatus, Record, Severity, Symbol, Time, Totals, TradeId,
};
use plimsoll_storage::limits::{POINTS_MAX, ROWS_MAX};
use plimsoll_storage::{
    DayRange, EquityPoint, EventId, HistoryEvent, Key, LogLimit, LogLine, LogQuery, OrderCursor, Reader, RecordRefused, Recorder, RowLimit,
    Store, StoreConfig, StoreError, StoreGrants, SystemRow, TimeRange,
};

#[path = "support/books.rs"]
#[expect(clippy::expect_used, reason = "made up of constants")]
mod books;

/// The bot's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const FILLS_A_DAY: u64 = 2_000;
const DAY: Duration = Duration::from_secs(86_400);
/// Between two fills.
const STEP: Duration = Duration::from_millis(86_400_000 / FILLS_A_DAY);
/// When the account's life ends.
const END: Time = Time::from_millis(1_790_000_000_000);
/// How often each query is asked; when it only shows itself, seldom.
const ASKED: u64 = 200;
const ASKED_SHOWN: u64 = 10;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let shown = tempfile::tempdir()?;
    let url = arguments.next().unwrap_or_else(|| format!("sqlite:{}", shown.path().join("years.db").display()));
    let years: f64 = arguments.next().map_or(Ok(2.0 / 365.0), |text| text.parse())?;
    let days = (years * 365.0).ceil() as u64;
    let asked = if days > 2 { ASKED } else { ASKED_SHOWN };
    let life = Life { asked, days, fills: days * FILLS_A_DAY, key: Key { account: Name::new("main")?, symbol: Symbol::new("BTCUSDT")? } };
    let config = StoreConfig::of_url(url)?;
    let grants = StoreGrants::detached(&config);
    let tasks = Tasks::new(Grant::detached(Tasks::line("example.tasks", 2, 1_024)));
    let store = Store::open(config, grants, &tasks).await?;
    say(&format!("{} fills of {days} days", life.fills), &store).await?;

    let begun = Instant::now();
    // A database that an earlier run has loaded is asked as it is.
    if store.load(&life.key).await?.totals.is_none() {
        life.load(&store).await?;
        let (took, counts) = (begun.elapsed().as_secs_f64(), store.counts());
        say(&format!("loaded in {took:.0} s, {:.0} records a second", counts.records as f64 / took), &store).await?;
        life.history(&store).await?;
        say("history beside them", &store).await?;
    }
    life.ask(&store.reader()).await?;
    say("asked", &store).await?;

    let begun = Instant::now();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let done = store.retain(END).await?;
        if !done.more || rounds == 1_000 {
            break;
        }
    }
    say(&format!("retention in {:.0} s, {rounds} runs", begun.elapsed().as_secs_f64()), &store).await?;
    life.ask(&store.reader()).await?;
    say("asked again", &store).await?;
    store.stop(Duration::from_secs(60)).await?;
    Ok(())
}

/// Says how far it is, with the sizes of the database and of this process.
async fn say(what: &str, store: &Store) -> Result<(), StoreError> {
    let sizes = store.sizes().await?;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let resident = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find(|line| line.starts_with("VmRSS"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    let resident = resident.map_or("unknown".to_owned(), |kib| format!("{:.1} MB", kib as f64 * 1_024.0 / 1e6));
    eprintln!("{what}: database {:.1} MB, log {:.1} MB, this process {resident}", mb(sizes.database), mb(sizes.log));
    Ok(())
}

struct Life {
    asked: u64,
    days: u64,
    fills: u64,
    key: Key,
}

impl Life {
    fn time(&self, number: u64) -> Time {
        Time::from_nanos(END.nanos() - (self.fills - number) * STEP.as_nanos() as u64)
    }

    async fn load(&self, store: &Store) -> Result<(), Box<dyn Error>> {
        let usdt = Asset::new("USDT")?;
        let mut recorder = store.recorder(self.key);
        let mut totals = Totals::EMPTY;
        for number in 1..=self.fills {
            let mut record = books::record(number, &totals);
            totals = record.totals;
            let time = self.time(number);
            if let Some(booked) = &mut record.fill {
                booked.fill.time = time;
            }
            if let Some(order) = &mut record.order {
                *order = Order { time, status: OrderStatus::Filled, ..*order };
            }
            if number.is_multiple_of(FILLS_A_DAY / 3) {
                record.funding = Some(FundingPayment { amount: Amount::new(usdt, -7_000), time });
            }
            self.put(store, &mut recorder, record).await?;
            if number.is_multiple_of(500_000) {
                eprintln!("{number} of {}", self.fills);
            }
        }
        store.flush().await?;
        Ok(())
    }

    /// Waits when the queue is full, which an engine never does.
    async fn put(&self, store: &Store, recorder: &mut Recorder, record: Record) -> Result<(), Box<dyn Error>> {
        while let Err(refused) = recorder.record(record) {
            if refused == RecordRefused::Stopped {
                return Err(refused.into());
            }
            store.flush().await?;
            recorder.resume();
        }
        Ok(())
    }

    async fn history(&self, store: &Store) -> Result<(), Box<dyn Error>> {
        let (history, logs) = (store.history(), store.logs());
        let before = |age: Duration| Time::from_nanos(END.nanos() - age.as_nanos() as u64);
        let days = self.days.min(35) as u32;
        for minute in (1..=days * 1_440).rev() {
            let time = before(Duration::from_secs(60) * minute);
            history.equity(EquityPoint {
                time,
                account: self.key.account,
                wallet: i128::from(minute) << 30,
                unrealized: i128::from(minute % 97),
            });
            if minute.is_multiple_of(250) {
                store.flush().await?;
            }
        }
        for sample in (1..=days.min(7) * 1_440).rev() {
            let time = before(Duration::from_secs(60) * sample);
            history.system(&SystemRow { rss: Some(40 << 20), cpu_milli: Some(sample % 800), tasks: Some(40), ..SystemRow::at(time) });
            if sample.is_multiple_of(250) {
                store.flush().await?;
            }
        }
        for event in (1..=(self.days * 50).min(100_000)).rev() {
            let time = before(Duration::from_secs(300) * event as u32);
            let alert = Alert::new(Severity::Info, AlertCode::Started, time, &"a sentence about what happened, as long as they are");
            history.event(HistoryEvent { account: Some(self.key.account), symbol: Some(self.key.symbol), alert });
            logs.write(LogLine {
                time: before(Duration::from_secs(6) * event as u32),
                level: if event.is_multiple_of(100) { LogLevel::Error } else { LogLevel::Info },
                target: "plimsoll",
                text: "a line of the log about what happened, with a field or two count=17 symbol=BTCUSDT".into(),
                account: None,
                symbol: None,
            });
            if event.is_multiple_of(250) {
                store.flush().await?;
            }
        }
        store.flush().await?;
        Ok(())
    }

    async fn ask(&self, reader: &Reader) -> Result<(), Box<dyn Error>> {
        let (key, week) = (self.key, Duration::from_secs(7 * 86_400));
        let range = |at: u64| {
            let span = (self.days.min(35) * DAY.as_secs()).saturating_sub(week.as_secs()).max(1);
            let to = Time::from_nanos(END.nanos() - at * 7_919 % span * 1_000_000_000);
            TimeRange::new(Time::from_nanos(to.nanos() - week.as_nanos() as u64), to)
        };
        // A prime walks over all of the life.
        let place = |at: u64| at * 104_729 % self.fills + 1;
        measure(self.asked, "fills, the newest 100", async |_| Ok(reader.fills(&key, None, RowLimit::default()).await?.rows.len())).await?;
        measure(self.asked, "fills, 100 anywhere", async |at| {
            Ok(reader.fills(&key, Some(TradeId(place(at))), RowLimit::default()).await?.rows.len())
        })
        .await?;
        let most = RowLimit::new(ROWS_MAX)?;
        measure(self.asked, "fills, the most, anywhere", async |at| {
            Ok(reader.fills(&key, Some(TradeId(place(at))), most).await?.rows.len())
        })
        .await?;
        measure(self.asked, "orders, the newest 100", async |_| Ok(reader.orders(&key, None, RowLimit::default()).await?.rows.len()))
            .await?;
        measure(self.asked, "orders, 100 anywhere", async |at| {
            let mut totals = Totals::EMPTY;
            totals.fills = 1;
            let Some(order) = books::record(place(at), &totals).order else { return Ok(0) };
            let before = OrderCursor { time: self.time(place(at)), id: order.id };
            Ok(reader.orders(&key, Some(before), RowLimit::default()).await?.rows.len())
        })
        .await?;
        measure(self.asked, "funding, 100 anywhere", async |at| {
            Ok(reader.funding(&key, Some(self.time(place(at))), RowLimit::default()).await?.rows.len())
        })
        .await?;
        measure(self.asked, "slots", async |_| Ok(reader.slots(&key).await?.len())).await?;
        measure(self.asked, "totals", async |_| Ok(usize::from(reader.totals(&key).await?.is_some()))).await?;
        measure(self.asked, "equity of a week, 1,000 points", async |at| Ok(reader.equity(&key.account, range(at)?, 1_000).await?.len()))
            .await?;
        measure(self.asked, "equity of a week, the most points", async |at| {
            Ok(reader.equity(&key.account, range(at)?, POINTS_MAX).await?.len())
        })
        .await?;
        measure(self.asked, "events, 100 anywhere", async |at| {
            Ok(reader.events(Some(EventId(at as i64 * 379 + 1)), RowLimit::default()).await?.rows.len())
        })
        .await?;
        measure(self.asked, "samples of a week, 1,000 points", async |at| Ok(reader.system(range(at)?, 1_000).await?.len())).await?;
        measure(self.asked, "samples of a week, the most points", async |at| Ok(reader.system(range(at)?, POINTS_MAX).await?.len()))
            .await?;
        measure(self.asked, "days of a year", async |_| {
            Ok(reader.system_daily(DayRange::new(Time::from_nanos(END.nanos() - 365 * DAY.as_nanos() as u64), END)?).await?.len())
        })
        .await?;
        let lines = |at: u64, level| -> Result<LogQuery, StoreError> {
            Ok(LogQuery { range: range(at)?, level, contains: String::new(), before: None, limit: LogLimit::new(100)? })
        };
        measure(self.asked, "lines of the log, 100", async |at| Ok(reader.logs(&lines(at, LogLevel::Info)?).await?.rows.len())).await?;
        measure(self.asked, "errors in the log, 100", async |at| Ok(reader.logs(&lines(at, LogLevel::Error)?).await?.rows.len())).await?;
        let word = |at: u64| lines(at, LogLevel::Info).map(|query| LogQuery { contains: "nowhere".into(), ..query });
        measure(self.asked, "lines of the log with a word that none has", async |at| Ok(reader.logs(&word(at)?).await?.rows.len())).await?;
        Ok(())
    }
}

async fn measure(asked: u64, what: &str, ask: impl AsyncFn(u64) -> Result<usize, StoreError>) -> Result<(), StoreError> {
    let mut took = Vec::with_capacity(asked as usize);
    let mut rows = 0;
    for at in 0..asked {
        let begun = Instant::now();
        rows = rows.max(ask(at).await?);
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let ms = |share: usize| took.get((took.len() * share / 100).min(took.len() - 1)).map_or(0.0, |t| t.as_secs_f64() * 1e3);
    eprintln!("  {what:<44} {rows:>6} rows  p50 {:>7.2} ms  p95 {:>7.2} ms  longest {:>7.2} ms", ms(50), ms(95), ms(100));
    Ok(())
}
