//! Why a restore did not come to its end: `dumper`'s failures as classes, words and what is true of the database.
//!
//! Pure. Absent here: errors that were passed over; they are no end.

use dumper::{Left, RestoreError, RestoreFailure, RestoreRequest, Target};

use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::gates;
use crate::signal::Asked;

pub(super) fn failure(error: &RestoreError, request: &RestoreRequest) -> Failure {
    let failure = Failure::new(class(error), error.to_string())
        .source("server", super::told::server(&request.connection))
        .changed(changed(error));
    match hint(error, request).or_else(|| error.hint()) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// What is left is said, and whether that is a change.
pub(super) fn interrupted(error: &RestoreError, asked: Asked) -> Failure {
    let mut failure = asked.failure().changed(changed(error));
    failure.message = format!("{}; {}", failure.message, left(error.left()));
    failure.hint = Some(
        match error.left() {
            Left::Nothing => "run it again when you are ready: it starts from the beginning",
            Left::Part { .. } | Left::Unknown { .. } => {
                "look at that database, or drop it, before you run it again"
            }
        }
        .to_owned(),
    );
    failure
}

fn left(left: &Left) -> String {
    match left {
        Left::Nothing => "nothing of the restore is left on the server".to_owned(),
        Left::Part { database, holds } => format!("database \"{database}\" is not whole: {holds}"),
        Left::Unknown { database } => format!("what database \"{database}\" holds is not known"),
    }
}

fn changed(error: &RestoreError) -> Changed {
    match error.changed() {
        dumper::Changed::No => Changed::No,
        dumper::Changed::Yes => Changed::Yes,
        dumper::Changed::Unknown => Changed::Unknown,
    }
}

/// One `match` without `_`.
fn class(error: &RestoreError) -> Class {
    use RestoreFailure as F;
    match error.failure() {
        F::Usage(_) => Class::Usage,
        F::Archive(error) if error.is_unopened() => Class::Usage,
        F::Archive(_) => Class::BackupUnverified,
        F::Dump { .. } | F::OfAServer(_) => Class::RestoreDumpRefused,
        // before anything was loaded it is a connection like any other
        F::Connect(connect) if error.changed() == dumper::Changed::No => {
            gates::connect_class(connect.kind())
        }
        F::Connect(_) | F::ConnectionLost { .. } => Class::RestoreConnectionLost,
        F::Pooler { .. } => Class::Pooler,
        F::Missing { .. } => Class::RestoreNeedsMissing,
        F::Target { class, .. } => target_class(class),
        F::Statement(_) => Class::RestoreFailed,
        F::Query(query) if query.is_permission_denied() => Class::Privilege,
        F::Query(_) => Class::RestoreFailed,
        F::Interrupted => Class::Interrupted,
    }
}

/// `dumper` names what is wrong with a target.
fn target_class(name: &str) -> Class {
    match name {
        "restore-target-not-empty" => Class::RestoreTargetNotEmpty,
        "restore-target-in-use" => Class::RestoreTargetInUse,
        // it exists by now, it is gone by now, or the old one could not be dropped
        _ => Class::RestoreTargetRefused,
    }
}

fn hint(error: &RestoreError, request: &RestoreRequest) -> Option<String> {
    match (error.failure(), &request.target) {
        (RestoreFailure::Statement(_), Target::New | Target::Replace(_)) => Some(
            "--keep-unfinished leaves the unfinished database to look at; --keep-going passes errors over, and still \
             ends with 70"
                .to_owned(),
        ),
        (RestoreFailure::Query(query), _) if query.is_permission_denied() => Some(
            "a new database needs a role with CREATEDB; an empty one that is there already, a role that may create in it"
                .to_owned(),
        ),
        _ => None,
    }
}
