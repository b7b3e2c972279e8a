//! What a look at the server has to tell, in the shape of all findings. Pure.
//!
//! Absent here: their meaning and severity, which stand in [`beyond`].

use std::time::Duration;

use pgdriver::activity::SessionInfo;
use pgdriver::activity::remedy::Remedy;

use super::model::{Root, Snapshot};
use super::words;
use crate::hazards::{Finding, beyond};
use crate::sql::Relation;
use crate::ui::count;

pub(super) fn of(snapshot: &Snapshot) -> Vec<Finding> {
    let mut findings: Vec<Finding> = snapshot
        .roots
        .iter()
        .map(|root| queue(snapshot, root))
        .collect();
    findings.extend(
        snapshot
            .long_idle()
            .map(|session| open(snapshot, "idle-in-transaction", session)),
    );
    findings.extend(
        snapshot
            .long_active()
            .map(|session| open(snapshot, "long-transaction", session)),
    );
    findings.extend(snapshot.prepared.iter().map(|prepared| {
        let message = format!(
            "prepared transaction {} of {} holds its locks for {}",
            prepared.gid,
            prepared.owner,
            words::age_text(prepared.age)
        );
        let remedy = snapshot.us.remedy_for_prepared(prepared);
        with(beyond::finding("prepared-transaction", message), &remedy)
    }));
    let wraparound = snapshot
        .autovacuum()
        .filter(|(_, wraparound)| *wraparound == Some(true));
    findings.extend(wraparound.map(|(session, _)| vacuum(snapshot, session)));
    if let Some(finding) = hidden(snapshot) {
        findings.push(finding);
    }
    findings
}

/// The finding's own remedy is the general one; here it is known exactly.
pub(super) fn with(mut finding: Finding, remedy: &Remedy) -> Finding {
    let sql = remedy.sql();
    finding.remedy = match sql.is_empty() {
        true => remedy.to_string().into(),
        false => format!("{}; -- {remedy}", sql.join("; ")).into(),
    };
    finding
}

fn queue(snapshot: &Snapshot, root: &Root) -> Finding {
    let waiting = count(root.waiting.len() as u64, "session");
    let longest = root
        .longest
        .map(|age| format!(", the longest for {}", words::age_text(age)));
    let who = match snapshot.session(root.pid()) {
        _ if root.deadlock => "a cycle of waits".to_owned(),
        Some(session) => format!(
            "{}, backend {}, {}",
            words::who(session),
            session.pid,
            words::doing(session)
        ),
        None if root.pid() <= 0 => words::prepared(root.prepared.as_ref()),
        None => format!("backend {}", root.pid()),
    };
    let verb = if root.waiting.len() == 1 {
        "waits"
    } else {
        "wait"
    };
    let message = format!("{waiting} {verb} for {who}{}", longest.unwrap_or_default());
    let code = if root.deadlock {
        "deadlock"
    } else {
        "lock-queue"
    };
    let mut finding = with(beyond::finding(code, message), &root.remedy);
    finding.relation = root
        .holds
        .iter()
        .find_map(|hold| relation(hold.relation.as_deref()?));
    finding
}

fn open(snapshot: &Snapshot, code: &'static str, session: &SessionInfo) -> Finding {
    let message = format!(
        "{}, backend {}, {}",
        words::who(session),
        session.pid,
        words::doing(session)
    );
    with(beyond::finding(code, message), &snapshot.remedy(session))
}

fn vacuum(snapshot: &Snapshot, session: &SessionInfo) -> Finding {
    let detail = session.detail.seen();
    let since = detail
        .and_then(|detail| detail.xact_age)
        .unwrap_or(Duration::ZERO);
    let query = detail
        .map(|detail| detail.query.as_str())
        .unwrap_or_default();
    let what = query.strip_prefix("autovacuum: ").unwrap_or(query);
    let message = format!(
        "backend {}: {what}, for {}",
        session.pid,
        words::age_text(since)
    );
    with(
        beyond::finding("wraparound-vacuum", message),
        &snapshot.remedy(session),
    )
}

fn hidden(snapshot: &Snapshot) -> Option<Finding> {
    let hidden = snapshot.hidden();
    if hidden == 0 {
        return None;
    }
    let role = &snapshot.us.asker.role;
    let mut finding = beyond::finding(
        "sessions-hidden",
        format!(
            "{role} is not permitted to see into {}",
            count(hidden as u64, "session")
        ),
    );
    finding.remedy = words::grant_to_see(role).into();
    Some(finding)
}

pub(super) fn relation(name: &str) -> Option<Relation> {
    let (schema, name) = name.split_once('.')?;
    Some(Relation::new(schema, name))
}
