use super::*;
use crate::Instruments;
use crate::binance::decode::{Message, decode, depth_snapshot};
use plimsoll_bounded::Ledger;
use plimsoll_market::Asset;

/// Runs a script. `d U u pu bids/asks` is an update, `s id bids/asks` a snapshot, `x` a lost connection; levels are `price:qty`.
/// Returns a line each: what the step did, and the top.
#[track_caller]
fn check(script: &[(&str, &str)]) {
    let ledger = Ledger::open(8 << 20);
    let mut buffer = DepthUpdate::new(ledger.grant(DepthUpdate::line("test.depth")).unwrap());
    let any = Instruments::any(Asset::new("USDT").unwrap());
    let mut sync = BookSync::new(
        ledger.grant(BookSync::levels_line("test.levels", 16)).unwrap(),
        ledger.grant(BookSync::pending_line("test.pending")).unwrap(),
        ledger.grant(BookSync::changes_line("test.changes")).unwrap(),
    );
    for (n, (input, expected)) in script.iter().enumerate() {
        let step = feed(&mut sync, &mut buffer, &any, input);
        let top = sync.top().map_or("-".to_owned(), |t| format!("{}/{}", t.bid.units() / 100_000_000, t.ask.units() / 100_000_000));
        assert_eq!(&format!("{step} {top}"), expected, "line {n}: {input}");
    }
}

fn feed(sync: &mut BookSync, buffer: &mut DepthUpdate, any: &Instruments, input: &str) -> String {
    let words: Vec<&str> = input.split(' ').collect();
    let side = |levels: &str| {
        let pairs: Vec<String> = levels
            .split(',')
            .filter(|l| !l.is_empty())
            .map(|l| {
                let (p, q) = l.split_once(':').unwrap();
                format!(r#"["{p}","{q}"]"#)
            })
            .collect();
        pairs.join(",")
    };
    let step = match words[0] {
        "d" => {
            let (bids, asks) = words[4].split_once('/').unwrap();
            let json = format!(
                r#"{{"e":"depthUpdate","E":1,"T":1,"s":"X","U":{},"u":{},"pu":{},"b":[{}],"a":[{}]}}"#,
                words[1],
                words[2],
                words[3],
                side(bids),
                side(asks)
            );
            let Message::Depth(update) = decode(json.as_bytes(), any, buffer).unwrap() else { panic!("no depth") };
            sync.on_update(update)
        }
        "s" => {
            let (bids, asks) = words[2].split_once('/').unwrap();
            let json = format!(r#"{{"lastUpdateId":{},"bids":[{}],"asks":[{}]}}"#, words[1], side(bids), side(asks));
            sync.on_snapshot(&depth_snapshot(json.as_bytes(), &any.scales("X").unwrap()).unwrap())
        }
        _ => {
            sync.reset();
            return "reset".to_owned();
        }
    };
    match step {
        BookStep::Waiting => "waiting".to_owned(),
        BookStep::Applied => "applied".to_owned(),
        BookStep::Dropped => "dropped".to_owned(),
        BookStep::Gap(gap) => format!("gap: {gap};"),
    }
}

#[test]
fn follows_the_documented_procedure() {
    check(&[
        ("d 1 5 0 10:1/20:1", "waiting -"),
        ("d 6 9 5 11:1/", "waiting -"),
        ("d 10 14 9 /19:1", "waiting -"),
        // 1-5 is older than the snapshot; 6-9 overlaps it.
        ("s 8 10:2/20:2", "applied 11/19"),
        ("d 15 15 14 12:1/", "applied 12/19"),
        ("d 16 17 15 12:0/", "applied 11/19"),
        ("d 16 17 15 12:5/", "dropped 11/19"),
        ("s 30 1:1/2:1", "dropped 11/19"),
    ]);
}

#[test]
fn a_snapshot_may_come_before_the_first_update() {
    check(&[
        ("s 8 10:2/20:2", "waiting -"),
        ("d 1 7 0 15:1/", "dropped -"),
        ("d 8 8 7 13:1/", "applied 13/20"),
        ("d 9 9 8 14:1/", "applied 14/20"),
    ]);
    check(&[("s 8 10:2/20:2", "waiting -"), ("d 9 12 8 13:1/", "gap: snapshot 8 is older than the first update 9; -")]);
}

#[test]
fn an_old_snapshot_is_asked_for_again_and_what_waits_is_kept() {
    check(&[
        ("d 10 12 9 10:1/20:1", "waiting -"),
        ("s 9 9:1/30:1", "gap: snapshot 9 is older than the first update 10; -"),
        ("d 13 14 12 11:1/", "waiting -"),
        ("s 12 9:1/30:1", "applied 11/20"),
    ]);
}

#[test]
fn a_missing_update_is_a_gap_and_begins_the_next_chain() {
    check(&[
        ("d 1 5 0 10:1/20:1", "waiting -"),
        ("s 5 10:1/20:1", "applied 10/20"),
        ("d 8 9 7 11:1/", "gap: update 7 does not follow 5; -"),
        ("d 10 11 9 12:1/", "waiting -"),
        ("s 9 10:1/20:1", "applied 12/20"),
    ]);
}

#[test]
fn a_break_among_waiting_updates_drops_those_before_it() {
    check(&[
        ("d 1 5 0 10:1/20:1", "waiting -"),
        ("d 8 9 7 11:1/", "waiting -"),
        ("s 6 10:1/20:1", "gap: snapshot 6 is older than the first update 8; -"),
        ("s 8 10:1/20:1", "applied 11/20"),
    ]);
}

#[test]
fn a_crossed_book_is_a_gap() {
    check(&[
        ("d 1 5 0 10:1/20:1", "waiting -"),
        ("s 5 10:1/20:1", "applied 10/20"),
        ("d 6 6 5 20:1/", "gap: book is crossed: bid 2000000000 is not below ask 2000000000; -"),
        ("d 7 7 6 11:1/", "waiting -"),
    ]);
}

#[test]
fn a_lost_connection_forgets_everything() {
    check(&[
        ("d 1 5 0 10:1/20:1", "waiting -"),
        ("s 5 10:1/20:1", "applied 10/20"),
        ("x", "reset -"),
        ("d 6 6 5 11:1/", "waiting -"),
        ("s 6 10:1/20:1", "applied 11/20"),
    ]);
}

#[test]
fn too_many_waiting_updates_are_a_gap() {
    let ledger = Ledger::open(8 << 20);
    let mut buffer = DepthUpdate::new(ledger.grant(DepthUpdate::line("test.depth")).unwrap());
    let any = Instruments::any(Asset::new("USDT").unwrap());
    let mut sync = BookSync::new(
        ledger.grant(BookSync::levels_line("test.levels", 16)).unwrap(),
        ledger.grant(BookSync::pending_line("test.pending")).unwrap(),
        ledger.grant(BookSync::changes_line("test.changes")).unwrap(),
    );
    assert!(!sync.wants_snapshot());
    for n in 1..=PENDING_UPDATES_MAX {
        assert_eq!(feed(&mut sync, &mut buffer, &any, &format!("d {n} {n} {} 10:1/", n - 1)), "waiting");
    }
    assert!(sync.wants_snapshot());
    let next = PENDING_UPDATES_MAX + 1;
    let step = feed(&mut sync, &mut buffer, &any, &format!("d {next} {next} {} 10:1/", next - 1));
    assert_eq!(step, "gap: more updates wait for a snapshot than may;");
    assert_eq!(sync.counts(), BookCounts { applied: 0, dropped: 0, gaps: 1 });
}
