//! What the server says while `migrate` runs: waits, who is in the way, who stands behind, and whether a backend is gone.
//!
//! An observer for the whole time: read-only, with short timeouts, so that it never stands in a queue, and opened again
//! where it is lost (`view`). What it cannot see it does not guess, and its own failure never ends a run; `silence` tells
//! when nobody answers any more. Absent here: what follows from what is seen.

mod describe;
mod silence;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use pgdriver::activity::locks::{self, Held, LockMode, Queue, Wanted};
use pgdriver::activity::{self, WaitGraph, progress, signal};
use pgdriver::catalog::{self, RelationName};
use pgdriver::{Permitted, QueryError, Session};
use tokio::sync::watch;
use tokio::time::timeout;

use super::guard::Root;
use super::progress::Owner;
use super::resume::{self, Before, BrokenRun};
use super::settle::Left;
use crate::database::Reach;
use crate::event::{Blocker, EventKind, LockWaiting, Place};
use crate::exit::Class;
use crate::failure::Failure;
use crate::lock;
use crate::names::MigrationId;
use crate::sql::Lock;
pub(super) use silence::{SILENCE, silence};
pub(super) use view::Unseen;
use view::View;

/// How long a backend is waited for after its client is gone.
const GONE: Duration = Duration::from_secs(20);
/// Then it is ended, where that takes nothing back that may be committed.
const ENDED: Duration = Duration::from_secs(5);
/// How long that is tried where nothing is seen.
const UNSEEN: Duration = Duration::from_secs(5);
/// Cancelling is a request: it is on its way by then, whether or not the server says so.
const ASKED: Duration = Duration::from_secs(2);
/// What a migration holds is read between its statements only where that costs no more.
const CHEAP: Duration = Duration::from_millis(5);
/// Waiters that are looked at beyond the number that is allowed.
const BEYOND: u32 = 100;

/// What is sent to a blocker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Cancel,
    Terminate,
}

/// Whether a backend that stays may be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    MayBeEnded,
    /// Its COMMIT was sent, and may wait for a standby.
    Commits,
}

pub(super) struct Monitor {
    view: View,
    last_blockers: Vec<Blocker>,
    /// Indexes that were INVALID before.
    invalid: BTreeSet<String>,
    reads_locks: Cost,
    /// Its name says that the run stands at the gate.
    at_gate: bool,
}

/// What reading `pg_locks` cost, and when.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    last: Option<(Duration, Instant)>,
}

impl Cost {
    /// Cheap, or long enough ago.
    fn allows(self) -> bool {
        self.last
            .is_none_or(|(cost, at)| cost < CHEAP || at.elapsed() > cost * 50)
    }
}

impl Monitor {
    pub(super) async fn open(reach: &Reach) -> Result<Self, Failure> {
        let mut monitor = Self {
            view: View::open(reach).await?,
            last_blockers: Vec::new(),
            invalid: BTreeSet::new(),
            reads_locks: Cost::default(),
            at_gate: false,
        };
        monitor.invalid = monitor.invalid_indexes().await.unwrap_or_default();
        Ok(monitor)
    }

    /// Since when nobody answers, as it changes.
    pub(super) fn silent(&self) -> watch::Receiver<Option<Instant>> {
        self.view.silent()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.view.is_silent()
    }

    /// Who stood in the way when a wait was last seen.
    pub(super) fn last_blockers(&self) -> &[Blocker] {
        &self.last_blockers
    }

    /// Indexes that are INVALID and were not when this began; none where the server does not answer any more.
    pub(super) async fn new_invalid_indexes(&mut self) -> Option<BTreeSet<String>> {
        let now = self.invalid_indexes().await?;
        Some(now.difference(&self.invalid).cloned().collect())
    }

    async fn invalid_indexes(&mut self) -> Option<BTreeSet<String>> {
        let indexes = self.view.ask(catalog::invalid_indexes).await.ok()?;
        let left = indexes.iter().filter(|index| !index.in_progress);
        Some(left.map(|index| index.name.to_string()).collect())
    }

    /// What earlier runs have to do with a statement outside a transaction; none where they have nothing, or where the
    /// catalog cannot be asked.
    pub(super) async fn before(
        &mut self,
        earlier: &[BrokenRun],
        id: &MigrationId,
        sha256: Option<&str>,
        sql: &str,
    ) -> Option<Before> {
        if earlier.is_empty() {
            return None;
        }
        let claims = resume::claims(sql)?;
        let look = async |session: &Session| {
            let looked = resume::look(session, &claims).await;
            looked.map_err(|failure| failure.message)
        };
        let found = self.view.ask(look).await.ok()?;
        resume::before(earlier, id, sha256, sql, &found)
    }

    /// Whose locks conflict with these. An error is the reason why that cannot be seen.
    pub(super) async fn in_the_way(
        &mut self,
        locks: &[Lock],
        ours: &[i32],
    ) -> Result<Vec<Held>, Unseen> {
        let wanted: Vec<Wanted> = locks.iter().map(wanted).collect();
        let look = async |session: &Session| locks::in_the_way(session, &wanted, ours).await;
        self.view.ask(look).await
    }

    /// Says in the observer's application_name that the run stands at the gate, and for whom: the database shows it
    /// nowhere else, and `locks` reads it there.
    pub(super) async fn stand_at_gate(&mut self, run: &str, held: &[Held]) {
        let mut pids: Vec<i32> = held.iter().map(|held| held.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        self.at_gate = true;
        self.call_itself(&lock::gate_name(run, &pids)).await;
    }

    /// It went through.
    pub(super) async fn leave_gate(&mut self) {
        if std::mem::take(&mut self.at_gate) {
            self.call_itself(lock::PROGRAM).await;
        }
    }

    /// A name that could not be given is nobody's loss but the onlooker's.
    async fn call_itself(&mut self, name: &str) {
        let _ = self
            .view
            .ask(async |session: &Session| session.call_itself(name).await)
            .await;
    }

    /// Those in the way, each session once; they are remembered for a failure.
    pub(super) fn in_one_line_each(&mut self, held: &[Held]) -> Vec<Blocker> {
        let mut blockers: Vec<Blocker> = Vec::new();
        let mut held: Vec<&Held> = held.iter().collect();
        held.sort_by_key(|held| std::cmp::Reverse(describe::age(held)));
        for held in held {
            let blocker = describe::holder(held);
            if !blockers.iter().any(|b| b.what == blocker.what) {
                blockers.push(blocker);
            }
        }
        self.last_blockers.clone_from(&blockers);
        blockers
    }

    /// Whom those in the way wait for in their turn; who waits for nobody is a root itself.
    pub(super) async fn roots(&mut self, held: &[Held], ours: &[i32]) -> Vec<Root> {
        let mut roots: BTreeMap<i32, Root> = BTreeMap::new();
        for held in held.iter().filter(|held| held.granted) {
            let waits = held.session.as_ref().is_some_and(describe::waits_for_lock);
            if !waits {
                let root =
                    describe::root(held.pid, held.session.as_ref(), describe::holder(held).what);
                roots.insert(root.pid, root);
                continue;
            }
            let Some(graph) = self.graph(held.pid).await else {
                continue;
            };
            for pid in graph.roots(held.pid) {
                let what = describe::in_graph(&graph, pid).what;
                roots.insert(pid, describe::root(pid, graph.session(pid), what));
            }
        }
        roots.retain(|pid, _| !ours.contains(pid));
        let pids: Vec<i32> = roots.keys().copied().collect();
        let look = async |session: &Session| signal::transactions_of(session, &pids).await;
        let transactions = self.view.ask(look).await;
        let transactions = transactions.unwrap_or_default();
        let known = |root| describe::in_transaction(root, &transactions);
        roots.into_values().map(known).collect()
    }

    async fn graph(&mut self, pid: i32) -> Option<WaitGraph> {
        let look = async |session: &Session| activity::blockers_of(session, pid).await;
        self.view.ask(look).await.ok()
    }

    /// Signals a root, as long as it is in the transaction that it was seen in; what came of it.
    pub(super) async fn signal(&mut self, root: &Root, signal: Signal) -> String {
        let Some(transaction) = &root.transaction else {
            return "left alone: it is in no transaction any more".to_owned();
        };
        let send = async |session: &Session| {
            let told = match signal {
                Signal::Cancel => signal::cancel_in(session, root.pid, transaction).await,
                Signal::Terminate => signal::terminate_in(session, root.pid, transaction).await,
            };
            told_or_lost(told)
        };
        let told = self.view.ask(send).await;
        told.unwrap_or_else(|why| why.to_string())
    }

    /// Whether a backend stands in a lock's queue, as cheaply as the server can say it, to every role; none where that
    /// cannot be seen.
    pub(super) async fn waits_for_lock(&mut self, pid: i32) -> Option<bool> {
        let look = async |session: &Session| activity::is_blocked(session, pid).await;
        self.view.ask(look).await.ok()
    }

    /// What a backend waits for, and behind whom; none where it does not wait any more.
    pub(super) async fn wait(&mut self, pid: i32, since: Duration) -> Option<LockWaiting> {
        let graph = self.graph(pid).await?;
        let roots = graph.roots(pid).into_iter();
        let blockers: Vec<Blocker> = roots.map(|root| describe::in_graph(&graph, root)).collect();
        if blockers.is_empty() {
            return None;
        }
        self.last_blockers.clone_from(&blockers);
        let wait = graph.wait(pid);
        let waited = wait.and_then(|w| w.waited).unwrap_or(since);
        Some(LockWaiting {
            relation: wait.and_then(|w| w.relation.clone()),
            mode: wait.map(|w| w.mode.clone()),
            waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            blockers,
            place: Place::InQueue,
        })
    }

    /// Who stands behind a backend. An error is the reason why that cannot be seen.
    pub(super) async fn queue_behind(&mut self, pid: i32, allowed: u32) -> Result<Queue, Unseen> {
        let limit = allowed.saturating_add(BEYOND);
        let look = async |session: &Session| locks::queue_behind(session, pid, limit).await;
        self.view.ask(look).await
    }

    /// The relation locks of a backend; none where that would cost more than it is worth just now.
    pub(super) async fn held_by(&mut self, pid: i32) -> Option<Vec<(RelationName, LockMode)>> {
        if !self.reads_locks.allows() {
            return None;
        }
        let began = Instant::now();
        let look = async |session: &Session| locks::held_by(session, pid).await;
        let held = self.view.ask(look).await.ok();
        self.reads_locks.last = Some((began.elapsed(), Instant::now()));
        held
    }

    /// How far a long statement is, where the server has it.
    pub(super) async fn progress(&mut self, pid: i32) -> Option<EventKind> {
        let look = async |session: &Session| progress::progress_of(session, pid).await;
        let progress = self.view.ask(look).await.ok()??;
        Some(EventKind::StatementProgress {
            phase: progress.phase.clone().unwrap_or_default(),
            done: progress.total.map(|_| progress.done),
            total: progress.total,
            command: progress.command,
        })
    }

    /// Cancels what the run's own sessions run. It reaches a statement that Python itself would not let go of. A process
    /// of a pooler may serve another client by now: there the bridge's own cancel has to do.
    pub(super) async fn cancel(&mut self, pids: Vec<i32>, owner: Owner) {
        let all = async {
            for pid in pids.into_iter().filter(|_| owner == Owner::Migrate) {
                let send = async |session: &Session| activity::cancel_backend(session, pid).await;
                let _ = self.view.ask(send).await;
            }
        };
        let _ = timeout(ASKED, all).await;
    }

    /// Ends a session of the run itself; what came of it.
    pub(super) async fn end(&mut self, pid: i32) -> String {
        let send =
            async |session: &Session| told_or_lost(activity::terminate_backend(session, pid).await);
        let told = self.view.ask(send).await;
        told.unwrap_or_else(|why| why.to_string())
    }

    /// A client that is gone leaves its backend, and its locks, behind for a while: only then is the truth readable. One
    /// that stays is ended, unless it is a pooler's. Gives those that are there still, or of which nobody knows.
    pub(super) async fn wait_until_gone(
        &mut self,
        pids: Vec<i32>,
        owner: Owner,
        stays: Stays,
    ) -> Vec<Left> {
        self.view.take_time();
        let began = Instant::now();
        let mut seen = began;
        let mut ended = BTreeMap::new();
        let mut pids = pids;
        loop {
            let mut left = Vec::new();
            for pid in pids {
                match self.still_ours(pid, owner).await {
                    Ok(false) | Err(Unseen::NoServer(_)) => seen = Instant::now(),
                    Ok(true) => {
                        seen = Instant::now();
                        left.push(Left::there(pid, ended.get(&pid)));
                    }
                    Err(why) => left.push(Left::unseen(pid, &why.to_string())),
                }
            }
            if left.is_empty() || began.elapsed() > GONE || seen.elapsed() > UNSEEN {
                return left;
            }
            pids = left.iter().map(|left| left.pid).collect();
            let may_end = owner == Owner::Migrate && stays == Stays::MayBeEnded;
            if may_end && began.elapsed() > ENDED {
                for pid in pids
                    .iter()
                    .filter(|_| ended.is_empty())
                    .copied()
                    .collect::<Vec<_>>()
                {
                    ended.insert(pid, self.end(pid).await);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A pooler's process is free once it is out of the transaction.
    async fn still_ours(&mut self, pid: i32, owner: Owner) -> Result<bool, Unseen> {
        let look = async |session: &Session| match owner {
            Owner::Migrate => activity::backend_exists(session, pid).await,
            Owner::Pool => Ok(match activity::wait_of(session, pid).await? {
                Some(Permitted::Seen(wait)) => wait.state.as_deref() != Some("idle"),
                Some(Permitted::NotPermitted) | None => false,
            }),
        };
        self.view.ask(look).await
    }
}

/// What came of a signal; an error only where it may have come of the connection.
fn told_or_lost(told: Result<bool, QueryError>) -> Result<String, QueryError> {
    match told {
        Err(lost) if lost.is_connection_lost() => Err(lost),
        told => Ok(describe::outcome(told)),
    }
}

/// The forecast takes a name without a schema for one of `public`; the server finds it by its search path.
fn wanted(lock: &Lock) -> Wanted {
    let schema = Some(lock.relation.schema()).filter(|schema| *schema != "public");
    Wanted {
        relation: RelationName {
            schema: schema.map(str::to_owned),
            name: lock.relation.name().to_owned(),
        },
        mode: super::guard::server_mode(lock.mode),
    }
}

/// Whether the settings that we asked for are those that the server reads back. Pure.
pub(super) fn not_in_force(
    asked: &[(String, String)],
    found: &BTreeMap<String, String>,
) -> Option<Failure> {
    // those of TCP are not for every connection
    let is_ours = |name: &str| name.ends_with("_timeout") && !name.starts_with("tcp_");
    let timeouts = asked.iter().filter(|(name, _)| is_ours(name));
    for (name, value) in timeouts {
        let Some(found) = found.get(name) else {
            continue;
        };
        if milliseconds(found) != value.parse().ok() {
            return Some(
                Failure::new(Class::Pooler, format!("{name} is not in force: asked for {value} ms, the server says {found}"))
                    .hint("a pooler in between or the project itself resets it: connect to the server directly"),
            );
        }
    }
    None
}

/// `SHOW lock_timeout` gives `2s`, `500ms`, `1min`, `0`.
fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.trim().parse().ok()?;
    let factor = match text[digits.len()..].trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_server_prints_them() {
        for (text, expected) in [
            ("2s", 2000),
            ("500ms", 500),
            ("0", 0),
            ("1min", 60_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(milliseconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_timeout_that_did_not_take_is_found() {
        let asked = [("lock_timeout".to_owned(), "2000".to_owned())];
        let found = |value: &str| BTreeMap::from([("lock_timeout".to_owned(), value.to_owned())]);
        assert!(not_in_force(&asked, &found("2s")).is_none());
        assert!(not_in_force(&asked, &found("0")).is_some());
    }
}
