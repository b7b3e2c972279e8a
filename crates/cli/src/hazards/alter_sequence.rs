//! ALTER SEQUENCE.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Action;

pub(super) const HAZARD: Hazard = Hazard {
    code: "alter-sequence",
    title: "A sequence is altered",
    happens: "ALTER SEQUENCE keeps nextval() waiting until the migration commits.",
    hurts: "Inserts into the table of the sequence wait as well.",
    safer: "Keep it in a short migration of its own.",
    bad: "operations = [RunSQL(\"ALTER SEQUENCE … RESTART\"), RunPython(fill)]",
    good: "RunSQL(\"ALTER SEQUENCE … RESTART\") alone in its migration",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let altered = scene.actions().filter_map(|action| match action {
        Action::AlterSequence { sequence, .. } => Some(sequence),
        _ => None,
    });
    altered
        .map(|sequence| {
            Fact::new(
                sequence,
                format!("nextval() of {sequence}, so inserts, wait until the commit"),
                HAZARD.safer,
            )
        })
        .collect()
}
