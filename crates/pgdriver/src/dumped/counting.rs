//! Counting rows in the snapshot, without holding on to anything: each batch in a savepoint that is rolled back, which
//! gives its locks back, too.
//!
//! Absent: deciding which tables are worth counting, and when.

use postgres_protocol::escape::{escape_identifier, escape_literal};

use super::Table;
use super::checksum::{self, Columns, PINNED};
use crate::query_error::QueryError;
use crate::session::Session;

/// Locks at a time, indexes included: a cluster's lock table has room for 64 a connection, and is everybody's.
const LOCKS: u32 = 100;

/// What counting a table came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counting {
    /// The snapshot's rows of what is in the table now.
    Rows {
        /// So many.
        rows: u64,
        /// The table is the one of the snapshot, in the file of the snapshot. Otherwise it was truncated, rewritten or
        /// replaced since, which a snapshot does not hide.
        same_file: bool,
        /// Over all rows, where it was asked for and the server could.
        checksum: Option<u64>,
    },
    /// The server's words.
    Refused(String),
}

/// Counts these tables in the transaction of the session, in order, and sums up the rows of those whose columns are given.
/// An error is the session's end.
pub async fn count(
    session: &Session,
    tables: &[&Table],
    columns: &Columns,
) -> Result<Vec<Counting>, QueryError> {
    let mut counted = Vec::with_capacity(tables.len());
    for batch in batches(tables) {
        match count_batch(session, batch, columns).await {
            Ok(counts) => counted.extend(counts),
            Err(error) if is_final(&error) => return Err(error),
            // one of them is locked, or gone, or has a row too long for a sum: each by itself, at last without its sum
            Err(_) => {
                for table in batch {
                    counted.push(count_one(session, table, columns).await?);
                }
            }
        }
    }
    Ok(counted)
}

async fn count_one(
    session: &Session,
    table: &Table,
    columns: &Columns,
) -> Result<Counting, QueryError> {
    let none = Columns::new();
    let ways = match columns.contains_key(&table.oid) {
        true => vec![columns, &none],
        false => vec![&none],
    };
    let mut refused = "the server gave no row".to_owned();
    for columns in ways {
        match count_batch(session, &[table], columns).await {
            Ok(counts) => {
                if let Some(count) = counts.into_iter().next() {
                    return Ok(count);
                }
            }
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => refused = error.message(),
        }
    }
    Ok(Counting::Refused(refused))
}

/// Cancelled: somebody wants it to end.
fn is_final(error: &QueryError) -> bool {
    error.sqlstate().is_none() || error.is_connection_lost() || error.is_cancelled()
}

async fn count_batch(
    session: &Session,
    batch: &[&Table],
    columns: &Columns,
) -> Result<Vec<Counting>, QueryError> {
    const WHAT: &str = "count rows";
    session.batch(WHAT, "SAVEPOINT counted").await?;
    let pinned = match batch.iter().any(|table| columns.contains_key(&table.oid)) {
        true => session.batch(WHAT, PINNED).await,
        false => Ok(()),
    };
    let counted = match pinned {
        Ok(()) => session.query_text(&statement(batch, columns)).await,
        Err(error) => Err(error),
    };
    session
        .batch(WHAT, "ROLLBACK TO counted; RELEASE counted")
        .await?;
    let rows = counted?;
    Ok(batch
        .iter()
        .zip(rows)
        .map(|(table, row)| counting(table, columns.contains_key(&table.oid), &row))
        .collect())
}

fn counting(table: &Table, summed: bool, row: &[Option<String>]) -> Counting {
    let number = |at: usize| row.get(at)?.as_deref()?.parse::<u64>().ok();
    match number(1) {
        Some(rows) => Counting::Rows {
            rows,
            same_file: number(2) == Some(table.oid.into())
                && number(3) == Some(table.file_node.into()),
            checksum: row
                .get(4)
                .filter(|_| summed)
                .and_then(|sum| checksum::checksum(sum.as_deref())),
        },
        None => Counting::Refused("the server gave no number".to_owned()),
    }
}

/// Counted as pg_dump reads: this table alone, and of an extension's the rows that it has to keep. The file is asked for
/// while the statement holds its lock: nobody can replace it in between.
fn statement(batch: &[&Table], columns: &Columns) -> String {
    let one = |(at, table): (usize, &&Table)| {
        let name = format!(
            "{}.{}",
            escape_identifier(&table.schema),
            escape_identifier(&table.name)
        );
        let sum = match columns.get(&table.oid) {
            Some(columns) => checksum::expression(columns),
            None => "NULL::numeric".to_owned(),
        };
        format!(
            "SELECT {at} AS at, c.rows, pg_catalog.to_regclass({})::oid, pg_catalog.pg_relation_filenode({}), c.sum \
             FROM (SELECT pg_catalog.count(*) AS rows, {sum} AS sum FROM ONLY {name} {}) c",
            escape_literal(&name),
            table.oid,
            table.condition.as_deref().unwrap_or_default(),
        )
    };
    let parts: Vec<String> = batch.iter().enumerate().map(one).collect();
    format!("{} ORDER BY 1", parts.join(" UNION ALL "))
}

/// As many tables together as their locks allow, one at the least.
fn batches<'a, 'b>(tables: &'b [&'a Table]) -> Vec<&'b [&'a Table]> {
    let mut batches = Vec::new();
    let (mut start, mut locks) = (0, 0);
    for (at, table) in tables.iter().enumerate() {
        let wanted = table.indexes.saturating_add(1);
        if at > start && locks + wanted > LOCKS {
            batches.push(&tables[start..at]);
            (start, locks) = (at, 0);
        }
        locks = locks.saturating_add(wanted);
    }
    if start < tables.len() {
        batches.push(&tables[start..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, indexes: u32) -> Table {
        Table {
            oid: 1,
            schema: "s".to_owned(),
            name: name.to_owned(),
            file_node: 2,
            unlogged: false,
            estimated_rows: None,
            estimated_bytes: 0,
            indexes,
            root: None,
            condition: None,
            ours: true,
        }
    }

    #[test]
    fn a_batch_has_a_hundred_locks_at_the_most() {
        let tables: Vec<_> = [9, 39, 49, 0, 250, 0]
            .map(|indexes| table("t", indexes))
            .into();
        let tables: Vec<_> = tables.iter().collect();
        let lengths: Vec<_> = batches(&tables).iter().map(|batch| batch.len()).collect();
        assert_eq!(lengths, [3, 1, 1, 1]);
        assert!(batches(&[]).is_empty());
    }

    #[test]
    fn names_are_quoted_and_conditions_kept() {
        let mut odd = table("a\"b'c", 0);
        odd.condition = Some("WHERE id > 10".to_owned());
        assert_eq!(
            statement(&[&odd], &Columns::new()),
            "SELECT 0 AS at, c.rows, pg_catalog.to_regclass('\"s\".\"a\"\"b''c\"')::oid, \
             pg_catalog.pg_relation_filenode(1), c.sum FROM (SELECT pg_catalog.count(*) AS rows, NULL::numeric AS sum \
             FROM ONLY \"s\".\"a\"\"b'c\" WHERE id > 10) c ORDER BY 1"
        );
        let columns = Columns::from([(1, vec!["a".to_owned(), "B c".to_owned()])]);
        assert!(
            statement(&[&odd], &columns)
                .contains("ROW(\"a\", \"B c\")::pg_catalog.text COLLATE \"C\""),
        );
    }
}
