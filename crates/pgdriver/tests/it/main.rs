//! pgdriver against real servers: the oldest that Django 6.1 asks for and the newest.
//!
//! Each test has a database of its own. Nothing here is skipped: no server is a failure.

mod activity;
mod activity_crowd;
mod activity_locks;
mod activity_scenes;
mod advisory;
mod bulk;
mod catalog;
mod connect;
mod failures;
mod history;
mod libpq;
mod observers;
mod options_matrix;
mod pooler;
mod queries;
mod server;
mod server_replication;
mod server_role;
mod server_settings;
mod server_vacuum;
mod standby;
mod tables;
mod tables_sequences;
mod tls;
mod tls_matrix;

use pgdriver::{ConnectOptions, Environment, Session};
use xtask::servers::{Database, Server, shared};

/// The majors that every query is tried on.
pub(crate) const MAJORS: [u32; 2] = [15, 18];

/// A role without any privilege beyond what everybody has.
pub(crate) const PLAIN: &str = "pgdriver_plain";
pub(crate) const PLAIN_PASSWORD: &str = "plain secret";

pub(crate) fn options(dsn: &str) -> ConnectOptions {
    ConnectOptions::parse_in(dsn, &Environment::default()).expect("a connection string")
}

pub(crate) async fn superuser(database: &Database) -> Session {
    pgdriver::connect(&options(&database.dsn()))
        .await
        .expect("a session")
}

pub(crate) async fn observer(database: &Database) -> Session {
    pgdriver::connect_observer(&options(&database.dsn()))
        .await
        .expect("an observer")
}

/// The connection string of the plain role, which is made on first use.
pub(crate) fn plain_dsn(server: &Server, database: &str) -> String {
    // CREATE ROLE fails for the second of two tests at once: it is there then
    let _ = server.execute(
        "postgres",
        &format!("CREATE ROLE {PLAIN} LOGIN PASSWORD '{PLAIN_PASSWORD}'"),
    );
    server.dsn_as(PLAIN, PLAIN_PASSWORD, database)
}

pub(crate) fn databases() -> impl Iterator<Item = Database> {
    MAJORS
        .into_iter()
        .map(|major| shared(major).database().expect("a database"))
}

/// Waits until `probe` says so; a test that waits for longer has failed.
pub(crate) async fn soon(what: &str, mut probe: impl FnMut() -> bool) {
    for _ in 0..500 {
        if probe() {
            return;
        }
        // not a thread's sleep: the sessions move on this very thread
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("not within 10 s: {what}");
}

/// Starts a statement in a session of its own and leaves it there, in a task that ends with the session.
pub(crate) async fn leave_running(database: &Database, setup: &str, statement: &str) -> i32 {
    let session = superuser(database).await;
    let pid = session.pid();
    if !setup.is_empty() {
        session.execute(setup).await.expect(setup);
    }
    let statement = statement.to_owned();
    tokio::spawn(async move {
        if !statement.is_empty() {
            // it may be cancelled or terminated by the test
            let _ = session.execute(&statement).await;
        }
        session.closed().await;
    });
    pid
}
