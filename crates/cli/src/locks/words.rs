//! A session in words: who it is, what it does and since when. Absent here: colours, width, and what to do about it.

use std::time::Duration;

use pgdriver::activity::{
    Extent, IndexBuild, LONGEST, LockWait, Prepared, SessionDetail, SessionInfo, SessionKind,
    Target,
};
use pgdriver::catalog::RelationName;

use super::holding::Run;
use super::model::Snapshot;
use crate::ui;

/// `web (gunicorn, 10.0.0.3)`; of the server's own workers their sort.
pub(crate) fn who(session: &SessionInfo) -> String {
    let name = match (&session.user, session.kind()) {
        (_, SessionKind::Walsender) => "walsender".to_owned(),
        (
            _,
            SessionKind::Autovacuum {
                to_prevent_wraparound: Some(true),
            },
        ) => "autovacuum to prevent wraparound".to_owned(),
        (_, SessionKind::Autovacuum { .. }) => "autovacuum".to_owned(),
        (Some(user), _) => user.clone(),
        (None, _) => session
            .detail
            .seen()
            .and_then(|d| d.backend_type.clone())
            .unwrap_or_else(|| "a process of the server".to_owned()),
    };
    let application = session
        .application
        .as_deref()
        .filter(|text| !text.is_empty());
    let client = session
        .detail
        .seen()
        .and_then(|detail| detail.client.as_deref());
    let more: Vec<&str> = application.into_iter().chain(client).collect();
    match more.is_empty() {
        true => name,
        false => format!("{name} ({})", more.join(", ")),
    }
}

/// `idle in transaction for 12 s`, `active for 3 s, in a transaction for 12 s`
pub(crate) fn doing(session: &SessionInfo) -> String {
    let Some(detail) = session.detail.seen() else {
        return "not permitted to see what it does".to_owned();
    };
    let state = detail
        .state
        .as_deref()
        .or(detail.backend_type.as_deref())
        .unwrap_or("unknown");
    let own = match state {
        "active" => detail.query_age,
        _ => detail.state_age,
    };
    let mut text = state.to_owned();
    if let Some(age) = own {
        text.push_str(&format!(" for {}", age_text(age)));
    }
    if let Some(age) = detail.xact_age.filter(|age| differs(*age, own)) {
        text.push_str(&format!(", in a transaction for {}", age_text(age)));
    }
    if let Some(wait) = waits_on_client(detail) {
        text.push_str(wait);
    }
    text
}

/// `prepared transaction tx1 of web, for 12 s`
pub(crate) fn prepared(prepared: Option<&Prepared>) -> String {
    match prepared {
        Some(one) => format!(
            "prepared transaction {} of {}, for {}",
            one.gid,
            one.owner,
            age_text(one.age)
        ),
        None => "a prepared transaction".to_owned(),
    }
}

/// What a wait is for: `public.shop_item`, `a row of public.shop_item`, `advisory lock 7`.
pub(crate) fn what(wait: &LockWait) -> String {
    match (&wait.target, wait.table()) {
        (Target::Relation, Some(table)) => table.to_owned(),
        (Target::Relation, None) => match &wait.database {
            Some(database) => format!("a relation of database {database}"),
            None => "a relation".to_owned(),
        },
        (Target::Tuple { .. } | Target::Transaction { .. }, Some(table)) => {
            format!("a row of {table}")
        }
        (Target::Transaction { xid }, None) => format!("the end of transaction {xid}"),
        (Target::VirtualTransaction { .. }, _) => match &wait.build {
            Some(build) => format!("the end of that transaction, for {}", self::build(build)),
            None => "the end of a transaction that it must not overlook".to_owned(),
        },
        (target, Some(table)) => format!("{target} of {table}"),
        (target, None) => target.to_string(),
    }
}

/// The same from the other side: what somebody has that is waited for.
pub(crate) fn held(wait: &LockWait) -> String {
    match (&wait.target, &wait.build) {
        (Target::VirtualTransaction { .. }, Some(build)) => format!(
            "a transaction open that {} must wait out",
            command(build, "an index build")
        ),
        (Target::VirtualTransaction { .. }, None) => {
            "a transaction open that another must not overlook".to_owned()
        }
        _ => what(wait),
    }
}

/// `CREATE INDEX CONCURRENTLY public.item_price on public.item (waiting for old snapshots, 0 of 1 gone)`
fn build(build: &IndexBuild) -> String {
    let lockers = match build.lockers {
        Some((done, total)) if total > 0 => format!(", {done} of {total} gone"),
        _ => String::new(),
    };
    let phase = build.phase.as_ref();
    let phase = phase.map(|phase| format!(" ({phase}{lockers})"));
    format!(
        "{}{}",
        command(build, "an index build by its locks"),
        phase.unwrap_or_default()
    )
}

fn command(build: &IndexBuild, unknown: &str) -> String {
    let mut text = build.command.clone().unwrap_or_else(|| unknown.to_owned());
    if let Some(index) = &build.index {
        text.push_str(&format!(" of {index}"));
    }
    if let Some(table) = &build.table {
        text.push_str(&format!(" on {table}"));
    }
    text
}

/// `run 20261123-042845-77 on db-host, plan 0011aabb: backend 7 holds its lock`
pub(crate) fn run(run: &Run) -> String {
    let id = run.id.as_deref().unwrap_or("without a name");
    let host = run.host.as_ref().map(|host| format!(" on {host}"));
    let plan = run.plan.as_ref().map(|plan| format!(", plan {plan}"));
    let lock = match run.lock {
        Some(pid) => format!("backend {pid} holds its lock"),
        None => "it holds its lock no more: killed, or ending".to_owned(),
    };
    format!(
        "run {id}{}{}: {lock}",
        host.unwrap_or_default(),
        plan.unwrap_or_default()
    )
}

/// What it does, as far as the database shows it.
pub(crate) fn run_does(snapshot: &Snapshot, run: &Run) -> String {
    if run.gate.is_some() {
        return "stands at the gate, in no queue; it waits until these have let go:".to_owned();
    }
    let mut sessions = run.migrate.iter().filter_map(|pid| snapshot.session(*pid));
    let busy = |session: &&SessionInfo| {
        let state = session.detail.seen().and_then(|d| d.state.as_deref());
        state != Some("idle")
    };
    match sessions.find(busy) {
        Some(session) if snapshot.waiter(session.pid).is_some() => {
            format!("backend {} waits in a queue, see above", session.pid)
        }
        Some(session) => format!("migrate, backend {}: {}", session.pid, doing(session)),
        None => "runs no statement at the moment".to_owned(),
    }
}

/// What lets a role see the sessions of others.
pub(crate) fn grant_to_see(role: &str) -> String {
    // a role is quoted as a relation is
    let role = RelationName {
        schema: None,
        name: role.to_owned(),
    };
    format!("GRANT pg_monitor TO {};", role.quoted())
}

/// Above an hour nobody counts seconds.
pub(crate) fn age_text(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, _) => ui::seconds(age.as_secs_f64()),
        (0, hours, minutes) => format!("{hours} h {minutes:02} min"),
        (days, hours, _) => format!("{days} d {hours:02} h"),
    }
}

/// A tenth of the age, or half a second, is the same moment to a reader.
fn differs(age: Duration, other: Option<Duration>) -> bool {
    let apart = age.abs_diff(other.unwrap_or_default());
    apart > Duration::from_millis(500) && apart > age / 10
}

fn waits_on_client(detail: &SessionDetail) -> Option<&'static str> {
    match (detail.state.as_deref()?, detail.wait_event.as_deref()?) {
        ("active", "ClientRead") => Some(", waits for its client"),
        ("active", "ClientWrite") => Some(", its client does not read"),
        _ => None,
    }
}

/// What is missing of who waits for whom.
pub(crate) fn limited(extent: Extent) -> Option<String> {
    match extent {
        Extent::Whole => None,
        Extent::Longest { waiting } => Some(format!(
            "{} wait for locks on this server; the {LONGEST} that wait longest are shown with their blockers",
            ui::count(waiting, "session")
        )),
        Extent::Unknown => Some(
            "who waits for whom is unknown: the server cancelled the question, which took too long"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, detail};
    use super::*;

    fn session(state: &str, state_age: u64, query_age: u64, xact_age: u64) -> SessionInfo {
        let mut session = sample::session(7, state, Duration::from_secs(xact_age));
        let detail = detail(&mut session);
        detail.state_age = Some(Duration::from_secs(state_age));
        detail.query_age = Some(Duration::from_secs(query_age));
        detail.client = Some("10.0.0.3".to_owned());
        session
    }

    #[test]
    fn a_session_in_words() {
        let idle = session("idle in transaction", 11, 12, 12);
        assert_eq!(doing(&idle), "idle in transaction for 11 s");
        let active = session("active", 3, 3, 4000);
        assert_eq!(
            doing(&active),
            "active for 3.0 s, in a transaction for 1 h 06 min"
        );
        assert_eq!(who(&active), "web (10.0.0.3)");
        let mut hidden = sample::hidden(7);
        hidden.application = Some("gunicorn".to_owned());
        assert_eq!(doing(&hidden), "not permitted to see what it does");
        assert_eq!(who(&hidden), "web (gunicorn)");
    }

    #[test]
    fn ages_as_people_say_them() {
        assert_eq!(age_text(Duration::from_secs(62)), "62 s");
        assert_eq!(age_text(Duration::from_secs(3700)), "1 h 01 min");
        assert_eq!(age_text(Duration::from_secs(200_000)), "2 d 07 h");
    }

    #[test]
    fn a_role_is_quoted_as_sql_wants_it() {
        assert_eq!(
            grant_to_see("my \"ops\""),
            "GRANT pg_monitor TO \"my \"\"ops\"\"\";"
        );
    }
}
