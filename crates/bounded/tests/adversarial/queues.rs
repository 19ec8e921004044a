//! The queues: channel, lossy, latest, watch, Broadcast, Batch, spsc.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use plimsoll_bounded::{
    Batch, BatchSpec, Broadcast, Class, Closed, Ended, Full, Grant, Line, Producer, Put, SendError, Sent, Subscriber, WhenFull, channel,
    latest, lossy, spsc, watch,
};

use crate::OPERATIONS;
use crate::counting::{Item, Judge, Random, heap};

const fn line(capacity: usize, policy: WhenFull) -> Line<'static> {
    Line::of::<Item>("queue", capacity, policy, Class::BestEffort)
}

/// A sender who waits for room.
type Sending = Pin<Box<dyn Future<Output = Result<(), Closed<Item>>>>>;

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Sends, reserves (one and several), fills and gives back places, waits and gives up waiting, receives.
fn channel_by(policy: WhenFull, capacity: usize) {
    let (mut judge, grant) = Judge::of(&format!("channel {policy}"), line(capacity, policy));
    let (sender, mut receiver) = channel::<Item>(grant);
    let second = sender.clone();
    let mut random = Random::new(4 + capacity as u64);
    // What is reserved and who waits are the caller's.
    let before = heap();
    let (mut places, mut many) = (Vec::with_capacity(4), Vec::with_capacity(2));
    let mut waiting: Vec<Sending> = Vec::with_capacity(3);
    let mut outside = heap() - before;
    let (mut sent, mut received, mut refused, mut dropped, mut reserved) = (0u64, 0u64, 0u64, 0u64, 0usize);
    for turn in 0..OPERATIONS {
        let by = if turn % 2 == 0 { &sender } else { &second };
        match (random.adds(), random.below(16)) {
            (true, 0) if places.len() < 4 => match by.try_reserve() {
                Ok(place) => {
                    places.push(place);
                    reserved += 1;
                }
                Err(_) => refused += 1,
            },
            (true, 1) if many.len() < 2 => {
                let wanted = 1 + random.below(3) as usize;
                match by.try_reserve_many(wanted) {
                    Ok(more) => {
                        many.push(more);
                        reserved += wanted;
                    }
                    Err(_) => refused += 1,
                }
            }
            (true, 2..4) if !places.is_empty() => {
                places.swap_remove(random.below(places.len() as u64) as usize).send(Item::new(turn));
                (sent, reserved) = (sent + 1, reserved - 1);
            }
            (true, 4..6) if !many.is_empty() => match many[0].send(Item::new(turn)) {
                Ok(()) => (sent, reserved) = (sent + 1, reserved - 1),
                Err(Full(_)) => drop(many.swap_remove(0)),
            },
            (true, 6..9) if policy == WhenFull::Wait && waiting.len() < 3 => {
                let at = heap();
                let by = by.clone();
                let item = Item::new(turn);
                let mut future: Sending = Box::pin(async move { by.send(item).await });
                match poll(future.as_mut()) {
                    Some(Ok(())) => sent += 1,
                    Some(Err(_)) => panic!("the receiver is there"),
                    None => {
                        waiting.push(future);
                        outside += heap() - at;
                    }
                }
            }
            (true, _) => match by.try_send(Item::new(turn)) {
                Ok(Sent::Queued) => sent += 1,
                Ok(Sent::Dropped) => dropped += 1,
                Err(SendError::Full(item)) => {
                    assert_eq!(item.0, turn);
                    refused += 1;
                }
                Err(SendError::Closed(_)) => panic!("the receiver is there"),
            },
            (false, 0) if !places.is_empty() => {
                places.pop();
                reserved -= 1;
            }
            (false, 1) if !many.is_empty() => reserved -= many.pop().map_or(0, |more| more.left()),
            (false, 2) if !waiting.is_empty() => {
                // Gives up, also with its place already on the way.
                let at = heap();
                drop(waiting.swap_remove(random.below(waiting.len() as u64) as usize));
                outside += heap() - at;
            }
            (false, 3..6) => {
                // A receive that is begun, and given up if there is nothing.
                received += u64::from(poll(pin!(receiver.recv())).flatten().is_some());
            }
            (false, _) => received += u64::from(receiver.try_recv().is_ok()),
        }
        if turn % 4 == 0 {
            let at = heap();
            waiting.retain_mut(|future| match poll(future.as_mut()) {
                Some(done) => {
                    sent += u64::from(done.is_ok());
                    false
                }
                None => true,
            });
            outside += heap() - at;
        }
        let len = receiver.len();
        assert_eq!(sent, received + len as u64);
        assert_eq!(Item::live(), len as u64 + waiting.len() as u64);
        assert!(len + reserved <= capacity, "{len} queued and {reserved} reserved of {capacity}");
        if waiting.is_empty() {
            assert_eq!(sender.room(), capacity - len - reserved, "no place is lost, however those who waited gave up");
        }
        assert_eq!(judge.gauge().overflows(), refused + dropped);
        judge.check(len, outside);
    }
    judge.report(OPERATIONS);
}

#[test]
fn channel_that_refuses() {
    channel_by(WhenFull::Refuse, 33);
}

#[test]
fn channel_that_halts() {
    channel_by(WhenFull::Halt, 4);
}

#[test]
fn channel_that_drops_the_newest() {
    channel_by(WhenFull::DropNewest, 64);
}

#[test]
fn channel_that_lets_wait() {
    channel_by(WhenFull::Wait, 7);
}

#[test]
fn lossy_queue() {
    const CAPACITY: usize = 50;
    let (mut judge, grant) = Judge::of("lossy drop_oldest", line(CAPACITY, WhenFull::DropOldest));
    let (sender, mut receiver) = lossy::<Item>(grant);
    let mut random = Random::new(5);
    let (mut sent, mut received, mut missed) = (0u64, 0u64, 0u64);
    for turn in 0..OPERATIONS {
        if random.adds() {
            let expected = if receiver.len() == CAPACITY { Sent::Dropped } else { Sent::Queued };
            assert_eq!(sender.send(Item::new(sent)), Ok(expected));
            sent += 1;
        } else {
            let next = if turn % 3 == 0 { poll(pin!(receiver.recv())).flatten() } else { receiver.try_recv() };
            if let Some(next) = next {
                missed += next.missed;
                assert_eq!(next.item.0, received + missed, "each gap is told where it is");
                received += 1;
            }
        }
        let len = receiver.len();
        assert_eq!((sent, Item::live()), (received + judge.gauge().overflows() + len as u64, len as u64));
        judge.check(len, 0);
    }
    judge.report(OPERATIONS);
}

#[test]
fn latest_value() {
    let (mut judge, grant) = Judge::of("latest conflate", line(1, WhenFull::Conflate));
    let (sender, mut receiver) = latest::<Item>(grant);
    let mut random = Random::new(6);
    let (mut sent, mut received, mut inside) = (0u64, 0u64, 0usize);
    for turn in 0..OPERATIONS {
        if random.adds() {
            sent += 1;
            assert_eq!(sender.put(Item::new(turn)).unwrap(), if inside == 1 { Put::Replaced } else { Put::Fresh });
            inside = 1;
        } else {
            let ready = poll(pin!(receiver.changed())).is_some();
            let taken = receiver.take();
            assert_eq!((ready, taken.is_some()), (inside == 1, inside == 1));
            received += inside as u64;
            inside = 0;
        }
        assert_eq!((sent, Item::live()), (received + judge.gauge().overflows() + inside as u64, inside as u64));
        judge.check(inside, 0);
    }
    judge.report(OPERATIONS);
}

#[test]
fn watched_value() {
    let (mut judge, grant) = Judge::of("watch conflate", line(1, WhenFull::Conflate));
    let (sender, first) = watch(grant, Item::new(0));
    let mut random = Random::new(7);
    let mut readers = Vec::with_capacity(5);
    readers.push(first);
    let outside = (5 * size_of_val(&readers[0])) as i64;
    let (mut sent, mut seen, mut looked) = (1u64, 0u64, false);
    for turn in 1..=OPERATIONS {
        if random.adds() {
            sent += 1;
            seen += u64::from(looked);
            looked = false;
            if turn % 3 == 0 { sender.modify(|item| *item = Item::new(turn)) } else { sender.put(Item::new(turn)) }
        } else {
            let at = random.below(readers.len() as u64) as usize;
            match random.below(8) {
                0 if readers.len() < 5 => readers.push(sender.subscribe()),
                1 if readers.len() > 1 => drop(readers.swap_remove(at)),
                2..5 => {
                    looked = true;
                    let value = readers[at].with(|item| item.0);
                    assert!(value <= turn && poll(pin!(readers[at].changed())).is_none());
                }
                _ => {
                    looked = true;
                    drop(readers[at].get());
                }
            }
        }
        // Every value was seen, or counted, or is there now.
        assert_eq!((sent, Item::live()), (seen + judge.gauge().overflows() + 1, 1));
        judge.check(1, outside);
    }
    judge.report(OPERATIONS);
}

#[test]
fn broadcast_to_slow_subscribers_who_come_and_go() {
    const SUBSCRIBERS: usize = 5;
    const DEPTH: usize = 8;
    let line = Broadcast::<Item>::line("b", SUBSCRIBERS, DEPTH, Class::BestEffort);
    let (mut judge, grant) = Judge::of("Broadcast drop_oldest", line);
    let broadcast = Broadcast::<Item>::new(grant, SUBSCRIBERS);
    let before = heap();
    let mut list: Vec<Subscriber<Item>> = Vec::with_capacity(SUBSCRIBERS + 1);
    let outside = heap() - before;
    let mut random = Random::new(8);
    // Copies delivered, and what became of them. `left` are those that were waiting for somebody who went.
    let (mut delivered, mut received, mut left, mut lost_by_gone) = (0u64, 0u64, 0u64, 0u64);
    for turn in 0..OPERATIONS {
        match (random.adds(), random.below(64)) {
            (true, 0) => {
                let replaced = list.len() == SUBSCRIBERS;
                left += if replaced { list[0].len() as u64 } else { 0 };
                list.push(broadcast.subscribe());
                if replaced {
                    let mut oldest = list.remove(0);
                    assert_eq!(oldest.try_recv(), Err(Ended::Replaced));
                    lost_by_gone += oldest.dropped();
                }
            }
            (false, 0) if !list.is_empty() => {
                let gone = list.remove(random.below(list.len() as u64) as usize);
                left += gone.len() as u64;
                lost_by_gone += gone.dropped();
            }
            (true, _) => {
                let count = broadcast.publish(&Item::new(turn));
                assert_eq!(count, list.len());
                delivered += count as u64;
            }
            (false, at) => {
                // The first are slow: the later ones are read more often.
                if let Some(quick) = (at as usize).min(list.len()).checked_sub(1) {
                    received += u64::from(list[quick].try_recv().unwrap().is_some());
                }
            }
        }
        let inside: usize = list.iter().map(Subscriber::len).sum();
        let lost: u64 = lost_by_gone + list.iter().map(Subscriber::dropped).sum::<u64>();
        assert_eq!(judge.gauge().overflows(), lost, "the line's count is the sum of the subscribers' counts");
        assert_eq!((delivered, Item::live()), (received + lost + left + inside as u64, inside as u64));
        assert_eq!(broadcast.subscribers(), list.len());
        judge.check(inside, outside);
    }
    judge.report(OPERATIONS);
}

#[test]
fn batch() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        for (policy, size, capacity) in [(WhenFull::Refuse, 7, 70), (WhenFull::DropNewest, 16, 32)] {
            let (mut judge, grant) = Judge::of(&format!("Batch {policy}"), line(capacity, policy));
            let mut batch = Batch::<Item>::new(grant, BatchSpec { size, flush_interval: Duration::from_secs(5) });
            let mut random = Random::new(9 + size as u64);
            let (mut sent, mut received) = (0u64, 0u64);
            for _ in 0..OPERATIONS / 2 {
                if random.adds() {
                    let full = batch.is_full();
                    assert_eq!(batch.push(Item::new(sent)).is_err(), full && policy == WhenFull::Refuse);
                    sent += 1;
                } else {
                    match random.below(16) {
                        0 => batch.put_off(Duration::from_secs(1)),
                        1 => batch.flush(),
                        2..12 if batch.is_due() => {
                            let front = batch.front().len();
                            assert!(front > 0 && front <= size && batch.front().is_sorted_by_key(|item| item.0));
                            received += front as u64;
                            batch.written();
                        }
                        12 => tokio::time::advance(Duration::from_secs(3)).await,
                        _ => assert!(batch.len() < size || batch.len() >= batch.front().len()),
                    }
                }
                let len = batch.len() as u64;
                assert_eq!((sent, Item::live()), (received + judge.gauge().overflows() + len, len));
                judge.check(batch.len(), 0);
            }
            judge.report(OPERATIONS / 2);
        }
    });
}

#[test]
fn spsc_by_turns() {
    for (policy, capacity) in [(WhenFull::Refuse, 31), (WhenFull::DropNewest, 256)] {
        let line = Producer::<Item>::line("q", capacity, policy, Class::BestEffort);
        let (mut judge, grant) = Judge::of(&format!("spsc {policy}"), line);
        let (mut producer, mut consumer) = spsc::<Item>(grant);
        let mut random = Random::new(10);
        let (mut sent, mut received) = (0u64, 0u64);
        for turn in 0..OPERATIONS / 2 {
            if random.adds() {
                sent += 1;
                let full = producer.is_full();
                assert_eq!(producer.push(Item::new(turn)).is_err(), full && policy == WhenFull::Refuse);
            } else {
                received += u64::from(consumer.pop().is_some());
            }
            let len = consumer.len();
            assert_eq!((sent, Item::live()), (received + judge.gauge().overflows() + len as u64, len as u64));
            judge.check(len, 0);
        }
        judge.report(OPERATIONS / 2);
    }
}

/// On two threads the bytes cannot be counted (`spsc_by_turns` does), but items and figures can.
#[test]
fn spsc_between_threads() {
    let line = Producer::<u64>::line("q", 128, WhenFull::DropNewest, Class::BestEffort);
    let (judge, grant) = Judge::of("spsc drop_newest, two threads", line);
    let (mut producer, mut consumer) = spsc::<u64>(grant);
    let gauge = producer.gauge();
    let feed = std::thread::spawn(move || {
        for item in 0..OPERATIONS {
            producer.push(item).unwrap();
            if item % 1024 == 0 {
                std::thread::yield_now();
            }
        }
    });
    let (mut received, mut last) = (0u64, None);
    loop {
        // Asked before the queue: what was put before it went is there.
        let closed = consumer.is_closed();
        match consumer.pop() {
            Some(item) => {
                assert!(last < Some(item), "in order");
                (last, received) = (Some(item), received + 1);
            }
            None if closed => break,
            None => std::thread::yield_now(),
        }
        assert!(gauge.len() <= 128 && gauge.high_water() <= 128);
    }
    feed.join().unwrap();
    assert_eq!((OPERATIONS, gauge.len()), (received + gauge.overflows(), 0));
    judge.report(OPERATIONS);
}

#[test]
fn what_a_queue_held_goes_with_it() {
    let (sender, receiver) = lossy::<Item>(Grant::detached(line(3, WhenFull::DropOldest)));
    let dropped = (0..5).filter(|value| sender.send(Item::new(*value)).unwrap() == Sent::Dropped).count();
    assert_eq!((Item::live(), dropped), (3, 2));
    drop(receiver);
    assert_eq!(Item::live(), 0);
}
