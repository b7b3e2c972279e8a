//! The world after a statement. What cannot be told from its text leaves the world as it was.

use super::{How, Id, Key, KeyKind, Node, Object, RelationKind, TypeFacts, World};
use crate::sql::action::{Action, Change, CheckTime, IfExists, Query, SequenceChange};
use crate::sql::{Relation, StatementKind as Kind};

impl World {
    /// Takes in what a statement did.
    pub(crate) fn apply(&mut self, actions: &[Action]) {
        for action in actions {
            self.apply_one(action);
        }
    }

    /// Its transaction is over.
    pub(crate) fn commit(&mut self) {
        self.pending.clear();
    }

    fn apply_one(&mut self, action: &Action) {
        match action {
            Action::CreateTable(create) if create.existing == IfExists::Fails => {
                self.create(create);
            }
            Action::CreateView {
                kind,
                view,
                existing: IfExists::Fails,
                query,
                ..
            } => self.create_view(*kind, view, query),
            Action::CreateIndex(create) => self.create_index(create),
            Action::RenameIndex { index, to } => self.rename(index, to),
            Action::AlterTable { table, change, .. } => self.alter(table, change),
            Action::AlterSequence {
                sequence, change, ..
            } => match change {
                SequenceChange::Renamed(to) => self.rename(sequence, to),
                SequenceChange::OwnedBy(owner) => self.own(sequence, owner.as_ref()),
                SequenceChange::Other => {}
            },
            Action::Drop(dropped) => self.drop(dropped),
            Action::Created { dropped_by, name } => {
                // sequences share the names of tables, the others do not
                if *dropped_by == Kind::DropSequence {
                    self.add(name, RelationKind::Sequence);
                }
                self.created.insert((*dropped_by, name.clone()));
            }
            Action::CreateType { name } => self.create_type(name, None, false),
            Action::CreateDomain {
                name,
                base,
                is_constrained,
            } => {
                self.created.insert((Kind::DropDomain, name.clone()));
                self.create_type(name, Some(base.clone()), *is_constrained);
            }
            Action::AlterDomain {
                domain, adds: true, ..
            } => self.constrain(domain),
            Action::Query(query) => self.write(query),
            Action::SetConstraints { names } => {
                self.immediate.extend(names.iter().cloned());
                self.pending
                    .retain(|(_, name)| !names.is_empty() && !names.contains(name));
            }
            _ => {}
        }
    }

    fn create_type(&mut self, name: &Relation, base: Option<String>, is_constrained: bool) {
        let facts = TypeFacts {
            id: self.new_id(),
            is_new: true,
            base,
            is_constrained,
        };
        self.types.insert(name.clone(), facts);
    }

    fn constrain(&mut self, domain: &Relation) {
        let name = self.type_name(domain).cloned();
        if let Some(facts) = name.and_then(|name| self.types.get_mut(&name)) {
            facts.is_constrained = true;
        }
    }

    pub(super) fn descend(&mut self, child: Id, parent: &Relation) {
        let Some(parent) = self.id(parent) else {
            return;
        };
        let columns = self
            .objects
            .get(&parent)
            .map(|object| object.columns.clone());
        if let Some(object) = self.objects.get_mut(&child) {
            object.parents.push(parent);
            if object.columns.is_empty() {
                object.columns = columns.unwrap_or_default();
            }
        }
        if let Some(object) = self.objects.get_mut(&parent) {
            object.children.insert(child);
        }
        let (child, parent) = (Node::Relation(child), Node::Relation(parent));
        self.depends.add(child, parent, How::Owned);
    }

    fn alter(&mut self, table: &Relation, change: &Change) {
        match change {
            Change::RenameTable { to } | Change::SetSchema { to } => return self.rename(table, to),
            Change::AddConstraint(constraint) => {
                let id = self.known_or_added(table);
                return self.add_constraint(id, constraint, &[]);
            }
            Change::AddColumn(column) => {
                let id = self.known_or_added(table);
                return self.add_column(id, column);
            }
            _ => {}
        }
        let Some(id) = self.id(table) else {
            return;
        };
        match change {
            Change::DropColumn { column, .. } => self.drop_column(id, column),
            Change::DropConstraint { name, .. } => self.drop_constraint(id, name),
            Change::AttachPartition {
                partition,
                is_default,
            } => {
                let partition = self.known_or_added(partition);
                self.descend(partition, table);
                if let Some(object) = self.objects.get_mut(&partition) {
                    object.is_partition = true;
                    object.is_default = *is_default;
                }
            }
            Change::DetachPartition { partition, .. } => self.ascend(partition, id),
            Change::Inherit { kind, parent } => {
                if *kind == Kind::Inherit {
                    self.descend(id, parent);
                } else if let Some(parent) = self.id(parent) {
                    self.ascend(table, parent);
                }
            }
            _ => {
                if let Some(object) = self.objects.get_mut(&id) {
                    alter_object(object, change);
                }
            }
        }
    }

    fn ascend(&mut self, child: &Relation, parent: Id) {
        let Some(child) = self.id(child) else {
            return;
        };
        if let Some(object) = self.objects.get_mut(&child) {
            object.parents.retain(|id| *id != parent);
            object.is_partition = false;
            object.is_default = false;
        }
        if let Some(object) = self.objects.get_mut(&parent) {
            object.children.remove(&child);
        }
    }

    pub(super) fn rename(&mut self, from: &Relation, to: &Relation) {
        let Some(id) = self.id(from) else {
            return;
        };
        if let Some(object) = self.objects.get_mut(&id) {
            self.names.remove(&object.name);
            object.name = to.clone();
        }
        self.names.insert(to.clone(), id);
    }

    fn own(&mut self, sequence: &Relation, owner: Option<&(Relation, String)>) {
        let Some(id) = self.id(sequence) else {
            return;
        };
        self.depends.release(Node::Relation(id));
        if let Some((table, column)) = owner
            && let Some(table) = self.id(table)
        {
            for number in self.numbers(table, std::iter::once(column)) {
                self.depends
                    .add(Node::Relation(id), Node::Column(table, number), How::Owned);
            }
        }
        let owner = owner.and_then(|(name, _)| self.id(name));
        let before = self
            .objects
            .get_mut(&id)
            .and_then(|object| std::mem::replace(&mut object.belongs_to, owner));
        if let Some(table) = before.and_then(|table| self.objects.get_mut(&table)) {
            table.sequences.remove(&id);
        }
        if let Some(table) = owner.and_then(|table| self.objects.get_mut(&table)) {
            table.sequences.insert(id);
        }
    }

    /// Foreign keys that wait for the end of the transaction.
    fn write(&mut self, query: &Query) {
        for write in &query.writes {
            let Some(id) = self.id(&write.table) else {
                continue;
            };
            let deferred = self.objects[&id].keys.iter().filter(|key| {
                key.check_time == CheckTime::Commit && matches!(key.kind, KeyKind::Foreign { .. })
            });
            let touches = |name: &String| write.columns.is_empty() || write.columns.contains(name);
            let written =
                |key: &&Key| write.kind != Kind::Delete && key.columns.iter().any(touches);
            let names: Vec<(Id, String)> = deferred
                .filter(written)
                .map(|key| (id, key.name.clone()))
                .collect();
            self.pending.extend(names);
        }
    }
}

/// What stays within the table.
fn alter_object(object: &mut Object, change: &Change) {
    let Object { columns, keys, .. } = object;
    let known = match change {
        Change::RenameColumn { column, .. }
        | Change::AlterType { column, .. }
        | Change::SetDefault { column }
        | Change::DropDefault { column }
        | Change::SetNotNull { column }
        | Change::DropNotNull { column } => columns.iter_mut().find(|known| known.name == *column),
        _ => None,
    };
    match change {
        Change::RenameColumn { column, to } => {
            if let Some(known) = known {
                known.name = to.clone();
            }
            for name in keys.iter_mut().flat_map(|key| &mut key.columns) {
                if name == column {
                    *name = to.clone();
                }
            }
        }
        Change::AlterType { to, collation, .. } => {
            if let Some(known) = known {
                known.type_name = to.clone();
                known.collation = collation.clone();
            }
        }
        Change::SetDefault { .. } | Change::DropDefault { .. } => {
            if let Some(known) = known {
                known.has_default = matches!(change, Change::SetDefault { .. });
                known.sequences.clear();
            }
        }
        Change::SetNotNull { .. } | Change::DropNotNull { .. } => {
            if let Some(known) = known {
                known.not_null = matches!(change, Change::SetNotNull { .. });
            }
        }
        Change::ValidateConstraint { name } => {
            if let Some(key) = keys.iter_mut().find(|key| key.name == *name) {
                key.is_valid = true;
            }
        }
        Change::RenameConstraint { name, to } => {
            if let Some(key) = keys.iter_mut().find(|key| key.name == *name) {
                key.name = to.clone();
            }
        }
        Change::SetOwner { to } => object.owner = to.clone(),
        Change::Rewrite { kind, to } => match kind {
            Kind::SetTablespace => object.tablespace = to.clone(),
            Kind::SetAccessMethod => object.access_method = to.clone(),
            _ => object.is_unlogged = to == "unlogged",
        },
        _ => {}
    }
}
