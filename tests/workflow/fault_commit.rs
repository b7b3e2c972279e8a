//! The server goes, or somebody gives up, in the middle of a COMMIT: the one place where nobody can be told how it ended.
//!
//! A COMMIT is held by a synchronous standby that does not exist: it is on disk and waits to be confirmed.

use rustix::process::Signal;

use super::common::{Blog, Running, Told, blog_on, in_order, models, text, until};
use crate::support::{Env, Options, TempServer};

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";

/// A server of its own with the blog on it; from here on no COMMIT that wrote comes to its end.
fn server() -> (TempServer, Blog) {
    let install = Env::open()
        .and_then(|env| env.postgres(15))
        .expect("a server");
    let settings = vec![("synchronous_commit".to_owned(), "on".to_owned())];
    let options = Options {
        settings,
        ..Options::default()
    };
    let server = TempServer::start_with(&install, options).expect("a server");
    let blog = blog_on(&server, "5.2", |app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations("0002_likes", ADD)
    });
    hold_commits(&server, "nobody");
    (server, blog)
}

fn hold_commits(server: &TempServer, standby: &str) {
    for sql in [
        &format!("ALTER SYSTEM SET synchronous_standby_names = '{standby}'"),
        "SELECT pg_reload_conf()",
    ] {
        server.query("postgres", sql).expect("reconfigured");
    }
}

/// Starts the run and waits until its COMMIT hangs; gives the backend's pid.
#[track_caller]
fn committing(server: &TempServer, blog: &Blog) -> (Running, String) {
    let running = Running::start(&blog.apply());
    let find = || {
        let sql =
            "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'";
        let rows = server.query("postgres", sql).unwrap_or_default();
        rows.into_iter().flatten().next()
    };
    until("the COMMIT hangs", || find().is_some());
    (running, find().expect("it was there"))
}

/// The next run says what is true, and has nothing more to do.
#[track_caller]
fn the_next_run_knows(blog: &Blog, words: &[&str]) {
    let told = Told::by(blog.apply().run(), 0);
    let notes: Vec<&str> = told
        .of_kind("note")
        .iter()
        .map(|line| text(&line["message"]))
        .collect();
    for word in words {
        assert!(
            notes.iter().any(|note| note.contains(word)),
            "{word}: {notes:#?}"
        );
    }
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
    assert_eq!(blog.columns(), "id title slug likes");
}

#[test]
fn a_server_that_stops_in_a_commit_leaves_the_outcome_unknown_and_the_next_run_knows_it() {
    let (mut server, blog) = server();
    let (mut running, _) = committing(&server, &blog);
    server.stop_immediate().expect("stopped");
    let told = running
        .told(52)
        .because("outcome-unknown", "unknown")
        .says(&[
            "whether the commit of `blog.0002_likes` arrived is unknown",
            "applied",
        ]);
    let report = told.report(&blog.project);
    in_order(
        &report,
        &[
            "whether the database was changed is unknown",
            "outcome-unknown",
        ],
    );
    assert!(!report.contains("rolled back whole"), "{report}");
    server.restart().expect("started");
    hold_commits(&server, "");
    // it was on disk, and only its confirmation was outstanding
    the_next_run_knows(
        &blog,
        &[
            "could not say what became of its last commit",
            "blog.0002_likes is applied",
        ],
    );
}

#[test]
fn a_backend_that_is_terminated_in_a_commit_has_committed() {
    let (server, blog) = server();
    let (mut running, pid) = committing(&server, &blog);
    let ended = server.query("postgres", &format!("SELECT pg_terminate_backend({pid})"));
    assert_eq!(ended.expect("asked"), [["t"]]);
    let told = running
        .told(51)
        .because("migration-connection-lost", "yes")
        .says(&[
            "`blog.0002_likes` is applied and recorded",
            "1 of 1 migrations",
        ]);
    assert!(!told.error().contains("rolled back"), "{}", told.error());
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
    assert_eq!(blog.columns(), "id title slug likes");
    hold_commits(&server, "");
    Told::by(blog.apply().run(), 0);
}

/// PostgreSQL cannot take back what is on disk: a cancelled wait is a COMMIT that went through.
#[test]
fn ctrl_c_twice_in_a_commit_does_not_claim_that_it_was_rolled_back() {
    let (server, blog) = server();
    let (mut running, _) = committing(&server, &blog);
    running.signal(Signal::INT);
    running.wait_for("word of it", |line| {
        text(&line["message"]).contains("after the current migration")
    });
    running.signal(Signal::INT);
    let told = running.told(130).because("interrupted", "yes");
    let said = told.error();
    assert!(!said.contains("rolled back whole"), "{said}");
    assert!(said.contains("1 of 1 migrations"), "{said}");
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
    in_order(
        &told.report(&blog.project),
        &["the database was changed", "`blog.0002_likes`"],
    );
    hold_commits(&server, "");
    Told::by(blog.apply().run(), 0);
}

/// The tool is killed while its COMMIT hangs: the backend stays, and the next run waits for it before it says anything.
#[test]
fn a_run_that_was_killed_in_its_commit_is_waited_for() {
    let (server, blog) = server();
    let (mut running, pid) = committing(&server, &blog);
    running.signal(Signal::KILL);
    assert_eq!(running.end().0, 137);
    let there = || {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        server.scalar("postgres", &sql).expect("asked") == "1"
    };
    let mut next = Running::start(&blog.apply());
    next.wait_for("word of it", |line| {
        text(&line["message"]).contains(&format!("left backend {pid} at work"))
    });
    let settled = |line: &serde_json::Value| text(&line["message"]).contains("blog.0002_likes is");
    assert!(!next.lines().iter().any(settled), "the COMMIT still hangs");
    assert!(there(), "the COMMIT still hangs");
    hold_commits(&server, "");
    until("the backend is gone", || !there());
    let told = next.told(0);
    let notes: Vec<&str> = told
        .of_kind("note")
        .iter()
        .map(|line| text(&line["message"]))
        .collect();
    assert!(
        notes
            .iter()
            .any(|note| note.contains("blog.0002_likes is applied: its commit arrived")),
        "{notes:#?}"
    );
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
}
