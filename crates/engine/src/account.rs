use core::time::Duration;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{AccountEvent, Alert, AlertCode, Amount, Asset, Lease, Severity, Time, format_units};

/// How long a lease lasts; it is renewed at a third of it.
const LEASE: Duration = Duration::from_secs(30);

/// The limits of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountConfig {
    /// The asset that equity is counted in.
    pub quote: Asset,
    /// The most that all symbols' holdings and opening orders may be worth together, units of 1e-8 of the quote asset.
    pub exposure_max: i128,
    /// Orders that all symbols together may place in ten seconds.
    pub orders_per_10s: u16,
    /// Fall of the equity from its peak, in millionths, at which nothing more is opened; 1,000,000 turns it off.
    pub drawdown_max_ppm: u32,
}

/// What can happen to an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountInput {
    /// The exchange told something.
    Event(AccountEvent),
    /// A symbol told what closing its holding would add, units of 1e-8 of the quote asset.
    Unrealized {
        /// Index of the symbol.
        symbol: u16,
        /// The profit that is not realised; `None` without a price.
        units: Option<i128>,
    },
    /// An operator lifts the drawdown stop; the peak begins anew.
    Reset,
    /// The time asked for has come.
    Wake,
}

/// What an account wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AccountAction {
    /// Lend to a symbol.
    Lease {
        /// Index of the symbol.
        symbol: u16,
        /// What is lent.
        lease: Lease,
    },
    /// Tell a human.
    Alert(Box<Alert>),
}

/// The worth of an account, units of 1e-8 of its quote asset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Equity {
    /// Deposits, realised profit, fees and funding together; `None` before the exchange told.
    pub wallet: Option<i128>,
    /// What closing all holdings would add; symbols without a price count as zero.
    pub unrealized: i128,
    /// Highest worth since the start or the last reset.
    pub peak: i128,
    /// Whether the drawdown stop is on.
    pub stopped: bool,
}

impl Equity {
    /// Wallet and unrealised profit together.
    pub fn total(&self) -> Option<i128> {
        self.wallet.map(|w| w + self.unrealized)
    }
}

/// What belongs to an account as a whole: equity, drawdown, and the limits it lends to its symbols.
///
/// Exposure and order rate are divided evenly; a lease ends by itself, so a symbol that hears nothing stops opening.
///
/// # Bounds
/// One number a symbol; the symbols are fixed at construction.
#[derive(Clone, Debug)]
pub struct Account {
    cfg: AccountConfig,
    unrealized: Box<[Option<i128>]>,
    /// Symbols that have not spoken since the wallet changed: their figure may count what the wallet has realised already.
    stale: Box<[bool]>,
    equity: Equity,
    lend_at: Time,
}

impl Account {
    /// Makes an account of `symbols` symbols.
    ///
    /// # Panics
    /// Without a symbol, or with more than [`crate::limits::SYMBOLS_MAX`].
    pub fn new(cfg: AccountConfig, symbols: usize) -> Self {
        assert!((1..=crate::limits::SYMBOLS_MAX).contains(&symbols), "number of symbols is out of range");
        Self {
            cfg,
            unrealized: vec![None; symbols].into_boxed_slice(),
            stale: vec![false; symbols].into_boxed_slice(),
            equity: Equity { wallet: None, unrealized: 0, peak: 0, stopped: false },
            lend_at: Time::ZERO,
        }
    }

    /// The account's worth.
    pub const fn equity(&self) -> Equity {
        self.equity
    }

    /// When leases must be renewed.
    pub const fn wake_at(&self) -> Time {
        self.lend_at
    }

    /// Takes what happened; `out` is called with what must be done.
    pub fn on_input(&mut self, now: Time, input: &AccountInput, mut out: impl FnMut(AccountAction)) {
        match input {
            AccountInput::Event(AccountEvent::Balance(balance)) if balance.asset == self.cfg.quote => {
                if self.equity.wallet != Some(balance.wallet) {
                    for (stale, known) in self.stale.iter_mut().zip(&self.unrealized) {
                        *stale = known.is_some();
                    }
                }
                self.equity.wallet = Some(balance.wallet);
            }
            AccountInput::Event(AccountEvent::MarginCall) => out(AccountAction::Alert(Box::new(Alert::new(
                Severity::Critical,
                AlertCode::Liquidation,
                now,
                &"the exchange warns that margin runs short",
            )))),
            AccountInput::Event(
                AccountEvent::Balance(_) | AccountEvent::Position { .. } | AccountEvent::Leverage { .. } | AccountEvent::Link(_),
            ) => {}
            AccountInput::Unrealized { symbol, units } => {
                if let Some(entry) = self.unrealized.get_mut(usize::from(*symbol)) {
                    *entry = *units;
                }
                if let Some(stale) = self.stale.get_mut(usize::from(*symbol)) {
                    *stale = false;
                }
                self.equity.unrealized = self.unrealized.iter().flatten().sum();
            }
            AccountInput::Reset => {
                self.equity.stopped = false;
                self.equity.peak = self.equity.total().unwrap_or(0);
                self.lend_at = now;
            }
            AccountInput::Wake => {}
        }
        self.watch(now, &mut out);
        if self.lend_at <= now {
            self.lend(now, &mut out);
        }
    }

    fn watch(&mut self, now: Time, out: &mut impl FnMut(AccountAction)) {
        if self.stale.contains(&true) {
            return;
        }
        let Some(total) = self.equity.total() else { return };
        self.equity.peak = self.equity.peak.max(total);
        let fallen = (self.equity.peak - total) * 1_000_000;
        let limit = self.equity.peak * i128::from(self.cfg.drawdown_max_ppm);
        if self.cfg.drawdown_max_ppm < 1_000_000 && fallen > limit && !self.equity.stopped {
            self.equity.stopped = true;
            self.lend_at = now;
            let show = |units| format_units(units, MONEY_SCALE);
            out(AccountAction::Alert(Box::new(Alert::new(
                Severity::Critical,
                AlertCode::Drawdown,
                now,
                &format_args!(
                    "equity fell from {} to {}, beyond risk_control.max_drawdown; nothing more is opened",
                    show(self.equity.peak),
                    Amount::new(self.cfg.quote, total)
                ),
            ))));
        }
    }

    /// Lends every symbol its share; after a drawdown stop the share is nothing.
    fn lend(&mut self, now: Time, out: &mut impl FnMut(AccountAction)) {
        self.lend_at = now + LEASE / 3;
        let symbols = i128::try_from(self.unrealized.len()).unwrap_or(i128::MAX);
        let share = if self.equity.stopped { 0 } else { self.cfg.exposure_max / symbols };
        let rate = usize::from(self.cfg.orders_per_10s) / self.unrealized.len();
        let lease = Lease { exposure_max: share, orders_per_10s: u16::try_from(rate).unwrap_or(u16::MAX).max(1), until: now + LEASE };
        for symbol in 0..self.unrealized.len() {
            out(AccountAction::Lease { symbol: symbol as u16, lease });
        }
    }
}
