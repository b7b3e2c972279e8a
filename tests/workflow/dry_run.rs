//! A run without `--apply`: it shows, backs up, and changes nothing; its fingerprint binds the run that follows.

use super::common::{Told, contents, files, fingerprint, in_order, text};
use crate::support;

#[test]
fn a_bare_run_is_a_dry_run_with_a_backup_that_changes_nothing() {
    let shop = support::shop("5.2", 15);
    let before = contents(&shop.database);
    let told = Told::by(
        support::cli(&shop).args(["run", "--format", "json"]).run(),
        0,
    );
    assert_eq!(contents(&shop.database), before);
    assert_eq!(told.finished["changed"], "no");
    assert_eq!(told.lines[0]["dry_run"], true);
    let steps: Vec<&str> = told
        .of_kind("step_started")
        .iter()
        .map(|line| text(&line["step"]))
        .collect();
    assert_eq!(steps, ["pending", "backup", "preview", "report"]);
    assert!(
        shop.folder()
            .join(text(&told.of_kind("backup_finished")[0]["file"]))
            .is_file()
    );
    let report = told.report(&shop);
    in_order(
        &report,
        &[
            "## Migration Dry Run",
            "5 migrations are pending. The database was not changed.",
            "**Mode**: dry run",
            "### Migrations Pending",
            "- [ ] `shop.0004_item_description`",
            "### Backup",
            "**File**",
            "This run changed nothing.",
        ],
    );
    assert!(!report.contains("[x] `shop."), "{report}");
}

#[test]
fn the_screen_of_a_dry_run_shows_plan_sql_and_fingerprint() {
    let shop = support::shop("5.2", 15);
    let plan = fingerprint(&shop);
    let ran = support::cli(&shop).arg("run").run().expect(0);
    in_order(
        &ran.stderr,
        &[
            "[ ] shop.0004_item_description",
            "[ ] shop.0008_remove_item_legacy_code",
            "ADD COLUMN \"description\"",
            "CREATE INDEX CONCURRENTLY",
            "DROP COLUMN \"legacy_code\"",
        ],
    );
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert!(all.contains(&plan), "{}", ran.snapshot());
    assert!(
        ran.stdout.contains("The database was not changed"),
        "{}",
        ran.snapshot()
    );
}

#[test]
fn a_fingerprint_is_the_same_for_the_same_plan_and_another_for_another() {
    let shop = support::shop("5.2", 15);
    let first = fingerprint(&shop);
    assert_eq!(fingerprint(&shop), first);
    let path = "shop/migrations/0008_remove_item_legacy_code.py";
    let code = shop.read_file(path).expect("the file");
    shop.write_file(path, &code.replace("legacy_code", "stock"))
        .expect("written");
    assert_ne!(fingerprint(&shop), first);
}

#[test]
fn the_stored_fingerprint_opens_the_run_that_follows() {
    let shop = support::shop("5.2", 15);
    let dry = Told::by(
        support::cli(&shop).args(["run", "--format", "json"]).run(),
        0,
    );
    let stored = support::cli(&shop)
        .args(["report", "latest", "--format", "json"])
        .run()
        .expect(0)
        .json();
    let plan = text(&stored["plan_fingerprint"]).to_owned();
    assert_eq!(
        plan,
        text(&dry.of_kind("preview_finished")[0]["plan_fingerprint"])
    );
    let apply = [
        "run",
        "--apply",
        "--yes",
        "--plan",
        &plan,
        "--confirm-destructive",
        "I understand",
        "--skip-tests",
    ];
    support::cli(&shop).args(apply).run().expect(0);
}

#[test]
fn a_dry_run_without_a_backup_writes_only_its_run_folder() {
    let shop = support::shop("5.2", 15);
    let before = files(shop.folder());
    support::cli(&shop)
        .args(["run", "--no-backup", "--acknowledge-no-backup"])
        .run()
        .expect(0);
    let new: Vec<String> = files(shop.folder())
        .into_iter()
        .filter(|name| !before.contains(name))
        .collect();
    assert!(
        new.iter().all(|name| name.starts_with(".django-migrate/")),
        "{new:?}"
    );
    assert!(
        new.iter().any(|name| name.ends_with("/report.md")),
        "{new:?}"
    );
}
