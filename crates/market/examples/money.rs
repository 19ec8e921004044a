//! Exact prices, quantities and money of one contract.
#![allow(clippy::print_stdout, reason = "an example")]

use plimsoll_market::{Instrument, Round};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let btc = Instrument::example_btcusdt();
    let price = btc.parse_price("61659.70", Round::Exact)?;
    let budget = 250 * 100_000_000; // 250 USDT in units of 1e-8
    let qty = btc.qty_for(budget, price);
    let value = btc.amount(price * qty, Round::Exact)?;
    println!("250 USDT buys {} BTC at {}: {value}", btc.show_qty(qty), btc.show_price(price));
    println!("maker fee: {}", btc.fee(price * qty, btc.maker_fee));
    println!("allowed: {:?}", btc.check_limit(price, qty, false));
    Ok(())
}
