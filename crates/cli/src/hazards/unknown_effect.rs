//! What is not known of a statement's effect.

use super::Hazard;
use super::scene::{Fact, Scene};

pub(super) const HAZARD: Hazard = Hazard {
    code: "unknown-effect",
    title: "Part of the effect is not known",
    happens: "The text of the statement does not show everything that it locks, reads or changes.",
    hurts: "What is not known may be what hurts.",
    safer: "Run the preview with a connection, which answers most of these questions; else look at the objects that the message names.",
    bad: "RunSQL(\"SELECT rebuild_everything()\")",
    good: "RunSQL with the statements that the function would execute",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let statement = scene.statement;
    // a statement that could not be read says so itself
    if !statement.parsed {
        return Vec::new();
    }
    // who has a connection already is not told to make one
    let remedy = if scene.known.has_catalog() {
        "Look at the objects that the message names: the catalog of the database does not tell it."
    } else {
        HAZARD.safer
    };
    let unknowns = statement.unknowns.iter();
    unknowns
        .map(|what| Fact::general(format!("it is not known {what}"), remedy))
        .collect()
}
