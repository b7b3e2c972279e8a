//! What PostgreSQL refuses because something else stands on it: a DROP without CASCADE, a change of a column's type.

use std::collections::BTreeSet;

use super::{Class, Id, KeyKind, Node, RelationKind, World};
use crate::sql::Relation;

impl World {
    /// What a DROP of all these without CASCADE stumbles over, in words.
    pub(crate) fn in_the_way(&self, start: &BTreeSet<Node>) -> Vec<String> {
        let found = self.depends.in_the_way(start);
        let words: BTreeSet<String> = found.iter().map(|node| self.in_words(node)).collect();
        words.into_iter().collect()
    }

    /// Views, rules, policies, triggers, functions and generated columns that stand on a column's type, in words.
    /// Source: RememberAllDependentForRebuilding.
    pub(crate) fn users_of_column(&self, table: Id, column: &str) -> Vec<String> {
        let object = self.objects.get(&table);
        let Some(number) = object.and_then(|object| Some(object.column(column)?.number)) else {
            return Vec::new();
        };
        let uses = |node: &Node| match node {
            Node::Part(Class::Rule | Class::Policy | Class::Trigger | Class::Function, _) => true,
            // a generated column, up to PostgreSQL 14
            Node::Column(id, _) => *id == table,
            // the default of another column: its expression
            Node::Part(Class::Default, _) => {
                let of = self.depends.table_of(node);
                of.is_some_and(|(_, of)| of.parse() != Ok(number))
            }
            _ => false,
        };
        let dependents = self.depends.on(Node::Column(table, number));
        let users = dependents.map(|(node, _)| node).filter(uses);
        let words: BTreeSet<String> = users.map(|node| self.in_words(&node)).collect();
        words.into_iter().collect()
    }

    /// The constraint whose index it is: that one is dropped instead.
    pub(crate) fn constraint_of_index(&self, index: &Relation) -> Option<&str> {
        let (id, object) = self.get(index)?;
        let keys = &self.objects.get(&object.belongs_to?)?.keys;
        let mut keys = keys.iter();
        let key = keys.find(|key| matches!(key.kind, KeyKind::Index(Some(of)) if of == id))?;
        Some(&key.name)
    }

    fn in_words(&self, node: &Node) -> String {
        let relation = |id: &Id| {
            let object = self.objects.get(id)?;
            let what = match object.kind {
                RelationKind::View => "view",
                RelationKind::MaterializedView => "materialized view",
                RelationKind::Sequence => "sequence",
                kind if kind.is_index() => "index",
                kind if kind.is_table() => "table",
                _ => "type",
            };
            Some(format!("{what} {}", object.name))
        };
        let column = |id: &Id, number: i32| {
            let object = self.objects.get(id)?;
            let mut columns = object.columns.iter();
            let column = columns.find(|column| column.number == number)?;
            Some(format!("column {} of {}", column.name, object.name))
        };
        let words = match node {
            Node::Relation(id) => relation(id),
            Node::Column(id, number) => column(id, *number),
            Node::Part(Class::Function, id) => self.function(*id),
            // of a view its only rule
            Node::Part(Class::Rule, _) => self.part(node).map(|(_, what)| what).or_else(|| {
                let (view, _) = self.depends.table_of(node)?;
                relation(&view)
            }),
            Node::Part(Class::Default, _) => {
                let of = self.depends.table_of(node);
                of.and_then(|(table, number)| column(&table, number.parse().ok()?))
            }
            Node::Part(..) => self.part(node).map(|(_, what)| what),
        };
        words.unwrap_or_else(|| "another object".to_owned())
    }

    fn function(&self, id: Id) -> Option<String> {
        let mut by_name = self.functions.by_name.iter();
        by_name.find_map(|(name, all)| {
            let function = all.iter().find(|function| function.id == id)?;
            let name = Relation::new(function.schema.clone(), name.clone());
            Some(format!("function {name}"))
        })
    }
}
