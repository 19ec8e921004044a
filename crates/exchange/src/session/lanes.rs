use super::limits::{CANCEL_WAIT_MAX, CANCELS_WAITING, PLACE_WAIT_MAX, PLACES_WAITING, QUERIES_WAITING};
use crate::SymbolIndex;
use core::time::Duration;
use plimsoll_bounded::{Class, Grants, LedgerError, Line, NotPlanned, Plan, Ring, WhenFull};
use plimsoll_market::{ClientId, Place, Time};

/// A request of an engine that waits for its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting<T> {
    pub(crate) symbol: SymbolIndex,
    pub(crate) what: T,
    pub(crate) since: Time,
}

/// The queues of what engines ask for: first come, first served within a lane.
pub(crate) struct Lanes {
    pub(crate) cancels: Ring<Waiting<ClientId>>,
    pub(crate) reduces: Ring<Waiting<Place>>,
    pub(crate) queries: Ring<Waiting<ClientId>>,
    pub(crate) opens: Ring<Waiting<Place>>,
}

impl Lanes {
    pub(crate) fn plan(plan: &mut Plan, owner: &str, symbols: usize) -> Result<(), LedgerError> {
        let (refuse, keep) = (WhenFull::Refuse, Class::MustKeep);
        plan.add(Line::of::<Waiting<ClientId>>(&format!("session.cancels/{owner}"), symbols * CANCELS_WAITING, refuse, keep))?;
        plan.add(Line::of::<Waiting<Place>>(&format!("session.reduces/{owner}"), symbols * PLACES_WAITING, refuse, keep))?;
        plan.add(Line::of::<Waiting<ClientId>>(&format!("session.queries/{owner}"), symbols * QUERIES_WAITING, refuse, keep))?;
        plan.add(Line::of::<Waiting<Place>>(&format!("session.opens/{owner}"), symbols * PLACES_WAITING, refuse, keep))
    }

    pub(crate) fn new(grants: &mut Grants) -> Result<Self, NotPlanned> {
        Ok(Self {
            cancels: Ring::new(grants.take("session.cancels")?),
            reduces: Ring::new(grants.take("session.reduces")?),
            queries: Ring::new(grants.take("session.queries")?),
            opens: Ring::new(grants.take("session.opens")?),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.cancels.len() + self.reduces.len() + self.queries.len() + self.opens.len()
    }

    /// Takes an order out that has not been sent yet.
    pub(crate) fn take_place(&mut self, id: ClientId) -> Option<Waiting<Place>> {
        take(&mut self.opens, |w| w.what.id == id).or_else(|| take(&mut self.reduces, |w| w.what.id == id))
    }

    /// When the first of those that wait has waited too long.
    pub(crate) fn expires_at(&self) -> Option<Time> {
        [
            oldest(&self.cancels, CANCEL_WAIT_MAX),
            oldest(&self.queries, CANCEL_WAIT_MAX),
            oldest(&self.reduces, PLACE_WAIT_MAX),
            oldest(&self.opens, PLACE_WAIT_MAX),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

fn oldest<T>(ring: &Ring<Waiting<T>>, most: Duration) -> Option<Time> {
    ring.first().map(|w| w.since + most)
}

/// Takes the first of a queue if it has waited for as long as it may.
pub(crate) fn expired<T>(ring: &mut Ring<Waiting<T>>, most: Duration, now: Time) -> Option<Waiting<T>> {
    if oldest(ring, most).is_some_and(|at| at <= now) { ring.pop_front() } else { None }
}

/// Takes the first item that fits, leaving the order of the others.
fn take<T: Copy>(ring: &mut Ring<Waiting<T>>, fits: impl Fn(&Waiting<T>) -> bool) -> Option<Waiting<T>> {
    let at = ring.iter().position(fits)?;
    let found = ring.get(at).copied();
    // Turns the ring once round, dropping the one found.
    for n in 0..ring.len() {
        if let Some(item) = ring.pop_front()
            && n != at
        {
            // A place was just freed.
            let _room = ring.push(item);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_bounded::Grant;

    #[test]
    fn taking_one_keeps_the_order_of_the_others() {
        for found in 0..5_u64 {
            let line = Line::of::<Waiting<u64>>("test.ring", 5, WhenFull::Refuse, Class::MustKeep);
            let mut ring = Ring::new(Grant::detached(line));
            for what in 0..5 {
                ring.push(Waiting { symbol: SymbolIndex(0), what, since: Time::ZERO }).unwrap();
            }
            assert_eq!(take(&mut ring, |w| w.what == found).map(|w| w.what), Some(found));
            let rest: Vec<_> = ring.iter().map(|w| w.what).collect();
            assert_eq!(rest, (0..5).filter(|n| *n != found).collect::<Vec<_>>());
            assert!(take(&mut ring, |w| w.what == 9).is_none());
            assert_eq!(ring.len(), 4);
        }
    }
}
