//! Test 14 of the acceptance list: days at 20 prices a second with random executions, and nothing grows.
//!
//! A simulated day runs with all tests; `PLIMSOLL_SOAK_HOURS=72 cargo test --release -p plimsoll-swarm --test soak` runs as
//! many as are wanted.
#![allow(clippy::unwrap_used, reason = "tests may panic")]
#![allow(unsafe_code, reason = "a counting allocator cannot be written without")]

use plimsoll_position::limits::{SLOTS, WORKING_MAX};
use plimsoll_swarm::{Sizes, soak};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Simulated hours, when nothing else is asked for.
const HOURS: u64 = 24;
/// What the memory of the whole process may differ by between two looks: frames and answers that are under way at one of them.
const ALLOWANCE: usize = 512 * 1024;

static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: hands everything to the system's allocator; only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

#[test]
fn g14_days_of_trading_leave_nothing_behind() {
    let hours = std::env::var("PLIMSOLL_SOAK_HOURS").ok().map_or(HOURS, |text| text.parse().unwrap());
    let mut looks: Vec<(Sizes, usize)> = Vec::with_capacity(1_000);
    soak(Duration::from_secs(hours * 3_600), Duration::from_secs(900), |sizes| looks.push((*sizes, LIVE.load(Ordering::Relaxed)))).unwrap();
    let (last, _) = looks.last().unwrap();
    let a_second = last.ticks / last.passed.as_secs();
    println!("{} h, {} prices ({a_second} a second), {} executions", last.passed.as_secs() / 3_600, last.ticks, last.fills);
    assert!((18..=40).contains(&a_second), "{a_second} prices a second");
    assert!(last.fills > 50 * hours, "{last:?}");
    for (sizes, _) in &looks {
        assert!(sizes.slots <= SLOTS && sizes.orders <= WORKING_MAX && sizes.open <= sizes.orders + 16, "{sizes:?}");
        assert!(sizes.requests <= 32 && sizes.waiting <= 200 && sizes.rows <= SLOTS + 400 && sizes.on_the_way <= 400, "{sizes:?}");
        assert_eq!(sizes.engine_bytes, last.engine_bytes);
    }
    // The first hour fills what is bounded; from then on nothing is added.
    let warm = looks.iter().position(|(sizes, _)| sizes.passed >= Duration::from_secs(3_600)).unwrap();
    let after: Vec<usize> = looks[warm..].iter().map(|(_, bytes)| *bytes).collect();
    let (least, most) = (*after.iter().min().unwrap(), *after.iter().max().unwrap());
    println!("live memory from {least} to {most} bytes, {} looks", after.len());
    assert!(most - least <= ALLOWANCE, "{after:?}");
}
