//! The containers of one owner: Ring, List, Map.

use std::hash::{Hash, Hasher};

use plimsoll_bounded::{Class, Full, Line, List, Map, Ring, WhenFull};

use crate::OPERATIONS;
use crate::counting::{Item, Judge, Random, heap};

/// An item with something on the heap, which the line declares too.
type Heavy = Box<(Item, u64)>;

const HEAVY: usize = size_of::<(Item, u64)>();

fn heavy(value: u64) -> Heavy {
    Box::new((Item::new(value), !value))
}

#[test]
fn ring() {
    let policies = [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::Refuse, WhenFull::Halt];
    for (policy, capacity) in policies.into_iter().zip([97, 64, 1, 1000]) {
        let operations = OPERATIONS / policies.len() as u64;
        let line = Line::of::<Heavy>("ring", capacity, policy, Class::BestEffort).with_heap(HEAVY);
        let (mut judge, grant) = Judge::of(&format!("Ring {policy}"), line);
        let mut ring = Ring::<Heavy>::new(grant);
        let mut random = Random::new(1 + capacity as u64);
        let (mut sent, mut received, mut refused) = (0, 0, 0);
        for turn in 0..operations {
            match random.adds() {
                true if policy == WhenFull::DropOldest && turn % 2 == 0 => {
                    sent += 1;
                    // What rolls out is counted by the ring.
                    drop(ring.roll(heavy(turn)));
                }
                true => {
                    sent += 1;
                    if let Err(Full(item)) = ring.push(heavy(turn)) {
                        assert_eq!(item.0.0, turn);
                        refused += 1;
                    }
                }
                false => match random.below(1000) {
                    0 => {
                        received += ring.len() as u64;
                        ring.clear();
                    }
                    1..500 => received += u64::from(ring.pop_back().is_some()),
                    _ => received += u64::from(ring.pop_front().is_some()),
                },
            }
            let lost = judge.gauge().overflows();
            assert!(if policy == WhenFull::Refuse || policy == WhenFull::Halt { lost == refused } else { refused == 0 });
            assert_eq!((sent, Item::live()), (received + lost + ring.len() as u64, ring.len() as u64));
            judge.check(ring.len(), 0);
        }
        judge.report(operations);
        drop(ring);
        assert_eq!(Item::live(), 0);
    }
}

#[test]
fn list() {
    const CAPACITY: usize = 61;
    let line = Line::of::<Heavy>("list", CAPACITY, WhenFull::Refuse, Class::MustKeep).with_heap(HEAVY);
    let (mut judge, grant) = Judge::of("List refuse", line);
    let mut list = List::<Heavy>::new(grant);
    let mut random = Random::new(2);
    let (mut sent, mut received) = (0, 0);
    for turn in 0..OPERATIONS {
        let len = list.len();
        let at = random.below(CAPACITY as u64 + 3) as usize;
        if random.adds() {
            sent += 1;
            let refused = if turn % 3 == 0 { list.insert(at.min(len), heavy(turn)) } else { list.push(heavy(turn)) };
            assert_eq!(refused.is_err(), len == CAPACITY);
        } else {
            match random.below(400) {
                0 => list.retain(|item| item.0.0 % 3 == 0),
                1 => list.truncate(at),
                2 => assert_eq!(list.drain().count(), len),
                3 => list.clear(),
                4..200 => drop(list.remove(at)),
                200..350 => drop(list.swap_remove(at)),
                _ => drop(list.pop()),
            }
            received += (len - list.len()) as u64;
        }
        assert_eq!((sent, Item::live()), (received + judge.gauge().overflows() + list.len() as u64, list.len() as u64));
        judge.check(list.len(), 0);
    }
    judge.report(OPERATIONS);
}

/// A key all of whose values have one hash: every lookup walks over all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Same(u64);

impl Hash for Same {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(7);
    }
}

/// Inserts, replaces, removes and evicts, with keys out of `key`; every key in turn leaves a tombstone.
fn churn<K: Hash + Eq + Copy>(name: &str, capacity: usize, policy: WhenFull, operations: u64, mut key: impl FnMut(&mut Random, u64) -> K) {
    let line = Map::<K, Heavy>::line("map", capacity, policy, Class::MustKeep).with_heap(HEAVY);
    let (mut judge, grant) = Judge::of(&format!("Map {policy}, {name}"), line);
    let mut map = Map::<K, Heavy>::new(grant);
    let allocated = heap();
    let mut random = Random::new(3 + capacity as u64);
    let (mut sent, mut received, mut replaced) = (0, 0, 0);
    for turn in 0..operations {
        let key = key(&mut random, turn);
        if random.adds() {
            sent += 1;
            if turn % 5 == 0 {
                let mut made = false;
                let answer = map.get_or_insert_with(key, || {
                    made = true;
                    heavy(turn)
                });
                // Nothing was made of a key that is there; one that is refused counts as sent and overflowed.
                sent -= u64::from(answer.is_ok() && !made);
            } else {
                match map.insert(key, heavy(turn)) {
                    Ok(before) => replaced += u64::from(before.is_some()),
                    Err(Full((_, item))) => assert_eq!(item.0.0, turn),
                }
            }
        } else {
            let len = map.len();
            match random.below(5000) {
                0 => map.clear(),
                1 => map.retain(|_, item| item.0.0 % 3 == 0),
                2..1000 => drop(map.pop_first()),
                _ => {
                    let there = map.contains_key(&key);
                    assert_eq!(map.remove(&key).is_some(), there);
                }
            }
            received += (len - map.len()) as u64;
        }
        let inside = map.len() as u64;
        assert_eq!((sent, Item::live()), (received + replaced + judge.gauge().overflows() + inside, inside));
        // Beside its items nothing was allocated since it was made: the table of indices never grew, tombstones or not.
        assert_eq!(heap() - allocated, (inside as usize * HEAVY) as i64);
        judge.check(map.len(), 0);
    }
    assert_eq!(map.iter().count(), map.len());
    judge.report(operations);
}

#[test]
fn map_with_keys_that_repeat() {
    churn("keys that repeat", 64, WhenFull::Conflate, OPERATIONS, |random, _| random.below(96));
}

#[test]
fn map_with_keys_that_are_ever_new() {
    churn("ever new", 448, WhenFull::DropOldest, OPERATIONS, |random, turn| turn - random.below(600).min(turn));
}

#[test]
fn map_with_keys_of_one_hash() {
    churn("one hash", 14, WhenFull::Refuse, OPERATIONS, |random, turn| Same((turn / 8 + random.below(20)) % 4096));
}
