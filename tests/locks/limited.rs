//! More waiters than are asked for their blockers, and a server that cancels the question: both are said.

use std::time::Duration;

use serde_json::json;

use super::scene::{cli, database, leave, look, soon};
use crate::support::Database;

/// So many sessions that wait for an advisory lock which the caller holds, until the value is dropped.
fn queue(database: &Database, waiters: usize) -> std::sync::mpsc::Sender<()> {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let dsn = database.dsn();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            for _ in 0..waiters {
                let (client, connection) = tokio_postgres::connect(&dsn, tokio_postgres::NoTls)
                    .await
                    .expect("a session");
                tokio::spawn(connection);
                tokio::spawn(async move {
                    let _ = client.batch_execute("SELECT pg_advisory_lock(7)").await;
                });
            }
            let _ = tokio::task::spawn_blocking(move || ended.recv()).await;
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
    });
    end
}

#[test]
fn of_a_crowd_the_longest_waiters_are_told_and_how_many_there_are() {
    const WAITERS: usize = 204;
    let install = crate::support::Env::open()
        .and_then(|env| env.postgres(15))
        .expect("PostgreSQL 15");
    let options = crate::support::Options {
        settings: vec![("max_connections".to_owned(), "240".to_owned())],
        ..crate::support::Options::default()
    };
    let server = crate::support::TempServer::start_with(&install, options).expect("a server");
    let database = server.named_database("queue").expect("a database");
    let holder = leave(&database, "batch", "SELECT pg_advisory_lock(7)", "");
    let _queue = queue(&database, WAITERS);
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    soon("all wait", || {
        database
            .scalar(waiting)
            .is_ok_and(|n| n == WAITERS.to_string())
    });
    let seen = look(&cli(&database));
    let limited = &seen["blocking_limited"];
    assert_eq!(
        json!([limited["waiting"], limited["asked"]]),
        json!([WAITERS, 200])
    );
    let rows = seen["blocking"].as_array().expect("blocking");
    assert!((200..=WAITERS).contains(&rows.len()), "{}", rows.len());
    assert!(
        rows.iter()
            .all(|row| row["root_pids"] == json!([holder.pid])),
        "who was not asked is no root"
    );
    assert_eq!(seen["roots"].as_array().map(Vec::len), Some(1));
    let text = cli(&database).run().expect(0).stdout;
    let words: Vec<&str> = text.split_whitespace().collect();
    let expected =
        "204 sessions wait for locks on this server; the 200 that wait longest are shown";
    assert!(words.join(" ").contains(expected), "{text}");
    assert!(text.lines().count() < 50, "{text}");
}

#[test]
fn a_crowd_that_is_asked_for_whole_is_not_limited() {
    let database = database(15);
    let _holder = leave(&database, "batch", "SELECT pg_advisory_lock(7)", "");
    let _queue = queue(&database, 3);
    let seen = || look(&cli(&database));
    soon("three wait", || {
        seen()["blocking"]
            .as_array()
            .is_some_and(|rows| rows.len() == 3)
    });
    assert!(seen().get("blocking_limited").is_none());
}

/// A `pg_blocking_pids()` that takes too long stands before the server's own in the search path.
#[test]
fn a_question_that_the_server_cancels_leaves_the_rest_of_the_look() {
    let database = database(15);
    database
        .execute(
            "CREATE SCHEMA slow; CREATE FUNCTION slow.pg_blocking_pids(int) RETURNS int[] LANGUAGE plpgsql VOLATILE AS \
             'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'",
        )
        .expect("a slow function");
    let holder = leave(&database, "batch", "BEGIN; LOCK TABLE item", "");
    let reader = leave(&database, "web", "", "SELECT * FROM item");
    super::scene::waits(&database, &reader);
    database
        .execute(&format!(
            "ALTER DATABASE {} SET search_path = slow, pg_catalog, public",
            database.name()
        ))
        .expect("a search path");
    let cli = cli(&database);
    let seen = look(&cli);
    let limited = &seen["blocking_limited"];
    assert_eq!(
        json!([limited["waiting"], limited["asked"], seen["blocking"]]),
        json!([null, 0, []])
    );
    // what was not asked so is still told
    let pids: Vec<_> = seen["sessions"]
        .as_array()
        .expect("sessions")
        .iter()
        .map(|s| &s["pid"])
        .collect();
    assert!(
        pids.contains(&&json!(holder.pid)) && pids.contains(&&json!(reader.pid)),
        "{pids:?}"
    );
    assert_eq!(seen["holders"][0]["pid"], holder.pid);
    let text = cli.run().expect(0).stdout;
    for words in [
        "who waits for whom is unknown",
        "who waits for a lock is unknown",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
