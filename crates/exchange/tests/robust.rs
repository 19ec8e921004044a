//! No bytes make a decoder panic: arbitrary ones, and real messages with bytes changed, cut and doubled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests may panic, and say what they leave out")]

#[path = "shared/messages.rs"]
mod fixtures;
mod shared;

use plimsoll_bounded::Ledger;
use plimsoll_exchange::binance::ApiError;
use plimsoll_exchange::binance::book_sync::BookSync;
use plimsoll_exchange::binance::decode::{self as d, DepthUpdate, Message};
use plimsoll_exchange::binance::describe::{Kind, describe};
use plimsoll_exchange::{Instruments, Scales};
use plimsoll_market::{Asset, Source};
use proptest::prelude::*;

/// Mutations of each message in the long loop; the seed is fixed, so a failure comes again.
const MUTATIONS: usize = 60;
/// Messages beyond this are changed too seldom within a second to be worth their time.
const LONG: usize = 24_000;

struct Decoders {
    listed: Instruments,
    any: Instruments,
    scales: Scales,
    buffer: DepthUpdate,
    sync: BookSync,
}

impl Decoders {
    fn new() -> Self {
        let ledger = Ledger::open(4 << 20);
        let any = Instruments::any(Asset::new("USDT").unwrap());
        Self {
            listed: shared::instruments(&ledger, &[("BTCUSDT", 2, 3), ("ETHUSDT", 2, 3)]),
            scales: any.scales("X").unwrap(),
            any,
            buffer: shared::depth_buffer(&ledger),
            sync: BookSync::new(
                ledger.grant(BookSync::levels_line("test.levels", 64)).unwrap(),
                ledger.grant(BookSync::pending_line("test.pending")).unwrap(),
                ledger.grant(BookSync::changes_line("test.changes")).unwrap(),
            ),
        }
    }

    /// Feeds bytes to every decoder there is; returns how many took them.
    fn all(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for instruments in [&self.listed, &self.any] {
            if let Ok(message) = d::decode(bytes, instruments, &mut self.buffer) {
                taken += 1;
                if let Message::Depth(update) = message {
                    let _step = self.sync.on_update(update);
                }
            }
            let kinds = [
                d::order(bytes, instruments, Source::Reply).is_ok(),
                d::orders(bytes, instruments).is_ok(),
                d::batch(bytes, instruments).is_ok(),
                d::user_trades(bytes, instruments).is_ok(),
                d::account(bytes, instruments).is_ok(),
                d::positions(bytes, instruments).is_ok(),
                d::tickers(bytes, instruments).is_ok(),
                d::price_tickers(bytes, instruments).is_ok(),
                d::book_tickers(bytes, instruments).is_ok(),
                d::premium_index(bytes, instruments).is_ok(),
                d::index_price(bytes).is_ok(),
            ];
            taken += kinds.into_iter().filter(|ok| *ok).count();
        }
        if let Ok(snapshot) = d::depth_snapshot(bytes, &self.scales) {
            let _step = self.sync.on_snapshot(&snapshot);
            taken += 1;
        }
        let kinds = [
            d::klines(bytes, &self.scales).is_ok(),
            d::agg_trades(bytes, &self.scales).is_ok(),
            d::trades(bytes, &self.scales).is_ok(),
            d::server_time(bytes).is_ok(),
            d::exchange_info(bytes).is_ok(),
            d::balances(bytes).is_ok(),
            d::leverage_brackets(bytes).is_ok(),
            d::symbol_configs(bytes).is_ok(),
            d::account_settings(bytes).is_ok(),
            d::commission_rate(bytes).is_ok(),
            d::hedge_mode(bytes).is_ok(),
            d::multi_assets(bytes).is_ok(),
            d::fee_burn(bytes).is_ok(),
            d::leverage_set(bytes).is_ok(),
            d::done(bytes).is_ok(),
            d::margin_moved(bytes).is_ok(),
            d::margin_changes(bytes).is_ok(),
            d::countdown(bytes).is_ok(),
            d::income(bytes).is_ok(),
            d::listen_key(bytes).is_ok(),
            d::adl_quantiles(bytes).is_ok(),
            d::funding_rates(bytes).is_ok(),
            d::funding_infos(bytes).is_ok(),
            d::open_interest(bytes).is_ok(),
            d::asset_indexes(bytes).is_ok(),
            d::statistics(bytes).is_ok(),
            d::algo_order(bytes).is_ok(),
            d::algo_orders(bytes).is_ok(),
            d::algo_canceled(bytes).is_ok(),
            d::amendments(bytes).is_ok(),
            d::order_limits(bytes).is_ok(),
            d::command(bytes).is_ok(),
            d::ws_api_reply(bytes).is_ok(),
        ];
        let error = ApiError::from_reply(400, None, bytes);
        let _meaning = (error.class(), error.outcome(), error.reject());
        let mut text = String::new();
        taken += usize::from(describe(&mut text, bytes, None).is_ok());
        taken + kinds.into_iter().filter(|ok| *ok).count()
    }
}

/// A small generator (splitmix64), so that a run is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below.max(1) as u64) as usize
    }
}

/// Changes a message in one to three places: a byte, a cut, a doubled or removed part, an extreme number.
fn mutate(message: &[u8], random: &mut Random) -> Vec<u8> {
    const EXTREMES: [&[u8]; 14] = [
        b"-1",
        b"0",
        b"\"\"",
        b"null",
        b"true",
        b"[]",
        b"{}",
        b"1e308",
        b"\"1e60\"",
        b"9223372036854775808",
        b"\"99999999999999999999999999999999999999999\"",
        b"\"-0.00000000000001\"",
        b"\"\\u0000\"",
        b"18446744073709551616",
    ];
    let mut bytes = message.to_vec();
    for _ in 0..=random.next(3) {
        if bytes.is_empty() {
            break;
        }
        let at = random.next(bytes.len());
        match random.next(7) {
            0 => bytes[at] = random.next(256) as u8,
            1 => bytes[at] = b"\"{}[],:0123456789.-eE \\"[random.next(22)],
            2 => bytes.truncate(at),
            3 => {
                let end = (at + random.next(12)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + random.next(40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                // The value after some colon, up to the next comma or bracket.
                let Some(colon) = bytes[at..].iter().position(|b| *b == b':').map(|p| at + p + 1) else { continue };
                let end = bytes[colon..].iter().position(|b| matches!(b, b',' | b'}' | b']')).map_or(bytes.len(), |p| colon + p);
                bytes.splice(colon..end, EXTREMES[random.next(EXTREMES.len())].iter().copied());
            }
        }
    }
    bytes
}

fn corpus() -> Vec<Vec<u8>> {
    let mut corpus: Vec<Vec<u8>> = fixtures::EVENTS.iter().map(|(_, text)| text.as_bytes().to_vec()).collect();
    corpus.extend(fixtures::EVENTS.iter().map(|(_, text)| format!(r#"{{"stream":"s@depth5","data":{text}}}"#).into_bytes()));
    corpus.extend(fixtures::OTHERS.iter().map(|text| text.as_bytes().to_vec()));
    if let Some(folder) = shared::folder("data/wire/binance-usdm") {
        for kind in ["error", "misc", "rest", "ws", "wsapi"] {
            let mut files: Vec<_> = std::fs::read_dir(folder.join(kind)).unwrap().map(|e| e.unwrap().path()).collect();
            files.sort();
            corpus.extend(files.into_iter().map(|f| std::fs::read(f).unwrap()).filter(|bytes| bytes.len() <= LONG));
        }
    }
    corpus
}

#[test]
fn changed_messages_never_panic() {
    let mut decoders = Decoders::new();
    let mut random = Random(20_261_123);
    let (mut tried, mut taken) = (0_usize, 0_usize);
    for message in corpus() {
        assert!(
            decoders.all(&message) > 0 || message.len() < 100 || message.first() == Some(&b'['),
            "{}",
            String::from_utf8_lossy(&message)
        );
        for _ in 0..MUTATIONS {
            let changed = mutate(&message, &mut random);
            tried += 1;
            taken += usize::from(decoders.all(&changed) > 0);
        }
    }
    // Both ways must be walked, or the loop shows nothing.
    assert!(taken > tried / 20 && taken < tried, "{taken} of {tried} were taken");
}

#[test]
fn every_hint_meets_every_message_without_a_panic() {
    for message in corpus().iter().filter(|m| m.len() < 2_000) {
        for kind in Kind::ALL {
            let mut text = String::new();
            let shown = describe(&mut text, message, Some(*kind));
            assert_eq!(shown.is_err(), text.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        Decoders::new().all(&bytes);
    }

    #[test]
    fn texts_of_json_pieces_never_panic(text in "[\\[\\]{}\":,0-9a-zE.+\\\\ -]{0,120}") {
        Decoders::new().all(text.as_bytes());
    }

    #[test]
    fn whatever_number_stands_in_a_message_is_read_or_refused(number in "-?[0-9]{0,25}\\.?[0-9]{0,20}(e-?[0-9]{1,3})?", at in 0_usize..18) {
        let (_, event) = fixtures::EVENTS[at];
        let mut decoders = Decoders::new();
        for field in ["p", "q", "b", "a", "u", "l", "z", "E", "T", "i", "n", "rp"] {
            for quote in ["\"", ""] {
                let start = format!("\"{field}\":");
                if let Some(found) = event.find(&start) {
                    let from = found + start.len();
                    let to = event[from..].find([',', '}']).map_or(event.len(), |n| from + n);
                    decoders.all(format!("{}{quote}{number}{quote}{}", &event[..from], &event[to..]).as_bytes());
                }
            }
        }
    }
}
