//! The watchdog: fixed thresholds, growth, tasks that stall and streams that are silent.

use std::time::Duration;

use arrayvec::ArrayVec;
use plimsoll_bounded::{Class, Grant, Line, Map, Ring, Text, WhenFull};
use plimsoll_market::{Alert, AlertCode, Severity, Time};

use crate::limits::{COOL_DOWNS_MAX, FINDINGS_MAX, WATCH_SAMPLES_MAX};
use crate::sample::Sample;

/// What the watchdog thinks too much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WatchdogConfig {
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// Live tasks.
    pub tasks: usize,
    /// Processors kept busy: 1 is one of them all the time.
    pub cpu_cores: f64,
    /// Growth of resident memory within the window, in bytes.
    pub memory_growth_bytes: u64,
    /// Growth of resident memory within the window, as a share of what it was: 0.3 is 30 %.
    pub memory_growth_share: f64,
    /// The window of growth.
    pub window: Duration,
    /// Nothing is said of the same thing again for so long.
    pub cool_down: Duration,
}

impl WatchdogConfig {
    /// The defaults of the original with this design's memory: 500 MiB, +200 MiB or +30 % within 5 minutes, silence of 30 minutes.
    pub const fn new(tasks: usize) -> Self {
        Self {
            memory_bytes: 500 << 20,
            tasks,
            cpu_cores: 0.8,
            memory_growth_bytes: 200 << 20,
            memory_growth_share: 0.3,
            window: Duration::from_secs(300),
            cool_down: Duration::from_secs(1_800),
        }
    }
}

/// A stream of data that should not be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream<'a> {
    /// Its name, for people.
    pub name: &'a str,
    /// How long it has been silent.
    pub silent_for: Duration,
    /// How long it may be.
    pub allowed: Duration,
}

/// Which rule was broken: bounded, so that it may be a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Resident memory above its threshold.
    MemoryHigh,
    /// Resident memory grew too fast.
    MemoryGrowth,
    /// Too many tasks.
    TasksHigh,
    /// Processors too busy.
    CpuHigh,
    /// Nearly no file descriptors left.
    FilesHigh,
    /// A task broke its promise to show that it lives.
    TaskStalled,
    /// A task ended by a panic.
    TaskPanicked,
    /// A task failed and was started again.
    TaskRestarted,
    /// A stream is silent.
    StreamSilent,
    /// The database does not answer.
    DatabaseUnwell,
    /// A connection to the database is held too long.
    ConnectionHeld,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::MemoryHigh,
        Self::MemoryGrowth,
        Self::TasksHigh,
        Self::CpuHigh,
        Self::FilesHigh,
        Self::TaskStalled,
        Self::TaskPanicked,
        Self::TaskRestarted,
        Self::StreamSilent,
        Self::DatabaseUnwell,
        Self::ConnectionHeld,
    ];

    /// Snake-case word for labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MemoryHigh => "memory_high",
            Self::MemoryGrowth => "memory_growth",
            Self::TasksHigh => "tasks_high",
            Self::CpuHigh => "cpu_high",
            Self::FilesHigh => "files_high",
            Self::TaskStalled => "task_stalled",
            Self::TaskPanicked => "task_panicked",
            Self::TaskRestarted => "task_restarted",
            Self::StreamSilent => "stream_silent",
            Self::DatabaseUnwell => "database_unwell",
            Self::ConnectionHeld => "connection_held",
        }
    }

    const fn alert(self) -> (Severity, AlertCode) {
        match self {
            Self::MemoryHigh | Self::MemoryGrowth => (Severity::Warning, AlertCode::Memory),
            Self::TasksHigh => (Severity::Warning, AlertCode::Task),
            Self::CpuHigh => (Severity::Warning, AlertCode::Cpu),
            Self::FilesHigh => (Severity::Critical, AlertCode::Stream),
            Self::TaskStalled | Self::TaskPanicked | Self::TaskRestarted => (Severity::Critical, AlertCode::Task),
            Self::StreamSilent => (Severity::Warning, AlertCode::Stream),
            Self::DatabaseUnwell => (Severity::Critical, AlertCode::Database),
            Self::ConnectionHeld => (Severity::Warning, AlertCode::Database),
        }
    }
}

/// Something the watchdog has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// What it is about: a task, a stream; empty for the process.
    pub subject: Text<64>,
    /// The alert.
    pub alert: Alert,
}

/// Looks at samples and speaks up, about each thing once in a while.
///
/// # Bounds
/// As many samples as the window needs, at most [`WATCH_SAMPLES_MAX`]; [`COOL_DOWNS_MAX`] things it remembers having spoken of,
/// of which the oldest is forgotten; [`FINDINGS_MAX`] findings a look.
#[derive(Debug)]
pub struct Watchdog {
    config: WatchdogConfig,
    history: Ring<(Time, u64)>,
    spoken: Map<(u8, Text<64>), Time>,
    panicked: u64,
    started: Option<Time>,
}

const HISTORY: &str = "watchdog.history";
const SPOKEN: &str = "watchdog.spoken";

impl Watchdog {
    /// Its lines in the ledger.
    pub fn lines() -> [Line<'static>; 2] {
        [
            Line::of::<(Time, u64)>(HISTORY, WATCH_SAMPLES_MAX, WhenFull::DropOldest, Class::BestEffort),
            Map::<(u8, Text<64>), Time>::line(SPOKEN, COOL_DOWNS_MAX, WhenFull::DropOldest, Class::BestEffort),
        ]
    }

    /// Makes one that has seen nothing; the grants are those of [`Watchdog::lines`].
    pub fn new(config: WatchdogConfig, history: Grant, spoken: Grant) -> Self {
        Self { config, history: Ring::new(history), spoken: Map::new(spoken), panicked: 0, started: None }
    }

    /// Takes a sample, the names of tasks that are overdue, and the streams; returns what is to be said.
    pub fn look<'a>(
        &mut self,
        sample: &Sample,
        overdue: impl IntoIterator<Item = &'a str>,
        streams: impl IntoIterator<Item = Stream<'a>>,
    ) -> ArrayVec<Finding, FINDINGS_MAX> {
        let mut found = ArrayVec::new();
        let config = self.config;
        let now = sample.time;
        if let Some(process) = sample.process {
            let resident = process.resident_bytes;
            if resident > config.memory_bytes {
                let text =
                    format_args!("memory in RAM is {} MiB, above high_memory_threshold of {} MiB", mib(resident), mib(config.memory_bytes));
                self.say(&mut found, now, Rule::MemoryHigh, "", &text);
            }
            self.growth(&mut found, now, resident);
            if let (Some(files), Some(limit)) = (process.open_files, process.files_limit)
                && files.saturating_mul(10) > limit.saturating_mul(8)
            {
                self.say(
                    &mut found,
                    now,
                    Rule::FilesHigh,
                    "",
                    &format_args!("{files} files and sockets are open of at most {limit} (RLIMIT_NOFILE)"),
                );
            }
        }
        if sample.tasks.live > config.tasks {
            let text = format_args!("{} tasks live, above high_task_threshold of {}", sample.tasks.live, config.tasks);
            self.say(&mut found, now, Rule::TasksHigh, "", &text);
        }
        if let Some(load) = sample.cpu_load.filter(|load| *load > config.cpu_cores) {
            self.say(
                &mut found,
                now,
                Rule::CpuHigh,
                "",
                &format_args!("{load:.2} processors are kept busy, above {:.2}", config.cpu_cores),
            );
        }
        if sample.tasks.panicked > self.panicked {
            let more = sample.tasks.panicked - self.panicked;
            let said = found.len();
            self.say(&mut found, now, Rule::TaskPanicked, "", &format_args!("{more} tasks ended by a panic; the log names them"));
            // What is kept silent now is told with the next.
            if found.len() > said {
                self.panicked = sample.tasks.panicked;
            }
        }
        for name in overdue {
            self.say(
                &mut found,
                now,
                Rule::TaskStalled,
                name,
                &format_args!("task {name} has shown no sign of life for longer than it promised"),
            );
        }
        for stream in streams.into_iter().filter(|stream| stream.silent_for > stream.allowed) {
            let text = format_args!(
                "{} has been silent for {} s, more than {} s",
                stream.name,
                stream.silent_for.as_secs(),
                stream.allowed.as_secs()
            );
            self.say(&mut found, now, Rule::StreamSilent, stream.name, &text);
        }
        found
    }

    /// Forgets what it has spoken of and may speak of again.
    pub fn forget(&mut self, now: Time) {
        let cool_down = self.config.cool_down;
        self.spoken.retain(|_, at| now.since(*at) < cool_down);
    }

    /// Speaks of something that others noticed, unless it was spoken of within the cool-down.
    pub fn speak(&mut self, now: Time, rule: Rule, subject: &str, text: &dyn core::fmt::Display) -> Option<Finding> {
        let mut found = ArrayVec::new();
        self.say(&mut found, now, rule, subject, text);
        found.pop()
    }

    fn growth(&mut self, found: &mut ArrayVec<Finding, FINDINGS_MAX>, now: Time, resident: u64) {
        let config = self.config;
        while self.history.first().is_some_and(|(time, _)| now.since(*time) > config.window.mul_f64(1.1)) {
            self.history.pop_front();
        }
        // Only against a whole window: filling up after the start is not growth.
        let started = *self.started.get_or_insert(now);
        if let Some((time, then)) = self.history.first().copied()
            && now.since(started) >= config.window
            && now.since(time) >= config.window.mul_f64(0.75)
        {
            let grown = resident.saturating_sub(then);
            let share = if then == 0 { 0.0 } else { grown as f64 / then as f64 };
            if grown > config.memory_growth_bytes || (share > config.memory_growth_share && grown > GROWTH_FLOOR) {
                let text = format_args!(
                    "memory in RAM grew by {} MiB ({:.0} %) within {} s",
                    mib(grown),
                    share * 100.0,
                    now.since(time).as_secs()
                );
                self.say(found, now, Rule::MemoryGrowth, "", &text);
            }
        }
        self.history.roll((now, resident));
    }

    fn say(&mut self, found: &mut ArrayVec<Finding, FINDINGS_MAX>, now: Time, rule: Rule, subject: &str, text: &dyn core::fmt::Display) {
        let key = (rule as u8, Text::cut(subject));
        if self.spoken.get(&key).is_some_and(|at| now.since(*at) < self.config.cool_down) {
            return;
        }
        // The oldest is forgotten when it is full: then something is said twice, which harms nobody.
        if self.spoken.insert(key, now).is_err() {
            self.spoken.clear();
        }
        let (severity, code) = rule.alert();
        let finding = Finding { rule, subject: key.1, alert: Alert::new(severity, code, now, text) };
        // More findings than fit are said at the next look.
        if found.try_push(finding).is_err() {
            self.spoken.remove(&key);
        }
    }
}

/// A small process grows by a third when somebody opens the dashboard: less than this is nothing.
const GROWTH_FLOOR: u64 = 20 << 20;

/// As the configuration counts: its MB are 2^20 bytes.
fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessSample;
    use plimsoll_bounded::TaskCounts;

    fn watchdog() -> Watchdog {
        let [history, spoken] = Watchdog::lines();
        Watchdog::new(WatchdogConfig::new(100), Grant::detached(history), Grant::detached(spoken))
    }

    fn sample(seconds: u64, resident: u64) -> Sample {
        let process = ProcessSample { resident_bytes: resident, ..ProcessSample::default() };
        Sample { process: Some(process), ..Sample::blank(Time::from_millis(seconds * 1_000)) }
    }

    fn rules(found: &[Finding]) -> Vec<Rule> {
        found.iter().map(|f| f.rule).collect()
    }

    #[test]
    fn speaks_of_a_threshold_once_in_half_an_hour() {
        let mut dog = watchdog();
        assert_eq!(rules(&dog.look(&sample(0, 500 << 20), [], [])), []);
        let found = dog.look(&sample(60, 612 << 20), [], []);
        assert_eq!(rules(&found), [Rule::MemoryHigh]);
        let text = &found[0].alert.text;
        assert!(text.contains("is 612 MiB, above high_memory_threshold of 500 MiB"), "as the configuration counts: {text}");
        assert_eq!(rules(&dog.look(&sample(1_859, (500 << 20) + 1), [], [])), []);
        assert_eq!(rules(&dog.look(&sample(1_860, (500 << 20) + 1), [], [])), [Rule::MemoryHigh]);
    }

    #[test]
    fn growth_needs_a_whole_window() {
        let mut dog = watchdog();
        assert!(dog.look(&sample(0, 30_000_000), [], []).is_empty());
        assert!(dog.look(&sample(60, 100_000_000), [], []).is_empty(), "a start fills up");
        for minute in 2..5 {
            assert!(dog.look(&sample(minute * 60, 100_000_000), [], []).is_empty());
        }
        assert_eq!(rules(&dog.look(&sample(300, 100_000_000), [], [])), [Rule::MemoryGrowth]);
        let mut small = watchdog();
        for minute in 0..10 {
            assert!(small.look(&sample(minute * 60, 10_000_000 + minute * 2_000_000), [], []).is_empty(), "small things may double");
        }
    }

    #[test]
    fn tasks_streams_and_files_are_named() {
        let mut dog = watchdog();
        let mut bad = sample(0, 1);
        bad.tasks = TaskCounts { live: 101, panicked: 2, ..TaskCounts::default() };
        bad.cpu_load = Some(1.5);
        bad.process = bad.process.map(|p| ProcessSample { open_files: Some(900), files_limit: Some(1_024), ..p });
        let silent = Stream { name: "BTCUSDT market", silent_for: Duration::from_secs(31), allowed: Duration::from_secs(30) };
        let fine = Stream { silent_for: Duration::from_secs(30), ..silent };
        let found = dog.look(&bad, ["sampler"], [silent, fine]);
        assert_eq!(
            rules(&found),
            [Rule::FilesHigh, Rule::TasksHigh, Rule::CpuHigh, Rule::TaskPanicked, Rule::TaskStalled, Rule::StreamSilent]
        );
        assert!(found[4].alert.text.contains("sampler") && found[5].alert.text.contains("BTCUSDT market has been silent for 31 s"));
        assert!(dog.look(&bad, ["sampler"], [silent]).is_empty(), "said already");
    }

    #[test]
    fn forgets_what_it_may_speak_of_again() {
        let mut dog = watchdog();
        dog.look(&sample(0, 1), ["a"], []);
        dog.look(&sample(10, 1), ["b"], []);
        dog.forget(Time::from_millis(1_800_000));
        assert_eq!(dog.spoken.len(), 1, "the second has ten seconds left");
        assert!(dog.look(&sample(1_800, 1), ["b"], []).is_empty());
        assert_eq!(dog.look(&sample(1_800, 1), ["a"], []).len(), 1);
    }

    #[test]
    fn a_flood_is_cut_and_the_rest_is_said_later() {
        let mut dog = watchdog();
        let names: Vec<String> = (0..FINDINGS_MAX + 3).map(|i| format!("task-{i}")).collect();
        let first = dog.look(&sample(0, 1), names.iter().map(String::as_str), []);
        let second = dog.look(&sample(1, 1), names.iter().map(String::as_str), []);
        assert_eq!((first.len(), second.len()), (FINDINGS_MAX, 3));
    }
}
