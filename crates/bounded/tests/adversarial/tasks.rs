//! Pools and task sets. On one thread, so that every byte is counted where it is allocated.

use std::cell::Cell;
use std::time::Duration;

use plimsoll_bounded::{Backoff, Class, ExitStatus, Pool, PoolRefused, PoolSpec, Restart, TaskSpec, Tasks};

use crate::OPERATIONS;
use crate::counting::{Item, Judge, Random};

const SECOND: Duration = Duration::from_secs(1);
/// The text of every panic that is meant, which the hook then does not print.
const MEANT: &str = "a panic that is meant";

fn runtime() -> tokio::runtime::Runtime {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref::<&str>() != Some(&MEANT) {
            shown(panic);
        }
    }));
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

thread_local! {
    static RAN: Cell<u64> = const { Cell::new(0) };
}

/// Jobs that run at once, that wait, that hang, that panic, that are too big; never blocking ones, which run on other threads.
#[test]
fn pool() {
    const JOBS: usize = 50;
    runtime().block_on(async {
        tokio::task::yield_now().await;
        let (mut judge, grant) = Judge::of("Pool refuse", Pool::line("pool", JOBS, 100, Class::BestEffort));
        let tasks = Tasks::new(judge.and(Tasks::line("tasks", 4, 1024)));
        let spec = PoolSpec { name: "p", group: "g", workers: 4, job_deadline: SECOND };
        let pool = Pool::start(grant, spec, &tasks).unwrap();
        let mut random = Random::new(12);
        let (mut offered, mut operations) = (0u64, 0u64);
        while operations < OPERATIONS {
            operations += 1;
            if random.adds() {
                offered += 1;
                let item = Item::new(operations);
                let answer = match random.below(4000) {
                    0 => pool.submit(async move {
                        let _item = item;
                        std::panic::panic_any(MEANT);
                    }),
                    1 => pool.submit(async move {
                        let _item = item;
                        std::future::pending::<()>().await;
                    }),
                    2 => {
                        let big = [0u8; 101];
                        pool.submit(async move {
                            let _item = item;
                            tokio::task::yield_now().await;
                            assert_eq!(std::hint::black_box(big).len(), 101);
                        })
                    }
                    3..20 => pool.submit(async move {
                        let _item = item;
                        tokio::time::sleep(Duration::from_millis(3)).await;
                    }),
                    _ => pool.submit(async move {
                        drop(item);
                        RAN.set(RAN.get() + 1);
                    }),
                };
                assert!(!matches!(answer, Err(PoolRefused::Closed)));
            } else if random.below(24) == 0 {
                // The workers run only now: up to here the queue fills.
                tokio::task::yield_now().await;
                if random.below(50) == 0 {
                    tokio::time::advance(Duration::from_millis(400)).await;
                }
            }
            let counts = pool.counts();
            assert_eq!(offered, counts.submitted + counts.refused);
            assert_eq!(judge.gauge().overflows(), counts.refused);
            let over = counts.done + counts.panicked + counts.timed_out;
            assert_eq!(counts.submitted, over + (counts.waiting + counts.busy) as u64);
            assert!(Item::live() <= (counts.waiting + counts.busy) as u64 && counts.busy <= 4);
            judge.check(counts.waiting, 0);
        }
        judge.report(operations);
        assert!(tasks.shutdown(SECOND * 60 * 60).await.is_clean());
        let counts = pool.counts();
        assert_eq!(counts.submitted, counts.done + counts.panicked + counts.timed_out);
        assert!(counts.panicked > 100 && counts.timed_out > 100 && RAN.get() > 100_000);
        assert_eq!(Item::live(), 0);
    });
}

/// An operation is a task started, stopped, aborted or forgotten; each is a dozen steps of the runtime.
#[test]
fn tasks() {
    const LIVE: usize = 40;
    runtime().block_on(async {
        tokio::task::yield_now().await;
        let (mut judge, grant) = Judge::of("Tasks refuse", Tasks::line("tasks", LIVE, 600));
        let tasks = Tasks::new(grant);
        let mut random = Random::new(13);
        let mut handles = Vec::with_capacity(16);
        let outside = (16 * size_of::<plimsoll_bounded::TaskHandle>()) as i64;
        let backoff = Backoff { first: Duration::from_millis(10), most: SECOND };
        let restart = Restart::OnFailure { max: 3, within: SECOND * 30, backoff };
        let spec = TaskSpec { name: "exchange:main:BTCUSDT", group: "g" };
        let (mut offered, mut forgotten) = (0u64, 0u64);
        for turn in 0..OPERATIONS {
            if random.adds() {
                offered += 1;
                let item = Item::new(turn);
                let started = match random.below(64) {
                    0 => tasks.spawn(spec, move |_| async move {
                        // Always so; the compiler need not know.
                        if Item::live() > 0 {
                            std::panic::panic_any(MEANT);
                        }
                        drop(item);
                    }),
                    1..3 => tasks.spawn_restarting(spec, restart, move |task| {
                        let item = item.clone();
                        async move {
                            task.pulse.beat();
                            if item.0.is_multiple_of(3) { Ok(()) } else { Err("it fails") }
                        }
                    }),
                    3..30 => tasks.spawn(spec, move |task| async move {
                        task.stop.stopped().await;
                        drop(item);
                    }),
                    30..34 => tasks.spawn(spec, move |_| async move {
                        let _item = item;
                        std::future::pending::<()>().await;
                    }),
                    _ => tasks.spawn(spec, move |task| async move {
                        task.pulse.beat();
                        drop(item);
                    }),
                };
                if let Ok(handle) = started {
                    if handles.len() == 16 {
                        // The task goes on without its handle; what never ends by itself is told to.
                        let old: plimsoll_bounded::TaskHandle = handles.swap_remove(random.below(16) as usize);
                        if random.below(4) == 0 {
                            old.abort()
                        } else {
                            old.stop()
                        }
                        forgotten += 1;
                    }
                    handles.push(handle);
                }
            } else {
                match random.below(32) {
                    0..20 if !handles.is_empty() => {
                        let handle = handles.swap_remove(random.below(handles.len() as u64) as usize);
                        if random.below(4) == 0 { handle.abort() } else { handle.stop() }
                    }
                    20..24 => tokio::task::yield_now().await,
                    24 => tokio::time::advance(Duration::from_millis(200)).await,
                    25 if random.below(200) == 0 => drop(tasks.stop_group("g", SECOND).await),
                    26 if random.below(100) == 0 => assert_eq!(tasks.status().len(), tasks.counts().live + exits(&tasks)),
                    _ => {}
                }
            }
            let counts = tasks.counts();
            assert_eq!(offered, counts.spawned + counts.refused);
            assert_eq!(judge.gauge().overflows(), counts.refused);
            let over = counts.finished + counts.failed + counts.panicked + counts.cancelled;
            assert_eq!(counts.spawned, over + counts.live as u64);
            // A record that its handle still holds after the end is the holder's; to look at all of them takes its time.
            if turn % 16 == 0 {
                let kept = handles.iter().filter(|handle| handle.exit().is_some()).count();
                judge.check(counts.live, outside + (kept * RECORD) as i64);
            }
        }
        judge.report(OPERATIONS);
        handles.clear();
        tasks.shutdown(SECOND).await;
        let counts = tasks.counts();
        assert!(counts.live == 0 && counts.panicked > 1000 && counts.failed > 1000 && counts.cancelled > 1000, "{counts:?}");
        assert!(tasks.restarts() > 1000 && forgotten > 1000, "{} restarts, {forgotten} forgotten", tasks.restarts());
        assert_eq!(Item::live(), 0);
    });
}

/// What a record takes with its tokens.
const RECORD: usize = 1024;

fn exits(tasks: &Tasks) -> usize {
    let ended = |exit: Option<ExitStatus>| usize::from(exit.is_some());
    tasks
        .status()
        .iter()
        .map(|task| {
            ended(match task.state {
                plimsoll_bounded::TaskState::Ended(exit) => Some(exit),
                plimsoll_bounded::TaskState::Running => None,
            })
        })
        .sum()
}
