//! DROP SCHEMA … CASCADE, DROP OWNED and DROP DATABASE.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Loss;

pub(super) const HAZARD: Hazard = Hazard {
    code: "drop-contents",
    title: "A schema, a role's objects or a database are dropped",
    happens: "Everything inside goes, whatever it is.",
    hurts: "Which tables and rows that destroys does not stand in the statement. They come back only from a backup.",
    safer: "Drop the tables one by one, by name, after a verified backup; then DROP SCHEMA without CASCADE, which fails where something is left.",
    bad: "RunSQL(\"DROP SCHEMA legacy CASCADE\")",
    good: "RunSQL(\"DROP TABLE legacy.item\"), then RunSQL(\"DROP SCHEMA legacy\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let losses = scene.statement.losses.iter();
    losses
        .filter_map(|loss| match loss {
            Loss::Contents { of } => Some(Fact::general(
                format!("everything in {of} is dropped"),
                HAZARD.safer,
            )),
            _ => None,
        })
        .collect()
}
