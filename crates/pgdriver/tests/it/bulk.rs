//! Statements and rows in bulk: what the server took, what it refused and where, and that a session survives it.

use bytes::Bytes;
use pgdriver::Session;
use pgdriver::loading::{self, Descent};
use xtask::servers::{available, shared};

use crate::{databases, options, plain_dsn, superuser};

async fn count(session: &Session, sql: &str) -> String {
    session.query_text(sql).await.unwrap()[0][0]
        .clone()
        .unwrap()
}

#[tokio::test]
async fn rows_come_in_by_chunks_cut_at_row_ends() {
    for database in databases() {
        let session = superuser(&database).await;
        session
            .execute("CREATE TABLE t (i int, s text)")
            .await
            .unwrap();
        let mut copy = session.copy_in("COPY t (i, s) FROM stdin").await.unwrap();
        for chunk in 0..40 {
            let rows: String = (0..5000)
                .map(|i| format!("{}\tx\\n{i}\n", chunk * 5000 + i))
                .collect();
            copy.send(Bytes::from(rows)).await.unwrap();
        }
        assert_eq!(copy.finish().await.unwrap(), 200_000);
        assert_eq!(
            count(&session, "SELECT count(DISTINCT i) FROM t").await,
            "200000"
        );
    }
}

#[tokio::test]
async fn a_refused_row_is_named_and_the_session_goes_on() {
    for database in databases() {
        let session = superuser(&database).await;
        session.execute("CREATE TABLE t (i int)").await.unwrap();
        let mut copy = session.copy_in("COPY t (i) FROM stdin").await.unwrap();
        copy.send(Bytes::from_static(b"1\n2\nthree\n"))
            .await
            .unwrap();
        copy.send(Bytes::from(b"4\n".repeat(100_000)))
            .await
            .unwrap();
        let error = copy.finish().await.unwrap_err();
        assert_eq!(error.sqlstate(), Some("22P02"));
        assert!(
            error
                .context()
                .unwrap()
                .starts_with("COPY t, line 3, column i"),
            "{error:?}"
        );
        assert!(!error.is_connection_lost());

        let mut given_up = session.copy_in("COPY t (i) FROM stdin").await.unwrap();
        given_up.send(Bytes::from_static(b"5\n")).await.unwrap();
        drop(given_up);
        assert_eq!(count(&session, "SELECT count(*) FROM t").await, "0");
    }
}

#[tokio::test]
async fn a_copy_may_be_refused_before_its_first_row() {
    for database in databases() {
        let session = superuser(&database).await;
        let copy = session.copy_in("COPY nowhere (i) FROM stdin").await;
        assert_eq!(copy.map(drop).unwrap_err().sqlstate(), Some("42P01"));
    }
}

#[tokio::test]
async fn a_statement_says_what_it_touched_or_where_it_is_wrong() {
    for database in databases() {
        let session = superuser(&database).await;
        session.execute("CREATE TABLE t (i int)").await.unwrap();
        assert_eq!(
            session
                .simple("INSERT INTO t VALUES (1), (2)")
                .await
                .unwrap(),
            2
        );
        assert_eq!(session.simple("CREATE INDEX ON t (i)").await.unwrap(), 0);
        let error = session.simple("SELECT 'ü', nix FROM t").await.unwrap_err();
        assert_eq!(
            (error.sqlstate(), error.position()),
            (Some("42703"), Some(13))
        );
        assert_eq!(
            error.server_message(),
            Some("column \"nix\" does not exist")
        );

        session.simple("DROP TABLE IF EXISTS gone").await.unwrap();
        let (count, notices) = session.take_notices();
        assert_eq!(count, 1);
        assert_eq!(
            notices[0].message,
            "table \"gone\" does not exist, skipping"
        );
        assert_eq!(session.take_notices().0, 0);
    }
}

#[tokio::test]
async fn a_load_has_no_limits_and_is_durable_at_its_end() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        // the tests' servers never wait for the disk, unless asked to
        let dsn = plain_dsn(database.server(), database.name());
        let dsn = format!("{dsn}?options=-c%20synchronous_commit%3Don");
        let session = pgdriver::connect(&options(&dsn)).await.unwrap();
        session
            .execute("SET statement_timeout = 1000; SET idle_in_transaction_session_timeout = 1000")
            .await
            .unwrap();
        loading::without_limits(&session).await.unwrap();
        for name in ["statement_timeout", "idle_in_transaction_session_timeout"] {
            assert_eq!(session.show(name).await.unwrap().as_deref(), Some("0"));
        }

        loading::commit_without_waiting(&session).await.unwrap();
        assert_eq!(
            session.show("synchronous_commit").await.unwrap().as_deref(),
            Some("off")
        );
        let owner = superuser(&database).await;
        owner
            .execute("SET synchronous_commit = off; CREATE TABLE t AS SELECT 1")
            .await
            .unwrap();
        let before = count(&owner, "SELECT pg_current_wal_insert_lsn()").await;
        loading::flush(&session).await.unwrap();
        let flushed = format!("SELECT pg_current_wal_flush_lsn() >= '{before}'");
        assert_eq!(count(&owner, &flushed).await, "t");
    }
}

#[tokio::test]
async fn partitions_and_heirs_are_known() {
    for database in databases() {
        let session = superuser(&database).await;
        let sql = "CREATE TABLE p (i int PRIMARY KEY) PARTITION BY RANGE (i); CREATE TABLE \"P 1\" PARTITION OF p DEFAULT; \
                   CREATE SCHEMA s; CREATE TABLE s.heir () INHERITS (\"P 2\")";
        session
            .execute("CREATE TABLE \"P 2\" (i int)")
            .await
            .unwrap();
        session.execute(sql).await.unwrap();
        let mut found = loading::descents(&session).await.unwrap();
        found.sort_by(|a, b| a.child.cmp(&b.child));
        let name = |schema: &str, name: &str| (schema.to_owned(), name.to_owned());
        assert_eq!(
            found,
            [
                Descent {
                    parent: name("public", "p"),
                    child: name("public", "P 1")
                },
                Descent {
                    parent: name("public", "P 2"),
                    child: name("s", "heir")
                },
            ]
        );
    }
}
