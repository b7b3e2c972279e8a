//! Autovacuum in the way: an ordinary one leaves by itself, one to prevent wraparound does not.

use std::time::Duration;

use pgdriver::Permitted;
use pgdriver::activity::How::Holds;
use pgdriver::activity::locks::{LockMode, Wanted, in_the_way};
use pgdriver::activity::progress::progress_of;
use pgdriver::activity::remedy::Action;
use pgdriver::activity::{self, SessionKind};
use pgdriver::catalog::RelationName;
use xtask::env::Env;
use xtask::servers::{Options, TempServer};

use super::{AX, Scene};
use crate::MAJORS;

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

/// A server whose autovacuum looks every second.
fn eager(major: u32) -> TempServer {
    let settings = [("autovacuum", "on"), ("autovacuum_naptime", "1s")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = Options {
        settings: settings.to_vec(),
        ..Options::default()
    };
    TempServer::start_with(&Env::open().unwrap().postgres(major).unwrap(), options).unwrap()
}

/// A table that takes autovacuum minutes, once it is allowed to begin.
const ITEMS: &str = "CREATE TABLE item (id int, filler text) WITH (autovacuum_enabled = off,
       autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, fillfactor = 10);
     INSERT INTO item SELECT n, repeat('x', 500) FROM generate_series(1, 2000) n; DELETE FROM item WHERE id % 2 = 0";

async fn worker(scene: &Scene, query: &str) -> i32 {
    let sql = format!(
        "SELECT coalesce(max(a.pid), 0) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
          WHERE a.backend_type = 'autovacuum worker' AND a.datname = current_database()
            AND l.relation = 'item'::regclass AND l.granted AND a.query LIKE '{query}'"
    );
    let mut pid = 0;
    // the launcher comes by once a second for each database
    for _ in 0..6 {
        if pid == 0 {
            pid = look(scene, &sql).await;
        }
    }
    assert_ne!(pid, 0, "no autovacuum within a minute");
    pid
}

async fn look(scene: &Scene, sql: &str) -> i32 {
    for _ in 0..100 {
        let pid = scene.database.scalar(sql).unwrap().parse().unwrap();
        if pid != 0 {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    0
}

#[tokio::test]
async fn heavy_an_ordinary_one() {
    for major in MAJORS {
        let server = eager(major);
        let mut scene = Scene::new(server.database().unwrap(), ITEMS).await;
        let allow =
            "ALTER TABLE item SET (autovacuum_enabled = on, autovacuum_vacuum_threshold = 1,
                       autovacuum_vacuum_scale_factor = 0)";
        scene.database.execute(allow).unwrap();
        let vacuum = worker(&scene, "autovacuum: VACUUM%").await;
        let waiter = scene
            .waits("SET deadlock_timeout = '1h'", "ALTER TABLE item ADD x int")
            .await;
        let root = Action::WaitForAutovacuum {
            pid: vacuum,
            deadlock_timeout: SECOND,
        };
        let direct = [(vacuum, Holds(LockMode::ShareUpdateExclusive))];
        scene.check(waiter, &direct, &[(vacuum, root)]).await;
        let progress = progress_of(&scene.observer, vacuum).await.unwrap().unwrap();
        assert_eq!(progress.command, "VACUUM");
        assert!(progress.done <= progress.total.unwrap(), "{progress:?}");

        // what the remedy says: it goes once somebody has waited for longer than deadlock_timeout
        let alter =
            "SET deadlock_timeout = '100ms'; SET lock_timeout = '5s'; ALTER TABLE item ADD y int";
        scene
            .database
            .execute(&format!("SELECT pg_cancel_backend({waiter})"))
            .unwrap();
        scene.database.execute(alter).unwrap();
    }
}

#[tokio::test]
async fn heavy_one_to_prevent_wraparound() {
    for major in MAJORS {
        let server = eager(major);
        let mut scene = Scene::new(server.database().unwrap(), ITEMS).await;
        let age = "DO $$ BEGIN FOR n IN 1..101000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
        scene.database.execute(age).unwrap();
        let force = "ALTER TABLE item SET (autovacuum_freeze_max_age = 100000)";
        scene.database.execute(force).unwrap();
        let vacuum = worker(&scene, "autovacuum: VACUUM%(to prevent wraparound)").await;
        let alter = "SET deadlock_timeout = '10ms'; SET lock_timeout = '1s'";
        let error = scene
            .database
            .execute(&format!("{alter}; ALTER TABLE item ADD x int"))
            .unwrap_err();
        assert!(format!("{error:#}").contains("lock timeout"), "{error:#}");

        let waiter = scene.waits("", "ALTER TABLE item ADD x int").await;
        let direct = [(vacuum, Holds(LockMode::ShareUpdateExclusive))];
        let roots = [(vacuum, Action::LetVacuumFinish { pid: vacuum })];
        scene.check(waiter, &direct, &roots).await;

        // the query is hidden, and the table's age tells
        let kind = SessionKind::Autovacuum {
            to_prevent_wraparound: Some(true),
        };
        let wanted = Wanted {
            relation: RelationName::parse("item"),
            mode: AX,
        };
        let held = in_the_way(&scene.plain, &[wanted], &[waiter])
            .await
            .unwrap();
        assert_eq!(held.len(), 1, "{held:?}");
        assert_eq!(held[0].session.as_ref().unwrap().kind(), kind);
        let sessions = activity::sessions(&scene.plain).await.unwrap();
        let worker = sessions.iter().find(|session| session.pid == vacuum);
        assert_eq!(worker.unwrap().detail, Permitted::NotPermitted);
    }
}
