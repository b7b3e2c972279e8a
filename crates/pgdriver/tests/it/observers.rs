//! The pool of observers: what comes out of it is alive and restricted, whatever happened to what went in.

use std::time::Duration;

use pgdriver::{ConnectErrorKind, ObserverPool, Session};
use xtask::servers::Database;

use crate::{databases, options, soon, superuser};

fn pool(database: &Database) -> ObserverPool {
    ObserverPool::new(options(&database.dsn()))
}

async fn settings(session: &Session) -> Vec<String> {
    let mut values = Vec::new();
    for name in [
        "default_transaction_read_only",
        "lock_timeout",
        "statement_timeout",
    ] {
        values.extend(session.show(name).await.unwrap());
    }
    values
}

#[tokio::test]
async fn the_same_session_comes_back_and_is_still_restricted() {
    for database in databases() {
        database.execute("CREATE TABLE item (id int)").unwrap();
        let pool = pool(&database);
        assert_eq!(pool.open(), 0);
        let first = pool.get().await.unwrap();
        let pid = first.pid();
        drop(first);
        for _ in 0..3 {
            let again = pool.get().await.unwrap();
            assert_eq!(again.pid(), pid);
            assert_eq!(settings(&again).await, ["on", "100ms", "2s"]);
        }
        assert_eq!(pool.open(), 1);

        let again = pool.get().await.unwrap();
        let error = again
            .execute("INSERT INTO item VALUES (1)")
            .await
            .unwrap_err();
        assert_eq!(error.sqlstate(), Some("25006"), "{error}");
        let error = again.execute("SELECT pg_sleep(30)").await.unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        let holder = superuser(&database).await;
        holder.execute("BEGIN; LOCK TABLE item").await.unwrap();
        let error = again.execute("TABLE item").await.unwrap_err();
        assert!(error.is_lock_timeout(), "{error}");
        // errors end statements, not sessions
        drop(again);
        assert_eq!(pool.get().await.unwrap().pid(), pid);
    }
}

#[tokio::test]
async fn a_session_that_was_terminated_is_replaced() {
    for database in databases() {
        let pool = pool(&database);
        let first = pool.get().await.unwrap();
        let pid = first.pid();
        database
            .scalar(&format!("SELECT pg_terminate_backend({pid})"))
            .unwrap();
        soon("its end is noticed", || first.is_closed()).await;
        drop(first);
        let next = pool.get().await.unwrap();
        assert_ne!(next.pid(), pid);
        assert_eq!(settings(&next).await, ["on", "100ms", "2s"]);
        assert_eq!(pool.open(), 1);
    }
}

/// The client has not heard of the end yet when the session is asked for.
#[tokio::test]
async fn a_session_that_ends_while_idle_is_replaced() {
    for database in databases() {
        let pool = pool(&database);
        let pid = pool.get().await.unwrap().pid();
        // the call blocks this thread, on which the connection's task would hear of it
        database
            .scalar(&format!("SELECT pg_terminate_backend({pid}, 10000)"))
            .unwrap();
        let next = pool.get().await.unwrap();
        assert_ne!(next.pid(), pid);
        assert_eq!(settings(&next).await, ["on", "100ms", "2s"]);
    }
}

#[tokio::test]
async fn whoever_lifts_the_restrictions_spoils_the_session() {
    for database in databases() {
        let pool = pool(&database);
        for spoiled in [
            "SET default_transaction_read_only = off",
            "SET lock_timeout = 0",
            "SET statement_timeout = 0",
            "RESET ALL",
            "BEGIN",
            "BEGIN READ WRITE",
        ] {
            let session = pool.get().await.unwrap();
            let pid = session.pid();
            session.execute(spoiled).await.unwrap();
            drop(session);
            let next = pool.get().await.unwrap();
            assert_ne!(next.pid(), pid, "{spoiled}");
            assert_eq!(settings(&next).await, ["on", "100ms", "2s"], "{spoiled}");
        }
        // an aborted transaction too
        let session = pool.get().await.unwrap();
        let pid = session.pid();
        session.execute("BEGIN; SELECT 1/0").await.unwrap_err();
        drop(session);
        assert_ne!(pool.get().await.unwrap().pid(), pid);
    }
}

#[tokio::test]
async fn a_pool_says_why_there_is_no_observer() {
    let database = xtask::servers::shared(crate::MAJORS[0]).database().unwrap();
    let nowhere = options(&database.dsn()).with_database("nowhere");
    let error = ObserverPool::new(nowhere).get().await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::NoSuchDatabase, "{error}");

    let pool = pool(&database);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(pool.get().await.unwrap());
    }
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { pool.get().await.map(|session| session.pid()) }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished() && pool.open() == 3, "{pool:?}");
    let pid = held.pop().unwrap().pid();
    assert_eq!(waiting.await.unwrap().unwrap(), pid);
}
