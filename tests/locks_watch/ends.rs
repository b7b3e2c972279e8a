//! Every way out gives the terminal back; a connection that is lost is said, and comes again.

use rustix::process::Signal;

use super::people::{DBA, database, dsn, fill, person};
use super::screen::{cli, cli_as, given_back, press, quit, shows, until, watch};
use crate::support::{Env, TempServer};

#[test]
fn without_a_terminal_it_is_a_usage_error_that_says_what_to_use() {
    let database = database(15);
    let ran = cli(&database).run().expect(2);
    assert!(
        ran.stderr.contains("--watch needs a terminal")
            && ran.stderr.contains("locks --format json"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout, "");
    let mut dumb = cli(&database).command();
    dumb.env("TERM", "dumb");
    let status = dumb.output().expect("an end").status;
    assert_eq!(status.code(), Some(2));
}

#[test]
fn an_interval_that_makes_no_sense_is_a_usage_error() {
    let database = database(15);
    let base = cli(&database);
    for wrong in ["1ms", "often"] {
        let mut terminal = base.clone().args(["--interval", wrong]).tty_of(100, 20);
        assert_eq!(terminal.finish(), 2, "{wrong}: {}", terminal.output());
    }
}

#[test]
fn signals_and_ctrl_c_give_the_terminal_back() {
    let database = database(15);
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 143), (Signal::INT, 130)] {
        let mut terminal = watch(&database);
        shows(&terminal, &["nobody waits for a lock"]);
        terminal.signal(signal);
        assert_eq!(terminal.finish(), code, "{signal:?}");
        given_back(&terminal);
    }
    let mut terminal = watch(&database);
    shows(&terminal, &["nobody waits for a lock"]);
    terminal.ctrl_c();
    assert_eq!(terminal.finish(), 0);
    given_back(&terminal);
}

#[test]
fn ctrl_c_leaves_a_question_without_an_answer() {
    let database = database(15);
    let holder = person(&database, "report", "BEGIN; SELECT price FROM item", "");
    let _ddl = person(&database, "deploy", "", "DROP TABLE item");
    let mut terminal = watch(&database);
    shows(&terminal, &["1 waits for 1 root"]);
    press(&mut terminal, "t", &["Enter to terminate it"]);
    terminal.type_bytes(holder.pid.to_string().as_bytes());
    terminal.ctrl_c();
    assert_eq!(terminal.finish(), 0);
    given_back(&terminal);
    assert!(holder.is_there());
}

#[test]
fn a_screen_whose_session_was_ended_connects_again() {
    let database = database(15);
    let _holder = person(&database, "report", "BEGIN; SELECT price FROM item", "");
    let mut terminal = watch(&database);
    shows(&terminal, &["nobody waits for a lock"]);
    let ended = database.scalar(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = '{}' AND application_name = 'django-migrate'",
        database.name()
    ));
    assert_eq!(ended.expect("a count"), "1");
    let _ddl = person(&database, "deploy", "", "DROP TABLE item");
    shows(&terminal, &["1 waits for 1 root"]);
    until(&terminal, "all well", |screen| {
        !screen.contains("connection lost")
    });
    quit(&mut terminal);
}

#[test]
fn a_server_that_is_gone_leaves_the_last_picture_and_is_waited_for() {
    let install = Env::open()
        .and_then(|env| env.postgres(15))
        .expect("PostgreSQL 15");
    let mut server = TempServer::start(&install).expect("a server");
    let database = server.named_database("shop").expect("a database");
    fill(&database);
    let holder = person(&database, "report", "BEGIN; SELECT price FROM item", "");
    let ddl = person(&database, "deploy", "", "DROP TABLE item");
    let mut terminal = cli_as(&dsn(&database, DBA)).tty_of(150, 30);
    shows(&terminal, &["1 waits for 1 root"]);
    server.stop_immediate().expect("a stop");
    shows(
        &terminal,
        &[
            "connection lost",
            "OLD: as it was at",
            "report",
            "deploy",
            &holder.pid.to_string(),
        ],
    );
    super::screen::picture(&terminal, "lost");
    // who is gone with the server is not waited for
    drop((holder, ddl));
    server.restart().expect("a start");
    until(&terminal, "the server is back", |screen| {
        screen.contains("nobody waits for a lock")
            && !screen.contains("OLD")
            && !screen.contains("connection lost")
    });
    quit(&mut terminal);
}
