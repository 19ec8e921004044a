use crate::limits::{RECENT_MAX, REORDER_WINDOW};
use arrayvec::ArrayVec;
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

/// Books each execution once: a watermark up to which everything is booked, those booked above it, and a catch-up from the
/// watermark that closes every gap in the order of trade ids.
///
/// The stream may tell executions out of their order; ids have gaps by nature, so that only time tells whether one is missing.
/// What leaves the list of those above raises the watermark: nothing is forgotten that could be booked again.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sync {
    pub(crate) state: SyncState,
    /// Every execution up to it is booked.
    pub(crate) watermark: Option<TradeId>,
    /// Where the books begin: nothing up to it is ours to book.
    pub(crate) baseline: Option<TradeId>,
    /// Executions above the watermark that are booked, in the order of their ids, and when.
    recent: ArrayVec<(TradeId, Time), RECENT_MAX>,
    /// Executions that were booked after one with a higher id.
    pub(crate) late: u64,
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
    /// Begins with what was stored: a watermark, and the executions above it that are booked.
    pub(crate) fn new(watermark: Option<TradeId>, booked: &[TradeId]) -> Self {
        let mut sync = Self {
            state: SyncState::Lost,
            watermark,
            baseline: watermark,
            recent: ArrayVec::new(),
            late: 0,
            ahead: None,
            asked: false,
            since: Time::ZERO,
            complete_to: Time::ZERO,
            ask_at: None,
            failures: 0,
        };
        for id in booked {
            if !sync.is_booked(*id) {
                sync.note(*id, Time::ZERO);
            }
        }
        sync.late = 0;
        sync
    }

    fn is_booked(&self, id: TradeId) -> bool {
        self.watermark.is_some_and(|w| id <= w) || self.recent.iter().rev().any(|(booked, _)| *booked == id)
    }

    /// Notes an execution as booked. The lowest ones leave the list when they are older than messages can be late.
    fn note(&mut self, id: TradeId, now: Time) {
        let old = self.recent.iter().take_while(|(_, at)| now.since(*at) >= REORDER_WINDOW).count();
        let leave = if old == 0 && self.recent.is_full() { 1 } else { old };
        if let Some((last, _)) = self.recent.drain(..leave).last() {
            self.watermark = self.watermark.max(Some(last));
        }
        let at = self.recent.iter().rposition(|(booked, _)| *booked < id).map_or(0, |below| below + 1);
        self.late += u64::from(at < self.recent.len());
        // There is room: one has left, or there was some.
        self.recent.insert(at, (id, now));
    }

    /// Judges an execution from the stream.
    pub(crate) fn judge_stream(&mut self, id: TradeId, now: Time) -> Verdict {
        if self.is_booked(id) {
            return Verdict::Seen;
        }
        match self.state {
            SyncState::Lost | SyncState::Fetching => {
                self.ahead = self.ahead.max(Some(id));
                Verdict::Later
            }
            SyncState::Settling | SyncState::InStep => {
                self.note(id, now);
                Verdict::Book
            }
        }
    }

    /// Judges an execution from a catch-up; pages come in order, and without gaps.
    pub(crate) fn judge_page(&mut self, id: TradeId) -> Verdict {
        if self.watermark.is_some_and(|w| id <= w) {
            return Verdict::Seen;
        }
        let booked = self.is_booked(id);
        self.late += u64::from(!booked && self.recent.last().is_some_and(|(last, _)| *last > id));
        self.watermark = Some(id);
        self.recent.retain(|(other, _)| *other > id);
        if booked { Verdict::Seen } else { Verdict::Book }
    }

    /// The last page is booked. Returns whether the stream's executions may be booked from now on; otherwise the stream
    /// was ahead of the answer and the catch-up must be repeated.
    pub(crate) fn pages_done(&mut self, baseline: Option<TradeId>) -> bool {
        if self.watermark.is_none() {
            self.watermark = Some(baseline.unwrap_or(TradeId(0)));
            self.baseline = self.watermark;
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
        let mut sync = Sync::new(Some(TradeId(10)), &[]);
        sync.state = SyncState::Fetching;
        assert_eq!(sync.judge_stream(TradeId(13), Time::ZERO), Verdict::Later);
        assert_eq!(sync.judge_page(TradeId(9)), Verdict::Seen);
        assert_eq!(sync.judge_page(TradeId(11)), Verdict::Book);
        assert!(!sync.pages_done(None), "12 and 13 are still missing");
        assert_eq!(sync.judge_page(TradeId(12)), Verdict::Book);
        assert_eq!(sync.judge_page(TradeId(13)), Verdict::Book);
        assert!(sync.pages_done(None));
        assert_eq!(sync.judge_stream(TradeId(13), Time::ZERO), Verdict::Seen);
        assert_eq!(sync.judge_stream(TradeId(14), Time::ZERO), Verdict::Book);
    }

    #[test]
    fn without_a_watermark_the_baseline_is_taken() {
        let mut sync = Sync::new(None, &[]);
        sync.state = SyncState::Fetching;
        assert!(sync.pages_done(Some(TradeId(500))));
        assert_eq!(sync.judge_stream(TradeId(500), Time::ZERO), Verdict::Seen);
        assert_eq!(sync.judge_stream(TradeId(501), Time::ZERO), Verdict::Book);
    }

    #[test]
    fn an_execution_that_is_overtaken_is_booked_and_a_repeated_one_is_not() {
        let at = Time::from_millis;
        let mut sync = Sync::new(Some(TradeId(10)), &[TradeId(12)]);
        sync.state = SyncState::InStep;
        assert_eq!(sync.judge_stream(TradeId(12), at(0)), Verdict::Seen, "stored as booked");
        assert_eq!(sync.judge_stream(TradeId(20), at(1)), Verdict::Book);
        assert_eq!(sync.judge_stream(TradeId(15), at(2)), Verdict::Book, "overtaken by 20");
        assert_eq!(sync.judge_stream(TradeId(20), at(3)), Verdict::Seen);
        assert_eq!((sync.late, sync.watermark), (1, Some(TradeId(10))));
        // A catch-up brings all of them, and one that never came.
        let verdicts = [12, 15, 17, 20].map(|id| sync.judge_page(TradeId(id)));
        assert_eq!(verdicts, [Verdict::Seen, Verdict::Seen, Verdict::Book, Verdict::Seen]);
        assert_eq!((sync.watermark, sync.recent.len(), sync.late), (Some(TradeId(20)), 0, 2));
    }

    #[test]
    fn the_list_is_bounded_by_time_and_number() {
        let mut sync = Sync::new(Some(TradeId(0)), &[]);
        sync.state = SyncState::InStep;
        let at = Time::from_millis;
        for id in 1..=RECENT_MAX as u64 + 3 {
            assert_eq!(sync.judge_stream(TradeId(id), at(id)), Verdict::Book);
        }
        assert_eq!((sync.recent.len(), sync.watermark), (RECENT_MAX, Some(TradeId(3))));
        let later = at(RECENT_MAX as u64 + 3) + REORDER_WINDOW;
        assert_eq!(sync.judge_stream(TradeId(1_000), later), Verdict::Book);
        assert_eq!((sync.recent.len(), sync.watermark), (1, Some(TradeId(RECENT_MAX as u64 + 3))));
    }
}
