//! What can go wrong when a statement meets a live database, each in a file of its own, and the assessment that asks
//! them all.
//!
//! A hazard reports facts; how grave they are is decided in `policy`. Pure functions over values. Absent: connections,
//! output, and everything about the plan that is not SQL.

pub(crate) mod beyond;
pub(crate) mod data;
mod finding;
mod floor;
#[cfg(test)]
mod forms;
mod marks;
mod page;
mod policy;
mod scene;
mod sides;
#[cfg(test)]
mod tests;

mod add_check;
mod add_column_domain;
mod add_column_generated;
mod add_column_not_null;
mod add_column_serial;
mod add_column_volatile_default;
mod add_exclude;
mod add_foreign_key;
mod add_unique;
mod alter_column_type;
mod alter_domain;
mod alter_sequence;
mod attach_partition;
mod cascade;
mod column_in_use;
mod create_index;
mod delete_all_rows;
mod dependents_in_the_way;
mod destructive_code;
mod detach_partition;
mod disable_trigger;
mod drop_column;
mod drop_contents;
mod drop_foreign_key;
mod drop_index;
mod drop_object;
mod drop_table;
mod enum_value_in_transaction;
mod foreign_key_locks_parent;
mod guard_changed;
mod lock_table;
mod long_lock;
mod narrowing_type_change;
mod not_in_transaction;
mod pending_triggers;
mod refresh_view;
mod reindex;
mod rename_column;
mod rename_table;
mod rewrite_table;
mod set_not_null;
mod transaction_control;
mod truncate;
mod unique_default;
mod unknown_effect;
mod unreadable_statement;
mod update_all_rows;
mod validate_with_add;
mod work_under_lock;

pub(crate) use finding::{Finding, Severity};
pub(crate) use floor::{DESTROYS, least};
pub(crate) use marks::marks;
pub(crate) use page::page;
pub(crate) use policy::severity;
pub(crate) use sides::{Code, Side};

use crate::sql::{ColumnBefore, Statement, StatementKind, World, read_script};
use scene::{Fact, Held, Scene};
use std::cell::OnceCell;

/// One page of the documentation, and the function that finds it in a statement.
pub(crate) struct Hazard {
    /// Kebab-case, stable.
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    /// What PostgreSQL does.
    pub(crate) happens: &'static str,
    /// Why that hurts a service in use.
    pub(crate) hurts: &'static str,
    /// The safer way, in Django's terms.
    pub(crate) safer: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) good: &'static str,
    run: fn(&Scene<'_>) -> Vec<Fact>,
}

/// Every hazard, in the order in which findings are shown.
static ALL: &[Hazard] = &[
    unreadable_statement::HAZARD,
    drop_table::HAZARD,
    drop_column::HAZARD,
    drop_contents::HAZARD,
    truncate::HAZARD,
    delete_all_rows::HAZARD,
    update_all_rows::HAZARD,
    drop_object::HAZARD,
    cascade::HAZARD,
    narrowing_type_change::HAZARD,
    destructive_code::HAZARD,
    not_in_transaction::HAZARD,
    column_in_use::HAZARD,
    dependents_in_the_way::HAZARD,
    pending_triggers::HAZARD,
    unique_default::HAZARD,
    enum_value_in_transaction::HAZARD,
    transaction_control::HAZARD,
    guard_changed::HAZARD,
    disable_trigger::HAZARD,
    alter_column_type::HAZARD,
    rewrite_table::HAZARD,
    add_column_volatile_default::HAZARD,
    add_column_domain::HAZARD,
    add_column_serial::HAZARD,
    add_column_generated::HAZARD,
    add_column_not_null::HAZARD,
    set_not_null::HAZARD,
    add_check::HAZARD,
    add_foreign_key::HAZARD,
    add_unique::HAZARD,
    add_exclude::HAZARD,
    create_index::HAZARD,
    validate_with_add::HAZARD,
    work_under_lock::HAZARD,
    rename_table::HAZARD,
    rename_column::HAZARD,
    drop_index::HAZARD,
    drop_foreign_key::HAZARD,
    foreign_key_locks_parent::HAZARD,
    attach_partition::HAZARD,
    detach_partition::HAZARD,
    lock_table::HAZARD,
    reindex::HAZARD,
    refresh_view::HAZARD,
    alter_sequence::HAZARD,
    alter_domain::HAZARD,
    unknown_effect::HAZARD,
    long_lock::HAZARD,
];

pub(crate) fn all() -> &'static [Hazard] {
    ALL
}

/// What is known beside the text of the migrations.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The live database's schema; unread without a connection.
    pub(crate) world: World,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            world: World::unread(),
        }
    }
}

/// Whether a migration's statements share one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Atomic {
    Yes,
    No,
}

/// The SQL of one migration, in the order in which it runs.
#[derive(Debug, Clone)]
pub(crate) struct MigrationSql<'a> {
    pub(crate) atomic: Atomic,
    pub(crate) parts: Vec<SqlPart<'a>>,
}

/// What Django executes at once: one statement, or several parted by semicolons.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SqlPart<'a> {
    pub(crate) sql: &'a str,
    /// Which operation of the migration sends it, from 0; none of what the schema editor sends at the end.
    pub(crate) operation: Option<usize>,
    /// The column that the operation alters, as it was.
    pub(crate) before: Option<ColumnBefore<'a>>,
}

/// The statements of each migration with their findings. The migrations run in this order: what one creates is new to
/// the next. Lines count through a migration's parts as if each began on a new line.
pub(crate) fn assess_migrations(
    migrations: &[MigrationSql<'_>],
    context: &Context,
) -> Vec<Vec<Statement>> {
    let mut known = context.world.clone();
    migrations
        .iter()
        .map(|migration| assess_migration(migration, &mut known))
        .collect()
}

fn assess_migration(migration: &MigrationSql<'_>, known: &mut World) -> Vec<Statement> {
    let mut held = Held::default();
    let mut statements = Vec::new();
    known.commit();
    let mut line = 0;
    for part in &migration.parts {
        for reading in read_script(part.sql) {
            let mut statement = reading.forecast(part.before.as_ref(), known);
            statement.line += line;
            statement.operation = part.operation;
            let scene = Scene {
                statement: &statement,
                known,
                atomic: migration.atomic,
                held: &held,
                existing: OnceCell::new(),
            };
            let (findings, sides) = (findings(&scene), sides::sides(&scene));
            (statement.findings, statement.sides) = (findings, sides);
            held.take_in(&statement, migration.atomic, known);
            known.apply(&statement.actions);
            statements.push(statement);
        }
        line += part.sql.matches('\n').count() + 1;
    }
    statements
}

/// The statements of a script that is no migration, one after the other: BEGIN and COMMIT in it are its own. `atomic`: it
/// begins in a transaction.
pub(crate) fn assess_script(
    sql: &str,
    context: &Context,
    mut atomic: Atomic,
) -> impl Iterator<Item = Statement> {
    let mut known = context.world.clone();
    let mut held = Held::default();
    read_script(sql).map(move |reading| {
        let mut statement = reading.forecast(None, &known);
        match statement.kind {
            StatementKind::Begin => atomic = Atomic::Yes,
            StatementKind::Commit | StatementKind::Rollback => {
                atomic = Atomic::No;
                held = Held::default();
                known.commit();
            }
            _ => {
                statement.findings = findings(&Scene {
                    statement: &statement,
                    known: &known,
                    atomic,
                    held: &held,
                    existing: OnceCell::new(),
                });
                held.take_in(&statement, atomic, &known);
                known.apply(&statement.actions);
            }
        }
        statement
    })
}

fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for hazard in all() {
        if hazard.code == long_lock::HAZARD.code && long_lock::is_told(&findings, scene) {
            continue;
        }
        for fact in (hazard.run)(scene) {
            findings.push(policy::finding(hazard.code, fact, scene));
        }
    }
    findings
}

/// `view a and view b stand`, at most three by name; none of none.
fn stand(users: &[String]) -> Option<String> {
    Some(match users {
        [] => return None,
        [one] => format!("{one} stands"),
        [one, two] => format!("{one} and {two} stand"),
        [one, two, three] => format!("{one}, {two} and {three} stand"),
        [one, two, more @ ..] => format!("{one}, {two} and {} more stand", more.len()),
    })
}
