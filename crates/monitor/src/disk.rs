//! What is given up, in which order, when the disk runs short.

use std::fmt;
use std::time::Duration;

use plimsoll_market::Time;

/// What takes room on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskKind {
    /// The database.
    Database,
    /// Its write-ahead log and the index of that.
    WriteAheadLog,
    /// Backups, and databases that others took the place of.
    Backups,
    /// Log files.
    Logs,
    /// Segments of the journal.
    Journal,
    /// Profiles.
    Profiles,
    /// Reports.
    Reports,
    /// Everything else in the data folder.
    Other,
}

impl DiskKind {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 8] =
        [Self::Database, Self::WriteAheadLog, Self::Backups, Self::Logs, Self::Journal, Self::Profiles, Self::Reports, Self::Other];

    /// Snake-case word for labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::WriteAheadLog => "wal",
            Self::Backups => "backups",
            Self::Logs => "logs",
            Self::Journal => "journal",
            Self::Profiles => "profiles",
            Self::Reports => "reports",
            Self::Other => "other",
        }
    }
}

/// What our files take, and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Bytes of each kind, in the order of [`DiskKind::ALL`].
    pub bytes: [u64; DiskKind::ALL.len()],
    /// Free bytes of the file system; `None` where it is not told.
    pub free: Option<u64>,
}

impl DiskUse {
    /// Adds a file.
    pub fn add(&mut self, kind: DiskKind, bytes: u64) {
        if let Some(sum) = self.bytes.get_mut(kind as usize) {
            *sum = sum.saturating_add(bytes);
        }
    }

    /// Returns what a kind takes.
    pub fn of(&self, kind: DiskKind) -> u64 {
        self.bytes.get(kind as usize).copied().unwrap_or(0)
    }

    /// Returns what all files take.
    pub fn used(&self) -> u64 {
        self.bytes.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }
}

/// The kinds that take something, the largest first: `database 1,204 MB, logs 64 MB`.
impl fmt::Display for DiskUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds = DiskKind::ALL;
        kinds.sort_by_key(|kind| std::cmp::Reverse(self.of(*kind)));
        for (at, kind) in kinds.into_iter().filter(|kind| self.of(*kind) > 0).enumerate() {
            write!(f, "{}{} {}", if at == 0 { "" } else { ", " }, kind.as_str(), Megabytes(self.of(kind)))?;
        }
        Ok(())
    }
}

/// Bytes as people read them; a MB is 2^20 bytes, as in the configuration.
pub struct Megabytes(
    /// Bytes.
    pub u64,
);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.saturating_mul(10) >> 20;
        if tenths < 100 { write!(f, "{}.{} MB", tenths / 10, tenths % 10) } else { write!(f, "{} MB", self.0 >> 20) }
    }
}

/// What the room is measured by: whichever is nearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskLimit {
    /// The budget.
    Budget,
    /// The file system, without the reserve that stays for what must be kept.
    FileSystem,
}

impl DiskLimit {
    /// Words for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "storage.disk_budget",
            Self::FileSystem => "what the file system has for us",
        }
    }
}

/// How near the limit is. Each level keeps what the levels below it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskLevel {
    /// There is room.
    #[default]
    Calm,
    /// People are told.
    Warn,
    /// History goes before its age; all but the newest backup and the oldest profiles go.
    Shed,
    /// Nothing is opened any more; closing, cancelling and reconciling go on, and are recorded.
    StopOpening,
}

impl DiskLevel {
    /// All levels, from the ground up.
    pub const ALL: [Self; 4] = [Self::Calm, Self::Warn, Self::Shed, Self::StopOpening];

    /// Its number: 0 is calm, 3 is that nothing is opened.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Snake-case words for display.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Warn => "warn",
            Self::Shed => "shed",
            Self::StopOpening => "stop_opening",
        }
    }
}

/// What may be taken, and when what is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskConfig {
    /// Bytes that all our files together may take.
    pub budget_bytes: u64,
    /// Percent of the nearer limit at which the three levels are reached, rising.
    pub at_percent: [u8; 3],
    /// How long there must be more room before a level is left downwards.
    pub calm_for: Duration,
    /// History is shed again so often while that does not suffice.
    pub shed_every: Duration,
}

impl DiskConfig {
    /// The usual watermarks for a budget: told at 80, shed at 90, opening stops at 97 percent.
    pub const fn new(budget_bytes: u64) -> Self {
        Self { budget_bytes, at_percent: [80, 90, 97], calm_for: Duration::from_secs(120), shed_every: Duration::from_secs(600) }
    }

    /// What must stay free on the file system for what must be kept, in bytes: 64 MiB, or a sixteenth of a small budget.
    pub const fn reserve_bytes(&self) -> u64 {
        let part = self.budget_bytes / 16;
        if part < RESERVE { part } else { RESERVE }
    }
}

/// Two write-ahead logs as large as they may become.
const RESERVE: u64 = 64 << 20;

/// A level is left when the share is so many points below the one that led to it.
const HYSTERESIS: u64 = 3;

/// What a look decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskDecision {
    /// The level before.
    pub before: DiskLevel,
    /// The level now.
    pub level: DiskLevel,
    /// Percent of the nearer limit that is used; above 100 when the reserve is used up.
    pub percent: u64,
    /// The nearer limit.
    pub limit: DiskLimit,
    /// What the nearer limit allows our files to take, in bytes.
    pub limit_bytes: u64,
    /// Whether room is to be made now.
    pub shed: bool,
}

impl DiskDecision {
    /// Whether people are to be told.
    pub fn is_change(&self) -> bool {
        self.before != self.level
    }
}

/// Climbs at once, comes down slowly, one level after the other.
#[derive(Clone, Debug)]
pub struct DiskLadder {
    config: DiskConfig,
    level: DiskLevel,
    calm_since: Option<Time>,
    shed_at: Option<Time>,
}

impl DiskLadder {
    /// Stands on the ground.
    pub const fn new(config: DiskConfig) -> Self {
        Self { config, level: DiskLevel::Calm, calm_since: None, shed_at: None }
    }

    /// Where it stands.
    pub const fn level(&self) -> DiskLevel {
        self.level
    }

    /// Its configuration.
    pub const fn config(&self) -> &DiskConfig {
        &self.config
    }

    /// Takes a look at what is used and says what is to be done.
    ///
    /// Upwards it may pass over levels, whose work is done as well; downwards it goes one at a time.
    pub fn look(&mut self, now: Time, disk: &DiskUse) -> DiskDecision {
        let before = self.level;
        let (limit, limit_bytes) = self.limit(disk);
        let percent = match limit_bytes {
            // Nothing may be taken: not even an empty folder fits.
            0 => u64::MAX,
            limit => u64::try_from(u128::from(disk.used()) * 100 / u128::from(limit)).unwrap_or(u64::MAX),
        };
        let wanted = self.level_at(percent);
        if wanted > before {
            self.level = wanted;
            self.calm_since = None;
        } else if self.level_at(percent.saturating_add(HYSTERESIS)) < before {
            let since = *self.calm_since.get_or_insert(now);
            if now.since(since) >= self.config.calm_for {
                self.level = DiskLevel::ALL[usize::from(before.number()) - 1];
                self.calm_since = Some(now);
            }
        } else {
            self.calm_since = None;
        }
        // While there is more room than led here, nothing further has to go.
        let due = self.shed_at.is_none_or(|at| now.since(at) >= self.config.shed_every);
        let climbed = self.level >= DiskLevel::Shed && self.level > before;
        let shed = climbed || (wanted >= DiskLevel::Shed && due);
        if shed {
            self.shed_at = Some(now);
        }
        DiskDecision { before, level: self.level, percent, limit, limit_bytes, shed }
    }

    /// The nearer of both limits, and what it allows our files to take.
    fn limit(&self, disk: &DiskUse) -> (DiskLimit, u64) {
        let budget = self.config.budget_bytes;
        match disk.free {
            Some(free) => {
                let room = disk.used().saturating_add(free).saturating_sub(self.config.reserve_bytes());
                if room < budget { (DiskLimit::FileSystem, room) } else { (DiskLimit::Budget, budget) }
            }
            None => (DiskLimit::Budget, budget),
        }
    }

    fn level_at(&self, percent: u64) -> DiskLevel {
        DiskLevel::ALL[self.config.at_percent.iter().filter(|at| percent >= u64::from(**at)).count()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MB: u64 = 1 << 20;

    fn ladder() -> DiskLadder {
        DiskLadder::new(DiskConfig::new(1_000 * MB))
    }

    fn used(megabytes: u64, free: Option<u64>) -> DiskUse {
        let mut disk = DiskUse { free: free.map(|free| free * MB), ..DiskUse::default() };
        disk.add(DiskKind::Database, megabytes * MB / 2);
        disk.add(DiskKind::Logs, megabytes * MB - megabytes * MB / 2);
        disk
    }

    fn at(ladder: &mut DiskLadder, seconds: u64, megabytes: u64) -> (DiskLevel, bool) {
        let decision = ladder.look(Time::from_millis(seconds * 1_000), &used(megabytes, None));
        (decision.level, decision.shed)
    }

    #[test]
    fn each_mark_is_reached_at_its_percent_and_not_before() {
        for (megabytes, level) in [
            (799, DiskLevel::Calm),
            (800, DiskLevel::Warn),
            (899, DiskLevel::Warn),
            (900, DiskLevel::Shed),
            (969, DiskLevel::Shed),
            (970, DiskLevel::StopOpening),
            (5_000, DiskLevel::StopOpening),
        ] {
            assert_eq!(at(&mut ladder(), 1, megabytes), (level, level >= DiskLevel::Shed), "{megabytes}");
        }
    }

    #[test]
    fn comes_down_slowly_in_order_and_only_with_a_margin() {
        let mut ladder = ladder();
        assert_eq!(at(&mut ladder, 0, 975), (DiskLevel::StopOpening, true));
        for second in (60..600).step_by(60) {
            assert_eq!(at(&mut ladder, second, 945), (DiskLevel::StopOpening, false), "within the margin, and shed a moment ago");
        }
        assert_eq!(at(&mut ladder, 600, 945), (DiskLevel::StopOpening, true), "it did not suffice");
        assert_eq!(at(&mut ladder, 660, 500), (DiskLevel::StopOpening, false));
        assert_eq!(at(&mut ladder, 779, 500), (DiskLevel::StopOpening, false));
        assert_eq!(at(&mut ladder, 780, 500), (DiskLevel::Shed, false));
        assert_eq!(at(&mut ladder, 840, 500), (DiskLevel::Shed, false));
        assert_eq!(at(&mut ladder, 900, 500), (DiskLevel::Warn, false));
        assert_eq!(at(&mut ladder, 1_020, 500), (DiskLevel::Calm, false));
        assert_eq!(at(&mut ladder, 9_000, 500), (DiskLevel::Calm, false));
    }

    #[test]
    fn a_relapse_begins_the_wait_anew() {
        let mut ladder = ladder();
        at(&mut ladder, 0, 905);
        at(&mut ladder, 60, 500);
        at(&mut ladder, 120, 890);
        assert_eq!(at(&mut ladder, 181, 500).0, DiskLevel::Shed);
        assert_eq!(at(&mut ladder, 301, 500).0, DiskLevel::Warn);
    }

    #[test]
    fn the_nearer_limit_counts_with_its_reserve() {
        let look = |megabytes, free| ladder().look(Time::from_millis(1), &used(megabytes, Some(free)));
        // The reserve of a budget of 1,000 MB is 62.5 MB.
        let plenty = look(100, 5_000);
        assert_eq!((plenty.limit, plenty.limit_bytes, plenty.percent), (DiskLimit::Budget, 1_000 * MB, 10));
        let short = look(100, 65);
        assert_eq!((short.limit, short.level, short.percent), (DiskLimit::FileSystem, DiskLevel::StopOpening, 97));
        let full = look(100, 0);
        assert_eq!((full.level, full.percent), (DiskLevel::StopOpening, 266));
        assert_eq!(look(10, 0).percent, u64::MAX, "less than the reserve is left in all");
        assert_eq!(DiskConfig::new(12 << 30).reserve_bytes(), 64 * MB);
    }

    #[test]
    fn figures_are_told_the_largest_first() {
        let mut disk = DiskUse::default();
        disk.add(DiskKind::Journal, 250 * MB);
        disk.add(DiskKind::Backups, 3 << 30);
        disk.add(DiskKind::Logs, MB / 2);
        assert_eq!(disk.to_string(), "backups 3072 MB, journal 250 MB, logs 0.5 MB");
        assert_eq!(DiskUse::default().to_string(), "");
    }

    proptest! {
        #[test]
        fn climbs_at_once_and_never_skips_a_level_downwards(
            looks in proptest::collection::vec((0_u64..2_000, proptest::option::of(0_u64..2_000), 0_u64..400), 1..60),
        ) {
            let mut ladder = ladder();
            let mut now = Time::from_millis(1_000);
            let mut left_at = now;
            for (megabytes, free, seconds) in looks {
                now = now + Duration::from_secs(seconds);
                let disk = used(megabytes, free);
                let decision = ladder.look(now, &disk);
                let mut fresh = DiskLadder::new(*ladder.config());
                let wanted = fresh.look(now, &disk).level;
                prop_assert!(decision.level >= wanted, "lower than what is used demands");
                if decision.level < decision.before {
                    prop_assert_eq!(decision.level.number() + 1, decision.before.number());
                    prop_assert!(now.since(left_at) >= ladder.config().calm_for);
                }
                if decision.level != decision.before || decision.level == wanted {
                    left_at = now;
                }
                prop_assert!(!decision.shed || decision.level >= DiskLevel::Shed);
                prop_assert_eq!(decision.level, ladder.level());
            }
        }
    }
}
