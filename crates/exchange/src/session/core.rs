use super::backoff::Backoff;
use super::boot::Boot;
use super::budget::{Budget, Settled, Used};
use super::config::{Routing, SessionConfig};
use super::conns::{Conn, ConnState, Role, shard_range};
use super::io::{ConnId, HttpRequest, Input, Lane, Output, Outputs, Reply, RequestId, Sent};
use super::jobs::{Job, Pending};
use super::lanes::Lanes;
use super::limits::{
    BOOK_CHANGES_WAITING, BOOK_LEVELS, BOOK_UPDATES_WAITING, CONNS_MAX, FEE_ASSETS_MAX, INSTRUMENTS_EVERY, ORDER_IDS_KEPT,
    ORDER_REQUESTS_KEPT, ORDER_REQUESTS_MAX, OTHER_REQUESTS_KEPT, OTHER_REQUESTS_MAX, REQUESTS_DOWN_AFTER, REQUESTS_MAX, RESYNCS_ACTIVE,
    STOP_WAIT, SYMBOLS_MAX, SYMBOLS_PER_CONN, TIMEOUT_GRACE, UNCERTAIN_KEPT,
};
use super::offset::Offset;
use super::random::Random;
use super::report::SessionStats;
use super::resync_state::{PAGE_BYTES, Page, Resync, Stage};
use super::side::Past;
use super::side::{Arming, FeeAsset};
use super::user::{Funding, ListenKey};
use crate::binance::book_sync::BookSync;
use crate::binance::decode::DepthUpdate;
use crate::binance::encode::Security;
use crate::{Instruments, SymbolIndex};
use arrayvec::ArrayVec;
use plimsoll_bounded::{Class, Grant, Grants, LedgerError, Line, List, Map, NotPlanned, Plan, WhenFull};
use plimsoll_market::{AccountEvent, ClientId, Event, Feed, Link, OrderId, Symbol, Time, Top};

/// One account's dealings with one exchange, without a socket: says what to connect and send, and what it all means.
///
/// It knows no watermarks and decides nothing about trading. Every `Place` that it is given gets exactly one answer of its
/// own: `Event::Order` with source `Reply`, `Rejected`, `Unknown` or `NotSent`; it never sends one twice.
///
/// # Bounds
/// [`SYMBOLS_MAX`] symbols, [`CONNS_MAX`] connections, [`REQUESTS_MAX`] requests on the way; the lines of [`Session::plan`].
pub struct Session {
    pub(super) config: SessionConfig,
    pub(super) phase: Phase,
    pub(super) random: Random,
    pub(super) instruments: Instruments,
    /// Taken out while a frame is decoded into it.
    pub(super) depth: Option<DepthUpdate>,
    pub(super) symbols: List<SymbolState>,
    /// Books for symbols that the boot has still to find.
    pub(super) books: Vec<BookSync>, // tidy: bounded by the configured symbols, only taken from
    /// The memory of all books.
    _books: Grant,
    /// Whether the user stream was ever open.
    pub(super) user_seen: bool,
    pub(super) conns: List<Conn>,
    pub(super) pending: List<Pending>,
    pub(super) lanes: Lanes,
    pub(super) budget: Budget,
    pub(super) offset: Offset,
    /// Orders whose outcome is open, and from when on "no such order" is the truth.
    pub(super) uncertain: Map<ClientId, Time>,
    pub(super) order_ids: Map<(SymbolIndex, OrderId), Option<ClientId>>,
    pub(super) pages: List<Page>,
    pub(super) boot: Boot,
    pub(super) listen: ListenKey,
    pub(super) funding: Funding,
    /// Assets in which fees were paid.
    pub(super) rates: ArrayVec<FeeAsset, FEE_ASSETS_MAX>,
    /// Balances are due; `None` when not.
    pub(super) balances_at: Option<Time>,
    pub(super) refresh_at: Option<Time>,
    pub(super) batch: Batch,
    pub(super) stats: SessionStats,
    next_request: u64,
    requests_up: bool,
    failures_in_a_row: u8,
    /// Repeats of internal requests wait by this.
    pub(super) retries: Backoff,
    /// Something changed that may have to be sent or timed.
    pub(super) dirty: bool,
    /// When a lane that had to wait may go on.
    retry_at: Option<Time>,
    wake: Option<Time>,
}

/// Bytes of one book: its levels, and what waits for its snapshot.
const BOOK_BYTES: usize = {
    let lines = book_lines();
    lines[0].capacity * lines[0].item_bytes + lines[1].capacity * lines[1].item_bytes + lines[2].capacity * lines[2].item_bytes
};

const fn book_lines() -> [Line<'static>; 3] {
    let pending = BookSync::pending_line("book.pending");
    let changes = BookSync::changes_line("book.changes");
    [
        BookSync::levels_line("book.levels", BOOK_LEVELS),
        Line { capacity: BOOK_UPDATES_WAITING, ..pending },
        Line { capacity: BOOK_CHANGES_WAITING, ..changes },
    ]
}

/// All books together are one line of the plan, which has no room for three lines each; so each stands on its own.
fn new_book() -> BookSync {
    let [levels, pending, changes] = book_lines().map(Grant::detached);
    BookSync::new(levels, pending, changes)
}

/// Where a session is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Not started, or its boot failed.
    Idle,
    /// Learning what a start needs.
    Booting,
    /// Connected, or about to be.
    Running,
    /// Told to end; waits for the last answers until the time.
    Stopping(Time),
    /// Ended.
    Stopped,
}

/// What the session keeps of a symbol.
pub(super) struct SymbolState {
    pub(super) symbol: Symbol,
    pub(super) book: BookSync,
    pub(super) book_fetch: Fetch,
    pub(super) book_backoff: Backoff,
    /// Since when the book is true.
    pub(super) book_synced_at: Option<Time>,
    pub(super) top: Option<Top>,
    /// The book's update that `top` is of.
    pub(super) top_id: u64,
    pub(super) market_up: bool,
    pub(super) resync: Resync,
    /// Zero until the exchange told.
    pub(super) leverage: u16,
    pub(super) isolated: bool,
    /// Funding payments up to this time have been told.
    pub(super) funding_after: Time,
    /// What the exchange's switch is still to be told.
    pub(super) arming: Option<Arming>,
    /// Candles of the past.
    pub(super) past: Past,
}

/// A book's snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fetch {
    /// Not needed.
    None,
    /// To be asked for, not before the time.
    Wanted(Time),
    /// Asked for.
    InFlight,
}

/// A query of all symbols' positions and open orders.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) stage: BatchStage,
    pub(super) in_flight: bool,
    pub(super) not_before: Time,
    pub(super) backoff: Backoff,
    pub(super) asked_at: Time,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BatchStage {
    None,
    Positions,
    Orders,
}

impl Session {
    /// Adds what a session of so many symbols needs to a plan.
    ///
    /// # Errors
    /// When the plan has no room for the lines.
    pub fn plan(plan: &mut Plan, owner: &str, symbols: usize) -> Result<(), LedgerError> {
        let (refuse, keep) = (WhenFull::Refuse, Class::MustKeep);
        let name = |template: &str| format!("{template}/{owner}");
        plan.add(Instruments::line(&name("session.instruments"), symbols))?;
        plan.add(DepthUpdate::line(&name("session.depth")))?;
        plan.add(Line::of::<SymbolState>(&name("session.symbols"), symbols, refuse, keep))?;
        plan.add(Line::of::<Conn>(&name("session.conns"), CONNS_MAX, refuse, keep))?;
        plan.add(Line::of::<Pending>(&name("session.requests"), REQUESTS_MAX, refuse, keep))?;
        let drop = WhenFull::DropOldest;
        plan.add(Map::<ClientId, Time>::line(&name("session.uncertain"), symbols * UNCERTAIN_KEPT, drop, keep))?;
        let ids = symbols * ORDER_IDS_KEPT;
        plan.add(Map::<(SymbolIndex, OrderId), Option<ClientId>>::line(&name("session.order_ids"), ids, drop, Class::BestEffort))?;
        plan.add(Line::of::<Page>(&name("session.pages"), RESYNCS_ACTIVE, refuse, Class::BestEffort).with_heap(PAGE_BYTES))?;
        plan.add(Line {
            name: &name("session.books"),
            capacity: symbols,
            item_bytes: BOOK_BYTES,
            policy: refuse,
            class: Class::LatestWins,
        })?;
        Lanes::plan(plan, owner, symbols)
    }

    /// Makes a session that has not started. `seed` is for the jitter of its waits.
    ///
    /// # Errors
    /// When the grants are not those of [`Session::plan`] for as many symbols.
    ///
    /// # Panics
    /// With no symbols, or more than [`SYMBOLS_MAX`].
    pub fn new(config: SessionConfig, seed: u64, grants: &mut Grants) -> Result<Self, NotPlanned> {
        let symbols = config.symbols.len();
        assert!((1..=SYMBOLS_MAX).contains(&symbols), "a session has 1 to {SYMBOLS_MAX} symbols, not {symbols}");
        let mut books = Vec::with_capacity(symbols);
        books.resize_with(symbols, new_book);
        Ok(Self {
            phase: Phase::Idle,
            books,
            _books: grants.take("session.books")?,
            user_seen: false,
            random: Random::new(seed),
            instruments: Instruments::new(grants.take("session.instruments")?),
            depth: Some(DepthUpdate::new(grants.take("session.depth")?)),
            symbols: List::new(grants.take("session.symbols")?),
            conns: List::new(grants.take("session.conns")?),
            pending: List::new(grants.take("session.requests")?),
            uncertain: Map::new(grants.take("session.uncertain")?),
            order_ids: Map::new(grants.take("session.order_ids")?),
            pages: List::new(grants.take("session.pages")?),
            lanes: Lanes::new(grants)?,
            budget: Budget::new(),
            offset: Offset::new(),
            boot: Boot::new(),
            listen: ListenKey::None,
            funding: Funding::new(),
            rates: ArrayVec::new(),
            balances_at: None,
            refresh_at: None,
            batch: Batch {
                stage: BatchStage::None,
                in_flight: false,
                not_before: Time::ZERO,
                backoff: Backoff::default(),
                asked_at: Time::ZERO,
            },
            stats: SessionStats::default(),
            next_request: 0,
            requests_up: false,
            failures_in_a_row: 0,
            retries: Backoff::default(),
            dirty: false,
            retry_at: None,
            wake: None,
            config,
        })
    }

    /// Takes what happened and says what follows. `out` must be empty: the caller carries everything out before the next input.
    ///
    /// # Panics
    /// When `out` was not emptied.
    pub fn on_input(&mut self, now: Time, input: Input<'_>, out: &mut Outputs) {
        assert!(out.is_empty(), "outputs are carried out before the next input");
        if self.phase == Phase::Stopped {
            if let Input::Order { symbol, action } = input {
                self.refuse(symbol, action, out);
            }
            return;
        }
        match input {
            Input::Start => self.start(now),
            Input::Connected { conn } => self.connected(now, conn, out),
            Input::Frame { conn, bytes } => self.frame(now, conn, bytes, out),
            Input::Alive { conn } => {
                if let Some(conn) = self.conns.get_mut(conn.usize()) {
                    conn.alive(now);
                }
            }
            Input::Dropped { conn, why } => self.dropped(now, conn, why, out),
            Input::Closed { conn, why: _ } => self.closed(now, conn, out),
            Input::Reply { request, reply } => self.reply(now, request, &reply, out),
            Input::Failed { request, sent } => self.failed(now, request, sent, out),
            Input::Order { symbol, action } => self.order(now, symbol, action, out),
            Input::Wake => self.timers(now, out),
            Input::Stop => self.stop(now, out),
        }
        if self.dirty {
            self.dirty = false;
            self.pump(now, out);
            self.end_if_done(now, out);
            self.wake = self.next_wake(now);
        }
    }

    /// When to call with [`Input::Wake`] if nothing else came first.
    pub fn wake_at(&self) -> Option<Time> {
        self.wake
    }

    /// What it did so far, and how it stands.
    pub fn stats(&self) -> SessionStats {
        SessionStats {
            weight_used: self.budget.weight_used(),
            weight_limit: self.budget.weight_limit(),
            orders_used: self.budget.orders_used(),
            orders_limit: self.budget.orders_limit(),
            requests_in_flight: self.pending.len() as u32,
            requests_waiting: self.lanes.len() as u32,
            conns_open: self.conns.iter().filter(|c| c.is_open()).count() as u32,
            clock_offset_ms: self.offset.millis(),
            ..self.stats
        }
    }

    /// The symbols in use and their rules; empty before the boot.
    pub fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    fn start(&mut self, now: Time) {
        if self.phase == Phase::Idle {
            self.phase = Phase::Booting;
            self.boot.begin();
            self.offset.measure(now);
            self.dirty = true;
        }
    }

    /// All that the boot learned is there: makes the connections and has them opened.
    pub(super) fn run(&mut self, now: Time, out: &mut Outputs) {
        self.phase = Phase::Running;
        self.want_rates(now);
        self.refresh_at = Some(now + INSTRUMENTS_EVERY);
        self.conns.clear();
        let shards = self.symbols.len().div_ceil(SYMBOLS_PER_CONN) as u8;
        let mut roles = vec![Role::User];
        for shard in 0..shards {
            match self.config.routing {
                Routing::Routed => roles.extend([Role::Books(shard), Role::Tape(shard)]),
                Routing::Legacy => roles.push(Role::All(shard)),
            }
        }
        for role in roles {
            // The list was planned for all symbols that a session may have.
            let _room = self.conns.push(Conn::new(role));
        }
        self.set_requests(true, out);
        for n in 0..self.conns.len() {
            self.connect(now, n, out);
        }
        self.dirty = true;
    }

    // Requests -------------------------------------------------------------------------------------------------------

    /// Sends what may be sent, the most urgent lane first.
    fn pump(&mut self, now: Time, out: &mut Outputs) {
        self.retry_at = None;
        // Bounded by the requests that can be on their way at once.
        for lane in [Lane::Cancel, Lane::Reduce, Lane::Reconcile, Lane::Open, Lane::Info] {
            while self.has_connection(lane) {
                let Some((job, symbol)) = self.next_job(lane, now) else { break };
                let at = self.offset.exchange_time(now);
                match self.budget.take(at, lane, job.cost()) {
                    Ok(charge) => {
                        self.started(job, symbol, now);
                        self.send(now, job, symbol, charge, out);
                    }
                    Err(until) => {
                        // Beyond the exchange's window, so that the two clocks need not agree to the nanosecond.
                        let wait = until.since(at) + core::time::Duration::from_millis(1);
                        self.retry_at = Time::earliest(self.retry_at, Some(now + wait));
                        break;
                    }
                }
            }
        }
    }

    /// Whether a connection is free for a request of this lane; the last ones are kept for the lanes above.
    fn has_connection(&self, lane: Lane) -> bool {
        let busy = self.pending.iter().filter(|p| p.job.lane().is_order() == lane.is_order()).count();
        let most = match lane {
            Lane::Cancel => ORDER_REQUESTS_MAX,
            // One is kept for cancels alone.
            Lane::Reduce => ORDER_REQUESTS_MAX - 1,
            Lane::Open => ORDER_REQUESTS_MAX - ORDER_REQUESTS_KEPT,
            Lane::Reconcile => OTHER_REQUESTS_MAX,
            Lane::Info => OTHER_REQUESTS_MAX - OTHER_REQUESTS_KEPT,
        };
        busy < most
    }

    /// What is to be sent next on a lane.
    fn next_job(&self, lane: Lane, now: Time) -> Option<(Job, SymbolIndex)> {
        let running = self.phase == Phase::Running;
        match (lane, self.phase) {
            (_, Phase::Idle | Phase::Stopping(_) | Phase::Stopped) => None,
            (Lane::Cancel, _) => self.lanes.cancels.first().map(|w| (Job::Cancel(w.what), w.symbol)),
            (Lane::Reduce, _) => self.lanes.reduces.first().map(|w| (Job::Place(w.what), w.symbol)),
            (Lane::Open, _) => self.lanes.opens.first().map(|w| (Job::Place(w.what), w.symbol)),
            // Before all questions: with a clock that is off, none of them is answered.
            (Lane::Reconcile, Phase::Running) if self.offset.due_at().is_some_and(|at| at <= now) => Some((Job::Clock, SymbolIndex::ANY)),
            (Lane::Reconcile, _) => {
                let query = self.lanes.queries.first().map(|w| (Job::Query(w.what), w.symbol));
                let own = || self.next_user_job(now).or_else(|| self.next_arming(now)).or_else(|| self.next_resync(now));
                query.or_else(|| if running { own() } else { None })
            }
            (Lane::Info, Phase::Booting) => self.next_boot(now),
            (Lane::Info, Phase::Running) => self.next_info(now),
        }
    }

    fn next_info(&self, now: Time) -> Option<(Job, SymbolIndex)> {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if due(self.balances_at) {
            return Some((Job::Balances, SymbolIndex::ANY));
        }
        if let Some(job) = self.next_book(now).or_else(|| self.next_candles(now)) {
            return Some(job);
        }
        if let Some(job) = self.next_rate(now) {
            return Some(job);
        }
        if due(self.refresh_at) {
            return Some((Job::ExchangeInfo, SymbolIndex::ANY));
        }
        None
    }

    /// Notes that a job is on its way.
    fn started(&mut self, job: Job, symbol: SymbolIndex, now: Time) {
        match job {
            Job::Cancel(_) => {
                let _sent = self.lanes.cancels.pop_front();
            }
            Job::Query(_) => {
                let _sent = self.lanes.queries.pop_front();
            }
            Job::Place(place) => {
                let lane = if place.reduce_only { &mut self.lanes.reduces } else { &mut self.lanes.opens };
                let _sent = lane.pop_front();
            }
            Job::BookSnapshot => {
                if let Some(state) = self.symbols.get_mut(symbol.usize()) {
                    state.book_fetch = Fetch::InFlight;
                }
            }
            Job::Countdown(_) | Job::Candles(..) | Job::Rate(_) => self.side_started(job, symbol),
            Job::Baseline
            | Job::Trades(_)
            | Job::OrdersFrom(_)
            | Job::OrderById(_)
            | Job::Position
            | Job::OpenOrders
            | Job::AllPositions
            | Job::AllOpenOrders => self.resync_started(job, symbol, now),
            Job::Clock
            | Job::ExchangeInfo
            | Job::PositionMode
            | Job::MultiAssets
            | Job::Balances
            | Job::SymbolConfig
            | Job::Fees
            | Job::Leverage(_)
            | Job::ListenKey
            | Job::KeepAlive
            | Job::Income(_) => {
                if self.phase == Phase::Booting {
                    self.boot.asked();
                }
                match job {
                    Job::Clock => self.offset.asked(),
                    Job::Balances => self.balances_at = None,
                    Job::ExchangeInfo => self.refresh_at = None,
                    Job::ListenKey | Job::KeepAlive => self.listen.asked(),
                    Job::Income(_) => self.funding.asked(),
                    _ => {}
                }
            }
        }
    }

    fn send(&mut self, now: Time, job: Job, symbol: SymbolIndex, charge: super::budget::Charge, out: &mut Outputs) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        let timeout = job.timeout();
        let pending = Pending { id, job, symbol, sent_at: now, deadline: now + timeout + TIMEOUT_GRACE, charge, cancel_asked: false };
        let pushed = self.pending.push(pending).is_ok();
        assert!(pushed, "more requests on the way than connections for them");
        match job {
            Job::Place(_) => self.stats.places += 1,
            Job::Cancel(_) => self.stats.cancels += 1,
            _ => {}
        }
        self.stats.requests += 1;
        let encoded = self.encode(now, job, symbol);
        out.push(Output::Request(HttpRequest {
            id,
            lane: job.lane(),
            method: encoded.spec.method,
            target: encoded.target,
            api_key: encoded.spec.security != Security::None,
            timeout,
            body_max: job.body_max(),
        }));
    }

    fn take_pending(&mut self, request: RequestId) -> Option<Pending> {
        let at = self.pending.iter().position(|p| p.id == request)?;
        self.pending.swap_remove(at)
    }

    fn reply(&mut self, now: Time, request: RequestId, reply: &Reply<'_>, out: &mut Outputs) {
        let Some(pending) = self.take_pending(request) else {
            self.stats.stray_replies += 1;
            return;
        };
        self.dirty = true;
        let at = self.offset.exchange_time(now);
        self.budget.settle(at, pending.charge, Settled::Paid(reply.used));
        self.failures_in_a_row = 0;
        self.obey_limits(now, reply, out);
        if !self.budget.is_blocked(at) {
            self.set_requests(self.phase == Phase::Running, out);
        }
        let result = self.judge(reply);
        self.answered(now, &pending, result, out);
    }

    pub(super) fn failed(&mut self, now: Time, request: RequestId, sent: Sent, out: &mut Outputs) {
        let Some(pending) = self.take_pending(request) else {
            self.stats.stray_replies += 1;
            return;
        };
        self.dirty = true;
        self.stats.requests_failed += 1;
        let settled = match sent {
            Sent::No => Settled::Free,
            Sent::Maybe => Settled::Paid(Used::default()),
        };
        self.budget.settle(self.offset.exchange_time(now), pending.charge, settled);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        if self.failures_in_a_row >= REQUESTS_DOWN_AFTER {
            self.set_requests(false, out);
        }
        self.answered(now, &pending, Err(super::answers::Trouble::Silent(sent)), out);
    }

    /// Tells everybody when the request channel goes down or up.
    pub(super) fn set_requests(&mut self, up: bool, out: &mut Outputs) {
        if self.requests_up != up && self.phase == Phase::Running {
            self.requests_up = up;
            self.link(Feed::Requests, up, out);
        }
    }

    /// Tells all symbols and the account about a feed.
    pub(super) fn link(&mut self, feed: Feed, up: bool, out: &mut Outputs) {
        out.push(Output::Account(AccountEvent::Link(Link { feed, up })));
        for n in 0..self.symbols.len() {
            out.event(SymbolIndex(n as u16), Event::Link(Link { feed, up }));
        }
    }

    // Time -----------------------------------------------------------------------------------------------------------

    fn timers(&mut self, now: Time, out: &mut Outputs) {
        self.dirty = true;
        while let Some(late) = self.pending.iter().find(|p| p.deadline <= now).map(|p| p.id) {
            self.failed(now, late, Sent::Maybe, out);
        }
        self.expire(now, out);
        self.conn_timers(now, out);
        if let Phase::Running = self.phase {
            let at = self.offset.exchange_time(now);
            if !self.requests_up && self.failures_in_a_row < REQUESTS_DOWN_AFTER && !self.budget.is_blocked(at) {
                self.set_requests(true, out);
            }
        }
        if let Phase::Stopping(until) = self.phase
            && until <= now
        {
            self.give_up(now, out);
        }
    }

    fn next_wake(&self, now: Time) -> Option<Time> {
        if self.phase == Phase::Stopped {
            return None;
        }
        // What is already due waits for a connection or the budget: those tell by themselves when they are free.
        let later = |at: Option<Time>| at.filter(|at| *at > now);
        let mut wake = self.retry_at;
        let mut add = |at: Option<Time>| wake = Time::earliest(wake, later(at));
        for pending in &self.pending {
            add(Some(pending.deadline));
        }
        add(self.lanes.expires_at());
        for conn in &self.conns {
            add(conn.due_at());
        }
        add(self.boot.due_at());
        add(self.listen.due_at());
        add(self.funding.due_at());
        add(self.offset.due_at());
        add(self.balances_at);
        add(self.refresh_at);
        for rate in &self.rates {
            add(rate.due_at());
        }
        if self.batch.stage != BatchStage::None {
            add(Some(self.batch.not_before));
        }
        for state in &self.symbols {
            if let Fetch::Wanted(at) = state.book_fetch {
                add(Some(at));
            }
            if let Fetch::Wanted(at) = state.past.fetch {
                add(Some(at));
            }
            add(state.arming.and_then(|arming| arming.due_at()));
            if state.resync.stage != Stage::Idle {
                add(Some(state.resync.not_before));
            }
        }
        let at = self.offset.exchange_time(now);
        if self.budget.is_blocked(at) {
            add(Some(now + self.budget.blocked_until().since(at)));
        }
        if let Phase::Stopping(until) = self.phase {
            add(Some(until));
        }
        wake
    }

    // The end --------------------------------------------------------------------------------------------------------

    fn stop(&mut self, now: Time, out: &mut Outputs) {
        if matches!(self.phase, Phase::Stopping(_)) {
            return;
        }
        self.phase = Phase::Stopping(now + STOP_WAIT);
        self.dirty = true;
        self.refuse_waiting(out);
        for n in 0..self.conns.len() {
            if let Some(conn) = self.conns.get_mut(n) {
                match conn.state {
                    ConnState::Open | ConnState::Opening(_) => {
                        conn.state = ConnState::Closing(now + STOP_WAIT);
                        out.push(Output::Close { conn: ConnId(n as u8) });
                    }
                    ConnState::Down(_) => conn.state = ConnState::Down(None),
                    ConnState::Closing(_) => {}
                }
            }
        }
    }

    /// Ends when every order is answered and every connection gone.
    fn end_if_done(&mut self, now: Time, out: &mut Outputs) {
        let Phase::Stopping(until) = self.phase else { return };
        let orders = self.pending.iter().any(|p| matches!(p.job, Job::Place(_) | Job::Cancel(_) | Job::Query(_)));
        let open = self.conns.iter().any(|c| !matches!(c.state, ConnState::Down(_)));
        if (!orders && !open) || until <= now {
            self.give_up(now, out);
        }
    }

    fn give_up(&mut self, now: Time, out: &mut Outputs) {
        if self.phase == Phase::Stopped {
            return;
        }
        while let Some(pending) = self.pending.pop() {
            self.answered(now, &pending, Err(super::answers::Trouble::Silent(Sent::Maybe)), out);
        }
        self.refuse_waiting(out);
        self.phase = Phase::Stopped;
        out.push(Output::Stopped);
    }

    /// The shard's symbols.
    pub(super) fn shard(&self, shard: u8) -> core::ops::Range<usize> {
        shard_range(shard, self.symbols.len())
    }
}
