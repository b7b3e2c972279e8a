//! `run --apply` from an empty database, and with the last ten migrations pending.
//!
//! Absent here: Pulp with some pending. What it does after `migrate` stands on the last of its migrations.

use serde_json::Value;
use xtask::project::{Foreign, HASH_SEED, LATE, migrate, plan};

use super::preview::{Previewed, no_silent_gap};
use super::same::{Counter, history, same};
use crate::support::{self, Project, Server};

#[test]
fn heavy_wagtail_with_its_last_ten_migrations_pending() {
    late(Foreign::Wagtail, support::shared(15));
}

#[test]
fn heavy_oscar_with_its_last_ten_migrations_pending() {
    late(Foreign::Oscar, support::shared(15));
}

#[test]
#[ignore = "slow"]
fn heavy_wagtail_from_an_empty_database() {
    from_nothing(Foreign::Wagtail, support::shared(18));
}

#[test]
#[ignore = "slow"]
fn heavy_oscar_from_an_empty_database() {
    from_nothing(Foreign::Oscar, support::shared(18));
}

#[test]
#[ignore = "slow"]
fn heavy_pulp_from_an_empty_database() {
    from_nothing(Foreign::Pulp, support::shared(18));
}

#[track_caller]
fn late(foreign: Foreign, server: &Server) {
    let database = made(foreign.late(server));
    let before = history(&database);
    let expected = made(foreign.late(server));
    made(migrate(&made(foreign.project(&expected))));

    let project = made(foreign.project(&database));
    let whole = made(plan(&project));
    let (done, pending) = whole.split_at(whole.len() - LATE);
    assert!(done.iter().all(|one| before.contains(one)), "{before:?}");
    assert!(
        !pending.iter().any(|one| before.contains(one)),
        "{before:?}"
    );
    let applied = apply(&project, &["--skip-tests"]);
    assert_eq!(applied, pending);
    same(&database, &expected);
}

#[track_caller]
fn from_nothing(foreign: Foreign, server: &Server) {
    let database = made(server.database());
    let project = made(foreign.project(&database));
    let whole = made(plan(&project));
    assert!(whole.len() > 90, "{}", whole.len());
    let applied = apply(&project, &[]);
    assert_eq!(applied, whole);
    same(&database, &made(foreign.migrated(server)));
}

/// Previews, then runs with the consent that the plan asks for; gives what was applied, in order.
#[track_caller]
fn apply(project: &Project, more: &[&str]) -> Vec<(String, String)> {
    let previewed = Previewed::of(project);
    previewed.each_statement_is_read();
    let counter = Counter::of(project);
    let mut cli = support::cli(project)
        .args(["run", "--apply", "--yes", "--format", "json"])
        .args(more);
    cli = cli
        .env("VIRTUAL_ENV", &counter.folder().display().to_string())
        .env(HASH_SEED.0, HASH_SEED.1);
    if previewed.is_destructive() {
        let consent = ["--confirm-destructive", "I understand", "--plan"];
        cli = cli.args(consent).arg(previewed.fingerprint());
    }
    let lines = cli.run().expect(0).json_lines();
    assert_eq!(counter.started(), 3, "inspect, migrate, verify");

    let end = lines.last().expect("lines");
    assert_eq!(end["kind"], "run_finished", "{end:#}");
    assert_eq!(end["changed"], "yes", "{end:#}");
    let journal = journal(project, end);
    all_is_verified(&journal);
    no_silent_gap(&previewed, &journal);
    let applied: Vec<(String, String)> = of_kind(&lines, "migration_applied")
        .map(migration)
        .collect();
    the_report_is_whole(project, &lines, &applied);
    applied
}

/// Every event of the run that this line ends: stdout has only some.
#[track_caller]
fn journal(project: &Project, end: &Value) -> Vec<Value> {
    let report = project
        .folder()
        .join(end["report"].as_str().expect("a report"));
    let text = std::fs::read_to_string(report.with_file_name("journal.jsonl")).expect("a journal");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    text.lines().map(parse).collect()
}

#[track_caller]
fn all_is_verified(lines: &[Value]) {
    let verified: Vec<&Value> = of_kind(lines, "verified").collect();
    let checks = verified[0]["checks"].as_array().expect("checks");
    assert!(verified.len() == 1 && checks.len() >= 8, "{verified:#?}");
    for check in checks {
        assert_eq!(check["ok"], true, "{check:#}");
    }
}

#[track_caller]
fn the_report_is_whole(project: &Project, lines: &[Value], applied: &[(String, String)]) {
    let path = lines.last().and_then(|end| end["report"].as_str());
    let path = project.folder().join(path.expect("a report"));
    let text = std::fs::read_to_string(&path).expect("report.md");
    for heading in [
        "## Migration Complete",
        "### Migrations Applied",
        "### Backup",
        "### Verification",
        "### Rollback",
    ] {
        assert!(text.contains(heading), "no `{heading}` in:\n{text}");
    }
    for (app, name) in applied {
        let line = format!("- [x] `{app}.{name}`");
        assert!(text.contains(&line), "no `{line}` in:\n{text}");
    }
    let json = std::fs::read_to_string(path.with_extension("json")).expect("report.json");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["exit_code"], 0);
    assert_eq!(json["backup"]["state"], "taken", "{}", json["backup"]);
    let steps = json["steps"].as_array().expect("steps");
    let passed = steps.iter().filter(|step| step["ok"] == true).count();
    let skipped = usize::from(json["tests"]["outcome"] == "skipped");
    assert!(passed == steps.len() && passed + skipped >= 7, "{steps:#?}");
}

pub(super) fn of_kind<'a>(lines: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |line| line["kind"] == kind)
}

/// `(app, name)` of a line or of a migration in a document.
pub(super) fn migration(value: &Value) -> (String, String) {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    (text("app"), text("name"))
}

#[track_caller]
pub(super) fn made<T>(made: anyhow::Result<T>) -> T {
    made.unwrap_or_else(|why| panic!("{why:#}"))
}
