//! Somebody else holds what a migration needs: they are named while it waits and after it gave up.

use super::common::{Blog, Running, Told, blog, in_order, text};
use crate::support::TestCli;

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";

/// Runs it while a session called `the long report` reads the posts in a transaction that it does not end.
#[track_caller]
fn behind_a_reader(blog: &Blog, cli: &TestCli) -> Told {
    let ran = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute(
                "SET application_name = 'the long report'; BEGIN; SELECT FROM blog_post LIMIT 1",
            )?;
            Ok(cli.run())
        });
    Told::by(ran.expect("a session"), 53)
}

#[test]
fn a_lock_that_is_not_to_be_had_names_who_holds_it() {
    let blog = blog(|app| app.operations("0002_likes", ADD));
    let told = behind_a_reader(&blog, &blog.apply().args(["--max-wait", "1s"]))
        .because("migration-lock-timeout", "no")
        .says(&[
            "blog.0002_likes",
            "public.blog_post was not to be had in 1.0 s",
            "blocked by",
            "the long report",
            "idle in transaction",
            "--max-wait",
        ]);
    let waiting = told.of_kind("lock_waiting")[0];
    assert_eq!(waiting["relation"], "public.blog_post");
    assert_eq!(waiting["mode"], "AccessExclusiveLock");
    assert_eq!(waiting["place"], "outside_queue");
    assert!(waiting["waited_ms"].is_u64(), "{waiting}");
    assert!(
        text(&waiting["blockers"][0]["what"]).contains("the long report"),
        "{waiting}"
    );
    assert!(waiting["blockers"][0]["pid"].is_i64(), "{waiting}");
    assert_eq!(
        (blog.applied().len(), &*blog.columns()),
        (1, "id title slug")
    );
    in_order(
        &told.report(&blog.project),
        &["### Lock waits", "public.blog_post", "the long report"],
    );
}

#[test]
fn migrations_before_the_one_that_waited_stay() {
    let blog = blog(|app| {
        app.operations(
            "0002_tag",
            "migrations.CreateModel('Tag', [('id', models.BigAutoField(primary_key=True))])",
        )
        .operations("0003_likes", ADD)
    });
    let told = behind_a_reader(&blog, &blog.apply().args(["--max-wait", "300ms"]))
        .because("migration-lock-timeout", "yes")
        .says(&["blog.0003_likes", "1 of 2 migrations"]);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_tag"]);
    assert_eq!(blog.applied(), ["0001_initial", "0002_tag"]);
}

/// The wait is shorter than the timeout: the migration goes on by itself.
#[test]
fn a_lock_that_comes_in_time_is_waited_for() {
    let likes = super::common::models("likes = models.IntegerField(null=True)");
    let blog = blog(|app| app.models(&likes).operations("0002_likes", ADD));
    let cli = blog.apply().args(["--lock-timeout", "60s"]);
    let told = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            let mut reader = client.transaction()?;
            reader.batch_execute("SELECT FROM blog_post LIMIT 1")?;
            let mut running = Running::start(&cli);
            running.wait_for("word of the wait", |line| line["kind"] == "lock_waiting");
            reader.commit()?;
            Ok(running.told(0))
        });
    assert_eq!(
        told.expect("a session").migrations("migration_applied"),
        ["blog.0002_likes"]
    );
}

#[test]
fn a_second_run_is_told_who_is_at_work() {
    let blog = blog(|app| app.operations("0002_likes", ADD));
    let cli = blog.apply().args(["--lock-timeout", "60s"]);
    let second = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            let mut reader = client.transaction()?;
            reader.batch_execute("SELECT FROM blog_post LIMIT 1")?;
            let mut running = Running::start(&cli);
            let first = running.wait_for("the lock", |line| line["kind"] == "lock_waiting");
            assert_eq!(first["relation"], "public.blog_post");
            let run = text(&running.lines()[0]["run"]).to_owned();
            Ok((run, blog.apply().run()))
        });
    let (run, second) = second.expect("a session");
    let told = Told::by(second, 32)
        .because("another-run", "no")
        .says(&["held by", &run]);
    assert!(told.of_kind("migration_started").is_empty());
}
