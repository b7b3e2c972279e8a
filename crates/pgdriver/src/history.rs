//! The table `django_migrations`, as it stands.
//!
//! Absent: what the project's files say. And writing: only Django records.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const TABLE: Sql = sql!("look for django_migrations", "history_table.sql");
const ROWS: Sql = sql!("read django_migrations", "history_rows.sql");
const ELSEWHERE: Sql = sql!(
    "look for django_migrations elsewhere",
    "history_elsewhere.sql"
);

const OUT_OF_REACH: Sql = sql!(
    "look for django_migrations out of reach",
    "history_out_of_reach.sql"
);

/// The history table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Where the search path found it.
    pub schema: String,
    /// In order of id.
    pub rows: Vec<AppliedMigration>,
}

/// One row: Django recorded this migration as applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    /// The key; there is no other.
    pub id: i64,
    /// The app's label.
    pub app: String,
    /// The migration's name.
    pub name: String,
    /// When it was recorded.
    pub applied: Timestamp,
}

/// A migration that is recorded more than once: two `migrate` ran at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The app's label.
    pub app: String,
    /// The migration's name.
    pub name: String,
    /// Its rows, in order.
    pub ids: Vec<i64>,
}

/// The history; none where the search path finds no such table.
pub async fn read(session: &Session) -> Result<Option<History>, QueryError> {
    let table = TABLE.rows(session, &[]).await?;
    let Some(row) = table.first() else {
        return Ok(None);
    };
    let rows = ROWS.rows(session, &[]).await?;
    let rows = rows.iter().map(applied).collect::<Result<_, _>>()?;
    Ok(Some(History {
        schema: row.get("schema")?,
        rows,
    }))
}

/// Other schemas with a table of that name, which the search path does not find.
pub async fn elsewhere(session: &Session) -> Result<Vec<String>, QueryError> {
    let rows = ELSEWHERE.rows(session, &[]).await?;
    rows.iter().map(|row| row.get("schema")).collect()
}

/// Schemas with a table of that name that this role may not use.
pub async fn out_of_reach(session: &Session) -> Result<Vec<String>, QueryError> {
    let rows = OUT_OF_REACH.rows(session, &[]).await?;
    rows.iter().map(|row| row.get("schema")).collect()
}

fn applied(row: &Row) -> Result<AppliedMigration, QueryError> {
    Ok(AppliedMigration {
        id: row.get("id")?,
        app: row.get("app")?,
        name: row.get("name")?,
        applied: row.get("applied")?,
    })
}

/// Migrations with more than one row, in order of app and name.
pub fn duplicates(rows: &[AppliedMigration]) -> Vec<Duplicate> {
    let mut ids: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
    for row in rows {
        ids.entry((&row.app, &row.name)).or_default().push(row.id);
    }
    ids.into_iter()
        .filter(|(_, ids)| ids.len() > 1)
        .map(|((app, name), ids)| Duplicate {
            app: app.to_owned(),
            name: name.to_owned(),
            ids,
        })
        .collect()
}

/// Rows (by their index) whose time does not fit their place: the fewest that, taken out, leave the times in order of
/// id. One host's clock that ran ahead once makes one such row, not all that follow it; of two rows that contradict
/// each other it is the later one.
pub fn out_of_order(rows: &[AppliedMigration]) -> Vec<usize> {
    // from the last row on, the longest chain of times that do not go up: `heads[n]` begins the best of n + 1 rows
    let mut heads: Vec<usize> = Vec::new();
    let mut after: Vec<Option<usize>> = vec![None; rows.len()];
    for (at, row) in rows.iter().enumerate().rev() {
        let length = heads.partition_point(|head| rows[*head].applied >= row.applied);
        after[at] = length.checked_sub(1).map(|shorter| heads[shorter]);
        match heads.get_mut(length) {
            Some(head) => *head = at,
            None => heads.push(at),
        }
    }
    let mut in_order = vec![false; rows.len()];
    let mut next = heads.last().copied();
    while let Some(at) = next {
        in_order[at] = true;
        next = after[at];
    }
    (0..rows.len()).filter(|at| !in_order[*at]).collect()
}

#[cfg(test)]
mod tests {
    use super::{AppliedMigration, duplicates, out_of_order};
    use jiff::Timestamp;

    fn row(id: i64, app: &str, name: &str) -> AppliedMigration {
        AppliedMigration {
            id,
            app: app.into(),
            name: name.into(),
            applied: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn only_what_is_there_twice() {
        let rows = [
            row(1, "shop", "0001"),
            row(2, "auth", "0001"),
            row(3, "shop", "0001"),
            row(4, "shop", "0002"),
        ];
        let found = duplicates(&rows);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].app.as_str(), found[0].name.as_str()),
            ("shop", "0001")
        );
        assert_eq!(found[0].ids, [1, 3]);
    }

    #[test]
    fn the_fewest_rows_that_break_the_order() {
        let check = |seconds: &[i64], expected: &[usize]| {
            let rows: Vec<_> = (1..)
                .zip(seconds)
                .map(|(id, second)| AppliedMigration {
                    applied: Timestamp::from_second(*second).unwrap(),
                    ..row(id, "shop", "0001")
                })
                .collect();
            assert_eq!(out_of_order(&rows), expected, "{seconds:?}");
        };
        check(&[], &[]);
        check(&[1, 1, 2, 3], &[]);
        // recorded last, with a time before all others
        check(&[2, 3, 4, 1], &[3]);
        // one clock that ran ahead
        check(&[1, 99, 2, 3, 4], &[1]);
        check(&[5, 6, 1, 2, 3], &[0, 1]);
        check(&[2, 1], &[1]);
        check(&[2, 1, 2], &[1]);
    }
}
