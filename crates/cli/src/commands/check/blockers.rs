//! `check`'s blockers: who would keep the plan from its locks now, who else has been in a transaction for long, and the
//! INVALID indexes that have a name which the plan needs.
//!
//! Absent here: the judgement of a lock (see [`crate::locks`]), and waiting.

use pgdriver::activity::{self, LongTransactions, SessionInfo};
use pgdriver::catalog::{self, InvalidIndex};
use pgdriver::server::PreparedTransaction;

use crate::commands::steps::Observed;
use crate::database::query_failure;
use crate::django::wire::Operation;
use crate::execute::resume::index_in_the_way;
use crate::failure::Failure;
use crate::hazards::{Finding, Severity, beyond};
use crate::locks::{self, LONG, Literals, Readiness, Us, wanted, words};
use crate::plan::Plan;
use crate::sql::Relation;
use crate::ui::{count, seconds};

/// What the check says, and what it found.
pub(super) struct Blockers {
    pub(super) detail: String,
    pub(super) findings: Vec<Finding>,
}

pub(super) async fn look(observed: &Observed, plan: &Plan) -> Result<Blockers, Failure> {
    let session = &*observed.observer;
    let failed = |e| query_failure(&e);
    let wanted = wanted::of_operations(session, plan).await.map_err(failed)?;
    let us = Us::from(&observed.server);
    let readiness = locks::readiness(session, &us, wanted, Literals::Hidden).await;
    let readiness = readiness.map_err(failed)?;
    let mut long = activity::long_transactions(session, LONG)
        .await
        .map_err(failed)?;
    // what runs in another database of the server holds no lock that DDL here would wait for
    let here = Some(observed.server.database.as_str());
    long.sessions.retain(|one| one.database.as_deref() == here);
    let mut findings = readiness.findings();
    findings.extend(others(&readiness, &long).map(session_finding));
    let prepared = observed.server.prepared_transactions.iter().flatten();
    let told = |one: &&PreparedTransaction| {
        let mut known = readiness
            .in_the_way
            .iter()
            .flat_map(|other| &other.prepared);
        known.any(|known| known.gid == one.gid)
    };
    findings.extend(prepared.filter(|one| !told(one)).map(prepared_finding));
    let invalid = catalog::invalid_indexes(session).await.map_err(failed)?;
    findings.extend(invalid.iter().filter_map(|index| in_the_way(index, plan)));
    Ok(Blockers {
        detail: detail(&readiness, &long),
        findings,
    })
}

/// Those who are not told as standing in the way of this plan.
fn others<'a>(
    readiness: &'a Readiness,
    long: &'a LongTransactions,
) -> impl Iterator<Item = &'a SessionInfo> {
    let told = |pid: i32| readiness.in_the_way.iter().any(|other| other.pid == pid);
    long.sessions.iter().filter(move |one| !told(one.pid))
}

fn session_finding(session: &SessionInfo) -> Finding {
    let seen = session.detail.seen();
    let age = seen.and_then(|detail| detail.xact_age).unwrap_or_default();
    let state = seen.and_then(|detail| detail.state.clone());
    let message = format!(
        "{}, backend {}, {}, in a transaction for {}",
        words::who(session),
        session.pid,
        state.unwrap_or_default(),
        words::age_text(age)
    );
    beyond::finding("long-transaction", message)
}

fn prepared_finding(prepared: &PreparedTransaction) -> Finding {
    let message = format!(
        "prepared transaction {} of {} holds its locks for {}",
        prepared.gid,
        prepared.owner,
        words::age_text(prepared.age)
    );
    beyond::finding("prepared-transaction", message)
}

/// An INVALID index of the name that an operation of the plan gives to its own. SQL of the project's, which may build one
/// too, or take this one out before, is read by `preview`.
fn in_the_way(index: &InvalidIndex, plan: &Plan) -> Option<Finding> {
    let operations = || plan.steps.iter().flat_map(|step| &step.operations);
    let at = operations().position(|one| adds(one, index))?;
    let schema = index.name.schema.clone().unwrap_or_default();
    let mut finding = index_in_the_way(
        &Relation::new(schema.clone(), index.name.name.clone()),
        Relation::new(schema, index.table.clone()),
        index.in_progress,
    );
    if operations().take(at).any(may_drop) {
        finding.severity = Severity::Ask;
        finding.message.push_str(
            ", unless what the plan runs before takes it out, which `django-migrate preview` tells",
        );
    }
    Some(finding)
}

fn may_drop(operation: &Operation) -> bool {
    let class = operation.class.rsplit('.').next().unwrap_or_default();
    let base = operation.base.as_deref();
    matches!(
        base,
        None | Some("RunSQL" | "RunPython" | "DeleteModel" | "SeparateDatabaseAndState")
    ) || class.starts_with("RemoveIndex")
}

/// Django's own words for the operation name the index.
fn adds(operation: &Operation, index: &InvalidIndex) -> bool {
    let class = operation.class.rsplit('.').next().unwrap_or_default();
    let one = matches!(class, "AddIndex" | "AddIndexConcurrently")
        && operation.table.as_deref() == Some(&index.table)
        && operation
            .describe
            .split_whitespace()
            .any(|word| word == index.name.name);
    let mut parts = operation.database_operations.iter();
    one || parts.any(|part| adds(part, index))
}

fn detail(readiness: &Readiness, long: &LongTransactions) -> String {
    let relations = count(readiness.wanted.len() as u64, "relation");
    let in_the_way = match readiness.in_the_way.len() as u64 {
        _ if readiness.wanted.is_empty() => String::new(),
        0 => format!("nobody in the way on {relations}; "),
        n => format!("{} in the way on {relations}; ", count(n, "transaction")),
    };
    let many = count(long.sessions.len() as u64, "transaction");
    let hidden = match long.hidden {
        0 => String::new(),
        n => format!(
            "; not permitted to see {} (pg_monitor would help)",
            count(n, "session")
        ),
    };
    format!(
        "{in_the_way}{many} over {}{hidden}",
        seconds(LONG.as_secs_f64())
    )
}
