//! Prints a few seconds of a made-up market, with an account that buys and sells around it.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use core::time::Duration;
use plimsoll_market::{Instrument, Name, OrderType, Price, Qty, Side, Time};
use plimsoll_sim::generator::GeneratorSpec;
use plimsoll_sim::venue::{
    AccountEvent, AccountId, AccountSpec, Journal, MarketEvent, MarketSpec, NewOrder, Page, SelfTrade, SourceSpec, Tif, Venue, VenueConfig,
    VenueEvent,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let btc = Instrument::example_btcusdt();
    let spec = GeneratorSpec { seed: 42, start_price: Price::from_units(6_000_000), speed_milli: 1_000, history: 60 };
    let start = Time::from_millis(1_700_000_000_000);
    let mut venue = Venue::new(VenueConfig {
        markets: vec![MarketSpec { instrument: btc, brackets: Vec::new(), source: SourceSpec::Generator(spec) }],
        accounts: vec![AccountSpec { name: Name::new("demo")?, wallet: 10_000 * 100_000_000 }],
        start,
        funding_interval: Duration::from_secs(8 * 3_600),
        leverage: 20,
        journal: Journal::Off,
        lag_max: None,
    })?;
    let mut trades = 0;
    let mut tell = |event: VenueEvent<'_>| match event {
        VenueEvent::Market { event: MarketEvent::Trade(_), .. } => trades += 1,
        VenueEvent::Market { event: MarketEvent::Mark(mark), .. } => println!("{:?}  mark {}", mark.time, mark.mark),
        VenueEvent::Account { event: AccountEvent::Order { row, execution, fill, .. }, .. } => {
            let filled = fill.map_or(String::new(), |f| format!(" at {}, commission {}", btc.show_price(f.price), f.commission));
            println!("  order {} {} {}{filled}", row.order_id, row.side.as_str(), execution.as_str());
        }
        VenueEvent::Market { .. } | VenueEvent::Account { .. } | VenueEvent::Row(_) => {}
    };
    for second in 1..=10_u64 {
        let now = start + Duration::from_secs(second);
        venue.advance(now, &mut tell);
        let Some((_, top)) = venue.top(btc.symbol)? else { continue };
        venue.cancel_all(now, AccountId(0), btc.symbol, &mut tell)?;
        for (side, price) in [(Side::Buy, top.bid), (Side::Sell, top.ask)] {
            let order = NewOrder {
                symbol: btc.symbol,
                client_id: None,
                side,
                kind: OrderType::Limit,
                tif: Tif::Gtx,
                price,
                qty: Qty::from_units(5),
                reduce_only: false,
                self_trade: SelfTrade::default(),
            };
            venue.place(now, AccountId(0), order, &mut tell)?;
        }
    }
    let (position, balance) = (venue.position(AccountId(0), btc.symbol)?, venue.balance(AccountId(0))?);
    let fills = venue.user_trades(AccountId(0), btc.symbol, None, Page::latest(1_000))?.len();
    println!("{trades} trades of the market, {fills} fills of ours; position {}", btc.show_holding(position.holding));
    println!(
        "wallet {}, unrealised {}",
        plimsoll_market::format_units(balance.wallet, 8),
        plimsoll_market::format_units(balance.unrealized, 8)
    );
    for level in venue.depth(btc.symbol, 3)?.asks.iter().rev() {
        println!("   ask {}  {}", btc.show_price(level.price), btc.show_qty(level.qty));
    }
    for level in &venue.depth(btc.symbol, 3)?.bids {
        println!("   bid {}  {}", btc.show_price(level.price), btc.show_qty(level.qty));
    }
    Ok(())
}
