use crate::letter::{Batch, Key};
use crate::limits::{INBOX_CAP, INBOX_CRITICAL_CAP};
use plimsoll_bounded::{Class, FixedState, Grants, Line, List, NotPlanned, Ring, WhenFull};
use std::hash::BuildHasher;

/// What became of a submitted alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Submitted {
    /// It waits for the dispatcher.
    Queued,
    /// Its lane was full and had one of the same key, which now counts for both and has the later text.
    Folded,
    /// Its lane was full: the oldest lesser alert went for it.
    Displaced,
    /// It is critical, and 64 different critical alerts wait already.
    Refused,
    /// The notifier has stopped.
    Closed,
}

/// Alerts on their way to the dispatcher.
///
/// # Bounds
/// [`INBOX_CAP`] lesser and [`INBOX_CRITICAL_CAP`] critical ones; neither lane can fill the other.
pub(crate) struct Inbox {
    critical: List<Waiting>,
    lesser: Ring<Waiting>,
    closed: bool,
    pub(crate) counts: InboxCounts,
}

/// What went through the inbox.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct InboxCounts {
    pub(crate) submitted: u64,
    pub(crate) folded: u64,
    pub(crate) displaced: u64,
    pub(crate) refused: u64,
}

struct Waiting {
    /// Compared first: keys are long.
    hash: u64,
    batch: Batch,
}

impl Waiting {
    fn is_like(&self, hash: u64, key: &Key) -> bool {
        self.hash == hash && self.batch.key == *key
    }
}

impl Inbox {
    pub(crate) const LESSER: &str = "notify.inbox";
    pub(crate) const CRITICAL: &str = "notify.inbox_critical";

    pub(crate) fn lines() -> [Line<'static>; 2] {
        [
            Line::of::<Waiting>(Self::LESSER, INBOX_CAP, WhenFull::DropOldest, Class::BestEffort),
            Line::of::<Waiting>(Self::CRITICAL, INBOX_CRITICAL_CAP, WhenFull::Refuse, Class::MustKeep),
        ]
    }

    pub(crate) fn new(grants: &mut Grants) -> Result<Self, NotPlanned> {
        let (lesser, critical) = (grants.take(Self::LESSER)?, grants.take(Self::CRITICAL)?);
        Ok(Self { critical: List::new(critical), lesser: Ring::new(lesser), closed: false, counts: InboxCounts::default() })
    }

    pub(crate) fn push(&mut self, batch: Batch) -> Submitted {
        if self.closed {
            return Submitted::Closed;
        }
        self.counts.submitted += 1;
        let hash = FixedState.hash_one(batch.key);
        let folded = if batch.is_critical() {
            self.critical.is_full() && fold(self.critical.iter_mut(), hash, &batch)
        } else {
            self.lesser.is_full() && fold(self.lesser.iter_mut(), hash, &batch)
        };
        if folded {
            self.counts.folded += 1;
            return Submitted::Folded;
        }
        let waiting = Waiting { hash, batch };
        if waiting.batch.is_critical() {
            if self.critical.push(waiting).is_err() {
                self.counts.refused += 1;
                return Submitted::Refused;
            }
        } else if let Some(oldest) = self.lesser.roll(waiting) {
            self.counts.displaced += oldest.batch.count;
            return Submitted::Displaced;
        }
        Submitted::Queued
    }

    /// Takes the oldest, critical ones first.
    pub(crate) fn pop(&mut self) -> Option<Batch> {
        self.critical.remove(0).or_else(|| self.lesser.pop_front()).map(|waiting| waiting.batch)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.critical.is_empty() && self.lesser.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.critical.len() + self.lesser.len()
    }

    /// Accepts nothing more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }
}

/// Counts an alert up that waits under the same key, if there is one; the newest, so that the order stays.
fn fold<'a>(waiting: impl DoubleEndedIterator<Item = &'a mut Waiting>, hash: u64, batch: &Batch) -> bool {
    let same = waiting.rev().find(|waiting| waiting.is_like(hash, &batch.key));
    same.is_some_and(|same| {
        same.batch.fold(batch);
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letter::Origin;
    use plimsoll_bounded::Plan;
    use plimsoll_market::{Alert, AlertCode, Severity, Time};

    fn inbox() -> Inbox {
        let mut plan = Plan::new("test");
        for line in Inbox::lines() {
            plan.add(line).unwrap();
        }
        Inbox::new(&mut Grants::detached(&plan)).unwrap()
    }

    fn batch(severity: Severity, subject: usize) -> Batch {
        let alert = Alert::new(severity, AlertCode::Stale, Time::from_millis(subject as u64), &subject);
        Batch::of(&alert, &Origin::process().about(&subject.to_string()))
    }

    #[test]
    fn lesser_alerts_never_displace_critical_ones() {
        let mut inbox = inbox();
        assert_eq!(inbox.push(batch(Severity::Critical, 7)), Submitted::Queued);
        for n in 0..INBOX_CAP {
            assert_eq!(inbox.push(batch(Severity::Warning, n)), Submitted::Queued);
        }
        for n in 0..100_000 {
            assert_eq!(inbox.push(batch(Severity::Info, n)), Submitted::Displaced);
        }
        assert_eq!((inbox.len(), inbox.counts.displaced), (INBOX_CAP + 1, 100_000));
        assert_eq!(inbox.pop().unwrap(), batch(Severity::Critical, 7));
        assert_eq!(inbox.pop().unwrap().text.as_str(), (100_000 - INBOX_CAP).to_string());
    }

    #[test]
    fn a_flood_of_one_key_is_counted_not_lost() {
        let mut inbox = inbox();
        for _ in 0..100_000 {
            inbox.push(batch(Severity::Warning, 1));
        }
        let mut sum = 0;
        while let Some(batch) = inbox.pop() {
            sum += batch.count;
        }
        assert_eq!((sum, inbox.counts.displaced), (100_000, 0));
    }

    #[test]
    fn a_full_critical_lane_folds_or_refuses() {
        let mut inbox = inbox();
        for n in 0..INBOX_CRITICAL_CAP {
            assert_eq!(inbox.push(batch(Severity::Critical, n)), Submitted::Queued);
        }
        assert_eq!(inbox.push(batch(Severity::Critical, 3)), Submitted::Folded);
        assert_eq!(inbox.push(batch(Severity::Critical, INBOX_CRITICAL_CAP)), Submitted::Refused);
        assert_eq!(inbox.push(batch(Severity::Warning, 0)), Submitted::Queued);
        let counts: Vec<u64> = std::iter::from_fn(|| inbox.pop()).map(|batch| batch.count).collect();
        assert_eq!((counts.len(), counts[3], inbox.counts.refused), (INBOX_CRITICAL_CAP + 1, 2, 1));
        assert_eq!(inbox.push(batch(Severity::Critical, INBOX_CRITICAL_CAP)), Submitted::Queued);
        inbox.close();
        assert_eq!(inbox.push(batch(Severity::Critical, 0)), Submitted::Closed);
    }
}
