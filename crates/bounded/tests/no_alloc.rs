//! Nothing is allocated after construction, and what construction allocates is no more than was declared.

#![allow(unsafe_code, reason = "a global allocator that counts can only be written with unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;

use plimsoll_bounded::{Class, Grant, Grants, LINE_BYTES, LINES_MAX, Ledger, Line, List, Map, Plan, Ring, WhenFull};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

fn count(calls: u64, bytes: i64) {
    // A thread that is going away has nothing to count.
    let counted = CALLS.try_with(|cell| cell.set(cell.get() + calls));
    counted.and_then(|()| BYTES.try_with(|cell| cell.set(cell.get() + bytes))).unwrap_or(());
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns how often this thread allocates in `run`, and how many bytes more it holds afterwards.
fn measure<R>(run: impl FnOnce() -> R) -> (R, u64, i64) {
    let before = (CALLS.get(), BYTES.get());
    let result = run();
    (result, CALLS.get() - before.0, BYTES.get() - before.1)
}

#[track_caller]
fn check_declared(what: &str, declared: u64, held: i64) {
    assert!(held <= declared as i64, "{what} holds {held} bytes, declared {declared}");
    // Some slack is the table's rounding to a power of two; more would waste the budget.
    assert!(declared as i64 <= 4 * held + LINE_BYTES as i64, "{what} declared {declared} bytes, holds only {held}");
}

const TURNS: u64 = 20_000;

#[test]
fn counts_what_it_should() {
    let (boxed, calls, bytes) = measure(|| Box::new([0u8; 100]));
    assert_eq!((calls, bytes, boxed.len()), (1, 100, 100));
}

#[test]
fn ledger_and_lines_hold_no_more_than_declared_and_a_full_index_never_grows() {
    for lines in [1, 7, 14, 15, 100, 448, 449, 1000, LINES_MAX] {
        let (ledger, _, index) = measure(|| Ledger::with_lines(u64::MAX, lines));
        let own = ledger.lines()[0].clone();
        assert!(index <= own.bytes as i64, "an index for {lines} lines holds {index} bytes, declared {}", own.bytes);
        let names: Vec<String> = (0..2 * lines).map(|at| format!("template/owner-{at}")).collect();
        let mut grants: VecDeque<Grant> = VecDeque::with_capacity(lines);
        let ((), calls, held) = measure(|| {
            // Filled, then every line replaced by one of another name.
            for name in &names {
                if grants.len() == lines - 1 {
                    drop(grants.pop_front());
                }
                if lines > 1 {
                    let line = Line { name, capacity: 1, item_bytes: 0, policy: WhenFull::Refuse, class: Class::MustKeep };
                    grants.push_back(ledger.grant(line).unwrap());
                }
            }
        });
        assert!(held <= (grants.len() * LINE_BYTES) as i64, "{} lines hold {held} bytes", grants.len());
        assert_eq!(calls, if lines > 1 { names.len() as u64 } else { 0 }, "one allocation a line, none of the index");
    }
}

#[test]
fn a_ledger_does_not_grow_by_symbols_that_come_and_go() {
    const SYMBOLS: usize = 8;
    const KEPT: usize = 30;
    let plan = |turn: usize| {
        let name = format!("exchange:main:COIN{turn}");
        (0..KEPT).fold(Plan::new(&name), |plan, at| {
            plan.with(Line::of::<u64>(&format!("template{at}/{name}"), 10 + at, WhenFull::Refuse, Class::MustKeep)).unwrap()
        })
    };
    let ledger = Ledger::with_lines(SYMBOLS as u64 * 50_000, SYMBOLS * KEPT + 1).seal().unwrap();
    let (budget, own) = (ledger.budget(), ledger.total_bytes());
    let mut here: VecDeque<Grants> = VecDeque::with_capacity(SYMBOLS);
    let (mut held_before, mut refused) = (0, 0);
    let ((), _, _) = measure(|| {
        for turn in 0..10_000 {
            if here.len() == SYMBOLS {
                // Full: one more is refused whole, and fits once another has left.
                assert!(ledger.admit(&plan(turn)).is_err());
                refused += 1;
                // In every order: not always the one that came first.
                here.swap_remove_back(turn * 7 % SYMBOLS);
            }
            here.push_back(ledger.admit(&plan(turn)).unwrap());
            assert!(ledger.total_bytes() <= budget);
            if turn + 1 == SYMBOLS {
                held_before = BYTES.get();
            }
        }
    });
    assert_eq!((BYTES.get() - held_before, refused), (0, 10_000 - SYMBOLS), "as many symbols hold as many bytes as at first");
    assert_eq!(ledger.lines().len(), SYMBOLS * KEPT + 1);
    drop(here);
    assert_eq!((ledger.total_bytes(), ledger.lines().len()), (own, 1));
}

#[test]
fn ring_and_list_allocate_once_and_no_more_than_declared() {
    for capacity in [1, 3, 64, 1000] {
        let line = Line::of::<[u64; 5]>("r", capacity, WhenFull::DropOldest, Class::BestEffort);
        let declared = Grant::detached(line).bytes();
        let (mut ring, _, held) = measure(|| Ring::<[u64; 5]>::new(Grant::detached(line)));
        check_declared("ring", declared, held);
        let line = Line { policy: WhenFull::Refuse, ..line };
        let (mut list, _, held) = measure(|| List::<[u64; 5]>::new(Grant::detached(line)));
        check_declared("list", declared, held);

        let ((), calls, _) = measure(|| {
            for turn in 0..TURNS {
                ring.roll([turn; 5]);
                if turn % 7 == 0 {
                    ring.pop_front();
                }
                if list.push([turn; 5]).is_err() {
                    list.swap_remove(turn as usize % capacity);
                    list.retain(|item| item[0] % 3 != 0);
                }
            }
        });
        assert_eq!(calls, 0, "capacity {capacity}");
        assert!(ring.high_water() == capacity && list.high_water() == capacity);
    }
}

#[test]
fn map_never_grows_however_its_keys_churn() {
    for capacity in [1, 2, 3, 7, 8, 14, 28, 29, 100, 448, 449, 1000, 3584, 3585] {
        let line = Map::<u64, [u8; 20]>::line("m", capacity, WhenFull::DropOldest, Class::BestEffort);
        let declared = Grant::detached(line).bytes();
        let (mut map, _, held) = measure(|| Map::<u64, [u8; 20]>::new(Grant::detached(line)));
        check_declared("map", declared, held);

        let ((), calls, _) = measure(|| {
            // New keys for ever, at the limit and just below: tombstones everywhere.
            for turn in 0..TURNS {
                assert!(map.insert(turn.wrapping_mul(0x9e37_79b9), [0; 20]).is_ok());
                if turn % 5 == 0 {
                    map.pop_first();
                }
                if turn % 3 == 0 {
                    map.remove(&turn.wrapping_sub(2).wrapping_mul(0x9e37_79b9));
                }
            }
        });
        assert_eq!((calls, map.high_water()), (0, capacity), "capacity {capacity}");
    }
}

#[cfg(feature = "tokio")]
#[test]
fn queues_allocate_once_and_no_more_than_declared() {
    use plimsoll_bounded::{channel, latest, lossy};

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        // The runtime sets up its thread's state at the first wait.
        tokio::task::yield_now().await;
        for capacity in [1, 3, 64, 1000] {
            let line = Line::of::<[u64; 5]>("q", capacity, WhenFull::Wait, Class::MustKeep);
            let declared = Grant::detached(line).bytes();
            let ((sender, mut receiver), _, held) = measure(|| channel::<[u64; 5]>(Grant::detached(line)));
            check_declared("channel", declared, held);
            let line = Line { policy: WhenFull::DropOldest, ..line };
            let ((gaps, mut gapped), _, held) = measure(|| lossy::<[u64; 5]>(Grant::detached(line)));
            check_declared("lossy", declared, held);
            let line = Line { policy: WhenFull::Conflate, capacity: 1, ..line };
            let ((put, mut taken), _, held) = measure(|| latest::<[u64; 5]>(Grant::detached(line)));
            check_declared("latest", Grant::detached(line).bytes(), held);

            let before = CALLS.get();
            for turn in 0..TURNS {
                // The two run by turns on one thread, so that each waits for the other.
                let sends = async {
                    sender.send([turn; 5]).await.unwrap();
                    sender.reserve().await.unwrap().send([turn; 5]);
                    gaps.send([turn; 5]).unwrap();
                    put.put([turn; 5]).unwrap();
                };
                let receives = async {
                    receiver.recv().await.unwrap();
                    receiver.recv().await.unwrap();
                    if turn % 3 == 0 {
                        gapped.recv().await.unwrap();
                        taken.recv().await.unwrap();
                    }
                };
                tokio::join!(biased; receives, sends);
            }
            assert_eq!(CALLS.get() - before, 0, "capacity {capacity}");
        }
    });
}

#[cfg(feature = "tokio")]
#[test]
fn tasks_pools_and_subscribers_hold_no_more_than_declared() {
    use plimsoll_bounded::{Broadcast, Pool, PoolSpec, TaskSpec, Tasks};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::task::yield_now().await;
        const FUTURE: usize = 600;
        for count in [1, 2, 10, 100, 500] {
            let line = Tasks::line("tasks", count, FUTURE);
            let declared = Grant::detached(line).bytes();
            let (tasks, _, held) = measure(|| {
                let tasks = Tasks::new(Grant::detached(line));
                for _ in 0..count {
                    let state = [7u8; FUTURE - 100];
                    let spec = TaskSpec { name: "a task with a name of some length", group: "group" };
                    let spawned = tasks.spawn(spec, |task| async move {
                        task.stop.stopped().await;
                        std::hint::black_box(&state);
                    });
                    spawned.unwrap();
                }
                tasks
            });
            check_declared("tasks", declared, held);
            // Once they wait, their tokens are in use too.
            let before = BYTES.get();
            tokio::task::yield_now().await;
            assert!(held + BYTES.get() - before <= declared as i64, "{count} tasks that wait");
            assert!(tasks.shutdown(std::time::Duration::from_secs(9)).await.is_clean());
        }

        let tasks = Tasks::new(Grant::detached(Tasks::line("tasks", 1, 4096)));
        for count in [1, 10, 1000] {
            const JOB: usize = 200;
            let line = Pool::line("pool", count, JOB, Class::BestEffort);
            let declared = Grant::detached(line).bytes();
            let spec = PoolSpec { name: "p", group: "g", workers: 1, job_deadline: std::time::Duration::from_secs(9) };
            let (pool, _, with_worker) = measure(|| Pool::start(Grant::detached(line), spec, &tasks).unwrap());
            let ((), _, jobs) = measure(|| {
                for _ in 0..count {
                    let state = [7u8; JOB];
                    pool.submit_blocking(move || assert_eq!(std::hint::black_box(state).len(), JOB)).unwrap();
                }
            });
            // The worker is a task, declared there; what is left is the pool's own.
            assert!(jobs + (count * 16) as i64 <= declared as i64, "{count} jobs hold {jobs}, with worker {with_worker}, of {declared}");
            drop(pool);
            while tasks.counts().live > 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }

        for (subscribers, depth) in [(1, 1), (3, 10), (100, 1), (100, 64)] {
            let line = Broadcast::<u64>::line("b", subscribers, depth, Class::BestEffort);
            let declared = Grant::detached(line).bytes();
            let ((broadcast, mut list), _, held) = measure(|| {
                let broadcast = Broadcast::<u64>::new(Grant::detached(line), subscribers);
                let list: VecDeque<_> = (0..subscribers).map(|_| broadcast.subscribe()).collect();
                (broadcast, list)
            });
            let handles = (subscribers * 16) as i64;
            check_declared("broadcast", declared, held - handles);
            let before = BYTES.get();
            for turn in 0..200 {
                broadcast.publish(&turn);
                // The one that is replaced keeps its handle for a while, but no items.
                let next = broadcast.subscribe();
                drop(list.pop_front());
                list.push_back(next);
            }
            assert_eq!(BYTES.get(), before);
        }
    });
}
