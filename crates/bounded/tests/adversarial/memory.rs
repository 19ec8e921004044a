//! The ledger: plans that are admitted and released.

use plimsoll_bounded::{Class, Grant, Grants, LINE_BYTES, Ledger, Line, Plan, WhenFull};

use crate::OPERATIONS;
use crate::counting::{Random, heap};

const SYMBOLS: usize = 64;
const LINES: usize = 4;
const LINES_MAX: usize = 100;

/// A plan of one line is one operation, one of four lines is four; so is what is released.
#[test]
fn ledger_that_admits_and_releases_plans() {
    let begun = std::time::Instant::now();
    let plan = |symbol: usize| {
        (0..LINES).fold(Plan::new(&format!("S{symbol}")), |plan, at| {
            let name = format!("template{at}/exchange:main:S{symbol}");
            plan.with(Line::of::<u64>(&name, 1 + (symbol * 7 + at) % 90, WhenFull::Refuse, Class::MustKeep)).unwrap()
        })
    };
    let plans: Vec<Plan> = (0..SYMBOLS).map(plan).collect();
    let mut live: Vec<Option<Grants>> = (0..SYMBOLS).map(|_| None).collect();
    let mut single: Vec<Option<Grant>> = (0..SYMBOLS).map(|_| None).collect();
    let before = heap();
    let ledger = Ledger::with_lines(90_000, LINES_MAX).seal().unwrap();
    let own = ledger.total_bytes();
    let mut random = Random::new(11);
    let (mut operations, mut admitted, mut refused, mut most_bytes, mut most_lines) = (0u64, 0u64, 0u64, 0, 0);
    let (mut lines, mut total) = (1usize, own);
    // What the grants lie in is the caller's.
    let mut outside = 0i64;
    while operations < OPERATIONS {
        let at = random.below(SYMBOLS as u64) as usize;
        operations += LINES as u64;
        if random.adds() {
            let needed: u64 = plans[at].lines().map(|line| (line.capacity * line.item_bytes + LINE_BYTES) as u64).sum();
            let held = heap();
            match ledger.admit(&plans[at]) {
                Ok(grants) => {
                    assert!(live[at].is_none() && single[at].is_none(), "one symbol was admitted twice");
                    outside += heap() - held - (LINES * 200) as i64;
                    (lines, total, admitted) = (lines + LINES, total + needed, admitted + 1);
                    live[at] = Some(grants);
                }
                Err(refusal) => {
                    drop(refusal);
                    let there = live[at].is_some() || single[at].is_some();
                    assert!(there || total + needed > ledger.budget() || lines + LINES > LINES_MAX, "refused with room for it");
                    assert_eq!(heap(), held, "a refusal leaves nothing behind");
                    refused += 1;
                }
            }
        } else if let Some(mut grants) = live[at].take() {
            let bytes: u64 = plans[at].lines().map(|line| (line.capacity * line.item_bytes + LINE_BYTES) as u64).sum();
            let held = heap();
            if random.below(4) == 0 {
                // One of its lines stays longer than the others.
                let kept = grants.take("template2").unwrap();
                (lines, total) = (lines - LINES + 1, total - bytes + kept.bytes());
                single[at] = Some(kept);
                drop(grants);
                outside += heap() - held + ((LINES - 1) * 200) as i64;
            } else {
                (lines, total) = (lines - LINES, total - bytes);
                drop(grants);
                outside += heap() - held + (LINES * 200) as i64;
            }
        } else if let Some(kept) = single[at].take() {
            let held = heap();
            (lines, total) = (lines - 1, total - kept.bytes());
            drop(kept);
            outside += heap() - held + 200;
        }
        assert_eq!(ledger.total_bytes(), total);
        assert!(total <= ledger.budget() && lines <= LINES_MAX);
        let bytes = heap() - before - outside;
        assert!(bytes <= total as i64, "{bytes} bytes for {lines} lines, {total} declared");
        (most_bytes, most_lines) = (most_bytes.max(total), most_lines.max(lines));
        if operations % 4096 == 0 {
            let shown = ledger.lines();
            assert_eq!((shown.len(), shown.iter().map(|line| line.bytes).sum::<u64>()), (lines, total));
        }
    }
    let ms = begun.elapsed().as_millis();
    let budget = ledger.budget();
    eprintln!(
        "{:<32} {operations:>9} operations {ms:>6} ms  {most_bytes:>7} of {budget:>7} bytes  {most_lines:>4} of {LINES_MAX:>4} lines  {admitted:>8} admitted, {refused} refused",
        "Ledger, plans"
    );
    live.clear();
    single.clear();
    assert_eq!((ledger.total_bytes(), ledger.lines().len()), (own, 1));
}
