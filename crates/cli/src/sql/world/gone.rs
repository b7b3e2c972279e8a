//! What the plan drops, with what goes along.

use std::collections::BTreeSet;

use super::{Class, Id, KeyKind, Node, World};
use crate::sql::StatementKind as Kind;
use crate::sql::action::Drop;

impl World {
    pub(super) fn drop_column(&mut self, table: Id, column: &str) {
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

    pub(super) fn drop_constraint(&mut self, table: Id, name: &str) {
        let key = self.objects.get(&table).and_then(|object| object.key(name));
        if let Some(id) = key.map(|key| key.id) {
            self.remove(BTreeSet::from([Node::Part(Class::Constraint, id)]));
        }
    }

    pub(super) fn drop(&mut self, dropped: &Drop) {
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
            Kind::DropTrigger => self.drop_part(dropped, Class::Trigger),
            Kind::DropPolicy => self.drop_part(dropped, Class::Policy),
            Kind::DropRule => self.drop_part(dropped, Class::Rule),
            // their names are no relations'
            _ => {}
        }
    }

    fn drop_part(&mut self, dropped: &Drop, class: Class) {
        let table = dropped.table.as_ref().and_then(|table| self.id(table));
        let is_it = |node: &Node| {
            let is_of_class = matches!(node, Node::Part(of, _) if *of == class);
            let of = self.depends.table_of(node);
            is_of_class && of.is_some_and(|(_, name)| name == dropped.name.name())
        };
        let parts = table
            .into_iter()
            .flat_map(|table| self.depends.parts(table));
        let start = parts.filter(is_it).collect();
        self.remove(start);
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
}
