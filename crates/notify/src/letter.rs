use crate::limits::{ACCOUNT_MAX, SUBJECT_MAX, SYMBOL_MAX};
use arrayvec::ArrayString;
use plimsoll_market::{Alert, AlertCode, Severity, Time};

/// Whom an alert is about. Longer names are cut.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Origin {
    account: ArrayString<ACCOUNT_MAX>,
    symbol: ArrayString<SYMBOL_MAX>,
    subject: ArrayString<SUBJECT_MAX>,
}

impl Origin {
    /// The process as a whole.
    pub fn process() -> Self {
        Self::default()
    }

    /// An account: `binance:main`.
    pub fn account(account: &str) -> Self {
        Self { account: cut(account), ..Self::default() }
    }

    /// A symbol of an account.
    pub fn symbol(account: &str, symbol: &str) -> Self {
        Self { account: cut(account), symbol: cut(symbol), ..Self::default() }
    }

    /// The same, and what of it: a task, a stream, a line of the ledger. Alerts about different subjects cool down apart.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.subject = cut(subject);
        self
    }

    pub(crate) fn account_name(&self) -> Option<&str> {
        Some(self.account.as_str()).filter(|name| !name.is_empty())
    }

    pub(crate) fn symbol_name(&self) -> Option<&str> {
        Some(self.symbol.as_str()).filter(|name| !name.is_empty())
    }

    pub(crate) fn subject_name(&self) -> Option<&str> {
        Some(self.subject.as_str()).filter(|name| !name.is_empty())
    }
}

fn cut<const N: usize>(text: &str) -> ArrayString<N> {
    let mut out = ArrayString::new();
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if out.try_push(c).is_err() {
            break;
        }
    }
    out
}

/// What cools down together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) code: AlertCode,
    pub(crate) severity: Severity,
    pub(crate) origin: Origin,
}

/// Alerts of one key: one, or several told as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) key: Key,
    /// The last one's text.
    pub(crate) text: ArrayString<200>,
    /// How many.
    pub(crate) count: u64,
    /// When the first was noticed.
    pub(crate) first: Time,
    /// When the last was noticed.
    pub(crate) last: Time,
}

impl Batch {
    pub(crate) fn of(alert: &Alert, origin: &Origin) -> Self {
        let Alert { severity, code, text, time } = alert;
        let key = Key { code: *code, severity: *severity, origin: *origin };
        Self { key, text: cut(text), count: 1, first: *time, last: *time }
    }

    /// Takes in another one of the same key.
    pub(crate) fn fold(&mut self, other: &Self) {
        if other.last >= self.last {
            self.text = other.text;
        }
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    pub(crate) fn is_critical(&self) -> bool {
        self.key.severity == Severity::Critical
    }
}

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Alerts as they come.
    Alert,
    /// What was kept silent during a cool-down.
    Digest,
    /// How many messages this channel lost.
    Undelivered,
    /// An operator tries the channel.
    Test,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Digest => "digest",
            Self::Undelivered => "undelivered",
            Self::Test => "test",
        }
    }
}

/// A message for one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Unique within the process's life; the same for all channels and attempts.
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) severity: Severity,
    /// `None` for messages about the channel itself.
    pub(crate) code: Option<AlertCode>,
    pub(crate) origin: Origin,
    pub(crate) text: ArrayString<200>,
    pub(crate) count: u64,
    pub(crate) first: Time,
    pub(crate) last: Time,
    /// When it was put into the channel's queue.
    pub(crate) queued: Time,
    /// Attempts that failed.
    pub(crate) attempts: u32,
}

impl Letter {
    pub(crate) fn of(id: u64, kind: Kind, batch: &Batch, now: Time) -> Self {
        let Batch { key: Key { code, severity, origin }, text, count, first, last } = *batch;
        Self { id, kind, severity, code: Some(code), origin, text, count, first, last, queued: now, attempts: 0 }
    }

    pub(crate) fn of_channel(id: u64, kind: Kind, severity: Severity, text: &str, now: Time) -> Self {
        let origin = Origin::process();
        Self { id, kind, severity, code: None, origin, text: cut(text), count: 1, first: now, last: now, queued: now, attempts: 0 }
    }

    pub(crate) fn is_critical(&self) -> bool {
        self.severity == Severity::Critical
    }

    /// Whether both may be told as one.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.kind, self.severity, self.code) == (other.kind, other.severity, other.code) && self.origin == other.origin
    }

    /// Takes in another one that is like it.
    pub(crate) fn fold(&mut self, other: &Self) {
        if other.last >= self.last {
            self.text = other.text;
        }
        self.count = self.count.saturating_add(other.count);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Day and time, UTC: `2026-01-31 23:59:59`.
pub(crate) fn utc(time: Time) -> ArrayString<20> {
    use std::fmt::Write;
    let mut out = ArrayString::new();
    // A `Time` ends in the year 2554, so all years have four digits.
    if let Ok(t) = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.nanos()))
        && write!(out, "{:04}-{:02}-{:02} {:02}:{:02}:{:02}", t.year(), u8::from(t.month()), t.day(), t.hour(), t.minute(), t.second())
            .is_err()
    {
        out.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cleaned() {
        let origin = Origin::symbol(&"x".repeat(ACCOUNT_MAX + 1), "BTC\nUSDT").about("a");
        assert_eq!(origin.account_name().map(str::len), Some(ACCOUNT_MAX));
        assert_eq!((origin.symbol_name(), origin.subject_name()), (Some("BTC USDT"), Some("a")));
        assert_eq!(Origin::process().account_name(), None);
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(utc(Time::from_millis(1_700_000_000_999)).as_str(), "2023-11-14 22:13:20");
        assert_eq!(utc(Time::from_nanos(u64::MAX)).as_str(), "2554-07-21 23:34:33");
    }
}
