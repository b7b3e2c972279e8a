//! Nothing to roll back is no failure; what is no run, or a rollback itself, is.

use super::common::{applied_run, back, shown, shown_code};
use crate::support;
use crate::workflow::common::{Told, blog, fingerprint, text};

const INDEX: &str = "migrations.AddIndex('Post', models.Index(fields=['slug'], name='blog_slug'))";

#[test]
fn a_dry_run_has_nothing_to_take_back() {
    let blog = blog(|app| app.operations("0002_index", INDEX));
    fingerprint(&blog.project);
    let report = support::cli(&blog.project)
        .args(["report", "latest", "--format", "json"])
        .run()
        .expect(0)
        .json();
    let dry = text(&report["run"]);
    let document = shown(&blog.project, dry);
    assert_eq!(
        document["nothing"],
        format!("run {dry} was a dry run: it applied nothing")
    );
    let told = Told::by(back(&blog.project, dry).run(), 0);
    assert_eq!(told.finished["changed"], "no");
    let words = support::cli(&blog.project)
        .args(["rollback", dry])
        .run()
        .expect(0);
    assert!(
        words.stdout.contains("Nothing to roll back."),
        "{}",
        words.stdout
    );
    let none = shown_code(&blog.project, "latest", 2);
    assert_eq!(none["error"]["class"], "unknown-run");
}

#[test]
fn what_is_back_already_is_said_and_is_no_failure() {
    let blog = blog(|app| app.operations("0002_index", INDEX));
    let run = applied_run(&blog.project);
    blog.project
        .manage(&["migrate", "blog", "0001"])
        .expect("migrated");
    let told = Told::by(back(&blog.project, &run).run(), 0);
    assert_eq!(told.finished["changed"], "no");
    let notes: Vec<&str> = told
        .of_kind("note")
        .iter()
        .map(|n| text(&n["message"]))
        .collect();
    assert!(
        notes.contains(&"blog.0002_index is not recorded any more: it is back already"),
        "{notes:#?}"
    );
}

#[test]
fn a_rollback_is_undone_by_a_run() {
    let blog = blog(|app| app.operations("0002_index", INDEX));
    let run = applied_run(&blog.project);
    let told = Told::by(back(&blog.project, &run).run(), 0);
    let rolled = text(&told.finished["run"]);
    let failed = shown_code(&blog.project, rolled, 2);
    assert!(
        text(&failed["error"]["hint"]).contains("django-migrate run"),
        "{failed:#}"
    );
    let failed = Told::by(back(&blog.project, rolled).run(), 2).because("usage", "no");
    assert_eq!(failed.said.len(), 1, "no folder for what is no rollback");
    let report = support::cli(&blog.project)
        .args(["report", rolled])
        .run()
        .expect(0)
        .stdout;
    assert!(
        report.contains("1 migration was rolled back and verified."),
        "{report}"
    );
    assert!(report.contains("django-migrate run"), "{report}");
}

#[test]
fn an_unknown_run_is_a_mistake() {
    let blog = blog(|app| app.operations("0002_index", INDEX));
    Told::by(back(&blog.project, "20200101-000000-1").run(), 2).because("unknown-run", "no");
}
