//! Queues between tasks: both sides of their limits, their counts, their ends. On the paused clock.

use std::time::Duration;

use plimsoll_bounded::{
    BATCHES_MAX, Batch, BatchSpec, Broadcast, Class, Closed, Ended, Full, Grant, Line, NoReply, Put, Received, ReserveError,
    SUBSCRIBERS_MAX, SendError, Sender, Sent, TryRecvError, WhenFull, channel, latest, lossy, reply, watch,
};
use tokio::time::Instant;

fn grant(capacity: usize, policy: WhenFull) -> Grant {
    Grant::detached(Line::of::<u32>("queue", capacity, policy, Class::MustKeep))
}

const fn got(item: u32, missed: u64) -> Received<u32> {
    Received { item, missed }
}

/// Yields often enough for every other task to have run as far as it can.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn channel_acts_by_its_policy_one_beyond_the_limit() {
    for (policy, answer) in [
        (WhenFull::Refuse, Err(SendError::Full(3))),
        (WhenFull::Halt, Err(SendError::Full(3))),
        (WhenFull::Wait, Err(SendError::Full(3))),
        (WhenFull::DropNewest, Ok(Sent::Dropped)),
    ] {
        let (sender, mut receiver) = channel(grant(2, policy));
        assert_eq!((sender.try_send(1), sender.try_send(2)), (Ok(Sent::Queued), Ok(Sent::Queued)));
        assert_eq!((sender.room(), receiver.len(), sender.gauge().overflows()), (0, 2, 0));
        assert_eq!(sender.try_send(3), answer, "{policy}");
        assert_eq!(sender.gauge().overflows(), 1);
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(sender.try_send(4), Ok(Sent::Queued), "{policy}: room again");
        assert_eq!((receiver.recv().await, receiver.recv().await), (Some(2), Some(4)));
        let gauge = receiver.gauge();
        assert_eq!((gauge.len(), gauge.high_water(), receiver.try_recv()), (0, 2, Err(TryRecvError::Empty)));
        drop(sender);
        assert_eq!((receiver.recv().await, receiver.try_recv()), (None, Err(TryRecvError::Closed)));
    }
}

#[tokio::test]
#[should_panic(expected = "a sender of policy refuse does not wait")]
async fn channel_that_refuses_does_not_wait() {
    let (sender, _receiver) = channel(grant(1, WhenFull::Refuse));
    sender.send(1).await.unwrap();
}

#[tokio::test]
async fn channel_counts_reserved_places_and_gives_them_back() {
    let (sender, mut receiver) = channel(grant(3, WhenFull::Refuse));
    let one = sender.try_reserve().unwrap();
    let mut two = sender.try_reserve_many(2).unwrap();
    assert_eq!(sender.try_reserve().unwrap_err(), ReserveError::Full);
    assert_eq!(sender.try_send(9), Err(SendError::Full(9)));
    assert_eq!(two.send(2), Ok(()));
    assert_eq!((sender.len(), sender.room(), two.left()), (1, 0, 1));
    one.send(1);
    drop(two);
    assert_eq!((sender.room(), receiver.recv().await, receiver.recv().await), (1, Some(2), Some(1)));
    assert_eq!(sender.room(), 3);
    let mut all = sender.reserve_many(3).await.unwrap();
    for item in 1..=3 {
        assert_eq!(all.send(item), Ok(()));
    }
    assert_eq!(all.send(4), Err(Full(4)));
    assert_eq!(sender.try_reserve_many(1).unwrap_err(), ReserveError::Full);
}

#[tokio::test(start_paused = true)]
async fn channel_senders_wait_for_room_in_their_turn() {
    let (sender, mut receiver) = channel(grant(1, WhenFull::Wait));
    let feed = |from: u32, sender: Sender<u32>| async move {
        for item in from..from + 50 {
            sender.send(item).await.unwrap();
        }
    };
    let drain = async {
        let mut items = Vec::new();
        while let Some(item) = receiver.recv().await {
            items.push(item);
        }
        items
    };
    let other = sender.clone();
    let (items, (), ()) = tokio::join!(drain, feed(0, sender), feed(100, other));
    let (low, high): (Vec<u32>, Vec<u32>) = items.iter().partition(|item| **item < 100);
    assert!(low.iter().copied().eq(0..50) && high.iter().copied().eq(100..150));
}

#[tokio::test]
async fn channel_that_closes_still_gives_what_was_promised() {
    let (sender, mut receiver) = channel(grant(3, WhenFull::Wait));
    sender.try_send(1).unwrap();
    let promised = sender.reserve().await.unwrap();
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!((sender.try_send(2), sender.try_reserve().unwrap_err()), (Err(SendError::Closed(2)), ReserveError::Closed));
    assert_eq!(sender.send(2).await, Err(Closed(2)));
    assert_eq!((receiver.recv().await, receiver.try_recv()), (Some(1), Err(TryRecvError::Empty)));
    let (last, ()) = tokio::join!(biased; receiver.recv(), async { promised.send(3) });
    assert_eq!((last, receiver.recv().await), (Some(3), None));
}

#[tokio::test]
async fn channel_that_closes_ends_when_promises_are_taken_back() {
    let (sender, mut receiver) = channel::<u32>(grant(3, WhenFull::Wait));
    let promised = sender.reserve_many(2).await.unwrap();
    receiver.close();
    let (last, ()) = tokio::join!(biased; receiver.recv(), async { drop(promised) });
    assert_eq!(last, None);
}

#[tokio::test]
async fn channel_tells_senders_when_the_receiver_goes_and_drops_what_it_held() {
    let item = std::sync::Arc::new(());
    let line = Line::of::<std::sync::Arc<()>>("q", 2, WhenFull::Wait, Class::MustKeep);
    let (sender, receiver) = channel(Grant::detached(line));
    sender.try_send(item.clone()).unwrap();
    let permit = sender.reserve().await.unwrap();
    let waiter = sender.clone();
    let waits = async { waiter.send(item.clone()).await.is_err() };
    let closes = async {
        settle().await;
        drop(receiver);
    };
    let (refused, (), ()) = tokio::join!(waits, sender.closed(), closes);
    assert!(refused);
    permit.send(item.clone());
    assert_eq!((std::sync::Arc::strong_count(&item), sender.gauge().len()), (1, 0));
}

#[tokio::test]
async fn channel_survives_a_receive_given_up() {
    let (sender, mut receiver) = channel(grant(2, WhenFull::Wait));
    for item in 0..100 {
        {
            let mut receive = std::pin::pin!(receiver.recv());
            // Waiting, then woken, then given up.
            assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(receive.as_mut().poll(cx).is_pending())).await);
            sender.send(item).await.unwrap();
        }
        assert_eq!(receiver.recv().await, Some(item));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channel_loses_nothing_between_threads() {
    const EACH: u32 = 20_000;
    let (sender, mut receiver) = channel(grant(7, WhenFull::Wait));
    let senders: Vec<_> = (0..4u32)
        .map(|from| {
            let sender = sender.clone();
            tokio::spawn(async move {
                for item in 0..EACH {
                    if item % 2 == 0 {
                        sender.send(from * EACH + item).await.unwrap();
                    } else {
                        sender.reserve().await.unwrap().send(from * EACH + item);
                    }
                }
            })
        })
        .collect();
    drop(sender);
    let mut next = [0; 4];
    while let Some(item) = receiver.recv().await {
        let place = &mut next[(item / EACH) as usize];
        assert_eq!(item % EACH, *place);
        *place += 1;
    }
    assert_eq!(next, [EACH; 4]);
    assert!(receiver.gauge().high_water() <= 7);
    for sender in senders {
        sender.await.unwrap();
    }
}

#[tokio::test]
async fn a_receiver_that_never_waits_lets_others_run() {
    let (sender, mut receiver) = channel(grant(4, WhenFull::Wait));
    let ran = std::rc::Rc::new(std::cell::Cell::new(false));
    let set = tokio::task::LocalSet::new();
    let other = ran.clone();
    set.spawn_local(async move { other.set(true) });
    set.run_until(async {
        for turn in 0..100_000 {
            if ran.get() {
                return;
            }
            sender.try_send(turn).unwrap();
            receiver.recv().await.unwrap();
        }
        panic!("the other task never ran");
    })
    .await;
}

#[tokio::test]
async fn lossy_tells_each_gap_once_and_exactly() {
    let (sender, mut receiver) = lossy(grant(2, WhenFull::DropOldest));
    assert_eq!((sender.send(1), sender.send(2)), (Ok(Sent::Queued), Ok(Sent::Queued)));
    assert_eq!((sender.send(3), sender.send(4), sender.send(5)), (Ok(Sent::Dropped), Ok(Sent::Dropped), Ok(Sent::Dropped)));
    assert_eq!((receiver.recv().await, receiver.recv().await), (Some(got(4, 3)), Some(got(5, 0))));
    assert_eq!((receiver.try_recv(), sender.gauge().overflows(), sender.gauge().len()), (None, 3, 0));
    sender.send(6).unwrap();
    drop(sender);
    assert_eq!((receiver.recv().await, receiver.recv().await), (Some(got(6, 0)), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lossy_counts_to_the_item_between_threads() {
    const ALL: u32 = 100_000;
    let (sender, mut receiver) = lossy(grant(5, WhenFull::DropOldest));
    let feed = tokio::spawn(async move {
        for item in 0..ALL {
            sender.send(item).unwrap();
            if item % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        sender.gauge()
    });
    let (mut next, mut missed) = (0u64, 0u64);
    while let Some(received) = receiver.recv().await {
        next += received.missed;
        missed += received.missed;
        assert_eq!(u64::from(received.item), next);
        next += 1;
    }
    let gauge = feed.await.unwrap();
    assert_eq!((next, gauge.overflows(), gauge.len()), (u64::from(ALL), missed, 0));
}

#[tokio::test]
async fn lossy_refuses_when_the_receiver_has_gone() {
    let (sender, receiver) = lossy(grant(2, WhenFull::DropOldest));
    sender.clone().send(1).unwrap();
    drop(receiver);
    assert_eq!((sender.send(2), sender.is_closed(), sender.gauge().len()), (Err(Closed(2)), true, 0));
}

#[tokio::test]
async fn latest_wins() {
    let (sender, mut receiver) = latest(grant(1, WhenFull::Conflate));
    assert_eq!(receiver.take(), None);
    assert_eq!((sender.put(1), sender.put(2), sender.put(3)), (Ok(Put::Fresh), Ok(Put::Replaced), Ok(Put::Replaced)));
    receiver.changed().await.unwrap();
    receiver.changed().await.unwrap();
    assert_eq!(receiver.with(|value| value.copied()), Some(3));
    assert_eq!((receiver.take(), receiver.take()), (Some(got(3, 2)), None));
    let (received, ()) = tokio::join!(biased; receiver.recv(), async { assert!(sender.put(4).is_ok()) });
    assert_eq!(received, Some(got(4, 0)));
    sender.put(5).unwrap();
    drop(sender);
    assert_eq!((receiver.changed().await, receiver.recv().await), (Ok(()), Some(got(5, 0))));
    assert_eq!((receiver.changed().await, receiver.recv().await), (Err(Closed(())), None));
}

#[tokio::test]
async fn watch_shows_all_readers_the_latest() {
    let (sender, mut one) = watch(grant(1, WhenFull::Conflate), 1);
    let mut two = one.clone();
    sender.put(2);
    sender.modify(|value| *value += 1);
    one.changed().await.unwrap();
    assert_eq!((one.with(|value| *value), two.get(), sender.subscribe().get()), (3, 3, 3));
    two.changed().await.unwrap();
    drop(sender);
    assert_eq!((one.changed().await, one.get()), (Err(Closed(())), 3));
}

#[tokio::test]
async fn watch_counts_values_that_nobody_has_looked_at() {
    let (sender, mut one) = watch(grant(1, WhenFull::Conflate), 0);
    let gauge = sender.gauge();
    assert_eq!((gauge.len(), gauge.overflows()), (1, 0));
    sender.put(1);
    assert_eq!(gauge.overflows(), 1, "the first value went unseen");
    assert_eq!((one.with(|value| *value), one.get()), (1, 1));
    sender.put(2);
    assert_eq!((gauge.overflows(), sender.with(|value| *value)), (1, 2));
    sender.modify(|value| *value += 1);
    sender.put(4);
    assert_eq!((gauge.overflows(), sender.subscribe().get()), (3, 4), "2 and 3 went unseen: the writer's own look does not count");
    sender.put(5);
    assert_eq!((gauge.overflows(), gauge.len(), gauge.high_water()), (3, 1, 1));
}

fn broadcast(subscribers: usize, depth: usize) -> Broadcast<u32> {
    Broadcast::new(Grant::detached(Broadcast::<u32>::line("b", subscribers, depth, Class::BestEffort)), subscribers)
}

#[tokio::test]
async fn broadcast_lets_the_slow_lose_and_tells_how_many() {
    let broadcast = broadcast(2, 2);
    assert_eq!(broadcast.publish(&0), 0);
    let (mut quick, mut slow) = (broadcast.subscribe(), broadcast.subscribe());
    for item in 1..=5 {
        assert_eq!(broadcast.publish(&item), 2);
        assert_eq!(quick.recv().await, Ok(got(item, 0)));
    }
    assert_eq!((slow.recv().await, slow.recv().await, slow.try_recv()), (Ok(got(4, 3)), Ok(got(5, 0)), Ok(None)));
    assert_eq!((broadcast.gauge().overflows(), quick.dropped(), slow.dropped()), (3, 0, 3), "each has its own count");
    broadcast.publish(&6);
    assert_eq!((slow.len(), slow.is_empty()), (1, false));
    drop(broadcast);
    assert_eq!((slow.recv().await, slow.recv().await), (Ok(got(6, 0)), Err(Ended::Closed)));
}

/// Of the acceptance tests (`crates/swarm/tests/acceptance`): none of three subscribers takes an event from another.
#[tokio::test]
async fn g13_each_of_three_subscribers_sees_every_event_or_a_counted_drop() {
    const EVENTS: u32 = 10_000;
    let broadcast = broadcast(3, 16);
    let mut subscribers = [broadcast.subscribe(), broadcast.subscribe(), broadcast.subscribe()];
    let (mut seen, mut missed) = ([0_u64; 3], [0_u64; 3]);
    let mut last = [0_u32; 3];
    let mut take = |n: usize, subscriber: &mut plimsoll_bounded::Subscriber<u32>, most: u32| {
        for _ in 0..most {
            let Ok(Some(received)) = subscriber.try_recv() else { return };
            seen[n] += 1;
            missed[n] += received.missed;
            // What it has not seen is exactly what it is told that it missed.
            assert_eq!(u64::from(received.item - last[n] - 1), received.missed);
            last[n] = received.item;
        }
    };
    for event in 1..=EVENTS {
        assert_eq!(broadcast.publish(&event), 3);
        // One is quick, one comes rarely and takes all, one comes rarely and takes little.
        for (n, (every, most)) in [(1, 1), (50, 100), (70, 5)].into_iter().enumerate() {
            if event % every == 0 {
                take(n, &mut subscribers[n], most);
            }
        }
    }
    for (n, subscriber) in subscribers.iter_mut().enumerate() {
        take(n, subscriber, u32::MAX);
    }
    assert_eq!([0, 1, 2].map(|n| seen[n] + missed[n]), [u64::from(EVENTS); 3]);
    assert_eq!([0, 1, 2].map(|n| subscribers[n].dropped()), missed);
    assert!(missed[0] == 0 && missed[1] > 0 && missed[2] > missed[1], "{missed:?}");
    assert_eq!(broadcast.gauge().overflows(), missed.iter().sum::<u64>());
}

#[tokio::test]
async fn broadcast_lets_the_oldest_leave_when_one_too_many_subscribes() {
    let broadcast = broadcast(2, 3);
    let (mut first, mut second) = (broadcast.subscribe(), broadcast.subscribe());
    broadcast.publish(&1);
    let mut third = broadcast.subscribe();
    assert_eq!((first.recv().await, broadcast.subscribers()), (Err(Ended::Replaced), 2));
    broadcast.publish(&2);
    assert_eq!((second.recv().await, third.recv().await), (Ok(got(1, 0)), Ok(got(2, 0))));
    drop(third);
    assert_eq!((broadcast.subscribers(), broadcast.gauge().len()), (1, 1));
    let _fourth = broadcast.subscribe();
    assert_eq!(second.recv().await, Ok(got(2, 0)), "there was room: nobody left");
}

#[test]
#[should_panic(expected = "1 to 100 subscribers, not 101")]
fn broadcast_bounds_its_subscribers() {
    drop(broadcast(SUBSCRIBERS_MAX, 1));
    drop(broadcast(SUBSCRIBERS_MAX + 1, 1));
}

const FLUSH: Duration = Duration::from_secs(5);

fn batch(capacity: usize, size: usize) -> Batch<u32> {
    Batch::new(grant(capacity, WhenFull::Refuse), BatchSpec { size, flush_interval: FLUSH })
}

#[tokio::test(start_paused = true)]
async fn batch_is_due_by_size_at_once_and_by_age_in_time() {
    let mut batch = batch(20, 3);
    let begun = Instant::now();
    batch.push(1).unwrap();
    tokio::time::advance(FLUSH - Duration::from_millis(1)).await;
    batch.push(2).unwrap();
    assert!(!batch.is_due());
    batch.due().await;
    assert_eq!((begun.elapsed(), batch.front()), (FLUSH, &[1, 2][..]));
    batch.written();
    assert!(batch.is_empty() && !batch.is_due());
    for item in 3..=6 {
        batch.push(item).unwrap();
    }
    batch.due().await;
    assert_eq!((begun.elapsed(), batch.front()), (FLUSH, &[3, 4, 5][..]));
    batch.written();
    assert_eq!(batch.front(), [6]);
    assert!(!batch.is_due());
    batch.due().await;
    assert_eq!(begun.elapsed(), FLUSH * 2);
}

#[tokio::test(start_paused = true)]
async fn batch_keeps_what_was_not_written_and_refuses_beyond_the_hard_limit() {
    let mut batch = batch(2 * BATCHES_MAX, 2);
    for item in 0..20 {
        batch.push(item).unwrap();
    }
    assert_eq!((batch.push(20), batch.is_full()), (Err(Full(20)), true));
    let begun = Instant::now();
    batch.put_off(Duration::from_secs(1));
    assert!(!batch.is_due());
    batch.due().await;
    assert_eq!((begun.elapsed(), batch.front()), (Duration::from_secs(1), &[0, 1][..]));
    batch.written();
    assert_eq!((batch.push(20), batch.grant().gauge().len(), batch.grant().gauge().overflows()), (Ok(()), 19, 1));
    let mut rest = Vec::new();
    while !batch.is_empty() {
        rest.extend_from_slice(batch.front());
        batch.written();
    }
    assert!(rest.into_iter().eq(2..=20));
}

#[tokio::test(start_paused = true)]
async fn batch_that_is_flushed_is_due_at_once_for_what_it_has() {
    let mut batch = batch(20, 3);
    for item in 0..7 {
        batch.push(item).unwrap();
    }
    batch.put_off(FLUSH);
    assert!(!batch.is_due());
    let begun = Instant::now();
    batch.flush();
    for expected in [&[0, 1, 2][..], &[3, 4, 5], &[6]] {
        batch.due().await;
        assert_eq!(batch.front(), expected);
        batch.written();
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    batch.push(7).unwrap();
    assert!(!batch.is_due(), "what comes after a flush waits as usual");
    batch.flush();
    batch.put_off(FLUSH);
    assert!(!batch.is_due(), "a sink that fails is not asked again at once");
    batch.due().await;
    assert_eq!((begun.elapsed(), batch.front()), (FLUSH, &[7][..]));
}

#[tokio::test]
async fn batch_pushes_back_or_drops_as_its_class_allows() {
    let spec = BatchSpec { size: 1, flush_interval: FLUSH };
    let line = Line::of::<u32>("b", 1, WhenFull::DropNewest, Class::BestEffort);
    let mut batch = Batch::new(Grant::detached(line), spec);
    assert_eq!((batch.push(1), batch.push(2), batch.grant().gauge().overflows()), (Ok(()), Ok(()), 1));
    assert_eq!(batch.front(), [1], "what may be on its way into the sink stays");
}

#[tokio::test]
#[should_panic(expected = "Batch cannot act by policy drop_newest")]
async fn batch_that_must_keep_cannot_drop() {
    let line = Line::of::<u32>("b", 1, WhenFull::DropNewest, Class::MustKeep);
    drop(Batch::<u32>::new(Grant::detached(line), BatchSpec { size: 1, flush_interval: FLUSH }));
}

#[tokio::test]
#[should_panic(expected = "21 items for batches of 2, of which there may be 1 to 10")]
async fn batch_bounds_its_hard_limit() {
    drop(batch(21, 2));
}

#[tokio::test(start_paused = true)]
async fn reply_comes_or_says_why_not() {
    let (sender, receiver) = reply();
    sender.send(1).unwrap();
    assert_eq!(receiver.wait(FLUSH).await, Ok(1));
    let (sender, receiver) = reply::<u32>();
    drop(sender);
    assert_eq!(receiver.wait(FLUSH).await, Err(NoReply::Dropped));
    let (sender, receiver) = reply::<u32>();
    assert_eq!(receiver.wait(FLUSH).await, Err(NoReply::TimedOut { after_ms: 5000 }));
    assert_eq!((sender.is_closed(), sender.send(1)), (true, Err(Closed(1))));
}
