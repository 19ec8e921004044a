use crate::clock::Clock;
use crate::config::GatewayConfig;
use crate::dial::Dialer;
use crate::driver::{Counts, Driver, Order};
use crate::http::Http;
use crate::limits::{HTTP_BUFFER_MAX, MESSAGE_MAX, ORDERS_WAITING, READ_BUFFER, TLS_BUFFERS, WORK_BYTES, WORK_MAX, WRITE_BUFFER_MAX};
use crate::sockets::Sockets;
use crate::work::Work;
use plimsoll_bounded::{
    Class, ExitStatus, Grants, Line, NotPlanned, Plan, Refused, SendError, Sender, SpawnError, TaskHandle, TaskSpec, Tasks, WatchReceiver,
    WhenFull, channel, watch,
};
use plimsoll_exchange::SymbolIndex;
use plimsoll_exchange::session::limits::{CANCELS_WAITING, REQUESTS_MAX};
use plimsoll_exchange::session::{BootFailure, BootReport, Outputs, Session, SessionStats, body_bytes_max, conns_of};
use plimsoll_market::{AccountEvent, Action, Event, Time};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Takes what happens. Called within the gateway's task, in order, so it must never block: it may send orders at once, and
/// they leave in the same turn.
pub trait Sink: Send + 'static {
    /// Something happened to a symbol.
    fn event(&mut self, symbol: SymbolIndex, now: Time, event: Event);
    /// Something happened to the account.
    fn account(&mut self, now: Time, event: AccountEvent);
    /// The boot is complete, or failed; then [`GatewayHandle::stop`] is what is left to do.
    fn booted(&mut self, now: Time, report: Result<BootReport, BootFailure>);
}

/// Carries out one [`Session`] on real sockets.
pub struct Gateway;

/// Why a gateway did not start.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The task set refused it.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The plan admitted is not [`Gateway::plan`].
    #[error(transparent)]
    Plan(#[from] NotPlanned),
    /// The TLS library has no usable protocol.
    #[error("no tls")]
    Tls(#[source] rustls::Error),
}

impl Gateway {
    /// Adds what a gateway needs to a plan: queues, buffers of its sockets, bodies of answers.
    ///
    /// # Errors
    /// When the plan has no room for the lines.
    pub fn plan(plan: &mut Plan, owner: &str, symbols: usize) -> Result<(), Refused> {
        let name = |template: &str| format!("{template}/{owner}");
        let conns = conns_of(symbols) + REQUESTS_MAX;
        let (refuse, keep) = (WhenFull::Refuse, Class::MustKeep);
        plan.add(Line::of::<Order>(&name("gateway.cancels"), symbols * CANCELS_WAITING, refuse, keep))?;
        plan.add(Line::of::<Order>(&name("gateway.orders"), symbols * ORDERS_WAITING, refuse, keep))?;
        plan.add(Outputs::line(&name("gateway.outputs"), symbols))?;
        plan.add(Line::of::<GatewayStats>(&name("gateway.stats"), 1, WhenFull::Conflate, Class::LatestWins))?;
        let socket = MESSAGE_MAX + READ_BUFFER + WRITE_BUFFER_MAX + HTTP_BUFFER_MAX + TLS_BUFFERS;
        let external =
            [("gateway.work", WORK_MAX, WORK_BYTES), ("gateway.sockets", conns, socket), ("gateway.bodies", 1, body_bytes_max(symbols))];
        for (template, capacity, item_bytes) in external {
            plan.add(Line { name: &name(template), capacity, item_bytes, policy: refuse, class: Class::External })?;
        }
        Ok(())
    }

    /// Starts the gateway's one task in the runtime of the caller, of either flavour, and the session's boot with it.
    ///
    /// # Errors
    /// The task set or the plan refused it.
    pub fn spawn(
        config: &GatewayConfig,
        session: Session,
        sink: impl Sink,
        clock: Clock,
        tasks: &Tasks,
        grants: &mut Grants,
    ) -> Result<GatewayHandle, GatewayError> {
        let dialer = Dialer::new().map_err(GatewayError::Tls)?;
        let (cancel_sender, cancels) = channel(grants.take("gateway.cancels")?);
        let (order_sender, orders) = channel(grants.take("gateway.orders")?);
        let (stats, stats_reader) = watch(grants.take("gateway.stats")?, GatewayStats::default());
        let now = Instant::now();
        let driver = Driver {
            session,
            sink,
            clock,
            outputs: Outputs::new(grants.take("gateway.outputs")?),
            http: Http::new(config, dialer.clone(), now),
            sockets: Sockets::new(config.websocket.clone(), dialer),
            cancels,
            orders,
            stats,
            stats_at: now,
            stats_old: true,
            counts: Counts::default(),
            work: Work::new(),
            grants: [grants.take("gateway.work")?, grants.take("gateway.sockets")?, grants.take("gateway.bodies")?],
            ended: false,
        };
        let name = format!("gateway/{}", config.owner);
        // Boxed: a session is large, and the set charges futures by their declared size.
        let driver = Box::new(driver);
        let task = tasks.spawn(TaskSpec { name: &name, group: "gateway" }, move |task| driver.run(task))?;
        Ok(GatewayHandle { orders: OrderSender { cancels: cancel_sender, orders: order_sender }, stats: stats_reader, task })
    }
}

/// Figures of a gateway, at most [`crate::limits::STATS_EVERY`] older than its last turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayStats {
    /// The session's figures.
    pub session: SessionStats,
    /// Turns of the driver.
    pub turns: u64,
    /// HTTP connections opened.
    pub http_opened: u64,
    /// HTTP connections that could not be opened.
    pub http_failures: u64,
    /// WebSockets that could not be opened.
    pub socket_failures: u64,
}

/// Owns a running gateway. Dropped, the gateway goes on until its task set ends it.
#[derive(Debug)]
pub struct GatewayHandle {
    orders: OrderSender,
    stats: WatchReceiver<GatewayStats>,
    task: TaskHandle,
}

/// How a gateway ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How its task ended; `None` when it blocks its thread and did not even take the abort.
    pub exit: Option<ExitStatus>,
    /// The last figures.
    pub stats: GatewayStats,
}

impl Report {
    /// Whether it ended by itself, in time and without a fault.
    pub fn is_clean(&self) -> bool {
        self.exit.is_some_and(|exit| exit.is_ok())
    }
}

impl GatewayHandle {
    /// Where engines send their actions.
    pub fn orders(&self) -> OrderSender {
        self.orders.clone()
    }

    /// The figures now.
    pub fn watch_stats(&self) -> WatchReceiver<GatewayStats> {
        self.stats.clone()
    }

    /// What it did so far.
    pub fn stats(&self) -> GatewayStats {
        self.stats.clone().with(|stats| *stats)
    }

    /// Whether the gateway has ended, and how.
    pub fn exit(&self) -> Option<ExitStatus> {
        self.task.exit()
    }

    /// Ends the session in order, closes all sockets and joins the task; after `deadline` it is cut off.
    ///
    /// # Bounds
    /// Takes `deadline` and [`plimsoll_bounded::ABORT_GRACE`] at most. In order it takes at most
    /// [`plimsoll_exchange::session::limits::STOP_WAIT`] and [`crate::limits::CLOSE_TIMEOUT`].
    ///
    /// # Cancel safety
    /// Given up, the gateway has been told to end.
    pub async fn stop(self, deadline: Duration) -> Report {
        let exit = self.task.stop_and_join(deadline).await.ok();
        Report { exit, stats: self.stats.clone().with(|stats| *stats) }
    }
}

/// Sends actions to the gateway. Cheap to clone; never waits. Cancels have a lane of their own.
#[derive(Clone, Debug)]
pub struct OrderSender {
    cancels: Sender<Order>,
    orders: Sender<Order>,
}

/// Why an action was not taken. It did not leave.
#[derive(Debug, Error)]
pub enum OrderRefused {
    /// Its lane is full.
    #[error("lane of the gateway is full")]
    Full(Action),
    /// The gateway has ended.
    #[error("gateway has ended")]
    Ended(Action),
}

impl OrderSender {
    /// Sends an action.
    ///
    /// # Errors
    /// Gives the action back when its lane is full or the gateway has ended.
    pub fn try_send(&self, symbol: SymbolIndex, action: Action) -> Result<(), OrderRefused> {
        let lane = match &action {
            Action::Cancel(_) => &self.cancels,
            Action::Place(_)
            | Action::Query { .. }
            | Action::Resync { .. }
            | Action::Countdown { .. }
            | Action::History
            | Action::Commit(_)
            | Action::Record(_)
            | Action::Alert(_) => &self.orders,
        };
        match lane.try_send((symbol, action)) {
            Ok(_) => Ok(()),
            Err(SendError::Full((_, action))) => Err(OrderRefused::Full(action)),
            Err(SendError::Closed((_, action))) => Err(OrderRefused::Ended(action)),
        }
    }

    /// Actions other than cancels that can still be taken now.
    pub fn room(&self) -> usize {
        self.orders.room()
    }
}
