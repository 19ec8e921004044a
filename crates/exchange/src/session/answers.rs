//! What an answer, or its absence, means for the request.

use super::core::{Phase, Session};
use super::io::{ConnId, Outputs, Reply, Sent};
use super::jobs::{Job, Pending};
use super::limits::{BANNED_REST, RATE_LIMITED_REST, SETTLE_MARGIN};
use crate::SymbolIndex;
use crate::binance::ApiError;
use crate::binance::decode;
use crate::class::{Class, Outcome};
use plimsoll_market::{CancelFailure, ClientId, Event, OrderReport, Reject, Request, Source, Time};

/// Why a request brought nothing.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// No answer.
    Silent(Sent),
    /// The exchange, or something before it, said no.
    Refused(Box<ApiError>),
    /// The answer cannot be understood.
    Malformed,
}

/// A body, or why there is none.
pub(super) type Answer<'a> = Result<&'a [u8], Trouble>;

impl Trouble {
    /// Whether it may be tried again without a change.
    pub(super) fn is_retry(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Malformed => false,
            Self::Refused(error) => matches!(error.class(), Class::Retry { .. } | Class::Unavailable),
        }
    }
}

impl core::fmt::Display for Trouble {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Silent(Sent::No) => f.write_str("exchange cannot be reached"),
            Self::Silent(Sent::Maybe) => f.write_str("exchange does not answer"),
            Self::Refused(error) => error.fmt(f),
            Self::Malformed => f.write_str("answer cannot be understood"),
        }
    }
}

/// How the answer to an order's request is told.
enum Verdict {
    /// It was taken: the order stands so.
    Done(Box<OrderReport>),
    /// It may have been taken.
    Unknown,
    /// It was not looked at: too many requests, or the exchange is busy.
    NotTaken,
    /// It was refused.
    Refused(Box<ApiError>),
}

impl Session {
    /// Reads the status of a reply.
    pub(super) fn judge<'a>(&self, reply: &Reply<'a>) -> Answer<'a> {
        match reply.status {
            200..=299 => Ok(reply.body),
            status => Err(Trouble::Refused(Box::new(ApiError::from_reply(status, reply.retry_after, reply.body)))),
        }
    }

    /// Rests what the exchange wants rested.
    ///
    /// After 429 everything rests for as long as the exchange says, cancels too: going on leads to a ban. During a ban (418)
    /// everything rests for the same reason; the streams go on, so the account stays known.
    pub(super) fn obey_limits(&mut self, now: Time, reply: &Reply<'_>, out: &mut Outputs) {
        let Err(Trouble::Refused(error)) = self.judge(reply) else { return };
        let at = self.offset.exchange_time(now);
        let orders_only = error.code == -1015;
        if !orders_only && !matches!(error.status, 429 | 418) && error.code != -1003 {
            return;
        }
        self.stats.rate_limited += 1;
        if orders_only {
            self.budget.block_orders(at + error.retry_after.unwrap_or(RATE_LIMITED_REST));
            return;
        }
        let default = if error.is_ban() { BANNED_REST } else { RATE_LIMITED_REST };
        self.budget.block(at + error.retry_after.unwrap_or(default));
        self.set_requests(false, out);
    }

    /// Measures the clock anew when the exchange complains about it.
    pub(super) fn mend_clock(&mut self, now: Time, trouble: &Trouble) {
        if let Trouble::Refused(error) = trouble
            && error.is_clock()
        {
            self.offset.measure(now);
        }
    }

    /// Whether an id is one of ours.
    pub(super) fn ours(&self, id: Option<ClientId>) -> Option<ClientId> {
        id.filter(|id| id.tag() == self.config.tag)
    }

    /// Makes a report ours or foreign by the tag of its client id, and remembers whose order it is.
    pub(super) fn own(&mut self, symbol: SymbolIndex, mut report: OrderReport) -> OrderReport {
        report.id = self.ours(report.id);
        if let Some(fill) = &mut report.fill {
            fill.id = self.ours(fill.id);
        }
        // Full, it lets the oldest go, which is asked for again when needed.
        let _before = self.order_ids.insert((symbol, report.order_id), report.id);
        report
    }

    /// Hands an answer to whoever asked.
    pub(super) fn answered(&mut self, now: Time, pending: &Pending, answer: Answer<'_>, out: &mut Outputs) {
        if let Err(trouble) = &answer {
            self.mend_clock(now, trouble);
        }
        let symbol = pending.symbol;
        // The stream has the same to tell.
        if answer.is_ok()
            && matches!(pending.job, Job::Place(_) | Job::Cancel(_))
            && let Some(conn) = self.conns.get_mut(ConnId::USER.usize())
        {
            conn.expects(now, pending.sent_at);
        }
        match pending.job {
            Job::Place(place) => self.placed(pending, place.id, answer, out),
            Job::Cancel(id) => {
                let event = match self.verdict(id, answer, Source::Reply) {
                    Verdict::Done(report) => Event::Order(report),
                    Verdict::Unknown => Event::Unknown { id, request: Request::Cancel },
                    Verdict::NotTaken => Event::NotSent { id, request: Request::Cancel },
                    Verdict::Refused(error) => Event::CancelFailed { id, reason: error.cancel_failure() },
                };
                out.event(symbol, event);
            }
            Job::Query(id) => {
                let event = match self.verdict(id, answer, Source::Query) {
                    Verdict::Done(report) => {
                        let _settled = self.uncertain.remove(&id);
                        Event::Order(report)
                    }
                    Verdict::Unknown => Event::Unknown { id, request: Request::Query },
                    Verdict::NotTaken => Event::NotSent { id, request: Request::Query },
                    Verdict::Refused(error) if error.is_no_such_order() => match self.uncertain.get(&id) {
                        // The order may still be under way to the exchange: this is no answer yet.
                        Some(settled) if pending.sent_at < *settled => Event::Unknown { id, request: Request::Query },
                        Some(_) | None => {
                            let _settled = self.uncertain.remove(&id);
                            Event::NotFound { id }
                        }
                    },
                    Verdict::Refused(error) => Event::Rejected { id, request: Request::Query, reason: error.reject() },
                };
                out.event(symbol, event);
            }
            // The session has ended for everything but the answers to orders.
            _ if matches!(self.phase, Phase::Stopping(_) | Phase::Stopped) => {}
            Job::Clock => self.clock_answered(now, pending, answer, out),
            Job::PositionMode | Job::MultiAssets | Job::SymbolConfig | Job::Fees | Job::Leverage(_) => {
                self.boot_answered(now, pending, answer, out)
            }
            Job::ExchangeInfo | Job::Balances | Job::ListenKey if self.phase == Phase::Booting => {
                self.boot_answered(now, pending, answer, out)
            }
            Job::ExchangeInfo => self.refreshed(now, answer, out),
            Job::Balances => self.balances_answered(now, answer, out),
            Job::ListenKey | Job::KeepAlive => self.listen_answered(now, pending.job, answer, out),
            Job::Income(_) => self.income_answered(now, answer, out),
            Job::BookSnapshot => self.book_answered(now, symbol, answer, out),
            Job::Countdown(after) => self.armed(now, symbol, after, &answer),
            Job::Candles(interval, count) => self.candles_answered(now, symbol, (interval, count), answer, out),
            Job::Rate(at) => self.rate_answered(now, at, answer, out),
            Job::Baseline
            | Job::Trades(_)
            | Job::OrdersFrom(_)
            | Job::OrderById(_)
            | Job::Position
            | Job::OpenOrders
            | Job::AllPositions
            | Job::AllOpenOrders => self.resync_answered(now, pending, answer, out),
        }
    }

    fn placed(&mut self, pending: &Pending, id: ClientId, answer: Answer<'_>, out: &mut Outputs) {
        let symbol = pending.symbol;
        let verdict = self.verdict(id, answer, Source::Reply);
        let open = matches!(verdict, Verdict::Done(_) | Verdict::Unknown);
        let event = match verdict {
            Verdict::Done(report) => Event::Order(report),
            Verdict::Unknown => {
                self.stats.places_unknown += 1;
                let settled = pending.sent_at + self.config.recv_window + SETTLE_MARGIN;
                // Full, it lets the oldest go, whose window is over first.
                let _before = self.uncertain.insert(id, settled);
                Event::Unknown { id, request: Request::Place }
            }
            Verdict::NotTaken => {
                self.stats.places_not_sent += 1;
                Event::NotSent { id, request: Request::Place }
            }
            Verdict::Refused(error) => Event::Rejected { id, request: Request::Place, reason: error.reject() },
        };
        out.event(symbol, event);
        if pending.cancel_asked {
            if open {
                self.queue_cancel(pending.sent_at, symbol, id, out);
            } else {
                out.event(symbol, Event::CancelFailed { id, reason: CancelFailure::NotOpen });
            }
        }
    }

    fn verdict(&mut self, id: ClientId, answer: Answer<'_>, source: Source) -> Verdict {
        match answer {
            Ok(body) => match decode::order(body, &self.instruments, source) {
                Ok(order) if order.report.id == Some(id) => Verdict::Done(Box::new(self.own(order.symbol, order.report))),
                Ok(_) | Err(_) => {
                    self.stats.replies_malformed += 1;
                    Verdict::Unknown
                }
            },
            Err(Trouble::Silent(Sent::No)) => Verdict::NotTaken,
            Err(Trouble::Silent(Sent::Maybe) | Trouble::Malformed) => Verdict::Unknown,
            Err(Trouble::Refused(error)) => match (error.outcome(), error.reject()) {
                (Outcome::Unknown, _) => Verdict::Unknown,
                (Outcome::NotDone, Reject::RateLimited | Reject::Busy) => Verdict::NotTaken,
                (Outcome::NotDone, _) => Verdict::Refused(error),
            },
        }
    }

    fn clock_answered(&mut self, now: Time, pending: &Pending, answer: Answer<'_>, out: &mut Outputs) {
        let server = match answer {
            Ok(body) => decode::server_time(body).map_err(|_| Trouble::Malformed),
            Err(trouble) => Err(trouble),
        };
        match server {
            Ok(server) => {
                self.retries.reset();
                let complete = self.offset.sample(pending.sent_at, now, server);
                if self.phase == Phase::Booting {
                    self.boot_clock(complete);
                }
            }
            Err(trouble) => {
                let at = now + self.retries.next(&mut self.random);
                self.offset.failed(at);
                if self.phase == Phase::Booting {
                    self.boot_trouble(now, Job::Clock, pending.symbol, &trouble, out);
                }
            }
        }
    }
}
