//! Figures of the process: a row a sample, and a row a day once the samples are old.

use plimsoll_market::Time;

/// One sample of the process, a row; to be taken once a minute. What could not be read is `None`.
///
/// Of a thinned-out chart the least and the greatest [`rss`](Self::rss), [`cpu_milli`](Self::cpu_milli),
/// [`allocated`](Self::allocated) and [`tasks`](Self::tasks) of each span survive, as rows that were really taken.
///
/// # Bounds
/// Numbers beyond 2⁶³ − 1 are stored as 2⁶³ − 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemRow {
    /// When it was taken. There is one row an instant: the first one stays.
    pub time: Time,
    /// Processor time since the sample before, thousandths of one processor.
    pub cpu_milli: Option<u32>,
    /// Resident memory, bytes.
    pub rss: Option<u64>,
    /// Resident memory that no file is behind, bytes.
    pub anonymous: Option<u64>,
    /// What the program has allocated, bytes.
    pub allocated: Option<u64>,
    /// The allocator's pages with something in them, bytes.
    pub active: Option<u64>,
    /// The allocator's pages that the system backs with memory, bytes.
    pub resident: Option<u64>,
    /// The allocator's address space, bytes.
    pub mapped: Option<u64>,
    /// The allocator's address space that it has given back the pages of, bytes.
    pub retained: Option<u64>,
    /// What the control group uses, bytes.
    pub cgroup_used: Option<u64>,
    /// What the control group may use, bytes.
    pub cgroup_limit: Option<u64>,
    /// What the containers of the memory ledger hold, bytes.
    pub ledger_used: Option<u64>,
    /// Live tasks.
    pub tasks: Option<u32>,
    /// Threads.
    pub threads: Option<u32>,
    /// Open files and sockets.
    pub open_files: Option<u32>,
    /// Purges of the allocator since the start.
    pub purges: Option<u64>,
    /// Rung of the pressure ladder, 0 when there is none.
    pub rung: Option<u8>,
}

impl SystemRow {
    /// A sample of which nothing is known but when it was taken.
    pub const fn at(time: Time) -> Self {
        Self {
            time,
            cpu_milli: None,
            rss: None,
            anonymous: None,
            allocated: None,
            active: None,
            resident: None,
            mapped: None,
            retained: None,
            cgroup_used: None,
            cgroup_limit: None,
            ledger_used: None,
            tasks: None,
            threads: None,
            open_files: None,
            purges: None,
            rung: None,
        }
    }
}

/// The samples of one UTC day, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemDay {
    /// When the day began.
    pub day: Time,
    /// Samples of the day.
    pub samples: u64,
    /// Resident memory, bytes; `None` when no sample knew it, as in the others.
    pub rss: Option<Spread>,
    /// Processor time, thousandths of one processor.
    pub cpu_milli: Option<Spread>,
    /// Live tasks.
    pub tasks: Option<Spread>,
    /// What the program had allocated, bytes.
    pub allocated: Option<Spread>,
}

/// How a figure was spread over a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The least.
    pub min: u64,
    /// The mean, rounded down.
    pub avg: u64,
    /// The greatest.
    pub max: u64,
}

/// What a day's samples of one figure add up to: can be added to, unlike a mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    pub(crate) sum: u128,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, value: Option<u64>) {
        let Some(value) = value else { return };
        *self = Self {
            min: if self.count == 0 { value } else { self.min.min(value) },
            max: self.max.max(value),
            count: self.count + 1,
            sum: self.sum.saturating_add(u128::from(value)),
        };
    }

    pub(crate) fn spread(&self) -> Option<Spread> {
        let avg = self.sum.checked_div(u128::from(self.count))?;
        Some(Spread { min: self.min, avg: u64::try_from(avg).unwrap_or(u64::MAX), max: self.max })
    }
}

/// What the samples of one day add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DaySums {
    pub(crate) day: Time,
    pub(crate) samples: u64,
    pub(crate) rss: Sum,
    pub(crate) cpu_milli: Sum,
    pub(crate) tasks: Sum,
    pub(crate) allocated: Sum,
}

impl DaySums {
    pub(crate) fn new(day: Time) -> Self {
        Self { day, samples: 0, rss: Sum::default(), cpu_milli: Sum::default(), tasks: Sum::default(), allocated: Sum::default() }
    }

    pub(crate) fn add(&mut self, row: &SystemRow) {
        self.samples += 1;
        self.rss.add(row.rss);
        self.cpu_milli.add(row.cpu_milli.map(u64::from));
        self.tasks.add(row.tasks.map(u64::from));
        self.allocated.add(row.allocated);
    }

    pub(crate) fn close(&self) -> SystemDay {
        SystemDay {
            day: self.day,
            samples: self.samples,
            rss: self.rss.spread(),
            cpu_milli: self.cpu_milli.spread(),
            tasks: self.tasks.spread(),
            allocated: self.allocated.spread(),
        }
    }
}

/// Nanoseconds of a day.
pub(crate) const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// Returns when the UTC day of an instant began.
pub(crate) fn day_of(time: Time) -> Time {
    Time::from_nanos(time.nanos() / DAY_NS * DAY_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_know_the_extremes_and_the_mean_and_pass_over_what_is_unknown() {
        let mut sum = Sum::default();
        assert_eq!(sum.spread(), None);
        for value in [Some(7), None, Some(2), Some(6)] {
            sum.add(value);
        }
        assert_eq!(sum.spread(), Some(Spread { min: 2, avg: 5, max: 7 }));
        let mut zero = Sum::default();
        zero.add(Some(0));
        assert_eq!(zero.spread(), Some(Spread { min: 0, avg: 0, max: 0 }));
        let mut most = Sum::default();
        most.add(Some(u64::MAX));
        most.add(Some(u64::MAX));
        assert_eq!(most.spread(), Some(Spread { min: u64::MAX, avg: u64::MAX, max: u64::MAX }));
    }

    #[test]
    fn day_begins_at_midnight() {
        let day = Time::from_nanos(20_000 * DAY_NS);
        for (offset, expected) in [(0, 20_000), (DAY_NS - 1, 20_000), (DAY_NS, 20_001)] {
            assert_eq!(day_of(Time::from_nanos(day.nanos() + offset)), Time::from_nanos(expected * DAY_NS));
        }
    }
}
