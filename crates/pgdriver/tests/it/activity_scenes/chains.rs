//! Waiters, chains, queues, diamonds, cycles.

use std::time::Duration;

use pgdriver::activity;
use pgdriver::activity::How::{Holds, Queued};
use pgdriver::activity::locks::LockMode;
use pgdriver::activity::remedy::Action;

use super::{AX, READ, Scene, idle_in_transaction};
use crate::databases;

const TABLES: &str =
    "CREATE TABLE one (id int); CREATE TABLE two (id int); CREATE TABLE three (id int)";

#[tokio::test]
async fn one_blocker_and_several_waiters() {
    for database in databases() {
        let mut scene = Scene::new(database, TABLES).await;
        let holder = scene.after("BEGIN; LOCK TABLE one").await;
        let mut waiters = Vec::new();
        for _ in 0..3 {
            waiters.push(scene.waits("", "SELECT * FROM one").await);
        }
        for waiter in &waiters {
            let root = idle_in_transaction(holder);
            scene
                .check(*waiter, &[(holder, Holds(AX))], &[(holder, root)])
                .await;
        }
        let graph = activity::wait_graph(&scene.observer).await.unwrap();
        let causes = graph.causes();
        let cause = causes.iter().find(|cause| cause.pid == holder).unwrap();
        waiters.sort_unstable();
        assert_eq!(cause.behind, waiters);
        let sql = format!("SELECT pg_terminate_backend({holder})");
        assert_eq!(cause.remedy.sql(), [sql]);
    }
}

#[tokio::test]
async fn an_active_holder() {
    for database in databases() {
        let mut scene = Scene::new(database, TABLES).await;
        let holder = scene
            .busy("BEGIN; LOCK TABLE one", "SELECT pg_sleep(600)")
            .await;
        let waiter = scene.waits("", "SELECT * FROM one").await;
        let root = Action::CancelQuery { pid: holder };
        scene
            .check(waiter, &[(holder, Holds(AX))], &[(holder, root)])
            .await;
    }
}

#[tokio::test]
async fn a_chain_of_three() {
    for database in databases() {
        let mut scene = Scene::new(database, TABLES).await;
        let root = scene.after("BEGIN; LOCK TABLE one").await;
        let middle = scene
            .waits("BEGIN; LOCK TABLE two", "SELECT * FROM one")
            .await;
        let last = scene.waits("", "SELECT * FROM two").await;
        let roots = [(root, idle_in_transaction(root))];
        scene.check(middle, &[(root, Holds(AX))], &roots).await;
        scene.check(last, &[(middle, Holds(AX))], &roots).await;
    }
}

#[tokio::test]
async fn a_chain_of_four() {
    for database in databases() {
        let mut scene = Scene::new(database, TABLES).await;
        let root = scene.after("BEGIN; SELECT * FROM one").await;
        let second = scene
            .waits(
                "BEGIN; LOCK TABLE two IN SHARE MODE",
                "ALTER TABLE one ADD x int",
            )
            .await;
        let third = scene
            .waits("BEGIN; SELECT * FROM three", "INSERT INTO two VALUES (1)")
            .await;
        let fourth = scene.waits("", "TRUNCATE three").await;
        let roots = [(root, idle_in_transaction(root))];
        scene.check(second, &[(root, Holds(READ))], &roots).await;
        scene
            .check(third, &[(second, Holds(LockMode::Share))], &roots)
            .await;
        scene.check(fourth, &[(third, Holds(READ))], &roots).await;
    }
}

#[tokio::test]
async fn a_queued_waiter_blocks_softly() {
    for database in databases() {
        let mut scene = Scene::new(database, TABLES).await;
        let root = scene.after("BEGIN; SELECT * FROM one").await;
        let alter = scene.waits("", "ALTER TABLE one ADD x int").await;
        let reader = scene.waits("", "SELECT * FROM one").await;
        let second = scene.waits("", "ALTER TABLE one ADD y int").await;
        let roots = [(root, idle_in_transaction(root))];
        scene.check(alter, &[(root, Holds(READ))], &roots).await;
        scene.check(reader, &[(alter, Queued(AX))], &roots).await;
        let direct = [
            (root, Holds(READ)),
            (alter, Queued(AX)),
            (reader, Queued(READ)),
        ];
        scene.check(second, &direct, &roots).await;
    }
}

#[tokio::test]
async fn two_roots() {
    for database in databases() {
        let mut scene = Scene::new(database, TABLES).await;
        let one = scene.after("BEGIN; SELECT * FROM one").await;
        let two = scene
            .busy("BEGIN; INSERT INTO one VALUES (1)", "SELECT pg_sleep(600)")
            .await;
        let waiter = scene.waits("", "ALTER TABLE one ADD x int").await;
        let direct = [(one, Holds(READ)), (two, Holds(LockMode::RowExclusive))];
        let roots = [
            (one, idle_in_transaction(one)),
            (two, Action::CancelQuery { pid: two }),
        ];
        scene.check(waiter, &direct, &roots).await;
    }
}

#[tokio::test]
async fn a_diamond() {
    for database in databases() {
        let mut scene = Scene::new(database, TABLES).await;
        let root = scene.after("BEGIN; LOCK TABLE one").await;
        let left = scene
            .waits("BEGIN; SELECT * FROM two", "SELECT * FROM one")
            .await;
        let right = scene
            .waits("BEGIN; SELECT * FROM two", "SELECT * FROM one")
            .await;
        let last = scene.waits("", "DROP TABLE two").await;
        let roots = [(root, idle_in_transaction(root))];
        let direct = [(left, Holds(READ)), (right, Holds(READ))];
        scene.check(last, &direct, &roots).await;
        scene.check(left, &[(root, Holds(AX))], &roots).await;
    }
}

#[tokio::test]
async fn a_cycle_before_the_server_breaks_it() {
    for database in databases() {
        let mut scene = Scene::new(database, TABLES).await;
        let long = "SET deadlock_timeout = '1h'; BEGIN;";
        let left = scene.open(&format!("{long} LOCK TABLE one")).await;
        let right = scene.open(&format!("{long} LOCK TABLE two")).await;
        let left = scene.goes_on_to_wait(left, "LOCK TABLE two").await;
        let right = scene.goes_on_to_wait(right, "LOCK TABLE one").await;
        let outside = scene.waits("", "SELECT * FROM one").await;
        let wait = |pid| Action::WaitForDeadlockCheck {
            pid,
            deadlock_timeout: Some(Duration::from_secs(1)),
        };
        scene
            .check(left, &[(right, Holds(AX))], &[(right, wait(right))])
            .await;
        scene
            .check(right, &[(left, Holds(AX))], &[(left, wait(left))])
            .await;
        let direct = [(left, Holds(AX)), (right, Queued(AX))];
        let roots = [(left, wait(left)), (right, wait(right))];
        scene.check(outside, &direct, &roots).await;
        let graph = activity::wait_graph(&scene.observer).await.unwrap();
        let causes = graph.causes();
        let cause = causes.iter().find(|cause| cause.pid == left).unwrap();
        assert_eq!(cause.cycle, [right]);
    }
}
