mod closing;
mod status;
mod tell;

use crate::countdown::Countdown;
use crate::limits::{BOOKS_ROOM, RECONCILE_ROOM};
use crate::reconcile::{Budget, reconcile};
use core::time::Duration;
use plimsoll_market::{
    Action, Actions, Alert, AlertCode, ClientId, Command, Event, Instrument, Memo, Phase, Round, Rule, Severity, Spacing, StateRecord,
    StopMode, Symbol, Time, Top, Totals, format_units,
};
use plimsoll_position::{Changes, Position, PositionConfig, Restored, WorkState};
use plimsoll_safety::{Closed, Gate, GateConfig};
use plimsoll_strategy::{Intent, Quotes, Strategy};
use thiserror::Error;

/// Pause before a held-back order or an unanswered verification is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// What an engine must be told.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EngineConfig {
    /// Identity and request window.
    pub position: PositionConfig,
    /// The gate's limits.
    pub gate: GateConfig,
    /// How the levels of the strategy's grid lie; the anchor is only valid with it.
    pub interval: Spacing,
    /// The exchange's own switch: it withdraws the symbol's orders when it has not been told for so long that we live. `None`
    /// leaves it alone.
    pub countdown: Option<Countdown>,
}

/// What storage brings back at boot.
#[derive(Clone, Debug, Default)]
pub struct Boot {
    /// The last committed state.
    pub state: Option<StateRecord>,
    /// Totals and slots.
    pub books: Restored,
    /// Orders that were open when they were last stored.
    pub open_orders: usize,
}

/// Why an engine cannot be built from what was stored.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum EngineError {
    /// The interval changed while slots hold something.
    #[error(
        "{symbol}: price_interval is {now} but {slots} slots hold positions and {orders} orders may be open from an interval of {stored}; set price_interval back to {stored}, or flatten first"
    )]
    IntervalChanged {
        /// Symbol.
        symbol: String,
        /// Configured interval.
        now: String,
        /// Interval of the stored slots.
        stored: String,
        /// Slots that hold something.
        slots: usize,
        /// Orders that may be open.
        orders: usize,
    },
    /// Slots hold what another strategy opened.
    #[error(
        "{symbol}: {slots} slots hold positions of strategy {number}, which {now} would never close; set the strategy back, or flatten first"
    )]
    OtherStrategy {
        /// Symbol.
        symbol: Symbol,
        /// Slots that hold something of it.
        slots: usize,
        /// Its number.
        number: u8,
        /// The configured strategy.
        now: &'static str,
    },
}

/// As it is configured: a distance, or a ratio in percent.
fn show_spacing(instrument: &Instrument, spacing: Spacing) -> String {
    match spacing {
        Spacing::Even(interval) => instrument.show_price(interval).to_string(),
        Spacing::Ratio(ratio) => format!("{} %", format_units(i128::from(ratio), 4)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Goal {
    Trade,
    /// Nothing is to work until an operator resumes.
    Idle,
    /// Withdraw all and close the position; then idle.
    Flatten,
    /// The same by a rule; then trade on as far as its lock allows, or idle, when an operator wanted nothing to work.
    Close {
        idle: bool,
    },
    /// Trade on without opening, and tell when nothing is left.
    Drain,
    Stop(StopMode),
}

/// What an earlier process or engine may have sent and the exchange not yet taken: until the receive window is over an order
/// can appear that no snapshot has shown, and its leg must not get a second one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Quiet {
    /// Nothing was ever sent before.
    Over,
    /// To begin with the first event.
    Due,
    /// Nothing is placed before then.
    Until(Time),
    /// The window is over; a snapshot asked for since then must come.
    Asked(Time),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Verify {
    No,
    /// Asked the exchange for its open orders then.
    Asked(Time),
}

/// Trades one symbol of one account.
///
/// Call [`Engine::on_event`] for everything that happens, in order, and carry out all actions before the next event.
/// When [`Engine::wake_at`] has come and nothing happened, pass [`Event::Wake`].
///
/// # Bounds
/// Fixed memory: [`Engine::bytes`]. No allocation on the path from a market event to an order.
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Engine {
    position: Position,
    gate: Gate,
    #[cfg_attr(feature = "serde", serde(with = "plimsoll_strategy::saved"))]
    strategy: Box<dyn Strategy>,
    quotes: Quotes,
    cfg: EngineConfig,
    phase: Phase,
    goal: Goal,
    verify: Verify,
    quiet: Quiet,
    state: StateRecord,
    committed: u64,
    anchored: bool,
    budget: Budget,
    /// What was held when the quotes were written: they say nothing about what has been bought or sold since.
    wanted_epoch: u64,
    /// Lines 4 and 5 are still to be done.
    dirty: bool,
    /// An order that is not wanted is on its way.
    blocked: bool,
    retry_at: Option<Time>,
    placed: u64,
    canceled: u64,
    rejected: u64,
    slots_cleaned: u64,
    /// Whether the exchange's switch is armed, and when it is to be told again.
    armed: bool,
    arm_at: Time,
    /// Told that openings are withheld because of what somebody else holds.
    opposed: bool,
    /// Told that something is held while the strategy's figures are not there.
    cold: bool,
}

impl Engine {
    /// Builds an engine from configuration and what was stored.
    ///
    /// # Errors
    /// When the stored slots do not fit the configuration.
    pub fn new(instrument: Instrument, cfg: EngineConfig, mut strategy: Box<dyn Strategy>, boot: &Boot) -> Result<Self, EngineError> {
        let blank = StateRecord {
            version: 0,
            anchor: None,
            interval: cfg.interval,
            baseline: None,
            paused: false,
            halted: false,
            lock: None,
            closing: false,
            idle: false,
            memo: Memo::NONE,
        };
        let mut state = boot.state.unwrap_or(blank);
        Self::check_boot(&instrument, cfg.interval, boot)?;
        if state.interval != cfg.interval {
            state = StateRecord { anchor: None, interval: cfg.interval, memo: Memo::NONE, ..state };
        }
        let mut books = boot.books.clone();
        if books.totals.is_none() && state.baseline.is_some() {
            books.totals = Some(Totals { watermark: state.baseline, ..Totals::EMPTY });
        }
        // What was stored before there was a baseline gets one before it trades.
        let anchored = state.anchor.is_some() && state.baseline.is_some();
        if let Some(anchor) = state.anchor {
            strategy.anchored(anchor);
        }
        strategy.recall(state.memo);
        let mut gate = Gate::new(cfg.gate, state.paused, state.halted, state.lock);
        // What a dead process has begun to close is closed.
        let goal = match (state.closing, state.idle) {
            (false, false) => Goal::Trade,
            (false, true) => Goal::Idle,
            (true, idle) => Goal::Close { idle },
        };
        if state.closing {
            gate.closes(state.lock.map(|lock| lock.rule));
        }
        Ok(Self {
            position: Position::new(instrument, cfg.position, Some(&books)),
            gate,
            strategy,
            quotes: Quotes::new(),
            cfg,
            phase: if state.halted { Phase::Halted } else { Phase::Booting },
            goal,
            verify: Verify::No,
            quiet: if boot.state.is_some() { Quiet::Due } else { Quiet::Over },
            state,
            committed: state.version,
            anchored,
            budget: Budget::default(),
            wanted_epoch: 0,
            dirty: false,
            blocked: false,
            retry_at: None,
            placed: 0,
            canceled: 0,
            rejected: 0,
            slots_cleaned: 0,
            // An engine before this one may have armed it.
            armed: cfg.countdown.is_some() && boot.state.is_some(),
            arm_at: Time::ZERO,
            opposed: false,
            cold: false,
        })
    }

    /// Looks whether what was stored fits a configured interval.
    ///
    /// # Errors
    /// When slots hold something, or orders may be open, of another interval.
    pub fn check_boot(instrument: &Instrument, interval: Spacing, boot: &Boot) -> Result<(), EngineError> {
        let Some(state) = boot.state.filter(|state| state.interval != interval) else { return Ok(()) };
        let slots = boot.books.slots.iter().filter(|s| !s.held.is_zero()).count();
        // An order that still rests may have filled since: its level means something only on its own grid.
        if slots == 0 && boot.open_orders == 0 {
            return Ok(());
        }
        Err(EngineError::IntervalChanged {
            symbol: instrument.symbol.to_string(),
            now: show_spacing(instrument, interval),
            stored: show_spacing(instrument, state.interval),
            slots,
            orders: boot.open_orders,
        })
    }

    /// Looks whether everything that is held was opened by a strategy, so that it will be closed by it.
    ///
    /// # Errors
    /// When something is another's.
    pub fn check_owner(instrument: &Instrument, strategy: &dyn Strategy, boot: &Boot) -> Result<(), EngineError> {
        let mut others =
            boot.books.slots.iter().filter(|slot| !slot.held.is_zero() && !strategy.owns(slot.leg)).map(|slot| slot.leg.strategy());
        let Some(number) = others.next() else { return Ok(()) };
        Err(EngineError::OtherStrategy { symbol: instrument.symbol, slots: others.count() + 1, number, now: strategy.name() })
    }

    /// Checks that nothing of the books as they are now, slots and orders that open, belongs to another strategy.
    ///
    /// # Errors
    /// Somebody else's slot or order: a fill of it would have nobody who closes it.
    pub fn check_successor(&self, strategy: &dyn Strategy, now: Time) -> Result<(), EngineError> {
        let view = self.position.view(now);
        let slots = view.slots.iter().filter(|slot| !slot.held.is_zero()).map(|slot| slot.leg);
        let orders = view.orders.iter().map(|(_, order)| order.id.leg()).filter(|leg| leg.opening().is_some());
        let mut others = slots.chain(orders).filter(|leg| !strategy.owns(*leg)).map(|leg| leg.strategy());
        let Some(number) = others.next() else { return Ok(()) };
        Err(EngineError::OtherStrategy { symbol: view.instrument.symbol, slots: others.count() + 1, number, now: strategy.name() })
    }

    /// Goes by other rules from now on, without forgetting anything.
    pub fn adopt(&mut self, gate: GateConfig, countdown: Option<Countdown>) {
        self.gate.adopt(gate);
        (self.cfg.gate, self.cfg.countdown) = (gate, countdown);
        self.dirty = true;
    }

    /// Bytes an engine takes, its strategy included.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + Position::BYTES - size_of::<Position>() + self.strategy.bytes()
    }

    /// Where the engine is in its life.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Why nothing may be opened now; `None` when it may.
    pub const fn closed(&self) -> Option<Closed> {
        self.gate.closed()
    }

    /// The books, for comparisons and display.
    pub const fn position(&self) -> &Position {
        &self.position
    }

    /// When [`Event::Wake`] must come if nothing else does.
    pub fn wake_at(&self) -> Option<Time> {
        Time::earliest(self.position.wake_at(), self.wake_beside_books())
    }

    /// [`Engine::wake_at`] without what the books wait for: that only changes with actions and with events that are not of the
    /// market, so that whoever tells millions of tops remembers it.
    pub fn wake_beside_books(&self) -> Option<Time> {
        let arm = (self.phase == Phase::Trading && self.wants_arming()).then_some(self.arm_at);
        Time::earliest(Time::earliest(self.gate.wake_at(), self.retry_at), arm)
    }

    /// Takes an event and adds what must be done to `out`, which must be empty.
    ///
    /// # Panics
    /// On a bug of ours: the caller then withdraws the symbol's orders and builds the engine anew.
    pub fn on_event(&mut self, now: Time, event: &Event, out: &mut Actions) {
        assert!(out.room() >= BOOKS_ROOM, "actions of the last event were not taken");
        if let Event::Top(top) = event
            && self.pass(now, core::slice::from_ref(top))
        {
            return;
        }
        if matches!(event, Event::Rejected { .. }) {
            self.rejected += 1;
        }
        // 1: what is true.
        let changes = self.position.apply(now, event, out);
        // 2: what is allowed.
        let verdict = self.gate.observe(event, &self.position.view(now), out);
        // Of most prices nothing follows: then nothing else needs to be looked at.
        let mut steady = None;
        if matches!(event, Event::Top(_) | Event::Trade(_)) && self.is_steady(now) && verdict.close.is_none() && !verdict.changed {
            let intent = self.strategy.on_event(event, changes, &self.position.view(now), &mut self.quotes);
            if intent == Intent::Keep && self.strategy.memo() == self.state.memo {
                return;
            }
            steady = Some(intent);
        }
        if let Some(rule) = verdict.close {
            self.close_by(rule);
        }
        if changes.any(Changes::WRITER.and(Changes::DIVERGED).and(Changes::FOREIGN)) {
            self.distrust(now, changes, out);
        }
        if let Event::Lease(_) = event {
            self.budget.set_rate(self.gate.orders_per_10s(now));
        }
        // A deadline that has come is spent; what still waits sets it anew.
        let due = self.retry_at.is_some_and(|t| t <= now);
        if due {
            self.retry_at = None;
        }
        self.live(now, event, out);
        if !matches!(self.goal, Goal::Flatten | Goal::Close { .. } | Goal::Stop(_)) {
            self.gate.closing_over();
        }
        self.remember(out);
        self.arm(now, out);
        // 3: what is wanted.
        let mut changes = changes;
        if steady.is_none() && self.close_own_offsets(now, out) {
            changes.add(Changes::INVENTORY);
        }
        let intent = steady.unwrap_or_else(|| self.intend(now, event, changes));
        self.note_memo(out);
        if matches!(event, Event::Candle(_)) {
            self.tell_cold(now, out);
        }
        let epoch = self.position.view(now).inventory_epoch;
        if intent != Intent::Keep {
            self.wanted_epoch = epoch;
        }
        if intent == Intent::Flat && !self.quotes.as_slice().is_empty() {
            self.quotes.clear();
            self.dirty = true;
        }
        self.dirty |= intent == Intent::Want || verdict.changed || due || changes.any(Changes::FREED.and(Changes::RULES));
        self.dirty |= self.blocked && changes.any(Changes::ACKED);
        // Before it trades an engine sends nothing but what an operator orders: to withdraw, to close.
        let ordered =
            matches!(self.phase, Phase::Booting | Phase::Halted) && matches!(self.goal, Goal::Idle | Goal::Flatten | Goal::Close { .. });
        if !self.dirty || !(ordered || matches!(self.phase, Phase::Trading | Phase::Draining)) {
            return;
        }
        if out.room() < RECONCILE_ROOM {
            self.retry_at = Some(now);
            return;
        }
        if self.goal == Goal::Stop(StopMode::Keep) {
            self.dirty = false;
            return;
        }
        // 4: what may be wanted. 5: what must be sent.
        let current = self.wanted_epoch == epoch;
        let within = self.wanted_within_net(now);
        let quotes = within.as_ref().unwrap_or(&self.quotes);
        let outcome = reconcile(&mut self.position, &self.gate, quotes, current, &mut self.budget, now, out);
        self.blocked = outcome.blocked;
        self.placed += u64::from(outcome.placed);
        self.canceled += u64::from(outcome.canceled);
        self.gate.canceled(outcome.canceled, &self.position.view(now), out);
        self.tell_opposed(now, outcome.opposed, out);
        self.dirty = false;
        if outcome.throttled {
            self.dirty = true;
            self.retry_at = Time::earliest(self.retry_at, Some(now + RETRY));
        }
    }

    /// Takes tops that came one after the other until now and of which nothing follows, as of most; `false` has changed nothing, and
    /// they must be told as events.
    ///
    /// What it has changed is what the events would have: the top and its time. [`Engine::wake_at`] is later by it, or as it was.
    #[inline]
    pub fn pass(&mut self, now: Time, tops: &[Top]) -> bool {
        let Some(last) = tops.last() else { return true };
        let passes =
            self.is_steady(now) && tops.iter().all(|top| self.strategy.is_indifferent(top)) && self.gate.pass(&self.position.view(now));
        if passes {
            self.position.note_top(*last);
        }
        passes
    }

    /// Whether an event of the market can only concern the strategy: nothing waits, nothing is due, nothing is being ended.
    #[inline]
    fn is_steady(&self, now: Time) -> bool {
        self.phase == Phase::Trading
            && self.goal == Goal::Trade
            && !self.dirty
            && self.retry_at.is_none()
            && (self.cfg.countdown.is_none() || now < self.arm_at)
    }

    fn intend(&mut self, now: Time, event: &Event, changes: Changes) -> Intent {
        let asked = matches!(self.goal, Goal::Trade | Goal::Drain) && self.phase == Phase::Trading;
        if matches!(event, Event::Past(_)) || !asked && matches!(event, Event::Candle(_) | Event::Trade(_)) {
            self.strategy.watch(event, &self.position.view(now));
        }
        match self.goal {
            Goal::Trade | Goal::Drain if asked => {
                let view = self.position.view(now);
                self.strategy.on_event(event, changes, &view, &mut self.quotes)
            }
            Goal::Trade | Goal::Drain | Goal::Stop(StopMode::Keep) => Intent::Keep,
            Goal::Idle | Goal::Stop(StopMode::Cancel) => Intent::Flat,
            Goal::Flatten | Goal::Close { .. } | Goal::Stop(StopMode::Flatten) => self.close(now),
        }
    }

    /// The engine's own life: boot, anchor, commands, stop.
    fn live(&mut self, now: Time, event: &Event, out: &mut Actions) {
        match event {
            Event::Command(command) => self.on_command(now, *command),
            Event::Shutdown(mode) => {
                self.goal = Goal::Stop(*mode);
                if self.phase != Phase::Drained {
                    self.phase = Phase::Draining;
                    self.dirty = true;
                    self.quotes.clear();
                }
            }
            Event::Committed { version } => self.committed = self.committed.max(*version),
            Event::Top(_)
            | Event::Trade(_)
            | Event::Candle(_)
            | Event::Past(_)
            | Event::Mark(_)
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
            | Event::Lease(_)
            | Event::RecordsFull(_)
            | Event::MemoryShort(_)
            | Event::Wake => {}
        }
        match self.phase {
            Phase::Booting if matches!(self.goal, Goal::Trade | Goal::Drain) => self.boot(now, event, out),
            Phase::Booting | Phase::Halted => self.end_closing(now, out),
            Phase::Draining => self.drain(now, event, out),
            Phase::Trading if matches!(self.goal, Goal::Flatten | Goal::Close { .. } | Goal::Drain) => self.end_closing(now, out),
            Phase::Trading | Phase::Drained => {}
        }
    }

    /// Commits what the strategy must know again, when it has changed.
    fn note_memo(&mut self, out: &mut Actions) {
        let memo = self.strategy.memo();
        if memo != self.state.memo {
            self.state.memo = memo;
            self.commit(out);
        }
    }

    /// What was wanted before is void: the strategy writes anew.
    fn write_anew(&mut self) {
        self.quotes.clear();
        self.dirty = true;
        if let Some(anchor) = self.state.anchor {
            self.strategy.anchored(anchor);
        }
    }

    /// Line 2 once more: what was not known when it was written locks the symbol.
    fn judge_anew(&mut self, now: Time, out: &mut Actions) {
        let verdict = self.gate.observe(&Event::Wake, &self.position.view(now), out);
        if let Some(rule) = verdict.close {
            self.close_by(rule);
        }
        self.dirty = true;
    }

    /// Commits what a restart must know, when it has changed.
    fn remember(&mut self, out: &mut Actions) {
        // A pause of some seconds is not worth a write; what it is for is found out again.
        let lock = self.gate.lock().filter(|lock| !matches!(lock.rule, Rule::Margin | Rule::Churn));
        let closing = matches!(self.goal, Goal::Flatten | Goal::Close { .. });
        // A stop is no wish of its own: the next start goes on with what was wanted before.
        let idle = match self.goal {
            Goal::Idle | Goal::Flatten | Goal::Close { idle: true } => true,
            Goal::Trade | Goal::Drain | Goal::Close { idle: false } => false,
            Goal::Stop(_) => self.state.idle,
        };
        let closing = closing || matches!(self.goal, Goal::Stop(_)) && self.state.closing;
        let state = &mut self.state;
        // What is closed before trading ever began is booked from here on, and a start after a crash must know that.
        let begins = closing && state.baseline.is_none() && self.position.baseline().is_some();
        if begins {
            state.baseline = self.position.baseline();
        }
        if !begins
            && (state.paused, state.halted, state.lock, state.closing, state.idle)
                == (self.gate.paused(), self.gate.halted(), lock, closing, idle)
        {
            return;
        }
        (state.paused, state.halted, state.lock, state.closing, state.idle) = (self.gate.paused(), self.gate.halted(), lock, closing, idle);
        self.commit(out);
    }

    /// Whether the exchange's switch may be armed: it would withdraw orders that are not ours, too.
    fn wants_arming(&self) -> bool {
        self.cfg.countdown.is_some_and(|countdown| countdown.foreign || self.position.foreign_orders() == 0)
    }

    /// Tells the exchange's switch that this engine lives: only what comes by here proves that.
    fn arm(&mut self, now: Time, out: &mut Actions) {
        let Some(countdown) = self.cfg.countdown else { return };
        let wanted = match self.phase {
            Phase::Trading => self.wants_arming(),
            // The stop confirms by itself that nothing is open, or means to leave it open.
            Phase::Draining | Phase::Drained => false,
            // What an engine before this one has armed stays, unless it would take what is not ours.
            Phase::Booting | Phase::Halted if self.wants_arming() => return,
            Phase::Booting | Phase::Halted => false,
        };
        if wanted && now >= self.arm_at {
            // While requests do not get through the exchange counts on: that is what it is for.
            self.arm_at = now + countdown.every;
            self.armed = true;
            out.push(Action::Countdown { after: countdown.after });
        } else if !wanted && self.armed {
            self.armed = false;
            self.arm_at = now + countdown.every;
            out.push(Action::Countdown { after: Duration::ZERO });
        }
    }

    /// Whether whatever was sent before us has arrived or never will.
    fn is_quiet(&mut self, now: Time, event: &Event, out: &mut Actions) -> bool {
        match (self.quiet, event) {
            (Quiet::Over, _) => return true,
            (Quiet::Due, _) => {
                let until = now + Duration::from_millis(self.cfg.position.recv_window_ms) + RETRY * 2;
                self.quiet = Quiet::Until(until);
                self.retry_at = Some(until);
            }
            (Quiet::Until(until), _) if now < until => self.retry_at = Some(until),
            (Quiet::Until(_), _) if self.position.view(now).in_step => {
                self.quiet = Quiet::Asked(now);
                self.position.compare_now(now, out);
            }
            (Quiet::Asked(at), Event::Snapshot(snapshot)) if snapshot.asked_at >= at => {
                self.quiet = Quiet::Over;
                return true;
            }
            (Quiet::Until(_) | Quiet::Asked(_), _) => {}
        }
        false
    }

    fn boot(&mut self, now: Time, event: &Event, out: &mut Actions) {
        if !self.is_quiet(now, event, out) {
            return;
        }
        let view = self.position.view(now);
        let Some(top) = view.top.filter(|_| view.in_step) else { return };
        if !self.anchored {
            if self.state.anchor.is_none() || self.state.baseline.is_none() {
                let Some(anchor) = view.instrument.round_price(top.mid(), Round::Down).filter(|p| !p.is_zero()) else { return };
                // Both are on disk before the first order: a start after a crash finds its grid, and books every execution since.
                self.state.baseline = self.state.baseline.or(self.position.baseline());
                self.state.anchor.get_or_insert(anchor);
                self.commit(out);
                return;
            }
            if self.committed < self.state.version {
                return;
            }
            if let Some(anchor) = self.state.anchor {
                self.strategy.anchored(anchor);
                self.anchored = true;
            }
        }
        // The books agree with the exchange: whatever was foreign is gone.
        self.gate.unlock(Rule::ForeignPosition);
        self.phase = Phase::Trading;
        self.dirty = true;
        self.arm_at = now;
        // What is placed with our mark from now on is placed by us, by the exchange's own time.
        let (symbol, began) = (view.instrument.symbol, top.time);
        out.push(Action::Alert(Box::new(Alert::new(Severity::Info, AlertCode::Started, now, &format_args!("{symbol}: trading")))));
        self.position.trades_from(began);
    }

    fn commit(&mut self, out: &mut Actions) {
        self.state.version += 1;
        out.push(Action::Commit(Box::new(self.state)));
    }

    fn on_command(&mut self, now: Time, command: Command) {
        if matches!(self.goal, Goal::Stop(_)) {
            return;
        }
        match command {
            Command::Pause | Command::Resync => {}
            Command::Drain => match self.goal {
                Goal::Trade | Goal::Idle => {
                    self.goal = Goal::Drain;
                    self.write_anew();
                }
                Goal::Close { .. } => self.goal = Goal::Close { idle: true },
                Goal::Flatten | Goal::Drain | Goal::Stop(_) => {}
            },
            Command::Resume | Command::Rearm => {
                // To lift a rule's lock does not mean to resume what an operator has paused.
                let resumed = command == Command::Resume || !self.gate.paused();
                match self.goal {
                    // What a rule has begun to close is closed.
                    Goal::Close { idle } => self.goal = Goal::Close { idle: idle && !resumed },
                    _ if resumed => {
                        self.goal = Goal::Trade;
                        self.write_anew();
                    }
                    Goal::Trade | Goal::Idle | Goal::Flatten | Goal::Drain | Goal::Stop(_) => {}
                }
                if self.phase == Phase::Halted {
                    self.phase = Phase::Booting;
                }
            }
            Command::CancelAll => {
                self.goal = if matches!(self.goal, Goal::Close { .. }) { Goal::Close { idle: true } } else { Goal::Idle };
            }
            Command::Flatten => {
                self.goal = Goal::Flatten;
                self.gate.closes(None);
            }
            Command::CleanupSlots => {
                self.slots_cleaned += self.position.cleanup_empty_slots(now) as u64;
            }
        }
    }

    fn drain(&mut self, now: Time, event: &Event, out: &mut Actions) {
        let Goal::Stop(mode) = self.goal else { return };
        if mode == StopMode::Flatten {
            self.close_offsets(now, out);
        }
        let view = self.position.view(now);
        let settled = match mode {
            StopMode::Keep => !view.orders.iter().any(|(_, o)| o.state != WorkState::Live),
            StopMode::Cancel => view.orders.is_empty(),
            StopMode::Flatten => view.orders.is_empty() && view.totals.holding.is_flat(),
        };
        if !settled {
            self.verify = Verify::No;
            self.retry_at = Time::earliest(self.retry_at, Some(now + RETRY));
            return;
        }
        // What was sent before us may still arrive: only then can nothing more appear.
        match self.quiet {
            Quiet::Due => self.quiet = Quiet::Until(now + Duration::from_millis(self.cfg.position.recv_window_ms) + RETRY * 2),
            Quiet::Until(until) if now >= until => self.quiet = Quiet::Over,
            Quiet::Over | Quiet::Until(_) | Quiet::Asked(_) => {}
        }
        if let Quiet::Until(until) = self.quiet {
            self.retry_at = Time::earliest(self.retry_at, Some(until));
            return;
        }
        let ours = |id: Option<ClientId>| id.is_some_and(|id| id.tag() == self.cfg.position.tag);
        match (mode, self.verify, event) {
            (StopMode::Keep, _, _) => self.phase = Phase::Drained,
            (_, Verify::Asked(at), Event::Snapshot(snapshot))
                if snapshot.asked_at >= at && !snapshot.open.iter().any(|report| ours(report.id)) =>
            {
                self.phase = Phase::Drained;
            }
            (_, Verify::No, _) => {
                self.verify = Verify::Asked(now);
                out.push(Action::Resync { after: view.totals.watermark });
                self.retry_at = Time::earliest(self.retry_at, Some(now + RETRY * 4));
            }
            (_, Verify::Asked(at), _) if now.since(at) > RETRY * 3 => {
                self.verify = Verify::Asked(now);
                out.push(Action::Resync { after: view.totals.watermark });
                self.retry_at = Time::earliest(self.retry_at, Some(now + RETRY * 4));
            }
            (_, Verify::Asked(_), _) => self.retry_at = Time::earliest(self.retry_at, Some(now + RETRY)),
        }
    }

    /// Halts the symbol after a fault: nothing opens until an operator resumes.
    pub fn halt(&mut self, now: Time, out: &mut Actions) {
        self.gate.halt();
        self.state.halted = true;
        self.phase = Phase::Halted;
        self.commit(out);
        let symbol = self.position.view(now).instrument.symbol;
        out.push(Action::Alert(Box::new(Alert::new(
            Severity::Critical,
            AlertCode::Halted,
            now,
            &format_args!("{symbol}: halted after a fault; look at the log, then resume"),
        ))));
    }
}
