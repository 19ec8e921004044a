//! Worlds in which everything goes wrong, in made-up time: the real session, engines and account against the local exchange,
//! frame by frame, with a network, a disk and people between them that a seed decides about.
//!
//! First a phase of trouble, in which nothing may ever be broken; then peace, in which everything must heal; then a stop, after
//! which the books are compared with the exchange to the last digit. What must hold is in `plimsoll_position::invariants`.
//!
//! It deliberately has no sockets, threads or clock, so that a seed replays exactly.
//!
//! Read [`Options`] and [`run`] first; [`script::Script`] is for tests that say what happens.
//!
//! ```
//! use core::time::Duration;
//! let options = plimsoll_swarm::Options::draw(1, Duration::from_secs(5));
//! let outcome = plimsoll_swarm::run(&options, false)?;
//! assert_eq!(outcome.broken, None);
//! # Ok::<(), anyhow::Error>(())
//! ```

mod bot;
mod check;
mod disk;
pub mod limits;
mod network;
mod options;
pub mod script;
mod seat;
mod shrink;
mod soak;
mod world;

pub use options::{Fault, Options};
pub use seat::{Moment, Seat};
pub use shrink::shrink;
pub use soak::{Sizes, soak};
pub use world::Outcome;

/// Lives a world to its end; `trace` keeps what happened last.
///
/// # Errors
/// The world cannot be set up: a bug of the simulation.
///
/// # Panics
/// On a bug of the code under test that panics.
///
/// # Bounds
/// [`limits`], and what the venue keeps.
pub fn run(options: &Options, trace: bool) -> anyhow::Result<Outcome> {
    world::World::new(options, trace)?.live()
}
