//! Whom a key would cancel or terminate: whether it may be, what would happen, and whether it is still the same.
//!
//! Never our own session (it is in no snapshot), the server's own processes, a walsender, a vacuum against
//! wraparound, or a superuser's session. Absent here: the signal itself.

use std::time::{Duration, Instant};

use pgdriver::Permitted;
use pgdriver::activity::remedy::Hindrance;
use pgdriver::activity::{Extent, SessionInfo, SessionKind};

use super::rows::Key;
use super::state::Picture;
use crate::locks::{Snapshot, words};
use crate::ui;

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Cancel,
    Terminate,
}

/// Clocks, the way of the answer and the server's rounding: an age that differs by less is of the same moment.
const SAME: Duration = Duration::from_secs(2);

/// A session as it was when the question was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) signal: Signal,
    pub(crate) session: SessionInfo,
    /// When it was seen so.
    pub(crate) at: Instant,
    /// What would happen, a sentence a line.
    pub(super) consequences: Vec<String>,
}

/// What a key gets.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Ask(Box<Target>),
    Refuse {
        title: String,
        lines: Vec<String>,
        instead: Option<Signal>,
    },
}

impl Signal {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Terminate => "terminate",
        }
    }
}

impl Target {
    pub(crate) fn pid(&self) -> i32 {
        self.session.pid
    }

    /// `terminate backend 4711 of web (gunicorn)`
    pub(crate) fn short(&self) -> String {
        format!(
            "{} backend {} of {}",
            self.signal.verb(),
            self.pid(),
            words::who(&self.session)
        )
    }

    pub(super) fn doing(&self) -> String {
        let verb = match self.signal {
            Signal::Cancel => "cancelling",
            Signal::Terminate => "terminating",
        };
        format!("{verb} backend {}", self.pid())
    }

    /// Whether the session is what it was when the pid was typed. While somebody types, a pid can change hands, and a
    /// transaction can end that was the reason.
    pub(crate) fn is_still(&self, now: Option<&SessionInfo>, at: Instant) -> Result<(), String> {
        let pid = self.pid();
        let Some(now) = now else {
            return Err(format!("backend {pid} is gone already"));
        };
        let began = |session: &SessionInfo, at: Instant, xact: bool| {
            let detail = session.detail.seen()?;
            let age = if xact {
                detail.xact_age
            } else {
                detail.session_age
            };
            age.and_then(|age| at.checked_sub(age))
        };
        let same = |xact: bool| match (began(&self.session, self.at, xact), began(now, at, xact)) {
            (Some(then), Some(now)) => then.max(now).duration_since(then.min(now)) < SAME,
            (then, now) => then.is_some() == now.is_some(),
        };
        if now.user != self.session.user || !same(false) {
            return Err(format!("backend {pid} is another session by now"));
        }
        if self.signal == Signal::Cancel && ignores_cancel(now).is_some() {
            return Err(format!("backend {pid} runs no query any more"));
        }
        let was_idle = ignores_cancel(&self.session).is_some();
        if (self.signal == Signal::Cancel || was_idle) && !same(true) {
            return Err(format!("backend {pid} is in another transaction by now"));
        }
        Ok(())
    }
}

/// The question, or why there is none.
pub(super) fn answer(signal: Signal, key: &Key, picture: &Picture) -> Answer {
    let snapshot = &picture.snapshot;
    let pid = match key {
        Key::Backend(pid) => *pid,
        Key::Prepared(gid) => return prepared(signal, gid, snapshot),
    };
    let refuse = |lines: Vec<String>| Answer::Refuse {
        title: format!("{} backend {pid}: no", signal.verb()),
        lines,
        instead: None,
    };
    let Some(session) = snapshot.session(pid) else {
        return refuse(vec!["It is gone.".to_owned()]);
    };
    let about = format!("{}, {}.", words::who(session), words::doing(session));
    if let Some(why) = refusal(session, snapshot) {
        let mut lines = vec![about];
        lines.extend(why);
        return refuse(lines);
    }
    if signal == Signal::Cancel
        && let Some(why) = ignores_cancel(session)
    {
        return Answer::Refuse {
            title: format!("cancel backend {pid}: it would do nothing"),
            lines: vec![
                about,
                why.to_owned(),
                "Only the end of its session makes it let go: t terminates it.".to_owned(),
            ],
            instead: Some(Signal::Terminate),
        };
    }
    Answer::Ask(Box::new(Target {
        signal,
        session: session.clone(),
        at: picture.at,
        consequences: consequences(signal, session, snapshot),
    }))
}

fn prepared(signal: Signal, gid: &str, snapshot: &Snapshot) -> Answer {
    let mut lines = vec![
        "A prepared transaction has no session to signal: whoever prepared it decides between COMMIT PREPARED and \
         ROLLBACK PREPARED."
            .to_owned(),
    ];
    let named =
        |root: &&crate::locks::Root| root.prepared.as_ref().is_some_and(|one| one.gid == gid);
    let remedy = match snapshot.roots.iter().find(named) {
        Some(root) => Some(root.remedy.clone()),
        None => {
            let known = snapshot.prepared.iter().find(|one| one.gid == gid);
            known.map(|one| snapshot.us.remedy_for_prepared(one))
        }
    };
    if let Some(remedy) = remedy {
        lines.push(format!(
            "Outside of this screen: {}",
            remedy.sql().join("; ")
        ));
        lines.extend(remedy.hindrances.iter().map(|one| format!("But {one}.")));
    }
    Answer::Refuse {
        title: format!("{} prepared transaction {gid}: no", signal.verb()),
        lines,
        instead: None,
    }
}

const SUPERUSER: &str = "It is a superuser's session, which this screen never ends: it may be an administrator's repair.";

/// Why this one is never signalled from here, or cannot be.
pub(super) fn refusal(session: &SessionInfo, snapshot: &Snapshot) -> Option<Vec<String>> {
    let lines = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
    match session.kind() {
        SessionKind::Walsender => {
            return lines(&[
                "It sends WAL to a standby, a subscriber or a base backup, which would break off.",
                "Look at that side instead.",
            ]);
        }
        SessionKind::Autovacuum {
            to_prevent_wraparound: Some(true) | None,
        } => {
            return lines(&[
                "It is, or may be, a vacuum against transaction id wraparound: it must finish, and would come back.",
                "Let it finish, and run the DDL after it.",
            ]);
        }
        SessionKind::Background => {
            return lines(&["It is one of the server's own processes."]);
        }
        SessionKind::ParallelWorker { leader } => {
            return Some(vec![format!(
                "It works for backend {leader}: signal that one."
            )]);
        }
        SessionKind::Client | SessionKind::Unknown | SessionKind::Autovacuum { .. } => {}
    }
    if session.superuser {
        let sql = snapshot.remedy(session).sql();
        let by_hand = match sql.first() {
            Some(_) => format!(
                "If it must be: in psql, as a superuser, {};",
                sql.join("; ")
            ),
            None => "If it must be, a superuser can do it with psql.".to_owned(),
        };
        return Some(vec![SUPERUSER.to_owned(), by_hand]);
    }
    if !session.may_signal {
        let role = &snapshot.us.asker.role;
        let remedy = snapshot.remedy(session);
        let grant = remedy.hindrances.iter().find_map(|one| match one {
            Hindrance::NotPermittedToSignal { grant } => Some(grant.clone()),
            _ => None,
        });
        let mut why = vec![format!("The role {role} may not signal it.")];
        why.extend(grant.map(|grant| format!("This would change that: {grant};")));
        return Some(why);
    }
    None
}

/// Why a cancel would be heard by nobody.
fn ignores_cancel(session: &SessionInfo) -> Option<&'static str> {
    let state = session.detail.seen()?.state.as_deref()?;
    match state {
        "idle" => Some("It runs no query, and a cancel only ends a query."),
        state if state.starts_with("idle in transaction") => Some(
            "It is idle in transaction: it runs no query, and a cancel does nothing; its locks stay.",
        ),
        _ => None,
    }
}

fn consequences(signal: Signal, session: &SessionInfo, snapshot: &Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(
        match signal {
            Signal::Cancel => {
                "Its query ends with an error, and so does its transaction unless the client goes on behind a savepoint."
            }
            Signal::Terminate => "Its connection ends and its transaction is rolled back.",
        }
        .to_owned(),
    );
    let application = session.application.as_deref().unwrap_or_default();
    if matches!(
        application.split(' ').next(),
        Some("pg_dump" | "pg_dumpall")
    ) {
        lines.push("It is a backup by its name: the backup would be lost.".to_owned());
    }
    let detail = session.detail.seen();
    let query = detail.map(|detail| detail.query.to_ascii_uppercase());
    if query.is_some_and(|query| query.contains("INDEX CONCURRENTLY") || query.contains("REINDEX"))
    {
        lines.push("An index that it builds concurrently would stay behind as INVALID.".to_owned());
    }
    if let SessionKind::Autovacuum { .. } = session.kind() {
        lines.push("Autovacuum comes back by itself.".to_owned());
    }
    if session.detail == Permitted::NotPermitted {
        lines.push("What it does cannot be seen by this role.".to_owned());
    }
    lines.extend(behind(session.pid, snapshot));
    lines
}

fn behind(pid: i32, snapshot: &Snapshot) -> Option<String> {
    let waiting = match snapshot.roots.iter().find(|root| root.pids.contains(&pid)) {
        Some(root) => root.waiting.len(),
        None => return None,
    };
    let verb = if waiting == 1 { "waits" } else { "wait" };
    let some = match snapshot.extent {
        Extent::Whole => "",
        Extent::Longest { .. } | Extent::Unknown => "At least ",
    };
    Some(format!(
        "{some}{} {verb} for it.",
        ui::count(waiting as u64, "session")
    ))
}
