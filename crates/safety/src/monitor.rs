//! The market-wide risk monitor: every watched symbol falls at once with unusual volume.
//!
//! A symbol is abnormal when its last closed candle closed below the mean close of the window before it, with more volume than
//! the window's mean times a multiplier. When all are abnormal, nothing more is opened until enough of them have recovered: a
//! close above the mean, with volume below the multiplier. Candles that are not closed never count, and a symbol whose candles
//! stay away counts as abnormal: what cannot be seen is not safe.

use crate::limits::{MONITORED_MAX, WINDOW_MAX};
use core::time::Duration;
use plimsoll_bounded::{Class, Line, WhenFull};
use plimsoll_market::Time;

/// What the monitor goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MonitorConfig {
    /// Candles whose mean is taken, 2 to [`WINDOW_MAX`] − 1.
    pub window: usize,
    /// How many times the mean volume is unusual, in thousandths.
    pub multiplier: u32,
    /// Symbols that must have recovered; more than are watched count as all.
    pub recovery: usize,
    /// A symbol without a closed candle for so long cannot be seen.
    pub stale_after: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Bar {
    open_time: Time,
    close: i64,
    volume: u64,
}

#[derive(Clone, Debug)]
struct Series {
    bars: arrayvec::ArrayVec<Bar, WINDOW_MAX>,
    seen_at: Time,
    born_at: Time,
    abnormal: bool,
    recovered: bool,
}

/// Why the market is closed to opening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// Every watched symbol that can be seen falls with unusual volume.
    Falling,
    /// No watched symbol can be seen.
    Blind,
}

/// The monitor.
///
/// # Bounds
/// [`MONITORED_MAX`] symbols of [`WINDOW_MAX`] candles.
#[derive(Clone, Debug)]
pub struct RiskMonitor {
    cfg: MonitorConfig,
    series: Vec<Series>, // tidy: bounded by MONITORED_MAX, fixed at construction
    alarm: Option<Alarm>,
}

impl RiskMonitor {
    /// Bytes that a monitored symbol takes.
    pub const SYMBOL_BYTES: usize = size_of::<Series>();

    /// Declares the memory of so many watched symbols.
    pub const fn line(name: &str, symbols: usize) -> Line<'_> {
        Line { name, capacity: symbols, item_bytes: Self::SYMBOL_BYTES, policy: WhenFull::DropOldest, class: Class::LatestWins }
    }

    /// Watches so many symbols; until `stale_after` from now none counts as unseen.
    ///
    /// # Panics
    /// With a window out of its range, or more than [`MONITORED_MAX`] symbols.
    pub fn new(cfg: MonitorConfig, symbols: usize, now: Time) -> Self {
        assert!((2..WINDOW_MAX).contains(&cfg.window), "the window has 2 to {} candles", WINDOW_MAX - 1);
        assert!(symbols <= MONITORED_MAX, "at most {MONITORED_MAX} symbols are watched");
        let series = Series { bars: arrayvec::ArrayVec::new(), seen_at: now, born_at: now, abnormal: false, recovered: false };
        Self { cfg, series: vec![series; symbols], alarm: None }
    }

    /// Goes by other thresholds from now on; the window stays, for its candles are there.
    pub const fn adopt(&mut self, cfg: MonitorConfig) {
        self.cfg = MonitorConfig { window: self.cfg.window, ..cfg };
    }

    /// Why nothing may be opened; `None` when the market is as usual.
    pub const fn alarm(&self) -> Option<Alarm> {
        self.alarm
    }

    /// Watched symbols that are abnormal by their last candle.
    pub fn abnormal(&self) -> usize {
        self.series.iter().filter(|s| s.abnormal).count()
    }

    /// Watched symbols that have recovered by their last candle.
    pub fn recovered(&self) -> usize {
        self.series.iter().filter(|s| s.recovered).count()
    }

    /// Watched symbols.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// An operator lifts the alarm; what is seen from now on decides.
    pub fn rearm(&mut self) {
        self.alarm = None;
        for series in &mut self.series {
            (series.abnormal, series.recovered) = (false, false);
        }
    }

    /// Takes a closed candle; one that is known says nothing. Older ones fill what is missing before the first, because the past is
    /// told after the first candles of the present.
    pub fn candle(&mut self, now: Time, symbol: usize, open_time: Time, close: i64, volume: u64) {
        let window = self.cfg.window;
        let Some(series) = self.series.get_mut(symbol) else { return };
        if series.bars.last().is_some_and(|bar| bar.open_time >= open_time) {
            let place = series.bars.iter().position(|bar| bar.open_time >= open_time).unwrap_or(0);
            let known = series.bars.get(place).is_some_and(|bar| bar.open_time == open_time);
            if !known && series.bars.len() < window {
                series.bars.insert(place, Bar { open_time, close, volume });
            }
            return;
        }
        series.seen_at = now;
        if series.bars.len() > window {
            series.bars.remove(0);
        }
        if series.bars.len() == window {
            let (mut closes, mut volumes) = (0_i128, 0_i128);
            for bar in &series.bars {
                closes += i128::from(bar.close);
                volumes += i128::from(bar.volume);
            }
            let n = window as i128;
            let unusual = i128::from(volume) * n * 1_000 > volumes * i128::from(self.cfg.multiplier);
            let close = i128::from(close) * n;
            series.abnormal = close < closes && unusual;
            series.recovered = close > closes && !unusual;
        }
        series.bars.push(Bar { open_time, close, volume });
    }

    /// Looks at all symbols; tells when the verdict changed.
    pub fn judge(&mut self, now: Time) -> Option<Option<Alarm>> {
        if self.series.is_empty() {
            return None;
        }
        // Of one whose window is not full nothing can be said.
        let window = self.cfg.window;
        let unseen = |s: &Series| {
            let blank = s.bars.len() < window && now.since(s.born_at) > self.cfg.stale_after;
            blank || now.since(s.seen_at) > self.cfg.stale_after
        };
        let before = self.alarm;
        if self.series.iter().all(unseen) {
            // A fall that was seen before goes on until the recovery is seen.
            self.alarm = self.alarm.or(Some(Alarm::Blind));
        } else if self.series.iter().all(|s| unseen(s) || s.abnormal) {
            self.alarm = Some(Alarm::Falling);
        } else {
            let recovered = self.series.iter().filter(|s| s.recovered && !unseen(s)).count();
            let seen = self.series.iter().filter(|s| !unseen(s)).count();
            let enough = self.cfg.recovery.min(seen).max(1);
            match self.alarm {
                Some(Alarm::Falling) if recovered < enough => {}
                Some(Alarm::Falling | Alarm::Blind) | None => self.alarm = None,
            }
        }
        (self.alarm != before).then_some(self.alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn monitor(symbols: usize) -> RiskMonitor {
        let cfg = MonitorConfig { window: 3, multiplier: 3_000, recovery: 3, stale_after: Duration::from_secs(180) };
        RiskMonitor::new(cfg, symbols, Time::ZERO)
    }

    fn minute(m: &mut RiskMonitor, n: u64, bars: &[(i64, u64)]) -> Option<Option<Alarm>> {
        let now = Time::from_millis((n + 1) * MINUTE);
        for (symbol, (close, volume)) in bars.iter().enumerate() {
            m.candle(now, symbol, Time::from_millis(n * MINUTE), *close, *volume);
        }
        m.judge(now)
    }

    #[test]
    fn trips_when_all_fall_with_volume_and_recovers_with_as_many_as_there_are() {
        let mut m = monitor(2);
        for n in 0..3 {
            assert_eq!(minute(&mut m, n, &[(100, 10), (200, 10)]), None);
        }
        assert_eq!(minute(&mut m, 3, &[(99, 31), (201, 31)]), None, "one of two");
        assert_eq!(minute(&mut m, 4, &[(98, 61), (190, 61)]), Some(Some(Alarm::Falling)));
        assert_eq!(minute(&mut m, 5, &[(120, 10), (180, 10)]), None, "one of two has recovered; three are asked for, two exist");
        assert_eq!(minute(&mut m, 6, &[(130, 10), (220, 10)]), Some(None));
    }

    #[test]
    fn exactly_the_mean_and_exactly_the_multiple_are_usual() {
        let mut m = monitor(1);
        for n in 0..3 {
            minute(&mut m, n, &[(100, 10)]);
        }
        assert_eq!(minute(&mut m, 3, &[(99, 30)]), None);
        let mut m = monitor(1);
        for n in 0..3 {
            minute(&mut m, n, &[(100, 10)]);
        }
        assert_eq!(minute(&mut m, 3, &[(100, 31)]), None);
    }

    #[test]
    fn what_cannot_be_seen_is_not_safe() {
        let mut m = monitor(2);
        for n in 0..3 {
            minute(&mut m, n, &[(100, 10), (200, 10)]);
        }
        let last = Time::from_millis(3 * MINUTE);
        assert_eq!(m.judge(last + Duration::from_secs(180)), None);
        assert_eq!(m.judge(last + Duration::from_secs(181)), Some(Some(Alarm::Blind)));
        assert_eq!(minute(&mut m, 7, &[(100, 10)]), Some(None), "one that is seen again and is as usual is enough");
        // The other one is still unseen: when the seen one falls, nothing says that the market does not.
        assert_eq!(minute(&mut m, 8, &[(50, 1_000)]), Some(Some(Alarm::Falling)));
    }

    #[test]
    fn the_past_may_be_told_after_the_present_has_begun() {
        let mut m = monitor(1);
        let candle = |m: &mut RiskMonitor, n: u64, close, volume| {
            m.candle(Time::from_millis(240_000), 0, Time::from_millis(n * MINUTE), close, volume)
        };
        candle(&mut m, 3, 100, 10);
        for n in [1, 2, 2, 3] {
            candle(&mut m, n, 100, 10);
        }
        assert_eq!(m.judge(Time::from_millis(240_000)), None, "three candles make the window");
        candle(&mut m, 4, 50, 1_000);
        assert_eq!(m.judge(Time::from_millis(300_000)), Some(Some(Alarm::Falling)));
        m.rearm();
        assert_eq!((m.alarm(), m.abnormal()), (None, 0));
    }

    #[test]
    fn one_that_is_never_seen_again_does_not_keep_the_others_from_recovering() {
        let mut m = monitor(2);
        for n in 0..3 {
            minute(&mut m, n, &[(100, 10), (200, 10)]);
        }
        assert_eq!(minute(&mut m, 3, &[(90, 40), (180, 40)]), Some(Some(Alarm::Falling)));
        for n in 4..8 {
            minute(&mut m, n, &[(95, 10)]);
        }
        assert_eq!(minute(&mut m, 8, &[(120, 10)]), Some(None), "the second has not been seen for five minutes");
    }

    #[test]
    fn a_candle_told_twice_counts_once() {
        let mut m = monitor(1);
        for n in 0..3 {
            minute(&mut m, n, &[(100, 10)]);
        }
        assert_eq!(minute(&mut m, 2, &[(1, 1_000)]), None);
        assert_eq!((m.abnormal(), m.recovered(), m.len(), m.is_empty()), (0, 0, 1, false));
    }
}
