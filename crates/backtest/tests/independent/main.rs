//! A month of a simple strategy against another backtester: `reference.py` has made `trades.csv` with backtesting.py.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests may panic, and say what they leave out")]

#[path = "../common/mod.rs"]
mod common;

use plimsoll_backtest::import::{ImportOptions, RowKind, import, show_time};
use plimsoll_backtest::{Observer, Run, Sample, Timeline};
use plimsoll_market::{Action, Instrument, Leg, Price, Record, Round, Side, Time};
use plimsoll_strategy::{Average, Direction, Entry, TradeConfig, Trader, TrendFollowingConfig, TrendFollowingPlan};
use std::time::Duration;

/// Executions: when, at what price, and whether they open, by the leg's side.
#[derive(Default)]
struct Fills(Vec<(Time, Leg, Side, Price)>);

impl Observer for Fills {
    fn asked(&mut self, _: Time, _: &Action) {}
    fn booked(&mut self, now: Time, record: &Record) {
        if let Some(booked) = &record.fill {
            self.0.push((now, booked.leg.unwrap(), booked.fill.side, booked.fill.price));
        }
    }
    fn liquidated(&mut self, _: Time) {}
    fn sample(&mut self, _: &Sample) {}
}

/// A trade, with times as text; of the last one the end is not known.
#[derive(Clone, PartialEq, Debug)]
struct Trade {
    side: String,
    entry: (String, f64),
    exit: Option<(String, f64)>,
}

fn minute_of(time: Time) -> String {
    show_time(time).chars().take(16).collect::<String>().replace(' ', "T")
}

/// Entries and exits are at the open of the bar after the crossing. What differs is a tick: ours take from a book, in which one side
/// of the price is a tick away, theirs trade at the price itself.
#[test]
fn crossing_means_make_the_trades_of_another_backtester() {
    let Some(path) = common::shared("privet1x-mit/BTCUSDT_binance_spot_1m_2024-12.csv.gz") else { return };
    let btc = Instrument { tick: Price::from_units(1), ..Instrument::example_btcusdt() };
    let dir = tempfile::tempdir().unwrap();
    let tape = dir.path().join("out.tape");
    let options = ImportOptions {
        instrument: btc,
        kind: Some(RowKind::Klines),
        gap_max: Duration::from_secs(300),
        allow_missing: false,
        prices: Round::Exact,
    };
    import(&[path], &tape, &options, &mut |_| {}).unwrap();

    let mut setup = common::setup("100", 1_000_000);
    setup.market.instrument = btc;
    setup.candle_secs = 60;
    let common = TradeConfig {
        direction: Direction::Both,
        bar: Duration::from_secs(3_600),
        entry: Entry::Taker,
        slippage: 1_000,
        stop_loss: 0,
        trailing_from: 0,
        trailing: 0,
        cooldown: Duration::ZERO,
    };
    let cross = TrendFollowingConfig { amount: 20_000 * 100_000_000, short: 10, long: 30, average: Average::Simple, take_profit: 0 };
    setup.strategy = Box::new(Trader::new(TrendFollowingPlan::new(cross).unwrap(), common));
    let mut run = Run::new(setup, Fills::default()).unwrap();
    let mut timeline = Timeline::open(&[tape]).unwrap();
    while let Some((time, tick)) = timeline.next().unwrap() {
        run.feed(time, &tick).unwrap();
    }
    run.finish().unwrap();

    let mut ours: Vec<Trade> = Vec::new();
    for (time, leg, side, price) in run.into_observer().0 {
        let at = (minute_of(time), price.units() as f64 / 100.0);
        if leg.opens(side) {
            ours.push(Trade { side: if side == Side::Buy { "long" } else { "short" }.to_owned(), entry: at, exit: None });
        } else {
            assert!(ours.last_mut().unwrap().exit.replace(at).is_none(), "one execution each");
        }
    }
    let mut theirs = csv::Reader::from_reader(include_str!("trades.csv").as_bytes());
    let minute = |text: &str| text.chars().take(16).collect::<String>();
    let theirs: Vec<Trade> = theirs
        .records()
        .map(|row| {
            let row = row.unwrap();
            let at = |time: usize| (minute(&row[time]), row[time + 1].parse().unwrap());
            Trade { side: row[0].to_owned(), entry: at(1), exit: Some(at(3)) }
        })
        .collect();
    assert_eq!(theirs.len(), 24);
    assert_eq!(ours.len(), theirs.len() + 1, "the last one is open when the month ends");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let (our_exit, their_exit) = (ours.exit.clone().unwrap(), theirs.exit.clone().unwrap());
        assert_eq!((&ours.side, &ours.entry.0, &our_exit.0), (&theirs.side, &theirs.entry.0, &their_exit.0));
        for (ours, theirs) in [(ours.entry.1, theirs.entry.1), (our_exit.1, their_exit.1)] {
            assert!((ours - theirs).abs() < 0.011, "{ours} and {theirs}");
        }
    }
}
