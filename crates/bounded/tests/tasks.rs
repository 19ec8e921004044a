//! Tasks and pools: limits, exits, stopping. On the paused clock, on both flavours of runtime.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use plimsoll_bounded::{
    Class, EXIT_TEXT_MAX, EXITS_KEPT, ExitStatus, Grant, POOL_WORKERS_MAX, Pool, PoolCounts, PoolRefused, PoolSpec, SpawnError, Stopper,
    TaskSpec, TaskState, Tasks,
};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn tasks(max: usize) -> Tasks {
    Tasks::new(Grant::detached(Tasks::line("tasks", max, 4096)))
}

const fn spec(name: &str) -> TaskSpec<'_> {
    TaskSpec { name, group: "test" }
}

fn names(list: &[plimsoll_bounded::TaskName]) -> Vec<&str> {
    list.iter().map(|name| name.as_str()).collect()
}

#[tokio::test]
async fn records_how_each_task_ended() {
    let tasks = tasks(8);
    let finished = tasks.spawn(spec("finished"), |_| async {}).unwrap();
    let failed = tasks.spawn(spec("failed"), |_| async { Err::<(), _>("no such thing") }).unwrap();
    let panicked = tasks.spawn(spec("panicked"), |_| async { assert_eq!(2 + 2, 5, "index {} of 3", 4) }).unwrap();
    let cancelled = tasks.spawn(spec("cancelled"), |_| std::future::pending::<()>()).unwrap();
    tokio::task::yield_now().await;
    cancelled.abort();
    assert_eq!(finished.join().await, ExitStatus::Finished);
    assert_eq!(failed.join().await.to_string(), "failed: no such thing");
    let text = panicked.join().await.to_string();
    assert!(text.starts_with("panicked: ") && text.contains("index 4 of 3"), "{text}");
    assert_eq!(cancelled.join().await, ExitStatus::Cancelled);
    assert_eq!((finished.exit(), finished.join().await), (Some(ExitStatus::Finished), ExitStatus::Finished));
    let counts = tasks.counts();
    assert_eq!((counts.live, counts.spawned, counts.refused), (0, 4, 0));
    assert_eq!((counts.finished, counts.failed, counts.panicked, counts.cancelled), (1, 1, 1, 1));
    let ended: Vec<_> = tasks.status().iter().map(|task| task.name.to_string()).collect();
    assert_eq!(ended, ["finished", "failed", "panicked", "cancelled"]);
}

#[tokio::test]
async fn refuses_one_task_too_many_and_takes_again_when_one_has_ended() {
    let tasks = tasks(2);
    let one = tasks.spawn(spec("one"), |task| async move { task.stop.stopped().await }).unwrap();
    let _two = tasks.spawn(spec("two"), |task| async move { task.stop.stopped().await }).unwrap();
    let refused = tasks.spawn(spec("three"), |_| async { assert_eq!(1, 2, "it was refused") });
    assert_eq!(refused.unwrap_err().to_string(), "task three not started: 2 tasks run already");
    assert_eq!((tasks.gauge().overflows(), tasks.counts().refused, tasks.live_in("test")), (1, 1, 2));
    assert_eq!(one.stop_and_join(SECOND).await, Ok(ExitStatus::Finished));
    let three = tasks.spawn(spec("three"), |_| async {}).unwrap();
    three.join().await;
    assert_eq!((tasks.gauge().len(), tasks.gauge().high_water()), (1, 2));
    assert!(tasks.shutdown(SECOND).await.is_clean());
}

#[tokio::test]
async fn refuses_a_future_larger_than_declared() {
    let tasks = tasks(1);
    let big = [1u8; 5000];
    let refused = tasks.spawn(spec("big"), |_| async move {
        tokio::task::yield_now().await;
        assert_ne!(std::hint::black_box(big).len(), 0);
    });
    assert!(matches!(refused, Err(SpawnError::TooBig { declared: 4096, .. })), "{refused:?}");
    assert_eq!(tasks.counts().live, 0);
}

#[test]
fn refuses_without_a_runtime() {
    assert_eq!(tasks(1).spawn(spec("x"), |_| async {}).map(drop), Err(SpawnError::NoRuntime));
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_the_slow_and_names_the_stuck() {
    let tasks = tasks(8);
    tasks.spawn(spec("stuck"), |_| std::future::pending::<()>()).unwrap();
    tasks
        .spawn(spec("slow"), |task| async move {
            task.stop.stopped().await;
            tokio::time::sleep(SECOND * 9).await;
        })
        .unwrap();
    tasks
        .spawn(spec("sour"), |task| async move {
            task.stop.stopped().await;
            Err::<(), _>("could not save")
        })
        .unwrap();
    let begun = Instant::now();
    let report = tasks.shutdown(SECOND * 10).await;
    assert_eq!((begun.elapsed(), report.ended, names(&report.aborted)), (SECOND * 10, 2, vec!["stuck"]));
    assert_eq!(report.failed.iter().map(|(name, exit)| format!("{name} {exit}")).collect::<Vec<_>>(), ["sour failed: could not save"]);
    assert!(report.unresponsive.is_empty() && !report.is_clean());
    assert_eq!((tasks.counts().live, tasks.gauge().len()), (0, 0));
    let refused = tasks.spawn(spec("late"), |_| async {});
    assert!(matches!(refused, Err(SpawnError::Stopping { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_reports_a_task_that_blocks_its_thread() {
    let tasks = tasks(2);
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = plimsoll_bounded::reply();
    tasks
        .spawn(spec("blocks"), |_| async move {
            begin.send(()).unwrap();
            assert!(blocked.recv().is_err());
        })
        .unwrap();
    begun.wait(SECOND * 10).await.unwrap();
    let report = tasks.shutdown(Duration::ZERO).await;
    assert_eq!((names(&report.unresponsive), report.ended), (vec!["blocks"], 0));
    drop(release);
    // Once it comes back, it is off the list like any other.
    tasks.shutdown(SECOND * 10).await;
    assert_eq!(tasks.counts().live, 0);
}

#[tokio::test(start_paused = true)]
async fn stops_a_group_and_leaves_the_others() {
    let tasks = tasks(4);
    let waits = |task: plimsoll_bounded::Task| async move { task.stop.stopped().await };
    let kept = tasks.spawn(TaskSpec { name: "kept", group: "other" }, waits).unwrap();
    let ended = tasks.spawn(spec("ended"), waits).unwrap();
    let report = tasks.stop_group("test", SECOND).await;
    assert_eq!((report.ended, report.is_clean(), ended.exit(), kept.exit()), (1, true, Some(ExitStatus::Finished), None));
    assert_eq!((tasks.live_in("test"), tasks.live_in("other")), (0, 1));
    assert!(tasks.spawn(spec("again"), waits).is_ok());
}

#[tokio::test(start_paused = true)]
async fn stop_and_join_aborts_at_its_deadline() {
    let tasks = tasks(2);
    let stuck = tasks.spawn(spec("stuck"), |_| std::future::pending::<()>()).unwrap();
    let begun = Instant::now();
    assert_eq!((stuck.stop_and_join(SECOND).await, begun.elapsed()), (Ok(ExitStatus::Cancelled), SECOND));
}

#[tokio::test(start_paused = true)]
async fn shows_who_has_not_beaten_in_time() {
    let tasks = tasks(2);
    let handle = tasks
        .spawn(spec("beats"), |task| async move {
            task.pulse.expect_every(SECOND * 2);
            for _ in 0..3 {
                tokio::time::sleep(SECOND).await;
                task.pulse.beat();
            }
            task.stop.stopped().await;
        })
        .unwrap();
    tokio::time::sleep(SECOND * 5).await;
    let status = tasks.status()[0];
    assert_eq!((status.beats, status.quiet, status.age, status.overdue), (3, SECOND * 2, SECOND * 5, false));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(tasks.status()[0].overdue);
    handle.stop_and_join(SECOND).await.unwrap();
    let status = tasks.status()[0];
    assert_eq!((status.state, status.overdue), (TaskState::Ended(ExitStatus::Finished), false));
}

#[tokio::test]
async fn remembers_only_the_last_exits_and_the_start_of_a_long_text() {
    let tasks = tasks(1);
    for turn in 0..EXITS_KEPT + 3 {
        let text = format!("{turn:03}{}", "x".repeat(EXIT_TEXT_MAX));
        tasks.spawn(spec(&turn.to_string()), |_| async { Err::<(), _>(text) }).unwrap().join().await;
    }
    let status = tasks.status();
    assert_eq!((status.len(), status[0].name.as_str()), (EXITS_KEPT, "3"));
    let TaskState::Ended(ExitStatus::Failed(text)) = status[0].state else { panic!("{:?}", status[0]) };
    assert_eq!((text.len(), &text[..5]), (EXIT_TEXT_MAX, "003xx"));
}

#[test]
fn a_runtime_that_goes_cancels_its_tasks() {
    let tasks = tasks(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.block_on(async { tasks.spawn(spec("left"), |_| std::future::pending::<()>()) }).unwrap();
    drop(runtime);
    assert_eq!((handle.exit(), tasks.counts().live), (Some(ExitStatus::Cancelled), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_count_under_spawning_and_aborting_from_many_threads() {
    let tasks = tasks(16);
    let spawners: Vec<_> = (0..4u64)
        .map(|seed| {
            let tasks = tasks.clone();
            tokio::spawn(async move {
                let mut started = 0u64;
                for turn in 0..500 {
                    let spawned = tasks.spawn(spec("t"), |task| async move { task.stop.stopped().await });
                    let Ok(handle) = spawned else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    started += 1;
                    match (turn + seed) % 3 {
                        0 => handle.abort(),
                        1 => handle.stop(),
                        _ => drop(handle.stop_and_join(SECOND).await),
                    }
                }
                started
            })
        })
        .collect();
    let mut started = 0;
    for spawner in spawners {
        started += spawner.await.unwrap();
    }
    assert!(tasks.shutdown(SECOND * 10).await.unresponsive.is_empty());
    let counts = tasks.counts();
    assert_eq!((counts.spawned, counts.live), (started, 0));
    assert_eq!((counts.finished + counts.cancelled, counts.refused), (started, 2000 - started));
    assert!(tasks.gauge().high_water() <= 16 && tasks.gauge().is_empty());
}

#[tokio::test]
async fn a_dropped_stopper_stops() {
    let stopper = Stopper::new();
    let stop = stopper.stop_token();
    assert_eq!((stop.is_stopped(), stop.or(async { 1 }).await), (false, Some(1)));
    drop(stopper);
    stop.stopped().await;
    assert_eq!(stop.or(async { 1 }).await, None);
}

fn pool(jobs: usize, workers: usize, tasks: &Tasks) -> Pool {
    let grant = Grant::detached(Pool::line("pool", jobs, 256, Class::BestEffort));
    Pool::start(grant, PoolSpec { name: "pool", group: "pool", workers, job_deadline: SECOND * 5 }, tasks).unwrap()
}

#[tokio::test(start_paused = true)]
async fn pool_runs_no_more_than_its_workers_at_a_time() {
    let tasks = tasks(POOL_WORKERS_MAX);
    let pool = pool(64, POOL_WORKERS_MAX, &tasks);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..35 {
        let (now, most) = (now.clone(), most.clone());
        pool.submit(async move {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::time::sleep(SECOND).await;
            now.fetch_sub(1, SeqCst);
        })
        .unwrap();
    }
    let begun = Instant::now();
    // Told to stop at once, it still does what was handed in.
    assert!(tasks.shutdown(SECOND * 60).await.is_clean());
    assert_eq!((most.load(SeqCst), begun.elapsed()), (POOL_WORKERS_MAX, SECOND * 4));
    assert_eq!(pool.counts(), PoolCounts { submitted: 35, done: 35, ..PoolCounts::default() });
    assert_eq!(pool.submit(async {}), Err(PoolRefused::Closed));
}

#[tokio::test(start_paused = true)]
async fn pool_refuses_one_job_too_many_and_one_too_big() {
    let tasks = tasks(1);
    let pool = pool(2, 1, &tasks);
    pool.submit(async { tokio::time::sleep(SECOND).await }).unwrap();
    tokio::task::yield_now().await;
    assert_eq!(pool.counts().busy, 1);
    assert_eq!((pool.submit(async {}), pool.submit(async {})), (Ok(()), Ok(())));
    assert_eq!(pool.submit(async {}), Err(PoolRefused::Full { capacity: 2 }));
    tokio::time::sleep(SECOND * 2).await;
    let big = [0u8; 257];
    assert_eq!(
        pool.submit_blocking(move || assert_ne!(std::hint::black_box(big).len(), 0)),
        Err(PoolRefused::TooBig { job_bytes: 257, declared: 256 })
    );
    let fits = [0u8; 256];
    assert_eq!(pool.submit_blocking(move || assert_ne!(std::hint::black_box(fits).len(), 0)), Ok(()));
    assert!(tasks.shutdown(SECOND).await.is_clean());
    assert_eq!((pool.counts().done, pool.counts().refused, pool.gauge().overflows()), (4, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn pool_survives_jobs_that_panic_or_hang() {
    let tasks = tasks(1);
    let pool = pool(8, 1, &tasks);
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    pool.submit(async { panic!("bad job") }).unwrap();
    pool.submit(std::future::pending()).unwrap();
    pool.submit_blocking(|| panic!("bad job")).unwrap();
    pool.submit(async {
        let _bomb = PanicsWhenDropped;
        std::future::pending::<()>().await;
    })
    .unwrap();
    pool.submit(async {}).unwrap();
    assert!(tasks.shutdown(SECOND * 60).await.is_clean());
    let counts = pool.counts();
    assert_eq!((counts.done, counts.panicked, counts.timed_out, counts.busy), (1, 3, 1, 0));
}

#[tokio::test]
async fn pool_ends_with_its_last_handle_and_when_a_worker_cannot_start() {
    let tasks = tasks(2);
    let first = pool(4, 2, &tasks);
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = ran.clone();
    first
        .clone()
        .submit(async move {
            counted.fetch_add(1, SeqCst);
        })
        .unwrap();
    drop(first);
    while tasks.counts().live > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ran.load(SeqCst), 1);
    let grant = Grant::detached(Pool::line("pool", 1, 0, Class::BestEffort));
    let refused = Pool::start(grant, PoolSpec { name: "p", group: "pool", workers: 3, job_deadline: SECOND }, &tasks);
    assert!(matches!(refused, Err(SpawnError::TooMany { max: 2, .. })));
    while tasks.counts().live > 0 {
        tokio::task::yield_now().await;
    }
}
