//! Ends and beginnings.

use crate::{price, qty, settle, working};
use plimsoll_market::{Command, Demand, Phase, Rule, Side, StopMode};
use plimsoll_position::SyncState;
use plimsoll_safety::{Closed, GuardConfig};
use plimsoll_swarm::script::{Script, Setup};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn g04_a_restart_keeps_what_was_bought_and_what_it_cost() {
    let mut script = Script::trading(Setup::btcusdt()).unwrap();
    for cents in [5_995_000, 5_985_000, 5_975_000, 6_000_500, 5_985_000] {
        script.go(price(cents)).unwrap();
        script.pass(3 * SECOND).unwrap();
    }
    let (totals, slots, orders) = (script.totals(), script.slots(), working(&script));
    assert!(totals.realized > 0 && slots.len() >= 2, "{slots:?}");
    script.kill();
    script.pass(2 * SECOND).unwrap();
    script.start().unwrap();
    script.pass(20 * SECOND).unwrap();
    assert_eq!((script.totals(), script.slots(), working(&script)), (totals, slots.clone(), orders), "{}", script.tail());
    settle(&mut script);

    // While nobody lives the market falls through two levels, and comes to rest far from where it was.
    script.kill();
    script.go(price(5_962_000)).unwrap();
    script.pass(5 * SECOND).unwrap();
    script.start().unwrap();
    settle(&mut script);
    let held: Vec<i32> = script.slots().iter().map(|(level, ..)| *level).collect();
    let before: Vec<_> = script.slots().into_iter().filter(|slot| slots.contains(slot)).collect();
    assert_eq!(before, slots, "what was there is as it was");
    assert!(held.len() == slots.len() + 2, "{held:?}");
    for (level, held, cost) in script.slots() {
        assert_eq!(cost, (6_000_000 + 10_000 * i128::from(level)) * i128::from(held.units()));
    }
    assert_eq!(script.totals().realized, totals.realized);
    // Nothing is offered twice: the sells together are no more than what is held.
    let offered: u64 = script.open_rows().iter().filter(|row| row.side == Side::Sell).map(|row| row.remaining().units()).sum();
    assert!(offered > 0 && offered <= script.totals().holding.qty().units(), "{offered}");
    assert_eq!(qty(script.slots().iter().map(|(_, held, _)| held.units()).sum()), script.totals().holding.qty());
}

#[test]
fn ten_thousand_executions_missed_by_two_hundred_slots_are_booked_once() {
    let mut script = Script::missing(200, 10_000).unwrap();
    assert!(script.stored().unwrap().fills >= 200);
    let begun = script.now();
    script.start().unwrap();
    let in_step = |script: &Script| script.engine().is_some_and(|engine| engine.position().sync_state() == SyncState::InStep);
    script.pass_until("it is in step", 60 * SECOND, in_step).unwrap();
    assert!(script.now().since(begun) < 3 * SECOND, "{:?}", script.now().since(begun));
    assert!(script.totals().fills >= 10_200 && script.slots().len() >= 150, "{:?}", script.totals());
    settle(&mut script);
}

#[test]
fn g06_a_stop_loss_acts_while_risk_pauses_and_nothing_comes_back_by_itself() {
    let guard = GuardConfig { stop_loss: 10_000, stop_loss_pause: None, ..GuardConfig::OFF };
    let mut script = Script::trading(Setup { guard, ..Setup::btcusdt() }).unwrap();
    script.go(price(5_985_000)).unwrap();
    script.pass(SECOND).unwrap();
    script.demand(Some(Demand { rule: Rule::RiskMonitor, close: false }));
    script.pass(12 * SECOND).unwrap();
    assert_eq!(
        (script.engine().unwrap().closed(), working(&script)),
        (Some(Closed::Rule(Rule::RiskMonitor)), vec!["S-1".into(), "S+0".into()])
    );
    // 1 % below what the two levels cost on average, 59,950.
    script.go(price(5_930_000)).unwrap();
    script.pass(10 * SECOND).unwrap();
    assert!(script.totals().holding.is_flat() && script.open().is_empty(), "{}", script.tail());
    let told = |script: &Script| script.alerts().iter().filter(|alert| alert.text.contains("stop_loss:")).count();
    assert_eq!(told(&script), 1);
    // Neither the end of the pause, nor a better price, nor a restart opens anything.
    let locked = |script: &Script| script.engine().unwrap().closed() == Some(Closed::Rule(Rule::StopLoss)) && script.open().is_empty();
    let placed = script.count("side=BUY");
    script.demand(None);
    script.go(price(6_010_000)).unwrap();
    script.pass(600 * SECOND).unwrap();
    assert!(locked(&script), "{}", script.tail());
    script.kill();
    script.start().unwrap();
    script.pass(60 * SECOND).unwrap();
    assert!(locked(&script), "{}", script.tail());
    assert_eq!((script.count("side=BUY"), told(&script)), (placed, 1));
    script.command(Command::Rearm).unwrap();
    script.pass(5 * SECOND).unwrap();
    assert_eq!(working(&script), ["B-1", "B+0", "B+1"], "{}", script.tail());
    settle(&mut script);
}

#[test]
fn g05_a_stop_in_a_busy_market_leaves_nothing_open() {
    for mode in [StopMode::Cancel, StopMode::Flatten] {
        let mut script = Script::trading(Setup::btcusdt()).unwrap();
        script.go(price(5_985_000)).unwrap();
        script.pass(SECOND).unwrap();
        script.stop(mode);
        let mut cents = 5_985_000;
        for n in 0..600 {
            cents += if n % 7 < 3 { 6_000 } else { -4_000 };
            script.go(price(cents)).unwrap();
            script.pass(Duration::from_millis(50)).unwrap();
            if script.phase() == Some(Phase::Drained) {
                break;
            }
        }
        assert_eq!(script.phase(), Some(Phase::Drained), "{}", script.tail());
        assert_eq!(script.open(), [], "asked of the exchange itself");
        let held = script.venue().position(plimsoll_sim::venue::AccountId(0), script.symbol()).unwrap().holding;
        assert_eq!(held.is_flat(), mode == StopMode::Flatten, "{held:?}");
        settle(&mut script);
    }
}
