use crate::guard::{Guard, GuardConfig, say};
use core::time::Duration;
use plimsoll_market::limits::QUOTES_MAX;
use plimsoll_market::{Actions, AlertCode, Command, Event, Lease, Lock, Price, Qty, Round, Rule, Severity, Side, Time, Top};
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
    /// A rule of the symbol or of its account.
    Rule(Rule),
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
            Self::Rule(rule) => rule.as_str(),
        }
    }

    /// Whether resting opening orders must be withdrawn, not only new ones withheld.
    ///
    /// What heals by itself within moments keeps the orders and their place in the queue.
    pub const fn withdraws(self) -> bool {
        match self {
            // More of the same is what churn is.
            Self::Rule(Rule::Churn) => false,
            Self::Paused | Self::Halted | Self::Stale | Self::NotTrading | Self::Rule(_) => true,
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

/// What the gate says to an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// What is allowed now.
    pub mode: Mode,
    /// Whether that changed.
    pub changed: bool,
    /// A rule that demands now that the position be closed; told once.
    pub close: Option<Rule>,
}

/// Limits of one symbol's gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GateConfig {
    /// Market data older than this counts as stale.
    pub stale_after: Duration,
    /// The most that holding and opening orders may be worth together, units of 1e-8 of the quote asset; the lease may be tighter.
    pub exposure_max: i128,
    /// The rules.
    pub guard: GuardConfig,
}

/// The quotes that may be wanted: a bit per quote.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cleared {
    /// May be sent, and may stay.
    pub allowed: u64,
    /// May stay where they rest, but not be sent anew.
    pub tolerated: u64,
    /// Something was withheld because it would only take from what somebody else holds the other way.
    pub opposed: bool,
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
    /// The largest order in the symbol's own units.
    order_max: i128,
    last_market: Time,
    /// Somebody was told that the market is silent.
    silence_told: bool,
    mode: Mode,
    guard: Guard,
}

impl Gate {
    /// Makes a gate; pauses, halts and locks come from what was stored.
    pub fn new(cfg: GateConfig, paused: bool, halted: bool, lock: Option<Lock>) -> Self {
        Self {
            guard: Guard::new(cfg.guard, lock),
            cfg,
            paused,
            halted,
            records_full: false,
            memory_short: false,
            lease: None,
            exposure_max: None,
            order_max: i128::MAX,
            last_market: Time::ZERO,
            silence_told: false,
            mode: Mode { closed: Some(Closed::NotInStep) },
        }
    }

    /// Goes by other rules from now on: what is locked stays locked, and what the rules remember (peaks, streaks) stays known.
    pub fn adopt(&mut self, cfg: GateConfig) {
        self.cfg = cfg;
        self.guard.cfg = cfg.guard;
        self.exposure_max = None;
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

    /// What a rule has locked.
    pub const fn lock(&self) -> Option<Lock> {
        self.guard.lock
    }

    /// Locks the symbol, unless a longer lock holds already; tells whether that changed anything.
    pub fn lock_by(&mut self, lock: Lock) -> bool {
        self.guard.lock(lock)
    }

    /// Lifts the lock of a rule, if it is the one that holds.
    pub fn unlock(&mut self, rule: Rule) {
        if self.guard.lock.is_some_and(|lock| lock.rule == rule) {
            self.guard.lock = None;
        }
    }

    /// Learns that the position is being closed, by a rule or else at an operator's word.
    pub fn closes(&mut self, rule: Option<Rule>) {
        self.guard.closes(rule);
    }

    /// Learns that nothing is being closed any more.
    pub const fn closing_over(&mut self) {
        self.guard.closing_over();
    }

    /// Learns how many orders were withdrawn.
    #[inline]
    pub fn canceled(&mut self, count: u32, view: &View<'_>, out: &mut Actions) {
        self.guard.canceled(count, view, out);
    }

    /// Halts the symbol until an operator resumes it.
    pub const fn halt(&mut self) {
        self.halted = true;
    }

    /// Orders that may be placed in ten seconds by the lease; none without one.
    pub fn orders_per_10s(&self, now: Time) -> u16 {
        self.lease.filter(|l| l.until > now).map_or(0, |l| l.orders_per_10s)
    }

    /// Takes what happened and says what is allowed. What a rule decides is told in `out`; with it the records of the event
    /// are read there.
    pub fn observe(&mut self, event: &Event, view: &View<'_>, out: &mut Actions) -> Verdict {
        let mut close = self.guard.observe(event, view, out);
        match event {
            Event::Top(_) | Event::Trade(_) | Event::Mark(_) => self.last_market = view.now,
            Event::Command(Command::Pause | Command::Drain | Command::CancelAll | Command::Flatten) => self.paused = true,
            Event::Command(Command::Resume) => {
                self.paused = false;
                self.halted = false;
            }
            Event::Command(Command::Rearm) => self.halted = false,
            Event::Lease(lease) => {
                self.lease = Some(*lease);
                self.exposure_max = None;
            }
            Event::RecordsFull(full) => self.records_full = *full,
            Event::MemoryShort(short) => self.memory_short = *short,
            Event::Command(Command::CleanupSlots | Command::Resync)
            | Event::Candle(_)
            | Event::Past(_)
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
            | Event::Rate(_)
            | Event::Instrument(_)
            | Event::Committed { .. }
            | Event::Wake
            | Event::Shutdown(_) => {}
        }
        // Whenever it is so, not only when it begins: what fills after the demand is closed, too.
        if let Some(demand) = self.lease.and_then(|l| l.demand).filter(|d| d.close)
            && !view.totals.holding.is_flat()
            && !self.guard.is_closing()
            && close.is_none()
        {
            close = Some(demand.rule);
            let text = format_args!("{}: a rule of the account has the position closed", demand.rule.as_str());
            say(out, view, Severity::Critical, AlertCode::Risk, &text);
        }
        if self.exposure_max.is_none() {
            let money = self.lease.map_or(self.cfg.exposure_max, |l| l.exposure_max.min(self.cfg.exposure_max));
            self.exposure_max = Some(own_units(money, view));
            self.order_max = if self.cfg.guard.order_max == 0 { i128::MAX } else { own_units(self.cfg.guard.order_max, view) };
        }
        let closed = self.judge(view);
        self.tell_silence(view, out);
        let changed = self.mode.closed != closed;
        self.mode.closed = closed;
        Verdict { mode: self.mode, changed, close }
    }

    /// Takes a top of which nothing follows: tells whether [`Gate::observe`] would only note its time, which is done then. What it says
    /// of a time it would have said of those since the last event, too.
    #[inline]
    pub fn pass(&mut self, view: &View<'_>) -> bool {
        let passes = self.mode.closed.is_none()
            && !self.silence_told
            && self.exposure_max.is_some()
            && self.guard.has_seen(view.inventory_epoch)
            && self.is_calm_but_for_silence(view);
        if passes {
            self.last_market = view.now;
        }
        passes
    }

    /// Tells once that the market is silent, and once that it is not any more.
    fn tell_silence(&mut self, view: &View<'_>, out: &mut Actions) {
        let silence = view.now.since(self.last_market);
        let silent = silence > self.cfg.stale_after && self.last_market != Time::ZERO;
        if silent == self.silence_told || !silent && view.top.is_none() {
            return;
        }
        self.silence_told = silent;
        if silent {
            let text = format_args!("no market data for {} s; opening orders are withdrawn", silence.as_secs());
            say(out, view, Severity::Warning, AlertCode::Stale, &text);
        } else {
            say(out, view, Severity::Info, AlertCode::Stale, &"market data is back");
        }
    }

    /// The first reason that has resting orders withdrawn; without one the first of those that only withhold new ones.
    fn judge(&self, view: &View<'_>) -> Option<Closed> {
        // The usual case first: this is asked at every price.
        if self.is_calm(view) {
            return None;
        }
        let [lock, liquidation, funding] = self.guard.rules().map(|rule| rule.map(Closed::Rule));
        let stale = view.top.is_none() || view.now.since(self.last_market) > self.cfg.stale_after;
        let reasons = [
            self.halted.then_some(Closed::Halted),
            self.paused.then_some(Closed::Paused),
            lock,
            self.lease.and_then(|l| l.demand).map(|demand| Closed::Rule(demand.rule)),
            liquidation,
            funding,
            (view.instrument.trading != plimsoll_market::Trading::Open).then_some(Closed::NotTrading),
            stale.then_some(Closed::Stale),
            (!view.in_step).then_some(Closed::NotInStep),
            self.records_full.then_some(Closed::RecordsFull),
            self.memory_short.then_some(Closed::MemoryShort),
            self.lease.is_none_or(|l| l.until <= view.now).then_some(Closed::NoLease),
        ];
        let mut reasons = reasons.into_iter().flatten();
        let first = reasons.next()?;
        if first.withdraws() { Some(first) } else { reasons.find(|reason| reason.withdraws()).or(Some(first)) }
    }

    /// Whether nothing at all closes the gate.
    #[inline]
    fn is_calm(&self, view: &View<'_>) -> bool {
        self.is_calm_but_for_silence(view) && view.top.is_some() && view.now.since(self.last_market) <= self.cfg.stale_after
    }

    #[inline]
    fn is_calm_but_for_silence(&self, view: &View<'_>) -> bool {
        !(self.halted | self.paused | self.records_full | self.memory_short)
            && view.in_step
            && self.lease.is_some_and(|lease| lease.demand.is_none() && lease.until > view.now)
            && self.guard.is_calm()
            && view.instrument.trading == plimsoll_market::Trading::Open
    }

    /// When the verdict may change though nothing happens.
    pub fn wake_at(&self) -> Option<Time> {
        let stale = (self.mode.closed.is_none()).then(|| self.last_market + self.cfg.stale_after + Duration::from_millis(1));
        let lease = self.lease.map(|l| l.until).filter(|_| self.mode.closed.is_none());
        Time::earliest(Time::earliest(stale, lease), self.guard.wake_at())
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
            if !order.reduce_only {
                exposure += (order.price * order.open_qty()).units();
            }
        }
        let band = Band::of(view);
        let few = Few::of(&self.cfg.guard, view, matched);
        if self.mode.closed.is_none()
            && !(view.is_opposed(Side::Buy) || view.is_opposed(Side::Sell))
            && let Some(all) = self.all_pass(quotes.clone(), exposure, exposure_max, &band, few, view)
        {
            return Cleared { allowed: all, tolerated: all, opposed: false };
        }
        self.clear_each(quotes, exposure, exposure_max, &band, few, view)
    }

    /// All quotes' bits, when sums and extremes already show that each passes: the usual case, at a fraction of the work.
    #[inline]
    fn all_pass(
        &self,
        quotes: impl Iterator<Item = Wanted>,
        mut exposure: i128,
        exposure_max: i128,
        band: &Band,
        few: Option<Few>,
        view: &View<'_>,
    ) -> Option<u64> {
        let (mut highest_buy, mut lowest_sell, mut all, mut opening) = (Price::ZERO, None::<Price>, 0_u64, 0_u32);
        let mut largest = 0;
        for wanted in quotes {
            all = all << 1 | 1;
            if !wanted.reduce_only {
                opening += 1;
                let value = wanted.value(view);
                largest = largest.max(value);
                exposure += value;
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
        let few_enough = few.is_none_or(|few| opening <= few.layers && all.count_ones() as usize <= few.orders);
        let pass = few_enough
            && exposure <= exposure_max
            && largest <= self.order_max
            && band.allows(Side::Buy, highest_buy)
            && lowest_sell.is_none_or(|p| band.allows(Side::Sell, p));
        pass.then_some(all)
    }

    fn clear_each(
        &self,
        quotes: impl Iterator<Item = Wanted> + Clone,
        mut exposure: i128,
        exposure_max: i128,
        band: &Band,
        few: Option<Few>,
        view: &View<'_>,
    ) -> Cleared {
        let open = self.mode.closed;
        let (near, mut layers) = few.map_or((u64::MAX, u32::MAX), |few| (few.nearest(quotes.clone(), view), few.layers));
        let mut allowed: u64 = 0;
        let mut tolerated: u64 = 0;
        let mut opposed = false;
        // Orders that work and get no share: they count until they are gone.
        let mut leaving = 0;
        for (i, wanted) in quotes.clone().enumerate() {
            let bit = 1_u64 << i;
            let value = wanted.value(view);
            let opens = wanted.works && !wanted.reduce_only;
            if near & bit == 0 {
                leaving += if opens { value } else { 0 };
                continue;
            }
            // What works already has passed, and is not sent again.
            if !wanted.works
                && !wanted.price.is_zero()
                && view.instrument.check_limit(wanted.price, wanted.qty, wanted.reduce_only).is_err()
            {
                continue;
            }
            if !band.allows(wanted.side, wanted.price) {
                tolerated |= bit;
                leaving += if opens { value } else { 0 };
                continue;
            }
            if wanted.reduce_only {
                allowed |= bit;
                continue;
            }
            if view.is_opposed(wanted.side) {
                opposed = true;
                leaving += if opens { value } else { 0 };
                continue;
            }
            if exposure + value > exposure_max || value > self.order_max || layers == 0 {
                leaving += if opens { value } else { 0 };
                continue;
            }
            exposure += value;
            layers -= 1;
            match open {
                None => allowed |= bit,
                Some(closed) if !closed.withdraws() => tolerated |= bit,
                Some(_) => {}
            }
        }
        if exposure + leaving > exposure_max {
            allowed &= !Self::without_room(quotes, allowed, exposure + leaving - exposure_max, view);
        }
        Cleared { allowed, tolerated: allowed | tolerated, opposed }
    }

    /// The new opening quotes that must wait until orders worth `excess` are gone: the least wanted first, so that whoever is
    /// wanted most gets the room that there is.
    fn without_room(quotes: impl Iterator<Item = Wanted> + Clone, allowed: u64, excess: i128, view: &View<'_>) -> u64 {
        let fresh = |(i, wanted): &(usize, Wanted)| allowed & 1 << i != 0 && !wanted.works && !wanted.reduce_only;
        let value = |wanted: Wanted| wanted.value(view);
        let mut room = quotes.clone().enumerate().filter(fresh).map(|(_, wanted)| value(wanted)).sum::<i128>() - excess;
        let mut waits = 0;
        for (i, wanted) in quotes.enumerate().filter(fresh) {
            room -= value(wanted);
            if room < 0 {
                waits |= 1 << i;
            }
        }
        waits
    }
}

/// Money in the units of a symbol's notionals.
fn own_units(money: i128, view: &View<'_>) -> i128 {
    let scale = view.instrument.price_scale + view.instrument.qty_scale;
    plimsoll_market::rescale(money, plimsoll_market::limits::MONEY_SCALE, scale, Round::Down).unwrap_or(0)
}

impl Wanted {
    /// What it would come to at worst: by its limit, at market by the best ask, and a sell that takes by the best bid, which pays more
    /// than its limit.
    #[inline]
    fn value(&self, view: &View<'_>) -> i128 {
        let top = |of: fn(&Top) -> Price| view.top.map_or(Price::ZERO, of);
        let price = match self.side {
            _ if self.price.is_zero() => top(|top| top.ask),
            Side::Buy => self.price,
            Side::Sell => self.price.max(top(|top| top.bid)),
        };
        (price * self.qty).units()
    }
}

/// Limits of numbers of orders, when one of them may be reached.
#[derive(Clone, Copy)]
struct Few {
    /// Orders that may open something more.
    layers: u32,
    /// Orders that may work.
    orders: usize,
}

impl Few {
    fn of(cfg: &GuardConfig, view: &View<'_>, matched: u64) -> Option<Self> {
        if cfg.layers_max == 0 && cfg.orders_max == 0 {
            return None;
        }
        let layers = match cfg.layers_max {
            0 => u32::MAX,
            most => {
                let serving = view.orders.except(matched).filter(|(_, o)| !o.reduce_only).count();
                u32::from(most).saturating_sub(view.slots.holding_count()).saturating_sub(serving as u32)
            }
        };
        let orders = if cfg.orders_max == 0 { QUOTES_MAX } else { usize::from(cfg.orders_max) };
        // With room for every quote that there can be, none of the limits is reached.
        (layers < QUOTES_MAX as u32 || orders < QUOTES_MAX).then_some(Self { layers, orders })
    }

    /// The bits of the quotes nearest to the price, as many as may work; orders at market are nearest of all.
    fn nearest(self, quotes: impl Iterator<Item = Wanted> + Clone, view: &View<'_>) -> u64 {
        let count = quotes.clone().count();
        if count <= self.orders {
            return u64::MAX;
        }
        let middle = view.top.map_or(Price::ZERO, |top| top.mid()).units();
        let far = |price: Price| if price.is_zero() { 0 } else { price.units().abs_diff(middle) };
        let mut by_distance: arrayvec::ArrayVec<(u64, u8), QUOTES_MAX> =
            quotes.take(QUOTES_MAX).enumerate().map(|(i, q)| (far(q.price), i as u8)).collect();
        by_distance.sort_unstable();
        by_distance.iter().take(self.orders).fold(0, |bits, (_, i)| bits | 1 << i)
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
