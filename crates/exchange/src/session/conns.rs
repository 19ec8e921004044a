use super::backoff::Backoff;
use super::limits::{CONN_AGE_MAX, CONN_STABLE, CONNECT_TIMEOUT, MARKET_SILENCE_MAX, SYMBOLS_PER_CONN, USER_ECHO_MAX, USER_SILENCE_MAX};
use super::random::Random;
use core::ops::Range;
use core::time::Duration;
use plimsoll_market::Time;

/// What a connection carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Orders, fills, balances.
    User,
    /// Depth and best prices of a shard of the symbols (route `/public`).
    Books(u8),
    /// Trades, marks and candles of a shard (route `/market`).
    Tape(u8),
    /// All market streams of a shard (the route without a name).
    All(u8),
}

impl Role {
    /// Which symbols' market data it carries; `None` for the user stream.
    pub(crate) const fn shard(self) -> Option<u8> {
        match self {
            Self::User => None,
            Self::Books(shard) | Self::Tape(shard) | Self::All(shard) => Some(shard),
        }
    }

    pub(crate) const fn has_books(self) -> bool {
        matches!(self, Self::Books(_) | Self::All(_))
    }

    const fn silence_max(self) -> Duration {
        match self {
            Self::User => USER_SILENCE_MAX,
            Self::Books(_) | Self::Tape(_) | Self::All(_) => MARKET_SILENCE_MAX,
        }
    }
}

/// The numbers of a shard's symbols, of so many.
pub(crate) fn shard_range(shard: u8, symbols: usize) -> Range<usize> {
    let start = usize::from(shard) * SYMBOLS_PER_CONN;
    start.min(symbols)..(start + SYMBOLS_PER_CONN).min(symbols)
}

/// A connection's state.
///
/// ```text
/// Down ─▶ Opening ─▶ Open ─▶ Closing ─▶ Down      each of them may fall to Down at any time
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConnState {
    /// Not open; to be opened at a time, or when something else has come (`None`).
    Down(Option<Time>),
    /// Asked for; given up at the time.
    Opening(Time),
    /// Delivers.
    Open,
    /// We asked for its end; opened again at the time, once it is gone.
    Closing(Time),
}

/// What is due for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// To be opened.
    Connect,
    /// To be given up: it does not open, says nothing, or is too old.
    GiveUp,
}

#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) role: Role,
    pub(crate) state: ConnState,
    backoff: Backoff,
    last_seen: Time,
    /// When data came last.
    data_at: Time,
    opened_at: Time,
    age_max: Duration,
    /// By when something must come that is known to have happened.
    echo_due: Option<Time>,
}

impl Conn {
    pub(crate) fn new(role: Role) -> Self {
        let state = ConnState::Down(None);
        Self {
            role,
            state,
            backoff: Backoff::default(),
            last_seen: Time::ZERO,
            data_at: Time::ZERO,
            opened_at: Time::ZERO,
            age_max: CONN_AGE_MAX,
            echo_due: None,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == ConnState::Open
    }

    pub(crate) fn opening(&mut self, now: Time) {
        self.state = ConnState::Opening(now + CONNECT_TIMEOUT);
    }

    pub(crate) fn opened(&mut self, now: Time, random: &mut Random) {
        self.state = ConnState::Open;
        self.last_seen = now;
        self.opened_at = now;
        self.echo_due = None;
        // Connections opened together do not end together.
        self.age_max = CONN_AGE_MAX - random.up_to(CONN_AGE_MAX / 24);
    }

    /// Notes that data came.
    pub(crate) fn seen(&mut self, now: Time) {
        self.last_seen = now;
        self.data_at = now;
        self.echo_due = None;
    }

    /// Notes that the other side lives. Of a connection whose data is steady that says nothing: a proxy answers pings too.
    pub(crate) fn alive(&mut self, now: Time) {
        if self.role == Role::User {
            self.last_seen = now;
        }
    }

    /// Notes that since a time something has happened that must come over this connection.
    pub(crate) fn expects(&mut self, now: Time, since: Time) {
        if self.is_open() && self.opened_at <= since && self.data_at < since {
            self.echo_due.get_or_insert(now + USER_ECHO_MAX);
        }
    }

    /// When to open it again after it was lost.
    pub(crate) fn retry_at(&mut self, now: Time, random: &mut Random) -> Time {
        if self.is_open() && now.since(self.opened_at) >= CONN_STABLE {
            self.backoff.reset();
        }
        now + self.backoff.next(random)
    }

    /// Whether it was open for as long as connections may be.
    pub(crate) fn is_old(&self, now: Time) -> bool {
        self.is_open() && now.since(self.opened_at) >= self.age_max
    }

    pub(crate) fn due(&self, now: Time) -> Option<Due> {
        let at = self.due_at()?;
        if at > now {
            return None;
        }
        match self.state {
            ConnState::Down(_) => Some(Due::Connect),
            ConnState::Opening(_) | ConnState::Open => Some(Due::GiveUp),
            // The gateway did not say that it is gone: taken as gone.
            ConnState::Closing(_) => Some(Due::Connect),
        }
    }

    pub(crate) fn due_at(&self) -> Option<Time> {
        match self.state {
            ConnState::Down(at) => at,
            ConnState::Opening(until) => Some(until),
            ConnState::Open => {
                let due = (self.last_seen + self.role.silence_max()).min(self.opened_at + self.age_max);
                Time::earliest(Some(due), self.echo_due)
            }
            ConnState::Closing(at) => Some(at + CONNECT_TIMEOUT),
        }
    }
}
