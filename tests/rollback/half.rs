//! Runs and rollbacks that came half way.

use super::common::{applied_run, confirmed, names, run_of, schema, shown};
use crate::support;
use crate::workflow::common::{BARE, Blog, Told, blog, in_order, models, text};

const LIKES: &str = "migrations.AddField('Post', 'likes', models.IntegerField(null=True))";
const TAG: &str = "migrations.CreateModel('Tag', [('id', models.BigAutoField(primary_key=True, serialize=False))])";
const UNIQUE: &str =
    "migrations.AlterField('Post', 'slug', models.CharField(max_length=80, unique=True))";
const CONCURRENT: &str = "from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('blog', '0001_initial')]
    operations = [
        migrations.AddField('post', 'likes', models.IntegerField(null=True)),
        AddIndexConcurrently('post', models.Index(fields=['slug'], name='blog_slug')),
    ]
";

#[track_caller]
fn failing(blog: &Blog, code: i32) -> String {
    let told = support::cli(&blog.project)
        .args(BARE)
        .args(["--format", "json"]);
    run_of(&Told::by(told.run(), code))
}

#[test]
fn what_a_run_applied_before_it_failed_goes_back() {
    let blog = blog(|app| {
        app.operations("0002_likes", LIKES)
            .operations("0003_tag", TAG)
            .operations("0004_unique", UNIQUE)
    });
    let before = schema(&blog.database);
    let run = failing(&blog, 51);
    let document = shown(&blog.project, &run);
    assert_eq!(names(&document), ["blog.0003_tag", "blog.0002_likes"]);
    assert!(
        text(&document["notes"][0]).contains("blog.0004_unique"),
        "{document:#}"
    );
    Told::by(confirmed(&blog.project, &run).run(), 0);
    assert_eq!(schema(&blog.database), before);
}

#[test]
fn a_migration_without_a_transaction_goes_back_without_one() {
    let field = "likes = models.IntegerField(null=True)\n\n    class Meta:\n        indexes = [models.Index(fields=['slug'], name='blog_slug')]";
    let blog = blog(|app| {
        app.models(&models(field))
            .migration("0002_concurrent", CONCURRENT)
    });
    let before = schema(&blog.database);
    let run = applied_run(&blog.project);
    let document = shown(&blog.project, &run);
    let statements = &document["migrations"][0]["statements"];
    assert_eq!(
        statements[0]["sql"], "DROP INDEX CONCURRENTLY IF EXISTS \"blog_slug\"",
        "{statements:#}"
    );
    assert_eq!(statements[0]["blocks"], "nothing");
    Told::by(confirmed(&blog.project, &run).run(), 0);
    assert_eq!(schema(&blog.database), before);
}

/// Nothing records it, so that no reverse takes it back: it is named, and what is recorded goes back.
#[test]
fn what_stayed_of_half_a_migration_is_named() {
    let half = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    atomic = False\n    \
        dependencies = [('blog', '0002_tag')]\n    operations = [migrations.AddField('Post', 'likes', models.IntegerField(null=True)),\n        \
        migrations.RunSQL('SELECT 1/0', migrations.RunSQL.noop)]\n";
    let blog = blog(|app| app.operations("0002_tag", TAG).migration("0003_half", half));
    let run = failing(&blog, 51);
    let document = shown(&blog.project, &run);
    assert_eq!(names(&document), ["blog.0002_tag"]);
    let note = text(&document["notes"][0]);
    assert!(
        note.contains("half of blog.0003_half stayed") && note.contains("ADD COLUMN \"likes\""),
        "{note}"
    );
    Told::by(confirmed(&blog.project, &run).run(), 0);
    assert_eq!(blog.applied(), ["0001_initial"]);
    assert_eq!(blog.columns(), "id title slug likes");
}

const FRAGILE: &str = "migrations.RunSQL('SELECT 1', 'INSERT INTO blog_tag VALUES (1)')";

/// The way back fails on its first migration: nothing is changed. On its second: the first is back, and stays back.
#[test]
fn a_way_back_that_fails_says_which_are_back() {
    let blog = blog(|app| {
        app.operations("0002_tag", TAG)
            .operations("0003_fragile", FRAGILE)
            .operations("0004_index", "migrations.AddIndex('Post', models.Index(fields=['slug'], name='blog_slug'))")
            .operations("0005_fragile", "migrations.RunSQL('SELECT 1', 'SELECT 1/(SELECT count(*) FROM blog_post WHERE title = $$mend$$)')")
    });
    let run = applied_run(&blog.project);
    blog.execute("INSERT INTO blog_tag VALUES (1)");
    Told::by(confirmed(&blog.project, &run).run(), 50)
        .because("migration-integrity", "no")
        .says(&[
            "the way back of `blog.0005_fragile` failed",
            "0 of 4 migrations",
            "stays applied, whole",
        ]);
    assert_eq!(blog.applied().len(), 5);
    blog.execute("UPDATE blog_post SET title = 'mend' WHERE id = 1");
    let told = Told::by(confirmed(&blog.project, &run).run(), 51)
        .because("migration-integrity", "yes")
        .says(&[
            "the way back of `blog.0003_fragile` failed",
            "2 of 4 migrations",
            "`blog.0003_fragile` stays applied",
        ]);
    assert_eq!(
        told.migrations("migration_unapplied"),
        ["blog.0005_fragile", "blog.0004_index"]
    );
    assert_eq!(blog.applied(), ["0001_initial", "0002_tag", "0003_fragile"]);
    in_order(
        &told.report(&blog.project),
        &[
            "## Rollback Halted",
            "2 of 4 migrations are rolled back",
            "- [x] `blog.0005_fragile`",
            "- [x] `blog.0004_index`",
            "- [ ] `blog.0003_fragile` — **failed**",
            "- [ ] `blog.0002_tag` — not rolled back",
        ],
    );
    // mended, the rest goes back
    blog.execute("DELETE FROM blog_tag");
    let told = Told::by(confirmed(&blog.project, &run).run(), 0);
    assert_eq!(
        told.migrations("migration_unapplied"),
        ["blog.0003_fragile", "blog.0002_tag"]
    );
}
