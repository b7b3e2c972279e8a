//! Statements that PostgreSQL refuses inside a transaction.

use super::scene::{Fact, Scene};
use super::{Atomic, Hazard};

pub(super) const HAZARD: Hazard = Hazard {
    code: "not-in-transaction",
    title: "This cannot run inside a transaction",
    happens: "PostgreSQL refuses CONCURRENTLY, VACUUM, CREATE DATABASE and their like inside a transaction, and Django runs a migration in one unless it says atomic = False.",
    hurts: "The migration fails, always.",
    safer: "Set atomic = False on the migration and let it hold nothing else; AddIndexConcurrently and RemoveIndexConcurrently from django.contrib.postgres.operations want that too.",
    bad: "class Migration: operations = [AddIndexConcurrently(…)]",
    good: "class Migration: atomic = False; operations = [AddIndexConcurrently(…)]",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    if scene.statement.transactional || scene.atomic == Atomic::No {
        return Vec::new();
    }
    let message =
        "PostgreSQL refuses this statement inside a transaction, and this migration runs in one";
    vec![Fact::general(message, HAZARD.safer)]
}
