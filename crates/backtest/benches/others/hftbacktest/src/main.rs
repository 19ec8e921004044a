//! The same events and the same grid, through our tape, engine and exchange, and through hftbacktest with its data in memory.
//!
//! `cargo run --release` here; `PLIMSOLL_BENCH_EVENTS` sets how many (5,000,000).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

#[path = "../../../events.rs"]
#[allow(dead_code, reason = "its own main is not called here")]
mod ours;

use hftbacktest::backtest::assettype::LinearAsset;
use hftbacktest::backtest::data::{Data, DataSource};
use hftbacktest::backtest::models::{CommonFees, ConstantLatency, RiskAdverseQueueModel, TradingValueFeeModel};
use hftbacktest::backtest::{Backtest, ExchangeKind, L2AssetBuilder};
use hftbacktest::prelude::{
    Bot, BUY_EVENT, DEPTH_EVENT, ElapseResult, Event, EXCH_EVENT, LOCAL_EVENT, MarketDepth, OrdType, ROIVectorMarketDepth, SELL_EVENT, Status,
    TimeInForce, TRADE_EVENT,
};
use plimsoll_backtest::tape::{TapeReader, Tick};
use plimsoll_market::{Price, Qty, Side};
use std::collections::BTreeMap;
use std::path::Path;

const TICK: f64 = 0.1;
const STEP: f64 = 0.001;

/// The tape's events as hftbacktest takes them.
fn theirs(path: &Path) -> Vec<Event> {
    let mut reader = TapeReader::open(path).unwrap();
    let mut events = Vec::new();
    while let Some((time, tick)) = reader.next().unwrap() {
        let (kind, side, price, qty): (u64, Side, Price, Qty) = match tick {
            Tick::Level { side, price, qty } => (DEPTH_EVENT, side, price, qty),
            Tick::Trade { taker, price, qty } => (TRADE_EVENT, taker, price, qty),
            _ => continue,
        };
        let side = if side == Side::Buy { BUY_EVENT } else { SELL_EVENT };
        let at = time.nanos() as i64;
        events.push(Event {
            ev: kind | side | EXCH_EVENT | LOCAL_EVENT,
            exch_ts: at,
            local_ts: at,
            px: price.units() as f64 / 100.0,
            qty: qty.units() as f64 * STEP,
            order_id: 0,
            ival: 0,
            fval: 0.0,
        });
    }
    events
}

/// What is at a level.
#[derive(Clone, Copy, Default)]
struct Slot {
    held: f64,
    bought: bool,
    order: Option<u64>,
}

/// Ten buys below the price, and above each level that was bought its sell; both rest. It decides when a best price has changed or an
/// order was answered, as ours does.
fn grid(events: &[Event], interval: f64) -> (u64, u64, u64) {
    let middle = 60_000.0;
    let asset = L2AssetBuilder::new()
        .data(vec![DataSource::Data(Data::from_data(events))])
        .latency_model(ConstantLatency::new(3_000_000, 2_000_000))
        .asset_type(LinearAsset::new(1.0))
        .fee_model(TradingValueFeeModel::new(CommonFees::new(0.0002, 0.0005)))
        .exchange(ExchangeKind::NoPartialFillExchange)
        .queue_model(RiskAdverseQueueModel::new())
        .depth(move || ROIVectorMarketDepth::new(TICK, STEP, middle - 5_000.0, middle + 5_000.0))
        .build()
        .unwrap();
    let mut hbt = Backtest::builder().add_asset(asset).build().unwrap();
    let mut slots: BTreeMap<i64, Slot> = BTreeMap::new();
    let (mut placed, mut canceled, mut fills, mut next) = (0, 0, 0, 1_u64);
    let (mut bid, mut ask, mut anchor) = (0, 0, None);
    loop {
        let answered = match hbt.wait_next_feed(true, 1_000_000_000).unwrap() {
            ElapseResult::EndOfData => break,
            ElapseResult::OrderResponse => true,
            ElapseResult::Ok | ElapseResult::MarketFeed => false,
        };
        let depth = hbt.depth(0);
        let top = (depth.best_bid_tick(), depth.best_ask_tick());
        if !answered && top == (bid, ask) || top.0 <= 0 || top.1 >= i64::MAX {
            continue;
        }
        (bid, ask) = top;
        let (best_bid, best_ask) = (bid as f64 * TICK, ask as f64 * TICK);
        let anchor = *anchor.get_or_insert(((best_bid + best_ask) / 2.0 / TICK).floor() * TICK);
        if answered {
            for slot in slots.values_mut() {
                let Some(order) = slot.order.and_then(|id| hbt.orders(0).get(&id)) else { continue };
                match order.status {
                    Status::Filled => {
                        fills += 1;
                        (slot.held, slot.bought, slot.order) = if slot.bought { (0.0, false, None) } else { (order.qty, true, None) };
                    }
                    Status::Canceled | Status::Expired | Status::Rejected => slot.order = None,
                    _ => {}
                }
            }
            hbt.clear_inactive_orders(Some(0));
            slots.retain(|_, slot| slot.order.is_some() || slot.bought);
        }
        // The highest level that rests below the ask, and nine below it.
        let highest = ((best_ask - TICK / 2.0 - anchor) / interval).floor() as i64;
        let window = highest - 9..=highest;
        let leaving: Vec<u64> = slots
            .iter()
            .filter(|(level, slot)| !slot.bought && !window.contains(level))
            .filter_map(|(_, slot)| slot.order)
            .filter(|id| hbt.orders(0).get(id).is_some_and(|order| order.cancellable()))
            .collect();
        for id in leaving {
            hbt.cancel(0, id, false).unwrap();
            canceled += 1;
        }
        for level in window {
            let price = anchor + level as f64 * interval;
            let slot = slots.entry(level).or_default();
            if slot.order.is_none() && !slot.bought {
                slot.order = Some(next);
                let qty = (200.0 / price / STEP).floor() * STEP;
                hbt.submit_buy_order(0, next, price, qty, TimeInForce::GTX, OrdType::Limit, false).unwrap();
                (next, placed) = (next + 1, placed + 1);
            }
        }
        for (level, slot) in slots.iter_mut().filter(|(_, slot)| slot.bought && slot.order.is_none()).take(10) {
            let target = (anchor + (*level + 1) as f64 * interval).max(best_bid + TICK);
            slot.order = Some(next);
            hbt.submit_sell_order(0, next, target, slot.held, TimeInForce::GTX, OrdType::Limit, false).unwrap();
            (next, placed) = (next + 1, placed + 1);
        }
    }
    (placed, canceled, fills)
}

fn main() {
    let count: u64 = std::env::var("PLIMSOLL_BENCH_EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(5_000_000);
    let dir = tempfile::tempdir().unwrap();
    let tape = dir.path().join("l2.tape");
    ours::levels(&tape, count);
    let events = theirs(&tape);
    for (interval, name) in [("0.5", "grid, 5 ticks apart"), ("0.1", "grid, 1 tick apart")] {
        let mut ratios = Vec::new();
        for _ in 0..3 {
            let mine = ours::play(&tape, ours::setup(0, interval), name);
            let begin = ours::cpu();
            let (placed, canceled, fills) = grid(&events, interval.parse().unwrap());
            let speed = events.len() as f64 / (ours::cpu() - begin).as_secs_f64() / 1e6;
            println!("hftbacktest, the same        {speed:>6.2} M/cpu s  placed {placed}  cancelled {canceled}  fills {fills}");
            ratios.push(mine / speed);
        }
        ratios.sort_by(f64::total_cmp);
        println!("{name}: {:.1} times hftbacktest's speed (median of 3)", ratios[1]);
    }
}
