//! One statement and what is known of it: the STATEMENT of the JSON output.
//!
//! What serde skips serves the hazards and the confirmation; it is no promise.

use super::{Action, Blocks, Estimate, Lock, Relation, StatementKind};
use crate::hazards::{Finding, Side};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    /// From 1, in the file or in the migration's SQL.
    pub(crate) line: usize,
    /// The character of that line, from 1.
    #[serde(skip)]
    pub(crate) column: usize,
    pub(crate) kind: StatementKind,
    /// Every relation that the statement names or is known to touch.
    pub(crate) relations: BTreeSet<Relation>,
    pub(crate) locks: Vec<Lock>,
    pub(crate) rewrites: BTreeSet<Relation>,
    pub(crate) scans: BTreeSet<Relation>,
    pub(crate) scan_reasons: BTreeMap<Relation, BTreeSet<ScanReason>>,
    /// Tables that the plan itself created are not counted: nobody else uses them yet.
    pub(crate) blocks: Blocks,
    /// It may run inside a transaction.
    pub(crate) transactional: bool,
    pub(crate) parsed: bool,
    pub(crate) destructive: bool,
    pub(crate) evidence: Evidence,
    pub(crate) findings: Vec<Finding>,
    /// How long its reading and writing in full may take; none without, or where sizes are unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) estimate: Option<Estimate>,
    /// Of a migration: the index of the operation that sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<usize>,
    /// It will not run: the proof that an earlier run has done it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<String>,
    /// Of a migration: whose code it breaks.
    #[serde(skip)]
    pub(crate) sides: Vec<Side>,
    #[serde(skip)]
    pub(crate) actions: Vec<Action>,
    #[serde(skip)]
    pub(crate) losses: Vec<Loss>,
    /// Locks at which nobody waits who does not wait at another one: an index's, where its table is locked as strongly; and
    /// what the plan itself made.
    #[serde(skip)]
    pub(crate) unfelt: BTreeSet<Relation>,
    /// What about its effect is not known, each as the end of "it is not known …".
    #[serde(skip)]
    pub(crate) unknowns: Vec<String>,
}

impl Statement {
    /// The locks at which others wait.
    pub(crate) fn felt(&self) -> impl Iterator<Item = &Lock> {
        let felt = |lock: &&Lock| !self.unfelt.contains(&lock.relation);
        self.locks.iter().filter(felt)
    }
}

/// Why a table is read in full by the statement itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScanReason {
    /// Rows are checked: NOT NULL, CHECK, a partition's bounds.
    Verify,
    /// Rows are written anew.
    Rewrite,
    IndexBuild,
    FkValidate,
}

/// On what the forecast rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Evidence {
    /// The text alone.
    Static,
    /// The live catalog too.
    Catalog,
}

/// What a destructive statement takes away for good. `rows` is the planner's estimate, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    /// A table with all of its rows.
    Table {
        relation: Relation,
        rows: Option<u64>,
    },
    Column {
        relation: Relation,
        column: String,
        rows: Option<u64>,
    },
    /// TRUNCATE, DELETE without WHERE: all rows.
    Rows {
        relation: Relation,
        rows: Option<u64>,
    },
    /// UPDATE without WHERE: values in all rows.
    Values {
        relation: Relation,
        rows: Option<u64>,
    },
    /// A change to a type that may not hold every old value.
    Precision {
        relation: Relation,
        column: String,
        to: String,
        rows: Option<u64>,
    },
    /// DROP SCHEMA, DATABASE, OWNED and their like: what they hold.
    Contents { of: String },
    /// An object that is no table, with what it held.
    Object { what: String },
    /// CASCADE: what depends on the object, as far as nobody has looked.
    Dependents { of: String },
    /// CASCADE: a view, constraint, trigger or default that depends on the object.
    Victim { what: String },
    /// Code that runs and holds words such as DROP TABLE.
    Code { words: String },
}

impl Loss {
    /// The table whose rows are at stake, if one is named.
    pub(crate) fn relation(&self) -> Option<&Relation> {
        match self {
            Self::Table { relation, .. }
            | Self::Column { relation, .. }
            | Self::Rows { relation, .. }
            | Self::Values { relation, .. }
            | Self::Precision { relation, .. } => Some(relation),
            Self::Contents { .. }
            | Self::Object { .. }
            | Self::Dependents { .. }
            | Self::Victim { .. }
            | Self::Code { .. } => None,
        }
    }

    /// Without the planner's estimate, for whoever counted.
    pub(crate) fn without_estimate(&self) -> Self {
        let mut loss = self.clone();
        match &mut loss {
            Self::Table { rows, .. }
            | Self::Column { rows, .. }
            | Self::Rows { rows, .. }
            | Self::Values { rows, .. }
            | Self::Precision { rows, .. } => *rows = None,
            Self::Contents { .. }
            | Self::Object { .. }
            | Self::Dependents { .. }
            | Self::Victim { .. }
            | Self::Code { .. } => {}
        }
        loss
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = |rows: &Option<u64>| {
            rows.map(|rows| format!(" (about {})", crate::ui::count(rows, "row")))
                .unwrap_or_default()
        };
        match self {
            Self::Table { relation, rows } => {
                write!(f, "table {relation} and all of its rows{}", about(rows))
            }
            Self::Column {
                relation,
                column,
                rows,
            } => {
                write!(
                    f,
                    "column {column} of {relation} and its values{}",
                    about(rows)
                )
            }
            Self::Rows { relation, rows } => write!(f, "all rows of {relation}{}", about(rows)),
            Self::Values { relation, rows } => {
                write!(f, "old values in all rows of {relation}{}", about(rows))
            }
            Self::Precision {
                relation,
                column,
                to,
                rows,
            } => {
                write!(
                    f,
                    "what does not fit into {to} in column {column} of {relation}{}",
                    about(rows)
                )
            }
            Self::Object { what } => f.write_str(what),
            Self::Contents { of } => write!(f, "everything in {of}"),
            Self::Victim { what } => write!(f, "{what} (CASCADE)"),
            Self::Dependents { of } => write!(f, "whatever depends on {of} (CASCADE)"),
            Self::Code { words } => write!(f, "what its code does ({words})"),
        }
    }
}
