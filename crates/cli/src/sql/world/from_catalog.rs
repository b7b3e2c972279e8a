//! The world as pgdriver read it.

use std::collections::BTreeMap;

use pgdriver::schema::{self, Schema};

use super::depends::{Class, How};
use super::objects::{Extent, Function};
use super::{
    Column, Facet, Index, Key, KeyKind, Node, Object, RelationKind, Server, TypeFacts, World,
};
use crate::sql::Relation;
use crate::sql::action::{CheckTime, OnChange};

impl World {
    pub(crate) fn of(schema: &Schema) -> Self {
        let mut world = Self::unread();
        let settings = &schema.settings;
        world.server = Some(Server {
            major: settings.major,
            search_path: settings.search_path.clone(),
            is_utc: ["UTC", "Etc/UTC", "GMT", "Zulu", "UCT"].contains(&settings.time_zone.as_str()),
        });
        for relation in &schema.relations {
            world.read_relation(relation);
        }
        world.read_columns(schema);
        world.read_indexes(schema);
        world.read_descent(schema);
        world.read_constraints(schema);
        world.read_others(schema);
        world.read_dependents(schema);
        world
    }

    fn read_relation(&mut self, relation: &schema::Relation) {
        let Some(kind) = kind(relation.kind) else {
            return;
        };
        let name = name(&relation.name);
        let mut object = Object::new(name.clone(), kind);
        object.is_unlogged = relation.persistence == 'u';
        object.access_method = relation.access_method.clone().unwrap_or_default();
        object.tablespace = relation.tablespace.clone();
        object.owner = relation.owner.clone();
        object.rows = relation.estimated_rows;
        object.bytes = relation.bytes;
        object.belongs_to = relation.belongs_to;
        object.owned_by_column = relation.owned_by_column.clone();
        object.is_identity = relation.is_identity;
        object.is_partition = relation.is_partition;
        object.extent = Extent::Whole;
        self.names.insert(name, relation.oid);
        self.objects.insert(relation.oid, object);
    }

    fn read_columns(&mut self, schema: &Schema) {
        for column in &schema.columns {
            if let Some(object) = self.objects.get_mut(&column.relation) {
                object.columns.push(Column {
                    number: column.number.into(),
                    is_new: false,
                    name: column.name.clone(),
                    type_name: column.type_name.clone(),
                    not_null: column.not_null,
                    has_default: column.has_default,
                    is_identity: column.identity.is_some(),
                    is_generated: column.generated.is_some(),
                    collation: column.collation.clone(),
                    sequences: std::collections::BTreeSet::new(),
                });
            }
        }
    }

    fn read_indexes(&mut self, schema: &Schema) {
        for index in &schema.indexes {
            let access_method = match self.objects.get(&index.index) {
                Some(object) => object.access_method.clone(),
                None => continue,
            };
            let computed = index.is_partial || index.has_expressions;
            let facts = Index {
                is_unique: index.is_unique,
                is_primary: index.is_primary,
                is_valid: index.is_valid,
                facet: if computed {
                    Facet::Computed
                } else {
                    Facet::Plain
                },
                access_method,
                keys: index.keys.clone(),
                uses: index
                    .uses
                    .iter()
                    .cloned()
                    .chain(index.keys.iter().flatten().cloned())
                    .collect(),
            };
            if let Some(object) = self.objects.get_mut(&index.index) {
                object.index = Some(facts);
            }
        }
        let hanging: Vec<(u32, u32, RelationKind, Option<String>)> = self
            .objects
            .iter()
            .filter_map(|(id, object)| {
                Some((
                    *id,
                    object.belongs_to?,
                    object.kind,
                    object.owned_by_column.clone(),
                ))
            })
            .collect();
        for (id, table, kind, column) in hanging {
            let Some(table) = self.objects.get_mut(&table) else {
                continue;
            };
            if kind.is_index() {
                table.indexes.insert(id);
            } else {
                table.sequences.insert(id);
                let column = table
                    .columns
                    .iter_mut()
                    .find(|c| Some(&c.name) == column.as_ref());
                if let Some(column) = column.filter(|column| column.is_identity) {
                    column.sequences.insert(id);
                }
            }
        }
    }

    fn read_descent(&mut self, schema: &Schema) {
        for descent in &schema.descent {
            if let Some(child) = self.objects.get_mut(&descent.child) {
                child.parents.push(descent.parent);
                child.is_default = descent.is_default;
            }
            if let Some(parent) = self.objects.get_mut(&descent.parent) {
                parent.children.insert(descent.child);
            }
        }
    }

    fn read_constraints(&mut self, schema: &Schema) {
        for constraint in &schema.constraints {
            let Some(relation) = constraint.relation else {
                continue;
            };
            let kind = match constraint.kind {
                'c' => KeyKind::Check {
                    proves_not_null: constraint.proves_not_null.clone(),
                },
                'n' => KeyKind::NotNull,
                'p' | 'u' | 'x' => KeyKind::Index(constraint.index),
                'f' => KeyKind::Foreign {
                    to: constraint.refers_to,
                    to_name: self.name_or_none(constraint.refers_to),
                    to_columns: constraint.refers_to_columns.clone(),
                    index: constraint.index,
                    on_update: on_change(constraint.on_update),
                    on_delete: on_change(constraint.on_delete),
                },
                _ => KeyKind::Trigger,
            };
            if let (Some(to), 'f') = (constraint.refers_to, constraint.kind)
                && let Some(parent) = self.objects.get_mut(&to)
            {
                parent.referrers.insert(relation);
            }
            let check_time = match constraint.is_deferred {
                true => CheckTime::Commit,
                false => CheckTime::Statement,
            };
            if let Some(object) = self.objects.get_mut(&relation) {
                object.keys.push(Key {
                    id: constraint.oid,
                    name: constraint.name.clone(),
                    kind,
                    is_valid: constraint.is_valid,
                    check_time,
                    columns: constraint.columns.clone(),
                    parent: constraint.parent,
                });
            }
        }
    }

    fn name_or_none(&self, id: Option<u32>) -> Relation {
        let object = id.and_then(|id| self.objects.get(&id));
        object.map_or_else(|| Relation::unqualified(""), |object| object.name.clone())
    }

    fn read_others(&mut self, schema: &Schema) {
        for found in &schema.types {
            self.types.insert(
                name(&found.name),
                TypeFacts {
                    id: found.oid,
                    is_new: false,
                    base: found.base_type.clone(),
                    is_constrained: found.is_constrained,
                },
            );
        }
        for function in &schema.functions {
            let named = self
                .functions
                .by_name
                .entry(function.name.name.clone())
                .or_default();
            named.push(Function {
                id: function.oid,
                schema: function.name.schema.clone().unwrap_or_default(),
                is_volatile: function.volatility == 'v',
                inlined: function.inlined.clone(),
            });
        }
        for found in &schema.names {
            let key = (found.class.clone(), found.name.clone());
            self.named.insert(key, found.oid);
        }
    }

    fn read_dependents(&mut self, schema: &Schema) {
        let node = |class: &str, oid: u32, column: Option<i32>| match (class, column) {
            ("pg_class", None) => Node::Relation(oid),
            ("pg_class", Some(column)) => Node::Column(oid, column),
            (class, _) => Node::Part(Class::of(class), oid),
        };
        // a default's column is its name
        let mut defaults: BTreeMap<u32, (u32, i32)> = BTreeMap::new();
        for dependent in &schema.dependents {
            let from = node(&dependent.class, dependent.object, dependent.column);
            let on = node(
                &dependent.on_class,
                dependent.on_object,
                dependent.on_column,
            );
            let is_part = dependent.class != "pg_class";
            if let (true, Some(table)) = (is_part, dependent.relation) {
                self.depends
                    .part_of(from, table, dependent.name.clone().unwrap_or_default());
            }
            // an internal part goes where its owner goes, not the other way round
            let how = match dependent.how {
                'n' => How::Normal,
                _ => How::Owned,
            };
            self.depends.add(from, on, how);
            if dependent.how == 'i' && dependent.class == "pg_rewrite" {
                self.depends.add(on, from, How::Normal);
            }
            if let (Some(view), "pg_rewrite", "pg_class") = (
                dependent.relation,
                dependent.class.as_str(),
                dependent.on_class.as_str(),
            ) && view != dependent.on_object
                && let Some(object) = self.objects.get_mut(&view)
                && matches!(
                    object.kind,
                    RelationKind::View | RelationKind::MaterializedView
                )
            {
                object.reads.insert(dependent.on_object);
            }
            if let (Some(table), "pg_attrdef", Some(number)) = (
                dependent.relation,
                dependent.class.as_str(),
                &dependent.name,
            ) && let Ok(number) = number.parse()
            {
                defaults.insert(dependent.object, (table, number));
            }
        }
        for dependent in &schema.dependents {
            let is_sequence = dependent.on_class == "pg_class"
                && self
                    .objects
                    .get(&dependent.on_object)
                    .is_some_and(|o| o.kind == RelationKind::Sequence);
            if let (true, Some((table, number))) = (is_sequence, defaults.get(&dependent.object))
                && dependent.class == "pg_attrdef"
                && let Some(table) = self.objects.get_mut(table)
                && let Some(column) = table.columns.iter_mut().find(|c| c.number == *number)
            {
                column.sequences.insert(dependent.on_object);
            }
        }
    }
}

fn name(name: &pgdriver::catalog::RelationName) -> Relation {
    match &name.schema {
        Some(schema) => Relation::new(schema.clone(), name.name.clone()),
        None => Relation::unqualified(name.name.clone()),
    }
}

fn kind(letter: char) -> Option<RelationKind> {
    Some(match letter {
        'r' => RelationKind::Table,
        'p' => RelationKind::Partitioned,
        'f' => RelationKind::Foreign,
        'v' => RelationKind::View,
        'm' => RelationKind::MaterializedView,
        'S' => RelationKind::Sequence,
        'i' => RelationKind::Index,
        'I' => RelationKind::PartitionedIndex,
        'c' => RelationKind::Composite,
        _ => return None,
    })
}

fn on_change(letter: Option<char>) -> OnChange {
    match letter {
        Some('c' | 'n' | 'd') => OnChange::Written,
        _ => OnChange::Refused,
    }
}
