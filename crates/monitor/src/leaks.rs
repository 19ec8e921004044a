//! The leak detector: growth without an end, and whose it is.
//!
//! A robust slope (Theil–Sen: the median of the slopes of all pairs of points) is fitted to what the process has in RAM, to what
//! the allocator gave out, and to what the lines of the ledger account for. What grows is explained from the inside out: by a
//! container, else by the allocator, else it lies outside both.

use core::fmt;
use std::time::Duration;

use plimsoll_bounded::{Class, Grant, Line, Map, TemplateStatus, Text, WhenFull};
use plimsoll_market::{Alert, AlertCode, Severity, Time};

use crate::limits::TEMPLATES_MAX;
use crate::sample::Sample;

/// Points of a horizon: 48, so that 1,128 pairs are looked at.
pub const POINTS: usize = 48;

/// A stretch of time in which growth is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Time between two points.
    pub step: Duration,
    /// Nothing counts before the process is this old: caches and rings fill up first.
    pub warm_up: Duration,
    /// Growth over the horizon, in bytes, below which it is no leak.
    pub bytes: u64,
}

/// What counts as a leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakConfig {
    /// Minutes: a fast leak.
    pub fast: Horizon,
    /// Half a day: a slow one.
    pub slow: Horizon,
    /// Nothing is said of the same culprit again for so long.
    pub cool_down: Duration,
}

impl Default for LeakConfig {
    /// Fast: 8 minutes, from the fifth minute on, 4 MiB. Slow: 12 hours, from the second hour on, 4 MiB.
    fn default() -> Self {
        Self {
            fast: Horizon { step: Duration::from_secs(10), warm_up: Duration::from_secs(300), bytes: 4 << 20 },
            slow: Horizon { step: Duration::from_secs(900), warm_up: Duration::from_secs(7_200), bytes: 4 << 20 },
            cool_down: Duration::from_secs(1_800),
        }
    }
}

/// Who grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// A kind of container fills steadily though its limit refuses: nobody takes out.
    Container(Text<96>),
    /// Memory from the allocator that no container accounts for.
    Allocator,
    /// Memory in RAM that the allocator did not give out: stacks, maps, other allocators.
    Outside,
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(name) => f.pad(name.as_str()),
            Self::Allocator => f.pad("allocator"),
            Self::Outside => f.pad("outside"),
        }
    }
}

/// A leak that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    /// Whose it is.
    pub culprit: Culprit,
    /// How fast it grows, bytes an hour.
    pub bytes_per_hour: f64,
    /// The alert.
    pub alert: Alert,
}

/// The points of one figure on one horizon.
#[derive(Clone, Copy, Debug)]
struct Points {
    values: [f64; POINTS],
    next: usize,
    len: usize,
}

impl Points {
    const EMPTY: Self = Self { values: [0.0; POINTS], next: 0, len: 0 };

    fn push(&mut self, value: f64) {
        self.values[self.next] = value;
        self.next = (self.next + 1) % POINTS;
        self.len = (self.len + 1).min(POINTS);
    }

    fn at(&self, i: usize) -> f64 {
        self.values[(self.next + POINTS - self.len + i) % POINTS]
    }

    /// What it rose by a step on average; zero when it fell.
    fn rise(&self) -> f64 {
        if self.len < 2 { 0.0 } else { ((self.at(self.len - 1) - self.at(0)) / (self.len - 1) as f64).max(0.0) }
    }

    /// Median slope a step, when at least three pairs in four rise and the horizon is full enough.
    fn growth(&self) -> Option<f64> {
        if self.len < POINTS * 3 / 4 || self.at(self.len - 1) <= self.at(0) {
            return None;
        }
        let mut slopes = [0.0; POINTS * (POINTS - 1) / 2];
        let (mut pairs, mut rising) = (0, 0);
        for i in 0..self.len {
            for j in i + 1..self.len {
                let slope = (self.at(j) - self.at(i)) / (j - i) as f64;
                slopes[pairs] = slope;
                pairs += 1;
                rising += usize::from(slope > 0.0);
            }
        }
        if rising * 4 < pairs * 3 {
            return None;
        }
        // A filling that levels off is no leak: the second half must still grow.
        let middle = self.at(self.len / 2);
        let (first, second) = (middle - self.at(0), self.at(self.len - 1) - middle);
        if second < first * 0.6 {
            return None;
        }
        let (_, median, _) = slopes[..pairs].select_nth_unstable_by(pairs / 2, f64::total_cmp);
        (*median > 0.0).then_some(*median)
    }
}

/// The points of one horizon: process, allocator, ledger.
#[derive(Clone, Debug)]
struct Track {
    horizon: Horizon,
    last: Option<Time>,
    /// Anonymous memory in RAM.
    anonymous: Points,
    /// What the allocator gave out.
    allocated: Points,
    /// Pages that the allocator has in RAM.
    resident: Points,
    /// What the items in all containers account for, at worst.
    accounted: Points,
}

/// Lengths of one kind of container on both horizons, in bytes.
#[derive(Clone, Copy, Debug)]
struct LineTrack {
    fast: Points,
    slow: Points,
    capacity_bytes: f64,
    /// A container that drops its oldest or keeps only the latest is full by design.
    counts: bool,
    seen: bool,
}

/// Looks for growth without an end.
///
/// # Bounds
/// [`POINTS`] points on two horizons for the process and for each of at most [`TEMPLATES_MAX`] kinds of containers.
#[derive(Debug)]
pub struct LeakDetector {
    config: LeakConfig,
    started: Option<Time>,
    fast: Track,
    slow: Track,
    lines: Map<Text<96>, LineTrack>,
    spoken: Map<Text<96>, Time>,
    slope: Option<f64>,
}

const LINES: &str = "monitor.leak.lines";
const SPOKEN: &str = "monitor.leak.spoken";

impl LeakDetector {
    /// Its lines in the ledger.
    pub fn lines() -> [Line<'static>; 2] {
        [
            Map::<Text<96>, LineTrack>::line(LINES, TEMPLATES_MAX, WhenFull::Refuse, Class::BestEffort),
            Map::<Text<96>, Time>::line(SPOKEN, TEMPLATES_MAX + 2, WhenFull::DropOldest, Class::BestEffort),
        ]
    }

    /// Makes one that has seen nothing; the grants are those of [`LeakDetector::lines`].
    pub fn new(config: LeakConfig, lines: Grant, spoken: Grant) -> Self {
        let track = |horizon| Track {
            horizon,
            last: None,
            anonymous: Points::EMPTY,
            allocated: Points::EMPTY,
            resident: Points::EMPTY,
            accounted: Points::EMPTY,
        };
        Self {
            config,
            started: None,
            fast: track(config.fast),
            slow: track(config.slow),
            lines: Map::new(lines),
            spoken: Map::new(spoken),
            slope: None,
        }
    }

    /// Who was told of within the cool-down, and who was before; for display.
    pub fn suspects(&self, now: Time) -> impl Iterator<Item = (&str, bool)> {
        self.spoken.iter().map(move |(name, at)| (name.as_str(), now.since(*at) < self.config.cool_down))
    }

    /// How fast anonymous memory in RAM grows, bytes an hour; the slow horizon's when it knows.
    pub const fn slope_bytes_per_hour(&self) -> Option<f64> {
        self.slope
    }

    /// Takes a sample and the lines of the ledger; returns the leak that is to be told of, if any.
    pub fn look(&mut self, sample: &Sample, templates: &[TemplateStatus]) -> Option<Leak> {
        let now = sample.time;
        let age = now.since(*self.started.get_or_insert(now));
        let fast = self.fast.due(now, age);
        let slow = self.slow.due(now, age);
        if !fast && !slow {
            return None;
        }
        self.lines.for_each_mut(|_, line| line.seen = false);
        // What libraries and the system take are figures, not containers that somebody fills.
        for template in templates.iter().filter(|template| template.worst.class != Class::External) {
            let blank = LineTrack { fast: Points::EMPTY, slow: Points::EMPTY, capacity_bytes: 0.0, counts: true, seen: true };
            let Ok(line) = self.lines.get_or_insert_with(Text::cut(template.template()), || blank) else { continue };
            line.seen = true;
            line.capacity_bytes = template.bytes as f64;
            line.counts = matches!(template.worst.policy, WhenFull::Refuse | WhenFull::Halt | WhenFull::Wait | WhenFull::DropNewest);
            let bytes = template.len as f64 * template.worst.item_bytes as f64;
            if fast {
                line.fast.push(bytes);
            }
            if slow {
                line.slow.push(bytes);
            }
        }
        // A kind that has gone leaves its place.
        self.lines.retain(|_, line| line.seen);
        let mut found = Vec::new();
        for (due, is_slow) in [(fast, false), (slow, true)] {
            if !due {
                continue;
            }
            let track = if is_slow { &mut self.slow } else { &mut self.fast };
            track.push(sample);
            let per_hour = 3_600.0 / track.horizon.step.as_secs_f64();
            if let Some(growth) = track.anonymous.growth() {
                self.slope = Some(growth * per_hour);
            } else if is_slow || self.slow.anonymous.len == 0 {
                self.slope = Some(0.0);
            }
            let track = if is_slow { &self.slow } else { &self.fast };
            found.extend(suspects(track, &self.lines, is_slow).into_iter().map(|(who, growth)| (who, growth * per_hour, track.horizon)));
        }
        // Who was told of lately does not hide the next; what is not told now is suspected again with the next point.
        found.into_iter().find_map(|(culprit, bytes_per_hour, horizon)| self.tell(now, culprit, bytes_per_hour, horizon))
    }

    fn tell(&mut self, now: Time, culprit: Culprit, bytes_per_hour: f64, horizon: Horizon) -> Option<Leak> {
        let key = Text::of(&culprit);
        if self.spoken.get(&key).is_some_and(|at| now.since(*at) < self.config.cool_down) {
            return None;
        }
        // The oldest is forgotten when it is full: it would be told twice.
        if self.spoken.insert(key, now).is_err() {
            self.spoken.clear();
        }
        let minutes = horizon.step.as_secs() * POINTS as u64 / 60;
        let mib = bytes_per_hour / f64::from(1 << 20);
        let alert = match culprit {
            Culprit::Container(name) => Alert::new(
                Severity::Warning,
                AlertCode::Leak,
                now,
                &format_args!("{name} fills steadily, {mib:.1} MiB an hour over {minutes} minutes: nobody takes out; see /api/ledger"),
            ),
            Culprit::Allocator => Alert::new(
                Severity::Warning,
                AlertCode::Leak,
                now,
                &format_args!(
                    "allocated memory that no container accounts for grows by {mib:.1} MiB an hour over {minutes} minutes; see the heap profile"
                ),
            ),
            Culprit::Outside => Alert::new(
                Severity::Warning,
                AlertCode::Leak,
                now,
                &format_args!(
                    "memory outside the allocator grows by {mib:.1} MiB an hour over {minutes} minutes: threads, maps or a library"
                ),
            ),
        };
        Some(Leak { culprit, bytes_per_hour, alert })
    }
}

impl Track {
    /// Whether a point is due; remembers that it was taken.
    fn due(&mut self, now: Time, age: Duration) -> bool {
        // A beat may come a little early.
        let early = self.horizon.step / 20;
        let due = age >= self.horizon.warm_up && self.last.is_none_or(|last| now.since(last) + early >= self.horizon.step);
        if due {
            self.last = Some(now);
        }
        due
    }

    fn push(&mut self, sample: &Sample) {
        if let Some(process) = sample.process {
            self.anonymous.push(process.anonymous_bytes.unwrap_or(process.resident_bytes) as f64);
        }
        if let Some(allocator) = sample.allocator {
            self.allocated.push(allocator.allocated as f64);
            self.resident.push(allocator.resident as f64);
        }
        self.accounted.push(sample.ledger_used_bytes as f64);
    }
}

/// Who grows by more than the horizon allows, and by how much a step; the containers first, the fastest of them at the front.
fn suspects(track: &Track, lines: &Map<Text<96>, LineTrack>, slow: bool) -> Vec<(Culprit, f64)> {
    let least = track.horizon.bytes as f64 / POINTS as f64;
    // A container whose limit refuses and that fills without end.
    let mut filling: Vec<(&Text<96>, f64)> = lines
        .iter()
        .filter(|(_, line)| line.counts)
        .filter_map(|(name, line)| {
            let growth = if slow { line.slow.growth() } else { line.fast.growth() }?;
            // Small containers are full before they weigh anything: a fifth of their room within the horizon counts as well.
            let counts =
                growth >= least || (growth * POINTS as f64 >= line.capacity_bytes / 5.0 && growth * POINTS as f64 >= CONTAINER_LEAST);
            counts.then_some((name, growth))
        })
        .collect();
    filling.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut found: Vec<_> = filling.into_iter().map(|(name, growth)| (Culprit::Container(*name), growth)).collect();
    // Whoever grows is judged by its steady growth, and what explains it by all that it rose, steady or not.
    let of = |points: &Points| points.growth().unwrap_or(0.0);
    // Items that own memory grow with their container, which is accounted; the rest of the growth is nobody's.
    let unaccounted = of(&track.allocated) - track.accounted.rise();
    if unaccounted >= least {
        found.push((Culprit::Allocator, unaccounted));
    }
    // Containers are allocated whole and touched when they fill: that growth is accounted. Free pages that the allocator keeps
    // are its own.
    let inside = track.resident.rise().max(track.allocated.rise()).max(track.accounted.rise());
    let grown = of(&track.anonymous);
    let outside = grown - inside;
    // Less than half of it is nothing to name somebody for: what explains the rest may still be on its way into the figures.
    if outside >= least && outside * 2.0 >= grown {
        found.push((Culprit::Outside, outside));
    }
    found
}

/// Growth of a container, in bytes, that is worth a word however small it is.
const CONTAINER_LEAST: f64 = 65_536.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocator::AllocatorSample;
    use crate::process::ProcessSample;

    const MB: u64 = 1_000_000;

    fn detector() -> LeakDetector {
        let [lines, spoken] = LeakDetector::lines();
        LeakDetector::new(LeakConfig::default(), Grant::detached(lines), Grant::detached(spoken))
    }

    fn sample(second: u64, anonymous: u64, allocated: u64, resident: u64, accounted: u64) -> Sample {
        let allocator = AllocatorSample { allocated, active: allocated, resident, mapped: resident, retained: 0 };
        Sample {
            process: Some(ProcessSample { resident_bytes: anonymous, anonymous_bytes: Some(anonymous), ..ProcessSample::default() }),
            allocator: Some(allocator),
            ledger_used_bytes: accounted,
            ..Sample::blank(Time::from_millis(second * 1_000))
        }
    }

    /// Feeds 30 minutes; returns when it was first told, and of whom.
    fn first(make: impl Fn(u64) -> Sample) -> Option<(u64, Culprit)> {
        let mut detector = detector();
        (0..1_800).step_by(5).find_map(|second| detector.look(&make(second), &[]).map(|leak| (second, leak.culprit)))
    }

    #[test]
    fn nothing_grows_nothing_is_said() {
        assert_eq!(first(|_| sample(0, 30 * MB, 20 * MB, 25 * MB, 10 * MB)), None);
        let noise = |second: u64| (second * 7_919 % 13) * 300_000;
        assert_eq!(first(|s| sample(s, 30 * MB + noise(s), 20 * MB + noise(s + 3), 25 * MB + noise(s + 5), 10 * MB)), None);
    }

    #[test]
    fn filling_that_levels_off_is_warm_up() {
        let fill = |second: u64| ((1.0 - (-(second as f64) / 200.0).exp()) * 60e6) as u64;
        assert_eq!(first(|s| sample(s, 30 * MB + fill(s), 20 * MB + fill(s), 25 * MB + fill(s), MB)), None);
        let step = |second: u64| if second > 700 { 40 * MB } else { 0 };
        assert_eq!(first(|s| sample(s, 30 * MB + step(s), 20 * MB + step(s), 25 * MB + step(s), MB)), None);
    }

    #[test]
    fn growth_is_explained_from_the_inside_out() {
        let grow = |second: u64| second * 50_000;
        let (at, who) = first(|s| sample(s, 30 * MB + grow(s), 20 * MB + grow(s), 25 * MB + grow(s), MB)).unwrap();
        assert!(who == Culprit::Allocator && at <= 300 + 600, "{at} {who:?}");
        let (_, who) = first(|s| sample(s, 30 * MB + grow(s), 20 * MB, 25 * MB, MB)).unwrap();
        assert_eq!(who, Culprit::Outside);
        assert_eq!(first(|s| sample(s, 30 * MB + grow(s), 20 * MB, 25 * MB, MB + grow(s))), None, "a planned container is touched");
        assert_eq!(first(|s| sample(s, 30 * MB + grow(s), 20 * MB + grow(s), 25 * MB, MB + grow(s))), None);
    }

    /// Feeds 40 minutes of one sample and one container each; returns when each culprit was told of, in order.
    fn told(make: impl Fn(u64) -> (Sample, usize)) -> Vec<(u64, String)> {
        let ledger = plimsoll_bounded::Ledger::open(1 << 30);
        let lines = ["queue.a", "queue.b"];
        let grants = lines.map(|name| {
            ledger.grant(Line { name, capacity: 1 << 20, item_bytes: 100, policy: WhenFull::Refuse, class: Class::MustKeep }).unwrap()
        });
        let (mut detector, mut told) = (detector(), Vec::new());
        for second in (0..2_400).step_by(5) {
            let (sample, items) = make(second);
            // The second fills half as fast.
            for (grant, items) in grants.iter().zip([items, items / 2]) {
                grant.gauge().set_len(items);
            }
            told.extend(detector.look(&sample, &ledger.handle().templates()).map(|leak| (second, leak.culprit.to_string())));
        }
        told
    }

    #[test]
    fn a_leak_that_was_told_of_does_not_hide_another() {
        let grow = |second: u64, rate: u64| second * rate;
        // Two containers and the allocator leak at once: each is told of, once, the worst container first.
        let all = told(|s| {
            let accounted = grow(s, 30_000) + grow(s, 15_000);
            let allocated = 20 * MB + accounted + grow(s, 40_000);
            (sample(s, 30 * MB + allocated, allocated, allocated + MB, accounted), grow(s, 300) as usize)
        });
        let names: Vec<&str> = all.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names[..3], ["queue.a", "queue.b", "allocator"], "{all:?}");
        assert!(all[2].0 - all[0].0 <= 30, "one a point: {all:?}");
        // The first comes again when its silence is over, and no one else is made up meanwhile.
        assert!(names[3..].iter().all(|name| names[..3].contains(name)), "{all:?}");
        // Containers alone accuse nobody else.
        let alone = told(|s| {
            let accounted = grow(s, 30_000) + grow(s, 15_000);
            let allocated = 20 * MB + accounted;
            (sample(s, 30 * MB + allocated, allocated, allocated + MB, accounted), grow(s, 300) as usize)
        });
        assert!(alone.iter().all(|(_, name)| name.starts_with("queue.")), "{alone:?}");
    }

    #[test]
    fn slow_leaks_are_found_within_a_day() {
        let mut detector = detector();
        // Half a megabyte an hour, among noise of a megabyte.
        let at = (0..86_400).step_by(60).find(|second| {
            let grown = second * 500_000 / 3_600 + (second * 7_919 % 11) * 100_000;
            detector.look(&sample(*second, 30 * MB + grown, 20 * MB + grown, 25 * MB + grown, MB), &[]).is_some()
        });
        assert!(at.is_some_and(|second| second > 7_200), "{at:?}");
        assert!(detector.slope_bytes_per_hour().is_some_and(|slope| (300_000.0..700_000.0).contains(&slope)));
    }
}
