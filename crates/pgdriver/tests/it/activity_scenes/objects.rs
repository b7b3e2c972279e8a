//! Locks that are on no table: advisory locks, schemas.

use pgdriver::activity::How::Holds;
use pgdriver::activity::locks::LockMode;
use pgdriver::activity::remedy::{Action, Because};
use pgdriver::activity::{AdvisoryKey, Target};

use super::{Scene, idle_in_transaction};
use crate::databases;

const EXCLUSIVE: LockMode = LockMode::Exclusive;

#[tokio::test]
async fn an_advisory_lock_of_a_session() {
    for database in databases() {
        let mut scene = Scene::new(database, "").await;
        let holder = scene.after("SELECT pg_advisory_lock(-7)").await;
        let waiter = scene.waits("", "SELECT pg_advisory_lock(-7)").await;
        let root = Action::Terminate {
            pid: holder,
            because: Because::SessionLock,
        };
        scene
            .check(waiter, &[(holder, Holds(EXCLUSIVE))], &[(holder, root)])
            .await;
        let wait = scene.wait(waiter).await;
        assert_eq!(wait.target, Target::Advisory(AdvisoryKey::One(-7)));
        assert_eq!(wait.database.as_deref(), Some(scene.database.name()));
        assert_eq!((wait.relation, wait.mode.as_str()), (None, "ExclusiveLock"));
    }
}

#[tokio::test]
async fn an_advisory_lock_of_a_transaction() {
    for database in databases() {
        let mut scene = Scene::new(database, "").await;
        let holder = scene
            .after("BEGIN; SELECT pg_advisory_xact_lock_shared(1, -2)")
            .await;
        let waiter = scene.waits("", "SELECT pg_advisory_lock(1, -2)").await;
        let root = idle_in_transaction(holder);
        scene
            .check(
                waiter,
                &[(holder, Holds(LockMode::Share))],
                &[(holder, root)],
            )
            .await;
        let key = AdvisoryKey::Two(1, -2);
        assert_eq!(scene.wait(waiter).await.target, Target::Advisory(key));
    }
}

#[tokio::test]
async fn a_schema_that_is_dropped() {
    for database in databases() {
        let mut scene = Scene::new(database, "CREATE SCHEMA shop").await;
        let holder = scene.after("BEGIN; CREATE TABLE shop.item ()").await;
        let waiter = scene.waits("", "DROP SCHEMA shop").await;
        let root = idle_in_transaction(holder);
        scene
            .check(
                waiter,
                &[(holder, Holds(LockMode::AccessShare))],
                &[(holder, root)],
            )
            .await;
        match scene.wait(waiter).await.target {
            Target::Object { class, .. } => assert_eq!(class, "pg_namespace"),
            other => panic!("{other:?}"),
        }
    }
}
