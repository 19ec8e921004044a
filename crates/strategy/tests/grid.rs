//! What a grid wants, and when it cannot run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

use plimsoll_market::*;
use plimsoll_strategy::GridConfig;

fn grid(interval: &str, usdt: i128) -> GridConfig {
    let btc = Instrument::example_btcusdt();
    GridConfig {
        interval: btc.parse_price(interval, Round::Exact).unwrap(),
        order_quote: usdt * 100_000_000,
        buy_window: 10,
        sell_window: 10,
    }
}

#[track_caller]
fn check(cfg: GridConfig, price: &str, expected: Option<&str>) {
    let btc = Instrument::example_btcusdt();
    let got = cfg.check(&btc, btc.parse_price(price, Round::Exact).unwrap()).err().map(|e| e.to_string());
    assert_eq!(got.as_deref(), expected);
}

#[test]
fn runs_when_filters_and_fees_allow() {
    check(grid("60", 250), "60000", None);
}

#[test]
fn an_order_below_the_least_value_is_refused_with_the_numbers() {
    let text = "BTCUSDT: an order of 110.00000000 USDT at 60000.00 is 0.001 BTC, worth 60.00000000 USDT; the exchange takes no less than 0.001 BTC and 100.00000000 USDT; raise order_quantity";
    check(grid("60", 110), "60000", Some(text));
    check(grid("60", 120), "60000", None);
}

#[test]
fn an_interval_off_the_tick_is_refused() {
    check(grid("60.05", 250), "60000", Some("BTCUSDT: price_interval 60.05 is not a positive multiple of the tick 0.10"));
    check(grid("0", 250), "60000", Some("BTCUSDT: price_interval 0.00 is not a positive multiple of the tick 0.10"));
}

#[test]
fn an_interval_that_does_not_earn_its_fees_is_refused() {
    // Two fees of 0.02 % of about 240 are 0.096; 0.004 × 24 is as much, 0.004 × 24.1 is more.
    check(
        grid("24", 250),
        "60000",
        Some("BTCUSDT: a round trip at 60000.00 earns 0.09600000 USDT but costs 0.09601920 USDT in fees; raise price_interval"),
    );
    check(grid("24.1", 250), "60000", None);
}

#[test]
fn windows_must_fit_the_mask() {
    let both = |buy, sell| GridConfig { buy_window: buy, sell_window: sell, ..grid("60", 250) };
    check(both(32, 32), "60000", None);
    check(both(33, 32), "60000", Some("BTCUSDT: buy_window 33 and sell_window 32 must be at least 1 and together at most 64"));
    check(both(0, 32), "60000", Some("BTCUSDT: buy_window 0 and sell_window 32 must be at least 1 and together at most 64"));
}
