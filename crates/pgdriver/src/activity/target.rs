//! What a lock is on: a relation, a row, a transaction, a number that applications agree on.
//!
//! Absent: predicate locks, which nobody waits for.

use std::fmt;

/// What is locked. Its `Display` does not repeat the relation, which goes beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A table, index, view, sequence.
    Relation,
    /// The right to make a relation longer.
    Extend,
    /// The right to move a database's frozen ids on.
    FrozenIds,
    /// A page of an index.
    Page(i32),
    /// A row, as its first waiter holds it; the others wait for that one.
    Tuple {
        /// `ctid`'s page
        page: i32,
        /// and line.
        tuple: i16,
    },
    /// The end of a transaction: whoever changed or locked a row holds its own id.
    Transaction {
        /// `transactionid`
        xid: String,
    },
    /// The end of a transaction that may not have written: CREATE INDEX CONCURRENTLY waits for those.
    VirtualTransaction {
        /// `3/1045`
        id: String,
    },
    /// An INSERT … ON CONFLICT that has not decided yet.
    SpeculativeToken {
        /// Of that transaction.
        xid: String,
    },
    /// A schema, type, role, database, …
    Object {
        /// The catalog that it is in: `pg_namespace`.
        class: String,
        /// Its oid there.
        oid: u32,
    },
    /// `pg_advisory_lock()` and its like.
    Advisory(AdvisoryKey),
    /// What a later version locks.
    Other,
}

/// An application's number. Whether a session or a transaction has it, the server does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdvisoryKey {
    /// `pg_advisory_lock(n)`
    One(i64),
    /// `pg_advisory_lock(n, m)`
    Two(i32, i32),
}

impl AdvisoryKey {
    /// From the columns of `pg_locks`: objsubid is 1 for one number, in two halves, and 2 for two numbers.
    pub(super) fn from_pg_locks(classid: u32, objid: u32, objsubid: i16) -> Self {
        match objsubid {
            1 => Self::One(((u64::from(classid) << 32) | u64::from(objid)).cast_signed()),
            _ => Self::Two(classid.cast_signed(), objid.cast_signed()),
        }
    }
}

impl fmt::Display for AdvisoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(key) => write!(f, "{key}"),
            Self::Two(one, two) => write!(f, "({one}, {two})"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relation => f.write_str("relation"),
            Self::Extend => f.write_str("extension of the relation"),
            Self::FrozenIds => f.write_str("frozen ids"),
            Self::Page(page) => write!(f, "page {page}"),
            Self::Tuple { page, tuple } => write!(f, "row ({page},{tuple})"),
            Self::Transaction { xid } => write!(f, "end of transaction {xid}"),
            Self::VirtualTransaction { id } => write!(f, "end of virtual transaction {id}"),
            Self::SpeculativeToken { xid } => write!(f, "speculative insert of transaction {xid}"),
            Self::Object { class, oid } => write!(f, "object {oid} of {class}"),
            Self::Advisory(key) => write!(f, "advisory lock {key}"),
            Self::Other => f.write_str("something of a kind that is not known here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AdvisoryKey;

    #[test]
    fn advisory_keys_are_those_of_the_caller() {
        for key in [0, 7, -1, i64::MAX, i64::MIN, 1 << 40] {
            let bits = key.cast_unsigned();
            let (high, low) = ((bits >> 32) as u32, bits as u32);
            assert_eq!(
                AdvisoryKey::from_pg_locks(high, low, 1),
                AdvisoryKey::One(key)
            );
        }
        let two = AdvisoryKey::from_pg_locks(u32::MAX, 5, 2);
        assert_eq!(two, AdvisoryKey::Two(-1, 5));
        assert_eq!(two.to_string(), "(-1, 5)");
    }
}
