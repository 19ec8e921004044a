//! What stands in a file of the journal, byte for byte.

use crate::limits::FRAME_MAX;
use plimsoll_engine::EngineConfig;
use plimsoll_market::{Action, Event, Instrument, Name, Time};
use plimsoll_strategy::StrategyConfig;
use serde::{Deserialize, Serialize};

/// The first bytes of every file; the last of them is the format's number.
pub const MAGIC: [u8; 8] = *b"plimjrn\x02";
/// Bytes before the payload of a frame.
pub const FRAME_HEAD: usize = 12;
/// Bytes of payload that a frame holds at most.
pub const PAYLOAD_MAX: usize = FRAME_MAX - FRAME_HEAD;

/// What a segment says of itself; the engine as it stood follows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Version of the program that wrote it.
    pub program: String,
    /// CRC-32 of that program's file: what another build replays may differ.
    pub build: u32,
    /// The account.
    pub account: Name,
    /// The start's number.
    pub run: u64,
    /// The segment's number within the run and symbol, from 0.
    pub segment: u64,
    /// Whether it goes on exactly where the one before ended.
    pub follows: bool,
    /// Entries lost between the segment before and this one.
    pub lost: u64,
    /// When the engine stood so.
    pub began: Time,
    /// The symbol's rules then.
    pub instrument: Instrument,
    /// The engine's settings.
    pub engine: Settings,
    /// The strategy's settings.
    pub strategy: StrategyConfig,
}

/// Settings that compare by what is written of them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Settings(pub EngineConfig);

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        format!("{:?}", self.0) == format!("{:?}", other.0)
    }
}

/// Why a segment ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum End {
    /// It was as long as it may be; the next goes on exactly here.
    Full,
    /// So many entries are missing before the next.
    Gap(u64),
    /// The engine failed.
    Fault,
    /// The engine was built anew from what is stored.
    Rebuilt,
    /// The symbol's loop ended.
    Stopped,
}

/// An entry as it is read.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub enum Entry {
    /// The engine was told something.
    Event {
        /// Nanoseconds since the entry before.
        since: u64,
        /// Actions that follow.
        actions: u16,
        /// What it was told.
        event: Event,
    },
    /// One of the actions that it answered.
    Action(Action),
    /// The engine was halted after a fault.
    Halted {
        /// Nanoseconds since the entry before.
        since: u64,
        /// Actions that follow.
        actions: u16,
    },
    /// The engine was told something and failed.
    Fault {
        /// Nanoseconds since the entry before.
        since: u64,
        /// What it was told.
        event: Event,
    },
    /// Nothing follows.
    End(End),
}

/// An entry as it is written: the same variants in the same order as [`Entry`].
#[derive(Clone, Copy, Debug, Serialize)]
pub enum EntryRef<'a> {
    /// As [`Entry::Event`].
    Event {
        /// Nanoseconds since the entry before.
        since: u64,
        /// Actions that follow.
        actions: u16,
        /// What it was told.
        event: &'a Event,
    },
    /// As [`Entry::Action`].
    Action(&'a Action),
    /// As [`Entry::Halted`].
    Halted {
        /// Nanoseconds since the entry before.
        since: u64,
        /// Actions that follow.
        actions: u16,
    },
    /// As [`Entry::Fault`].
    Fault {
        /// Nanoseconds since the entry before.
        since: u64,
        /// What it was told.
        event: &'a Event,
    },
    /// As [`Entry::End`].
    End(End),
}

/// Writes the head of a frame before its payload, which ends at `len`.
///
/// # Panics
/// When `len` is not within the buffer: a bug of ours.
pub fn seal(bytes: &mut [u8], len: usize, number: u32) {
    let (head, payload) = bytes[..len].split_at_mut(FRAME_HEAD);
    let length = payload.len() as u32;
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..8].copy_from_slice(&(!length).to_le_bytes());
    head[8..].copy_from_slice(&checksum(number, payload).to_le_bytes());
}

/// The checksum of a frame: a frame that was moved is found by its number.
pub fn checksum(number: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}
