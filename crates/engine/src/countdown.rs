use core::time::Duration;

/// A dead man's switch at the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Countdown {
    /// How long the exchange waits.
    pub after: Duration,
    /// How often it is told; at most half of `after`, or one lost request would fire it.
    pub every: Duration,
    /// Whether it is armed though orders that are not ours are on the symbol: it would withdraw them too.
    pub foreign: bool,
}
