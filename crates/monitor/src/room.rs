//! How much memory may still be used before somebody kills the process.

use crate::cgroup::CgroupSample;
use crate::process::ProcessSample;

/// Whose limit is the tightest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limiter {
    /// The control group's limit.
    Cgroup,
    /// `RLIMIT_AS`: address space.
    AddressSpace,
    /// `RLIMIT_DATA`: private writable memory.
    Data,
    /// The machine's RAM, all processes together.
    Machine,
}

impl Limiter {
    /// Lower-case words for display.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cgroup => "the control group",
            Self::AddressSpace => "RLIMIT_AS",
            Self::Data => "RLIMIT_DATA",
            Self::Machine => "the machine",
        }
    }
}

/// The tightest limit and what is used of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// Whose limit it is.
    pub limiter: Limiter,
    /// What counts against it, in bytes. Of a control group: without the page cache, which the kernel takes back first.
    pub used_bytes: u64,
    /// The limit, in bytes.
    pub limit_bytes: u64,
}

impl Room {
    /// How much of the limit is used: 1 is all.
    pub fn ratio(&self) -> f64 {
        if self.limit_bytes == 0 { 1.0 } else { self.used_bytes as f64 / self.limit_bytes as f64 }
    }

    /// The tightest of the limits that are known; `None` when there is none.
    pub fn tightest(process: Option<&ProcessSample>, cgroup: Option<&CgroupSample>, machine: Option<&Machine>) -> Option<Self> {
        let group = cgroup.and_then(|group| {
            let limit_bytes = group.limit_bytes?;
            Some(Self { limiter: Limiter::Cgroup, used_bytes: group.working_bytes, limit_bytes })
        });
        let address_space = process.and_then(|process| {
            let limit_bytes = process.address_space_limit?;
            Some(Self { limiter: Limiter::AddressSpace, used_bytes: process.virtual_bytes, limit_bytes })
        });
        let data = process.and_then(|process| {
            let limit_bytes = process.data_limit?;
            Some(Self { limiter: Limiter::Data, used_bytes: process.data_bytes?, limit_bytes })
        });
        // Beyond what others use, the machine leaves this much to us.
        let machine = machine.zip(process).map(|(machine, process)| {
            let used_bytes = process.anonymous_bytes.unwrap_or(process.resident_bytes);
            Self { limiter: Limiter::Machine, used_bytes, limit_bytes: used_bytes.saturating_add(machine.available_bytes) }
        });
        [group, address_space, data, machine].into_iter().flatten().max_by(|a, b| a.ratio().total_cmp(&b.ratio()))
    }
}

/// The machine's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// RAM in all.
    pub total_bytes: u64,
    /// What can be had without swapping.
    pub available_bytes: u64,
}

impl Machine {
    /// Reads `/proc/meminfo`; `None` where it is not, or before Linux 3.14.
    pub fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let kib = |name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
        };
        Some(Self { total_bytes: kib("MemTotal:")?, available_bytes: kib("MemAvailable:")? })
    }
}

/// How long tasks of the group (or of the machine) stalled for want of memory: pressure stall information.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stall {
    /// Share of the last 10 s in which some task waited for memory, 0 to 1.
    pub some: f64,
    /// Share of the last 10 s in which all of them did, 0 to 1.
    pub full: f64,
}

impl Stall {
    /// Reads a file of pressure stall information; `None` where the kernel has none.
    pub(crate) fn read(path: &std::path::Path) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(path).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let share = |kind: &str| -> Option<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
            let average = line.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?;
            Some(average.parse::<f64>().ok()? / 100.0)
        };
        // The line of all is missing for processors, not for memory; older kernels may lack it.
        Some(Self { some: share("some")?, full: share("full").unwrap_or(0.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_and_meminfo_are_read() {
        let text = "some avg10=12.50 avg60=0.00 avg300=0.00 total=5\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=2\n";
        assert_eq!(Stall::parse(text), Some(Stall { some: 0.125, full: 0.03 }));
        assert_eq!(Stall::parse("nonsense"), None);
        let text = "MemTotal:       24689152 kB\nMemFree: 1 kB\nMemAvailable:   22000000 kB\n";
        assert_eq!(Machine::parse(text), Some(Machine { total_bytes: 24_689_152 << 10, available_bytes: 22_000_000 << 10 }));
        assert_eq!(Machine::parse("MemTotal: 5 kB\n"), None);
    }

    #[test]
    fn tightest_limit_counts() {
        let mut process = ProcessSample { resident_bytes: 50, anonymous_bytes: Some(40), virtual_bytes: 600, ..ProcessSample::default() };
        let machine = Machine { total_bytes: 10_000, available_bytes: 5_000 };
        let group = CgroupSample { current_bytes: 90, working_bytes: 60, limit_bytes: Some(100), stall: None };
        let of = |process: &ProcessSample, group: Option<&CgroupSample>| Room::tightest(Some(process), group, Some(&machine)).unwrap();
        assert_eq!(of(&process, Some(&group)), Room { limiter: Limiter::Cgroup, used_bytes: 60, limit_bytes: 100 });
        assert_eq!(of(&process, None).limiter, Limiter::Machine);
        process.address_space_limit = Some(800);
        assert_eq!(of(&process, Some(&group)), Room { limiter: Limiter::AddressSpace, used_bytes: 600, limit_bytes: 800 });
        process.data_limit = Some(44);
        process.data_bytes = Some(42);
        assert_eq!(of(&process, Some(&group)).limiter, Limiter::Data);
        assert_eq!(Room::tightest(None, None, None), None);
    }
}
