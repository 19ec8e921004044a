//! The limits of an engine, each with its reason.

use plimsoll_market::limits::{ACTIONS_MAX, FILL_PAGE_MAX, QUOTES_MAX};
use plimsoll_position::limits::{SLOTS, WORKING_MAX};

/// Echoes that a loop tells before it looks at anything else: every order that could not be sent, twice over.
pub const ECHOES_MAX: usize = 2 * WORKING_MAX;

/// Symbols one account can trade in one process.
///
/// Hundreds are meant; each costs what its plan in the ledger says.
pub const SYMBOLS_MAX: usize = 512;

/// Room that the books may use of the actions of one event.
///
/// A full page of closing executions: a record for each, and a record for each slot that each of them takes from; every slot
/// is emptied once, and every execution but the last of a slot takes a part of one.
pub const BOOKS_ROOM: usize = 2 * FILL_PAGE_MAX + SLOTS + 32;
const _: () = assert!(BOOKS_ROOM + RECONCILE_ROOM <= ACTIONS_MAX);

/// Room that must be left before orders are compared with what is wanted; with less, it is done at an immediate wake.
pub const RECONCILE_ROOM: usize = QUOTES_MAX + WORKING_MAX + 8;
const _: () = assert!(RECONCILE_ROOM <= ACTIONS_MAX);
