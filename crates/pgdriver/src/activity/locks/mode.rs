//! The eight modes of a relation lock, and which of them conflict.
//!
//! Absent: row locks, which are not in `pg_locks`, and the modes of predicate locks (`SIReadLock`), which nobody
//! waits for.

use std::fmt;

use LockMode::{
    AccessExclusive, AccessShare, Exclusive, RowExclusive, RowShare, Share, ShareRowExclusive,
    ShareUpdateExclusive,
};

/// A mode of a relation lock, from the weakest to the strongest. `Display` gives SQL's words: `SHARE ROW EXCLUSIVE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    /// SELECT
    AccessShare,
    /// SELECT FOR UPDATE, FOR SHARE
    RowShare,
    /// INSERT, UPDATE, DELETE
    RowExclusive,
    /// VACUUM, CREATE INDEX CONCURRENTLY, VALIDATE CONSTRAINT
    ShareUpdateExclusive,
    /// CREATE INDEX
    Share,
    /// ADD FOREIGN KEY, CREATE TRIGGER
    ShareRowExclusive,
    /// REFRESH MATERIALIZED VIEW CONCURRENTLY
    Exclusive,
    /// Most of ALTER TABLE, DROP, TRUNCATE, VACUUM FULL
    AccessExclusive,
}

impl LockMode {
    /// From the weakest to the strongest.
    pub const ALL: [Self; 8] = [
        AccessShare,
        RowShare,
        RowExclusive,
        ShareUpdateExclusive,
        Share,
        ShareRowExclusive,
        Exclusive,
        AccessExclusive,
    ];

    /// Two transactions cannot hold these on one relation at once. The table of the manual's "Explicit Locking".
    pub fn conflicts_with(self, other: Self) -> bool {
        let (weaker, stronger) = (self.min(other), self.max(other));
        match weaker {
            AccessShare => stronger == AccessExclusive,
            RowShare => stronger >= Exclusive,
            RowExclusive => stronger >= Share,
            ShareUpdateExclusive => true,
            // SHARE alone goes with itself
            Share => stronger != Share,
            ShareRowExclusive | Exclusive | AccessExclusive => true,
        }
    }

    /// As `pg_locks.mode` spells it: `AccessExclusiveLock`.
    pub fn pg_locks(self) -> &'static str {
        match self {
            AccessShare => "AccessShareLock",
            RowShare => "RowShareLock",
            RowExclusive => "RowExclusiveLock",
            ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Share => "ShareLock",
            ShareRowExclusive => "ShareRowExclusiveLock",
            Exclusive => "ExclusiveLock",
            AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// The reverse of [`LockMode::pg_locks`].
    pub fn from_pg_locks(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.pg_locks() == text)
    }

    /// SQL's words, as in `LOCK TABLE … IN ACCESS EXCLUSIVE MODE`.
    pub fn sql(self) -> &'static str {
        match self {
            AccessShare => "ACCESS SHARE",
            RowShare => "ROW SHARE",
            RowExclusive => "ROW EXCLUSIVE",
            ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Share => "SHARE",
            ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Exclusive => "EXCLUSIVE",
            AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// The reverse of [`LockMode::sql`]; upper or lower case.
    pub fn from_sql(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.sql().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sql())
    }
}

#[cfg(test)]
mod tests {
    use super::LockMode;

    /// Row and column in the order of the manual's table; `x` conflicts.
    const MANUAL: [&str; 8] = [
        ".......x", "......xx", "....xxxx", "...xxxxx", "..xx.xxx", "..xxxxxx", ".xxxxxxx",
        "xxxxxxxx",
    ];

    #[test]
    fn conflicts_are_the_manuals() {
        for (one, row) in LockMode::ALL.into_iter().zip(MANUAL) {
            for (other, cell) in LockMode::ALL.into_iter().zip(row.chars()) {
                assert_eq!(one.conflicts_with(other), cell == 'x', "{one} and {other}");
            }
        }
    }

    #[test]
    fn spellings_go_both_ways() {
        for mode in LockMode::ALL {
            assert_eq!(LockMode::from_pg_locks(mode.pg_locks()), Some(mode));
            assert_eq!(LockMode::from_sql(&mode.to_string()), Some(mode));
        }
        assert_eq!(LockMode::from_pg_locks("SIReadLock"), None);
        assert_eq!(LockMode::from_sql("share update"), None);
    }
}
