use crate::limits::{CLOSING_STRATEGY, SLOTS};
use plimsoll_market::{Holding, Leg, Notional, OrderType, Qty, Side, SlotRow, Time};

/// One level of a grid, or one layer of a position: at most one live order, and what it has opened. Its leg tells whether that is
/// long or short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Slot {
    /// The leg whose slot it is.
    pub leg: Leg,
    /// Base quantity opened and not yet closed.
    pub held: Qty,
    /// What `held` cost, signed like a position: negative for a short one.
    pub cost: Notional,
    /// Index of its live order in [`crate::Orders`]; `None` when it has none.
    pub order: Option<u8>,
    /// Side of that order.
    pub order_side: Side,
    /// Set when an opening order ended with something held; cleared when nothing is held. Such a slot opens nothing more.
    pub exiting: bool,
    /// Refusals in a row.
    pub refusals: u8,
    /// Nothing that rests or has a limit is sent for this slot before then.
    pub blocked_until: Time,
    /// Nothing at market is sent for this slot before then: a stop waits for no refusal but its own kind's.
    pub market_blocked_until: Time,
}

impl Slot {
    const fn empty(leg: Leg) -> Self {
        Self {
            leg,
            held: Qty::ZERO,
            cost: Notional::ZERO,
            order: None,
            order_side: Side::Buy,
            exiting: false,
            refusals: 0,
            blocked_until: Time::ZERO,
            market_blocked_until: Time::ZERO,
        }
    }

    /// Whether it holds nothing and has no order.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.held.is_zero() && self.order.is_none()
    }

    /// Until when an order of a kind has to wait for an earlier refusal.
    #[inline]
    pub const fn waits_until(&self, kind: OrderType) -> Time {
        match kind {
            OrderType::Market => self.market_blocked_until,
            OrderType::Limit => self.blocked_until,
        }
    }

    /// The row that is stored.
    pub const fn row(&self) -> SlotRow {
        SlotRow { leg: self.leg, held: self.held, cost: self.cost }
    }
}

/// What is at the place of a leg.
#[derive(Clone, Copy, Debug)]
pub enum Seat<'a> {
    /// Its slot.
    Own(&'a Slot),
    /// Nothing that stays: a slot could be made.
    Free,
    /// Another level that holds something or has an order.
    Taken,
}

/// The slots of one symbol: a ring indexed by the low bits of the level, with the level as its tag.
///
/// # Bounds
/// [`SLOTS`] slots. Two levels that fall on the same place exclude each other; who holds something stays.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Slots {
    #[cfg_attr(feature = "serde", serde(with = "plimsoll_bounded::array"))]
    ring: Box<[Option<Slot>; SLOTS]>,
    /// A bit per place that holds something.
    held: [u64; SLOTS / 64],
    /// Of those a bit per place that holds a short position.
    short: [u64; SLOTS / 64],
    /// What each place held, signed, when it was noted last, and the sum of it.
    #[cfg_attr(feature = "serde", serde(with = "plimsoll_bounded::array"))]
    noted: Box<[i64; SLOTS]>,
    net: i64,
    /// The place of the order that closes the position: no level of a grid may keep it from its own.
    closing: Option<Slot>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            ring: Box::new([None; SLOTS]),
            held: [0; SLOTS / 64],
            short: [0; SLOTS / 64],
            noted: Box::new([0; SLOTS]),
            net: 0,
            closing: None,
        }
    }
}

impl Slots {
    /// Bytes the ring takes.
    pub const BYTES: usize = size_of::<Self>() + SLOTS * (size_of::<Option<Slot>>() + size_of::<i64>());

    const fn closes(leg: Leg) -> bool {
        leg.strategy() == CLOSING_STRATEGY
    }

    fn seat_of(&self, leg: Leg) -> &Option<Slot> {
        if Self::closes(leg) { &self.closing } else { &self.ring[Self::place(leg)] }
    }

    fn seat_of_mut(&mut self, leg: Leg) -> &mut Option<Slot> {
        if Self::closes(leg) { &mut self.closing } else { &mut self.ring[Self::place(leg)] }
    }

    #[inline]
    const fn place(leg: Leg) -> usize {
        // Strategies beside the grid use few indices; spreading them keeps them off the grid's levels.
        (leg.index() as usize).wrapping_add((leg.strategy() as usize) * 37) & (SLOTS - 1)
    }

    /// The slot of a leg, when there is one.
    #[inline]
    pub fn get(&self, leg: Leg) -> Option<&Slot> {
        self.seat_of(leg).as_ref().filter(|s| s.leg == leg)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, leg: Leg) -> Option<&mut Slot> {
        self.seat_of_mut(leg).as_mut().filter(|s| s.leg == leg)
    }

    /// What is at a leg's place: its slot, nothing, or another level that keeps it.
    #[inline]
    pub fn seat(&self, leg: Leg) -> Seat<'_> {
        match self.seat_of(leg) {
            Some(slot) if slot.leg == leg => Seat::Own(slot),
            Some(slot) if !slot.is_empty() => Seat::Taken,
            _ => Seat::Free,
        }
    }

    /// Whether a leg could have a slot now: its place is free, empty or its own.
    #[inline]
    pub fn has_room(&self, leg: Leg) -> bool {
        self.seat_of(leg).as_ref().is_none_or(|s| s.leg == leg || s.is_empty())
    }

    /// The slot of a leg, made when its place is free; `None` when another level holds the place.
    #[inline]
    pub(crate) fn claim(&mut self, leg: Leg) -> Option<&mut Slot> {
        let place = self.seat_of_mut(leg);
        if place.as_ref().is_some_and(|s| s.leg == leg) {
            return place.as_mut();
        }
        if place.as_ref().is_some_and(|s| !s.is_empty()) {
            return None;
        }
        Some(place.insert(Slot::empty(leg)))
    }

    /// Must follow every change of a slot's `held`.
    pub(crate) fn note_held(&mut self, leg: Leg) {
        // What a closing sells comes out of the levels' slots; its own never holds anything.
        if Self::closes(leg) {
            return;
        }
        let place = Self::place(leg);
        let held = self.ring[place].as_ref().filter(|s| !s.held.is_zero()).and_then(|s| s.leg.opening().map(|side| (side, s.held)));
        let signed = held.map_or(0, |(side, held)| held.signed(side).units());
        self.net += signed - self.noted[place];
        self.noted[place] = signed;
        let holds = held.map(|(side, _)| side);
        let bit = 1_u64 << (place % 64);
        let word = place / 64;
        self.held[word] &= !bit;
        self.short[word] &= !bit;
        if let Some(side) = holds {
            self.held[word] |= bit;
            self.short[word] |= if side == Side::Sell { bit } else { 0 };
        }
    }

    /// Slots that exist, in the order of the ring.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.ring.iter().chain([&self.closing]).flatten()
    }

    /// Slots that hold something, in the order of the ring.
    pub fn holding(&self) -> impl Iterator<Item = &Slot> {
        self.held.iter().enumerate().flat_map(move |(word, bits)| {
            let mut bits = *bits;
            core::iter::from_fn(move || {
                if bits == 0 {
                    return None;
                }
                let at = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                Some(at)
            })
            .filter_map(|at| self.ring[at].as_ref())
        })
    }

    /// Slots of a strategy that hold something, by rising level, from `level` on over one turn of the ring.
    ///
    /// Levels outside that turn are left out; [`Slots::holding`] has them too.
    #[inline]
    pub fn holding_from(&self, strategy: u8, level: i32) -> impl Iterator<Item = &Slot> {
        const WORDS: usize = SLOTS / 64;
        let start = Leg::new(strategy, level).map_or(0, Self::place);
        // The bits turned so that the start comes first.
        let (word, shift) = (start / 64, start % 64);
        let turned: [u64; WORDS] = core::array::from_fn(|i| {
            let (low, high) = (self.held[(word + i) % WORDS], self.held[(word + i + 1) % WORDS]);
            low >> shift | high.checked_shl(64 - shift as u32).unwrap_or(0)
        });
        let (mut at, mut bits) = (0, turned[0]);
        core::iter::from_fn(move || {
            while bits == 0 {
                at += 1;
                bits = *turned.get(at)?;
            }
            let offset = at * 64 + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some(offset)
        })
        .filter_map(move |offset| {
            let wanted = level.checked_add(offset as i32)?;
            self.ring[(start + offset) % SLOTS].as_ref().filter(|s| s.leg.strategy() == strategy && s.leg.index() == wanted)
        })
    }

    /// How many slots hold something.
    #[inline]
    pub fn holding_count(&self) -> u32 {
        self.held.iter().map(|w| w.count_ones()).sum()
    }

    /// Whether any slot that orders of this side open holds something.
    #[inline]
    pub fn holds(&self, opening: Side) -> bool {
        self.held.iter().zip(&self.short).any(|(held, short)| match opening {
            Side::Buy => held & !short != 0,
            Side::Sell => *short != 0,
        })
    }

    /// Base quantity held by the slots that orders of this side open.
    pub fn held_by(&self, opening: Side) -> Qty {
        self.holding().filter(|s| s.leg.opens(opening)).map(|s| s.held).sum()
    }

    /// What all slots hold together: long ones less short ones.
    #[inline]
    pub const fn net(&self) -> Holding {
        Holding::from_units(self.net)
    }

    /// The slot that gives way first when a closing takes from those that this side opens: the one with the highest index. A short
    /// grid counts its levels downwards, so that it is the one farthest behind the price in either direction.
    pub(crate) fn first_to_close(&self, opening: Side) -> Option<Leg> {
        self.holding().map(|s| s.leg).filter(|leg| leg.opens(opening)).max_by_key(|leg| leg.index())
    }

    /// Drops slots that hold nothing and have no order; returns how many.
    pub fn cleanup_empty(&mut self, now: Time) -> usize {
        let mut dropped = 0;
        for place in self.ring.iter_mut().chain([&mut self.closing]) {
            if place.as_ref().is_some_and(|s| s.is_empty() && s.blocked_until.max(s.market_blocked_until) <= now) {
                *place = None;
                dropped += 1;
            }
        }
        dropped
    }

    /// The earliest time at which a blocked slot is free again, after `now`.
    pub fn next_unblock(&self, now: Time) -> Option<Time> {
        self.iter().flat_map(|s| [s.blocked_until, s.market_blocked_until]).filter(|t| *t > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg(index: i32) -> Leg {
        Leg::new(0, index).unwrap()
    }

    #[test]
    fn colliding_level_is_blocked_while_the_other_holds() {
        let mut slots = Slots::default();
        let far = leg(3 + SLOTS as i32);
        slots.claim(leg(3)).unwrap().held = Qty::from_units(1);
        slots.note_held(leg(3));
        assert!(slots.claim(far).is_none() && !slots.has_room(far));
        slots.get_mut(leg(3)).unwrap().held = Qty::ZERO;
        slots.note_held(leg(3));
        assert!(slots.has_room(far) && slots.claim(far).is_some());
        assert!(slots.get(leg(3)).is_none());
    }

    #[test]
    fn no_level_keeps_a_closing_from_its_place() {
        let (mut slots, closing) = (Slots::default(), Leg::new(CLOSING_STRATEGY, 0).unwrap());
        for level in -128..128 {
            slots.claim(leg(level)).unwrap().held = Qty::from_units(1);
            slots.note_held(leg(level));
        }
        assert!(slots.has_room(closing) && slots.claim(closing).is_some());
        slots.get_mut(closing).unwrap().order = Some(3);
        assert_eq!(slots.iter().filter(|s| s.order.is_some()).count(), 1);
        assert_eq!(slots.holding_count(), SLOTS as u32);
    }

    #[test]
    fn negative_levels_have_places_of_their_own() {
        let mut slots = Slots::default();
        for level in -128..128 {
            slots.claim(leg(level)).unwrap().held = Qty::from_units(2);
            slots.note_held(leg(level));
        }
        assert_eq!(slots.holding().count(), SLOTS);
        assert_eq!(slots.net(), Holding::from_units(2 * SLOTS as i64));
    }

    #[test]
    fn holding_from_goes_up_and_around() {
        let mut slots = Slots::default();
        for level in [-200, -5, -1, 0, 3, 70, 127] {
            slots.claim(leg(level)).unwrap().held = Qty::from_units(1);
            slots.note_held(leg(level));
        }
        let levels = |from| slots.holding_from(0, from).map(|s| s.leg.index()).collect::<Vec<_>>();
        assert_eq!(levels(-128), [-5, -1, 0, 3, 70, 127]);
        assert_eq!(levels(-1), [-1, 0, 3, 70, 127]);
        assert_eq!(levels(4), [70, 127]);
        assert_eq!(levels(-210), [-200, -5, -1, 0, 3]);
        assert_eq!(slots.holding_count(), 7);
    }

    #[test]
    fn long_and_short_are_told_apart_by_their_legs() {
        let mut slots = Slots::default();
        let short = |index| Leg::new(Leg::SHORT, index).unwrap();
        assert!(!slots.holds(Side::Buy) && !slots.holds(Side::Sell) && slots.net().is_flat());
        for (leg, units) in [(leg(1), 3), (leg(5), 4), (short(-2), 5), (short(7), 6)] {
            slots.claim(leg).unwrap().held = Qty::from_units(units);
            slots.note_held(leg);
        }
        assert!(slots.holds(Side::Buy) && slots.holds(Side::Sell));
        assert_eq!((slots.net().units(), slots.held_by(Side::Buy).units(), slots.held_by(Side::Sell).units()), (-4, 7, 11));
        assert_eq!((slots.first_to_close(Side::Buy), slots.first_to_close(Side::Sell)), (Some(leg(5)), Some(short(7))));
        for leg in [leg(1), leg(5)] {
            slots.get_mut(leg).unwrap().held = Qty::ZERO;
            slots.note_held(leg);
        }
        assert!(!slots.holds(Side::Buy) && slots.holds(Side::Sell));
    }

    #[test]
    fn cleanup_keeps_what_holds_or_waits() {
        let mut slots = Slots::default();
        slots.claim(leg(1));
        slots.claim(leg(2)).unwrap().held = Qty::from_units(1);
        slots.claim(leg(3)).unwrap().order = Some(0);
        slots.claim(leg(4)).unwrap().blocked_until = Time::from_millis(10);
        assert_eq!(slots.cleanup_empty(Time::from_millis(9)), 1);
        assert_eq!(slots.cleanup_empty(Time::from_millis(10)), 1);
        assert_eq!(slots.iter().count(), 2);
    }
}
