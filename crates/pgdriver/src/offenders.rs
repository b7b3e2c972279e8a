//! Rows that a constraint would refuse: how many, and the keys of a few of them.
//!
//! Reads only, each in one statement; how long that may take is the session's statement_timeout. Absent: which constraint
//! is asked about, and what follows.

use postgres_protocol::escape::{escape_identifier, escape_literal};

use crate::catalog::{RelationName, RowCount};
use crate::query_error::QueryError;
use crate::session::Session;

/// Keys that are told.
const TOLD: usize = 5;

/// What a row must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offence {
    /// NULL in one of these columns.
    Null(Vec<String>),
    /// The same values in these columns as another row; NULL is like nothing.
    Duplicate(Vec<String>),
    /// Values in these columns that the other table has in none of its rows; NULL refers to nothing.
    Orphan {
        /// Of the table.
        columns: Vec<String>,
        /// The other table.
        to: RelationName,
        /// Its columns, in the order of the first.
        to_columns: Vec<String>,
    },
    /// A text of more than so many characters, blanks at its end aside, which PostgreSQL cuts.
    LongerThan(String, u32),
    /// A number that is less than the first or more than the second.
    Outside(String, i64, i64),
    /// A number with more than so many digits before the point: precision and scale of the new numeric.
    Precision(String, u32, u32),
    /// Any row at all.
    Row,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offenders {
    /// Rows; of duplicates the values that more than one row has.
    pub rows: RowCount,
    /// Of a few: `id 7`, `slug a (3 rows)`.
    pub keys: Vec<String>,
}

/// Counts up to `limit`. `key` is the columns of the table's primary key; without one, rows have no name.
pub async fn offenders(
    session: &Session,
    table: &RelationName,
    offence: &Offence,
    key: &[String],
    limit: u64,
) -> Result<Offenders, QueryError> {
    const WHAT: &str = "look for rows that a constraint would refuse";
    let sql = text(table, offence, key, limit);
    let rows = session.query(WHAT, &sql, &[]).await?;
    let row = rows.first().ok_or_else(|| QueryError::no_row(WHAT))?;
    let failed = |cause| QueryError::new(WHAT, cause);
    let count: i64 = row.try_get(0).map_err(failed)?;
    let keys: Option<Vec<Option<String>>> = row.try_get(1).map_err(failed)?;
    let count = count.unsigned_abs();
    Ok(Offenders {
        rows: match count >= limit {
            true => RowCount::AtLeast(count),
            false => RowCount::Exactly(count),
        },
        keys: keys.into_iter().flatten().flatten().collect(),
    })
}

fn text(table: &RelationName, offence: &Offence, key: &[String], limit: u64) -> String {
    let table = table.quoted();
    let found = match offence {
        Offence::Duplicate(columns) => {
            let there = all(columns, |column| format!("{column} IS NOT NULL"));
            let by: Vec<String> = columns.iter().map(|column| of("t", column)).collect();
            let by = by.join(", ");
            let name = named(columns);
            format!(
                "SELECT {name} || ' (' || count(*) || ' rows)' AS key FROM {table} AS t WHERE {there} \
                 GROUP BY {by} HAVING count(*) > 1 LIMIT {limit}"
            )
        }
        other => format!(
            "SELECT {} AS key FROM {table} AS t WHERE {} LIMIT {limit}",
            named(key),
            condition(other)
        ),
    };
    format!(
        "WITH found AS MATERIALIZED ({found}) \
         SELECT count(*), (array_agg(left(key, 100)) FILTER (WHERE key IS NOT NULL))[1:{TOLD}] FROM found"
    )
}

fn condition(offence: &Offence) -> String {
    match offence {
        Offence::Null(columns) => {
            let one: Vec<String> = columns
                .iter()
                .map(|column| format!("{} IS NULL", of("t", column)))
                .collect();
            one.join(" OR ")
        }
        Offence::Orphan {
            columns,
            to,
            to_columns,
        } => {
            let there = all(columns, |column| format!("{column} IS NOT NULL"));
            let pairs: Vec<String> = columns
                .iter()
                .zip(to_columns)
                .map(|(column, other)| format!("{} = {}", of("p", other), of("t", column)))
                .collect();
            format!(
                "{there} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
                to.quoted(),
                pairs.join(" AND ")
            )
        }
        Offence::LongerThan(column, length) => {
            format!(
                "char_length(rtrim({}::text, ' ')) > {length}",
                of("t", column)
            )
        }
        Offence::Outside(column, least, most) => {
            let column = of("t", column);
            format!("{column} < ({least}) OR {column} > ({most})")
        }
        Offence::Precision(column, precision, scale) => {
            let digits = precision.saturating_sub(*scale);
            format!(
                "abs(round({}::numeric, {scale})) >= power(10::numeric, {digits})",
                of("t", column)
            )
        }
        Offence::Row | Offence::Duplicate(_) => "true".to_owned(),
    }
}

fn all(columns: &[String], say: impl Fn(String) -> String) -> String {
    let each: Vec<String> = columns.iter().map(|column| say(of("t", column))).collect();
    each.join(" AND ")
}

fn of(table: &str, column: &str) -> String {
    format!("{table}.{}", escape_identifier(column))
}

/// `id 7, at 2020-01-01`; NULL where there is no column.
fn named(columns: &[String]) -> String {
    let each: Vec<String> = columns
        .iter()
        .map(|column| {
            let label = escape_literal(&format!("{column} "));
            format!("{label} || {}::text", of("t", column))
        })
        .collect();
    match each.is_empty() {
        true => "NULL::text".to_owned(),
        false => each.join(" || ', ' || "),
    }
}
