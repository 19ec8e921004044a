//! The loop of an account: equity, drawdown, and the leases it renews.

use super::inbox::{Control, Inlet};
use super::keeper::KeeperRequest;
use super::sink::LinkState;
use crate::alerts::Alerts;
use plimsoll_bounded::{Grant, Receiver, Sender, Task, WatchSender};
use plimsoll_engine::{Account, AccountAction, AccountConfig, AccountInput, Equity};
use plimsoll_gateway::Clock;
use plimsoll_market::{Candle, Event, Feed, Name, Time};
use plimsoll_monitor::AccountMetrics;
use plimsoll_storage::EquityPoint;
use std::sync::Arc;
use std::time::Duration;

/// How often the equity is stored.
const STORE_EVERY: Duration = Duration::from_secs(5);

/// What reaches the account's loop.
#[derive(Clone, Copy, Debug)]
pub enum Feedback {
    /// Something happened.
    Input(AccountInput),
    /// A candle of a symbol closed.
    Candle {
        /// Its number.
        symbol: u16,
        /// Start of the candle.
        open_time: Time,
        /// Price of its last trade, in the symbol's units.
        close: i64,
        /// Base quantity traded, in the symbol's units.
        volume: u64,
    },
    /// Data of a feed was lost.
    Gap(Feed),
    /// An order was answered after so long.
    Answered(Duration),
    /// Other limits count from now on.
    Limits(AccountConfig),
}

impl Feedback {
    /// What the risk monitor needs of a candle.
    pub const fn candle(symbol: u16, candle: &Candle) -> Self {
        Self::Candle { symbol, open_time: candle.open_time, close: candle.close.units(), volume: candle.volume.units() }
    }
}

/// The account's worth, for display.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EquityView {
    /// The worth; nothing is known before the exchange told.
    pub equity: Option<Equity>,
}

/// Drives an [`Account`].
pub struct AccountLoop {
    /// The account.
    pub account: Account,
    /// Numbers of the symbols that the risk monitor watches, in its order.
    pub watched: Vec<u16>, // tidy: bounded by MONITORED_MAX, fixed at the start
    /// The risk monitor's line in the ledger, held as long as it lives.
    pub memory: Grant,
    /// Where state goes.
    pub keeper: Sender<KeeperRequest>,
    /// Its name.
    pub name: Name,
    /// Ways to the symbols.
    pub inlets: Vec<Inlet>, // tidy: bounded by SYMBOLS_MAX, fixed at the start
    /// Where the worth is shown.
    pub view: WatchSender<EquityView>,
    /// Where it is stored, and where alerts go.
    pub alerts: Alerts,
    /// The account's series.
    pub metrics: AccountMetrics,
    /// Which feeds deliver.
    pub links: Arc<LinkState>,
    /// The clock.
    pub clock: Clock,
}

impl AccountLoop {
    /// Runs until the process stops.
    pub async fn run(mut self, mut lane: Receiver<Feedback>, task: Task) {
        // Symbols tell their profit several times a second, and leases are renewed.
        task.pulse.expect_every(Duration::from_secs(60));
        let mut stored_at = Time::ZERO;
        self.memory.gauge().set_len(self.watched.len());
        self.input(&AccountInput::Wake);
        // bounded: by the stop and the end of the lane; each turn waits.
        loop {
            let wake = self.clock.instant(self.account.wake_at());
            tokio::select! {
                biased;
                // The stop first: nothing here must be finished.
                () = task.stop.stopped() => return,
                got = lane.recv() => match got {
                    Some(Feedback::Input(input)) => self.input(&input),
                    Some(Feedback::Candle { symbol, open_time, close, volume }) => {
                        if let Some(place) = self.watched.iter().position(|watched| *watched == symbol) {
                            self.input(&AccountInput::Candle { watched: place as u16, open_time, close, volume });
                        }
                    }
                    Some(Feedback::Gap(feed)) => self.metrics.gap(feed),
                    Some(Feedback::Answered(took)) => self.metrics.request(took),
                    Some(Feedback::Limits(limits)) => {
                        self.account.adopt(limits);
                        self.input(&AccountInput::Wake);
                    }
                    None => return,
                },
                () = tokio::time::sleep_until(wake.into()) => self.input(&AccountInput::Wake),
            }
            task.pulse.beat();
            let equity = self.account.equity();
            for feed in [Feed::Market, Feed::Account, Feed::Requests] {
                self.metrics.link(feed, self.links.is_up(feed));
            }
            if let Some(wallet) = equity.wallet {
                self.metrics.worth(wallet, equity.total());
            }
            self.metrics.risk(equity.drawdown, equity.tier as u8, equity.demand.is_some(), equity.drift, equity.abnormal);
            self.view.put(EquityView { equity: Some(equity) });
            let now = self.clock.now();
            if let Some(wallet) = equity.wallet
                && now.since(stored_at) >= STORE_EVERY
            {
                stored_at = now;
                self.alerts.history().equity(EquityPoint { time: now, account: self.name, wallet, unrealized: equity.unrealized });
            }
        }
    }

    fn input(&mut self, input: &AccountInput) {
        let now = self.clock.now();
        let (inlets, alerts, name, keeper) = (&self.inlets, &self.alerts, self.name, &self.keeper);
        self.account.on_input(now, input, |action| match action {
            AccountAction::Lease { symbol, lease } => {
                // A lane without room gets the next lease; without one the symbol opens nothing.
                if let Some(inlet) = inlets.get(usize::from(symbol))
                    && inlet.control(Control::Event(Event::Lease(lease))).is_err()
                {
                    tracing::debug!(symbol, "lease found no room");
                }
            }
            AccountAction::Commit(record) => {
                // What found no room is committed with the next change, a peak at the latest within a minute.
                if keeper.try_send(KeeperRequest::Account { record }).is_err() {
                    tracing::error!("the account's state found no room to be stored");
                }
            }
            AccountAction::Alert(alert) => {
                alerts.raise(Some(&name), None, *alert);
            }
        });
    }
}
