//! What sort of session it is, as far as this role may know.
//!
//! Absent: what to do about it ([`super::remedy`]).

use super::session_info::{SessionDetail, SessionInfo};
use crate::permitted::Permitted;

/// What sort of server process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// Somebody's session.
    Client,
    /// A standby's, a subscriber's or a base backup's.
    Walsender,
    /// Vacuums or analyzes.
    Autovacuum {
        /// Then it does not step aside. None: this role may not see it, and its table's age does not tell.
        to_prevent_wraparound: Option<bool>,
    },
    /// Works for another session.
    ParallelWorker {
        /// Whose.
        leader: i32,
    },
    /// Any other of the server's own processes.
    Background,
    /// This role may not see it: most likely a client, or a parallel worker.
    Unknown,
}

impl SessionInfo {
    /// What it is. Without pg_monitor walsenders and autovacuum workers of others are still known.
    pub fn kind(&self) -> SessionKind {
        match &self.detail {
            _ if self.is_walsender => SessionKind::Walsender,
            Permitted::Seen(detail) => seen(detail),
            // only autovacuum has a database and no user
            Permitted::NotPermitted => match (&self.user, &self.database) {
                (None, Some(_)) => SessionKind::Autovacuum {
                    to_prevent_wraparound: self.vacuums_an_old_table,
                },
                (None, None) => SessionKind::Background,
                (Some(_), _) => SessionKind::Unknown,
            },
        }
    }

    /// The session that it works for, where it is a parallel worker.
    pub fn leader(&self) -> Option<i32> {
        match self.kind() {
            SessionKind::ParallelWorker { leader } => Some(leader),
            _ => None,
        }
    }
}

fn seen(detail: &SessionDetail) -> SessionKind {
    match (detail.backend_type.as_deref(), detail.leader) {
        (Some("walsender"), _) => SessionKind::Walsender,
        (Some("client backend"), _) => SessionKind::Client,
        (Some("autovacuum worker"), _) => SessionKind::Autovacuum {
            to_prevent_wraparound: prevents_wraparound(&detail.query),
        },
        (Some("parallel worker"), Some(leader)) => SessionKind::ParallelWorker { leader },
        _ => SessionKind::Background,
    }
}

/// `autovacuum: VACUUM public.item (to prevent wraparound)`. Between two tables it says nothing yet.
fn prevents_wraparound(query: &str) -> Option<bool> {
    let work = query.strip_prefix("autovacuum: ")?;
    Some(work.ends_with("(to prevent wraparound)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(user: Option<&str>, database: Option<&str>) -> SessionInfo {
        SessionInfo {
            pid: 7,
            user: user.map(str::to_owned),
            database: database.map(str::to_owned),
            application: None,
            superuser: false,
            may_signal: false,
            is_walsender: false,
            vacuums_an_old_table: None,
            detail: Permitted::NotPermitted,
        }
    }

    fn worker(query: &str) -> SessionKind {
        let detail = SessionDetail {
            backend_type: Some("autovacuum worker".to_owned()),
            query: query.to_owned(),
            ..SessionDetail::default()
        };
        let mut session = hidden(None, Some("shop"));
        session.detail = Permitted::Seen(detail);
        session.kind()
    }

    #[test]
    fn what_a_role_without_privileges_can_tell() {
        let autovacuum = SessionKind::Autovacuum {
            to_prevent_wraparound: None,
        };
        assert_eq!(hidden(None, Some("shop")).kind(), autovacuum);
        assert_eq!(hidden(None, None).kind(), SessionKind::Background);
        assert_eq!(
            hidden(Some("web"), Some("shop")).kind(),
            SessionKind::Unknown
        );
        let mut walsender = hidden(Some("standby"), None);
        walsender.is_walsender = true;
        assert_eq!(walsender.kind(), SessionKind::Walsender);
    }

    #[test]
    fn an_autovacuum_worker_says_why() {
        for (query, expected) in [
            (
                "autovacuum: VACUUM public.item (to prevent wraparound)",
                Some(true),
            ),
            ("autovacuum: VACUUM ANALYZE public.item", Some(false)),
            ("", None),
        ] {
            let kind = SessionKind::Autovacuum {
                to_prevent_wraparound: expected,
            };
            assert_eq!(worker(query), kind, "{query}");
        }
    }
}
