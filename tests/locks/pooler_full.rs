//! A PgBouncer that has no place left says so, and so do we: busy, whatever sslmode says.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::scene::database;
use crate::support::{self, Database, PoolMode, Pooler};

fn dsn(pooler: &Pooler, database: &Database, more: &str) -> String {
    let server = database.server();
    format!(
        "host={} port={} user={} password={} dbname={} {more}",
        pooler.host(),
        pooler.port(),
        server.user(),
        server.password(),
        database.name()
    )
}

/// Somebody who keeps the pool's only place, with a query that has been answered.
fn first(pooler: &Pooler, database: &Database) -> std::sync::mpsc::Sender<()> {
    let (told, tell) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let dsn = dsn(pooler, database, "sslmode=disable");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            // the probe that found the pooler ready still counts as a client for a moment
            let begun = Instant::now();
            let (client, connection) = loop {
                match tokio_postgres::connect(&dsn, tokio_postgres::NoTls).await {
                    Ok(connected) => break connected,
                    Err(why) => assert!(begun.elapsed() < Duration::from_secs(20), "{why}"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            tokio::spawn(connection);
            client.batch_execute("SELECT 1").await.expect("an answer");
            told.send(()).expect("somebody who listens");
            let _ = tokio::task::spawn_blocking(move || ended.recv()).await;
            drop(client);
        });
    });
    tell.recv_timeout(Duration::from_secs(30))
        .expect("the first session");
    end
}

fn refused(settings: &str, more: &str) -> Option<Value> {
    let database = database(15);
    let pooler = support::pooler_with(database.server(), PoolMode::Session, settings)?;
    let _first = first(&pooler, &database);
    let dsn = dsn(&pooler, &database, more);
    let cli = support::cli_in(&std::env::temp_dir()).args(["locks", "--dsn", &dsn]);
    let ran = cli.args(["--format", "json"]).run().expect(30);
    Some(ran.json())
}

#[test]
fn no_place_left_is_busy_in_every_sslmode() {
    for mode in ["disable", "allow", "prefer"] {
        for settings in [
            "max_client_conn = 1\n",
            "default_pool_size = 1\nquery_wait_timeout = 1\n",
        ] {
            let Some(seen) = refused(settings, &format!("sslmode={mode}")) else {
                return;
            };
            assert_eq!(
                seen["error"]["class"], "database-busy",
                "{mode} {settings}: {seen:#}"
            );
        }
    }
}

/// Django's driver asks first, and its words know no SQLSTATE.
#[test]
fn a_full_pool_is_busy_to_the_project_too() {
    let shop = support::shop("5.2", 15);
    let settings = "default_pool_size = 1\nquery_wait_timeout = 1\n";
    let Some(pooler) = support::pooler_with(shop.server(), PoolMode::Session, settings) else {
        return;
    };
    support::lead_through(&shop.project, &pooler);
    let _first = first(&pooler, &shop.database);
    let ran = support::cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(30);
    assert_eq!(
        ran.json()["error"]["class"],
        "database-busy",
        "{}",
        ran.stdout
    );
}
