//! Ctrl-C and kill -9 on the way back: what is back and what is not is said, and the next one goes on.

use rustix::process::Signal;

use super::common::{applied_run, confirmed};
use crate::workflow::common::{Blog, Running, Told, backends, blog, in_order, text, until};

/// On its way back it waits until the test lets go of the advisory lock 42.
const GATE: &str = "migrations.RunSQL('SELECT 1', 'SELECT pg_advisory_xact_lock(42)')";
const TAG: &str = "migrations.CreateModel('Tag', [('id', models.BigAutoField(primary_key=True, serialize=False))])";

fn gated() -> (Blog, String) {
    let blog = blog(|app| {
        app.operations("0002_tag", TAG)
            .operations("0003_gate", GATE)
            .operations(
                "0004_index",
                "migrations.AddIndex('Post', models.Index(fields=['slug'], name='blog_slug'))",
            )
    });
    let run = applied_run(&blog.project);
    (blog, run)
}

#[track_caller]
fn at_the_gate(blog: &Blog, run: &str, then: impl FnOnce(&mut Running, &mut dyn FnMut()) + Send) {
    let cli = confirmed(&blog.project, run).args(["--lock-timeout", "60s"]);
    let database = blog.database.name();
    let done = blog.database.server().with_client(database, |client| {
        client.batch_execute("SELECT pg_advisory_lock(42)")?;
        let mut running = Running::start(&cli);
        let waiting = format!(
            "SELECT 1 FROM pg_stat_activity WHERE datname = '{database}' AND wait_event_type = 'Lock' AND query LIKE '%(42)'"
        );
        let server = blog.database.server();
        until("it waits at the gate", || {
            assert!(!running.ended(), "{:#?}", running.lines().last());
            server.query("postgres", &waiting).is_ok_and(|rows| rows.len() == 1)
        });
        then(&mut running, &mut || {
            client.batch_execute("SELECT pg_advisory_unlock(42)").expect("unlocked");
        });
        Ok(())
    });
    done.expect("a session");
}

#[test]
fn ctrl_c_once_lets_the_current_one_finish() {
    let (blog, run) = gated();
    at_the_gate(&blog, &run, |running, open| {
        running.signal(Signal::INT);
        running.wait_for("word of it", |line| {
            text(&line["message"]).contains("after the current migration")
        });
        open();
        let told = running
            .told(130)
            .because("interrupted", "yes")
            .says(&["2 of 3 migrations"]);
        assert_eq!(
            told.migrations("migration_unapplied"),
            ["blog.0004_index", "blog.0003_gate"]
        );
    });
    assert_eq!(blog.applied(), ["0001_initial", "0002_tag"]);
    let told = Told::by(confirmed(&blog.project, &run).run(), 0);
    assert_eq!(told.migrations("migration_unapplied"), ["blog.0002_tag"]);
}

#[test]
fn ctrl_c_twice_undoes_the_current_one() {
    let (blog, run) = gated();
    at_the_gate(&blog, &run, |running, _| {
        running.signal(Signal::INT);
        running.wait_for("word of it", |line| {
            text(&line["message"]).contains("after the current migration")
        });
        running.signal(Signal::INT);
        let told = running.told(130).because("interrupted", "yes");
        let told = told.says(&["1 of 3 migrations", "`blog.0003_gate` stays applied, whole"]);
        in_order(
            &told.report(&blog.project),
            &[
                "- [x] `blog.0004_index`",
                "`blog.0003_gate`",
                "- [ ] `blog.0002_tag` — not rolled back",
            ],
        );
    });
    assert_eq!(blog.applied(), ["0001_initial", "0002_tag", "0003_gate"]);
}

#[test]
fn after_kill_9_the_next_one_tells_and_goes_on() {
    let (blog, run) = gated();
    at_the_gate(&blog, &run, |running, open| {
        running.signal(Signal::KILL);
        assert_eq!(running.end().0, 137);
        open();
        until("its backend is gone", || backends(&blog.database) == 0);
    });
    let told = Told::by(confirmed(&blog.project, &run).run(), 0);
    let notes: Vec<&str> = told
        .of_kind("note")
        .iter()
        .map(|n| text(&n["message"]))
        .collect();
    in_order(
        &notes.join("\n"),
        &[
            "(rollback, pid",
            "in step 4, Roll back",
            "blog.0004_index is back",
        ],
    );
    assert_eq!(blog.applied(), ["0001_initial"]);
}
