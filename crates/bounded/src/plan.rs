//! Several lines that are admitted together or not at all.

use crate::grant::Grant;
use crate::ledger::LedgerError;
use crate::limits::PLAN_LINES_MAX;
use crate::line::{Class, Line, LineName, WhenFull};

/// What one newcomer (a symbol, an account) needs, all of it.
///
/// # Bounds
/// [`PLAN_LINES_MAX`] lines.
#[derive(Clone, Debug)]
pub struct Plan {
    name: String,
    lines: Vec<Planned>,
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    name: LineName,
    capacity: usize,
    item_bytes: usize,
    policy: WhenFull,
    class: Class,
}

impl Plan {
    /// Begins a plan for the one named, which refusals mention.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), lines: Vec::new() }
    }

    /// Adds a line; its whole name must be unique in the ledger.
    ///
    /// # Errors
    /// When the name is malformed or the plan has [`PLAN_LINES_MAX`] lines already.
    pub fn add(&mut self, line: Line<'_>) -> Result<(), LedgerError> {
        let Line { name, capacity, item_bytes, policy, class } = line;
        let name = LineName::parse(name).ok_or_else(|| LedgerError::NameInvalid { name: name.chars().take(120).collect() })?;
        if self.lines.len() == PLAN_LINES_MAX {
            return Err(LedgerError::TooManyLines { name, lines_max: PLAN_LINES_MAX });
        }
        self.lines.push(Planned { name, capacity, item_bytes, policy, class });
        Ok(())
    }

    /// Adds a line and returns the plan, to be written in a row.
    ///
    /// # Errors
    /// As [`Plan::add`].
    pub fn with(mut self, line: Line<'_>) -> Result<Self, LedgerError> {
        self.add(line)?;
        Ok(self)
    }

    /// Returns whom the plan is for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how many lines it has.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Tells whether it has no lines.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Iterates over the lines in the order they were added.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines.iter().map(|line| Line {
            name: &line.name,
            capacity: line.capacity,
            item_bytes: line.item_bytes,
            policy: line.policy,
            class: line.class,
        })
    }
}

/// The grants of an admitted plan, to be handed out to its containers. What is left in it is released when it is dropped.
///
/// A symbol is released as it was admitted: when all containers made from its plan are gone, all its bytes are free again.
/// Until then its names are taken, so that it cannot come back in part.
///
/// # Bounds
/// [`PLAN_LINES_MAX`] grants.
#[derive(Debug)]
pub struct Grants {
    grants: Vec<Grant>,
}

impl Grants {
    pub(crate) fn new(grants: Vec<Grant>) -> Self {
        Self { grants }
    }

    /// Makes the grants of a plan without a ledger, for tests, benches and backtests.
    ///
    /// # Panics
    /// When a line could not be granted by any ledger, as [`Grant::detached`].
    #[track_caller]
    pub fn detached(plan: &Plan) -> Self {
        Self { grants: plan.lines().map(Grant::detached).collect() }
    }

    /// Takes the first grant left that has this template, or this whole name.
    ///
    /// # Errors
    /// When there is none: the plan and what is built from it disagree.
    pub fn take(&mut self, template: &str) -> Result<Grant, NotPlanned> {
        let found = self.grants.iter().position(|grant| grant.template() == template || grant.name() == template);
        match found {
            Some(at) => Ok(self.grants.remove(at)),
            None => Err(NotPlanned { template: template.to_owned() }),
        }
    }

    /// Returns how many are left.
    pub fn len(&self) -> usize {
        self.grants.len()
    }

    /// Tells whether all were taken.
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }
}

impl IntoIterator for Grants {
    type Item = Grant;
    type IntoIter = std::vec::IntoIter<Grant>;

    /// Hands out what is left, in the order of the plan.
    fn into_iter(self) -> Self::IntoIter {
        self.grants.into_iter()
    }
}

/// No grant of this template is left in the plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no line {template} is left in the plan")]
pub struct NotPlanned {
    /// What was asked for.
    pub template: String,
}

/// Why a plan was not admitted. Nothing of it was granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not fit into what is left of the budget.
    #[error("{plan} needs {needed} bytes of memory and {free} of {budget} are left: raise memory.budget or trade fewer symbols")]
    OverBudget {
        /// Whom the plan is for.
        plan: String,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are left.
        free: u64,
        /// Bytes in all.
        budget: u64,
    },
    /// One of its lines is impossible.
    #[error(transparent)]
    Line(#[from] LedgerError),
}
