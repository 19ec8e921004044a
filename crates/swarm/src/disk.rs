//! What would be on disk: written in order, so that a crash leaves a prefix.

use crate::limits::RECORDS_WAITING;
use plimsoll_engine::Boot;
use plimsoll_market::{Leg, Record, SlotRow, StateRecord, Totals, TradeId};
use plimsoll_position::Restored;
use std::collections::{BTreeMap, BTreeSet};

/// The stored state of one symbol, and the records on their way to it.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) state: Option<StateRecord>,
    pub(crate) totals: Option<Totals>,
    slots: BTreeMap<Leg, SlotRow>, // tidy: bounded by the slots of the books
    booked: BTreeSet<TradeId>,     // tidy: bounded by RECENT_MAX of the books, and RECORDS_WAITING
    waiting: Vec<Record>,          // tidy: bounded by RECORDS_WAITING
    /// Records were refused: nothing more is taken until the engine has been built anew.
    pub(crate) behind: bool,
}

impl Disk {
    /// Takes a record; `false` when the queue is full, or was since the engine was built.
    pub(crate) fn push(&mut self, record: Record) -> bool {
        if self.behind || self.waiting.len() >= RECORDS_WAITING {
            self.behind = true;
            return false;
        }
        self.waiting.push(record);
        true
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Writes the oldest records.
    pub(crate) fn flush(&mut self, records: usize) {
        for record in self.waiting.drain(..records.min(self.waiting.len())) {
            self.totals = Some(record.totals);
            self.booked.extend(record.fill.map(|booked| booked.fill.trade_id));
            match record.slot {
                Some(slot) if slot.held.is_zero() => drop(self.slots.remove(&slot.leg)),
                Some(slot) => drop(self.slots.insert(slot.leg, slot)),
                None => {}
            }
        }
        let watermark = self.totals.and_then(|totals| totals.watermark);
        self.booked.retain(|id| Some(*id) > watermark);
    }

    /// Slots and executions that are kept.
    pub(crate) fn rows(&self) -> usize {
        self.slots.len() + self.booked.len()
    }

    /// What a crash leaves: some of what was on its way is written, the rest never was.
    pub(crate) fn crash(&mut self, written: usize) {
        self.flush(written);
        self.waiting.clear();
        self.behind = false;
    }

    /// What an engine begins with.
    pub(crate) fn boot(&self) -> Boot {
        let slots = self.slots.values().copied().collect();
        let recent = self.booked.iter().copied().collect();
        Boot { state: self.state, books: Restored { totals: self.totals, slots, recent }, open_orders: 0 }
    }
}
