//! REFRESH MATERIALIZED VIEW without CONCURRENTLY.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Method};

pub(super) const HAZARD: Hazard = Hazard {
    code: "refresh-view",
    title: "A materialized view is filled anew",
    happens: "The whole query runs while the view is locked ACCESS EXCLUSIVE.",
    hurts: "Nobody can read the view meanwhile.",
    safer: "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on the view; outside of migrations where possible.",
    bad: "RunSQL(\"REFRESH MATERIALIZED VIEW shop_sales\")",
    good: "RunSQL(\"REFRESH MATERIALIZED VIEW CONCURRENTLY shop_sales\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let refreshed = scene.actions().filter_map(|action| match action {
        Action::Refresh {
            view,
            method: Method::Plain,
            ..
        } => Some(view),
        _ => None,
    });
    refreshed
        .map(|view| {
            Fact::new(
                view,
                format!(
                    "{} is filled anew while nobody can read it",
                    scene.sized(view)
                ),
                HAZARD.safer,
            )
        })
        .collect()
}
