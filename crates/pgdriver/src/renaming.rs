//! Databases that change their names: who is on them, ending them, the exchange itself.
//!
//! Absent: whether it may be done.

use tokio_postgres::types::ToSql;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const CLIENTS: Sql = sql!(
    "list the clients of a database",
    "database_clients.sql",
    TEXT
);
const END: Sql = sql!(
    "end the sessions of a database",
    "database_end_sessions.sql",
    TEXT
);
const LIKE: Sql = sql!(
    "read what a database is",
    "database_made_like.sql",
    TEXT,
    TEXT
);

/// Sessions of one kind on a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// Whose.
    pub role: String,
    /// Its application_name; empty where it gave none.
    pub application: String,
    /// None on a socket, and where this role may not see it.
    pub client: Option<String>,
    /// How many.
    pub sessions: u64,
}

/// Who is on a database, by role, program and address, the most first.
pub async fn clients(session: &Session, database: &str) -> Result<Vec<Clients>, QueryError> {
    let rows = CLIENTS.rows(session, &[&database]).await?;
    let clients = rows.iter().map(|row| {
        Ok(Clients {
            role: row.text("role")?.unwrap_or_default(),
            application: row.text("application")?.unwrap_or_default(),
            client: row.get("client")?,
            sessions: row.get::<i64>("sessions")?.unsigned_abs(),
        })
    });
    clients.collect()
}

/// Ends the clients of a database: the pids that were told to, and how many could not be.
pub async fn end_sessions(
    session: &Session,
    database: &str,
) -> Result<(Vec<i32>, u64), QueryError> {
    let row = END.row(session, &[&database]).await?;
    Ok((row.get("told")?, row.get::<i64>("not_told")?.unsigned_abs()))
}

/// A database but for its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like {
    /// What gives another its owner, limit and rights.
    statements: Vec<String>,
}

/// What a database is but for its contents, for [`exchange`]; none where there is no such database.
pub async fn like(
    session: &Session,
    database: &str,
    other: &str,
) -> Result<Option<Like>, QueryError> {
    let values: [&(dyn ToSql + Sync); 2] = [&database, &other];
    let rows = LIKE.rows(session, &values).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Like {
        statements: row.get("statements")?,
    }))
}

/// `by` becomes `like` the old one, the old one takes the name `kept_as`, and `by` takes its name: one transaction, all or
/// nothing. Nobody may be on either: the server waits five seconds for those that are (`CountOtherDBBackends`), and whoever
/// wants to get in meanwhile waits for the end of the transaction.
pub async fn exchange(
    session: &Session,
    database: &str,
    by: &str,
    kept_as: &str,
    like: &Like,
) -> Result<(), QueryError> {
    let rename =
        |from: &str, to: &str| format!("ALTER DATABASE {} RENAME TO {}", quoted(from), quoted(to));
    let mut statements = vec!["BEGIN".to_owned()];
    statements.extend(like.statements.iter().cloned());
    statements.push(rename(database, kept_as));
    statements.push(rename(by, database));
    statements.push("COMMIT".to_owned());
    let done = session
        .batch("exchange two databases", &statements.join("; "))
        .await;
    if done.is_err() {
        // the transaction is over with the error; only its end is missing
        let _ = session.batch("end a transaction", "ROLLBACK").await;
    }
    done
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
