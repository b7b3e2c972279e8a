//! What CREATE does: to whom a new table refers or belongs, what an index reads, what a view names.

use super::{Effects, method};
use crate::sql::action::Method;
use crate::sql::action::{CreateIndex, CreateTable, Descendants, IfExists, Query, Rule, WithData};
use crate::sql::world::{KeyKind, Object, RelationKind};
use crate::sql::{LockMode, Relation, ScanReason, StatementKind as Kind};

/// From this version on the index of the key that a foreign key refers to stays locked, and so does the sequence of a default
/// that is made anew: measured.
pub(super) const KEPT_OPEN: u32 = 15;

impl Effects<'_> {
    pub(super) fn create_table(&mut self, create: &CreateTable) {
        self.relations.insert(create.table.clone());
        if create.existing == IfExists::Tolerated && self.world.facts(&create.table).is_some() {
            return;
        }
        let column_rules = create.columns.iter().flat_map(|column| &column.constraints);
        for constraint in create.constraints.iter().chain(column_rules) {
            if let Rule::ForeignKey { to, to_columns, .. } = &constraint.rule
                && *to != create.table
            {
                self.refer(to, to_columns);
            }
        }
        if let Some(parent) = &create.partition_of {
            self.lock(parent, LockMode::AccessExclusive);
            self.new_partition(parent);
        }
        for parent in &create.inherits {
            self.lock(parent, LockMode::ShareUpdateExclusive);
        }
        for model in &create.like {
            self.lock(model, LockMode::AccessShare);
        }
        if let Some(query) = &create.query {
            self.query_of(query, create.data == WithData::Yes);
        }
    }

    /// A foreign key's other end: its triggers, and the key that it refers to.
    pub(super) fn refer(&mut self, to: &Relation, to_columns: &[String]) {
        self.lock(to, LockMode::ShareRowExclusive);
        let world = self.world;
        if let Some((id, _)) = self.found(to) {
            for part in world.descendants(id).into_iter().chain([id]) {
                self.lock_id(part, LockMode::ShareRowExclusive);
                if let (Some(index), true) = (
                    world.key_index(part, to_columns),
                    world.may_be_from(KEPT_OPEN),
                ) {
                    self.lock_id(index, LockMode::AccessShare);
                }
            }
        }
    }

    /// What the arrival of a partition does to its parent's indexes and to the default partition, whose rows might belong to
    /// the new one.
    pub(super) fn new_partition(&mut self, parent: &Relation) {
        let world = self.world;
        let Some((id, object)) = self.found(parent) else {
            if !world.has_catalog() {
                self.unknown(format!(
                    "whether {parent} has a default partition, which is then locked and read in full"
                ));
            }
            return;
        };
        let children: Vec<u32> = object.children.iter().copied().collect();
        // its foreign keys are the new one's, too
        for key in world.object(id).into_iter().flat_map(|object| &object.keys) {
            if let KeyKind::Foreign {
                to: Some(to),
                to_columns,
                ..
            } = &key.kind
                && let Some(to) = world.name_of(*to)
            {
                self.refer(to, to_columns);
            }
        }
        self.lock_indexes(id, LockMode::ShareUpdateExclusive);
        for child in children {
            if world.object(child).is_some_and(|child| child.is_default) {
                self.lock_id(child, LockMode::AccessExclusive);
                self.scan_id(child, ScanReason::Verify);
            }
        }
    }

    pub(super) fn create_index(&mut self, create: &CreateIndex) {
        self.relations.extend(create.index.clone());
        self.outside_transaction |= create.method == Method::Concurrently;
        let mode = method(create);
        self.lock(&create.table, mode);
        let exists = create
            .index
            .as_ref()
            .is_some_and(|index| self.world.facts(index).is_some());
        if create.existing == IfExists::Tolerated && exists {
            return;
        }
        let family = self.family(&create.table, create.extent);
        if family.is_empty() {
            return self.scan(&create.table, ScanReason::IndexBuild);
        }
        let world = self.world;
        let is_partitioned = world
            .object(family[0])
            .is_some_and(|object| object.kind == RelationKind::Partitioned);
        // inheriting tables have indexes of their own
        let meant = if is_partitioned { family.len() } else { 1 };
        for id in &family[..meant] {
            self.lock_id(*id, mode);
            self.scan_id(*id, ScanReason::IndexBuild);
        }
    }

    pub(super) fn create_view(
        &mut self,
        kind: Kind,
        view: &Relation,
        existing: IfExists,
        data: WithData,
        query: &Query,
    ) {
        self.relations.insert(view.clone());
        let there = self.world.facts(view).is_some() || !self.world.has_catalog();
        if existing == IfExists::Tolerated && there {
            self.lock(view, LockMode::AccessExclusive);
        }
        self.query_of(
            query,
            kind == Kind::CreateMaterializedView && data == WithData::Yes,
        );
    }

    /// VACUUM and ANALYZE of everything.
    fn whole_database(&mut self, kind: Kind) {
        let world = self.world;
        let indexes = match kind {
            Kind::Vacuum => LockMode::RowExclusive,
            _ => LockMode::AccessShare,
        };
        for id in world.tables() {
            let has_rows = world.object(id).is_some_and(super::has_rows);
            // a partitioned table has nothing to clean up
            if has_rows || kind == Kind::Analyze {
                self.lock_id(id, LockMode::ShareUpdateExclusive);
            }
            if has_rows {
                self.lock_indexes(id, indexes);
            }
        }
    }

    /// Statements whose locks the text shows, and those that these bring along.
    pub(super) fn plain(&mut self, kind: Kind, locks: &[(Relation, LockMode)]) {
        self.outside_transaction |= !super::is_transactional(kind);
        if locks.is_empty() && matches!(kind, Kind::Vacuum | Kind::Analyze) {
            self.whole_database(kind);
        }
        for (relation, mode) in locks {
            let is_parent = |object: &Object| object.kind == RelationKind::Partitioned;
            match kind == Kind::Vacuum && self.world.facts(relation).is_some_and(is_parent) {
                true => self.lock(relation, LockMode::AccessShare),
                false => self.lock(relation, *mode),
            }
            let indexes = match kind {
                Kind::Vacuum => Some(LockMode::RowExclusive),
                Kind::Analyze => Some(LockMode::AccessShare),
                _ => None,
            };
            let family = match kind {
                Kind::Vacuum | Kind::Analyze | Kind::CreateTrigger => {
                    self.family(relation, Descendants::Included)
                }
                _ => Vec::new(),
            };
            for id in family {
                let is_parent = self
                    .world
                    .object(id)
                    .is_some_and(|object| object.kind == RelationKind::Partitioned);
                if kind == Kind::Vacuum && is_parent {
                    // a partitioned table has nothing to clean up
                    continue;
                }
                self.lock_id(id, *mode);
                if let (Some(indexes), true) =
                    (indexes, self.world.object(id).is_some_and(super::has_rows))
                {
                    self.lock_indexes(id, indexes);
                }
            }
        }
    }
}
