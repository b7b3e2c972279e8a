//! Exit codes: the only module that knows numbers. A promise to scripts, generated into the reference.
//!
//! Absent here: how a failure came about, and its words; see [`crate::failure`].

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr};

/// Whether the database differs from what it was before the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Changed {
    No,
    Yes,
    Unknown,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.into())
    }
}

/// `error.class`: what kind of failure ended a command. It decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum Class {
    Bug,
    Usage,
    Settings,
    UnknownDatabase,
    UnknownApp,
    UnknownMigration,
    BackwardsTarget,
    UnknownRun,
    PolicyRefused,
    Declined,
    NotConfirmed,
    PlanChanged,
    Findings,
    NotADjangoProject,
    EntryFailed,
    PythonMissing,
    DjangoMissing,
    DjangoTooOld,
    DriverMissing,
    ProjectFailed,
    ChecksFailed,
    PlanConflict,
    PlanCycle,
    MissingMigration,
    BadMigration,
    InconsistentHistory,
    SqlUnavailable,
    DatabaseRefused,
    DatabaseHostUnknown,
    DatabaseTimeout,
    DatabaseWrongPassword,
    DatabaseMissing,
    DatabaseRoleMissing,
    DatabaseNotAllowed,
    DatabaseTls,
    DatabaseBusy,
    DatabaseUnavailable,
    DatabaseError,
    NotPostgresql,
    ServerTooOld,
    Standby,
    Pooler,
    NotTheSameDatabase,
    Privilege,
    AnotherRun,
    PgDumpMissing,
    PgDumpTooOld,
    BackupRefused,
    BackupOutOfDisk,
    BackupEmpty,
    BackupLockTimeout,
    BackupConnectionLost,
    BackupFailed,
    BackupUnverified,
    BackupNotProven,
    JournalFailed,
    MigrationIntegrity,
    MigrationTimeout,
    MigrationLockTimeout,
    BlastRadius,
    MigrationConnectionLost,
    MigrationFailed,
    OutcomeUnknown,
    StillPending,
    VerificationDiffers,
    TestsFailed,
    TestsNotRun,
    TestsUnsafe,
    RestoreTargetNotEmpty,
    RestoreTargetInUse,
    RestoreTargetRefused,
    RestoreNeedsMissing,
    RestoreDumpRefused,
    RestoreConnectionLost,
    RestoreFailed,
    RestoreErrorsKeptGoing,
    RestoreRowsDiffer,
    RollbackBlocked,
    RollbackIrreversible,
    RollbackFilesChanged,
    RollbackWithoutBackup,
    Interrupted,
    Terminated,
}

impl Class {
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    /// The exit code. Only the codes of a failed migration depend on what stayed in the database.
    pub(crate) fn code(self, changed: Changed) -> u8 {
        use Class as C;
        match self {
            C::Bug => 1,
            C::Usage
            | C::Settings
            | C::UnknownDatabase
            | C::UnknownApp
            | C::UnknownMigration
            | C::BackwardsTarget
            | C::UnknownRun
            | C::JournalFailed => 2,
            C::PolicyRefused | C::RestoreTargetNotEmpty | C::RestoreTargetInUse => 10,
            C::Declined | C::NotConfirmed | C::PlanChanged => 11,
            C::Findings => 12,
            C::NotADjangoProject | C::EntryFailed => 20,
            C::PythonMissing
            | C::DjangoMissing
            | C::DjangoTooOld
            | C::DriverMissing
            | C::ProjectFailed
            | C::ChecksFailed => 21,
            C::PlanConflict
            | C::PlanCycle
            | C::MissingMigration
            | C::BadMigration
            | C::InconsistentHistory => 22,
            C::SqlUnavailable => 23,
            C::DatabaseRefused
            | C::DatabaseHostUnknown
            | C::DatabaseTimeout
            | C::DatabaseWrongPassword
            | C::DatabaseMissing
            | C::DatabaseRoleMissing
            | C::DatabaseNotAllowed
            | C::DatabaseTls
            | C::DatabaseBusy
            | C::DatabaseUnavailable
            | C::DatabaseError => 30,
            C::NotPostgresql
            | C::ServerTooOld
            | C::Standby
            | C::Pooler
            | C::NotTheSameDatabase
            | C::Privilege => 31,
            C::AnotherRun => 32,
            C::PgDumpMissing
            | C::PgDumpTooOld
            | C::BackupRefused
            | C::BackupOutOfDisk
            | C::BackupEmpty
            | C::BackupLockTimeout
            | C::BackupConnectionLost
            | C::BackupFailed => 40,
            C::BackupUnverified | C::BackupNotProven => 41,
            C::MigrationIntegrity
            | C::MigrationTimeout
            | C::MigrationConnectionLost
            | C::MigrationFailed => match changed {
                Changed::No => 50,
                Changed::Yes => 51,
                Changed::Unknown => 52,
            },
            C::OutcomeUnknown => 52,
            C::MigrationLockTimeout | C::BlastRadius => 53,
            C::StillPending | C::VerificationDiffers => 60,
            C::TestsFailed | C::TestsNotRun | C::TestsUnsafe => 61,
            C::RestoreTargetRefused
            | C::RestoreNeedsMissing
            | C::RestoreDumpRefused
            | C::RestoreConnectionLost
            | C::RestoreFailed
            | C::RestoreErrorsKeptGoing
            | C::RestoreRowsDiffer
            | C::RollbackBlocked
            | C::RollbackIrreversible
            | C::RollbackFilesChanged
            | C::RollbackWithoutBackup => 70,
            C::Interrupted => 130,
            C::Terminated => 143,
        }
    }

    /// One line for the reference.
    pub(crate) fn meaning(self) -> &'static str {
        use Class as C;
        match self {
            C::Bug => "a bug of django-migrate",
            C::Usage => "the command line cannot be understood",
            C::Settings => "a setting (flag, environment, pyproject.toml) has no usable value",
            C::UnknownDatabase => "--database names no alias of the project",
            C::UnknownApp => "APP is no installed app with migrations",
            C::UnknownMigration => "MIGRATION matches none, or more than one",
            C::BackwardsTarget => {
                "MIGRATION lies behind what is applied; `run` never goes backwards"
            }
            C::UnknownRun => "no such run folder, or nothing readable in it",
            C::PolicyRefused => "a finding of severity `stop` with --apply",
            C::Declined => "a question was answered with no, or with other words than asked",
            C::NotConfirmed => "a question could not be asked; the flag that answers it is named",
            C::PlanChanged => {
                "the plan is not the one of --plan, or it changed while the run waited"
            }
            C::Findings => "findings at or over --fail-on",
            C::NotADjangoProject => "no manage.py here",
            C::EntryFailed => "manage.py or --entry does not start Django",
            C::PythonMissing => "no Python interpreter, or it cannot be started",
            C::DjangoMissing => "that Python has no Django",
            C::DjangoTooOld => "Django older than 4.2",
            C::DriverMissing => "that Python has no psycopg",
            C::ProjectFailed => {
                "settings or apps of the project raise, or it exits while it starts"
            }
            C::ChecksFailed => "Django's system checks report errors",
            C::PlanConflict => "two leaf migrations in an app",
            C::PlanCycle => "circular dependencies",
            C::MissingMigration => "a dependency names a migration that has no file",
            C::BadMigration => "a migration file cannot be loaded",
            C::InconsistentHistory => "a migration is applied before one that it depends on",
            C::SqlUnavailable => {
                "the SQL of a migration cannot be made: the migration itself is broken"
            }
            C::DatabaseRefused => "connection refused",
            C::DatabaseHostUnknown => "no such host, or no route to it",
            C::DatabaseTimeout => "no answer in time",
            C::DatabaseWrongPassword => "the password is refused",
            C::DatabaseMissing => "no such database",
            C::DatabaseRoleMissing => "no such role",
            C::DatabaseNotAllowed => {
                "the server does not let this role or client in (pg_hba.conf, CONNECT)"
            }
            C::DatabaseTls => "TLS is refused or cannot be verified",
            C::DatabaseBusy => "too many connections",
            C::DatabaseUnavailable => "the server starts up or shuts down",
            C::DatabaseError => "another error of the connection or of a query of ours",
            C::NotPostgresql => "the alias is not on PostgreSQL",
            C::ServerTooOld => "PostgreSQL older than 14",
            C::Standby => {
                "the server is a standby: read only; or no host is what target_session_attrs asks for"
            }
            C::Pooler => "a transaction pooler lies in between",
            C::NotTheSameDatabase => "--dsn leads to another database than Django's settings",
            C::Privilege => "the role lacks a privilege that the run needs",
            C::AnotherRun => "another run holds the lock of this database",
            C::PgDumpMissing => "no pg_dump",
            C::PgDumpTooOld => "pg_dump is older than the server",
            C::BackupRefused => "the server refuses pg_dump the right to read",
            C::BackupOutOfDisk => "no space for the backup",
            C::BackupEmpty => "pg_dump wrote nothing",
            C::BackupLockTimeout => "pg_dump could not lock a table in time",
            C::BackupConnectionLost => "the connection to the server was lost while pg_dump worked",
            C::BackupFailed => "pg_dump failed",
            C::BackupUnverified => "the backup does not read back whole",
            C::BackupNotProven => {
                "the backup is whole, but what --verify asks for cannot be proven of it"
            }
            C::JournalFailed => "the journal cannot be written before the first change",
            C::MigrationIntegrity => "a migration meets data that it cannot convert or constrain",
            C::MigrationTimeout => "a statement took longer than its timeout, or was cancelled",
            C::MigrationConnectionLost => "the connection was lost in a migration",
            C::MigrationFailed => "a migration raised another error",
            C::OutcomeUnknown => {
                "whether a commit arrived is unknown, and the catalog cannot settle it"
            }
            C::MigrationLockTimeout => "a lock was not to be had in time",
            C::BlastRadius => {
                "more sessions stood behind a migration, or for longer, than is allowed"
            }
            C::StillPending => "migrations of the plan are still pending afterwards",
            C::VerificationDiffers => "the database or the project differs from what was expected",
            C::TestsFailed => "the project's tests fail",
            C::TestsNotRun => "the project's tests ran none, timed out or could not start",
            C::TestsUnsafe => "the project's tests would use a database that exists already",
            C::RestoreTargetNotEmpty => {
                "the database to restore into is not empty, and --clean was not said"
            }
            C::RestoreTargetInUse => {
                "the database to replace is in use, and --terminate-sessions was not said"
            }
            C::RestoreTargetRefused => "the database to restore into cannot be made or replaced",
            C::RestoreNeedsMissing => {
                "the server lacks roles, extensions or tablespaces that the dump needs"
            }
            C::RestoreDumpRefused => "a line of the dump is no SQL that a restore may run",
            C::RestoreConnectionLost => "the connection was lost while a dump was restored",
            C::RestoreFailed => "a statement of the dump failed",
            C::RestoreErrorsKeptGoing => {
                "statements of the dump failed and were passed over by --keep-going"
            }
            C::RestoreRowsDiffer => "the restored database is not what the backup's manifest says",
            C::RollbackWithoutBackup => "the run took no backup, or its file is gone",
            C::RollbackBlocked => {
                "what was applied since stands on the run's migrations: they cannot go back alone"
            }
            C::RollbackIrreversible => "a migration of the run has no way back",
            C::RollbackFilesChanged => {
                "the files of the run's migrations are others now: their way back is not that of what was applied"
            }
            C::Interrupted => "interrupted by Ctrl-C (SIGINT)",
            C::Terminated => "terminated (SIGTERM, SIGQUIT or SIGHUP)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    #[test]
    fn every_class_has_a_code_of_the_promise() {
        let promised = [
            1, 2, 10, 11, 12, 20, 21, 22, 23, 30, 31, 32, 40, 41, 50, 51, 52, 53, 60, 61, 70, 130,
            143,
        ];
        for class in Class::iter() {
            for changed in [Changed::No, Changed::Yes, Changed::Unknown] {
                assert!(promised.contains(&class.code(changed)), "{}", class.name());
            }
        }
    }

    #[test]
    fn a_failed_migration_says_whether_something_stayed() {
        assert_eq!(Class::MigrationIntegrity.code(Changed::No), 50);
        assert_eq!(Class::MigrationIntegrity.code(Changed::Yes), 51);
        assert_eq!(Class::MigrationIntegrity.code(Changed::Unknown), 52);
    }
}
