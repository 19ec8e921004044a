//! Every order in which threads can meet in the parts that have no lock of their own, by loom.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p plimsoll-bounded --features spsc --test loom --release`
//!
//! These are the counters of a line (several writers, one writer, a producer and a consumer), the sum of the ledger that is read
//! without its lock, and the count of senders that ends a queue. Queues and task sets keep their state under a mutex; what
//! wakes them is tokio's, which loom has been over there.

#![cfg(loom)]

use std::sync::Arc;

use loom::thread;
use plimsoll_bounded::{Class, Full, Grant, Ledger, Line, Plan, Producer, WhenFull, spsc};

#[path = "../src/senders.rs"]
mod senders;
#[path = "../src/sync.rs"]
#[expect(dead_code, unused_imports, reason = "the models need a part of it")]
mod sync;

fn line(name: &str, capacity: usize) -> Line<'_> {
    Line::of::<u64>(name, capacity, WhenFull::Refuse, Class::MustKeep)
}

#[test]
fn writers_that_add_and_take_lose_no_count_and_raise_the_mark() {
    loom::model(|| {
        let grant = Grant::detached(line("shared", 8));
        let gauge = grant.gauge();
        let writers: Vec<_> = [1usize, 2]
            .into_iter()
            .map(|items| {
                let gauge = grant.gauge();
                thread::spawn(move || {
                    gauge.add(items);
                    gauge.overflowed(items as u64);
                    gauge.sub(1);
                })
            })
            .collect();
        let (seen, high) = (gauge.len(), gauge.high_water());
        assert!(seen <= 3 && high <= 3, "{seen} {high}");
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!((gauge.len(), gauge.overflows()), (1, 3));
        // Whoever was second saw what the first had left: 2 at least, 3 if both were in at once.
        assert!((2..=3).contains(&gauge.high_water()), "{}", gauge.high_water());
    });
}

#[test]
fn the_mark_is_the_highest_whoever_raises_it_last() {
    loom::model(|| {
        let grant = Grant::detached(line("marks", 8));
        let gauge = grant.gauge();
        let other = thread::spawn({
            let gauge = grant.gauge();
            move || {
                gauge.set_len(5);
                gauge.set_len(1);
            }
        });
        gauge.set_len(3);
        let own = gauge.high_water();
        other.join().unwrap();
        assert!(own >= 3 && gauge.high_water() == 5, "{own} {}", gauge.high_water());
    });
}

#[test]
fn an_spsc_line_never_shows_more_than_there_is_room_for_nor_less_than_there_was() {
    loom::model(|| {
        let (mut producer, mut consumer) = spsc::<u64>(Grant::detached(Producer::<u64>::line("q", 2, WhenFull::Refuse, Class::MustKeep)));
        let gauge = producer.gauge();
        let consumes = thread::spawn(move || {
            let taken = [consumer.pop(), consumer.pop()].into_iter().flatten().count();
            assert!(consumer.gauge().len() <= 2);
            (consumer, taken)
        });
        let mut refused = 0;
        for item in 0..3 {
            refused += u64::from(producer.push(item) == Err(Full(item)));
            let (len, high) = (gauge.len(), gauge.high_water());
            assert!(len <= 2 && high <= 2, "{len} {high}");
        }
        let (consumer, taken) = consumes.join().unwrap();
        let inside = 3 - refused as usize - taken;
        assert_eq!((gauge.len(), gauge.overflows(), consumer.len()), (inside, refused, inside));
        assert!(gauge.high_water() >= inside.max(1), "{} of {inside}", gauge.high_water());
        if refused > 0 {
            assert_eq!(gauge.high_water(), 2, "it was full");
        }
    });
}

#[test]
fn plans_that_compete_are_admitted_whole_and_never_over_the_budget() {
    loom::model(|| {
        let plan = |name: &str| Plan::new(name).with(line(&format!("a/{name}"), 10)).unwrap();
        let needed = Grant::detached(line("a", 10)).bytes();
        let ledger = Ledger::with_lines(0, 4);
        let own = ledger.total_bytes();
        drop(ledger);
        let budget = own + needed;
        let ledger = Ledger::with_lines(budget, 4).seal().unwrap();
        let handle = ledger.handle();
        let other = thread::spawn({
            let ledger = ledger.clone();
            move || ledger.admit(&plan("ETH")).map(drop).is_ok()
        });
        let admitted = ledger.admit(&plan("BTC"));
        let total = handle.total_bytes();
        assert!(total == own || total == budget, "{total}");
        let here = admitted.is_ok();
        let there = other.join().unwrap();
        assert!(here || there, "room for one, so one had it");
        drop(admitted);
        assert_eq!((handle.total_bytes(), handle.lines().len()), (own, 1));
    });
}

#[test]
fn the_last_sender_to_go_is_told_and_what_it_put_is_seen() {
    loom::model(|| {
        let senders = Arc::new(senders::Senders::one());
        let put = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        senders.join();
        let leaves: Vec<_> = (0..2)
            .map(|_| {
                let (senders, put) = (Arc::clone(&senders), Arc::clone(&put));
                thread::spawn(move || {
                    // Relaxed: that it is seen is up to `leave` and `gone`.
                    put.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
                    senders.leave()
                })
            })
            .collect();
        if senders.gone() {
            assert_eq!(put.load(loom::sync::atomic::Ordering::Relaxed), 2, "gone before what it put");
        }
        let last: Vec<bool> = leaves.into_iter().map(|leave| leave.join().unwrap()).collect();
        assert_eq!(last.iter().filter(|last| **last).count(), 1, "exactly one is the last");
        assert!(senders.gone());
    });
}
