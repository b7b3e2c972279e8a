//! TRUNCATE, REINDEX, CLUSTER, VACUUM FULL, REFRESH, and domains, whose columns are checked.

use super::{Effects, concurrent, has_rows};
use crate::sql::action::{Behavior, Descendants, Identity, Method, ReindexTarget, WithData};
use crate::sql::world::{Id, RelationKind};
use crate::sql::{Blocks, LockMode, Loss, Relation, ScanReason, StatementKind as Kind};

impl Effects<'_> {
    pub(super) fn truncate(
        &mut self,
        table: &Relation,
        extent: Descendants,
        identity: Identity,
        behavior: Behavior,
    ) {
        let world = self.world;
        self.lock(table, LockMode::AccessExclusive);
        self.losses.push(Loss::Rows {
            relation: table.clone(),
            rows: world.rows(table),
        });
        let mut emptied = self.family(table, extent);
        if behavior == Behavior::Cascade {
            self.losses.push(Loss::Dependents {
                of: format!("{table}: every table that refers to it is emptied"),
            });
            match emptied.first() {
                Some(id) => {
                    for referrer in world.all_referrers(*id) {
                        self.losses
                            .extend(world.object(referrer).map(|object| Loss::Rows {
                                relation: object.name.clone(),
                                rows: object.rows,
                            }));
                        emptied.push(referrer);
                        emptied.extend(world.descendants(referrer));
                    }
                }
                None => self.unknown(format!(
                    "which tables refer to {table}: each is locked and emptied"
                )),
            }
        }
        for id in emptied {
            self.lock_id(id, LockMode::AccessExclusive);
            if world.object(id).is_some_and(has_rows) {
                self.lock_indexes(id, LockMode::AccessExclusive);
            }
            if identity == Identity::Restarted {
                self.lock_sequences(id, LockMode::AccessExclusive);
            }
        }
    }

    pub(super) fn reindex(&mut self, target: &ReindexTarget, method: Method) {
        let world = self.world;
        let on_table = concurrent(method, LockMode::ShareUpdateExclusive, LockMode::Share);
        let plain = method == Method::Plain;
        self.outside_transaction |= !plain;
        let on_new = matches!(target, ReindexTarget::Table(name) | ReindexTarget::Index(name) if world.is_new(name));
        if plain && !on_new {
            // the planner opens every index of a table that it reads
            self.blocks_at_least = Some(Blocks::Reads);
        }
        match target {
            ReindexTarget::Table(table) => {
                self.lock(table, on_table);
                let family = self.family(table, Descendants::Included);
                if family.is_empty() {
                    return self.scan(table, ScanReason::IndexBuild);
                }
                self.outside_transaction |= family.len() > 1;
                for id in family {
                    self.lock_id(id, on_table);
                    self.scan_id(id, ScanReason::IndexBuild);
                    let indexes = world
                        .object(id)
                        .filter(|object| has_rows(object))
                        .into_iter()
                        .flat_map(|o| &o.indexes);
                    for index in indexes {
                        self.rebuilt(*index, method);
                    }
                }
            }
            ReindexTarget::Index(index) => match world
                .get(index)
                .filter(|(_, object)| object.kind.is_index())
            {
                Some((id, object)) => {
                    self.outside_transaction |= object.kind == RelationKind::PartitionedIndex;
                    for one in world.descendants(id).into_iter().chain([id]) {
                        self.rebuilt(one, method);
                        if let Some(table) = world.object(one).and_then(|index| index.belongs_to) {
                            self.lock_id(table, on_table);
                            self.scan_id(table, ScanReason::IndexBuild);
                        }
                    }
                }
                None => {
                    self.lock(index, LockMode::AccessExclusive);
                    if plain {
                        self.unknown(format!(
                            "which table index {index} belongs to: it is locked {on_table}"
                        ));
                    } else {
                        self.unfelt.insert(index.clone());
                    }
                }
            },
            ReindexTarget::Schema | ReindexTarget::Database => {
                self.outside_transaction = true;
                self.unknown("how many tables are locked and read, one after the other");
            }
        }
    }

    /// CONCURRENTLY builds another one and drops the old when nobody uses it any more.
    fn rebuilt(&mut self, index: Id, method: Method) {
        let world = self.world;
        self.lock_id(index, LockMode::AccessExclusive);
        if method == Method::Concurrently {
            self.unfelt.extend(world.name_of(index).cloned());
        }
    }

    pub(super) fn repack(&mut self, kind: Kind, table: Option<&Relation>) {
        self.outside_transaction |= kind == Kind::VacuumFull || table.is_none();
        let Some(table) = table else {
            self.blocks_at_least = Some(Blocks::Reads);
            return self.unknown("how many tables are locked and rewritten, one after the other");
        };
        self.lock(table, LockMode::AccessExclusive);
        let family = self.family(table, Descendants::Included);
        if family.is_empty() {
            self.rewrite(table);
        }
        for id in family {
            self.lock_id(id, LockMode::AccessExclusive);
            self.rewrite_id(id);
        }
    }

    pub(super) fn refresh(&mut self, view: &Relation, method: Method, data: WithData) {
        let world = self.world;
        let mode = concurrent(method, LockMode::Exclusive, LockMode::AccessExclusive);
        self.lock(view, mode);
        let with_data = data == WithData::Yes;
        if method == Method::Plain && with_data {
            self.rewrite(view);
        }
        let Some((id, object)) = self.found(view) else {
            return;
        };
        let reads: Vec<Id> = object.reads.iter().copied().collect();
        self.lock_indexes(
            id,
            concurrent(method, LockMode::RowExclusive, LockMode::AccessExclusive),
        );
        if with_data {
            for read in reads {
                if let Some(name) = world.name_of(read) {
                    self.read_all(name);
                }
            }
        }
    }

    pub(super) fn alter_domain(&mut self, domain: &Relation, verifies: bool) {
        if !verifies {
            return;
        }
        match self.world.users_of_type(domain) {
            Some(tables) => {
                for table in tables {
                    self.lock_id(table, LockMode::Share);
                    self.scan_id(table, ScanReason::Verify);
                }
            }
            None => {
                self.unknown(format!(
                    "which tables have columns of the domain {domain}: each is locked SHARE and read in full"
                ));
                self.blocks_at_least = Some(Blocks::Writes);
            }
        }
    }
}
