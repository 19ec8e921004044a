//! Shows which orders a grid wants at a price.
#![allow(clippy::print_stdout, reason = "an example")]

use plimsoll_market::{Actions, Event, Instrument, Round, Tag, Time, Top};
use plimsoll_position::{Changes, Position, PositionConfig};
use plimsoll_strategy::{Grid, GridConfig, Quotes, Strategy};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let btc = Instrument::example_btcusdt();
    let cfg = GridConfig { interval: btc.parse_price("60", Round::Exact)?, order_quote: 250 * 100_000_000, buy_window: 5, sell_window: 5 };
    let (bid, ask) = (btc.parse_price("61659.7", Round::Exact)?, btc.parse_price("61659.8", Round::Exact)?);
    cfg.check(&btc, bid)?;

    let mut books = Position::new(
        btc,
        PositionConfig {
            tag: Tag(1),
            run: 1,
            series: 0,
            placed_before: 0,
            recv_window_ms: 5_000,
            compare_every: PositionConfig::COMPARE_EVERY,
            accept_position: true,
        },
        None,
    );
    let qty = btc.parse_qty("1", Round::Exact)?;
    let event = Event::Top(Top { bid, bid_qty: qty, ask, ask_qty: qty, time: Time::ZERO });
    let mut actions = Actions::new();
    books.apply(Time::ZERO, &event, &mut actions);

    let (mut grid, mut want) = (Grid::new(cfg, 0), Quotes::new());
    grid.anchored(bid);
    println!("{:?}", grid.on_event(&event, Changes::TOP, &books.view(Time::ZERO), &mut want));
    for quote in want.as_slice() {
        println!(
            "{:<4} level {:>3}: {} at {}",
            quote.side.as_str(),
            quote.leg.index(),
            btc.show_qty(quote.qty),
            btc.show_price(quote.price)
        );
    }
    Ok(())
}
