//! One database takes the name of another, which stays whole under a third.

use dumper::swap::{SwapError, SwapRequest, clients, swap};
use dumper::{OldSessions, TypedName};
use pgdriver::{ConnectOptions, Environment};
use xtask::servers::{Database, Server, available, shared};

struct Two {
    live: Database,
    restored: String,
    kept: String,
}

impl Two {
    fn on(major: u32) -> Self {
        let live = shared(major).database().unwrap();
        live.execute("CREATE TABLE who AS SELECT 'live' AS name")
            .unwrap();
        let two = Self {
            restored: format!("{}_restored", live.name()),
            kept: format!("{}_before", live.name()),
            live,
        };
        two.run(&format!(
            "CREATE DATABASE \"{}\" TEMPLATE \"{}\"",
            two.restored,
            two.live.name()
        ));
        two.server()
            .query(&two.restored, "UPDATE who SET name = 'restored'")
            .unwrap();
        two
    }

    fn server(&self) -> &Server {
        self.live.server()
    }

    fn run(&self, sql: &str) {
        self.server().query("postgres", sql).unwrap();
    }

    fn who(&self, database: &str) -> Option<String> {
        let rows = self.server().query(database, "SELECT name FROM who").ok()?;
        rows.into_iter().flatten().next()
    }

    fn connection(&self) -> ConnectOptions {
        ConnectOptions::parse_in(&self.live.dsn(), &Environment::default()).unwrap()
    }

    fn request(&self, sessions: OldSessions) -> SwapRequest {
        SwapRequest {
            connection: self.connection(),
            name: TypedName::new(self.live.name(), self.live.name()).unwrap(),
            by: self.restored.clone(),
            kept_as: self.kept.clone(),
            sessions,
        }
    }

    #[track_caller]
    fn as_before(&self) {
        assert_eq!(self.who(self.live.name()).as_deref(), Some("live"));
        assert_eq!(self.who(&self.restored).as_deref(), Some("restored"));
        assert_eq!(self.who(&self.kept), None);
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        for name in [&self.restored, &self.kept] {
            let _ = self.server().query(
                "postgres",
                &format!("DROP DATABASE IF EXISTS \"{name}\" (FORCE)"),
            );
        }
    }
}

#[tokio::test]
async fn the_names_change_hands_and_with_them_owner_and_rights() {
    for major in available() {
        let two = Two::on(*major);
        let role = format!("owner_of_{}", two.live.name());
        two.run(&format!("CREATE ROLE \"{role}\""));
        two.run(&format!(
            "ALTER DATABASE \"{}\" OWNER TO \"{role}\"",
            two.live.name()
        ));
        two.run(&format!(
            "REVOKE CONNECT ON DATABASE \"{}\" FROM PUBLIC",
            two.live.name()
        ));
        let facts = format!(
            "SELECT pg_get_userbyid(datdba) || ' ' || datallowconn || ' ' || (SELECT string_agg(a.privilege_type || a.grantee::regrole, ',' ORDER BY a.privilege_type || a.grantee::regrole) \
             FROM aclexplode(datacl) a) FROM pg_database WHERE datname = '{}'",
            two.live.name()
        );
        let before = two.server().query("postgres", &facts).unwrap();
        let swapped = swap(&two.request(OldSessions::Refuse)).await.unwrap();
        assert_eq!(
            (swapped.kept_as.as_str(), swapped.ended),
            (two.kept.as_str(), 0)
        );
        assert_eq!(two.who(two.live.name()).as_deref(), Some("restored"));
        assert_eq!(
            two.who(&two.kept).as_deref(),
            Some("live"),
            "the old one is whole, and open"
        );
        assert_eq!(two.who(&two.restored), None);
        assert_eq!(two.server().query("postgres", &facts).unwrap(), before);
        for name in [two.live.name(), &two.kept] {
            two.run(&format!("ALTER DATABASE \"{name}\" OWNER TO CURRENT_USER"));
        }
        two.run(&format!(
            "REVOKE ALL ON DATABASE \"{}\" FROM \"{role}\"",
            two.live.name()
        ));
        two.run(&format!(
            "REVOKE ALL ON DATABASE \"{}\" FROM \"{role}\"",
            two.kept
        ));
        two.run(&format!("DROP ROLE \"{role}\""));
    }
}

#[tokio::test]
async fn a_database_in_use_keeps_its_name_and_stays_open_unless_its_sessions_may_be_ended() {
    let two = Two::on(15);
    let held = pgdriver::connect(&two.connection().with_application_name("shop"))
        .await
        .unwrap();
    let on_it = clients(&two.connection(), two.live.name()).await.unwrap();
    assert_eq!(
        (
            on_it.len(),
            on_it[0].sessions,
            on_it[0].application.as_str()
        ),
        (1, 1, "shop")
    );
    let refused = swap(&two.request(OldSessions::Refuse)).await.unwrap_err();
    assert!(matches!(&refused, SwapError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("1 session of"), "{refused}");
    two.as_before();
    let swapped = swap(&two.request(OldSessions::Terminate)).await.unwrap();
    assert_eq!(swapped.ended, 1);
    assert!(held.query_text("SELECT 1").await.is_err());
    assert_eq!(two.who(two.live.name()).as_deref(), Some("restored"));
}

#[tokio::test]
async fn whatever_is_refused_leaves_both_as_they_were() {
    let two = Two::on(15);
    let mut taken = two.request(OldSessions::Refuse);
    taken.kept_as = "postgres".to_owned();
    assert!(matches!(swap(&taken).await, Err(SwapError::Name { .. })));
    let mut long = two.request(OldSessions::Refuse);
    long.kept_as = "x".repeat(64);
    assert!(matches!(swap(&long).await, Err(SwapError::Name { .. })));
    let mut missing = two.request(OldSessions::Refuse);
    missing.by = format!("{}_gone", two.restored);
    assert!(matches!(swap(&missing).await, Err(SwapError::Missing(_))));
    two.as_before();
    // the second rename fails inside the transaction, and the first goes with it
    let held = pgdriver::connect(&two.connection().with_database(&two.restored))
        .await
        .unwrap();
    assert!(matches!(
        swap(&two.request(OldSessions::Terminate)).await,
        Err(SwapError::InUse { .. })
    ));
    drop(held);
    two.as_before();
}

/// Killed at the longest moment of it: what is not committed is gone, and nobody is locked out.
#[tokio::test]
async fn a_swap_that_is_cut_off_leaves_both_open() {
    let two = Two::on(15);
    let name = two.live.name();
    // the server waits for it before it renames a database
    two.live
        .execute("BEGIN; CREATE TABLE held (); PREPARE TRANSACTION 'held'")
        .unwrap();
    let request = two.request(OldSessions::Terminate);
    let renaming = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%RENAME TO \"{}\"%' \
         AND pid <> pg_backend_pid()",
        two.kept
    );
    let is_renaming = || two.server().scalar("postgres", &renaming).unwrap() == "1";
    {
        let mut swapping = std::pin::pin!(swap(&request));
        let begun = std::time::Instant::now();
        while !is_renaming() {
            let step = std::time::Duration::from_millis(20);
            let done = tokio::time::timeout(step, &mut swapping).await;
            assert!(done.is_err(), "it did not wait: {done:?}");
            assert!(begun.elapsed().as_secs() < 30);
        }
    }
    crate::support::eventually(|| !is_renaming());
    let open = format!("SELECT datallowconn FROM pg_database WHERE datname = '{name}'");
    let open = two.server().scalar("postgres", &open).unwrap();
    two.run(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true"));
    two.live.execute("ROLLBACK PREPARED 'held'").unwrap();
    assert_eq!(open, "t");
    two.as_before();
}

/// An application's pool opens its connections again as soon as they are ended.
#[tokio::test]
async fn sessions_that_come_again_and_again_do_not_keep_it_off() {
    let two = Two::on(15);
    let mut pool = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let connection = two.connection();
        pool.spawn(async move {
            loop {
                // refused for a moment where the name changes hands
                let Ok(session) = pgdriver::connect(&connection).await else {
                    continue;
                };
                let asked = session.query_text("SELECT name FROM who").await;
                if asked.is_ok_and(|rows| rows == [[Some("restored".to_owned())]]) {
                    return;
                }
                session.closed().await;
            }
        });
    }
    while clients(&two.connection(), two.live.name())
        .await
        .unwrap()
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
    let swapped = swap(&two.request(OldSessions::Terminate)).await.unwrap();
    assert!(swapped.ended >= 1, "{swapped:?}");
    while let Some(came_back) = pool.join_next().await {
        came_back.unwrap();
    }
    assert_eq!(two.who(&two.kept).as_deref(), Some("live"));
}

/// Sessions of ours that have just said goodbye are nobody who uses the database.
#[tokio::test]
async fn a_session_that_is_about_to_go_is_waited_for() {
    let two = Two::on(15);
    let held = pgdriver::connect(&two.connection().with_database(&two.restored))
        .await
        .unwrap();
    let request = two.request(OldSessions::Refuse);
    let mut swapping = std::pin::pin!(swap(&request));
    let a_moment = std::time::Duration::from_millis(500);
    let done = tokio::time::timeout(a_moment, &mut swapping).await;
    assert!(done.is_err(), "it did not wait: {done:?}");
    held.close().await;
    swapping.await.unwrap();
    assert_eq!(two.who(two.live.name()).as_deref(), Some("restored"));
}
