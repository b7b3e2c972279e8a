//! The lists below the trees, and the line at the end.

use pgdriver::activity::{Extent, SessionInfo, SessionKind};

use super::tree::query;
use super::{ROWS, faint, more, remedy};
use crate::locks::{Holding, Readiness, Snapshot, words};
use crate::ui::style::{Look, paint};
use crate::ui::{count, wrapped};

/// Who has which lock on the relation that was asked about.
pub(super) fn on_relation(snapshot: &Snapshot) -> Option<String> {
    let relation = snapshot.view.relation.as_ref()?;
    let held = &snapshot.on_relation;
    if held.is_empty() {
        return Some(format!(
            "{relation}: nobody has a lock on it, nobody waits for one"
        ));
    }
    let mut lines = vec![paint(Look::Heading, format!("Locks on {relation}"))];
    let widest = held
        .iter()
        .map(|lock| lock.mode.sql().len())
        .max()
        .unwrap_or(0);
    for lock in held.iter().take(2 * ROWS) {
        let who = match (&lock.session, &lock.prepared) {
            (Some(session), _) => format!(
                "{} {}  {}",
                paint(Look::Name, lock.pid),
                words::who(session),
                paint(Look::Faint, words::doing(session))
            ),
            (None, Some(gid)) => paint(Look::Name, format!("prepared transaction {gid}")),
            (None, None) => paint(Look::Name, lock.pid),
        };
        let verb = if lock.granted { "holds " } else { "awaits" };
        let look = if lock.granted {
            Look::Keyword
        } else {
            Look::Warning
        };
        let mode = paint(look, format!("{:<widest$}", lock.mode.sql()));
        let part = if lock.relation == *relation {
            String::new()
        } else {
            format!(" on {}", lock.relation)
        };
        lines.push(wrapped("  ", &format!("{verb} {mode}{part}  {who}")));
    }
    if held.len() > 2 * ROWS {
        lines.push(format!(
            "  … and {}",
            count((held.len() - 2 * ROWS) as u64, "more lock")
        ));
    }
    Some(lines.join("\n"))
}

/// Runs of this tool, also one that stands in no queue and holds nothing.
pub(super) fn runs(snapshot: &Snapshot) -> Option<String> {
    if snapshot.runs.is_empty() {
        return None;
    }
    let mut lines = vec![paint(Look::Heading, "Runs of django-migrate")];
    for run in snapshot.runs.iter().take(ROWS) {
        lines.push(wrapped("  ", &words::run(run)));
        lines.push(wrapped("    ", &words::run_does(snapshot, run)));
        for pid in run.gate.iter().flatten().take(ROWS) {
            let text = match snapshot.session(*pid) {
                Some(session) => format!(
                    "{} {}  {}",
                    paint(Look::Name, pid),
                    words::who(session),
                    paint(Look::Warning, words::doing(session))
                ),
                None if *pid == 0 => "a prepared transaction".to_owned(),
                None => format!("{pid}, which is gone by now"),
            };
            lines.push(wrapped("      ", &text));
        }
    }
    lines.extend(more(snapshot.runs.len(), "run").map(|text| format!("  {text}")));
    Some(lines.join("\n"))
}

/// Those who stand as roots have been told.
pub(super) fn holders(snapshot: &Snapshot) -> Option<String> {
    let Some(all) = snapshot.holders.all else {
        let text = "who holds strong locks is unknown: the server cancelled the question, which took too long";
        return Some(wrapped("", &paint(Look::Warning, text)));
    };
    let others: Vec<&Holding> = snapshot.quiet_holders().collect();
    if others.is_empty() {
        return None;
    }
    let title =
        "Strong locks (SHARE UPDATE EXCLUSIVE and up), oldest first; nobody waits for these";
    let mut lines = vec![wrapped("", &paint(Look::Heading, title))];
    for holding in others.iter().take(ROWS) {
        holder(&mut lines, snapshot, holding);
    }
    lines.extend(more(others.len(), "transaction").map(|text| format!("  {text}")));
    let told = snapshot.holders.some.len() as u64;
    if all > told {
        let text = format!(
            "  {} hold such locks; of {told}, those with the strongest, is told here",
            count(all, "transaction")
        );
        lines.push(wrapped("", &paint(Look::Warning, text)));
    }
    Some(lines.join("\n"))
}

fn holder(lines: &mut Vec<String>, snapshot: &Snapshot, holding: &Holding) {
    let session = snapshot.session(holding.pid);
    let who = match (session, &holding.prepared) {
        (Some(session), _) => format!(
            "{} {}  {}",
            paint(Look::Name, holding.pid),
            words::who(session),
            paint(Look::Faint, words::doing(session))
        ),
        (None, Some(gid)) => paint(Look::Name, format!("prepared transaction {gid}")),
        (None, None) if holding.pid == 0 => paint(Look::Name, "a prepared transaction"),
        (None, None) => format!("{}, which is gone by now", paint(Look::Name, holding.pid)),
    };
    lines.push(wrapped("  ", &who));
    let waits = match snapshot.waiter(holding.pid) {
        Some(_) => "; it waits for a lock itself, see above",
        None => "",
    };
    lines.push(wrapped(
        "    ",
        &format!("{}{waits}", paint(Look::Keyword, holding.has())),
    ));
    lines.extend(session.and_then(query).as_deref().map(faint));
    // whoever works is only told; what would end one that is idle, or old, stands with it
    let stays = |session: &&SessionInfo| {
        snapshot.is_long(session) && snapshot.waiter(session.pid).is_none()
    };
    if let Some(session) = session.filter(stays) {
        let sql = snapshot.remedy(session).sql();
        lines.extend(
            sql.into_iter()
                .map(|sql| format!("    {}", paint(Look::Good, format!("{sql};")))),
        );
    }
}

pub(super) fn idle(snapshot: &Snapshot) -> Option<String> {
    let sessions = snapshot
        .long_idle()
        .filter(|session| !is_told(snapshot, session.pid));
    list(
        snapshot,
        "Idle in transaction",
        &sessions.collect::<Vec<_>>(),
    )
}

/// Those who wait stand in a tree.
pub(super) fn long(snapshot: &Snapshot) -> Option<String> {
    let stands = |pid| is_told(snapshot, pid) || snapshot.waiter(pid).is_some();
    let sessions = snapshot
        .long_active()
        .filter(|session| !stands(session.pid));
    list(snapshot, "Long transactions", &sessions.collect::<Vec<_>>())
}

/// As a root, or with its strong locks.
fn is_told(snapshot: &Snapshot, pid: i32) -> bool {
    let mut holders = snapshot.quiet_holders().take(ROWS);
    snapshot.is_root(pid) || holders.any(|holding| holding.pid == pid)
}

fn list(snapshot: &Snapshot, title: &str, sessions: &[&SessionInfo]) -> Option<String> {
    if sessions.is_empty() {
        return None;
    }
    let mut lines = vec![paint(Look::Heading, title)];
    for session in sessions.iter().take(ROWS) {
        lines.push(wrapped(
            "  ",
            &format!(
                "{} {}  {}",
                paint(Look::Name, session.pid),
                words::who(session),
                paint(Look::Warning, words::doing(session))
            ),
        ));
        lines.extend(query(session).as_deref().map(faint));
        let sql = snapshot.remedy(session).sql();
        lines.extend(
            sql.into_iter()
                .map(|sql| format!("    {}", paint(Look::Good, format!("{sql};")))),
        );
    }
    lines.extend(more(sessions.len(), "session").map(|text| format!("  {text}")));
    Some(lines.join("\n"))
}

pub(super) fn prepared(snapshot: &Snapshot) -> Option<String> {
    let is_root = |gid: &str| {
        let mut roots = snapshot
            .roots
            .iter()
            .filter_map(|root| root.prepared.as_ref());
        roots.any(|prepared| prepared.gid == gid)
    };
    let others = snapshot.prepared.iter().filter(|one| !is_root(&one.gid));
    let others: Vec<_> = others.collect();
    if others.is_empty() {
        return None;
    }
    let mut lines = vec![paint(Look::Heading, "Prepared transactions")];
    for one in others.iter().take(ROWS) {
        let on = match one.relations.as_slice() {
            [] => String::new(),
            relations => format!(", locks {}", relations.join(", ")),
        };
        lines.push(wrapped(
            "  ",
            &format!(
                "{} of {}{on}  {}",
                paint(Look::Name, &one.gid),
                one.owner,
                paint(Look::Warning, format!("for {}", words::age_text(one.age)))
            ),
        ));
        lines.extend(remedy("    ", &snapshot.us.remedy_for_prepared(one)));
    }
    lines.extend(more(others.len(), "prepared transaction").map(|text| format!("  {text}")));
    Some(lines.join("\n"))
}

pub(super) fn autovacuum(snapshot: &Snapshot) -> Option<String> {
    let workers: Vec<_> = snapshot.autovacuum().collect();
    if workers.is_empty() {
        return None;
    }
    let mut lines = vec![paint(Look::Heading, "Autovacuum")];
    for (session, wraparound) in workers.iter().take(ROWS) {
        let text = match session.detail.seen() {
            Some(detail) => format!(
                "{}  {}",
                detail
                    .query
                    .strip_prefix("autovacuum: ")
                    .unwrap_or(&detail.query),
                paint(Look::Faint, words::doing(session))
            ),
            None => paint(
                Look::Faint,
                "not permitted to see on what, and whether to prevent wraparound",
            ),
        };
        lines.push(wrapped(
            "  ",
            &format!("{} {text}", paint(Look::Name, session.pid)),
        ));
        if *wraparound == Some(true) {
            lines.extend(remedy("    ", &snapshot.remedy(session)));
        }
    }
    lines.extend(more(workers.len(), "worker").map(|text| format!("  {text}")));
    Some(lines.join("\n"))
}

/// `12 sessions (1 active, 10 idle, 1 idle in transaction): 3 wait for 1 root`
pub(super) fn summary(snapshot: &Snapshot, readiness: Option<&Readiness>) -> String {
    if let Some(readiness) = readiness {
        return super::ready::summary(readiness);
    }
    let clients: Vec<&SessionInfo> = snapshot
        .sessions
        .iter()
        .filter(|session| matches!(session.kind(), SessionKind::Client | SessionKind::Unknown))
        .collect();
    let mut states: Vec<(String, usize)> = Vec::new();
    for session in &clients {
        let state = session.detail.seen().map_or("not visible", |detail| {
            detail.state.as_deref().unwrap_or("unknown")
        });
        match states.iter_mut().find(|(known, _)| known == state) {
            Some((_, n)) => *n += 1,
            None => states.push((state.to_owned(), 1)),
        }
    }
    states.sort();
    let states: Vec<String> = states
        .into_iter()
        .map(|(state, n)| format!("{n} {state}"))
        .collect();
    let states = if states.is_empty() {
        String::new()
    } else {
        format!(" ({})", states.join(", "))
    };
    let about = match &snapshot.view.relation {
        Some(relation) => format!(" on {relation}"),
        None => String::new(),
    };
    let elsewhere = match snapshot.elsewhere {
        n if n > 0 && snapshot.view.relation.is_none() => {
            format!("; {} in other databases: --all-databases shows them", n)
        }
        _ => String::new(),
    };
    format!(
        "{}{about}{states}: {}{elsewhere}",
        count(clients.len() as u64, "session"),
        waits(snapshot)
    )
}

fn waits(snapshot: &Snapshot) -> String {
    match (snapshot.waiters.len(), snapshot.roots.len()) {
        _ if snapshot.extent == Extent::Unknown => {
            paint(Look::Warning, "who waits for a lock is unknown")
        }
        (0, _) if snapshot.extent != Extent::Whole => {
            paint(Look::Warning, "none of those shown waits for a lock")
        }
        (0, _) => paint(Look::Good, "nobody waits for a lock"),
        (1, roots) => paint(
            Look::Bad,
            format!("1 waits for {}", count(roots as u64, "root")),
        ),
        (n, roots) => paint(
            Look::Bad,
            format!("{n} wait for {}", count(roots as u64, "root")),
        ),
    }
}
