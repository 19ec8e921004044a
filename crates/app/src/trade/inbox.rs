//! The three lanes that lead into a symbol's loop, in the order they are drained: control, account, market.

use super::symbol::Prospects;
use crate::limits::{ACCOUNT_LANE, CONTROL_LANE, MARKET_LANE};
use plimsoll_bounded::{
    Class, Grants, Line, LossyReceiver, LossySender, NotPlanned, Plan, Receiver, Refused, ReplySender, Sender, WhenFull, channel, lossy,
};
use plimsoll_engine::Countdown;
use plimsoll_market::{Event, FillPage, OrderReport, Snapshot, Spacing};
use plimsoll_safety::GateConfig;
use plimsoll_storage::Stored;
use plimsoll_strategy::StrategyConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the rest of the process tells a symbol's loop.
#[derive(Debug)]
pub enum Control {
    /// An event for the engine.
    Event(Event),
    /// What is stored, for building the engine anew after its records could not be stored.
    Rebuild(Box<Stored>),
    /// Other settings to trade by from now on.
    Adopt(Box<Adoption>),
}

/// Why a symbol did not take settings over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotAdopted {
    /// It does not trade: it finds them at the next start.
    NotTrading,
    /// Others are being taken over.
    Busy,
    /// They do not fit: why, in a sentence.
    Because(String),
}

/// Settings that a symbol takes over while it trades: its engine is built anew from what is stored, as after a restart. Orders stay
/// where they are until it has looked at everything again.
#[derive(Debug)]
pub struct Adoption {
    /// The gate's rules.
    pub gate: GateConfig,
    /// The exchange's switch.
    pub countdown: Option<Countdown>,
    /// Pause between comparisons with the exchange.
    pub compare_every: Duration,
    /// Whether positions that the books do not know are accepted.
    pub accept_position: bool,
    /// How levels lie; `None` where there are none, which keeps what it began with.
    pub interval: Option<Spacing>,
    /// What trades.
    pub strategy: StrategyConfig,
    /// What is known of the worst case; what the exchange told of it stays as it was.
    pub prospect: Prospects,
    /// Hears whether it was taken over, or in a sentence why not; then everything is as before.
    pub answer: ReplySender<Result<(), NotAdopted>>,
}

/// The writing ends of a symbol's lanes. Cheap to clone; never waits.
#[derive(Clone, Debug)]
pub struct Inlet {
    control: Sender<Control>,
    account: Sender<Event>,
    market: LossySender<Event>,
    /// An account event was lost: what follows is dropped until the loop knows.
    lost: Arc<AtomicBool>,
}

/// The reading ends of a symbol's lanes.
#[derive(Debug)]
pub struct Inbox {
    /// Commands, leases, answers of storage.
    pub control: Receiver<Control>,
    /// Acks, fills, snapshots, links.
    pub account: Receiver<Event>,
    /// Tops, trades, marks: the oldest goes first when it is full.
    pub market: LossyReceiver<Event>,
    lost: Arc<AtomicBool>,
}

/// A lane is full or its loop has ended; nothing was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// As many wait as may.
    Full,
    /// The loop has ended.
    Ended,
}

/// Adds the lanes of a symbol to a plan.
///
/// # Errors
/// When the plan has no room for the lines.
pub fn plan(plan: &mut Plan, owner: &str) -> Result<(), Refused> {
    let keep = Class::MustKeep;
    // The fattest event of the account lane is a page of fills or a snapshot; a resync sends one of each at a time, so
    // their bodies are counted once, and ordinary reports for every place.
    let control = Line::of::<Control>("", CONTROL_LANE, WhenFull::Refuse, keep);
    let account = Line::of::<Event>("", ACCOUNT_LANE, WhenFull::Refuse, keep).with_heap(size_of::<OrderReport>());
    let market = Line::of::<Event>("", MARKET_LANE, WhenFull::DropOldest, Class::LatestWins);
    plan.add(Line { name: &format!("app.inbox.control/{owner}"), ..control })?;
    plan.add(Line { name: &format!("app.inbox.account/{owner}"), ..account })?;
    plan.add(Line { name: &format!("app.inbox.market/{owner}"), ..market })?;
    let page = size_of::<FillPage>() + plimsoll_market::limits::FILL_PAGE_MAX * size_of::<plimsoll_market::Fill>();
    let snapshot = size_of::<Snapshot>() + plimsoll_market::limits::SNAPSHOT_ORDERS_MAX * size_of::<OrderReport>();
    let name = format!("app.inbox.resync/{owner}");
    plan.add(Line { name: &name, capacity: 1, item_bytes: 10 * page + snapshot, policy: WhenFull::Refuse, class: Class::External })?;
    Ok(())
}

/// Makes the lanes of a symbol.
///
/// # Errors
/// When the grants are not of [`plan`].
pub fn lanes(grants: &mut Grants) -> Result<(Inlet, Inbox), NotPlanned> {
    let (control_in, control) = channel(grants.take("app.inbox.control")?);
    let (account_in, account) = channel(grants.take("app.inbox.account")?);
    let (market_in, market) = lossy(grants.take("app.inbox.market")?);
    let lost = Arc::new(AtomicBool::new(false));
    let inlet = Inlet { control: control_in, account: account_in, market: market_in, lost: Arc::clone(&lost) };
    Ok((inlet, Inbox { control, account, market, lost }))
}

impl Inlet {
    /// Hands something to the control lane.
    ///
    /// # Errors
    /// When it is full or the loop has ended.
    pub fn control(&self, control: Control) -> Result<(), Refusal> {
        self.offer(control).map_err(|(refusal, _)| refusal)
    }

    /// As [`Inlet::control`], and gives back what was not taken.
    ///
    /// # Errors
    /// When it is full or the loop has ended.
    pub fn offer(&self, control: Control) -> Result<(), (Refusal, Control)> {
        match self.control.try_send(control) {
            Ok(_) => Ok(()),
            Err(error) if error.is_full() => Err((Refusal::Full, error.into_item())),
            Err(error) => Err((Refusal::Ended, error.into_item())),
        }
    }

    /// Hands an event of the exchange to its lane. A full account lane declares the symbol out of step: nothing more is
    /// taken until the loop has seen that, and then the exchange is asked.
    pub fn deliver(&self, event: Event) {
        if is_market(&event) {
            // Older market data goes for newer; an ended loop needs none.
            drop(self.market.send(event));
            return;
        }
        if self.lost.load(Ordering::Acquire) {
            return;
        }
        if self.account.try_send(event).is_err_and(|e| e.is_full()) {
            self.lost.store(true, Ordering::Release);
        }
    }
}

impl Inbox {
    /// Whether account events were lost; asked when the account lane is empty, and answered once.
    pub fn take_lost(&self) -> bool {
        self.account.is_empty() && self.lost.swap(false, Ordering::AcqRel)
    }
}

/// Whether an event may be lost when a newer one comes.
fn is_market(event: &Event) -> bool {
    match event {
        Event::Top(_) | Event::Trade(_) | Event::Candle(_) | Event::Past(_) | Event::Mark(_) => true,
        Event::Gap(_)
        | Event::Link(_)
        | Event::Order(_)
        | Event::Rejected { .. }
        | Event::CancelFailed { .. }
        | Event::Unknown { .. }
        | Event::NotFound { .. }
        | Event::NotSent { .. }
        | Event::Fills(_)
        | Event::Snapshot(_)
        | Event::ResyncFailed
        | Event::Funding(_)
        | Event::Rate(_)
        | Event::Instrument(_)
        | Event::Lease(_)
        | Event::Committed { .. }
        | Event::RecordsFull(_)
        | Event::MemoryShort(_)
        | Event::Command(_)
        | Event::Wake
        | Event::Shutdown(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::{Feed, Link, MarkPrice, RefPrice, Time};

    fn lanes_detached() -> (Inlet, Inbox) {
        let mut planned = Plan::new("test");
        plan(&mut planned, "x").unwrap();
        lanes(&mut Grants::detached(&planned)).unwrap()
    }

    #[test]
    fn a_full_account_lane_loses_everything_until_it_is_noticed() {
        let (inlet, mut inbox) = lanes_detached();
        let event = || Event::Link(Link { feed: Feed::Account, up: true });
        for _ in 0..ACCOUNT_LANE {
            inlet.deliver(event());
        }
        assert!(!inbox.take_lost());
        inlet.deliver(event());
        inbox.account.try_recv().unwrap();
        inlet.deliver(event());
        let mut taken = 1;
        while inbox.account.try_recv().is_ok() {
            taken += 1;
        }
        assert_eq!(taken, ACCOUNT_LANE, "what followed the loss was not taken");
        assert!(inbox.take_lost() && !inbox.take_lost());
        inlet.deliver(event());
        assert!(inbox.account.try_recv().is_ok());
    }

    #[test]
    fn market_data_rolls() {
        let (inlet, mut inbox) = lanes_detached();
        for n in 0..=MARKET_LANE as i64 {
            let mark = RefPrice::from_units(n);
            inlet.deliver(Event::Mark(MarkPrice { mark, index: mark, funding: None, next_funding: Time::ZERO, time: Time::ZERO }));
        }
        let first = inbox.market.try_recv().unwrap();
        assert_eq!(first.missed, 1);
    }
}
