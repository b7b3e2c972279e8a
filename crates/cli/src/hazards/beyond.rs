//! Findings that are not about one statement: the migration as a whole, the history, who uses the database now.
//!
//! Same shape and same promise as the hazards: a code is stable and documented here.

mod rows;
mod server;

use super::{Finding, Severity};

/// What such a finding means.
pub(crate) struct Beyond {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) meaning: &'static str,
    /// What to do about it.
    pub(crate) remedy: &'static str,
}

/// Every one of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Beyond> {
    TABLE.iter().chain(rows::TABLE).chain(server::TABLE)
}

const TABLE: &[Beyond] = &[
    Beyond {
        code: "incomplete-sql",
        severity: Severity::Ask,
        meaning: "SQL of the operation may be missing from the preview: it runs in Python, or depends on what is only pending",
        remedy: "read the operation; what it sends is seen only when it runs",
    },
    Beyond {
        code: "python-under-lock",
        severity: Severity::Ask,
        meaning: "an operation in Python runs while an earlier statement of its transaction still locks a table: others wait until it is done",
        remedy: "put the Python into a migration of its own; in batches with atomic = False where there are many rows",
    },
    Beyond {
        code: "schema-after-python",
        severity: Severity::Note,
        meaning: "an operation in Python runs before statements that change a table, in one transaction: where it wrote rows of that table, PostgreSQL refuses the change (pending trigger events)",
        remedy: "put the Python into a migration of its own",
    },
    Beyond {
        code: "model-of-today",
        severity: Severity::Note,
        meaning: "the function of a RunPython names a model itself: that is the model as the code has it today, not as this migration's state has it, so it may ask for columns that are added later, and fails once the model is changed or gone",
        remedy: "take the model from the state: apps.get_model(\"app\", \"Model\")",
    },
    Beyond {
        code: "irreversible-operation",
        severity: Severity::Note,
        meaning: "there is no way back by migrations",
        remedy: "give it a reverse (RunPython's reverse_code, RunSQL's reverse_sql), or rely on the backup",
    },
    Beyond {
        code: "waiver-not-bound",
        severity: Severity::Note,
        meaning: "a waiver is for SQL that nobody has named, or that is not what would run now: it does not count",
        remedy: "read the SQL that the finding is about; if it is to be accepted, write the hash of the message into the waiver",
    },
    Beyond {
        code: "waiver-expired",
        severity: Severity::Note,
        meaning: "the last day of a waiver has passed: it does not count",
        remedy: "look at the finding again; then give the waiver another day, or take it out",
    },
    Beyond {
        code: "no-way-back",
        severity: Severity::Stop,
        meaning: "`rollback`: the migration has no way back by migrations, and those before it none without it",
        remedy: "the run's backup brings back all that was: django-migrate rollback RUN --restore",
    },
    Beyond {
        code: "history-duplicate",
        severity: Severity::Ask,
        meaning: "a migration is recorded more than once: two `migrate` ran at the same time",
        remedy: "find out whether its data migration ran twice, then delete the extra rows of django_migrations",
    },
    Beyond {
        code: "history-missing-file",
        severity: Severity::Note,
        meaning: "a migration is applied, but its file is missing",
        remedy: "restore the file, or make sure that a squash replaced it",
    },
    Beyond {
        code: "run-cut-off",
        severity: Severity::Ask,
        meaning: "an earlier run was killed, or could not say what became of its last commit, and no run has applied a plan to its end since",
        remedy: "read what is true now; the next run tells it too, and waits for what the killed one left at work",
    },
    Beyond {
        code: "invalid-index-in-the-way",
        severity: Severity::Stop,
        meaning: "an INVALID index has the name of one that the plan builds: CREATE INDEX fails over it, and with IF NOT EXISTS it would leave it as it is",
        remedy: "DROP INDEX CONCURRENTLY takes it out; it holds nothing that a new one would not",
    },
    Beyond {
        code: "long-transaction",
        severity: Severity::Note,
        meaning: "a session has been in a transaction for long",
        remedy: "a migration that needs a lock on what it uses waits for it, and everybody waits for the migration",
    },
    Beyond {
        code: "prepared-transaction",
        severity: Severity::Ask,
        meaning: "a prepared transaction holds its locks until somebody ends it",
        remedy: "COMMIT PREPARED or ROLLBACK PREPARED ends it",
    },
    Beyond {
        code: "idle-in-transaction",
        severity: Severity::Note,
        meaning: "a client has left its transaction open for long: it keeps its locks and does nothing",
        remedy: "COMMIT or ROLLBACK there; pg_terminate_backend() ends it, pg_cancel_backend() does nothing to it",
    },
    Beyond {
        code: "lock-queue",
        severity: Severity::Ask,
        meaning: "sessions wait for a lock; the message names the root, which itself waits for nobody",
        remedy: "what ends the root lets them all go on",
    },
    Beyond {
        code: "deadlock",
        severity: Severity::Note,
        meaning: "sessions wait for each other",
        remedy: "the server ends one of them after deadlock_timeout",
    },
    Beyond {
        code: "wraparound-vacuum",
        severity: Severity::Ask,
        meaning: "autovacuum works against transaction id wraparound: it does not step aside for DDL",
        remedy: "let it finish; cancelled it starts anew",
    },
    Beyond {
        code: "ddl-blocked",
        severity: Severity::Ask,
        meaning: "a transaction older than a second has a lock that conflicts with one that the DDL needs",
        remedy: "wait until it ends, or end it",
    },
    Beyond {
        code: "sessions-hidden",
        severity: Severity::Note,
        meaning: "what sessions of other roles do may not be seen: their age, their state and their queries are unknown",
        remedy: "GRANT pg_monitor to the role",
    },
    Beyond {
        code: "connection-safeguard-not-enforced",
        severity: Severity::Ask,
        meaning: "the connection's settings ask for a safeguard that our own connections and pg_dump's do not enforce; Django's do",
        remedy: "sslmode=verify-full and channel_binding=require are enforced everywhere; the server's side of it is pg_hba.conf",
    },
    Beyond {
        code: "connection-parameter-ignored",
        severity: Severity::Note,
        meaning: "a parameter of the connection's settings that our own connections do not follow",
        remedy: "none is needed as long as the connection works",
    },
];

/// A finding of one of these codes.
pub(crate) fn finding(code: &'static str, message: String) -> Finding {
    let row = all().find(|row| row.code == code);
    debug_assert!(row.is_some(), "{code} is in no table");
    Finding {
        code,
        severity: row.map_or(Severity::Ask, |row| row.severity),
        message,
        remedy: row.map_or_else(Default::default, |row| row.remedy.into()),
        relation: None,
        bytes: None,
        waived: None,
    }
}
