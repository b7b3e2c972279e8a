//! What is known of the database beside the text: from the live catalog, if somebody read it, and from the statements
//! of the plan that ran before. Values only; reading a catalog is pgdriver's.

use super::action::{Action, Change, Column, Constraint, CreateTable, Drop, IfExists, Rule};
use super::{Relation, StatementKind};
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
#[derive(Clone)]
pub(crate) struct Known {
    has_catalog: bool,
    tables: BTreeMap<Relation, Table>,
    /// Where each index belongs.
    index_tables: BTreeMap<Relation, Relation>,
    /// What the plan created, so that nobody outside it uses it yet.
    new: BTreeSet<Relation>,
    /// Types that the plan created: enums and their like, no domains.
    types: BTreeSet<Relation>,
    /// Functions, domains and their like that the plan created, by what drops them.
    objects: BTreeSet<(StatementKind, Relation)>,
    /// Names that Django sets IMMEDIATE, which it does for foreign keys only.
    immediate: BTreeSet<String>,
}

#[derive(Clone)]
struct Table {
    facts: TableFacts,
    extent: Extent,
}

/// How much is known of a table.
#[derive(Clone, PartialEq)]
enum Extent {
    Whole,
    /// Only what the plan added to it.
    Added,
}

/// Whether a constraint is a foreign key, and to where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    Known(Relation),
    /// A foreign key, or something that may be one.
    Unknown,
    None,
}

impl Known {
    pub(crate) fn new(catalog: Option<&Catalog>) -> Self {
        let tables = catalog.iter().flat_map(|catalog| &catalog.tables);
        let indexes = tables
            .clone()
            .flat_map(|(table, facts)| facts.indexes.iter().map(move |index| (index, table)));
        Self {
            has_catalog: catalog.is_some(),
            index_tables: indexes
                .map(|(index, table)| (index.clone(), table.clone()))
                .collect(),
            tables: tables
                .map(|(table, facts)| {
                    (
                        table.clone(),
                        Table {
                            facts: facts.clone(),
                            extent: Extent::Whole,
                        },
                    )
                })
                .collect(),
            new: BTreeSet::new(),
            types: BTreeSet::new(),
            objects: BTreeSet::new(),
            immediate: BTreeSet::new(),
        }
    }

    pub(crate) fn has_catalog(&self) -> bool {
        self.has_catalog
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

    /// The plan created what is dropped here.
    pub(crate) fn created(&self, dropped: &Drop) -> bool {
        let by_kind = (dropped.kind, dropped.name.clone());
        self.objects.contains(&by_kind)
            || dropped.kind == StatementKind::DropType && self.types.contains(&dropped.name)
    }

    /// None for a table that neither the catalog nor the plan has.
    pub(crate) fn facts(&self, table: &Relation) -> Option<&TableFacts> {
        let found = self
            .tables
            .get(table)
            .filter(|found| found.extent == Extent::Whole)?;
        Some(&found.facts)
    }

    /// The planner's estimate.
    pub(super) fn rows(&self, table: &Relation) -> Option<u64> {
        self.facts(table)?.rows
    }

    pub(crate) fn index_table(&self, index: &Relation) -> Option<&Relation> {
        self.index_tables.get(index)
    }

    /// What a constraint of `table` refers to.
    pub(super) fn parent(&self, table: &Relation, constraint: &str) -> Parent {
        let mut keys = self
            .tables
            .get(table)
            .into_iter()
            .flat_map(|found| &found.facts.foreign_keys);
        if let Some(key) = keys.find(|key| key.name == constraint) {
            return Parent::Known(key.to.clone());
        }
        // suffixes that Django and PostgreSQL give to what is no foreign key
        let other = ["_check", "_uniq", "_pk", "_pkey", "_key", "_excl"];
        let is_other =
            self.facts(table).is_some() || other.iter().any(|suffix| constraint.ends_with(suffix));
        if is_other && !self.immediate.contains(constraint) {
            Parent::None
        } else {
            Parent::Unknown
        }
    }

    /// What the foreign keys of `table` (of its `column`, if one is given) refer to; none where nobody knows.
    pub(super) fn parents(
        &self,
        table: &Relation,
        column: Option<&str>,
    ) -> Option<BTreeSet<Relation>> {
        let keys = self.facts(table)?.foreign_keys.iter();
        let touched = keys.filter(|key| {
            column.is_none_or(|column| key.columns.iter().any(|name| name == column))
        });
        Some(touched.map(|key| key.to.clone()).collect())
    }

    /// Tables with foreign keys to `table`; none where nobody knows.
    pub(super) fn children(&self, table: &Relation) -> Option<BTreeSet<Relation>> {
        if !self.has_catalog && !self.is_new(table) {
            return None;
        }
        let refers = |found: &Table| found.facts.foreign_keys.iter().any(|key| key.to == *table);
        let children = self
            .tables
            .iter()
            .filter(|(child, found)| *child != table && refers(found));
        Some(children.map(|(child, _)| child.clone()).collect())
    }

    /// [`Self::children`], and theirs.
    pub(super) fn descendants(&self, table: &Relation) -> Option<BTreeSet<Relation>> {
        let mut found = BTreeSet::new();
        let mut left = vec![table.clone()];
        while let Some(next) = left.pop() {
            for child in self.children(&next)? {
                if child != *table && found.insert(child.clone()) {
                    left.push(child);
                }
            }
        }
        Some(found)
    }

    /// The tables of a schema; none where nobody knows.
    pub(super) fn of_schema(&self, schema: &str) -> Option<Vec<Relation>> {
        let inside = self.tables.keys().filter(|table| table.schema() == schema);
        self.has_catalog.then(|| inside.cloned().collect())
    }

    /// Takes in what a statement did.
    pub(crate) fn apply(&mut self, actions: &[Action]) {
        for action in actions {
            self.apply_one(action);
        }
    }

    fn apply_one(&mut self, action: &Action) {
        match action {
            Action::CreateTable(table) if table.existing == IfExists::Fails => self.create(table),
            Action::CreateView {
                view,
                existing: IfExists::Fails,
                ..
            } => {
                self.new.insert(view.clone());
            }
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
            Action::RenameIndex { index, to } => {
                if let Some(table) = self.index_tables.remove(index) {
                    self.index_tables.insert(to.clone(), table);
                }
                self.renew(index, to);
            }
            Action::AlterTable { table, change } => self.alter(table, change),
            Action::Drop(dropped) => self.drop(dropped),
            Action::Created { dropped_by, name } => {
                // sequences share the names of tables, the others do not
                if *dropped_by == StatementKind::DropSequence {
                    self.new.insert(name.clone());
                }
                self.objects.insert((*dropped_by, name.clone()));
            }
            Action::CreateType { name } => {
                self.types.insert(name.clone());
            }
            Action::SetConstraints { names } => self.immediate.extend(names.iter().cloned()),
            _ => {}
        }
    }

    fn create(&mut self, create: &CreateTable) {
        let table = &create.table;
        self.new.insert(table.clone());
        self.tables.insert(
            table.clone(),
            Table {
                facts: TableFacts::default(),
                extent: Extent::Whole,
            },
        );
        for column in &create.columns {
            self.add_column(table, column);
        }
        for constraint in &create.constraints {
            self.add_constraint(table, constraint, &[]);
        }
    }

    fn alter(&mut self, table: &Relation, change: &Change) {
        match change {
            Change::AddConstraint(constraint) => self.add_constraint(table, constraint, &[]),
            Change::AddColumn(column) => self.add_column(table, column),
            Change::DropConstraint { name, .. } => self.retain_keys(table, |key| key.name != *name),
            Change::DropColumn { column, .. } => {
                self.retain_keys(table, |key| !key.columns.contains(column));
            }
            Change::RenameTable { to } | Change::SetSchema { to } => self.rename(table, to),
            _ => {}
        }
    }

    fn add_column(&mut self, table: &Relation, column: &Column) {
        for constraint in &column.constraints {
            self.add_constraint(table, constraint, std::slice::from_ref(&column.name));
        }
    }

    fn add_constraint(&mut self, table: &Relation, constraint: &Constraint, of_column: &[String]) {
        if let Rule::ForeignKey { columns, to } = &constraint.rule {
            let added = || Table {
                facts: TableFacts::default(),
                extent: Extent::Added,
            };
            let found = self.tables.entry(table.clone()).or_insert_with(added);
            found.facts.foreign_keys.push(ForeignKey {
                name: constraint.name.clone().unwrap_or_default(),
                columns: if of_column.is_empty() {
                    columns.clone()
                } else {
                    of_column.to_vec()
                },
                to: to.clone(),
            });
        }
    }

    fn retain_keys(&mut self, table: &Relation, keep: impl Fn(&ForeignKey) -> bool) {
        if let Some(found) = self.tables.get_mut(table) {
            found.facts.foreign_keys.retain(keep);
        }
    }

    fn drop(&mut self, dropped: &Drop) {
        use StatementKind as Kind;
        let name = &dropped.name;
        self.objects.remove(&(dropped.kind, name.clone()));
        match dropped.kind {
            Kind::DropType => drop(self.types.remove(name)),
            Kind::DropTable
            | Kind::DropView
            | Kind::DropMaterializedView
            | Kind::DropSequence
            | Kind::DropIndex => self.drop_relation(name),
            // their names are no relations'
            _ => {}
        }
    }

    fn drop_relation(&mut self, name: &Relation) {
        self.new.remove(name);
        self.tables.remove(name);
        self.index_tables
            .retain(|index, table| index != name && table != name);
        for found in self.tables.values_mut() {
            found.facts.foreign_keys.retain(|key| key.to != *name);
        }
    }

    fn rename(&mut self, from: &Relation, to: &Relation) {
        self.renew(from, to);
        if let Some(found) = self.tables.remove(from) {
            self.tables.insert(to.clone(), found);
        }
        let keys = self
            .tables
            .values_mut()
            .flat_map(|found| &mut found.facts.foreign_keys)
            .map(|key| &mut key.to);
        for table in self
            .index_tables
            .values_mut()
            .chain(keys)
            .filter(|table| *table == from)
        {
            *table = to.clone();
        }
    }

    fn renew(&mut self, from: &Relation, to: &Relation) {
        if self.new.remove(from) {
            self.new.insert(to.clone());
        }
    }
}
