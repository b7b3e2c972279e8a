//! Sessions of ordinary roles: one that holds, others that wait. Each runs on a thread of its own until it is dropped.
//!
//! Absent here: expectations.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::{Database, Server, shared};

/// A role that works, and one that looks: neither is a superuser.
pub(super) const WEB: &str = "watch_web";
pub(super) const DBA: &str = "watch_dba";
const PASSWORD: &str = "watch";

/// A database with a table, which both roles may use. The one that looks may see and signal everybody.
#[track_caller]
pub(super) fn database(major: u32) -> Database {
    let database = shared(major).database().expect("a database");
    fill(&database);
    database
}

#[track_caller]
pub(super) fn fill(database: &Database) {
    let roles = format!(
        "SELECT pg_advisory_lock(8113);
         DO $$ BEGIN
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{DBA}') THEN
             CREATE ROLE {WEB} LOGIN PASSWORD '{PASSWORD}';
             CREATE ROLE {DBA} LOGIN PASSWORD '{PASSWORD}';
             GRANT pg_monitor, pg_signal_backend TO {DBA};
           END IF;
         END $$;
         SELECT pg_advisory_unlock(8113);"
    );
    // the lock is of a database: all tests take it in the same one
    database
        .server()
        .execute("postgres", &roles)
        .expect("roles");
    let tables = format!(
        "CREATE TABLE item (id int PRIMARY KEY, price int);
         INSERT INTO item VALUES (1, 1), (2, 2);
         CREATE TABLE customer (id int PRIMARY KEY);
         GRANT ALL ON item, customer TO {WEB}, {DBA};
         ALTER TABLE item OWNER TO {WEB};"
    );
    database.execute(&tables).expect("tables");
}

pub(super) fn dsn(database: &Database, role: &str) -> String {
    database.server().dsn_as(role, PASSWORD, database.name())
}

/// A session that is there until it is dropped.
pub(super) struct Person {
    pub(super) pid: i32,
    server: Server,
    end: Sender<()>,
    blocked: Receiver<Result<(), String>>,
    thread: Option<JoinHandle<()>>,
}

/// A session of the web's role that has run `setup` and now runs `blocks`, if it is not empty.
#[track_caller]
pub(super) fn person(database: &Database, application: &str, setup: &str, blocks: &str) -> Person {
    person_as(database, &dsn(database, WEB), application, setup, blocks)
}

#[track_caller]
pub(super) fn person_as(
    database: &Database,
    dsn: &str,
    application: &str,
    setup: &str,
    blocks: &str,
) -> Person {
    let (tell, told) = mpsc::channel();
    let (finish, blocked) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let texts = [dsn, application, setup, blocks].map(str::to_owned);
    let thread = std::thread::spawn(move || live(&texts, &tell, &finish, &ended));
    let pid = told
        .recv_timeout(Duration::from_secs(30))
        .expect("a session that did its setup");
    let person = Person {
        pid,
        server: database.server().clone(),
        end,
        blocked,
        thread: Some(thread),
    };
    if !blocks.is_empty() {
        let waits = format!("SELECT wait_event_type FROM pg_stat_activity WHERE pid = {pid}");
        soon("the session waits", || {
            database.scalar(&waits).is_ok_and(|kind| kind == "Lock")
        });
    }
    person
}

fn live(
    [dsn, application, setup, blocks]: &[String; 4],
    tell: &Sender<i32>,
    finish: &Sender<Result<(), String>>,
    ended: &Receiver<()>,
) {
    let mut config: tokio_postgres::Config = dsn.parse().expect("a connection string");
    config.application_name(application);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let connected = config.connect(tokio_postgres::NoTls).await;
        let (client, connection) = connected.expect("a connection");
        tokio::spawn(connection);
        let pid = client.query_one("SELECT pg_backend_pid()", &[]).await;
        client.batch_execute(setup).await.expect("the setup");
        tell.send(pid.expect("its pid").get(0))
            .expect("somebody who listens");
        if !blocks.is_empty() {
            let done = client.batch_execute(blocks).await;
            // nobody may listen any more
            let _ = finish.send(done.map_err(|e| format!("{e:?}")));
        }
        let _ = ended.recv();
    });
}

impl Person {
    /// What came of the statement that was blocked.
    #[track_caller]
    pub(super) fn outcome(&self) -> Result<(), String> {
        self.blocked
            .recv_timeout(Duration::from_secs(30))
            .expect("the statement is over")
    }

    /// Its server process is there.
    pub(super) fn is_there(&self) -> bool {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {}",
            self.pid
        );
        self.server.scalar("postgres", &sql).expect("a count") == "1"
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let end = format!("SELECT pg_terminate_backend({})", self.pid);
        // the server may be gone with it
        let _ = self.server.execute("postgres", &end);
        let _ = self.end.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[track_caller]
pub(super) fn soon(what: &str, mut probe: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !probe() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
