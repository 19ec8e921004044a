//! Takes what the gateway tells and hands it to the lanes.

use super::account::Feedback;
use super::inbox::Inlet;
use plimsoll_bounded::{ReplySender, Sender};
use plimsoll_engine::AccountInput;
use plimsoll_exchange::SymbolIndex;
use plimsoll_exchange::session::{BootFailure, BootReport};
use plimsoll_gateway::Sink;
use plimsoll_market::{AccountEvent, Event, Feed, Time};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Which feeds deliver now, for display and readiness.
#[derive(Debug, Default)]
pub struct LinkState {
    market: Link,
    account: Link,
    requests: Link,
}

#[derive(Debug, Default)]
struct Link {
    up: AtomicBool,
    /// When it last changed, nanoseconds; zero before it ever did.
    changed: AtomicU64,
}

impl LinkState {
    fn of(&self, feed: Feed) -> &Link {
        match feed {
            Feed::Market => &self.market,
            Feed::Account => &self.account,
            Feed::Requests => &self.requests,
        }
    }

    /// Whether a feed delivers now.
    pub fn is_up(&self, feed: Feed) -> bool {
        self.of(feed).up.load(Ordering::Relaxed)
    }

    /// How long a feed that once delivered has not; `None` while it does, and before it ever did.
    pub fn down_for(&self, feed: Feed, now: Time) -> Option<Duration> {
        let link = self.of(feed);
        let changed = link.changed.load(Ordering::Relaxed);
        (changed > 0 && !link.up.load(Ordering::Relaxed)).then(|| now.since(Time::from_nanos(changed)))
    }

    fn set(&self, feed: Feed, up: bool, now: Time) {
        let link = self.of(feed);
        if link.up.swap(up, Ordering::Relaxed) != up {
            link.changed.store(now.nanos(), Ordering::Relaxed);
        }
    }
}

/// The gateway's way into the lanes.
pub struct Router {
    inlets: Box<[Inlet]>,
    account: Sender<Feedback>,
    links: Arc<LinkState>,
    booted: Option<ReplySender<Result<BootReport, BootFailure>>>,
}

impl Router {
    /// Makes a router; symbols are numbered as the inlets are.
    pub fn new(
        inlets: Vec<Inlet>,
        account: Sender<Feedback>,
        links: Arc<LinkState>,
        booted: ReplySender<Result<BootReport, BootFailure>>,
    ) -> Self {
        Self { inlets: inlets.into_boxed_slice(), account, links, booted: Some(booted) }
    }

    fn tell(&self, feedback: Feedback) {
        // A balance that is lost for want of room is told again with the next; a figure is only a figure.
        if self.account.try_send(feedback).is_err() {
            tracing::debug!("account lane is full");
        }
    }
}

impl Sink for Router {
    fn event(&mut self, symbol: SymbolIndex, now: Time, event: Event) {
        if let Event::Link(link) = &event {
            self.links.set(link.feed, link.up, now);
        }
        if let Event::Gap(feed) = &event {
            self.tell(Feedback::Gap(*feed));
        }
        if let Event::Candle(candle) = &event {
            self.tell(Feedback::candle(symbol.0, candle));
        }
        if let Some(inlet) = self.inlets.get(symbol.usize()) {
            inlet.deliver(event);
        }
    }

    fn account(&mut self, now: Time, event: AccountEvent) {
        if let AccountEvent::Link(link) = &event {
            self.links.set(link.feed, link.up, now);
        }
        self.tell(Feedback::Input(AccountInput::Event(event)));
    }

    fn booted(&mut self, _now: Time, report: Result<BootReport, BootFailure>) {
        if let Some(booted) = self.booted.take() {
            // Whoever asked may have given up waiting.
            drop(booted.send(report));
        }
    }
}
