//! What a caller asks for.
//!
//! Absent: where the values come from, and questions to the user. A name that has to be typed comes in as a value
//! that only typing it can make.

use std::num::NonZeroU8;
use std::path::PathBuf;

use pgdriver::ConnectOptions;

/// One archive into one database.
#[derive(Debug, Clone)]
pub struct RestoreRequest {
    /// The archive: plain SQL, also compressed, or one of pg_dump's other formats.
    pub archive: PathBuf,
    /// The server and the login. Its own database is where databases are made and renamed from.
    pub connection: ConnectOptions,
    /// The name of the database that is to hold the dump in the end.
    pub into: String,
    /// What that name may stand for today.
    pub target: Target,
    /// What becomes of sessions on the database that [`Target::Replace`] replaces.
    pub sessions: OldSessions,
    /// How the dump travels.
    pub mode: Mode,
    /// Whether objects get the owners that they had.
    pub owners: Owners,
    /// Whether GRANT and REVOKE are run.
    pub privileges: Privileges,
    /// Whether the first error ends it.
    pub on_error: OnError,
    /// Whether the planner's statistics are made afterwards.
    pub analyze: Analyze,
    /// What becomes of a new database that did not finish.
    pub unfinished: Unfinished,
    /// For archives of pg_dump's other formats: which pg_restore reads them. None is looked for where pg_dump is.
    pub pg_restore: Option<PathBuf>,
}

/// What stands under the name [`RestoreRequest::into`] today, and what may be done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nothing; it is made.
    New,
    /// A database without any object of a user.
    ExistingEmpty,
    /// A database that another takes the place of.
    Replace(TypedName),
}

/// The name of a database that somebody typed to have it replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedName(String);

impl TypedName {
    /// `None` where something else was typed than the database's name, letter by letter.
    pub fn new(typed: &str, database: &str) -> Option<Self> {
        (typed == database).then(|| Self(typed.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Sessions on a database that is to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSessions {
    /// One of them is enough to refuse, before anything is loaded.
    Refuse,
    /// They are ended at the swap.
    Terminate,
}

/// How many sessions load, and how many transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One session and one transaction: all or nothing.
    SingleTransaction,
    /// This many sessions at once, each statement on its own.
    Sessions(NonZeroU8),
}

/// `ALTER … OWNER TO` and `SET SESSION AUTHORIZATION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// As in the dump.
    Keep,
    /// Everything belongs to the role that restores.
    Skip,
}

/// `GRANT`, `REVOKE` and `ALTER DEFAULT PRIVILEGES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privileges {
    /// As in the dump.
    Keep,
    /// Left out.
    Skip,
}

/// What the first statement that fails does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It is the end.
    Stop,
    /// It is recorded, and the next one is run. Not within a single transaction.
    KeepGoing,
}

/// Whether `ANALYZE` is run at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Analyze {
    /// It is.
    Yes,
    /// The server's autovacuum will come by.
    No,
}

/// What becomes of a new database whose load failed or was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// Dropped.
    Drop,
    /// Kept under its name of passage, and said.
    Keep,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_name_is_typed() {
        assert_eq!(TypedName::new("shop", "shop").unwrap().as_str(), "shop");
        for typed in ["", "Shop", "shop ", "sho", "y"] {
            assert_eq!(TypedName::new(typed, "shop"), None, "{typed}");
        }
    }
}
