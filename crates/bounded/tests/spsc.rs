//! The queue between two threads: both sides of its limit, its figures, its ends.

use std::sync::Arc;

use plimsoll_bounded::{Class, Full, Grant, Line, Producer, WhenFull, spsc};

fn grant<T>(capacity: usize, policy: WhenFull) -> Grant {
    Grant::detached(Producer::<T>::line("q", capacity, policy, Class::MustKeep))
}

#[test]
fn acts_by_its_policy_one_beyond_the_limit() {
    for (policy, answer) in [(WhenFull::Refuse, Err(Full(4))), (WhenFull::Halt, Err(Full(4))), (WhenFull::DropNewest, Ok(()))] {
        let (mut producer, mut consumer) = spsc(grant::<u32>(3, policy));
        let gauge = producer.gauge();
        for item in 1..=3 {
            assert_eq!(producer.push(item), Ok(()));
        }
        assert_eq!((producer.is_full(), gauge.len(), gauge.overflows()), (true, 3, 0), "{policy}");
        assert_eq!(producer.push(4), answer, "{policy}");
        assert_eq!((gauge.len(), gauge.high_water(), gauge.overflows()), (3, 3, 1));
        assert_eq!(consumer.peek(), Some(&1));
        assert_eq!(consumer.pop(), Some(1));
        assert_eq!((gauge.len(), consumer.len(), producer.push(5)), (2, 2, Ok(())), "{policy}: room again");
        assert_eq!([consumer.pop(), consumer.pop(), consumer.pop(), consumer.pop()], [Some(2), Some(3), Some(5), None]);
        assert_eq!((gauge.len(), gauge.high_water(), gauge.overflows(), consumer.is_empty()), (0, 3, 1, true));
    }
}

#[test]
fn the_high_water_mark_is_the_longest_it_was_and_not_what_has_passed() {
    let (mut producer, mut consumer) = spsc(grant::<u32>(100, WhenFull::Refuse));
    for turn in 0..1000 {
        producer.push(turn).unwrap();
        if turn % 10 == 0 {
            producer.push(turn).unwrap();
            consumer.pop().unwrap();
        }
        consumer.pop().unwrap();
    }
    assert_eq!((producer.gauge().high_water(), producer.gauge().len()), (2, 0));
    for turn in 0..40 {
        producer.push(turn).unwrap();
    }
    assert_eq!((producer.gauge().high_water(), producer.gauge().len()), (40, 40));
}

#[test]
fn each_side_sees_the_other_go_and_what_is_left_is_dropped_once() {
    let item = Arc::new(());
    let (mut producer, mut consumer) = spsc(grant::<Arc<()>>(3, WhenFull::Refuse));
    producer.push(item.clone()).unwrap();
    producer.push(item.clone()).unwrap();
    assert!(!consumer.is_closed());
    drop(producer);
    assert!(consumer.is_closed() && consumer.pop().is_some());
    drop(consumer);
    assert_eq!(Arc::strong_count(&item), 1);

    let (mut producer, consumer) = spsc(grant::<Arc<()>>(3, WhenFull::Refuse));
    producer.push(item.clone()).unwrap();
    drop(consumer);
    assert!(producer.is_closed());
    drop(producer);
    assert_eq!(Arc::strong_count(&item), 1);
}

#[test]
#[should_panic(expected = "spsc cannot act by policy wait")]
fn rejects_a_policy_that_it_cannot_follow() {
    drop(spsc::<u32>(grant::<u32>(1, WhenFull::Wait)));
}

#[test]
#[should_panic(expected = "use the container's `line`")]
fn rejects_a_line_that_forgets_the_head() {
    drop(spsc::<u64>(Grant::detached(Line::of::<u64>("q", 4, WhenFull::Refuse, Class::MustKeep))));
}

#[test]
fn loses_nothing_between_threads_and_never_shows_more_than_it_holds() {
    const ALL: u64 = 300_000;
    for capacity in [1, 2, 64] {
        let (mut producer, mut consumer) = spsc(grant::<u64>(capacity, WhenFull::Refuse));
        let gauge = producer.gauge();
        let seen = gauge.clone();
        let feed = std::thread::spawn(move || {
            let mut refused = 0;
            for item in 0..ALL {
                let mut next = item;
                while let Err(Full(back)) = producer.push(next) {
                    next = back;
                    refused += 1;
                    std::thread::yield_now();
                }
            }
            refused
        });
        let mut next = 0;
        while next < ALL {
            match consumer.pop() {
                Some(item) => {
                    assert_eq!(item, next);
                    next += 1;
                }
                None => std::thread::yield_now(),
            }
            assert!(seen.len() <= capacity && seen.high_water() <= capacity);
        }
        let refused: u64 = feed.join().unwrap();
        assert_eq!((gauge.len(), gauge.overflows(), consumer.pop()), (0, refused, None), "capacity {capacity}");
    }
}
