//! `--plan`: whether this is the plan that somebody read, and if not, what has become another since.
//!
//! The dry run that printed the fingerprint left a journal; held against it, the difference has a name. Pure, but for
//! [`journals`]. Absent here: what the fingerprint covers (see [`crate::plan`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::django::wire::{MigrationItem, MigrationState};
use crate::event::{EventKind, Line, Planned};
use crate::exit::Class;
use crate::failure::Failure;
use crate::journal::RunFolder;
use crate::names::MigrationId;
use crate::plan::{Direction, Plan, PlanStep};

/// Journals that are looked through for the plan.
const JOURNALS: usize = 100;
/// Migrations that are named for one reason.
const NAMED: usize = 5;

/// What the run folders know of a plan.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// As it was when its fingerprint was printed, and by which run.
    agreed: Option<(String, Planned)>,
    /// The newest run that applied, or began, a migration.
    by: BTreeMap<MigrationId, String>,
}

/// Looks for the plan of this fingerprint. What cannot be read tells nothing.
pub(super) fn journals(runs: &Path, ours: &str, fingerprint: &str) -> Known {
    let mut known = Known::default();
    for folder in RunFolder::newest(runs, JOURNALS) {
        if folder.id == ours {
            continue;
        }
        let Ok(lines) = folder.read() else { continue };
        for line in lines {
            known.hear(&folder.id, line, fingerprint);
        }
    }
    known
}

impl Known {
    /// Lines of the newest run come first.
    fn hear(&mut self, run: &str, line: Line, fingerprint: &str) {
        match line.kind {
            EventKind::Planned(plan) if plan.plan_fingerprint == fingerprint => {
                self.agreed.get_or_insert((run.to_owned(), plan));
            }
            EventKind::MigrationStarted { app, name, .. } => {
                let id = MigrationId::new(&app, &name);
                self.by.entry(id).or_insert_with(|| run.to_owned());
            }
            _ => {}
        }
    }
}

/// The end of a run whose plan is not the one of `asked`.
pub(super) fn another(
    asked: &str,
    plan: &Plan,
    migrations: &[MigrationItem],
    known: &Known,
) -> Failure {
    let failure = Failure::new(
        Class::PlanChanged,
        "this is another plan than the one that was agreed to",
    )
    .source("--plan", asked)
    .source("now", plan.fingerprint.clone());
    let Some((run, agreed)) = &known.agreed else {
        return failure
            .source("since then", "what changed is not known: no run folder here has printed that fingerprint")
            .hint(match plan.direction {
                Direction::Forward => "make a dry run here, with the same APP and MIGRATION, read what it shows, and pass its fingerprint",
                Direction::Back => "look at it without --apply, with the same RUN, read what it shows, and pass its fingerprint",
            });
    };
    let failure = failure.source("agreed in", format!("run {run}"));
    reasons(agreed, plan, migrations, &known.by)
        .into_iter()
        .fold(failure, |failure, (reason, which)| {
            failure.source(reason, which)
        })
        .hint("make a dry run, read what it shows, and pass its fingerprint")
}

fn reasons(
    agreed: &Planned,
    plan: &Plan,
    migrations: &[MigrationItem],
    by: &BTreeMap<MigrationId, String>,
) -> Vec<(&'static str, String)> {
    let then: Vec<(MigrationId, Option<&str>)> = agreed
        .migrations
        .iter()
        .map(|m| (MigrationId::new(&m.app, &m.name), m.sha256.as_deref()))
        .collect();
    let now: BTreeMap<&MigrationId, &PlanStep> = plan.steps.iter().map(|s| (&s.id, s)).collect();
    let state = |id: &MigrationId| {
        let one = |m: &&MigrationItem| m.app == id.app.0 && m.name == id.name.0;
        migrations.iter().find(one).map(|m| m.state)
    };
    let (mut applied, mut gone, mut unasked, mut edited) = (vec![], vec![], vec![], vec![]);
    for (id, sha256) in &then {
        match (now.get(id), state(id)) {
            (Some(step), _) if step.source_sha256.as_deref() != *sha256 => edited.push(id),
            (Some(_), _) => {}
            (None, Some(MigrationState::Pending)) if plan.direction == Direction::Back => {
                applied.push(id);
            }
            (None, Some(MigrationState::Applied | MigrationState::Squashed))
                if plan.direction == Direction::Forward =>
            {
                applied.push(id);
            }
            (None, None | Some(MigrationState::Missing)) => gone.push(id),
            (None, Some(_)) => unasked.push(id),
        }
    }
    let known: BTreeSet<&MigrationId> = then.iter().map(|(id, _)| id).collect();
    let new: Vec<&MigrationId> = plan.ids().filter(|id| !known.contains(id)).collect();
    let runs: BTreeSet<&str> = applied
        .iter()
        .filter_map(|id| by.get(*id).map(String::as_str))
        .collect();
    let whose = match runs.into_iter().next_back() {
        Some(run) => format!(", by run {run}"),
        None => ", and not by a run of this folder".to_owned(),
    };
    let mut reasons = vec![
        (plan.direction.done(), applied.as_slice(), whose.as_str()),
        ("edited", &edited, ": the file is another"),
        (
            "new",
            &new,
            match plan.direction {
                Direction::Forward => ", not pending then",
                Direction::Back => ", not to go back then",
            },
        ),
        ("gone", &gone, ", not in the project any more"),
        (
            "left out",
            &unasked,
            match plan.direction {
                Direction::Forward => ": APP or MIGRATION is another",
                Direction::Back => ": RUN is another",
            },
        ),
    ];
    reasons.retain(|(_, which, _)| !which.is_empty());
    if reasons.is_empty() {
        let same = then.iter().map(|(id, _)| id).eq(plan.ids());
        let why = match same {
            true => {
                "the same files now make other operations: another Django, or other code that they import"
            }
            false => "the same migrations, in another order",
        };
        return vec![("since then", why.to_owned())];
    }
    reasons
        .into_iter()
        .map(|(reason, which, why)| (reason, format!("{}{why}", named(which))))
        .collect()
}

fn named(which: &[&MigrationId]) -> String {
    let mut names: Vec<String> = which.iter().take(NAMED).map(ToString::to_string).collect();
    if let Some(more) = which.len().checked_sub(NAMED).filter(|n| *n > 0) {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::PlannedMigration;

    fn agreed(of: &[(&str, &str)]) -> Known {
        let migration = |(name, sha256): &(&str, &str)| PlannedMigration {
            app: "shop".to_owned(),
            name: (*name).to_owned(),
            atomic: true,
            sha256: Some((*sha256).to_owned()),
            operations: vec![],
            irreversible: vec![],
        };
        let planned = Planned {
            plan_fingerprint: "then".to_owned(),
            migrations: of.iter().map(migration).collect(),
            previous: BTreeMap::new(),
        };
        Known {
            agreed: Some(("20261123-1".to_owned(), planned)),
            by: BTreeMap::from([(MigrationId::new("shop", "0001"), "20261123-2".to_owned())]),
        }
    }

    fn plan(of: &[(&str, &str)]) -> Plan {
        let step = |(name, sha256): &(&str, &str)| PlanStep {
            id: MigrationId::new("shop", name),
            atomic: true,
            file: None,
            source_sha256: Some((*sha256).to_owned()),
            operations: vec![],
            lines: Vec::new(),
            irreversible: vec![],
        };
        Plan {
            direction: crate::plan::Direction::Forward,
            steps: of.iter().map(step).collect(),
            fingerprint: "now".to_owned(),
            previous: BTreeMap::new(),
        }
    }

    fn item(name: &str, state: MigrationState) -> MigrationItem {
        MigrationItem {
            app: "shop".into(),
            name: name.into(),
            state,
            replaces: vec![],
            dependencies: vec![],
        }
    }

    #[track_caller]
    fn check(then: &[(&str, &str)], now: &[(&str, &str)], expected: &[(&str, &str)]) {
        let items = [
            item("0001", MigrationState::Applied),
            item("0002", MigrationState::Pending),
            item("0003", MigrationState::Pending),
        ];
        let failure = another("then", &plan(now), &items, &agreed(then));
        assert_eq!(failure.code(), 11);
        let said: Vec<(&str, &str)> = failure.sources[3..]
            .iter()
            .map(|(reason, which)| (reason.as_str(), which.as_str()))
            .collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn each_difference_has_its_name() {
        let a = [("0001", "a"), ("0002", "b")];
        check(
            &a,
            &[("0002", "b")],
            &[("applied", "shop.0001, by run 20261123-2")],
        );
        check(
            &[("0002", "b")],
            &[("0002", "x"), ("0003", "c")],
            &[
                ("edited", "shop.0002: the file is another"),
                ("new", "shop.0003, not pending then"),
            ],
        );
        check(
            &[("0002", "b"), ("0003", "c"), ("0009", "d")],
            &[("0002", "b")],
            &[
                ("gone", "shop.0009, not in the project any more"),
                ("left out", "shop.0003: APP or MIGRATION is another"),
            ],
        );
        let order = [("since then", "the same migrations, in another order")];
        check(
            &[("0003", "c"), ("0002", "b")],
            &[("0002", "b"), ("0003", "c")],
            &order,
        );
    }

    #[test]
    fn a_plan_that_nobody_here_printed_is_said_to_be_unknown() {
        let failure = another("then", &plan(&[("0002", "b")]), &[], &Known::default());
        assert!(
            failure.sources[2].1.contains("not known"),
            "{:?}",
            failure.sources
        );
    }
}
