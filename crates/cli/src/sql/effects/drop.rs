//! What DROP does, with whatever goes along.

use std::collections::BTreeSet;

use super::{Effects, concurrent};
use crate::sql::action::{Behavior, Drop, IfExists, Method};
use crate::sql::world::{Class, Id, Node, RelationKind};
use crate::sql::{Blocks, LockMode, Loss, Relation, StatementKind as Kind};

impl Effects<'_> {
    pub(super) fn drop(&mut self, dropped: &Drop) {
        let Drop {
            kind,
            name,
            table,
            behavior,
            method,
            existing,
        } = dropped;
        let missing = self.world.has_catalog() && self.world.get(name).is_none();
        if is_relation(*kind) && missing {
            if *existing == IfExists::Tolerated {
                return;
            }
            self.found(name);
        }
        self.outside_transaction |= *kind == Kind::DropDatabase || *method == Method::Concurrently;
        match kind {
            Kind::DropTable => self.losses.push(Loss::Table {
                relation: name.clone(),
                rows: self.world.rows(name),
            }),
            Kind::DropView | Kind::DropMaterializedView | Kind::DropSequence => {
                self.losses.extend(contents(*kind, name, *behavior));
            }
            Kind::DropSchema if *behavior == Behavior::Cascade => {
                self.losses.push(Loss::Contents {
                    of: format!("schema {}", name.name()),
                });
            }
            Kind::DropDatabase => self.losses.push(Loss::Contents {
                of: format!("database {}", name.name()),
            }),
            Kind::DropIndex => return self.drop_index(name, *method),
            Kind::DropTrigger | Kind::DropRule | Kind::DropPolicy => {
                if let Some(table) = table {
                    self.lock(table, LockMode::AccessExclusive);
                }
            }
            _ => {}
        }
        if is_relation(*kind) {
            self.lock(name, LockMode::AccessExclusive);
        }
        match self.world.dropped(*kind, name) {
            Some(start) => self.victims(&start, *behavior),
            // not there, or a name of another sort
            None if self.world.has_catalog() => self.nothing_known(dropped),
            None => self.unseen(dropped),
        }
    }

    /// REASSIGN OWNED and DROP OWNED: each relation of the role. What else it owns, and in which databases, is not looked up.
    pub(super) fn owned(&mut self, kind: Kind, roles: &[String]) {
        let world = self.world;
        if kind == Kind::DropOwned {
            self.losses.push(Loss::Contents {
                of: format!("what {} owns", roles.join(", ")),
            });
        }
        let Some(owned) = world.owned_by(roles) else {
            self.blocks_at_least = Some(Blocks::Reads);
            return self.unknown(format!(
                "which relations {} owns: each is locked ACCESS EXCLUSIVE",
                roles.join(", ")
            ));
        };
        if kind == Kind::DropOwned {
            self.victims(
                &owned.into_iter().map(Node::Relation).collect(),
                Behavior::Cascade,
            );
        } else {
            for id in owned {
                self.lock_id(id, LockMode::AccessExclusive);
            }
        }
    }

    /// The catalog has no such thing: IF EXISTS passes over it, or the statement fails. What is no relation may be anything.
    fn nothing_known(&mut self, dropped: &Drop) {
        let harmless = is_relation(dropped.kind)
            || matches!(
                dropped.kind,
                Kind::DropType
                    | Kind::DropDomain
                    | Kind::DropFunction
                    | Kind::DropExtension
                    | Kind::DropSchema
                    | Kind::DropTrigger
                    | Kind::DropRule
                    | Kind::DropPolicy
            );
        if dropped.behavior == Behavior::Cascade && !harmless {
            self.cascade(&object_name(dropped.kind, &dropped.name), dropped.kind);
        }
    }

    /// What the text alone shows.
    fn unseen(&mut self, dropped: &Drop) {
        let Drop {
            kind,
            name,
            behavior,
            ..
        } = dropped;
        match kind {
            Kind::DropTable => {
                self.lock_parents(name, None);
                if *behavior == Behavior::Cascade {
                    self.lock_children(name);
                }
            }
            Kind::DropSchema if *behavior == Behavior::Cascade => {
                self.blocks_at_least = Some(Blocks::Reads);
                self.unknown(format!("what schema {} holds", name.name()));
            }
            _ => {}
        }
        if *behavior == Behavior::Cascade && *kind != Kind::DropSchema {
            self.cascade(&object_name(*kind, name), *kind);
        }
    }

    /// Locks whatever goes, and says what of it held something.
    pub(super) fn victims(&mut self, start: &BTreeSet<Node>, behavior: Behavior) {
        let world = self.world;
        let all = world.with_dependents(start.clone());
        for node in &all {
            match node {
                Node::Relation(id) => self.lock_dropped(*id),
                Node::Column(id, _) => self.lock_id(*id, LockMode::AccessExclusive),
                Node::Part(class, _) => {
                    if let Some(table) = world.table_of(node) {
                        let mode = match class {
                            Class::Statistics => LockMode::ShareUpdateExclusive,
                            _ => LockMode::AccessExclusive,
                        };
                        self.lock_id(table, mode);
                    }
                }
            }
        }
        for node in all.difference(start) {
            // up to PostgreSQL 14 a generated column goes with the one that it is made of
            if behavior == Behavior::Cascade || matches!(node, Node::Column(..)) {
                self.lose(*node, &all);
            }
        }
    }

    fn lock_dropped(&mut self, id: Id) {
        let world = self.world;
        let Some(object) = world.object(id) else {
            return;
        };
        self.lock_id(id, LockMode::AccessExclusive);
        if object.kind.is_index()
            && let Some(table) = object.belongs_to
        {
            self.lock_id(table, LockMode::AccessExclusive);
        }
        if object.is_partition && object.kind.is_table() {
            for parent in &object.parents {
                self.lock_id(*parent, LockMode::AccessExclusive);
                let siblings = world
                    .object(*parent)
                    .into_iter()
                    .flat_map(|parent| &parent.children);
                for sibling in siblings {
                    if world
                        .object(*sibling)
                        .is_some_and(|sibling| sibling.is_default)
                    {
                        self.lock_id(*sibling, LockMode::AccessExclusive);
                    }
                }
            }
        }
        // the triggers of a foreign key stand on both tables
        for key in object.keys.iter().filter(|key| key.parent.is_none()) {
            if let Some(parent) = world.referred(key) {
                self.lock(parent, LockMode::AccessExclusive);
            }
        }
    }

    /// CASCADE: what was not named.
    fn lose(&mut self, node: Node, all: &BTreeSet<Node>) {
        let world = self.world;
        match node {
            Node::Relation(id) => {
                let Some(object) = world.object(id).filter(|object| !object.is_new) else {
                    return;
                };
                let (relation, rows) = (object.name.clone(), object.rows);
                self.losses.extend(match object.kind {
                    RelationKind::Table | RelationKind::Partitioned | RelationKind::Foreign => {
                        Some(Loss::Table { relation, rows })
                    }
                    RelationKind::View => Some(Loss::Victim {
                        what: format!("view {relation}"),
                    }),
                    RelationKind::MaterializedView => Some(Loss::Victim {
                        what: format!("materialized view {relation} and its rows"),
                    }),
                    _ => None,
                });
            }
            Node::Column(id, number) if !all.contains(&Node::Relation(id)) => {
                let Some(object) = world.object(id) else {
                    return;
                };
                let column = object.columns.iter().find(|column| column.number == number);
                self.losses.extend(column.map(|column| Loss::Column {
                    relation: object.name.clone(),
                    column: column.name.clone(),
                    rows: object.rows,
                }));
            }
            Node::Part(..) => {
                let part = world.part(&node).filter(|(table, _)| {
                    let is_new = world.object(*table).is_some_and(|object| object.is_new);
                    !is_new && !all.contains(&Node::Relation(*table))
                });
                self.losses
                    .extend(part.map(|(_, what)| Loss::Victim { what }));
            }
            Node::Column(..) => {}
        }
    }

    fn drop_index(&mut self, index: &Relation, method: Method) {
        let world = self.world;
        // nobody plans with it any more when the strongest lock is taken
        let felt = concurrent(
            method,
            LockMode::ShareUpdateExclusive,
            LockMode::AccessExclusive,
        );
        let Some((id, object)) = world
            .get(index)
            .filter(|(_, object)| object.kind.is_index())
        else {
            self.lock(index, LockMode::AccessExclusive);
            if method == Method::Concurrently {
                self.unfelt.insert(index.clone());
            } else if !world.has_catalog() {
                self.unknown(format!(
                    "which table index {index} belongs to: it is locked {felt} too"
                ));
            }
            return;
        };
        if method == Method::Concurrently {
            self.lock_id(id, LockMode::AccessExclusive);
            self.unfelt.insert(object.name.clone());
            if let Some(table) = object.belongs_to {
                self.lock_id(table, felt);
            }
            return;
        }
        self.lock_id(id, felt);
        for one in world.descendants(id).into_iter().chain([id]) {
            self.lock_dropped(one);
        }
    }

    /// CASCADE drops the foreign keys of other tables, and locks these.
    fn lock_children(&mut self, table: &Relation) {
        self.unknown(format!(
            "which tables refer to {table}: each is locked, and loses its foreign key"
        ));
    }

    /// What hangs on a table or column is views and foreign keys; on anything else it may be columns.
    pub(super) fn cascade(&mut self, of: &str, kind: Kind) {
        self.losses.push(Loss::Dependents { of: of.to_owned() });
        // Django drops every table with CASCADE: what it asks about the table is enough
        if kind != Kind::DropTable {
            self.blocks_at_least = Some(Blocks::Reads);
            self.unknown(format!("what depends on {of}"));
        }
    }

    /// Dropping a foreign key drops its triggers on the other table, which takes the same lock there.
    pub(super) fn lock_parents(&mut self, table: &Relation, column: Option<&str>) {
        self.unknown(match column {
            Some(column) => {
                format!("whether {column} is a foreign key: the table it refers to is locked too")
            }
            None => {
                format!("which tables the foreign keys of {table} refer to: each is locked too")
            }
        });
    }
}

fn is_relation(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::DropTable | Kind::DropView | Kind::DropMaterializedView | Kind::DropSequence
    )
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
