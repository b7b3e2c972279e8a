//! The plan's locks in one table: what each migration keeps others from, and with what work meanwhile.
//!
//! A lock is held to the end of its transaction: what an atomic migration does after taking it, it does under it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Preview, PreviewMigration};
use crate::names::MigrationId;
use crate::sql::{Blocks, Estimate, LockMode, Relation, ScanReason, Statement};

/// One relation that a migration locks so that others wait.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Locked {
    #[serde(skip)]
    pub(crate) migration: MigrationId,
    pub(crate) relation: Relation,
    pub(crate) mode: LockMode,
    pub(crate) blocks: Blocks,
    /// What is read or written in full while it is held.
    pub(crate) work: Vec<Work>,
    /// Of that work; none where there is none, or a size is unknown.
    pub(crate) estimate: Option<Estimate>,
    /// SQL or Python whose work nobody knows runs under it.
    pub(crate) more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Work {
    pub(crate) reason: ScanReason,
    pub(crate) relation: Relation,
}

impl Preview {
    /// In the order of the plan; of a migration the strongest first.
    pub(crate) fn locks(&self) -> Vec<Locked> {
        self.migrations.iter().flat_map(of_migration).collect()
    }
}

pub(super) fn of_migration(m: &PreviewMigration) -> Vec<Locked> {
    let statements: Vec<&Statement> = m
        .statements
        .iter()
        .filter(|s| s.skipped.is_none())
        .collect();
    let mut taken: BTreeMap<&Relation, (LockMode, usize)> = BTreeMap::new();
    for (at, statement) in statements.iter().enumerate() {
        let strong = statement
            .felt()
            .filter(|lock| lock.mode.blocks() != Blocks::Nothing);
        for lock in strong {
            let (mode, _) = taken.entry(&lock.relation).or_insert((lock.mode, at));
            *mode = lock.mode.max(*mode);
        }
    }
    let mut locked: Vec<Locked> = taken
        .into_iter()
        .map(|(relation, (mode, at))| {
            let meanwhile: Vec<&Statement> = match m.atomic {
                true => statements[at..].to_vec(),
                false => statements
                    .iter()
                    .filter(|s| s.felt().any(|lock| lock.relation == *relation))
                    .copied()
                    .collect(),
            };
            Locked {
                migration: m.id.clone(),
                relation: relation.clone(),
                mode,
                blocks: mode.blocks(),
                work: work(&meanwhile),
                estimate: estimate(&meanwhile),
                more: m.atomic && !m.complete(),
            }
        })
        .collect();
    locked.sort_by_key(|locked| std::cmp::Reverse(locked.mode));
    locked
}

fn work(statements: &[&Statement]) -> Vec<Work> {
    let mut work: Vec<Work> = Vec::new();
    for statement in statements {
        for (relation, reasons) in &statement.scan_reasons {
            for reason in reasons {
                let one = Work {
                    reason: *reason,
                    relation: relation.clone(),
                };
                if !statement.unfelt.contains(relation) && !work.contains(&one) {
                    work.push(one);
                }
            }
        }
    }
    work
}

fn estimate(statements: &[&Statement]) -> Option<Estimate> {
    let mut sum = None;
    for statement in statements {
        let reads_others = statement
            .scans
            .iter()
            .any(|table| !statement.unfelt.contains(table));
        match statement.estimate {
            Some(estimate) => sum = Some(estimate.and(sum.unwrap_or_default())),
            None if reads_others => return None,
            None => {}
        }
    }
    sum
}
