//! What an operator is told of a position that is not as it should be, and what follows from it.

use super::Engine;
use plimsoll_market::{Action, Actions, Alert, AlertCode, Lock, Phase, Rule, Severity, Side, Time};
use plimsoll_position::Changes;

impl Engine {
    /// Somebody else trades with our mark, or the books do not come to agree with the exchange.
    pub(super) fn distrust(&mut self, now: Time, changes: Changes, out: &mut Actions) {
        let symbol = self.position.view(now).instrument.symbol;
        if changes.any(Changes::WRITER) && self.gate.lock_by(Lock { rule: Rule::OtherWriter, until: None }) {
            out.push(Action::Alert(Box::new(Alert::new(
                Severity::Critical,
                AlertCode::OtherWriter,
                now,
                &format_args!(
                    "{symbol}: an order with this account's mark that is not ours: another instance trades it; nothing is opened until re-armed"
                ),
            ))));
            self.judge_anew(now, out);
        }
        if changes.any(Changes::FOREIGN) && self.gate.lock_by(Lock { rule: Rule::ForeignPosition, until: None }) {
            out.push(Action::Alert(Box::new(Alert::new(
                Severity::Critical,
                AlertCode::PositionMismatch,
                now,
                &format_args!(
                    "{symbol}: the account holds a position that is not of this bot; nothing is traded: close it, set trading.accept_positions: true, or after a lost database run plimsoll rebuild --write"
                ),
            ))));
            self.judge_anew(now, out);
        }
        if changes.any(Changes::DIVERGED) && self.gate.lock_by(Lock { rule: Rule::Divergence, until: None }) {
            out.push(Action::Alert(Box::new(Alert::new(
                Severity::Critical,
                AlertCode::PositionMismatch,
                now,
                &format_args!("{symbol}: books and exchange do not come to agree; nothing is opened until re-armed"),
            ))));
            self.judge_anew(now, out);
        }
    }

    /// Tells once that something is held while the strategy cannot decide about it yet.
    pub(super) fn tell_cold(&mut self, now: Time, out: &mut Actions) {
        let view = self.position.view(now);
        let cold = self.phase == Phase::Trading && view.slots.holding_count() > 0 && !self.strategy.is_warm();
        if cold && !self.cold {
            let (symbol, name) = (view.instrument.symbol, self.strategy.name());
            let text = format_args!(
                "{symbol}: {name} holds a position and its indicators are not warm: until they are, only its stops and targets close it"
            );
            out.push(Action::Alert(Box::new(Alert::new(Severity::Warning, AlertCode::Risk, now, &text))));
        }
        self.cold = cold;
    }

    /// Tells once that openings are withheld because somebody else holds the other way.
    pub(super) fn tell_opposed(&mut self, now: Time, withheld: bool, out: &mut Actions) {
        let view = self.position.view(now);
        if self.opposed {
            self.opposed = view.is_opposed(Side::Buy) || view.is_opposed(Side::Sell);
            return;
        }
        self.opposed = withheld;
        if !withheld {
            return;
        }
        let text = format_args!(
            "{}: the account holds {} beside what the bot opened; what would only take from it is not opened",
            view.instrument.symbol,
            view.instrument.show_holding(view.beyond)
        );
        out.push(Action::Alert(Box::new(Alert::new(Severity::Warning, AlertCode::PositionMismatch, now, &text))));
    }
}
