//! Step 3 in a run: a migration without SQL ends it, what is opaque asks, and a verdict of `stop` refuses `--apply`.

use super::common::{Blog, Told, blog, contents, files, models, text};
use crate::support;

const BROKEN: &str = "migrations.RemoveField('post', 'never_was')";
const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";

fn with(operations: &str) -> Blog {
    blog(|app| app.operations("0002_next", operations))
}

#[test]
fn a_migration_that_is_itself_broken_is_reported_at_step_three_after_the_backup() {
    let blog = blog(|app| {
        app.operations("0002_fine", ADD)
            .operations("0003_broken", BROKEN)
    });
    let before = contents(&blog.database);
    for mode in [&["run"][..], &["run", "--apply", "--yes"]] {
        let ran = support::cli(&blog.project)
            .args(mode)
            .args(["--format", "json"])
            .run();
        let told = Told::by(ran, 23)
            .because("sql-unavailable", "no")
            .says(&["blog.0003_broken", "never_was"]);
        let steps: Vec<&str> = told
            .of_kind("step_started")
            .iter()
            .map(|line| text(&line["step"]))
            .collect();
        assert_eq!(steps, ["pending", "backup", "preview", "report"]);
        assert_eq!(told.of_kind("backup_finished").len(), 1);
        assert!(
            told.error().contains("0003_broken.py"),
            "where: {}",
            told.error()
        );
    }
    assert_eq!(contents(&blog.database), before);
}

#[test]
fn an_operation_that_raises_is_no_silent_gap() {
    let own = "import django.db.migrations.operations.special as special\nfrom django.db import migrations\n\n\n\
               class Odd(special.RunSQL):\n    def database_forwards(self, *args):\n        raise RuntimeError('odd indeed')\n\n\n\
               class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    \
               operations = [Odd('SELECT 1')]\n";
    let blog = blog(|app| app.migration("0002_odd", own));
    let ran = support::cli(&blog.project)
        .args(["run", "--format", "json"])
        .run();
    Told::by(ran, 23)
        .because("sql-unavailable", "no")
        .says(&["blog.0002_odd", "odd indeed"]);
}

#[test]
fn python_code_makes_a_migration_incomplete_and_asks() {
    let blog = with("migrations.RunPython(lambda apps, editor: None, migrations.RunPython.noop)");
    let document = support::cli(&blog.project)
        .args(["preview", "--format", "json"])
        .run()
        .expect(0)
        .json();
    let migration = &document["migrations"][0];
    assert_eq!(
        (&migration["complete"], &document["verdict"]),
        (&false.into(), &"ask".into())
    );
    assert_eq!(migration["missing"].as_array().map(Vec::len), Some(1));
    let refused = support::cli(&blog.project)
        .args(["run", "--apply", "--format", "json"])
        .run();
    Told::by(refused, 11)
        .because("not-confirmed", "no")
        .says(&["--yes"]);
    let told = Told::by(blog.apply().run(), 0);
    assert_eq!(told.of_kind("preview_finished")[0]["verdict"], "ask");
    assert_eq!(
        told.of_kind("preview_finished")[0]["migrations"][0]["complete"],
        false
    );
}

/// --yes accepts what asks, never what destroys.
#[test]
fn a_merge_that_deletes_needs_the_phrase() {
    let merge = "MERGE INTO blog_post p USING blog_post s ON true WHEN MATCHED THEN DELETE";
    let blog = with(&format!("migrations.RunSQL('{merge}')"));
    let before = contents(&blog.database);
    Told::by(blog.apply().run(), 11).says(&["--confirm-destructive"]);
    assert_eq!(contents(&blog.database), before);
}

/// CREATE INDEX CONCURRENTLY cannot run in the transaction of an atomic migration.
#[test]
fn a_verdict_of_stop_refuses_apply_and_a_dry_run_only_shows_it() {
    let blog = with("migrations.RunSQL('CREATE INDEX CONCURRENTLY post_slug ON blog_post (slug)')");
    let before = contents(&blog.database);
    let dry = Told::by(
        support::cli(&blog.project)
            .args(["run", "--format", "json"])
            .run(),
        0,
    );
    assert_eq!(dry.of_kind("preview_finished")[0]["verdict"], "stop");
    let told = Told::by(blog.apply().run(), 10).because("policy-refused", "no");
    let told = told.says(&["blog.0002_next", "not-in-transaction"]);
    assert!(told.of_kind("migration_started").is_empty());
    assert_eq!(contents(&blog.database), before);
    let report = told.report(&blog.project);
    assert!(
        report.contains("## Migration Halted") && report.contains("policy-refused"),
        "{report}"
    );
}

/// The SQL that was shown is kept with the run.
#[test]
fn the_sql_is_kept_in_the_run_folder() {
    let models = models("likes = models.IntegerField(null=True)");
    let blog = blog(|app| app.models(&models).operations("0002_next", ADD));
    let told = Told::by(blog.apply().run(), 0);
    let runs = blog
        .project
        .folder()
        .join(".django-migrate/runs")
        .join(text(&told.finished["run"]));
    assert!(files(&runs).contains(&"preview.sql".to_owned()));
    let sql = super::common::read(&runs.join("preview.sql"));
    assert!(
        sql.contains("blog.0002_next") && sql.contains("ADD COLUMN \"likes\" integer NULL"),
        "{sql}"
    );
}

#[test]
fn python_that_shares_a_transaction_with_the_schema_is_told() {
    let python = "migrations.RunPython(print, print)";
    let told = |body: &str| -> Vec<String> {
        let blog = blog(|app| app.body("0002_next", body));
        let cli = support::cli(&blog.project).args(["preview", "--format", "json"]);
        let document = cli.run().expect(0).json();
        let findings = document["migrations"][0]["findings"].as_array().unwrap();
        let told = findings.iter().filter(|f| f["code"] != "incomplete-sql");
        told.map(|f| format!("{} {}", text(&f["code"]), text(&f["message"])))
            .collect()
    };
    assert_eq!(
        told(&format!("operations = [{ADD}, {python}]")),
        [
            "python-under-lock builtins.print runs while the transaction still holds ACCESS EXCLUSIVE on public.blog_post"
        ]
    );
    assert_eq!(
        told(&format!("operations = [{python}, {ADD}]")),
        [
            "schema-after-python builtins.print runs before public.blog_post is changed in the same transaction: if it writes \
             rows of it, that may fail"
        ]
    );
    let quiet: [&str; 0] = [];
    for body in [
        format!("atomic = False\noperations = [{ADD}, {python}]"),
        format!(
            "operations = [{ADD}, migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop)]"
        ),
        format!("operations = [{python}]"),
    ] {
        assert_eq!(told(&body), quiet, "{body}");
    }
}

#[test]
fn a_model_of_today_in_a_migration_is_told() {
    let function = |body: &str| {
        format!(
            "from django.db import migrations\nfrom blog import models as today\nfrom blog.models import Post\n\n\n\
             def fill(apps, schema_editor):\n    {body}\n\n\n\
             class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    \
             operations = [migrations.RunPython(fill, migrations.RunPython.noop)]\n"
        )
    };
    let told = |body: &str| {
        let blog = blog(|app| app.migration("0002_fill", &function(body)));
        let cli = support::cli(&blog.project).args(["preview", "--format", "json"]);
        let findings = cli.run().expect(0).json()["migrations"][0]["findings"].to_string();
        findings
            .contains("blog.migrations.0002_fill.fill uses blog.Post as the code of today has it")
    };
    assert!(told("Post.objects.count()"));
    assert!(told(
        "from blog.models import Post as P; [P.objects.count() for _ in 'a']"
    ));
    assert!(told("today.Post.objects.count()"));
    assert!(told("[Post.objects.count() for _ in 'a']"));
    assert!(!told("apps.get_model('blog', 'Post').objects.count()"));
}
