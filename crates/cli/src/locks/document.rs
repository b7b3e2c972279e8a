//! `locks --format json`: cli.md's fields first, then what stands beside them. Pure.
//!
//! What this role may not see is null, and `visible` is false. Absent here: printing.

use std::time::Duration;

use pgdriver::activity::remedy::Remedy;
use pgdriver::activity::{Extent, LONGEST, SessionInfo, SessionKind};
use serde::Serialize;

use super::holding::{Holding, Run};
use super::model::{Root, Snapshot, Waiter};
use super::readiness::{InTheWay, Readiness};
use crate::hazards::Finding;

#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    sessions: Vec<Session<'a>>,
    blocking: Vec<Blocking<'a>>,
    findings: Vec<Finding>,
    connection: ConnectionPart<'a>,
    roots: Vec<RootPart<'a>>,
    /// Who holds locks of SHARE UPDATE EXCLUSIVE and stronger in this database, the oldest transaction first.
    holders: Vec<Holder<'a>>,
    /// Where `holders` are not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    holders_limited: Option<HoldersLimited>,
    runs: Vec<RunPart<'a>>,
    prepared_transactions: Vec<Prepared<'a>>,
    /// Sessions of other databases that were left out.
    sessions_elsewhere: usize,
    /// Where `blocking` and `roots` are not everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocking_limited: Option<Limited>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locks: Option<Vec<Lock<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    readiness: Option<ReadinessPart<'a>>,
}

/// Of a crowd only the longest waiters are asked for their blockers.
#[derive(Debug, Serialize)]
struct Limited {
    /// Anywhere in the cluster; null: the server cancelled the question, and nothing is known.
    waiting: Option<u64>,
    asked: u64,
    text: String,
}

/// Of a crowd those with the strongest locks are told.
#[derive(Debug, Serialize)]
struct HoldersLimited {
    /// null: the server cancelled the question, and nothing is known.
    transactions: Option<u64>,
    shown: usize,
}

#[derive(Debug, Serialize)]
struct Holder<'a> {
    /// 0 is a prepared transaction.
    pid: i32,
    prepared: Option<&'a str>,
    /// The strongest four.
    locks: Vec<StrongLock>,
    relations: u64,
    xact_age_ms: Option<u128>,
    /// How many wait for it, directly or through others.
    waiting: usize,
}

#[derive(Debug, Serialize)]
struct StrongLock {
    relation: String,
    mode: &'static str,
}

#[derive(Debug, Serialize)]
struct RunPart<'a> {
    run: Option<&'a str>,
    plan: Option<&'a str>,
    host: Option<&'a str>,
    /// Who holds the advisory lock.
    lock_pid: Option<i32>,
    migrate_pids: &'a [i32],
    at_gate: bool,
    /// At the gate; 0 is a prepared transaction.
    waits_for: &'a [i32],
    does: String,
}

/// Where the answer comes from.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Connection<'a> {
    pub(crate) target: &'a str,
    pub(crate) from: &'a str,
}

#[derive(Debug, Serialize)]
struct ConnectionPart<'a> {
    #[serde(flatten)]
    connection: Connection<'a>,
    database: &'a str,
    role: &'a str,
    server_version: &'a str,
}

#[derive(Debug, Serialize)]
struct Session<'a> {
    pid: i32,
    user: Option<&'a str>,
    database: Option<&'a str>,
    application: Option<&'a str>,
    client: Option<&'a str>,
    state: Option<&'a str>,
    xact_age_ms: Option<u128>,
    query: Option<&'a str>,
    visible: bool,
    kind: &'static str,
    superuser: bool,
    state_age_ms: Option<u128>,
    query_age_ms: Option<u128>,
    wait_event_type: Option<&'a str>,
    wait_event: Option<&'a str>,
    to_prevent_wraparound: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Blocking<'a> {
    pid: i32,
    waits_for: Vec<i32>,
    root_pids: Vec<i32>,
    relation: Option<&'a str>,
    mode: Option<&'a str>,
    waited_ms: Option<u128>,
    query: Option<&'a str>,
    lock_type: Option<&'a str>,
    waits_for_what: Option<String>,
    application: Option<&'a str>,
    user: Option<&'a str>,
    database: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct RootPart<'a> {
    /// 0 is a prepared transaction.
    pids: Vec<i32>,
    deadlock: bool,
    prepared: Option<&'a str>,
    waiting_pids: &'a [i32],
    longest_wait_ms: Option<u128>,
    holds: Vec<HoldPart<'a>>,
    remedy: RemedyPart,
}

#[derive(Debug, Serialize)]
struct HoldPart<'a> {
    what: &'a str,
    relation: Option<&'a str>,
    mode: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct RemedyPart {
    text: String,
    /// The gentlest first.
    sql: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Prepared<'a> {
    gid: &'a str,
    owner: &'a str,
    age_ms: u128,
    relations: &'a [String],
    remedy: RemedyPart,
}

#[derive(Debug, Serialize)]
struct Lock<'a> {
    pid: i32,
    prepared: Option<&'a str>,
    relation: String,
    mode: &'static str,
    granted: bool,
    waited_ms: Option<u128>,
}

#[derive(Debug, Serialize)]
struct ReadinessPart<'a> {
    ready: bool,
    /// `ready`, `not_ready`
    verdict: &'static str,
    /// What a script should do, since the exit code is 0 either way unless it says so.
    exit_code: &'static str,
    wanted: Vec<Wanted<'a>>,
    in_the_way: Vec<Other<'a>>,
    /// Transactions younger than a second: traffic, which is not in the way.
    passing: usize,
}

#[derive(Debug, Serialize)]
struct Wanted<'a> {
    relation: String,
    mode: &'static str,
    referenced_by: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Other<'a> {
    pid: i32,
    prepared: Option<&'a str>,
    locks: Vec<Lock<'a>>,
    xact_age_ms: Option<u128>,
    /// For a lock, itself.
    waits: bool,
    session: Option<Session<'a>>,
    remedy: RemedyPart,
}

pub(crate) fn document<'a>(
    snapshot: &'a Snapshot,
    readiness: Option<&'a Readiness>,
    connection: Connection<'a>,
) -> Document<'a> {
    let mut findings = snapshot.findings.clone();
    findings.extend(readiness.iter().flat_map(|readiness| readiness.findings()));
    let relation = snapshot.view.relation.as_ref();
    Document {
        schema_version: 1,
        command: "locks",
        sessions: snapshot.sessions.iter().map(session).collect(),
        blocking: snapshot
            .waiters
            .iter()
            .map(|waiter| blocking(snapshot, waiter))
            .collect(),
        findings,
        connection: ConnectionPart {
            connection,
            database: &snapshot.us.asker.database,
            role: &snapshot.us.asker.role,
            server_version: &snapshot.us.version,
        },
        roots: snapshot.roots.iter().map(root).collect(),
        holders: snapshot
            .holders
            .some
            .iter()
            .map(|one| holder(snapshot, one))
            .collect(),
        holders_limited: holders_limited(snapshot),
        runs: snapshot.runs.iter().map(|one| run(snapshot, one)).collect(),
        prepared_transactions: snapshot
            .prepared
            .iter()
            .map(|one| prepared(snapshot, one))
            .collect(),
        sessions_elsewhere: snapshot.elsewhere,
        blocking_limited: limited(snapshot),
        relation: relation.map(ToString::to_string),
        locks: relation.map(|_| snapshot.on_relation.iter().map(held).collect()),
        readiness: readiness.map(readiness_part),
    }
}

fn limited(snapshot: &Snapshot) -> Option<Limited> {
    let text = super::words::limited(snapshot.extent)?;
    let (waiting, asked) = match snapshot.extent {
        Extent::Longest { waiting } => (Some(waiting), LONGEST),
        Extent::Whole | Extent::Unknown => (None, 0),
    };
    Some(Limited {
        waiting,
        asked,
        text,
    })
}

fn holders_limited(snapshot: &Snapshot) -> Option<HoldersLimited> {
    let (all, shown) = (snapshot.holders.all, snapshot.holders.some.len());
    (all != Some(shown as u64)).then_some(HoldersLimited {
        transactions: all,
        shown,
    })
}

fn holder<'a>(snapshot: &'a Snapshot, one: &'a Holding) -> Holder<'a> {
    let session = snapshot.session(one.pid);
    let age = session.and_then(|session| session.detail.seen()?.xact_age);
    let prepared = |gid: &String| snapshot.prepared.iter().find(|other| other.gid == *gid);
    let prepared_age = one.prepared.as_ref().and_then(prepared).map(|one| one.age);
    let is_it = |root: &&Root| match &one.prepared {
        Some(gid) => root
            .prepared
            .as_ref()
            .is_some_and(|other| other.gid == *gid),
        None => root.pids.contains(&one.pid),
    };
    Holder {
        pid: one.pid,
        prepared: one.prepared.as_deref(),
        locks: one
            .locks
            .iter()
            .map(|(relation, mode)| StrongLock {
                relation: relation.to_string(),
                mode: mode.pg_locks(),
            })
            .collect(),
        relations: one.relations,
        xact_age_ms: ms(age.or(prepared_age)),
        waiting: snapshot
            .roots
            .iter()
            .find(is_it)
            .map_or(0, |root| root.waiting.len()),
    }
}

fn run<'a>(snapshot: &'a Snapshot, run: &'a Run) -> RunPart<'a> {
    RunPart {
        run: run.id.as_deref(),
        plan: run.plan.as_deref(),
        host: run.host.as_deref(),
        lock_pid: run.lock,
        migrate_pids: &run.migrate,
        at_gate: run.gate.is_some(),
        waits_for: run.gate.as_deref().unwrap_or_default(),
        does: super::words::run_does(snapshot, run),
    }
}

fn ms(age: Option<Duration>) -> Option<u128> {
    age.map(|age| age.as_millis())
}

fn session(info: &SessionInfo) -> Session<'_> {
    let detail = info.detail.seen();
    Session {
        pid: info.pid,
        user: info.user.as_deref(),
        database: info.database.as_deref(),
        application: info.application.as_deref(),
        client: detail.and_then(|d| d.client.as_deref()),
        state: detail.and_then(|d| d.state.as_deref()),
        xact_age_ms: ms(detail.and_then(|d| d.xact_age)),
        query: detail.map(|d| d.query.as_str()),
        visible: detail.is_some(),
        kind: kind(info.kind()),
        superuser: info.superuser,
        state_age_ms: ms(detail.and_then(|d| d.state_age)),
        query_age_ms: ms(detail.and_then(|d| d.query_age)),
        wait_event_type: detail.and_then(|d| d.wait_event_type.as_deref()),
        wait_event: detail.and_then(|d| d.wait_event.as_deref()),
        to_prevent_wraparound: match info.kind() {
            SessionKind::Autovacuum {
                to_prevent_wraparound,
            } => to_prevent_wraparound,
            _ => None,
        },
    }
}

fn kind(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Client => "client",
        SessionKind::Walsender => "walsender",
        SessionKind::Autovacuum { .. } => "autovacuum",
        SessionKind::ParallelWorker { .. } => "parallel_worker",
        SessionKind::Background => "background",
        SessionKind::Unknown => "unknown",
    }
}

/// A prepared transaction has no pid of its own, so several of them are one 0.
fn pids(pids: &[i32]) -> Vec<i32> {
    let mut shown: Vec<i32> = pids.iter().map(|pid| (*pid).max(0)).collect();
    shown.sort_unstable();
    shown.dedup();
    shown
}

fn blocking<'a>(snapshot: &'a Snapshot, waiter: &'a Waiter) -> Blocking<'a> {
    let info = snapshot.session(waiter.pid);
    let wait = waiter.wait.as_ref();
    Blocking {
        pid: waiter.pid,
        waits_for: pids(&waiter.waits_for),
        root_pids: pids(&waiter.root_pids),
        relation: wait.and_then(|wait| wait.table()),
        mode: wait.map(|wait| wait.mode.as_str()),
        waited_ms: ms(waiter.waited()),
        query: info.and_then(|info| Some(info.detail.seen()?.query.as_str())),
        lock_type: wait.map(|wait| wait.lock_type.as_str()),
        waits_for_what: wait.map(super::words::what),
        application: info.and_then(|info| info.application.as_deref()),
        user: info.and_then(|info| info.user.as_deref()),
        database: info.and_then(|info| info.database.as_deref()),
    }
}

fn root(root: &Root) -> RootPart<'_> {
    RootPart {
        pids: pids(&root.pids),
        deadlock: root.deadlock,
        prepared: root.prepared.as_ref().map(|prepared| prepared.gid.as_str()),
        waiting_pids: &root.waiting,
        longest_wait_ms: ms(root.longest),
        holds: root
            .holds
            .iter()
            .map(|hold| HoldPart {
                what: &hold.what,
                relation: hold.relation.as_deref(),
                mode: hold.mode,
            })
            .collect(),
        remedy: remedy(&root.remedy),
    }
}

fn remedy(remedy: &Remedy) -> RemedyPart {
    RemedyPart {
        text: remedy.to_string(),
        sql: remedy
            .sql()
            .into_iter()
            .map(|sql| format!("{sql};"))
            .collect(),
    }
}

fn prepared<'a>(
    snapshot: &'a Snapshot,
    one: &'a pgdriver::server::PreparedTransaction,
) -> Prepared<'a> {
    Prepared {
        gid: &one.gid,
        owner: &one.owner,
        age_ms: one.age.as_millis(),
        relations: &one.relations,
        remedy: remedy(&snapshot.us.remedy_for_prepared(one)),
    }
}

fn held(held: &pgdriver::activity::locks::Held) -> Lock<'_> {
    Lock {
        pid: held.pid,
        prepared: held.prepared.as_deref(),
        relation: held.relation.to_string(),
        mode: held.mode.pg_locks(),
        granted: held.granted,
        waited_ms: ms(held.waited),
    }
}

fn readiness_part(readiness: &Readiness) -> ReadinessPart<'_> {
    ReadinessPart {
        ready: readiness.is_ready(),
        verdict: match readiness.is_ready() {
            true => "ready",
            false => "not_ready",
        },
        exit_code: "0 whether ready or not; with --fail-on ask, 12 where not ready",
        wanted: readiness
            .wanted
            .iter()
            .map(|wanted| Wanted {
                relation: wanted.lock.relation.to_string(),
                mode: wanted.lock.mode.pg_locks(),
                referenced_by: wanted.referenced_by.as_deref(),
            })
            .collect(),
        in_the_way: readiness.in_the_way.iter().map(other).collect(),
        passing: readiness.passing,
    }
}

fn other(other: &InTheWay) -> Other<'_> {
    let gid = other
        .prepared
        .as_ref()
        .map(|prepared| prepared.gid.as_str());
    let lock = |lock: &super::readiness::HeldLock| Lock {
        pid: other.pid,
        prepared: gid,
        relation: lock.relation.clone(),
        mode: lock.mode.pg_locks(),
        granted: lock.granted,
        waited_ms: None,
    };
    Other {
        pid: other.pid,
        prepared: gid,
        locks: other.locks.iter().map(lock).collect(),
        xact_age_ms: ms(other.age),
        waits: other.waits,
        session: other.session.as_ref().map(session),
        remedy: remedy(&other.remedy),
    }
}
