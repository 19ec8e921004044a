use core::time::Duration;
use plimsoll_market::{Command, Event, Lease, Price, Qty, Round, Side, Time};
use plimsoll_position::View;

/// Why nothing may be opened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Closed {
    /// An operator said so.
    Paused,
    /// A fault said so; an operator must resume.
    Halted,
    /// The account's limits are not lent to this symbol now.
    NoLease,
    /// No market data came for too long.
    Stale,
    /// Fills, orders or position are not in step with the exchange.
    NotInStep,
    /// What happens cannot be stored now.
    RecordsFull,
    /// Memory runs short.
    MemoryShort,
    /// The exchange does not trade the symbol now.
    NotTrading,
}

impl Closed {
    /// Snake-case word for display.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Halted => "halted",
            Self::NoLease => "no_lease",
            Self::Stale => "stale_market",
            Self::NotInStep => "not_in_step",
            Self::RecordsFull => "records_full",
            Self::MemoryShort => "memory_short",
            Self::NotTrading => "not_trading",
        }
    }

    /// Whether resting opening orders must be withdrawn, not only new ones withheld.
    ///
    /// What heals by itself within moments keeps the orders and their place in the queue.
    pub const fn withdraws(self) -> bool {
        match self {
            Self::Paused | Self::Halted | Self::Stale | Self::NotTrading => true,
            Self::NoLease | Self::NotInStep | Self::RecordsFull | Self::MemoryShort => false,
        }
    }
}

/// What is allowed now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mode {
    /// Why nothing may be opened; `None` when it may.
    pub closed: Option<Closed>,
}

/// Limits of one symbol's gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GateConfig {
    /// Market data older than this counts as stale.
    pub stale_after: Duration,
    /// The most that holding and opening orders may be worth together, units of 1e-8 of the quote asset; the lease may be tighter.
    pub exposure_max: i128,
}

/// The quotes that may be wanted: a bit per quote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cleared {
    /// May be sent, and may stay.
    pub allowed: u64,
    /// May stay where they rest, but not be sent anew.
    pub tolerated: u64,
}

/// What a quote is to the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Direction.
    pub side: Side,
    /// Whether it only reduces.
    pub reduce_only: bool,
    /// Limit price; zero at market.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Whether its slot has an order of that side already.
    pub works: bool,
}

/// The gate of one symbol.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Gate {
    cfg: GateConfig,
    paused: bool,
    halted: bool,
    records_full: bool,
    memory_short: bool,
    lease: Option<Lease>,
    /// The tighter of both limits in the symbol's own units; kept, because to convert it costs two divisions of 128 bits.
    exposure_max: Option<i128>,
    last_market: Time,
    mode: Mode,
}

impl Gate {
    /// Makes a gate; pauses and halts come from what was stored.
    pub const fn new(cfg: GateConfig, paused: bool, halted: bool) -> Self {
        Self {
            cfg,
            paused,
            halted,
            records_full: false,
            memory_short: false,
            lease: None,
            exposure_max: None,
            last_market: Time::ZERO,
            mode: Mode { closed: Some(Closed::NotInStep) },
        }
    }

    /// Whether an operator paused the symbol.
    pub const fn paused(&self) -> bool {
        self.paused
    }

    /// Whether a fault halted the symbol.
    pub const fn halted(&self) -> bool {
        self.halted
    }

    /// Why nothing may be opened now; `None` when it may.
    pub const fn closed(&self) -> Option<Closed> {
        self.mode.closed
    }

    /// Halts the symbol until an operator resumes it.
    pub const fn halt(&mut self) {
        self.halted = true;
    }

    /// Orders that may be placed in ten seconds by the lease; none without one.
    pub fn orders_per_10s(&self, now: Time) -> u16 {
        self.lease.filter(|l| l.until > now).map_or(0, |l| l.orders_per_10s)
    }

    /// Takes what happened and says what is allowed; the second value tells whether that changed.
    pub fn observe(&mut self, event: &Event, view: &View<'_>) -> (Mode, bool) {
        match event {
            Event::Top(_) | Event::Trade(_) | Event::Mark(_) => self.last_market = view.now,
            Event::Command(Command::Pause | Command::CancelAll | Command::Flatten) => self.paused = true,
            Event::Command(Command::Resume) => {
                self.paused = false;
                self.halted = false;
            }
            Event::Lease(lease) => {
                self.lease = Some(*lease);
                self.exposure_max = None;
            }
            Event::RecordsFull(full) => self.records_full = *full,
            Event::MemoryShort(short) => self.memory_short = *short,
            Event::Command(Command::CleanupSlots | Command::Resync)
            | Event::Candle(_)
            | Event::Gap(_)
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
            | Event::Instrument(_)
            | Event::Committed { .. }
            | Event::Wake
            | Event::Shutdown(_) => {}
        }
        if self.exposure_max.is_none() {
            self.exposure_max = Some(self.exposure_units(view));
        }
        let closed = self.judge(view);
        let changed = self.mode.closed != closed;
        self.mode.closed = closed;
        (self.mode, changed)
    }

    fn judge(&self, view: &View<'_>) -> Option<Closed> {
        if self.halted {
            Some(Closed::Halted)
        } else if self.paused {
            Some(Closed::Paused)
        } else if view.instrument.trading != plimsoll_market::Trading::Open {
            Some(Closed::NotTrading)
        } else if view.top.is_none() || view.now.since(self.last_market) > self.cfg.stale_after {
            Some(Closed::Stale)
        } else if !view.in_step {
            Some(Closed::NotInStep)
        } else if self.records_full {
            Some(Closed::RecordsFull)
        } else if self.memory_short {
            Some(Closed::MemoryShort)
        } else if self.lease.is_none_or(|l| l.until <= view.now) {
            Some(Closed::NoLease)
        } else {
            None
        }
    }

    /// When the verdict may change though nothing happens.
    pub fn wake_at(&self) -> Option<Time> {
        let stale = (self.mode.closed.is_none()).then(|| self.last_market + self.cfg.stale_after + Duration::from_millis(1));
        let lease = self.lease.map(|l| l.until).filter(|_| self.mode.closed.is_none());
        Time::earliest(stale, lease)
    }

    /// Says which quotes may be wanted. They come in the order of how much they are wanted: when a limit is short, the
    /// first get it. An order may be counted twice against the limit, never zero times.
    ///
    /// `matched` has the bit of every order that serves one of the quotes.
    #[inline]
    pub fn clear(&self, quotes: impl Iterator<Item = Wanted> + Clone, matched: u64, view: &View<'_>) -> Cleared {
        let exposure_max = self.exposure_max.unwrap_or(0);
        // Holding at cost and every order that may still fill and serves no quote: they count whatever is wanted.
        let mut exposure = view.totals.cost.units().abs();
        for (_, order) in view.orders.except(matched) {
            if order.id.side() == Side::Buy && !order.reduce_only {
                exposure += (order.price * order.open_qty()).units();
            }
        }
        let band = Band::of(view);
        if self.mode.closed.is_none()
            && let Some(all) = Self::all_pass(quotes.clone(), exposure, exposure_max, &band, view)
        {
            return Cleared { allowed: all, tolerated: all };
        }
        self.clear_each(quotes, exposure, exposure_max, &band, view)
    }

    /// All quotes' bits, when sums and extremes already show that each passes: the usual case, at a fraction of the work.
    #[inline]
    fn all_pass(quotes: impl Iterator<Item = Wanted>, mut exposure: i128, exposure_max: i128, band: &Band, view: &View<'_>) -> Option<u64> {
        let (mut highest_buy, mut lowest_sell, mut all) = (Price::ZERO, None::<Price>, 0_u64);
        for wanted in quotes {
            all = all << 1 | 1;
            if !wanted.reduce_only {
                exposure += (wanted.price * wanted.qty).units();
            }
            match wanted.side {
                _ if wanted.price.is_zero() => continue,
                Side::Buy => highest_buy = highest_buy.max(wanted.price),
                Side::Sell => lowest_sell = Some(lowest_sell.map_or(wanted.price, |p| p.min(wanted.price))),
            }
            if !wanted.works && view.instrument.check_limit(wanted.price, wanted.qty, wanted.reduce_only).is_err() {
                return None;
            }
        }
        let pass =
            exposure <= exposure_max && band.allows(Side::Buy, highest_buy) && lowest_sell.is_none_or(|p| band.allows(Side::Sell, p));
        pass.then_some(all)
    }

    fn clear_each(
        &self,
        quotes: impl Iterator<Item = Wanted>,
        mut exposure: i128,
        exposure_max: i128,
        band: &Band,
        view: &View<'_>,
    ) -> Cleared {
        let open = self.mode.closed;
        let mut allowed: u64 = 0;
        let mut tolerated: u64 = 0;
        for (i, wanted) in quotes.enumerate() {
            let bit = 1_u64 << i;
            // What works already has passed, and is not sent again.
            if !wanted.works
                && !wanted.price.is_zero()
                && view.instrument.check_limit(wanted.price, wanted.qty, wanted.reduce_only).is_err()
            {
                continue;
            }
            if !band.allows(wanted.side, wanted.price) {
                tolerated |= bit;
                continue;
            }
            if wanted.reduce_only {
                allowed |= bit;
                continue;
            }
            let value = (wanted.price * wanted.qty).units();
            if exposure + value > exposure_max {
                continue;
            }
            exposure += value;
            match open {
                None => allowed |= bit,
                Some(closed) if !closed.withdraws() => tolerated |= bit,
                Some(_) => {}
            }
        }
        Cleared { allowed, tolerated: allowed | tolerated }
    }

    fn exposure_units(&self, view: &View<'_>) -> i128 {
        let money = self.lease.map_or(self.cfg.exposure_max, |l| l.exposure_max.min(self.cfg.exposure_max));
        let scale = view.instrument.price_scale + view.instrument.qty_scale;
        plimsoll_market::rescale(money, plimsoll_market::limits::MONEY_SCALE, scale, Round::Down).unwrap_or(0)
    }
}

/// The exchange refuses buys far above and sells far below the mark price.
struct Band {
    /// In millionths of a price unit.
    highest_buy: i128,
    lowest_sell: i128,
}

impl Band {
    fn of(view: &View<'_>) -> Self {
        match view.mark.and_then(|m| view.instrument.price_of_ref(m.mark, Round::Nearest)) {
            Some(mark) => Self {
                highest_buy: i128::from(mark.units()) * i128::from(view.instrument.percent_up.0),
                lowest_sell: i128::from(mark.units()) * i128::from(view.instrument.percent_down.0),
            },
            None => Self { highest_buy: i128::MAX, lowest_sell: 0 },
        }
    }

    #[inline]
    fn allows(&self, side: Side, price: Price) -> bool {
        let market = price.is_zero();
        let price = i128::from(price.units()) * 1_000_000;
        match side {
            _ if market => true,
            Side::Buy => price <= self.highest_buy,
            Side::Sell => price >= self.lowest_sell,
        }
    }
}
