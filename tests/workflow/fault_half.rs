//! A migration without a transaction that is cut in two: what stayed is told, and what the catalog proves is not done
//! again.

use rustix::process::Signal;

use super::common::{Blog, Running, Told, backends, blog, in_order, models, text, until};
use crate::support;

/// A column, then an index that waits for every older transaction of the table.
const HALF: &str = "from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('blog', '0001_initial')]
    operations = [
        migrations.AddField('post', 'likes', models.IntegerField(null=True)),
        AddIndexConcurrently('post', models.Index(fields=['slug'], name='blog_slug')),
    ]
";
/// An old transaction, in the way of the index alone: its snapshot is waited for, and it has no lock on the posts.
const OLD: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM django_migrations LIMIT 1";
const DROP: &str = "DROP INDEX CONCURRENTLY IF EXISTS \"blog_slug\";";
const BUILDS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
                      AND query LIKE 'CREATE INDEX CONCURRENTLY%'";
const VALID: &str = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'blog_slug'::regclass";

fn half() -> Blog {
    let meta = "likes = models.IntegerField(null=True)\n\n    class Meta:\n        indexes = [models.Index(fields=['slug'], name='blog_slug')]";
    blog(|app| app.models(&models(meta)).migration("0002_half", HALF))
}

fn notes(told: &Told) -> String {
    let notes = told.of_kind("note");
    let notes: Vec<&str> = notes.iter().map(|line| text(&line["message"])).collect();
    notes.join("\n")
}

/// What an interrupted build leaves, made without a race: the column is there, the index INVALID, nothing recorded, and
/// a journal says that the run was in the index.
#[track_caller]
fn cut_in_the_index(blog: &Blog) {
    let cli = blog.apply().args(["--max-wait", "60s"]);
    let done = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute(OLD)?;
            let mut running = Running::start(&cli);
            until("the index is being built", || blog.scalar(BUILDS) == "1");
            running.wait_for("the index", |line| {
                text(&line["sql"]).starts_with("CREATE INDEX CONCURRENTLY")
            });
            running.signal(Signal::KILL);
            assert_eq!(running.end().0, 137);
            until("the backend is gone", || backends(&blog.database) == 0);
            Ok(())
        });
    done.expect("a session");
    assert_eq!(blog.scalar(VALID), "f", "left INVALID");
    assert_eq!(blog.columns(), "id title slug likes", "the column stayed");
    assert_eq!(blog.applied(), ["0001_initial"]);
}

fn preview(blog: &Blog) -> serde_json::Value {
    let cli = support::cli(&blog.project).args(["preview", "--format", "json"]);
    cli.run().expect(0).json()
}

#[track_caller]
fn stops_for_the_index(document: &serde_json::Value) {
    assert_eq!(document["verdict"], "stop", "{document:#}");
    let findings = document["findings"].as_array().expect("findings");
    let found: Vec<_> = findings
        .iter()
        .filter(|f| f["code"] == "invalid-index-in-the-way")
        .collect();
    assert_eq!(found.len(), 1, "{findings:#?}");
    assert_eq!(found[0]["severity"], "stop");
    assert_eq!(found[0]["relation"], "public.blog_post");
    assert!(text(&found[0]["message"]).contains("public.blog_slug"));
    assert!(text(&found[0]["remedy"]).contains(DROP), "{}", found[0]);
}

#[test]
fn a_run_that_was_killed_in_an_index_is_resumed_once_its_leftover_is_out() {
    let blog = half();
    cut_in_the_index(&blog);
    // the report of the killed run says what to do, and what its journal saw
    let report = support::cli(&blog.project)
        .args(["report", "latest"])
        .run()
        .expect(0);
    in_order(
        &report.stdout.replace('\n', " "),
        &[
            "came to its end: ALTER TABLE",
            "was under way: CREATE INDEX CONCURRENTLY",
            "What to do next",
            "still lives",
            "`django-migrate check`",
            "`django-migrate run --apply` then goes on",
        ],
    );
    // check says it before anything is tried
    let checked = support::cli(&blog.project)
        .args(["check", "--format", "json"])
        .run()
        .expect(12)
        .json();
    let findings = checked["findings"].to_string();
    assert!(findings.contains("run-cut-off"), "{findings}");
    stops_for_the_index(&checked);
    let previewed = preview(&blog);
    stops_for_the_index(&previewed);
    let statements = &previewed["migrations"][0]["statements"];
    assert!(
        text(&statements[0]["skipped"]).contains("column likes"),
        "{statements:#}"
    );
    assert!(statements[1]["skipped"].is_null(), "{statements:#}");
    // nothing is tried
    let told = Told::by(blog.apply().run(), 10).because("policy-refused", "no");
    assert!(told.of_kind("migration_started").is_empty());
    let told = told.says(&["blog_slug", "INVALID", "invalid-index-in-the-way", DROP]);
    assert!(told.report(&blog.project).contains(DROP));
    let said = notes(&told);
    in_order(
        &said,
        &[
            "was cut off in step 4, Apply, in migration blog.0002_half",
            "blog.0002_half is not atomic and not recorded: 1 statement of it came to an end",
            "the catalog proves its work: column likes of public.blog_post is there",
            "index blog_slug on public.blog_post is INVALID",
            DROP,
        ]
        .map(|words| words.replace("index blog_slug", "index public.blog_slug"))
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>(),
    );
    // what was there before is not done again, and nothing was lost
    assert_eq!(blog.columns(), "id title slug likes");
    blog.execute(DROP);
    let shown = support::cli(&blog.project)
        .args(["preview"])
        .run()
        .expect(0);
    let shown = shown
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    in_order(
        &shown,
        &[
            "ADD COLUMN",
            "skipped, column likes of public.blog_post is there and whole, from run",
            "CREATE INDEX CONCURRENTLY",
        ],
    );
    assert_eq!(preview(&blog)["verdict"], "go");
    let told = Told::by(blog.apply().run(), 0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_half"]);
    let skipped = told.of_kind("statement_skipped");
    assert_eq!(skipped.len(), 1, "{skipped:#?}");
    assert!(
        text(&skipped[0]["sql"]).contains("ADD COLUMN"),
        "{}",
        skipped[0]
    );
    assert!(
        text(&skipped[0]["proof"]).contains("column likes"),
        "{}",
        skipped[0]
    );
    assert_eq!(blog.scalar(VALID), "t");
    assert_eq!(blog.columns(), "id title slug likes");
    // settled: nobody hears of it again
    let last = Told::by(blog.apply().run(), 0);
    assert!(!notes(&last).contains("was cut off"), "{}", notes(&last));
}

#[test]
fn a_backend_that_is_terminated_in_an_index_says_what_stayed_and_the_way_out() {
    let blog = half();
    let cli = blog.apply().args(["--max-wait", "60s"]);
    let told = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute(OLD)?;
            let mut running = Running::start(&cli);
            until("the index is being built", || blog.scalar(BUILDS) == "1");
            let end = BUILDS.replace("count(*)", "count(pg_terminate_backend(pid))");
            assert_eq!(blog.scalar(&end), "1");
            Ok(running.told(51))
        });
    let told = told
        .expect("a session")
        .because("migration-connection-lost", "yes");
    let told = told.says(&["blog.0002_half", "INVALID", DROP]);
    in_order(&told.report(&blog.project), &["## Migration Halted", DROP]);
    assert_eq!(blog.columns(), "id title slug likes");
    blog.execute(DROP);
    let told = Told::by(blog.apply().run(), 0);
    assert_eq!(told.of_kind("statement_skipped").len(), 1, "the column");
    assert_eq!(blog.scalar(VALID), "t");
}

/// Another file is another migration: what an earlier version of it did proves nothing, and is in the way.
#[test]
fn what_another_version_of_the_file_did_is_not_skipped() {
    let blog = half();
    cut_in_the_index(&blog);
    blog.execute(DROP);
    let path = "blog/migrations/0002_half.py";
    let file = blog.project.read_file(path).expect("a migration");
    blog.project
        .write_file(path, &format!("{file}\n# mended\n"))
        .expect("written");
    let told = Told::by(blog.apply().run(), 50).because("migration-failed", "no");
    let told = told.says(&["blog.0002_half", "already exists"]);
    assert!(told.of_kind("statement_skipped").is_empty());
}

/// A block that commits on its way leaves what it committed, whatever it says in the end.
const COMMITS: &str = "from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('blog', '0001_initial')]
    operations = [
        migrations.RunSQL(\"\"\"
            DO $$ BEGIN
              INSERT INTO blog_post (title, slug) VALUES ('half', 'half');
              COMMIT;
              PERFORM 1 / 0;
            END $$
        \"\"\"),
    ]
";

#[test]
fn a_block_that_committed_before_it_failed_is_not_told_as_nothing() {
    let blog = blog(|app| app.migration("0002_commits", COMMITS));
    let told = Told::by(blog.apply().run(), 52).because("migration-integrity", "unknown");
    assert_eq!(
        blog.scalar("SELECT count(*) FROM blog_post WHERE slug = 'half'"),
        "1",
        "it stayed"
    );
    let told = told.says(&[
        "blog.0002_commits",
        "may have committed on its way",
        "perhaps stayed",
        "INSERT INTO blog_post",
    ]);
    assert!(!told.error().contains("rolled back"), "{}", told.error());
    let report = told.report(&blog.project);
    in_order(
        &report,
        &[
            "whether the database was changed is unknown",
            "perhaps stayed: DO $$",
        ],
    );
    assert!(!report.contains("Nothing to roll back"), "{report}");
}

/// Two statements that stay, of which the catalog can prove one, and one that fails.
const THREE: &str = "from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('blog', '0001_initial')]
    operations = [
        migrations.AddField('post', 'likes', models.IntegerField(null=True)),
        migrations.RunSQL(\"UPDATE blog_post SET title = title || '!' WHERE id < 10\"),
        migrations.RunSQL('ALTER TABLE blog_post ADD CONSTRAINT one_slug UNIQUE (slug)'),
    ]
";

#[test]
fn the_halted_run_itself_names_each_statement_that_stayed() {
    let blog = blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .migration("0002_three", THREE)
    });
    let told = Told::by(blog.apply().run(), 51).because("migration-integrity", "yes");
    let told = told.says(&[
        "2 statements of it stayed",
        "the next run does not do again what the catalog proves",
    ]);
    assert!(!told.error().contains("rolled back"), "{}", told.error());
    let stayed: Vec<&str> = told.finished["error"]["sources"]
        .as_array()
        .expect("sources")
        .iter()
        .filter(|row| row[0] == "stayed")
        .map(|row| text(&row[1]))
        .collect();
    assert_eq!(stayed.len(), 2, "{stayed:#?}");
    assert!(stayed[0].contains("ADD COLUMN \"likes\""), "{stayed:#?}");
    assert!(stayed[1].starts_with("UPDATE blog_post"), "{stayed:#?}");
    assert!(stayed[1].contains("a second time"), "{stayed:#?}");
    in_order(
        &told.report(&blog.project),
        &[
            "stayed: ALTER TABLE",
            "stayed: UPDATE blog_post",
            "What to do next:",
            "`blog.0002_three`",
            "they are named above. This run took no backup.",
        ],
    );
    // the report of the run is the same when it is asked for later, in JSON too
    let report = support::cli(&blog.project)
        .args(["report", "latest", "--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        report["error"]["sources"],
        told.finished["error"]["sources"]
    );
}

/// An operation with a transaction of its own is rolled back in a migration that has none.
const CODE: &str = "from django.db import migrations


def fill(apps, schema_editor):
    schema_editor.execute(\"UPDATE blog_post SET title = 'x'\")
    schema_editor.execute('SELECT 1 / 0')


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('blog', '0001_initial')]
    operations = [migrations.RunPython(fill, atomic=True)]
";

#[test]
fn what_an_operation_of_its_own_transaction_rolled_back_did_not_stay() {
    let blog = blog(|app| app.migration("0002_code", CODE));
    let told = Told::by(blog.apply().run(), 50).because("migration-integrity", "no");
    assert_eq!(
        blog.scalar("SELECT count(*) FROM blog_post WHERE title = 'x'"),
        "0"
    );
    told.says(&["is not atomic, and nothing of it stayed"]);
}
