//! Two at once: two runs, and a plain `manage.py migrate` beside ours, which no advisory lock holds back.

use std::process::Stdio;

use super::common::{Blog, Running, Told, blog, models, text, until};

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";

fn likes() -> Blog {
    blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations("0002_likes", ADD)
    })
}

/// Does this while a reader keeps the migration at the gate; the reader is over afterwards.
#[track_caller]
fn behind_a_reader<T: Send>(blog: &Blog, then: impl FnOnce() -> T + Send) -> T {
    let done = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute("BEGIN; SELECT FROM blog_post LIMIT 1")?;
            Ok(then())
        });
    done.expect("a session")
}

#[test]
fn of_two_runs_that_start_at_the_same_time_one_works_and_the_other_is_told() {
    let blog = likes();
    let (mut first, mut second, ended) = behind_a_reader(&blog, || {
        let (mut one, mut other) = (Running::start(&blog.apply()), Running::start(&blog.apply()));
        let mut ended = None;
        until("one of them ends", || {
            ended = [one.ended(), other.ended()].iter().position(|over| *over);
            ended.is_some()
        });
        (one, other, ended)
    });
    let (loser, winner) = match ended {
        Some(0) => (&mut first, &mut second),
        _ => (&mut second, &mut first),
    };
    let run = text(&winner.lines()[0]["run"]).to_owned();
    let pid = winner.pid();
    let told = loser.told(32).because("another-run", "no").says(&[
        "held by",
        &run,
        &format!("pid {pid} on "),
        "plan ",
        "role ",
    ]);
    assert!(told.of_kind("migration_started").is_empty());
    let told = winner.told(0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_likes"]);
    assert_eq!(blog.columns(), "id title slug likes");
}

/// It queues for the lock that ours waits for outside the queue, so it comes first.
#[test]
fn what_a_plain_migrate_applies_meanwhile_is_not_told_as_ours() {
    let blog = likes();
    let waits =
        "SELECT count(*) FROM pg_locks WHERE relation = 'blog_post'::regclass AND NOT granted";
    let (mut running, plain) = behind_a_reader(&blog, || {
        let mut running = Running::start(&blog.apply());
        running.wait_for("the gate", |line| line["kind"] == "lock_waiting");
        let mut plain = blog.project.manage_command(&["migrate"]);
        plain.stdout(Stdio::piped()).stderr(Stdio::piped());
        let plain = plain.spawn().expect("manage.py");
        until("it queues", || blog.scalar(waits) == "1");
        (running, plain)
    });
    let output = plain.wait_with_output().expect("its end");
    assert!(output.status.success(), "{output:?}");
    let told = running.told(50).because("migration-failed", "no").says(&[
        "blog.0002_likes",
        "already exists",
        "0 of 1 migrations",
        "applied by somebody else meanwhile",
        "plain `manage.py migrate`",
    ]);
    let report = told.report(&blog.project);
    assert!(report.contains("the database was not changed"), "{report}");
    assert_eq!(
        blog.applied(),
        ["0001_initial", "0002_likes"],
        "recorded once"
    );
    let told = Told::by(blog.apply().run(), 0);
    assert!(told.of_kind("migration_started").is_empty());
}
