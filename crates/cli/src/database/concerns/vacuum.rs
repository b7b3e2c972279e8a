//! Autovacuum that does not give way, and how near the end of the transaction ids is.

use std::time::Duration;

use pgdriver::catalog::RelationName;
use pgdriver::server::{Age, AutovacuumWorker, FAILSAFE_AGE, Health, ServerFacts, TableAge};

use super::{about, told, told_of};
use crate::hazards::{Finding, Severity, beyond};
use crate::locks::words::age_text;
use crate::ui::count;

pub(super) fn workers(server: &ServerFacts, health: &Health) -> Vec<Finding> {
    let workers = health.autovacuum.as_deref().unwrap_or_default().iter();
    workers
        .filter(|worker| worker.database.as_deref() == Some(&server.database))
        .filter_map(|worker| Some((worker, stubborn(worker, health)?)))
        .map(|(worker, work)| {
            let message = format!("autovacuum process {}: {work}", worker.pid);
            match &worker.table {
                Some(table) => about("wraparound-vacuum", message, table),
                None => beyond::finding("wraparound-vacuum", message),
            }
        })
        .collect()
}

/// What a worker does that will not give way. Where that may not be seen, the age of its table tells.
fn stubborn(worker: &AutovacuumWorker, health: &Health) -> Option<String> {
    if let Some(detail) = worker.detail.seen() {
        return detail.to_prevent_wraparound.then(|| detail.work.clone());
    }
    let table = worker.table.as_ref()?;
    let ages = health.tables.as_ref().ok()?;
    let age = ages.tables.iter().find(|age| age.name == *table)?;
    due(age).map(|_| {
        format!("works on {table}, which is due to prevent wraparound (not permitted to see more)")
    })
}

pub(super) fn databases(health: &Health) -> Vec<Finding> {
    let databases = health.databases.as_deref().unwrap_or_default().iter();
    databases
        .filter_map(|database| {
            let (age, what) = worst(database.xids, database.multixacts, FAILSAFE_AGE)?;
            let left = count(age.left(), what);
            let message = format!(
                "database {}: the oldest is {} old, {left} left until the server takes no more writes",
                database.database,
                count(age.age, what)
            );
            Some(beyond::finding("wraparound-near", message))
        })
        .collect()
}

/// A prepared transaction of another database that is younger is about to be ended.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// They lock nothing here, but what they hold back is the whole server's: the limit of its transaction ids.
pub(super) fn prepared_elsewhere(server: &ServerFacts) -> Vec<Finding> {
    let forgotten = server.prepared_elsewhere.iter().flatten();
    let all = forgotten.filter(|one| one.age >= FORGOTTEN).map(|one| {
        let message = format!(
            "prepared transaction {} of {} in database {}, for {}, {} old: vacuum removes nothing there that it may \
             still see, and the server's limit of transaction ids comes nearer",
            one.gid,
            one.owner,
            one.database,
            age_text(one.age),
            count(one.xids, "transaction")
        );
        Finding {
            severity: Severity::Note,
            ..beyond::finding("prepared-transaction", message)
        }
    });
    told("prepared-transaction", all.collect())
}

pub(super) fn tables(health: &Health) -> Vec<Finding> {
    let Ok(ages) = &health.tables else {
        return Vec::new();
    };
    let tables = ages.tables.iter();
    let due = tables.filter(|table| is_users(&table.name)).filter_map(due);
    told_of("wraparound-vacuum-due", due.collect(), ages.due)
}

fn due(table: &TableAge) -> Option<Finding> {
    let over = |age: Age| (age.share() >= 1.0).then_some(age);
    let (age, what) = match (over(table.xids), over(table.multixacts)) {
        (Some(age), _) => (age, "transaction"),
        (None, Some(age)) => (age, "multixact"),
        (None, None) => return None,
    };
    let message = format!(
        "{}: {} old; autovacuum comes from {} on",
        table.name,
        count(age.age, what),
        count(age.limit, what)
    );
    Some(about("wraparound-vacuum-due", message, &table.name))
}

/// The one that is at `from` or over it; the older of both.
fn worst(xids: Age, multixacts: Age, from: u64) -> Option<(Age, &'static str)> {
    let both = [(xids, "transaction"), (multixacts, "multixact")];
    let over = both.into_iter().filter(|(age, _)| age.age >= from);
    over.max_by_key(|(age, _)| age.age)
}

/// Of the catalog no migration alters a table.
fn is_users(name: &RelationName) -> bool {
    let schema = name.schema.as_deref().unwrap_or_default();
    !schema.starts_with("pg_") && schema != "information_schema"
}
