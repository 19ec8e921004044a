use core::time::Duration;
use plimsoll_market::limits::MONEY_SCALE;
use plimsoll_market::{AccountEvent, AccountRecord, Alert, AlertCode, Asset, Demand, Lease, Rule, Severity, Time, format_units};
use plimsoll_safety::{Alarm, DailyLoss, Drawdown, LadderConfig, MonitorConfig, RiskMonitor, Tier};

/// How long a lease lasts; it is renewed at a third of it.
const LEASE: Duration = Duration::from_secs(30);
/// How long nothing is opened after the exchange's last warning of margin.
const MARGIN_CALL: Duration = Duration::from_secs(600);
/// How long after a change of the wallet the symbols' figures may be older than it.
const SETTLING: Duration = Duration::from_secs(1);
/// How long the account is not judged while a symbol has no price, or wallet and books are apart.
const PATIENCE: Duration = Duration::from_secs(60);
/// Beyond this share of the wallet (a two-hundredth) a difference between wallet and books is money that moved.
const MOVED_SHARE: i128 = 200;
/// A new peak is stored this often at most; what latches is stored at once.
const STORE_EVERY: Duration = Duration::from_secs(60);

/// The limits of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountConfig {
    /// The asset that equity is counted in.
    pub quote: Asset,
    /// The most that all symbols' holdings and opening orders may be worth together, units of 1e-8 of the quote asset.
    pub exposure_max: i128,
    /// Orders that all symbols together may place in ten seconds.
    pub orders_per_10s: u16,
    /// The drawdown ladder.
    pub ladder: LadderConfig,
    /// Whether the ladder's last rung has all positions closed, too.
    pub close_on_red: bool,
    /// Loss of a day, in millionths of its first worth, at which nothing more is opened until midnight UTC; 1,000,000 turns it off.
    pub daily_loss: u32,
    /// The market-wide risk monitor; `None` turns it off.
    pub monitor: Option<MonitorConfig>,
}

/// What can happen to an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccountInput {
    /// The exchange told something.
    Event(AccountEvent),
    /// A symbol told its figures, units of 1e-8 of the quote asset.
    Figures {
        /// Index of the symbol.
        symbol: u16,
        /// What closing its holding would add; `None` without a price.
        unrealized: Option<i128>,
        /// Profit realised, fees and funding since its books began.
        booked: i128,
    },
    /// A candle of a watched symbol closed.
    Candle {
        /// Place of the symbol among those that the monitor watches.
        watched: u16,
        /// Start of the candle.
        open_time: Time,
        /// Price of its last trade, in the symbol's units.
        close: i64,
        /// Base quantity traded, in the symbol's units.
        volume: u64,
    },
    /// An operator lifts what has latched; peak and day begin anew.
    Rearm,
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
    /// Store what a restart must know.
    Commit(AccountRecord),
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
    /// Highest worth since the last re-arming.
    pub peak: i128,
    /// Fall from the peak that counts, in millionths.
    pub drawdown: u32,
    /// The rung of the drawdown ladder.
    pub tier: Tier,
    /// Worth when the day began, UTC; zero before it is known.
    pub day_start: i128,
    /// What the account's rules demand of its symbols.
    pub demand: Option<Demand>,
    /// What the wallet gained beyond what our books say, since both were first known; `None` before.
    pub drift: Option<i128>,
    /// Watched symbols that the risk monitor finds abnormal.
    pub abnormal: u16,
}

impl Equity {
    /// Wallet and unrealised profit together.
    pub fn total(&self) -> Option<i128> {
        self.wallet.map(|w| w + self.unrealized)
    }
}

#[derive(Clone, Copy, Debug)]
struct Known {
    unrealized: Option<i128>,
    booked: Option<i128>,
    /// It has not spoken since the wallet changed: its figures may count what the wallet has realised already, or not yet.
    stale: bool,
}

/// What belongs to an account as a whole: equity, the rules that go by it, and the limits it lends to its symbols.
///
/// Exposure and order rate are divided evenly; a lease ends by itself, so a symbol that hears nothing stops opening.
///
/// # Bounds
/// Two numbers a symbol and [`RiskMonitor`]'s candles; the symbols are fixed at construction.
#[derive(Clone, Debug)]
pub struct Account {
    cfg: AccountConfig,
    symbols: Box<[Known]>,
    wallet: Option<i128>,
    drawdown: Drawdown,
    daily: DailyLoss,
    monitor: Option<RiskMonitor>,
    margin_call_until: Option<Time>,
    /// When the wallet changed first since it was last judged.
    changed_at: Option<Time>,
    /// Since when a symbol has no price.
    unknown_since: Option<Time>,
    /// Since when wallet and books are apart.
    apart_since: Option<Time>,
    demand: Option<Demand>,
    /// What the wallet would be without what our books say.
    basis: Option<i128>,
    drift: Option<i128>,
    stored: AccountRecord,
    stored_at: Time,
    lend_at: Time,
}

impl Account {
    /// Makes an account of `symbols` symbols, of which so many are `watched` by the risk monitor.
    ///
    /// # Panics
    /// Without a symbol, or with more than [`crate::limits::SYMBOLS_MAX`].
    pub fn new(cfg: AccountConfig, symbols: usize, watched: usize, record: Option<AccountRecord>, now: Time) -> Self {
        assert!((1..=crate::limits::SYMBOLS_MAX).contains(&symbols), "number of symbols is out of range");
        let stored = record.unwrap_or_default();
        Self {
            cfg,
            symbols: vec![Known { unrealized: None, booked: None, stale: false }; symbols].into_boxed_slice(),
            wallet: None,
            drawdown: Drawdown::new(cfg.ladder, stored.peak, stored.latched == Some(Rule::Drawdown)),
            daily: DailyLoss::new(cfg.daily_loss, stored.day, stored.day_start, stored.day_lost),
            monitor: cfg.monitor.map(|monitor| RiskMonitor::new(monitor, watched, now)),
            margin_call_until: None,
            changed_at: None,
            unknown_since: None,
            apart_since: None,
            demand: None,
            basis: stored.basis,
            drift: None,
            stored,
            stored_at: Time::ZERO,
            lend_at: Time::ZERO,
        }
    }

    /// Goes by other limits from now on, and lends anew at once. What has latched stays latched, the day stays what it was; asset and
    /// risk monitor stay on or off as they were, with their window.
    pub fn adopt(&mut self, cfg: AccountConfig) {
        self.drawdown.adopt(cfg.ladder);
        self.daily.adopt(cfg.daily_loss);
        if let (Some(monitor), Some(cfg)) = (&mut self.monitor, cfg.monitor) {
            monitor.adopt(cfg);
        }
        self.cfg = AccountConfig { quote: self.cfg.quote, monitor: self.cfg.monitor.and(cfg.monitor), ..cfg };
        self.lend_at = Time::ZERO;
    }

    /// The account's worth, and how it stands.
    pub fn equity(&self) -> Equity {
        Equity {
            wallet: self.wallet,
            unrealized: self.unrealized(),
            peak: self.drawdown.peak(),
            drawdown: self.drawdown.score(),
            tier: self.drawdown.tier(),
            day_start: self.daily.start(),
            demand: self.demand,
            drift: self.drift,
            abnormal: self.monitor.as_ref().map_or(0, |m| m.abnormal() as u16),
        }
    }

    fn unrealized(&self) -> i128 {
        self.symbols.iter().filter_map(|s| s.unrealized).sum()
    }

    /// When leases must be renewed.
    pub const fn wake_at(&self) -> Time {
        self.lend_at
    }

    /// Takes what happened; `out` is called with what must be done.
    pub fn on_input(&mut self, now: Time, input: &AccountInput, mut out: impl FnMut(AccountAction)) {
        match input {
            AccountInput::Event(AccountEvent::Balance(balance)) if balance.asset == self.cfg.quote => {
                if self.wallet != Some(balance.wallet) {
                    for known in &mut self.symbols {
                        known.stale = known.booked.is_some();
                    }
                    self.changed_at.get_or_insert(now);
                }
                self.wallet = Some(balance.wallet);
            }
            AccountInput::Event(AccountEvent::Transfer { amount }) if amount.asset == self.cfg.quote => {
                self.wallet = self.wallet.map(|wallet| wallet + amount.units);
                self.drawdown.shift(amount.units);
                self.daily.shift(amount.units);
                self.basis = self.basis.map(|basis| basis + amount.units);
            }
            AccountInput::Event(AccountEvent::MarginCall) => {
                if self.margin_call_until.is_none() {
                    say(&mut out, now, Severity::Critical, AlertCode::Liquidation, &"the exchange warns that margin runs short");
                }
                self.margin_call_until = Some(now + MARGIN_CALL);
            }
            AccountInput::Event(
                AccountEvent::Balance(_)
                | AccountEvent::Transfer { .. }
                | AccountEvent::Position { .. }
                | AccountEvent::Leverage { .. }
                | AccountEvent::Link(_),
            ) => {}
            AccountInput::Figures { symbol, unrealized, booked } => {
                if let Some(known) = self.symbols.get_mut(usize::from(*symbol)) {
                    *known = Known { unrealized: *unrealized, booked: Some(*booked), stale: false };
                }
            }
            AccountInput::Candle { watched, open_time, close, volume } => {
                if let Some(monitor) = &mut self.monitor {
                    monitor.candle(now, usize::from(*watched), *open_time, *close, *volume);
                }
            }
            AccountInput::Rearm => {
                let worth = self.wallet.map_or(0, |w| w + self.unrealized());
                self.drawdown.rearm(worth);
                self.daily.rearm(worth);
                self.basis = None;
                if let Some(monitor) = &mut self.monitor {
                    monitor.rearm();
                }
                self.margin_call_until = None;
                say(&mut out, now, Severity::Info, AlertCode::Command, &"the account's rules were re-armed by an operator");
            }
            AccountInput::Wake => {}
        }
        self.watch(now, &mut out);
        self.demand(now, &mut out);
        self.store(now, &mut out);
        if self.lend_at <= now {
            self.lend(now, &mut out);
        }
    }

    /// Looks at worth and market.
    fn watch(&mut self, now: Time, out: &mut impl FnMut(AccountAction)) {
        if let Some(alarm) = self.monitor.as_mut().and_then(|monitor| monitor.judge(now)) {
            let watched = self.monitor.as_ref().map_or(0, RiskMonitor::len);
            match alarm {
                Some(Alarm::Falling) => say(
                    out,
                    now,
                    Severity::Critical,
                    AlertCode::Risk,
                    &format_args!("risk_monitor: all {watched} watched symbols fall with unusual volume; nothing more is opened"),
                ),
                Some(Alarm::Blind) => say(
                    out,
                    now,
                    Severity::Critical,
                    AlertCode::Risk,
                    &format_args!("risk_monitor: no closed candle of any of {watched} watched symbols; nothing more is opened"),
                ),
                None => say(out, now, Severity::Info, AlertCode::Risk, &"risk_monitor: the market has recovered; opening goes on"),
            }
        }
        let Some(wallet) = self.wallet else { return };
        if !self.is_settled(now, wallet, out) {
            return;
        }
        let worth = wallet + self.unrealized();
        let show = |units| format_units(units, MONEY_SCALE);
        let before = self.drawdown.tier();
        if let Some(tier) = self.drawdown.observe(now, worth) {
            let (peak, quote) = (show(self.drawdown.peak()), self.cfg.quote);
            let (severity, what) = match tier {
                Tier::Red if self.cfg.close_on_red => (Severity::Critical, "positions are closed, and nothing is opened until re-armed"),
                Tier::Red => (Severity::Critical, "nothing is opened until re-armed"),
                Tier::Orange => (Severity::Critical, "nothing more is opened"),
                Tier::Yellow if before > tier => (Severity::Warning, "opening goes on"),
                Tier::Yellow => (Severity::Warning, "look at it"),
                Tier::Green => (Severity::Info, "as it should be"),
            };
            let text = format_args!(
                "drawdown {}: equity {} {quote}, peak {peak}, fall {}.{:02} %; {what}",
                tier.as_str(),
                show(worth),
                self.drawdown.score() / 10_000,
                self.drawdown.score() / 100 % 100
            );
            say(out, now, severity, AlertCode::Drawdown, &text);
        }
        if self.daily.observe(now, worth) && self.daily.lost() {
            let (from, quote) = (show(self.daily.start()), self.cfg.quote);
            let text =
                format_args!("daily_loss: equity fell from {from} to {} {quote} today; nothing is opened until midnight UTC", show(worth));
            say(out, now, Severity::Critical, AlertCode::Drawdown, &text);
        }
    }

    /// Whether wallet and symbols' figures belong together, so that the account's worth can be judged. What does not settle is judged
    /// after a while as it is: a rule that waits for ever protects nobody.
    fn is_settled(&mut self, now: Time, wallet: i128, out: &mut impl FnMut(AccountAction)) -> bool {
        if self.symbols.iter().any(|s| s.stale) && self.changed_at.is_some_and(|at| now.since(at) < SETTLING) {
            return false;
        }
        self.changed_at = None;
        // A symbol without a price would count as nothing: a false peak, and then a false fall.
        if self.symbols.iter().any(|s| s.unrealized.is_none()) {
            if now.since(*self.unknown_since.get_or_insert(now)) < PATIENCE {
                return false;
            }
        } else {
            self.unknown_since = None;
        }
        let booked: i128 = self.symbols.iter().filter_map(|s| s.booked).sum();
        let basis = *self.basis.get_or_insert(wallet - booked);
        let drift = wallet - booked - basis;
        self.drift = Some(drift);
        if drift == 0 || drift.abs() * MOVED_SHARE <= wallet.abs() {
            self.apart_since = None;
            return true;
        }
        if now.since(*self.apart_since.get_or_insert(now)) < PATIENCE {
            return false;
        }
        // The books say that it was neither profit nor loss of ours: money moved while nobody told us.
        self.apart_since = None;
        self.drawdown.shift(drift);
        self.daily.shift(drift);
        (self.basis, self.drift) = (Some(basis + drift), Some(0));
        let amount = format_units(drift, MONEY_SCALE);
        let text = format_args!(
            "the wallet differs by {amount} {} from what our books say, for a minute: taken for money that came or went; peak and day go by it",
            self.cfg.quote
        );
        say(out, now, Severity::Warning, AlertCode::Risk, &text);
        true
    }

    /// Says what the rules demand together; what closes goes before what only stops opening.
    fn demand(&mut self, now: Time, out: &mut impl FnMut(AccountAction)) {
        if self.margin_call_until.is_some_and(|until| until <= now) {
            self.margin_call_until = None;
            say(out, now, Severity::Info, AlertCode::Risk, &"margin_call: no warning came again; opening goes on");
        }
        let stop = |rule| Some(Demand { rule, close: false });
        let demand = match self.drawdown.tier() {
            Tier::Red => Some(Demand { rule: Rule::Drawdown, close: self.cfg.close_on_red }),
            Tier::Orange => stop(Rule::Drawdown),
            Tier::Yellow | Tier::Green if self.daily.lost() => stop(Rule::DailyLoss),
            Tier::Yellow | Tier::Green if self.margin_call_until.is_some() => stop(Rule::MarginCall),
            Tier::Yellow | Tier::Green => self.monitor.as_ref().and_then(RiskMonitor::alarm).and_then(|_| stop(Rule::RiskMonitor)),
        };
        if demand != self.demand {
            self.demand = demand;
            self.lend_at = now;
        }
    }

    /// Stores what a restart must know: at once what latches, now and then a peak.
    fn store(&mut self, now: Time, out: &mut impl FnMut(AccountAction)) {
        let record = AccountRecord {
            peak: self.drawdown.peak(),
            latched: (self.drawdown.tier() == Tier::Red).then_some(Rule::Drawdown),
            day: self.daily.day(),
            day_start: self.daily.start(),
            day_lost: self.daily.lost(),
            basis: self.basis,
        };
        let only_peak = AccountRecord { peak: self.stored.peak, ..record } == self.stored;
        if record == self.stored || only_peak && now.since(self.stored_at) < STORE_EVERY {
            return;
        }
        self.stored = record;
        self.stored_at = now;
        out(AccountAction::Commit(record));
    }

    /// Lends every symbol its share.
    fn lend(&mut self, now: Time, out: &mut impl FnMut(AccountAction)) {
        self.lend_at = now + LEASE / 3;
        let symbols = i128::try_from(self.symbols.len()).unwrap_or(i128::MAX);
        let rate = usize::from(self.cfg.orders_per_10s) / self.symbols.len();
        let lease = Lease {
            exposure_max: self.cfg.exposure_max / symbols,
            orders_per_10s: u16::try_from(rate).unwrap_or(u16::MAX).max(1),
            until: now + LEASE,
            demand: self.demand,
        };
        for symbol in 0..self.symbols.len() {
            out(AccountAction::Lease { symbol: symbol as u16, lease });
        }
    }
}

fn say(out: &mut impl FnMut(AccountAction), now: Time, severity: Severity, code: AlertCode, text: &dyn core::fmt::Display) {
    out(AccountAction::Alert(Box::new(Alert::new(severity, code, now, text))));
}
