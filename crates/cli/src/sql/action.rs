//! What a statement says, in PostgreSQL's own terms: what `read` makes and what `effects` and the hazards judge.
//!
//! Values only. No lock, no judgement and no type of the parser stands here.

use super::{LockMode, Relation, StatementKind};
use std::collections::BTreeSet;

/// One thing that a statement does; ALTER TABLE and GRANT-like lists do several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    CreateTable(CreateTable),
    AlterTable {
        table: Relation,
        extent: Descendants,
        change: Change,
    },
    Drop(Drop),
    Truncate {
        table: Relation,
        extent: Descendants,
        identity: Identity,
        behavior: Behavior,
    },
    CreateIndex(CreateIndex),
    Reindex {
        target: ReindexTarget,
        method: Method,
    },
    AlterSequence {
        sequence: Relation,
        mode: LockMode,
        change: SequenceChange,
    },
    RenameIndex {
        index: Relation,
        to: Relation,
    },
    /// An enum, range, composite or base type: no domain.
    CreateType {
        name: Relation,
    },
    /// ALTER TYPE … ADD VALUE
    AddEnumValue {
        name: Relation,
        value: String,
    },
    CreateDomain {
        name: Relation,
        /// The type below, as written.
        base: String,
        /// NOT NULL or CHECK.
        is_constrained: bool,
    },
    /// A function or sequence that was not there before, beside the action that makes it.
    Created {
        /// What drops it: names of different kinds live apart.
        dropped_by: StatementKind,
        name: Relation,
    },
    /// SELECT, INSERT, UPDATE, DELETE, MERGE, COPY, and what contains a query.
    Query(Query),
    /// EXPLAIN without ANALYZE: the locks of planning.
    Explain(Query),
    LockTable {
        table: Relation,
        extent: Descendants,
        mode: LockMode,
    },
    /// ALTER DOMAIN; `verifies`: the rows of every table with a column of it are read.
    AlterDomain {
        domain: Relation,
        verifies: bool,
        /// It checks its values from now on.
        adds: bool,
    },
    /// ALTER TYPE … ATTRIBUTE
    AlterComposite {
        name: Relation,
        dropped: Option<String>,
    },
    /// REASSIGN OWNED, DROP OWNED
    Owned {
        kind: StatementKind,
        roles: Vec<String>,
    },
    /// GRANT and REVOKE on relations.
    Grant {
        kind: StatementKind,
        on: Vec<Relation>,
    },
    /// VACUUM FULL and CLUSTER: a new file under ACCESS EXCLUSIVE. `None` is the whole database.
    Repack {
        kind: StatementKind,
        table: Option<Relation>,
    },
    CreateView {
        kind: StatementKind,
        view: Relation,
        existing: IfExists,
        data: WithData,
        query: Query,
    },
    /// REFRESH MATERIALIZED VIEW.
    Refresh {
        view: Relation,
        method: Method,
        data: WithData,
    },
    /// Whatever only takes locks that the text shows.
    Plain {
        kind: StatementKind,
        locks: Vec<(Relation, LockMode)>,
    },
    /// Runs code or touches objects that the text does not show.
    Opaque(Opaque),
    /// SET, RESET or DISCARD of settings that bound what a session may do.
    SetGuard {
        settings: Vec<String>,
    },
    /// `SET CONSTRAINTS … IMMEDIATE`, by name; ALL has none.
    SetConstraints {
        names: Vec<String>,
    },
    /// In a DO block: what stands beside it runs, or does not.
    Branches,
    /// Could not be read, except that it may name a table.
    Unread {
        kind: StatementKind,
        table: Option<Relation>,
    },
}

impl Action {
    /// The relation whose contents and users it concerns; none where that is no single relation.
    pub(crate) fn subject(&self) -> Option<&Relation> {
        match self {
            Self::CreateTable(create) => Some(&create.table),
            Self::AlterTable { table, .. }
            | Self::Truncate { table, .. }
            | Self::CreateIndex(CreateIndex { table, .. })
            | Self::LockTable { table, .. } => Some(table),
            Self::Drop(dropped) => Some(dropped.table.as_ref().unwrap_or(&dropped.name)),
            Self::Reindex {
                target: ReindexTarget::Index(name) | ReindexTarget::Table(name),
                ..
            } => Some(name),
            Self::AlterSequence { sequence, .. } => Some(sequence),
            Self::RenameIndex { index, .. } => Some(index),
            Self::Repack { table, .. } | Self::Unread { table, .. } => table.as_ref(),
            Self::CreateView { view, .. } | Self::Refresh { view, .. } => Some(view),
            // a query that writes one table; its reads do not matter
            Self::Query(query) => match query.writes.as_slice() {
                [first, more @ ..]
                    if query.calls.is_empty()
                        && more.iter().all(|write| write.table == first.table) =>
                {
                    Some(&first.table)
                }
                _ => None,
            },
            Self::Reindex { .. }
            | Self::Explain(_)
            | Self::AlterDomain { .. }
            | Self::AlterComposite { .. }
            | Self::Grant { .. }
            | Self::Owned { .. }
            | Self::Branches
            | Self::Plain { .. }
            | Self::Opaque(_)
            | Self::CreateType { .. }
            | Self::CreateDomain { .. }
            | Self::AddEnumValue { .. }
            | Self::Created { .. }
            | Self::SetGuard { .. }
            | Self::SetConstraints { .. } => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CreateTable {
    pub(crate) table: Relation,
    pub(crate) existing: IfExists,
    pub(crate) columns: Vec<Column>,
    pub(crate) constraints: Vec<Constraint>,
    /// PARTITION BY
    pub(crate) is_partitioned: bool,
    /// PARTITION OF
    pub(crate) partition_of: Option<Relation>,
    /// INHERITS
    pub(crate) inherits: Vec<Relation>,
    /// LIKE
    pub(crate) like: Vec<Relation>,
    /// AS: the tables read.
    pub(crate) query: Option<Query>,
    /// Of AS.
    pub(crate) data: WithData,
}

/// WITH [NO] DATA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithData {
    Yes,
    No,
}

/// Whether partitions and inheriting tables are meant too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descendants {
    Included,
    /// ONLY
    Left,
}

/// RESTART IDENTITY, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    Continued,
    Restarted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CreateIndex {
    pub(crate) index: Option<Relation>,
    pub(crate) table: Relation,
    pub(crate) extent: Descendants,
    pub(crate) method: Method,
    pub(crate) existing: IfExists,
    pub(crate) is_unique: bool,
    /// `btree` where nothing is said.
    pub(crate) access_method: String,
    /// Key columns in order; of an expression none.
    pub(crate) keys: Vec<Option<String>>,
    /// Words of the keys and the predicate that may be columns.
    pub(crate) words: Vec<String>,
    pub(crate) is_partial: bool,
}

/// ALTER SEQUENCE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SequenceChange {
    /// OWNED BY; none is NONE.
    OwnedBy(Option<(Relation, String)>),
    /// RENAME TO, SET SCHEMA
    Renamed(Relation),
    Other,
}

/// One action of ALTER TABLE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    AddColumn(Column),
    DropColumn {
        column: String,
        behavior: Behavior,
    },
    RenameColumn {
        column: String,
        to: String,
    },
    AlterType {
        column: String,
        to: String,
        /// COLLATE
        collation: Option<String>,
        using: Using,
    },
    SetDefault {
        column: String,
    },
    DropDefault {
        column: String,
    },
    SetNotNull {
        column: String,
    },
    DropNotNull {
        column: String,
    },
    Identity {
        kind: StatementKind,
        column: String,
    },
    SetExpression {
        column: String,
    },
    DropExpression {
        column: String,
    },
    AddConstraint(Constraint),
    DropConstraint {
        name: String,
        behavior: Behavior,
    },
    ValidateConstraint {
        name: String,
    },
    RenameTable {
        to: Relation,
    },
    SetSchema {
        to: Relation,
    },
    /// A new file, if it is not so already: SET TABLESPACE, LOGGED, UNLOGGED, ACCESS METHOD.
    Rewrite {
        kind: StatementKind,
        /// The tablespace, the method, `logged` or `unlogged`.
        to: String,
    },
    SetOwner {
        to: String,
    },
    /// CLUSTER ON, REPLICA IDENTITY USING INDEX
    UseIndex {
        kind: StatementKind,
        index: String,
        mode: LockMode,
        on_index: LockMode,
    },
    RenameConstraint {
        name: String,
        to: String,
    },
    AttachPartition {
        partition: Relation,
        /// FOR VALUES, not DEFAULT.
        is_default: bool,
    },
    DetachPartition {
        partition: Relation,
        method: Method,
    },
    Inherit {
        kind: StatementKind,
        parent: Relation,
    },
    /// DISABLE TRIGGER, DISABLE RULE; ALL and USER are names too.
    DisableTrigger {
        name: String,
    },
    /// Catalog only, under a lock that the action fixes.
    Other {
        kind: StatementKind,
        mode: LockMode,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// As written, lower case, single spaces.
    pub(crate) type_name: String,
    /// COLLATE
    pub(crate) collation: Option<String>,
    pub(crate) nullability: Nullability,
    pub(crate) value: Value,
    /// Functions of DEFAULT.
    pub(crate) calls: Vec<String>,
    /// `nextval('…')` of DEFAULT.
    pub(crate) sequence: Option<Relation>,
    /// CHECK, UNIQUE, PRIMARY KEY and REFERENCES of the column.
    pub(crate) constraints: Vec<Constraint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nullability {
    Null,
    NotNull,
}

/// What a new column holds in the rows that exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Nothing,
    /// DEFAULT with an expression that is evaluated once.
    Default,
    /// DEFAULT with a function that is volatile, or not known to be otherwise.
    VolatileDefault {
        function: String,
        known: Knowledge,
    },
    Identity,
    /// serial, bigserial, smallserial
    Serial,
    GeneratedStored,
    /// PostgreSQL 18
    GeneratedVirtual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knowledge {
    Known,
    Assumed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Constraint {
    pub(crate) name: Option<String>,
    pub(crate) rule: Rule,
    pub(crate) validity: Validity,
    pub(crate) check_time: CheckTime,
    /// NO INHERIT
    pub(crate) extent: Descendants,
}

/// When a constraint is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckTime {
    /// At the end of the statement.
    Statement,
    /// INITIALLY DEFERRED: at COMMIT, or by SET CONSTRAINTS.
    Commit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    Check {
        /// The column of which it says no more than IS NOT NULL.
        proves_not_null: Option<String>,
        /// Words that may be columns.
        words: Vec<String>,
    },
    /// PostgreSQL 18 names NOT NULL constraints.
    NotNull {
        column: String,
    },
    /// The columns stand here where the table has the constraint, not a column of its.
    ForeignKey {
        columns: Vec<String>,
        to: Relation,
        /// None given: those of the primary key.
        to_columns: Vec<String>,
        on_update: OnChange,
        on_delete: OnChange,
    },
    Unique(KeySource),
    PrimaryKey(KeySource),
    Exclude,
}

/// What a foreign key does with the rows that refer to a changed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnChange {
    /// NO ACTION, RESTRICT
    Refused,
    /// CASCADE, SET NULL, SET DEFAULT: they are written.
    Written,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// Builds an index. None stand here where a column of the table has the constraint.
    Columns(Vec<String>),
    /// USING INDEX
    Index(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    Validated,
    NotValid,
}

/// RESTRICT or CASCADE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behavior {
    Restrict,
    Cascade,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Plain,
    Concurrently,
}

/// IF EXISTS, IF NOT EXISTS and OR REPLACE make it unsure whether something is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfExists {
    Fails,
    Tolerated,
}

/// USING of ALTER COLUMN … TYPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Using {
    /// None: an assignment cast, which refuses an over-long value.
    Nothing,
    /// `USING col::type`, which cuts an over-long value in silence.
    Cast,
    Expression,
}

/// DROP of anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drop {
    pub(crate) kind: StatementKind,
    pub(crate) existing: IfExists,
    /// The object; a schema, type or function has its name alone.
    pub(crate) name: Relation,
    /// DROP TRIGGER, RULE and POLICY: the table.
    pub(crate) table: Option<Relation>,
    pub(crate) behavior: Behavior,
    pub(crate) method: Method,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReindexTarget {
    Index(Relation),
    Table(Relation),
    Schema,
    Database,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) kind: StatementKind,
    pub(crate) reads: BTreeSet<Relation>,
    pub(crate) writes: Vec<Write>,
    /// SELECT … FOR UPDATE and its like.
    pub(crate) row_locks: RowLocks,
    /// SELECT … INTO
    pub(crate) into: Option<Relation>,
    /// Functions that are not known to be harmless.
    pub(crate) calls: Vec<String>,
    /// `nextval('…')` and its like; the mode is that of a use.
    pub(crate) sequences: BTreeSet<Relation>,
    /// Relations whose identity column's sequence is used: `pg_get_serial_sequence('…', '…')`.
    pub(crate) serials: Vec<(Relation, String)>,
    /// Settings of the session that set_config() changes and that bound what it may do.
    pub(crate) guards: Vec<String>,
}

/// One INSERT, UPDATE, DELETE or MERGE of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) kind: StatementKind,
    pub(crate) table: Relation,
    pub(crate) rows: Rows,
    /// That are written: of UPDATE those that are set, of INSERT those that are named; none where all may be.
    pub(crate) columns: Vec<String>,
    pub(crate) targets: Targets,
}

/// What a write has of its table, beside the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Targets {
    /// UPDATE, DELETE, MERGE, INSERT … ON CONFLICT (…): its indexes are planned with.
    Planned,
    /// INSERT of these columns; the others get their defaults.
    Columns(Vec<String>),
    /// INSERT of so many values, from the first column on.
    First(usize),
    /// INSERT of whatever the query gives, or of defaults alone, or COPY.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowLocks {
    None,
    Taken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// No WHERE, or one that is always true.
    All,
    Filtered,
}

/// A statement whose whole effect the text does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opaque {
    pub(crate) kind: StatementKind,
    /// Locks that are sure.
    pub(crate) locks: Vec<(Relation, LockMode)>,
    /// What is not known, as the end of "it is not known …".
    pub(crate) unknown: String,
    /// Words in its body that destroy (`DROP TABLE`, `TRUNCATE`, …).
    pub(crate) destroys: Vec<String>,
    /// What is lost for sure.
    pub(crate) loses: Option<String>,
}
