//! What a query does: planning opens every index of what it reads and writes, partitions and the tables below a view too.

use super::Effects;
use crate::sql::action::{CheckTime, Descendants, OnChange, Query, RowLocks, Rows, Targets, Write};
use crate::sql::world::{Id, KeyKind, Object, RelationKind};
use crate::sql::{LockMode, Loss, Relation, StatementKind as Kind};

/// From this version on planning opens the indexes of a partitioned table itself, too. Source: get_relation_info.
const PARTITIONED_INDEXES: u32 = 16;

impl Effects<'_> {
    pub(super) fn query(&mut self, query: &Query) {
        self.query_of(query, true);
    }

    /// `planned`: it runs, or is planned at least; else it is only read, as for a view.
    pub(super) fn query_of(&mut self, query: &Query, planned: bool) {
        let read = match query.row_locks {
            RowLocks::Taken => LockMode::RowShare,
            RowLocks::None => LockMode::AccessShare,
        };
        for relation in &query.reads {
            self.read(relation, read, planned);
        }
        for sequence in &query.sequences {
            self.lock(sequence, LockMode::RowExclusive);
        }
        for (table, column) in &query.serials {
            self.next_values(table, std::slice::from_ref(column));
        }
        for write in &query.writes {
            self.write(write);
        }
        for function in &query.calls {
            self.unknown(format!("what the function {function} does"));
        }
    }

    /// A query that only reads.
    pub(super) fn read_all(&mut self, relation: &Relation) {
        self.read(relation, LockMode::AccessShare, true);
    }

    fn read(&mut self, relation: &Relation, mode: LockMode, planned: bool) {
        self.lock(relation, mode);
        if !planned {
            return;
        }
        let world = self.world;
        let Some((id, _)) = self.found(relation) else {
            return;
        };
        self.plan(id, mode);
        for below in world.below(id) {
            self.lock_id(below, mode);
            self.plan(below, mode);
        }
    }

    /// Locks what planning opens of one relation.
    fn plan(&mut self, id: Id, mode: LockMode) {
        let world = self.world;
        for one in world.descendants(id).into_iter().chain([id]) {
            let Some(object) = world.object(one) else {
                continue;
            };
            self.lock_id(one, mode);
            if object.kind != RelationKind::Partitioned || world.may_be_from(PARTITIONED_INDEXES) {
                self.lock_indexes(one, mode);
            }
        }
    }

    fn write(&mut self, write: &Write) {
        let table = &write.table;
        self.lock(table, LockMode::RowExclusive);
        if !self.world.is_new(table) {
            let (relation, rows) = (table.clone(), self.world.rows(table));
            match (write.kind, write.rows) {
                (Kind::Delete, Rows::All) => self.losses.push(Loss::Rows { relation, rows }),
                (Kind::Update, Rows::All) => self.losses.push(Loss::Values { relation, rows }),
                _ => {}
            }
        }
        let world = self.world;
        let Some((id, object)) = self.found(table) else {
            return;
        };
        let (kind, has_heirs) = (object.kind, !object.children.is_empty());
        if matches!(kind, RelationKind::View | RelationKind::MaterializedView) {
            self.unknown(format!(
                "what becomes of a row that is written to the view {table}"
            ));
        }
        match &write.targets {
            Targets::Planned => {
                self.plan(id, LockMode::RowExclusive);
                if has_heirs && write.rows == Rows::Filtered {
                    self.unknown(format!("which partitions of {table} hold the rows"));
                }
            }
            targets => {
                if has_heirs && kind == RelationKind::Partitioned {
                    for part in world.descendants(id) {
                        self.lock_id(part, LockMode::RowExclusive);
                    }
                    self.unknown(format!("to which partitions of {table} the rows go"));
                }
                self.defaults(object, targets);
            }
        }
        self.keys_of_rows(object, write);
    }

    /// Columns that are not given take the next values of their sequences.
    fn defaults(&mut self, table: &Object, targets: &Targets) {
        let left = table
            .columns
            .iter()
            .enumerate()
            .filter(|(at, column)| match targets {
                Targets::Columns(given) => !given.contains(&column.name),
                Targets::First(count) => at >= count,
                Targets::Planned | Targets::Unknown => false,
            });
        for sequence in left.flat_map(|(_, column)| &column.sequences) {
            self.lock_id(*sequence, LockMode::RowExclusive);
        }
        let takes_next = table
            .columns
            .iter()
            .any(|column| !column.sequences.is_empty());
        if *targets == Targets::Unknown && takes_next {
            self.unknown(format!(
                "which columns of {} get the next value of a sequence",
                table.name
            ));
        }
    }

    fn next_values(&mut self, table: &Relation, columns: &[String]) {
        let world = self.world;
        let Some((_, object)) = self.found(table) else {
            return;
        };
        let owned = object.sequences.iter().copied();
        let sequences: Vec<Id> = owned
            .filter(|id| {
                let column = world
                    .object(*id)
                    .and_then(|sequence| sequence.owned_by_column.as_ref());
                column.is_some_and(|column| columns.contains(column))
            })
            .collect();
        for sequence in sequences {
            self.lock_id(sequence, LockMode::RowExclusive);
        }
    }

    /// Foreign keys that are checked at the end of the statement; those that wait for COMMIT take nothing now.
    fn keys_of_rows(&mut self, table: &Object, write: &Write) {
        let world = self.world;
        let sure = matches!(write.targets, Targets::First(_));
        let touches = |column: &String| write.columns.is_empty() || write.columns.contains(column);
        if write.kind != Kind::Delete {
            for key in &table.keys {
                let KeyKind::Foreign { to: Some(to), .. } = key.kind else {
                    continue;
                };
                if key.check_time == CheckTime::Statement && key.columns.iter().any(touches) {
                    self.checked(to, sure, &table.name);
                }
            }
        }
        if write.kind == Kind::Insert {
            return;
        }
        let referrers = table
            .referrers
            .iter()
            .filter_map(|id| Some((*id, world.object(*id)?)));
        for (id, referrer) in referrers {
            for key in &referrer.keys {
                let KeyKind::Foreign {
                    to,
                    to_columns,
                    on_update,
                    on_delete,
                    ..
                } = &key.kind
                else {
                    continue;
                };
                if write.kind == Kind::Update && !to_columns.iter().any(touches) {
                    continue;
                }
                let refers = to.and_then(|to| world.name_of(to)) == Some(&table.name);
                let on = if write.kind == Kind::Delete {
                    on_delete
                } else {
                    on_update
                };
                match (refers, on, key.check_time) {
                    (false, _, _) | (true, OnChange::Refused, CheckTime::Commit) => {}
                    (true, OnChange::Refused, CheckTime::Statement) => {
                        self.checked(id, false, &table.name);
                    }
                    (true, OnChange::Written, _) => {
                        self.lock_id(id, LockMode::RowExclusive);
                        self.plan(id, LockMode::RowExclusive);
                        self.unknown(format!(
                            "whether rows of {} refer to those of {}",
                            referrer.name, table.name
                        ));
                    }
                }
            }
        }
    }

    /// Rows of the other table are looked up and locked.
    fn checked(&mut self, other: Id, sure: bool, table: &Relation) {
        self.lock_id(other, LockMode::RowShare);
        self.plan(other, LockMode::RowShare);
        if !sure {
            self.unknown(format!(
                "whether rows of {table} are written whose keys are then looked up"
            ));
        }
    }

    /// SET CONSTRAINTS … IMMEDIATE: what was written before is checked.
    pub(super) fn check_now(&mut self, names: &[String]) {
        let world = self.world;
        for (table, name) in world.pending(names) {
            let key = world.object(table).and_then(|object| object.key(name));
            if let Some(KeyKind::Foreign { to: Some(to), .. }) = key.map(|key| &key.kind) {
                self.lock_id(*to, LockMode::RowShare);
                self.plan(*to, LockMode::RowShare);
            }
        }
    }

    /// A view's tables are locked with it.
    pub(super) fn lock_table(&mut self, table: &Relation, extent: Descendants, mode: LockMode) {
        self.lock(table, mode);
        let world = self.world;
        for id in self.family(table, extent) {
            self.lock_id(id, mode);
            for below in world.below(id) {
                self.lock_id(below, mode);
            }
        }
    }
}
