//! Sessions in one line each, and what may be done to them.
//!
//! Pure. Absent here: queries; literals of other sessions' queries are never in these lines.

use std::collections::BTreeMap;
use std::time::Duration;

use pgdriver::QueryError;
use pgdriver::activity::locks::Held;
use pgdriver::activity::{SessionInfo, SessionKind, WaitGraph};

use crate::event::Blocker;
use crate::execute::guard::{Root, Standing};
use crate::ui;

/// Somebody in the way.
pub(super) fn holder(held: &Held) -> Blocker {
    let what = match (&held.prepared, &held.session) {
        (Some(gid), _) => format!("prepared transaction {gid}"),
        (None, Some(session)) => one_line(session),
        (None, None) if held.pid == 0 => "a prepared transaction".to_owned(),
        (None, None) => format!("backend {}", held.pid),
    };
    let waits = if held.granted {
        ""
    } else {
        ", itself in the queue"
    };
    Blocker {
        pid: held.pid,
        what: format!("{what}{waits}"),
    }
}

/// Since its transaction began, as far as that is known; a prepared transaction is older than all.
pub(super) fn age(held: &Held) -> Duration {
    if held.pid == 0 {
        return Duration::MAX;
    }
    let detail = held.session.as_ref().and_then(|s| s.detail.seen());
    detail.and_then(|d| d.xact_age).unwrap_or_default()
}

/// A member of a wait graph.
pub(super) fn in_graph(graph: &WaitGraph, pid: i32) -> Blocker {
    let what = match (pid, graph.session(pid)) {
        (0, _) => match graph.prepared.as_slice() {
            [one] => format!("prepared transaction {}", one.gid),
            _ => "a prepared transaction".to_owned(),
        },
        (_, Some(session)) => one_line(session),
        (_, None) => format!("backend {pid}"),
    };
    Blocker { pid, what }
}

/// A root, with what may be done to it.
pub(super) fn root(pid: i32, session: Option<&SessionInfo>, what: String) -> Root {
    Root {
        pid,
        transaction: None,
        what,
        standing: standing(pid, session),
    }
}

/// A root with the transaction that it is in now. Outside of one it holds nothing that a cancel would give back.
pub(super) fn in_transaction(root: Root, transactions: &BTreeMap<i32, String>) -> Root {
    let transaction = transactions.get(&root.pid).cloned();
    let standing = match (&transaction, root.standing) {
        (None, Standing::Running | Standing::Idle) => Standing::Untouchable(
            "it is outside a transaction, so what it holds belongs to its session (an advisory lock)",
        ),
        (_, standing) => standing,
    };
    Root {
        transaction,
        standing,
        ..root
    }
}

pub(super) fn waits_for_lock(session: &SessionInfo) -> bool {
    session
        .detail
        .seen()
        .is_some_and(|d| d.wait_event_type.as_deref() == Some("Lock"))
}

/// What came of a signal.
pub(super) fn outcome(told: Result<bool, QueryError>) -> String {
    match told {
        Ok(true) => "it was told".to_owned(),
        Ok(false) => "it is gone, or in another transaction by now: left alone".to_owned(),
        Err(e) if e.is_permission_denied() => {
            "not permitted; GRANT pg_signal_backend would allow it".to_owned()
        }
        Err(e) => e.message().to_owned(),
    }
}

fn standing(pid: i32, session: Option<&SessionInfo>) -> Standing {
    let Some(session) = session else {
        return Standing::Untouchable(if pid == 0 {
            "a prepared transaction ends only by COMMIT PREPARED or ROLLBACK PREPARED"
        } else {
            "what it is cannot be seen"
        });
    };
    match session.kind() {
        SessionKind::Walsender => return Standing::Untouchable("it streams WAL"),
        SessionKind::Autovacuum {
            to_prevent_wraparound: Some(false),
        } => {
            return Standing::Untouchable("an autovacuum leaves by itself");
        }
        SessionKind::Autovacuum { .. } => {
            return Standing::Untouchable("it is a vacuum that may prevent wraparound");
        }
        SessionKind::Background => return Standing::Untouchable("it is the server's own process"),
        SessionKind::Client | SessionKind::ParallelWorker { .. } | SessionKind::Unknown => {}
    }
    if session.superuser {
        return Standing::Untouchable("it is a superuser's session");
    }
    match session.detail.seen() {
        None => {
            Standing::Untouchable("not permitted to see what it is (GRANT pg_monitor would help)")
        }
        Some(detail) if detail.state.as_deref() == Some("active") => Standing::Running,
        Some(_) => Standing::Idle,
    }
}

fn one_line(session: &SessionInfo) -> String {
    let user = session.user.as_deref().unwrap_or("the server");
    let application = session.application.as_deref().filter(|a| !a.is_empty());
    let application = application.map(|a| format!(" ({a})")).unwrap_or_default();
    let doing = match (session.kind(), session.detail.seen()) {
        (
            SessionKind::Autovacuum {
                to_prevent_wraparound: Some(true),
            },
            _,
        ) => ", a vacuum to prevent wraparound".to_owned(),
        (SessionKind::Autovacuum { .. }, _) => ", an autovacuum".to_owned(),
        (_, None) => ", not permitted to see what it does (pg_monitor would help)".to_owned(),
        (_, Some(detail)) => {
            let state = detail
                .state
                .clone()
                .or_else(|| detail.backend_type.clone())
                .unwrap_or_default();
            let age = detail
                .xact_age
                .map(|a| format!(" for {}", ui::seconds(a.as_secs_f64())));
            format!(", {state}{}", age.unwrap_or_default())
        }
    };
    format!("{user}{application}, backend {}{doing}", session.pid)
}
