//! Parallel queries: PostgreSQL names their leader, several times over.

use std::collections::BTreeSet;

use pgdriver::activity::How::{Holds, Unknown};
use pgdriver::activity::locks::{LockMode, Wanted, in_the_way, queue_behind};
use pgdriver::activity::remedy::Action;
use pgdriver::activity::{self, AdvisoryKey, SessionKind, Target};
use pgdriver::catalog::RelationName;

use super::{AX, READ, Scene, compare, idle_in_transaction};
use crate::activity::until_waiting;
use crate::{databases, leave_running, soon};

/// Every scan becomes a parallel one, and the leader leaves the rows to its workers.
const PARALLEL: &str = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; \
     SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2; \
     SET parallel_leader_participation = off";
const ITEMS: &str = "CREATE TABLE item (id int) WITH (parallel_workers = 2); \
     INSERT INTO item SELECT generate_series(1, 1000); ANALYZE item; \
     CREATE FUNCTION slow(int) RETURNS int PARALLEL SAFE LANGUAGE plpgsql \
       AS $$ BEGIN PERFORM pg_sleep(600); RETURN $1; END $$; \
     CREATE FUNCTION locked(int) RETURNS int PARALLEL SAFE LANGUAGE plpgsql \
       AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN $1; END $$";

async fn until_workers(scene: &Scene, leader: i32) {
    let sql = format!(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.leader_pid = {leader} \
         AND l.relation = 'item'::regclass"
    );
    soon("workers run", || {
        scene.database.scalar(&sql).unwrap() == "2"
    })
    .await;
}

#[tokio::test]
async fn a_parallel_query_holds() {
    for database in databases() {
        let mut scene = Scene::new(database, ITEMS).await;
        let leader = scene.busy(PARALLEL, "SELECT sum(slow(id)) FROM item").await;
        until_workers(&scene, leader).await;
        let wanted = [Wanted {
            relation: RelationName::parse("item"),
            mode: AX,
        }];
        let held = in_the_way(&scene.observer, &wanted, &[]).await.unwrap();
        assert_eq!(held.len(), 1, "{held:?}");
        assert_eq!((held[0].pid, held[0].mode), (leader, READ));
        assert_eq!(
            in_the_way(&scene.observer, &wanted, &[leader])
                .await
                .unwrap(),
            []
        );
        let unseen = in_the_way(&scene.plain, &wanted, &[]).await.unwrap();
        assert!(unseen.iter().any(|held| held.pid == leader));

        let waiter = scene.waits("", "ALTER TABLE item ADD x int").await;
        let roots = [(leader, Action::CancelQuery { pid: leader })];
        scene.check(waiter, &[(leader, Holds(READ))], &roots).await;

        let workers: Vec<_> = activity::sessions(&scene.observer)
            .await
            .unwrap()
            .into_iter()
            .filter(|session| session.leader() == Some(leader))
            .collect();
        assert_eq!(workers.len(), 2);
        assert_eq!(workers[0].kind(), SessionKind::ParallelWorker { leader });
    }
}

#[tokio::test]
async fn the_workers_of_a_parallel_query_wait() {
    for database in databases() {
        let scene = Scene::new(database, ITEMS).await;
        let holder = scene.after("BEGIN; SELECT pg_advisory_xact_lock(7)").await;
        let leader = scene
            .busy(PARALLEL, "SELECT sum(locked(id)) FROM item")
            .await;
        until_waiting(&scene.database, 2).await;
        let alter = leave_running(&scene.database, "", "ALTER TABLE item ADD x int").await;
        until_waiting(&scene.database, 3).await;

        let roots = [(holder, idle_in_transaction(holder))];
        let held = Holds(LockMode::Exclusive);
        let graph = activity::blockers_of(&scene.observer, leader)
            .await
            .unwrap();
        compare(&graph, leader, &[(holder, held)], &roots);
        // whose workers wait is not for everybody to see
        let graph = activity::blockers_of(&scene.plain, leader).await.unwrap();
        compare(&graph, leader, &[(holder, Unknown)], &roots);
        scene.check(alter, &[(leader, Holds(READ))], &roots).await;

        let graph = activity::wait_graph(&scene.observer).await.unwrap();
        let here = BTreeSet::from([leader, alter]);
        let workers: Vec<i32> = graph
            .sessions
            .iter()
            .filter(|session| session.leader() == Some(leader))
            .map(|session| session.pid)
            .collect();
        assert_eq!(workers.len(), 2);
        let behind: BTreeSet<i32> = graph.queued_behind(holder).into_iter().collect();
        let waiters: BTreeSet<i32> = graph
            .waiters()
            .into_iter()
            .filter(|pid| behind.contains(pid))
            .collect();
        assert_eq!(waiters, here, "a parallel query is one waiter");
        let wait = graph.wait(leader).unwrap();
        assert_eq!(wait.target, Target::Advisory(AdvisoryKey::One(7)));
        assert!(workers.contains(&wait.pid));
        let queue = queue_behind(&scene.plain, holder, 100).await.unwrap();
        assert!(queue.pids.contains(&alter), "{queue:?}");
    }
}
