//! What the server says while `migrate` runs: waits, blockers, and whether a backend is gone.
//!
//! An observer for the whole time: read-only, with short timeouts, so that it never stands in a queue. What it cannot see it
//! does not guess, and its own failure never ends a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use pgdriver::activity::{self, SessionInfo, WaitGraph};
use pgdriver::catalog;
use pgdriver::{Permitted, PooledObserver};

use super::progress::Progress;
use crate::database::Reach;
use crate::event::{Blocker, EventKind, LockWaiting, Place};
use crate::exit::Class;
use crate::failure::Failure;
use crate::reporter::Reporter;

/// A wait is told at once, then this often.
const TELL: Duration = Duration::from_secs(1);
/// How long a backend is waited for after its client is gone.
const GONE: Duration = Duration::from_secs(20);

pub(super) struct Monitor {
    session: PooledObserver,
    told: Option<(u64, Instant)>,
    last_blockers: Vec<Blocker>,
}

impl Monitor {
    pub(super) async fn open(reach: &Reach) -> Result<Self, Failure> {
        Ok(Self {
            session: reach.observer().await?,
            told: None,
            last_blockers: Vec::new(),
        })
    }

    /// Who stood in the way when a wait was last seen.
    pub(super) fn last_blockers(&self) -> &[Blocker] {
        &self.last_blockers
    }

    /// Indexes that are INVALID, by their names; none where the server does not answer any more.
    pub(super) async fn invalid_indexes(&self) -> BTreeSet<String> {
        let indexes = catalog::invalid_indexes(&self.session)
            .await
            .unwrap_or_default();
        indexes
            .iter()
            .filter(|index| !index.in_progress)
            .map(|index| index.name.to_string())
            .collect()
    }

    /// Looks at the running statement; tells who blocks it where it waits for a lock.
    pub(super) async fn look(&mut self, progress: &Progress, reporter: &Reporter) {
        let (Some(pid), Some(statement)) = (progress.backend(), &progress.statement) else {
            return;
        };
        let waits = match activity::wait_of(&self.session, pid).await {
            Ok(Some(Permitted::Seen(wait))) => wait.is_for_lock(),
            // another role's session, or gone: who waits behind whom is visible to all
            Ok(Some(Permitted::NotPermitted)) => true,
            Ok(None) | Err(_) => false,
        };
        let due = self
            .told
            .is_none_or(|(number, at)| number != statement.number || at.elapsed() >= TELL);
        if !waits || !due {
            return;
        }
        let Ok(graph) = activity::blockers_of(&self.session, pid).await else {
            return;
        };
        let blockers = blockers(&graph, pid);
        if blockers.is_empty() {
            return;
        }
        self.told = Some((statement.number, Instant::now()));
        self.last_blockers.clone_from(&blockers);
        let wait = graph.wait(pid);
        let waited = wait
            .and_then(|w| w.waited)
            .unwrap_or_else(|| statement.since.elapsed());
        reporter.emit(EventKind::LockWaiting(LockWaiting {
            relation: wait.and_then(|w| w.relation.clone()),
            mode: wait.map(|w| w.mode.clone()),
            waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            blockers,
            place: Place::InQueue,
        }));
    }

    /// Cancels what the run's own sessions run. It reaches a statement that Python itself would not let go of.
    pub(super) async fn cancel(&mut self, pids: Vec<i32>) {
        for pid in pids {
            let _ = activity::cancel_backend(&self.session, pid).await;
        }
    }

    /// A client that is gone leaves its backend, and its locks, behind for a while: only then is the truth readable.
    pub(super) async fn wait_until_gone(&mut self, pids: Vec<i32>) {
        let deadline = Instant::now() + GONE;
        for pid in pids {
            while Instant::now() < deadline
                && matches!(activity::backend_exists(&self.session, pid).await, Ok(true))
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// The roots of the wait, each in one line.
fn blockers(graph: &WaitGraph, pid: i32) -> Vec<Blocker> {
    let describe = |root: i32| Blocker {
        pid: root,
        what: match (root, graph.session(root)) {
            (0, _) => match graph.prepared.as_slice() {
                [one] => format!("prepared transaction {}", one.gid),
                _ => "a prepared transaction".to_owned(),
            },
            (_, Some(session)) => one_line(session),
            (_, None) => format!("backend {root}"),
        },
    };
    graph.roots(pid).into_iter().map(describe).collect()
}

fn one_line(session: &SessionInfo) -> String {
    let user = session.user.as_deref().unwrap_or("the server");
    let application = session.application.as_deref().filter(|a| !a.is_empty());
    let application = application.map(|a| format!(" ({a})")).unwrap_or_default();
    let doing = match session.detail.seen() {
        None => ", not permitted to see what it does (pg_monitor would help)".to_owned(),
        Some(detail) => {
            let state = detail
                .state
                .clone()
                .or_else(|| detail.backend_type.clone())
                .unwrap_or_default();
            let age = detail
                .xact_age
                .map(|a| format!(" for {}", crate::ui::seconds(a.as_secs_f64())));
            format!(", {state}{}", age.unwrap_or_default())
        }
    };
    format!("{user}{application}, backend {}{doing}", session.pid)
}

/// Whether the settings that we asked for are those that the server reads back. Pure.
pub(super) fn not_in_force(
    asked: &[(String, String)],
    found: &BTreeMap<String, String>,
) -> Option<Failure> {
    let timeouts = asked.iter().filter(|(name, _)| name.ends_with("_timeout"));
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
