//! What can go wrong when a statement meets a live database, each in a file of its own, and the assessment that asks
//! them all.
//!
//! A hazard reports facts; how grave they are is decided in `policy`. Pure functions over values. Absent: connections,
//! output, and everything about the plan that is not SQL.

mod finding;
#[cfg(test)]
mod forms;
mod page;
mod policy;
mod scene;
#[cfg(test)]
mod tests;

pub(crate) use finding::{Finding, Severity};
pub(crate) use page::page;

use crate::sql::{
    Action, Catalog, ColumnBefore, Known, LockMode, Relation, Statement, StatementKind, read_script,
};
use scene::{Fact, Held, Scene};

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

/// Declares the hazards' modules and their table, in the order in which findings are shown.
macro_rules! hazards {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// Every hazard.
        pub(crate) fn all() -> &'static [Hazard] {
            static ALL: &[Hazard] = &[$($name::HAZARD),*];
            ALL
        }
    };
}

hazards!(
    unreadable_statement,
    drop_table,
    drop_column,
    drop_contents,
    truncate,
    delete_all_rows,
    update_all_rows,
    cascade,
    narrowing_type_change,
    destructive_code,
    not_in_transaction,
    transaction_control,
    alter_column_type,
    rewrite_table,
    add_column_volatile_default,
    add_column_serial,
    add_column_generated,
    add_column_not_null,
    set_not_null,
    add_check,
    add_foreign_key,
    add_unique,
    add_exclude,
    create_index,
    validate_with_add,
    work_under_lock,
    rename_table,
    rename_column,
    drop_index,
    drop_foreign_key,
    foreign_key_locks_parent,
    attach_partition,
    lock_table,
    reindex,
    refresh_view,
    alter_sequence,
    unknown_effect,
);

/// What is known beside the text of the migrations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    /// The live database's tables; none without a connection.
    pub(crate) catalog: Option<Catalog>,
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
    /// The column that the operation alters, as it was.
    pub(crate) before: Option<ColumnBefore<'a>>,
}

/// The statements of each migration with their findings. The migrations run in this order: what one creates is new to
/// the next. Lines count through a migration's parts as if each began on a new line.
pub(crate) fn assess_migrations(
    migrations: &[MigrationSql<'_>],
    context: &Context,
) -> Vec<Vec<Statement>> {
    let mut known = Known::new(context.catalog.as_ref());
    migrations
        .iter()
        .map(|migration| assess_migration(migration, &mut known))
        .collect()
}

fn assess_migration(migration: &MigrationSql<'_>, known: &mut Known) -> Vec<Statement> {
    let mut held = Held::default();
    let mut statements = Vec::new();
    let mut line = 0;
    for part in &migration.parts {
        for reading in read_script(part.sql) {
            let mut statement = reading.forecast(part.before.as_ref(), known);
            statement.line += line;
            statement.findings = findings(&Scene {
                statement: &statement,
                known,
                atomic: migration.atomic,
                held: &held,
            });
            held.take_in(&statement, migration.atomic, known);
            known.apply(&statement.actions);
            statements.push(statement);
        }
        line += part.sql.matches('\n').count() + 1;
    }
    statements
}

fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for hazard in all() {
        for fact in (hazard.run)(scene) {
            findings.push(policy::finding(hazard.code, fact, scene));
        }
    }
    findings
}
