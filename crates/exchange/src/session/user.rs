//! The user stream: its key, its messages, funding.

use super::answers::{Answer, Trouble};
use super::backoff::Backoff;
use super::conns::ConnState;
use super::core::Session;
use super::io::{ConnId, Outputs};
use super::jobs::Job;
use super::limits::{FUNDING_ATTEMPTS, FUNDING_DELAY, INCOME_PAGE, LISTEN_KEY_ATTEMPTS, LISTEN_KEY_EVERY};
use crate::SymbolIndex;
use crate::binance::decode::{self, AccountConfig, AccountReason, AccountUpdate, IncomeKind, OrderUpdate};
use core::time::Duration;
use plimsoll_market::{AccountEvent, Amount, Balance, Event, FundingPayment, PositionReport, Time};

/// The lease that the user stream lives by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ListenKey {
    /// None, and none is wanted.
    None,
    /// To be asked for, not before the time.
    Wanted(Time),
    /// Asked for.
    Asking,
    /// In use.
    Held { key: decode::ListenKey, renew_at: Time, failures: u8, asking: bool },
}

impl ListenKey {
    pub(super) fn held(key: decode::ListenKey, now: Time) -> Self {
        Self::Held { key, renew_at: now + LISTEN_KEY_EVERY, failures: 0, asking: false }
    }

    pub(super) fn asked(&mut self) {
        match self {
            Self::None | Self::Asking => {}
            Self::Wanted(_) => *self = Self::Asking,
            Self::Held { asking, .. } => *asking = true,
        }
    }

    pub(super) fn due_at(&self) -> Option<Time> {
        match self {
            Self::None | Self::Asking | Self::Held { asking: true, .. } => None,
            Self::Wanted(at) | Self::Held { renew_at: at, .. } => Some(*at),
        }
    }
}

/// Funding payments are not in the stream (for cross margin it names no symbol): they are fetched after each hint.
#[derive(Clone, Debug)]
pub(super) struct Funding {
    at: Option<Time>,
    /// Where the next page begins, when the last one was full.
    from: Option<Time>,
    backoff: Backoff,
}

impl Funding {
    pub(super) fn new() -> Self {
        Self { at: None, from: None, backoff: Backoff::default() }
    }

    /// Notes that there may be payments to fetch.
    pub(super) fn hint(&mut self, now: Time) {
        self.at = Some(self.at.map_or(now + FUNDING_DELAY, |at| at.max(now)));
        self.backoff.reset();
    }

    pub(super) fn asked(&mut self) {
        self.at = None;
    }

    pub(super) fn due_at(&self) -> Option<Time> {
        self.at
    }
}

impl Session {
    /// What the user stream needs next.
    pub(super) fn next_user_job(&self, now: Time) -> Option<(Job, SymbolIndex)> {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if due(self.listen.due_at()) {
            let job = match self.listen {
                ListenKey::Held { .. } => Job::KeepAlive,
                ListenKey::None | ListenKey::Wanted(_) | ListenKey::Asking => Job::ListenKey,
            };
            return Some((job, SymbolIndex::ANY));
        }
        if due(self.funding.due_at()) {
            // From a while before the last one told, since symbols are booked one after the other.
            let known = self.symbols.iter().map(|s| s.funding_after.millis()).min().unwrap_or(0);
            let from = self.funding.from.unwrap_or(Time::from_millis(known.saturating_sub(60_000)));
            return Some((Job::Income(from), SymbolIndex::ANY));
        }
        None
    }

    pub(super) fn listen_answered(&mut self, now: Time, job: Job, answer: Answer<'_>, out: &mut Outputs) {
        let extended = matches!(job, Job::KeepAlive);
        let read = answer.and_then(|body| decode::listen_key(body).map_err(|_| Trouble::Malformed));
        match (read, &mut self.listen) {
            (Ok(_), ListenKey::Held { renew_at, failures, asking, .. }) if extended => {
                (*renew_at, *failures, *asking) = (now + LISTEN_KEY_EVERY, 0, false);
            }
            (Ok(Some(key)), _) if !extended => {
                self.listen = ListenKey::held(key, now);
                self.stats.listen_keys += 1;
                self.retries.reset();
                if matches!(self.conns.get(0).map(|c| c.state), Some(ConnState::Down(_))) {
                    self.connect(now, 0, out);
                }
            }
            (Err(trouble), ListenKey::Held { renew_at, failures, asking, .. }) if extended => {
                let gone = matches!(trouble, Trouble::Refused(error) if error.is_listen_key_gone());
                *failures = failures.saturating_add(1);
                *asking = false;
                if gone || *failures >= LISTEN_KEY_ATTEMPTS {
                    self.listen_key_lost(now, out);
                } else {
                    *renew_at = now + self.retries.next(&mut self.random);
                }
            }
            // A key that was given up meanwhile.
            (_, _) if extended => {}
            (Ok(None) | Err(_), _) => self.listen = ListenKey::Wanted(now + self.retries.next(&mut self.random)),
            (Ok(Some(_)), _) => {}
        }
    }

    /// The key is gone: a new one, a new connection, and a catch-up.
    pub(super) fn listen_key_lost(&mut self, now: Time, out: &mut Outputs) {
        self.listen = ListenKey::Wanted(now);
        self.dirty = true;
        if self.conns.get(0).is_some_and(|c| matches!(c.state, ConnState::Open | ConnState::Opening(_))) {
            self.give_up_conn(now, ConnId::USER, out);
            // The wait is for the key, not for the connection.
            self.listen = ListenKey::Wanted(now);
        }
    }

    pub(super) fn order_update(&mut self, now: Time, update: &OrderUpdate, out: &mut Outputs) {
        // Liquidations and deleveraging are orders of others: without an id, with their fill.
        let report = self.own(update.symbol, update.report);
        out.event(update.symbol, Event::Order(Box::new(report)));
        if let Some(fill) = report.fill {
            self.fee_paid(now, update.symbol, fill.fee);
        }
    }

    pub(super) fn account_update(&mut self, now: Time, update: &AccountUpdate, out: &mut Outputs) {
        use super::io::Output;
        let room = super::limits::BALANCES_MAX;
        // First, what is neither profit nor loss: the balance that follows has it already.
        let moved = matches!(update.reason, AccountReason::Deposit | AccountReason::Withdraw | AccountReason::Transfer);
        for change in update.balances.iter().take(room).filter(|change| moved && change.change != 0) {
            let amount = Amount::new(change.asset, change.change);
            out.push(Output::Account(AccountEvent::Transfer { amount }));
        }
        for change in update.balances.iter().take(room) {
            let balance = Balance { asset: change.asset, wallet: change.wallet, available: None, time: update.time };
            out.push(Output::Account(AccountEvent::Balance(balance)));
        }
        for change in update.positions.iter().take(room) {
            let Some(state) = self.symbols.get(change.symbol.usize()) else { continue };
            let position = PositionReport { leverage: state.leverage, ..change.report };
            out.push(Output::Account(AccountEvent::Position { symbol: state.symbol, position }));
        }
        if update.reason == AccountReason::FundingFee {
            self.funding.hint(now);
            self.dirty = true;
        }
    }

    pub(super) fn account_config(&mut self, config: AccountConfig, out: &mut Outputs) {
        use super::io::Output;
        match config {
            AccountConfig::Leverage { symbol, leverage } => {
                let index = self.instruments.index(symbol.as_str());
                if let Some(state) = index.and_then(|index| self.symbols.get_mut(index.usize())) {
                    state.leverage = leverage;
                }
                out.push(Output::Account(AccountEvent::Leverage { symbol, leverage }));
            }
            // The margin mode of the account is read at the boot; a change shows in the balances.
            AccountConfig::MultiAssets(_) => self.stats.frames_ignored += 1,
        }
    }

    pub(super) fn income_answered(&mut self, now: Time, answer: Answer<'_>, out: &mut Outputs) {
        let payments = match answer.map(decode::income) {
            Ok(Ok(payments)) => payments,
            Ok(Err(_)) => {
                self.stats.replies_malformed += 1;
                self.stats.funding_failed += 1;
                return;
            }
            Err(trouble) => {
                if trouble.is_retry() && self.funding.backoff.failures() < FUNDING_ATTEMPTS {
                    let wait = self.funding.backoff.next(&mut self.random).max(Duration::from_secs(1));
                    self.funding.at = Some(now + wait);
                } else {
                    self.stats.funding_failed += 1;
                }
                return;
            }
        };
        self.funding.backoff.reset();
        // There may be more than a page of them; each page begins where the last one ended, so that there is an end.
        let newest = payments.iter().map(|p| p.time).max();
        let more = payments.len() >= usize::from(INCOME_PAGE) && newest > self.funding.from;
        self.funding.from = newest.filter(|_| more);
        if more {
            self.funding.at = Some(now);
        }
        let mut payments: Vec<_> = payments.into_iter().filter(|p| p.kind == IncomeKind::FundingFee).collect();
        payments.sort_by_key(|p| p.time);
        for payment in payments {
            let index = payment.symbol.and_then(|symbol| self.instruments.index(symbol.as_str()));
            let Some((index, state)) = index.and_then(|i| self.symbols.get_mut(i.usize()).map(|s| (i, s))) else { continue };
            if payment.time <= state.funding_after {
                continue;
            }
            if out.len() + super::limits::REQUESTS_MAX + 1 >= out.room() {
                // The rest is fetched again: it is after what was told.
                self.funding.at = Some(now);
                break;
            }
            state.funding_after = payment.time;
            out.event(index, Event::Funding(Box::new(FundingPayment { amount: payment.amount, time: payment.time })));
        }
    }
}
