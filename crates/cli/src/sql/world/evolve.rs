//! The world after a statement. What cannot be told from its text leaves the world as it was.

use std::collections::BTreeSet;

use super::depends::Class;
use super::objects::Extent;
use super::{Column, Facet, Id, Index, Key, KeyKind, Node, Object, RelationKind, TypeFacts, World};
use crate::sql::action::{
    Action, Change, CheckTime, Constraint, CreateIndex, CreateTable, Drop, IfExists, KeySource,
    Nullability, Query, Rule, SequenceChange, Validity, Value,
};
use crate::sql::{Relation, StatementKind as Kind, action};

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
            Action::CreateType { name } => {
                let id = self.new_id();
                let facts = TypeFacts {
                    id,
                    is_new: true,
                    base: None,
                    is_constrained: false,
                };
                self.types.insert(name.clone(), facts);
            }
            Action::Query(query) => self.write(query),
            Action::SetConstraints { names } => {
                self.immediate.extend(names.iter().cloned());
                self.pending
                    .retain(|(_, name)| !names.is_empty() && !names.contains(name));
            }
            _ => {}
        }
    }

    fn add(&mut self, name: &Relation, kind: RelationKind) -> Id {
        let id = self.new_id();
        let mut object = Object::new(name.clone(), kind);
        object.is_new = true;
        self.names.insert(name.clone(), id);
        self.objects.insert(id, object);
        id
    }

    /// Of a table that nobody has read only what is added to it is known.
    fn known_or_added(&mut self, table: &Relation) -> Id {
        if let Some(id) = self.id(table) {
            return id;
        }
        let id = self.add(table, RelationKind::Table);
        if let Some(object) = self.objects.get_mut(&id) {
            object.is_new = false;
            object.extent = Extent::Added;
        }
        id
    }

    fn create(&mut self, create: &CreateTable) {
        let kind = match create.is_partitioned {
            true => RelationKind::Partitioned,
            false => RelationKind::Table,
        };
        let id = self.add(&create.table, kind);
        if let Some(object) = self.objects.get_mut(&id) {
            object.rows = Some(0);
            object.bytes = Some(0);
            object.is_partition = create.partition_of.is_some();
        }
        for parent in create.inherits.iter().chain(&create.partition_of) {
            self.descend(id, parent);
        }
        for column in &create.columns {
            self.add_column(id, column);
        }
        for constraint in &create.constraints {
            self.add_constraint(id, constraint, &[]);
        }
    }

    fn descend(&mut self, child: Id, parent: &Relation) {
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
        self.depends
            .add(Node::Relation(child), Node::Relation(parent));
    }

    fn create_view(&mut self, kind: Kind, view: &Relation, query: &Query) {
        let kind = match kind {
            Kind::CreateMaterializedView => RelationKind::MaterializedView,
            _ => RelationKind::View,
        };
        let id = self.add(view, kind);
        let reads: BTreeSet<Id> = query
            .reads
            .iter()
            .filter_map(|name| self.id(name))
            .collect();
        for read in &reads {
            self.depends.add(Node::Relation(id), Node::Relation(*read));
        }
        if let Some(object) = self.objects.get_mut(&id) {
            object.reads = reads;
        }
    }

    fn create_index(&mut self, create: &CreateIndex) {
        let Some(name) = &create.index else {
            return;
        };
        if create.existing == IfExists::Tolerated && self.id(name).is_some() {
            return;
        }
        let table = self.known_or_added(&create.table);
        let computed = create.is_partial || create.keys.iter().any(Option::is_none);
        let facts = Index {
            is_unique: create.is_unique,
            is_primary: false,
            is_valid: true,
            facet: if computed {
                Facet::Computed
            } else {
                Facet::Plain
            },
            access_method: create.access_method.clone(),
            keys: create.keys.clone(),
            uses: create.words.iter().cloned().collect(),
        };
        let id = self.add_index(table, name, facts);
        // where it may have been there before, somebody may use it
        if create.existing == IfExists::Tolerated
            && !self.has_catalog()
            && let Some(object) = self.objects.get_mut(&id)
        {
            object.is_new = false;
        }
    }

    fn add_index(&mut self, table: Id, name: &Relation, facts: Index) -> Id {
        let kind = match self.objects.get(&table).map(|object| object.kind) {
            Some(RelationKind::Partitioned) => RelationKind::PartitionedIndex,
            _ => RelationKind::Index,
        };
        let id = self.add(name, kind);
        let numbers = self.numbers(table, facts.uses.iter());
        if numbers.is_empty() {
            self.depends.add(Node::Relation(id), Node::Relation(table));
        }
        for number in numbers {
            self.depends
                .add(Node::Relation(id), Node::Column(table, number));
        }
        if let Some(object) = self.objects.get_mut(&id) {
            object.index = Some(facts);
            object.belongs_to = Some(table);
        }
        if let Some(object) = self.objects.get_mut(&table) {
            object.indexes.insert(id);
        }
        id
    }

    fn numbers<'a>(&self, table: Id, columns: impl Iterator<Item = &'a String>) -> Vec<i32> {
        let object = self.objects.get(&table);
        let number = |name: &String| Some(object?.column(name)?.number);
        columns.filter_map(number).collect()
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

    fn add_column(&mut self, table: Id, column: &action::Column) {
        let sequence = column.sequence.as_ref().and_then(|name| self.id(name));
        let owned = matches!(column.value, Value::Identity | Value::Serial).then(|| {
            let name = self.objects[&table].name.sibling(format!(
                "{}_{}_seq",
                self.objects[&table].name.name(),
                column.name
            ));
            let id = self.add(&name, RelationKind::Sequence);
            if let Some(object) = self.objects.get_mut(&id) {
                object.belongs_to = Some(table);
                object.owned_by_column = Some(column.name.clone());
                object.is_identity = column.value == Value::Identity;
            }
            id
        });
        let Some(object) = self.objects.get_mut(&table) else {
            return;
        };
        if object.column(&column.name).is_some() {
            return;
        }
        let number = object
            .columns
            .iter()
            .map(|column| column.number)
            .max()
            .unwrap_or_default()
            + 1;
        object.columns.push(Column {
            number,
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            not_null: column.nullability == Nullability::NotNull || column.value == Value::Serial,
            has_default: !matches!(column.value, Value::Nothing | Value::Identity),
            is_identity: column.value == Value::Identity,
            is_generated: matches!(
                column.value,
                Value::GeneratedStored | Value::GeneratedVirtual
            ),
            collation: column.collation.clone(),
            sequences: sequence.into_iter().chain(owned).collect(),
        });
        object.sequences.extend(owned);
        if let Some(owned) = owned {
            self.depends
                .add(Node::Relation(owned), Node::Column(table, number));
        }
        for constraint in &column.constraints {
            self.add_constraint(table, constraint, std::slice::from_ref(&column.name));
        }
    }

    fn add_constraint(&mut self, table: Id, constraint: &Constraint, of_column: &[String]) {
        let columns = |own: &Vec<String>| match own.is_empty() {
            true => of_column.to_vec(),
            false => own.clone(),
        };
        let table_name = self.objects[&table].name.clone();
        let mut index = None;
        let (kind, columns) = match &constraint.rule {
            Rule::Check {
                proves_not_null,
                words,
            } => {
                let known: Vec<String> = words
                    .iter()
                    .filter(|word| self.objects[&table].column(word).is_some())
                    .cloned()
                    .collect();
                let kind = KeyKind::Check {
                    proves_not_null: proves_not_null.clone(),
                };
                (kind, known)
            }
            Rule::NotNull { column } => {
                if let Some(object) = self.objects.get_mut(&table) {
                    set_not_null(object, column, constraint.validity == Validity::Validated);
                }
                (KeyKind::NotNull, vec![column.clone()])
            }
            Rule::ForeignKey {
                columns: own,
                to,
                to_columns,
                on_update,
                on_delete,
            } => {
                let to_id = self.id(to);
                let kind = KeyKind::Foreign {
                    to: to_id,
                    to_name: to.clone(),
                    to_columns: to_columns.clone(),
                    index: to_id.and_then(|id| self.key_index(id, to_columns)),
                    on_update: *on_update,
                    on_delete: *on_delete,
                };
                (kind, columns(own))
            }
            Rule::Unique(source) | Rule::PrimaryKey(source) => {
                let is_primary = matches!(constraint.rule, Rule::PrimaryKey(_));
                let (own, found) = self.key_source(
                    table,
                    &table_name,
                    source,
                    constraint,
                    of_column,
                    is_primary,
                );
                index = found;
                (KeyKind::Index(found), own)
            }
            Rule::Exclude => {
                let name = constraint
                    .name
                    .clone()
                    .unwrap_or_else(|| format!("{}_excl", table_name.name()));
                let facts = Index {
                    is_unique: false,
                    is_primary: false,
                    is_valid: true,
                    facet: Facet::Computed,
                    access_method: String::new(),
                    keys: Vec::new(),
                    uses: BTreeSet::new(),
                };
                index = Some(self.add_index(table, &table_name.sibling(name), facts));
                (KeyKind::Index(index), Vec::new())
            }
        };
        let id = self.new_id();
        let node = Node::Part(Class::Constraint, id);
        let name = constraint.name.clone().unwrap_or_default();
        self.depends.part_of(node, table, name);
        for number in self.numbers(table, columns.iter()) {
            self.depends.add(node, Node::Column(table, number));
        }
        if let Some(index) = index {
            self.depends.add(Node::Relation(index), node);
        }
        if let KeyKind::Foreign {
            to: Some(to),
            index,
            ..
        } = &kind
        {
            self.depends.add(node, Node::Relation(*to));
            if let Some(index) = index {
                self.depends.add(node, Node::Relation(*index));
            }
            if let Some(parent) = self.objects.get_mut(to) {
                parent.referrers.insert(table);
            }
        }
        if let Some(object) = self.objects.get_mut(&table) {
            object.keys.push(Key {
                id,
                name: constraint.name.clone().unwrap_or_default(),
                kind,
                is_valid: constraint.validity == Validity::Validated,
                check_time: constraint.check_time,
                columns,
                parent: None,
            });
        }
    }

    /// The columns and the index behind UNIQUE and PRIMARY KEY.
    fn key_source(
        &mut self,
        table: Id,
        table_name: &Relation,
        source: &KeySource,
        constraint: &Constraint,
        of_column: &[String],
        is_primary: bool,
    ) -> (Vec<String>, Option<Id>) {
        let columns = match source {
            KeySource::Index(name) => {
                let index = self.id(&table_name.sibling(name.clone()));
                if let (Some(_), Some(new_name)) = (index, &constraint.name) {
                    self.rename(
                        &table_name.sibling(name.clone()),
                        &table_name.sibling(new_name.clone()),
                    );
                }
                if let Some(facts) = index
                    .and_then(|id| self.objects.get_mut(&id))
                    .and_then(|object| object.index.as_mut())
                {
                    facts.is_primary = is_primary;
                }
                return (Vec::new(), index);
            }
            KeySource::Columns(own) if own.is_empty() => of_column.to_vec(),
            KeySource::Columns(own) => own.clone(),
        };
        if let (true, Some(object)) = (is_primary, self.objects.get_mut(&table)) {
            for column in &columns {
                set_not_null(object, column, true);
            }
        }
        let name = constraint.name.clone().unwrap_or_else(|| match is_primary {
            true => format!("{}_pkey", table_name.name()),
            false => format!("{}_{}_key", table_name.name(), columns.join("_")),
        });
        let facts = Index {
            is_unique: true,
            is_primary,
            is_valid: true,
            facet: Facet::Plain,
            access_method: "btree".to_owned(),
            keys: columns.iter().cloned().map(Some).collect(),
            uses: columns.iter().cloned().collect(),
        };
        let index = self.add_index(table, &table_name.sibling(name), facts);
        (columns, Some(index))
    }

    fn drop_column(&mut self, table: Id, column: &str) {
        let Some(number) = self
            .objects
            .get(&table)
            .and_then(|object| object.column(column))
            .map(|c| c.number)
        else {
            // of a table that nobody has read, its foreign keys may have been added
            if let Some(object) = self.objects.get_mut(&table) {
                object
                    .keys
                    .retain(|key| !key.columns.iter().any(|name| name == column));
            }
            return;
        };
        self.remove(BTreeSet::from([Node::Column(table, number)]));
    }

    fn drop_constraint(&mut self, table: Id, name: &str) {
        let key = self.objects.get(&table).and_then(|object| object.key(name));
        if let Some(id) = key.map(|key| key.id) {
            self.remove(BTreeSet::from([Node::Part(Class::Constraint, id)]));
        }
    }

    fn drop(&mut self, dropped: &Drop) {
        let name = &dropped.name;
        self.created.remove(&(dropped.kind, name.clone()));
        match dropped.kind {
            Kind::DropType
            | Kind::DropDomain
            | Kind::DropSchema
            | Kind::DropExtension
            | Kind::DropFunction => {
                let nodes = self.dropped(dropped.kind, name).unwrap_or_default();
                self.types.remove(name);
                self.remove(nodes);
            }
            Kind::DropTable
            | Kind::DropView
            | Kind::DropMaterializedView
            | Kind::DropSequence
            | Kind::DropIndex => {
                if let Some(id) = self.id(name) {
                    self.remove(BTreeSet::from([Node::Relation(id)]));
                }
            }
            // their names are no relations'
            _ => {}
        }
    }

    /// With everything that depends on it.
    fn remove(&mut self, start: BTreeSet<Node>) {
        let gone = self.with_dependents(start);
        for node in &gone {
            match node {
                Node::Relation(id) => self.remove_relation(*id),
                Node::Column(id, number) => {
                    if let Some(object) = self.objects.get_mut(id) {
                        object.columns.retain(|column| column.number != *number);
                    }
                }
                Node::Part(Class::Constraint, id) => {
                    let table = self.depends.table_of(node).map(|(table, _)| table);
                    if let Some(object) = table.and_then(|table| self.objects.get_mut(&table)) {
                        object.keys.retain(|key| key.id != *id);
                    }
                }
                Node::Part(..) => {}
            }
        }
        self.depends.forget(&gone);
    }

    fn remove_relation(&mut self, id: Id) {
        let Some(object) = self.objects.remove(&id) else {
            return;
        };
        self.names.remove(&object.name);
        let around = object
            .parents
            .iter()
            .chain(&object.belongs_to)
            .chain(&object.children)
            .copied()
            .chain(object.keys.iter().filter_map(|key| match &key.kind {
                KeyKind::Foreign { to, .. } => *to,
                _ => None,
            }));
        for other in around.collect::<Vec<_>>() {
            if let Some(other) = self.objects.get_mut(&other) {
                other.indexes.remove(&id);
                other.sequences.remove(&id);
                other.children.remove(&id);
                other.referrers.remove(&id);
                other.parents.retain(|parent| *parent != id);
            }
        }
    }

    fn rename(&mut self, from: &Relation, to: &Relation) {
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
                    .add(Node::Relation(id), Node::Column(table, number));
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

fn set_not_null(object: &mut Object, column: &str, not_null: bool) {
    if let Some(column) = object.columns.iter_mut().find(|known| known.name == column) {
        column.not_null = not_null;
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
