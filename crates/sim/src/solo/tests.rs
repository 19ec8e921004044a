#![allow(clippy::unwrap_used, reason = "tests may panic")]

use super::*;
use plimsoll_market::{CancelFailure, Leg, OrderStatus, Place, Reject, Tag};

const START: u64 = 1_700_000_000_000;

/// A script: what happens, and what the account is told, as text.
struct World {
    solo: Solo,
    ms: u64,
    told: Vec<String>,
}

fn world(queue: QueueModel, wallet: i128) -> World {
    let config =
        SoloConfig { instrument: Instrument::example_btcusdt(), brackets: Vec::new(), wallet: wallet * 100_000_000, leverage: 10, queue };
    World { solo: Solo::new(config), ms: START, told: Vec::new() }
}

fn show(told: &Told) -> Option<String> {
    match told {
        Told::Order(r) => {
            let fill =
                r.fill.map_or(String::new(), |f| format!(" {}@{}{}", f.qty.units(), f.price.units(), if f.maker { "m" } else { "t" }));
            Some(format!("{} {}{fill}", r.id.map_or(0, |id| id.leg().index()), r.status.as_str()))
        }
        Told::Wallet(_) => None,
        Told::Funding(f) => Some(format!("funding {}", f.amount.units)),
        Told::MarginCall => Some("margin call".to_owned()),
        Told::Liquidated => Some("liquidated".to_owned()),
    }
}

fn id(leg: i32, side: Side) -> ClientId {
    ClientId::new(Tag(1), 1, Leg::new(0, leg).unwrap(), side, leg.unsigned_abs().into())
}

impl World {
    fn now(&mut self) -> Time {
        self.ms += 1;
        Time::from_millis(self.ms)
    }

    fn level(&mut self, side: Side, price: i64, qty: u64) {
        self.solo.level(side, Price::from_units(price), Qty::from_units(qty));
    }

    fn book(&mut self) {
        self.level(Side::Buy, 5_000_000, 100);
        self.level(Side::Sell, 5_000_010, 100);
        self.level(Side::Sell, 5_000_020, 100);
        self.settle();
    }

    fn settle(&mut self) {
        let now = self.now();
        let told = &mut self.told;
        self.solo.settle(now, &mut |t| told.extend(show(&t)));
    }

    fn trade(&mut self, taker: Side, price: i64, qty: u64) {
        let now = self.now();
        let told = &mut self.told;
        self.solo.trade(now, Price::from_units(price), Qty::from_units(qty), taker, &mut |t| told.extend(show(&t)));
    }

    fn place(&mut self, leg: i32, side: Side, price: i64, qty: u64, tif: TimeInForce) -> Result<OrderStatus, Reject> {
        let kind = if price == 0 { OrderType::Market } else { OrderType::Limit };
        let place =
            Place { id: id(leg, side), price: Price::from_units(price), qty: Qty::from_units(qty), kind, tif, reduce_only: leg < 0 };
        let now = self.now();
        let told = &mut self.told;
        self.solo.place(now, &place, &mut |t| told.extend(show(&t))).map(|report| report.status)
    }

    #[track_caller]
    fn told(&mut self, expected: &str) {
        assert_eq!(core::mem::take(&mut self.told).join(", "), expected);
        let sums = self.solo.sums();
        assert_eq!(sums.wallet(), self.solo.wallet(), "the wallet is the sum of what happened");
    }
}

#[test]
fn an_order_waits_behind_what_was_there() {
    let mut w = world(QueueModel::RiskAverse, 10_000);
    w.book();
    assert_eq!(w.place(1, Side::Buy, 5_000_000, 10, TimeInForce::Gtx), Ok(OrderStatus::New));
    w.told("1 new");
    w.trade(Side::Sell, 5_000_000, 60);
    w.told("");
    // 40 were ahead; 44 are traded.
    w.trade(Side::Sell, 5_000_000, 44);
    w.told("1 partially_filled 4@5000000m");
    w.trade(Side::Sell, 4_999_990, 1);
    w.told("1 filled 6@5000000m");
}

#[test]
fn withdrawals_move_it_forward_by_the_model() {
    // Of 200 the order has 100 ahead and 100 behind. 100 are withdrawn.
    for (queue, ahead) in [(QueueModel::RiskAverse, 100), (QueueModel::Probability { power: 2 }, 50)] {
        let mut w = world(queue, 10_000);
        w.book();
        assert_eq!(w.place(1, Side::Buy, 5_000_000, 10, TimeInForce::Gtx), Ok(OrderStatus::New));
        w.level(Side::Buy, 5_000_000, 200);
        w.settle();
        w.level(Side::Buy, 5_000_000, 100);
        w.settle();
        w.told("1 new");
        w.trade(Side::Sell, 5_000_000, ahead);
        w.told("");
        w.trade(Side::Sell, 5_000_000, 1);
        w.told("1 partially_filled 1@5000000m");
    }
    // What was traded is not withdrawn a second time when the level is told.
    let mut w = world(QueueModel::Probability { power: 1 }, 10_000);
    w.book();
    assert_eq!(w.place(1, Side::Buy, 5_000_000, 10, TimeInForce::Gtx), Ok(OrderStatus::New));
    w.trade(Side::Sell, 5_000_000, 30);
    w.level(Side::Buy, 5_000_000, 70);
    w.trade(Side::Sell, 5_000_000, 70);
    w.told("1 new");
    w.trade(Side::Sell, 5_000_000, 1);
    w.told("1 partially_filled 1@5000000m");
}

#[test]
fn orders_that_take_walk_the_book() {
    let mut w = world(QueueModel::RiskAverse, 10_000);
    w.book();
    assert_eq!(w.place(1, Side::Buy, 5_000_010, 10, TimeInForce::Gtx), Err(Reject::WouldTake));
    assert_eq!(w.place(2, Side::Buy, 0, 150, TimeInForce::Gtc), Ok(OrderStatus::Filled));
    w.told("2 new, 2 partially_filled 100@5000010t, 2 filled 50@5000020t");
    assert_eq!(w.place(3, Side::Buy, 5_000_020, 60, TimeInForce::Fok), Err(Reject::Other(-5021)));
    assert_eq!(w.place(4, Side::Buy, 5_000_020, 60, TimeInForce::Ioc), Ok(OrderStatus::Expired));
    w.told("4 new, 4 partially_filled 50@5000020t, 4 expired");
}

#[test]
fn a_level_that_crosses_an_order_trades_with_it() {
    let mut w = world(QueueModel::RiskAverse, 10_000);
    w.book();
    assert_eq!(w.place(1, Side::Buy, 5_000_000, 30, TimeInForce::Gtx), Ok(OrderStatus::New));
    w.level(Side::Buy, 5_000_000, 0);
    w.level(Side::Sell, 4_999_990, 20);
    w.settle();
    w.told("1 new, 1 partially_filled 20@5000000m");
    // What the order took is gone from the book until it is told again.
    w.settle();
    w.level(Side::Sell, 5_000_000, 50);
    w.settle();
    w.told("1 filled 10@5000000m");
}

#[test]
fn margin_and_filters_refuse() {
    let mut w = world(QueueModel::RiskAverse, 100);
    w.book();
    // 100 of margin at ten times the leverage carry 1,000, less what the fee will take.
    assert_eq!(w.place(1, Side::Buy, 5_000_000, 21, TimeInForce::Gtx), Err(Reject::Margin));
    assert_eq!(w.place(1, Side::Buy, 5_000_000, 19, TimeInForce::Gtx), Ok(OrderStatus::New));
    assert_eq!(w.place(1, Side::Buy, 5_000_000, 2, TimeInForce::Gtx), Err(Reject::Duplicate));
    assert_eq!(w.place(2, Side::Buy, 5_000_000, 2, TimeInForce::Gtx), Err(Reject::Margin));
    assert_eq!(w.place(3, Side::Buy, 5_000_001, 2, TimeInForce::Gtx), Err(Reject::Filter));
    assert_eq!(w.place(-4, Side::Sell, 5_000_010, 2, TimeInForce::Gtx), Err(Reject::NothingToReduce));
    let now = w.now();
    assert_eq!(w.solo.cancel(now, id(9, Side::Buy), &mut |_| {}), Err(CancelFailure::NotOpen));
    assert_eq!(w.solo.cancel(now, id(1, Side::Buy), &mut |_| {}).map(|r| r.status), Ok(OrderStatus::Canceled));
    assert_eq!(w.solo.open_count(), 0);
}

#[test]
fn orders_that_only_reduce_end_with_the_position() {
    let mut w = world(QueueModel::RiskAverse, 10_000);
    w.book();
    assert_eq!(w.place(1, Side::Buy, 0, 10, TimeInForce::Gtc), Ok(OrderStatus::Filled));
    assert_eq!(w.place(-2, Side::Sell, 5_000_050, 10, TimeInForce::Gtx), Ok(OrderStatus::New));
    assert_eq!(w.place(-3, Side::Sell, 5_000_060, 10, TimeInForce::Gtx), Ok(OrderStatus::New));
    w.told("1 new, 1 filled 10@5000010t, -2 new, -3 new");
    w.trade(Side::Buy, 5_000_070, 1);
    w.told("-2 filled 10@5000050m, -3 expired");
    assert!(w.solo.holding().is_flat());
    // 0.01 × (50,000.50 − 50,000.10), less 0.25000500 as taker and 0.1000010 as maker.
    assert_eq!(w.solo.wallet(), 10_000 * 100_000_000 + 400_000 - 25_000_050 - 10_000_100);
}
