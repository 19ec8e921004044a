//! Results that were worked out by hand, to the last unit.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may panic")]

mod common;

use common::{Told, event, run, setup};
use plimsoll_backtest::tape::{Bar, Tick};
use plimsoll_backtest::{FundingPlan, Setup};
use plimsoll_market::{Bps, Event, Leg, Price, Qty, Side};
use plimsoll_position::{Changes, View};
use plimsoll_strategy::{Intent, Quote, Quotes, Strategy, Style};
use std::time::Duration;

/// Buys once at a price, and sells what it bought at another one.
struct Once {
    buy: Price,
    sell: Option<Price>,
    qty: Qty,
}

impl Strategy for Once {
    fn name(&self) -> &'static str {
        "once"
    }
    fn anchored(&mut self, _: Price) {}
    fn on_event(&mut self, _: &Event, changes: Changes, view: &View<'_>, want: &mut Quotes) -> Intent {
        if !changes.any(Changes::TOP.and(Changes::INVENTORY).and(Changes::FREED)) {
            return Intent::Keep;
        }
        want.clear();
        let leg = Leg::new(0, 0).unwrap();
        let bought = view.totals.bought;
        if bought.is_zero() || view.totals.holding.qty() < self.qty && view.totals.sold.is_zero() {
            want.push(Quote { leg, side: Side::Buy, style: Style::PostOnly, reduce_only: false, price: self.buy, qty: self.qty });
        } else if let Some(price) = self.sell.filter(|_| !view.totals.holding.is_flat()) {
            let qty = view.totals.holding.qty();
            want.push(Quote { leg, side: Side::Sell, style: Style::PostOnly, reduce_only: true, price, qty });
        }
        Intent::Want
    }
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

fn once(buy: i64, sell: Option<i64>, qty: u64, wallet: i128) -> Setup {
    let mut setup = setup("100", wallet);
    setup.strategy = Box::new(Once { buy: Price::from_units(buy), sell: sell.map(Price::from_units), qty: Qty::from_units(qty) });
    setup
}

fn book(ms: u64, bid: i64, ask: i64) -> Vec<(u64, Tick)> {
    let qty = Qty::from_units(5_000);
    vec![(ms, Tick::Top { bid: (Price::from_units(bid), qty), ask: (Price::from_units(ask), qty) })]
}

fn trade(ms: u64, taker: Side, price: i64, qty: u64) -> (u64, Tick) {
    event(ms, Tick::Trade { taker, price: Price::from_units(price), qty: Qty::from_units(qty) })
}

fn candle(at_ms: u64, prices: [i64; 4]) -> (u64, Tick) {
    let [open, high, low, close] = prices.map(Price::from_units);
    event(at_ms, Tick::Candle(Bar { open, high, low, close, volume: Qty::from_units(1_000_000) }))
}

/// 0.1 BTC bought at 50,000 and held to 51,000.1: 5,000 × 0.0002 = 1 of fees; worth 1,000 − 1 + 0.1 × (51,000.05 − 50,000), at the
/// last price where there was a trade.
#[test]
fn buy_and_hold() {
    let mut ticks = book(0, 5_000_000, 5_000_010);
    ticks.extend(book(100, 5_000_000, 5_000_020));
    ticks.push(trade(2_000, Side::Sell, 4_999_990, 10));
    ticks.extend(book(2_100, 5_099_990, 5_100_000));
    ticks.push(trade(3_000, Side::Buy, 5_100_000, 1));
    ticks.extend(book(4_000, 5_099_990, 5_100_000));
    let told: Told = run(once(5_000_000, None, 100, 1_000), &ticks);
    assert_eq!(told.wallet, 99_900_000_000);
    assert_eq!(told.equity, 99_900_000_000 + 10_000_000_000);
    assert_eq!((told.holding, told.fees, told.realized), (100, 100_000_000, 0));
    assert_eq!(told.books_fees, 100_000_000);
}

/// Bought at 50,000, sold at 50,500: 50 of profit; fees 1 and 1.01.
#[test]
fn one_round_trip() {
    let mut ticks = book(0, 5_000_000, 5_000_010);
    ticks.extend(book(100, 5_000_000, 5_000_020));
    ticks.push(trade(2_000, Side::Sell, 4_999_990, 10));
    ticks.extend(book(2_100, 5_000_000, 5_000_010));
    ticks.push(trade(4_000, Side::Buy, 5_050_010, 10));
    ticks.extend(book(4_100, 5_050_000, 5_050_010));
    ticks.extend(book(5_100, 5_050_000, 5_050_020));
    let told = run(once(5_000_000, Some(5_050_000), 100, 1_000), &ticks);
    assert_eq!(told.wallet, 100_000_000_000 + 5_000_000_000 - 100_000_000 - 101_000_000);
    assert_eq!((told.holding, told.equity), (0, told.wallet));
    assert_eq!((told.books_realized, told.books_fees), (5_000_000_000, 201_000_000));
    let summary = told.summary;
    assert_eq!((summary.round_trips, summary.fills, summary.orders), (1, 2, 2));
    assert!((summary.expectancy.unwrap() - 47.99).abs() < 1e-9);
    assert!((summary.profit - 47.99).abs() < 1e-9);
    assert_eq!((summary.win_rate_percent, summary.fill_ratio_percent), (Some(100.0), Some(100.0)));
}

/// Levels 60,000 and 59,900 fill 0.003 each. When that is told the bid is not yet known to be below 60,000: the sell of the lower one
/// rests a tick above it, and earns 0.3003; the other one is sold at 60,100 and earns 0.3. Fees are 0.0002 of 180, 179.7, 180.0003
/// and 180.3.
#[test]
fn a_full_grid_cycle() {
    let mut ticks = book(0, 6_000_000, 6_000_010);
    ticks.extend(book(50, 6_000_000, 6_000_020));
    ticks.push(trade(2_000, Side::Sell, 5_989_990, 50));
    ticks.extend(book(2_010, 5_989_980, 5_989_990));
    ticks.push(trade(4_000, Side::Buy, 6_000_020, 50));
    ticks.extend(book(4_010, 6_000_000, 6_000_010));
    ticks.push(trade(6_000, Side::Buy, 6_010_010, 50));
    ticks.extend(book(6_010, 6_010_000, 6_010_010));
    ticks.extend(book(7_010, 6_010_000, 6_010_020));
    let told = run(setup("100", 1_000), &ticks);
    let fees = 3_600_000 + 3_594_000 + 3_600_006 + 3_606_000;
    assert_eq!(told.fills, ["buy 6000000 3", "buy 5990000 3", "sell 6000010 3", "sell 6010000 3"]);
    assert_eq!(told.wallet, 100_000_000_000 + 60_030_000 - fees);
    assert_eq!((told.holding, told.books_realized, told.books_fees), (0, 60_030_000, fees));
    assert_eq!(told.summary.round_trips, 2);
    assert!((told.summary.traded - 720.0003).abs() < 1e-9);
}

/// 0.1 BTC at 50,000 with 1,000: 999 after the fee. 999 + 0.1 × (p − 50,000) = 0.1 × p × 0.004 at 40,170.68; the next tick below is
/// 40,170.6: there it is closed, with 2.00853 of taker's fee, though the candle goes on to 40,000.
#[test]
fn a_liquidation_on_a_candles_way() {
    let hour = 3_600_000;
    let ticks = [
        candle(0, [5_001_000, 5_002_000, 5_000_500, 5_001_000]),
        candle(hour, [5_001_000, 5_001_000, 4_999_000, 4_999_500]),
        candle(2 * hour, [4_999_500, 4_999_500, 4_000_000, 4_100_000]),
        candle(3 * hour, [4_100_000, 4_200_000, 4_100_000, 4_200_000]),
    ];
    let mut setup = once(5_000_000, None, 100, 1_000);
    setup.candle_secs = 3_600;
    setup.market.leverage = 10;
    let told = run(setup, &ticks);
    assert_eq!(told.fills, ["buy 5000000 100", "sell 4017060 100"]);
    assert_eq!(told.wallet, 99_900_000_000 - 98_294_000_000 - 200_853_000);
    assert_eq!((told.holding, told.liquidations), (0, 1));
    assert_eq!((told.books_realized, told.books_fees), (-98_294_000_000, 100_000_000 + 200_853_000));
    assert_eq!(told.summary.liquidations, 1);
}

/// 0.1 BTC at a mark of 50,100: 0.01 % of 5,010 is paid, once, at the hour.
#[test]
fn a_funding_payment() {
    let begin = 8 * 3_600_000 - common::START_MS % (8 * 3_600_000) - 10_000;
    let mut ticks = book(begin, 5_000_000, 5_000_010);
    ticks.extend(book(begin + 100, 5_000_000, 5_000_020));
    ticks.push(trade(begin + 2_000, Side::Sell, 4_999_990, 10));
    ticks.extend(book(begin + 2_100, 5_000_000, 5_000_010));
    ticks.push((begin + 3_000, Tick::Mark(plimsoll_market::RefPrice::from_units(5_010_000_000_000))));
    ticks.extend(book(begin + 20_000, 5_000_000, 5_000_020));
    ticks.extend(book(begin + 30_000, 5_000_000, 5_000_010));
    let plan = FundingPlan { rate: Bps::from_ppm(100), every: Duration::from_secs(8 * 3_600) };
    let told = run(Setup { funding: Some(plan), ..once(5_000_000, None, 100, 1_000) }, &ticks);
    assert_eq!(told.wallet, 99_900_000_000 - 50_100_000);
    assert_eq!(told.books_funding, -50_100_000);
    // Told by the data, it is the data's alone.
    ticks.insert(5, (begin + 5_000, Tick::Funding(Bps::from_ppm(-200))));
    let told = run(Setup { funding: Some(plan), ..once(5_000_000, None, 100, 1_000) }, &ticks);
    assert_eq!(told.books_funding, 100_200_000);
}

/// A price that is only touched fills nothing, and of a candle no more is filled than was traded in it.
#[test]
fn candles_fill_beyond_a_price_and_no_more_than_was_traded() {
    let minute = 60_000;
    let mut touched = once(5_000_000, None, 100, 1_000);
    touched.candle_secs = 60;
    let told = run(
        touched,
        &[candle(0, [5_001_000, 5_002_000, 5_001_000, 5_001_500]), candle(minute, [5_001_500, 5_001_500, 5_000_000, 5_000_000])],
    );
    assert_eq!(told.fills, Vec::<String>::new());
    let mut thin = once(5_000_000, None, 100, 1_000);
    thin.candle_secs = 60;
    let small = |ms: u64, volume: u64| {
        let [open, high, low, close] = [5_001_000, 5_001_000, 4_999_000, 5_001_000].map(Price::from_units);
        event(ms, Tick::Candle(Bar { open, high, low, close, volume: Qty::from_units(volume) }))
    };
    let told = run(thin, &[candle(0, [5_001_000, 5_002_000, 5_001_000, 5_001_500]), small(minute, 30), small(2 * minute, 40)]);
    assert_eq!(told.fills, ["buy 5000000 30", "buy 5000000 40"]);
}

/// A payment that falls due within a candle goes by the price of its moment: 0.01 % of 0.1 × 50,500 at two thirds of the way.
#[test]
fn funding_within_a_candle_goes_by_the_price_of_its_moment() {
    let hour = 3_600_000;
    let mut setup = once(5_000_000, None, 100, 1_000);
    setup.candle_secs = 3_600;
    let ticks = [
        candle(0, [5_001_000, 5_002_000, 5_000_500, 5_001_000]),
        candle(hour, [5_001_000, 5_001_000, 4_999_000, 4_999_500]),
        // Low at a third, high at two thirds.
        candle(2 * hour, [4_999_500, 5_050_000, 4_999_500, 5_020_000]),
        event(2 * hour + hour * 3 / 4, Tick::Funding(Bps::from_ppm(100))),
        candle(3 * hour, [5_020_000, 5_020_000, 5_020_000, 5_020_000]),
    ];
    let told = run(setup, &ticks);
    assert_eq!(told.books_funding, -50_500_000);
}

/// One candle that rises: bought on the way to its low, told and offered again in time for its high. One that falls has its high
/// first: what it buys at its low it cannot have sold before.
#[test]
fn a_candle_is_traded_in_the_order_of_its_prices() {
    let minute = 60_000;
    let trade = |prices| {
        let mut setup = once(5_000_000, Some(5_050_000), 100, 1_000);
        setup.candle_secs = 60;
        let quiet = [5_001_000, 5_002_000, 5_001_000, 5_001_500];
        run(setup, &[candle(0, quiet), candle(minute, prices)]).fills
    };
    assert_eq!(trade([5_001_500, 5_060_000, 4_999_000, 5_055_000]), ["buy 5000000 100", "sell 5050000 100"]);
    assert_eq!(trade([5_001_500, 5_060_000, 4_999_000, 4_999_500]), ["buy 5000000 100"]);
}
