use super::*;
use crate::config::ChannelKind;
use crate::letter::{Batch, Origin};
use plimsoll_bounded::Plan;
use plimsoll_market::{Alert, AlertCode};

const QUEUE: usize = 8;

fn config() -> ChannelConfig {
    let mut config = ChannelConfig::new("chat", ChannelKind::Log);
    config.rate = Rate { burst: 1000, per_minute: 6000 };
    config.retry = Retry { first: Duration::from_secs(1), max: Duration::from_secs(8), attempts: 5, age_max: Duration::from_secs(1000) };
    (config.queue, config.queue_critical) = (QUEUE, QUEUE);
    config
}

fn delivery(config: &ChannelConfig) -> Delivery {
    let mut plan = Plan::new("test");
    Delivery::lines(config, |line| plan.add(line)).unwrap();
    Delivery::new(config, 1, &mut Grants::detached(&plan)).unwrap()
}

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

fn letter(severity: Severity, n: u64, now: Time) -> Letter {
    let alert = Alert::new(severity, AlertCode::Gate, now, &n);
    Letter::of(n, Kind::Alert, &Batch::of(&alert, &Origin::process().about(&n.to_string())), now)
}

fn warning(n: u64) -> Letter {
    letter(Severity::Warning, n, at(n))
}

#[track_caller]
fn send(delivery: &mut Delivery, now: Time) -> Letter {
    match delivery.turn(now) {
        Turn::Send(letter) => letter,
        other => panic!("nothing to send: {other:?}"),
    }
}

const DOWN: SendError = SendError::Connect(std::io::ErrorKind::ConnectionRefused);

fn refused() -> SendError {
    SendError::Status { status: 401, text: Note::plain("no") }
}

#[test]
fn critical_letters_go_first() {
    let mut delivery = delivery(&config());
    assert_eq!(delivery.turn(at(0)), Turn::Idle);
    delivery.push(warning(1));
    delivery.push(letter(Severity::Critical, 2, at(1)));
    assert!(delivery.has_critical());
    assert_eq!(send(&mut delivery, at(1)).id, 2);
    assert_eq!(send(&mut delivery, at(1)).id, 1);
    assert_eq!(delivery.turn(at(1)), Turn::Idle);
}

#[test]
fn pauses_double_up_to_the_longest_with_jitter_of_a_quarter() {
    let mut delivery = delivery(&ChannelConfig { retry: Retry { attempts: 100, ..config().retry }, ..config() });
    delivery.push(warning(0));
    let mut now = at(0);
    for seconds in [1, 2, 4, 8, 8, 8] {
        let letter = send(&mut delivery, now);
        delivery.failed(letter, &DOWN, now);
        assert!(!delivery.is_up());
        let Turn::Wait(until) = delivery.turn(now) else { panic!("no pause") };
        let (pause, least) = (until.since(now), Duration::from_secs(seconds));
        assert!(pause >= least && pause <= least * 5 / 4, "{pause:?} after {least:?}");
        assert_eq!(delivery.turn(Time::from_nanos(until.nanos() - 1)), Turn::Wait(until));
        now = until;
    }
    let letter = send(&mut delivery, now);
    assert_eq!(letter.attempts, 6);
    delivery.sent(&letter, now);
    assert!(delivery.is_up());
    assert_eq!((delivery.counts.sent, delivery.counts.failed, delivery.counts.retried), (1, 6, 6));
}

#[test]
fn the_same_seed_gives_the_same_pauses() {
    let run = || {
        let mut delivery = delivery(&config());
        delivery.push(warning(0));
        let letter = send(&mut delivery, at(0));
        delivery.failed(letter, &DOWN, at(0));
        delivery.turn(at(0))
    };
    assert_eq!(run(), run());
}

#[test]
fn attempts_end_and_the_loss_is_told_when_it_works_again() {
    let mut delivery = delivery(&config());
    delivery.push(warning(7));
    for n in 1..=5 {
        let letter = send(&mut delivery, at(100 * n));
        assert_eq!(letter.kind, Kind::Alert);
        delivery.failed(letter, &DOWN, at(100 * n));
    }
    assert_eq!((delivery.counts.dropped, delivery.counts.retried, delivery.queued()), (1, 4, 0));
    // The loss itself is what the channel is tried with from now on, without end.
    for n in 6..=30 {
        let letter = send(&mut delivery, at(100 * n));
        assert_eq!(
            letter.text.as_str(),
            "1 alert was not delivered here (0 critical), from 1970-01-01 00:00:07 to 1970-01-01 00:00:07 UTC"
        );
        delivery.failed(letter, &DOWN, at(100 * n));
    }
    let letter = send(&mut delivery, at(4000));
    delivery.sent(&letter, at(4000));
    assert_eq!(delivery.turn(at(4000)), Turn::Idle);
    assert_eq!(delivery.counts.dropped, 1);
}

#[test]
fn the_loss_is_told_right_after_the_first_success() {
    let mut delivery = delivery(&config());
    for n in 1..=QUEUE as u64 + 3 {
        delivery.push(warning(n));
    }
    let first = send(&mut delivery, at(20));
    assert_eq!((first.id, first.kind), (LOST_IDS | 1, Kind::Undelivered));
    delivery.failed(first, &DOWN, at(20));
    let second = send(&mut delivery, at(30));
    assert_eq!(second.id, 4, "while it fails, alerts are tried first");
    delivery.push(warning(40));
    delivery.push(warning(41));
    delivery.sent(&second, at(30));
    let third = send(&mut delivery, at(30));
    assert!(third.text.starts_with("4 alerts were not delivered here (0 critical), from 1970-01-01 00:00:01"), "{}", third.text);
    delivery.push(letter(Severity::Critical, 50, at(30)));
    delivery.sent(&third, at(30));
    assert_eq!(send(&mut delivery, at(30)).id, 50);
    assert_eq!(send(&mut delivery, at(30)).id, 6);
}

#[test]
fn old_letters_are_not_sent_any_more() {
    let mut delivery = delivery(&config());
    delivery.push(warning(0));
    delivery.push(letter(Severity::Critical, 1, at(500)));
    let age = config().retry.age_max;
    let letter = send(&mut delivery, at(500));
    delivery.failed(letter, &DOWN, at(500));
    let letter = send(&mut delivery, at(0) + age);
    assert_eq!(letter.id, 1);
    delivery.put_back(letter);
    assert_eq!((delivery.queued(), delivery.counts.dropped), (2, 0), "not older than allowed");
    let letter = send(&mut delivery, at(1) + age);
    assert_eq!((letter.id, delivery.queued(), delivery.counts.dropped), (1, 0, 1), "the older one is a second too old");
    delivery.sent(&letter, at(1001));
    let letter = send(&mut delivery, at(1001));
    assert_eq!((letter.kind, letter.count), (Kind::Undelivered, 1));
    delivery.sent(&letter, at(1001));
    assert_eq!(delivery.turn(at(1001)), Turn::Idle);
}

#[test]
fn queues_are_bounded_and_like_letters_fold() {
    let mut delivery = delivery(&config());
    for n in 0..100_000 {
        delivery.push(warning(n % QUEUE as u64));
    }
    assert_eq!((delivery.queued(), delivery.counts.dropped), (QUEUE, 0));
    for n in 0..100_000 {
        delivery.push(warning(n));
        assert!(delivery.queued() <= QUEUE);
    }
    let lost = delivery.counts.dropped;
    let waiting: u64 = delivery.lesser.iter().map(|letter| letter.count).sum();
    assert_eq!(lost + waiting, 200_000, "every alert waits or is counted as lost");
}

#[test]
fn refused_letters_are_not_tried_again_and_do_not_stop_the_next() {
    let mut delivery = delivery(&config());
    delivery.push(warning(1));
    delivery.push(warning(2));
    let letter = send(&mut delivery, at(10));
    delivery.failed(letter, &refused(), at(10));
    assert_eq!((delivery.counts.dropped, delivery.counts.retried), (1, 0));
    let letter = send(&mut delivery, at(12));
    assert_eq!(letter.id, 2);
    delivery.failed(letter, &refused(), at(12));
    assert_eq!(delivery.turn(at(100)), Turn::Wait(at(12) + REFUSED_PAUSE), "a wrong token is not tried every minute");
    assert_eq!(send(&mut delivery, at(12) + REFUSED_PAUSE).count, 2);
}

#[test]
fn the_service_s_own_pause_is_kept_even_at_the_end() {
    let mut delivery = delivery(&config());
    delivery.push(warning(1));
    let letter = send(&mut delivery, at(10));
    let text = Note::plain("slow down");
    delivery.failed(letter, &SendError::Limited { after: Some(Duration::from_secs(40)), text }, at(10));
    assert_eq!(delivery.turn(at(10)), Turn::Wait(at(50)));
    delivery.hurry(at(11));
    assert_eq!(delivery.turn(at(11)), Turn::Wait(at(50)));
    let letter = send(&mut delivery, at(50));
    delivery.failed(letter, &DOWN, at(50));
    delivery.hurry(at(50));
    assert_eq!(send(&mut delivery, at(50)).id, 1);
}

#[test]
fn no_minute_has_more_letters_than_allowed() {
    let rate = Rate { burst: 4, per_minute: 15 };
    let mut bucket = Bucket::new(rate);
    let (mut sent, mut now) = (Vec::new(), at(1000));
    // As fast as it goes, then a pause, then again.
    for round in 0..3 {
        for _ in 0..40 {
            now = now.max(bucket.ready_at());
            bucket.take(now);
            sent.push(now);
        }
        now = now + Duration::from_secs(7 * round + 3);
    }
    for (place, start) in sent.iter().enumerate() {
        let within = sent[place..].iter().take_while(|time| time.since(*start) < Duration::from_secs(60)).count();
        assert!(within <= 19, "{within} letters in the minute from {start:?}");
    }
    assert_eq!(sent[3], at(1000), "a burst of four");
    assert_eq!(sent[4], at(1004), "and then one in four seconds");
}

#[test]
fn what_is_left_at_the_end_is_counted() {
    let mut delivery = delivery(&config());
    delivery.push(warning(1));
    delivery.push(Letter { count: 5, ..letter(Severity::Critical, 2, at(1)) });
    delivery.abandon();
    assert_eq!((delivery.queued(), delivery.counts.dropped), (0, 6));
}
