//! What is in the way of a lock, what a backend holds, and who stands behind it.

use pgdriver::activity::locks::{Held, LockMode, Queue, Wanted, held_by, in_the_way, queue_behind};
use pgdriver::catalog::RelationName;
use pgdriver::{Permitted, Session};
use xtask::env::Env;
use xtask::servers::{Database, Options, TempServer};

use crate::activity::until_waiting;
use crate::{MAJORS, databases, leave_running, observer, options, plain_dsn};

fn wanted(relation: &str, mode: LockMode) -> Wanted {
    Wanted {
        relation: RelationName::parse(relation),
        mode,
    }
}

async fn way(session: &Session, relation: &str, mode: LockMode) -> Vec<Held> {
    in_the_way(session, &[wanted(relation, mode)], &[])
        .await
        .unwrap()
}

fn short(held: &[Held]) -> Vec<(String, LockMode, bool, i32)> {
    held.iter()
        .map(|held| (held.relation.to_string(), held.mode, held.granted, held.pid))
        .collect()
}

const AX: LockMode = LockMode::AccessExclusive;
const READ: LockMode = LockMode::AccessShare;

#[tokio::test]
async fn holders_and_waiters_that_conflict_and_no_others() {
    for database in databases() {
        database
            .execute(
                "CREATE SCHEMA shop; CREATE TABLE shop.item (id int); CREATE TABLE item (id int)",
            )
            .unwrap();
        let reader = leave_running(&database, "BEGIN; SELECT * FROM item", "").await;
        let other = leave_running(&database, "BEGIN; SELECT * FROM shop.item", "").await;
        let alter = leave_running(&database, "", "ALTER TABLE item ADD x int").await;
        until_waiting(&database, 1).await;
        let session = observer(&database).await;
        let expected = [
            ("public.item".to_owned(), READ, true, reader),
            ("public.item".to_owned(), AX, false, alter),
        ];
        let found = way(&session, "item", AX).await;
        assert_eq!(short(&found), expected);
        assert_eq!(short(&way(&session, "public.item", AX).await), expected);
        assert_eq!(
            short(&way(&session, "item", LockMode::Share).await),
            expected[1..]
        );
        assert_eq!(
            short(&way(&session, "shop.item", AX).await),
            [("shop.item".to_owned(), READ, true, other)]
        );
        assert_eq!(way(&session, "nothing.item", AX).await, []);
        let wanted = [
            wanted("item", AX),
            wanted("item", READ),
            wanted("shop.item", READ),
        ];
        let rest = in_the_way(&session, &wanted, &[alter]).await.unwrap();
        assert_eq!(short(&rest), expected[..1]);
        assert_eq!(found[0].waited, None);
        assert!(found[1].waited.is_some());
        assert_eq!(found[0].session.as_ref().unwrap().pid, reader);

        let plain =
            pgdriver::connect_observer(&options(&plain_dsn(database.server(), database.name())))
                .await
                .unwrap();
        let seen = way(&plain, "item", AX).await;
        assert_eq!(short(&seen), expected);
        assert_eq!(
            seen[0].session.as_ref().unwrap().detail,
            Permitted::NotPermitted
        );
        assert!(seen[0].session.as_ref().unwrap().superuser);
    }
}

#[tokio::test]
async fn a_new_transaction_of_a_session_is_another_one() {
    for database in databases() {
        database.execute("CREATE TABLE item (id int)").unwrap();
        let holder = crate::superuser(&database).await;
        let session = observer(&database).await;
        let mut transactions = Vec::new();
        for _ in 0..2 {
            holder.execute("BEGIN; SELECT * FROM item").await.unwrap();
            transactions.extend(way(&session, "item", AX).await);
            holder.execute("COMMIT").await.unwrap();
        }
        assert_eq!(transactions.len(), 2);
        assert_eq!(transactions[0].pid, transactions[1].pid);
        assert_ne!(transactions[0].transaction, transactions[1].transaction);
    }
}

#[tokio::test]
async fn partitions_and_children_count_and_nothing_blocks_the_look() {
    for database in databases() {
        database
            .execute(
                "CREATE TABLE log (at int) PARTITION BY RANGE (at);
                 CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (at);
                 CREATE TABLE log_1_1 PARTITION OF log_1 FOR VALUES FROM (0) TO (5);
                 CREATE TABLE base (id int); CREATE TABLE child () INHERITS (base)",
            )
            .unwrap();
        let leaf = leave_running(&database, "BEGIN; LOCK TABLE log_1_1", "").await;
        let child = leave_running(&database, "BEGIN; LOCK TABLE child", "").await;
        let session = observer(&database).await;
        assert_eq!(
            short(&way(&session, "log", READ).await),
            [("public.log_1_1".to_owned(), AX, true, leaf)]
        );
        assert_eq!(
            short(&way(&session, "base", READ).await),
            [("public.child".to_owned(), AX, true, child)]
        );
    }
}

#[tokio::test]
async fn what_a_backend_holds() {
    for database in databases() {
        database
            .execute("CREATE TABLE item (id int); CREATE TABLE other (id int)")
            .unwrap();
        let pid = leave_running(
            &database,
            "BEGIN; LOCK TABLE item IN SHARE MODE; LOCK TABLE item; SELECT * FROM other; CREATE TABLE new (id int)",
            "",
        )
        .await;
        let session = observer(&database).await;
        let item = RelationName::new("public", "item");
        assert_eq!(
            held_by(&session, pid).await.unwrap(),
            [(item.clone(), AX), (item, LockMode::Share)]
        );
        assert_eq!(held_by(&session, session.pid()).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_queue_behind_a_waiter_and_behind_its_holder() {
    for database in databases() {
        database
            .execute("CREATE TABLE item (id int); CREATE TABLE other (id int)")
            .unwrap();
        let holder = leave_running(&database, "BEGIN; SELECT * FROM item", "").await;
        let alter = leave_running(
            &database,
            "BEGIN; LOCK TABLE other",
            "ALTER TABLE item ADD x int",
        )
        .await;
        until_waiting(&database, 1).await;
        let reader = leave_running(&database, "", "SELECT * FROM item").await;
        let second = leave_running(&database, "", "SELECT * FROM other").await;
        until_waiting(&database, 3).await;
        let session = observer(&database).await;
        let sorted = |mut pids: Vec<i32>| {
            pids.sort_unstable();
            pids
        };
        let queue = queue_behind(&session, alter, 100).await.unwrap();
        assert_eq!(queue.pids, sorted(vec![reader, second]));
        assert_eq!(queue.waiting, 2);
        assert!(queue.longest.is_some());
        let counted = |queue: &Queue| -> Vec<(String, u64)> {
            let by_relation = queue.by_relation.iter();
            let name = |relation: &Option<RelationName>| relation.as_ref().unwrap().to_string();
            by_relation
                .map(|(relation, some)| (name(relation), some.waiting))
                .collect()
        };
        let one_each = [
            ("public.item".to_owned(), 1),
            ("public.other".to_owned(), 1),
        ];
        assert_eq!(counted(&queue), one_each);
        let queue = queue_behind(&session, holder, 100).await.unwrap();
        assert_eq!(queue.pids, sorted(vec![alter, reader, second]));
        // whoever waits for `other` waits for the one that waits for `item`
        assert_eq!(counted(&queue), [("public.item".to_owned(), 3)]);
        assert_eq!(queue_behind(&session, holder, 1).await.unwrap().waiting, 1);
        assert_eq!(
            queue_behind(&session, reader, 100).await.unwrap(),
            Queue::default()
        );
    }
}

fn two_phase(major: u32) -> TempServer {
    let settings = vec![("max_prepared_transactions".to_owned(), "5".to_owned())];
    let install = Env::open().unwrap().postgres(major).unwrap();
    let options = Options {
        settings,
        ..Options::default()
    };
    TempServer::start_with(&install, options).unwrap()
}

#[tokio::test]
async fn a_prepared_transaction_is_named_also_after_a_restart() {
    for major in MAJORS {
        let mut server = two_phase(major);
        let database: Database = server.database().unwrap();
        database.execute("CREATE TABLE item (id int)").unwrap();
        for (gid, table) in [("order 7", "item"), ("order 8", "pg_class")] {
            let sql = format!(
                "BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE; SELECT pg_current_xact_id(); \
                 PREPARE TRANSACTION '{gid}'"
            );
            database.execute(&sql).unwrap();
        }
        for _ in 0..2 {
            let session = observer(&database).await;
            let found = way(&session, "item", AX).await;
            assert_eq!(short(&found), [("public.item".to_owned(), READ, true, 0)]);
            assert_eq!(found[0].prepared.as_deref(), Some("order 7"));
            assert_eq!(found[0].session, None);
            server.restart().unwrap();
        }
    }
}
