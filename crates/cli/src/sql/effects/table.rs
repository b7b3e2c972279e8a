//! What the actions of ALTER TABLE do.

use super::{Effects, OldType, concurrent};
use crate::sql::action::{
    Behavior, Change, Column, Constraint, KeySource, Method, Nullability, Rule, Validity, Value,
};
use crate::sql::catalog::{Known, Parent};
use crate::sql::types::{self, Fit, Storage};
use crate::sql::{LockMode, Loss, Relation, ScanReason, StatementKind as Kind};

impl Effects {
    pub(super) fn change(
        &mut self,
        table: &Relation,
        change: &Change,
        known: &Known,
        old_type: OldType<'_>,
    ) {
        self.lock(table, own_lock(change));
        match change {
            Change::AddColumn(column) => self.add_column(table, column, known),
            Change::DropColumn { column, behavior } => {
                self.lock_parents(table, Some(column), known);
                self.losses.push(Loss::Column {
                    relation: table.clone(),
                    column: column.clone(),
                    rows: known.rows(table),
                });
                // up to 5.2 Django always says it: what it asks about the column is enough
                if *behavior == Behavior::Cascade {
                    self.losses.push(Loss::Dependents {
                        of: format!("column {column} of {table}"),
                    });
                }
            }
            Change::AlterType { column, to, using } => {
                let from = old_type(table, column);
                if from.is_none() {
                    self.unknown(format!("which type column {column} of {table} has now"));
                }
                let change = types::change(from.as_deref(), to, *using);
                if change.storage == Storage::Rewritten {
                    self.rewrite(table);
                }
                if change.fit == Fit::Cuts {
                    self.losses.push(Loss::Precision {
                        relation: table.clone(),
                        column: column.clone(),
                        to: to.clone(),
                        rows: known.rows(table),
                    });
                }
            }
            Change::SetNotNull { .. } => self.scan(table, ScanReason::Verify),
            Change::SetExpression { .. } | Change::Rewrite { .. } => self.rewrite(table),
            Change::AddConstraint(constraint) => self.add_constraint(table, constraint),
            Change::DropConstraint { name, behavior } => {
                match known.parent(table, name) {
                    Parent::Known(parent) => self.lock(&parent, LockMode::AccessExclusive),
                    Parent::Unknown => self.unknown(format!(
                        "whether {name} is a foreign key: the table it refers to is locked ACCESS EXCLUSIVE too"
                    )),
                    Parent::None => {}
                }
                if *behavior == Behavior::Cascade {
                    self.cascade(
                        &format!("constraint {name} of {table}"),
                        Kind::DropConstraint,
                    );
                }
            }
            Change::ValidateConstraint { name } => self.validate(table, name, known),
            Change::AttachPartition { partition } => {
                self.lock(partition, LockMode::AccessExclusive);
                self.scan(partition, ScanReason::Verify);
            }
            Change::DetachPartition { partition, method } => {
                let mode = concurrent(
                    *method,
                    LockMode::ShareUpdateExclusive,
                    LockMode::AccessExclusive,
                );
                self.lock(partition, mode);
                self.outside_transaction |= *method == Method::Concurrently;
            }
            Change::Inherit { kind, parent } => {
                let mode = if *kind == Kind::Inherit {
                    LockMode::ShareUpdateExclusive
                } else {
                    LockMode::AccessShare
                };
                self.lock(parent, mode);
            }
            Change::RenameTable { to } | Change::SetSchema { to } => {
                self.relations.insert(to.clone());
            }
            Change::RenameColumn { .. }
            | Change::SetDefault { .. }
            | Change::DropDefault { .. }
            | Change::DropNotNull { .. }
            | Change::Identity { .. }
            | Change::DropExpression { .. }
            | Change::DisableTrigger { .. }
            | Change::Other { .. } => {}
        }
    }

    fn add_column(&mut self, table: &Relation, column: &Column, known: &Known) {
        match &column.value {
            Value::VolatileDefault { .. }
            | Value::Serial
            | Value::Identity
            | Value::GeneratedStored => {
                self.rewrite(table);
            }
            Value::Nothing | Value::GeneratedVirtual
                if column.nullability == Nullability::NotNull =>
            {
                self.scan(table, ScanReason::Verify);
            }
            Value::Nothing | Value::Default | Value::GeneratedVirtual => {}
        }
        if !types::is_known(&column.type_name) && !known.is_new_type(&column.type_name) {
            self.rewrite(table);
            self.unknown(format!(
                "whether {} is a domain with a constraint, which rewrites {table}",
                column.type_name
            ));
        }
        for constraint in &column.constraints {
            // a new column without a value holds only NULL: nothing refers to anything
            if let (Rule::ForeignKey { to, .. }, Value::Nothing) = (&constraint.rule, &column.value)
            {
                self.lock(to, LockMode::ShareRowExclusive);
            } else {
                self.add_constraint(table, constraint);
            }
        }
    }

    fn add_constraint(&mut self, table: &Relation, constraint: &Constraint) {
        if let Rule::ForeignKey { to, .. } = &constraint.rule {
            self.lock(to, LockMode::ShareRowExclusive);
        }
        if constraint.validity == Validity::NotValid {
            return;
        }
        match &constraint.rule {
            Rule::Check | Rule::NotNull => self.scan(table, ScanReason::Verify),
            Rule::ForeignKey { .. } => self.scan(table, ScanReason::FkValidate),
            Rule::Unique(KeySource::Columns)
            | Rule::PrimaryKey(KeySource::Columns)
            | Rule::Exclude => {
                self.scan(table, ScanReason::IndexBuild);
            }
            // it reads the table unless every column is NOT NULL already
            Rule::PrimaryKey(KeySource::Index) => self.scan(table, ScanReason::Verify),
            Rule::Unique(KeySource::Index) => {}
        }
    }

    fn validate(&mut self, table: &Relation, name: &str, known: &Known) {
        match known.parent(table, name) {
            Parent::Known(parent) => {
                self.lock(&parent, LockMode::RowShare);
                self.scan(table, ScanReason::FkValidate);
            }
            // the table that it refers to would get ROW SHARE, which hinders nobody
            Parent::Unknown | Parent::None => self.scan(table, ScanReason::Verify),
        }
    }
}

/// The lock on the altered table itself.
fn own_lock(change: &Change) -> LockMode {
    match change {
        Change::AddConstraint(Constraint {
            rule: Rule::ForeignKey { .. },
            ..
        }) => LockMode::ShareRowExclusive,
        Change::ValidateConstraint { .. } | Change::AttachPartition { .. } => {
            LockMode::ShareUpdateExclusive
        }
        Change::DetachPartition {
            method: Method::Concurrently,
            ..
        } => LockMode::ShareUpdateExclusive,
        Change::DisableTrigger { .. } => LockMode::ShareRowExclusive,
        Change::Other { mode, .. } => *mode,
        _ => LockMode::AccessExclusive,
    }
}
