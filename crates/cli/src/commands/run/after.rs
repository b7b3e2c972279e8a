//! Steps 5 and 6: what is true after applying, and the project's own tests.
//!
//! Absent here: the comparison (see [`crate::verify`]) and how a test run is read (see [`crate::project_tests`]).

use std::path::Path;

use super::Run;
use super::pending::Pending;
use crate::commands::steps;
use crate::database::Reach;
use crate::django::wire::Part;
use crate::django::{ProjectFacts, Scrubber};
use crate::event::EventKind;
use crate::execute::Applied;
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::project_tests::{self, Choice, OnDisk, Place, State, Surroundings};
use crate::verify::{self, Comparison, Leftovers};

impl Run<'_> {
    /// Step 5, in a fresh process: what step 1 read is not believed any more.
    pub(super) async fn verify(&self, pending: &Pending, applied: &Applied) -> Result<(), Failure> {
        self.working("reading the project again");
        let parts = [
            Part::Checks,
            Part::Graph,
            Part::Drift,
            Part::Schema,
            Part::Queries,
        ];
        let after =
            steps::inspect(self.django, &self.settings.target, &parts, self.context).await?;
        let observer = pending.observed.reach.observer().await?;
        let leftovers = Leftovers::read(&observer).await?;
        let checks = verify::compare(&Comparison {
            plan: &pending.plan,
            before: &pending.facts,
            after: &after,
            leftovers_before: &pending.leftovers,
            leftovers_after: &leftovers,
            warnings: &applied.warnings,
        });
        self.reporter.emit(EventKind::Verified {
            checks: checks.clone(),
        });
        verify::failure(&checks, pending.plan.direction).map_or(Ok(()), Err)
    }

    /// Step 6. They get databases of their own on servers that are named first; one that is there already is kept.
    pub(super) async fn tests(&self, pending: &Pending) -> Result<(), Failure> {
        let command = match self.test_command(&pending.facts) {
            Choice::Run(command) => command,
            Choice::Skipped => return self.no_tests("skipped", "--skip-tests"),
            Choice::NoneFound => {
                return self.no_tests(
                    "none",
                    "no tests found in the project's own apps or in tests/",
                );
            }
        };
        let reach = &pending.observed.reach;
        let places = self.test_places(&pending.facts, reach).await?;
        safe(&places)?;
        let shown = self.typed(&command.text());
        self.reporter.emit(EventKind::TestsStarted {
            command: format!("{shown} ({})", command.found_by),
            databases: places.iter().map(Place::event).collect(),
        });
        let around = Surroundings {
            root: &self.django.project.root,
            settings_module: self.settings.django.settings.as_deref(),
            pythonpath: self.settings.django.pythonpath.as_deref(),
            shown: &shown,
            timeout: self.settings.tests.timeout,
            log: &self.folder.path.join("tests.log"),
            secrets: &secrets(&pending.facts, reach),
            reporter: self.reporter,
            signals: &self.context.signals,
        };
        project_tests::run(&command, &around).await
    }

    /// A command with what lies below the project's root written as one types it there.
    fn typed(&self, command: &str) -> String {
        command.replace(&format!("{}/", self.django.project.root.display()), "")
    }

    fn no_tests(&self, outcome: &str, why: &str) -> Result<(), Failure> {
        self.reporter
            .emit(EventKind::TestsFinished(project_tests::not_run(
                outcome, why,
            )));
        Ok(())
    }

    pub(super) fn test_command(&self, facts: &ProjectFacts) -> Choice {
        let files = OnDisk {
            root: &self.django.project.root,
            apps: own_apps(facts),
        };
        let entry = (self.settings.django.entry.is_none()).then_some("manage.py");
        project_tests::choose(
            &self.settings.tests,
            &self.django.python.words,
            entry,
            &files,
        )
    }

    /// Where the tests would go, and whether something is there.
    pub(super) async fn test_places(
        &self,
        facts: &ProjectFacts,
        reach: &Reach,
    ) -> Result<Vec<Place>, Failure> {
        let places = project_tests::places(facts, reach);
        self.context
            .signals
            .or_stop(async { Ok(places.await) })
            .await
    }
}

/// Tests delete what has their database's name. What is there stays, and what cannot be known is not risked.
fn safe(places: &[Place]) -> Result<(), Failure> {
    let unsafe_ones: Vec<String> = places.iter().filter_map(objection).collect();
    if unsafe_ones.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(Class::TestsUnsafe, unsafe_ones.join("\n")).changed(Changed::Yes);
    let exists = places.iter().any(|p| p.state == State::Exists);
    Err(failure.hint(if exists {
        "drop it if nobody needs it, name other tests with --test-command, or say --skip-tests"
    } else {
        "let this machine reach that server, or run the tests elsewhere and say --skip-tests"
    }))
}

/// Why the tests must not run there.
pub(super) fn objection(place: &Place) -> Option<String> {
    let Place {
        alias,
        server,
        database,
        state,
    } = place;
    match state {
        State::Free => None,
        State::Exists => Some(format!(
            "the database `{database}` exists already on {server} (alias {alias}): the tests would delete it"
        )),
        State::Unknown(why) => Some(format!(
            "whether the database `{database}` exists on {server} (alias {alias}) cannot be checked: {why}"
        )),
    }
}

/// What the tests know and nobody else may read.
fn secrets(facts: &ProjectFacts, reach: &Reach) -> Scrubber {
    let mut scrubber = Scrubber::of_process();
    let passwords = facts.databases.iter().filter_map(|d| d.password.as_ref());
    for password in passwords.chain(reach.options().password()) {
        scrubber.add(password.expose());
    }
    scrubber
}

fn own_apps(facts: &ProjectFacts) -> Vec<&Path> {
    let apps = facts.django.iter().flat_map(|d| &d.apps);
    apps.filter(|app| app.own)
        .map(|app| Path::new(app.path.as_str()))
        .collect()
}
