//! A statement that the reader does not understand.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Action;

pub(super) const HAZARD: Hazard = Hazard {
    code: "unreadable-statement",
    title: "A statement that could not be read",
    happens: "The SQL is not understood, so nothing is known of what it locks, rewrites or destroys.",
    hurts: "It may do anything: a table lock, a rewrite, a loss of data.",
    safer: "Read it yourself, try it on a copy, and put it into a RunSQL of its own, so that nothing else hides behind it.",
    bad: "RunSQL(\"FROBNICATE shop_item\")",
    good: "RunSQL(\"ALTER TABLE shop_item SET (fillfactor = 80)\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let unread = scene
        .statement
        .actions
        .iter()
        .filter(|action| matches!(action, Action::Unread { .. }));
    unread
        .take(1)
        .map(|action| Fact {
            message: "this statement could not be read, so nothing is known of what it does"
                .to_owned(),
            remedy: HAZARD.safer.into(),
            relation: action.subject().cloned(),
        })
        .collect()
}
