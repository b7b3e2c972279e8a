//! The guard's own connection is lost: it opens another, and says so where it cannot. A server process that stays when
//! the run ends is ended, or named.

use rustix::process::Signal;
use serde_json::Value;
use xtask::load::{Clients, Load};

use super::common::{Blog, Running, backends, blog, children, models, send, text, until};

/// Twenty rows, half a second each: under ACCESS EXCLUSIVE for ten seconds.
const REWRITE: &str =
    "migrations.RunSQL('ALTER TABLE blog_post ADD COLUMN n text DEFAULT pg_sleep(0.5)::text')";
/// Nothing ends it when its client is gone.
const DEAF: &str = "migrations.RunSQL('SET client_connection_check_interval = 0'), migrations.RunSQL('SELECT pg_sleep(300)')";

/// Whoever only looks has no more of a name.
#[track_caller]
fn end_observers(blog: &Blog) {
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'django-migrate'",
        blog.database.name()
    );
    let told = blog.database.server().query("postgres", &sql);
    let told = told.expect("told").into_iter().flatten().next();
    assert_ne!(told.as_deref(), Some("0"), "there was one");
}

fn says(line: &Value, words: &str) -> bool {
    line["kind"] == "note" && text(&line["message"]).contains(words)
}

#[track_caller]
fn sleeps(blog: &Blog) -> u32 {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'PgSleep'",
        blog.database.name()
    );
    let find = || {
        let rows = blog.database.server().query("postgres", &sql);
        rows.unwrap_or_default().into_iter().flatten().next()
    };
    until("it sleeps", || find().is_some());
    find().and_then(|pid| pid.parse().ok()).expect("a pid")
}

#[test]
fn an_observer_that_is_terminated_is_replaced_and_the_limits_are_kept() {
    let blog = blog(|app| app.operations("0002_rewrite", REWRITE));
    let mut running = Running::start(&blog.apply().args(["--max-blocking", "1s"]));
    sleeps(&blog);
    end_observers(&blog);
    let reads = Load::reads("SELECT title FROM blog_post WHERE id = 7");
    let load = Clients::start(&blog.database.dsn(), 3, reads).expect("clients");
    let told = running.told(53);
    load.stop().expect("all are served");
    told.because("blast-radius", "no")
        .says(&["let go of its locks", "(--max-blocking 1.0 s)"]);
}

#[test]
fn a_guard_that_cannot_see_says_so_once_and_lets_a_healthy_migration_go_on() {
    let slow = "migrations.AddField('post', 'likes', models.IntegerField(null=True)), migrations.RunSQL('SELECT pg_sleep(6)')";
    let models = models("likes = models.IntegerField(null=True)");
    let blog = blog(|app| app.models(&models).operations("0002_slow", slow));
    let mut running = Running::start(&blog.apply());
    sleeps(&blog);
    let allow = |yes: bool| {
        let sql = format!(
            "ALTER DATABASE \"{}\" ALLOW_CONNECTIONS {yes}",
            blog.database.name()
        );
        blog.database.server().execute("postgres", &sql)
    };
    allow(false).expect("closed");
    end_observers(&blog);
    let line = running.wait_for("that it cannot see", |line| says(line, "cannot see"));
    let said = text(&line["message"]);
    assert!(
        said.contains("not currently accepting connections") && said.contains("--max-blocking"),
        "{said}"
    );
    allow(true).expect("open");
    running.wait_for("that it sees", |line| says(line, "sees again"));
    let told = running.told(0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_slow"]);
    let blind = told.lines.iter().filter(|line| says(line, "cannot see"));
    assert_eq!(blind.count(), 1, "told once");
}

#[track_caller]
fn kill_python(running: &Running) {
    let (python, _) = children(running.pid())
        .into_iter()
        .find(|(_, words)| words.contains("python"))
        .expect("Python");
    send(python, Signal::KILL);
}

#[test]
fn a_session_that_does_not_end_with_its_client_is_ended() {
    let blog = blog(|app| app.operations("0002_deaf", DEAF));
    let mut running = Running::start(&blog.apply());
    sleeps(&blog);
    kill_python(&running);
    let told = running.told(50).because("migration-connection-lost", "no");
    assert_eq!(backends(&blog.database), 0);
    assert!(!told.error().contains("session left"), "{}", told.error());
    assert_eq!(blog.applied(), ["0001_initial"]);
}

#[test]
fn a_session_that_cannot_be_ended_is_named_and_the_outcome_is_unknown() {
    let blog = blog(|app| app.operations("0002_deaf", DEAF));
    let mut running = Running::start(&blog.apply());
    let pid = sleeps(&blog);
    // it stands still, as behind a disk that does not answer
    send(pid, Signal::STOP);
    kill_python(&running);
    let (code, lines) = running.end();
    send(pid, Signal::CONT);
    let told = super::common::Told::of(&lines, code);
    assert_eq!(code, 52);
    told.because("outcome-unknown", "unknown").says(&[
        "whether `blog.0002_deaf` is rolled back yet is unknown",
        "session left",
        &format!("backend {pid}: still there though its client is gone; told to end: it was told"),
        &format!("SELECT pg_terminate_backend({pid})"),
    ]);
    until("it ends", || backends(&blog.database) == 0);
}
