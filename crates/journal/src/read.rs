//! Reads a segment back, and says exactly where it cannot be read.

use crate::format::{End, Entry, FRAME_HEAD, Head, MAGIC, PAYLOAD_MAX, checksum};
use plimsoll_engine::Engine;
use std::io::{self, Read};
use thiserror::Error;

/// Why a file cannot be replayed to its end.
#[derive(Debug, Error)]
pub enum Damage {
    /// Not read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Something else.
    #[error("is no journal of this format")]
    NotAJournal,
    /// The frame's head makes no sense.
    #[error("is damaged at byte {at}: the frame has no length")]
    Length {
        /// Where the frame begins.
        at: u64,
    },
    /// Its bytes are not those that were written.
    #[error("is damaged at byte {at}: the checksum of the frame is another")]
    Checksum {
        /// Where the frame begins.
        at: u64,
    },
    /// The beginning of the segment is not understood.
    #[error("does not begin with an engine that this build understands: {why}")]
    Head {
        /// What the decoder says.
        why: postcard::Error,
    },
    /// An entry is not understood.
    #[error("holds an entry in the frame at byte {at} that this build does not understand: {why}")]
    Entry {
        /// Where the frame begins.
        at: u64,
        /// What the decoder says.
        why: postcard::Error,
    },
    /// Entries in an order that is never written.
    #[error("holds an entry in the frame at byte {at} where none of its kind can be")]
    Order {
        /// Where the frame begins.
        at: u64,
    },
}

/// What a file ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The writer said why.
    Marked(End),
    /// Nothing says why: the process was killed, or still writes.
    Unmarked,
    /// As that, and the last so many bytes are no whole frame.
    Torn(u64),
    /// It was not read to its end.
    Unread,
}

/// The next in a segment.
#[derive(Debug)]
pub enum Next {
    /// An entry.
    Entry(Entry),
    /// There is no more.
    Over(Ending),
}

/// A segment's beginning.
pub struct Beginning {
    /// What it says of itself.
    pub head: Head,
    /// The engine as it stood.
    pub engine: Engine,
    /// The same as it is written.
    pub state: Vec<u8>, // tidy: bounded by PAYLOAD_MAX
}

/// Reads a segment entry by entry.
///
/// # Bounds
/// One frame.
pub struct SegmentReader<R> {
    input: R,
    /// Where the next frame begins.
    at: u64,
    /// Where this one begins.
    frame_at: u64,
    number: u32,
    payload: Vec<u8>, // tidy: bounded by PAYLOAD_MAX
    /// How much of the payload is read.
    done: usize,
    end: Option<End>,
}

/// A frame, or how the file ends.
enum Frame {
    Whole,
    Ends(Ending),
}

impl<R: Read> SegmentReader<R> {
    /// Reads the beginning; `None` when the file has no whole one, because its writer was killed there.
    ///
    /// # Errors
    /// What was damaged or is not understood.
    pub fn open(input: R) -> Result<Option<(Beginning, Self)>, Damage> {
        let mut reader = Self { input, at: 0, frame_at: 0, number: 0, payload: Vec::new(), done: 0, end: None };
        let mut magic = [0; MAGIC.len()];
        let got = reader.fill(&mut magic)?;
        if magic.get(..got) != MAGIC.get(..got) {
            return Err(Damage::NotAJournal);
        }
        if got < MAGIC.len() {
            return Ok(None);
        }
        match reader.frame()? {
            Frame::Whole => {}
            Frame::Ends(_) => return Ok(None),
        }
        let wrong = |why| Damage::Head { why };
        let (head, rest) = postcard::take_from_bytes::<Head>(&reader.payload).map_err(wrong)?;
        let (engine, left) = postcard::take_from_bytes::<Engine>(rest).map_err(wrong)?;
        let state = rest.get(..rest.len() - left.len()).unwrap_or_default().to_vec();
        reader.done = reader.payload.len() - left.len();
        Ok(Some((Beginning { head, engine, state }, reader)))
    }

    /// Reads on.
    ///
    /// # Errors
    /// What was damaged or is not understood.
    pub fn read_on(&mut self) -> Result<Next, Damage> {
        while self.done == self.payload.len() {
            match self.frame()? {
                Frame::Whole => {}
                Frame::Ends(ending) => return Ok(Next::Over(self.end.map_or(ending, Ending::Marked))),
            }
        }
        let bytes = self.payload.get(self.done..).unwrap_or_default();
        let (entry, left) = postcard::take_from_bytes::<Entry>(bytes).map_err(|why| Damage::Entry { at: self.frame_at, why })?;
        self.done = self.payload.len() - left.len();
        if let Entry::End(end) = entry {
            // That something is missing may have been noticed only when the next segment began.
            self.end = Some(end);
        } else if self.end.is_some() {
            return Err(Damage::Order { at: self.frame_at });
        }
        Ok(Next::Entry(entry))
    }

    /// Where the frame begins that is being read.
    pub const fn frame_at(&self) -> u64 {
        self.frame_at
    }

    fn frame(&mut self) -> Result<Frame, Damage> {
        let at = self.at;
        self.frame_at = at;
        let mut head = [0; FRAME_HEAD];
        let got = self.fill(&mut head)?;
        match got {
            0 => return Ok(Frame::Ends(Ending::Unmarked)),
            FRAME_HEAD => {}
            _ => return Ok(Frame::Ends(Ending::Torn(got as u64))),
        }
        let word = |at: usize| head.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        let (length, inverse, sum) = (word(0), word(4), word(8));
        if length != !inverse || length as usize > PAYLOAD_MAX {
            return self.zeros(&head, at);
        }
        self.payload.resize(length as usize, 0);
        self.done = 0;
        let mut payload = std::mem::take(&mut self.payload);
        let got = self.fill(&mut payload)?;
        self.payload = payload;
        if got < length as usize {
            // Nothing of it is read.
            self.payload.clear();
            return Ok(Frame::Ends(Ending::Torn((FRAME_HEAD + got) as u64)));
        }
        if checksum(self.number, &self.payload) != sum {
            self.payload.clear();
            return Err(Damage::Checksum { at });
        }
        self.number += 1;
        Ok(Frame::Whole)
    }

    /// A machine that stops can leave zeros where the last bytes were to be.
    fn zeros(&mut self, head: &[u8], at: u64) -> Result<Frame, Damage> {
        let mut zeros = head.iter().all(|byte| *byte == 0);
        let mut some = [0; 4_096];
        while zeros {
            let got = self.fill(&mut some)?;
            if got == 0 {
                return Ok(Frame::Ends(Ending::Torn(self.at - at)));
            }
            zeros = some.get(..got).is_some_and(|some| some.iter().all(|byte| *byte == 0));
        }
        Err(Damage::Length { at })
    }

    /// Reads until `into` is full or the file ends.
    fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(got) => done += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.at += done as u64;
        Ok(done)
    }
}
