//! DO blocks that hold words such as DROP TABLE.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Loss;

pub(super) const HAZARD: Hazard = Hazard {
    code: "destructive-code",
    title: "Code holds destructive statements",
    happens: "A DO block runs whatever it decides to; this one holds words that drop or empty something.",
    hurts: "Whether and what it destroys is known only when it has run.",
    safer: "Write the statements as they are, so that they can be read, counted and confirmed.",
    bad: "RunSQL(\"DO $$ BEGIN EXECUTE 'DROP TABLE ' || name; END $$\")",
    good: "RunSQL(\"DROP TABLE IF EXISTS shop_old\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let losses = scene.statement.losses.iter();
    losses
        .filter_map(|loss| match loss {
            Loss::Code { words } => Some(Fact::general(
                format!("its code holds {words}"),
                HAZARD.safer,
            )),
            _ => None,
        })
        .collect()
}
