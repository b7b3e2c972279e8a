//! What is known of the database beside the text: from the live catalog, if somebody read it, and from the statements
//! of the plan that ran before. Values only; reading a catalog is pgdriver's.

use super::Relation;
use super::action::{Action, Change, Constraint, IfExists, Rule};
use std::collections::{BTreeMap, BTreeSet};

/// The tables of a live database, as far as somebody looked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalog {
    pub(crate) tables: BTreeMap<Relation, TableFacts>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct TableFacts {
    /// The planner's estimate; none where the table was never analysed.
    pub(crate) rows: Option<u64>,
    /// The table's own file, without its indexes.
    pub(crate) bytes: Option<u64>,
    pub(crate) indexes: BTreeSet<Relation>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) to: Relation,
}

/// The catalog as it will be after the statements seen so far.
pub(crate) struct Known<'a> {
    catalog: Option<&'a Catalog>,
    new: BTreeSet<Relation>,
    index_tables: BTreeMap<Relation, Relation>,
    /// By table and constraint name.
    foreign_keys: BTreeMap<(Relation, String), Relation>,
    /// Types that the plan created: enums and their like, no domains.
    types: BTreeSet<Relation>,
    /// The name in the catalog of a table that the plan renamed.
    renamed: BTreeMap<Relation, Relation>,
    /// Names that Django sets IMMEDIATE, which it does for foreign keys only.
    immediate: BTreeSet<String>,
}

/// Whether a constraint is a foreign key, and to where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    Known(Relation),
    /// A foreign key, or something that may be one.
    Unknown,
    None,
}

impl<'a> Known<'a> {
    pub(crate) fn new(catalog: Option<&'a Catalog>) -> Self {
        Self {
            catalog,
            new: BTreeSet::new(),
            index_tables: BTreeMap::new(),
            foreign_keys: BTreeMap::new(),
            types: BTreeSet::new(),
            renamed: BTreeMap::new(),
            immediate: BTreeSet::new(),
        }
    }

    pub(crate) fn has_catalog(&self) -> bool {
        self.catalog.is_some()
    }

    /// The plan created it, so nobody outside the plan uses it.
    pub(crate) fn is_new(&self, relation: &Relation) -> bool {
        self.new.contains(relation)
    }

    /// A type of this name, as a column has it, was created by the plan and is no domain.
    pub(super) fn is_new_type(&self, type_name: &str) -> bool {
        let name = type_name
            .split(['[', '('])
            .next()
            .unwrap_or_default()
            .replace('"', "");
        self.types
            .iter()
            .any(|created| created.name() == name || created.to_string() == name)
    }

    /// None for a table that the catalog does not have, or without a catalog.
    pub(crate) fn facts(&self, table: &Relation) -> Option<&'a TableFacts> {
        self.catalog?
            .tables
            .get(self.renamed.get(table).unwrap_or(table))
    }

    pub(crate) fn index_table(&self, index: &Relation) -> Option<Relation> {
        self.index_tables.get(index).cloned().or_else(|| {
            let tables = &self.catalog?.tables;
            tables
                .iter()
                .find(|(_, facts)| facts.indexes.contains(index))
                .map(|(table, _)| table.clone())
        })
    }

    /// What a constraint of `table` refers to.
    pub(crate) fn parent(&self, table: &Relation, constraint: &str) -> Parent {
        if let Some(to) = self
            .foreign_keys
            .get(&(table.clone(), constraint.to_owned()))
        {
            return Parent::Known(to.clone());
        }
        if let Some(facts) = self.facts(table) {
            return match facts.foreign_keys.iter().find(|key| key.name == constraint) {
                Some(key) => Parent::Known(key.to.clone()),
                None if self.immediate.contains(constraint) => Parent::Unknown,
                None => Parent::None,
            };
        }
        // suffixes that Django and PostgreSQL give to what is no foreign key
        let other = ["_check", "_uniq", "_pk", "_pkey", "_key", "_excl"];
        let surely_other =
            self.is_new(table) || other.iter().any(|suffix| constraint.ends_with(suffix));
        if surely_other && !self.immediate.contains(constraint) {
            Parent::None
        } else {
            Parent::Unknown
        }
    }

    /// What the foreign keys of `table` (of its `column`, if one is given) refer to; none where nobody knows.
    pub(crate) fn parents(
        &self,
        table: &Relation,
        column: Option<&str>,
    ) -> Option<BTreeSet<Relation>> {
        let planned = self
            .foreign_keys
            .iter()
            .filter(|((owner, _), _)| owner == table)
            .map(|(_, to)| to.clone());
        if self.is_new(table) {
            return Some(planned.collect());
        }
        let keys = self.facts(table)?.foreign_keys.iter();
        let touched = keys.filter(|key| {
            column.is_none_or(|column| key.columns.iter().any(|name| name == column))
        });
        Some(touched.map(|key| key.to.clone()).chain(planned).collect())
    }

    /// Tables with foreign keys to `table`, where the catalog is known.
    pub(crate) fn children(&self, table: &Relation) -> Option<BTreeSet<Relation>> {
        let tables = &self.catalog?.tables;
        let refers = |facts: &TableFacts| facts.foreign_keys.iter().any(|key| key.to == *table);
        Some(
            tables
                .iter()
                .filter(|(_, facts)| refers(facts))
                .map(|(child, _)| child.clone())
                .collect(),
        )
    }

    /// Takes in what a statement did.
    pub(crate) fn apply(&mut self, actions: &[Action]) {
        for action in actions {
            self.apply_one(action);
        }
    }

    fn apply_one(&mut self, action: &Action) {
        match action {
            Action::CreateTable(table) if table.existing == IfExists::Fails => {
                self.new.insert(table.table.clone());
                for constraint in table
                    .constraints
                    .iter()
                    .chain(table.columns.iter().flat_map(|c| &c.constraints))
                {
                    self.add_constraint(&table.table, constraint);
                }
            }
            Action::CreateView {
                view,
                existing: IfExists::Fails,
                ..
            } => drop(self.new.insert(view.clone())),
            Action::CreateIndex {
                index: Some(index),
                table,
                existing,
                ..
            } => {
                self.index_tables.insert(index.clone(), table.clone());
                if *existing == IfExists::Fails {
                    self.new.insert(index.clone());
                }
            }
            Action::AlterTable { table, change } => self.alter(table, change),
            Action::Drop(dropped) => {
                self.new.remove(&dropped.name);
                self.index_tables.remove(&dropped.name);
                self.foreign_keys
                    .retain(|(owner, _), _| *owner != dropped.name);
            }
            Action::RenameIndex { index, to } => {
                if let Some(table) = self.index_table(index) {
                    self.index_tables.insert(to.clone(), table);
                }
                if self.new.remove(index) {
                    self.new.insert(to.clone());
                }
            }
            Action::CreateType { name } => drop(self.types.insert(name.clone())),
            Action::SetConstraints { names } => self.immediate.extend(names.iter().cloned()),
            _ => {}
        }
    }

    fn alter(&mut self, table: &Relation, change: &Change) {
        match change {
            Change::AddConstraint(constraint) => self.add_constraint(table, constraint),
            Change::AddColumn(column) => {
                for constraint in &column.constraints {
                    self.add_constraint(table, constraint);
                }
            }
            Change::DropConstraint { name, .. } => {
                drop(self.foreign_keys.remove(&(table.clone(), name.clone())))
            }
            Change::RenameTable { to } | Change::SetSchema { to } => self.rename(table, to),
            _ => {}
        }
    }

    fn add_constraint(&mut self, table: &Relation, constraint: &Constraint) {
        if let (Some(name), Rule::ForeignKey { to }) = (&constraint.name, &constraint.rule) {
            self.foreign_keys
                .insert((table.clone(), name.clone()), to.clone());
        }
    }

    fn rename(&mut self, from: &Relation, to: &Relation) {
        if self.new.remove(from) {
            self.new.insert(to.clone());
        } else {
            let original = self.renamed.remove(from).unwrap_or_else(|| from.clone());
            self.renamed.insert(to.clone(), original);
        }
        for table in self
            .index_tables
            .values_mut()
            .chain(self.foreign_keys.values_mut())
            .filter(|table| *table == from)
        {
            *table = to.clone();
        }
        let owned: Vec<_> = self
            .foreign_keys
            .keys()
            .filter(|(owner, _)| owner == from)
            .cloned()
            .collect();
        for key in owned {
            if let Some(parent) = self.foreign_keys.remove(&key) {
                self.foreign_keys.insert((to.clone(), key.1), parent);
            }
        }
    }
}
