//! Books a purchase and a sale and shows what they earned.
#![allow(clippy::print_stdout, reason = "an example")]

use plimsoll_market::{Amount, Fill, Instrument, OrderId, Round, Side, Time, Totals, TradeId};
use plimsoll_position::book_fill;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let btc = Instrument::example_btcusdt();
    let mut totals = Totals::EMPTY;
    for (id, side, price) in [(1, Side::Buy, "60000.0"), (2, Side::Sell, "60100.0")] {
        let price = btc.parse_price(price, Round::Exact)?;
        let qty = btc.parse_qty("0.004", Round::Exact)?;
        let fill = Fill {
            trade_id: TradeId(id),
            order_id: OrderId(u128::from(id)),
            id: None,
            side,
            price,
            qty,
            fee: btc.fee(price * qty, btc.maker_fee),
            realized: Amount::zero(btc.quote),
            maker: true,
            time: Time::ZERO,
        };
        let realized = book_fill(&mut totals, &btc, &fill);
        println!("{:<4} realised {} holding {}", side.as_str(), Amount::new(btc.quote, realized), btc.show_holding(totals.holding));
    }
    println!("fees {}", Amount::new(btc.quote, totals.fees));
    Ok(())
}
