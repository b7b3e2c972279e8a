//! VACUUM FULL, CLUSTER, SET TABLESPACE, LOGGED, UNLOGGED, ACCESS METHOD, SET EXPRESSION.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Change};

pub(super) const HAZARD: Hazard = Hazard {
    code: "rewrite-table",
    title: "A table is written anew",
    happens: "The whole table and its indexes are copied into new files under ACCESS EXCLUSIVE.",
    hurts: "Nobody can read the table meanwhile, and it needs its size again on disk.",
    safer: "Do it outside a deploy, in a maintenance window; to regain space, pg_repack works without the long lock.",
    bad: "RunSQL(\"VACUUM FULL shop_item\")",
    good: "pg_repack -t shop_item, outside of migrations",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let rewritten = scene.actions().filter_map(|action| match action {
        Action::Repack { table, .. } => table.as_ref(),
        Action::AlterTable {
            table,
            change: Change::Rewrite { .. } | Change::SetExpression { .. },
            ..
        } => Some(table),
        _ => None,
    });
    rewritten
        .filter(|table| scene.works_on(table))
        .map(|table| {
            let message = format!(
                "all of {} is written anew, while nobody can read it",
                scene.sized(table)
            );
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}
