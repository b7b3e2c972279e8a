//! A migration fails: what it says, what stayed, and what the report tells.

use super::common::{Blog, Told, blog, in_order};

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";
const UNIQUE: &str = "migrations.AddConstraint('post', models.UniqueConstraint(fields=['slug'], name='post_slug_uniq'))";

/// The failed migration is rolled back whole, and nothing came before it.
#[track_caller]
fn rolled_back(blog: &Blog, told: Told) -> Told {
    assert_eq!(blog.applied(), ["0001_initial"]);
    assert_eq!(blog.columns(), "id title slug");
    let report = told.report(&blog.project);
    in_order(
        &report,
        &[
            "## Migration Halted",
            "the database was not changed",
            "### What Went Wrong",
            "— **failed**",
        ],
    );
    assert!(
        report.contains("Nothing to roll back") || !report.contains("manage.py migrate blog"),
        "{report}"
    );
    told
}

#[test]
fn a_constraint_that_the_data_breaks_names_constraint_and_detail() {
    let blog = blog(|app| app.operations("0002_unique", &format!("{ADD}, {UNIQUE}")));
    let told = Told::by(blog.apply().run(), 50)
        .because("migration-integrity", "no")
        .says(&[
            "blog.0002_unique",
            "23505",
            "post_slug_uniq",
            "Key (slug)=(post-19) is duplicated.",
            "blog_post",
            "0002_unique.py",
            "rolled back",
        ]);
    let failed = told.of_kind("migration_failed")[0];
    assert_eq!(
        (&failed["app"], &failed["name"]),
        (&"blog".into(), &"0002_unique".into())
    );
    assert_eq!(
        (&failed["sqlstate"], &failed["constraint"]),
        (&"23505".into(), &"post_slug_uniq".into())
    );
    let told = rolled_back(&blog, told);
    let report = told.report(&blog.project);
    in_order(
        &report,
        &[
            "SQLSTATE: 23505",
            "Detail: Key (slug)=(post-19) is duplicated.",
            "Constraint: post_slug_uniq",
            "```sql\nALTER TABLE",
        ],
    );
}

#[test]
fn what_came_before_a_failed_migration_stays_and_is_listed() {
    let blog = blog(|app| {
        app.operations("0002_likes", ADD)
            .operations("0003_unique", UNIQUE)
            .operations(
                "0004_later",
                "migrations.AddField('post', 'later', models.IntegerField(null=True))",
            )
    });
    let told = Told::by(blog.apply().run(), 51)
        .because("migration-integrity", "yes")
        .says(&["blog.0003_unique", "1 of 3 migrations", "stayed"]);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_likes"]);
    assert_eq!(told.migrations("migration_failed"), ["blog.0003_unique"]);
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
    assert_eq!(blog.columns(), "id title slug likes");
    let report = told.report(&blog.project);
    in_order(
        &report,
        &[
            "1 of 3 migrations are applied",
            "- [x] `blog.0002_likes`",
            "- [ ] `blog.0003_unique` — **failed**",
            "- [ ] `blog.0004_later` — not applied",
            "### Rollback (if needed)",
            "migrate blog 0001_initial",
        ],
    );
}

#[test]
fn a_value_that_does_not_fit_its_new_type_is_the_data_s_fault() {
    let blog = blog(|app| {
        app.operations(
            "0002_short",
            "migrations.AlterField('post', 'title', models.CharField(max_length=3))",
        )
    });
    let plan = super::common::fingerprint(&blog.project);
    let cli = blog
        .apply()
        .args(["--plan", &plan, "--confirm-destructive", "I understand"]);
    let told = Told::by(cli.run(), 50)
        .because("migration-integrity", "no")
        .says(&["22001", "too long"]);
    rolled_back(&blog, told);
}

#[test]
fn a_statement_that_takes_too_long_names_its_flag() {
    let blog = blog(|app| {
        app.operations(
            "0002_slow",
            &format!("{ADD}, migrations.RunSQL('SELECT pg_sleep(60)')"),
        )
    });
    let told = Told::by(
        blog.apply().args(["--statement-timeout", "300ms"]).run(),
        50,
    )
    .because("migration-timeout", "no")
    .says(&["57014", "pg_sleep", "--statement-timeout"]);
    rolled_back(&blog, told);
}

#[test]
fn python_code_that_raises_is_shown_with_its_words() {
    let code = "from django.db import migrations, models\n\n\ndef fill(apps, editor):\n    \
                apps.get_model('blog', 'Post').objects.update(title='changed')\n    raise ValueError('the data is odd')\n\n\n\
                class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    \
                operations = [migrations.RunPython(fill)]\n";
    let blog = blog(|app| app.migration("0002_fill", code));
    let told = Told::by(blog.apply().run(), 50)
        .because("migration-failed", "no")
        .says(&["blog.0002_fill", "the data is odd", "0002_fill.py"]);
    rolled_back(&blog, told);
    assert_eq!(
        blog.scalar("SELECT count(*) FROM blog_post WHERE title = 'changed'"),
        "0"
    );
}

#[test]
fn sql_that_the_server_does_not_understand_asks_before_and_fails_whole() {
    let blog = blog(|app| {
        app.operations(
            "0002_typo",
            &format!("{ADD}, migrations.RunSQL('ALTRE TABLE blog_post ADD x int')"),
        )
    });
    let told = Told::by(blog.apply().run(), 50)
        .because("migration-failed", "no")
        .says(&["42601", "ALTRE"]);
    let findings = told.of_kind("preview_finished")[0]["migrations"][0]["findings"].to_string();
    assert!(findings.contains("unreadable-statement"), "{findings}");
    rolled_back(&blog, told);
}

#[test]
fn half_of_a_migration_that_is_not_atomic_stays_and_is_said() {
    let blog = blog(|app| {
        app.body(
            "0002_half",
            &format!("atomic = False\noperations = [{ADD}, {UNIQUE}]"),
        )
    });
    let told = Told::by(blog.apply().run(), 51)
        .because("migration-integrity", "yes")
        .says(&["blog.0002_half", "not atomic", "0 of 1 migrations"]);
    assert_eq!(blog.applied(), ["0001_initial"]);
    assert_eq!(blog.columns(), "id title slug likes");
    assert!(
        told.report(&blog.project)
            .contains("the database was changed"),
        "{}",
        told.report(&blog.project)
    );
}

/// Not even its first statement came to its end, and yet something stayed.
#[test]
fn an_index_that_was_built_concurrently_and_failed_stays_invalid_and_is_named() {
    let index =
        "migrations.RunSQL('CREATE UNIQUE INDEX CONCURRENTLY post_slug_uniq ON blog_post (slug)')";
    let blog = blog(|app| {
        app.body(
            "0002_index",
            &format!("atomic = False\noperations = [{index}]"),
        )
    });
    let told = Told::by(blog.apply().run(), 51)
        .because("migration-integrity", "yes")
        .says(&[
            "INVALID",
            "post_slug_uniq",
            "Key (slug)=(post-19) is duplicated.",
        ]);
    assert_eq!(
        blog.scalar(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'post_slug_uniq'::regclass"
        ),
        "f"
    );
    assert!(
        told.report(&blog.project)
            .contains("the database was changed"),
        "{}",
        told.report(&blog.project)
    );
}

/// After any failure the next run starts from what is true.
#[test]
fn once_the_data_is_mended_the_next_run_applies() {
    let blog = blog(|app| {
        app.operations("0002_likes", ADD)
            .operations("0003_unique", UNIQUE)
    });
    Told::by(blog.apply().run(), 51).because("migration-integrity", "yes");
    blog.execute("UPDATE blog_post SET slug = 'post-' || id");
    let told = Told::by(blog.apply().run(), 0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0003_unique"]);
    assert_eq!(
        blog.applied(),
        ["0001_initial", "0002_likes", "0003_unique"]
    );
}
