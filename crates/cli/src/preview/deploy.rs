//! When to apply a migration while old and new code run side by side. Pure; it knows kinds, not code.

use serde::Serialize;

use crate::django::wire::Operation;
use crate::sql::{Statement, StatementKind};

/// Relative to the deploy of the code that comes with the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Deploy {
    /// The old code lives with it, the new code needs it.
    Before,
    /// The new code lives without it, the old code would break.
    After,
    /// Both live with it and without it.
    Either,
    /// Old or new code breaks, or nobody can tell.
    Neither,
}

impl Deploy {
    pub(super) fn of(statements: &[Statement], complete: bool, operations: &[Operation]) -> Self {
        if !complete || statements.iter().any(|s| !s.parsed) {
            return Self::Neither;
        }
        let required = operations.iter().any(adds_required_column);
        statements
            .iter()
            .map(|s| of_kind(s.kind, required))
            .fold(Self::Either, Self::and)
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Either, x) | (x, Self::Either) => x,
            (a, b) if a == b => a,
            _ => Self::Neither,
        }
    }
}

/// Django drops the default that it added with the column: the old code's INSERTs then fail.
fn adds_required_column(operation: &Operation) -> bool {
    let here = operation.base.as_deref() == Some("AddField")
        && operation
            .field_after
            .as_ref()
            .is_some_and(|f| f.column.is_some() && !f.null && !f.has_db_default);
    here || operation
        .database_operations
        .iter()
        .any(adds_required_column)
}

fn of_kind(kind: StatementKind, required: bool) -> Deploy {
    use StatementKind as K;
    match kind {
        K::AddColumn if required => Deploy::Neither,
        K::CreateTable
        | K::CreateTableAs
        | K::AddColumn
        | K::CreateView
        | K::CreateMaterializedView
        | K::CreateSequence
        | K::CreateType
        | K::CreateDomain
        | K::CreateFunction
        | K::CreateExtension
        | K::CreateSchema
        | K::DropNotNull => Deploy::Before,
        K::DropTable
        | K::DropColumn
        | K::DropView
        | K::DropMaterializedView
        | K::DropSequence
        | K::DropType
        | K::DropDomain
        | K::DropFunction
        | K::DropExtension
        | K::DropSchema
        | K::SetNotNull
        | K::AddNotNull => Deploy::After,
        K::CreateIndex
        | K::DropIndex
        | K::RenameIndex
        | K::AlterIndex
        | K::Reindex
        | K::Comment
        | K::Set
        | K::CreateStatistics
        | K::ValidateConstraint
        | K::RenameConstraint
        | K::DropConstraint
        | K::SetDefault
        | K::DropDefault
        | K::SetColumnOption
        | K::SetTableOption
        | K::Select
        | K::Analyze
        | K::Vacuum
        | K::Grant => Deploy::Either,
        // the old code may still write what it forbids
        K::AddForeignKey | K::AddCheck | K::AddUnique | K::AddPrimaryKey | K::AddExclude => {
            Deploy::After
        }
        _ => Deploy::Neither,
    }
}
