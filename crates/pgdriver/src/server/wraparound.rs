//! How near databases and tables are to the end of their transaction ids.
//!
//! Absent: what to do about it, and the workers that are at it ([`super::autovacuum_workers`]).

use crate::catalog::RelationName;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const DATABASES: Sql = sql!("read the age of databases", "wraparound_databases.sql");
const TABLES: Sql = sql!("read the age of tables", "wraparound_tables.sql", FLOAT8);

/// `vacuum_failsafe_age` as PostgreSQL ships it: from here on VACUUM drops everything else to be done in time.
pub const FAILSAFE_AGE: u64 = 1_600_000_000;

/// The age of the oldest transaction id, or multixact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// So many ago.
    pub age: u64,
    /// From here on autovacuum comes whether it is wanted or not.
    pub limit: u64,
}

impl Age {
    /// Of the limit; 1 is the limit.
    pub fn share(self) -> f64 {
        self.age as f64 / self.limit.max(1) as f64
    }

    /// How many are left until the server takes no more writes, three million before the numbers wrap.
    pub fn left(self) -> u64 {
        ((1_u64 << 31) - 3_000_000).saturating_sub(self.age)
    }
}

/// A database with the age of what is oldest in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseAge {
    /// Its name.
    pub database: String,
    /// It is the one of this session.
    pub is_current: bool,
    /// `age(datfrozenxid)`
    pub xids: Age,
    /// `mxid_age(datminmxid)`
    pub multixacts: Age,
}

/// A table with the age of what is oldest in it, its TOAST counted in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableAge {
    /// With its schema.
    pub name: RelationName,
    /// `age(relfrozenxid)`
    pub xids: Age,
    /// `mxid_age(relminmxid)`
    pub multixacts: Age,
}

/// Tables by age.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableAges {
    /// At most a hundred: those of users before the catalog's, the nearest to its limit first.
    pub tables: Vec<TableAge>,
    /// How many of users' tables there are in all that have reached their limit.
    pub due: u64,
}

/// All databases of the cluster, the nearest to its limit first.
pub async fn database_ages(session: &Session) -> Result<Vec<DatabaseAge>, QueryError> {
    let rows = DATABASES.rows(session, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(DatabaseAge {
                database: row.text("database")?.unwrap_or_default(),
                is_current: row.get("is_current")?,
                xids: age(row, "xid")?,
                multixacts: age(row, "mxid")?,
            })
        })
        .collect()
}

/// Tables of this database that have reached a share of their limit.
pub async fn table_ages(session: &Session, share: f64) -> Result<TableAges, QueryError> {
    let rows = TABLES.rows(session, &[&share]).await?;
    let due = match rows.first() {
        Some(row) => row.get::<i64>("due")?.unsigned_abs(),
        None => 0,
    };
    let tables = rows
        .iter()
        .map(|row| {
            Ok(TableAge {
                name: RelationName::new(row.get("schema")?, row.get("name")?),
                xids: age(row, "xid")?,
                multixacts: age(row, "mxid")?,
            })
        })
        .collect::<Result<_, QueryError>>()?;
    Ok(TableAges { tables, due })
}

fn age(row: &Row, what: &str) -> Result<Age, QueryError> {
    let number = |column: String| -> Result<u64, QueryError> {
        let value: Option<i64> = row.get(&column)?;
        Ok(value
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or(0))
    };
    Ok(Age {
        age: number(format!("{what}_age"))?,
        limit: number(format!("{what}_limit"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::Age;

    #[test]
    fn share_and_rest() {
        let age = Age {
            age: 150,
            limit: 200,
        };
        assert_eq!(age.share(), 0.75);
        assert_eq!(age.left(), 2_144_483_648 - 150);
        let over = Age {
            age: u64::MAX,
            limit: 0,
        };
        assert_eq!(over.left(), 0);
    }
}
