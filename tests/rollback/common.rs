//! What the tests of `rollback` share: a run that is applied, and how its way back is asked for.
//!
//! Absent here: expectations.
#![allow(dead_code, reason = "no test uses all of it")]

use serde_json::Value;

use crate::support::{self, Database, Project, TestCli};
use crate::workflow::common::{BARE, Told, text};

/// Without a terminal and without a backup.
pub(super) const BACK: [&str; 6] = [
    "rollback",
    "--apply",
    "--yes",
    "--no-backup",
    "--acknowledge-no-backup",
    "--format=json",
];

/// Applies all that is pending; the run's id.
#[track_caller]
pub(super) fn applied_run(project: &Project) -> String {
    let ran = support::cli(project)
        .args(BARE)
        .args(["--format", "json"])
        .run();
    run_of(&Told::by(ran, 0))
}

pub(super) fn run_of(told: &Told) -> String {
    text(&told.finished["run"]).to_owned()
}

/// `rollback RUN --apply` with all that it needs but for what destroys.
pub(super) fn back(project: &Project, run: &str) -> TestCli {
    support::cli(project).args(BACK).args([run])
}

/// What is shown without `--apply`.
#[track_caller]
pub(super) fn shown(project: &Project, run: &str) -> Value {
    shown_code(project, run, 0)
}

#[track_caller]
pub(super) fn shown_code(project: &Project, run: &str, code: i32) -> Value {
    let asked = support::cli(project).args(["rollback", run, "--format", "json"]);
    asked.run().expect(code).json()
}

/// `rollback RUN --apply` of what was shown, with the phrase.
pub(super) fn confirmed(project: &Project, run: &str) -> TestCli {
    let plan = text(&shown(project, run)["plan_fingerprint"]).to_owned();
    back(project, run).args(["--plan", &plan, "--confirm-destructive", "I understand"])
}

/// `app.name` of what is in the document.
pub(super) fn names(document: &Value) -> Vec<String> {
    let migrations = document["migrations"].as_array();
    let name = |m: &Value| format!("{}.{}", text(&m["app"]), text(&m["name"]));
    migrations.into_iter().flatten().map(name).collect()
}

/// The schema and the history, as pg_dump and the table tell them: the same before and after a way there and back.
#[track_caller]
pub(super) fn schema(database: &Database) -> String {
    let sql = "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable \
               FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1";
    let indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1";
    let constraints = "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
                       WHERE connamespace = 'public'::regnamespace ORDER BY 1";
    let history = "SELECT app || '.' || name FROM django_migrations ORDER BY id";
    let mut all = Vec::new();
    for query in [sql, indexes, constraints, history] {
        let rows = database
            .query(query)
            .unwrap_or_else(|why| panic!("{why:#}"));
        all.extend(rows.into_iter().flatten());
    }
    all.join("\n")
}
