//! The run that is meant, and what runs after it did.
//!
//! Absent here: what follows from it.

use std::path::Path;

use crate::commands::run::Leg;
use crate::event::Line;
use crate::exit::Class;
use crate::failure::Failure;
use crate::journal::RunFolder;
use crate::rollback::{Since, Undone};

/// Journals that are looked at.
const JOURNALS: usize = 300;

/// The run, and its successors.
pub(super) struct Found {
    pub(super) undone: Undone,
    pub(super) since: Since,
}

/// `latest`, and nothing named, is the newest run that reached the database: dry runs and rollbacks have no way back.
pub(super) fn find(runs: &Path, of: Option<&str>, leg: Leg) -> Result<Found, Failure> {
    let undone = match of {
        None | Some("latest") => latest(runs)?,
        Some(run) => read(&RunFolder::find(runs, run)?)?,
    };
    // its backup is one like any other
    if let (Some(of), Leg::Migrations) = (&undone.started.rolls_back, leg) {
        return Err(Failure::new(
            Class::Usage,
            format!("run {} is itself a rollback, of run {of}", undone.id()),
        )
        .hint("django-migrate run applies again what it took back"));
    }
    let since = since(runs, &undone);
    Ok(Found { undone, since })
}

fn read(folder: &RunFolder) -> Result<Undone, Failure> {
    Undone::of(&folder.read()?).ok_or_else(|| {
        let path = folder.path.display();
        Failure::new(
            Class::UnknownRun,
            format!("the journal of {path} does not begin with a run"),
        )
    })
}

fn latest(runs: &Path) -> Result<Undone, Failure> {
    let reached = RunFolder::newest(runs, JOURNALS)
        .iter()
        .filter_map(|folder| read(folder).ok())
        .find(|undone| undone.started.rolls_back.is_none() && undone.reached_the_database());
    reached.ok_or_else(|| {
        Failure::new(
            Class::UnknownRun,
            format!("no run in {} has come to a migration", runs.display()),
        )
        .hint("there is nothing to roll back; --run-dir names another folder")
    })
}

/// What cannot be read tells nothing.
fn since(runs: &Path, undone: &Undone) -> Since {
    let mut since = Since::default();
    for folder in RunFolder::newest(runs, JOURNALS) {
        if folder.id == undone.id() {
            break;
        }
        let Ok(lines) = folder.read() else { continue };
        if alias(&lines) == Some(&undone.started.database) {
            since.hear(&folder.id, &lines);
        }
    }
    since
}

fn alias(lines: &[Line]) -> Option<&String> {
    match &lines.first()?.kind {
        crate::event::EventKind::RunStarted(started) => Some(&started.database),
        _ => None,
    }
}
