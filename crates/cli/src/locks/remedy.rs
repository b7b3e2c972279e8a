//! What ends a blocker, and what does not: the SQL to paste and the words beside it. Pure.
//!
//! Measured: an idle session answers pg_cancel_backend() with true and goes on; an ordinary autovacuum leaves by itself
//! for whoever waits longer than deadlock_timeout, one against wraparound never does; a client that does not read what
//! it is sent cannot be cancelled, only terminated. Absent here: doing it.

use std::time::Duration;

use pgdriver::Permitted;
use pgdriver::activity::{SessionDetail, SessionInfo, SessionKind};
use pgdriver::server::PreparedTransaction;
use serde::Serialize;

/// What would end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remedy {
    /// Complete statements, the gentlest first; none where waiting is the remedy.
    pub(crate) sql: Vec<String>,
    /// What it does, what does not help, and who may.
    pub(crate) text: String,
    /// The strongest that is needed; none where no signal helps or should be sent.
    #[serde(skip)]
    pub(crate) signal: Option<Signal>,
}

/// `pg_cancel_backend`, `pg_terminate_backend`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Cancel,
    Terminate,
}

impl Remedy {
    fn wait(text: impl Into<String>) -> Self {
        Self {
            sql: Vec::new(),
            text: text.into(),
            signal: None,
        }
    }

    fn terminate(pid: i32, text: impl Into<String>) -> Self {
        Self {
            sql: vec![terminate(pid)],
            text: text.into(),
            signal: Some(Signal::Terminate),
        }
    }

    fn cancel(pid: i32, text: impl Into<String>) -> Self {
        Self {
            sql: vec![cancel(pid), terminate(pid)],
            text: text.into(),
            signal: Some(Signal::Cancel),
        }
    }
}

fn cancel(pid: i32) -> String {
    format!("SELECT pg_cancel_backend({pid});")
}

fn terminate(pid: i32) -> String {
    format!("SELECT pg_terminate_backend({pid});")
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) role: &'a str,
    pub(crate) deadlock_timeout: Option<Duration>,
}

/// What ends a session's hold.
pub(crate) fn of_session(session: &SessionInfo, asker: Asker<'_>) -> Remedy {
    let pid = session.pid;
    let remedy = match session.kind() {
        SessionKind::Walsender => {
            return Remedy::wait(
                "a walsender (a standby, a subscriber, a base backup): never end it for a migration, find out what it serves",
            );
        }
        SessionKind::Autovacuum {
            to_prevent_wraparound,
        } => return autovacuum(pid, to_prevent_wraparound, asker),
        SessionKind::Background => {
            return Remedy::wait("one of the server's own processes: wait for it");
        }
        SessionKind::ParallelWorker { leader } => Remedy::cancel(
            leader,
            format!("a worker of the parallel query of {leader}: cancels that query"),
        ),
        SessionKind::Client | SessionKind::Unknown => match &session.detail {
            Permitted::Seen(detail) => of_client(pid, session.application.as_deref(), detail),
            Permitted::NotPermitted => Remedy::cancel(
                pid,
                "not permitted to see whether it runs a query or idles: cancel ends a query, an idle session only terminate",
            ),
        },
    };
    permitted(remedy, session, asker)
}

fn of_client(pid: i32, application: Option<&str>, detail: &SessionDetail) -> Remedy {
    let backup = application.is_some_and(|name| name == "pg_dump" || name == "pg_basebackup");
    match detail.state.as_deref() {
        Some("idle in transaction") => Remedy::terminate(
            pid,
            "its client has left the transaction open: COMMIT or ROLLBACK there ends it; pg_cancel_backend does nothing to it",
        ),
        Some("idle in transaction (aborted)") => Remedy::terminate(
            pid,
            "its transaction has failed and waits for ROLLBACK; pg_cancel_backend does nothing to it",
        ),
        // what an idle session still holds are advisory locks
        Some("idle") => Remedy::terminate(
            pid,
            "idle, it holds only session-level advisory locks: pg_advisory_unlock_all() there, or its end, lets them go",
        ),
        _ if backup => Remedy::cancel(
            pid,
            "a backup: ended, it has to be taken again; better wait for it",
        ),
        _ if detail.wait_event.as_deref() == Some("ClientWrite") => Remedy::terminate(
            pid,
            "its client does not read what it is sent: pg_cancel_backend does not reach it",
        ),
        _ => Remedy::cancel(
            pid,
            "cancels its query and rolls its transaction back; terminate where that does not end it",
        ),
    }
}

fn autovacuum(pid: i32, to_prevent_wraparound: Option<bool>, asker: Asker<'_>) -> Remedy {
    let after = asker.deadlock_timeout.map_or_else(
        || "deadlock_timeout".to_owned(),
        |t| format!("deadlock_timeout ({})", crate::ui::seconds(t.as_secs_f64())),
    );
    match to_prevent_wraparound {
        Some(true) => Remedy::wait(format!(
            "autovacuum to prevent wraparound: it does not step aside, and cancelled ({}) it starts anew; let it finish",
            cancel(pid).trim_end_matches(';')
        )),
        Some(false) => Remedy::wait(format!(
            "an ordinary autovacuum: it steps aside for whoever waits longer than {after}, so set lock_timeout higher"
        )),
        None => Remedy::wait(format!(
            "an autovacuum: an ordinary one steps aside for whoever waits longer than {after}; one to prevent wraparound does not, and {} is not permitted to see which it is",
            asker.role
        )),
    }
}

/// Who has to say it, where the asking role may not.
fn permitted(mut remedy: Remedy, session: &SessionInfo, asker: Asker<'_>) -> Remedy {
    if session.may_signal {
        return remedy;
    }
    remedy.text.push_str(&match session.superuser {
        true => "; only a superuser may end a superuser's session".to_owned(),
        false => format!(
            "; {} may not: GRANT pg_signal_backend TO {}, or say it as {}",
            asker.role,
            quoted(asker.role),
            session.user.as_deref().unwrap_or("its role")
        ),
    });
    remedy
}

/// What ends prepared transactions, one of which blocks.
pub(crate) fn of_prepared(prepared: &[PreparedTransaction]) -> Remedy {
    let Some(first) = prepared.first() else {
        return Remedy::wait(
            "a prepared transaction, not of this database: SELECT gid, database FROM pg_prepared_xacts names it, ROLLBACK PREPARED there ends it",
        );
    };
    let literal = |gid: &str| format!("'{}'", gid.replace('\'', "''"));
    let sql = prepared
        .iter()
        .map(|p| format!("ROLLBACK PREPARED {};", literal(&p.gid)))
        .collect();
    let who = match prepared {
        [_] => String::new(),
        many => format!("one of {} holds it; ", many.len()),
    };
    let text = format!(
        "{who}COMMIT PREPARED keeps its work, ROLLBACK PREPARED drops it: ask its transaction manager first; by {} or a superuser, in this database",
        first.owner
    );
    Remedy {
        sql,
        text,
        signal: None,
    }
}

/// A cycle ends by itself.
pub(super) fn of_deadlock(pids: &[i32], asker: Asker<'_>) -> Remedy {
    let after = asker.deadlock_timeout.map_or_else(String::new, |t| {
        format!(" ({})", crate::ui::seconds(t.as_secs_f64()))
    });
    let all: Vec<String> = pids.iter().map(ToString::to_string).collect();
    Remedy::wait(format!(
        "{} wait for each other: the server ends one of them after deadlock_timeout{after}",
        all.join(", ")
    ))
}

/// It was there when the locks were read, and no more when the sessions were.
pub(super) fn of_gone() -> Remedy {
    Remedy::wait("its session has ended in the meantime: look again")
}

/// A role as GRANT takes it.
pub(super) fn quoted(role: &str) -> String {
    let plain = role.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && role
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    match plain {
        true => role.to_owned(),
        false => format!("\"{}\"", role.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKER: Asker<'_> = Asker {
        role: "Ops",
        deadlock_timeout: Some(Duration::from_secs(1)),
    };

    fn session(state: &str, may_signal: bool) -> SessionInfo {
        let detail = SessionDetail {
            state: Some(state.to_owned()),
            backend_type: Some("client backend".to_owned()),
            ..SessionDetail::default()
        };
        SessionInfo {
            pid: 7,
            user: Some("web".to_owned()),
            database: Some("shop".to_owned()),
            application: None,
            superuser: false,
            may_signal,
            is_walsender: false,
            detail: Permitted::Seen(detail),
        }
    }

    fn detail(session: &mut SessionInfo) -> &mut SessionDetail {
        match &mut session.detail {
            Permitted::Seen(detail) => detail,
            Permitted::NotPermitted => unreachable!("made as seen"),
        }
    }

    #[track_caller]
    fn check(session: &SessionInfo, sql: &[&str], words: &str) {
        let remedy = of_session(session, ASKER);
        assert_eq!(remedy.sql, sql);
        assert!(remedy.text.contains(words), "{}", remedy.text);
    }

    const BOTH: [&str; 2] = [
        "SELECT pg_cancel_backend(7);",
        "SELECT pg_terminate_backend(7);",
    ];

    #[test]
    fn what_idles_is_terminated_and_what_runs_is_cancelled() {
        check(
            &session("idle in transaction", true),
            &BOTH[1..],
            "pg_cancel_backend does nothing",
        );
        check(
            &session("idle in transaction (aborted)", true),
            &BOTH[1..],
            "waits for ROLLBACK",
        );
        check(
            &session("idle", true),
            &BOTH[1..],
            "pg_advisory_unlock_all()",
        );
        check(&session("active", true), &BOTH, "cancels its query");
        let mut deaf = session("active", true);
        detail(&mut deaf).wait_event = Some("ClientWrite".to_owned());
        check(&deaf, &BOTH[1..], "does not read");
        let mut dump = session("active", true);
        dump.application = Some("pg_dump".to_owned());
        check(&dump, &BOTH, "a backup");
    }

    #[test]
    fn who_may_not_is_told_who_may() {
        check(
            &session("active", false),
            &BOTH,
            "Ops may not: GRANT pg_signal_backend TO \"Ops\", or say it as web",
        );
        let mut superuser = session("active", false);
        superuser.superuser = true;
        check(&superuser, &BOTH, "only a superuser");
        superuser.detail = Permitted::NotPermitted;
        check(&superuser, &BOTH, "not permitted to see");
    }

    #[test]
    fn the_servers_own_are_waited_for() {
        let mut worker = session("active", true);
        detail(&mut worker).backend_type = Some("autovacuum worker".to_owned());
        detail(&mut worker).query = "autovacuum: VACUUM public.item".to_owned();
        check(&worker, &[], "longer than deadlock_timeout (1.0 s)");
        detail(&mut worker)
            .query
            .push_str(" (to prevent wraparound)");
        check(&worker, &[], "does not step aside");
        let mut walsender = session("active", true);
        walsender.is_walsender = true;
        check(&walsender, &[], "never end it");
    }

    #[test]
    fn a_prepared_transaction_is_ended_by_its_name() {
        let prepared = |gid: &str| PreparedTransaction {
            gid: gid.to_owned(),
            owner: "web".to_owned(),
            age: Duration::ZERO,
            relations: Vec::new(),
        };
        let remedy = of_prepared(&[prepared("it's")]);
        assert_eq!(remedy.sql, ["ROLLBACK PREPARED 'it''s';"]);
        assert!(of_prepared(&[]).sql.is_empty());
        assert!(
            of_prepared(&[prepared("a"), prepared("b")])
                .text
                .starts_with("one of 2 holds it")
        );
    }
}
