//! The account: leases, equity, drawdown, the loss of a day, the risk monitor.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

use plimsoll_engine::{Account, AccountAction, AccountConfig, AccountInput};
use plimsoll_market::*;
use plimsoll_safety::{LadderConfig, MonitorConfig, Tier};
use std::time::Duration;

const USDT: i128 = 100_000_000;

fn config() -> AccountConfig {
    AccountConfig {
        quote: Asset::new("USDT").unwrap(),
        exposure_max: 900 * USDT,
        orders_per_10s: 30,
        ladder: LadderConfig { yellow: 1_000_000, orange: 1_000_000, red: 100_000, smoothing: Duration::ZERO },
        close_on_red: false,
        daily_loss: 1_000_000,
        monitor: None,
    }
}

fn account(symbols: usize) -> Account {
    Account::new(config(), symbols, 0, None, Time::ZERO)
}

fn feed(account: &mut Account, now: Time, input: AccountInput) -> Vec<AccountAction> {
    let mut out = Vec::new();
    account.on_input(now, &input, |action| out.push(action));
    out
}

fn wallet(usdt: i128) -> AccountInput {
    let asset = Asset::new("USDT").unwrap();
    AccountInput::Event(AccountEvent::Balance(Balance { asset, wallet: usdt * USDT, available: None, time: Time::ZERO }))
}

fn figures(unrealized: i128) -> AccountInput {
    AccountInput::Figures { symbol: 0, unrealized: Some(unrealized), booked: 0 }
}

fn leases(actions: &[AccountAction]) -> Vec<(u16, i128, u16, Option<Demand>)> {
    actions
        .iter()
        .filter_map(|a| match a {
            AccountAction::Lease { symbol, lease } => Some((*symbol, lease.exposure_max / USDT, lease.orders_per_10s, lease.demand)),
            AccountAction::Alert(_) | AccountAction::Commit(_) => None,
        })
        .collect()
}

fn alerts(actions: &[AccountAction]) -> Vec<AlertCode> {
    let code = |a: &AccountAction| match a {
        AccountAction::Alert(alert) => Some(alert.code),
        AccountAction::Lease { .. } | AccountAction::Commit(_) => None,
    };
    actions.iter().filter_map(code).collect()
}

fn committed(actions: &[AccountAction]) -> Option<AccountRecord> {
    actions.iter().rev().find_map(|a| if let AccountAction::Commit(record) = a { Some(*record) } else { None })
}

const STOP: Option<Demand> = Some(Demand { rule: Rule::Drawdown, close: false });

#[test]
fn limits_are_shared_evenly_and_renewed_before_they_end() {
    let mut a = account(3);
    let now = Time::from_millis(1_000);
    let first = feed(&mut a, now, AccountInput::Wake);
    assert_eq!(leases(&first), [(0, 300, 10, None), (1, 300, 10, None), (2, 300, 10, None)]);
    let next = a.wake_at();
    let AccountAction::Lease { lease, .. } = &first[0] else { panic!("no lease") };
    assert!(next < lease.until);
    assert!(feed(&mut a, Time::from_nanos(next.nanos() - 1), AccountInput::Wake).is_empty());
    assert_eq!(leases(&feed(&mut a, next, AccountInput::Wake)).len(), 3);
}

#[test]
fn a_fall_beyond_the_limit_stops_opening_until_an_operator_rearms_over_a_restart_too() {
    let mut a = account(1);
    let now = Time::from_millis(1_000);
    feed(&mut a, now, wallet(1_000));
    feed(&mut a, now, figures(0));
    // Ten percent exactly is allowed.
    assert!(alerts(&feed(&mut a, now, figures(-100 * USDT))).is_empty());
    let stopped = feed(&mut a, now, figures(-100 * USDT - 1));
    assert_eq!(alerts(&stopped), [AlertCode::Drawdown]);
    assert_eq!(leases(&stopped), [(0, 900, 30, STOP)]);
    // Coming back does not lift it.
    let back = feed(&mut a, now + Duration::from_secs(60), figures(0));
    assert_eq!(leases(&back), [(0, 900, 30, STOP)]);
    let record = committed(&stopped).unwrap();
    assert_eq!((record.peak, record.latched), (1_000 * USDT, Some(Rule::Drawdown)));
    let mut b = Account::new(config(), 1, 0, Some(record), now);
    assert_eq!(leases(&feed(&mut b, now, AccountInput::Wake)), [(0, 900, 30, STOP)], "a restart finds it latched");
    let lifted = feed(&mut a, now + Duration::from_secs(61), AccountInput::Rearm);
    assert_eq!((leases(&lifted), committed(&lifted).unwrap().latched), (vec![(0, 900, 30, None)], None));
}

#[test]
fn other_limits_count_at_once_and_lift_nothing() {
    let mut a = account(1);
    let now = Time::from_millis(1_000);
    assert_eq!(leases(&feed(&mut a, now, wallet(1_000))), [(0, 900, 30, None)]);
    feed(&mut a, now, figures(0));
    let ladder = LadderConfig { red: 50_000, ..config().ladder };
    a.adopt(AccountConfig { exposure_max: 300 * USDT, orders_per_10s: 12, ladder, ..config() });
    assert_eq!(leases(&feed(&mut a, now, AccountInput::Wake)), [(0, 300, 12, None)]);
    let stopped = feed(&mut a, now, figures(-60 * USDT));
    assert_eq!((alerts(&stopped), leases(&stopped)), (vec![AlertCode::Drawdown], vec![(0, 300, 12, STOP)]));
    a.adopt(config());
    assert_eq!(leases(&feed(&mut a, now, AccountInput::Wake)), [(0, 900, 30, STOP)], "wider limits do not lift what has latched");
}

#[test]
fn the_last_rung_closes_positions_when_it_is_told_to() {
    let mut a = Account::new(AccountConfig { close_on_red: true, ..config() }, 1, 0, None, Time::ZERO);
    feed(&mut a, Time::from_millis(1), wallet(1_000));
    feed(&mut a, Time::from_millis(1), figures(0));
    let red = feed(&mut a, Time::from_millis(2), figures(-200 * USDT));
    assert_eq!(leases(&red), [(0, 900, 30, Some(Demand { rule: Rule::Drawdown, close: true }))]);
    assert_eq!((a.equity().tier, a.equity().drawdown), (Tier::Red, 200_000));
}

#[test]
fn a_lost_day_ends_at_midnight_and_a_restart_remembers_it() {
    let cfg = AccountConfig { daily_loss: 50_000, ..config() };
    let day = |n: u64, ms: u64| Time::from_millis(n * 86_400_000 + ms);
    let mut a = Account::new(cfg, 1, 0, None, Time::ZERO);
    feed(&mut a, day(1, 0), wallet(1_000));
    feed(&mut a, day(1, 1), figures(0));
    let lost = feed(&mut a, day(1, 2), figures(-51 * USDT));
    let stop = Some(Demand { rule: Rule::DailyLoss, close: false });
    assert_eq!((alerts(&lost), leases(&lost)), (vec![AlertCode::Drawdown], vec![(0, 900, 30, stop)]));
    let mut b = Account::new(cfg, 1, 0, committed(&lost), day(1, 3));
    feed(&mut b, day(1, 3), wallet(1_000));
    assert_eq!(b.equity().demand, stop);
    feed(&mut b, day(2, 0), figures(-51 * USDT));
    assert_eq!((b.equity().demand, b.equity().day_start), (None, 949 * USDT));
}

#[test]
fn a_withdrawal_is_no_loss_and_no_drift() {
    let mut a = account(1);
    let now = Time::from_millis(1_000);
    feed(&mut a, now, wallet(1_000));
    feed(&mut a, now, figures(0));
    let amount = Amount::new(Asset::new("USDT").unwrap(), -500 * USDT);
    feed(&mut a, now, AccountInput::Event(AccountEvent::Transfer { amount }));
    feed(&mut a, now, wallet(500));
    assert!(alerts(&feed(&mut a, now, figures(0))).is_empty());
    assert_eq!((a.equity().drawdown, a.equity().drift), (0, Some(0)));
    // What the books do not know of is drift.
    feed(&mut a, now, wallet(498));
    feed(&mut a, now, figures(0));
    assert_eq!((a.equity().drift, a.equity().drawdown), (Some(-2 * USDT), 4_000));
}

#[test]
fn money_that_went_while_nobody_was_told_is_no_loss() {
    let mut a = account(1);
    let at = |secs: u64| Time::from_millis(secs * 1_000);
    feed(&mut a, at(1), wallet(1_000));
    let record = committed(&feed(&mut a, at(1), figures(0))).unwrap();
    assert_eq!((record.peak, record.basis), (1_000 * USDT, Some(1_000 * USDT)));
    // Stopped, 400 withdrawn, started again.
    let mut b = Account::new(config(), 1, 0, Some(record), at(100));
    feed(&mut b, at(100), wallet(600));
    for secs in 100..160 {
        assert!(alerts(&feed(&mut b, at(secs), figures(0))).is_empty(), "it waits whether the books explain it");
    }
    assert_eq!(alerts(&feed(&mut b, at(160), figures(0))), [AlertCode::Risk]);
    assert_eq!((b.equity().peak, b.equity().drawdown, b.equity().tier), (600 * USDT, 0, Tier::Green));
    // A loss that the books explain is one, at once.
    feed(&mut b, at(161), wallet(500));
    let lost = AccountInput::Figures { symbol: 0, unrealized: Some(0), booked: -100 * USDT };
    assert_eq!(alerts(&feed(&mut b, at(161), lost)), [AlertCode::Drawdown]);
}

#[test]
fn a_symbol_without_a_price_makes_no_peak() {
    let mut a = account(2);
    let at = |secs: u64| Time::from_millis(secs * 1_000);
    let told = |symbol, unrealized| AccountInput::Figures { symbol, unrealized, booked: 0 };
    feed(&mut a, at(1), wallet(1_000));
    feed(&mut a, at(1), told(0, Some(0)));
    feed(&mut a, at(2), told(1, None));
    assert_eq!(a.equity().peak, 0, "the second may have lost a third of it");
    feed(&mut a, at(3), told(1, Some(-320 * USDT)));
    assert_eq!((a.equity().peak, a.equity().tier), (680 * USDT, Tier::Green));
    // One that never speaks keeps nobody from being judged for more than a minute.
    let mut b = account(2);
    feed(&mut b, at(1), wallet(1_000));
    for secs in 1..=61 {
        feed(&mut b, at(secs), told(0, Some(0)));
    }
    assert_eq!(b.equity().peak, 1_000 * USDT);
}

#[test]
fn fills_without_an_end_do_not_keep_the_ladder_from_looking() {
    let mut a = Account::new(
        AccountConfig { ladder: LadderConfig { smoothing: Duration::from_secs(1), ..config().ladder }, ..config() },
        2,
        0,
        None,
        Time::ZERO,
    );
    let told = |symbol, unrealized| AccountInput::Figures { symbol, unrealized: Some(unrealized), booked: 0 };
    let at = |millis: u64| Time::from_millis(millis);
    for symbol in [0, 1] {
        feed(&mut a, at(1), told(symbol, 0));
    }
    feed(&mut a, at(1), wallet(1_000));
    for symbol in [0, 1] {
        feed(&mut a, at(2), told(symbol, 0));
    }
    // A balance every 20 ms; each symbol speaks every 250 ms, never both between two balances.
    let mut told_at = None;
    for n in 0..1_000_u64 {
        let fee = AccountInput::Event(AccountEvent::Balance(Balance {
            asset: Asset::new("USDT").unwrap(),
            wallet: 1_000 * USDT - i128::from(n),
            available: None,
            time: Time::ZERO,
        }));
        let mut done = feed(&mut a, at(1_000 + n * 20), fee);
        if n % 12 == 0 {
            done.extend(feed(&mut a, at(1_001 + n * 20), told((n / 12 % 2) as u16, -200 * USDT)));
        }
        if !alerts(&done).is_empty() {
            told_at = told_at.or(Some(n * 20));
        }
    }
    assert!(told_at.is_some_and(|ms| ms < 10_000), "{told_at:?}");
}

#[test]
fn the_risk_monitor_stops_all_symbols_and_says_so_once() {
    let monitor = MonitorConfig { window: 2, multiplier: 3_000, recovery: 3, stale_after: Duration::from_secs(180) };
    let mut a = Account::new(AccountConfig { monitor: Some(monitor), ..config() }, 2, 1, None, Time::ZERO);
    let at = |n: u64| Time::from_millis(n * 60_000);
    let candle = |n, close, volume| AccountInput::Candle { watched: 0, open_time: at(n), close, volume };
    for n in 1..=2 {
        assert!(alerts(&feed(&mut a, at(n + 1), candle(n, 100, 10))).is_empty());
    }
    let falling = feed(&mut a, at(4), candle(3, 90, 40));
    let stop = Some(Demand { rule: Rule::RiskMonitor, close: false });
    assert_eq!((alerts(&falling), leases(&falling)), (vec![AlertCode::Risk], vec![(0, 450, 15, stop), (1, 450, 15, stop)]));
    assert!(alerts(&feed(&mut a, at(5), candle(4, 90, 40))).is_empty());
    let over = feed(&mut a, at(6), candle(5, 120, 10));
    assert_eq!((alerts(&over), leases(&over).len()), (vec![AlertCode::Risk], 2));
    assert_eq!(a.equity().demand, None);
}

#[test]
fn another_asset_is_no_equity() {
    let mut a = account(1);
    let asset = Asset::new("BNB").unwrap();
    let balance = Balance { asset, wallet: 5 * USDT, available: None, time: Time::ZERO };
    feed(&mut a, Time::ZERO, AccountInput::Event(AccountEvent::Balance(balance)));
    assert_eq!(a.equity().total(), None);
    feed(&mut a, Time::ZERO, wallet(7));
    assert_eq!(a.equity().total(), Some(7 * USDT));
}
