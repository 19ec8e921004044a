//! Two symbols on a small budget: what is declared, what is shown, what is refused.
//!
//! `cargo run -p plimsoll-bounded --example ledger`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use plimsoll_bounded::{Class, Grants, Ledger, LedgerError, Line, Map, Plan, Ring, WhenFull};

/// What a symbol keeps: the latest prices, and its orders, which must never be lost.
struct Book {
    prices: Ring<u64>,
    orders: Map<u128, [u8; 100]>,
}

impl Book {
    fn plan(symbol: &str) -> Result<Plan, LedgerError> {
        let (prices, orders) = (format!("demo.prices/{symbol}"), format!("demo.orders/{symbol}"));
        Plan::new(symbol).with(Line::of::<u64>(&prices, 500, WhenFull::DropOldest, Class::LatestWins))?.with(Map::<u128, [u8; 100]>::line(
            &orders,
            64,
            WhenFull::Refuse,
            Class::MustKeep,
        ))
    }

    fn new(grants: &mut Grants) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self { prices: Ring::new(grants.take("demo.prices")?), orders: Map::new(grants.take("demo.orders")?) })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ledger = Ledger::with_lines(80_000, 32);
    ledger.external("demo.stacks", 32_000)?.set_len(9_000);
    let mut btc = Book::new(&mut ledger.admit(&Book::plan("BTCUSDT")?)?)?;
    let ledger = ledger.seal()?;

    // After the seal, symbols come as whole plans, as long as there is room.
    let eth = Book::new(&mut ledger.admit(&Book::plan("ETHUSDT")?)?)?;
    for symbol in ["SOLUSDT", "XRPUSDT"] {
        match ledger.admit(&Book::plan(symbol)?) {
            Ok(grants) => println!("{symbol} has {} lines", grants.len()),
            Err(refused) => println!("{refused}"),
        }
    }

    for price in 0..1_000 {
        btc.prices.roll(price);
    }
    for id in 0..70 {
        if btc.orders.insert(id, [0; 100]).is_err() {
            println!("order {id} refused: {} are working", eth.orders.len() + btc.orders.len());
            break;
        }
    }

    println!("{} of {} bytes are spoken for", ledger.total_bytes(), ledger.budget());
    println!("{:<22} {:>8} {:>9} {:>5} {:>5} {:>5}  {:<12} class", "line", "bytes", "capacity", "len", "high", "over", "when full");
    for line in ledger.handle().lines() {
        let plimsoll_bounded::LineStatus { name, bytes, capacity, len, high_water, overflows, policy, class, .. } = line;
        println!("{name:<22} {bytes:>8} {capacity:>9} {len:>5} {high_water:>5} {overflows:>5}  {policy:<12} {class}");
    }
    Ok(())
}
