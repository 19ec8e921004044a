use super::io::Lane;
use super::limits::{ORDERS_1M, ORDERS_10S, WEIGHT_1M};
use core::time::Duration;
use plimsoll_market::Time;

/// What the exchange allows, from its `rateLimits`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimits {
    /// Request weight a minute and address.
    pub weight_1m: u32,
    /// Orders in ten seconds and account.
    pub orders_10s: u32,
    /// Orders a minute and account.
    pub orders_1m: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { weight_1m: WEIGHT_1M, orders_10s: ORDERS_10S, orders_1m: ORDERS_1M }
    }
}

/// What the exchange says we have used, from a reply's headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// Weight in this minute.
    pub weight_1m: Option<u32>,
    /// Orders in these ten seconds.
    pub orders_10s: Option<u32>,
    /// Orders in this minute.
    pub orders_1m: Option<u32>,
}

/// What one request costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cost {
    pub(crate) weight: u32,
    pub(crate) orders: u32,
}

/// A cost taken, to be settled when the request is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Charge {
    cost: Cost,
    /// The windows it was taken in: weight, 10 s, 1 min.
    windows: [u64; 3],
}

/// How a request ended, as far as its cost goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settled {
    /// It never left.
    Free,
    /// It left; perhaps the exchange said what is used.
    Paid(Used),
}

/// Keeps requests within the exchange's limits, so that opening and information can never starve cancelling.
///
/// Each limit is a window that begins at whole minutes (or ten seconds) of the exchange's clock. Used is what the exchange said
/// last in this window, or our own count where it said nothing, plus what is on the way: never less than true as far as we can know.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    weight: Window,
    orders_10s: Window,
    orders_1m: Window,
    /// Nothing may be sent before: 429 and 418.
    blocked_until: Time,
    /// No order may be sent before: -1015.
    orders_blocked_until: Time,
}

/// The part of a limit that a lane may use, in thousandths.
///
/// The gaps are the reserves of the lanes above. Placing costs no weight, but rests when weight runs short, so that
/// what was placed can be cancelled and reconciled.
const fn weight_share(lane: Lane) -> u64 {
    match lane {
        Lane::Cancel | Lane::Reduce => 1_000,
        Lane::Reconcile => 900,
        Lane::Open => 850,
        Lane::Info => 700,
    }
}

const fn order_share(lane: Lane) -> u64 {
    match lane {
        Lane::Cancel | Lane::Reduce | Lane::Reconcile | Lane::Info => 1_000,
        Lane::Open => 850,
    }
}

impl Budget {
    pub(crate) fn new() -> Self {
        let limits = RateLimits::default();
        Self {
            weight: Window::new(Duration::from_secs(60), limits.weight_1m),
            orders_10s: Window::new(Duration::from_secs(10), limits.orders_10s),
            orders_1m: Window::new(Duration::from_secs(60), limits.orders_1m),
            blocked_until: Time::ZERO,
            orders_blocked_until: Time::ZERO,
        }
    }

    pub(crate) fn set_limits(&mut self, limits: RateLimits) {
        self.weight.limit = limits.weight_1m;
        self.orders_10s.limit = limits.orders_10s;
        self.orders_1m.limit = limits.orders_1m;
    }

    /// Rests everything: each request during a ban makes it longer.
    pub(crate) fn block(&mut self, until: Time) {
        self.blocked_until = self.blocked_until.max(until);
    }

    /// Rests orders only.
    pub(crate) fn block_orders(&mut self, until: Time) {
        self.orders_blocked_until = self.orders_blocked_until.max(until);
    }

    pub(crate) fn is_blocked(&self, at: Time) -> bool {
        at < self.blocked_until
    }

    /// When the rest is over, in exchange time.
    pub(crate) fn blocked_until(&self) -> Time {
        self.blocked_until
    }

    /// Takes the cost, or tells when to ask again. `at` is the exchange's time.
    pub(crate) fn take(&mut self, at: Time, lane: Lane, cost: Cost) -> Result<Charge, Time> {
        if at < self.blocked_until {
            return Err(self.blocked_until);
        }
        if cost.orders > 0 && at < self.orders_blocked_until {
            return Err(self.orders_blocked_until);
        }
        for window in [&mut self.weight, &mut self.orders_10s, &mut self.orders_1m] {
            window.roll(at);
        }
        self.weight.check(cost.weight, weight_share(lane))?;
        if cost.orders > 0 {
            self.orders_10s.check(cost.orders, order_share(lane))?;
            self.orders_1m.check(cost.orders, order_share(lane))?;
        }
        self.weight.on_the_way += cost.weight;
        self.orders_10s.on_the_way += cost.orders;
        self.orders_1m.on_the_way += cost.orders;
        Ok(Charge { cost, windows: [self.weight.index, self.orders_10s.index, self.orders_1m.index] })
    }

    /// Settles a charge by what the answer said.
    pub(crate) fn settle(&mut self, at: Time, charge: Charge, settled: Settled) {
        let Charge { cost, windows: [weight, ten, minute] } = charge;
        let windows =
            [(&mut self.weight, weight, cost.weight), (&mut self.orders_10s, ten, cost.orders), (&mut self.orders_1m, minute, cost.orders)];
        let used = match settled {
            Settled::Free => None,
            Settled::Paid(used) => Some([used.weight_1m, used.orders_10s, used.orders_1m]),
        };
        for (n, (window, taken_in, cost)) in windows.into_iter().enumerate() {
            window.roll(at);
            window.on_the_way = window.on_the_way.saturating_sub(cost);
            let Some(used) = used else { continue };
            match used.get(n).copied().flatten() {
                // Within a window what is used only grows; answers may overtake each other.
                Some(told) if taken_in == window.index => window.used = window.used.max(told),
                // What was told may belong to the window before: believed, it could block this one to its end.
                Some(_) | None => window.used = window.used.saturating_add(cost),
            }
        }
    }

    /// Weight used in this minute, what is on the way included.
    pub(crate) fn weight_used(&self) -> u32 {
        self.weight.total()
    }

    /// Weight that the exchange allows in a minute.
    pub(crate) const fn weight_limit(&self) -> u32 {
        self.weight.limit
    }

    /// Orders that the exchange allows in ten seconds.
    pub(crate) const fn orders_limit(&self) -> u32 {
        self.orders_10s.limit
    }

    /// Orders used in these ten seconds, what is on the way included.
    pub(crate) fn orders_used(&self) -> u32 {
        self.orders_10s.total()
    }
}

#[derive(Clone, Debug)]
struct Window {
    length_ms: u64,
    limit: u32,
    index: u64,
    used: u32,
    on_the_way: u32,
}

impl Window {
    fn new(length: Duration, limit: u32) -> Self {
        let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Self { length_ms, limit, index: 0, used: 0, on_the_way: 0 }
    }

    fn roll(&mut self, at: Time) {
        let index = at.millis() / self.length_ms;
        if index > self.index {
            self.index = index;
            self.used = 0;
        }
    }

    fn total(&self) -> u32 {
        self.used.saturating_add(self.on_the_way)
    }

    fn check(&self, cost: u32, share: u64) -> Result<(), Time> {
        let most = u64::from(self.limit) * share / 1_000;
        // A single request dearer than the lane's share must still be possible in an empty window.
        if u64::from(self.total()) + u64::from(cost) <= most || self.total() == 0 {
            return Ok(());
        }
        Err(Time::from_millis((self.index + 1).saturating_mul(self.length_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHT_ONE: Cost = Cost { weight: 1, orders: 0 };
    const ORDER: Cost = Cost { weight: 0, orders: 1 };

    fn at(ms: u64) -> Time {
        Time::from_millis(1_700_000_080_000 + ms)
    }

    fn paid(weight: u32) -> Settled {
        Settled::Paid(Used { weight_1m: Some(weight), ..Used::default() })
    }

    #[track_caller]
    fn spend(budget: &mut Budget, now: Time, lane: Lane, cost: Cost) -> u32 {
        let mut n = 0;
        while let Ok(charge) = budget.take(now, lane, cost) {
            budget.settle(now, charge, Settled::Paid(Used::default()));
            n += 1;
        }
        n
    }

    #[test]
    fn lanes_stop_in_order_and_cancelling_last() {
        let mut budget = Budget::new();
        let now = at(0);
        assert_eq!(spend(&mut budget, now, Lane::Info, WEIGHT_ONE), 1_680);
        assert!(budget.take(now, Lane::Open, ORDER).is_ok());
        assert_eq!(spend(&mut budget, now, Lane::Reconcile, WEIGHT_ONE), 480);
        assert_eq!(budget.take(now, Lane::Open, ORDER), Err(at(20_000)), "weight is short: opening rests");
        assert_eq!(spend(&mut budget, now, Lane::Cancel, WEIGHT_ONE), 240);
        assert_eq!(budget.take(now, Lane::Cancel, WEIGHT_ONE), Err(at(20_000)));
        assert!(budget.take(at(20_000), Lane::Info, WEIGHT_ONE).is_ok(), "the next minute is free");
    }

    #[test]
    fn opening_leaves_orders_for_reducing() {
        let mut budget = Budget::new();
        assert_eq!(spend(&mut budget, at(0), Lane::Open, ORDER), 255);
        assert_eq!(spend(&mut budget, at(0), Lane::Reduce, ORDER), 45);
        assert_eq!(budget.take(at(1), Lane::Reduce, ORDER), Err(at(10_000)));
        assert_eq!(spend(&mut budget, at(10_000), Lane::Open, ORDER), 255, "the next ten seconds are free");
    }

    #[test]
    fn the_exchange_knows_better_but_not_less_than_what_is_on_the_way() {
        let mut budget = Budget::new();
        let a = budget.take(at(0), Lane::Info, WEIGHT_ONE).unwrap();
        let b = budget.take(at(0), Lane::Info, WEIGHT_ONE).unwrap();
        budget.settle(at(5), a, paid(1_500));
        assert_eq!(budget.weight_used(), 1_501);
        budget.settle(at(6), b, paid(1_400));
        assert_eq!(budget.weight_used(), 1_500, "an answer overtaken by another lowers nothing");
    }

    #[test]
    fn an_answer_from_the_minute_before_does_not_block_this_one() {
        let mut budget = Budget::new();
        let a = budget.take(at(19_990), Lane::Info, WEIGHT_ONE).unwrap();
        budget.settle(at(20_010), a, paid(2_399));
        assert_eq!(budget.weight_used(), 1);
    }

    #[test]
    fn what_never_left_costs_nothing() {
        let mut budget = Budget::new();
        let a = budget.take(at(0), Lane::Info, Cost { weight: 20, orders: 0 }).unwrap();
        budget.settle(at(1), a, Settled::Free);
        assert_eq!(budget.weight_used(), 0);
    }

    #[test]
    fn a_ban_rests_cancels_too_and_an_order_limit_only_orders() {
        let mut budget = Budget::new();
        budget.block_orders(at(10_000));
        assert_eq!(budget.take(at(0), Lane::Reduce, ORDER), Err(at(10_000)));
        assert!(budget.take(at(0), Lane::Cancel, WEIGHT_ONE).is_ok());
        budget.block(at(30_000));
        assert_eq!(budget.take(at(0), Lane::Cancel, WEIGHT_ONE), Err(at(30_000)));
        assert!(budget.take(at(30_000), Lane::Cancel, WEIGHT_ONE).is_ok());
    }

    #[test]
    fn tiny_limits_still_let_one_request_through() {
        let mut budget = Budget::new();
        budget.set_limits(RateLimits { weight_1m: 10, orders_10s: 1, orders_1m: 1 });
        assert!(budget.take(at(0), Lane::Info, Cost { weight: 40, orders: 0 }).is_ok());
        assert!(budget.take(at(0), Lane::Info, WEIGHT_ONE).is_err());
    }
}
