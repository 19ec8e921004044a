use crate::limits::WORKING_MAX;
use plimsoll_market::{ClientId, OrderId, OrderType, Price, Qty, Time};

/// What we know of an order that may be open at the exchange.
///
/// ```text
///            ack                cancel sent           final report, all fills booked
///  Sent ───────────▶ Live ───────────────▶ Canceling ─────────────▶ (gone)
///   │ no answer        ▲                       │ no answer             ▲
///   ▼                  │ query: open           ▼                       │ fills booked
///  Unknown ────────────┴──────── query ───▶ Canceling        Closing ──┘
///                                                 final report, fills missing ▲
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum WorkState {
    /// On its way; counts at its worst.
    Sent,
    /// The exchange has it.
    Live,
    /// A cancel is on its way.
    Canceling,
    /// It is not known whether the exchange has it; it is queried.
    Unknown,
    /// Final at the exchange, but some of its fills are not booked yet.
    Closing,
}

impl WorkState {
    /// Lower-case word for display.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Live => "live",
            Self::Canceling => "canceling",
            Self::Unknown => "unknown",
            Self::Closing => "closing",
        }
    }
}

/// An order of ours that may be open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Working {
    /// Our id; it tells leg and side.
    pub id: ClientId,
    /// The exchange's id, once known.
    pub order_id: Option<OrderId>,
    /// Limit price; zero at market.
    pub price: Price,
    /// Quantity ordered.
    pub qty: Qty,
    /// Filled by the exchange's word.
    pub reported: Qty,
    /// Filled by our books.
    pub booked: Qty,
    /// Of `booked`, what was filled when it was taken over: an execution within it is not counted again.
    pub base: Qty,
    /// Where it stands.
    pub state: WorkState,
    /// Kind.
    pub kind: OrderType,
    /// Whether it can only reduce.
    pub reduce_only: bool,
    /// When it was sent; adopted orders carry the time of adoption.
    pub sent_at: Time,
    /// When the state was last asked for, or the cancel sent.
    pub asked_at: Time,
    /// Since when the exchange reports more filled than we booked; zero when it does not.
    pub short_since: Time,
}

impl Working {
    /// What can still fill: by our books, so an unbooked fill counts as open until it is booked.
    pub fn open_qty(&self) -> Qty {
        self.qty.saturating_sub(self.booked)
    }

    /// Whether the exchange may still fill it.
    pub const fn may_fill(&self) -> bool {
        !matches!(self.state, WorkState::Closing)
    }
}

/// The orders of one engine: a fixed table with a bit per used entry.
///
/// # Bounds
/// [`WORKING_MAX`]; one more is refused, never evicts another.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Orders {
    #[cfg_attr(feature = "serde", serde(with = "plimsoll_bounded::array"))]
    table: Box<[Option<Working>; WORKING_MAX]>,
    used: u64,
}

const _: () = assert!(WORKING_MAX == u64::BITS as usize);

impl Default for Orders {
    fn default() -> Self {
        Self { table: Box::new([None; WORKING_MAX]), used: 0 }
    }
}

impl Orders {
    /// Bytes the table takes.
    pub const BYTES: usize = size_of::<Self>() + WORKING_MAX * size_of::<Option<Working>>();

    /// Orders in the table.
    #[inline]
    pub const fn len(&self) -> usize {
        self.used.count_ones() as usize
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Entries that are free.
    pub const fn room(&self) -> usize {
        WORKING_MAX - self.len()
    }

    /// The order at an index of the table.
    #[inline]
    pub fn get(&self, at: u8) -> Option<&Working> {
        self.table.get(usize::from(at)).and_then(Option::as_ref)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: u8) -> Option<&mut Working> {
        self.table.get_mut(usize::from(at)).and_then(Option::as_mut)
    }

    /// All orders with their index, in the order of the table.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Working)> {
        self.except(0)
    }

    /// The orders whose bit is not set in `mask`, with their index.
    #[inline]
    pub fn except(&self, mask: u64) -> impl Iterator<Item = (u8, &Working)> {
        let mut bits = self.used & !mask;
        core::iter::from_fn(move || {
            if bits == 0 {
                return None;
            }
            let at = bits.trailing_zeros() as u8;
            bits &= bits - 1;
            Some(at)
        })
        .filter_map(|at| self.table[usize::from(at)].as_ref().map(|w| (at, w)))
    }

    /// Index of the order with this id.
    pub fn find(&self, id: ClientId) -> Option<u8> {
        self.iter().find(|(_, w)| w.id == id).map(|(at, _)| at)
    }

    /// Index of the order with this exchange id.
    pub fn find_order(&self, id: OrderId) -> Option<u8> {
        self.iter().find(|(_, w)| w.order_id == Some(id)).map(|(at, _)| at)
    }

    pub(crate) fn insert(&mut self, order: Working) -> Option<u8> {
        let at = (!self.used).trailing_zeros();
        if at as usize >= WORKING_MAX {
            return None;
        }
        self.used |= 1 << at;
        self.table[at as usize] = Some(order);
        Some(at as u8)
    }

    pub(crate) fn remove(&mut self, at: u8) -> Option<Working> {
        let taken = self.table.get_mut(usize::from(at)).and_then(Option::take);
        if taken.is_some() {
            self.used &= !(1 << at);
        }
        taken
    }
}
