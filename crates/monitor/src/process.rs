//! What the operating system knows of this process.

use std::time::Duration;

/// The process, as the operating system sees it at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessSample {
    /// Memory that is in RAM, in bytes: what the OOM killer counts, program text included.
    pub resident_bytes: u64,
    /// The part of it that belongs to no file, in bytes: heap and stacks. `None` before Linux 4.5.
    pub anonymous_bytes: Option<u64>,
    /// Address space, in bytes.
    pub virtual_bytes: u64,
    /// Private writable memory, in bytes: what `RLIMIT_DATA` limits.
    pub data_bytes: Option<u64>,
    /// `RLIMIT_AS`, in bytes; `None` when there is no limit.
    pub address_space_limit: Option<u64>,
    /// `RLIMIT_DATA`, in bytes; `None` when there is no limit.
    pub data_limit: Option<u64>,
    /// `RLIMIT_NOFILE`; `None` when there is no limit.
    pub files_limit: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// Open files and sockets; `None` when they may not be listed.
    pub open_files: Option<u64>,
    /// Processor time used since the start, all threads, user and system.
    pub cpu: Duration,
}

impl ProcessSample {
    /// Reads the figures; `None` where there is no `/proc` to read.
    #[cfg(target_os = "linux")]
    pub fn read() -> Option<Self> {
        let process = procfs::process::Process::myself().ok()?;
        let (stat, status) = (process.stat().ok()?, process.status().ok()?);
        let ticks = stat.utime.saturating_add(stat.stime);
        let per_second = procfs::ticks_per_second().max(1);
        let bytes = |kib: u64| kib.saturating_mul(1_024);
        let limits = process.limits().ok();
        let soft = |limit: Option<procfs::process::Limit>| match limit?.soft_limit {
            procfs::process::LimitValue::Value(value) => Some(value),
            procfs::process::LimitValue::Unlimited => None,
        };
        Some(Self {
            // What `status` says is a little less stale than `stat`; both are counted in pages.
            resident_bytes: status.vmrss.map_or_else(|| stat.rss.saturating_mul(procfs::page_size()), bytes),
            anonymous_bytes: status.rssanon.map(bytes),
            virtual_bytes: stat.vsize,
            data_bytes: status.vmdata.map(bytes),
            address_space_limit: soft(limits.as_ref().map(|l| l.max_address_space)),
            data_limit: soft(limits.as_ref().map(|l| l.max_data_size)),
            files_limit: soft(limits.as_ref().map(|l| l.max_open_files)),
            threads: status.threads,
            open_files: process.fd_count().ok().map(|files| files as u64),
            cpu: Duration::from_millis(ticks.saturating_mul(1_000) / per_second),
        })
    }

    /// Reads the figures; `None` where there is no `/proc` to read.
    #[cfg(not(target_os = "linux"))]
    pub fn read() -> Option<Self> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn sees_memory_and_processor_time_being_used() {
        let before = ProcessSample::read().unwrap();
        assert!(before.threads >= 1 && before.open_files.is_some_and(|files| files >= 3), "{before:?}");
        assert!(before.anonymous_bytes.unwrap() <= before.resident_bytes, "{before:?}");

        let held = vec![1_u8; 64 << 20];
        let mut sum = 0_u64;
        let mut after = ProcessSample::read().unwrap();
        // Ticks are coarse: works until one has passed.
        while after.cpu == before.cpu {
            sum = held.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            after = ProcessSample::read().unwrap();
        }
        std::hint::black_box(sum);
        assert!(after.cpu > before.cpu);
        let grown = after.anonymous_bytes.unwrap().saturating_sub(before.anonymous_bytes.unwrap());
        // Other tests run beside this one and free what they had.
        assert!(grown > 32 << 20, "{grown}");
    }
}
