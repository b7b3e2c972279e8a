//! What one `inspect` found out: plain values, gathered from the answers in any order.
//!
//! Absent here: whether a fact is good or bad.

use std::collections::BTreeMap;

use super::wire::{
    Answer, Check, Database, Django, DriftChange, Graph, Hello, History, MigrationItem, ModelQuery,
    Planned, Problem, SchemaDifference, Sql, Warning,
};
use crate::names::MigrationId;

/// The project, its history and its plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProjectFacts {
    pub(crate) hello: Option<Hello>,
    pub(crate) django: Option<Django>,
    pub(crate) databases: Vec<Database>,
    pub(crate) checks: Vec<Check>,
    /// Seconds that the checks took; none where they did not come to their end.
    pub(crate) checks_seconds: Option<f64>,
    pub(crate) graph: Option<Graph>,
    pub(crate) history: Option<History>,
    pub(crate) migrations: Vec<MigrationItem>,
    /// In the order in which Django would run them.
    pub(crate) planned: Vec<Planned>,
    pub(crate) sql: BTreeMap<MigrationId, Sql>,
    pub(crate) drift: Option<Vec<DriftChange>>,
    pub(crate) schema: Option<Vec<SchemaDifference>>,
    pub(crate) queries: Vec<ModelQuery>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) problems: Vec<Problem>,
}

impl ProjectFacts {
    pub(crate) fn absorb(&mut self, answer: Answer) {
        match answer {
            Answer::Hello(hello) => self.hello = Some(hello),
            Answer::Django(django) => self.django = Some(django),
            Answer::Database(database) => self.databases.push(database),
            Answer::Check(check) => self.checks.push(check),
            Answer::ChecksDone { seconds, .. } => self.checks_seconds = Some(seconds),
            Answer::Graph(graph) => self.graph = Some(graph),
            Answer::History(history) => self.history = Some(history),
            Answer::Migrations { items } => self.migrations = items,
            Answer::Planned(planned) => self.planned.push(planned),
            Answer::Sql(sql) => {
                self.sql.insert(MigrationId::new(&sql.app, &sql.name), sql);
            }
            Answer::Drift { changes, .. } => self.drift = Some(changes),
            Answer::Schema { differences, .. } => self.schema = Some(differences),
            Answer::ModelQuery(query) => self.queries.push(query),
            Answer::Warning(warning) => self.warnings.push(warning),
            Answer::Problem(problem) => self.problems.push(problem),
            // progress of a `migrate`; an inspection has none
            Answer::SqlDone { .. }
            | Answer::Connected { .. }
            | Answer::MigrationStarted { .. }
            | Answer::StatementStarted { .. }
            | Answer::StatementRunning { .. }
            | Answer::StatementSkipped { .. }
            | Answer::StatementFinished { .. }
            | Answer::CommitStarted
            | Answer::StatementFailed { .. }
            | Answer::AttemptFailed(_)
            | Answer::MigrationApplied { .. }
            | Answer::MigrationFailed { .. }
            | Answer::MigrateDone { .. }
            | Answer::Bye { .. } => {}
        }
    }

    /// The database that was asked for.
    pub(crate) fn database(&self) -> Option<&Database> {
        self.databases.iter().find(|d| d.selected)
    }
}
