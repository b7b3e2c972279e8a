//! `--on-blocker` by a role that may not do what it promises: said at step 1, with the grants that would let it. Pure.
//!
//! Absent here: who is signalled, and when (see [`crate::execute`]).

use pgdriver::server::RoleFacts;

use crate::settings::OnBlocker;

/// What the role lacks; none where nobody is to be signalled, or it lacks nothing.
pub(super) fn lacking(role: &RoleFacts, version_num: u32, mode: OnBlocker) -> Option<String> {
    let mode = match mode {
        OnBlocker::Wait => return None,
        OnBlocker::Cancel => "cancel",
        OnBlocker::Terminate => "terminate",
    };
    let missing = role.missing_grants(version_num);
    let grant = |of: &str| missing.iter().find(|grant| grant.role == of);
    let why = match (grant("pg_monitor"), grant("pg_signal_backend")) {
        (None, None) => return None,
        (Some(see), Some(signal)) => format!(
            "it neither sees what other roles' sessions are nor may signal them: {}; {};",
            see.statement, signal.statement
        ),
        (Some(see), None) => format!(
            "it may signal other roles' sessions but does not see what they are, and what is not seen is left alone: {};",
            see.statement
        ),
        (None, Some(signal)) => format!(
            "it sees other roles' sessions but may not signal them: {};",
            signal.statement
        ),
    };
    Some(format!(
        "--on-blocker {mode} will reach no sessions but those of the role {} itself; {why}",
        role.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(attributes: Vec<&'static str>, predefined: &[&str]) -> RoleFacts {
        RoleFacts {
            name: "Shop".to_owned(),
            session_role: "Shop".to_owned(),
            attributes,
            owns_database: true,
            predefined: predefined.iter().map(|p| (*p).to_owned()).collect(),
            role_limit: None,
            database_limit: None,
        }
    }

    #[track_caller]
    fn check(predefined: &[&str], mode: OnBlocker, parts: &[&str]) {
        let said = lacking(&role(vec![], predefined), 170_000, mode).unwrap_or_default();
        assert_eq!(said.is_empty(), parts.is_empty(), "{said}");
        for part in parts {
            assert!(said.contains(part), "no `{part}` in {said}");
        }
        assert_eq!(
            said.matches("GRANT").count(),
            parts.iter().filter(|p| p.starts_with("GRANT")).count()
        );
    }

    #[test]
    fn each_grant_that_is_missing_is_named() {
        let (see, signal) = (
            "GRANT pg_monitor TO \"Shop\";",
            "GRANT pg_signal_backend TO \"Shop\";",
        );
        check(&[], OnBlocker::Wait, &[]);
        check(
            &[],
            OnBlocker::Cancel,
            &["--on-blocker cancel", see, signal],
        );
        check(
            &["pg_signal_backend"],
            OnBlocker::Terminate,
            &["--on-blocker terminate", see],
        );
        let sees = ["pg_read_all_stats", "pg_read_all_settings"];
        check(&sees, OnBlocker::Terminate, &[signal]);
        check(
            &[
                "pg_read_all_stats",
                "pg_read_all_settings",
                "pg_signal_backend",
            ],
            OnBlocker::Cancel,
            &[],
        );
        let superuser = role(vec!["SUPERUSER"], &[]);
        assert_eq!(lacking(&superuser, 170_000, OnBlocker::Terminate), None);
    }
}
