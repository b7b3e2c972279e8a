//! One of the two databases, read: rows of its tables, its schema, its history. And who is on one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use dumper::swap;
use pgdriver::catalog::{self, RowCount};
use pgdriver::renaming::Clients;
use pgdriver::{ConnectOptions, Session, history, shape, tables};

use crate::database::{connect_failure, query_failure};
use crate::exit::Class;
use crate::failure::Failure;
use crate::lock;
use crate::names::MigrationId;
use crate::rollback::{Rows, Side};

/// What a table may take to be counted, and a lock to be had.
const LIMITS: &str = "SET default_transaction_read_only = on; SET statement_timeout = '30s'; SET lock_timeout = '2s'; \
                      SET idle_in_transaction_session_timeout = 0";
/// Sessions of this program that have ended may take so long to be gone.
const GONE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(50);
const PROGRAM: &str = "django-migrate";

pub(super) async fn read(login: &ConnectOptions, database: &str) -> Result<Side, Failure> {
    let options = login.clone().with_database(database);
    let session = Box::pin(pgdriver::connect(&options))
        .await
        .map_err(|e| connect_failure(&e))?;
    let side = of(&session).await;
    // a session that stays would keep the database from giving its name away
    session.close().await;
    side
}

async fn of(session: &Session) -> Result<Side, Failure> {
    let failed = |e| query_failure(&e);
    session.execute(LIMITS).await.map_err(failed)?;
    let shape = shape::shape(session).await.map_err(failed)?;
    let applied = history::read(session).await.map_err(failed)?;
    let applied: BTreeSet<MigrationId> = applied
        .into_iter()
        .flat_map(|history| history.rows)
        .map(|row| MigrationId::new(&row.app, &row.name))
        .collect();
    let mut rows = BTreeMap::new();
    for table in tables::tables(session).await.map_err(failed)? {
        let schema = table.name.schema.clone().unwrap_or_default();
        let name = format!("{schema}.{}", table.name.name);
        let object = |kind: &str| shape::Object {
            kind: kind.to_owned(),
            name: name.clone(),
        };
        // the rows of a partitioned table are those of its partitions; views and foreign tables have none of their own
        let own = shape.get(&object("table"));
        if own.is_none_or(|definition| definition.starts_with("partitioned by")) {
            continue;
        }
        let counted = catalog::count_rows(session, &table.name, u64::from(u32::MAX)).await;
        let counted = match counted {
            Ok(RowCount::Exactly(n) | RowCount::AtLeast(n)) => Rows::Counted(n),
            Err(e) if e.is_connection_lost() => return Err(query_failure(&e)),
            Err(_) => table.estimated_rows.map_or(Rows::Unknown, Rows::Estimated),
        };
        rows.insert(name, counted);
    }
    Ok(Side {
        rows,
        shape,
        applied,
    })
}

/// The run that holds the advisory lock of the database.
pub(super) async fn holder(
    login: &ConnectOptions,
    database: &str,
) -> Result<Option<String>, Failure> {
    let session = Box::pin(pgdriver::connect(&login.clone().with_database(database)))
        .await
        .map_err(|e| connect_failure(&e))?;
    let holder = lock::holding(&session).await;
    session.close().await;
    holder
}

/// Who is on the database besides this program, whose own sessions are waited for.
pub(super) async fn others(
    login: &ConnectOptions,
    database: &str,
) -> Result<Vec<Clients>, Failure> {
    let begun = Instant::now();
    loop {
        let clients = swap::clients(login, database)
            .await
            .map_err(|e| Failure::new(Class::DatabaseError, e.to_string()))?;
        let ours = |c: &Clients| c.application.starts_with(PROGRAM);
        if begun.elapsed() > GONE || !clients.iter().any(ours) {
            return Ok(clients);
        }
        tokio::time::sleep(AGAIN).await;
    }
}
