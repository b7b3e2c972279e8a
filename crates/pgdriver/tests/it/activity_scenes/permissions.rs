//! The remedy for a session of an ordinary role, by what the asking role has been granted.

use pgdriver::activity::remedy::{Action, Hindrance};
use pgdriver::activity::{self, Cause};
use xtask::env::Env;
use xtask::servers::TempServer;

use super::{Scene, idle_in_transaction};
use crate::{MAJORS, PLAIN, leave_running, options, plain_dsn};

/// What a role with these grants is told of `waiter`'s only cause.
async fn cause(scene: &Scene, waiter: i32, grants: &str) -> Cause {
    if !grants.is_empty() {
        scene
            .database
            .execute(&format!("GRANT {grants} TO {PLAIN}"))
            .unwrap();
    }
    let dsn = plain_dsn(scene.database.server(), scene.database.name());
    let session = pgdriver::connect_observer(&options(&dsn)).await.unwrap();
    let graph = activity::blockers_of(&session, waiter).await.unwrap();
    let mut causes = graph.causes_of(waiter);
    assert_eq!(causes.len(), 1);
    causes.remove(0)
}

/// Grants belong to the whole server: one of its own.
#[tokio::test]
async fn each_grant_shows_or_allows_more() {
    for major in MAJORS {
        let server = TempServer::start(&Env::open().unwrap().postgres(major).unwrap()).unwrap();
        let database = server.database().unwrap();
        let schema = "CREATE ROLE web LOGIN; CREATE TABLE item (id int); GRANT ALL ON item TO web";
        let mut scene = Scene::new(database, schema).await;
        scene
            .database
            .execute("ALTER ROLE web PASSWORD 'web'")
            .unwrap();
        let dsn = server.dsn_as("web", "web", scene.database.name());
        let web = pgdriver::connect(&options(&dsn)).await.unwrap();
        web.execute("BEGIN; SELECT * FROM item").await.unwrap();
        let holder = web.pid();
        let waiter = scene.waits("", "ALTER TABLE item ADD x int").await;

        let see = Hindrance::NotPermittedToSee {
            grant: format!("GRANT pg_monitor TO \"{PLAIN}\""),
        };
        let signal = Hindrance::NotPermittedToSignal {
            grant: format!("GRANT pg_signal_backend TO \"{PLAIN}\""),
        };
        let plain = cause(&scene, waiter, "").await.remedy;
        assert_eq!(plain.action, Action::CancelOrTerminate { pid: holder });
        assert_eq!(plain.hindrances, [signal.clone(), see.clone()]);
        assert!(plain.to_string().contains("GRANT pg_monitor TO"), "{plain}");

        let sees = cause(&scene, waiter, "pg_monitor").await.remedy;
        assert_eq!(sees.action, idle_in_transaction(holder));
        assert_eq!(sees.hindrances, [signal]);

        let may = cause(&scene, waiter, "pg_signal_backend").await.remedy;
        assert_eq!(may.action, idle_in_transaction(holder));
        assert_eq!(may.hindrances, []);
        for sql in may.sql() {
            let dsn = plain_dsn(&server, scene.database.name());
            let plain = pgdriver::connect(&options(&dsn)).await.unwrap();
            plain.execute(&sql).await.unwrap();
        }
        crate::activity::until_waiting(&scene.database, 0).await;
        web.closed().await;

        // a superuser's session stays out of reach
        scene.waiting = 0;
        let holder = leave_running(&scene.database, "BEGIN; LOCK TABLE item", "").await;
        let waiter = scene.waits("", "SELECT * FROM item").await;
        let cause = cause(&scene, waiter, "").await;
        assert_eq!(cause.remedy.action, idle_in_transaction(holder));
        assert_eq!(cause.remedy.hindrances, [Hindrance::SuperuserOnly]);
    }
}
