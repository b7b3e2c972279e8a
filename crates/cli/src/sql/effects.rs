//! What an [`Action`] does to the database: locks, rewrites, scans, losses. Pure, and on the safe side: where PostgreSQL
//! might do more than the text and the world show, it says what is not known.
//!
//! Source: `AlterTableGetLockLevel`, the chapters on each command, and what servers of every supported version were seen to
//! do (`tests/truth`).

mod constraint;
mod create;
mod drop;
mod maintenance;
mod partition;
mod query;
mod retype;
mod table;

use super::action::{Action, CreateIndex, Descendants, Method, Opaque, SequenceChange};
use super::world::{Id, Object, World};
use super::{Blocks, LockMode, Loss, Relation, ScanReason, StatementKind as Kind};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone)]
pub(super) struct Effects<'w> {
    world: &'w World,
    pub(super) relations: BTreeSet<Relation>,
    pub(super) locks: BTreeMap<Relation, LockMode>,
    /// Locks at which nobody waits: nobody uses the relation any more when it is taken.
    pub(super) unfelt: BTreeSet<Relation>,
    pub(super) rewrites: BTreeSet<Relation>,
    pub(super) scans: BTreeMap<Relation, BTreeSet<ScanReason>>,
    /// Where more is blocked than the locks on what is named show.
    pub(super) blocks_at_least: Option<Blocks>,
    pub(super) losses: Vec<Loss>,
    pub(super) unknowns: Vec<String>,
    pub(super) outside_transaction: bool,
}

/// Everything that the actions of one statement do, together. `old_type` is the type of a column that is altered, where the
/// world does not know it.
pub(super) fn effects<'w>(
    actions: &[Action],
    world: &'w World,
    old_type: OldType<'_>,
) -> Effects<'w> {
    let mut effects = Effects {
        world,
        relations: BTreeSet::new(),
        locks: BTreeMap::new(),
        unfelt: BTreeSet::new(),
        rewrites: BTreeSet::new(),
        scans: BTreeMap::new(),
        blocks_at_least: None,
        losses: Vec::new(),
        unknowns: Vec::new(),
        outside_transaction: false,
    };
    for action in actions {
        let (losses, unknowns) = (effects.losses.len(), effects.unknowns.len());
        let blocks = effects.blocks_at_least;
        effects.add(action, old_type);
        // what the plan made itself holds nothing that anybody would miss
        if action
            .subject()
            .is_some_and(|subject| world.is_new(subject))
            || matches!(action, Action::Drop(dropped) if world.created(dropped))
        {
            effects.losses.truncate(losses);
            effects.unknowns.truncate(unknowns);
            effects.blocks_at_least = blocks;
        }
    }
    effects.settle();
    effects
}

/// Looks up the type of a column before the statement.
pub(super) type OldType<'a> = &'a dyn Fn(&Relation, &str) -> Option<String>;

impl<'w> Effects<'w> {
    fn add(&mut self, action: &Action, old_type: OldType<'_>) {
        match action {
            Action::CreateTable(create) => self.create_table(create),
            Action::AlterTable {
                table,
                extent,
                change,
            } => self.change(table, *extent, change, old_type),
            Action::Drop(dropped) => self.drop(dropped),
            Action::Truncate {
                table,
                extent,
                identity,
                behavior,
            } => self.truncate(table, *extent, *identity, *behavior),
            Action::CreateIndex(create) => self.create_index(create),
            Action::Reindex { target, method } => self.reindex(target, *method),
            Action::AlterSequence {
                sequence,
                mode,
                change,
            } => {
                self.lock(sequence, *mode);
                if let SequenceChange::OwnedBy(Some((owner, _))) = change {
                    self.lock(owner, LockMode::AccessShare);
                }
            }
            Action::RenameIndex { index, to } => {
                self.lock(index, LockMode::ShareUpdateExclusive);
                self.relations.insert(to.clone());
            }
            Action::Query(query) => self.query(query),
            Action::Explain(query) => {
                // planned, not run
                let losses = self.losses.len();
                self.query(query);
                self.losses.truncate(losses);
            }
            Action::LockTable {
                table,
                extent,
                mode,
            } => self.lock_table(table, *extent, *mode),
            Action::Repack { kind, table } => self.repack(*kind, table.as_ref()),
            Action::CreateView {
                kind,
                view,
                existing,
                data,
                query,
            } => self.create_view(*kind, view, *existing, *data, query),
            Action::Refresh { view, method, data } => self.refresh(view, *method, *data),
            Action::Plain { kind, locks } => self.plain(*kind, locks),
            Action::Grant { on, .. } => {
                // source: objectNamesToOids, which locks what it looks up from PostgreSQL 18 on
                if self.world.may_be_from(18) {
                    for relation in on {
                        self.lock(relation, LockMode::AccessShare);
                    }
                }
            }
            Action::Owned { kind, roles } => self.owned(*kind, roles),
            Action::AlterDomain {
                domain, verifies, ..
            } => self.alter_domain(domain, *verifies),
            Action::AlterComposite { name, dropped } => {
                self.lock(name, LockMode::AccessExclusive);
                if !self.world.has_catalog() {
                    self.unknown(format!("which tables use the type {name}"));
                    self.blocks_at_least = Some(Blocks::Reads);
                }
                self.losses.extend(dropped.as_ref().map(|attribute| Loss::Object {
                    what: format!(
                        "attribute {attribute} of type {name}, and its values in every column of that type"
                    ),
                }));
            }
            Action::SetConstraints { names } => self.check_now(names),
            Action::Opaque(opaque) => self.opaque(opaque),
            Action::Branches => self.unknown("which branches of the DO block run"),
            Action::SetGuard { .. }
            | Action::Created { .. }
            | Action::CreateType { .. }
            | Action::CreateDomain { .. }
            | Action::AddEnumValue { .. } => {}
            Action::Unread { table, .. } => {
                self.unknown("what this statement does");
                self.blocks_at_least = Some(Blocks::Reads);
                if let Some(table) = table {
                    self.lock(table, LockMode::AccessExclusive);
                }
            }
        }
    }

    fn opaque(&mut self, opaque: &Opaque) {
        for (relation, mode) in &opaque.locks {
            self.lock(relation, *mode);
        }
        self.unknown(opaque.unknown.clone());
        // the worst that it may come to, since nobody can rule it out
        self.blocks_at_least = Some(Blocks::Reads);
        if !opaque.destroys.is_empty() {
            self.losses.push(Loss::Code {
                words: opaque.destroys.join(", "),
            });
        }
        if let Some(what) = &opaque.loses {
            self.losses.push(Loss::Object { what: what.clone() });
        }
    }

    /// Whoever writes a table anew checks its rows and builds its indexes on the way. Who waits for an index that is locked
    /// with its table waits for the table; and what is done to an index needs a lock on its table, too.
    fn settle(&mut self) {
        let strongest = LockMode::AccessExclusive;
        let world = self.world;
        let hidden = self.locks.iter().filter(|(name, mode)| {
            let table = world.index_table(name);
            let is_weak = table.is_some() && mode.blocks() == Blocks::Nothing;
            is_weak || table.and_then(|table| self.locks.get(table)) == Some(&strongest)
        });
        let hidden: Vec<Relation> = hidden.map(|(name, _)| name.clone()).collect();
        self.unfelt.extend(hidden);
        for table in &self.rewrites {
            if let Some(reasons) = self.scans.get_mut(table) {
                reasons.remove(&ScanReason::Verify);
                reasons.remove(&ScanReason::IndexBuild);
            }
        }
    }

    /// A relation of which everything is known. Where a catalog was read and has it not, that is said.
    fn found(&mut self, name: &Relation) -> Option<(Id, &'w Object)> {
        if self.world.get(name).is_none() && self.world.has_catalog() {
            self.unknown(format!(
                "what {name} is: the database has no such relation now"
            ));
        }
        self.world.get(name)
    }

    /// The table and, if they are meant, its partitions and inheriting tables.
    fn family(&mut self, table: &Relation, extent: Descendants) -> Vec<Id> {
        let world = self.world;
        let Some((id, _)) = self.found(table) else {
            return Vec::new();
        };
        let mut family = vec![id];
        if extent == Descendants::Included {
            family.extend(world.descendants(id));
        }
        family
    }

    /// The strongest mode wins.
    fn lock(&mut self, relation: &Relation, mode: LockMode) {
        let relation = match self.world.get(relation) {
            Some((_, object)) => &object.name,
            None => relation,
        };
        self.relations.insert(relation.clone());
        let held = self.locks.entry(relation.clone()).or_insert(mode);
        *held = mode.max(*held);
    }

    fn lock_id(&mut self, id: Id, mode: LockMode) {
        let world = self.world;
        if let Some(name) = world.name_of(id) {
            self.lock(name, mode);
        }
    }

    fn lock_indexes(&mut self, table: Id, mode: LockMode) {
        let world = self.world;
        let indexes = world
            .object(table)
            .into_iter()
            .flat_map(|object| &object.indexes);
        for index in indexes {
            self.lock_id(*index, mode);
        }
    }

    fn lock_sequences(&mut self, table: Id, mode: LockMode) {
        let world = self.world;
        let sequences = world
            .object(table)
            .into_iter()
            .flat_map(|object| &object.sequences);
        for sequence in sequences {
            self.lock_id(*sequence, mode);
        }
    }

    fn scan(&mut self, table: &Relation, reason: ScanReason) {
        self.scans.entry(table.clone()).or_default().insert(reason);
    }

    /// Of a relation that has rows of its own.
    fn scan_id(&mut self, table: Id, reason: ScanReason) {
        let world = self.world;
        if let Some(object) = world.object(table).filter(|object| has_rows(object)) {
            self.scan(&object.name, reason);
        }
    }

    fn rewrite(&mut self, table: &Relation) {
        self.rewrites.insert(table.clone());
        self.scan(table, ScanReason::Rewrite);
    }

    /// With its indexes, which get new files too.
    fn rewrite_id(&mut self, table: Id) {
        let world = self.world;
        if let Some(object) = world.object(table).filter(|object| has_rows(object)) {
            self.rewrite(&object.name);
            self.lock_indexes(table, LockMode::AccessExclusive);
        }
    }

    fn unknown(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.unknowns.contains(&what) {
            self.unknowns.push(what);
        }
    }
}

fn has_rows(object: &Object) -> bool {
    use super::world::RelationKind as R;
    matches!(object.kind, R::Table | R::MaterializedView)
}

fn concurrent(method: Method, concurrently: LockMode, plain: LockMode) -> LockMode {
    match method {
        Method::Concurrently => concurrently,
        Method::Plain => plain,
    }
}

fn is_transactional(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Vacuum | Kind::CreateDatabase | Kind::AlterSystem
    )
}

fn method(create: &CreateIndex) -> LockMode {
    concurrent(
        create.method,
        LockMode::ShareUpdateExclusive,
        LockMode::Share,
    )
}
