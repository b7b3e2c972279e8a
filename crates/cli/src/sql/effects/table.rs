//! What the actions of ALTER TABLE do.

use std::collections::BTreeSet;

use super::{Effects, OldType, concurrent};
use crate::sql::action::{
    Behavior, Change, Column, Constraint, Descendants, Nullability, Rule, Value,
};
use crate::sql::types;
use crate::sql::world::{Class, Id, Node};
use crate::sql::{LockMode, Loss, Relation, ScanReason, StatementKind as Kind};

impl Effects<'_> {
    pub(super) fn change(
        &mut self,
        table: &Relation,
        extent: Descendants,
        change: &Change,
        old_type: OldType<'_>,
    ) {
        let mode = own_lock(change);
        self.lock(table, mode);
        let world = self.world;
        let has_triggers = || {
            world
                .get(table)
                .is_none_or(|(id, _)| world.has_triggers(id))
        };
        let extent = match recurses(change) {
            true if !switches_triggers(change) || has_triggers() => extent,
            _ => Descendants::Left,
        };
        let family = self.family(table, extent);
        for id in family.iter().skip(1) {
            let mode = self.lock_of_child(change, mode, &family);
            self.lock_id(*id, mode);
        }
        match change {
            Change::AddColumn(column) => self.add_column(table, &family, column),
            Change::DropColumn { column, behavior } => {
                self.drop_column(table, &family, column, *behavior);
            }
            Change::AlterType {
                column,
                to,
                collation,
                using,
            } => self.alter_type(
                table,
                &family,
                column,
                (to, collation.as_deref(), *using),
                old_type,
            ),
            Change::SetNotNull { column } => {
                if family.is_empty() {
                    self.scan(table, ScanReason::Verify);
                }
                for id in family {
                    if !self.world.is_proven_not_null(id, column) {
                        self.scan_id(id, ScanReason::Verify);
                    }
                }
            }
            Change::SetExpression { .. } => self.rewrite_family(table, &family),
            Change::Rewrite { kind, to } => self.move_file(table, &family, *kind, to),
            Change::SetOwner { to } => {
                let world = self.world;
                let others = family
                    .iter()
                    .filter(|id| world.object(**id).is_some_and(|object| object.owner != *to));
                for id in others {
                    self.lock_indexes(*id, LockMode::AccessExclusive);
                    self.lock_sequences(*id, LockMode::AccessExclusive);
                }
            }
            Change::UseIndex {
                index, on_index, ..
            } => self.lock(&table.sibling(index.clone()), *on_index),
            Change::AddConstraint(constraint) => self.add_constraint(table, &family, constraint),
            Change::DropConstraint { name, behavior } => {
                self.drop_constraint(table, &family, name, *behavior);
            }
            Change::ValidateConstraint { name } => self.validate(table, &family, name),
            Change::Identity { kind, column } => self.identity(&family, *kind, column),
            Change::AttachPartition { partition, .. } => self.attach(table, partition),
            Change::DetachPartition { partition, method } => self.detach(table, partition, *method),
            Change::Inherit { kind, parent } => {
                let mode = if *kind == Kind::Inherit {
                    LockMode::ShareUpdateExclusive
                } else {
                    LockMode::AccessShare
                };
                self.lock(parent, mode);
            }
            Change::SetSchema { to } => {
                self.relations.insert(to.clone());
                for id in family {
                    self.lock_sequences(id, LockMode::AccessExclusive);
                }
            }
            Change::RenameTable { to } => drop(self.relations.insert(to.clone())),
            Change::RenameColumn { .. }
            | Change::SetDefault { .. }
            | Change::DropDefault { .. }
            | Change::DropNotNull { .. }
            | Change::DropExpression { .. }
            | Change::RenameConstraint { .. }
            | Change::DisableTrigger { .. }
            | Change::Other { .. } => {}
        }
    }

    fn rewrite_family(&mut self, table: &Relation, family: &[Id]) {
        if family.is_empty() {
            self.rewrite(table);
        }
        for id in family {
            self.rewrite_id(*id);
        }
    }

    pub(super) fn scan_family(&mut self, table: &Relation, family: &[Id], reason: ScanReason) {
        if family.is_empty() {
            self.scan(table, reason);
        }
        for id in family {
            self.scan_id(*id, reason);
        }
    }

    fn add_column(&mut self, table: &Relation, family: &[Id], column: &Column) {
        let world = self.world;
        let there = world
            .get(table)
            .is_some_and(|(_, object)| object.column(&column.name).is_some());
        if there {
            return;
        }
        if self.fills(table, column) {
            self.rewrite_family(table, family);
            if let Some(sequence) = &column.sequence {
                self.lock(sequence, LockMode::RowExclusive);
            }
        } else if column.nullability == Nullability::NotNull
            && matches!(column.value, Value::Nothing | Value::GeneratedVirtual)
        {
            self.scan_family(table, family, ScanReason::Verify);
        }
        for constraint in &column.constraints {
            // a new column without a value holds only NULL: nothing refers to anything
            match (&constraint.rule, &column.value) {
                (Rule::ForeignKey { to, to_columns, .. }, Value::Nothing) => {
                    self.refer(to, to_columns);
                }
                _ => self.add_constraint(table, family, constraint),
            }
        }
    }

    /// Every row gets a value of its own.
    fn fills(&mut self, table: &Relation, column: &Column) -> bool {
        let world = self.world;
        match &column.value {
            Value::Serial | Value::Identity | Value::GeneratedStored => return true,
            Value::VolatileDefault { .. } => {
                let volatile = |call: &String| {
                    !types::is_steady(call)
                        && world.is_volatile(call).unwrap_or(!world.has_catalog())
                };
                if column.calls.iter().any(volatile) {
                    return true;
                }
            }
            Value::Nothing | Value::Default | Value::GeneratedVirtual => {}
        }
        if world.is_constrained(&column.type_name) {
            return true;
        }
        let is_known = types::is_known(&column.type_name)
            || world.has_catalog()
            || world.type_facts(&column.type_name).is_some();
        if !is_known {
            self.unknown(format!(
                "whether {} is a domain with a constraint, which rewrites {table}",
                column.type_name
            ));
        }
        !is_known
    }

    fn drop_column(&mut self, table: &Relation, family: &[Id], column: &str, behavior: Behavior) {
        let world = self.world;
        self.losses.push(Loss::Column {
            relation: table.clone(),
            column: column.to_owned(),
            rows: world.rows(table),
        });
        if family.is_empty() {
            if !world.has_catalog() {
                match world.get(table) {
                    Some(_) => {}
                    None => self.lock_parents(table, Some(column)),
                }
            }
            // up to 5.2 Django always says it: what it asks about the column is enough
            if behavior == Behavior::Cascade {
                self.losses.push(Loss::Dependents {
                    of: format!("column {column} of {table}"),
                });
            }
            return;
        }
        let columns = family.iter().filter_map(|id| {
            let number = world.object(*id)?.column(column)?.number;
            Some(Node::Column(*id, number))
        });
        let start: BTreeSet<Node> = columns.collect();
        self.foreign_keys(&start);
        self.victims(&start, behavior);
    }

    /// The other ends of foreign keys that go with these columns or constraints.
    pub(super) fn foreign_keys(&mut self, start: &BTreeSet<Node>) {
        let world = self.world;
        for node in world.with_dependents(start.clone()) {
            let (Node::Part(Class::Constraint, id), Some(table)) = (node, world.table_of(&node))
            else {
                continue;
            };
            let keys = world
                .object(table)
                .into_iter()
                .flat_map(|object| &object.keys);
            for key in keys.filter(|key| key.id == id) {
                if let Some(parent) = world.referred(key) {
                    self.lock(parent, LockMode::AccessExclusive);
                }
            }
        }
    }

    fn move_file(&mut self, table: &Relation, family: &[Id], kind: Kind, to: &str) {
        let world = self.world;
        let Some(object) = family.first().and_then(|id| world.object(*id)) else {
            return self.rewrite(table);
        };
        let is_so = match kind {
            Kind::SetTablespace => object.tablespace == to,
            Kind::SetAccessMethod => object.access_method == to,
            _ => object.is_unlogged == (to == "unlogged"),
        };
        if is_so {
            return;
        }
        if kind == Kind::SetTablespace {
            // copied as it is, without its indexes
            return self.rewrite(&object.name);
        }
        self.rewrite_family(table, family);
        if kind == Kind::SetLogged && world.may_be_from(15) {
            self.lock_sequences(family[0], LockMode::AccessExclusive);
        }
    }

    fn identity(&mut self, family: &[Id], kind: Kind, column: &str) {
        let mode = match kind {
            Kind::DropIdentity => LockMode::AccessExclusive,
            Kind::SetIdentity => LockMode::ShareRowExclusive,
            _ => return,
        };
        let world = self.world;
        for id in family {
            let column = world.object(*id).and_then(|object| object.column(column));
            for sequence in column
                .filter(|column| column.is_identity)
                .into_iter()
                .flat_map(|c| &c.sequences)
            {
                self.lock_id(*sequence, mode);
            }
        }
    }
}

/// Partitions and inheriting tables are changed too.
fn recurses(change: &Change) -> bool {
    match change {
        Change::AddColumn(_)
        | Change::DropColumn { .. }
        | Change::RenameColumn { .. }
        | Change::AlterType { .. }
        | Change::SetDefault { .. }
        | Change::DropDefault { .. }
        | Change::SetNotNull { .. }
        | Change::DropNotNull { .. }
        | Change::SetExpression { .. }
        | Change::DropExpression { .. }
        | Change::AddConstraint(_)
        | Change::DropConstraint { .. }
        | Change::ValidateConstraint { .. }
        | Change::DisableTrigger { .. } => true,
        Change::Other { kind, .. } => matches!(
            kind,
            Kind::SetColumnOption | Kind::SetTriggerState | Kind::AlterConstraint
        ),
        _ => false,
    }
}

/// Only triggers that the parent has are there in its partitions.
fn switches_triggers(change: &Change) -> bool {
    let enables = |kind: Kind| kind == Kind::SetTriggerState;
    matches!(change, Change::DisableTrigger { .. })
        || matches!(change, Change::Other { kind, .. } if enables(*kind))
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
        Change::DetachPartition { method, .. } => concurrent(
            *method,
            LockMode::ShareUpdateExclusive,
            LockMode::AccessExclusive,
        ),
        Change::DisableTrigger { .. } => LockMode::ShareRowExclusive,
        Change::UseIndex { mode, .. } | Change::Other { mode, .. } => *mode,
        _ => LockMode::AccessExclusive,
    }
}
