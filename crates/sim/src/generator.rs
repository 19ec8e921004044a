//! A market made up from a seed.
//!
//! A hidden fair price walks: a random walk whose variance clusters (a GARCH recursion, once a model second), under regimes
//! that alternate between ranges, trends, calm and storm, with rare jumps and a weak pull towards the price it began with.
//! Outside liquidity is laid around it, level by level, and takers arrive in clusters, small ones often and large ones seldom;
//! when the fair price leaves the book behind, a sweep or a withdrawal moves the book. All arithmetic is on integers, so a
//! seed makes the same market on every machine.
//!
//! It is livelier than an average day, on purpose: about 0.24 % a minute (a stormy day on a real exchange), and it opens with a
//! minute of storm, so that a grid of 0.1 to 0.3 % sees round trips within minutes and a new user mostly sees a fill within half a
//! minute.

use core::time::Duration;
use plimsoll_market::{Book, Candle, Instrument, Notional, Price, Qty, Round, Side, Time};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::limits::CANDLES_MAX;
use crate::source::SourceEvent;

/// How a made-up market is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GeneratorSpec {
    /// Equal seeds make equal markets.
    pub seed: u64,
    /// Price to begin with; a restored venue goes on at its last price.
    pub start_price: Price,
    /// How much faster than real life it runs, in thousandths, 1 to 2,000,000: 20,000 is 20×, twenty times as much happens
    /// in a second. Time stamps stay real.
    pub speed_milli: u32,
    /// One-minute candles to make up before the start, at most [`crate::limits::CANDLES_MAX`].
    pub history: usize,
}

/// Model time of a step.
const STEP_MS: u64 = 25;
const STEPS_PER_SECOND: u32 = (1_000 / STEP_MS) as u32;
/// Fixed point: one is 2^16, and relative price moves are in 2^-32.
const ONE: i64 = 1 << 16;
const Q32: i128 = 1 << 32;
/// Standard deviation of a step in a range: 0.0048 %, that is 0.24 % a minute.
const SIGMA: i64 = 206_000;
/// Levels a side that the outside keeps.
const LEVELS: usize = 48;
/// Value of the smallest taker, 1e-8 of the quote asset: 60 USDT. The others are this times powers of two.
const UNIT_VALUE: i128 = 60 * 100_000_000;

/// The mood of the market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Regime {
    Range,
    Calm,
    Up,
    Down,
    Storm,
}

impl Regime {
    /// Volatility as a share of [`SIGMA`], 2^-16.
    const fn volatility(self) -> i64 {
        match self {
            Self::Range => ONE,
            Self::Calm => ONE / 2,
            Self::Up | Self::Down => ONE * 4 / 5,
            Self::Storm => ONE * 2,
        }
    }

    /// Relative drift of a step, 2^-32: about 0.12 % a minute in a trend.
    const fn drift(self) -> i64 {
        match self {
            Self::Range | Self::Calm | Self::Storm => 0,
            Self::Up => 2_150,
            Self::Down => -2_150,
        }
    }

    /// Share by which takers prefer to buy, 2^-16.
    const fn lean(self) -> i64 {
        match self {
            Self::Range | Self::Calm | Self::Storm => 0,
            Self::Up => ONE / 8,
            Self::Down => -ONE / 8,
        }
    }
}

pub(crate) struct Generator {
    rng: Pcg64Mcg,
    spec: GeneratorSpec,
    tick: i64,
    /// Quantity worth [`UNIT_VALUE`], at least the smallest step that is allowed.
    unit: u64,
    step: u64,
    price_min: i64,
    price_max: i64,
    /// Fair price in units × 2^16, and the prices it is pulled to.
    fair: i64,
    anchor: i64,
    home: i64,
    regime: Regime,
    regime_left: u32,
    /// Variance as a multiple of the ordinary, 2^-16.
    variance: i64,
    /// Fair price a model second ago.
    second_ago: i64,
    second_left: u32,
    /// Intensity of takers as a multiple of the ordinary, 2^-16.
    heat: i64,
    start: Time,
    steps: u64,
}

impl Generator {
    pub(crate) fn new(spec: GeneratorSpec, instrument: &Instrument, start: Time) -> Self {
        let mut new = Self {
            rng: Pcg64Mcg::seed_from_u64(spec.seed),
            spec,
            tick: instrument.tick.units().max(1),
            unit: 1,
            step: instrument.step.units().max(1),
            price_min: instrument.price_min.units(),
            price_max: instrument.price_max.units(),
            fair: 0,
            anchor: 0,
            home: 0,
            // Whoever opens a market wants to see it move.
            regime: Regime::Storm,
            regime_left: 60 * STEPS_PER_SECOND,
            variance: ONE,
            second_ago: 0,
            second_left: STEPS_PER_SECOND,
            heat: ONE,
            start,
            steps: 0,
        };
        new.settle_at(spec.start_price);
        new.unit = instrument.qty_for(UNIT_VALUE, spec.start_price).max(instrument.qty_min).units().max(1);
        new
    }

    /// Begins at another price than configured, with other chances than the run before.
    pub(crate) fn continue_at(&mut self, price: Price) {
        self.rng = Pcg64Mcg::seed_from_u64(self.spec.seed ^ price.units().unsigned_abs().rotate_left(32));
        self.settle_at(price);
        // Home stays where the configuration says, so that restarts do not let the price wander off.
        self.home = fixed(self.spec.start_price);
    }

    fn settle_at(&mut self, price: Price) {
        let fair = fixed(price);
        (self.fair, self.anchor, self.home, self.second_ago) = (fair, fair, fair, fair);
    }

    pub(crate) fn next_at(&self) -> Time {
        // 25 ms of model time are 25 s / speed in thousandths of real time.
        let nanos = u128::from(self.steps) * u128::from(STEP_MS) * 1_000_000_000 / u128::from(self.spec.speed_milli.max(1));
        self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(crate) fn skip_to(&mut self, now: Time) {
        if self.next_at() < now {
            self.start = now;
            self.steps = 0;
        }
    }

    /// Makes up candles before the start, so that whoever needs a past has one. They end at the price of the start.
    pub(crate) fn past(&mut self, instrument: &Instrument, start: Time) -> Vec<Candle> {
        let first_minute = start.millis() / 60_000;
        let count = self.spec.history.min(CANDLES_MAX).min(usize::try_from(first_minute).unwrap_or(usize::MAX));
        let mut close = self.fair;
        let mut past = Vec::with_capacity(count);
        for back in 1..=count as u64 {
            // A minute's walk backwards in ten strides.
            let (mut low, mut high, mut open) = (close, close, close);
            for _ in 0..10 {
                // √240 of the 2,400 steps of a minute.
                let stride = self.normal() * 15;
                open -= i64::try_from(i128::from(open) * i128::from(SIGMA) * i128::from(stride) / (Q32 * i128::from(ONE))).unwrap_or(0);
                open += (self.home - open) / 500;
                (low, high) = (low.min(open), high.max(open));
            }
            // As busy as the minutes to come: whoever compares their volume must not see a jump at the start.
            let trades = (120 + self.below(200)) * 4;
            let trades = u32::try_from(u64::from(trades) * u64::from(self.spec.speed_milli) / 1_000).unwrap_or(u32::MAX).max(1);
            let bought_percent = u64::from(40 + self.below(21));
            let tick = self.tick;
            let at = |fair: i64| instrument.round_price(Price::from_units((fair / ONE).max(tick)), Round::Nearest).unwrap_or_default();
            let volume = Qty::from_units(self.unit.saturating_mul(u64::from(60 + trades % 97)).saturating_mul(u64::from(trades)));
            let taker_buy = Qty::from_units(volume.units() * bought_percent / 100);
            let turnover = Notional::from_units((at(open) * volume).units() / 2 + (at(close) * volume).units() / 2);
            past.push(Candle {
                open_time: Time::from_millis((first_minute - back) * 60_000),
                open: at(open),
                high: at(high),
                low: at(low),
                close: at(close),
                volume,
                turnover,
                taker_buy,
                trades,
            });
            close = open;
        }
        past.reverse();
        past
    }

    /// Lets a model step happen on the outside liquidity of the book.
    pub(crate) fn step(&mut self, book: &Book, events: &mut Vec<SourceEvent>) {
        self.steps += 1;
        self.walk();
        let spread = self.tick * i64::from(1 + self.below(2));
        let middle = self.fair / ONE / self.tick * self.tick;
        let bid = middle.clamp(self.price_min.max(self.tick), self.price_max - spread);
        self.lay(book, Side::Buy, bid, events);
        self.lay(book, Side::Sell, bid + spread, events);
        self.takers(bid, bid + spread, events);
    }

    /// Moves the fair price by a step.
    fn walk(&mut self) {
        if self.regime_left == 0 {
            self.turn();
        }
        self.regime_left -= 1;
        let sigma = SIGMA * root(self.variance) / ONE * self.regime.volatility() / ONE;
        let mut relative = i128::from(sigma) * i128::from(self.normal()) / i128::from(ONE) + i128::from(self.regime.drift());
        if self.second_left == 0 {
            self.second_left = STEPS_PER_SECOND;
            self.cluster();
            // A jump every three minutes: 0.03 to 0.2 %, and a crowd after it.
            if self.below(180) == 0 {
                let size = Q32 * i128::from(30 + self.below(170)) / 100_000;
                relative += if self.below(2) == 0 { size } else { -size };
                self.heat += 6 * ONE;
            }
        }
        self.second_left -= 1;
        self.fair += i64::try_from(i128::from(self.fair) * relative / Q32).unwrap_or(0);
        if matches!(self.regime, Regime::Range | Regime::Calm) {
            // Half the way back in about a minute.
            self.fair += (self.anchor - self.fair) / 3_600;
        }
        // Half the way home in an hour and a half.
        self.fair += (self.home - self.fair) / 300_000;
        self.fair = self.fair.clamp(self.home / 4, self.home.saturating_mul(4));
    }

    /// Enters the next regime.
    fn turn(&mut self) {
        self.regime = match self.below(20) {
            0..10 => Regime::Range,
            10..12 => Regime::Calm,
            12..15 => Regime::Up,
            15..18 => Regime::Down,
            _ => Regime::Storm,
        };
        let seconds = match self.regime {
            Regime::Range => 60 + self.below(180),
            Regime::Calm => 20 + self.below(40),
            Regime::Up | Regime::Down => 30 + self.below(90),
            Regime::Storm => 10 + self.below(30),
        };
        self.regime_left = seconds * STEPS_PER_SECOND;
        self.anchor = self.fair;
    }

    /// GARCH(1,1) on seconds: 0.04 + 0.08 of the squared move + 0.88 of the variance before, all as multiples of the ordinary.
    fn cluster(&mut self) {
        let moved = i128::from(self.fair - self.second_ago) * Q32 / i128::from(self.second_ago.max(1));
        // √40 steps are 6.3 of one.
        let ordinary = i128::from(SIGMA) * 63 / 10;
        let z = (moved * i128::from(ONE) / ordinary).clamp(-i128::from(5 * ONE), i128::from(5 * ONE));
        let squared = i64::try_from(z * z / i128::from(ONE)).unwrap_or(ONE);
        self.variance = (ONE * 4 / 100 + squared * 8 / 100 + self.variance * 88 / 100).clamp(ONE / 8, 6 * ONE);
        self.second_ago = self.fair;
    }

    /// Brings the outside liquidity of a side to where the fair price is now.
    fn lay(&mut self, book: &Book, side: Side, best: i64, events: &mut Vec<SourceEvent>) {
        // How far a price is behind the best one, positive away from the middle.
        let depth = |price: Price| match side {
            Side::Buy => best - price.units(),
            Side::Sell => price.units() - best,
        };
        let through = book.levels(side).take_while(|l| depth(l.price) < 0).count();
        if through > 0 && self.below(6) == 0 {
            // Somebody takes what is left behind, and pays up to the new best price of the other side.
            let left: Qty = book.levels(side).take(through).map(|l| l.qty).sum();
            let extra = self.unit.saturating_mul(u64::from(1 + self.below(64)));
            let limit = Price::from_units(if side == Side::Buy { best + self.tick } else { (best - self.tick).max(self.tick) });
            events.push(SourceEvent::Take { side: side.opposite(), qty: left + Qty::from_units(extra), limit });
        }
        let none = Qty::ZERO;
        events.extend(book.levels(side).take(through).map(|l| SourceEvent::Level { side, price: l.price, qty: none }));
        let kept = book.levels(side).len() - through;
        let at_best = book.levels(side).nth(through).is_some_and(|l| depth(l.price) == 0);
        if !at_best {
            let qty = self.level_qty(0);
            events.push(SourceEvent::Level { side, price: Price::from_units(best), qty });
        }
        if kept == 0 {
            // An empty side is laid whole.
            let mut at = best;
            for index in 1..LEVELS {
                at = self.further(side, at, index);
                let qty = self.level_qty(index);
                events.push(SourceEvent::Level { side, price: Price::from_units(at), qty });
            }
            return;
        }
        if kept < LEVELS
            && let Some(last) = book.levels(side).last()
        {
            let at = self.further(side, last.price.units(), kept);
            let qty = self.level_qty(kept);
            events.push(SourceEvent::Level { side, price: Price::from_units(at), qty });
        }
        let surplus = kept.saturating_sub(LEVELS + 8);
        events.extend(book.levels(side).skip(through + kept - surplus).map(|l| SourceEvent::Level { side, price: l.price, qty: none }));
        // Somebody changes their mind: mostly near the top, sometimes by leaving. The best level itself only changes size.
        let index = (self.below(kept as u32).min(self.below(kept as u32))) as usize;
        if index + surplus < kept
            && let Some(level) = book.levels(side).nth(through + index)
        {
            let leaves = kept > LEVELS / 2 && depth(level.price) > 0 && self.below(3) == 0;
            let qty = if leaves { none } else { self.level_qty(index) };
            events.push(SourceEvent::Level { side, price: level.price, qty });
        }
    }

    /// A price further out: gaps grow with depth.
    fn further(&mut self, side: Side, from: i64, index: usize) -> i64 {
        let span = (self.fair / ONE / self.tick / 40_000).max(1);
        let gap = self.tick * (1 + i64::from(self.below(u32::try_from(span).unwrap_or(1) + 2 * index as u32)));
        match side {
            Side::Buy => (from - gap).max(self.tick),
            Side::Sell => from + gap,
        }
    }

    fn level_qty(&mut self, index: usize) -> Qty {
        // 1,200 to 25,000 USDT at the top, more behind.
        let units = u64::from(20 + self.below(400)) * (8 + index as u64) / 8;
        self.on_step(self.unit.saturating_mul(units))
    }

    /// Takers of this step: about five a second when nothing stirs, more after each other.
    fn takers(&mut self, bid: i64, ask: i64, events: &mut Vec<SourceEvent>) {
        let expected = self.heat / 8;
        let arrive = expected / ONE + i64::from(i64::from(self.below(ONE as u32)) < expected % ONE);
        for _ in 0..arrive {
            let buys = i64::from(self.below(ONE as u32)) < ONE / 2 + self.regime.lean();
            // Half of them of the smallest size, a quarter twice that, and so on to 512 times.
            let doublings = (self.rng.next_u32() | 1 << 9).trailing_zeros();
            let size = self.unit.saturating_mul(1 << doublings) * u64::from(64 + self.below(128)) / 128;
            let reach = self.tick * i64::from(self.below(20));
            let (side, limit) = if buys { (Side::Buy, ask + reach) } else { (Side::Sell, (bid - reach).max(self.tick)) };
            let qty = self.on_step(size);
            events.push(SourceEvent::Take { side, qty, limit: Price::from_units(limit) });
            // Each brings half another one: a tenth, for the 40 steps it lasts, at an eighth of a taker a step.
            self.heat += ONE / 10;
        }
        // Half the excitement is gone in seven tenths of a second.
        self.heat = (self.heat - (self.heat - ONE) / 40).min(16 * ONE);
    }

    fn on_step(&self, units: u64) -> Qty {
        Qty::from_units((units / self.step * self.step).clamp(self.step, i64::MAX as u64 / 4))
    }

    /// A number below `n`; nearly even, which is all a made-up market needs.
    fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.rng.next_u32()) * u64::from(n.max(1))) >> 32) as u32
    }

    /// A normal number with a standard deviation of one, 2^-16: the sum of twelve even ones.
    fn normal(&mut self) -> i64 {
        let mut sum = 0_i64;
        for _ in 0..3 {
            let mut bits = self.rng.next_u64();
            for _ in 0..4 {
                sum += (bits & 0xffff) as i64;
                bits >>= 16;
            }
        }
        sum - 6 * ONE
    }
}

fn fixed(price: Price) -> i64 {
    price.units().saturating_mul(ONE).min(i64::MAX / 8)
}

/// Square root in 2^-16.
fn root(value: i64) -> i64 {
    i64::try_from((value.unsigned_abs() << 16).isqrt()).unwrap_or(ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generator(seed: u64) -> Generator {
        let spec = GeneratorSpec { seed, start_price: Price::from_units(6_000_000), speed_milli: 1_000, history: 300 };
        Generator::new(spec, &Instrument::example_btcusdt(), Time::from_millis(1_700_000_000_000))
    }

    #[test]
    fn the_walk_is_lively_but_plausible() {
        for seed in 0..8 {
            let mut generator = generator(seed);
            let (mut squares, mut minute_ago) = (0.0, generator.fair as f64);
            let minutes = 600;
            let (mut low, mut high) = (i64::MAX, 0);
            for _ in 0..minutes {
                for _ in 0..2_400 {
                    generator.walk();
                }
                let fair = generator.fair as f64;
                squares += (fair / minute_ago - 1.0).powi(2);
                minute_ago = fair;
                (low, high) = (low.min(generator.fair), high.max(generator.fair));
            }
            let per_minute = (squares / f64::from(minutes)).sqrt() * 100.0;
            assert!((0.1..0.35).contains(&per_minute), "seed {seed}: {per_minute} % a minute");
            // Ten hours stay within a fifth of where they began.
            let home = generator.home;
            assert!(low > home / 5 * 4 && high < home / 5 * 6, "seed {seed}: {low} to {high} around {home}");
        }
    }

    #[test]
    fn the_past_ends_where_the_present_begins() {
        let mut generator = generator(1);
        let past = generator.past(&Instrument::example_btcusdt(), Time::from_millis(1_700_000_000_000));
        assert_eq!(past.len(), 300);
        assert_eq!(past.last().map(|c| c.close), Some(Price::from_units(6_000_000)));
        for pair in past.windows(2) {
            assert_eq!(pair[0].open_time.millis() + 60_000, pair[1].open_time.millis());
            assert_eq!(pair[0].close, pair[1].open);
        }
        assert!(past.iter().all(|c| c.low <= c.open.min(c.close) && c.high >= c.open.max(c.close) && c.taker_buy <= c.volume));
    }

    #[test]
    fn takers_come_in_clusters_that_end() {
        let mut generator = generator(5);
        let (mut events, mut busy, mut calm) = (Vec::new(), 0, 0);
        for _ in 0..3_600 {
            events.clear();
            for _ in 0..STEPS_PER_SECOND {
                generator.walk();
                generator.takers(5_999_990, 6_000_000, &mut events);
            }
            busy += usize::from(events.len() > 20);
            calm += usize::from(events.len() <= 5);
        }
        assert!(busy > 36 && calm > 180, "of 3,600 seconds {busy} busy, {calm} calm");
    }

    #[test]
    fn speed_multiplies_steps() {
        let mut fast = generator(1);
        fast.spec.speed_milli = 20_000;
        fast.steps = 800;
        assert_eq!(fast.next_at(), Time::from_millis(1_700_000_001_000));
    }
}
