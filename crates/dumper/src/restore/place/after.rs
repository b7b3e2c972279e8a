//! What is done to a database that holds all of a dump.
//!
//! Absent: repairing what is found.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use pgdriver::{ConnectOptions, QueryError, Session, databases};
use tokio::task::JoinSet;

use super::super::error::RestoreFailure;
use super::super::restored::Difference;
use super::room::connect_soon;
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

/// The planner's statistics, which no dump before 18 holds, over several sessions. What could not be made: the data are
/// whole without it, so it is no failure.
pub(in super::super) async fn analyze(options: &ConnectOptions, sessions: usize) -> Vec<String> {
    match analyze_all(options, sessions).await {
        Ok(notes) => notes,
        Err(failure) => vec![unmade("the database", &failure.to_string())],
    }
}

async fn analyze_all(
    options: &ConnectOptions,
    sessions: usize,
) -> Result<Vec<String>, RestoreFailure> {
    let session = connect_soon(options).await?;
    let tables = databases::to_analyze(&session).await?;
    let queue = Arc::new(Mutex::new(rounds(&tables, sessions)));
    let mut working = JoinSet::new();
    for _ in 1..sessions {
        // a server that has no room for it has some for the first
        let Ok(another) = pgdriver::connect(options).await else {
            break;
        };
        working.spawn(analyze_some(another, Arc::clone(&queue)));
    }
    let mut notes = analyze_some(session, Arc::clone(&queue)).await?;
    while let Some(done) = working.join_next().await {
        notes.extend(done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?);
    }
    Ok(notes)
}

fn unmade(what: &str, why: &str) -> String {
    format!("the planner's statistics of {what} were not made: {why}. When that is mended: ANALYZE")
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
    session: Session,
    queue: Arc<Mutex<Rounds>>,
) -> Result<Vec<String>, RestoreFailure> {
    let lock = || queue.lock().unwrap_or_else(PoisonError::into_inner);
    let mut notes = Vec::new();
    pgdriver::loading::without_limits(&session).await?;
    loop {
        let next = lock().pop_front();
        let Some(tables) = next else { break };
        let done = session
            .execute(&format!("ANALYZE {}", tables.join(", ")))
            .await;
        match (done, tables.as_slice()) {
            (Ok(()), _) => {}
            (Err(error), _) if error.is_connection_lost() => return Err(error.into()),
            (Err(error), [table]) => notes.push(unmade(table, &error.message())),
            // which of them it was
            (Err(_), _) => lock().extend(tables.into_iter().map(|table| vec![table])),
        }
    }
    session.close().await;
    Ok(notes)
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
