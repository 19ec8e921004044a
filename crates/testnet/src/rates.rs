//! How much clients ask for.

use core::time::Duration;

use plimsoll_bounded::{Grant, List};
use plimsoll_exchange::binance::server::ApiError;
use plimsoll_market::Time;
use plimsoll_sim::venue::AccountId;

use crate::config::RateLimits;

/// Requests refused with 429 in one minute after which the address is banned.
const IGNORED_MAX: u32 = 10;

/// First ban; each further one is twice as long, up to [`BAN_MOST`].
const BAN_FIRST: Duration = Duration::from_secs(120);

/// Longest ban.
const BAN_MOST: Duration = Duration::from_secs(3 * 24 * 3600);

/// A count within a window of fixed length.
#[derive(Clone, Copy, Default)]
struct Window {
    number: u64,
    count: u32,
}

impl Window {
    fn at(&mut self, now: Time, length_ms: u64) -> &mut u32 {
        let number = now.millis() / length_ms;
        if number != self.number {
            *self = Self { number, count: 0 };
        }
        &mut self.count
    }
}

/// What one account has ordered.
#[derive(Clone, Copy, Default)]
pub(crate) struct OrderCounts {
    ten_seconds: Window,
    minute: Window,
}

/// Counts weight and orders and says when it is too much.
pub(crate) struct Rates {
    limits: RateLimits,
    weight: Window,
    ignored: Window,
    banned_until: Time,
    ban: Duration,
    orders: List<OrderCounts>,
    /// Whether request weight is not counted.
    pub(crate) exempt: bool,
}

const MINUTE_MS: u64 = 60_000;
const TEN_SECONDS_MS: u64 = 10_000;

impl Rates {
    pub(crate) fn new(grant: Grant, limits: RateLimits, accounts: usize) -> Option<Self> {
        let mut orders = List::new(grant);
        for _ in 0..accounts {
            orders.push(OrderCounts::default()).ok()?;
        }
        let (weight, ignored) = (Window::default(), Window::default());
        Some(Self { limits, weight, ignored, banned_until: Time::ZERO, ban: BAN_FIRST, orders, exempt: false })
    }

    pub(crate) const fn limits(&self) -> RateLimits {
        self.limits
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The address is banned, or over its limit.
    pub(crate) fn take(&mut self, now: Time, weight: u32) -> Result<(), ApiError> {
        if self.exempt {
            return Ok(());
        }
        if now < self.banned_until {
            return Err(ApiError::banned(self.banned_until.millis()));
        }
        let used = self.weight.at(now, MINUTE_MS);
        *used = used.saturating_add(weight);
        if *used <= self.limits.weight_per_minute {
            return Ok(());
        }
        let ignored = self.ignored.at(now, MINUTE_MS);
        *ignored += 1;
        if *ignored > IGNORED_MAX {
            self.banned_until = now + self.ban;
            self.ban = (self.ban * 2).min(BAN_MOST);
            return Err(ApiError::banned(self.banned_until.millis()));
        }
        Err(ApiError::too_many_requests(self.limits.weight_per_minute))
    }

    /// Counts orders of an account.
    ///
    /// # Errors
    /// The account is over one of its limits.
    pub(crate) fn take_orders(&mut self, now: Time, account: AccountId, count: u32) -> Result<(), ApiError> {
        let limits = self.limits;
        let Some(counts) = self.orders.get_mut(usize::from(account.0)) else { return Ok(()) };
        let short = counts.ten_seconds.at(now, TEN_SECONDS_MS);
        if short.saturating_add(count) > limits.orders_per_10s {
            return Err(ApiError::too_many_orders(limits.orders_per_10s, "10 SECOND"));
        }
        let long = counts.minute.at(now, MINUTE_MS);
        if long.saturating_add(count) > limits.orders_per_minute {
            return Err(ApiError::too_many_orders(limits.orders_per_minute, "1 MINUTE"));
        }
        *long += count;
        *counts.ten_seconds.at(now, TEN_SECONDS_MS) += count;
        Ok(())
    }

    /// The weight used in this minute.
    pub(crate) fn weight(&mut self, now: Time) -> u32 {
        *self.weight.at(now, MINUTE_MS)
    }

    /// Orders of an account in this ten seconds and this minute.
    pub(crate) fn orders(&mut self, now: Time, account: AccountId) -> (u32, u32) {
        match self.orders.get_mut(usize::from(account.0)) {
            Some(counts) => (*counts.ten_seconds.at(now, TEN_SECONDS_MS), *counts.minute.at(now, MINUTE_MS)),
            None => (0, 0),
        }
    }

    /// Seconds after which a refused request may be tried again.
    pub(crate) fn retry_after_s(&self, now: Time, error: &ApiError) -> Option<u64> {
        match (error.status, error.code) {
            (418, _) => Some(self.banned_until.since(now).as_secs() + 1),
            (429, -1015) => Some((TEN_SECONDS_MS - now.millis() % TEN_SECONDS_MS) / 1000 + 1),
            (429, _) => Some((MINUTE_MS - now.millis() % MINUTE_MS) / 1000 + 1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_bounded::{Class, Line, WhenFull};

    fn rates() -> Rates {
        let grant = Grant::detached(Line::of::<OrderCounts>("orders", 1, WhenFull::Refuse, Class::LatestWins));
        Rates::new(grant, RateLimits { weight_per_minute: 10, orders_per_10s: 2, orders_per_minute: 3 }, 1).unwrap()
    }

    #[test]
    fn warns_then_bans_then_forgives() {
        let mut rates = rates();
        let at = |seconds: u64| Time::from_millis(1_200_000 + seconds * 1000);
        rates.take(at(0), 10).unwrap();
        for _ in 0..IGNORED_MAX {
            assert_eq!(rates.take(at(1), 1).unwrap_err().status, 429);
        }
        let error = rates.take(at(1), 1).unwrap_err();
        assert_eq!((error.status, error.code, rates.retry_after_s(at(1), &error)), (418, -1003, Some(121)));
        assert_eq!(rates.take(at(120), 1).unwrap_err().status, 418);
        rates.take(at(121), 1).unwrap();
    }

    #[test]
    fn orders_have_two_limits() {
        let mut rates = rates();
        let account = AccountId(0);
        let at = |seconds: u64| Time::from_millis(1_200_000 + seconds * 1000);
        rates.take_orders(at(0), account, 2).unwrap();
        assert!(rates.take_orders(at(9), account, 1).unwrap_err().msg.contains("2 orders per 10 SECOND"));
        rates.take_orders(at(10), account, 1).unwrap();
        assert_eq!(rates.orders(at(10), account), (1, 3));
        assert!(rates.take_orders(at(20), account, 1).unwrap_err().msg.contains("3 orders per 1 MINUTE"));
        rates.take_orders(at(60), account, 1).unwrap();
    }
}
