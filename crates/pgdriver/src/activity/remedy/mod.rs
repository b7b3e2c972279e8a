//! What to do about a session at the root of a wait, from what it is and does. Measured, not guessed: a cancel does
//! nothing to a session that is idle in transaction, and an ordinary autovacuum leaves by itself.
//!
//! Absent: doing it.

mod action;
mod words;

use std::time::Duration;

pub use action::{Action, Because, Hindrance};
use postgres_protocol::escape::{escape_identifier, escape_literal};

use super::kind::SessionKind;
use super::prepared::Prepared;
use super::session_info::{SessionDetail, SessionInfo};
use crate::permitted::Permitted;

/// What helps, and what keeps the asking role from it. `Display` is a sentence, without the SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What helps.
    pub action: Action,
    /// Empty: the asking role may do it.
    pub hindrances: Vec<Hindrance>,
}

/// Who asks, and of what server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asker {
    /// The current role.
    pub role: String,
    /// The current database.
    pub database: String,
    /// `deadlock_timeout`
    pub deadlock_timeout: Option<Duration>,
}

/// What helps against a session that blocks others and waits for nobody.
pub fn remedy(session: &SessionInfo, asker: &Asker) -> Remedy {
    let action = action(session, asker);
    let mut hindrances = Vec::new();
    if action.signals() && !session.may_signal {
        hindrances.push(match session.superuser {
            true => Hindrance::SuperuserOnly,
            false => Hindrance::NotPermittedToSignal {
                grant: grant("pg_signal_backend", asker),
            },
        });
    }
    if action.guesses() && session.detail == Permitted::NotPermitted {
        hindrances.push(Hindrance::NotPermittedToSee {
            grant: grant("pg_monitor", asker),
        });
    }
    Remedy { action, hindrances }
}

/// What helps against a prepared transaction.
pub fn remedy_for_prepared(prepared: &Prepared, asker: &Asker) -> Remedy {
    let elsewhere = (prepared.database != asker.database).then(|| prepared.database.clone());
    let hindrances = match prepared.may_end {
        true => Vec::new(),
        false => vec![Hindrance::OwnerOnly {
            owner: prepared.owner.clone(),
        }],
    };
    Remedy {
        action: Action::EndPrepared {
            gid: prepared.gid.clone(),
            elsewhere,
        },
        hindrances,
    }
}

fn grant(role: &str, asker: &Asker) -> String {
    format!("GRANT {role} TO {}", escape_identifier(&asker.role))
}

fn action(session: &SessionInfo, asker: &Asker) -> Action {
    let pid = session.pid;
    let deadlock_timeout = asker.deadlock_timeout;
    match session.kind() {
        SessionKind::Walsender => Action::LetWalsenderBe { pid },
        SessionKind::Autovacuum {
            to_prevent_wraparound,
        } => match to_prevent_wraparound {
            Some(true) => Action::LetVacuumFinish { pid },
            Some(false) => Action::WaitForAutovacuum {
                pid,
                deadlock_timeout,
            },
            None => Action::WaitForUnseenAutovacuum {
                pid,
                deadlock_timeout,
            },
        },
        SessionKind::Background => Action::LetServerProcessFinish {
            pid,
            backend_type: session
                .detail
                .seen()
                .and_then(|detail| detail.backend_type.clone()),
        },
        SessionKind::ParallelWorker { leader } => Action::CancelQuery { pid: leader },
        SessionKind::Client | SessionKind::Unknown if is_backup(session) => {
            Action::LetBackupFinish { pid }
        }
        SessionKind::Client | SessionKind::Unknown => match &session.detail {
            Permitted::Seen(detail) => client(pid, detail),
            Permitted::NotPermitted => Action::CancelOrTerminate { pid },
        },
    }
}

fn client(pid: i32, detail: &SessionDetail) -> Action {
    let terminate = |because| Action::Terminate { pid, because };
    let state = detail.state.as_deref().unwrap_or_default();
    if state.starts_with("idle in transaction") {
        return terminate(Because::IdleInTransaction);
    }
    match state {
        "idle" => terminate(Because::SessionLock),
        "active" | "fastpath function call" => {
            if detail.wait_event_type.as_deref() == Some("Client") {
                terminate(Because::WaitsForClient)
            } else if builds_concurrently(&detail.query) {
                Action::CancelIndexBuild { pid }
            } else {
                Action::CancelQuery { pid }
            }
        }
        // track_activities is off
        _ => Action::CancelOrTerminate { pid },
    }
}

/// By the name that pg_dump gives itself, which everybody may see; PGAPPNAME changes it. Ours adds a word of its own.
fn is_backup(session: &SessionInfo) -> bool {
    let name = session.application.as_deref().unwrap_or_default();
    matches!(name.split(' ').next(), Some("pg_dump" | "pg_dumpall"))
}

/// By its first words; a table may be called `concurrently`.
fn builds_concurrently(query: &str) -> bool {
    let words: Vec<String> = query
        .split(|c: char| c.is_ascii_whitespace() || "(),".contains(c))
        .filter(|word| !word.is_empty())
        .take(6)
        .map(str::to_ascii_uppercase)
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["CREATE", "INDEX", "CONCURRENTLY", ..]
        | ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..] => true,
        ["REINDEX", rest @ ..] => rest.contains(&"CONCURRENTLY"),
        _ => false,
    }
}

impl Remedy {
    /// Nothing that anybody could do, or should.
    pub(super) fn of(action: Action) -> Self {
        Self {
            action,
            hindrances: Vec::new(),
        }
    }

    /// The statements to paste, the gentlest first. Empty where it is best to wait.
    pub fn sql(&self) -> Vec<String> {
        let cancel = |pid: i32| format!("SELECT pg_cancel_backend({pid})");
        let terminate = |pid: i32| format!("SELECT pg_terminate_backend({pid})");
        match &self.action {
            Action::CancelQuery { pid } | Action::CancelIndexBuild { pid } => vec![cancel(*pid)],
            Action::Terminate {
                pid,
                because: Because::IdleInTransaction | Because::SessionLock,
            } => vec![terminate(*pid)],
            Action::Terminate { pid, .. } | Action::CancelOrTerminate { pid } => {
                vec![cancel(*pid), terminate(*pid)]
            }
            Action::EndPrepared { gid, .. } => {
                vec![format!("ROLLBACK PREPARED {}", escape_literal(gid).trim())]
            }
            Action::FindPrepared => vec![
                "SELECT gid, prepared, owner, database FROM pg_prepared_xacts ORDER BY prepared"
                    .to_owned(),
            ],
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Action, Asker, Because, Hindrance, remedy};
    use crate::Permitted;
    use crate::activity::{SessionDetail, SessionInfo};

    fn session(backend_type: &str, state: &str, query: &str) -> SessionInfo {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        SessionInfo {
            pid: 7,
            user: some("web"),
            database: some("shop"),
            application: some("gunicorn"),
            superuser: false,
            may_signal: true,
            is_walsender: false,
            vacuums_an_old_table: None,
            detail: Permitted::Seen(SessionDetail {
                backend_type: some(backend_type),
                state: some(state),
                query: query.to_owned(),
                ..SessionDetail::default()
            }),
        }
    }

    fn asker() -> Asker {
        Asker {
            role: "deploy".to_owned(),
            database: "shop".to_owned(),
            deadlock_timeout: Some(Duration::from_secs(1)),
        }
    }

    #[test]
    fn what_helps_depends_on_what_it_does() {
        let pid = 7;
        let terminate = |because| Action::Terminate { pid, because };
        let vacuum = "autovacuum: VACUUM public.item";
        let cases = [
            (
                "client backend",
                "active",
                "SELECT 1",
                Action::CancelQuery { pid },
            ),
            (
                "client backend",
                "active",
                "create unique index\n concurrently x on y (z)",
                Action::CancelIndexBuild { pid },
            ),
            (
                "client backend",
                "active",
                "CREATE TABLE concurrently (id int)",
                Action::CancelQuery { pid },
            ),
            (
                "client backend",
                "active",
                "REINDEX (VERBOSE, CONCURRENTLY) INDEX x",
                Action::CancelIndexBuild { pid },
            ),
            (
                "client backend",
                "idle in transaction",
                "",
                terminate(Because::IdleInTransaction),
            ),
            (
                "client backend",
                "idle in transaction (aborted)",
                "",
                terminate(Because::IdleInTransaction),
            ),
            (
                "client backend",
                "idle",
                "",
                terminate(Because::SessionLock),
            ),
            (
                "client backend",
                "disabled",
                "",
                Action::CancelOrTerminate { pid },
            ),
            (
                "autovacuum worker",
                "active",
                vacuum,
                Action::WaitForAutovacuum {
                    pid,
                    deadlock_timeout: Some(Duration::from_secs(1)),
                },
            ),
            ("walsender", "active", "", Action::LetWalsenderBe { pid }),
            (
                "logical replication apply worker",
                "",
                "",
                Action::LetServerProcessFinish {
                    pid,
                    backend_type: Some("logical replication apply worker".to_owned()),
                },
            ),
        ];
        for (backend_type, state, query, expected) in cases {
            let found = remedy(&session(backend_type, state, query), &asker());
            assert_eq!(found.action, expected, "{backend_type} {state} {query}");
            assert_eq!(found.hindrances, []);
        }
    }

    #[test]
    fn what_waits_for_its_client_is_cancelled_first_and_terminated_then() {
        let mut copy = session("client backend", "active", "COPY item FROM STDIN");
        if let Permitted::Seen(detail) = &mut copy.detail {
            detail.wait_event_type = Some("Client".to_owned());
        }
        let sql = [
            "SELECT pg_cancel_backend(7)",
            "SELECT pg_terminate_backend(7)",
        ];
        assert_eq!(remedy(&copy, &asker()).sql(), sql);
    }

    #[test]
    fn a_role_is_told_what_it_would_need() {
        let mut other = session("client backend", "active", "");
        other.may_signal = false;
        let signal = Hindrance::NotPermittedToSignal {
            grant: "GRANT pg_signal_backend TO \"deploy\"".to_owned(),
        };
        assert_eq!(remedy(&other, &asker()).hindrances, [signal]);
        other.superuser = true;
        let found = remedy(&other, &asker());
        assert_eq!(found.hindrances, [Hindrance::SuperuserOnly]);
        assert_eq!(
            found.to_string(),
            "cancel the query of backend 7; a superuser's session: only a superuser may signal it"
        );
    }
}
