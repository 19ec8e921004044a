//! Batch, Broadcast, lossy and spsc, and a Ring that rolls, against models made of plain collections.
//!
//! What holds items for one owner alone is in `containers.rs`.

use std::collections::VecDeque;
use std::time::Duration;

use plimsoll_bounded::{
    Batch, BatchSpec, Broadcast, Class, Closed, Ended, Full, Grant, Line, LossyReceiver, Producer, Received, Ring, Sent, Subscriber,
    WhenFull, lossy, spsc,
};
use proptest::prelude::*;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
enum RingStep {
    Roll(usize),
    PopFront(usize),
    PopBack,
    Set(usize, u16),
    Clear,
}

fn ring_step() -> impl Strategy<Value = RingStep> {
    prop_oneof![
        6 => (1..40usize).prop_map(RingStep::Roll),
        3 => (1..6usize).prop_map(RingStep::PopFront),
        2 => Just(RingStep::PopBack),
        2 => (0..9usize, any::<u16>()).prop_map(|(at, value)| RingStep::Set(at, value)),
        1 => Just(RingStep::Clear),
    ]
}

#[derive(Clone, Copy, Debug)]
enum QueueStep {
    Send(usize),
    Receive(usize),
    SenderGoes,
    ReceiverGoes,
}

fn queue_step() -> impl Strategy<Value = QueueStep> {
    prop_oneof![
        20 => (1..8usize).prop_map(QueueStep::Send),
        20 => (1..8usize).prop_map(QueueStep::Receive),
        1 => Just(QueueStep::SenderGoes),
        1 => Just(QueueStep::ReceiverGoes),
    ]
}

#[derive(Clone, Copy, Debug)]
enum BroadcastStep {
    Publish(usize),
    Subscribe,
    Leave(usize),
    Receive(usize),
}

fn broadcast_step() -> impl Strategy<Value = BroadcastStep> {
    prop_oneof![
        4 => (1..5usize).prop_map(BroadcastStep::Publish),
        2 => Just(BroadcastStep::Subscribe),
        1 => (0..4usize).prop_map(BroadcastStep::Leave),
        5 => (0..4usize).prop_map(BroadcastStep::Receive),
    ]
}

/// What a subscriber should find: its items, and how many were lost before the next and in all.
#[derive(Clone, Debug, Default)]
struct Place {
    items: VecDeque<u64>,
    missed: u64,
    dropped: u64,
}

impl Place {
    fn put(&mut self, depth: usize, item: u64) {
        if self.items.len() == depth {
            self.items.pop_front();
            (self.missed, self.dropped) = (self.missed + 1, self.dropped + 1);
        }
        self.items.push_back(item);
    }

    fn take(&mut self) -> Option<Received<u64>> {
        let item = self.items.pop_front()?;
        Some(Received { item, missed: std::mem::take(&mut self.missed) })
    }
}

#[derive(Clone, Copy, Debug)]
enum BatchStep {
    Push(usize),
    Write,
    PutOff(u64),
    Flush,
    Advance(u64),
}

fn batch_step() -> impl Strategy<Value = BatchStep> {
    prop_oneof![
        6 => (1..6usize).prop_map(BatchStep::Push),
        6 => Just(BatchStep::Write),
        1 => (1..3000u64).prop_map(BatchStep::PutOff),
        1 => Just(BatchStep::Flush),
        4 => (1..1500u64).prop_map(BatchStep::Advance),
    ]
}

const FLUSH: Duration = Duration::from_secs(1);

/// When a batch is due, as its documentation says it.
struct BatchModel {
    items: VecDeque<u64>,
    since: Instant,
    not_before: Instant,
    forced: usize,
}

impl BatchModel {
    fn is_due(&self, size: usize) -> bool {
        let now = Instant::now();
        let wanted = self.forced > 0 || self.items.len() >= size || now >= self.since + FLUSH;
        !self.items.is_empty() && wanted && now >= self.not_before
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map(|runtime| runtime.block_on(work))
        .unwrap_or_else(|error| panic!("{error}"))
}

proptest! {
    #[test]
    fn a_ring_that_rolls_equals_a_deque(capacity in 1..9usize, steps in proptest::collection::vec(ring_step(), 0..120)) {
        let line = Line::of::<u16>("ring", capacity, WhenFull::DropOldest, Class::BestEffort);
        let mut ring = Ring::<u16>::new(Grant::detached(line));
        let (mut model, mut next, mut lost) = (VecDeque::new(), 0u16, 0);
        for step in steps {
            match step {
                RingStep::Roll(times) => for _ in 0..times {
                    next = next.wrapping_add(1);
                    let expected = if model.len() == capacity { model.pop_front() } else { None };
                    lost += u64::from(expected.is_some());
                    model.push_back(next);
                    if next % 3 == 0 { prop_assert_eq!(ring.push(next), Ok(())) } else { prop_assert_eq!(ring.roll(next), expected) }
                },
                RingStep::PopFront(times) => for _ in 0..times {
                    prop_assert_eq!(ring.pop_front(), model.pop_front());
                },
                RingStep::PopBack => prop_assert_eq!(ring.pop_back(), model.pop_back()),
                RingStep::Set(at, value) => {
                    prop_assert_eq!(ring.get(at), model.get(at));
                    if let Some(place) = model.get_mut(at) {
                        *place = value;
                    }
                    if let Some(place) = ring.get_mut(at) {
                        *place = value;
                    }
                    if value % 5 == 0 {
                        ring.iter_mut().rev().for_each(|item| *item = item.wrapping_mul(3));
                        model.iter_mut().for_each(|item| *item = item.wrapping_mul(3));
                    }
                }
                RingStep::Clear => {
                    ring.clear();
                    model.clear();
                }
            }
            let (older, newer) = ring.as_slices();
            prop_assert!(older.iter().chain(newer).eq(&model));
            prop_assert!(ring.iter().rev().eq(model.iter().rev()) && (&ring).into_iter().eq(&model));
            prop_assert_eq!((ring.iter().len(), ring.iter().nth(2), ring.iter().nth_back(1)), (model.len(), model.get(2), model.iter().nth_back(1)));
            prop_assert_eq!(ring.iter().skip(1).len(), model.len().saturating_sub(1));
            prop_assert_eq!((ring.first(), ring.last()), (model.front(), model.back()));
            prop_assert_eq!(ring.last_mut().copied(), model.back().copied());
            prop_assert_eq!((0..capacity + 2).map(|at| ring.get(at)).collect::<Vec<_>>(), (0..capacity + 2).map(|at| model.get(at)).collect::<Vec<_>>());
            let gauge = ring.grant().gauge();
            prop_assert_eq!((gauge.len(), gauge.overflows()), (model.len(), lost));
        }
    }

    #[test]
    fn a_lossy_queue_equals_a_deque_that_forgets(capacity in 1..9usize, steps in proptest::collection::vec(queue_step(), 0..120)) {
        let grant = Grant::detached(Line::of::<u64>("q", capacity, WhenFull::DropOldest, Class::BestEffort));
        let gauge = grant.gauge();
        let (sender, receiver) = lossy::<u64>(grant);
        let (mut sender, mut receiver) = (Some(sender), Some(receiver));
        let (mut model, mut next) = (Place::default(), 0);
        for step in steps {
            match step {
                QueueStep::Send(times) => for _ in 0..times {
                    let Some(sender) = &sender else { continue };
                    next += 1;
                    if receiver.is_none() {
                        prop_assert_eq!(sender.send(next), Err(Closed(next)));
                        continue;
                    }
                    let expected = if model.items.len() == capacity { Sent::Dropped } else { Sent::Queued };
                    prop_assert_eq!(sender.send(next), Ok(expected));
                    model.put(capacity, next);
                },
                QueueStep::Receive(times) => for _ in 0..times {
                    let received = receiver.as_mut().map(|receiver| receiver.try_recv());
                    prop_assert_eq!(received.flatten(), model.take());
                },
                QueueStep::SenderGoes => drop(sender.take()),
                QueueStep::ReceiverGoes => {
                    drop(receiver.take());
                    model.items.clear();
                }
            }
            prop_assert_eq!((gauge.len(), gauge.overflows()), (model.items.len(), model.dropped));
            prop_assert_eq!(receiver.as_ref().map_or(0, LossyReceiver::len), model.items.len());
        }
        if let (None, Some(mut receiver)) = (sender, receiver) {
            // What was sent before the last sender went still comes, and then the end.
            while let Some(expected) = model.take() {
                prop_assert_eq!(block_on(receiver.recv()), Some(expected));
            }
            prop_assert_eq!(block_on(receiver.recv()), None);
        }
    }

    #[test]
    fn an_spsc_queue_equals_a_deque(capacity in 1..9usize, drops: bool, steps in proptest::collection::vec(queue_step(), 0..120)) {
        let policy = if drops { WhenFull::DropNewest } else { WhenFull::Refuse };
        let grant = Grant::detached(Producer::<u64>::line("q", capacity, policy, Class::BestEffort));
        let gauge = grant.gauge();
        let (producer, consumer) = spsc::<u64>(grant);
        let (mut producer, mut consumer) = (Some(producer), Some(consumer));
        let (mut model, mut next, mut lost, mut high) = (VecDeque::new(), 0, 0, 0);
        for step in steps {
            match step {
                QueueStep::Send(times) => for _ in 0..times {
                    let Some(producer) = &mut producer else { continue };
                    next += 1;
                    let full = model.len() == capacity;
                    prop_assert_eq!((producer.is_full(), producer.is_closed()), (full, consumer.is_none()));
                    prop_assert_eq!(producer.push(next), if full && !drops { Err(Full(next)) } else { Ok(()) });
                    if full { lost += 1 } else { model.push_back(next) }
                    high = high.max(model.len());
                },
                QueueStep::Receive(times) => for _ in 0..times {
                    let Some(consumer) = &mut consumer else { continue };
                    prop_assert_eq!(consumer.is_closed(), producer.is_none());
                    prop_assert_eq!(consumer.peek(), model.front());
                    prop_assert_eq!(consumer.pop(), model.pop_front());
                    prop_assert_eq!((consumer.len(), consumer.is_empty()), (model.len(), model.is_empty()));
                },
                QueueStep::SenderGoes => drop(producer.take()),
                QueueStep::ReceiverGoes => drop(consumer.take()),
            }
            prop_assert_eq!((gauge.len(), gauge.high_water(), gauge.overflows()), (model.len(), high, lost));
        }
    }

    #[test]
    fn a_broadcast_equals_a_place_for_each(subscribers in 1..4usize, depth in 1..5usize, steps in proptest::collection::vec(broadcast_step(), 0..120)) {
        let line = Broadcast::<u64>::line("b", subscribers, depth, Class::BestEffort);
        let broadcast = Broadcast::<u64>::new(Grant::detached(line), subscribers);
        // In the order in which they came; `gone` have lost their place to a newer one.
        let mut here: Vec<(Subscriber<u64>, Place)> = Vec::new();
        let mut gone: Vec<Subscriber<u64>> = Vec::new();
        let (mut next, mut lost) = (0, 0);
        for step in steps {
            match step {
                BroadcastStep::Publish(times) => for _ in 0..times {
                    next += 1;
                    prop_assert_eq!(broadcast.publish(&next), here.len());
                    for (_, place) in &mut here {
                        lost += u64::from(place.items.len() == depth);
                        place.put(depth, next);
                    }
                },
                BroadcastStep::Subscribe => {
                    here.push((broadcast.subscribe(), Place::default()));
                    if here.len() > subscribers {
                        gone.push(here.remove(0).0);
                    }
                }
                BroadcastStep::Leave(at) => if at < here.len() {
                    drop(here.remove(at));
                },
                BroadcastStep::Receive(at) => {
                    if let Some((subscriber, place)) = here.get_mut(at) {
                        prop_assert_eq!(subscriber.try_recv(), Ok(place.take()));
                    }
                    if let Some(subscriber) = gone.get_mut(at) {
                        prop_assert_eq!(subscriber.try_recv(), Err(Ended::Replaced));
                    }
                }
            }
            for (subscriber, place) in &here {
                prop_assert_eq!((subscriber.len(), subscriber.dropped()), (place.items.len(), place.dropped));
            }
            let inside: usize = here.iter().map(|(_, place)| place.items.len()).sum();
            let gauge = broadcast.gauge();
            prop_assert_eq!((gauge.len(), gauge.overflows(), broadcast.subscribers()), (inside, lost, here.len()));
        }
        drop(broadcast);
        for (mut subscriber, mut place) in here {
            while let Some(expected) = place.take() {
                prop_assert_eq!(subscriber.try_recv(), Ok(Some(expected)));
            }
            prop_assert_eq!(subscriber.try_recv(), Err(Ended::Closed));
        }
    }

    #[test]
    fn a_batch_is_due_when_it_says(size in 1..5usize, batches in 1..4usize, drops: bool, steps in proptest::collection::vec(batch_step(), 0..120)) {
        block_on(async move {
            let policy = if drops { WhenFull::DropNewest } else { WhenFull::Refuse };
            let capacity = size * batches;
            let line = Line::of::<u64>("b", capacity, policy, Class::BestEffort);
            let mut batch = Batch::<u64>::new(Grant::detached(line), BatchSpec { size, flush_interval: FLUSH });
            let now = Instant::now();
            let mut model = BatchModel { items: VecDeque::new(), since: now, not_before: now, forced: 0 };
            let (mut next, mut lost) = (0, 0);
            for step in steps {
                match step {
                    BatchStep::Push(times) => for _ in 0..times {
                        next += 1;
                        let full = model.items.len() == capacity;
                        prop_assert_eq!(batch.push(next), if full && !drops { Err(Full(next)) } else { Ok(()) });
                        if model.items.is_empty() {
                            model.since = Instant::now();
                        }
                        if full { lost += 1 } else { model.items.push_back(next) }
                    },
                    BatchStep::Write => if batch.is_due() {
                        let front: Vec<u64> = model.items.drain(..size.min(model.items.len())).collect();
                        prop_assert_eq!(batch.front(), front.as_slice());
                        batch.written();
                        model.forced = model.forced.saturating_sub(front.len());
                        (model.since, model.not_before) = (Instant::now(), Instant::now());
                    },
                    BatchStep::PutOff(ms) => {
                        batch.put_off(Duration::from_millis(ms));
                        model.not_before = Instant::now() + Duration::from_millis(ms);
                    }
                    BatchStep::Flush => {
                        batch.flush();
                        (model.forced, model.not_before) = (model.items.len(), Instant::now());
                    }
                    BatchStep::Advance(ms) => tokio::time::advance(Duration::from_millis(ms)).await,
                }
                prop_assert_eq!((batch.is_due(), batch.len()), (model.is_due(size), model.items.len()));
                let gauge = batch.grant().gauge();
                prop_assert_eq!((gauge.len(), gauge.overflows()), (model.items.len(), lost));
            }
            Ok(())
        })?;
    }
}
