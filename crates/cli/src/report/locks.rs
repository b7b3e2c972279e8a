//! What a report says of locks: who was waited for, what was held and for how long, what was tried again, and whom the
//! run signalled.
//!
//! Absent here: watching any of it (see [`crate::execute`]).

use std::fmt::Write as _;

use pgdriver::activity::locks::LockMode;
use serde::Serialize;

use crate::event::{EventKind, LockHeld, LockWaiting, Place, Retrying};
use crate::ui::seconds;

/// The part of a report that is about locks.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct LockReport {
    pub(crate) lock_waits: Vec<LockWaitLine>,
    /// Strong locks in the order in which they were let go.
    pub(crate) lock_timeline: Vec<LockHeld>,
    pub(crate) retries: Vec<Retrying>,
    pub(crate) signalled: Vec<SignalLine>,
    /// Statements that were not run, with the proof that their work is done.
    pub(crate) skipped: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct LockWaitLine {
    pub(crate) relation: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) place: Place,
    pub(crate) waited_ms: u64,
    pub(crate) blockers: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct SignalLine {
    pub(crate) pid: i32,
    pub(crate) what: String,
    pub(crate) signal: String,
    pub(crate) outcome: String,
}

impl LockReport {
    /// Takes in what is about locks.
    pub(super) fn hear(&mut self, kind: &EventKind) {
        match kind {
            EventKind::LockWaiting(wait) => self.waited(wait),
            EventKind::LockHeld(held) => self.lock_timeline.push(held.clone()),
            EventKind::Retrying(retrying) => self.retries.push(retrying.clone()),
            EventKind::StatementSkipped { sql, proof, .. } => {
                self.skipped
                    .push(format!("{}: {proof}", crate::ui::one_line(sql, 200)));
            }
            EventKind::BlockerSignalled {
                pid,
                what,
                signal,
                outcome,
            } => self.signalled.push(SignalLine {
                pid: *pid,
                what: what.clone(),
                signal: signal.clone(),
                outcome: outcome.clone(),
            }),
            _ => {}
        }
    }

    /// One line for one wait, which is told again while it grows.
    fn waited(&mut self, wait: &LockWaiting) {
        let blockers = wait.blockers.iter().map(|b| b.what.clone());
        match self.lock_waits.last_mut() {
            Some(last)
                if last.relation == wait.relation
                    && last.place == wait.place
                    && wait.waited_ms >= last.waited_ms =>
            {
                last.waited_ms = wait.waited_ms;
                for blocker in blockers {
                    match last.blockers.iter_mut().find(|b| same_session(b, &blocker)) {
                        Some(known) => *known = blocker,
                        None => last.blockers.push(blocker),
                    }
                }
            }
            _ => self.lock_waits.push(LockWaitLine {
                relation: wait.relation.clone(),
                mode: wait.mode.clone(),
                place: wait.place,
                waited_ms: wait.waited_ms,
                blockers: blockers.collect(),
            }),
        }
    }
}

/// Two lines about one session differ in their ages: what stands before its backend's number does not.
fn same_session(one: &str, other: &str) -> bool {
    let head = |line: &str| -> String {
        let (before, after) = line.split_once("backend ").unwrap_or((line, ""));
        let pid: String = after.chars().take_while(char::is_ascii_digit).collect();
        format!("{before}{pid}")
    };
    head(one) == head(other)
}

/// The sections of the Markdown report.
pub(super) fn markdown(locks: &LockReport, out: &mut String) {
    if !locks.lock_waits.is_empty() {
        let _ = writeln!(out, "\n### Lock waits\n");
        for wait in &locks.lock_waits {
            let _ = writeln!(out, "- {}", wait_line(wait));
        }
    }
    if !locks.lock_timeline.is_empty() {
        let _ = writeln!(
            out,
            "\n### Lock timeline\n\nAs an observer saw it, from the start of the run.\n\n\
             | relation | mode | migration | queued | acquired | released | held | waiters | longest wait | end |\n\
             |---|---|---|---|---|---|---|---|---|---|"
        );
        for held in &locks.lock_timeline {
            let _ = writeln!(out, "{}", row(held));
        }
    }
    let _ = list(out, "Tried again", locks.retries.iter().map(retry_line));
    let _ = list(
        out,
        "Sessions that the run signalled",
        locks
            .signalled
            .iter()
            .map(|s| format!("{} {}: {}", s.signal, s.what, s.outcome)),
    );
    let _ = list(
        out,
        "Statements that were done already",
        locks.skipped.iter().cloned(),
    );
}

fn list(out: &mut String, title: &str, lines: impl Iterator<Item = String>) -> std::fmt::Result {
    for (n, line) in lines.enumerate() {
        if n == 0 {
            writeln!(out, "\n### {title}\n")?;
        }
        writeln!(out, "- {line}")?;
    }
    Ok(())
}

fn wait_line(wait: &LockWaitLine) -> String {
    let relation = wait.relation.as_deref().unwrap_or("a lock");
    let place = match wait.place {
        Place::OutsideQueue => "outside the queue ",
        Place::InQueue => "",
    };
    let waited = seconds(wait.waited_ms as f64 / 1000.0);
    format!(
        "{relation}: {waited} {place}behind {}",
        wait.blockers.join("; ")
    )
}

fn row(held: &LockHeld) -> String {
    let at = |ms: u64| seconds(ms as f64 / 1000.0);
    let migration = match (&held.app, &held.name) {
        (Some(app), Some(name)) => format!("{app}.{name}"),
        _ => "after the migrations".to_owned(),
    };
    let never = || "-".to_owned();
    format!(
        "| {} | {} | {migration} | {} | {} | {} | {} | {} | {} | {} |",
        held.relation.as_deref().unwrap_or("rows"),
        held.mode.as_deref().map_or("unknown", in_sql),
        at(held.queued_ms),
        held.acquired_ms.map_or_else(never, at),
        held.acquired_ms
            .map_or_else(never, |ms| at(ms + held.held_ms)),
        at(held.held_ms),
        held.waiters,
        at(held.longest_wait_ms),
        held.end.replace('_', " ")
    )
}

/// `ACCESS EXCLUSIVE` for `AccessExclusiveLock`: a report is for people.
pub(crate) fn in_sql(mode: &str) -> &str {
    match LockMode::from_pg_locks(mode) {
        Some(known) => known.sql(),
        None => mode,
    }
}

fn retry_line(retrying: &Retrying) -> String {
    let what = match (&retrying.app, &retrying.name) {
        (Some(app), Some(name)) => format!("{} of {app}.{name}", retrying.what),
        _ => retrying.what.clone(),
    };
    let pause = seconds(retrying.pause_ms as f64 / 1000.0);
    format!(
        "{what}, attempt {} after {pause}: {}",
        retrying.attempt, retrying.why
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Blocker;

    #[test]
    fn modes_are_told_in_the_words_of_sql() {
        let held = LockHeld {
            app: None,
            name: None,
            relation: Some("public.a".to_owned()),
            mode: Some("AccessExclusiveLock".to_owned()),
            queued_ms: 0,
            acquired_ms: Some(10),
            held_ms: 20,
            waiters: 0,
            longest_wait_ms: 0,
            end: "committed".to_owned(),
        };
        let row = row(&held);
        assert!(row.contains("| public.a | ACCESS EXCLUSIVE |"), "{row}");
    }

    fn waiting(relation: &str, waited_ms: u64, what: &str) -> EventKind {
        EventKind::LockWaiting(LockWaiting {
            relation: Some(relation.to_owned()),
            mode: Some("AccessExclusiveLock".to_owned()),
            waited_ms,
            blockers: vec![Blocker {
                pid: 7,
                what: what.to_owned(),
            }],
            place: Place::OutsideQueue,
        })
    }

    #[test]
    fn a_wait_that_grows_is_one_line_and_its_session_stands_there_once() {
        let mut locks = LockReport::default();
        locks.hear(&waiting(
            "public.a",
            100,
            "ann (web), backend 7, idle in transaction for 1 s",
        ));
        locks.hear(&waiting(
            "public.a",
            1100,
            "ann (web), backend 7, idle in transaction for 2 s",
        ));
        locks.hear(&waiting(
            "public.a",
            2100,
            "ann (web), backend 8, active for 2 s",
        ));
        locks.hear(&waiting("public.b", 10, "bob, backend 9, active"));
        assert_eq!(locks.lock_waits.len(), 2);
        assert_eq!(locks.lock_waits[0].waited_ms, 2100);
        assert_eq!(locks.lock_waits[0].blockers.len(), 2);
        let mut text = String::new();
        markdown(&locks, &mut text);
        assert!(
            text.contains("public.a: 2.1 s outside the queue behind ann (web), backend 7"),
            "{text}"
        );
    }
}
