use std::sync::Arc;

use core::time::Duration;
use plimsoll_bounded::{Class, Grant, Grants, Line, Plan, WhenFull};
use plimsoll_exchange::binance::server::parse_socket_url;
use plimsoll_market::{Qty, Top};
use serde_json::{Value, json};

use super::*;
use crate::config::{AccountConfig, Listing};
use crate::hub::{ListenEnd, NotOpened};
use crate::keys::{KeyEntry, Keys};
use crate::limits::SLOW_CHANGES_MAX;
use crate::outbox::{Next, Outbox};

struct Bench {
    hub: Hub,
    keys: Keys,
}

impl Bench {
    fn new(strict: bool) -> Self {
        let mut plan = Plan::new("test");
        Hub::plan(&mut plan, 2, 2).unwrap();
        let listings = [Listing::btcusdt(), Listing::ethusdt()];
        let hub = Hub::new(&mut Grants::detached(&plan), 2, &listings, strict).unwrap().unwrap();
        let grant = Grant::detached(Line::of::<KeyEntry>("keys", 1, WhenFull::Refuse, Class::MustKeep));
        let keys = Keys::new(grant, vec![AccountConfig::parse("k:s:1").unwrap()], Duration::from_secs(60)).unwrap();
        Self { hub, keys }
    }

    fn open(&mut self, address: &str) -> (usize, Arc<Outbox>) {
        self.try_open(address).unwrap()
    }

    fn try_open(&mut self, address: &str) -> Result<(usize, Arc<Outbox>), NotOpened> {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        self.hub.open(&parse_socket_url(path, query).unwrap(), &self.keys)
    }

    fn diff(&mut self, cadence: Cadence, first: u64, last: u64, previous: u64, changes: &[LevelChange]) {
        let diff = DepthDiff { cadence, first, last, previous, changes, time: at(last) };
        self.hub.market(at(last), Listing::btcusdt().instrument.symbol, &MarketEvent::Depth(diff));
    }
}

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn change(side: Side, price: i64, qty: u64) -> LevelChange {
    LevelChange { side, level: Level { price: Price::from_units(price), qty: Qty::from_units(qty) } }
}

fn drain(outbox: &Outbox) -> Vec<Value> {
    let frames = std::iter::from_fn(|| outbox.try_next());
    frames
        .map(|next| match next {
            Next::Frame(text) => serde_json::from_str(&text).unwrap(),
            Next::Close(reason) => json!({ "closed": reason }),
        })
        .collect()
}

#[test]
fn collected_changes_keep_the_last_of_each_level_and_the_chain() {
    let mut bench = Bench::new(false);
    let (_, outbox) = bench.open("/ws/btcusdt@depth@500ms");
    bench.diff(Cadence::Tick, 11, 12, 10, &[change(Side::Buy, 100, 1), change(Side::Sell, 200, 2)]);
    bench.diff(Cadence::Tick, 13, 15, 12, &[change(Side::Buy, 100, 0), change(Side::Buy, 90, 5)]);
    assert_eq!(drain(&outbox), Vec::<Value>::new(), "it is not time yet");
    bench.hub.flush(500, 0, 1);
    let told = drain(&outbox);
    let [event] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((&event["U"], &event["u"], &event["pu"]), (&json!(11), &json!(15), &json!(10)));
    assert_eq!(event["b"], json!([["0.90", "0.005"], ["1.00", "0.000"]]));
    assert_eq!(event["a"], json!([["2.00", "0.002"]]));
    assert!(bench.hub.slow.is_empty(), "nothing stays behind");
    // The next event follows on the last.
    bench.diff(Cadence::Tick, 16, 16, 15, &[change(Side::Sell, 200, 0)]);
    bench.hub.flush(1_000, 0, 1);
    assert_eq!(drain(&outbox)[0]["pu"], 15);
}

#[test]
fn too_many_collected_changes_go_out_early_and_whole() {
    let mut bench = Bench::new(false);
    let (_, outbox) = bench.open("/ws/btcusdt@depth");
    let half: Vec<_> = (0..SLOW_CHANGES_MAX as i64 / 2 + 1).map(|price| change(Side::Buy, price + 1, 1)).collect();
    bench.diff(Cadence::Tick, 1, 1, 0, &half);
    assert!(drain(&outbox).is_empty());
    bench.diff(Cadence::Tick, 2, 2, 1, &half);
    let told = drain(&outbox);
    assert_eq!((told.len(), &told[0]["u"], told[0]["b"].as_array().unwrap().len()), (1, &json!(1), half.len()));
    bench.hub.flush(250, 0, 0);
    assert_eq!(drain(&outbox)[0]["pu"], 1);
}

#[test]
fn each_speed_has_its_own_chain() {
    let mut bench = Bench::new(false);
    let (_, outbox) = bench.open("/stream?streams=btcusdt@depth@0ms/btcusdt@depth@100ms");
    bench.diff(Cadence::RealTime, 2, 2, 1, &[change(Side::Buy, 1, 1)]);
    bench.diff(Cadence::Tick, 1, 2, 0, &[change(Side::Buy, 1, 1)]);
    let names: Vec<_> = drain(&outbox).into_iter().map(|event| event["stream"].clone()).collect();
    assert_eq!(names, ["btcusdt@depth@0ms", "btcusdt@depth@100ms"]);
}

#[test]
fn nothing_is_written_for_nobody_and_topics_are_given_back() {
    let mut bench = Bench::new(false);
    let (first, one) = bench.open("/ws/btcusdt@bookTicker");
    let (second, other) = bench.open("/stream?streams=BTCUSDT@bookTicker/!bookTicker");
    let top =
        Top { bid: Price::from_units(1), bid_qty: Qty::from_units(1), ask: Price::from_units(2), ask_qty: Qty::from_units(1), time: at(1) };
    let tell = |bench: &mut Bench| {
        let symbol = Listing::btcusdt().instrument.symbol;
        bench.hub.market(at(1), symbol, &MarketEvent::BookTicker { update_id: 7, top });
    };
    tell(&mut bench);
    assert_eq!(drain(&one)[0]["u"], 7);
    let names: Vec<_> = drain(&other).into_iter().map(|event| event["stream"].clone()).collect();
    assert_eq!(names, ["BTCUSDT@bookTicker", "!bookTicker"], "by the names that the client gave");
    assert!(matches!(bench.try_open("/ws"), Err(NotOpened::Full)));
    bench.hub.close(first);
    tell(&mut bench);
    assert!(drain(&one).is_empty());
    assert_eq!(drain(&other).len(), 2);
    bench.hub.close(second);
    assert_eq!((bench.hub.topics.len(), bench.hub.live()), (0, 0));
}

#[test]
fn owners_get_what_they_asked_for() {
    let mut bench = Bench::new(false);
    let key = bench.keys.start_listen(at(0), AccountId(0)).unwrap().to_owned();
    let (_, all) = bench.open(&format!("/private/stream?listenKey={key}"));
    let (_, some) = bench.open(&format!("/private/ws?listenKey={key}&events=ACCOUNT_CONFIG_UPDATE"));
    let symbol = Listing::btcusdt().instrument.symbol;
    bench.hub.account(at(1), AccountId(0), &AccountEvent::Leverage { symbol, leverage: 5, time: at(1) });
    bench.hub.tell_owner(AccountId(0), "TRADE_LITE", "{}".to_owned());
    assert_eq!(drain(&all).len(), 2);
    assert_eq!(drain(&some), [json!({"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ac": {"s": "BTCUSDT", "l": 5}})]);
    bench.hub.end_listen(AccountId(0), ListenEnd::Expired { listen_key: &key, now: at(2) });
    assert_eq!((&drain(&all)[0]["stream"], &drain(&some)[0]["e"]), (&json!(key), &json!("listenKeyExpired")));
    assert!(!bench.hub.has_owner(AccountId(0)), "after it nothing more comes");
}

#[test]
fn strict_addresses_serve_their_own_streams_only() {
    let mut bench = Bench::new(true);
    assert!(matches!(bench.try_open("/ws"), Err(NotOpened::Refused(_))));
    assert!(matches!(bench.try_open("/public/ws/btcusdt@aggTrade"), Err(NotOpened::Refused(_))));
    assert_eq!(bench.hub.live(), 0, "a refused connection takes no place");
    assert!(bench.try_open("/market/ws/btcusdt@aggTrade").is_ok());
}
