//! Scripts and random walks through the venue's public face.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail by panicking, and say what they leave out")]

mod generated;
mod properties;
mod replayed;
mod scripts;
mod world;
