//! What is done to a database that holds all of a dump.
//!
//! Absent: repairing what is found.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use pgdriver::{ConnectOptions, QueryError, Session, databases};
use tokio::task::JoinSet;

use super::super::error::RestoreFailure;
use super::super::restored::Difference;
use crate::archive::TableRows;
use crate::manifest::{DatabaseProperties, Manifest};

/// Rows that the server took against rows that the manifest has. Of a dump without a manifest its own end marker and
/// checksums have said that it is whole.
pub(in super::super) fn compare(manifest: &Manifest, tables: &[TableRows]) -> Vec<Difference> {
    let rows = |tables: &[TableRows], of: &TableRows| {
        let same = tables
            .iter()
            .find(|table| table.schema == of.schema && table.name == of.name);
        same.map(|table| table.rows)
    };
    let expected = manifest.table_rows();
    let told = |rows: Option<u64>| rows.map_or_else(|| "none".to_owned(), |rows| rows.to_string());
    let mut differences = Vec::new();
    let unexpected = tables
        .iter()
        .filter(|table| rows(&expected, table).is_none());
    for table in expected.iter().chain(unexpected) {
        let (wanted, found) = (rows(&expected, table), rows(tables, table));
        if wanted != found {
            differences.push(Difference {
                what: format!("rows of {table}"),
                expected: told(wanted),
                found: told(found),
            });
        }
    }
    differences
}

/// The planner's statistics, which no dump before 18 holds, over several sessions.
pub(in super::super) async fn analyze(
    options: &ConnectOptions,
    sessions: usize,
) -> Result<(), RestoreFailure> {
    let session = pgdriver::connect(options).await?;
    let tables = databases::to_analyze(&session).await?;
    session.close().await;
    let queue = Arc::new(Mutex::new(rounds(&tables, sessions)));
    let mut working = JoinSet::new();
    for _ in 0..sessions.max(1) {
        working.spawn(analyze_some(options.clone(), Arc::clone(&queue)));
    }
    while let Some(done) = working.join_next().await {
        done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    }
    Ok(())
}

type Rounds = VecDeque<Vec<String>>;

/// The largest alone, the small ones together: each statement has its price.
fn rounds(tables: &[String], sessions: usize) -> Rounds {
    const TOGETHER: usize = 50;
    let (large, small) = tables.split_at(tables.len().min(sessions * 8));
    let large = large.iter().map(|table| vec![table.clone()]);
    large
        .chain(small.chunks(TOGETHER).map(<[String]>::to_vec))
        .collect()
}

async fn analyze_some(
    options: ConnectOptions,
    queue: Arc<Mutex<Rounds>>,
) -> Result<(), RestoreFailure> {
    let session = pgdriver::connect(&options).await?;
    pgdriver::loading::without_limits(&session).await?;
    loop {
        let next = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(tables) = next else { break };
        let sql = format!("ANALYZE {}", tables.join(", "));
        session.execute(&sql).await?;
    }
    session.close().await;
    Ok(())
}

/// `ALTER DATABASE … SET` as it was; each that the server refuses is a note.
pub(in super::super) async fn settings(
    session: &Session,
    database: &str,
    properties: &DatabaseProperties,
) -> Vec<String> {
    let mut notes = Vec::new();
    for setting in &properties.settings {
        let whose = match &setting.role {
            Some(role) => format!("ALTER ROLE {role} IN DATABASE"),
            None => "ALTER DATABASE".to_owned(),
        };
        let name = &setting.name;
        let Some(value) = &setting.value else {
            notes.push(format!(
                "{whose} … SET {name} is to be done by hand: its value may be a secret, and is not in the manifest"
            ));
            continue;
        };
        let role = setting.role.as_deref();
        let done: Result<(), QueryError> =
            databases::set_for_database(session, database, role, (name, value)).await;
        if let Err(error) = done {
            notes.push(format!("{whose} … SET {name} failed: {}", error.message()));
        }
    }
    notes
}
