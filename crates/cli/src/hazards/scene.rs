//! What a hazard sees: one statement, what is known around it, and what its transaction holds already.

use super::Atomic;
use crate::sql::{Action, Change, LockMode, Object, Relation, Statement, Validity, World};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// A table up to this size is read or rewritten before anybody notices.
const TINY_BYTES: u64 = 1024 * 1024;

/// What a hazard found; the policy makes a finding of it.
pub(super) struct Fact {
    pub(super) message: String,
    pub(super) remedy: Cow<'static, str>,
    pub(super) relation: Option<Relation>,
}

impl Fact {
    pub(super) fn new(
        relation: &Relation,
        message: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            message: message.into(),
            remedy: remedy.into(),
            relation: Some(relation.clone()),
        }
    }

    /// About no relation in particular.
    pub(super) fn general(
        message: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            message: message.into(),
            remedy: remedy.into(),
            relation: None,
        }
    }
}

pub(super) struct Scene<'a> {
    pub(super) statement: &'a Statement,
    pub(super) known: &'a World,
    pub(super) atomic: Atomic,
    pub(super) held: &'a Held,
    /// Looked up once: every hazard asks.
    pub(super) existing: OnceCell<Vec<&'a Action>>,
}

impl<'a> Scene<'a> {
    /// The actions that concern something which existed before the plan.
    pub(super) fn actions(&self) -> impl Iterator<Item = &'a Action> {
        let existing = self.existing.get_or_init(|| {
            let is_new = |action: &&Action| {
                let subject = action.subject();
                subject.is_some_and(|name| self.known.is_new(name))
            };
            let actions = self.statement.actions.iter();
            actions.filter(|action| !is_new(action)).collect()
        });
        existing.iter().copied()
    }

    /// The actions of ALTER TABLE on tables that existed before the plan.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&'a Relation, &'a Change)> {
        self.actions().filter_map(|action| match action {
            Action::AlterTable { table, change, .. } => Some((table, change)),
            _ => None,
        })
    }

    pub(super) fn is_new(&self, relation: &Relation) -> bool {
        self.known.is_new(relation)
    }

    /// The statement reads or writes all of it, a partition or an inheriting table of it; true also where that is not known.
    pub(super) fn works_on(&self, table: &Relation) -> bool {
        let statement = self.statement;
        let works =
            |name: &Relation| statement.rewrites.contains(name) || statement.scans.contains(name);
        if works(table) || !statement.unknowns.is_empty() {
            return true;
        }
        let Some((id, _)) = self.known.get(table) else {
            return false;
        };
        let descendants = self.known.descendants(id);
        let mut names = descendants.iter().filter_map(|id| self.known.name_of(*id));
        names.any(works)
    }

    /// `public.item (about 12,000 rows, 3.4 MB)`, or the name alone.
    pub(super) fn sized(&self, relation: &Relation) -> String {
        let facts = self.known.facts(relation);
        let rows = facts
            .and_then(|facts| facts.rows)
            .map(|rows| format!("about {}", crate::ui::count(rows, "row")));
        let bytes = facts.and_then(|facts| facts.bytes).map(size);
        let known: Vec<String> = rows.into_iter().chain(bytes).collect();
        if known.is_empty() {
            relation.to_string()
        } else {
            format!("{relation} ({})", known.join(", "))
        }
    }

    /// Known to be so small that reading or rewriting all of it takes no time to speak of.
    pub(super) fn is_tiny(&self, relation: &Relation) -> bool {
        let bytes = |facts: &Object| facts.bytes;
        self.known
            .facts(relation)
            .and_then(bytes)
            .is_some_and(|bytes| bytes <= TINY_BYTES)
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    // one decimal is enough, and integers do not round up to a size that the table does not have
    let mut tenths = bytes * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// What the transaction of a migration holds before a statement.
#[derive(Default)]
pub(super) struct Held {
    pub(super) locks: BTreeMap<Relation, LockMode>,
    /// Constraints that were added NOT VALID.
    pub(super) not_valid: BTreeSet<(Relation, String)>,
    /// Values that were added to an enum.
    pub(super) enum_values: Vec<(Relation, String)>,
}

impl Held {
    /// A lock is held to the end of the transaction: outside one, nothing is.
    pub(super) fn take_in(&mut self, statement: &Statement, atomic: Atomic, known: &World) {
        if atomic == Atomic::No {
            return;
        }
        for lock in statement
            .locks
            .iter()
            .filter(|lock| !known.is_new(&lock.relation))
        {
            let held = self.locks.entry(lock.relation.clone()).or_insert(lock.mode);
            *held = lock.mode.max(*held);
        }
        for action in &statement.actions {
            if let Action::AddEnumValue { name, value } = action
                && !(known.is_from(17) && known.is_new_type(name))
            {
                self.enum_values.push((name.clone(), value.clone()));
            }
            if let Action::AlterTable {
                table,
                change: Change::AddConstraint(constraint),
                ..
            } = action
                && constraint.validity == Validity::NotValid
                && let Some(name) = &constraint.name
            {
                self.not_valid.insert((table.clone(), name.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_read_well() {
        let cases = [
            (0, "0 bytes"),
            (8192, "8.0 kB"),
            (1_048_576, "1.0 MB"),
            (3_650_000, "3.4 MB"),
            (1 << 50, "1024.0 TB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(size(bytes), expected);
        }
    }
}
