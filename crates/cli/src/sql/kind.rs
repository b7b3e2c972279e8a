//! The closed list of what a statement can be: `kind` in JSON.

use super::action::{Action, Change, CreateTable, Query, Rule};
use serde::Serialize;
use strum::{Display, EnumIter};

/// What a statement does; of an ALTER TABLE with several actions, the one with the strongest lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Display, EnumIter)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum StatementKind {
    // tables
    CreateTable,
    CreateTableAs,
    DropTable,
    RenameTable,
    Truncate,
    LockTable,
    // columns
    AddColumn,
    DropColumn,
    RenameColumn,
    AlterColumnType,
    SetDefault,
    DropDefault,
    SetNotNull,
    DropNotNull,
    AddIdentity,
    SetIdentity,
    DropIdentity,
    SetExpression,
    DropExpression,
    /// STATISTICS, STORAGE, COMPRESSION and options of a column.
    SetColumnOption,
    // constraints
    AddForeignKey,
    AddCheck,
    AddUnique,
    AddPrimaryKey,
    AddExclude,
    AddNotNull,
    ValidateConstraint,
    AlterConstraint,
    RenameConstraint,
    DropConstraint,
    // other ALTER TABLE
    SetSchema,
    SetTablespace,
    SetAccessMethod,
    SetLogged,
    SetOwner,
    SetTableOption,
    AttachPartition,
    DetachPartition,
    Inherit,
    NoInherit,
    SetRowSecurity,
    SetTriggerState,
    /// What ALTER TABLE knows beside these.
    AlterTable,
    // indexes
    CreateIndex,
    DropIndex,
    RenameIndex,
    AlterIndex,
    Reindex,
    // sequences
    CreateSequence,
    AlterSequence,
    DropSequence,
    // views
    CreateView,
    AlterView,
    DropView,
    CreateMaterializedView,
    RefreshMaterializedView,
    DropMaterializedView,
    // schemas, types, functions
    CreateSchema,
    AlterSchema,
    DropSchema,
    CreateType,
    AlterType,
    DropType,
    CreateDomain,
    AlterDomain,
    DropDomain,
    CreateFunction,
    AlterFunction,
    DropFunction,
    CreateTrigger,
    DropTrigger,
    CreateRule,
    DropRule,
    CreatePolicy,
    AlterPolicy,
    DropPolicy,
    CreateExtension,
    AlterExtension,
    DropExtension,
    CreateStatistics,
    DropStatistics,
    CreatePublication,
    ImportForeignSchema,
    /// Collations, operators, casts, text search, foreign servers, …
    CreateObject,
    AlterObject,
    DropObject,
    // data
    Select,
    Insert,
    Update,
    Delete,
    Merge,
    Copy,
    /// DECLARE, FETCH, MOVE, CLOSE.
    Cursor,
    // maintenance
    Vacuum,
    VacuumFull,
    Analyze,
    Cluster,
    Checkpoint,
    // privileges and remarks
    Grant,
    Revoke,
    AlterDefaultPrivileges,
    ReassignOwned,
    DropOwned,
    Comment,
    SecurityLabel,
    // the cluster
    CreateDatabase,
    AlterDatabase,
    DropDatabase,
    CreateRole,
    AlterRole,
    DropRole,
    AlterSystem,
    // session and transaction
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Set,
    SetConstraints,
    Show,
    Prepare,
    Notify,
    // code that runs
    Do,
    Call,
    /// Could not be read.
    Unknown,
}

/// The kind of a statement: that of the action that weighs most, the first of equals.
pub(super) fn of(actions: &[Action]) -> StatementKind {
    let mut kinds = actions
        .iter()
        .map(|action| (weight(action), of_action(action)));
    let Some(first) = kinds.next() else {
        return StatementKind::Unknown;
    };
    kinds
        .fold(
            first,
            |best, next| if next.0 > best.0 { next } else { best },
        )
        .1
}

/// Loss before work before a short lock.
fn weight(action: &Action) -> u8 {
    match action {
        Action::AlterTable { change, .. } => match change {
            Change::DropColumn { .. } => 4,
            Change::AlterType { .. } | Change::Rewrite { .. } | Change::SetExpression { .. } => 3,
            Change::AddConstraint(_) | Change::SetNotNull { .. } => 2,
            Change::AddColumn(_) | Change::DropConstraint { .. } => 1,
            _ => 0,
        },
        // whatever its body does
        Action::Plain {
            kind: StatementKind::Do,
            ..
        } => 9,
        Action::Opaque(opaque) if opaque.kind == StatementKind::Do => 9,
        Action::Branches => 9,
        _ => 0,
    }
}

fn of_action(action: &Action) -> StatementKind {
    use StatementKind as Kind;
    match action {
        Action::CreateTable(CreateTable { query: Some(_), .. }) => Kind::CreateTableAs,
        Action::CreateTable(_) => Kind::CreateTable,
        Action::AlterTable { change, .. } => of_change(change),
        Action::Drop(dropped) => dropped.kind,
        Action::Truncate { .. } => Kind::Truncate,
        Action::CreateIndex(_) => Kind::CreateIndex,
        Action::Reindex { .. } => Kind::Reindex,
        Action::AlterSequence { .. } => Kind::AlterSequence,
        Action::LockTable { .. } => Kind::LockTable,
        Action::Refresh { .. } => Kind::RefreshMaterializedView,
        Action::RenameIndex { .. } => Kind::RenameIndex,
        Action::CreateType { .. } => Kind::CreateType,
        Action::Created {
            dropped_by: Kind::DropFunction,
            ..
        } => Kind::CreateFunction,
        Action::CreateDomain { .. } => Kind::CreateDomain,
        Action::Created { .. } => Kind::CreateSequence,
        Action::Explain(_) => Kind::Show,
        Action::Branches => Kind::Do,
        Action::AlterDomain { .. } => Kind::AlterDomain,
        Action::AlterComposite { .. } | Action::AddEnumValue { .. } => Kind::AlterType,
        Action::SetGuard { .. } => Kind::Set,
        Action::SetConstraints { .. } => Kind::SetConstraints,
        Action::Opaque(opaque) => opaque.kind,
        Action::Query(Query { kind, .. })
        | Action::Repack { kind, .. }
        | Action::CreateView { kind, .. }
        | Action::Plain { kind, .. }
        | Action::Grant { kind, .. }
        | Action::Owned { kind, .. }
        | Action::Unread { kind, .. } => *kind,
    }
}

fn of_change(change: &Change) -> StatementKind {
    use StatementKind as Kind;
    match change {
        Change::AddColumn(_) => Kind::AddColumn,
        Change::DropColumn { .. } => Kind::DropColumn,
        Change::RenameColumn { .. } => Kind::RenameColumn,
        Change::AlterType { .. } => Kind::AlterColumnType,
        Change::SetDefault { .. } => Kind::SetDefault,
        Change::DropDefault { .. } => Kind::DropDefault,
        Change::SetNotNull { .. } => Kind::SetNotNull,
        Change::DropNotNull { .. } => Kind::DropNotNull,
        Change::SetExpression { .. } => Kind::SetExpression,
        Change::DropExpression { .. } => Kind::DropExpression,
        Change::AddConstraint(constraint) => match constraint.rule {
            Rule::Check { .. } => Kind::AddCheck,
            Rule::NotNull { .. } => Kind::AddNotNull,
            Rule::ForeignKey { .. } => Kind::AddForeignKey,
            Rule::Unique(_) => Kind::AddUnique,
            Rule::PrimaryKey(_) => Kind::AddPrimaryKey,
            Rule::Exclude => Kind::AddExclude,
        },
        Change::DropConstraint { .. } => Kind::DropConstraint,
        Change::ValidateConstraint { .. } => Kind::ValidateConstraint,
        Change::RenameTable { .. } => Kind::RenameTable,
        Change::SetSchema { .. } => Kind::SetSchema,
        Change::AttachPartition { .. } => Kind::AttachPartition,
        Change::DetachPartition { .. } => Kind::DetachPartition,
        Change::DisableTrigger { .. } => Kind::SetTriggerState,
        Change::SetOwner { .. } => Kind::SetOwner,
        Change::RenameConstraint { .. } => Kind::RenameConstraint,
        Change::UseIndex { kind, .. }
        | Change::Identity { kind, .. }
        | Change::Rewrite { kind, .. }
        | Change::Inherit { kind, .. }
        | Change::Other { kind, .. } => *kind,
    }
}
