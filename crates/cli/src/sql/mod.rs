//! Reads PostgreSQL's SQL and says what each statement will do: kind, locks, rewrites, scans, losses.
//!
//! The way is `split` → `read` (text to [`Action`]s) → `effects` (actions to locks and losses); what to think of it is
//! the hazards' business, and [`crate::hazards::assess_migrations`] joins the two. Everything here is pure. sqlparser's
//! types do not leave this folder. Absent: connections, files, severities.

mod action;
#[cfg(any(test, feature = "fuzzing"))]
mod check;
mod cursor;
mod effects;
mod estimate;
mod kind;
mod lock;
mod mask;
mod phrase;
mod read;
mod relation;
#[cfg(test)]
mod spellings;
mod split;
mod statement;
mod tokens;
mod types;
mod world;

pub(crate) use action::{
    Action, Behavior, Change, Column, Constraint, CreateIndex, Drop, KeySource, Knowledge, Method,
    Nullability, Rows, Rule, Validity, Value,
};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use check::check_split;
pub(crate) use estimate::{Estimate, speeds};
pub(crate) use kind::StatementKind;
pub(crate) use lock::{Blocks, Lock, LockMode};
pub(crate) use mask::masked;
pub(crate) use phrase::{phrases, words};
pub(crate) use relation::Relation;
pub(crate) use statement::{Evidence, Loss, ScanReason, Statement};
pub(crate) use types::{Bound, bound, same_family};
pub(crate) use world::{Class, KeyKind, Node, Object, World};

use effects::{Effects, effects};

/// The type of a column before its operation, as Django's state has it. Where AlterField changes the type of a key, it
/// changes the foreign keys to it as well: these had the same type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ColumnBefore<'a> {
    /// The table as Django names it, without a schema.
    pub(crate) table: &'a str,
    pub(crate) column: &'a str,
    pub(crate) db_type: &'a str,
}

/// A statement as it was read, before anybody asks what it does.
pub(crate) struct Reading<'a> {
    sql: &'a str,
    /// From 1.
    line: usize,
    column: usize,
    actions: Vec<Action>,
}

/// The statements of `script`, in order.
pub(crate) fn read_script(script: &str) -> impl Iterator<Item = Reading<'_>> {
    let pieces = split::split(script).filter(|piece| !piece.sql.is_empty());
    pieces.map(|piece| Reading {
        sql: piece.sql,
        line: piece.line,
        column: piece.column,
        actions: read::read(piece.sql),
    })
}

impl Reading<'_> {
    /// What it does, where it stands: `world` is what was there before it. It still has no findings.
    pub(crate) fn forecast(self, before: Option<&ColumnBefore<'_>>, world: &World) -> Statement {
        let old_type = |table: &Relation, column: &str| {
            let concerns = |before: &&ColumnBefore<'_>| {
                before.table != table.name() || before.column == column
            };
            let found = before.filter(concerns)?;
            Some(found.db_type.to_owned())
        };
        let effects = effects(&self.actions, world, &old_type);
        let mut statement = into_statement(self.sql, self.actions, effects, world);
        (statement.line, statement.column) = (self.line, self.column);
        statement
    }
}

fn into_statement(
    sql: &str,
    actions: Vec<Action>,
    effects: Effects<'_>,
    world: &World,
) -> Statement {
    let felt = |relation: &Relation| !world.is_new(relation) && !effects.unfelt.contains(relation);
    let on_others = effects.locks.iter().filter(|(relation, _)| felt(relation));
    let strongest = on_others.map(|(_, mode)| mode.blocks()).max();
    let new = effects.locks.keys().filter(|lock| world.is_new(lock));
    let unfelt = new.cloned().chain(effects.unfelt).collect();
    let locks: Vec<Lock> = effects
        .locks
        .into_iter()
        .map(|(relation, mode)| Lock { relation, mode })
        .collect();
    let unread = |action: &Action| matches!(action, Action::Unread { .. });
    Statement {
        sql: sql.to_owned(),
        line: 1,
        column: 1,
        kind: kind::of(&actions),
        relations: effects.relations,
        evidence: evidence(&locks, &effects.unknowns, world),
        locks,
        rewrites: effects.rewrites,
        estimate: estimate::estimate(&effects.scans, world),
        scans: effects.scans.keys().cloned().collect(),
        scan_reasons: effects.scans,
        blocks: strongest
            .max(effects.blocks_at_least)
            .unwrap_or(Blocks::Nothing),
        transactional: !effects.outside_transaction,
        parsed: !actions.iter().any(unread),
        destructive: !effects.losses.is_empty(),
        findings: Vec::new(),
        operation: None,
        skipped: None,
        sides: Vec::new(),
        actions,
        losses: effects.losses,
        unfelt,
        unknowns: effects.unknowns,
    }
}

/// The catalog stands behind a forecast only where it knew every table that is locked and left no question.
fn evidence(locks: &[Lock], unknowns: &[String], world: &World) -> Evidence {
    let all_known = locks
        .iter()
        .all(|lock| world.facts(&lock.relation).is_some());
    if world.has_catalog() && unknowns.is_empty() && all_known {
        Evidence::Catalog
    } else {
        Evidence::Static
    }
}
