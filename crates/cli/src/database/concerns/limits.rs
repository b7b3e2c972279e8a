//! What the role may see, how many connections are left, and what the server ends by itself.

use std::time::Duration;

use pgdriver::server::{Health, ServerFacts, Setting};

use crate::hazards::{Finding, beyond};
use crate::ui::{count, seconds};

/// Three observers, the lock's connection, pg_dump and its helpers, Django's own.
const NEEDED: u32 = 8;
/// Django's rendering between two statements took 24 s in the largest project that was measured.
const RENDERING: Duration = Duration::from_secs(60);
/// `--max-wait`, as long as nobody says otherwise.
const WAITING: Duration = Duration::from_secs(600);

pub(super) fn sight(server: &ServerFacts, health: &Health) -> Vec<Finding> {
    let Ok(role) = &health.role else {
        return Vec::new();
    };
    let missing = role.missing_grants(server.version_num).into_iter();
    missing
        .filter(|grant| grant.role == "pg_monitor")
        .map(|grant| Finding {
            remedy: grant.statement.into(),
            ..beyond::finding(
                "no-pg-monitor",
                format!("the role {} does not see {}", role.name, grant.gives),
            )
        })
        .collect()
}

pub(super) fn connections(server: &ServerFacts, health: &Health) -> Vec<Finding> {
    let all = server.connections;
    let free = match server.is_superuser {
        true => all.max.saturating_sub(all.used),
        false => all.free(),
    };
    let mut limits = vec![(free, "max_connections", all.max)];
    if let Ok(role) = &health.role {
        let limit = |limit: Option<pgdriver::server::Limit>, name| {
            limit.map(|limit| (limit.free(), name, limit.most))
        };
        limits.extend(limit(role.role_limit, "the role's CONNECTION LIMIT"));
        limits.extend(limit(
            role.database_limit,
            "the database's CONNECTION LIMIT",
        ));
    }
    limits
        .into_iter()
        .filter(|(free, ..)| *free < NEEDED)
        .map(|(free, name, most)| {
            let free = count(free.into(), "connection");
            let message = format!("{free} left of {name}, {most}; a run takes up to {NEEDED}");
            beyond::finding("few-free-connections", message)
        })
        .collect()
}

pub(super) fn timeouts(server: &ServerFacts, health: &Health) -> Vec<Finding> {
    let mut found = Vec::new();
    if server.defaults.read_only {
        let message = "default_transaction_read_only is on".to_owned();
        found.push(beyond::finding("read-only-by-default", message));
    }
    let settings = health.timeouts.as_deref().unwrap_or_default();
    for (name, code, enough) in [
        ("transaction_timeout", "transaction-timeout", None),
        (
            "idle_in_transaction_session_timeout",
            "idle-in-transaction-timeout",
            Some(RENDERING),
        ),
        (
            "idle_session_timeout",
            "idle-session-timeout",
            Some(WAITING),
        ),
    ] {
        let setting = settings.iter().find(|setting| setting.name == name);
        found.extend(setting.and_then(|setting| too_short(setting, code, enough)));
    }
    found
}

/// Without `enough` any limit is too short.
fn too_short(setting: &Setting, code: &'static str, enough: Option<Duration>) -> Option<Finding> {
    let limit = setting.duration()?;
    if enough.is_some_and(|enough| limit >= enough) {
        return None;
    }
    let limit = seconds(limit.as_secs_f64());
    let message = format!("{} is {limit} ({})", setting.name, setting.origin);
    Some(beyond::finding(code, message))
}
