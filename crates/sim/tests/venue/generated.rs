//! The made-up market: lively, continuous, and fair to resting orders.

use core::time::Duration;

use crate::world::{START, USDT, World, btc, config, eth, market, order};
use plimsoll_market::{Price, Side};
use plimsoll_sim::generator::GeneratorSpec;
use plimsoll_sim::venue::{AccountId, Interval, Page, SourceSpec, Tif, VenueConfig};

fn world(seed: u64, speed_milli: u32) -> World {
    let spec = |start_price| GeneratorSpec { seed, start_price: Price::from_units(start_price), speed_milli, history: 120 };
    World::of(config(
        vec![market(btc(), SourceSpec::Generator(spec(6_000_000))), market(eth(), SourceSpec::Generator(spec(270_000)))],
        100_000 * USDT,
    ))
}

#[test]
fn it_looks_like_a_market() {
    for seed in 0..4 {
        let mut world = world(seed, 1_000);
        world.advance(Duration::from_secs(120));
        let depth = world.venue.depth(btc().symbol, 1_000).unwrap();
        assert!(depth.bids.len() >= 30 && depth.asks.len() >= 30, "{} and {} levels", depth.bids.len(), depth.asks.len());
        let top = world.venue.top(btc().symbol).unwrap().unwrap().1;
        assert!(top.ask.minus(top.bid) < 6_000, "the spread stays below 0.1 %: {top:?}");
        let trades = world.heard.trades.len();
        assert!((200..20_000).contains(&trades), "{trades} trades in two minutes");
        assert!(world.heard.same_ids > 1_000);
        // The followers' book is the venue's.
        let book = world.heard.book.as_ref().unwrap();
        let followed: Vec<_> = book.levels(Side::Buy).copied().collect();
        assert_eq!(followed, depth.bids);
        // The past and the present make one unbroken row of minutes.
        let candles = world.venue.klines(btc().symbol, Interval::MINUTE, Page::latest(1_000)).unwrap();
        assert!(candles.len() >= 122);
        for pair in candles.windows(2) {
            assert_eq!(pair[0].open_time.millis() + 60_000, pair[1].open_time.millis());
        }
        let hours = world.venue.klines(btc().symbol, Interval::parse("1h").unwrap(), Page::latest(9)).unwrap();
        assert!((3..=4).contains(&hours.len()));
        let ticker = world.venue.ticker(btc().symbol).unwrap().unwrap();
        assert!(ticker.low <= ticker.last && ticker.last <= ticker.high && ticker.trades > 0);
    }
}

/// A grid of ten buys below and ten sells above, 0.1 % apart; every fill is answered one interval away.
fn trade_grid(seed: u64, duration: Duration) -> (Option<Duration>, usize) {
    let mut world = world(seed, 1_000);
    world.advance(Duration::from_secs(1));
    let symbol = btc().symbol;
    let middle = world.venue.top(symbol).unwrap().unwrap().1.mid().units() / 6_000 * 6_000;
    let put = |world: &mut World, side: Side, level: i64| {
        let mut new = order(side, Tif::Gtx, 5, 1, "x");
        new.client_id = None;
        new.price = Price::from_units(middle + level * 6_000);
        if world.place(0, new).is_err() {
            new.tif = Tif::Gtc;
            world.place(0, new).unwrap();
        }
    };
    for level in 0..10 {
        put(&mut world, Side::Buy, -level);
    }
    let (mut first, mut seen, mut trips) = (None, 0, 0);
    let begun = world.now;
    while world.now.since(begun) < duration {
        world.advance(Duration::from_millis(250));
        let trades = world.venue.user_trades(AccountId(0), symbol, None, Page { from_id: Some(seen + 1), ..Page::latest(100) }).unwrap();
        for trade in trades {
            seen = trade.trade_id;
            first = first.or(Some(world.now.since(begun)));
            let order = world.venue.order(AccountId(0), symbol, plimsoll_sim::venue::OrderRef::Id(trade.order_id)).unwrap();
            if !order.remaining().is_zero() {
                continue;
            }
            let level = (order.price.units() - middle) / 6_000;
            match trade.side {
                Side::Buy => put(&mut world, Side::Sell, level + 1),
                Side::Sell => {
                    trips += 1;
                    put(&mut world, Side::Buy, level - 1);
                }
            }
        }
    }
    (first, trips)
}

#[test]
fn a_grid_makes_round_trips_within_minutes() {
    let results: Vec<_> = (0..12).map(|seed| trade_grid(seed, Duration::from_secs(300))).collect();
    let trips: usize = results.iter().map(|(_, trips)| trips).sum();

    assert!(trips >= 12 * 5, "{results:?}");
    let early = results.iter().filter(|(first, _)| first.is_some_and(|f| f < Duration::from_secs(30))).count();
    assert!(early >= 9, "three quarters of the grids see a fill within half a minute: {results:?}");
}

#[test]
fn a_resting_order_waits_for_its_turn() {
    // Whatever is ahead at its price trades first: after joining, at least that much was sold at the price before it fills.
    for seed in 0..6 {
        let mut world = world(seed, 1_000);
        world.advance(Duration::from_secs(2));
        let symbol = btc().symbol;
        let level = world.venue.depth(symbol, 5).unwrap().bids[0];
        let mut new = order(Side::Buy, Tif::Gtx, 5, 1, "x");
        new.price = level.price;
        let Ok(placed) = world.place(0, new) else { continue };
        assert_eq!(placed.filled.units(), 0);
        let from = world.heard.trades.len();
        for _ in 0..2_000 {
            world.advance(Duration::from_millis(25));
            let done = world.venue.user_trades(AccountId(0), symbol, None, Page::latest(1)).unwrap();
            let Some(fill) = done.first() else { continue };
            // Either the queue ahead was traded away, or it was withdrawn and the order stood alone.
            let sold: u64 =
                world.heard.trades[from..].iter().filter(|t| t.price == level.price && t.id.0 < fill.trade_id).map(|t| t.qty.units()).sum();
            let below = world.venue.depth(symbol, 1).unwrap().bids.first().is_none_or(|l| l.price <= level.price);
            assert!(sold >= level.qty.units() || below, "seed {seed}: {sold} of {}", level.qty.units());
            break;
        }
    }
}

#[test]
fn a_long_sleep_is_skipped_when_asked() {
    let spec = GeneratorSpec { seed: 1, start_price: Price::from_units(6_000_000), speed_milli: 20_000, history: 0 };
    let lag_max = Some(Duration::from_secs(5));
    let mut world = World::of(VenueConfig { lag_max, ..config(vec![market(btc(), SourceSpec::Generator(spec))], USDT) });
    world.advance(Duration::from_secs(1));
    let before = world.heard.depth_updates;
    world.advance(Duration::from_secs(3_600));
    assert!(world.heard.depth_updates - before < 10);
    world.advance(Duration::from_secs(1));
    assert!(world.heard.depth_updates - before > 500);
    assert_eq!(world.venue.now(), START + Duration::from_secs(3_602));
    // The minutes slept through are flat.
    for _ in 0..120 {
        world.advance(Duration::from_secs(1));
    }
    let candles = world.venue.klines(btc().symbol, Interval::MINUTE, Page::latest(100)).unwrap();
    assert!(candles.len() >= 60 && candles.windows(2).all(|p| p[0].open_time.millis() + 60_000 == p[1].open_time.millis()));
}

#[test]
fn a_restored_market_goes_on_where_it_was() {
    let mut first = world(3, 20_000);
    first.advance(Duration::from_secs(60));
    let price = first.venue.last_price(btc().symbol).unwrap().unwrap().units();
    let mut rows = Vec::new();
    first.venue.snapshot(&mut |row| rows.push(row.clone()));
    let mut second = world(3, 20_000);
    second.venue.restore(rows).unwrap();
    second.advance(Duration::from_millis(100));
    let now = second.venue.top(btc().symbol).unwrap().unwrap().1.mid().units();
    assert!((now - price).abs() < price / 500, "{price} went on at {now}");
    assert_eq!(second.heard.trades.first().map(|t| t.id.0 > first.heard.trades.last().unwrap().id.0), Some(true));
}
