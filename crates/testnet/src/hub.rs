//! Who listens to what, and what they are told.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use plimsoll_bounded::{Class, Grants, LedgerError, Line, List, Map, NotPlanned, Plan, WhenFull};
use plimsoll_exchange::binance::server::{
    Control, ControlMethod, Scope, SocketUrl, Stream, StreamKind, StreamName, parse_control, write_listen_key_expired, write_wrapped,
};
use plimsoll_market::{Instrument, Qty, Side, Symbol, Time};
use plimsoll_sim::venue::AccountId;
use tracing::debug;

use crate::config::Listing;
use crate::faults::{FaultConfig, SharedFaults};
use crate::keys::Keys;
use crate::limits::{HELD_BYTES, SLOW_CHANGES_MAX, STREAMS_PER_CONNECTION_MAX, TOPICS_MAX, USERS_PER_CONNECTION_MAX};
use crate::outbox::{Lane, Outbox};

/// Whose data a topic carries: a contract's place, or one of these two.
pub(crate) const ALL_SYMBOLS: u16 = u16::MAX - 1;
/// A contract that is not listed: nothing ever comes.
const NOT_LISTED: u16 = u16::MAX;

/// What a connection can listen to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Topic {
    pub(crate) symbol: u16,
    pub(crate) kind: StreamKind,
}

/// Who listens to a topic, and what they were told last.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Heard {
    /// A bit for each connection.
    mask: u64,
    /// When something was told last, in milliseconds.
    pub(crate) told_ms: u64,
    /// For candles the start of the open one, for partial books the update id.
    pub(crate) mark: u64,
    /// For candles the start of the last one told closed.
    pub(crate) closed: u64,
    /// For candles how many trades the open one had.
    pub(crate) seen: u64,
}

/// A contract, and where its slow chains of book changes stand.
pub(crate) struct Listed {
    pub(crate) listing: Listing,
    pub(crate) chains: [Chain; 2],
}

/// Book changes being collected for a slow stream.
#[derive(Clone, Copy, Default)]
pub(crate) struct Chain {
    pub(crate) open: bool,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) previous: u64,
    pub(crate) time_ms: u64,
}

/// A level being collected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SlowLevel {
    pub(crate) symbol: u16,
    pub(crate) chain: u8,
    pub(crate) side: Side,
    pub(crate) price: i64,
}

/// One stream connection's place.
pub(crate) struct Slot {
    outbox: Arc<Outbox>,
    live: bool,
    scope: Scope,
    wrapped: bool,
    /// A bit for each kind of owner's event wanted.
    events: u8,
    names: Map<Topic, StreamName>,
    users: [Option<User>; USERS_PER_CONNECTION_MAX],
}

struct User {
    account: AccountId,
    listen_key: String,
}

/// Kinds of owner's events, by the bit of a connection's filter.
const OWNER_EVENTS: [&str; 5] = ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "TRADE_LITE", "ACCOUNT_CONFIG_UPDATE", "MARGIN_CALL"];

/// Why a stream connection is not opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NotOpened {
    #[error("too many stream connections are open")]
    Full,
    #[error("{0}")]
    Refused(String),
}

/// All stream connections.
///
/// # Bounds
/// The connections given at start, each with [`STREAMS_PER_CONNECTION_MAX`] streams; [`TOPICS_MAX`] topics in all.
pub(crate) struct Hub {
    pub(crate) listed: List<Listed>,
    index: Map<Symbol, u16>,
    pub(crate) topics: Map<Topic, Heard>,
    pub(crate) slow: Map<SlowLevel, Qty>,
    slots: List<Slot>,
    strict: bool,
    pub(crate) beat_ms: u64,
    /// What twists the owners' events.
    pub(crate) faults: SharedFaults,
    /// The last second in which they were asked about listen keys.
    pub(crate) fault_second: u64,
}

fn slot_line(template: &str, slot: usize) -> String {
    format!("testnet.{template}/{slot:02}")
}

impl Hub {
    /// Declares what a hub of so many connections and contracts takes.
    pub(crate) fn plan(plan: &mut Plan, connections: usize, listings: usize) -> Result<(), LedgerError> {
        plan.add(Line::of::<Listed>("testnet.listed", listings.max(1), WhenFull::Refuse, Class::MustKeep))?;
        plan.add(Map::<Symbol, u16>::line("testnet.symbols", listings.max(1), WhenFull::Refuse, Class::MustKeep))?;
        plan.add(Map::<Topic, Heard>::line("testnet.topics", TOPICS_MAX, WhenFull::Refuse, Class::LatestWins))?;
        plan.add(Map::<SlowLevel, Qty>::line("testnet.slow_changes", SLOW_CHANGES_MAX, WhenFull::Refuse, Class::MustKeep))?;
        let heap = USERS_PER_CONNECTION_MAX * 64 + HELD_BYTES;
        plan.add(Line::of::<Slot>("testnet.connections", connections, WhenFull::Refuse, Class::MustKeep).with_heap(heap))?;
        for slot in 0..connections {
            let streams = STREAMS_PER_CONNECTION_MAX;
            plan.add(Map::<Topic, StreamName>::line(&slot_line("streams", slot), streams, WhenFull::Refuse, Class::MustKeep))?;
            plan.add(Outbox::kept_line(&slot_line("outbox_kept", slot)))?;
            plan.add(Outbox::latest_line(&slot_line("outbox_latest", slot)))?;
        }
        Ok(())
    }

    /// Makes a hub without connections; `None` when the plan was made for less.
    pub(crate) fn new(grants: &mut Grants, connections: usize, listings: &[Listing], strict: bool) -> Result<Option<Self>, NotPlanned> {
        let mut listed = List::new(grants.take("testnet.listed")?);
        let mut index = Map::new(grants.take("testnet.symbols")?);
        for (at, listing) in listings.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(NOT_LISTED);
            if index.insert(listing.instrument.symbol, at).is_err() {
                return Ok(None);
            }
            if listed.push(Listed { listing: *listing, chains: [Chain::default(); 2] }).is_err() {
                return Ok(None);
            }
        }
        let topics = Map::new(grants.take("testnet.topics")?);
        let slow = Map::new(grants.take("testnet.slow_changes")?);
        let mut slots = List::new(grants.take("testnet.connections")?);
        for slot in 0..connections {
            let outbox = Outbox::new(grants.take(&slot_line("outbox_kept", slot))?, grants.take(&slot_line("outbox_latest", slot))?);
            let names = Map::new(grants.take(&slot_line("streams", slot))?);
            let users = [const { None }; USERS_PER_CONNECTION_MAX];
            let outbox = Arc::new(outbox);
            let slot = Slot { outbox, live: false, scope: Scope::All, wrapped: false, events: u8::MAX, names, users };
            if slots.push(slot).is_err() {
                return Ok(None);
            }
        }
        Ok(Some(Self {
            listed,
            index,
            topics,
            slow,
            slots,
            strict,
            beat_ms: 0,
            faults: SharedFaults::new(FaultConfig::none()),
            fault_second: 0,
        }))
    }

    /// The contract of a symbol, as clients write it.
    pub(crate) fn find(&self, symbol: &str) -> Option<&Instrument> {
        let symbol = Symbol::new(symbol).ok()?;
        self.listing(symbol).map(|listing| &listing.instrument)
    }

    pub(crate) fn listing(&self, symbol: Symbol) -> Option<&Listing> {
        self.listed.get(self.place(symbol)?).map(|listed| &listed.listing)
    }

    /// A contract's place.
    pub(crate) fn place(&self, symbol: Symbol) -> Option<usize> {
        self.index.get(&symbol).map(|at| usize::from(*at))
    }

    /// Opens a connection, with what its address asks for.
    pub(crate) fn open(&mut self, url: &SocketUrl, keys: &Keys) -> Result<(usize, Arc<Outbox>), NotOpened> {
        if self.strict && url.scope == Scope::All {
            return Err(NotOpened::Refused("this address is retired: use /public, /market or /private".to_owned()));
        }
        let at = self.slots.iter().position(|slot| !slot.live).ok_or(NotOpened::Full)?;
        let Some(slot) = self.slots.get_mut(at) else { return Err(NotOpened::Full) };
        (slot.live, slot.scope, slot.wrapped, slot.events) = (true, url.scope, url.wrapped, event_mask(&url.events));
        slot.outbox.reset();
        let outbox = Arc::clone(&slot.outbox);
        match self.subscribe(at, &url.names, keys) {
            Ok(()) => Ok((at, outbox)),
            Err(why) => {
                self.close(at);
                Err(NotOpened::Refused(why))
            }
        }
    }

    /// Forgets a connection; its writer has ended.
    pub(crate) fn close(&mut self, at: usize) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        for topic in slot.names.keys() {
            leave(&mut self.topics, *topic, at);
        }
        slot.names.clear();
        slot.users = [const { None }; USERS_PER_CONNECTION_MAX];
        slot.live = false;
        slot.outbox.reset();
    }

    /// How many connections are open.
    pub(crate) fn live(&self) -> usize {
        self.slots.iter().filter(|slot| slot.live).count()
    }

    /// Carries out a control message and queues the reply.
    pub(crate) fn control(&mut self, at: usize, text: &str, keys: &Keys) {
        let reply = match parse_control(text) {
            Ok(control) => self.carry_out(at, &control, keys),
            Err(reply) => reply,
        };
        if let Some(slot) = self.slots.get(at) {
            slot.outbox.push(Lane::Kept, Utf8Bytes::from(reply));
        }
    }

    fn carry_out(&mut self, at: usize, control: &Control, keys: &Keys) -> String {
        match &control.method {
            ControlMethod::Subscribe(names) => match self.subscribe(at, names, keys) {
                Ok(()) => control.done("null"),
                Err(why) => control.refused(&why),
            },
            ControlMethod::Unsubscribe(names) => {
                self.unsubscribe(at, names);
                control.done("null")
            }
            ControlMethod::List => {
                let slot = self.slots.get(at);
                let streams = slot.into_iter().flat_map(|slot| slot.names.values().map(|name| name.as_str()));
                let users = slot.into_iter().flat_map(|slot| slot.users.iter().flatten().map(|user| user.listen_key.as_str()));
                control.listed(streams.chain(users))
            }
            ControlMethod::SetCombined(on) => {
                if let Some(slot) = self.slots.get_mut(at) {
                    slot.wrapped = *on;
                }
                control.done("null")
            }
            ControlMethod::GetCombined => control.done(if self.slots.get(at).is_some_and(|slot| slot.wrapped) { "true" } else { "false" }),
        }
    }

    /// Adds streams and listen keys; what was added before an error stays, as on the exchange.
    fn subscribe(&mut self, at: usize, names: &[String], keys: &Keys) -> Result<(), String> {
        for name in names {
            let Some(stream) = Stream::parse(name) else {
                self.listen(at, name, keys)?;
                continue;
            };
            let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
            if self.strict && !stream.is_in(slot.scope) {
                return Err(format!("stream {name} is not served on this address"));
            }
            let topic = match stream.symbol {
                None => Topic { symbol: ALL_SYMBOLS, kind: stream.kind },
                Some(symbol) => match self.index.get(&symbol) {
                    Some(place) => Topic { symbol: *place, kind: stream.kind },
                    None => Topic { symbol: NOT_LISTED, kind: stream.kind },
                },
            };
            if slot.names.contains_key(&topic) {
                continue;
            }
            let Ok(heard) = self.topics.get_or_insert_with(topic, Heard::default) else {
                return Err("too many streams are subscribed to on this exchange".to_owned());
            };
            if slot.names.insert(topic, stream.name).is_err() {
                if heard.mask == 0 {
                    self.topics.remove(&topic);
                }
                return Err(format!("a connection has at most {STREAMS_PER_CONNECTION_MAX} streams"));
            }
            heard.mask |= 1 << at;
        }
        Ok(())
    }

    fn listen(&mut self, at: usize, text: &str, keys: &Keys) -> Result<(), String> {
        let Some(account) = keys.listener(text) else {
            // The exchange takes any text and stays silent; so do we, but whoever looks for the reason finds it.
            debug!("a connection asks for an unknown stream or listen key");
            return Ok(());
        };
        let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
        if slot.users.iter().flatten().any(|user| user.account == account) {
            return Ok(());
        }
        match slot.users.iter_mut().find(|user| user.is_none()) {
            Some(place) => {
                *place = Some(User { account, listen_key: text.to_owned() });
                Ok(())
            }
            None => Err(format!("a connection has at most {USERS_PER_CONNECTION_MAX} listen keys")),
        }
    }

    fn unsubscribe(&mut self, at: usize, names: &[String]) {
        let Some(slot) = self.slots.get_mut(at) else { return };
        for name in names {
            let found = slot.names.iter().find(|(_, known)| known.as_str() == name).map(|(topic, _)| *topic);
            if let Some(topic) = found {
                slot.names.remove(&topic);
                leave(&mut self.topics, topic, at);
            }
            for place in &mut slot.users {
                if place.as_ref().is_some_and(|user| user.listen_key == *name) {
                    *place = None;
                }
            }
        }
    }

    /// Whether anybody listens to a topic.
    pub(crate) fn is_heard(&self, symbol: usize, kind: StreamKind) -> bool {
        u16::try_from(symbol).is_ok_and(|symbol| self.topics.contains_key(&Topic { symbol, kind }))
    }

    /// Tells an event to everybody who listens to its topic.
    pub(crate) fn publish(&self, topic: Topic, lane: Lane, event: String) {
        let Some(heard) = self.topics.get(&topic) else { return };
        let mut mask = heard.mask;
        let event = Utf8Bytes::from(event);
        while mask != 0 {
            let at = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let Some(slot) = self.slots.get(at) else { continue };
            let frame = match slot.names.get(&topic) {
                Some(name) if slot.wrapped => wrap(name, &event),
                _ => event.clone(),
            };
            slot.outbox.push(lane, frame);
        }
    }

    /// Whether any connection carries an account's events.
    pub(crate) fn has_owner(&self, account: AccountId) -> bool {
        self.slots.iter().any(|slot| slot.users.iter().flatten().any(|user| user.account == account))
    }

    /// Tells an event to an account's owner.
    pub(crate) fn tell_owner(&self, account: AccountId, kind: &str, event: String) {
        let bit = OWNER_EVENTS.iter().position(|known| *known == kind).map_or(u8::MAX, |at| 1 << at);
        let event = Utf8Bytes::from(event);
        for slot in self.slots.iter().filter(|slot| slot.events & bit != 0) {
            for user in slot.users.iter().flatten().filter(|user| user.account == account) {
                let frame = if slot.wrapped { wrap(&user.listen_key, &event) } else { event.clone() };
                slot.outbox.push_event(frame, self.faults.event());
            }
        }
    }

    /// Lets owners' events go that were held back long enough.
    pub(crate) fn release(&self) {
        if self.faults.any() {
            self.slots.iter().filter(|slot| slot.live).for_each(|slot| slot.outbox.beat());
        }
    }

    /// Takes a listen key off all connections: after its life with a last event, or by its owner with the connection.
    pub(crate) fn end_listen(&mut self, account: AccountId, ended: ListenEnd<'_>) {
        if let ListenEnd::Expired { listen_key, now } | ListenEnd::CutShort { listen_key, now } = ended {
            let mut event = String::new();
            write_listen_key_expired(&mut event, listen_key, now.millis());
            self.tell_owner(account, "listenKeyExpired", event);
        }
        for slot in self.slots.iter_mut() {
            for place in &mut slot.users {
                if place.as_ref().is_some_and(|user| user.account == account) {
                    *place = None;
                    match ended {
                        ListenEnd::Expired { .. } => {}
                        ListenEnd::CutShort { .. } => slot.outbox.close("listen key expired"),
                        ListenEnd::Closed => slot.outbox.close("listen key closed"),
                    }
                }
            }
        }
    }

    /// Asks all connections to close.
    pub(crate) fn close_all(&self, reason: &'static str) {
        for slot in self.slots.iter().filter(|slot| slot.live) {
            slot.outbox.close(reason);
        }
    }
}

/// How a listen key ended.
#[derive(Clone, Copy)]
pub(crate) enum ListenEnd<'a> {
    /// It was not renewed.
    Expired {
        /// The key.
        listen_key: &'a str,
        /// When.
        now: Time,
    },
    /// A fault ended it before its time, and with it the connection.
    CutShort {
        /// The key.
        listen_key: &'a str,
        /// When.
        now: Time,
    },
    /// Its owner closed it.
    Closed,
}

fn wrap(name: &str, event: &str) -> Utf8Bytes {
    let mut out = String::with_capacity(event.len() + name.len() + 24);
    write_wrapped(&mut out, name, event);
    Utf8Bytes::from(out)
}

fn leave(topics: &mut Map<Topic, Heard>, topic: Topic, at: usize) {
    let Some(heard) = topics.get_mut(&topic) else { return };
    heard.mask &= !(1 << at);
    if heard.mask == 0 {
        topics.remove(&topic);
    }
}

fn event_mask(events: &[String]) -> u8 {
    if events.is_empty() {
        return u8::MAX;
    }
    let bits = OWNER_EVENTS.iter().enumerate().filter(|(_, kind)| events.iter().any(|event| event == **kind));
    bits.fold(0, |mask, (at, _)| mask | 1 << at)
}
