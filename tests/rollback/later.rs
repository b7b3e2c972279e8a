//! What was applied since and is built on a run keeps it from going back alone.

use super::common::{applied_run, back, run_of, shown_code};
use crate::support;
use crate::workflow::common::{BARE, Blog, Told, blog, text};

const TWO: &str = "migrations.CreateModel('Tag', [('id', models.BigAutoField(primary_key=True, serialize=False))])";
const THREE: &str = "migrations.AddIndex('Post', models.Index(fields=['slug'], name='blog_slug'))";

fn two_runs() -> (Blog, String, String) {
    let blog = blog(|app| {
        app.operations("0002_index", THREE)
            .operations("0003_tag", TWO)
    });
    let run = |target: &str| {
        let cli = support::cli(&blog.project)
            .args(BARE)
            .args(["--format", "json", "blog", target]);
        run_of(&Told::by(cli.run(), 0))
    };
    let (first, second) = (run("0002"), run("0003"));
    (blog, first, second)
}

#[test]
fn later_migrations_are_named_with_the_run_that_applied_them() {
    let (blog, first, second) = two_runs();
    let told = Told::by(back(&blog.project, &first).run(), 70)
        .because("rollback-blocked", "no")
        .says(&[
            "blog.0003_tag, on blog.0002_index",
            &format!("applied by run {second}"),
            &format!("django-migrate rollback {second}"),
        ]);
    assert!(told.of_kind("backup_finished").is_empty());
    let shown = shown_code(&blog.project, &first, 70);
    assert_eq!(
        (&shown["error"]["class"], &shown["command"]),
        (&"rollback-blocked".into(), &"rollback".into())
    );
    assert_eq!(blog.applied().len(), 3);
}

/// `latest` is the newest run that reached the database: not the rollback, nor what only showed it.
#[test]
fn run_by_run_it_goes_back_the_newest_first() {
    let (blog, first, second) = two_runs();
    let latest = shown_code(&blog.project, "latest", 0);
    assert_eq!(latest["of"], second.as_str());
    let plan = text(&latest["plan_fingerprint"]).to_owned();
    let told = back(&blog.project, "latest").args([
        "--plan",
        &plan,
        "--confirm-destructive",
        "I understand",
    ]);
    let told = Told::by(told.run(), 0);
    assert_eq!(told.migrations("migration_unapplied"), ["blog.0003_tag"]);
    // it does not slip to the run before by itself
    let again = Told::by(back(&blog.project, "latest").run(), 0);
    assert_eq!(again.finished["changed"], "no");
    assert_eq!(again.lines[0]["rolls_back"], second.as_str());
    assert_eq!(blog.applied(), ["0001_initial", "0002_index"]);
    Told::by(back(&blog.project, &first).run(), 0);
    assert_eq!(blog.applied(), ["0001_initial"]);
}

/// What came back and was applied again by another run is that one's.
#[test]
fn what_another_run_applied_again_is_not_this_runs_any_more() {
    let blog = blog(|app| app.operations("0002_index", THREE));
    let first = applied_run(&blog.project);
    Told::by(back(&blog.project, &first).run(), 0);
    let second = applied_run(&blog.project);
    let told = Told::by(back(&blog.project, &first).run(), 0);
    assert!(told.of_kind("migration_started").is_empty());
    let notes: Vec<&str> = told
        .of_kind("note")
        .iter()
        .map(|n| text(&n["message"]))
        .collect();
    assert!(
        notes
            .iter()
            .any(|n| n.contains(&format!("applied again by run {second}"))),
        "{notes:#?}"
    );
    assert_eq!(blog.applied().len(), 2);
}

/// A plain `migrate` in another app that depends on it.
#[test]
fn what_a_plain_migrate_applied_on_top_is_named_too() {
    let (blog, _, second) = two_runs();
    blog.project
        .write_file(
            "blog/migrations/0004_more.py",
            "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    \
             dependencies = [('blog', '0003_tag')]\n    operations = [migrations.AddField('Tag', 'name', models.TextField(null=True))]\n",
        )
        .expect("a file");
    blog.project.manage(&["migrate"]).expect("migrated");
    Told::by(back(&blog.project, &second).run(), 70)
        .because("rollback-blocked", "no")
        .says(&[
            "blog.0004_more, on blog.0003_tag",
            "not applied by a run of this folder",
        ]);
}
