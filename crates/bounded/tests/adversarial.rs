//! Ten million operations on each container, chosen against it: at its limit, and back and forth over it.
//!
//! After every operation: no more items than the capacity, no more bytes on the heap than declared, and every item sent is
//! received, counted as dropped, or still inside. `cargo test -p plimsoll-bounded --all-features --test adversarial --
//! --nocapture` prints what each reached.

#![allow(unsafe_code, reason = "a global allocator that counts can only be written with unsafe")]
#![allow(clippy::print_stderr, reason = "the figures are the point")]
#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

#[path = "adversarial/counting.rs"]
mod counting;
#[path = "adversarial/memory.rs"]
mod memory;
#[path = "adversarial/plain.rs"]
mod plain;
#[path = "adversarial/queues.rs"]
mod queues;
#[path = "adversarial/tasks.rs"]
mod tasks;

/// Operations on each container; where it says otherwise, why.
const OPERATIONS: u64 = 10_000_000;
