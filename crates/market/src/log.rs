//! How urgent a line of the log is.

/// How urgent a line of the log is; the greater, the more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Frames and steps.
    Trace,
    /// Decisions.
    Debug,
    /// Lifecycle and orders.
    Info,
    /// Degraded; heals by itself.
    Warn,
    /// A person must act.
    Error,
}

impl LogLevel {
    /// All of them, the least urgent first.
    pub const ALL: [Self; 5] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// Lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::LogLevel;

    #[test]
    fn words_come_back_and_rise_with_urgency() {
        for level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(level.as_str()), Some(level));
        }
        assert!(LogLevel::ALL.is_sorted());
        assert_eq!((LogLevel::parse("ERROR"), LogLevel::parse("")), (None, None));
    }
}
