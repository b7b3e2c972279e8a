//! Counting rows in the snapshot, without holding on to anything: each batch in a savepoint that is rolled back, which
//! gives its locks back, too.
//!
//! Absent: deciding which tables are worth counting, and when.

use postgres_protocol::escape::{escape_identifier, escape_literal};

use super::Table;
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
    },
    /// The server's words.
    Refused(String),
}

/// Counts these tables in the transaction of the session, in order. An error is the session's end.
pub async fn count(session: &Session, tables: &[&Table]) -> Result<Vec<Counting>, QueryError> {
    let mut counted = Vec::with_capacity(tables.len());
    for batch in batches(tables) {
        match count_batch(session, batch).await {
            Ok(counts) => counted.extend(counts),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) if batch.len() == 1 => counted.push(Counting::Refused(error.message())),
            // one of them is locked, or gone: the others are counted one by one
            Err(_) => {
                for table in batch {
                    counted.push(count_one(session, table).await?);
                }
            }
        }
    }
    Ok(counted)
}

async fn count_one(session: &Session, table: &Table) -> Result<Counting, QueryError> {
    match count_batch(session, &[table]).await {
        Ok(counts) => Ok(counts
            .into_iter()
            .next()
            .unwrap_or(Counting::Refused("the server gave no row".to_owned()))),
        Err(error) if is_final(&error) => Err(error),
        Err(error) => Ok(Counting::Refused(error.message())),
    }
}

/// Cancelled: somebody wants it to end.
fn is_final(error: &QueryError) -> bool {
    error.sqlstate().is_none() || error.is_connection_lost() || error.is_cancelled()
}

async fn count_batch(session: &Session, batch: &[&Table]) -> Result<Vec<Counting>, QueryError> {
    const WHAT: &str = "count rows";
    session.batch(WHAT, "SAVEPOINT counted").await?;
    let counted = session.query_text(&statement(batch)).await;
    session
        .batch(WHAT, "ROLLBACK TO counted; RELEASE counted")
        .await?;
    let rows = counted?;
    Ok(batch
        .iter()
        .zip(rows)
        .map(|(table, row)| counting(table, &row))
        .collect())
}

fn counting(table: &Table, row: &[Option<String>]) -> Counting {
    let number = |at: usize| row.get(at)?.as_deref()?.parse::<u64>().ok();
    match number(1) {
        Some(rows) => Counting::Rows {
            rows,
            same_file: number(2) == Some(table.oid.into())
                && number(3) == Some(table.file_node.into()),
        },
        None => Counting::Refused("the server gave no number".to_owned()),
    }
}

/// Counted as pg_dump reads: this table alone, and of an extension's the rows that it has to keep. The file is asked for
/// while the statement holds its lock: nobody can replace it in between.
fn statement(batch: &[&Table]) -> String {
    let one = |(at, table): (usize, &&Table)| {
        let name = format!(
            "{}.{}",
            escape_identifier(&table.schema),
            escape_identifier(&table.name)
        );
        format!(
            "SELECT {at} AS at, (SELECT pg_catalog.count(*) FROM ONLY {name} {}), pg_catalog.to_regclass({})::oid, \
             pg_catalog.pg_relation_filenode({})",
            table.condition.as_deref().unwrap_or_default(),
            escape_literal(&name),
            table.oid,
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
            statement(&[&odd]),
            "SELECT 0 AS at, (SELECT pg_catalog.count(*) FROM ONLY \"s\".\"a\"\"b'c\" WHERE id > 10), \
             pg_catalog.to_regclass('\"s\".\"a\"\"b''c\"')::oid, pg_catalog.pg_relation_filenode(1) ORDER BY 1"
        );
    }
}
