//! Step 5 of a rollback, in a fresh process: what step 1 read is not believed any more.

use super::WayBack;
use crate::commands::run::Pending;
use crate::commands::steps;
use crate::django::wire::Part;
use crate::event::EventKind;
use crate::execute::Applied;
use crate::failure::Failure;
use crate::verify::{self, Comparison, Leftovers};

impl WayBack<'_> {
    pub(super) async fn verify(&self, pending: &Pending, applied: &Applied) -> Result<(), Failure> {
        let run = &self.run;
        run.working("reading the project again");
        let parts = [
            Part::Checks,
            Part::Graph,
            Part::Drift,
            Part::Schema,
            Part::Queries,
        ];
        let target = &run.settings.target;
        let after = steps::inspect(run.django, target, &parts, run.context).await?;
        let observer = pending.observed.reach.observer().await?;
        let leftovers = Leftovers::read(&observer).await?;
        let checks = verify::compare_back(&Comparison {
            plan: &pending.plan,
            before: &pending.facts,
            after: &after,
            leftovers_before: &pending.leftovers,
            leftovers_after: &leftovers,
            warnings: &applied.warnings,
        });
        run.reporter.emit(EventKind::Verified {
            checks: checks.clone(),
        });
        verify::failure(&checks, pending.plan.direction).map_or(Ok(()), Err)
    }
}
