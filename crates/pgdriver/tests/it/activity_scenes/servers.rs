//! What is not a session of this database: prepared transactions, other databases.

use pgdriver::activity;
use pgdriver::activity::How::Holds;
use pgdriver::activity::remedy::{Action, Hindrance};
use xtask::env::Env;
use xtask::servers::{Options, TempServer};

use super::{AX, Scene, idle_in_transaction};
use crate::{MAJORS, databases, observer};

fn two_phase(major: u32) -> TempServer {
    let options = Options {
        settings: vec![("max_prepared_transactions".to_owned(), "5".to_owned())],
        ..Options::default()
    };
    TempServer::start_with(&Env::open().unwrap().postgres(major).unwrap(), options).unwrap()
}

fn prepare(table: &str, gid: &str) -> String {
    format!("BEGIN; LOCK TABLE {table}; PREPARE TRANSACTION '{gid}'")
}

fn end(gid: &str, elsewhere: Option<String>) -> Action {
    Action::EndPrepared {
        gid: gid.to_owned(),
        elsewhere,
    }
}

#[tokio::test]
async fn one_of_two_prepared_transactions() {
    for major in MAJORS {
        let server = two_phase(major);
        let database = server.database().unwrap();
        let schema = "CREATE TABLE one (id int); CREATE TABLE two (id int)";
        let mut scene = Scene::new(database, schema).await;
        scene
            .database
            .execute(&prepare("one", "order 'one'".replace('\'', "''").as_str()))
            .unwrap();
        scene.database.execute(&prepare("two", "order 2")).unwrap();
        let first = scene
            .waits("BEGIN; CREATE TABLE held ()", "SELECT * FROM one")
            .await;
        let second = scene.waits("", "SELECT * FROM two").await;
        scene
            .check(first, &[(0, Holds(AX))], &[(0, end("order 'one'", None))])
            .await;
        scene
            .check(second, &[(0, Holds(AX))], &[(0, end("order 2", None))])
            .await;

        let graph = activity::wait_graph(&scene.observer).await.unwrap();
        let causes = graph.causes();
        let found: Vec<_> = causes
            .iter()
            .map(|cause| (cause.prepared.as_deref().unwrap(), cause.behind.clone()))
            .collect();
        assert_eq!(found.len(), 2);
        assert!(found.contains(&("order 'one'", vec![first])));
        assert!(found.contains(&("order 2", vec![second])));
        let near = activity::blockers_of(&scene.observer, first).await.unwrap();
        let remedy = &near.causes_of(first)[0].remedy;
        assert_eq!(remedy.sql(), ["ROLLBACK PREPARED 'order ''one'''"]);
        for sql in remedy.sql() {
            scene.database.execute(&sql).unwrap();
        }
        crate::activity::until_waiting(&scene.database, 1).await;
        scene
            .database
            .execute("ROLLBACK PREPARED 'order 2'")
            .unwrap();
    }
}

#[tokio::test]
async fn a_prepared_transaction_of_another_database() {
    for major in MAJORS {
        let server = two_phase(major);
        let here = server.database().unwrap();
        let there = server.database().unwrap();
        let mut scene = Scene::new(there, "CREATE TABLE item (id int)").await;
        scene.database.execute(&prepare("item", "far")).unwrap();
        let waiter = scene.waits("", "SELECT * FROM item").await;
        let graph = activity::wait_graph(&observer(&here).await).await.unwrap();
        let causes = graph.causes_of(waiter);
        let place = Some(scene.database.name().to_owned());
        assert_eq!(causes[0].remedy.action, end("far", place));
        assert_eq!(causes[0].remedy.hindrances, Vec::<Hindrance>::new());
        scene.database.execute("ROLLBACK PREPARED 'far'").unwrap();
    }
}

#[tokio::test]
async fn waiters_of_another_database() {
    for (here, there) in databases().zip(databases()) {
        let mut scene = Scene::new(there, "CREATE TABLE item (id int)").await;
        let holder = scene.after("BEGIN; LOCK TABLE item").await;
        let waiter = scene.waits("", "SELECT * FROM item").await;
        scene.observer = observer(&here).await;
        let roots = [(holder, idle_in_transaction(holder))];
        scene.check(waiter, &[(holder, Holds(AX))], &roots).await;
        let graph = activity::wait_graph(&scene.observer).await.unwrap();
        let wait = graph.wait(waiter).unwrap();
        assert_eq!(wait.relation, None, "it has no name here");
        assert_eq!(wait.database.as_deref(), Some(scene.database.name()));
    }
}
