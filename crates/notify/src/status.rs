use crate::limits::NAME_MAX;
use crate::secret::Note;
use arrayvec::ArrayString;
use plimsoll_market::Time;

/// How one channel does, for metrics and the API. Has no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelStatus {
    /// Its name.
    pub name: ArrayString<NAME_MAX>,
    /// What it is: `telegram`.
    pub kind: &'static str,
    /// Whether the last attempt was a success; true before the first.
    pub up: bool,
    /// Messages that wait, or are on their way.
    pub queued: usize,
    /// Messages that were taken by the service.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Of these, attempts after which the message was kept to be tried again.
    pub retried: u64,
    /// Alerts lost: by age, attempts, refusal, a full queue, or at the end. Told by the channel when it works again.
    pub dropped: u64,
    /// Alerts that were kept for a digest because their key was cooling down.
    pub suppressed: u64,
    /// Messages that were counted to one like them because a queue was full.
    pub folded: u64,
    /// When and why the last attempt failed that did.
    pub last_error: Option<(Time, Note)>,
    /// When the last message was taken.
    pub last_ok: Option<Time>,
}

/// How the notifier does.
#[derive(Clone, Debug, PartialEq, Eq)]
// tidy: short-lived, one look
pub struct NotifierStatus {
    /// Alerts submitted.
    pub submitted: u64,
    /// Alerts counted to one of the same key because their lane was full.
    pub folded: u64,
    /// Lesser alerts lost because their lane was full.
    pub displaced: u64,
    /// Critical alerts refused because their lane was full of other critical ones.
    pub refused: u64,
    /// Alerts that no rule fits. Critical ones were told to all channels all the same.
    pub unmatched: u64,
    /// Alerts that a rule without channels kept silent.
    pub silenced: u64,
    /// Alerts that wait to be looked at.
    pub waiting: usize,
    /// Keys that are cooling down.
    pub cooling: usize,
    /// The channels, as configured.
    pub channels: Vec<ChannelStatus>,
}
