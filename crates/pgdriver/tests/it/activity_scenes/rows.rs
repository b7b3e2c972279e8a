//! Rows: the end of a transaction, and the row's own lock for those who come later.

use pgdriver::activity::How::{Holds, Queued};
use pgdriver::activity::locks::LockMode;
use pgdriver::activity::{LockWait, Target};

use super::{Scene, idle_in_transaction};
use crate::databases;

const ITEMS: &str =
    "CREATE TABLE item (id int PRIMARY KEY, n int); INSERT INTO item VALUES (1, 0), (2, 0)";
const EXCLUSIVE: LockMode = LockMode::Exclusive;

#[track_caller]
fn assert_row(wait: &LockWait, relation: &str, line: i16) {
    let row = wait.row.as_ref().unwrap();
    assert_eq!(
        (row.relation.as_deref(), row.page, row.tuple),
        (Some(relation), 0, line)
    );
    assert_eq!(wait.table(), Some(relation));
}

#[tokio::test]
async fn a_row_and_those_who_queue_for_it() {
    for database in databases() {
        let mut scene = Scene::new(database, ITEMS).await;
        let holder = scene
            .after("BEGIN; UPDATE item SET n = 1 WHERE id = 2")
            .await;
        let first = scene.waits("", "UPDATE item SET n = 2 WHERE id = 2").await;
        let second = scene.waits("", "UPDATE item SET n = 3 WHERE id = 2").await;
        let third = scene.waits("", "DELETE FROM item WHERE id = 2").await;
        let roots = [(holder, idle_in_transaction(holder))];
        scene
            .check(first, &[(holder, Holds(EXCLUSIVE))], &roots)
            .await;
        scene
            .check(second, &[(first, Holds(EXCLUSIVE))], &roots)
            .await;
        let direct = [(first, Holds(EXCLUSIVE)), (second, Queued(EXCLUSIVE))];
        scene.check(third, &direct, &roots).await;

        let wait = scene.wait(first).await;
        assert!(
            matches!(wait.target, Target::Transaction { .. }),
            "{wait:?}"
        );
        assert_row(&wait, "public.item", 2);
        let wait = scene.wait(second).await;
        assert_eq!(wait.target, Target::Tuple { page: 0, tuple: 2 });
        assert_row(&wait, "public.item", 2);
    }
}

#[tokio::test]
async fn the_row_that_a_foreign_key_refers_to() {
    for database in databases() {
        let schema = format!("{ITEMS}; CREATE TABLE sale (item_id int REFERENCES item)");
        let mut scene = Scene::new(database, &schema).await;
        let holder = scene.after("BEGIN; DELETE FROM item WHERE id = 1").await;
        let waiter = scene.waits("", "INSERT INTO sale VALUES (1)").await;
        let roots = [(holder, idle_in_transaction(holder))];
        scene
            .check(waiter, &[(holder, Holds(EXCLUSIVE))], &roots)
            .await;
        assert_row(&scene.wait(waiter).await, "public.item", 1);
    }
}

#[tokio::test]
async fn a_key_that_another_has_just_inserted() {
    for database in databases() {
        let mut scene = Scene::new(database, ITEMS).await;
        let holder = scene.after("BEGIN; INSERT INTO item VALUES (3, 0)").await;
        let waiter = scene.waits("", "INSERT INTO item VALUES (3, 0)").await;
        let roots = [(holder, idle_in_transaction(holder))];
        scene
            .check(waiter, &[(holder, Holds(EXCLUSIVE))], &roots)
            .await;
        let wait = scene.wait(waiter).await;
        assert!(
            matches!(wait.target, Target::Transaction { .. }),
            "{wait:?}"
        );
        assert_eq!(wait.row, None, "no row is locked for that");
    }
}
