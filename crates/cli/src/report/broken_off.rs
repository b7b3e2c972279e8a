//! A run that never said how it ended: what is left of it as far as its journal knows, and what to do next. Pure.
//!
//! Absent here: what is true in the database now, which `check` and the next run tell.

use serde::Serialize;

use crate::event::{Line, RunStarted};
use crate::execute::resume::{self, BrokenRun, Cut, Past};
use crate::shell::quoted;
use crate::ui::one_line;

const SQL: usize = 160;
/// Statements that are told one by one.
const STATEMENTS: usize = 12;

/// Beside the fields of every report, where it broke off.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BrokenOff {
    /// Of migrations that are not atomic: those that came to their end, and the one that was under way.
    pub(crate) statements: Vec<String>,
    /// What to do, in this order.
    pub(crate) next: Vec<String>,
}

impl BrokenOff {
    pub(super) fn of(lines: &[Line], started: &RunStarted) -> Self {
        let Some(run) = BrokenRun::of(lines) else {
            return Self {
                statements: Vec::new(),
                next: Vec::new(),
            };
        };
        let half = run.migrations.iter().filter(|cut| is_half(cut));
        Self {
            statements: half.flat_map(statements).collect(),
            next: next(&run, started),
        }
    }
}

fn is_half(cut: &Cut) -> bool {
    !cut.atomic && matches!(cut.past, Past::Begun | Past::Failed)
}

fn statements(cut: &Cut) -> Vec<String> {
    let changing = |sql: &str| resume::claims(sql).is_none_or(|claims| !claims.is_empty());
    let mut told: Vec<String> = cut
        .statements
        .iter()
        .filter(|s| changing(&s.sql))
        .map(|s| {
            let how = match (s.finished, cut.past) {
                (true, _) => "came to its end",
                (false, Past::Begun) => "was under way",
                (false, _) => "failed",
            };
            format!("{}: {how}: {}", cut.id, one_line(&s.sql, SQL))
        })
        .collect();
    let more = told.len().saturating_sub(STATEMENTS);
    if more > 0 {
        told.truncate(STATEMENTS);
        told.push(format!("{}: and {more} more, in journal.jsonl", cut.id));
    }
    told
}

fn next(run: &BrokenRun, started: &RunStarted) -> Vec<String> {
    let mut next = vec![format!(
        "if process {} on {} still lives, the run goes on: wait for its end",
        run.pid, run.host
    )];
    if let Some(folder) = &run.backup_under_way {
        next.push(format!(
            "its backup was not done: a `.partial` in {folder} is no whole backup, delete it"
        ));
    }
    if run.dry_run || !run.reached_the_database() {
        next.push(format!(
            "`{}` begins anew: no migration had begun, and nothing of the database was changed",
            again(started)
        ));
        return next;
    }
    next.push(format!(
        "`{}` tells what is true in the database now, and changes nothing: what is recorded, what stayed, and whether a \
         session of this run is still at work",
        command("check", started)
    ));
    let half = run.migrations.iter().find(|cut| is_half(cut));
    let half = half.map_or(String::new(), |cut| {
        format!(
            "; {} is not atomic: as long as its file stays as it is, what the catalog proves done of it is not done \
             again, and an INVALID index in its way is named with its way out",
            cut.id
        )
    });
    next.push(format!(
        "`{}` then goes on: it waits for what this run left at work, and {}{half}",
        again(started),
        match started.rolls_back {
            None => "applies what is not recorded",
            Some(_) => "takes back what is still recorded",
        }
    ));
    next
}

fn again(started: &RunStarted) -> String {
    let mut words = match &started.rolls_back {
        None => vec!["run".to_owned()],
        Some(run) => vec!["rollback".to_owned(), run.clone()],
    };
    words.extend(started.app.iter().cloned());
    words.extend(started.migration.iter().cloned());
    if !started.dry_run {
        words.push("--apply".to_owned());
    }
    command(&words.join(" "), started)
}

fn command(verb: &str, started: &RunStarted) -> String {
    let mut words = format!("django-migrate {verb}");
    let database = Some(&started.database).filter(|alias| *alias != "default");
    let flags = [
        ("--database", database),
        ("--settings", started.settings.as_ref()),
        ("--pythonpath", started.pythonpath.as_ref()),
    ];
    for (flag, value) in flags {
        if let Some(value) = value {
            words.push_str(&format!(" {flag} {}", quoted(value)));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::{fold, sample};
    use super::*;
    use crate::event::EventKind;

    fn cut(atomic: bool, reached: bool) -> Vec<Line> {
        let mut lines = sample::applied();
        for line in &mut lines {
            if let EventKind::Planned(planned) = &mut line.kind {
                planned.migrations[0].atomic = atomic;
            }
        }
        let begun = |l: &Line| matches!(l.kind, EventKind::MigrationStarted { .. });
        let at = lines.iter().position(begun).expect("a migration");
        lines.truncate(at + usize::from(reached));
        if reached {
            let last = lines[at].clone();
            for (number, sql) in [
                (1, "UPDATE a SET x = 1"),
                (2, "SELECT 1"),
                (3, "UPDATE b SET x = 1"),
            ] {
                let kind = EventKind::StatementStarted {
                    number,
                    app: None,
                    name: None,
                    sql: sql.to_owned(),
                };
                lines.push(Line {
                    kind,
                    ..last.clone()
                });
                if number < 3 {
                    let kind = EventKind::StatementFinished {
                        number,
                        seconds: 0.1,
                    };
                    lines.push(Line {
                        kind,
                        ..last.clone()
                    });
                }
            }
        }
        lines
    }

    fn broken(lines: &[Line]) -> BrokenOff {
        fold(lines)
            .expect("a start")
            .broken_off
            .expect("broken off")
    }

    #[test]
    fn before_its_first_migration_it_begins_anew() {
        let broken = broken(&cut(true, false));
        assert!(broken.statements.is_empty());
        let next = broken.next.join("\n");
        assert!(next.contains("process 4711 on web1"), "{next}");
        assert!(next.contains("`django-migrate run --apply --settings shop.settings.prod --pythonpath 'src dir'` begins anew"), "{next}");
    }

    #[test]
    fn in_a_migration_check_comes_first_and_what_is_half_is_listed() {
        for atomic in [true, false] {
            let broken = broken(&cut(atomic, true));
            assert!(broken.next[1].starts_with("`django-migrate check "));
            assert!(broken.next[2].contains("goes on"));
            assert_eq!(broken.next[2].contains("not atomic"), !atomic);
            let expected: &[&str] = match atomic {
                true => &[],
                false => &[
                    "shop.0003_drop_code: came to its end: UPDATE a SET x = 1",
                    "shop.0003_drop_code: was under way: UPDATE b SET x = 1",
                ],
            };
            assert_eq!(broken.statements, expected);
        }
    }

    #[test]
    fn a_run_that_ended_has_no_such_part() {
        let report = fold(&sample::applied()).expect("a start");
        assert!(report.broken_off.is_none());
    }
}
