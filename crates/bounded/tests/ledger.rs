//! The ledger's limits, both sides, and its arithmetic under random use.

use std::collections::BTreeMap;

use plimsoll_bounded::{
    Class, Grant, Grants, LINE_BYTES, LINE_INDEX_BYTES, Ledger, LedgerError, Line, NAME_MAX, Open, PLAN_LINES_MAX, Plan, Refused, Ring,
    WhenFull,
};
use proptest::prelude::*;

const LINES: usize = 8;
const OWN: u64 = (LINES * LINE_INDEX_BYTES + LINE_BYTES) as u64;
const HEAD: u64 = LINE_BYTES as u64;

fn line(name: &str, capacity: usize, item_bytes: usize) -> Line<'_> {
    Line { name, capacity, item_bytes, policy: WhenFull::Refuse, class: Class::MustKeep }
}

fn open(budget: u64) -> Ledger<Open> {
    Ledger::with_lines(budget, LINES)
}

#[track_caller]
fn check_sum(ledger: &Ledger<impl plimsoll_bounded::Phase>) {
    assert_eq!(ledger.lines().iter().map(|line| line.bytes).sum::<u64>(), ledger.total_bytes());
    assert_eq!(ledger.lines()[0].len, ledger.lines().len(), "the ledger's own line counts the lines");
}

const fn shared<T: Clone + Send + Sync + 'static>() {}
const _: () = shared::<plimsoll_bounded::LedgerHandle>();
const _: () = shared::<plimsoll_bounded::Gauge>();
const _: () = shared::<Ledger<plimsoll_bounded::Sealed>>();

#[test]
fn seals_at_the_budget_and_not_one_byte_above() {
    let needed = OWN + HEAD + 1000;
    let ledger = open(needed);
    let grant = ledger.grant(line("a/x", 10, 100)).unwrap();
    assert_eq!((ledger.total_bytes(), grant.bytes()), (needed, HEAD + 1000));
    assert_eq!(ledger.seal().unwrap().budget(), needed);

    let ledger = open(needed - 1);
    let _grant = ledger.grant(line("a/x", 10, 100)).unwrap();
    let refused = ledger.seal().unwrap_err();
    assert_eq!((refused.total(), refused.budget()), (needed, needed - 1));
}

#[test]
fn says_what_is_too_large_and_what_to_do() {
    let ledger = open(1_000_000);
    let mut grants = vec![ledger.grant(line("market.books/binance:main:BTCUSDT", 1000, 700)).unwrap()];
    grants.push(ledger.grant(line("market.books/binance:main:ETHUSDT", 1000, 600)).unwrap());
    ledger.external("storage.page_cache", 200_000).unwrap();
    let text = ledger.seal().unwrap_err().to_string();
    let expected = "the memory plan needs 1.5 MB, 502.2 kB more than the budget of 1.0 MB

  line                                  count      items bytes each       bytes  share  of each
  market.books                              2       2000        700      1.3 MB    86%  must_keep
  storage.page_cache                        1     200000          1    200.0 kB    13%  external
  bounded.ledger                            1          8         36       928 B     0%  must_keep

raise memory.budget to at least 2 MB, or reduce the largest capacities above; of 2 owners binance:main:BTCUSDT takes most: 700.6 kB";
    assert_eq!(text, expected);
}

#[test]
fn refuses_impossible_lines() {
    let ledger = open(u64::MAX);
    let _taken = ledger.grant(line("a/x", 1, 1)).unwrap();
    let longest = "n".repeat(NAME_MAX);
    assert!(ledger.grant(line(&longest, 1, 1)).is_ok());
    for name in ["", "/x", "a b", "ä", "a\n", &"n".repeat(NAME_MAX + 1)] {
        assert!(matches!(ledger.grant(line(name, 1, 1)), Err(LedgerError::NameInvalid { .. })), "{name:?}");
    }
    assert!(matches!(ledger.grant(line("a/x", 1, 1)), Err(LedgerError::NameTaken { .. })));
    assert!(matches!(ledger.grant(line("b", 0, 1)), Err(LedgerError::NoCapacity { .. })));
    assert!(matches!(ledger.grant(line("b", 2, usize::MAX)), Err(LedgerError::TooLarge { .. })));
    assert!(matches!(ledger.grant(line("b", usize::MAX, 1)), Err(LedgerError::TooLarge { .. })));
    assert!(matches!(ledger.grant(line("b", 1, usize::MAX)), Err(LedgerError::TooLarge { .. })));
    check_sum(&ledger);
}

#[test]
fn grants_as_many_lines_as_declared_and_again_after_a_release() {
    let ledger = open(u64::MAX);
    let names: Vec<String> = (1..LINES).map(|at| format!("t/{at}")).collect();
    let mut grants: Vec<Grant> = names.iter().map(|name| ledger.grant(line(name, 1, 1)).unwrap()).collect();
    assert!(matches!(ledger.grant(line("t/more", 1, 1)), Err(LedgerError::TooManyLines { lines_max: LINES, .. })));
    assert_eq!(ledger.lines()[0].overflows, 1);
    grants.remove(2);
    check_sum(&ledger);
    grants.push(ledger.grant(line("t/more", 1, 1)).unwrap());
    assert!(ledger.grant(line("t/3", 1, 1)).is_err());
    drop(grants);
    assert_eq!((ledger.lines().len(), ledger.total_bytes()), (1, OWN));
}

#[test]
fn keeps_external_lines_with_a_live_figure() {
    let ledger = open(u64::MAX);
    let gauge = ledger.external("tls.buffers", 5000).unwrap();
    gauge.set_len(1200);
    let ledger = ledger.seal().unwrap();
    drop(gauge);
    let line = &ledger.lines()[1];
    assert_eq!((line.bytes, line.used_bytes(), line.class), (5000, 1200, Class::External));
    assert_eq!(ledger.total_bytes(), OWN + 5000);
}

#[test]
fn shows_a_containers_figures_while_it_lives() {
    let ledger = Ledger::open(u64::MAX);
    let handle = ledger.handle();
    let line = Line::of::<u64>("p/x", 2, WhenFull::DropOldest, Class::LatestWins);
    let mut ring = Ring::new(ledger.grant(line).unwrap());
    for item in 0..5 {
        ring.roll(item);
    }
    ring.pop_front();
    let shown = handle.lines().remove(1);
    assert_eq!((shown.len, shown.high_water, shown.overflows, shown.fill_permille()), (1, 2, 3, 500));
    drop(ring);
    assert_eq!(handle.lines().len(), 1);
}

#[test]
fn sums_lines_up_by_template_and_names_the_fullest() {
    let ledger = open(u64::MAX);
    let _grants = [("k/A", 10, 2), ("l", 1, 1), ("k/B", 10, 7), ("k/C", 20, 9)].map(|(name, capacity, len)| {
        let grant = ledger.grant(line(name, capacity, 1)).unwrap();
        grant.gauge().set_len(len);
        grant.gauge().overflowed(len as u64);
        grant
    });
    let sums = ledger.handle().templates();
    assert_eq!(sums.iter().map(|sum| sum.template()).collect::<Vec<_>>(), ["bounded.ledger", "k", "l"]);
    let sum = &sums[1];
    assert_eq!((sum.lines, sum.capacity, sum.len, sum.high_water_max, sum.overflows), (3, 40, 18, 9, 18));
    assert_eq!(sum.worst.name.owner(), "B");
    assert_eq!(sum.bytes, 3 * HEAD + 40);
}

#[test]
fn admits_a_plan_that_fits_to_the_byte_and_refuses_one_more_whole() {
    let budget = OWN + 2 * HEAD + 100;
    let ledger = open(budget).seal().unwrap();
    let plan = |bytes| Plan::new("BTC").with(line("a/BTC", 40, 1)).unwrap().with(line("b/BTC", bytes, 1)).unwrap();
    let refused = ledger.admit(&plan(61)).unwrap_err();
    let (needed, free) = (2 * HEAD + 101, 2 * HEAD + 100);
    assert_eq!(refused, Refused::OverBudget { plan: "BTC".into(), needed, free, budget });
    assert_eq!((ledger.total_bytes(), ledger.lines().len()), (OWN, 1));

    let mut grants = ledger.admit(&plan(60)).unwrap();
    assert_eq!((ledger.total_bytes(), grants.len()), (budget, 2));
    let b = grants.take("b").unwrap();
    assert_eq!(b.name(), "b/BTC");
    assert_eq!(grants.take("b").unwrap_err().to_string(), "no line b is left in the plan");
    drop(grants);
    assert_eq!(ledger.total_bytes(), OWN + HEAD + 60, "what was not taken is released");
    drop(b);
    assert_eq!(ledger.total_bytes(), OWN);
}

#[test]
fn a_symbol_that_leaves_makes_room_for_another_once_its_last_line_is_gone() {
    let plan = |symbol: &str| {
        let (klines, orders) = (format!("klines/{symbol}"), format!("orders/{symbol}"));
        Plan::new(symbol).with(line(&klines, 50, 8)).unwrap().with(line(&orders, 10, 100)).unwrap()
    };
    let ledger = open(OWN + 4 * HEAD + 2 * 1400).seal().unwrap();
    let mut btc = ledger.admit(&plan("BTC")).unwrap();
    let _eth = ledger.admit(&plan("ETH")).unwrap();
    let refused = ledger.admit(&plan("SOL")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "SOL needs {0} bytes of memory and 0 of {1} are left: raise memory.budget or trade fewer symbols",
            2 * HEAD + 1400,
            ledger.budget()
        )
    );

    // Its lines go one by one, with their containers; as long as one is there, the symbol is.
    let ring = Ring::<u64>::new(btc.take("klines").unwrap());
    drop(btc);
    assert!(matches!(ledger.admit(&plan("SOL")), Err(Refused::OverBudget { .. })));
    assert!(matches!(ledger.admit(&plan("BTC")), Err(Refused::OverBudget { .. })));
    drop(ring);
    let sol = ledger.admit(&plan("SOL")).unwrap();
    assert_eq!((ledger.total_bytes(), ledger.lines().len()), (ledger.budget(), 5));
    assert!(matches!(ledger.admit(&plan("BTC")), Err(Refused::OverBudget { .. })));
    drop(sol);
    drop(ledger.admit(&plan("BTC")).unwrap());
    check_sum(&ledger);
}

#[test]
fn grants_outlive_every_handle_of_their_ledger() {
    let ledger = open(u64::MAX).seal().unwrap();
    let handle = ledger.handle();
    let plan = Plan::new("p").with(line("a", 1, 1)).unwrap();
    let kept = ledger.admit(&plan).unwrap();
    drop(ledger);
    assert_eq!(handle.lines().len(), 2);
    drop(kept);
    assert_eq!((handle.lines().len(), handle.total_bytes()), (1, OWN));
}

#[test]
fn refuses_a_plan_whole_for_one_bad_line() {
    let ledger = open(u64::MAX).seal().unwrap();
    let plan = |names: &[&str]| names.iter().fold(Plan::new("p"), |plan, name| plan.with(line(name, 1, 1)).unwrap());
    let kept = ledger.admit(&plan(&["a", "b"])).unwrap();
    let total = ledger.total_bytes();
    for names in [&["c", "d", "a"][..], &["c", "c"], &["c", "d", "e", "f", "g", "h"]] {
        assert!(matches!(ledger.admit(&plan(names)), Err(Refused::Line(_))), "{names:?}");
        assert_eq!((ledger.total_bytes(), ledger.lines().len()), (total, 3));
        check_sum(&ledger);
    }
    let rest = ledger.admit(&plan(&["c", "d", "e", "f", "g"])).unwrap();
    let order: Vec<_> = rest.into_iter().map(|grant| grant.name().to_owned()).collect();
    assert_eq!(order, ["c", "d", "e", "f", "g"]);
    drop(kept);
    assert_eq!(ledger.total_bytes(), OWN);
}

#[test]
fn bounds_the_lines_of_a_plan() {
    let mut plan = Plan::new("p");
    for at in 0..PLAN_LINES_MAX {
        plan.add(line(&format!("l{at}"), 1, 1)).unwrap();
    }
    assert!(matches!(plan.add(line("more", 1, 1)), Err(LedgerError::TooManyLines { .. })));
    assert_eq!(Grants::detached(&plan).len(), PLAN_LINES_MAX);
}

#[test]
#[should_panic(expected = "needs 8 bytes an item, 4 were declared")]
fn rejects_a_container_declared_too_small() {
    drop(Ring::<u64>::new(Grant::detached(line("a", 1, 4))));
}

#[test]
#[should_panic(expected = "Ring cannot act by policy wait")]
fn rejects_a_policy_that_a_container_cannot_follow() {
    drop(Ring::<u64>::new(Grant::detached(Line { policy: WhenFull::Wait, ..line("a", 1, 8) })));
}

#[derive(Clone, Debug)]
enum Step {
    Grant { name: u8, bytes: u16 },
    Admit { names: Vec<u8>, bytes: u16 },
    Drop { at: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40u8, 1..2000u16).prop_map(|(name, bytes)| Step::Grant { name, bytes }),
        (proptest::collection::vec(0..40u8, 1..5), 1..2000u16).prop_map(|(names, bytes)| Step::Admit { names, bytes }),
        (0..64usize).prop_map(|at| Step::Drop { at }),
    ]
}

proptest! {
    #[test]
    fn total_is_the_sum_of_the_live_grants(steps in proptest::collection::vec(step(), 0..120), sealed: bool) {
        const MANY: usize = 16;
        let own = (MANY * LINE_INDEX_BYTES + LINE_BYTES) as u64;
        let budget = own + 10 * (HEAD + 1000);
        // A plan into an open ledger and one into a sealed ledger differ only in the budget.
        let (open, closed) = if sealed {
            (None, Some(Ledger::with_lines(budget, MANY).seal().unwrap()))
        } else {
            (Some(Ledger::with_lines(budget, MANY)), None)
        };
        let lines = || match (&open, &closed) {
            (Some(ledger), _) => (ledger.lines(), ledger.total_bytes()),
            (_, Some(ledger)) => (ledger.lines(), ledger.total_bytes()),
            _ => unreachable!(),
        };
        let mut live: Vec<Grant> = Vec::new();
        for step in steps {
            let before = lines();
            let (wanted, plan) = match step {
                Step::Grant { name, bytes } => (vec![name], bytes),
                Step::Admit { names, bytes } => (names, bytes),
                Step::Drop { at } => {
                    if !live.is_empty() {
                        let at = at % live.len();
                        live.swap_remove(at);
                    }
                    (vec![], 0)
                }
            };
            if !wanted.is_empty() {
                let made = wanted.iter().fold(Plan::new("p"), |made, name| made.with(line(&format!("n/{name}"), plan as usize, 1)).unwrap());
                let answer = match (&open, &closed) {
                    (Some(ledger), _) if wanted.len() == 1 => {
                        ledger.grant(line(&format!("n/{}", wanted[0]), plan as usize, 1)).map(|grant| vec![grant]).map_err(Refused::from)
                    }
                    (Some(ledger), _) => ledger.admit(&made).map(|grants| grants.into_iter().collect()),
                    (_, Some(ledger)) => ledger.admit(&made).map(|grants| grants.into_iter().collect()),
                    _ => unreachable!(),
                };
                let mut unique = wanted.clone();
                unique.sort_unstable();
                unique.dedup();
                let clash = unique.len() != wanted.len()
                    || wanted.iter().any(|name| live.iter().any(|grant| grant.name() == format!("n/{name}")));
                let needed = wanted.len() as u64 * (HEAD + u64::from(plan));
                let fits = !sealed || before.1 + needed <= budget;
                let room = live.len() + 1 + wanted.len() <= MANY;
                prop_assert_eq!(answer.is_ok(), !clash && fits && room);
                match answer {
                    Ok(grants) => live.extend(grants),
                    // All or none: a refusal leaves no trace but the overflow count of the ledger's own line.
                    Err(_) => prop_assert_eq!((&lines().0[1..], lines().1), (&before.0[1..], before.1)),
                }
            }
            let (shown, total) = lines();
            prop_assert_eq!(total, own + live.iter().map(Grant::bytes).sum::<u64>());
            prop_assert_eq!(total, shown.iter().map(|line| line.bytes).sum::<u64>());
            let expected: BTreeMap<_, _> = live.iter().map(|grant| (grant.name().to_owned(), grant.bytes())).collect();
            let shown: BTreeMap<_, _> = shown.iter().skip(1).map(|line| (line.name.to_string(), line.bytes)).collect();
            prop_assert_eq!(shown, expected);
        }
    }
}
