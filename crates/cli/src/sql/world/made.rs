//! What the plan makes: tables, views, indexes, columns, constraints, and what they depend on.

use std::collections::BTreeSet;

use super::objects::Extent;
use super::{
    Class, Column, Facet, How, Id, Index, Key, KeyKind, Node, Object, RelationKind, World,
};
use crate::sql::action::{
    Constraint, CreateIndex, CreateTable, IfExists, KeySource, Nullability, Query, Rule, Validity,
    Value,
};
use crate::sql::{Relation, StatementKind as Kind, action};

impl World {
    pub(super) fn add(&mut self, name: &Relation, kind: RelationKind) -> Id {
        let id = self.new_id();
        let mut object = Object::new(name.clone(), kind);
        object.is_new = true;
        self.names.insert(name.clone(), id);
        self.objects.insert(id, object);
        id
    }

    /// Of a table that nobody has read only what is added to it is known.
    pub(super) fn known_or_added(&mut self, table: &Relation) -> Id {
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

    pub(super) fn create(&mut self, create: &CreateTable) {
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

    pub(super) fn create_view(&mut self, kind: Kind, view: &Relation, query: &Query) {
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
            let (view, read) = (Node::Relation(id), Node::Relation(*read));
            self.depends.add(view, read, How::Normal);
        }
        if let Some(object) = self.objects.get_mut(&id) {
            object.reads = reads;
        }
    }

    pub(super) fn create_index(&mut self, create: &CreateIndex) {
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

    pub(super) fn add_index(&mut self, table: Id, name: &Relation, facts: Index) -> Id {
        let kind = match self.objects.get(&table).map(|object| object.kind) {
            Some(RelationKind::Partitioned) => RelationKind::PartitionedIndex,
            _ => RelationKind::Index,
        };
        let id = self.add(name, kind);
        let numbers = self.numbers(table, facts.uses.iter());
        if numbers.is_empty() {
            let (index, table) = (Node::Relation(id), Node::Relation(table));
            self.depends.add(index, table, How::Owned);
        }
        for number in numbers {
            let column = Node::Column(table, number);
            self.depends.add(Node::Relation(id), column, How::Owned);
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

    pub(super) fn numbers<'a>(
        &self,
        table: Id,
        columns: impl Iterator<Item = &'a String>,
    ) -> Vec<i32> {
        let object = self.objects.get(&table);
        let number = |name: &String| Some(object?.column(name)?.number);
        columns.filter_map(number).collect()
    }

    pub(super) fn add_column(&mut self, table: Id, column: &action::Column) {
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
        // they stand in the order of their numbers
        let number = object.columns.last().map_or(1, |last| last.number + 1);
        object.columns.push(Column {
            number,
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            is_new: true,
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
            let column = Node::Column(table, number);
            self.depends.add(Node::Relation(owned), column, How::Owned);
        }
        for constraint in &column.constraints {
            self.add_constraint(table, constraint, std::slice::from_ref(&column.name));
        }
    }

    pub(super) fn add_constraint(
        &mut self,
        table: Id,
        constraint: &Constraint,
        of_column: &[String],
    ) {
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
            let column = Node::Column(table, number);
            self.depends.add(node, column, How::Owned);
        }
        if let Some(index) = index {
            self.depends.add(Node::Relation(index), node, How::Owned);
        }
        if let KeyKind::Foreign {
            to: Some(to),
            index,
            ..
        } = &kind
        {
            self.depends.add(node, Node::Relation(*to), How::Normal);
            if let Some(index) = index {
                let index = Node::Relation(*index);
                self.depends.add(node, index, How::Normal);
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
}

fn set_not_null(object: &mut Object, column: &str, not_null: bool) {
    if let Some(column) = object.columns.iter_mut().find(|known| known.name == column) {
        column.not_null = not_null;
    }
}
