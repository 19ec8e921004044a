//! Leaks on purpose, so that detector and ladder can be seen at work. Only in builds with the feature `leak`.

use plimsoll_bounded::{Class, Grant, Line, List, WhenFull};
use std::time::Duration;

/// What leaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A container that nobody takes out of.
    Container,
    /// Memory from the allocator that nobody accounts for.
    Allocator,
    /// Stacks of threads that never end: memory that the allocator did not give out.
    Outside,
}

/// An item of the container.
pub type Item = [u8; 1024];

/// Bytes of a block or stack that leaks.
const BLOCK: usize = 256 << 10;

/// The container's line: 32 MB.
pub fn line() -> Line<'static> {
    Line::of::<Item>("test.leak", 32 << 10, WhenFull::Refuse, Class::MustKeep)
}

/// Leaks steadily.
pub struct Leaker {
    kind: Kind,
    bytes_per_second: u64,
    owed: f64,
    list: List<Item>,
    blocks: Vec<Box<[u8]>>, // tidy: bounded by nothing, on purpose: this is the leak
}

impl Leaker {
    /// Will leak so many bytes a second; the grant is that of [`line`].
    pub fn new(kind: Kind, bytes_per_second: u64, grant: Grant) -> Self {
        Self { kind, bytes_per_second, owed: 0.0, list: List::new(grant), blocks: Vec::new() }
    }

    /// Reads `allocator:2000000`: what leaks, and bytes a second.
    pub fn parse(text: &str) -> Option<(Kind, u64)> {
        let (kind, rate) = text.split_once(':')?;
        let kind = match kind {
            "container" => Kind::Container,
            "allocator" => Kind::Allocator,
            "outside" => Kind::Outside,
            _ => return None,
        };
        Some((kind, rate.parse().ok()?))
    }

    /// Leaks what is due after so much time.
    pub fn drip(&mut self, elapsed: Duration) {
        self.owed += self.bytes_per_second as f64 * elapsed.as_secs_f64();
        let unit = if self.kind == Kind::Container { size_of::<Item>() } else { BLOCK };
        while self.owed >= unit as f64 {
            self.owed -= unit as f64;
            match self.kind {
                // Full, it refuses: then it leaks no more.
                Kind::Container => drop(self.list.push([1; 1024])),
                Kind::Allocator => self.blocks.push(vec![1; BLOCK].into_boxed_slice()),
                Kind::Outside => self.stack(),
            }
        }
    }

    /// Starts a thread that touches its stack and then waits for ever.
    fn stack(&mut self) {
        let thread = std::thread::Builder::new().stack_size(2 * BLOCK).spawn(|| {
            let touched = [1_u8; BLOCK];
            std::hint::black_box(&touched);
            loop {
                std::thread::park();
            }
        });
        if let Err(error) = thread {
            tracing::warn!(%error, "the leak of threads has found its limit");
        }
    }
}
