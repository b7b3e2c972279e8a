//! A backup brought back: the edge around `dumper::restore`, for the commands `restore` and `rollback`.
//!
//! `server` says what stands under the name that is wanted, `told` has the events, `refused` what a failure is, `history`
//! what the restored database is to the project. Absent here: questions to the user.

mod history;
mod refused;
mod server;
mod told;

use dumper::{Manifest, RestoreFailure, RestoreRequest};

pub(crate) use history::{Compared, compare};
pub(crate) use server::{Standing, Stands};
pub(crate) use told::{Totals, tell};

use crate::event::{EventKind, NoteLevel, RestoreErred, RestoreFinished};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::reporter::Reporter;
use crate::signal::{Asked, Signals};
use crate::ui;

/// What came of a restore that was not broken off. That it came to its end does not make it a success.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) restored: RestoreFinished,
    /// Errors that were passed over, or rows that are not those of the manifest.
    pub(crate) failure: Option<Failure>,
}

/// A restore that was broken off.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) failure: Failure,
    /// The statement that ended it.
    pub(crate) at: Option<RestoreErred>,
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        broken.failure
    }
}

/// Restores, and tells the reporter.
pub(crate) async fn restore(
    request: &RestoreRequest,
    manifest: Option<&Manifest>,
    reporter: &Reporter,
    signals: &Signals,
) -> Result<Outcome, Broken> {
    reporter.emit(EventKind::RestoreStarted(told::started(request)));
    let totals = told::Totals::of(manifest);
    let stop = async {
        signals.more_than(Asked::default()).await;
    };
    let hear = |progress| told::tell(&progress, &totals, reporter);
    let restored = dumper::restore(request, hear, stop).await;
    let restored = restored.map_err(|error| Broken {
        at: match error.failure() {
            RestoreFailure::Statement(at) => Some(told::erred(at)),
            _ => None,
        },
        failure: match error.is_interrupted() {
            true => refused::interrupted(&error, signals.asked()),
            false => refused::failure(&error, request),
        },
    })?;
    let restored = told::finished(restored);
    for message in restored.skipped.iter().chain(&restored.notes) {
        let level = NoteLevel::Note;
        let message = message.clone();
        reporter.emit(EventKind::Note { level, message });
    }
    reporter.emit(EventKind::RestoreFinished(restored.clone()));
    let failure = incomplete(&restored);
    Ok(Outcome { restored, failure })
}

/// Errors ignored are never success.
fn incomplete(restored: &RestoreFinished) -> Option<Failure> {
    let database = &restored.database;
    let failed = |class, message| Failure::new(class, message).changed(Changed::Yes);
    if !restored.errors.is_empty() {
        let n = ui::count(restored.errors.len() as u64, "statement");
        let message = format!("{n} of the dump failed and {database} is without them");
        return Some(failed(Class::RestoreErrorsKeptGoing, message).hint(
            "each is listed above with its line; drop the database and restore again once what they need is there",
        ));
    }
    if !restored.differences.is_empty() {
        let list: Vec<String> = restored
            .differences
            .iter()
            .map(|d| format!("\n  {d}"))
            .collect();
        let message = format!(
            "{database} is not what the backup's manifest says{}",
            list.concat()
        );
        return Some(
            failed(Class::RestoreRowsDiffer, message)
                .hint("do not rely on this database; `django-migrate backup verify` says whether the file is whole"),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_passed_over_is_no_success() {
        let mut restored = RestoreFinished {
            database: "shop".into(),
            ..RestoreFinished::default()
        };
        assert!(incomplete(&restored).is_none());
        restored.differences = vec!["rows of public.a: 1, expected 2".into()];
        let failure = incomplete(&restored).expect("a failure");
        assert_eq!(
            (failure.class, failure.code()),
            (Class::RestoreRowsDiffer, 70)
        );
        assert!(
            failure.message.contains("expected 2"),
            "{}",
            failure.message
        );
        restored.errors = vec![RestoreErred {
            line: 1,
            sqlstate: "42P01".into(),
            message: "m".into(),
            detail: None,
            hint: None,
            statement: "s".into(),
        }];
        let failure = incomplete(&restored).expect("a failure");
        assert_eq!(failure.class, Class::RestoreErrorsKeptGoing);
        assert_eq!((failure.code(), failure.changed), (70, Changed::Yes));
    }
}
