//! Protections: what the round trips of the last time say about opening more.
//!
//! The semantics are those that users know from freqtrade's protections of the same names: within a look-back, so many closed
//! trades, and then a pause. A trade here is everything that one closing order sold.

use crate::limits::TRIPS_KEPT;
use core::time::Duration;
use plimsoll_market::{Booked, Lock, OrderId, Rule, Time};

/// A pause after several bad trades.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Streak {
    /// Closed trades within the look-back from which on it is looked at; at least 1, at most [`TRIPS_KEPT`].
    pub trades: u8,
    /// How far back trades count.
    pub look_back: Duration,
    /// How long nothing is opened then.
    pub pause: Duration,
}

/// The protections of a symbol; `None` is off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Protections {
    /// So many trades closed at a loss by a stop.
    pub stoploss_guard: Option<Streak>,
    /// The sum of the trades' returns fell from its peak by more than this, in millionths of a trade's stake.
    pub loss_guard: Option<(Streak, u32)>,
    /// The trades earned less together than this, in millionths of their stakes; may be negative.
    pub low_profit: Option<(Streak, i32)>,
    /// After the whole position was closed by a rule or an operator.
    pub cooldown: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Trip {
    order: OrderId,
    at: Time,
    profit: i128,
    stake: i128,
    stopped: bool,
}

/// The closed trades of a symbol, newest last.
///
/// # Bounds
/// [`TRIPS_KEPT`]; the oldest goes.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Trips {
    list: arrayvec::ArrayVec<Trip, TRIPS_KEPT>,
}

impl Trips {
    /// Counts an execution that closed something; `stake` is what it was worth, `stopped` whether a stop had it closed.
    pub(crate) fn add(&mut self, now: Time, booked: &Booked, stake: i128, stopped: bool) {
        let fee = if booked.fill.fee.asset == booked.fill.realized.asset { booked.fill.fee.units } else { 0 };
        let profit = if booked.slot_realized == 0 { booked.realized } else { booked.slot_realized } - fee;
        if let Some(last) = self.list.last_mut().filter(|t| t.order == booked.fill.order_id) {
            (last.profit, last.stake, last.at) = (last.profit + profit, last.stake + stake, now);
            return;
        }
        if self.list.is_full() {
            self.list.remove(0);
        }
        self.list.push(Trip { order: booked.fill.order_id, at: now, profit, stake, stopped });
    }

    /// The lock that the protections demand now, and why.
    pub(crate) fn judge(&self, now: Time, cfg: &Protections) -> Option<(Lock, Why)> {
        let within = |streak: &Streak| {
            let since = Time::from_nanos(now.nanos().saturating_sub(streak.look_back.as_nanos() as u64));
            self.list.iter().filter(move |t| t.at > since)
        };
        let lock = |rule, streak: &Streak| Lock { rule, until: Some(now + streak.pause) };
        if let Some(streak) = &cfg.stoploss_guard {
            let stopped = within(streak).filter(|t| t.stopped && t.profit < 0).count();
            if stopped >= usize::from(streak.trades) {
                return Some((lock(Rule::StoplossGuard, streak), Why::Stopped(stopped)));
            }
        }
        if let Some((streak, limit)) = &cfg.loss_guard
            && within(streak).count() >= usize::from(streak.trades)
        {
            let (mut sum, mut peak, mut fall) = (0_i128, 0_i128, 0_i128);
            for trip in within(streak) {
                sum += trip.profit * 1_000_000 / trip.stake.max(1);
                peak = peak.max(sum);
                fall = fall.max(peak - sum);
            }
            if fall > i128::from(*limit) {
                return Some((lock(Rule::LossGuard, streak), Why::Ratio(-fall)));
            }
        }
        if let Some((streak, required)) = &cfg.low_profit
            && within(streak).count() >= usize::from(streak.trades)
        {
            let (profit, stake) = within(streak).fold((0, 0), |(p, s), t| (p + t.profit, s + t.stake));
            if profit * 1_000_000 < stake * i128::from(*required) {
                return Some((lock(Rule::LowProfit, streak), Why::Ratio(profit * 1_000_000 / stake.max(1))));
            }
        }
        None
    }

    /// Forgets everything: what was counted has led to a pause, and must not lead to the next.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }
}

/// The figure behind a protection's lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// Trades closed by a stop.
    Stopped(usize),
    /// A return, in millionths.
    Ratio(i128),
}

impl core::fmt::Display for Why {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Stopped(n) => write!(f, "{n} trades closed by a stop"),
            Self::Ratio(ppm) => write!(f, "a return of {} %", Percent(*ppm)),
        }
    }
}

/// Millionths shown as percent with two digits.
pub(crate) struct Percent(pub(crate) i128);

impl core::fmt::Display for Percent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let hundredths = self.0 / 100;
        let sign = if hundredths < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_market::{Amount, Asset, Fill, Price, Qty, Side, TradeId};

    const DAY: Duration = Duration::from_secs(86_400);

    fn trip(trips: &mut Trips, order: u128, at: u64, profit: i128, stopped: bool) {
        let usdt = Asset::new("USDT").unwrap();
        let fill = Fill {
            trade_id: TradeId(order as u64),
            order_id: OrderId(order),
            id: None,
            side: Side::Sell,
            price: Price::from_units(1),
            qty: Qty::from_units(1),
            fee: Amount::new(usdt, 0),
            realized: Amount::new(usdt, 0),
            maker: true,
            time: Time::ZERO,
        };
        let booked = Booked { fill, leg: None, realized: profit, slot_realized: 0 };
        trips.add(Time::from_millis(at), &booked, 1_000, stopped);
    }

    fn streak(trades: u8) -> Streak {
        Streak { trades, look_back: DAY, pause: Duration::from_secs(60) }
    }

    fn rule(trips: &Trips, cfg: &Protections, at: u64) -> Option<Rule> {
        trips.judge(Time::from_millis(at), cfg).map(|(lock, _)| lock.rule)
    }

    #[test]
    fn stops_at_a_loss_are_counted_within_the_look_back_only() {
        let cfg = Protections { stoploss_guard: Some(streak(2)), ..Protections::default() };
        let mut trips = Trips::default();
        trip(&mut trips, 1, 1, -10, true);
        trip(&mut trips, 2, 2, 10, true);
        trip(&mut trips, 3, 3, -10, false);
        assert_eq!(rule(&trips, &cfg, 4), None, "one stop at a loss, one at a profit, one loss without a stop");
        trip(&mut trips, 4, 4, -10, true);
        assert_eq!(rule(&trips, &cfg, 5), Some(Rule::StoplossGuard));
        assert_eq!(rule(&trips, &cfg, 86_400_000 + 2), None, "the first is forgotten after a day");
    }

    #[test]
    fn executions_of_one_order_are_one_trade() {
        let cfg = Protections { low_profit: Some((streak(2), 0)), ..Protections::default() };
        let mut trips = Trips::default();
        trip(&mut trips, 1, 1, -10, false);
        trip(&mut trips, 1, 2, -10, false);
        assert_eq!(rule(&trips, &cfg, 3), None);
        trip(&mut trips, 2, 3, 19, false);
        assert_eq!(rule(&trips, &cfg, 4), Some(Rule::LowProfit), "-20 and 19 are less than nothing");
        trip(&mut trips, 3, 3, 1, false);
        assert_eq!(rule(&trips, &cfg, 4), None, "nothing lost is what is required");
    }

    #[test]
    fn the_fall_of_summed_returns_is_measured_from_their_peak() {
        let cfg = Protections { loss_guard: Some((streak(3), 30_000)), ..Protections::default() };
        let mut trips = Trips::default();
        for (n, profit) in [50, -15, -15].into_iter().enumerate() {
            trip(&mut trips, n as u128, 1, profit, false);
        }
        assert_eq!(rule(&trips, &cfg, 2), None, "3 % of the stake is not above 3 %");
        trip(&mut trips, 9, 1, -1, false);
        assert_eq!(rule(&trips, &cfg, 2), Some(Rule::LossGuard));
    }

    #[test]
    fn percent_has_two_digits_and_a_sign() {
        let shown = [Percent(-1_050).to_string(), Percent(123_456).to_string(), Percent(-99).to_string()];
        assert_eq!(shown, ["-0.10", "12.34", "0.00"]);
    }
}
