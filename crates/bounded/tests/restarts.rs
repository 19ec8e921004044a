//! Tasks that are started again when they fail: how often, after which pause, and what is shown of it. On the paused clock.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use plimsoll_bounded::{Backoff, ExitStatus, Grant, Restart, SpawnError, TaskSpec, TaskState, TaskStatus, Tasks};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const SPEC: TaskSpec<'static> = TaskSpec { name: "link", group: "test" };

fn tasks(max: usize) -> Tasks {
    Tasks::new(Grant::detached(Tasks::line("app.tasks", max, 4096)))
}

const fn policy(max: usize) -> Restart {
    Restart::OnFailure { max, within: Duration::from_secs(600), backoff: Backoff { first: SECOND, most: Duration::from_secs(8) } }
}

/// How the attempts of a task end, one by one; the last for ever after.
#[derive(Clone, Copy)]
enum Attempt {
    Fail,
    Panic,
    PanicAtOnce,
    Return,
    /// Returns when it is told to stop.
    Wait,
}

/// Starts a task whose attempts end as scripted, and returns a counter of its attempts.
#[track_caller]
fn start(tasks: &Tasks, restart: Restart, script: &'static [Attempt]) -> (plimsoll_bounded::TaskHandle, Arc<AtomicUsize>) {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let handle = tasks.spawn_restarting(SPEC, restart, move |task| {
        let at = counted.fetch_add(1, SeqCst);
        let attempt = script[at.min(script.len() - 1)];
        assert!(!matches!(attempt, Attempt::PanicAtOnce), "no future {at}");
        async move {
            task.pulse.expect_every(SECOND);
            task.pulse.beat();
            match attempt {
                Attempt::Fail => Err(format!("attempt {at} failed")),
                Attempt::Panic => panic!("attempt {at} panicked"),
                Attempt::PanicAtOnce | Attempt::Return => Ok(()),
                Attempt::Wait => {
                    task.stop.stopped().await;
                    Ok(())
                }
            }
        }
    });
    (handle.unwrap(), attempts)
}

fn only(tasks: &Tasks) -> TaskStatus {
    let status = tasks.status();
    assert_eq!(status.len(), 1, "{status:?}");
    status[0]
}

fn failure(status: &TaskStatus) -> String {
    status.last_failure.map(|exit| exit.to_string()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_and_panics_is_started_again_and_shows_it() {
    let tasks = tasks(1);
    let (handle, attempts) = start(&tasks, policy(5), &[Attempt::Fail, Attempt::Panic, Attempt::PanicAtOnce, Attempt::Wait]);
    tokio::task::yield_now().await;
    let status = only(&tasks);
    assert_eq!((status.state, status.restarts, failure(&status)), (TaskState::Running, 0, "failed: attempt 0 failed".into()));
    let first = status.pause.unwrap();
    assert!((SECOND..=SECOND * 5 / 4).contains(&first), "{first:?}");
    let refused = tasks.spawn(SPEC, |_| async {});
    assert!(matches!(refused, Err(SpawnError::TooMany { max: 1, .. })), "the task keeps its place while it pauses");

    tokio::time::sleep(first + Duration::from_millis(1)).await;
    let status = only(&tasks);
    assert_eq!((status.restarts, failure(&status)), (1, "panicked: attempt 1 panicked".into()));
    let second = status.pause.unwrap() + Duration::from_millis(1);
    assert!((SECOND * 2..=SECOND * 5 / 2).contains(&second), "{second:?}");
    assert!(!status.overdue);
    tokio::time::sleep(SECOND * 3 / 2).await;
    assert!(!only(&tasks).overdue, "nobody beats in a pause");

    tokio::time::sleep(SECOND * 20).await;
    let status = only(&tasks);
    assert_eq!((status.restarts, failure(&status), status.pause), (3, "panicked: no future 2".into(), None));
    assert_eq!((status.beats, status.overdue, attempts.load(SeqCst)), (3, true, 4), "the last attempt has not beaten in time");
    assert_eq!((handle.exit(), tasks.restarts(), tasks.counts().failed + tasks.counts().panicked), (None, 3, 0));

    assert_eq!(handle.stop_and_join(SECOND).await, Ok(ExitStatus::Finished));
    let status = only(&tasks);
    assert_eq!((status.state, status.restarts), (TaskState::Ended(ExitStatus::Finished), 3));
    let counts = tasks.counts();
    assert_eq!((counts.spawned, counts.finished, counts.failed, counts.panicked), (1, 1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_beyond_its_policy_stays_failed() {
    let tasks = tasks(2);
    let begun = Instant::now();
    let (handle, attempts) = start(&tasks, policy(3), &[Attempt::Fail]);
    let exit = handle.join().await;
    assert_eq!(exit.to_string(), "failed: attempt 3 failed");
    let took = begun.elapsed();
    assert!((SECOND * 7..=SECOND * 9).contains(&took), "pauses of 1, 2 and 4 seconds: {took:?}");
    tokio::time::sleep(SECOND * 3600).await;
    assert_eq!(attempts.load(SeqCst), 4, "and nothing starts it again");
    let status = only(&tasks);
    assert_eq!((status.state, status.restarts, status.last_failure, status.pause), (TaskState::Ended(exit), 3, Some(exit), None));
    assert_eq!((tasks.counts().failed, tasks.counts().live, tasks.restarts()), (1, 0, 3));

    let (handle, attempts) = start(&tasks, policy(1), &[Attempt::Panic]);
    assert_eq!(handle.join().await.to_string(), "panicked: attempt 1 panicked");
    assert_eq!((attempts.load(SeqCst), tasks.counts().panicked, tasks.restarts()), (2, 1, 4));
}

#[tokio::test(start_paused = true)]
async fn failures_far_apart_do_not_add_up() {
    let tasks = tasks(1);
    let lived = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lived);
    let handle = tasks.spawn_restarting(SPEC, policy(1), move |task| {
        let turn = counted.fetch_add(1, SeqCst);
        async move {
            match turn {
                5 => task.stop.stopped().await,
                _ => tokio::time::sleep(SECOND * 600).await,
            }
            if turn == 5 { Ok(()) } else { Err("once in ten minutes") }
        }
    });
    let handle = handle.unwrap();
    tokio::time::sleep(SECOND * 600 * 6).await;
    assert_eq!((handle.exit(), lived.load(SeqCst), only(&tasks).restarts), (None, 6, 5));
    assert_eq!(handle.stop_and_join(SECOND).await, Ok(ExitStatus::Finished));
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_and_without_a_failure_nothing_is_started_again() {
    let tasks = tasks(4);
    for (restart, script, text) in [
        (Restart::Never, &[Attempt::Fail][..], "failed: attempt 0 failed"),
        (Restart::Never, &[Attempt::Panic], "panicked: attempt 0 panicked"),
        (policy(3), &[Attempt::Return], "finished"),
    ] {
        let (handle, attempts) = start(&tasks, restart, script);
        assert_eq!((handle.join().await.to_string().as_str(), attempts.load(SeqCst)), (text, 1));
    }
    let (handle, attempts) = start(&tasks, policy(3), &[Attempt::Wait]);
    tokio::task::yield_now().await;
    handle.abort();
    assert_eq!((handle.join().await, attempts.load(SeqCst), tasks.restarts()), (ExitStatus::Cancelled, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stop_or_an_abort_ends_a_pause_at_once() {
    let tasks = tasks(3);
    let begun = Instant::now();
    let (stopped, attempts) = start(&tasks, policy(3), &[Attempt::Fail]);
    tokio::time::sleep(SECOND * 3 / 2).await;
    assert_eq!((attempts.load(SeqCst), only(&tasks).pause.is_some()), (2, true));
    assert_eq!(stopped.stop_and_join(SECOND * 9).await.unwrap().to_string(), "failed: attempt 1 failed");
    assert_eq!((begun.elapsed(), only(&tasks).restarts), (SECOND * 3 / 2, 1));

    let (aborted, attempts) = start(&tasks, policy(3), &[Attempt::Fail]);
    tokio::task::yield_now().await;
    aborted.abort();
    assert_eq!((aborted.join().await, attempts.load(SeqCst)), (ExitStatus::Cancelled, 1));

    let (_, attempts) = start(&tasks, policy(3), &[Attempt::Panic]);
    tokio::task::yield_now().await;
    let report = tasks.shutdown(SECOND * 9).await;
    assert_eq!((report.ended, report.aborted.len(), report.failed.len(), attempts.load(SeqCst)), (1, 0, 1, 1));
    assert_eq!((begun.elapsed(), tasks.counts().live, tasks.gauge().len()), (SECOND * 3 / 2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_fails_after_the_stop_is_the_last() {
    let tasks = tasks(1);
    let handle = tasks.spawn_restarting(SPEC, policy(3), |task| async move {
        task.stop.stopped().await;
        Err::<(), _>("could not save")
    });
    let handle = handle.unwrap();
    assert_eq!(handle.stop_and_join(SECOND).await.unwrap().to_string(), "failed: could not save");
    assert_eq!(only(&tasks).restarts, 0);
}

#[tokio::test]
async fn counts_what_the_maker_holds_as_part_of_the_future() {
    let tasks = tasks(1);
    let held = [1u8; 5000];
    let refused = tasks.spawn_restarting(SPEC, policy(1), move |_| {
        assert_ne!(std::hint::black_box(&held).len(), 0);
        async {}
    });
    assert!(matches!(refused, Err(SpawnError::TooBig { declared: 4096, .. })), "{refused:?}");
    assert_eq!((tasks.counts().live, tasks.counts().refused), (0, 1));
}

#[tokio::test]
async fn shows_who_owns_each_task() {
    let tasks = tasks(3);
    tasks.spawn(SPEC, |task| async move { task.stop.stopped().await }).unwrap();
    let gateway = tasks.owned_by("gateway");
    gateway.spawn(SPEC, |_| async {}).unwrap().join().await;
    gateway.clone().spawn_restarting(SPEC, Restart::Never, |task| async move { task.stop.stopped().await }).unwrap();
    let owners: Vec<_> = tasks.status().iter().map(|task| (task.owner.to_string(), task.state == TaskState::Running)).collect();
    assert_eq!(owners, [("app.tasks".to_owned(), true), ("gateway".to_owned(), true), ("gateway".to_owned(), false)]);
    assert!(tasks.shutdown(SECOND * 10).await.is_clean());
}
