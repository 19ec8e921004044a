use core::time::Duration;

/// What a caller should do about a fault at the exchange's rim; callers branch on nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// The same request may be sent again, after this long; zero means as soon as the cause (a clock offset, say) is mended.
    Retry {
        /// How long to wait first.
        after: Duration,
    },
    /// The exchange understood and said no; the same request will be refused again.
    Refused,
    /// The exchange or the way to it is out of order; it may or may not have acted.
    Unavailable,
    /// A human must act: wrong key, banned address, or a message that this build does not understand.
    Fatal,
}

impl Class {
    /// Retries as soon as the cause is mended.
    pub const RETRY_NOW: Self = Self::Retry { after: Duration::ZERO };

    /// Lower-case word for display.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Fatal => "fatal",
        }
    }
}

/// What is known about a request that failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// The exchange did nothing.
    NotDone,
    /// It may have been carried out: it must be queried, never re-sent blindly.
    Unknown,
}
