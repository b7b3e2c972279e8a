//! The network swallows packets: each question has an end, Ctrl-C is heard at once, and the run ends, told.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::common::{Blog, Running, Told, backends, blog, in_order, text, until};
use crate::support::{Network, lead_to};

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";

fn slow(seconds: u32) -> String {
    format!("{ADD}, migrations.RunSQL('SELECT pg_sleep({seconds})')")
}

/// The blog, to which the run comes by this network alone.
#[track_caller]
fn far(operations: &str) -> (Blog, Network) {
    let blog = blog(|app| app.operations("0002_far", operations));
    let network = Network::before(blog.database.server()).expect("a network");
    lead_to(&blog.project, network.host(), network.port());
    (blog, network)
}

fn says(line: &Value, words: &str) -> bool {
    line["kind"] == "note" && text(&line["message"]).contains(words)
}

#[track_caller]
fn sleeps(blog: &Blog, running: &mut Running) {
    running.wait_for("the long statement", |line| {
        text(&line["sql"]).contains("pg_sleep")
    });
    let asleep = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'PgSleep'",
        blog.database.name()
    );
    until("it sleeps", || blog.scalar(&asleep) == "1");
}

/// A look is on its way, and will not come back.
#[track_caller]
fn go_silent(network: &Network) {
    network.go_silent();
    until("something is on its way", || network.held_back() > 0);
}

/// However long it takes, within reason; with how long it took.
#[track_caller]
fn end_within(running: &mut Running, seconds: u64) -> Duration {
    let begun = Instant::now();
    while !running.ended() {
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(seconds), "no end");
        std::thread::sleep(Duration::from_millis(50));
    }
    begun.elapsed()
}

/// What was on its way is delivered, the ends of connections too: nothing of the run stays behind.
#[track_caller]
fn heals_without_a_trace(blog: &Blog, network: &Network) {
    network.heal();
    until("its sessions are gone", || backends(&blog.database) == 0);
    assert_eq!(
        (blog.applied().len(), &*blog.columns()),
        (1, "id title slug")
    );
}

#[test]
fn ctrl_c_is_heard_in_a_look_that_is_never_answered() {
    let (blog, network) = far(ADD);
    let cli = blog.apply();
    let told = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute("BEGIN; SELECT FROM blog_post LIMIT 1")?;
            let mut running = Running::start(&cli);
            running.wait_for("the gate", |line| line["kind"] == "lock_waiting");
            go_silent(&network);
            let begun = Instant::now();
            running.signal(Signal::INT);
            running.wait_for("that it was heard", |line| says(line, "stopping: "));
            let heard = begun.elapsed();
            assert!(heard < Duration::from_millis(1500), "{heard:?}");
            end_within(&mut running, 45);
            Ok(running.told(130))
        })
        .expect("a session");
    // it stood outside the queue: nothing had begun
    told.because("interrupted", "no")
        .says(&["session left", "pg_terminate_backend"]);
    heals_without_a_trace(&blog, &network);
}

#[test]
fn at_the_gate_nothing_is_begun_while_nobody_answers_and_max_wait_ends_it() {
    let (blog, network) = far(ADD);
    let cli = blog.apply().args(["--max-wait", "6s"]);
    let told = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute("BEGIN; SELECT FROM blog_post LIMIT 1")?;
            let mut running = Running::start(&cli);
            running.wait_for("the gate", |line| line["kind"] == "lock_waiting");
            go_silent(&network);
            running.wait_for("that it cannot see", |line| says(line, "cannot see"));
            end_within(&mut running, 60);
            Ok(running.told(53))
        })
        .expect("a session");
    let begun = told.of_kind("statement_started");
    assert!(
        begun.iter().all(|line| line["name"] != "0002_far"),
        "{begun:#?}"
    );
    told.because("migration-lock-timeout", "no")
        .says(&["(--max-wait)", "blog_post"]);
    heals_without_a_trace(&blog, &network);
}

#[test]
fn ctrl_c_in_a_long_statement_that_is_out_of_reach_ends_the_run() {
    let (blog, network) = far(&slow(300));
    let mut running = Running::start(&blog.apply());
    sleeps(&blog, &mut running);
    go_silent(&network);
    running.signal(Signal::TERM);
    running.wait_for("that it was heard", |line| says(line, "cancelling"));
    end_within(&mut running, 70);
    let told = running.told(143).because("terminated", "unknown").says(&[
        "blog.0002_far",
        "no COMMIT of `blog.0002_far` was sent",
        "session left",
        "pg_terminate_backend",
    ]);
    in_order(
        &told.report(&blog.project),
        &["## Migration Halted", "session left"],
    );
    heals_without_a_trace(&blog, &network);
}

/// Nobody is there to press Ctrl-C.
#[test]
fn a_silence_without_end_ends_the_run_and_is_told() {
    let (blog, network) = far(&slow(300));
    let mut running = Running::start(&blog.apply());
    sleeps(&blog, &mut running);
    go_silent(&network);
    running.wait_for("that it cannot see", |line| says(line, "cannot see"));
    let took = end_within(&mut running, 120);
    assert!(took > Duration::from_secs(45), "not at once: {took:?}");
    running
        .told(52)
        .because("outcome-unknown", "unknown")
        .says(&[
            "whether `blog.0002_far` is rolled back yet is unknown",
            "nobody has answered for 60 s",
            "session left",
            "look at the network",
        ]);
    heals_without_a_trace(&blog, &network);
}

#[test]
fn a_silence_that_ends_costs_the_run_nothing() {
    let (blog, network) = far(&slow(12));
    let mut running = Running::start(&blog.apply());
    sleeps(&blog, &mut running);
    go_silent(&network);
    running.wait_for("that it cannot see", |line| says(line, "cannot see"));
    network.heal();
    running.wait_for("that it sees", |line| says(line, "sees again"));
    let told: Told = running.told(0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_far"]);
    let blind = told.lines.iter().filter(|line| says(line, "cannot see"));
    assert_eq!(blind.count(), 1, "told once");
}
