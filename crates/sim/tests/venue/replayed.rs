//! Recordings: the book they make, and how orders fill against them.

use core::time::Duration;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use crate::world::{Heard, USDT, World, btc, config, market, order};
use plimsoll_market::{Instrument, Price, Side};
use plimsoll_sim::replay::{Lines, RESTART, ReplaySpec};
use plimsoll_sim::venue::{AccountId, Interval, Page, SourceSpec, Tif};

fn replay(lines: Lines, speed_milli: u32) -> World {
    let source = SourceSpec::Replay(ReplaySpec { lines, speed_milli });
    World::of(config(vec![market(btc(), source)], 100_000 * USDT))
}

/// A recording of a second: lines a millisecond apart.
fn recording(records: &[&str]) -> World {
    let mut update = 10;
    let lines: Vec<String> = records
        .iter()
        .enumerate()
        .map(|(i, record)| {
            let stamp = 1_723_161_255_000_000_000_u64 + i as u64 * 1_000_000;
            let words: Vec<&str> = record.split(' ').collect();
            update += 10;
            match words[0] {
                "book" => {
                    let list = |side: &str| {
                        let levels: Vec<String> =
                            words[1..].iter().filter_map(|w| w.strip_prefix(side)).map(|w| {
                                let (price, qty) = w.split_once('x').unwrap();
                                format!(r#"["{price}","{qty}"]"#)
                            }).collect();
                        levels.join(",")
                    };
                    format!(
                        r#"{stamp} {{"stream":"btcusdt@depth@0ms","data":{{"e":"depthUpdate","U":{},"u":{update},"pu":{},"b":[{}],"a":[{}]}}}}"#,
                        update - 9, update - 10, list("b"), list("a")
                    )
                }
                "trade" => format!(
                    r#"{stamp} {{"stream":"btcusdt@trade","data":{{"e":"trade","t":1,"p":"{}","q":"{}","X":"MARKET","m":{}}}}}"#,
                    words[2], words[3], words[1] == "sell"
                ),
                "ticker" => format!(
                    r#"{stamp} {{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{update},"b":"{}","B":"{}","a":"{}","A":"{}"}}}}"#,
                    words[1], words[2], words[3], words[4]
                ),
                other => format!("{stamp} {other}"),
            }
        })
        .collect();
    replay(Box::new(lines.into_iter()), 1_000)
}

/// Plays the first `before` records, places an order of 0.010 at the price, plays the rest; returns what was filled after each.
#[track_caller]
fn check(records: &[&str], before: u64, side: Side, price: i64, expected: &[u64]) {
    let mut world = recording(records);
    world.advance(Duration::from_micros(before * 1_000 - 500));
    let placed = world.place(0, order(side, Tif::Gtx, 10, price, "x")).unwrap();
    let mut filled = Vec::new();
    for _ in before..records.len() as u64 {
        world.advance(Duration::from_millis(1));
        filled.push(
            world.venue.order(AccountId(0), btc().symbol, plimsoll_sim::venue::OrderRef::Id(placed.order_id)).unwrap().filled.units(),
        );
    }
    assert_eq!(filled, expected);
    let trades = world.venue.user_trades(AccountId(0), btc().symbol, None, Page::latest(99)).unwrap();
    assert!(trades.iter().all(|t| t.maker && t.price == Price::from_units(price * 100)));
}

const BOOK: &str = "book b60000x0.100 b59999x0.500 a60001x0.200 a60002x0.300";

#[test]
fn an_order_waits_behind_what_was_displayed() {
    check(
        &[BOOK, "trade sell 60000.00 0.060", "trade sell 60000.00 0.045", "trade sell 60000.00 0.009"],
        1,
        Side::Buy,
        60_000,
        &[0, 5, 10],
    );
    // Trades at other prices, and buyers, do not move it.
    check(&[BOOK, "trade buy 60001.00 5.000", "trade sell 60000.50 5.000"], 1, Side::Buy, 60_000, &[0, 0]);
    // The same for a seller.
    check(&[BOOK, "trade buy 60001.00 0.200", "trade buy 60001.00 0.001"], 1, Side::Sell, 60_001, &[0, 1]);
}

#[test]
fn withdrawals_count_from_the_back() {
    // 0.100 was ahead; 0.040 is left of it and of all that came later: nothing more can be ahead than that.
    check(
        &[BOOK, "book b60000x0.300", "book b60000x0.040", "trade sell 60000.00 0.040", "trade sell 60000.00 0.003"],
        1,
        Side::Buy,
        60_000,
        &[0, 0, 0, 3],
    );
    // What joined later is behind it: 0.100 still have to trade.
    check(&[BOOK, "book b60000x0.300", "trade sell 60000.00 0.105"], 1, Side::Buy, 60_000, &[0, 5]);
    // When the level is gone it stands alone.
    check(&[BOOK, "book b60000x0.000", "trade sell 60000.00 0.002"], 1, Side::Buy, 60_000, &[0, 2]);
}

#[test]
fn a_trade_through_the_price_fills_whole() {
    check(&[BOOK, "trade sell 59999.90 0.001"], 1, Side::Buy, 60_000, &[10]);
    check(&[BOOK, "trade buy 60001.10 0.001"], 1, Side::Sell, 60_001, &[10]);
}

#[test]
fn a_book_that_crosses_the_order_fills_it_as_maker() {
    check(&[BOOK, "book b60000x0.000 b59999x0.000 a60000x0.004 a60001x0.000", "book a59998x0.500"], 1, Side::Buy, 60_000, &[4, 10]);
    check(&[BOOK, "ticker 60001.50 0.003 60002.00 0.300"], 1, Side::Sell, 60_001, &[3]);
}

#[test]
fn a_taker_eats_recorded_levels_until_their_next_update() {
    let mut world = recording(&[BOOK, "book b59998x1.000", "book a60001x0.150"]);
    world.advance(Duration::from_micros(500));
    let row = world.place(0, order(Side::Buy, Tif::Ioc, 250, 60_002, "x")).unwrap();
    assert_eq!(row.filled.units(), 250);
    let ask = |world: &World| world.venue.depth(btc().symbol, 1).unwrap().asks[0];
    assert_eq!((ask(&world).price.units(), ask(&world).qty.units()), (6_000_200, 250));
    world.advance(Duration::from_millis(1));
    assert_eq!(ask(&world).price.units(), 6_000_200);
    world.advance(Duration::from_millis(1));
    assert_eq!((ask(&world).price.units(), ask(&world).qty.units()), (6_000_100, 150));
    assert!(world.venue.finished());
}

#[test]
fn lines_that_cannot_be_read_are_counted_and_passed_over() {
    let mut world = recording(&[BOOK, "{\"stream\":\"btcusdt@trade\",\"data\":{}}", "nonsense", "trade sell 60000.00 0.001"]);
    world.advance(Duration::from_secs(1));
    let faults = world.venue.recording_faults(btc().symbol).unwrap().unwrap();
    assert_eq!((faults.malformed, faults.gaps, world.heard.trades.len()), (2, 0, 1));
}

#[test]
fn a_recording_that_overlaps_itself_never_shows_a_crossed_book() {
    let mut world = recording(&[BOOK, "book a59999x0.500", "book b59990x1.000 a59991x1.000"]);
    world.advance(Duration::from_secs(1));
    let faults = world.venue.recording_faults(btc().symbol).unwrap().unwrap();
    assert_eq!(faults.crossed, 3);
    let depth = world.venue.depth(btc().symbol, 5).unwrap();
    assert_eq!((depth.bids[0].price.units(), depth.asks[0].price.units()), (5_999_000, 5_999_100));
}

/// The shared data, or `None` with a word about it.
fn recorded(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PLIMSOLL_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = root.join("data/market/hftbacktest").join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("left out: {} is not there; set PLIMSOLL_SHARED to the folder with the recorded days", path.display());
    None
}

fn lines(path: &PathBuf) -> impl Iterator<Item = String> + Send + use<> {
    let file = std::fs::File::open(path).unwrap();
    BufReader::new(flate2::read::GzDecoder::new(file)).lines().map_while(Result::ok)
}

fn eth() -> Instrument {
    // As listed in 2024, with a finer price and quantity.
    crate::world::eth()
}

/// Plays a day whole; the harness checks the chains of ids, and every ticker against the book that the diffs make.
fn play(file: &str, instrument: Instrument, keep: impl Fn(&str) -> bool + Send + 'static) -> Option<World> {
    let path = recorded(file)?;
    let source = SourceSpec::Replay(ReplaySpec { lines: Box::new(lines(&path).filter(move |l| keep(l))), speed_milli: 1_000_000 });
    let mut world = World::of(config(vec![market(instrument, source)], 100_000 * USDT));
    while !world.venue.finished() {
        let at = world.venue.wake_at().unwrap();
        world.now = at;
        let heard = &mut world.heard;
        world.venue.advance(at, &mut |event| heard.take(event));
    }
    world.check();
    Some(world)
}

#[test]
fn the_recorded_book_is_the_expected_one() {
    let Some(expected) = recorded("EXPECTED_book_and_klines.json") else { return };
    let expected: serde_json::Value = serde_json::from_reader(std::fs::File::open(expected).unwrap()).unwrap();
    for (file, instrument) in
        [("usdm/btcusdt_20240808.gz", btc()), ("usdm/ethusdt_20240808.gz", eth()), ("usdm/btcusdt_20230404.dat.gz", btc())]
    {
        // The independent reconstruction has diffs only.
        let Some(world) = play(file, instrument, |line| !line.contains("@bookTicker")) else { return };
        let entry = expected.as_array().unwrap().iter().find(|e| e["file"] == *file).unwrap_or_else(|| panic!("{file} is expected"));
        let depth = world.venue.depth(instrument.symbol, 8_192).unwrap();
        let counts = (entry["levels"][0].as_u64().unwrap() as usize, entry["levels"][1].as_u64().unwrap() as usize);
        assert_eq!((depth.bids.len(), depth.asks.len()), counts, "{file}");
        for (side, levels) in [("bids", &depth.bids), ("asks", &depth.asks)] {
            for (level, expected) in levels.iter().zip(entry["top5"][side].as_array().unwrap()) {
                let found = (level.price.units() as f64 / 100.0, level.qty.units() as f64 / 1_000.0);
                assert_eq!(found, (expected[0].as_f64().unwrap(), expected[1].as_f64().unwrap()), "{file} {side}");
            }
        }
        let faults = world.venue.recording_faults(instrument.symbol).unwrap().unwrap();
        assert_eq!((faults.malformed, faults.gaps, faults.crossed, faults.before_snapshot), (0, 0, 0, false), "{file}");
    }
}

#[test]
fn tickers_and_diffs_of_a_recorded_day_agree() {
    // `World` compares each ticker with the book of its diffs; here the ticker runs ahead of the diffs.
    let Some(world) = play("usdm/btcusdt_20240808.gz", btc(), |_| true) else { return };
    assert!(world.heard.tops > 10_000, "{} tops", world.heard.tops);
    assert_eq!(world.heard.trades.len(), 21_313);
    let faults = world.venue.recording_faults(btc().symbol).unwrap().unwrap();
    assert_eq!((faults.malformed, faults.gaps, faults.crossed), (0, 0, 0));
}

#[test]
fn minutes_of_a_recorded_day_are_the_expected_ones() {
    let Some(expected) = recorded("EXPECTED_book_and_klines.json") else { return };
    let expected: serde_json::Value = serde_json::from_reader(std::fs::File::open(expected).unwrap()).unwrap();
    let entry = expected.as_array().unwrap().iter().find(|e| e["file"] == "usdm/btcusdt_20240808.gz").unwrap();
    // At real speed, begun at the recorder's first stamp, minutes fall where they fell.
    let Some(path) = recorded("usdm/btcusdt_20240808.gz") else { return };
    // The exchange's own trade times decide a minute; the recorder's clock was 1.2 s behind. Use them as stamps.
    let by_trade_time = lines(&path).filter(|l| l.contains("@trade")).filter_map(|line| {
        let (_, json) = line.split_once(' ')?;
        let at = json.split("\"T\":").nth(1)?.split(',').next()?.to_owned();
        Some(format!("{at}000000 {json}"))
    });
    let mut lines = by_trade_time.peekable();
    let first: u64 = lines.peek().unwrap().split(' ').next().unwrap().parse().unwrap();
    let source = SourceSpec::Replay(ReplaySpec { lines: Box::new(lines), speed_milli: 1_000 });
    let mut config = config(vec![market(btc(), source)], USDT);
    config.start = plimsoll_market::Time::from_nanos(first);
    let mut world = World::of(config);
    world.heard = Heard::default();
    world.advance(Duration::from_secs(400));
    let candles = world.venue.klines(btc().symbol, Interval::MINUTE, Page::latest(100)).unwrap();
    let rows = entry["klines_1m_from_market_trades"].as_array().unwrap();
    for (candle, row) in candles.iter().zip(rows) {
        let price = |i: usize| btc().parse_price(row[i].as_str().unwrap(), plimsoll_market::Round::Exact).unwrap();
        assert_eq!(candle.open_time.millis(), row[0].as_u64().unwrap());
        assert_eq!((candle.open, candle.high, candle.low, candle.close), (price(1), price(2), price(3), price(4)), "{row}");
        assert_eq!(candle.volume.units(), (row[5].as_f64().unwrap() * 1_000.0).round() as u64, "{row}");
        assert_eq!(u64::from(candle.trades), row[6].as_u64().unwrap(), "{row}");
    }
    assert!(rows.len() >= 6 && candles.len() >= rows.len());
}

/// The lines of a market that happens now: what the other end has put in.
fn live() -> (std::sync::mpsc::Sender<String>, World) {
    let (put, take) = std::sync::mpsc::channel::<String>();
    let mut world = World::of(config(
        vec![market(btc(), SourceSpec::Live(Box::new(std::iter::from_fn(move || take.try_recv().ok()))))],
        100_000 * USDT,
    ));
    go(&mut world, 50);
    (put, world)
}

fn go(world: &mut World, millis: u64) {
    world.advance(Duration::from_millis(millis));
}

fn book(world: &World) -> Vec<String> {
    let depth = world.venue.depth(btc().symbol, 10).unwrap();
    let side = |name: &str, levels: &[plimsoll_market::Level]| -> Vec<String> {
        levels.iter().map(|l| format!("{name} {}x{}", l.price.units(), l.qty.units())).collect()
    };
    [side("Buy", &depth.bids), side("Sell", &depth.asks)].concat()
}

#[test]
fn a_live_market_is_played_as_it_comes_and_made_anew_after_a_gap() {
    let diff = |first: u64, last: u64, bids: &str, asks: &str| {
        let before = first - 1;
        format!(
            r#"1 {{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","U":{first},"u":{last},"pu":{before},"b":[{bids}],"a":[{asks}]}}}}"#
        )
    };
    let snapshot = |last: u64, bids: &str, asks: &str| format!(r#"1 {{"lastUpdateId":{last},"bids":[{bids}],"asks":[{asks}]}}"#);
    let (put, mut world) = live();
    assert_eq!(book(&world), [] as [String; 0], "nothing has come");
    // A diff before the snapshot counts on top of it.
    for line in [
        RESTART.to_owned(),
        diff(11, 12, r#"["60000.00","2"]"#, ""),
        snapshot(11, r#"["60000.00","1"],["59990.00","3"]"#, r#"["60010.00","1"]"#),
    ] {
        put.send(line).unwrap();
    }
    go(&mut world, 20);
    let whole = ["Buy 6000000x2000", "Buy 5999000x3000", "Sell 6001000x1000"];
    assert_eq!(book(&world), whole);
    // An order of ours is filled by a trade that goes through it, told as live streams tell trades.
    world.place(0, order(Side::Buy, Tif::Gtx, 10, 59_995, "x")).unwrap();
    put.send(
        r#"1 {"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","a":1,"s":"BTCUSDT","p":"59994.00","q":"1.000","m":true}}"#.to_owned(),
    )
    .unwrap();
    go(&mut world, 20);
    assert_eq!(world.venue.position(AccountId(0), btc().symbol).unwrap().holding.units(), 10);
    // Lines are missing: the book stands until the snapshot, which is older than a diff that came meanwhile, and takes it.
    for line in [RESTART.to_owned(), diff(51, 52, r#"["59980.00","4"]"#, r#"["60010.00","0"],["60020.00","5"]"#)] {
        put.send(line).unwrap();
    }
    go(&mut world, 20);
    put.send(snapshot(50, r#"["59970.00","1"]"#, r#"["60010.00","1"]"#)).unwrap();
    go(&mut world, 20);
    assert_eq!(book(&world), ["Buy 5998000x4000", "Buy 5997000x1000", "Sell 6002000x5000"]);
    assert!(!world.venue.finished(), "a live market has no end");
    world.check();
}
