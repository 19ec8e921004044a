//! The book and the candles built from recorded days equal an independent reconstruction.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests may panic, and say what they leave out")]

mod shared;

use flate2::read::GzDecoder;
use plimsoll_bounded::Ledger;
use plimsoll_exchange::binance::book_sync::{BookStep, BookSync};
use plimsoll_exchange::binance::decode::{Message, TradeOrigin, decode, depth_snapshot};
use plimsoll_market::limits::BOOK_LEVELS_MAX;
use plimsoll_market::{Candle, CandleBuilder, Price, Qty, Side, Top};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

const PRICE_SCALE: u8 = 2;
const QTY_SCALE: u8 = 3;

/// Tops of the book compared with a bookTicker of the same update id, and those equal in prices and quantities.
#[derive(Default, Debug)]
struct Compared {
    count: u64,
    equal: u64,
}

impl Compared {
    fn add(&mut self, a: Top, b: Top) {
        let parts = |t: Top| (t.bid, t.bid_qty, t.ask, t.ask_qty);
        self.count += 1;
        self.equal += u64::from(parts(a) == parts(b));
    }
}

/// What a day left behind.
struct Day {
    sync: BookSync,
    snapshot_id: u64,
    /// Depth events whose bookTicker of the same update id came before them, as the oracle counts, and after them.
    before: Compared,
    after: Compared,
    candles: Vec<Candle>,
    trades_not_of_the_market: u64,
    other_messages: u64,
}

fn play(files: &[&Path], symbol: &str) -> Day {
    let ledger = Ledger::open(64 << 20);
    let instruments = shared::instruments(&ledger, &[(symbol, PRICE_SCALE, QTY_SCALE)]);
    let scales = instruments.scales(symbol).unwrap();
    let mut buffer = shared::depth_buffer(&ledger);
    let mut day = Day {
        sync: BookSync::new(
            ledger.grant(BookSync::levels_line("test.levels", BOOK_LEVELS_MAX)).unwrap(),
            ledger.grant(BookSync::pending_line("test.pending")).unwrap(),
            ledger.grant(BookSync::changes_line("test.changes")).unwrap(),
        ),
        snapshot_id: 0,
        before: Compared::default(),
        after: Compared::default(),
        candles: Vec::new(),
        trades_not_of_the_market: 0,
        other_messages: 0,
    };
    let mut builder = CandleBuilder::new(Duration::from_secs(60));
    let mut tickers: HashMap<u64, Top> = HashMap::new();
    for file in files {
        let lines = BufReader::new(GzDecoder::new(std::fs::File::open(file).unwrap())).lines();
        for (number, line) in lines.enumerate() {
            let line = line.unwrap();
            let (_, json) = line.split_once(' ').unwrap();
            if json.starts_with(r#"{"lastUpdateId""#) {
                let snapshot = depth_snapshot(json.as_bytes(), &scales).unwrap();
                day.snapshot_id = snapshot.last_id;
                let step = day.sync.on_snapshot(&snapshot);
                assert!(!matches!(step, BookStep::Gap(_)), "line {number}: {step:?}");
                continue;
            }
            match decode(json.as_bytes(), &instruments, &mut buffer).unwrap_or_else(|e| panic!("line {number}: {}", e.chain())) {
                Message::Depth(update) => {
                    let step = day.sync.on_update(update);
                    assert!(!matches!(step, BookStep::Gap(_)), "line {number}: {step:?}");
                    if step == BookStep::Applied
                        && let (Some(ticker), Some(top)) = (tickers.get(&update.last_id), day.sync.top())
                    {
                        day.before.add(*ticker, top);
                    }
                }
                Message::BookTicker(ticker) => {
                    if day.sync.last_id() == Some(ticker.update_id)
                        && let Some(top) = day.sync.top()
                    {
                        day.after.add(ticker.top, top);
                    }
                    tickers.insert(ticker.update_id, ticker.top);
                }
                Message::Trade(trade) if trade.origin == TradeOrigin::Market => day.candles.extend(builder.push(&trade.trade)),
                Message::Trade(_) => day.trades_not_of_the_market += 1,
                Message::Mark(_) => day.other_messages += 1,
                other => panic!("line {number}: {other:?}"),
            }
        }
    }
    day.candles.extend(builder.current().copied());
    day
}

/// A decimal of the oracle, written as a float or a text, in units.
fn units(value: &Value, scale: u8) -> i64 {
    let number = value.as_f64().or_else(|| value.as_str().and_then(|t| t.parse().ok())).unwrap();
    (number * 10_f64.powi(i32::from(scale))).round() as i64
}

fn price(value: &Value) -> Price {
    Price::from_units(units(value, PRICE_SCALE))
}

fn qty(value: &Value) -> Qty {
    Qty::from_units(units(value, QTY_SCALE).unsigned_abs())
}

#[test]
fn books_and_candles_of_recorded_days_equal_the_oracle() {
    let Some(folder) = shared::folder("data/market/hftbacktest") else { return };
    let oracle: Value = serde_json::from_slice(&std::fs::read(folder.join("EXPECTED_book_and_klines.json")).unwrap()).unwrap();
    let days = oracle.as_array().unwrap();
    assert_eq!(days.len(), 3);
    for expected in days {
        let file = expected["file"].as_str().unwrap();
        let symbol = if file.contains("btc") { "BTCUSDT" } else { "ETHUSDT" };
        let day = play(&[&folder.join(file)], symbol);
        let counts = day.sync.counts();
        assert_eq!(day.snapshot_id, expected["snapshot_lastUpdateId"].as_u64().unwrap(), "{file}");
        assert_eq!(counts.applied, expected["applied"].as_u64().unwrap(), "{file}");
        assert_eq!(counts.dropped, expected["dropped_before_snapshot"].as_u64().unwrap(), "{file}");
        assert_eq!((counts.gaps, expected["crossed_after_apply"].as_u64().unwrap()), (0, 0), "{file}");
        assert_eq!(day.sync.last_id(), expected["final_u"].as_u64(), "{file}");
        for (n, (side, name)) in [(Side::Buy, "bids"), (Side::Sell, "asks")].into_iter().enumerate() {
            let count = expected["levels"][n].as_u64().unwrap() as usize;
            assert_eq!(day.sync.levels(side).count(), count, "{file} {name}");
            let top: Vec<_> = day.sync.levels(side).take(5).map(|l| (l.price, l.qty)).collect();
            let wanted: Vec<_> = expected["top5"][name].as_array().unwrap().iter().map(|l| (price(&l[0]), qty(&l[1]))).collect();
            assert_eq!(top, wanted, "{file} {name}");
        }
        assert_eq!(day.before.count, expected["bookTicker_same_u_checked"].as_u64().unwrap(), "{file}");
        assert_eq!(day.before.equal, expected["match"].as_u64().unwrap(), "{file}");
        assert_eq!(day.after.count, day.after.equal, "{file}");
        let candles: Vec<_> =
            day.candles.iter().map(|c| (c.open_time.millis(), c.open, c.high, c.low, c.close, c.volume, u64::from(c.trades))).collect();
        let wanted: Vec<_> = expected["klines_1m_from_market_trades"]
            .as_array()
            .unwrap()
            .iter()
            .map(|k| (k[0].as_u64().unwrap(), price(&k[1]), price(&k[2]), price(&k[3]), price(&k[4]), qty(&k[5]), k[6].as_u64().unwrap()))
            .collect();
        assert_eq!(candles, wanted, "{file}");
    }
}

#[test]
fn a_day_continues_into_the_next_without_a_gap() {
    let Some(folder) = shared::folder("data/market/hftbacktest/usdm") else { return };
    let files = [folder.join("btcusdt_20230404.dat.gz"), folder.join("btcusdt_20230405.dat.gz")];
    let day = play(&[&files[0], &files[1]], "BTCUSDT");
    let counts = day.sync.counts();
    assert_eq!((counts.applied + counts.dropped, counts.gaps), (16_110, 0));
    assert_eq!((day.before.count, day.after.count), (day.before.equal, day.after.equal));
    assert!(day.before.count > 310, "{}", day.before.count);
    assert_eq!(day.trades_not_of_the_market, 1);
    assert_eq!(day.other_messages, 514);
    assert!(day.candles.windows(2).all(|w| w[0].open_time < w[1].open_time));
}
