//! What an engine shows of itself.

use super::Engine;
use plimsoll_market::{Holding, Notional, OrderView, Pnl, Price, Round, SlotView, Status, Time};
use plimsoll_position::Slot;

impl Engine {
    /// Plain data for display; allocates, so it is made at the display's pace, never on the hot path.
    pub fn status(&self, now: Time) -> Status {
        let view = self.position.view(now);
        let totals = view.totals;
        let drift = self.position.drift();
        let anchor = self.state.anchor;
        let level_price = |slot: &Slot| {
            self.strategy.level_price(slot.leg, view.instrument.tick).or_else(|| {
                let mean = view.instrument.average(Notional::from_units(slot.cost.units().abs()), slot.held);
                view.instrument.price_of_ref(mean, Round::Nearest)
            })
        };
        let slots = view
            .slots
            .iter()
            .filter(|s| !s.is_empty())
            .map(|s| SlotView {
                leg: s.leg,
                price: level_price(s).unwrap_or(Price::ZERO),
                held: s.held,
                cost: s.cost,
                order: s.order.and_then(|at| view.orders.get(at)).map(|o| o.id),
            })
            .collect();
        let orders = view
            .orders
            .iter()
            .map(|(_, o)| OrderView {
                id: o.id,
                side: o.id.side(),
                price: o.price,
                qty: o.qty,
                filled: o.booked,
                state: o.state.as_str(),
                sent_at: o.sent_at,
            })
            .collect();
        Status {
            symbol: view.instrument.symbol,
            phase: self.phase,
            closed: self.gate.closed().map(plimsoll_safety::Closed::as_str),
            lock: self.gate.lock(),
            closing: self.state.closing,
            top: view.top.copied(),
            mark: view.mark.copied(),
            holding: totals.holding,
            entry: view.instrument.average(if totals.holding.units() < 0 { -totals.cost } else { totals.cost }, totals.holding.qty()),
            pnl: Pnl {
                realized: totals.realized,
                fees: totals.fees,
                other_fees: totals.other_fees,
                funding: totals.funding,
                unrealized: self.position.unrealized(),
                round_trips: self.position.round_trips(),
            },
            anchor,
            interval: self.cfg.interval.interval_at(view.top.map_or(anchor.unwrap_or(Price::ZERO), |top| top.bid)),
            slots,
            orders,
            foreign_orders: self.position.foreign_orders(),
            drift: Holding::from_units(drift.units),
            healed_in: drift.healed_in,
            taken_over: drift.taken_over,
            late_fills: self.position.late_fills(),
            placed: self.placed,
            canceled: self.canceled,
            rejected: self.rejected,
            slots_cleaned: self.slots_cleaned,
            fees_unconverted: totals.waiting.map_or(0, |waiting| waiting.fills) + totals.foreign_fees,
            fills: totals.fills,
            time: now,
        }
    }
}
