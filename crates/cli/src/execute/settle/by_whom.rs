//! Who did what of the plan is done by the history.

use super::{lost, open};
use crate::execute::progress::{Commit, Progress};
use crate::failure::Failure;
use crate::names::MigrationId;
use crate::plan::Plan;

/// What of the plan is recorded, or gone on the way back: a plain `migrate` beside this run may have done some of it.
#[derive(Debug, Default)]
pub(super) struct ByWhom<'a> {
    pub(super) us: Vec<&'a MigrationId>,
    pub(super) others: Vec<&'a MigrationId>,
}

impl<'a> ByWhom<'a> {
    pub(super) fn of(recorded: &'a [MigrationId], plan: &Plan, progress: &Progress) -> Self {
        let told: Vec<&MigrationId> = plan.ids().take(progress.applied).collect();
        let arrived = open(progress).filter(|current| match current.commit {
            Commit::Sent | Commit::Arrived => true,
            // whoever saw it fail has not recorded it
            Commit::NotSent => !current.atomic && lost(progress),
        });
        let (us, others) = recorded
            .iter()
            .partition(|id| told.contains(id) || arrived.is_some_and(|c| c.id == **id));
        Self { us, others }
    }

    pub(super) fn told(&self, failure: Failure, plan: &Plan) -> Failure {
        let all = plan.steps.len();
        let failure = failure.source(
            plan.direction.done(),
            format!("{} of {all} migrations of the plan", self.us.len()),
        );
        if self.others.is_empty() {
            return failure;
        }
        let others: Vec<String> = self.others.iter().map(ToString::to_string).collect();
        let name = format!("{} by somebody else meanwhile", plan.direction.done());
        failure.source(&name, others.join(", "))
    }
}

/// What the history has of the migration that was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// Nothing, or nobody could be asked.
    NotRecorded,
    /// Its commit arrived though nobody was told so.
    RecordedByUs,
    RecordedByOthers,
}

impl Open {
    pub(super) fn of(progress: &Progress, by: Option<&ByWhom<'_>>) -> Self {
        match (open(progress), by) {
            (Some(c), Some(by)) if by.us.contains(&&c.id) => Self::RecordedByUs,
            (Some(c), Some(by)) if by.others.contains(&&c.id) => Self::RecordedByOthers,
            _ => Self::NotRecorded,
        }
    }
}

/// Migrations of the plan that this run applied though Python did not live to say so.
pub(in crate::execute) fn arrived<'a>(
    plan: &Plan,
    progress: &Progress,
    recorded: &'a [MigrationId],
) -> Option<&'a MigrationId> {
    let by = ByWhom::of(recorded, plan, progress);
    let open = open(progress)?;
    by.us.into_iter().find(|id| **id == open.id)
}
