//! Storage on real databases: SQLite always, PostgreSQL when `PLIMSOLL_TEST_POSTGRES` holds the url of one to play with.
//!
//! The clock is the real one: a paused clock would run away while a database works on its own threads. Nothing sleeps;
//! what takes time is awaited.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on panics, and says what it leaves out"
)]

#[path = "../../examples/support/books.rs"]
mod books;
mod check;
mod common;
mod crash;
mod days;
mod faults;
mod files;
mod full;
mod lists;
mod locks;
mod login;
mod logs;
mod prefix;
mod retention;
mod server;
mod suite;
mod system;
mod tool;
