//! A number that two tables share if they hold the same rows, in whatever order.
//!
//! Each row as text, its columns by name, hashed to 64 bits; the sum of all. One changed byte of one row is missed once in
//! 2^64 times. It is no seal: who wants to can make other rows with the same sum.
//!
//! The text of a value depends on settings, which are pinned here, and the bytes on the database's encoding: two databases
//! of different encodings cannot be compared, nor two servers of different byte order. `hashtextextended` gives the same on
//! every version, because hash partitions live on it. Types of extensions whose text follows settings of their own are
//! compared as those are.
//!
//! Absent: generated columns, whose values no dump holds, and rows whose text would be longer than the server's 1 GB.

use std::collections::HashMap;

use postgres_protocol::escape::escape_identifier;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const COLUMNS: Sql = sql!("list the tables' columns", "dump_columns.sql");

/// What the text of a value depends on. `SET LOCAL`: for the transaction, or up to its savepoint.
pub(super) const PINNED: &str = "SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC'; \
     SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL lc_monetary = 'C'; \
     SET LOCAL quote_all_identifiers = off; SET LOCAL search_path = pg_catalog";

/// Names of columns by the table's oid, each list in one order.
pub type Columns = HashMap<u32, Vec<String>>;

/// The columns of all tables.
pub async fn columns(session: &Session) -> Result<Columns, QueryError> {
    let rows = COLUMNS.rows(session, &[]).await?;
    let columns = rows.iter().map(|row| {
        let oid = u32::try_from(row.get::<i64>("oid")?).unwrap_or(0);
        Ok((oid, row.get("columns")?))
    });
    columns.collect()
}

/// What is summed up over the rows.
pub(super) fn expression(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| escape_identifier(name)).collect();
    format!(
        "pg_catalog.sum(pg_catalog.hashtextextended(ROW({})::pg_catalog.text COLLATE \"C\", 0))",
        columns.join(", ")
    )
}

/// The sum as PostgreSQL gives it: none over no rows, and past 64 bits where there are many.
pub(super) fn checksum(sum: Option<&str>) -> Option<u64> {
    let Some(sum) = sum else { return Some(0) };
    let sum: i128 = sum.parse().ok()?;
    u64::try_from(sum.rem_euclid(1 << 64)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_wrap_around() {
        assert_eq!(checksum(None), Some(0));
        assert_eq!(checksum(Some("-1")), Some(u64::MAX));
        assert_eq!(checksum(Some("18446744073709551617")), Some(1));
        assert_eq!(checksum(Some("-18446744073709551617")), Some(u64::MAX));
        assert_eq!(checksum(Some("x")), None);
    }
}
