//! The account: leases, equity, drawdown.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic as tests do")]

use plimsoll_engine::{Account, AccountAction, AccountConfig, AccountInput};
use plimsoll_market::*;
use std::time::Duration;

const USDT: i128 = 100_000_000;

fn account(symbols: usize) -> Account {
    let quote = Asset::new("USDT").unwrap();
    Account::new(AccountConfig { quote, exposure_max: 900 * USDT, orders_per_10s: 30, drawdown_max_ppm: 100_000 }, symbols)
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

fn leases(actions: &[AccountAction]) -> Vec<(u16, i128, u16)> {
    actions
        .iter()
        .filter_map(|a| match a {
            AccountAction::Lease { symbol, lease } => Some((*symbol, lease.exposure_max / USDT, lease.orders_per_10s)),
            AccountAction::Alert(_) => None,
        })
        .collect()
}

#[test]
fn limits_are_shared_evenly_and_renewed_before_they_end() {
    let mut a = account(3);
    let now = Time::from_millis(1_000);
    let first = feed(&mut a, now, AccountInput::Wake);
    assert_eq!(leases(&first), [(0, 300, 10), (1, 300, 10), (2, 300, 10)]);
    let next = a.wake_at();
    let AccountAction::Lease { lease, .. } = &first[0] else { panic!("no lease") };
    assert!(next < lease.until);
    assert!(feed(&mut a, Time::from_nanos(next.nanos() - 1), AccountInput::Wake).is_empty());
    assert_eq!(leases(&feed(&mut a, next, AccountInput::Wake)).len(), 3);
}

#[test]
fn a_fall_beyond_the_limit_lends_nothing_until_an_operator_resets() {
    let mut a = account(1);
    let now = Time::from_millis(1_000);
    feed(&mut a, now, wallet(1_000));
    // Ten percent exactly is allowed.
    assert!(feed(&mut a, now, AccountInput::Unrealized { symbol: 0, units: Some(-100 * USDT) }).is_empty());
    let stopped = feed(&mut a, now, AccountInput::Unrealized { symbol: 0, units: Some(-100 * USDT - 1) });
    assert!(matches!(&stopped[0], AccountAction::Alert(alert) if alert.code == AlertCode::Drawdown));
    assert_eq!(leases(&stopped), [(0, 0, 30)]);
    // Coming back does not lift it.
    let back = feed(&mut a, now + Duration::from_secs(60), AccountInput::Unrealized { symbol: 0, units: Some(0) });
    assert_eq!(leases(&back), [(0, 0, 30)]);
    assert_eq!(leases(&feed(&mut a, now + Duration::from_secs(61), AccountInput::Reset)), [(0, 900, 30)]);
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
