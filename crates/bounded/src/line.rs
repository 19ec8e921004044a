//! What a line of the ledger declares, and what can be read of it.

use std::fmt;
use std::ops::Deref;

use arrayvec::ArrayString;

use crate::limits::NAME_MAX;

/// What a container does when it is full. Every loss is counted in the line's overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WhenFull {
    /// Gives the new item back to the caller.
    Refuse,
    /// Lets the oldest item go.
    DropOldest,
    /// Lets the new item go.
    DropNewest,
    /// Replaces what is there with the latest.
    Conflate,
    /// Gives the new item back to the caller, who then stops what it is doing; being full here means that a plan was wrong.
    Halt,
    /// Makes the sender wait. For edge crates only.
    Wait,
}

impl WhenFull {
    /// Names the policy as configuration, tables and metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Conflate => "conflate",
            Self::Halt => "halt",
            Self::Wait => "wait",
        }
    }
}

impl fmt::Display for WhenFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How precious the content of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Must never be lost: orders, fills, commands.
    MustKeep,
    /// Only the latest matters: books, status.
    LatestWins,
    /// May be shed under pressure: history, caches.
    BestEffort,
    /// Memory that somebody else allocates: database cache, TLS buffers, stacks, code.
    External,
}

impl Class {
    /// Names the class as tables and metrics write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MustKeep => "must_keep",
            Self::LatestWins => "latest_wins",
            Self::BestEffort => "best_effort",
            Self::External => "external",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Declares one container: the request for a [`Grant`](crate::Grant).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Unique name, `template/owner`: `safety.klines/binance:main:BTCUSDT`. A line of the process has no owner part.
    ///
    /// Printable ASCII without blanks, at most [`NAME_MAX`] bytes.
    pub name: &'a str,
    /// Items at most, 1 or more.
    pub capacity: usize,
    /// Bytes an item takes at worst, with what it holds on the heap and what the container needs for it.
    pub item_bytes: usize,
    /// What happens when it is full.
    pub policy: WhenFull,
    /// How precious its content is.
    pub class: Class,
}

impl<'a> Line<'a> {
    /// Declares `capacity` items of type `T` that hold nothing on the heap, for every container but `Map`,
    /// `Broadcast`, `Pool` and `Tasks`, which have a `line` of their own.
    pub const fn of<T>(name: &'a str, capacity: usize, policy: WhenFull, class: Class) -> Self {
        Self { name, capacity, item_bytes: size_of::<T>(), policy, class }
    }

    /// Adds what an item holds on the heap at most, in bytes.
    #[must_use]
    pub const fn with_heap(mut self, heap_bytes: usize) -> Self {
        self.item_bytes = self.item_bytes.saturating_add(heap_bytes);
        self
    }
}

/// The name of a line: `template/owner`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineName(ArrayString<NAME_MAX>);

impl LineName {
    /// Accepts 1 to [`NAME_MAX`] bytes of printable ASCII without blanks whose template is not empty.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let clean = name.bytes().all(|byte| byte.is_ascii_graphic());
        if !clean || name.is_empty() || name.starts_with('/') {
            return None;
        }
        ArrayString::from(name).ok().map(Self)
    }

    /// Returns the whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part before the first `/`: what kind of line it is.
    pub fn template(&self) -> &str {
        self.0.split_once('/').map_or(self.as_str(), |(template, _)| template)
    }

    /// Returns the part after the first `/`: whose line it is; empty for a line of the process.
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, owner)| owner)
    }
}

impl Deref for LineName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for LineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What a line looked like at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineStatus {
    /// Its name, with `template()` and `owner()`.
    pub name: LineName,
    /// Items at most; for class `External` bytes.
    pub capacity: usize,
    /// Bytes an item takes at worst.
    pub item_bytes: usize,
    /// Bytes the line takes at worst: capacity × item, and [`LINE_BYTES`](crate::LINE_BYTES) unless it is external.
    pub bytes: u64,
    /// Items now.
    pub len: usize,
    /// Most items ever.
    pub high_water: usize,
    /// How often the limit acted: items refused, dropped or replaced.
    pub overflows: u64,
    /// What happens when it is full.
    pub policy: WhenFull,
    /// How precious its content is.
    pub class: Class,
}

impl LineStatus {
    /// Returns the part of the name before the first `/`.
    pub fn template(&self) -> &str {
        self.name.template()
    }

    /// Returns the bytes that the items there now take at worst.
    pub fn used_bytes(&self) -> u64 {
        self.len as u64 * self.item_bytes as u64
    }

    /// Returns how full it is, in parts of 1000, rounded down.
    pub fn fill_permille(&self) -> u32 {
        match self.capacity {
            0 => 0,
            capacity => (self.len as u128 * 1000 / capacity as u128).min(1000) as u32,
        }
    }
}

/// All lines of one template together: what a metrics family needs without a series per symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateStatus {
    /// The fullest line of the template (by share of its capacity; the first of equals). `worst.template()` names them all.
    pub worst: LineStatus,
    /// Lines with this template.
    pub lines: usize,
    /// Sum of their capacities.
    pub capacity: u64,
    /// Sum of their bytes at worst.
    pub bytes: u64,
    /// Sum of their items now.
    pub len: u64,
    /// Highest high-water mark of one of them.
    pub high_water_max: usize,
    /// Sum of their overflows.
    pub overflows: u64,
}

impl TemplateStatus {
    /// Returns the template's name.
    pub fn template(&self) -> &str {
        self.worst.template()
    }
}
