//! Sessions that hold and wait, each on a thread of its own, and the command that looks at them.
//!
//! Absent here: expectations.
#![allow(dead_code, reason = "no test uses all of it")]

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{self, Database, TestCli};

/// The majors that every scene is tried on.
pub(super) const MAJORS: [u32; 2] = [15, 18];

/// A role that may read and write, and nothing else.
pub(super) const ROLE: &str = "locks_plain";
const PASSWORD: &str = "plain";

const TABLES: &str = "
    CREATE TABLE customer (id int PRIMARY KEY, name text);
    CREATE TABLE item (id int PRIMARY KEY, price int);
    CREATE TABLE line (id int PRIMARY KEY, customer_id int REFERENCES customer, note text);
    INSERT INTO customer VALUES (1, 'one');
    INSERT INTO item VALUES (1, 1), (2, 2);
";

/// A database with three tables, of which `line` refers to `customer`.
#[track_caller]
pub(super) fn database(major: u32) -> Database {
    let database = support::shared(major).database().expect("a database");
    fill(&database);
    database
}

#[track_caller]
pub(super) fn fill(database: &Database) {
    // CREATE ROLE fails for the second of two tests at once: it is there then
    let _ = database.execute(&format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'"));
    database.execute(TABLES).expect("tables");
    let grant = format!("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {ROLE}");
    database.execute(&grant).expect("a grant");
}

/// The command as the superuser, in a folder that is no project.
pub(super) fn cli(database: &Database) -> TestCli {
    of(&database.dsn())
}

/// The command as the plain role.
pub(super) fn plain(database: &Database) -> TestCli {
    of(&plain_dsn(database))
}

pub(super) fn plain_dsn(database: &Database) -> String {
    database.server().dsn_as(ROLE, PASSWORD, database.name())
}

fn of(dsn: &str) -> TestCli {
    support::cli_in(&std::env::temp_dir()).args(["locks", "--dsn", dsn])
}

/// The JSON of a look that succeeds.
#[track_caller]
pub(super) fn look(cli: &TestCli) -> Value {
    cli.clone()
        .args(["--format", "json"])
        .run()
        .expect(0)
        .json()
}

/// A session that somebody left; it ends with this value.
pub(super) struct Left {
    pub(super) pid: i32,
    database: (support::Server, String),
    end: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// A session of the superuser that has run `setup`, and now runs `blocks`, if it is not empty, until it is ended.
#[track_caller]
pub(super) fn leave(database: &Database, application: &str, setup: &str, blocks: &str) -> Left {
    leave_as(database, &database.dsn(), application, setup, blocks)
}

#[track_caller]
pub(super) fn leave_as(
    database: &Database,
    dsn: &str,
    application: &str,
    setup: &str,
    blocks: &str,
) -> Left {
    let (tell, told) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let (dsn, application) = (dsn.to_owned(), application.to_owned());
    let (setup, blocks) = (setup.to_owned(), blocks.to_owned());
    let thread =
        std::thread::spawn(move || run(&dsn, &application, &setup, &blocks, &tell, &ended));
    let pid = told
        .recv_timeout(Duration::from_secs(30))
        .expect("a session that did its setup");
    Left {
        pid,
        database: (database.server().clone(), database.name().to_owned()),
        end,
        thread: Some(thread),
    }
}

fn run(
    dsn: &str,
    application: &str,
    setup: &str,
    blocks: &str,
    tell: &Sender<i32>,
    ended: &Receiver<()>,
) {
    let mut config: tokio_postgres::Config = dsn.parse().expect("a connection string");
    config.application_name(application);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = config
            .connect(tokio_postgres::NoTls)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        let pid: i32 = client
            .query_one("SELECT pg_backend_pid()", &[])
            .await
            .expect("its pid")
            .get(0);
        client.batch_execute(setup).await.expect("the setup");
        tell.send(pid).expect("somebody who listens");
        if !blocks.is_empty() {
            // it is terminated at the end
            let _ = client.batch_execute(blocks).await;
        }
        let _ = ended.recv();
    });
}

impl Drop for Left {
    fn drop(&mut self) {
        let (server, name) = &self.database;
        let _ = server.execute(name, &format!("SELECT pg_terminate_backend({})", self.pid));
        let _ = self.end.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits until this session waits for a lock.
#[track_caller]
pub(super) fn waits(database: &Database, left: &Left) {
    let sql = format!(
        "SELECT wait_event_type FROM pg_stat_activity WHERE pid = {}",
        left.pid
    );
    soon(&format!("{} waits", left.pid), || {
        database.scalar(&sql).is_ok_and(|kind| kind == "Lock")
    });
}

/// Waits until this session's transaction is so old.
#[track_caller]
pub(super) fn is_old(database: &Database, pid: i32, seconds: f64) {
    let sql = format!(
        "SELECT clock_timestamp() - xact_start > make_interval(secs => {seconds}) FROM pg_stat_activity WHERE pid = {pid}"
    );
    soon(&format!("{pid} is {seconds} s old"), || {
        database.scalar(&sql).is_ok_and(|old| old == "t")
    });
}

#[track_caller]
pub(super) fn soon(what: &str, probe: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !probe() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
