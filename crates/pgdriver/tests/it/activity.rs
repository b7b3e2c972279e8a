//! Known scenarios of blocking, and who may see what of them.

use std::time::Duration;

use pgdriver::Permitted;
use pgdriver::activity;
use xtask::env::Env;
use xtask::servers::{Database, Options, TempServer};

use crate::{MAJORS, databases, leave_running, observer, options, plain_dsn, soon};

/// Waits until so many sessions wait for locks in this database.
pub(crate) async fn until_waiting(database: &Database, count: usize) {
    let sql = "SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted \
               AND a.datname = current_database()";
    soon("sessions wait", || {
        database.scalar(sql).unwrap() == count.to_string()
    })
    .await;
}

#[tokio::test]
async fn a_queue_and_its_root() {
    for database in databases() {
        database.execute("CREATE TABLE item (id int)").unwrap();
        let holder = leave_running(&database, "BEGIN; SELECT * FROM item", "").await;
        let alter = leave_running(&database, "", "ALTER TABLE item ADD x int").await;
        until_waiting(&database, 1).await;
        let reader = leave_running(&database, "", "SELECT * FROM item").await;
        until_waiting(&database, 2).await;

        let session = observer(&database).await;
        let graph = activity::blockers_of(&session, reader).await.unwrap();
        assert_eq!(graph.direct(reader), [alter]);
        assert_eq!(graph.roots(reader), [holder]);
        let wait = graph.wait(reader).unwrap();
        assert_eq!(
            (wait.relation.as_deref(), wait.mode.as_str()),
            (Some("public.item"), "AccessShareLock")
        );
        assert_eq!(graph.wait(alter).unwrap().mode, "AccessExclusiveLock");
        let root = graph.session(holder).unwrap().detail.seen().unwrap();
        assert_eq!(root.state.as_deref(), Some("idle in transaction"));
        assert_eq!(root.query, "BEGIN; SELECT * FROM item");
        assert!(root.xact_age.unwrap() < Duration::from_secs(60));

        let mut behind = activity::blocked_by(&session, holder)
            .await
            .unwrap()
            .queued_behind(holder);
        behind.sort_unstable();
        let mut expected = vec![alter, reader];
        expected.sort_unstable();
        assert_eq!(behind, expected);
        assert_eq!(
            activity::blocked_by(&session, alter)
                .await
                .unwrap()
                .queued_behind(alter),
            [reader]
        );
        assert_eq!(
            activity::blockers_of(&session, holder).await.unwrap().edges,
            []
        );

        let Some(Permitted::Seen(wait)) = activity::wait_of(&session, alter).await.unwrap() else {
            panic!("a superuser sees it");
        };
        assert!(wait.is_for_lock(), "{wait:?}");
        assert_eq!(activity::wait_of(&session, 0).await.unwrap(), None);

        let long = activity::long_transactions(&session, Duration::ZERO)
            .await
            .unwrap();
        assert!(long.sessions.iter().any(|session| session.pid == holder));
        assert_eq!(long.hidden, 0);
        let long = activity::long_transactions(&session, Duration::from_secs(3600))
            .await
            .unwrap();
        assert!(long.sessions.iter().all(|session| session.pid != holder));
        assert_eq!(
            activity::other_sessions_on(&session, database.name())
                .await
                .unwrap(),
            3
        );

        // idle in transaction: a cancel is told and does nothing, a terminate works
        assert!(activity::cancel_backend(&session, holder).await.unwrap());
        assert!(activity::backend_exists(&session, holder).await.unwrap());
        assert!(activity::terminate_backend(&session, holder).await.unwrap());
        until_waiting(&database, 0).await;
        assert!(!activity::backend_exists(&session, holder).await.unwrap());
        assert!(!activity::cancel_backend(&session, holder).await.unwrap());
    }
}

#[tokio::test]
async fn without_pg_monitor() {
    for database in databases() {
        database.execute("CREATE TABLE item (id int)").unwrap();
        let holder = leave_running(&database, "BEGIN; LOCK TABLE item", "").await;
        let waiter = leave_running(
            &database,
            "SET application_name = 'web'",
            "SELECT * FROM item",
        )
        .await;
        until_waiting(&database, 1).await;
        let dsn = plain_dsn(database.server(), database.name());
        let session = pgdriver::connect_observer(&options(&dsn)).await.unwrap();
        let graph = activity::blockers_of(&session, waiter).await.unwrap();
        assert_eq!(graph.roots(waiter), [holder]);
        let seen = graph.session(waiter).unwrap();
        assert_eq!(seen.detail, Permitted::NotPermitted);
        assert_eq!(seen.application.as_deref(), Some("web"));
        assert_eq!(
            graph.wait(waiter).unwrap().relation.as_deref(),
            Some("public.item")
        );
        assert_eq!(
            activity::wait_of(&session, waiter).await.unwrap(),
            Some(Permitted::NotPermitted)
        );
        assert!(
            activity::long_transactions(&session, Duration::ZERO)
                .await
                .unwrap()
                .hidden
                >= 2
        );
        assert!(
            activity::cancel_backend(&session, waiter)
                .await
                .unwrap_err()
                .is_permission_denied()
        );
        assert!(activity::wait_graph(&session).await.unwrap().roots(waiter) == [holder]);
        assert!(
            activity::sessions(&session)
                .await
                .unwrap()
                .iter()
                .any(|session| session.pid == holder)
        );
    }
}

#[tokio::test]
async fn a_prepared_transaction_is_blocker_zero() {
    for major in MAJORS {
        let install = Env::open().unwrap().postgres(major).unwrap();
        let settings = vec![("max_prepared_transactions".to_owned(), "5".to_owned())];
        let server = TempServer::start_with(
            &install,
            Options {
                settings,
                ..Options::default()
            },
        )
        .unwrap();
        let database = server.database().unwrap();
        database.execute("CREATE TABLE item (id int)").unwrap();
        leave_running(
            &database,
            "BEGIN; LOCK TABLE item; PREPARE TRANSACTION 'order 7'",
            "",
        )
        .await;
        let waiter = leave_running(&database, "", "SELECT * FROM item").await;
        until_waiting(&database, 1).await;
        let graph = activity::blockers_of(&observer(&database).await, waiter)
            .await
            .unwrap();
        assert_eq!(graph.roots(waiter), [0]);
        assert_eq!(graph.prepared.len(), 1);
        assert_eq!(graph.prepared[0].gid, "order 7");
        database.execute("ROLLBACK PREPARED 'order 7'").unwrap();
    }
}

#[tokio::test]
async fn a_signal_meant_for_one_transaction_spares_the_next() {
    for database in databases() {
        let sleeper = leave_running(&database, "BEGIN", "SELECT pg_sleep(60)").await;
        let idle = leave_running(&database, "BEGIN; SELECT 1", "").await;
        let session = observer(&database).await;
        let transactions = activity::signal::transactions_of(&session, &[sleeper, idle, 0])
            .await
            .unwrap();
        assert_eq!(
            transactions.keys().collect::<Vec<_>>(),
            [&sleeper.min(idle), &sleeper.max(idle)]
        );
        let (theirs, other) = (&transactions[&sleeper], &transactions[&idle]);
        assert!(
            !activity::signal::cancel_in(&session, sleeper, other)
                .await
                .unwrap()
        );
        assert!(
            !activity::signal::terminate_in(&session, idle, theirs)
                .await
                .unwrap()
        );
        assert!(activity::backend_exists(&session, idle).await.unwrap());
        assert!(
            activity::signal::cancel_in(&session, sleeper, theirs)
                .await
                .unwrap()
        );
        soon("the statement is over", || {
            let sql = format!("SELECT state FROM pg_stat_activity WHERE pid = {sleeper}");
            database.scalar(&sql).unwrap() != "active"
        })
        .await;
        assert!(
            activity::signal::terminate_in(&session, idle, other)
                .await
                .unwrap()
        );
        soon("the session is gone", || {
            let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {idle}");
            database.scalar(&sql).unwrap() == "0"
        })
        .await;
    }
}

/// The server hands out what a session of another database runs as it came, in that database's encoding.
#[tokio::test]
async fn a_query_in_another_databases_encoding_costs_nothing() {
    for major in MAJORS {
        let install = Env::open().unwrap().postgres(major).unwrap();
        let server = TempServer::start_with(&install, Options::default()).unwrap();
        let database = server.database().unwrap();
        database
            .execute("CREATE DATABASE lat ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
            .unwrap();
        let theirs = pgdriver::connect(&options(&server.dsn("lat")))
            .await
            .unwrap();
        theirs.execute("BEGIN; SELECT 'caf\u{e9}'").await.unwrap();
        let session = observer(&database).await;
        let beside = activity::sessions(&session).await.unwrap();
        let query = beside
            .iter()
            .find(|session| session.database.as_deref() == Some("lat"))
            .and_then(|session| session.detail.seen())
            .map(|detail| detail.query.clone());
        assert_eq!(query.as_deref(), Some("BEGIN; SELECT 'caf\u{fffd}'"));
    }
}
