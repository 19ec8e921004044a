use super::*;
use plimsoll_market::{Amount, Booked, Fill, Name, OrderId, Price, Symbol, TradeId};

fn usdt() -> Asset {
    Asset::new("USDT").unwrap()
}

/// A fill by its side, level, quantity and price, with a fee of 1 a unit; `strategy` 63 closes.
fn line(n: u64, side: Side, strategy: u8, level: i32, qty: u64, price: i64, fee: &str) -> FillLine {
    let fill = Fill {
        trade_id: TradeId(n),
        order_id: OrderId(1),
        id: None,
        side,
        price: Price::from_units(price),
        qty: Qty::from_units(qty),
        fee: Amount::new(Asset::new(fee).unwrap(), i128::from(qty)),
        realized: Amount::zero(usdt()),
        maker: true,
        time: Time::from_millis(n),
    };
    let key = Key { account: Name::new("main").unwrap(), symbol: Symbol::new("BTCUSDT").unwrap() };
    FillLine::new(key, Booked { fill, leg: Leg::new(strategy, level), realized: 0, slot_realized: 0 })
}

/// Asserts the trips of some fills: level, quantity, cost, proceeds, fees, executions that bought, when it was opened.
#[track_caller]
fn check(fills: &[FillLine], expected: &[(i32, u64, i128, i128, i128, u64, u64)], unmatched: u64) -> Vec<Trip> {
    let (mut trips, mut told) = (Trips::default(), Vec::new());
    for fill in fills {
        trips
            .take(fill, usdt(), |trip| {
                told.push(trip);
                Ok(())
            })
            .unwrap();
    }
    let found: Vec<_> =
        told.iter().map(|t| (t.leg.index(), t.qty.units(), t.buy_value, t.sell_value, t.fees, t.openings, t.opened.millis())).collect();
    assert_eq!((found.as_slice(), trips.unmatched), (expected, unmatched));
    told
}

#[test]
fn buys_are_sold_first_in_first_out_and_nothing_is_lost_by_rounding() {
    use Side::{Buy, Sell};
    let fills = [
        line(1, Buy, 0, 5, 10, 100, "USDT"),
        line(2, Buy, 0, 5, 20, 90, "USDT"),
        line(3, Sell, 0, 5, 15, 110, "USDT"),
        line(4, Buy, 0, 6, 1, 7, "USDT"),
        line(5, Sell, 0, 5, 15, 120, "USDT"),
    ];
    let told = check(&fills, &[(5, 15, 1_450, 1_650, 30, 2, 1), (5, 15, 1_350, 1_800, 30, 1, 2)], 0);
    let scales = StoredScales { base: usdt(), quote: usdt(), price_scale: 2, qty_scale: 3 };
    assert_eq!(told.iter().map(|trip| trip.profit(&scales)).collect::<Vec<_>>(), [Some(200_000), Some(450_000)]);
}

#[test]
fn closing_order_takes_the_highest_levels_first() {
    use Side::{Buy, Sell};
    let fills =
        [line(1, Buy, 0, -3, 10, 100, "USDT"), line(2, Buy, 0, 5, 10, 200, "USDT"), line(3, Sell, CLOSING_STRATEGY, 0, 15, 150, "USDT")];
    check(&fills, &[(5, 10, 2_000, 1_500, 20, 1, 2), (-3, 5, 500, 750, 10, 1, 1)], 0);
}

#[test]
fn short_slots_are_opened_by_sells_and_closed_by_buys() {
    use Side::{Buy, Sell};
    let short = |n, side, level, qty, price| line(n, side, Leg::SHORT, level, qty, price, "USDT");
    let fills = [
        short(1, Sell, 4, 10, 200),
        short(2, Sell, 2, 10, 100),
        short(3, Buy, 4, 4, 150),
        line(4, Buy, CLOSING_STRATEGY, 0, 12, 90, "USDT"),
        line(5, Sell, CLOSING_STRATEGY, 0, 1, 90, "USDT"),
    ];
    let told = check(&fills, &[(4, 4, 600, 800, 8, 1, 1), (4, 6, 540, 1_200, 12, 1, 1), (2, 6, 540, 600, 12, 1, 2)], 1);
    let scales = StoredScales { base: usdt(), quote: usdt(), price_scale: 2, qty_scale: 3 };
    assert_eq!(told[0].profit(&scales), Some(200_000));
}

#[test]
fn what_nothing_bought_is_counted_and_left_out() {
    use Side::{Buy, Sell};
    let fills = [line(1, Sell, 0, 1, 5, 100, "USDT"), line(2, Buy, 0, 1, 5, 100, "USDT"), line(3, Sell, 0, 1, 8, 110, "USDT")];
    check(&fills, &[(1, 5, 500, 550, 10, 1, 2)], 2);
    // Another symbol's slots are others.
    let mut other = line(4, Sell, 0, 1, 1, 100, "USDT");
    other.key.symbol = Symbol::new("ETHUSDT").unwrap();
    check(&[line(1, Buy, 0, 1, 5, 100, "USDT"), other], &[], 1);
}

#[test]
fn fees_in_another_asset_are_told_apart() {
    use Side::{Buy, Sell};
    let told = check(
        &[line(1, Buy, 0, 1, 10, 100, "BNB"), line(2, Sell, 0, 1, 4, 110, "USDT"), line(3, Sell, 0, 1, 6, 110, "BTC")],
        &[(1, 4, 400, 440, 4, 1, 1), (1, 6, 600, 660, 0, 1, 1)],
        0,
    );
    let bnb = Asset::new("BNB").unwrap();
    assert_eq!((told[0].other, told[1].other), (Other::In(bnb, 4), Other::Mixed));
}

#[test]
fn many_small_buys_of_a_slot_become_one_and_add_up() {
    let mut fills: Vec<_> = (1..=1_000).map(|n| line(n, Side::Buy, 0, 1, 1, 100 + n as i64, "USDT")).collect();
    fills.push(line(1_001, Side::Sell, 0, 1, 1_000, 200, "USDT"));
    let cost = (1..=1_000).map(|n| 100 + n).sum();
    check(&fills, &[(1, 1_000, cost, 200_000, 2_000, 1_000, 1)], 0);
}
