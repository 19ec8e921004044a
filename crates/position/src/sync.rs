use plimsoll_market::{Time, TradeId};

/// Whether our books are in step with the exchange, and what brings them there.
///
/// ```text
///   link up / gap / command          last page, nothing ahead       snapshot agrees
///  Lost ───────────────▶ Fetching ─────────────────────▶ Settling ─────────────────▶ InStep
///   ▲                      ▲   │ failed, or the stream was ahead: asks again after a pause
///   └── link down          └───┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncState {
    /// The account stream is down: fills may be missed.
    Lost,
    /// Executions since the watermark are being fetched; the stream's are noted, not booked.
    Fetching,
    /// All executions are booked; position and orders are still to be compared.
    Settling,
    /// In step.
    InStep,
}

/// Books each execution once: a watermark below which everything is booked, and a catch-up that closes every gap in
/// the order of trade ids. Nothing is ever evicted, because nothing is kept but two numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    pub(crate) state: SyncState,
    pub(crate) watermark: Option<TradeId>,
    /// Highest id that the stream showed while a catch-up ran.
    ahead: Option<TradeId>,
    /// Whether a catch-up is on its way.
    pub(crate) asked: bool,
    /// Since when the stream is whole again: only a page asked for later closes the gap.
    pub(crate) since: Time,
    /// When the last page of the last complete catch-up was asked for: every execution before then is booked.
    pub(crate) complete_to: Time,
    /// When to ask again.
    pub(crate) ask_at: Option<Time>,
    /// Failures in a row.
    pub(crate) failures: u8,
}

/// What to do with an execution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Book,
    Seen,
    /// The catch-up will bring it in its turn.
    Later,
}

impl Sync {
    pub(crate) const fn new(watermark: Option<TradeId>) -> Self {
        Self {
            state: SyncState::Lost,
            watermark,
            ahead: None,
            asked: false,
            since: Time::ZERO,
            complete_to: Time::ZERO,
            ask_at: None,
            failures: 0,
        }
    }

    /// Judges an execution from the stream.
    pub(crate) fn judge_stream(&mut self, id: TradeId) -> Verdict {
        if self.watermark.is_some_and(|w| id <= w) {
            return Verdict::Seen;
        }
        match self.state {
            SyncState::Lost | SyncState::Fetching => {
                self.ahead = self.ahead.max(Some(id));
                Verdict::Later
            }
            SyncState::Settling | SyncState::InStep => {
                self.watermark = Some(id);
                Verdict::Book
            }
        }
    }

    /// Judges an execution from a catch-up; pages come in order.
    pub(crate) fn judge_page(&mut self, id: TradeId) -> Verdict {
        if self.watermark.is_some_and(|w| id <= w) {
            return Verdict::Seen;
        }
        self.watermark = Some(id);
        Verdict::Book
    }

    /// The last page is booked. Returns whether the stream's executions may be booked from now on; otherwise the stream
    /// was ahead of the answer and the catch-up must be repeated.
    pub(crate) fn pages_done(&mut self, baseline: Option<TradeId>) -> bool {
        if self.watermark.is_none() {
            self.watermark = Some(baseline.unwrap_or(TradeId(0)));
        }
        if self.ahead > self.watermark {
            return false;
        }
        self.ahead = None;
        self.state = SyncState::Settling;
        true
    }

    pub(crate) fn lose(&mut self) {
        self.state = SyncState::Lost;
        self.asked = false;
        self.ask_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ahead_of_the_catch_up_is_fetched_again() {
        let mut sync = Sync::new(Some(TradeId(10)));
        sync.state = SyncState::Fetching;
        assert_eq!(sync.judge_stream(TradeId(13)), Verdict::Later);
        assert_eq!(sync.judge_page(TradeId(9)), Verdict::Seen);
        assert_eq!(sync.judge_page(TradeId(11)), Verdict::Book);
        assert!(!sync.pages_done(None), "12 and 13 are still missing");
        assert_eq!(sync.judge_page(TradeId(12)), Verdict::Book);
        assert_eq!(sync.judge_page(TradeId(13)), Verdict::Book);
        assert!(sync.pages_done(None));
        assert_eq!(sync.judge_stream(TradeId(13)), Verdict::Seen);
        assert_eq!(sync.judge_stream(TradeId(14)), Verdict::Book);
    }

    #[test]
    fn without_a_watermark_the_baseline_is_taken() {
        let mut sync = Sync::new(None);
        sync.state = SyncState::Fetching;
        assert!(sync.pages_done(Some(TradeId(500))));
        assert_eq!(sync.judge_stream(TradeId(500)), Verdict::Seen);
        assert_eq!(sync.judge_stream(TradeId(501)), Verdict::Book);
    }
}
