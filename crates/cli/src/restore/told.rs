//! What `dumper` says while it restores, as events.
//!
//! Absent here: words for a screen.

use std::time::Duration;

use dumper::{
    Analyze, Loading, Manifest, Mode, OldSessions, OnError, Owners, Phase, Privileges,
    RestoreProgress as Progress, RestoreRequest, Restored, StatementError, Target, Unfinished,
};

use crate::event::{
    EventKind, NoteLevel, RestoreErred, RestoreFinished, RestorePhase, RestoreProgress,
    RestoreStarted,
};
use crate::reporter::Reporter;
use crate::ui;

/// What the manifest says of the whole.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    tables: Option<u64>,
    rows: Option<u64>,
    raw_bytes: Option<u64>,
}

impl Totals {
    pub(crate) fn of(manifest: Option<&Manifest>) -> Self {
        Self {
            tables: manifest.map(|m| m.tables.len() as u64),
            rows: manifest.map(|m| m.rows),
            raw_bytes: manifest.map(|m| m.raw_bytes),
        }
    }
}

pub(super) fn started(request: &RestoreRequest) -> RestoreStarted {
    RestoreStarted {
        file: ui::path(&request.archive),
        database: request.into.clone(),
        server: server(&request.connection),
        target: match &request.target {
            Target::New => "new",
            Target::ExistingEmpty => "empty",
            Target::Replace(_) => "replaced",
        }
        .to_owned(),
        options: options(request),
    }
}

/// `shop@db1:5432`: the database of a description is that of the login.
pub(super) fn server(options: &pgdriver::ConnectOptions) -> String {
    let described = options.describe();
    match described.rsplit_once('/') {
        Some((server, _)) if !server.is_empty() => server.to_owned(),
        _ => described,
    }
}

fn options(request: &RestoreRequest) -> Vec<String> {
    let mut options = vec![match request.mode {
        Mode::SingleTransaction => "--single-transaction".to_owned(),
        Mode::Sessions(n) => format!("--jobs {n}"),
    }];
    let flags = [
        (
            "--terminate-sessions",
            request.sessions == OldSessions::Terminate,
        ),
        ("--no-owner", request.owners == Owners::Skip),
        ("--no-privileges", request.privileges == Privileges::Skip),
        ("--keep-going", request.on_error == OnError::KeepGoing),
        ("--no-analyze", request.analyze == Analyze::No),
        ("--keep-unfinished", request.unfinished == Unfinished::Keep),
    ];
    let said = flags.iter().filter(|(_, said)| *said);
    options.extend(said.map(|(flag, _)| (*flag).to_owned()));
    options
}

pub(crate) fn tell(progress: &Progress, totals: &Totals, reporter: &Reporter) {
    let working = |what: String| EventKind::Working { what };
    reporter.emit(match progress {
        Progress::Warning(message) => EventKind::Note {
            level: NoteLevel::Warning,
            message: message.clone(),
        },
        Progress::Verifying { read, bytes } => EventKind::RestoreProgress(RestoreProgress {
            phase: RestorePhase::Reading,
            raw_bytes: *read,
            raw_total: Some(*bytes),
            ..RestoreProgress::default()
        }),
        Progress::Into { database } => working(format!("into {database}")),
        Progress::Loading(loading) => EventKind::RestoreProgress(far(loading, totals)),
        Progress::Failed(error) => EventKind::RestoreErred(erred(error)),
        Progress::Checking => working("comparing the rows with the manifest".to_owned()),
        Progress::Analyzing => working("ANALYZE: statistics for the planner".to_owned()),
        Progress::Renaming { database } => working(format!("it becomes {database}")),
    });
}

fn far(loading: &Loading, totals: &Totals) -> RestoreProgress {
    let share = share(loading, totals);
    RestoreProgress {
        phase: match loading.phase {
            Phase::Definitions => RestorePhase::Definitions,
            Phase::Rows => RestorePhase::Rows,
            Phase::Indexes => RestorePhase::Indexes,
        },
        at: loading.at.clone(),
        statements: loading.statements,
        tables: loading.tables,
        tables_total: totals.tables,
        rows: loading.rows,
        rows_total: totals.rows,
        raw_bytes: loading.raw_bytes,
        raw_total: totals.raw_bytes,
        jobs: loading.jobs_done,
        jobs_total: loading.jobs_found,
        errors: loading.errors,
        seconds: loading.elapsed.as_secs_f64(),
        seconds_left: share.and_then(|share| left(loading.elapsed, share)),
    }
}

/// How much of the rows is sent, by the manifest's size of the SQL, else by how much of the file is read.
fn share(loading: &Loading, totals: &Totals) -> Option<f64> {
    if loading.phase != Phase::Rows {
        return None;
    }
    let by_sql = totals.raw_bytes.map(|all| (loading.raw_bytes, all));
    let by_file = loading.read.zip(loading.bytes);
    let (done, all) = by_sql.or(by_file)?;
    (all > 0).then(|| done as f64 / all as f64)
}

/// Until the last row. What comes after, indexes and constraints, nobody can foresee.
fn left(elapsed: Duration, share: f64) -> Option<f64> {
    const SOON: f64 = 0.02;
    let known = elapsed >= Duration::from_secs(2) && (SOON..1.0).contains(&share);
    known.then(|| elapsed.as_secs_f64() * (1.0 - share) / share)
}

pub(super) fn erred(error: &StatementError) -> RestoreErred {
    RestoreErred {
        line: error.line,
        sqlstate: error.sqlstate.clone(),
        message: error.message.clone(),
        detail: error.detail.clone(),
        hint: error.hint.clone(),
        statement: error.statement.clone(),
    }
}

pub(super) fn finished(restored: Restored) -> RestoreFinished {
    RestoreFinished {
        database: restored.database,
        statements: restored.statements,
        rows: restored.rows,
        errors: restored.errors.iter().map(erred).collect(),
        seconds: restored.seconds,
        tables: restored.tables.len() as u64,
        skipped: restored.skipped.iter().map(ToString::to_string).collect(),
        differences: restored
            .differences
            .iter()
            .map(ToString::to_string)
            .collect(),
        notes: restored.notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_from_what_is_sent() {
        let totals = Totals {
            raw_bytes: Some(1000),
            ..Totals::default()
        };
        let rows = Loading {
            phase: Phase::Rows,
            raw_bytes: 250,
            elapsed: Duration::from_secs(10),
            ..Loading::default()
        };
        assert_eq!(far(&rows, &totals).seconds_left, Some(30.0));
        let by_file = Loading {
            read: Some(50),
            bytes: Some(100),
            ..rows.clone()
        };
        assert_eq!(far(&by_file, &Totals::default()).seconds_left, Some(10.0));
        // too early to tell, and past the rows
        let early = Loading {
            elapsed: Duration::from_millis(10),
            ..rows.clone()
        };
        assert_eq!(far(&early, &totals).seconds_left, None);
        let indexes = Loading {
            phase: Phase::Indexes,
            ..rows
        };
        assert_eq!(far(&indexes, &totals).seconds_left, None);
    }
}
