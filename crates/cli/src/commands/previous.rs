//! Runs that were cut off: found in the run folder, held against the database, told before anything else is done.
//!
//! Their own sessions are waited for: a client that was killed leaves its backend, and its locks, behind for a while.
//! Absent here: what follows from what is found (see [`crate::execute::resume`]).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pgdriver::activity::{self, SessionInfo};
use pgdriver::{Permitted, Session};
use rustix::process::{Pid, test_kill_process};

use crate::database::query_failure;
use crate::django::wire::MigrationItem;
use crate::execute::resume::{self, Backend, BrokenRun, Previous};
use crate::exit::Class;
use crate::failure::Failure;
use crate::journal::RunFolder;
use crate::lock;
use crate::names::MigrationId;
use crate::settings::DjangoSettings;
use crate::ui::{one_line, seconds};

/// Journals that are looked at.
const JOURNALS: usize = 30;
/// Ended without knowing whether its last commit arrived.
const UNKNOWN: u8 = 52;
/// Runs that are told.
const TOLD: usize = 3;
/// How long a killed run's backend is waited for.
const GONE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(100);
const QUERY: usize = 100;
/// The first word of our sessions' names; the second is the run.
const PROGRAM: &str = "django-migrate";

/// Where to look, and who asks.
pub(super) struct Place<'a> {
    pub(super) runs: PathBuf,
    pub(super) root: &'a Path,
    /// The asking run, where it is one.
    pub(super) ours: Option<&'a str>,
    pub(super) host: &'a str,
    /// As Django names the database.
    pub(super) alias: &'a str,
    pub(super) database: Option<Asked<'a>>,
}

/// The database, where it can be asked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// `shop@db1:5432/shop`
    pub(super) target: &'a str,
    /// Its name.
    pub(super) name: &'a str,
    pub(super) session: &'a Session,
}

/// What the journals say.
#[derive(Debug, Default)]
pub(super) struct Journals {
    /// Cut off, the newest first.
    pub(super) cut_off: Vec<BrokenRun>,
    /// These, and those that ended in a failure, as far as they came to a migration.
    pub(super) not_ended_well: Vec<BrokenRun>,
}

/// Runs of this database that were cut off since the last one that ended well.
pub(super) async fn look(place: &Place<'_>) -> Result<Vec<Previous>, Failure> {
    let journals = journals(place).await?;
    let mut all = Vec::new();
    if let Some(database) = place.database {
        for run in journals.cut_off.into_iter().take(TOLD) {
            all.push(now(run, database, place.root).await?);
        }
    }
    Ok(all)
}

/// Django records a squash once all of the run is over; until then its replaced migrations stand for it.
pub(super) fn count_squashes(found: &mut [Previous], migrations: &[MigrationItem]) {
    for previous in found {
        for squash in migrations.iter().filter(|m| !m.replaces.is_empty()) {
            let recorded = |replaced: &String| {
                let id = replaced.split_once('.');
                id.is_some_and(|(app, name)| {
                    previous.recorded.contains(&MigrationId::new(app, name))
                })
            };
            if squash.replaces.iter().all(recorded) {
                let id = MigrationId::new(&squash.app, &squash.name);
                previous.recorded.insert(id);
            }
        }
    }
}

/// The same for who does not ask the database itself: who was cut off, and who tells what is true now.
pub(super) async fn cut_off(runs: &Path, django: &DjangoSettings, host: &str) -> Vec<String> {
    let root = django.root.as_path();
    let place = Place {
        runs: root.join(runs),
        root,
        ours: None,
        host,
        alias: &django.database,
        database: None,
    };
    let found = journals(&place).await.unwrap_or_default().cut_off;
    let told = |run: &BrokenRun| {
        format!(
            "note: {}; `django-migrate check` tells what is true of it now",
            resume::head(run)
        )
    };
    found.iter().take(TOLD).map(told).collect()
}

/// Reads the newest journals, back to the last run that applied its plan to the end.
pub(super) async fn journals(place: &Place<'_>) -> Result<Journals, Failure> {
    let mut found = Journals::default();
    let mut others_ended = false;
    for folder in RunFolder::newest(&place.runs, JOURNALS) {
        if Some(folder.id.as_str()) == place.ours {
            continue;
        }
        // of another version, or not readable for us
        let Some(run) = folder.read().ok().and_then(|lines| BrokenRun::of(&lines)) else {
            continue;
        };
        let elsewhere = |asked: Asked<'_>| run.target.as_deref().is_some_and(|t| t != asked.target);
        if run.alias != place.alias || place.database.is_some_and(elsewhere) {
            continue;
        }
        match run.exit_code {
            Some(0) if !run.dry_run => break,
            Some(code) => {
                others_ended = true;
                if run.dry_run || !run.reached_the_database() {
                    continue;
                }
                if code == UNKNOWN {
                    found.cut_off.push(run.clone());
                }
                found.not_ended_well.push(run);
            }
            None if is_over(&run, place).await? => {
                if run.reached_the_database() {
                    found.not_ended_well.push(run.clone());
                }
                if run.reached_the_database() || !others_ended {
                    found.cut_off.push(run);
                }
            }
            None => {}
        }
    }
    Ok(found)
}

/// Whether its process is gone: asked of this machine, or of the advisory lock where it ran on another.
async fn is_over(run: &BrokenRun, place: &Place<'_>) -> Result<bool, Failure> {
    if run.host == place.host {
        return Ok(!is_alive(run.pid));
    }
    // without the lock it had changed nothing, and nobody here can say whether it still waits
    match place.database {
        Some(asked) if run.locked => {
            Ok(lock::holding(asked.session).await?.as_ref() != Some(&run.run))
        }
        _ => Ok(false),
    }
}

fn is_alive(pid: u32) -> bool {
    if pid == std::process::id() {
        return false;
    }
    let there = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let there = there.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
    // its number may be another's by now
    let is_ours = std::fs::read(format!("/proc/{pid}/cmdline"))
        .ok()
        .is_none_or(|words| String::from_utf8_lossy(&words).contains(PROGRAM));
    there && is_ours
}

async fn now(run: BrokenRun, asked: Asked<'_>, root: &Path) -> Result<Previous, Failure> {
    let session = asked.session;
    let history = pgdriver::history::read(session)
        .await
        .map_err(|e| query_failure(&e))?;
    let rows = history.map(|history| history.rows).unwrap_or_default();
    let backends = left_behind(session, asked.name).await?;
    Ok(Previous {
        recorded: rows
            .iter()
            .map(|row| MigrationId::new(&row.app, &row.name))
            .collect(),
        found: resume::look(session, &Previous::asks(&run)).await?,
        backends: backends.into_iter().filter(|b| b.run == run.run).collect(),
        partials: partials(&run, root),
        run,
    })
}

/// Sessions of other runs' migrations in this database. Whoever holds the advisory lock knows that no such run is alive.
async fn left_behind(session: &Session, database: &str) -> Result<Vec<Backend>, Failure> {
    let sessions = activity::sessions(session)
        .await
        .map_err(|e| query_failure(&e))?;
    let pooled = session.behind_pooler();
    let of_migrate = |other: &SessionInfo| {
        let mut words = other
            .application
            .as_deref()?
            .strip_prefix(PROGRAM)?
            .split_whitespace();
        let (run, more) = (words.next()?, words.next());
        let detail = other.detail.seen();
        // a pooler keeps a connection, and its last name, for whoever comes next
        let rests = pooled && detail.is_some_and(|d| d.state.as_deref() == Some("idle"));
        let is_one = more.is_none() && other.database.as_deref() == Some(database) && !rests;
        is_one.then(|| Backend {
            pid: other.pid,
            run: run.to_owned(),
            what: what(other),
        })
    };
    Ok(sessions.iter().filter_map(of_migrate).collect())
}

fn what(session: &SessionInfo) -> String {
    match &session.detail {
        Permitted::NotPermitted => {
            "what it does is hidden from this role (pg_monitor would show it)".to_owned()
        }
        Permitted::Seen(detail) => {
            let state = detail.state.as_deref().unwrap_or("in an unknown state");
            let age = detail.query_age.unwrap_or_default();
            let query = one_line(&crate::sql::masked(&detail.query), QUERY);
            format!("{state} for {}: {query}", seconds(age.as_secs_f64()))
        }
    }
}

/// Waits until these sessions, which killed runs left behind, are gone. One that stays is at work like another run: 32.
pub(super) async fn wait_until_gone(
    asked: Asked<'_>,
    these: impl Fn(&Backend) -> bool,
) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let mut left = left_behind(asked.session, asked.name).await?;
        left.retain(&these);
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > GONE {
            return Err(still_at_work(&left));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn still_at_work(left: &[Backend]) -> Failure {
    let mut failure = Failure::new(
        Class::AnotherRun,
        "a run that was killed has left a session behind that is still at work on this database",
    );
    let mut ends = Vec::new();
    for backend in left {
        let said = format!("{} of run {}, {}", backend.pid, backend.run, backend.what);
        failure = failure.source("backend", said);
        ends.push(format!("SELECT pg_terminate_backend({});", backend.pid));
    }
    failure.hint(format!("wait for it to end, or end it: {}", ends.join(" ")))
}

/// Files of a backup that it never finished.
fn partials(run: &BrokenRun, root: &Path) -> Vec<String> {
    let Some(folder) = &run.backup_under_way else {
        return Vec::new();
    };
    let folder = root.join(folder);
    let began: Option<jiff::Timestamp> = run.started_at.parse().ok();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().ends_with(".partial");
        let modified = entry.metadata().and_then(|m| m.modified()).ok();
        let modified = modified.and_then(|at| jiff::Timestamp::try_from(at).ok());
        name && modified.zip(began).is_none_or(|(at, began)| at >= began)
    });
    let mut names: Vec<String> = ours
        .map(|entry| entry.path().display().to_string())
        .collect();
    names.sort();
    names
}
