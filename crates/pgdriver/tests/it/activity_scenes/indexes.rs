//! DDL that others notice: index builds and foreign keys.

use pgdriver::activity::How::{Holds, Queued};
use pgdriver::activity::Target;
use pgdriver::activity::locks::{LockMode, Wanted, in_the_way};
use pgdriver::activity::progress::{Unit, progress_of};
use pgdriver::activity::remedy::Action;
use pgdriver::catalog::RelationName;

use super::{AX, Scene, WRITE, idle_in_transaction};
use crate::{databases, soon};

const ITEMS: &str = "CREATE TABLE item (id int PRIMARY KEY); CREATE TABLE sale (item_id int)";

#[tokio::test]
async fn a_concurrent_index_waits_for_a_writer() {
    for database in databases() {
        let mut scene = Scene::new(database, ITEMS).await;
        let holder = scene.after("BEGIN; INSERT INTO item VALUES (1)").await;
        let build = scene
            .waits("", "CREATE INDEX CONCURRENTLY item_id ON item (id)")
            .await;
        let alter = scene.waits("", "ALTER TABLE item ADD x int").await;
        let roots = [(holder, idle_in_transaction(holder))];
        scene
            .check(build, &[(holder, Holds(LockMode::Exclusive))], &roots)
            .await;
        let direct = [
            (holder, Holds(WRITE)),
            (build, Holds(LockMode::ShareUpdateExclusive)),
        ];
        scene.check(alter, &direct, &roots).await;
        let wait = scene.wait(build).await;
        assert!(
            matches!(wait.target, Target::VirtualTransaction { .. }),
            "{wait:?}"
        );

        let progress = progress_of(&scene.observer, build).await.unwrap().unwrap();
        assert_eq!(progress.command, "CREATE INDEX CONCURRENTLY");
        assert_eq!(
            progress.phase.as_deref(),
            Some("waiting for writers before build")
        );
        assert_eq!(progress.relation, Some(RelationName::new("public", "item")));
        assert_eq!(
            (progress.unit, progress.done, progress.total),
            (Unit::Lockers, 0, Some(1))
        );
        assert_eq!(progress.fraction(), Some(0.0));
        let hidden = progress_of(&scene.plain, build).await.unwrap().unwrap();
        assert_eq!(
            (hidden.command.as_str(), hidden.phase),
            ("CREATE INDEX", None)
        );
        assert_eq!(progress_of(&scene.observer, holder).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_concurrent_index_is_the_root() {
    for database in databases() {
        let schema = format!(
            "{ITEMS}; INSERT INTO item VALUES (1); CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql
             AS $$ BEGIN PERFORM pg_sleep(600); RETURN $1; END $$"
        );
        let mut scene = Scene::new(database, &schema).await;
        let build = scene
            .busy("", "CREATE INDEX CONCURRENTLY item_slow ON item (slow(id))")
            .await;
        let name = RelationName::parse("item");
        let wanted = [Wanted {
            relation: name,
            mode: AX,
        }];
        let sleeps = format!("SELECT wait_event FROM pg_stat_activity WHERE pid = {build}");
        soon("the build sleeps", || {
            scene.database.scalar(&sleeps).unwrap() == "PgSleep"
        })
        .await;
        let progress = progress_of(&scene.observer, build).await.unwrap().unwrap();
        assert_eq!(
            progress.phase.as_deref(),
            Some("building index: scanning table")
        );
        assert_eq!((progress.unit, progress.total), (Unit::Blocks, Some(1)));
        let held = in_the_way(&scene.plain, &wanted, &[]).await.unwrap();
        assert!(
            held.iter().all(|held| held.pid == build) && !held.is_empty(),
            "{held:?}"
        );
        let waiter = scene.waits("", "ALTER TABLE item ADD x int").await;
        let direct = [(build, Holds(LockMode::ShareUpdateExclusive))];
        let roots = [(build, Action::CancelIndexBuild { pid: build })];
        scene.check(waiter, &direct, &roots).await;
    }
}

#[tokio::test]
async fn a_foreign_key_waits_for_writers_of_the_table_it_refers_to() {
    for database in databases() {
        let mut scene = Scene::new(database, ITEMS).await;
        let holder = scene.after("BEGIN; INSERT INTO item VALUES (1)").await;
        let ddl = scene
            .waits(
                "",
                "ALTER TABLE sale ADD FOREIGN KEY (item_id) REFERENCES item",
            )
            .await;
        let writer = scene.waits("", "INSERT INTO item VALUES (2)").await;
        let reader = scene.busy("", "BEGIN; SELECT * FROM item").await;
        let roots = [(holder, idle_in_transaction(holder))];
        scene.check(ddl, &[(holder, Holds(WRITE))], &roots).await;
        let direct = [(ddl, Queued(LockMode::ShareRowExclusive))];
        scene.check(writer, &direct, &roots).await;
        assert_eq!(
            scene.wait(ddl).await.relation.as_deref(),
            Some("public.item")
        );
        let session = scene.database.scalar(&format!(
            "SELECT count(*) FROM pg_locks WHERE pid = {reader} AND NOT granted"
        ));
        assert_eq!(session.unwrap(), "0", "readers go on");
    }
}
