//! Constraints of tables that exist: what is read to add, to validate and to drop them.

use std::collections::BTreeSet;

use super::Effects;
use crate::sql::action::{Behavior, Change, Constraint, Descendants, KeySource, Rule, Validity};
use crate::sql::world::{Class, Id, Key, Node, Parent};
use crate::sql::{LockMode, Relation, ScanReason, StatementKind as Kind};

/// From this version on ADD UNIQUE and PRIMARY KEY lock partitions as they lock their parent: measured.
const KEYS_LOCK_PARTITIONS: u32 = 18;

impl Effects<'_> {
    /// A key of a partitioned table is an index of each partition, made under SHARE; NOT NULL that comes with it, and in later
    /// versions the key itself, needs more.
    pub(super) fn lock_of_child(&self, change: &Change, own: LockMode, family: &[Id]) -> LockMode {
        let Change::AddConstraint(constraint) = change else {
            return own;
        };
        let world = self.world;
        let open = match &constraint.rule {
            Rule::PrimaryKey(KeySource::Columns(columns)) => family.iter().any(|id| {
                columns
                    .iter()
                    .any(|column| !world.is_proven_not_null(*id, column))
            }),
            Rule::Unique(KeySource::Columns(_)) | Rule::Exclude => false,
            _ => return own,
        };
        match open || world.may_be_from(KEYS_LOCK_PARTITIONS) {
            true => own,
            false => LockMode::Share,
        }
    }

    pub(super) fn add_constraint(
        &mut self,
        table: &Relation,
        family: &[Id],
        constraint: &Constraint,
    ) {
        let world = self.world;
        let validates = constraint.validity == Validity::Validated;
        match &constraint.rule {
            Rule::ForeignKey { to, to_columns, .. } => {
                self.refer(to, to_columns);
                if validates {
                    self.scan_family(table, family, ScanReason::FkValidate);
                    self.look_up(family, to);
                }
            }
            Rule::Check { .. } if validates => {
                let own = match constraint.extent {
                    Descendants::Left => family.len().min(1),
                    Descendants::Included => family.len(),
                };
                self.scan_family(table, &family[..own], ScanReason::Verify);
            }
            Rule::NotNull { column } if validates => {
                let open: Vec<Id> = family
                    .iter()
                    .copied()
                    .filter(|id| !world.is_proven_not_null(*id, column))
                    .collect();
                if family.is_empty() || !open.is_empty() {
                    self.scan_family(table, &open, ScanReason::Verify);
                }
            }
            Rule::Unique(KeySource::Columns(_)) | Rule::Exclude => {
                self.scan_family(table, family, ScanReason::IndexBuild);
            }
            Rule::PrimaryKey(KeySource::Columns(columns)) => {
                self.scan_family(table, family, ScanReason::IndexBuild);
                self.not_null(table, family, columns);
            }
            Rule::Unique(KeySource::Index(name)) => {
                self.lock(&table.sibling(name.clone()), LockMode::ShareUpdateExclusive);
            }
            Rule::PrimaryKey(KeySource::Index(name)) => {
                let index = table.sibling(name.clone());
                self.lock(&index, LockMode::ShareUpdateExclusive);
                match world
                    .get(&index)
                    .and_then(|(_, object)| object.index.as_ref())
                {
                    Some(facts) => {
                        let columns: Vec<String> = facts.keys.iter().flatten().cloned().collect();
                        self.not_null(table, family, &columns);
                    }
                    // it reads the table unless every column is NOT NULL already
                    None => self.scan(table, ScanReason::Verify),
                }
            }
            Rule::Check { .. } | Rule::NotNull { .. } => {}
        }
    }

    /// A primary key makes its columns NOT NULL.
    fn not_null(&mut self, table: &Relation, family: &[Id], columns: &[String]) {
        let world = self.world;
        for id in family {
            let open = |column: &String| {
                let known = world
                    .object(*id)
                    .is_some_and(|object| object.column(column).is_some());
                known && !world.is_proven_not_null(*id, column)
            };
            if columns.iter().any(open) {
                self.scan_id(*id, ScanReason::Verify);
            }
        }
        if family.is_empty() && !columns.is_empty() && !world.has_catalog() {
            self.scan(table, ScanReason::Verify);
        }
    }

    /// The rows of a foreign key are looked up by a query, which opens every index of both tables.
    pub(super) fn look_up(&mut self, family: &[Id], to: &Relation) {
        for id in family {
            if self.world.object(*id).is_some_and(super::has_rows) {
                self.lock_indexes(*id, LockMode::AccessShare);
            }
        }
        self.read_all(to);
    }

    pub(super) fn drop_constraint(
        &mut self,
        table: &Relation,
        family: &[Id],
        name: &str,
        behavior: Behavior,
    ) {
        let world = self.world;
        let keys: Vec<&Key> = family
            .iter()
            .filter_map(|id| world.object(*id)?.key(name))
            .collect();
        if keys.is_empty() {
            match world.parent(table, name) {
                Parent::Known(parent) => self.lock(&parent, LockMode::AccessExclusive),
                Parent::Unknown => self.unknown(format!(
                    "whether {name} is a foreign key: the table it refers to is locked ACCESS EXCLUSIVE too"
                )),
                Parent::None => {}
            }
            if behavior == Behavior::Cascade {
                self.cascade(
                    &format!("constraint {name} of {table}"),
                    Kind::DropConstraint,
                );
            }
            return;
        }
        let start: BTreeSet<Node> = keys
            .iter()
            .map(|key| Node::Part(Class::Constraint, key.id))
            .collect();
        self.foreign_keys(&start);
        self.victims(&start, behavior);
    }

    pub(super) fn validate(&mut self, table: &Relation, family: &[Id], name: &str) {
        let world = self.world;
        let key = family.first().and_then(|id| world.object(*id)?.key(name));
        if key.is_some_and(|key| key.is_valid) {
            return;
        }
        match world.parent(table, name) {
            Parent::Known(parent) => {
                self.lock(&parent, LockMode::RowShare);
                self.scan_family(table, family, ScanReason::FkValidate);
                self.look_up(family, &parent);
            }
            // the table that it refers to would get ROW SHARE, which hinders nobody
            Parent::Unknown | Parent::None => self.scan_family(table, family, ScanReason::Verify),
        }
    }
}
