//! The loop of a symbol: owns the engine, feeds it events in order, and carries out its actions.

use super::account::Feedback;
use super::inbox::{Adoption, Control, Inbox, NotAdopted};
use super::keeper::KeeperRequest;
use super::sink::LinkState;
use crate::alerts::Alerts;
use crate::journal::Journal;
use crate::limits::{EVENTS_PER_TURN, ORDERS_ROOM};
use plimsoll_bounded::{Grant, List, ReplySender, SendError, Sender, Task, WatchSender};
use plimsoll_engine::{AccountInput, Boot, Engine, EngineConfig, EngineError, Shell, turn};
use plimsoll_exchange::SymbolIndex;
use plimsoll_gateway::{Clock, OrderSender};
use plimsoll_market::{
    Action, Actions, Alert, AlertCode, Cancel, ClientId, Command, Event, Feed, Instrument, Phase, Request, Severity, Side, Source, Spacing,
    StateRecord, StopMode, Time, Top,
};
use plimsoll_monitor::SymbolMetrics;
use plimsoll_position::{PositionConfig, Restored};
use plimsoll_safety::outlook::{Objection, Outlook, Prospect, look_ahead};
use plimsoll_storage::{Recorder, Stored};
use plimsoll_strategy::{GridConfig, ParameterError, StrategyConfig};
use plimsoll_web::{FillTape, SymbolNow};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a symbol shows itself.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// Faults of an engine that are mended by building it anew; one more halts the symbol.
const REBUILDS: u32 = 1;

/// What a symbol's loop is made of.
pub struct SymbolParts {
    /// Its number.
    pub index: SymbolIndex,
    /// Its rules.
    pub instrument: Instrument,
    /// The engine's settings.
    pub engine: EngineConfig,
    /// The strategy's settings.
    pub strategy: StrategyConfig,
    /// What its grid can come to, but for the price.
    pub prospect: Prospects,
    /// Where orders go.
    pub orders: OrderSender,
    /// Where records go.
    pub recorder: Recorder,
    /// Where state goes.
    pub keeper: Sender<KeeperRequest>,
    /// Where the account listens.
    pub account: Sender<Feedback>,
    /// Where alerts go.
    pub alerts: Alerts,
    /// The latest fills, for display.
    pub tape: Arc<FillTape>,
    /// Where the symbol shows itself.
    pub view: WatchSender<Option<Arc<SymbolNow>>>,
    /// Orders that may be open and when they were sent, kept outside the engine: what a fault leaves behind is withdrawn by it.
    pub mirror: List<(ClientId, Time)>,
    /// The engine's line in the ledger, held as long as it lives.
    pub memory: Grant,
    /// Why it does not trade: set at the start, or when the first price shows that the grid cannot run.
    pub refusal: Arc<WhyNot>,
    /// Which feeds deliver.
    pub links: Arc<LinkState>,
    /// What the engine is told and answers, on disk.
    pub journal: Journal,
    /// The symbol's series.
    pub metrics: SymbolMetrics,
    /// The clock.
    pub clock: Clock,
}

/// Why a symbol does not trade, for whoever shows it; nothing while it trades.
#[derive(Debug, Default)]
pub struct WhyNot(Mutex<Option<String>>);

impl WhyNot {
    /// Why it does not trade.
    pub fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It does not trade, for this reason.
    pub fn set(&self, why: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// It trades.
    pub fn lift(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What is known of a symbol's worst case before its first price.
#[derive(Clone, Copy, Debug)]
pub struct Prospects {
    /// The symbol's share of the largest exposure, units of 1e-8 of the quote asset.
    pub exposure_max: i128,
    /// Levels that may be filled; zero for no limit.
    pub layers_max: u32,
    /// Free margin, units of 1e-8 of the quote asset.
    pub margin: i128,
    /// Leverage.
    pub leverage: u16,
    /// Whether the margin is isolated.
    pub isolated: bool,
    /// Stop-loss, in millionths.
    pub stop_loss: u32,
    /// Whether a liquidation before the last level is accepted.
    pub accept_liquidation: bool,
}

impl Prospects {
    /// The rules of another, with what the exchange told of this.
    const fn with_rules_of(&self, other: &Self) -> Self {
        let Self { margin, leverage, isolated, .. } = *self;
        Self { margin, leverage, isolated, ..*other }
    }

    /// All that stands against trading at the first price, one sentence each; and what a long grid can come to.
    pub fn against(&self, strategy: &StrategyConfig, instrument: &Instrument, top: Top) -> (Option<Outlook>, Vec<String>) {
        let mut against = Vec::new();
        if let Err(error) = strategy.check(instrument, top.bid) {
            against.push(error.to_string());
        }
        // A short grid is not liquidated by a fall: its worst case has no end above, and the exposure is its limit.
        let long = match strategy {
            StrategyConfig::Grid(grid) => Some((grid, Spacing::Even(grid.interval))),
            StrategyConfig::GridWith(grid, options) if options.opening == Side::Buy => Some((grid, options.spacing(grid.interval))),
            _ => None,
        };
        // Of one grid among others too: the exposure is the limit of all of them.
        let combined = if let StrategyConfig::Combo(combo) = strategy { combo.grid() } else { None };
        let combined = combined.as_ref().filter(|(_, options)| options.opening == Side::Buy);
        let long = long.or(combined.map(|(grid, options)| (grid, options.spacing(grid.interval))));
        let outlook = long.map(|(grid, spacing)| {
            let (outlook, objections) = self.look_ahead(instrument, grid, spacing, top);
            against.extend(objections);
            outlook
        });
        (outlook, against)
    }

    fn look_ahead(&self, instrument: &Instrument, grid: &GridConfig, spacing: Spacing, top: Top) -> (Outlook, Vec<String>) {
        let prospect = Prospect {
            top,
            // Levels a ratio apart lie nearer to each other farther down: to reckon them even errs on the safe side.
            interval: spacing.interval_at(top.bid),
            order_quote: grid.order_quote,
            exposure_max: self.exposure_max,
            layers_max: self.layers_max,
            margin: self.margin,
            leverage: self.leverage,
            isolated: self.isolated,
            stop_loss: self.stop_loss,
        };
        let (outlook, objections) = look_ahead(instrument, &prospect);
        let counts = |objection: &Objection| !(self.accept_liquidation && matches!(objection, Objection::Liquidated { .. }));
        (outlook, objections.into_iter().filter(counts).map(|objection| objection.to_string()).collect())
    }
}

/// Drives an [`Engine`].
pub struct SymbolLoop {
    parts: SymbolParts,
    engine: Engine,
    inbox: Inbox,
    actions: Actions,
    /// Events that carrying out actions caused; empty between turns.
    echoes: VecDeque<Event>, // tidy: bounded by the actions of one event
    faults: u32,
    /// The engine failed and is being built anew: it is told nothing, and asked nothing, until then.
    faulted: bool,
    loading: bool,
    /// It is to be read what is stored, as soon as the keeper has room.
    wants_load: bool,
    /// It opens nothing; see [`SymbolParts::refusal`]. Without a price yet that was the start's doing, which no settings mend.
    refused: bool,
    /// Settings that are taken over as soon as what is stored is read.
    adoption: Option<Box<Adoption>>,
    /// The state that the keeper has not taken yet.
    uncommitted: Option<Box<StateRecord>>,
    /// The grid was looked at with a price.
    checked: bool,
    /// The last top, also while nothing is fed.
    top: Option<Top>,
    stopping: Option<StopMode>,
    /// Memory is short: a new engine must know.
    memory_short: bool,
    /// Records have no room, or the disk is short: likewise.
    records_full: bool,
    /// Version of the last state that was to be committed: what is read must hold it.
    committed: u64,
    /// The past is to be told again, as soon as there is room to ask for it.
    wants_history: bool,
    /// Empty slots dropped, when last shown.
    cleaned: u64,
    /// Something is the case that must never be, and was told.
    broken: bool,
}

impl SymbolLoop {
    /// Builds the loop and its engine from what is stored.
    ///
    /// # Errors
    /// When what is stored does not fit the configuration.
    pub fn new(parts: SymbolParts, inbox: Inbox, stored: &Stored) -> Result<Self, BuildError> {
        let engine = build(&parts, stored)?;
        let refused = parts.refusal.get().is_some();
        parts.memory.gauge().set_len(1);
        Ok(Self {
            parts,
            engine,
            inbox,
            actions: Actions::new(),
            echoes: VecDeque::with_capacity(plimsoll_market::limits::ACTIONS_MAX),
            faults: 0,
            faulted: false,
            loading: false,
            wants_load: false,
            refused,
            adoption: None,
            uncommitted: None,
            checked: false,
            top: None,
            stopping: None,
            memory_short: false,
            records_full: false,
            committed: 0,
            wants_history: false,
            cleaned: 0,
            broken: false,
        })
    }

    /// Runs until the engine is drained or the process gives up waiting.
    pub async fn run(mut self, task: Task) {
        task.pulse.expect_every(SHOW_EVERY * 60);
        self.parts.journal.begin(self.parts.clock.now(), &self.engine);
        let mut show = tokio::time::interval(SHOW_EVERY);
        show.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let wake = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(wake);
        let mut armed: Option<Time> = None;
        while self.engine.phase() != Phase::Drained {
            let due = if self.faulted { None } else { self.engine.wake_at() };
            if due != armed {
                armed = due;
                if let Some(due) = due {
                    wake.as_mut().reset(self.parts.clock.instant(due).into());
                }
            }
            let room = self.parts.orders.room() >= ORDERS_ROOM;
            tokio::select! {
                biased;
                // Control first, then what the account must know, then the market; the display comes last.
                () = task.stop.stopped() => break,
                Some(control) = self.inbox.control.recv() => self.control(control),
                Some(event) = self.inbox.account.recv() => self.account(event),
                () = &mut wake, if armed.is_some() => {
                    armed = None;
                    self.feed(&Event::Wake);
                }
                Some(got) = self.inbox.market.recv(), if room => self.market(got.item, got.missed),
                _ = show.tick() => {
                    task.pulse.beat();
                    self.show();
                }
                else => break,
            }
        }
        self.show();
        self.parts.journal.close(self.parts.clock.now());
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Event(event) => {
                if let Event::Shutdown(mode) = event {
                    self.stopping = Some(mode);
                }
                if let Event::MemoryShort(short) = event {
                    self.memory_short = short;
                }
                if let Event::RecordsFull(full) = event {
                    self.records_full = full;
                }
                self.feed(&event);
                // Records have room again: what was refused is fetched from the exchange, from the stored watermark on.
                if event == Event::RecordsFull(false) && self.parts.recorder.is_behind() {
                    self.load();
                }
            }
            Control::Rebuild(stored) => self.rebuild(&stored),
            Control::Adopt(adoption) => self.adopt(adoption),
        }
    }

    /// Takes over other settings, if nothing stands against them: as far as that can be seen before what is stored is read.
    fn adopt(&mut self, adoption: Box<Adoption>) {
        let now = self.parts.clock.now();
        // Whoever gave up waiting for an earlier one has no claim any more.
        let pending = self.adoption.as_ref().is_some_and(|pending| !pending.answer.is_closed());
        let ours = &self.parts.engine;
        let same = adoption.strategy == self.parts.strategy
            && adoption.interval.is_none_or(|interval| interval == ours.interval)
            && adoption.compare_every == ours.position.compare_every
            && adoption.accept_position == ours.position.accept_position;
        let against = if (self.refused && !self.checked) || self.faulted || self.faults > REBUILDS || self.stopping.is_some() {
            Some(NotAdopted::NotTrading)
        } else if pending {
            Some(NotAdopted::Busy)
        } else if same && !self.refused {
            // What the price of now stands against is no reason to keep rules from what trades already.
            None
        } else {
            match adoption.strategy.build() {
                Err(error) => Some(NotAdopted::Because(error.to_string())),
                Ok(_) => {
                    let prospect = self.parts.prospect.with_rules_of(&adoption.prospect);
                    let against = self.top.map(|top| prospect.against(&adoption.strategy, &self.parts.instrument, top).1);
                    let against = against.filter(|against| !against.is_empty()).map(|against| against.join("; "));
                    // It did not trade before, and nothing of its own was changed: that is nobody else's trouble.
                    against.map(|why| if same { NotAdopted::NotTrading } else { NotAdopted::Because(why) })
                }
            }
        };
        if let Some(why) = against {
            answer(adoption.answer, Err(why));
            return;
        }
        if !same {
            self.adoption = Some(adoption);
            self.load();
            return;
        }
        // Rules alone: nothing that the engine remembers has to be given up for them.
        let disarmed = self.parts.engine.countdown.is_some() && adoption.countdown.is_none();
        self.engine.adopt(adoption.gate, adoption.countdown);
        (self.parts.engine.gate, self.parts.engine.countdown) = (adoption.gate, adoption.countdown);
        self.parts.prospect = self.parts.prospect.with_rules_of(&adoption.prospect);
        self.lift();
        self.disarm(disarmed);
        self.parts.journal.begin(now, &self.engine);
        answer(adoption.answer, Ok(()));
    }

    /// What the first price stood against has been looked at again.
    fn lift(&mut self) {
        self.refused = false;
        self.parts.refusal.lift();
    }

    /// An engine without the exchange's switch does not tell it anything any more: it would withdraw everything in its time.
    fn disarm(&mut self, disarmed: bool) {
        if disarmed {
            self.actions.push(Action::Countdown { after: Duration::ZERO });
            self.perform();
        }
    }

    /// Puts settings that wait in the place of ours, if they go with what is stored; gives back ours and whoever waits for an answer.
    fn settle(&mut self, stored: &Stored) -> Option<(Before, ReplySender<Result<(), NotAdopted>>)> {
        // Whoever does not wait any more was told that nothing was changed, and has put others back.
        let adoption = self.adoption.take().filter(|adoption| !adoption.answer.is_closed())?;
        let Adoption { gate, countdown, compare_every, accept_position, interval, strategy, prospect, answer: waiting } = *adoption;
        let (instrument, known) = (&self.parts.instrument, boot(stored));
        let interval = interval.unwrap_or(self.parts.engine.interval);
        let fits = strategy.build().map_err(|error| error.to_string()).and_then(|built| {
            Engine::check_boot(instrument, interval, &known).map_err(|error| error.to_string())?;
            Engine::check_owner(instrument, built.as_ref(), &known).map_err(|error| error.to_string())?;
            // What is stored is behind by a moment.
            self.engine.check_successor(built.as_ref(), self.parts.clock.now()).map_err(|error| error.to_string())
        });
        if let Err(why) = fits {
            answer(waiting, Err(NotAdopted::Because(why)));
            return None;
        }
        let before = Before { engine: self.parts.engine, strategy: self.parts.strategy, prospect: self.parts.prospect };
        let position = PositionConfig { compare_every, accept_position, ..before.engine.position };
        self.parts.engine = EngineConfig { position, gate, interval, countdown };
        self.parts.strategy = strategy;
        self.parts.prospect = before.prospect.with_rules_of(&prospect);
        Some((before, waiting))
    }

    fn account(&mut self, event: Event) {
        let mut next = Some(event);
        let mut left = EVENTS_PER_TURN;
        while let Some(event) = next.take() {
            self.feed(&event);
            left -= 1;
            if left > 0 {
                next = self.inbox.account.try_recv().ok();
            }
        }
        if self.inbox.take_lost() {
            tracing::warn!(symbol = %self.parts.instrument.symbol, "account events were lost for want of room; resyncing");
            self.feed(&Event::Gap(Feed::Account));
        }
    }

    /// Takes what the market lane holds; of several tops only the last is looked at.
    fn market(&mut self, first: Event, mut missed: u64) {
        let mut top: Option<Event> = None;
        let mut next = Some(first);
        let mut left = EVENTS_PER_TURN;
        while let Some(event) = next.take() {
            match event {
                Event::Top(_) => top = Some(event),
                other => self.feed(&other),
            }
            left -= 1;
            if left > 0
                && let Some(got) = self.inbox.market.try_recv()
            {
                missed += got.missed;
                next = Some(got.item);
            }
        }
        if let Some(event) = top {
            if let Event::Top(top) = event {
                self.top = Some(top);
            }
            if self.may_run(&event) {
                self.feed(&event);
            }
        }
        if missed > 0 {
            tracing::debug!(symbol = %self.parts.instrument.symbol, missed, "market events were conflated");
        }
    }

    /// Looks once, with the first price, whether the strategy can trade, and a grid earn; without a price an engine does nothing.
    fn may_run(&mut self, top: &Event) -> bool {
        if !self.checked
            && let Event::Top(top) = top
        {
            self.checked = true;
            let (outlook, against) = self.parts.prospect.against(&self.parts.strategy, &self.parts.instrument, *top);
            if let Some(outlook) = outlook {
                tracing::info!(symbol = %self.parts.instrument.symbol, "{outlook}");
            }
            if !against.is_empty() {
                let text = against.join("; ");
                let alert = Alert::new(Severity::Critical, AlertCode::GridImpossible, self.parts.clock.now(), &text);
                self.alert(alert);
                if self.engine.position().view(self.parts.clock.now()).totals.holding.is_flat() {
                    self.refused = true;
                    self.parts.refusal.set(text);
                } else {
                    // What is held must be sold: only opening stops, until an operator has looked at it.
                    self.feed(&Event::Command(Command::Pause));
                }
            }
        }
        !self.refused
    }

    fn feed_back(&self, feedback: Feedback) {
        if self.parts.account.try_send(feedback).is_err() {
            tracing::debug!("account lane is full");
        }
    }

    fn alert(&self, alert: Alert) {
        let key = self.parts.recorder.key();
        self.parts.alerts.raise(Some(&key.account), Some(&key.symbol), alert);
    }

    /// Gives an event to the engine and carries out what it wants, and what comes of that.
    fn feed(&mut self, event: &Event) {
        turn(self, event);
    }

    fn take(&mut self, event: &Event) {
        let now = self.parts.clock.now();
        if let Event::Rejected { id, request, reason } = event {
            tracing::debug!(symbol = %self.parts.instrument.symbol, ?id, ?request, ?reason, "refused");
        }
        if let Event::Order(report) = event
            && report.source == Source::Reply
            && let Some(sent) = self.parts.mirror.as_slice().iter().find(|(id, _)| Some(*id) == report.id).map(|(_, at)| *at)
        {
            self.feed_back(Feedback::Answered(now.since(sent)));
        }
        if let Event::Top(top) = event {
            self.parts.metrics.event_age().record(now.since(top.time));
        }
        if let Event::Order(report) = event
            && report.status.is_final()
            && let Some(id) = report.id
        {
            self.parts.mirror.retain(|(open, _)| *open != id);
        }
        if let Event::Rejected { id, request: Request::Place, .. }
        | Event::NotSent { id, request: Request::Place }
        | Event::NotFound { id } = event
        {
            self.parts.mirror.retain(|(open, _)| open != id);
        }
        if self.faulted {
            return;
        }
        let (engine, actions) = (&mut self.engine, &mut self.actions);
        let began = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| engine.on_event(now, event, actions))).is_err() {
            self.parts.journal.fault(now, event);
            self.fault();
            return;
        }
        self.parts.metrics.decision().record(began.elapsed());
        self.parts.journal.record(now, event, self.actions.as_slice(), &self.engine);
        self.perform();
    }

    fn perform(&mut self) {
        for action in self.actions.drain() {
            let request = match &action {
                Action::Place(place) => Some((place.id, Request::Place)),
                Action::Cancel(cancel) => Some((cancel.id, Request::Cancel)),
                Action::Query { id } => Some((*id, Request::Query)),
                Action::Resync { .. }
                | Action::Commit(_)
                | Action::Record(_)
                | Action::Alert(_)
                | Action::Countdown { .. }
                | Action::History => None,
            };
            match action {
                Action::Place(_) | Action::Cancel(_) | Action::Query { .. } => {
                    if let (Action::Place(place), Some(_)) = (&action, request)
                        && self.parts.mirror.push((place.id, self.parts.clock.now())).is_err()
                    {
                        tracing::error!(symbol = %self.parts.instrument.symbol, "mirror of orders is full");
                    }
                    if self.parts.orders.try_send(self.parts.index, action).is_err()
                        && let Some((id, request)) = request
                    {
                        self.echoes.push_back(Event::NotSent { id, request });
                    }
                }
                Action::Resync { .. } => {
                    if self.parts.orders.try_send(self.parts.index, action).is_err() {
                        self.echoes.push_back(Event::ResyncFailed);
                    }
                }
                Action::Countdown { .. } => {
                    // The engine tells it again in its time; until then the exchange counts on.
                    if self.parts.orders.try_send(self.parts.index, action).is_err() {
                        tracing::warn!(symbol = %self.parts.instrument.symbol, "the exchange's switch was not told for want of room");
                    }
                }
                Action::History => self.wants_history = true,
                // A newer state holds all that an older one does: only the newest waits for room.
                Action::Commit(record) => {
                    self.committed = record.version;
                    self.uncommitted = Some(record);
                }
                Action::Record(record) => {
                    if let Some(booked) = &record.fill {
                        self.parts.tape.push(booked, &self.parts.instrument);
                    }
                    let recorded = self.parts.recorder.record(*record);
                    if recorded.is_err() {
                        self.parts.metrics.record_refused();
                    }
                    if recorded == Err(plimsoll_storage::RecordRefused::Full) {
                        tracing::error!(symbol = %self.parts.instrument.symbol, "records are full; nothing is opened until they have room");
                        self.echoes.push_back(Event::RecordsFull(true));
                    }
                }
                Action::Alert(alert) => {
                    let key = self.parts.recorder.key();
                    self.parts.alerts.raise(Some(&key.account), Some(&key.symbol), *alert);
                }
            }
        }
        if self.uncommitted.is_some() {
            self.hand_over();
        }
    }

    /// A bug in pure code: our orders are withdrawn by the mirror, the engine is built anew once, then halted.
    fn fault(&mut self) {
        self.faults += 1;
        self.faulted = true;
        tracing::error!(symbol = %self.parts.instrument.symbol, faults = self.faults, "engine failed; withdrawing its orders");
        drop(self.actions.drain());
        self.echoes.clear();
        // What it is built anew by is what it was built by: nothing is asked of an engine that failed.
        if let Some(adoption) = self.adoption.take() {
            answer(adoption.answer, Err(NotAdopted::NotTrading));
        }
        for (id, _) in self.parts.mirror.as_slice() {
            if self.parts.orders.try_send(self.parts.index, Action::Cancel(Cancel { id: *id })).is_err() {
                tracing::error!(%id, "cancel found no room");
            }
        }
        self.load();
    }

    /// Hands the keeper what waits for it; what finds no room is handed over when the symbol next shows itself.
    fn hand_over(&mut self) {
        let symbol = self.parts.index.usize();
        if let Some(record) = self.uncommitted.take()
            && let Err(SendError::Full(KeeperRequest::Commit { record, .. })) =
                self.parts.keeper.try_send(KeeperRequest::Commit { symbol, record })
        {
            tracing::warn!(symbol = %self.parts.instrument.symbol, "state found no room to be stored; trying again");
            self.uncommitted = Some(record);
        }
        if self.wants_history && self.parts.orders.try_send(self.parts.index, Action::History).is_ok() {
            self.wants_history = false;
        }
        // What is read must hold what was to be stored before.
        if self.wants_load && self.uncommitted.is_none() && self.parts.keeper.try_send(KeeperRequest::Load { symbol }).is_ok() {
            (self.wants_load, self.loading) = (false, true);
        }
    }

    fn load(&mut self) {
        self.wants_load = !self.loading;
        self.hand_over();
    }

    /// Builds the engine from what is stored, by the same path as at boot; the exchange tells the rest.
    fn rebuild(&mut self, stored: &Stored) {
        self.loading = false;
        if stored.state.map_or(0, |state| state.version) < self.committed {
            // The old engine has committed since: a lock or a command that its successor must know.
            self.load();
            return;
        }
        let needed = self.faulted || self.parts.recorder.is_behind() || self.adoption.is_none();
        let settled = self.settle(stored);
        if settled.is_none() && !needed {
            return;
        }
        // Ids are never used twice in a run: the new engine counts on.
        self.parts.engine.position.placed_before = self.engine.position().placed_in_run();
        let mut built = build(&self.parts, stored);
        if let Some((before, waiting)) = settled {
            if let Err(error) = &built {
                (self.parts.engine, self.parts.strategy, self.parts.prospect) = (before.engine, before.strategy, before.prospect);
                self.parts.engine.position.placed_before = self.engine.position().placed_in_run();
                answer(waiting, Err(NotAdopted::Because(error.to_string())));
                built = build(&self.parts, stored);
            } else {
                self.lift();
                self.disarm(before.engine.countdown.is_some() && self.parts.engine.countdown.is_none());
                answer(waiting, Ok(()));
            }
        }
        match built {
            Ok(engine) => {
                self.engine = engine;
                self.parts.journal.begin(self.parts.clock.now(), &self.engine);
                self.faulted = false;
                self.parts.recorder.resume();
                if self.faults > REBUILDS {
                    let now = self.parts.clock.now();
                    self.engine.halt(now, &mut self.actions);
                    self.parts.journal.halted(now, self.actions.as_slice(), &self.engine);
                    self.perform();
                }
                // Its figures begin cold, and with them what it opens and where it stops.
                self.wants_history = true;
                self.hand_over();
                // A stream that is down tells itself when it is up again.
                if self.parts.links.is_up(Feed::Account) {
                    self.feed(&Event::Link(plimsoll_market::Link { feed: Feed::Account, up: true }));
                }
                if self.memory_short {
                    self.feed(&Event::MemoryShort(true));
                }
                if self.records_full {
                    self.feed(&Event::RecordsFull(true));
                }
                if let Some(mode) = self.stopping {
                    self.feed(&Event::Shutdown(mode));
                }
            }
            Err(error) => tracing::error!(%error, "engine cannot be built anew; the symbol stays closed, its orders are withdrawn"),
        }
    }

    fn show(&mut self) {
        let now = self.parts.clock.now();
        self.parts.journal.tick(now);
        self.hand_over();
        // What ended by a catch-up leaves the mirror here.
        let view = self.engine.position().view(now);
        let books = if self.faulted { Ok(()) } else { plimsoll_position::invariants::books(&view) };
        if !self.faulted {
            self.parts.mirror.retain(|(id, _)| view.orders.find(*id).is_some());
        }
        if let Err(broken) = books {
            self.parts.metrics.invariant_broken();
            // Told once until it is mended: the channels repeat by themselves.
            if !std::mem::replace(&mut self.broken, true) {
                let text = format_args!("{}: {broken}; look at the journal", self.parts.instrument.symbol);
                self.alert(Alert::new(Severity::Critical, AlertCode::Invariant, now, &text));
            }
        } else {
            self.broken = false;
        }
        let status = self.engine.status(now);
        let pnl = &status.pnl;
        let booked = pnl.realized - pnl.fees + pnl.funding;
        let input = AccountInput::Figures { symbol: self.parts.index.0, unrealized: pnl.unrealized, booked };
        self.feed_back(Feedback::Input(input));
        self.parts.metrics.observe(&status, &self.parts.instrument);
        if status.slots_cleaned > self.cleaned {
            let dropped = status.slots_cleaned - self.cleaned;
            tracing::info!(symbol = %status.symbol, dropped, "empty slots were dropped");
        }
        // A new engine counts anew.
        self.cleaned = status.slots_cleaned;
        self.parts.view.put(Some(Arc::new(SymbolNow { instrument: self.parts.instrument, status })));
    }
}

/// What a symbol traded by before.
struct Before {
    engine: EngineConfig,
    strategy: StrategyConfig,
    prospect: Prospects,
}

fn answer(waiting: ReplySender<Result<(), NotAdopted>>, verdict: Result<(), NotAdopted>) {
    if waiting.send(verdict).is_err() {
        tracing::debug!("nobody waits for the settings any more");
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// What is stored does not fit.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

impl Shell for SymbolLoop {
    fn step(&mut self, event: &Event) {
        self.take(event);
    }

    fn next_echo(&mut self) -> Option<Event> {
        self.echoes.pop_front()
    }
}

fn build(parts: &SymbolParts, stored: &Stored) -> Result<Engine, BuildError> {
    let boot = boot(stored);
    Ok(Engine::new(parts.instrument, parts.engine, parts.strategy.build()?, &boot)?)
}

/// What an engine begins with, from what is stored.
pub fn boot(stored: &Stored) -> Boot {
    let books = Restored { totals: stored.totals, slots: stored.slots.clone(), recent: stored.recent.clone() };
    Boot { state: stored.state, books, open_orders: stored.open_orders.len() }
}
