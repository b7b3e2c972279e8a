//! What an [`Action`] does to the database: locks, rewrites, scans, losses. Pure, and on the safe side: where PostgreSQL
//! might do more than the text shows, it says what is not known.
//!
//! Lock levels are those of `AlterTableGetLockLevel` and of the chapters on each command, measured on PostgreSQL 15.

mod table;

use super::action::{
    Action, Behavior, CreateTable, Drop, IfExists, Method, Opaque, Query, ReindexTarget, Rows, Rule,
};
use super::catalog::Known;
use super::{Blocks, LockMode, Loss, Relation, ScanReason, StatementKind as Kind};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Default)]
pub(super) struct Effects {
    pub(super) relations: BTreeSet<Relation>,
    pub(super) locks: BTreeMap<Relation, LockMode>,
    pub(super) rewrites: BTreeSet<Relation>,
    pub(super) scans: BTreeMap<Relation, BTreeSet<ScanReason>>,
    /// Where more is blocked than the locks on what is named show.
    pub(super) blocks_at_least: Option<Blocks>,
    pub(super) losses: Vec<Loss>,
    pub(super) unknowns: Vec<String>,
    pub(super) outside_transaction: bool,
}

/// Everything that the actions of one statement do, together. `old_type` is the type of a column that is altered.
pub(super) fn effects(actions: &[Action], known: &Known, old_type: OldType<'_>) -> Effects {
    let mut effects = Effects::default();
    for action in actions {
        let (losses, unknowns) = (effects.losses.len(), effects.unknowns.len());
        let blocks = effects.blocks_at_least;
        effects.add(action, known, old_type);
        // what the plan made itself holds nothing that anybody would miss
        if action
            .subject()
            .is_some_and(|subject| known.is_new(subject))
            || matches!(action, Action::Drop(dropped) if known.created(dropped))
        {
            effects.losses.truncate(losses);
            effects.unknowns.truncate(unknowns);
            effects.blocks_at_least = blocks;
        }
    }
    effects
}

/// Looks up the type of a column before the statement.
pub(super) type OldType<'a> = &'a dyn Fn(&Relation, &str) -> Option<String>;

impl Effects {
    fn add(&mut self, action: &Action, known: &Known, old_type: OldType<'_>) {
        match action {
            Action::CreateTable(create) => self.create_table(create, known),
            Action::AlterTable { table, change } => self.change(table, change, known, old_type),
            Action::Drop(dropped) => self.drop(dropped, known),
            Action::Truncate { table, behavior } => self.truncate(table, *behavior, known),
            Action::CreateIndex {
                index,
                table,
                method,
                ..
            } => {
                self.relations.extend(index.clone());
                self.lock(
                    table,
                    concurrent(*method, LockMode::ShareUpdateExclusive, LockMode::Share),
                );
                self.scan(table, ScanReason::IndexBuild);
                self.outside_transaction |= *method == Method::Concurrently;
            }
            Action::Reindex { target, method } => self.reindex(target, *method, known),
            Action::AlterSequence {
                sequence,
                mode,
                owner,
            } => {
                self.lock(sequence, *mode);
                if let Some(owner) = owner {
                    self.lock(owner, LockMode::AccessShare);
                }
            }
            Action::RenameIndex { index, to } => {
                self.lock(index, LockMode::ShareUpdateExclusive);
                self.relations.insert(to.clone());
            }
            Action::Query(query) => self.query(query, known),
            Action::LockTable { table, mode } => self.lock(table, *mode),
            Action::Repack { kind, table } => self.repack(*kind, table.as_ref()),
            Action::CreateView {
                view,
                existing,
                query,
                ..
            } => {
                self.relations.insert(view.clone());
                if *existing == IfExists::Tolerated {
                    self.lock(view, LockMode::AccessExclusive);
                }
                self.query(query, known);
            }
            Action::Refresh { view, method } => {
                self.lock(
                    view,
                    concurrent(*method, LockMode::Exclusive, LockMode::AccessExclusive),
                );
                if *method == Method::Plain {
                    self.rewrite(view);
                }
            }
            Action::Plain { kind, locks } => {
                self.lock_all(locks);
                self.outside_transaction |= !is_transactional(*kind);
            }
            Action::Opaque(opaque) => self.opaque(opaque),
            Action::SetConstraints { .. }
            | Action::SetGuard { .. }
            | Action::Created { .. }
            | Action::CreateType { .. } => {}
            Action::Unread { table, .. } => {
                self.unknown("what this statement does");
                self.blocks_at_least = Some(Blocks::Reads);
                if let Some(table) = table {
                    self.lock(table, LockMode::AccessExclusive);
                }
            }
        }
    }

    fn create_table(&mut self, create: &CreateTable, known: &Known) {
        self.relations.insert(create.table.clone());
        let column_rules = create.columns.iter().flat_map(|column| &column.constraints);
        for constraint in create.constraints.iter().chain(column_rules) {
            if let Rule::ForeignKey { to, .. } = &constraint.rule
                && *to != create.table
            {
                self.lock(to, LockMode::ShareRowExclusive);
            }
        }
        if let Some(parent) = &create.partition_of {
            self.lock(parent, LockMode::AccessExclusive);
        }
        for parent in &create.inherits {
            self.lock(parent, LockMode::ShareUpdateExclusive);
        }
        for model in &create.like {
            self.lock(model, LockMode::AccessShare);
        }
        if let Some(query) = &create.query {
            self.query(query, known);
        }
    }

    fn drop(&mut self, dropped: &Drop, known: &Known) {
        let Drop {
            kind,
            name,
            table,
            behavior,
            method,
        } = dropped;
        match kind {
            Kind::DropTable => {
                self.lock(name, LockMode::AccessExclusive);
                self.lock_parents(name, None, known);
                if *behavior == Behavior::Cascade {
                    self.lock_children(name, known);
                }
                self.losses.push(Loss::Table {
                    relation: name.clone(),
                    rows: known.rows(name),
                });
            }
            Kind::DropView | Kind::DropMaterializedView | Kind::DropSequence => {
                self.lock(name, LockMode::AccessExclusive);
                self.losses.extend(contents(*kind, name, *behavior));
            }
            Kind::DropIndex => self.drop_index(name, *method, known),
            Kind::DropTrigger | Kind::DropRule | Kind::DropPolicy => {
                if let Some(table) = table {
                    self.lock(table, LockMode::AccessExclusive);
                }
            }
            Kind::DropSchema if *behavior == Behavior::Cascade => {
                self.drop_schema(name.name(), known);
            }
            Kind::DropOwned => {
                self.losses.push(Loss::Contents {
                    of: "what the role owns".to_owned(),
                });
                self.blocks_at_least = Some(Blocks::Reads);
                self.unknown("what the role owns");
            }
            Kind::DropDatabase => self.losses.push(Loss::Contents {
                of: format!("database {}", name.name()),
            }),
            _ => {}
        }
        self.outside_transaction |= *kind == Kind::DropDatabase || *method == Method::Concurrently;
        if *behavior == Behavior::Cascade && *kind != Kind::DropSchema {
            self.cascade(&object_name(*kind, name), *kind);
        }
    }

    /// CASCADE drops the foreign keys of other tables, and locks these.
    fn lock_children(&mut self, table: &Relation, known: &Known) {
        match known.children(table) {
            Some(children) => {
                for child in children {
                    self.lock(&child, LockMode::AccessExclusive);
                }
            }
            None => self.unknown(format!(
                "which tables refer to {table}: each is locked, and loses its foreign key"
            )),
        }
    }

    /// Its tables, where they are known; views and sequences go unsaid.
    fn drop_schema(&mut self, schema: &str, known: &Known) {
        self.losses.push(Loss::Contents {
            of: format!("schema {schema}"),
        });
        self.blocks_at_least = Some(Blocks::Reads);
        match known.of_schema(schema) {
            Some(tables) => {
                for table in tables {
                    self.lock(&table, LockMode::AccessExclusive);
                    let rows = known.rows(&table);
                    self.losses.push(Loss::Table {
                        relation: table,
                        rows,
                    });
                }
            }
            None => self.unknown(format!("what schema {schema} holds")),
        }
    }

    fn drop_index(&mut self, index: &Relation, method: Method, known: &Known) {
        let mode = concurrent(
            method,
            LockMode::ShareUpdateExclusive,
            LockMode::AccessExclusive,
        );
        self.lock(index, mode);
        match known.index_table(index) {
            Some(table) => self.lock(table, mode),
            // nobody waits for a concurrent drop
            None if method == Method::Concurrently => {}
            None => self.unknown(format!(
                "which table index {index} belongs to: it is locked {mode} too"
            )),
        }
    }

    /// What hangs on a table or column is views and foreign keys; on anything else it may be columns.
    fn cascade(&mut self, of: &str, kind: Kind) {
        self.losses.push(Loss::Dependents { of: of.to_owned() });
        // Django drops every table with CASCADE: what it asks about the table is enough
        if kind != Kind::DropTable {
            self.blocks_at_least = Some(Blocks::Reads);
            self.unknown(format!("what depends on {of}"));
        }
    }

    fn truncate(&mut self, table: &Relation, behavior: Behavior, known: &Known) {
        self.lock(table, LockMode::AccessExclusive);
        self.losses.push(Loss::Rows {
            relation: table.clone(),
            rows: known.rows(table),
        });
        if behavior == Behavior::Restrict {
            return;
        }
        self.losses.push(Loss::Dependents {
            of: format!("{table}: every table that refers to it is emptied"),
        });
        match known.descendants(table) {
            Some(children) => {
                for child in children {
                    self.lock(&child, LockMode::AccessExclusive);
                    let rows = known.rows(&child);
                    self.losses.push(Loss::Rows {
                        relation: child,
                        rows,
                    });
                }
            }
            None => self.unknown(format!(
                "which tables refer to {table}: each is locked and emptied"
            )),
        }
    }

    fn reindex(&mut self, target: &ReindexTarget, method: Method, known: &Known) {
        let on_table = concurrent(method, LockMode::ShareUpdateExclusive, LockMode::Share);
        let plain = method == Method::Plain;
        self.outside_transaction |= !plain;
        let on_new = matches!(target, ReindexTarget::Table(name) | ReindexTarget::Index(name) if known.is_new(name));
        if plain && !on_new {
            // the planner opens every index of a table that it reads
            self.blocks_at_least = Some(Blocks::Reads);
        }
        match target {
            ReindexTarget::Table(table) => {
                self.lock(table, on_table);
                self.scan(table, ScanReason::IndexBuild);
            }
            ReindexTarget::Index(index) => {
                self.lock(
                    index,
                    concurrent(
                        method,
                        LockMode::ShareUpdateExclusive,
                        LockMode::AccessExclusive,
                    ),
                );
                match known.index_table(index) {
                    Some(table) => {
                        self.lock(table, on_table);
                        self.scan(table, ScanReason::IndexBuild);
                    }
                    None if !plain => {}
                    None => self.unknown(format!(
                        "which table index {index} belongs to: it is locked {on_table}"
                    )),
                }
            }
            ReindexTarget::Schema | ReindexTarget::Database => {
                self.outside_transaction = true;
                self.unknown("how many tables are locked and read, one after the other");
            }
        }
    }

    fn query(&mut self, query: &Query, known: &Known) {
        for (table, mode) in query.locks() {
            self.lock(&table, mode);
        }
        for write in &query.writes {
            if known.is_new(&write.table) {
                continue;
            }
            let (relation, rows) = (write.table.clone(), known.rows(&write.table));
            match (write.kind, write.rows) {
                (Kind::Delete, Rows::All) => self.losses.push(Loss::Rows { relation, rows }),
                (Kind::Update, Rows::All) => self.losses.push(Loss::Values { relation, rows }),
                _ => {}
            }
        }
        for function in &query.calls {
            self.unknown(format!("what the function {function} does"));
        }
    }

    fn repack(&mut self, kind: Kind, table: Option<&Relation>) {
        self.outside_transaction |= kind == Kind::VacuumFull || table.is_none();
        match table {
            Some(table) => {
                self.lock(table, LockMode::AccessExclusive);
                self.rewrite(table);
            }
            None => {
                self.blocks_at_least = Some(Blocks::Reads);
                self.unknown("how many tables are locked and rewritten, one after the other");
            }
        }
    }

    fn opaque(&mut self, opaque: &Opaque) {
        self.lock_all(&opaque.locks);
        self.unknown(opaque.unknown.clone());
        // the worst that it may come to, since nobody can rule it out
        self.blocks_at_least = Some(if opaque.kind == Kind::AlterDomain {
            Blocks::Writes
        } else {
            Blocks::Reads
        });
        if !opaque.destroys.is_empty() {
            self.losses.push(Loss::Code {
                words: opaque.destroys.join(", "),
            });
        }
        if let Some(what) = &opaque.loses {
            self.losses.push(Loss::Object { what: what.clone() });
        }
    }

    /// Dropping a foreign key drops its triggers on the other table, which takes the same lock there.
    fn lock_parents(&mut self, table: &Relation, column: Option<&str>, known: &Known) {
        match known.parents(table, column) {
            Some(parents) => {
                for parent in parents {
                    self.lock(&parent, LockMode::AccessExclusive);
                }
            }
            None => self.unknown(match column {
                Some(column) => format!(
                    "whether {column} is a foreign key: the table it refers to is locked too"
                ),
                None => {
                    format!("which tables the foreign keys of {table} refer to: each is locked too")
                }
            }),
        }
    }

    fn lock_all(&mut self, locks: &[(Relation, LockMode)]) {
        for (relation, mode) in locks {
            self.lock(relation, *mode);
        }
    }

    /// The strongest mode wins.
    fn lock(&mut self, relation: &Relation, mode: LockMode) {
        self.relations.insert(relation.clone());
        let held = self.locks.entry(relation.clone()).or_insert(mode);
        *held = mode.max(*held);
    }

    fn scan(&mut self, table: &Relation, reason: ScanReason) {
        self.scans.entry(table.clone()).or_default().insert(reason);
    }

    fn rewrite(&mut self, table: &Relation) {
        self.rewrites.insert(table.clone());
        self.scan(table, ScanReason::Rewrite);
    }

    fn unknown(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.unknowns.contains(&what) {
            self.unknowns.push(what);
        }
    }
}

fn concurrent(method: Method, concurrently: LockMode, plain: LockMode) -> LockMode {
    match method {
        Method::Concurrently => concurrently,
        Method::Plain => plain,
    }
}

/// What a dropped view or sequence held of its own.
fn contents(kind: Kind, name: &Relation, behavior: Behavior) -> Option<Loss> {
    let what = match (kind, behavior) {
        (Kind::DropMaterializedView, _) => format!("materialized view {name} and its rows"),
        // with CASCADE, Django's own end of a serial column: what it takes along is said there
        (Kind::DropSequence, Behavior::Restrict) => format!("sequence {name} and where it stood"),
        _ => return None,
    };
    Some(Loss::Object { what })
}

fn object_name(kind: Kind, name: &Relation) -> String {
    match kind {
        Kind::DropObject | Kind::DropExtension => name.name().to_owned(),
        _ => name.to_string(),
    }
}

fn is_transactional(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Vacuum | Kind::CreateDatabase | Kind::AlterSystem
    )
}
