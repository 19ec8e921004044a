//! The ledger: every line that was granted, and their sum against the budget.

use std::hash::BuildHasher;
use std::marker::PhantomData;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::grant::{Entry, Gauge, Grant};
use crate::hash::FixedState;
use crate::limits::{LINE_INDEX_BYTES, LINES_MAX};
use crate::line::{Class, Line, LineName, LineStatus, TemplateStatus, WhenFull};
use crate::plan::{Grants, Plan, Refused};
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU64, Mutex, lock};
use crate::table::OverBudget;

/// Adds up what everything may take and holds it against the budget.
///
/// While `Open`, lines are granted one by one and nothing is refused for its size, so that [`Ledger::seal`] can show the
/// whole picture. Once `Sealed`, room is given only to whole [`Plan`]s that fit. A plain grant after sealing does not
/// compile:
///
/// ```compile_fail
/// use plimsoll_bounded::{Class, Ledger, Line, WhenFull};
/// let ledger = Ledger::open(1 << 20).seal().unwrap();
/// ledger.grant(Line::of::<u8>("late", 1, WhenFull::Refuse, Class::BestEffort));
/// ```
///
/// # Bounds
/// [`LINES_MAX`] lines at a time, or the number given to [`Ledger::with_lines`]. A grant that is dropped makes room.
pub struct Ledger<P: Phase = Open> {
    shared: Arc<Shared>,
    phase: PhantomData<P>,
}

/// Lines may be granted one by one; the budget is not enforced yet.
#[derive(Debug)]
pub enum Open {}

/// Only whole plans that fit are admitted.
#[derive(Debug)]
pub enum Sealed {}

/// The two phases of a ledger. Cannot be implemented elsewhere.
pub trait Phase: private::Phase {}

impl Phase for Open {}
impl Phase for Sealed {}

mod private {
    /// Whether plans are held against the budget.
    pub trait Phase {
        const ENFORCED: bool;
    }

    impl Phase for super::Open {
        const ENFORCED: bool = false;
    }

    impl Phase for super::Sealed {
        const ENFORCED: bool = true;
    }
}

impl Ledger<Open> {
    /// Opens a ledger for at most [`LINES_MAX`] lines over a budget in bytes.
    pub fn open(budget_bytes: u64) -> Self {
        Self::with_lines(budget_bytes, LINES_MAX)
    }

    /// Opens a ledger for at most `lines_max` lines (1 to [`LINES_MAX`], its own included) over a budget in bytes.
    ///
    /// # Panics
    /// When `lines_max` is out of range.
    #[expect(clippy::expect_used, reason = "the ledger's own line is a constant that fits")]
    pub fn with_lines(budget_bytes: u64, lines_max: usize) -> Self {
        assert!((1..=LINES_MAX).contains(&lines_max), "a ledger has 1 to {LINES_MAX} lines, not {lines_max}");
        let shared = Shared {
            budget: budget_bytes,
            total: AtomicU64::new(0),
            registry: Mutex::new(Registry {
                lines_max,
                slots: Vec::with_capacity(lines_max),
                free: Vec::with_capacity(lines_max),
                // Twice the lines, so that the table never grows: it then cleans its tombstones in place.
                index: HashTable::with_capacity(lines_max * 2),
            }),
        };
        let own = Line {
            name: "bounded.ledger",
            capacity: lines_max,
            item_bytes: LINE_INDEX_BYTES,
            policy: WhenFull::Refuse,
            class: Class::MustKeep,
        };
        let shared = Arc::new(shared);
        let own = shared.insert(&own).expect("the first line fits");
        // The ledger's own line lives as long as the ledger, without a grant that would keep the ledger alive.
        own.entry.figures.set_len(1);
        Self { shared, phase: PhantomData }
    }

    /// Grants a line.
    ///
    /// # Errors
    /// When the line itself is impossible (name taken or malformed, no capacity, too large to count) or there are too
    /// many lines; never for the budget, which [`Ledger::seal`] checks.
    pub fn grant(&self, line: Line<'_>) -> Result<Grant, LedgerError> {
        let seat = self.shared.insert(&line)?;
        Ok(Grant::seated(seat.entry, Arc::clone(&self.shared), seat.slot))
    }

    /// Puts down memory that somebody else allocates: database cache, TLS buffers, stacks, code. It stays for ever.
    ///
    /// The gauge counts bytes: whoever can measure the live figure sets it.
    ///
    /// # Errors
    /// As [`Ledger::grant`].
    pub fn external(&self, name: &str, bytes: usize) -> Result<Gauge, LedgerError> {
        let line = Line { name, capacity: bytes, item_bytes: 1, policy: WhenFull::Wait, class: Class::External };
        let seat = self.shared.insert(&line)?;
        // The entry stays in its slot because nobody holds a grant that could give it back.
        Ok(Gauge::over(seat.entry))
    }

    /// Holds the sum against the budget and closes the ledger for single lines.
    ///
    /// # Errors
    /// When the sum is over the budget; the error's text is a table of the largest lines and says what to do.
    pub fn seal(self) -> Result<Ledger<Sealed>, OverBudget> {
        let (total, budget) = (self.total_bytes(), self.budget());
        if total > budget {
            return Err(OverBudget::new(budget, total, &self.lines()));
        }
        Ok(Ledger { shared: self.shared, phase: PhantomData })
    }
}

impl<P: Phase> Ledger<P> {
    /// Admits a plan: all of its lines or none. A sealed ledger refuses what does not fit the budget.
    ///
    /// # Errors
    /// When a line is impossible, or (sealed) when the plan does not fit the budget's rest. Nothing is granted then.
    pub fn admit(&self, plan: &Plan) -> Result<Grants, Refused> {
        self.shared.admit(plan, P::ENFORCED)
    }

    /// Reads every line, in the order of their slots: the order of granting, except that a freed slot is used again.
    pub fn lines(&self) -> Vec<LineStatus> {
        self.shared.lines()
    }

    /// Returns the bytes that all lines take at worst.
    pub fn total_bytes(&self) -> u64 {
        self.shared.total.load(Relaxed)
    }

    /// Returns the budget in bytes.
    pub fn budget(&self) -> u64 {
        self.shared.budget
    }

    /// Returns a handle that only reads, for the web server and the monitor.
    pub fn handle(&self) -> LedgerHandle {
        LedgerHandle { shared: Arc::clone(&self.shared) }
    }
}

/// Copies only exist of the sealed one: a copy of an open ledger could grant after the seal.
impl Clone for Ledger<Sealed> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), phase: PhantomData }
    }
}

impl<P: Phase> std::fmt::Debug for Ledger<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ledger({} of {} bytes)", self.total_bytes(), self.budget())
    }
}

/// Reads a ledger while the program runs. Cheap to clone and to send.
///
/// # Bounds
/// What it reads are copies: at most as many lines as the ledger has, which its caller holds.
#[derive(Clone)]
pub struct LedgerHandle {
    shared: Arc<Shared>,
}

impl LedgerHandle {
    /// Reads every line, in the order of their slots.
    pub fn lines(&self) -> Vec<LineStatus> {
        self.shared.lines()
    }

    /// Reads the lines summed up by template, in the order of the templates' names.
    pub fn templates(&self) -> Vec<TemplateStatus> {
        sum_up(self.lines())
    }

    /// Returns the bytes that all lines take at worst.
    pub fn total_bytes(&self) -> u64 {
        self.shared.total.load(Relaxed)
    }

    /// Returns the budget in bytes.
    pub fn budget(&self) -> u64 {
        self.shared.budget
    }
}

impl std::fmt::Debug for LedgerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LedgerHandle({} of {} bytes)", self.total_bytes(), self.budget())
    }
}

/// Why a line cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Another line has this name.
    #[error("a line named {name} exists already")]
    NameTaken {
        /// The name.
        name: LineName,
    },
    /// The name is empty, too long, or has blanks or bytes outside printable ASCII.
    #[error("a line's name is 1 to {max} printable ASCII characters without blanks, not {name:?}", max = crate::NAME_MAX)]
    NameInvalid {
        /// The name, its first 120 characters.
        name: String,
    },
    /// A container for no items.
    #[error("line {name} has no capacity")]
    NoCapacity {
        /// The name.
        name: LineName,
    },
    /// More items than a container can index, or more bytes than can be counted.
    #[error("line {name} is too large: {capacity} items of {item_bytes} bytes")]
    TooLarge {
        /// The name.
        name: LineName,
        /// Its items.
        capacity: usize,
        /// Bytes each.
        item_bytes: usize,
    },
    /// The ledger has no room for more lines, or the plan has too many.
    #[error("no room for line {name}: at most {lines_max} lines")]
    TooManyLines {
        /// The name.
        name: LineName,
        /// The most lines.
        lines_max: usize,
    },
}

/// What the ledger, its handles and its grants share.
pub(crate) struct Shared {
    budget: u64,
    /// Sum of the entries' bytes; written only under the registry's lock.
    total: AtomicU64,
    registry: Mutex<Registry>,
}

struct Registry {
    lines_max: usize,
    slots: Vec<Option<Arc<Entry>>>,
    free: Vec<u32>,
    index: HashTable<u32>,
}

/// A line just put into the registry.
struct Seated {
    entry: Arc<Entry>,
    slot: u32,
}

impl Shared {
    fn insert(&self, line: &Line<'_>) -> Result<Seated, LedgerError> {
        let entry = Arc::new(Entry::new(line)?);
        let mut registry = lock(&self.registry);
        let Some(total) = self.total.load(Relaxed).checked_add(entry.bytes) else {
            return Err(LedgerError::TooLarge { name: entry.name, capacity: line.capacity, item_bytes: line.item_bytes });
        };
        let slot = registry.seat(Arc::clone(&entry))?;
        self.total.store(total, Relaxed);
        registry.count();
        Ok(Seated { entry, slot })
    }

    fn admit(self: &Arc<Self>, plan: &Plan, enforced: bool) -> Result<Grants, Refused> {
        let mut entries = Vec::with_capacity(plan.len());
        for line in plan.lines() {
            entries.push(Arc::new(Entry::new(&line)?));
        }
        let mut registry = lock(&self.registry);
        let total = self.total.load(Relaxed);
        let sum = entries.iter().try_fold(0u64, |sum, entry| sum.checked_add(entry.bytes));
        let after = sum.and_then(|sum| total.checked_add(sum));
        match after {
            Some(after) if !enforced || after <= self.budget => {
                let mut seats = Vec::with_capacity(entries.len());
                for entry in entries {
                    match registry.seat(Arc::clone(&entry)) {
                        Ok(slot) => seats.push(Seated { entry, slot }),
                        Err(error) => {
                            for seat in seats.iter().rev() {
                                registry.unseat(seat.slot);
                            }
                            return Err(error.into());
                        }
                    }
                }
                self.total.store(after, Relaxed);
                registry.count();
                let ledger = |seat: Seated| Grant::seated(seat.entry, Arc::clone(self), seat.slot);
                Ok(Grants::new(seats.into_iter().map(ledger).collect()))
            }
            _ => Err(Refused::OverBudget {
                plan: plan.name().to_owned(),
                needed: sum.unwrap_or(u64::MAX),
                free: self.budget.saturating_sub(total),
                budget: self.budget,
            }),
        }
    }

    pub(crate) fn release(&self, slot: u32) {
        let mut registry = lock(&self.registry);
        if let Some(entry) = registry.unseat(slot) {
            let total = self.total.load(Relaxed);
            assert!(total >= entry.bytes, "ledger released {} twice", entry.name);
            self.total.store(total - entry.bytes, Relaxed);
            registry.count();
        }
    }

    fn lines(&self) -> Vec<LineStatus> {
        let registry = lock(&self.registry);
        registry.slots.iter().flatten().map(|entry| entry.status()).collect()
    }
}

impl Registry {
    fn seat(&mut self, entry: Arc<Entry>) -> Result<u32, LedgerError> {
        let hash = hash(&entry.name);
        let Self { lines_max, slots, free, index } = self;
        if index.find(hash, |&slot| name(slots, slot) == Some(&entry.name)).is_some() {
            return Err(LedgerError::NameTaken { name: entry.name });
        }
        if index.len() == *lines_max {
            if let Some(Some(own)) = slots.first() {
                own.figures.overflowed(1);
            }
            return Err(LedgerError::TooManyLines { name: entry.name, lines_max: *lines_max });
        }
        let slot = match free.pop() {
            Some(slot) => {
                if let Some(place) = slots.get_mut(slot as usize) {
                    *place = Some(entry);
                }
                slot
            }
            None => {
                slots.push(Some(entry));
                slots.len() as u32 - 1
            }
        };
        index.insert_unique(hash, slot, |&slot| name(slots, slot).map_or(0, self::hash));
        Ok(slot)
    }

    fn unseat(&mut self, slot: u32) -> Option<Arc<Entry>> {
        let entry = self.slots.get_mut(slot as usize)?.take()?;
        if let Ok(found) = self.index.find_entry(hash(&entry.name), |&other| other == slot) {
            found.remove();
        }
        self.free.push(slot);
        Some(entry)
    }

    /// Shows the number of lines in the ledger's own line, which is the first.
    fn count(&self) {
        if let Some(Some(own)) = self.slots.first() {
            own.figures.set_len(self.index.len());
        }
    }
}

fn name(slots: &[Option<Arc<Entry>>], slot: u32) -> Option<&LineName> {
    slots.get(slot as usize)?.as_ref().map(|entry| &entry.name)
}

fn hash(name: &LineName) -> u64 {
    FixedState.hash_one(name.as_str())
}

/// Sums lines up by template, in the order of the templates' names.
pub(crate) fn sum_up(mut lines: Vec<LineStatus>) -> Vec<TemplateStatus> {
    lines.sort_by(|a, b| a.template().cmp(b.template()));
    let mut sums: Vec<TemplateStatus> = Vec::new();
    for line in lines {
        match sums.last_mut().filter(|sum| sum.template() == line.template()) {
            Some(sum) => {
                sum.lines += 1;
                sum.capacity = sum.capacity.saturating_add(line.capacity as u64);
                sum.bytes += line.bytes;
                sum.len = sum.len.saturating_add(line.len as u64);
                sum.high_water_max = sum.high_water_max.max(line.high_water);
                sum.overflows = sum.overflows.saturating_add(line.overflows);
                if line.fill_permille() > sum.worst.fill_permille() {
                    sum.worst = line;
                }
            }
            None => sums.push(TemplateStatus {
                lines: 1,
                capacity: line.capacity as u64,
                bytes: line.bytes,
                len: line.len as u64,
                high_water_max: line.high_water,
                overflows: line.overflows,
                worst: line,
            }),
        }
    }
    sums
}
