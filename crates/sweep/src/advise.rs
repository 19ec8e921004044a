//! A grid's parameters out of what is measured: volatility, fees, filters and capital. Nothing is fitted.

use plimsoll_backtest::tape::Tick;
use plimsoll_market::{Instrument, Price, Round, Time};
use thiserror::Error;

/// A round trip's fees may take this part of what it earns before them. Of narrower grids they take more; wider ones gain little:
/// at a fifth, four fifths of what an endlessly wide grid would earn on the same capital are left.
pub const FEE_SHARE: f64 = 0.2;

/// Deviations of a fall that is reckoned with: one in a hundred, if returns were normal. They are not, which is why the largest fall
/// of the data counts as well.
pub const FALL_DEVIATIONS: f64 = 2.33;

/// A grid with fewer levels is none.
pub const LEVELS_MIN: f64 = 5.0;

/// More levels than slots that the books have room for beside other legs.
pub const LEVELS_MAX: f64 = 200.0;

/// A fall that is reckoned with is at least and at most this part of the price.
const FALLS: (f64, f64) = (0.02, 0.8);

/// An order is this much larger than the smallest one that the exchange takes, so that a rise of the price leaves it large enough.
const ORDER_ROOM: f64 = 1.3;

/// What is measured while history goes by; of ticks the last price of each minute.
///
/// # Bounds
/// A few numbers, whatever the length.
#[derive(Clone, Debug, Default)]
pub struct Measure {
    first: Option<Time>,
    last: Option<Time>,
    minute: u64,
    price: f64,
    before: f64,
    squares: f64,
    minutes: u64,
    high: f64,
    low: f64,
    peak: f64,
    fall: f64,
}

impl Measure {
    /// Takes what happened next; `scale` is the digits of its prices.
    pub fn push(&mut self, time: Time, tick: &Tick, scale: u8) {
        let of = |price: Price| price.units() as f64 / 10_f64.powi(i32::from(scale));
        let (price, high, low) = match *tick {
            Tick::Candle(bar) => (of(bar.close), of(bar.high), of(bar.low)),
            Tick::Trade { price, .. } => (of(price), of(price), of(price)),
            Tick::Top { bid, ask } => {
                let middle = (of(bid.0) + of(ask.0)) / 2.0;
                (middle, middle, middle)
            }
            Tick::Level { .. } | Tick::Mark(_) | Tick::Funding(_) | Tick::Reset => return,
        };
        if price <= 0.0 {
            return;
        }
        self.first.get_or_insert(time);
        self.last = Some(time);
        let minute = time.millis() / 60_000;
        if minute != self.minute {
            self.end_minute();
            self.minute = minute;
        }
        self.price = price;
        self.high = self.high.max(high);
        self.low = if self.low > 0.0 { self.low.min(low) } else { low };
        self.peak = self.peak.max(high);
        self.fall = self.fall.max(1.0 - low / self.peak);
    }

    fn end_minute(&mut self) {
        if self.before > 0.0 && self.price > 0.0 {
            self.squares += (self.price / self.before).ln().powi(2);
            self.minutes += 1;
        }
        self.before = self.price;
    }

    /// What it came to; `None` of fewer than sixty minutes with a price.
    pub fn end(mut self) -> Option<Measured> {
        self.end_minute();
        let days = self.last?.since(self.first?).as_secs_f64() / 86_400.0;
        (self.minutes >= 60 && days > 0.0).then(|| Measured {
            days,
            price: self.price,
            // Realised: the squares of all returns are the variance, whatever pauses lie between them.
            volatility: (self.squares / days).sqrt(),
            fall: self.fall,
            high: self.high,
            low: self.low,
        })
    }
}

/// What was measured.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Measured {
    /// Days of data.
    pub days: f64,
    /// The last price.
    pub price: f64,
    /// Realised volatility of a day, as a part of the price.
    pub volatility: f64,
    /// Largest fall from a highest price, as a part of it.
    pub fall: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
}

/// What is wished.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Wishes {
    /// Capital in the quote asset.
    pub capital: f64,
    /// Part of it that may be lost, not realised, when the price has fallen as far as is reckoned with.
    pub loss: f64,
    /// Days for which the fall is reckoned.
    pub horizon_days: f64,
    /// Leverage that is set at the exchange.
    pub leverage: f64,
}

/// A proposal. Money and prices are in the quote asset.
#[derive(Clone, PartialEq, Debug)]
pub struct Advice {
    /// Distance of two levels: a multiple of the tick.
    pub interval: f64,
    /// What each level costs.
    pub order: f64,
    /// Levels down to the lowest price that is reckoned with.
    pub levels: u32,
    /// Buys kept below the price.
    pub buy_window: u8,
    /// Sells kept above.
    pub sell_window: u8,
    /// What all levels cost together: the exposure to be allowed.
    pub exposure: f64,
    /// Fall that is reckoned with, as a part of the price.
    pub fall: f64,
    /// Round trips a day that a random walk of this volatility would make.
    pub trips_a_day: f64,
    /// What each earns after fees.
    pub earns: f64,
    /// The reasoning, a sentence each.
    pub reasons: Vec<String>, // tidy: bounded by its maker
}

/// Why nothing is proposed.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum NoAdvice {
    /// The market stood still.
    #[error("the price did not move: there is nothing for a grid to earn")]
    Still,
    /// Too little money for the smallest orders.
    #[error(
        "with {capital:.2} a grid down to {lowest:.2} ({fall:.1} % below) has room for {levels:.0} levels of {smallest:.2}, the smallest order that the exchange takes with room for a rise; at least {needed:.2} would do, or a larger --max-loss, or a shorter --horizon"
    )]
    TooLittle {
        /// Capital.
        capital: f64,
        /// Lowest price.
        lowest: f64,
        /// The fall in percent.
        fall: f64,
        /// Levels that there is room for.
        levels: f64,
        /// Smallest order.
        smallest: f64,
        /// Capital that would do.
        needed: f64,
    },
}

fn rounded(value: f64, digits: i32) -> f64 {
    if value <= 0.0 {
        return value;
    }
    let unit = 10_f64.powi(value.log10().floor() as i32 - digits + 1);
    (value / unit).round() * unit
}

/// Loss at the lowest price, as a part of what `levels` orders of one size cost.
fn loss_at_bottom(price: f64, interval: f64, levels: f64) -> f64 {
    let lowest = price - interval * levels;
    let count = levels.max(1.0) as u32;
    // What each bought is worth there.
    let worth: f64 = (1..=count).map(|n| lowest / (price - interval * f64::from(n))).sum();
    1.0 - worth / f64::from(count)
}

/// Proposes a long grid.
///
/// # Errors
/// The market stood still, or there is too little capital.
pub fn advise(instrument: &Instrument, measured: &Measured, wishes: &Wishes) -> Result<Advice, NoAdvice> {
    let Measured { price, volatility, .. } = *measured;
    if volatility <= 0.0 {
        return Err(NoAdvice::Still);
    }
    let quote = instrument.quote.as_str();
    let scale = 10_f64.powi(i32::from(instrument.price_scale));
    let tick = instrument.tick.units() as f64 / scale;
    let mut reasons = vec![format!(
        "Measured over {:.1} days: last price {price:.2}, from {:.2} to {:.2}; realised volatility {:.2} % a day; largest fall {:.2} %.",
        measured.days,
        measured.low,
        measured.high,
        volatility * 100.0,
        measured.fall * 100.0
    )];
    // How far down it must reach.
    let expected = FALL_DEVIATIONS * volatility * wishes.horizon_days.sqrt();
    let fall = expected.max(measured.fall).clamp(FALLS.0, FALLS.1);
    let lowest = price * (1.0 - fall);
    reasons.push(format!(
        "A fall of {:.1} % is reckoned with, to {lowest:.2}: the larger of the one seen and of {FALL_DEVIATIONS} deviations in {:.0} days ({:.1} %).",
        fall * 100.0,
        wishes.horizon_days,
        expected * 100.0
    ));
    // How far apart.
    let fee = f64::from(instrument.maker_fee.ppm().max(0)) * 2.0 / 1e6;
    let for_fees = price * fee / FEE_SHARE;
    let whole = |value: f64| (value / tick).ceil().max(1.0) * tick;
    let mut interval = whole(rounded(for_fees, 2).max(price * fall / LEVELS_MAX));
    reasons.push(format!(
        "A round trip pays {:.3} % in maker fees, {:.2} {quote} at this price. For fees to take at most {:.0} % of what it earns the levels must be {for_fees:.2} apart; and {:.0} levels at most reach down to {lowest:.2}: {interval:.2}, in ticks of {tick}.",
        fee * 100.0,
        price * fee,
        FEE_SHARE * 100.0,
        LEVELS_MAX
    ));
    // What may be in it.
    let exposure_for = |interval: f64| {
        let levels = (price * fall / interval).floor().max(1.0);
        let by_loss = wishes.capital * wishes.loss / loss_at_bottom(price, interval, levels).max(1e-6);
        // A tenth of the margin stays free.
        (levels, by_loss.min(wishes.capital * wishes.leverage * 0.9))
    };
    let step = 10_f64.powi(-i32::from(instrument.qty_scale)) * instrument.step.units().max(1) as f64;
    let notional = instrument.amount(instrument.notional_min, Round::Up).map_or(0.0, |a| a.units as f64 / 1e8);
    let qty_min = instrument.qty_min.units() as f64 / 10_f64.powi(i32::from(instrument.qty_scale));
    // Quantities are cut to steps: the smallest order is the least number of steps that are worth enough.
    let smallest_qty = (notional / lowest / step).ceil().max((qty_min / step).ceil()).max(1.0) * step;
    let smallest = rounded(smallest_qty * price * ORDER_ROOM, 3);
    let (mut levels, mut exposure) = exposure_for(interval);
    if exposure / levels < smallest {
        // Fewer levels, each large enough.
        let narrow = interval;
        for _ in 0..400 {
            if exposure / levels >= smallest || levels < LEVELS_MIN {
                break;
            }
            interval = whole(interval * 1.02);
            (levels, exposure) = exposure_for(interval);
        }
        if exposure / levels < smallest || levels < LEVELS_MIN {
            let (_, all) = exposure_for(price * fall / LEVELS_MIN);
            return Err(NoAdvice::TooLittle {
                capital: wishes.capital,
                lowest,
                fall: fall * 100.0,
                levels: (all / smallest).floor(),
                smallest,
                needed: wishes.capital * smallest * LEVELS_MIN / all.max(1e-9),
            });
        }
        interval = whole(rounded(interval, 2));
        (levels, exposure) = exposure_for(interval);
        reasons.push(format!(
            "The smallest order with room for a rise costs {smallest:.2} {quote} ({smallest_qty:.6} at {price:.2}, and a third more); at {narrow:.2} apart the capital would be in smaller ones, so that the levels are {interval:.2} apart."
        ));
    }
    let order = rounded((exposure / levels).floor().max(1.0), 3);
    let order = if order * levels > exposure { (exposure / levels).floor().max(smallest) } else { order };
    let loss = loss_at_bottom(price, interval, levels);
    reasons.push(format!(
        "{levels:.0} levels of {order:.0} {quote} cost {:.0} altogether, {:.2} times the capital. With all of them filled at {lowest:.2} they would be worth {:.1} % less: {:.0} {quote}, {:.1} % of {:.0}; {:.0} % are allowed.",
        order * levels,
        order * levels / wishes.capital,
        loss * 100.0,
        order * levels * loss,
        order * levels * loss / wishes.capital * 100.0,
        wishes.capital,
        wishes.loss * 100.0
    ));
    // A random walk goes a distance d up or down (σ/d)² times a day; two of these make a round trip.
    let distance = interval / price;
    let trips_a_day = (volatility / distance).powi(2) / 2.0;
    let earns = order * (distance - fee);
    reasons.push(format!(
        "A random walk of this volatility would make {trips_a_day:.1} round trips a day, each earning {earns:.3} {quote} after fees: {:.2} {quote} or {:.3} % of the capital a day, while the price stays in the grid. What it loses below, on what it holds, is not in this.",
        trips_a_day * earns,
        trips_a_day * earns / wishes.capital * 100.0
    ));
    let window = levels.clamp(3.0, 20.0) as u8;
    Ok(Advice {
        interval,
        order,
        levels: levels as u32,
        buy_window: window,
        sell_window: window,
        exposure: (order * levels).ceil(),
        fall,
        trips_a_day,
        earns,
        reasons,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;
    use plimsoll_backtest::tape::Bar;
    use plimsoll_market::Qty;

    const WISHES: Wishes = Wishes { capital: 10_000.0, loss: 0.25, horizon_days: 7.0, leverage: 10.0 };
    const MEASURED: Measured = Measured { days: 30.0, price: 60_000.0, volatility: 0.03, fall: 0.1, high: 64_000.0, low: 57_000.0 };

    #[track_caller]
    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found} is not {expected}");
    }

    /// Minutes that go up by a thousandth and down again: the variance of a day is 1,440 · ln(1.001)².
    #[test]
    fn volatility_is_what_was_realised() {
        let mut measure = Measure::default();
        for minute in 0..2_881_u64 {
            let price = Price::from_units(if minute % 2 == 0 { 600_000 } else { 600_600 });
            let bar = Bar { open: price, high: price, low: price, close: price, volume: Qty::ZERO };
            measure.push(Time::from_millis(1_704_067_200_000 + minute * 60_000), &Tick::Candle(bar), 1);
        }
        let found = measure.end().unwrap();
        near(found.volatility, 1.001_f64.ln() * 1_440_f64.sqrt(), 1e-9);
        near(found.days, 2.0, 1e-9);
        near(found.fall, 1.0 - 60_000.0 / 60_060.0, 1e-12);
        assert_eq!((found.price, found.high, found.low), (60_000.0, 60_060.0, 60_000.0));
        assert_eq!(Measure::default().end(), None);
    }

    /// By hand: fee 0.02 % a side, 24 of 60,000, a fifth of 120; a fall of 2.33 · 0.03 · √7 = 18.49 %, to 48,904; 92 levels. At the
    /// bottom the n-th level's money is worth 48,960 / (60,000 − 120 n): 9.6 % less on average.
    #[test]
    fn a_proposal_by_hand() {
        let advice = advise(&Instrument::example_btcusdt(), &MEASURED, &WISHES).unwrap();
        near(advice.interval, 120.0, 1e-9);
        near(advice.fall, 0.1849, 1e-4);
        assert_eq!(advice.levels, 92);
        let loss: f64 = 1.0 - (1..=92).map(|n| 48_960.0 / (60_000.0 - 120.0 * f64::from(n))).sum::<f64>() / 92.0;
        near(loss, 0.0964, 1e-3);
        // A quarter of 10,000 may be lost: 2,500 / 0.0964 = 25,900 in 92 orders of 282.
        near(advice.order, (2_500.0 / loss / 92.0).floor(), 1.0);
        near(advice.trips_a_day, (0.03_f64 * 60_000.0 / 120.0).powi(2) / 2.0, 1e-9);
        near(advice.earns, advice.order * (120.0 / 60_000.0 - 0.0004), 1e-9);
        assert_eq!((advice.buy_window, advice.sell_window, advice.reasons.len()), (20, 20, 5));
        assert!(advice.order * f64::from(advice.levels) * loss <= 2_500.0);
    }

    /// With less money the orders would be too small: the levels move apart, and with too little there is no grid.
    #[test]
    fn a_small_capital_makes_a_coarse_grid_and_a_tiny_one_none() {
        let btc = Instrument::example_btcusdt();
        let small = advise(&btc, &MEASURED, &Wishes { capital: 3_000.0, ..WISHES }).unwrap();
        assert!(small.interval > 120.0 && small.levels < 92 && small.order >= 150.0, "{small:?}");
        let tiny = advise(&btc, &MEASURED, &Wishes { capital: 100.0, ..WISHES }).unwrap_err();
        let NoAdvice::TooLittle { needed, .. } = tiny else { panic!("{tiny}") };
        // What it says would do, does.
        assert!(advise(&btc, &MEASURED, &Wishes { capital: needed * 1.1, ..WISHES }).is_ok(), "{needed}");
        assert!(advise(&btc, &MEASURED, &Wishes { capital: needed * 0.8, ..WISHES }).is_err(), "{needed}");
        assert_eq!(advise(&btc, &Measured { volatility: 0.0, ..MEASURED }, &WISHES), Err(NoAdvice::Still));
    }
}
