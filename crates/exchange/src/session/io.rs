use super::budget::Used;
use super::report::BootReport;
use crate::SymbolIndex;
use crate::binance::encode::Method;
use core::time::Duration;
use plimsoll_bounded::{Class, Grant, Line, Ring, WhenFull};
use plimsoll_market::{AccountEvent, Action, Event};

/// A connection of a session: 0 is the user stream, the others carry market data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u8);

impl ConnId {
    /// The user stream.
    pub const USER: Self = Self(0);

    /// As an index into an array of per-connection state.
    pub const fn usize(self) -> usize {
        self.0 as usize
    }
}

/// A request of a session; never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// Whose request goes first.
///
/// Each lane may use a smaller part of the rate limits than the one before it, so that none starves those above.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lane {
    /// Cancels.
    Cancel,
    /// Orders that only reduce.
    Reduce,
    /// The clock, queries, catch-ups, and what keeps the user stream alive.
    Reconcile,
    /// Orders that open.
    Open,
    /// Everything else: instruments, book snapshots.
    Info,
}

impl Lane {
    /// Whether requests of this lane go over the connections kept for orders.
    pub const fn is_order(self) -> bool {
        match self {
            Self::Cancel | Self::Reduce | Self::Open => true,
            Self::Reconcile | Self::Info => false,
        }
    }
}

/// Whether a request that failed may have reached the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Sent {
    /// Not a byte of it left.
    No,
    /// Some or all of it left.
    Maybe,
}

/// Why bytes of a connection could not be handed over as a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dropped {
    /// Longer than frames may be.
    Oversized,
    /// Not text, or not what the protocol allows.
    Malformed,
}

/// Why a connection ended, or was never opened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Closed {
    /// It could not be opened.
    Refused,
    /// The other side closed it in order.
    Remote,
    /// It broke.
    Broken,
    /// We asked for it with [`Output::Close`].
    Local,
}

/// The exchange's answer to a request.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// HTTP status.
    pub status: u16,
    /// What the headers say is used up.
    pub used: Used,
    /// The header `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: &'a [u8],
}

/// Everything that can happen to a session.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Boot, or boot again after a failure.
    Start,
    /// A connection asked for is open.
    Connected {
        /// Which.
        conn: ConnId,
    },
    /// A whole text message.
    Frame {
        /// Of which connection.
        conn: ConnId,
        /// The text.
        bytes: &'a [u8],
    },
    /// The other side showed that it lives, without content: a ping or pong.
    Alive {
        /// Which connection.
        conn: ConnId,
    },
    /// Bytes came that could not be handed over; the connection goes on, or its end is told next.
    Dropped {
        /// Of which connection.
        conn: ConnId,
        /// Why.
        why: Dropped,
    },
    /// A connection ended, or could not be opened.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        why: Closed,
    },
    /// A request was answered.
    Reply {
        /// Which.
        request: RequestId,
        /// With what.
        reply: Reply<'a>,
    },
    /// A request was not answered: connection refused or broken, or too late.
    Failed {
        /// Which.
        request: RequestId,
        /// Whether it may have reached the exchange.
        sent: Sent,
    },
    /// An engine asks for something.
    ///
    /// `Place`, `Cancel`, `Query` and `Resync` are carried out; the other actions are not for the exchange and are ignored
    /// (counted in the statistics).
    Order {
        /// For which symbol.
        symbol: SymbolIndex,
        /// What.
        action: &'a Action,
    },
    /// The time asked for by `wake_at` has come.
    Wake,
    /// End: what is queued is answered, connections are closed.
    Stop,
}

/// A request to send.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Its id, for the answer.
    pub id: RequestId,
    /// Its lane; the session has already decided that it goes now.
    pub lane: Lane,
    /// Method.
    pub method: Method,
    /// Path and query, signed where needed. Holds a signature and perhaps a listen key: never logged.
    pub target: String,
    /// Whether it carries the header with the API key.
    pub api_key: bool,
    /// How long it may take, connecting included; then it counts as failed.
    pub timeout: Duration,
    /// The most bytes that the body of the answer may have.
    pub body_max: usize,
}

impl core::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let path = self.target.split('?').next().unwrap_or("");
        write!(f, "{:?} {:?} {} {path}", self.id, self.lane, self.method.as_str())
    }
}

/// Everything a session can ask of its gateway, and tell the rest of the process.
#[derive(Clone, Debug)]
pub enum Output {
    /// Open a connection and answer with `Connected` or `Closed`.
    Connect {
        /// Under this name.
        conn: ConnId,
        /// Path and query below the WebSocket's base address. May hold a listen key: never logged.
        target: String,
    },
    /// Close a connection, or give up opening it; answered with `Closed`.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// Send a request and answer with `Reply` or `Failed`.
    Request(HttpRequest),
    /// Something happened to a symbol.
    Event {
        /// Which.
        symbol: SymbolIndex,
        /// What.
        event: Event,
    },
    /// Something happened to the account.
    Account(AccountEvent),
    /// All that a start needs is known; connections follow.
    Booted(Box<BootReport>),
    /// The boot did not succeed; `Input::Start` tries again.
    BootFailed {
        /// What was tried, and the exchange's words.
        reason: BootFailure,
    },
    /// The session has ended; nothing follows.
    Stopped,
}

/// Why a boot failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("boot failed at {step}: {cause}")]
pub struct BootFailure {
    /// What was being done: `exchange information`, `listen key`, `leverage of BTCUSDT` …
    pub step: arrayvec::ArrayString<64>,
    /// The exchange's words or what happened; at most 200 bytes.
    pub cause: arrayvec::ArrayString<200>,
    /// Whether trying again without a change (key, clock, configuration, build) is pointless.
    pub fatal: bool,
}

/// What one input caused, in order. The gateway takes everything out before the next input.
///
/// # Bounds
/// The grant's capacity, which [`Outputs::line`] computes from the worst single input; what is asked for beyond the requests that
/// may be on their way waits in its lane. An output that does not fit would be a bug in that sum and panics: an answer silently
/// lost could double an order.
pub struct Outputs {
    items: Ring<Output>,
}

impl Outputs {
    /// Outputs that one input may cause in a session of so many symbols.
    pub const fn capacity(symbols: usize) -> usize {
        super::limits::OUTPUTS_BASE + super::limits::CONNS_MAX * 3 + symbols * super::limits::OUTPUTS_PER_SYMBOL
    }

    /// Declares the memory, for a session of so many symbols.
    pub const fn line(name: &str, symbols: usize) -> Line<'_> {
        Line::of::<Output>(name, Self::capacity(symbols), WhenFull::Halt, Class::MustKeep)
    }

    /// Takes the memory.
    pub fn new(grant: Grant) -> Self {
        Self { items: Ring::new(grant) }
    }

    /// Takes the first output.
    pub fn pop(&mut self) -> Option<Output> {
        self.items.pop_front()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether all were taken.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many this can hold.
    pub fn room(&self) -> usize {
        self.items.capacity()
    }

    pub(crate) fn push(&mut self, output: Output) {
        let pushed = self.items.push(output).is_ok();
        assert!(pushed, "one input caused more outputs than the sum of its limits");
    }

    pub(crate) fn event(&mut self, symbol: SymbolIndex, event: Event) {
        self.push(Output::Event { symbol, event });
    }
}

impl core::fmt::Debug for Outputs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.items.fmt(f)
    }
}
