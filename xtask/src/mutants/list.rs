//! The faults that are planted, one after the other.

/// A change of one file.
pub(super) type Change = (&'static str, &'static str, &'static str);

/// A fault: its name, what it does, and the changes that plant it.
pub(super) struct Mutant {
    pub(super) name: &'static str,
    pub(super) changes: &'static [Change],
}

const SYNC: &str = "crates/position/src/sync.rs";
const BOOKING: &str = "crates/position/src/position/booking.rs";
const ANSWERS: &str = "crates/position/src/position/answers.rs";
const SNAPSHOT: &str = "crates/position/src/position/snapshot.rs";
const POSITION: &str = "crates/position/src/position/mod.rs";
const ENGINE: &str = "crates/engine/src/engine.rs";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "an execution of the stream is booked as often as it is told",
        changes: &[(SYNC, "        if self.is_booked(id) {\n            return Verdict::Seen;\n        }\n        match", "        match")],
    },
    Mutant {
        name: "an execution that was overtaken counts as seen",
        changes: &[(
            SYNC,
            "self.watermark.is_some_and(|w| id <= w) || self",
            "self.recent.last().is_some_and(|(last, _)| id <= *last) || self.watermark.is_some_and(|w| id <= w) || self",
        )],
    },
    Mutant {
        name: "what the stream tells during a catch-up counts as booked",
        changes: &[(
            SYNC,
            "                self.ahead = self.ahead.max(Some(id));\n",
            "                self.watermark = self.watermark.max(Some(id));\n",
        )],
    },
    Mutant {
        name: "a request without an answer counts as not sent",
        changes: &[(POSITION, "self.on_unknown(now, *id, *request, out),", "self.on_not_sent(now, *id, *request),")],
    },
    Mutant {
        name: "503 counts as refused",
        changes: &[(
            "crates/exchange/src/binance/error.rs",
            "(_, -1000 | -1001 | -1006 | -1007) => Outcome::Unknown,",
            "(_, -1000 | -1001 | -1006 | -1007) => Outcome::NotDone,",
        )],
    },
    Mutant {
        name: "\"no such order\" is believed at once",
        changes: &[
            (ANSWERS, "if now < order.sent_at + window {", "if now < order.sent_at {"),
            (
                "crates/exchange/src/session/answers.rs",
                "Some(settled) if pending.sent_at < *settled =>",
                "Some(settled) if pending.sent_at > *settled =>",
            ),
        ],
    },
    Mutant {
        name: "a slot may have a second order",
        changes: &[
            (POSITION, "        if slot.order.is_some() {\n            return Err(PlaceError::SlotBusy);\n        }\n", ""),
            (
                "crates/engine/src/reconcile.rs",
                "Some(Slot { order: Some(at), order_side, .. }) => {",
                "Some(Slot { order: Some(at), order_side, .. }) if *order_side == quote.side => {",
            ),
        ],
    },
    Mutant {
        name: "orders of an earlier run are not taken over",
        changes: &[(SNAPSHOT, "None => changes.add(self.adopt(now, id, report, out)),", "None => {}")],
    },
    Mutant {
        name: "after a restart orders are placed at once",
        changes: &[(ENGINE, "if boot.state.is_some() { Quiet::Due }", "if boot.state.is_none() { Quiet::Due }")],
    },
    Mutant {
        name: "generations stand still",
        changes: &[(POSITION, "        self.generation += 1;\n", "        self.generation |= 1;\n")],
    },
    Mutant {
        name: "an engine built anew counts its ids from the start",
        changes: &[(POSITION, "(u64::from(cfg.series) << SERIES_BITS) + cfg.placed_before;", "u64::from(cfg.series) << SERIES_BITS;")],
    },
    Mutant {
        name: "executions are booked and not stored",
        changes: &[(
            BOOKING,
            "        out.push(Action::Record(Box::new(self.record(row, Some(booked), slot_row))));\n",
            "        let _unstored = (row, Some(booked), slot_row);\n",
        )],
    },
    Mutant {
        name: "where trading began is not stored",
        changes: &[(
            ENGINE,
            "if books.totals.is_none() && state.baseline.is_some() {",
            "if books.totals.is_some() && state.baseline.is_none() {",
        )],
    },
    Mutant {
        name: "the first order does not wait for the anchor to be on disk",
        changes: &[(
            ENGINE,
            "                self.commit(out);\n                return;\n            }\n            if self.committed < self.state.version {\n                return;\n            }\n",
            "                self.anchored = self.state.version > u64::MAX - 1;\n            }\n",
        )],
    },
    Mutant {
        name: "a closed gate opens",
        changes: &[(
            "crates/safety/src/gate.rs",
            "Some(closed) if !closed.withdraws() => tolerated |= bit,",
            "Some(closed) if !closed.withdraws() => allowed |= bit,",
        )],
    },
    Mutant { name: "what is sold stays in its slot", changes: &[(BOOKING, "    slot.held -= part;\n", "")] },
    Mutant {
        name: "fees are forgotten",
        changes: &[("crates/position/src/holding.rs", "totals.fees += fill.fee.units;", "totals.fees += fill.fee.units.min(0);")],
    },
    Mutant {
        name: "pings count as market data",
        changes: &[("crates/exchange/src/session/conns.rs", "if self.role == Role::User {", "if self.role != Role::Books(u8::MAX) {")],
    },
    Mutant {
        name: "a stop ends before the exchange confirms that nothing is open",
        changes: &[
            (ENGINE, "            StopMode::Cancel => view.orders.is_empty(),", "            StopMode::Cancel => true,"),
            (
                ENGINE,
                "if snapshot.asked_at >= at && !snapshot.open.iter().any(|report| ours(report.id)) =>",
                "if snapshot.asked_at >= at && !snapshot.open.iter().any(|report| report.id.is_none() && ours(report.id)) =>",
            ),
        ],
    },
    Mutant {
        name: "everybody's orders are ours",
        changes: &[
            (BOOKING, "id.filter(|id| id.tag() == self.cfg.tag)", "id"),
            ("crates/exchange/src/session/answers.rs", "id.filter(|id| id.tag() == self.config.tag)", "id"),
        ],
    },
    Mutant {
        name: "an acknowledgement is dropped",
        changes: &[(
            BOOKING,
            "(WorkState::Sent | WorkState::Unknown, false) => {\n                        order.state = WorkState::Live;\n",
            "(WorkState::Sent | WorkState::Unknown, false) => {\n",
        )],
    },
    Mutant {
        name: "what an order had filled when it was withdrawn is ignored",
        changes: &[
            (
                BOOKING,
                "order.reported = order.reported.max(report.filled);",
                "if !report.status.is_final() {\n                    order.reported = order.reported.max(report.filled);\n                }",
            ),
            (
                BOOKING,
                "        if order.reported > order.booked {\n",
                "        if order.state != WorkState::Closing && order.reported > order.booked {\n",
            ),
        ],
    },
    Mutant {
        name: "an order is gone once its cancel is sent",
        changes: &[(
            POSITION,
            "                out.push(Action::Cancel(Cancel { id: order.id }));\n",
            "                out.push(Action::Cancel(Cancel { id: order.id }));\n                self.drop_order(at);\n",
        )],
    },
    Mutant {
        name: "the anchor is not stored",
        changes: &[(
            ENGINE,
            "out.push(Action::Commit(Box::new(self.state)));",
            "out.push(Action::Commit(Box::new(StateRecord { anchor: None, ..self.state })));",
        )],
    },
    Mutant {
        name: "the watermark is not stored",
        changes: &[(BOOKING, "Totals { watermark: self.sync.watermark, ..self.totals }", "Totals { watermark: None, ..self.totals }")],
    },
    Mutant {
        name: "all runs have the same number",
        changes: &[(POSITION, "ClientId::new(self.cfg.tag, self.cfg.run, ", "ClientId::new(self.cfg.tag, 1, ")],
    },
    Mutant {
        name: "one reading of another position is enough",
        changes: &[(SNAPSHOT, "if !first && readings < MISMATCH_READINGS {", "if !first && readings < MISMATCH_READINGS - 2 {")],
    },
    Mutant {
        name: "what only reduces is sent so that it can open",
        changes: &[(
            "crates/exchange/src/binance/encode/requests.rs",
            "    if place.reduce_only {\n",
            "    if place.reduce_only && place.price.is_zero() {\n",
        )],
    },
    Mutant {
        name: "a silent market counts as fresh",
        changes: &[(
            "crates/safety/src/gate.rs",
            "view.top.is_none() || view.now.since(self.last_market) > self.cfg.stale_after",
            "view.top.is_none()",
        )],
    },
    Mutant {
        name: "orders that must go count no more",
        changes: &[("crates/safety/src/gate.rs", "        if exposure + leaving > exposure_max {", "        if exposure > exposure_max {")],
    },
    Mutant {
        name: "a lease has no limit",
        changes: &[(
            "crates/safety/src/gate.rs",
            "self.lease.map_or(self.cfg.exposure_max, |l| l.exposure_max.min(self.cfg.exposure_max))",
            "self.cfg.exposure_max",
        )],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// What is planted stands in the source of today, once, so that it is not lost without a word.
    #[test]
    fn every_text_occurs_once() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut wrong = Vec::new();
        for mutant in MUTANTS {
            for (file, old, new) in mutant.changes {
                let count = std::fs::read_to_string(root.join(file)).unwrap().matches(old).count();
                if count != 1 || old == new {
                    wrong.push(format!("{}: {file} has {count} times {old:?}", mutant.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn names_differ() {
        for (at, mutant) in MUTANTS.iter().enumerate() {
            assert!(MUTANTS.iter().skip(at + 1).all(|other| other.name != mutant.name), "{}", mutant.name);
        }
    }
}
