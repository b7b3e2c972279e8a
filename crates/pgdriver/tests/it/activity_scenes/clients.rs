//! Roots that are best left alone, and one that does not hear.

use std::io::Write as _;
use std::process::Stdio;

use pgdriver::Permitted;
use pgdriver::activity::How::Holds;
use pgdriver::activity::progress::{Unit, progress_of};
use pgdriver::activity::remedy::{Action, Because};
use pgdriver::activity::{self, SessionKind};
use pgdriver::catalog::RelationName;

use super::{AX, READ, Scene, WRITE};
use crate::{databases, soon};

#[tokio::test]
async fn a_backup() {
    for database in databases() {
        let mut scene = Scene::new(database, "CREATE TABLE item (id int)").await;
        let setup = "SET application_name = 'pg_dump'; BEGIN; LOCK TABLE item IN ACCESS SHARE MODE";
        let holder = scene.after(setup).await;
        let waiter = scene.waits("", "ALTER TABLE item ADD x int").await;
        let roots = [(holder, Action::LetBackupFinish { pid: holder })];
        scene.check(waiter, &[(holder, Holds(READ))], &roots).await;
        let graph = activity::blockers_of(&scene.plain, waiter).await.unwrap();
        let remedy = &graph.causes_of(waiter)[0].remedy;
        assert_eq!(remedy.sql(), Vec::<String>::new());
        assert!(remedy.to_string().contains("pg_dump"), "{remedy}");
    }
}

#[tokio::test]
async fn a_load_whose_client_is_silent() {
    for database in databases() {
        let mut scene = Scene::new(database, "CREATE TABLE item (id int)").await;
        let mut psql = scene.psql(scene.database.name());
        let input = psql.stdin.as_mut().unwrap();
        input.write_all(b"COPY item FROM STDIN;\n1\n").unwrap();
        input.flush().unwrap();
        let holder = scene
            .pid_of("query LIKE 'COPY item%' AND wait_event = 'ClientRead' AND state = 'active'")
            .await;
        let waiter = scene.waits("", "ALTER TABLE item ADD x int").await;
        let root = Action::Terminate {
            pid: holder,
            because: Because::WaitsForClient,
        };
        scene
            .check(waiter, &[(holder, Holds(WRITE))], &[(holder, root)])
            .await;
        let progress = progress_of(&scene.observer, holder).await.unwrap().unwrap();
        assert_eq!(progress.command, "COPY FROM");
        assert_eq!(progress.relation, Some(RelationName::new("public", "item")));
        assert_eq!(
            (progress.unit, progress.total),
            (Unit::Tuples, None),
            "how much will come nobody knows"
        );
        assert_eq!(progress.fraction(), None);
        drop(psql.stdin.take());
        psql.wait().unwrap();
    }
}

#[tokio::test]
async fn a_walsender() {
    for database in databases() {
        let mut scene = Scene::new(database, "CREATE TABLE item (id int)").await;
        let target = format!("dbname={} replication=database", scene.database.name());
        let mut psql = scene.psql(&target);
        let input = psql.stdin.as_mut().unwrap();
        input.write_all(b"BEGIN;\nLOCK TABLE item;\n").unwrap();
        input.flush().unwrap();
        let holder = scene
            .pid_of("backend_type = 'walsender' AND query LIKE 'LOCK%' AND state <> 'active'")
            .await;
        let waiter = scene.waits("", "SELECT * FROM item").await;
        let roots = [(holder, Action::LetWalsenderBe { pid: holder })];
        scene.check(waiter, &[(holder, Holds(AX))], &roots).await;
        let graph = activity::blockers_of(&scene.plain, waiter).await.unwrap();
        let session = graph.session(holder).unwrap();
        assert_eq!(session.detail, Permitted::NotPermitted);
        assert_eq!(session.kind(), SessionKind::Walsender);
        drop(psql.stdin.take());
        psql.wait().unwrap();
    }
}

impl Scene {
    /// psql as the superuser, whose input is ours to write.
    fn psql(&self, target: &str) -> std::process::Child {
        let mut command = self.database.server().install().command("psql");
        self.database.environment(&mut command);
        command
            .args(["-X", "-q", "-d", target])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The one session of this database of which this is true.
    async fn pid_of(&self, condition: &str) -> i32 {
        let sql = format!(
            "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid() AND {condition}"
        );
        let mut pid = 0;
        soon(condition, || {
            pid = self.database.scalar(&sql).unwrap().parse().unwrap();
            pid != 0
        })
        .await;
        pid
    }
}
