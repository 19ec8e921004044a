use super::*;
use core::time::Duration;
use plimsoll_market::{Candle, Instrument, Notional, PastCandle, Price, Qty, Time};
use proptest::prelude::*;

fn flat(price: f64) -> Bar {
    Bar { high: price + 1.0, low: price - 1.0, close: price, volume: 1.0 }
}

/// Some millions of values at a price of 100,000 and a deviation of 0.3, the hardest for sums of squares.
fn walk(n: u64) -> f64 {
    let mixed = n.wrapping_mul(6_364_136_223_846_793_005).rotate_left(23).wrapping_mul(1_442_695_040_888_963_407);
    100_000.0 + ((mixed >> 40) as f64 / f64::from(1 << 24) - 0.5) + (n as f64 / 1e5).sin()
}

#[test]
fn sums_do_not_drift_over_millions_of_updates() {
    let (n, steps) = (20, 3_000_007);
    let (mut sma, mut wma, mut bands, mut z) =
        (Sma::new(n).unwrap(), Wma::new(n).unwrap(), Bollinger::new(n, 1.0).unwrap(), ZScore::new(n).unwrap());
    for at in 0..steps {
        let value = walk(at);
        sma.update(value);
        wma.update(value);
        bands.update(value);
        z.update(value);
    }
    let last: Vec<f64> = (steps - u64::from(n)..steps).map(walk).collect();
    let mean = last.iter().map(|x| x - 100_000.0).sum::<f64>() / 20.0 + 100_000.0;
    let deviation = (last.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20.0).sqrt();
    let weighted = last.iter().enumerate().map(|(i, x)| (x - 100_000.0) * (i + 1) as f64).sum::<f64>() / 210.0 + 100_000.0;
    let near = |ours: f64, theirs: f64| assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
    near(sma.value().unwrap(), mean);
    near(wma.value().unwrap(), weighted);
    let band = bands.value().unwrap();
    assert!(((band.upper - band.middle) / deviation - 1.0).abs() < 1e-8, "{band:?} {deviation}");
    assert!((z.value().unwrap() - (last[19] - mean) / deviation).abs() < 1e-7);
}

#[test]
fn an_absurd_value_is_forgotten_when_it_has_left() {
    let (mut sma, mut bands) = (Sma::new(4).unwrap(), Bollinger::new(4, 2.0).unwrap());
    for value in [12.0, 12.0, 1e15, 12.0, 12.0, 12.0, 12.0] {
        sma.update(value);
        bands.update(value);
    }
    assert_eq!(sma.value(), Some(12.0));
    // Its square takes a turn longer.
    for _ in 0..4 {
        bands.update(12.0);
    }
    assert_eq!(bands.value(), Some(Band { upper: 12.0, middle: 12.0, lower: 12.0 }));
}

/// Feeds values, in between what is refused, and compares with an indicator that saw only the values.
#[track_caller]
fn refuses<I: Indicator<Output: PartialEq + core::fmt::Debug>>(make: impl Fn() -> I, of: impl Fn(f64) -> I::Input) {
    let (mut clean, mut dirty) = (make(), make());
    for n in 0..60_u64 {
        let value = 100.0 + (n * n % 17) as f64;
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e16, -1e16] {
            assert_eq!(dirty.update(of(bad)), None);
        }
        assert_eq!(clean.update(of(value)), dirty.update(of(value)));
        assert_eq!(clean.value().is_some(), n + 1 >= clean.warm_up() as u64);
    }
    dirty.reset();
    assert_eq!(dirty.value(), None);
    clean = make();
    for n in 0..60_u64 {
        assert_eq!(clean.update(of(100.0 + n as f64)), dirty.update(of(100.0 + n as f64)), "after a reset");
    }
}

#[test]
fn what_is_no_number_changes_nothing() {
    let same = |value| value;
    refuses(|| Sma::new(5).unwrap(), same);
    refuses(|| Ema::new(5).unwrap(), same);
    refuses(|| Wma::new(5).unwrap(), same);
    refuses(|| Rsi::new(5).unwrap(), same);
    refuses(|| Macd::new(3, 5, 2).unwrap(), same);
    refuses(|| Bollinger::new(5, 2.0).unwrap(), same);
    refuses(|| ZScore::new(5).unwrap(), same);
    refuses(|| RealizedVolatility::new(5, 365).unwrap(), same);
    refuses(|| Atr::new(5).unwrap(), flat);
    refuses(|| Adx::new(5).unwrap(), flat);
    refuses(|| SuperTrend::new(5, 3.0).unwrap(), flat);
    refuses(|| Keltner::new(5, 4, 2.0).unwrap(), flat);
    refuses(|| Donchian::new(5).unwrap(), flat);
    refuses(|| Stochastic::new(5, 3, 2).unwrap(), flat);
    refuses(|| Cci::new(5).unwrap(), flat);
    refuses(Obv::new, flat);
    refuses(|| Vwap::new(5).unwrap(), flat);
    let mut vwap = Vwap::new(2).unwrap();
    assert_eq!(vwap.update(Bar { low: 102.0, ..flat(100.0) }), None, "a low above the close");
    assert_eq!(vwap.update(Bar { volume: -1.0, ..flat(100.0) }), None);
    assert_eq!([Bar { volume: 0.0, ..flat(1.0) }, Bar { volume: 0.0, ..flat(1.0) }].map(|bar| vwap.update(bar)), [None, None]);
}

#[test]
fn periods_have_limits() {
    assert!(Sma::new(0).is_err() && Sma::new(1).is_ok() && Sma::new(PERIOD_MAX).is_ok() && Sma::new(PERIOD_MAX + 1).is_err());
    assert_eq!(Rsi::new(1).unwrap_err().to_string(), "a period of 1 is not within 2 to 256");
    assert_eq!(Macd::new(26, 26, 9).unwrap_err(), PeriodError::Order { short: 26, long: 26 });
    assert!(matches!(Bollinger::new(20, f64::NAN).unwrap_err(), PeriodError::Width(_)));
    assert!(Keltner::new(20, 10, 0.0).is_err() && SuperTrend::new(10, 101.0).is_err());
}

#[test]
fn a_price_that_stands_still_is_neither_strong_nor_weak() {
    let mut rsi = Rsi::new(3).unwrap();
    assert_eq!([7.0; 5].map(|x| rsi.update(x)), [None, None, None, Some(50.0), Some(50.0)]);
}

proptest! {
    /// The window's extremes and sums are those of its values, whatever they are: jumps by thousands of deviations cost digits for a turn.
    #[test]
    fn windows_know_their_values(values in proptest::collection::vec(-1e6..1e6_f64, 1..120), n in 1_u16..30) {
        let mut window = window::Window::new(n);
        let mut highest = window::Highest::new(n);
        let mut spread = window::Spread::new(n);
        for (at, value) in values.iter().enumerate() {
            window.push(*value);
            highest.push(*value);
            spread.push(*value);
            let from = (at + 1).saturating_sub(usize::from(n));
            let last = &values[from..=at];
            prop_assert_eq!(window.iter().collect::<Vec<_>>(), last);
            if last.len() < usize::from(n) {
                prop_assert!(window.mean().is_none() && highest.get().is_none() && spread.get().is_none());
                continue;
            }
            let mean = last.iter().sum::<f64>() / f64::from(n);
            let deviation = (last.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n)).sqrt();
            let (ours, ours_deviation) = spread.get().unwrap();
            prop_assert!((ours - mean).abs() < 1e-8 && (ours_deviation - deviation).abs() < 1e-4, "{ours} {mean} {ours_deviation} {deviation}");
            prop_assert_eq!(highest.get(), last.iter().copied().reduce(f64::max));
        }
    }
}

fn candle(minute: u64, close: i64) -> Candle {
    let price = Price::from_units;
    Candle {
        open_time: Time::from_millis(minute * 60_000),
        open: price(close),
        high: price(close + 5),
        low: price(close - 5),
        close: price(close),
        volume: Qty::from_units(1_000),
        turnover: Notional::ZERO,
        taker_buy: Qty::ZERO,
        trades: 1,
    }
}

#[test]
fn minutes_become_bars() {
    let btc = Instrument::example_btcusdt();
    let mut bars = Bars::new(Duration::from_secs(300));
    let mut push = |minute| {
        let closed = bars.push(&candle(minute, minute as i64 * 100), &btc);
        (closed.hole, closed.bars.iter().map(|bar| (bar.close, bar.volume)).collect::<Vec<_>>())
    };
    // It begins with a whole bar.
    for minute in 3..9 {
        assert_eq!(push(minute), (false, vec![]), "{minute}");
    }
    assert_eq!(push(9), (false, vec![(9.0, 5.0)]));
    assert_eq!(push(9), (false, vec![]), "told twice");
    assert_eq!(push(4), (false, vec![]), "told late");
    // Minutes 13 and 14 had no trade: the bar closes with the next candle, and that is the last of its own bar.
    for minute in [10, 11, 12] {
        assert_eq!(push(minute), (false, vec![]), "{minute}");
    }
    assert_eq!(push(19), (false, vec![(12.0, 3.0), (19.0, 1.0)]));
    // Three bars may be missing; more is a hole, after which the first whole bar counts.
    assert_eq!(push(35), (false, vec![]));
    assert_eq!(push(52), (true, vec![]));
    assert_eq!(push(54), (false, vec![]));
    for minute in 55..59 {
        assert_eq!(push(minute), (false, vec![]));
    }
    assert_eq!(push(59), (false, vec![(59.0, 5.0)]));
}

#[test]
fn bars_of_a_minute_are_the_candles() {
    let btc = Instrument::example_btcusdt();
    let mut bars = Bars::new(Duration::from_secs(60));
    assert_eq!(bars.span(), Duration::from_secs(60));
    for minute in 0..5 {
        let closed = bars.push(&candle(minute, 6_000_000), &btc);
        assert_eq!(closed.bars.as_slice(), [Bar { high: 60_000.05, low: 59_999.95, close: 60_000.0, volume: 1.0 }]);
    }
}

/// What minutes come to in one longer candle.
fn past(from: u64, minutes: u64) -> PastCandle {
    let all: Vec<_> = (from..from + minutes).map(|minute| candle(minute, close(minute))).collect();
    let (first, last) = (all[0], all[all.len() - 1]);
    PastCandle {
        interval: Duration::from_secs(minutes * 60),
        candle: Candle {
            high: all.iter().map(|c| c.high).max().unwrap(),
            low: all.iter().map(|c| c.low).min().unwrap(),
            close: last.close,
            volume: Qty::from_units(1_000 * minutes),
            ..first
        },
    }
}

fn close(minute: u64) -> i64 {
    6_000_000 + (minute as i64 * 7_919) % 10_007
}

#[test]
fn longer_candles_of_the_past_make_the_same_bars() {
    let btc = Instrument::example_btcusdt();
    for (span, steps) in [(240, [240, 60, 1]), (1_440, [1_440, 60, 1]), (15, [15, 1, 1]), (7, [1, 1, 1])] {
        let (begin, now) = (span * 100, span * 104 + span / 2);
        let mut by_minutes = Bars::new(Duration::from_secs(span * 60));
        let mut expected = Vec::new();
        for minute in begin..now + 2 * span {
            expected.extend(by_minutes.push(&candle(minute, close(minute)), &btc).bars);
        }
        let mut bars = Bars::new(Duration::from_secs(span * 60));
        let mut made = Vec::new();
        for step in steps {
            // The exchange tells what is over of each length, however much of it was told before.
            for from in (begin..now).step_by(step as usize).filter(|from| from + step <= now) {
                made.extend(bars.push_past(&past(from, step), &btc).bars);
            }
        }
        assert_eq!(made.len(), 4, "{span}");
        for minute in now - 3..now + 2 * span {
            made.extend(bars.push(&candle(minute, close(minute)), &btc).bars);
        }
        assert_eq!(made, expected, "{span}");
        // What does not fit into a bar is no part of it.
        let odd = PastCandle { interval: Duration::from_secs(span * 60 + 60), ..past(now + 3 * span, span) };
        assert_eq!(bars.push_past(&odd, &btc), Closed::default());
    }
}

#[test]
fn a_bar_that_a_broken_connection_cut_off_is_replaced_by_the_whole_one() {
    let btc = Instrument::example_btcusdt();
    let mut bars = Bars::new(Duration::from_secs(3_600));
    for minute in 0..77 {
        bars.push(&candle(minute, close(minute)), &btc);
    }
    // It is fetched whole when the connection is back, an hour and a half later.
    let made: Vec<_> = [60, 120].into_iter().flat_map(|from| bars.push_past(&past(from, 60), &btc).bars).collect();
    assert_eq!(made, [60, 120].map(|from| Bar::of(&past(from, 60).candle, &btc)));
    for minute in 180..200 {
        assert_eq!(bars.push(&candle(minute, close(minute)), &btc), Closed::default());
    }
}
