//! What a run that was cut off left behind, and what of it need not run again. A journal and the catalog in, words and
//! proofs out; all but [`look`] and [`foresee`] is pure.
//!
//! A statement outside a transaction that came to its end stays; Django knows nothing of it and would run it again. Only
//! what the catalog proves whole counts as done, and never because a journal says so alone.
//!
//! Absent here: finding the journals (see `commands::previous`).

mod broken;
mod claim;
mod foresee;
mod look;
mod previous;
mod stands;

pub(crate) use broken::{BrokenRun, Cut, Past, Stated};
pub(crate) use claim::{Asked, Claim, Object, claims};
pub(crate) use foresee::{finding as index_in_the_way, foresee};
pub(crate) use look::look;
pub(crate) use previous::{Backend, Previous, head};
pub(crate) use stands::{Found, Standing, drop_index, standing};

use crate::names::MigrationId;

/// That a statement's work is there, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof(pub(crate) String);

/// What is known of a statement that an earlier run of the very same migration has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Before {
    /// It need not run again.
    Done(Proof),
    /// Its INVALID index is in the way; the command that takes it out.
    Leftover { index: String, way_out: String },
}

/// What earlier runs have to do with a statement that is about to run outside a transaction; none where they have
/// nothing. `earlier` are runs that did not end well, the newest first; `sha256` is that of the migration's file now.
pub(crate) fn before(
    earlier: &[BrokenRun],
    id: &MigrationId,
    sha256: Option<&str>,
    sql: &str,
    found: &Found,
) -> Option<Before> {
    let met: Vec<(&BrokenRun, &Stated)> = earlier
        .iter()
        .filter_map(|run| {
            let cut = run.migrations.iter().find(|cut| cut.id == *id)?;
            let same = !cut.atomic && cut.sha256.is_some() && cut.sha256.as_deref() == sha256;
            let stated = cut.statements.iter().rfind(|s| bare(&s.sql) == bare(sql));
            same.then_some(run).zip(stated)
        })
        .collect();
    if met.is_empty() {
        return None;
    }
    let claims = claims(sql)?;
    if let Some(before) = claims.iter().find_map(|claim| leftover(claim, found)) {
        return Some(before);
    }
    // a later run may have met what an earlier one made, and proves nothing by that
    let proven = |(run, stated): &&(&BrokenRun, &Stated)| {
        !claims.is_empty() && claims.iter().all(|claim| proves(claim, stated, run, found))
    };
    // a run that skipped it has not done it, and knew who had
    let by_itself = met.iter().filter(proven).find(|(_, s)| s.skipped.is_none());
    let (run, stated) = by_itself.or_else(|| met.iter().find(proven))?;
    if let Some(proof) = &stated.skipped {
        return Some(Before::Done(Proof(proof.clone())));
    }
    let there: Vec<String> = claims.iter().map(|c| c.object.to_string()).collect();
    let state = if claims.iter().all(|c| c.asked == Asked::Gone) {
        "is gone"
    } else {
        "is there and whole"
    };
    Some(Before::Done(Proof(format!(
        "{} {state}, from run {}",
        there.join(", "),
        run.run
    ))))
}

/// Without what ends it: a preview has the semicolon that Django does not send.
fn bare(sql: &str) -> &str {
    sql.trim().trim_end_matches(';').trim_end()
}

fn leftover(claim: &Claim, found: &Found) -> Option<Before> {
    match (&claim.object, standing(claim, found)) {
        (Object::Index { index, .. }, Standing::Invalid { in_progress: false }) => {
            Some(Before::Leftover {
                index: index.to_string(),
                way_out: drop_index(index),
            })
        }
        _ => None,
    }
}

/// A statement that failed at once because its object was there before it proves nothing by that object.
fn proves(claim: &Claim, stated: &Stated, run: &BrokenRun, found: &Found) -> bool {
    if standing(claim, found) != Standing::AsAsked {
        return false;
    }
    match &claim.object {
        // whoever validated it, it is validated
        Object::Validated { .. } => true,
        Object::Index { .. } if !stated.finished => {
            claim.asked == Asked::There && run.was_in(stated) && found.defines(claim, &stated.sql)
        }
        _ => stated.finished,
    }
}

#[cfg(test)]
mod tests;
