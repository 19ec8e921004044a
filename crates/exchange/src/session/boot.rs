//! What a start needs to know, step by step.

use super::answers::{Answer, Trouble};
use super::backoff::Backoff;
use super::budget::RateLimits;
use super::core::{Fetch, Phase, Session, SymbolState};
use super::io::{BootFailure, Output, Outputs};
use super::jobs::{Job, Pending};
use super::limits::{BOOT_ATTEMPTS, INSTRUMENTS_EVERY};
use super::report::{BootReport, PositionMode, SymbolReport};
use super::resync_state::Resync;
use super::side::Past;
use super::user::ListenKey;
use crate::SymbolIndex;
use crate::binance::book_sync::BookSync;
use crate::binance::decode::{self, ExchangeInfo, LimitKind};
use crate::class::Class;
use core::fmt::Write;
use core::time::Duration;
use plimsoll_market::{AccountEvent, Balance, Event, Instrument, Symbol, Time};

/// The steps, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Clock,
    ExchangeInfo,
    PositionMode,
    MultiAssets,
    Balances,
    SymbolConfig,
    /// Of the symbol with this number.
    Fees(u16),
    /// Of the symbol with this number.
    Leverage(u16),
    ListenKey,
}

/// The boot under way.
#[derive(Debug)]
pub(super) struct Boot {
    step: Step,
    asked: bool,
    attempts: Backoff,
    not_before: Option<Time>,
    limits: RateLimits,
    mode: PositionMode,
    multi_assets: bool,
    unknown: Vec<Symbol>,   // tidy: bounded by SYMBOLS_MAX, empty after the boot
    balances: Vec<Balance>, // tidy: bounded by LIST_MAX, empty after the boot
}

impl Boot {
    pub(super) fn new() -> Self {
        Self {
            step: Step::Clock,
            asked: false,
            attempts: Backoff::default(),
            not_before: None,
            limits: RateLimits::default(),
            mode: PositionMode::OneWay,
            multi_assets: false,
            unknown: Vec::new(),
            balances: Vec::new(),
        }
    }

    pub(super) fn begin(&mut self) {
        *self = Self::new();
    }

    pub(super) fn asked(&mut self) {
        self.asked = true;
        self.not_before = None;
    }

    pub(super) fn due_at(&self) -> Option<Time> {
        self.not_before
    }

    fn enter(&mut self, step: Step) {
        self.step = step;
        self.asked = false;
        self.attempts.reset();
        self.not_before = None;
    }
}

impl Session {
    /// What the boot asks for next.
    pub(super) fn next_boot(&self, now: Time) -> Option<(Job, SymbolIndex)> {
        if self.boot.asked || self.boot.not_before.is_some_and(|at| at > now) {
            return None;
        }
        let any = SymbolIndex::ANY;
        Some(match self.boot.step {
            Step::Clock => (Job::Clock, any),
            Step::ExchangeInfo => (Job::ExchangeInfo, any),
            Step::PositionMode => (Job::PositionMode, any),
            Step::MultiAssets => (Job::MultiAssets, any),
            Step::Balances => (Job::Balances, any),
            Step::SymbolConfig => (Job::SymbolConfig, any),
            Step::Fees(n) => (Job::Fees, SymbolIndex(n)),
            Step::Leverage(n) => (Job::Leverage(self.wanted_leverage(n)?), SymbolIndex(n)),
            Step::ListenKey => (Job::ListenKey, any),
        })
    }

    pub(super) fn boot_clock(&mut self, complete: bool) {
        self.boot.enter(if complete { Step::ExchangeInfo } else { Step::Clock });
    }

    pub(super) fn boot_answered(&mut self, now: Time, pending: &Pending, answer: Answer<'_>, out: &mut Outputs) {
        // An answer to the boot before, which was given up.
        if self.phase != Phase::Booting {
            return;
        }
        let read = answer.and_then(|body| self.boot_read(now, pending, body));
        match read {
            Ok(next) => {
                self.boot.enter(next);
                if self.boot.step == Step::ListenKey && pending.job == Job::ListenKey {
                    self.booted(now, out);
                }
            }
            Err(trouble) => self.boot_trouble(now, pending.job, pending.symbol, &trouble, out),
        }
    }

    /// Takes a step's answer and names the next step; after the last one the same again.
    fn boot_read(&mut self, now: Time, pending: &Pending, body: &[u8]) -> Result<Step, Trouble> {
        fn read<T, E>(result: Result<T, E>) -> Result<T, Trouble> {
            result.map_err(|_| Trouble::Malformed)
        }
        let n = pending.symbol.0;
        Ok(match pending.job {
            Job::ExchangeInfo => {
                let info = read(decode::exchange_info(body))?;
                self.take_contracts(now, &info);
                Step::PositionMode
            }
            Job::PositionMode => {
                let hedge = read(decode::hedge_mode(body))?;
                self.boot.mode = if hedge { PositionMode::Hedge } else { PositionMode::OneWay };
                Step::MultiAssets
            }
            Job::MultiAssets => {
                self.boot.multi_assets = read(decode::multi_assets(body))?;
                Step::Balances
            }
            Job::Balances => {
                let balances = read(decode::balances(body))?;
                let some = balances.iter().map(|b| b.balance).filter(|b| b.wallet != 0 || b.available.is_some_and(|a| a != 0));
                self.boot.balances = some.collect();
                Step::SymbolConfig
            }
            Job::SymbolConfig => {
                for config in read(decode::symbol_configs(body))? {
                    let index = self.instruments.index(config.symbol.as_str());
                    if let Some(state) = index.and_then(|index| self.symbols.get_mut(index.usize())) {
                        (state.leverage, state.isolated) = (config.leverage, config.isolated);
                    }
                }
                self.next_symbol_step(Step::Fees(0))
            }
            Job::Fees => {
                let fees = read(decode::commission_rate(body))?;
                if let Some(old) = self.instruments.get(pending.symbol).copied() {
                    let instrument = Instrument { maker_fee: fees.maker, taker_fee: fees.taker, ..old };
                    read(self.instruments.put(instrument))?;
                }
                self.next_symbol_step(Step::Fees(n.saturating_add(1)))
            }
            Job::Leverage(_) => {
                let set = read(decode::leverage_set(body))?;
                if let Some(state) = self.symbols.get_mut(pending.symbol.usize()) {
                    state.leverage = set.leverage;
                }
                self.next_symbol_step(Step::Leverage(n.saturating_add(1)))
            }
            Job::ListenKey => {
                let key = read(decode::listen_key(body))?.ok_or(Trouble::Malformed)?;
                self.listen = ListenKey::held(key, now);
                self.stats.listen_keys += 1;
                Step::ListenKey
            }
            _ => return Err(Trouble::Malformed),
        })
    }

    /// The first step from this one on that has something to do.
    fn next_symbol_step(&self, from: Step) -> Step {
        match from {
            Step::Fees(n) if usize::from(n) < self.symbols.len() => from,
            Step::Fees(_) => self.next_symbol_step(Step::Leverage(0)),
            Step::Leverage(n) => {
                let count = self.symbols.len() as u16;
                (n..count).find(|n| self.wanted_leverage(*n).is_some()).map_or(Step::ListenKey, Step::Leverage)
            }
            other => other,
        }
    }

    /// The leverage to set for a symbol, when it is configured and differs.
    fn wanted_leverage(&self, n: u16) -> Option<u16> {
        let state = self.symbols.get(usize::from(n))?;
        self.config.leverage.filter(|wanted| *wanted != state.leverage)
    }

    /// Puts the configured contracts into the tables, numbered in the configuration's order.
    fn take_contracts(&mut self, now: Time, info: &ExchangeInfo) {
        self.take_limits(info);
        self.boot.unknown.clear();
        for n in 0..self.config.symbols.len() {
            let Some(symbol) = self.config.symbols.get(n).copied() else { continue };
            let known = info.contract(symbol.as_str()).and_then(|c| self.instruments.put(c.instrument).ok());
            match known {
                Some(index) if index.usize() < self.symbols.len() => {}
                Some(_) => {
                    let Some(book) = self.books.pop() else { continue };
                    let known = self.config.funded_to.iter().find(|(name, _)| *name == symbol).map(|(_, time)| *time);
                    let funding_after = known.unwrap_or(self.offset.exchange_time(now));
                    // Both were planned for every configured symbol.
                    let _room = self.symbols.push(SymbolState::new(symbol, book, funding_after));
                }
                None => self.boot.unknown.push(symbol),
            }
        }
    }

    fn take_limits(&mut self, info: &ExchangeInfo) {
        let mut limits = RateLimits::default();
        for limit in &info.limits {
            match (limit.kind, limit.interval.as_secs()) {
                (LimitKind::RequestWeight, 60) => limits.weight_1m = limit.limit,
                (LimitKind::Orders, 10) => limits.orders_10s = limit.limit,
                (LimitKind::Orders, 60) => limits.orders_1m = limit.limit,
                _ => {}
            }
        }
        self.boot.limits = limits;
        self.budget.set_limits(limits);
    }

    fn booted(&mut self, now: Time, out: &mut Outputs) {
        let symbols = self.instruments.iter().zip(&self.symbols).map(|((index, instrument), state)| SymbolReport {
            index,
            instrument: *instrument,
            leverage: state.leverage,
            isolated: state.isolated,
        });
        let report = BootReport {
            symbols: symbols.collect(),
            unknown: core::mem::take(&mut self.boot.unknown),
            position_mode: self.boot.mode,
            multi_assets: self.boot.multi_assets,
            balances: core::mem::take(&mut self.boot.balances),
            limits: self.boot.limits,
            clock_offset_ms: self.offset.millis(),
            round_trip: self.offset.round_trip(),
            at: now,
        };
        out.push(Output::Booted(Box::new(report)));
        self.run(now, out);
    }

    /// Tries a step again, or gives the boot up.
    pub(super) fn boot_trouble(&mut self, now: Time, job: Job, symbol: SymbolIndex, trouble: &Trouble, out: &mut Outputs) {
        let attempts = self.boot.attempts.failures() + 1;
        if trouble.is_retry() && attempts < BOOT_ATTEMPTS {
            let asked = match trouble {
                Trouble::Refused(error) => match error.class() {
                    Class::Retry { after } => after,
                    Class::Refused | Class::Unavailable | Class::Fatal => Duration::ZERO,
                },
                Trouble::Silent(_) | Trouble::Malformed => Duration::ZERO,
            };
            let wait = self.boot.attempts.next(&mut self.random).max(asked);
            self.boot.asked = false;
            self.boot.not_before = Some(now + wait);
            return;
        }
        let mut step = arrayvec::ArrayString::new();
        let mut cause = arrayvec::ArrayString::new();
        let named = self.symbols.get(symbol.usize()).map(|s| s.symbol);
        let written = match named {
            Some(symbol) => write!(step, "{} of {symbol}", job.name()),
            None => write!(step, "{}", job.name()),
        };
        if written.is_err() {
            step.clear();
        }
        let has = self.symbols.get(symbol.usize()).map(|s| s.leverage);
        let written = match (job, has, trouble) {
            (Job::Leverage(wanted), Some(has), Trouble::Refused(error)) if error.is_leverage_bound() => {
                write!(
                    cause,
                    "it is {has} and cannot become {wanted} while a position or orders need it: want {has}, or close them first; "
                )
            }
            _ => Ok(()),
        };
        if written.and_then(|()| write!(cause, "{trouble}")).is_err() {
            // Too long for the buffer: what fits is kept.
        }
        self.phase = Phase::Idle;
        self.boot.begin();
        let fatal = !trouble.is_retry();
        out.push(Output::BootFailed { reason: BootFailure { step, cause, fatal } });
    }

    /// Compares the exchange's rules with those in use.
    pub(super) fn refreshed(&mut self, now: Time, answer: Answer<'_>, out: &mut Outputs) {
        self.refresh_at = Some(now + INSTRUMENTS_EVERY);
        let Ok(body) = answer else { return };
        let Ok(info) = decode::exchange_info(body) else {
            self.stats.replies_malformed += 1;
            return;
        };
        self.take_limits(&info);
        for n in 0..self.symbols.len() {
            let index = SymbolIndex(n as u16);
            let Some(old) = self.instruments.get(index).copied() else { continue };
            let Some(contract) = info.contract(old.symbol.as_str()) else { continue };
            let new = Instrument { maker_fee: old.maker_fee, taker_fee: old.taker_fee, ..contract.instrument };
            if new == old {
                continue;
            }
            match self.instruments.put(new) {
                Ok(_) => out.event(index, Event::Instrument(Box::new(new))),
                Err(_) => self.stats.instruments_refused += 1,
            }
        }
    }

    pub(super) fn balances_answered(&mut self, now: Time, answer: Answer<'_>, out: &mut Outputs) {
        match answer.map(decode::balances) {
            Ok(Ok(balances)) => {
                self.retries.reset();
                // The account has a hundred assets at most; what is more has no room among the outputs.
                for asset in balances.iter().filter(|b| b.balance.wallet != 0).take(super::limits::BALANCES_MAX) {
                    out.push(Output::Account(AccountEvent::Balance(asset.balance)));
                }
            }
            Ok(Err(_)) => self.stats.replies_malformed += 1,
            Err(_) => self.balances_at = Some(now + self.retries.next(&mut self.random)),
        }
    }
}

impl SymbolState {
    fn new(symbol: Symbol, book: BookSync, funding_after: Time) -> Self {
        Self {
            symbol,
            book,
            book_fetch: Fetch::None,
            arming: None,
            past: Past::default(),
            book_backoff: Backoff::default(),
            book_synced_at: None,
            top: None,
            top_id: 0,
            market_up: false,
            resync: Resync::new(),
            leverage: 0,
            isolated: false,
            funding_after,
        }
    }
}
