//! The right to hold so many items, and the figures that go with it.

use std::sync::Arc;

use crate::figures::Figures;
#[cfg(feature = "spsc")]
use crate::figures::Passage;
use crate::ledger::{LedgerError, Shared};
use crate::limits::{CAPACITY_MAX, LINE_BYTES};
use crate::line::{Class, Line, LineName, LineStatus, WhenFull};

/// The right to hold so many items under a name. Given by a [`Ledger`](crate::Ledger); released when dropped.
///
/// A container keeps its grant as long as it lives. Code that keeps items in an array of its own holds the grant beside it
/// and reports through [`Grant::gauge`].
///
/// There is no container without one, and no grant without a limit, a policy and a class:
///
/// ```compile_fail,E0308
/// let prices = plimsoll_bounded::Ring::<u64>::new(500);
/// ```
///
/// ```compile_fail,E0063
/// use plimsoll_bounded::{Class, Line};
/// let line = Line { name: "demo.prices", capacity: 500, item_bytes: 8, class: Class::LatestWins };
/// ```
///
/// ```compile_fail,E0061
/// use plimsoll_bounded::{Grant, Line, WhenFull};
/// let grant = Grant::detached(Line::of::<u64>("demo.prices", 500, WhenFull::DropOldest));
/// ```
///
/// # Bounds
/// [`LINE_BYTES`] beside the items, which is part of [`Grant::bytes`]. It cannot be cloned, so its bytes are used once.
pub struct Grant {
    entry: Arc<Entry>,
    seat: Option<Seat>,
}

/// Where a grant of a ledger has to be given back.
struct Seat {
    ledger: Arc<Shared>,
    slot: u32,
}

impl Grant {
    /// Makes a grant that no ledger knows, for tests, benches and backtests.
    ///
    /// # Panics
    /// When the line could not be granted by any ledger: bad name, no capacity, more bytes than can be counted.
    #[track_caller]
    #[expect(clippy::expect_used, reason = "a line that no ledger would take is a bug at the call site")]
    pub fn detached(line: Line<'_>) -> Self {
        let entry = Entry::new(&line).expect("detached grant of a line that no ledger would take");
        Self { entry: Arc::new(entry), seat: None }
    }

    pub(crate) fn seated(entry: Arc<Entry>, ledger: Arc<Shared>, slot: u32) -> Self {
        Self { entry, seat: Some(Seat { ledger, slot }) }
    }

    /// Returns the line's whole name.
    pub fn name(&self) -> &str {
        self.entry.name.as_str()
    }

    /// Returns the part of the name before the first `/`.
    pub fn template(&self) -> &str {
        self.entry.name.template()
    }

    /// Returns the most items that may be held.
    pub fn capacity(&self) -> usize {
        self.entry.capacity
    }

    /// Returns the bytes declared for an item.
    pub fn item_bytes(&self) -> usize {
        self.entry.item_bytes
    }

    /// Returns the bytes that the line takes in the budget.
    pub fn bytes(&self) -> u64 {
        self.entry.bytes
    }

    /// Returns what happens when it is full.
    pub fn policy(&self) -> WhenFull {
        self.entry.policy
    }

    /// Returns how precious the content is.
    pub fn class(&self) -> Class {
        self.entry.class
    }

    /// Returns a handle to the line's figures, which stays valid (and is no longer shown) after the grant is gone.
    pub fn gauge(&self) -> Gauge {
        Gauge::over(Arc::clone(&self.entry))
    }

    /// Borrows the figures, for containers that own the grant.
    #[inline]
    pub(crate) fn figures(&self) -> &Figures {
        &self.entry.figures
    }

    /// Has the line's length counted by the two ends of a queue from now on.
    #[cfg(feature = "spsc")]
    pub(crate) fn passage(&self) -> Arc<Passage> {
        Arc::clone(self.entry.passage.get_or_init(|| Arc::new(Passage::new())))
    }

    /// Asserts that a container can act as the line says and that its items were declared big enough.
    #[track_caller]
    pub(crate) fn check(&self, container: &str, policies: &[WhenFull], item_bytes: usize) {
        let Entry { name, policy, item_bytes: declared, .. } = &*self.entry;
        assert!(policies.contains(policy), "line {name}: {container} cannot act by policy {policy}, only by {policies:?}");
        assert!(
            *declared >= item_bytes,
            "line {name}: {container} needs {item_bytes} bytes an item, {declared} were declared; use the container's `line`"
        );
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            seat.ledger.release(seat.slot);
        }
    }
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Grant").field(&self.entry.status()).finish()
    }
}

/// The figures of a line as their only writer keeps them: without locked instructions.
#[derive(Debug)]
pub(crate) struct Meter {
    grant: Grant,
    capacity: usize,
    high_water: usize,
}

impl Meter {
    pub(crate) fn new(grant: Grant) -> Self {
        Self { capacity: grant.capacity(), high_water: 0, grant }
    }

    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn high_water(&self) -> usize {
        self.high_water
    }

    /// Sets a length that may be a new maximum.
    #[inline]
    pub(crate) fn grown(&mut self, len: usize) {
        self.grant.figures().lower_len(len);
        if len > self.high_water {
            self.rise(len);
        }
    }

    #[cold]
    #[inline(never)]
    fn rise(&mut self, len: usize) {
        self.high_water = len;
        self.grant.figures().raise(len);
    }

    /// Sets a length that is not.
    #[inline]
    pub(crate) fn shrunk(&self, len: usize) {
        self.grant.figures().lower_len(len);
    }

    /// Counts that the limit acted once.
    #[inline]
    pub(crate) fn overflowed(&self) {
        self.grant.figures().overflowed_alone();
    }
}

/// A handle to the figures of one line: length, high-water mark, overflow count. Cheap to clone; no locks.
///
/// The figures are for people and metrics: each is exact once its writers rest, but they are not read as of one moment.
///
/// Containers count for themselves. The methods that write are for code that keeps items in an array of its own beside a
/// [`Grant`]; on the line of a container they would disturb its count.
///
/// # Bounds
/// A pointer to the line's entry, which stays as long as one gauge does.
#[derive(Clone)]
pub struct Gauge {
    entry: Arc<Entry>,
}

impl Gauge {
    /// Makes a gauge that no ledger shows and that counts for nothing.
    pub fn detached() -> Self {
        let line = Line { name: "detached", capacity: 1, item_bytes: 0, policy: WhenFull::Refuse, class: Class::BestEffort };
        Grant::detached(line).gauge()
    }

    pub(crate) fn over(entry: Arc<Entry>) -> Self {
        Self { entry }
    }

    /// Sets the items held now and raises the high-water mark.
    pub fn set_len(&self, len: usize) {
        self.entry.figures.set_len(len);
    }

    /// Counts `items` more held now.
    pub fn add(&self, items: usize) {
        self.entry.figures.add(items);
    }

    /// Counts `items` fewer held now.
    pub fn sub(&self, items: usize) {
        let enough = self.entry.figures.sub(items);
        debug_assert!(enough, "gauge of {} went below zero", self.entry.name);
    }

    /// Counts that the limit acted on `items`.
    pub fn overflowed(&self, items: u64) {
        self.entry.figures.overflowed(items);
    }

    /// Returns the items held now.
    pub fn len(&self) -> usize {
        self.entry.len()
    }

    /// Tells whether nothing is held now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the most items that may be held.
    pub fn capacity(&self) -> usize {
        self.entry.capacity
    }

    /// Returns the most items ever held.
    pub fn high_water(&self) -> usize {
        self.entry.figures.high_water()
    }

    /// Returns how often the limit acted.
    pub fn overflows(&self) -> u64 {
        self.entry.figures.overflows()
    }

    /// Reads all figures of the line.
    pub fn status(&self) -> LineStatus {
        self.entry.status()
    }
}

impl std::fmt::Debug for Gauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Gauge").field(&self.entry.status()).finish()
    }
}

/// One line: what was declared, and its figures.
pub(crate) struct Entry {
    pub(crate) figures: Figures,
    pub(crate) name: LineName,
    capacity: usize,
    item_bytes: usize,
    pub(crate) bytes: u64,
    policy: WhenFull,
    class: Class,
    /// Where the two ends of a queue count the length, if the line is one between two threads.
    #[cfg(feature = "spsc")]
    passage: std::sync::OnceLock<Arc<Passage>>,
}

// An entry (with its two reference counts) and the largest container head fit into what a line is charged.
#[cfg(not(loom))]
const _: () = assert!(size_of::<Entry>() + 16 + 416 <= LINE_BYTES);

impl Entry {
    pub(crate) fn new(line: &Line<'_>) -> Result<Self, LedgerError> {
        let Line { name, capacity, item_bytes, policy, class } = *line;
        let name = LineName::parse(name).ok_or_else(|| LedgerError::NameInvalid { name: name.chars().take(120).collect() })?;
        // A cost that somebody else allocates may be nothing; a container for nothing is a mistake.
        let external = class == Class::External;
        if capacity == 0 && !external {
            return Err(LedgerError::NoCapacity { name });
        }
        let items = (capacity as u64).checked_mul(item_bytes as u64);
        let head = if external { 0 } else { LINE_BYTES as u64 };
        let bytes = items.and_then(|items| items.checked_add(head)).filter(|_| external || capacity <= CAPACITY_MAX);
        let Some(bytes) = bytes else { return Err(LedgerError::TooLarge { name, capacity, item_bytes }) };
        Ok(Self {
            figures: Figures::new(),
            name,
            capacity,
            item_bytes,
            bytes,
            policy,
            class,
            #[cfg(feature = "spsc")]
            passage: std::sync::OnceLock::new(),
        })
    }

    fn len(&self) -> usize {
        #[cfg(feature = "spsc")]
        if let Some(passage) = self.passage.get() {
            return passage.len(self.capacity);
        }
        self.figures.len()
    }

    pub(crate) fn status(&self) -> LineStatus {
        LineStatus {
            name: self.name,
            capacity: self.capacity,
            item_bytes: self.item_bytes,
            bytes: self.bytes,
            len: self.len(),
            high_water: self.figures.high_water(),
            overflows: self.figures.overflows(),
            policy: self.policy,
            class: self.class,
        }
    }
}
