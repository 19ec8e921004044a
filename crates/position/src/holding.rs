use plimsoll_market::{AssetRate, Fill, Holding, Instrument, Notional, Qty, Round, Side, Totals, WaitingFees};

/// Books an execution into the symbol's totals and returns what it realised, units of 1e-8 of the quote asset.
///
/// The position is carried at cost: what reduces it takes out the same share of the cost, rounded to the nearest unit,
/// so the cost of a closed position is exactly zero. An execution that turns the position closes it first and opens the
/// rest at its own price. Fees in the quote asset are summed; fees in another asset wait for its rate ([`convert_fees`]).
pub fn book_fill(totals: &mut Totals, instrument: &Instrument, fill: &Fill) -> i128 {
    let signed = fill.qty.signed(fill.side);
    let before = totals.holding;
    let closes = before.side().is_some_and(|side| side != fill.side);
    let mut realized = Notional::ZERO;
    if closes {
        let reduced = Qty::from_units(before.qty().units().min(fill.qty.units()));
        let out = totals.cost.share(reduced, before.qty());
        let proceeds = fill.price * reduced.signed(fill.side.opposite());
        realized = proceeds - out;
        totals.cost -= out;
        let rest = fill.qty - reduced;
        if !rest.is_zero() {
            totals.cost = fill.price * rest.signed(fill.side);
        }
    } else {
        totals.cost += fill.price * signed;
    }
    totals.holding = Holding::from_units(before.units() + signed.units());
    match fill.side {
        Side::Buy => totals.bought += fill.qty,
        Side::Sell => totals.sold += fill.qty,
    }
    if fill.fee.asset == instrument.quote {
        totals.fees += fill.fee.units;
    } else if fill.fee.units != 0 {
        match &mut totals.waiting {
            Some(waiting) if waiting.amount.asset == fill.fee.asset => {
                waiting.amount.units += fill.fee.units;
                waiting.fills += 1;
            }
            Some(_) => totals.foreign_fees += 1,
            None => totals.waiting = Some(WaitingFees { amount: fill.fee, fills: 1 }),
        }
    }
    totals.fills += 1;
    // Exact whenever the two scales sum to at most eight digits, as they do on every listed contract we know.
    let realized = instrument.amount(realized, Round::Nearest).map_or(0, |a| a.units);
    totals.realized += realized;
    realized
}

/// Converts the fees that wait for this rate; says whether there were any.
pub fn convert_fees(totals: &mut Totals, instrument: &Instrument, rate: &AssetRate) -> bool {
    let worth = totals.waiting.filter(|_| rate.quote == instrument.quote).and_then(|waiting| rate.convert(waiting.amount));
    let Some(worth) = worth else { return false };
    totals.other_fees += worth;
    totals.waiting = None;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::{Amount, OrderId, Price, Time, TradeId};
    use proptest::prelude::*;

    fn fill(side: Side, price: i64, qty: u64) -> Fill {
        let btc = Instrument::example_btcusdt();
        Fill {
            trade_id: TradeId(1),
            order_id: OrderId(1),
            id: None,
            side,
            price: Price::from_units(price),
            qty: Qty::from_units(qty),
            fee: Amount::new(btc.quote, 7),
            realized: Amount::zero(btc.quote),
            maker: true,
            time: Time::ZERO,
        }
    }

    #[track_caller]
    fn check(fills: &[(Side, i64, u64)], holding: i64, cost: i128, realized: i128) {
        let btc = Instrument::example_btcusdt();
        let mut totals = Totals::EMPTY;
        for (side, price, qty) in fills {
            book_fill(&mut totals, &btc, &fill(*side, *price, *qty));
        }
        // Scales 2 and 3: one notional unit is 1e-5 quote, that is 1,000 units of money.
        assert_eq!((totals.holding.units(), totals.cost.units(), totals.realized), (holding, cost, realized * 1_000));
        assert_eq!(totals.fees, 7 * fills.len() as i128);
    }

    #[test]
    fn books_long_and_short_round_trips() {
        use Side::{Buy, Sell};
        check(&[(Buy, 100, 10)], 10, 1_000, 0);
        check(&[(Buy, 100, 10), (Sell, 110, 4)], 6, 600, 40);
        check(&[(Buy, 100, 10), (Sell, 110, 10)], 0, 0, 100);
        check(&[(Sell, 100, 10)], -10, -1_000, 0);
        check(&[(Sell, 100, 10), (Buy, 90, 4)], -6, -600, 40);
        check(&[(Sell, 100, 10), (Buy, 110, 10)], 0, 0, -100);
        check(&[(Buy, 100, 10), (Sell, 110, 15)], -5, -550, 100);
        check(&[(Sell, 100, 10), (Buy, 90, 15)], 5, 450, 100);
    }

    #[test]
    fn fees_in_another_asset_wait_for_its_rate() {
        let btc = Instrument::example_btcusdt();
        let asset = |name| plimsoll_market::Asset::new(name).unwrap();
        let paid = |units, name| Fill { fee: Amount::new(asset(name), units), ..fill(Side::Buy, 100, 10) };
        let rate = |name, units| AssetRate { asset: asset(name), quote: btc.quote, rate: plimsoll_market::RefPrice::from_units(units) };
        let mut totals = Totals::EMPTY;
        book_fill(&mut totals, &btc, &paid(30, "BNB"));
        book_fill(&mut totals, &btc, &paid(12, "BNB"));
        book_fill(&mut totals, &btc, &paid(7, "USDT"));
        assert_eq!((totals.fees, totals.other_fees, totals.waiting.unwrap().amount.units), (7, 0, 42));
        assert!(!convert_fees(&mut totals, &btc, &rate("ETH", 1)), "another asset's rate says nothing");
        assert!(!convert_fees(&mut totals, &btc, &AssetRate { quote: asset("USDC"), ..rate("BNB", 1) }));
        // A third asset while the second waits: counted, in no sum.
        book_fill(&mut totals, &btc, &paid(1, "ETH"));
        assert!(convert_fees(&mut totals, &btc, &rate("BNB", 60_050_000_000)));
        assert_eq!((totals.fees, totals.other_fees, totals.waiting, totals.foreign_fees), (7, 25_221, None, 1));
        assert!(!convert_fees(&mut totals, &btc, &rate("BNB", 60_050_000_000)), "nothing is converted twice");
        // A rebate, rounded to the nearest.
        book_fill(&mut totals, &btc, &paid(-3, "BNB"));
        assert!(convert_fees(&mut totals, &btc, &rate("BNB", 50_000_000)));
        assert_eq!(totals.other_fees, 25_219);
    }

    proptest! {
        /// Whatever the order of executions, cash flow equals realised profit less what the position cost.
        #[test]
        fn cash_equals_realized_less_cost(fills in proptest::collection::vec((any::<bool>(), 1_i64..1_000_000, 1_u64..10_000), 1..60)) {
            let btc = Instrument::example_btcusdt();
            let mut totals = Totals::EMPTY;
            let mut cash: i128 = 0;
            for (buy, price, qty) in fills {
                let side = if buy { Side::Buy } else { Side::Sell };
                book_fill(&mut totals, &btc, &fill(side, price, qty));
                cash -= (Price::from_units(price) * Qty::from_units(qty).signed(side)).units();
            }
            prop_assert_eq!(cash * 1_000, totals.realized - totals.cost.units() * 1_000);
            if totals.holding.is_flat() {
                prop_assert_eq!(totals.cost, Notional::ZERO);
            }
        }
    }
}
