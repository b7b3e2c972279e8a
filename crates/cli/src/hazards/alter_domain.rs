//! ALTER DOMAIN that reads the tables with columns of it.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Action;

pub(super) const HAZARD: Hazard = Hazard {
    code: "alter-domain",
    title: "A domain gets a constraint that is checked at once",
    happens: "Every table with a column of the domain is locked SHARE and read in full.",
    hurts: "Nobody can write to any of these tables meanwhile, and until the migration commits. One bad value makes the migration fail.",
    safer: "ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in the next migration, which lets writers go on. For SET NOT NULL: a CHECK (VALUE IS NOT NULL), so.",
    bad: "RunSQL(\"ALTER DOMAIN sku ADD CONSTRAINT sku_long CHECK (length(VALUE) > 3)\")",
    good: "RunSQL(\"ALTER DOMAIN sku ADD CONSTRAINT sku_long CHECK (length(VALUE) > 3) NOT VALID\"), VALIDATE CONSTRAINT in the next",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let verified = scene.actions().find_map(|action| match action {
        Action::AlterDomain {
            domain,
            verifies: true,
            ..
        } => Some(domain),
        _ => None,
    });
    let Some(domain) = verified else {
        return Vec::new();
    };
    let read = scene.statement.scans.iter();
    read.filter(|table| !scene.is_new(table))
        .map(|table| {
            let message = format!(
                "{} has values of the domain {domain} and is read in full, while nobody can write to it",
                scene.sized(table)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
