//! What becomes a tape, and what is refused, naming the place.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests may panic, and say what they leave out")]

mod common;

use common::shared;
use plimsoll_backtest::Timeline;
use plimsoll_backtest::import::{ImportOptions, RowKind, import, show_time};
use plimsoll_backtest::tape::{Tick, inspect};
use plimsoll_market::{Instrument, Round, Side};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

fn options() -> ImportOptions {
    ImportOptions {
        instrument: Instrument::example_btcusdt(),
        kind: None,
        gap_max: Duration::from_secs(300),
        allow_missing: false,
        prices: Round::Exact,
    }
}

/// Imports a text under a name and tells what was read, one event a line, or why not.
fn read(name: &str, text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    if name.ends_with(".zip") {
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&file).unwrap());
        archive.start_file(name.replace(".zip", ".csv"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
        archive.finish().unwrap();
    } else {
        std::fs::write(&file, text).unwrap();
    }
    let tape = dir.path().join("out.tape");
    match import(&[file], &tape, &options(), &mut |_| {}) {
        Err(error) => {
            assert!(!tape.exists());
            error.to_string().replace(&dir.path().display().to_string(), "")
        }
        Ok(imported) => {
            let mut timeline = Timeline::open(&[imported.path]).unwrap();
            let mut out = String::new();
            while let Some((time, tick)) = timeline.next().unwrap() {
                let told = match tick {
                    Tick::Candle(b) => {
                        let [o, h, l, c] = [b.open, b.high, b.low, b.close].map(|p| p.units());
                        format!("candle {o} {h} {l} {c} {}", b.volume.units())
                    }
                    Tick::Trade { taker, price, qty } => format!("{} {} {}", taker.as_str(), price.units(), qty.units()),
                    Tick::Top { bid, ask } => {
                        format!("top {} {} {} {}", bid.0.units(), bid.1.units(), ask.0.units(), ask.1.units())
                    }
                    Tick::Funding(rate) => format!("funding {}", rate.ppm()),
                    Tick::Level { side, price, qty } => format!("{} level {} {}", side.as_str(), price.units(), qty.units()),
                    Tick::Mark(mark) => format!("mark {}", mark.units()),
                    Tick::Reset => "reset".to_owned(),
                };
                out.push_str(&format!("{} {told}\n", &show_time(time)[11..]));
            }
            out
        }
    }
}

#[track_caller]
fn check(name: &str, text: &str, expected: &str) {
    let found = read(name, text);
    assert!(found.trim() == expected.trim() || found.contains(expected) && !expected.contains('\n'), "{found}");
}

const KLINES: &str = "1700000040000,100.0,102.5,99.5,101.0,12.5,1700000099999,0,10,0,0,0\n\
                      1700000100000,101.0,101.0,98.0,98.5,3.0015,1700000159999,0,10,0,0,0\n";

#[test]
fn candles_with_and_without_a_head_in_both_units_plain_and_zipped() {
    let expected = "22:14:00.000Z candle 10000 10250 9950 10100 12500\n22:15:00.000Z candle 10100 10100 9800 9850 3001";
    let head = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n";
    let micros = KLINES.replace("040000,", "040000000,").replace("100000,1", "100000000,1").replace("99999,0", "99999999,0");
    check("BTCUSDT-1m-2023-11.csv", KLINES, expected);
    check("BTCUSDT-1m-2023-11.csv", &format!("{head}{KLINES}"), expected);
    check("BTCUSDT-1m-2023-11.csv", &micros, expected);
    check("BTCUSDT-1m-2023-11.zip", KLINES, expected);
    let named =
        "timestamp,open,high,low,close,volume\n2023-11-14 22:14:00,100,102.5,99.5,101,12.5\n2023-11-14 22:15:00,101,101,98,98.5,3.0015\n";
    check("any.csv", named, expected);
    let ends = "open,high,low,close,volume,close_datetime\n100,102.5,99.5,101,12.5,2023-11-14 23:14:59.999000+01:00\n\
                101,101,98,98.5,3.0015,2023-11-14 23:15:59.999000+01:00\n";
    check("any.csv", ends, expected);
}

#[test]
fn trades_tops_and_funding() {
    let aggs = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n\
                7,100.1,0.5,1,1,1700000040000,true\n8,100.2,1,2,3,1700000040000,false\n";
    let expected = "22:14:00.000Z sell 10010 500\n22:14:00.000Z buy 10020 1000";
    check("BTCUSDT-aggTrades-2023-11-14.csv", aggs, expected);
    check("x.csv", aggs.split_once('\n').unwrap().1, expected);
    let tops = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n\
                5,100.0,1.5,100.1,2,1700000040000,1700000040001\n";
    check("BTCUSDT-bookTicker-2023-11-14.zip", tops, "22:14:00.000Z top 10000 1500 10010 2000");
    check("x.csv", "9,100.0,1.5,100.1,2,1700000040000,1700000040001\n", "22:14:00.000Z top 10000 1500 10010 2000");
    let funding = "calc_time,funding_interval_hours,last_funding_rate\n1700006400003,8,0.00010000\n1700035200000,8,-0.0000257\n";
    check("BTCUSDT-fundingRate-2023-11.csv", funding, "00:00:00.003Z funding 100\n08:00:00.000Z funding -26");
}

#[test]
fn what_cannot_be_history_is_refused_by_its_place() {
    let (first, second) = KLINES.split_once('\n').unwrap();
    let name = "BTCUSDT-1m-2023-11.csv";
    check(name, &format!("{KLINES}{second}"), "/BTCUSDT-1m-2023-11.csv, line 3, 2023-11-14 22:15:00.000Z: repeated");
    check(name, &format!("{KLINES}{first}\n"), "line 3, 2023-11-14 22:14:00.000Z: out of order: it comes after 2023-11-14 22:15");
    let late = second.replace("1700000100000", "1700000520000");
    check(name, &format!("{KLINES}{late}"), "line 3, 2023-11-14 22:22:00.000Z: gap: 6 candles are missing");
    let crooked = second.replace("1700000100000", "1700000161000");
    check(name, &format!("{KLINES}{crooked}"), "line 3, 2023-11-14 22:16:01.000Z: the candle does not begin");
    check(name, &KLINES.replace("98.0,98.5", "99.0,98.5"), "line 2, 2023-11-14 22:15:00.000Z: open and close do not lie");
    check(name, &KLINES.replace("101.0,101.0,98.0", "101.001,101.001,98.0"), "line 2, 2023-11-14 22:15:00.000Z: price \"101.001\"");
    let nowhen = second.replace("1700000100000", "later");
    check(name, &format!("{KLINES}{nowhen}"), "line 3: \"later\" is no time");
    let aggs = |id: &str| format!("7,100.1,0.5,1,1,1700000040000,true\n{id},100.2,1,2,3,1700000041000,false\n");
    check("x.csv", &aggs("7"), "line 2, 2023-11-14 22:14:01.000Z: repeated: number 7");
    check("x.csv", &aggs("6"), "line 2, 2023-11-14 22:14:01.000Z: out of order: it comes after number 7");
    check("x.csv", &aggs("10"), "line 2, 2023-11-14 22:14:01.000Z: gap: trades 8 to 9 are missing");
    check("x.csv", "what,is,this\n1,2,3\n", "cannot tell what its rows are");
    check("BTCUSDT-trades-x.csv", "", "nothing in it");
}

/// One thousand candles told ten times under going times: a week, as the original's data.
#[test]
fn a_week_that_is_one_stretch_repeated_is_refused() {
    let mut text = String::new();
    for i in 0..10_080_u64 {
        let of = i % 1_000;
        let open = 60_000 + (of * 7_919) % 997;
        let row = format!("{},{open}.0,{}.0,{}.0,{open}.5,{}.0,0,0,0,0,0,0\n", 1_700_000_040_000 + i * 60_000, open + 9, open - 9, of + 1);
        text.push_str(&row);
    }
    check("BTCUSDT-1m-2023-11.csv", &text, "line 1040, 2023-11-15 15:33:00.000Z: repeated: these candles are those of 1000 candles before");
    // Half of it is fine, and hours without trades are no repetition.
    let once: String = text.lines().take(1_000).map(|line| format!("{line}\n")).collect();
    assert_eq!(read("BTCUSDT-1m-2023-11.csv", &once).lines().count(), 1_000);
    let flat: String = (0..500).map(|i| format!("{},100,100,100,100,0,0,0,0,0,0,0\n", 1_700_000_040_000_u64 + i * 60_000)).collect();
    assert_eq!(read("BTCUSDT-1m-2023-11.csv", &flat).lines().count(), 500);
}

#[test]
fn a_month_of_real_candles_becomes_a_tape() {
    for (name, rows, candle_secs) in [
        ("privet1x-mit/BTCUSDT_binance_spot_1m_2024-12.csv.gz", 41_761, 60),
        ("privet1x-mit/BTCUSDT_binance_spot_15m_2024.csv.gz", 34_945, 900),
        ("nautilus/btc-perp-20211231-20220201_1m.csv.gz", 45_031, 60),
    ] {
        let Some(path) = shared(name) else { return };
        let dir = tempfile::tempdir().unwrap();
        let tape = dir.path().join("out.tape");
        let imported =
            import(&[path], &tape, &ImportOptions { kind: Some(RowKind::Klines), prices: Round::Nearest, ..options() }, &mut |_| {})
                .unwrap();
        let info = inspect(&tape).unwrap();
        assert!(imported.events.abs_diff(rows) <= 1, "{name}: {}", imported.events);
        assert_eq!((info.candles, info.head.candle_secs), (imported.events, candle_secs));
    }
}

#[test]
fn two_recorded_files_become_one_tape() {
    let names = ["hftbacktest/usdm/btcusdt_20230404.dat.gz", "hftbacktest/usdm/btcusdt_20230405.dat.gz"];
    let paths: Vec<PathBuf> = names.iter().filter_map(|name| shared(name)).collect();
    if paths.len() < 2 {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tape = dir.path().join("out.tape");
    let imported = import(&paths, &tape, &options(), &mut |_| {}).unwrap();
    assert_eq!(imported.skipped, 0);
    let info = inspect(&tape).unwrap();
    // The files hold 12,935 trades, some of them not of the market.
    assert!(info.trades > 12_000 && info.trades <= 12_935 && info.marks == 514, "{info:?}");
    assert!(info.levels > 200_000, "{info:?}");
    let mut timeline = Timeline::open(&[tape]).unwrap();
    let mut bids = std::collections::BTreeMap::new();
    let mut last = (0, 0);
    while let Some((_, tick)) = timeline.next().unwrap() {
        match tick {
            Tick::Level { side: Side::Buy, price, qty } if qty.is_zero() => drop(bids.remove(&price)),
            Tick::Level { side: Side::Buy, price, qty } => drop(bids.insert(price, qty)),
            Tick::Trade { price, .. } => last = (last.1, price.units()),
            _ => {}
        }
    }
    let best = bids.last_key_value().unwrap().0.units();
    assert!((best - last.1).abs() < 5_000, "best bid {best}, last trade {}", last.1);
}
