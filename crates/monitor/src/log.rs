//! What the log shows of itself.

use metrics::{Counter, Gauge};

use crate::Exporter;
use crate::families as f;

/// Where lines of the log go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSink {
    /// The terminal.
    Terminal,
    /// Files.
    Files,
    /// The database.
    Store,
    /// Live viewers.
    Live,
}

impl LogSink {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Terminal, Self::Files, Self::Store, Self::Live];

    /// Lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Files => "files",
            Self::Store => "store",
            Self::Live => "live",
        }
    }
}

/// What the log says of itself, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSample {
    /// Lines taken and lines lost, in the order of [`LogSink::ALL`].
    pub sinks: [(u64, u64); 4],
    /// Lines that became part of one with their count.
    pub repeated: u64,
    /// Lines left out because there were too many a second.
    pub limited: u64,
    /// Who follows it now.
    pub viewers: u64,
    /// Who had to leave for a newer one.
    pub replaced: u64,
    /// Size of all files, in bytes.
    pub file_bytes: u64,
    /// Attempts to write files that failed.
    pub file_failures: u64,
}

/// The series of the log.
pub struct LogMetrics {
    sinks: [(Counter, Counter); 4],
    repeated: Counter,
    limited: Counter,
    viewers: Gauge,
    replaced: Counter,
    file_bytes: Gauge,
    file_failures: Counter,
}

impl Exporter {
    /// Makes the series of the log.
    pub fn log(&self) -> LogMetrics {
        let series = self.series();
        let of = |sink: LogSink| (series.counter(&f::LOG_WRITTEN, &[sink.as_str()]), series.counter(&f::LOG_DROPPED, &[sink.as_str()]));
        LogMetrics {
            sinks: LogSink::ALL.map(of),
            repeated: series.counter(&f::LOG_REPEATED, &[]),
            limited: series.counter(&f::LOG_LIMITED, &[]),
            viewers: series.gauge(&f::LOG_VIEWERS, &[]),
            replaced: series.counter(&f::LOG_REPLACED, &[]),
            file_bytes: series.gauge(&f::LOG_BYTES, &[]),
            file_failures: series.counter(&f::LOG_FAILURES, &[]),
        }
    }
}

impl LogMetrics {
    /// Shows what the log says of itself.
    pub fn observe(&self, sample: &LogSample) {
        for ((taken, lost), (written, dropped)) in self.sinks.iter().zip(sample.sinks) {
            taken.absolute(written);
            lost.absolute(dropped);
        }
        self.repeated.absolute(sample.repeated);
        self.limited.absolute(sample.limited);
        self.viewers.set(sample.viewers as f64);
        self.replaced.absolute(sample.replaced);
        self.file_bytes.set(sample.file_bytes as f64);
        self.file_failures.absolute(sample.file_failures);
    }
}

impl std::fmt::Debug for LogMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogMetrics")
    }
}
