//! ALTER COLUMN … TYPE that may write the table anew.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Change, ScanReason};

pub(super) const HAZARD: Hazard = Hazard {
    code: "alter-column-type",
    title: "A column changes its type",
    happens: "Nearly every change of a type writes the whole table and its indexes anew under ACCESS EXCLUSIVE. Free are a longer varchar, varchar to text, a greater numeric precision of the same scale, unless a CHECK, a foreign key, or an index with an expression, a predicate or another collation has the column: these are made anew.",
    hurts: "Nobody can read the table meanwhile, and it needs its size again on disk.",
    safer: "Add a column of the new type, fill it in batches, switch the code over, drop the old one in a later deploy.",
    bad: "migrations.AlterField(\"item\", \"code\", models.BigIntegerField())",
    good: "AddField(\"item\", \"code_big\", BigIntegerField(null=True)), a batched data migration, RemoveField later",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let changes = scene.changes().filter_map(|(table, change)| match change {
        Change::AlterType { column, to, .. } if scene.works_on(table) => Some((table, column, to)),
        _ => None,
    });
    changes
        .map(|(table, column, to)| {
            let sized = scene.sized(table);
            let message = format!(
                "changing column {column} to {to} {}, while nobody can read it",
                what(scene, &sized)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}

fn what(scene: &Scene<'_>, sized: &str) -> String {
    let statement = scene.statement;
    let does = |wanted| {
        let mut reasons = statement.scan_reasons.values();
        reasons.any(|reasons| reasons.contains(&wanted))
    };
    if !statement.unknowns.is_empty() {
        return format!("may write all of {sized} anew");
    }
    if !statement.rewrites.is_empty() {
        return format!("writes all of {sized} anew");
    }
    match (does(ScanReason::IndexBuild), does(ScanReason::Verify)) {
        (true, true) => format!("builds indexes of {sized} anew and checks its rows"),
        (true, false) => format!("builds indexes of {sized} anew"),
        (false, true) => format!("checks all rows of {sized} again, for a CHECK of the column"),
        (false, false) => {
            format!("compares all rows of {sized} again, for a foreign key of the column")
        }
    }
}
