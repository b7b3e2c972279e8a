//! Autovacuum at work, and how old things are.

use std::time::Duration;

use pgdriver::catalog::RelationName;
use pgdriver::server::{self, AutovacuumWorker, TableAges};
use pgdriver::{Permitted, Session};
use xtask::env::Env;
use xtask::servers::{Options, TempServer, available};

use crate::{options, plain_dsn};

/// A table that autovacuum comes to only because it must, from the hundred thousandth transaction on, and cannot be
/// done with soon.
const TABLE: &str =
    "CREATE TABLE item WITH (autovacuum_enabled = false, autovacuum_freeze_max_age = 100000,
                       autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1) AS
                     SELECT g AS id, repeat('x', 500) AS body FROM generate_series(1, 20000) g";
/// Each subtransaction that writes takes a transaction id of its own.
const BURN: &str = "CREATE TABLE burn (n int);
                    DO $$ BEGIN FOR n IN 1..110000 LOOP
                      BEGIN INSERT INTO burn VALUES (n); EXCEPTION WHEN division_by_zero THEN NULL; END;
                    END LOOP; END $$";

async fn observer(dsn: &str) -> Session {
    pgdriver::connect_observer(&options(dsn)).await.unwrap()
}

async fn worker_on(session: &Session, table: &RelationName) -> AutovacuumWorker {
    for _ in 0..1500 {
        let workers = server::autovacuum_workers(session).await.unwrap();
        let found = workers
            .into_iter()
            .find(|w| w.table.as_ref() == Some(table));
        if let Some(found) = found {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no autovacuum worker within 30 s");
}

#[tokio::test]
async fn a_worker_that_prevents_wraparound_and_the_table_that_it_is_for() {
    for major in available() {
        let install = Env::open().unwrap().postgres(*major).unwrap();
        let settings = vec![("autovacuum_naptime".to_owned(), "1s".to_owned())];
        let server = TempServer::start_with(
            &install,
            Options {
                settings,
                ..Options::default()
            },
        )
        .unwrap();
        let table = RelationName::new("public", "item");
        server.execute("postgres", TABLE).unwrap();
        let session = observer(&server.dsn("postgres")).await;
        let old = server::table_ages(&session, 0.9).await.unwrap();
        assert_eq!(old, TableAges::default(), "nothing is old yet on {major}");

        server.execute("postgres", BURN).unwrap();
        let old = server::table_ages(&session, 0.9).await.unwrap();
        assert_eq!((old.tables.len(), old.due), (1, 1), "{old:?}");
        let old = old.tables;
        assert_eq!((&old[0].name, old[0].xids.limit), (&table, 100_000));
        assert!(old[0].xids.share() > 1.0 && old[0].multixacts.share() < 0.1);
        let databases = server::database_ages(&session).await.unwrap();
        let here = databases.iter().find(|d| d.is_current).unwrap();
        assert_eq!(
            (here.database.as_str(), here.xids.limit),
            ("postgres", 200_000_000)
        );
        assert!(here.xids.age > 100_000 && here.xids.share() < 0.1);
        assert_eq!(databases.len(), 3, "those without connections, too");

        let worker = worker_on(&session, &table).await;
        assert_eq!(worker.database.as_deref(), Some("postgres"));
        let detail = worker.detail.seen().unwrap();
        assert!(detail.to_prevent_wraparound, "{detail:?}");
        assert!(detail.work.starts_with("VACUUM"), "{detail:?}");
        assert!(detail.age.is_some() && detail.phase.is_some());

        let plain = observer(&plain_dsn(&server, "postgres")).await;
        let hidden = worker_on(&plain, &table).await;
        assert_eq!(
            (hidden.pid, hidden.detail),
            (worker.pid, Permitted::NotPermitted)
        );
        let old = server::table_ages(&plain, 0.9).await.unwrap();
        assert_eq!(old.tables[0].name, table, "ages are everybody's to see");
        let others: Vec<_> = server::autovacuum_workers(&plain).await.unwrap();
        assert!(others.iter().all(|w| w.database.is_some()), "{others:?}");
    }
}

/// A hundred are listed, users' before the catalog's; the number is that of all.
#[tokio::test]
async fn more_old_tables_than_are_listed() {
    for major in available() {
        let install = Env::open().unwrap().postgres(*major).unwrap();
        let settings = [
            ("autovacuum", "off"),
            ("autovacuum_freeze_max_age", "100000"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let server = TempServer::start_with(
            &install,
            Options {
                settings: settings.to_vec(),
                ..Options::default()
            },
        )
        .unwrap();
        let many = "DO $$ BEGIN FOR n IN 1..110 LOOP EXECUTE format('CREATE TABLE item_%s ()', n); END LOOP; END $$";
        server.execute("postgres", many).unwrap();
        server.execute("postgres", BURN).unwrap();
        let session = observer(&server.dsn("postgres")).await;
        let old = server::table_ages(&session, 0.9).await.unwrap();
        // item_1 to item_110, and perhaps burn, which is as old as its own first transaction
        assert!([110, 111].contains(&old.due), "{} on {major}", old.due);
        assert_eq!(old.tables.len(), 100);
        let public = |age: &server::TableAge| age.name.schema.as_deref() == Some("public");
        assert!(old.tables.iter().all(public), "{old:?} on {major}");
    }
}
