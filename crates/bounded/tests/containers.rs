//! Ring, Map and List against the containers of the standard library, and both sides of their limits.

use std::collections::VecDeque;

use plimsoll_bounded::{Class, Full, Grant, Line, List, Map, Ring, WhenFull};
use proptest::prelude::*;

fn ring(capacity: usize, policy: WhenFull) -> Ring<u16> {
    Ring::new(Grant::detached(Line::of::<u16>("ring", capacity, policy, Class::BestEffort)))
}

fn list(capacity: usize) -> List<u16> {
    List::new(Grant::detached(Line::of::<u16>("list", capacity, WhenFull::Refuse, Class::MustKeep)))
}

fn map(capacity: usize, policy: WhenFull) -> Map<u8, u16> {
    Map::new(Grant::detached(Map::<u8, u16>::line("map", capacity, policy, Class::MustKeep)))
}

#[test]
fn ring_acts_by_its_policy_one_beyond_the_limit() {
    for (policy, answer, expected) in [
        (WhenFull::Refuse, Err(Full(4)), [1, 2, 3]),
        (WhenFull::Halt, Err(Full(4)), [1, 2, 3]),
        (WhenFull::DropNewest, Ok(()), [1, 2, 3]),
        (WhenFull::DropOldest, Ok(()), [2, 3, 4]),
    ] {
        let mut ring = ring(3, policy);
        for item in 1..=3 {
            assert_eq!(ring.push(item), Ok(()));
        }
        assert_eq!((ring.is_full(), ring.grant().gauge().overflows()), (true, 0), "{policy}");
        assert_eq!(ring.push(4), answer, "{policy}");
        assert!(ring.iter().eq(&expected), "{policy}: {ring:?}");
        assert_eq!(ring.grant().gauge().overflows(), 1);
        ring.pop_front();
        assert_eq!((ring.push(5), ring.last()), (Ok(()), Some(&5)), "{policy}: room again");
        assert_eq!((ring.high_water(), ring.grant().gauge().overflows()), (3, 1));
    }
}

#[test]
#[should_panic(expected = "policy refuse does not roll")]
fn ring_that_refuses_does_not_roll() {
    ring(1, WhenFull::Refuse).roll(1);
}

#[test]
fn map_keeps_the_order_of_insertion_through_replacement_and_removal() {
    let mut map = map(3, WhenFull::Refuse);
    for key in [7, 3, 5] {
        assert_eq!(map.insert(key, 0), Ok(None));
    }
    assert_eq!(map.insert(7, 1), Ok(Some(0)), "a present key is replaced also when full");
    assert_eq!(map.insert(9, 9), Err(Full((9, 9))));
    assert_eq!(map.get_or_insert_with(9, || 9), Err(Full(9)));
    assert_eq!(map.grant().gauge().overflows(), 2);
    assert_eq!(map.remove(&3), Some(0));
    assert_eq!(map.insert(3, 2), Ok(None));
    assert_eq!(map.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(), [(7, 1), (5, 0), (3, 2)]);
    map.clear();
    assert_eq!((map.len(), map.first(), map.iter().count()), (0, None, 0));
    assert_eq!(map.insert(1, 1), Ok(None));
}

#[test]
fn map_evicts_the_oldest_where_the_policy_says_so() {
    let mut map = map(2, WhenFull::DropOldest);
    for key in 1..=4 {
        assert_eq!(map.insert(key, u16::from(key)), Ok(None));
    }
    assert_eq!(map.keys().copied().collect::<Vec<_>>(), [3, 4]);
    assert_eq!(map.grant().gauge().overflows(), 2);
    assert_eq!(map.get_or_insert_with(5, || 5), Ok(&mut 5));
    assert_eq!(map.keys().copied().collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn map_finds_strings_by_slices_in_the_same_order_in_every_run() {
    let grant = Grant::detached(Map::<String, u8>::line("m", 4, WhenFull::Refuse, Class::MustKeep).with_heap(8));
    let mut map = Map::<String, u8>::new(grant);
    map.insert("btc".into(), 1).unwrap();
    map.insert("eth".into(), 2).unwrap();
    assert_eq!((map.get("eth"), map.get("sol"), map.contains_key("btc")), (Some(&2), None, true));
    assert_eq!(format!("{map:?}"), r#"{"btc": 1, "eth": 2}"#);
}

#[test]
fn list_refuses_one_beyond_and_takes_again() {
    let mut list = list(2);
    assert_eq!((list.push(1), list.push(2), list.push(3)), (Ok(()), Ok(()), Err(Full(3))));
    assert_eq!((list.insert(0, 3), list.high_water(), list.grant().gauge().overflows()), (Err(Full(3)), 2, 2));
    assert_eq!((list.swap_remove(5), list.swap_remove(0)), (None, Some(1)));
    assert_eq!(list.insert(0, 9), Ok(()));
    assert_eq!(list.as_slice(), [9, 2]);
    assert_eq!(list.drain().collect::<Vec<_>>(), [9, 2]);
    assert_eq!((list.len(), list.grant().gauge().len()), (0, 0));
}

#[derive(Clone, Debug)]
enum RingStep {
    Push(u16),
    PopFront,
    PopBack,
    Clear,
}

#[derive(Clone, Debug)]
enum MapStep {
    Insert(u8, u16),
    Entry(u8, u16),
    Remove(u8),
    PopFirst,
    Retain(u16),
    Clear,
}

#[derive(Clone, Debug)]
enum ListStep {
    Push(u16),
    Insert(usize, u16),
    Remove(usize),
    SwapRemove(usize),
    Retain(u16),
    Truncate(usize),
    Pop,
}

fn ring_step() -> impl Strategy<Value = RingStep> {
    prop_oneof![
        6 => any::<u16>().prop_map(RingStep::Push),
        2 => Just(RingStep::PopFront),
        2 => Just(RingStep::PopBack),
        1 => Just(RingStep::Clear),
    ]
}

fn map_step() -> impl Strategy<Value = MapStep> {
    prop_oneof![
        8 => (0..24u8, any::<u16>()).prop_map(|(key, value)| MapStep::Insert(key, value)),
        4 => (0..24u8, any::<u16>()).prop_map(|(key, value)| MapStep::Entry(key, value)),
        8 => (0..24u8).prop_map(MapStep::Remove),
        2 => Just(MapStep::PopFirst),
        1 => (2..5u16).prop_map(MapStep::Retain),
        1 => Just(MapStep::Clear),
    ]
}

fn list_step() -> impl Strategy<Value = ListStep> {
    prop_oneof![
        5 => any::<u16>().prop_map(ListStep::Push),
        2 => (0..10usize, any::<u16>()).prop_map(|(at, item)| ListStep::Insert(at, item)),
        2 => (0..10usize).prop_map(ListStep::Remove),
        2 => (0..10usize).prop_map(ListStep::SwapRemove),
        1 => (2..5u16).prop_map(ListStep::Retain),
        1 => (0..10usize).prop_map(ListStep::Truncate),
        1 => Just(ListStep::Pop),
    ]
}

proptest! {
    #[test]
    fn ring_equals_a_deque(capacity in 1..9usize, newest: bool, steps in proptest::collection::vec(ring_step(), 0..100)) {
        let mut ring = ring(capacity, if newest { WhenFull::DropNewest } else { WhenFull::DropOldest });
        let (mut model, mut high, mut lost) = (VecDeque::new(), 0, 0);
        for step in steps {
            match step {
                RingStep::Push(item) => {
                    prop_assert_eq!(ring.push(item), Ok(()));
                    lost += u64::from(model.len() == capacity);
                    match (model.len() == capacity, newest) {
                        (false, _) => model.push_back(item),
                        (true, true) => {}
                        (true, false) => {
                            model.pop_front();
                            model.push_back(item);
                        }
                    }
                }
                RingStep::PopFront => prop_assert_eq!(ring.pop_front(), model.pop_front()),
                RingStep::PopBack => prop_assert_eq!(ring.pop_back(), model.pop_back()),
                RingStep::Clear => {
                    ring.clear();
                    model.clear();
                }
            }
            high = high.max(model.len());
            prop_assert!(ring.iter().eq(&model));
            prop_assert_eq!((ring.first(), ring.last(), ring.get(1)), (model.front(), model.back(), model.get(1)));
            let gauge = ring.grant().gauge();
            prop_assert_eq!((gauge.len(), gauge.high_water(), gauge.overflows()), (model.len(), high, lost));
        }
    }

    #[test]
    fn map_equals_a_list_of_pairs(capacity in 1..17usize, evicts: bool, steps in proptest::collection::vec(map_step(), 0..200)) {
        let mut map = map(capacity, if evicts { WhenFull::DropOldest } else { WhenFull::Refuse });
        let mut model: Vec<(u8, u16)> = Vec::new();
        for step in steps {
            match step {
                MapStep::Insert(key, value) => {
                    let found = model.iter().position(|(other, _)| *other == key);
                    let expected = match found {
                        Some(at) => Ok(Some(std::mem::replace(&mut model[at].1, value))),
                        None if model.len() == capacity && !evicts => Err(Full((key, value))),
                        None => {
                            if model.len() == capacity {
                                model.remove(0);
                            }
                            model.push((key, value));
                            Ok(None)
                        }
                    };
                    prop_assert_eq!(map.insert(key, value), expected);
                }
                MapStep::Entry(key, value) => {
                    let expected = match model.iter().find(|(other, _)| *other == key) {
                        Some(pair) => Ok(pair.1),
                        None if model.len() == capacity && !evicts => Err(Full(key)),
                        None => {
                            if model.len() == capacity {
                                model.remove(0);
                            }
                            model.push((key, value));
                            Ok(value)
                        }
                    };
                    prop_assert_eq!(map.get_or_insert_with(key, || value).map(|value| *value), expected);
                }
                MapStep::Remove(key) => {
                    let at = model.iter().position(|(other, _)| *other == key);
                    prop_assert_eq!(map.remove(&key), at.map(|at| model.remove(at).1));
                }
                MapStep::PopFirst => {
                    let expected = (!model.is_empty()).then(|| model.remove(0));
                    prop_assert_eq!(map.pop_first(), expected);
                }
                MapStep::Retain(divisor) => {
                    map.retain(|_, value| *value % divisor == 0);
                    model.retain(|(_, value)| *value % divisor == 0);
                }
                MapStep::Clear => {
                    map.clear();
                    model.clear();
                }
            }
            prop_assert_eq!(map.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(), model.clone());
            for key in 0..24u8 {
                prop_assert_eq!(map.get(&key), model.iter().find(|(other, _)| *other == key).map(|(_, value)| value));
            }
            prop_assert_eq!((map.len(), map.grant().gauge().len()), (model.len(), model.len()));
        }
    }

    #[test]
    fn list_equals_a_vector(capacity in 1..9usize, steps in proptest::collection::vec(list_step(), 0..100)) {
        let mut list = list(capacity);
        let mut model: Vec<u16> = Vec::new();
        for step in steps {
            match step {
                ListStep::Push(item) if model.len() == capacity => prop_assert_eq!(list.push(item), Err(Full(item))),
                ListStep::Push(item) => {
                    prop_assert_eq!(list.push(item), Ok(()));
                    model.push(item);
                }
                ListStep::Insert(at, item) => {
                    let at = at.min(model.len());
                    if model.len() == capacity {
                        prop_assert_eq!(list.insert(at, item), Err(Full(item)));
                    } else {
                        prop_assert_eq!(list.insert(at, item), Ok(()));
                        model.insert(at, item);
                    }
                }
                ListStep::Remove(at) => prop_assert_eq!(list.remove(at), (at < model.len()).then(|| model.remove(at))),
                ListStep::SwapRemove(at) => {
                    prop_assert_eq!(list.swap_remove(at), (at < model.len()).then(|| model.swap_remove(at)));
                }
                ListStep::Retain(divisor) => {
                    list.retain(|item| item % divisor == 0);
                    model.retain(|item| item % divisor == 0);
                }
                ListStep::Truncate(len) => {
                    list.truncate(len);
                    model.truncate(len);
                }
                ListStep::Pop => prop_assert_eq!(list.pop(), model.pop()),
            }
            prop_assert_eq!(list.as_slice(), model.as_slice());
            prop_assert_eq!(list.grant().gauge().len(), model.len());
        }
    }
}
