//! How far the account's worth has fallen: the drawdown ladder and the loss of a day.

use core::time::Duration;
use plimsoll_market::Time;

/// A rung of the drawdown ladder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Tier {
    /// As it should be.
    #[default]
    Green,
    /// A human is told.
    Yellow,
    /// Nothing more is opened until the fall is less again.
    Orange,
    /// Nothing more is opened until an operator re-arms the account; positions may be closed.
    Red,
}

impl Tier {
    /// Lower-case word for display.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Orange => "orange",
            Self::Red => "red",
        }
    }
}

/// Where the rungs are: falls from the peak, in millionths. 1,000,000 turns a rung off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LadderConfig {
    /// A human is told.
    pub yellow: u32,
    /// Nothing more is opened.
    pub orange: u32,
    /// Latches.
    pub red: u32,
    /// A fall counts as the lesser of itself and its mean over this time, so that one wrong price trips nothing; zero: as it is.
    pub smoothing: Duration,
}

/// An hour: no step of the mean counts for more.
const MICROS_MAX: u128 = 3_600_000_000;

/// The account's fall from its peak.
#[derive(Clone, Copy, Debug)]
pub struct Drawdown {
    cfg: LadderConfig,
    peak: i128,
    /// Mean of the fall, in 1e-9 of the peak.
    mean: i64,
    at: Option<Time>,
    score: u32,
    tier: Tier,
}

impl Drawdown {
    /// Begins with a peak from storage (zero without one), and on red when that was latched.
    pub const fn new(cfg: LadderConfig, peak: i128, latched: bool) -> Self {
        Self { cfg, peak, mean: 0, at: None, score: 0, tier: if latched { Tier::Red } else { Tier::Green } }
    }

    /// The rung.
    pub const fn tier(&self) -> Tier {
        self.tier
    }

    /// Highest worth since the last re-arming.
    pub const fn peak(&self) -> i128 {
        self.peak
    }

    /// The fall that counts, in millionths of the peak.
    pub const fn score(&self) -> u32 {
        self.score
    }

    /// Takes the account's worth; tells the rung when it changed.
    pub fn observe(&mut self, now: Time, worth: i128) -> Option<Tier> {
        self.peak = self.peak.max(worth);
        // Rounded up: the least bit beyond a limit is beyond it.
        let fall = if self.peak > worth && self.peak > 0 {
            (((self.peak - worth) * 1_000_000_000 + self.peak - 1) / self.peak).clamp(0, 1_000_000_000) as i64
        } else {
            0
        };
        if self.cfg.smoothing < Duration::from_micros(1) {
            self.mean = fall;
        } else {
            self.smooth(now, fall);
        }
        self.score = (fall.min(self.mean)).div_euclid(1_000) as u32 + u32::from(fall.min(self.mean) % 1_000 != 0);
        let before = self.tier;
        self.tier = self.rung();
        (self.tier != before).then_some(self.tier)
    }

    /// Brings the mean nearer to the fall by the time that has passed.
    fn smooth(&mut self, now: Time, fall: i64) {
        let span = self.cfg.smoothing.as_micros().min(MICROS_MAX) as i64;
        let passed = self.at.map_or(0, |at| now.since(at).as_micros().min(MICROS_MAX)) as i64;
        // A fall of 1e9 at most times an hour of microseconds fits.
        self.mean += (fall - self.mean) * passed / (span + passed);
        // Looks closer together than can be counted add up.
        if passed > 0 || self.at.is_none() {
            self.at = Some(now);
        }
    }

    fn rung(&self) -> Tier {
        // A rung is left downwards only when the fall is a tenth less than it.
        let on = |limit: u32, rung: Tier| {
            let limit = if self.tier >= rung { limit - limit / 10 } else { limit };
            limit < 1_000_000 && self.score > limit
        };
        if self.tier == Tier::Red || on(self.cfg.red, Tier::Red) {
            Tier::Red
        } else if on(self.cfg.orange, Tier::Orange) {
            Tier::Orange
        } else if on(self.cfg.yellow, Tier::Yellow) {
            Tier::Yellow
        } else {
            Tier::Green
        }
    }

    /// An operator re-arms: the peak begins anew.
    pub fn rearm(&mut self, worth: i128) {
        *self = Self::new(self.cfg, worth, false);
    }

    /// Money came or went: neither profit nor loss.
    pub fn shift(&mut self, units: i128) {
        self.peak = (self.peak + units).max(0);
    }

    /// Goes by other rungs from now on: the peak stays, and a last rung that was reached stays latched.
    pub const fn adopt(&mut self, cfg: LadderConfig) {
        self.cfg = cfg;
    }
}

/// The account's loss since midnight, UTC.
#[derive(Clone, Copy, Debug)]
pub struct DailyLoss {
    /// In millionths of the day's first worth; 1,000,000 turns it off.
    limit: u32,
    day: u32,
    start: i128,
    lost: bool,
}

impl DailyLoss {
    /// Begins with what storage knows of the day (all zero without it).
    pub const fn new(limit: u32, day: u32, start: i128, lost: bool) -> Self {
        Self { limit, day, start, lost }
    }

    /// Goes by another limit from now on; a day that was lost stays lost.
    pub const fn adopt(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// The day, counted from 1970-01-01.
    pub const fn day(&self) -> u32 {
        self.day
    }

    /// Worth when the day began.
    pub const fn start(&self) -> i128 {
        self.start
    }

    /// Whether the day's limit was passed.
    pub const fn lost(&self) -> bool {
        self.lost
    }

    /// Takes the account's worth; tells whether anything changed that must be remembered.
    pub fn observe(&mut self, now: Time, worth: i128) -> bool {
        let day = (now.millis() / 86_400_000) as u32;
        if day != self.day {
            (self.day, self.start, self.lost) = (day, worth, false);
            return true;
        }
        let beyond = || (self.start - worth) * 1_000_000 > self.start * i128::from(self.limit);
        let newly = self.limit < 1_000_000 && !self.lost && beyond();
        self.lost |= newly;
        newly
    }

    /// An operator re-arms: the day begins anew.
    pub const fn rearm(&mut self, worth: i128) {
        (self.start, self.lost) = (worth, false);
    }

    /// Money came or went: neither profit nor loss.
    pub fn shift(&mut self, units: i128) {
        self.start = (self.start + units).max(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder(smoothing: u64) -> Drawdown {
        let cfg = LadderConfig { yellow: 100_000, orange: 200_000, red: 300_000, smoothing: Duration::from_secs(smoothing) };
        Drawdown::new(cfg, 0, false)
    }

    fn at(secs: u64) -> Time {
        Time::from_millis(secs * 1_000)
    }

    #[test]
    fn rungs_are_climbed_and_left_and_red_stays() {
        let mut d = ladder(0);
        let steps = [
            (1_000, None),
            (900, None),
            (899, Some(Tier::Yellow)),
            (905, None),
            (910, Some(Tier::Green)),
            (799, Some(Tier::Orange)),
            (815, None),
            (821, Some(Tier::Yellow)),
            (699, Some(Tier::Red)),
            (2_000, None),
        ];
        for (n, (worth, told)) in steps.into_iter().enumerate() {
            assert_eq!(d.observe(at(n as u64), worth), told, "step {n}: worth {worth}");
        }
        assert_eq!((d.tier(), d.peak()), (Tier::Red, 2_000));
        d.rearm(700);
        assert_eq!((d.observe(at(99), 700), d.tier(), d.peak()), (None, Tier::Green, 700));
    }

    #[test]
    fn a_single_wrong_price_trips_nothing_but_a_lasting_fall_does() {
        let mut d = ladder(30);
        assert_eq!(d.observe(at(0), 1_000), None);
        assert_eq!(d.observe(at(1), 500), None);
        assert_eq!(d.observe(at(2), 1_000), None);
        let told: Vec<Tier> = (3..200).filter_map(|s| d.observe(at(s), 600)).collect();
        assert_eq!(told, [Tier::Yellow, Tier::Orange, Tier::Red]);
    }

    #[test]
    fn a_deposit_is_no_profit_and_a_withdrawal_no_loss() {
        let mut d = ladder(0);
        d.observe(at(0), 1_000);
        d.shift(-500);
        assert_eq!((d.observe(at(1), 500), d.score()), (None, 0));
        let mut day = DailyLoss::new(50_000, 0, 0, false);
        day.observe(at(86_400), 1_000);
        day.shift(-900);
        assert!(!day.observe(at(86_401), 100) && !day.lost());
    }

    #[test]
    fn a_day_ends_at_midnight_and_its_limit_has_two_sides() {
        let mut day = DailyLoss::new(50_000, 0, 0, false);
        assert!(day.observe(at(86_400), 1_000), "a new day");
        assert!(!day.observe(at(86_401), 950));
        assert!(day.observe(at(86_402), 949) && day.lost());
        assert!(!day.observe(at(2 * 86_400 - 1), 2_000) && day.lost(), "what was lost stays lost for the day");
        assert!(day.observe(at(2 * 86_400), 949) && !day.lost());
        assert_eq!((day.day(), day.start()), (2, 949));
    }
}
