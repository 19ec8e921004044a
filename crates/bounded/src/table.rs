//! The table that says why the plan does not fit.

use std::fmt;

use crate::ledger::sum_up;
use crate::limits::TABLE_ROWS_MAX;
use crate::line::{LineName, LineStatus, TemplateStatus};

/// The lines add up to more than the budget.
///
/// Its `Display` is a table of the largest templates and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverBudget {
    budget: u64,
    total: u64,
    templates: Vec<TemplateStatus>,
    owners: Option<Box<Owners>>,
}

impl OverBudget {
    pub(crate) fn new(budget: u64, total: u64, lines: &[LineStatus]) -> Self {
        let mut templates = sum_up(lines.to_vec());
        templates.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.template().cmp(b.template())));
        Self { budget, total, templates, owners: Owners::of(lines).map(Box::new) }
    }

    /// Returns the budget in bytes.
    pub fn budget(&self) -> u64 {
        self.budget
    }

    /// Returns what all lines take at worst, in bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns the lines summed up by template, the largest first.
    pub fn templates(&self) -> &[TemplateStatus] {
        &self.templates
    }
}

impl std::error::Error for OverBudget {}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget, total, templates, owners } = self;
        let excess = total.saturating_sub(*budget);
        writeln!(f, "the memory plan needs {}, {} more than the budget of {}", Size(*total), Size(excess), Size(*budget))?;
        writeln!(f)?;
        writeln!(f, "  {:<36} {:>6} {:>10} {:>10} {:>11} {:>6}  of each", "line", "count", "items", "bytes each", "bytes", "share")?;
        for sum in templates.iter().take(TABLE_ROWS_MAX) {
            let share = percent(sum.bytes, *total);
            let TemplateStatus { lines, capacity, worst, .. } = sum;
            let bytes = Size(sum.bytes).to_string();
            let (template, item, class) = (sum.template(), worst.item_bytes, worst.class);
            writeln!(f, "  {template:<36} {lines:>6} {capacity:>10} {item:>10} {bytes:>11} {share:>5}%  {class}")?;
        }
        let rest = templates.get(TABLE_ROWS_MAX..).unwrap_or_default();
        if !rest.is_empty() {
            let lines: usize = rest.iter().map(|sum| sum.lines).sum();
            let sum: u64 = rest.iter().map(|sum| sum.bytes).sum();
            let (bytes, share) = (Size(sum).to_string(), percent(sum, *total));
            writeln!(f, "  {:<36} {lines:>6} {:>10} {:>10} {bytes:>11} {share:>5}%", "the rest", "", "")?;
        }
        writeln!(f)?;
        write!(f, "raise memory.budget to at least {} MB, or reduce the largest capacities above", total.div_ceil(1_000_000))?;
        match owners.as_deref() {
            // With one owner there is nothing to leave out: it is the capacities that are too large.
            Some(Owners { count, dearest, bytes }) if *count > 1 => {
                write!(f, "; of {count} owners {} takes most: {}", dearest.owner(), Size(*bytes))
            }
            _ => Ok(()),
        }
    }
}

/// The owners (symbols, accounts) of the lines, and which of them takes most.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owners {
    count: usize,
    dearest: LineName,
    bytes: u64,
}

impl Owners {
    fn of(lines: &[LineStatus]) -> Option<Self> {
        let mut owned: Vec<&LineStatus> = lines.iter().filter(|line| !line.name.owner().is_empty()).collect();
        owned.sort_by(|a, b| a.name.owner().cmp(b.name.owner()));
        let owners = owned.chunk_by(|a, b| a.name.owner() == b.name.owner());
        let sums = owners.map(|lines| (lines.iter().map(|line| line.bytes).sum::<u64>(), lines));
        let count = sums.clone().count();
        // Of equals the first by name.
        let (bytes, lines) = sums.min_by_key(|(bytes, _)| std::cmp::Reverse(*bytes))?;
        lines.first().map(|line| Self { count, dearest: line.name, bytes })
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    (u128::from(part) * 100).checked_div(u128::from(whole)).unwrap_or(0) as u64
}

/// Bytes as people read them, in the same decimal units as `memory.budget`.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ 0..1_000 => write!(f, "{bytes} B"),
            bytes @ 1_000..1_000_000 => write!(f, "{}.{} kB", bytes / 1_000, bytes / 100 % 10),
            bytes => write!(f, "{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
        }
    }
}
