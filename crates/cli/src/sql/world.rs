//! The schema that a statement meets: what the live catalog says, if somebody read it, changed by the statements of the plan
//! that ran before.
//!
//! Values only; reading a catalog is pgdriver's. Without one, only what the plan itself made is known, and every question
//! about the rest has the answer `None`. Absent: what a statement does (see `effects`).

mod ask;
mod depends;
mod evolve;
mod from_catalog;
mod gone;
mod made;
mod objects;
mod refused;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(crate) use self::ask::Parent;
pub(crate) use self::depends::{Class, Node};
use self::depends::{Depends, How};
use self::objects::Functions;
pub(crate) use self::objects::{
    Column, Facet, Index, Key, KeyKind, Object, RelationKind, TypeFacts,
};
use super::{Relation, StatementKind};

/// An object's identity: its oid, or for what the plan makes a number of ours.
pub(crate) type Id = u32;

/// Numbers that no server gives to a relation of users.
const FIRST_OF_OURS: Id = 0xF000_0000;

/// Relations, types, functions, and what depends on what.
#[derive(Debug, Clone)]
pub(crate) struct World {
    server: Option<Server>,
    /// Asked for each name of each statement.
    names: HashMap<Relation, Id, foldhash::fast::RandomState>,
    objects: BTreeMap<Id, Object>,
    types: BTreeMap<Relation, TypeFacts>,
    functions: Functions,
    depends: Depends,
    /// Schemas and extensions.
    named: BTreeMap<(String, String), Id>,
    /// Functions, domains and their like that the plan created, by what drops them.
    created: BTreeSet<(StatementKind, Relation)>,
    /// Names that Django sets IMMEDIATE, which it does for foreign keys only.
    immediate: BTreeSet<String>,
    /// Rows were written whose deferred foreign keys wait for COMMIT.
    pending: BTreeSet<(Id, String)>,
    next: Id,
}

/// The server that the catalog was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    major: u32,
    /// Where unqualified names are looked up.
    search_path: Vec<String>,
    is_utc: bool,
}

impl World {
    /// Nobody has read a catalog.
    pub(crate) fn unread() -> Self {
        Self {
            server: None,
            names: HashMap::default(),
            objects: BTreeMap::new(),
            types: BTreeMap::new(),
            functions: Functions::default(),
            depends: Depends::default(),
            named: BTreeMap::new(),
            created: BTreeSet::new(),
            immediate: BTreeSet::new(),
            pending: BTreeSet::new(),
            next: FIRST_OF_OURS,
        }
    }

    pub(crate) fn has_catalog(&self) -> bool {
        self.server.is_some()
    }

    /// At least this major version, or nobody knows.
    pub(crate) fn may_be_from(&self, major: u32) -> bool {
        self.server
            .as_ref()
            .is_none_or(|server| server.major >= major)
    }

    /// Known to be of at least this major version.
    pub(crate) fn is_from(&self, major: u32) -> bool {
        self.has_catalog() && self.may_be_from(major)
    }

    fn new_id(&mut self) -> Id {
        self.next += 1;
        self.next
    }
}
