//! A market maker on a little exchange that fills what the price reaches.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

mod shared;

use plimsoll_engine::Boot;
use plimsoll_market::*;
use plimsoll_strategy::{MarketMaker, MarketMakerConfig, StrategyConfig};
use proptest::prelude::{prop_assert, proptest};
use shared::desk::{Desk, USDT, show};
use std::time::Duration;

fn maker() -> MarketMakerConfig {
    MarketMakerConfig {
        amount: 1_000 * USDT,
        layers: 2,
        half_spread: 1_000,
        risk: 1_000,
        volatility: 2,
        bar: Duration::from_secs(60),
        requote: 200,
    }
}

#[test]
fn a_market_maker_quotes_both_sides_and_leans_against_what_it_holds() {
    maker().check_at(&Instrument::example_btcusdt(), Price::from_units(6_000_000)).unwrap();
    let mut d = Desk::of(StrategyConfig::MarketMaker(maker()).build().unwrap(), &Boot::default(), 0);
    // Two returns make a deviation: of a market that does not move it is none.
    d.minute(6_000_000);
    d.minute(6_000_000);
    d.check(&[]);
    d.minute(6_000_000);
    d.check(&["rest long 0 buy maker 0.016 59940.00", "rest short 0 sell maker 0.016 60060.10"]);
    // Within a fiftieth of a per cent the quotes stay, beyond it they follow.
    d.price(6_001_000);
    d.check(&[]);
    d.price(6_001_300);
    assert_eq!(d.open.iter().map(show).collect::<Vec<_>>(), ["long 0 buy maker 0.016 59953.00", "short 0 sell maker 0.016 60073.10"]);
    d.log.clear();
    // What the bid has bought the ask closes, and the next bid is another layer, once its refusal by an older price is over.
    let wait = |d: &mut Desk| {
        d.w.now = d.w.now + Duration::from_secs(2);
        d.feed(Event::Wake);
    };
    d.price(5_995_000);
    wait(&mut d);
    let open = |d: &Desk| d.open.iter().map(show).collect::<Vec<_>>();
    assert_eq!(d.holding(), 16);
    assert_eq!(open(&d), ["long 0 sell maker 0.016 60010.10 reduces", "long 1 buy maker 0.016 59890.00"]);
    // With both layers held nothing more is bought.
    d.price(5_988_000);
    wait(&mut d);
    assert_eq!((d.holding(), open(&d).len()), (32, 1));
    // Bars that move widen the quotes, and two layers shift them downwards.
    d.minute(5_958_060);
    let quotes = open(&d);
    assert_eq!(quotes.len(), 1);
    let ask: f64 = quotes[0].split(' ').nth(5).unwrap().parse().unwrap();
    assert!(ask < 59_580.65 * 1.001, "half a spread and less: {ask}");
    assert!(quotes[0].starts_with("long 1 sell"), "the last layer first");
    d.price(6_100_000);
    assert!(d.holding() <= 16, "{}", d.holding());
}

#[test]
fn a_market_maker_is_restored_and_checked() {
    let mut d = Desk::of(Box::new(MarketMaker::new(maker()).unwrap()), &Boot::default(), 0);
    for _ in 0..3 {
        d.minute(6_000_000);
    }
    d.price(5_990_000);
    let (boot, holding) = d.stored();
    assert_eq!(holding, 16);
    // Nothing is known of the market's movement yet: it closes and opens nothing.
    let d = Desk::of(Box::new(MarketMaker::new(maker()).unwrap()), &boot, holding);
    assert_eq!(d.open.iter().map(show).collect::<Vec<_>>(), ["long 0 sell maker 0.016 60060.10 reduces"]);
    let bad = |change: &dyn Fn(&mut MarketMakerConfig)| {
        let mut cfg = maker();
        change(&mut cfg);
        cfg.check().is_err()
    };
    assert!(bad(&|c| c.layers = 31) && bad(&|c| c.layers = 0) && bad(&|c| c.requote = 1_000) && bad(&|c| c.volatility = 1));
    let narrow = MarketMakerConfig { half_spread: 200, requote: 100, ..maker() };
    assert!(narrow.check_at(&Instrument::example_btcusdt(), Price::from_units(6_000_000)).is_err(), "it earns its fees only");
}

proptest! {
    /// Whatever the market does, a maker holds no more than its layers, and its books add up (the desk looks at every step).
    #[test]
    fn a_market_maker_stays_within_its_layers(moves in proptest::collection::vec(-12_000..12_000_i64, 10..80)) {
        let mut d = Desk::of(Box::new(MarketMaker::new(maker()).unwrap()), &Boot::default(), 0);
        let mut bid = 6_000_000;
        for step in moves {
            bid += step / 10 * 10;
            d.minute(bid);
            prop_assert!(d.holding().abs() <= 2 * 17, "{}", d.holding());
            prop_assert!(d.open.len() <= 2);
        }
    }
}
