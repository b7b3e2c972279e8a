//! What a relation, a constraint, an index, a type and a function are here.

use std::collections::{BTreeMap, BTreeSet};

use super::Id;
use crate::sql::Relation;
use crate::sql::action::{CheckTime, OnChange};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelationKind {
    Table,
    Partitioned,
    Foreign,
    View,
    MaterializedView,
    Sequence,
    Index,
    PartitionedIndex,
    Composite,
}

impl RelationKind {
    /// It has rows of its own that a lock on it guards, or partitions that have.
    pub(crate) fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Partitioned | Self::Foreign)
    }

    pub(crate) fn is_index(self) -> bool {
        matches!(self, Self::Index | Self::PartitionedIndex)
    }
}

/// How much is known of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// Only what the plan added to it.
    Added,
}

/// A relation.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) name: Relation,
    pub(crate) kind: RelationKind,
    pub(super) extent: Extent,
    /// The plan created it, so nobody outside the plan uses it.
    pub(crate) is_new: bool,
    pub(crate) is_unlogged: bool,
    pub(crate) access_method: String,
    pub(crate) tablespace: String,
    pub(crate) owner: String,
    /// The planner's estimate; none where it was never analysed.
    pub(crate) rows: Option<u64>,
    /// Its own file, without its indexes.
    pub(crate) bytes: Option<u64>,
    pub(crate) columns: Vec<Column>,
    pub(crate) keys: Vec<Key>,
    /// Of an index.
    pub(crate) index: Option<Index>,
    /// Of an index its table; of a sequence the table whose column owns it.
    pub(crate) belongs_to: Option<Id>,
    pub(crate) owned_by_column: Option<String>,
    pub(crate) is_identity: bool,
    pub(crate) parents: Vec<Id>,
    pub(crate) is_partition: bool,
    pub(crate) is_default: bool,
    /// Of a view: what its query names.
    pub(crate) reads: BTreeSet<Id>,
    // the same from the other end
    pub(crate) indexes: BTreeSet<Id>,
    pub(crate) sequences: BTreeSet<Id>,
    pub(crate) children: BTreeSet<Id>,
    /// Tables with foreign keys to it.
    pub(crate) referrers: BTreeSet<Id>,
}

impl Object {
    pub(super) fn new(name: Relation, kind: RelationKind) -> Self {
        Self {
            name,
            kind,
            extent: Extent::Whole,
            is_new: false,
            is_unlogged: false,
            access_method: String::new(),
            tablespace: "pg_default".to_owned(),
            owner: String::new(),
            rows: None,
            bytes: None,
            columns: Vec::new(),
            keys: Vec::new(),
            index: None,
            belongs_to: None,
            owned_by_column: None,
            is_identity: false,
            parents: Vec::new(),
            is_partition: false,
            is_default: false,
            reads: BTreeSet::new(),
            indexes: BTreeSet::new(),
            sequences: BTreeSet::new(),
            children: BTreeSet::new(),
            referrers: BTreeSet::new(),
        }
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        // names of one table are often of one length and begin alike
        let last = name.as_bytes().last();
        let is_it = |column: &&Column| column.name.as_bytes().last() == last && column.name == name;
        self.columns.iter().find(is_it)
    }

    pub(crate) fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) number: i32,
    pub(crate) name: String,
    /// As the server writes it, or as the plan does.
    pub(crate) type_name: String,
    /// The plan added it, so that old code does not know it.
    pub(crate) is_new: bool,
    pub(crate) not_null: bool,
    pub(crate) has_default: bool,
    pub(crate) is_identity: bool,
    pub(crate) is_generated: bool,
    /// Where it is not the type's own.
    pub(crate) collation: Option<String>,
    /// Sequences that the default takes its values from.
    pub(crate) sequences: BTreeSet<Id>,
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) kind: KeyKind,
    pub(crate) is_valid: bool,
    pub(crate) check_time: CheckTime,
    pub(crate) columns: Vec<String>,
    /// The constraint of the parent that this is a part of.
    pub(crate) parent: Option<Id>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Check {
        proves_not_null: Option<String>,
    },
    NotNull,
    Foreign {
        to: Option<Id>,
        /// As it was named; what is not known has no id.
        to_name: Relation,
        to_columns: Vec<String>,
        /// Of the table that it refers to.
        index: Option<Id>,
        on_update: OnChange,
        on_delete: OnChange,
    },
    /// PRIMARY KEY, UNIQUE, EXCLUDE
    Index(Option<Id>),
    Trigger,
}

/// What an index is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) is_unique: bool,
    pub(crate) is_primary: bool,
    pub(crate) is_valid: bool,
    /// No predicate and no expression.
    pub(crate) facet: Facet,
    pub(crate) access_method: String,
    /// Key columns; of an expression none.
    pub(crate) keys: Vec<Option<String>>,
    /// Columns that it cannot do without.
    pub(crate) uses: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facet {
    /// Of whole columns of all rows.
    Plain,
    /// With expressions or a predicate: nobody here compares these.
    Computed,
}

/// A domain, enum, range or composite type of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeFacts {
    pub(crate) id: Id,
    pub(crate) is_new: bool,
    /// Of a domain, as written or as the catalog has it.
    pub(crate) base: Option<String>,
    /// A domain with NOT NULL or CHECK.
    pub(crate) is_constrained: bool,
}

/// Functions by their bare names: whose schema is meant the search_path decides, and few names are taken twice.
#[derive(Debug, Clone, Default)]
pub(super) struct Functions {
    pub(super) by_name: BTreeMap<String, Vec<Function>>,
}

#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) id: Id,
    pub(super) schema: String,
    pub(super) is_volatile: bool,
    /// What the planner puts in the place of a call.
    pub(super) inlined: Option<String>,
}
