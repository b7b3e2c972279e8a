//! CASCADE.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Loss;

pub(super) const HAZARD: Hazard = Hazard {
    code: "cascade",
    title: "CASCADE drops what depends on the object",
    happens: "Views, foreign keys of other tables, and with types, functions and extensions even columns go as well, without being named.",
    hurts: "What is lost does not stand in the statement, and PostgreSQL tells it only in a notice.",
    safer: "Leave CASCADE away: the statement then fails and names what depends on the object, which can be dropped by name. Django itself writes it for DROP TABLE, and up to 5.2 for DROP COLUMN.",
    bad: "RunSQL(\"DROP TYPE mood CASCADE\")",
    good: "RunSQL(\"DROP TYPE mood\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let losses = scene.statement.losses.iter();
    losses
        .filter_map(|loss| match loss {
            Loss::Dependents { of } => Some(Fact::general(
                format!("CASCADE: what depends on {of} goes too"),
                HAZARD.safer,
            )),
            Loss::Victim { what } => Some(Fact::general(
                format!("CASCADE: {what} goes too"),
                HAZARD.safer,
            )),
            _ => None,
        })
        .collect()
}
