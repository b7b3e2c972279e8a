//! Steps 5 and 6: what is true after applying, and the project's own tests.
//!
//! Absent here: the comparison (see [`crate::verify`]) and how a test run is read (see [`crate::project_tests`]).

use std::path::Path;

use super::Run;
use super::pending::Pending;
use crate::commands::steps;
use crate::database;
use crate::django::ProjectFacts;
use crate::django::wire::Part;
use crate::event::EventKind;
use crate::execute::Applied;
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::project_tests::{self, Choice, OnDisk, Surroundings};
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
        verify::failure(&checks).map_or(Ok(()), Err)
    }

    /// Step 6. They get a database of their own on a server that is named first; one that is there already is kept.
    pub(super) async fn tests(&self, pending: &Pending) -> Result<(), Failure> {
        let files = OnDisk {
            root: &self.django.project.root,
            apps: own_apps(&pending.facts),
        };
        let entry = (self.settings.django.entry.is_none()).then_some("manage.py");
        let command = match project_tests::choose(
            &self.settings.tests,
            &self.django.python.words,
            entry,
            &files,
        ) {
            Choice::Run(command) => command,
            Choice::Skipped => return self.no_tests("skipped", "--skip-tests"),
            Choice::NoneFound => {
                return self.no_tests(
                    "none",
                    "no tests found in the project's own apps or in tests/",
                );
            }
        };
        let database = self.test_database(pending).await?;
        self.reporter.emit(EventKind::TestsStarted {
            command: format!("{} ({})", self.typed(&command.text()), command.found_by),
            server: pending.observed.reach.describe(),
            database,
        });
        let around = Surroundings {
            root: &self.django.project.root,
            settings_module: self.settings.django.settings.as_deref(),
            shown: &self.typed(&command.text()),
            timeout: self.settings.tests.timeout,
            log: &self.folder.path.join("tests.log"),
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

    /// The name of the database that the tests will create; an error where it is there already.
    async fn test_database(&self, pending: &Pending) -> Result<String, Failure> {
        let name = pending
            .facts
            .database()
            .map(|d| d.test.name.clone())
            .unwrap_or_default();
        let observer = pending.observed.reach.observer().await?;
        if !database::exists(&observer, &name).await? {
            return Ok(name);
        }
        Err(Failure::new(
            Class::TestsUnsafe,
            format!("the database `{name}` exists already: the tests would delete it"),
        )
        .source("server", pending.observed.reach.describe())
        .hint(
            "drop it if nobody needs it, name other tests with --test-command, or say --skip-tests",
        )
        .changed(Changed::Yes))
    }
}

fn own_apps(facts: &ProjectFacts) -> Vec<&Path> {
    let apps = facts.django.iter().flat_map(|d| &d.apps);
    apps.filter(|app| app.own)
        .map(|app| Path::new(app.path.as_str()))
        .collect()
}
