//! The rules of one symbol: what has its position closed, and what locks it against opening.

use crate::limits::{MARGIN_LOCK_MAX, REFUSAL_LOCK_MAX};
use crate::trips::{Percent, Protections, Trips};
use core::fmt::Display;
use core::time::Duration;
use plimsoll_market::{
    Action, Actions, Alert, AlertCode, Command, Event, Lock, MarkPrice, OrderStatus, RefPrice, Reject, Request, Round, Rule, Severity,
    Side, Time,
};
use plimsoll_position::View;

/// Refusals of the same kind in a row that lock the symbol, first for [`REJECTIONS_LOCK`].
pub const REJECTIONS_MAX: u8 = 5;
/// First pause after such refusals; doubled each time until an order is taken.
pub const REJECTIONS_LOCK: Duration = Duration::from_secs(60);
/// Pause after orders were withdrawn too often.
pub const CHURN_LOCK: Duration = Duration::from_secs(60);

/// The rules of a symbol. Shares are in millionths; zero turns a rule off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GuardConfig {
    /// Loss of the holding, as a share of what it cost, at which the whole position is closed.
    pub stop_loss: u32,
    /// How long nothing is opened then; `None`: until an operator re-arms.
    pub stop_loss_pause: Option<Duration>,
    /// Profit of the holding, as a share of what it cost, from which on it is trailed.
    pub take_profit: u32,
    /// Fall of that share from its peak at which the position is closed; zero closes at [`GuardConfig::take_profit`].
    pub trailing: u32,
    /// How long nothing is opened after a profit was taken.
    pub take_profit_pause: Duration,
    /// The most that one opening order may be worth, units of 1e-8 of the quote asset; what is larger is not sent.
    pub order_max: i128,
    /// Slots that may hold something or buy at the same time.
    pub layers_max: u16,
    /// Orders that may work at the same time; the farthest from the price give way.
    pub orders_max: u8,
    /// Distance of mark and liquidation price, as a share of the mark price, below which nothing more is opened.
    pub liquidation: u32,
    /// Funding rate that the holding would pay, above which nothing more is opened before the payment.
    pub funding: u32,
    /// How long before the payment.
    pub funding_before: Duration,
    /// First pause after a refusal for want of margin; doubled with each, up to five minutes.
    pub margin_lock: Duration,
    /// Orders withdrawn in a minute above which nothing new is placed for a minute.
    pub cancels_per_minute: u32,
    /// Protections.
    pub protections: Protections,
}

impl GuardConfig {
    /// Every rule off, but refusals for want of margin, which pause for ten seconds.
    pub const OFF: Self = Self {
        stop_loss: 0,
        stop_loss_pause: None,
        take_profit: 0,
        trailing: 0,
        take_profit_pause: Duration::ZERO,
        order_max: 0,
        layers_max: 0,
        orders_max: 0,
        liquidation: 0,
        funding: 0,
        funding_before: Duration::ZERO,
        margin_lock: Duration::from_secs(10),
        cancels_per_minute: 0,
        protections: Protections { stoploss_guard: None, loss_guard: None, low_profit: None, cooldown: None },
    };
}

/// What the rules remember.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Guard {
    pub(crate) cfg: GuardConfig,
    pub(crate) lock: Option<Lock>,
    /// The rule that is closing the position, until it is flat.
    closing: Option<Rule>,
    /// Highest return of the holding, in millionths of its cost.
    peak: i64,
    liquidation: RefPrice,
    /// The side of the position that it belongs to.
    side: Option<Side>,
    liquidation_near: bool,
    funding_dear: bool,
    margin_refusals: u8,
    /// Until then an order that is taken does not prove that margin suffices: the next one may be one too many again.
    margin_calm_at: Time,
    refused: Option<(Reject, u8)>,
    refusal_locks: u8,
    minute: Time,
    canceled: u32,
    epoch: u64,
    trips: Trips,
}

impl Guard {
    pub(crate) fn new(cfg: GuardConfig, lock: Option<Lock>) -> Self {
        Self {
            cfg,
            lock,
            closing: None,
            peak: 0,
            liquidation: RefPrice::ZERO,
            side: None,
            liquidation_near: false,
            funding_dear: false,
            margin_refusals: 0,
            margin_calm_at: Time::ZERO,
            refused: None,
            refusal_locks: 0,
            minute: Time::ZERO,
            canceled: 0,
            epoch: 0,
            trips: Trips::default(),
        }
    }

    /// Whether no rule withholds anything.
    #[inline]
    pub(crate) const fn is_calm(&self) -> bool {
        self.lock.is_none() && !self.liquidation_near && !self.funding_dear
    }

    /// Whether it knows what is held since this epoch.
    #[inline]
    pub(crate) const fn has_seen(&self, epoch: u64) -> bool {
        self.epoch == epoch
    }

    /// The rules that stop opening now.
    #[inline]
    pub(crate) fn rules(&self) -> [Option<Rule>; 3] {
        let lock = self.lock.map(|lock| lock.rule);
        [lock, self.liquidation_near.then_some(Rule::Liquidation), self.funding_dear.then_some(Rule::Funding)]
    }

    /// Takes what happened; tells a rule that demands that the position be closed.
    #[inline]
    pub(crate) fn observe(&mut self, event: &Event, view: &View<'_>, out: &mut Actions) -> Option<Rule> {
        if let Some(lock) = self.lock
            && !lock.holds(view.now)
        {
            self.lock = None;
            // Whether margin suffices again only the next order tells.
            if lock.rule != Rule::Margin {
                say(out, view, Severity::Info, AlertCode::Risk, &format_args!("{} is over; opening goes on", lock.rule.as_str()));
            }
        }
        if self.epoch != view.inventory_epoch {
            self.epoch = view.inventory_epoch;
            if view.totals.holding.side() != self.side {
                // The price of another position says nothing of this one; the next snapshot tells it.
                (self.side, self.liquidation) = (view.totals.holding.side(), RefPrice::ZERO);
            }
            self.inventory(view, out);
        }
        match event {
            Event::Mark(mark) => return self.marked(mark, view, out),
            Event::Snapshot(snapshot) => self.liquidation = snapshot.position.liquidation,
            Event::Rejected { request: Request::Place, reason, .. } => self.rejected(*reason, view, out),
            Event::Order(report) if report.status == OrderStatus::New => {
                if self.margin_refusals > 0 && !report.reduce_only && view.now >= self.margin_calm_at {
                    self.margin_refusals = 0;
                    say(out, view, Severity::Info, AlertCode::Risk, &"margin_short is over: an order was taken");
                }
                (self.refused, self.refusal_locks) = (None, 0);
            }
            Event::Command(Command::Rearm) => {
                if let Some(lock) = self.lock.take() {
                    say(out, view, Severity::Info, AlertCode::Command, &format_args!("{} was lifted by an operator", lock.rule.as_str()));
                }
                (self.margin_refusals, self.refused, self.refusal_locks) = (0, None, 0);
                self.trips.clear();
            }
            Event::Top(_)
            | Event::Trade(_)
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
            | Event::Shutdown(_) => {}
        }
        None
    }

    /// Locks the symbol, unless a longer lock holds already.
    pub(crate) fn lock(&mut self, lock: Lock) -> bool {
        let longer = self.lock.map_or(lock, |old| old.longer(lock));
        let changed = self.lock != Some(longer);
        self.lock = Some(longer);
        changed
    }

    /// What is held changed: trades are counted, and a closing may be over.
    fn inventory(&mut self, view: &View<'_>, out: &mut Actions) {
        let protected = self.cfg.protections != Protections::default();
        if protected {
            let stopped = self.closing == Some(Rule::StopLoss);
            for action in out.as_slice() {
                if let Action::Record(record) = action
                    && let Some(booked) = record.fill.as_ref().filter(|b| b.realized != 0 || b.slot_realized != 0)
                {
                    let stake = view.instrument.amount(booked.fill.price * booked.fill.qty, Round::Down).map_or(0, |a| a.units);
                    self.trips.add(view.now, booked, stake, stopped);
                }
            }
        }
        if view.totals.holding.is_flat() {
            self.peak = 0;
            self.liquidation_near = false;
            if self.closing.take().is_some()
                && let Some(pause) = self.cfg.protections.cooldown
            {
                let lock = Lock { rule: Rule::Cooldown, until: Some(view.now + pause) };
                if self.lock(lock) {
                    say(out, view, Severity::Info, AlertCode::Risk, &format_args!("cooldown: nothing is opened for {} s", pause.as_secs()));
                }
            }
        }
        if protected && let Some((lock, why)) = self.trips.judge(view.now, &self.cfg.protections) {
            self.trips.clear();
            if self.lock(lock) {
                let text = format_args!("{}: {why}; nothing is opened {}", lock.rule.as_str(), For(view.now, lock.until));
                say(out, view, Severity::Warning, AlertCode::Risk, &text);
            }
        }
    }

    fn marked(&mut self, mark: &MarkPrice, view: &View<'_>, out: &mut Actions) -> Option<Rule> {
        let holding = view.totals.holding;
        if holding.is_flat() {
            self.funding_dear = false;
            return None;
        }
        self.look_at_liquidation(mark, view, out);
        self.look_at_funding(mark, view, out);
        if self.closing.is_some() || self.cfg.stop_loss == 0 && self.cfg.take_profit == 0 {
            return None;
        }
        let price = view.instrument.price_of_ref(mark.mark, Round::Nearest)?;
        let cost = view.totals.cost.units();
        // What was taken over without a price has no return.
        if cost == 0 {
            return None;
        }
        let gain = (price * holding).units() - cost;
        let share = i64::try_from(gain.saturating_mul(1_000_000) / cost.abs()).unwrap_or(i64::MIN);
        if self.cfg.stop_loss != 0 && share <= -i64::from(self.cfg.stop_loss) {
            let until = self.cfg.stop_loss_pause.map(|pause| view.now + pause);
            let lock = Lock { rule: Rule::StopLoss, until };
            self.lock(lock);
            let text = format_args!(
                "stop_loss: {} at the mark price {} is {} % of its cost, limit -{} %; the position is closed, nothing is opened {}",
                view.instrument.show_holding(holding),
                mark.mark,
                Percent(share.into()),
                Percent(self.cfg.stop_loss.into()),
                For(view.now, until)
            );
            say(out, view, Severity::Critical, AlertCode::Risk, &text);
            self.closing = Some(Rule::StopLoss);
            return self.closing;
        }
        self.peak = self.peak.max(share);
        if self.cfg.take_profit != 0 && self.peak >= i64::from(self.cfg.take_profit) && self.peak - share >= i64::from(self.cfg.trailing) {
            if !self.cfg.take_profit_pause.is_zero() {
                self.lock(Lock { rule: Rule::TakeProfit, until: Some(view.now + self.cfg.take_profit_pause) });
            }
            let text = format_args!(
                "take_profit: a return of {} % fell to {} %, trailing {} %; the position is closed",
                Percent(self.peak.into()),
                Percent(share.into()),
                Percent(self.cfg.trailing.into())
            );
            say(out, view, Severity::Warning, AlertCode::Risk, &text);
            self.closing = Some(Rule::TakeProfit);
            return self.closing;
        }
        None
    }

    /// Nothing is being closed any more, however it ended: what is still beyond a limit may fire again.
    pub(crate) const fn closing_over(&mut self) {
        self.closing = None;
    }

    /// Whether the position is being closed.
    pub(crate) const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// The engine closes the position at somebody's word: no rule need demand it again.
    pub(crate) fn closes(&mut self, rule: Option<Rule>) {
        self.closing = self.closing.or(rule).or(Some(Rule::Cooldown));
    }

    fn look_at_liquidation(&mut self, mark: &MarkPrice, view: &View<'_>, out: &mut Actions) {
        if self.cfg.liquidation == 0 {
            return;
        }
        let (price, end) = (i128::from(mark.mark.units()), i128::from(self.liquidation.units()));
        // A tenth more than the limit, once it was passed.
        let limit = i128::from(self.cfg.liquidation) * if self.liquidation_near { 11 } else { 10 };
        let near = end > 0 && (price - end).abs() * 10_000_000 < price * limit;
        if near != self.liquidation_near {
            self.liquidation_near = near;
            let word = if near { "nothing more is opened" } else { "opening goes on" };
            let away = Percent((price - end).abs() * 1_000_000 / price.max(1));
            let limit = Percent(self.cfg.liquidation.into());
            let text = format_args!(
                "liquidation_near: mark {} and liquidation {} are {away} % apart, limit {limit} %; {word}",
                mark.mark, self.liquidation
            );
            say(out, view, if near { Severity::Critical } else { Severity::Info }, AlertCode::Liquidation, &text);
        }
    }

    fn look_at_funding(&mut self, mark: &MarkPrice, view: &View<'_>, out: &mut Actions) {
        if self.cfg.funding == 0 {
            return;
        }
        // Those who are long pay a positive rate.
        let pays = mark.funding.map_or(0, |rate| if view.totals.holding.units() > 0 { rate.ppm() } else { -rate.ppm() });
        let due = mark.next_funding > view.now && mark.next_funding.since(view.now) <= self.cfg.funding_before;
        let dear = due && i64::from(pays) > i64::from(self.cfg.funding);
        if dear != self.funding_dear {
            self.funding_dear = dear;
            let word = if dear { "nothing more is opened until it is paid" } else { "opening goes on" };
            let (rate, limit) = (Percent(pays.into()), Percent(self.cfg.funding.into()));
            say(
                out,
                view,
                Severity::Info,
                AlertCode::Risk,
                &format_args!("funding_cost: the holding pays {rate} % at the next funding, limit {limit} %; {word}"),
            );
        }
    }

    fn rejected(&mut self, reason: Reject, view: &View<'_>, out: &mut Actions) {
        match reason {
            // The market's and the exchange's ordinary course: each leg waits by itself.
            Reject::WouldTake | Reject::Busy | Reject::RateLimited | Reject::Duplicate => {}
            Reject::Margin => {
                // Those that were on their way with the first one say nothing new.
                if self.lock.is_some_and(|lock| lock.rule == Rule::Margin) {
                    return;
                }
                let pause = self.cfg.margin_lock.saturating_mul(1 << self.margin_refusals.min(8)).min(MARGIN_LOCK_MAX);
                let lock = Lock { rule: Rule::Margin, until: Some(view.now + pause) };
                self.margin_calm_at = view.now + pause * 2;
                if self.lock(lock) && self.margin_refusals == 0 {
                    let text = format_args!(
                        "margin_short: the exchange refuses for want of margin; opening orders are withdrawn, tried again in {} s",
                        pause.as_secs()
                    );
                    say(out, view, Severity::Warning, AlertCode::OrderRefused, &text);
                }
                self.margin_refusals = self.margin_refusals.saturating_add(1);
            }
            Reject::NothingToReduce
            | Reject::Filter
            | Reject::TooManyOrders
            | Reject::Closed
            | Reject::Restricted
            | Reject::Stamp
            | Reject::Permission
            | Reject::Other(_) => {
                let times = match self.refused {
                    Some((last, n)) if last == reason => n.saturating_add(1),
                    _ => 1,
                };
                self.refused = Some((reason, times));
                if times < REJECTIONS_MAX {
                    return;
                }
                let pause = REJECTIONS_LOCK.saturating_mul(1 << self.refusal_locks.min(8)).min(REFUSAL_LOCK_MAX);
                (self.refusal_locks, self.refused) = (self.refusal_locks.saturating_add(1), None);
                if self.lock(Lock { rule: Rule::Rejections, until: Some(view.now + pause) }) {
                    let text = format_args!("rejections: {times} times in a row {reason:?}; nothing is opened for {} s", pause.as_secs());
                    say(out, view, Severity::Critical, AlertCode::OrderRefused, &text);
                }
            }
        }
    }

    /// Counts withdrawn orders.
    pub(crate) fn canceled(&mut self, count: u32, view: &View<'_>, out: &mut Actions) {
        const MINUTE: Duration = Duration::from_secs(60);
        if count == 0 || self.cfg.cancels_per_minute == 0 {
            return;
        }
        if view.now.since(self.minute) >= MINUTE {
            (self.minute, self.canceled) = (view.now, 0);
        }
        let before = self.canceled;
        self.canceled += count;
        if before <= self.cfg.cancels_per_minute && self.canceled > self.cfg.cancels_per_minute {
            self.lock(Lock { rule: Rule::Churn, until: Some(view.now + CHURN_LOCK) });
            let text = format_args!(
                "order_churn: {} orders withdrawn within a minute, limit {}; nothing new is placed for {} s",
                self.canceled,
                self.cfg.cancels_per_minute,
                CHURN_LOCK.as_secs()
            );
            say(out, view, Severity::Warning, AlertCode::Risk, &text);
        }
    }

    /// When a lock ends.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        self.lock.and_then(|lock| lock.until)
    }
}

/// Tells a human, if there is room: a rule acts whether or not somebody hears of it.
pub(crate) fn say(out: &mut Actions, view: &View<'_>, severity: Severity, code: AlertCode, text: &dyn Display) {
    if out.room() > 0 {
        let text = format_args!("{}: {text}", view.instrument.symbol);
        out.push(Action::Alert(Box::new(Alert::new(severity, code, view.now, &text))));
    }
}

/// How long a lock holds, in words.
pub(crate) struct For(pub(crate) Time, pub(crate) Option<Time>);

impl Display for For {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.1 {
            Some(until) => write!(f, "for {} s", until.since(self.0).as_secs()),
            None => f.write_str("until it is re-armed"),
        }
    }
}
