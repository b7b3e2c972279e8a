//! Replicas, slots and commits on a primary with a real standby that streams from it.

use std::time::Duration;

use pgdriver::server::{self, ReplicaDetail, Slot, SlotKind};
use pgdriver::{Permitted, Session};
use xtask::env::Env;
use xtask::servers::{Options, TempServer, available};

use crate::{options, plain_dsn};

/// Every server is copied from the template of its installation, so that any of them can be another's standby.
struct Pair {
    primary: TempServer,
    standby: TempServer,
}

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

impl Pair {
    fn start(major: u32) -> Self {
        let install = Env::open().unwrap().postgres(major).unwrap();
        let settings = vec![
            setting("wal_level", "logical"),
            setting("wal_keep_size", "64MB"),
        ];
        let primary = TempServer::start_with(
            &install,
            Options {
                settings: settings.clone(),
                ..Options::default()
            },
        )
        .unwrap();
        primary
            .execute(
                "postgres",
                "SELECT pg_create_physical_replication_slot('second')",
            )
            .unwrap();
        let conninfo = format!(
            "host={} port={} user={} password={} application_name=second",
            primary.host(),
            primary.port(),
            primary.user(),
            primary.password()
        );
        let mut standing = settings;
        standing.push(setting("primary_conninfo", &conninfo));
        standing.push(setting("primary_slot_name", "second"));
        let standby = TempServer::start_with(
            &install,
            Options {
                settings: standing,
                files: vec![("standby.signal".to_owned(), Vec::new())],
                ..Options::default()
            },
        )
        .unwrap();
        Self { primary, standby }
    }
}

async fn observer(server: &TempServer) -> Session {
    pgdriver::connect_observer(&options(&server.dsn("postgres")))
        .await
        .unwrap()
}

/// Asks until the answer will do.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within 20 s: {what}");
}

async fn the_replica(session: &Session) -> Option<ReplicaDetail> {
    let replicas = server::replicas(session).await.unwrap();
    replicas.first()?.detail.seen().cloned()
}

async fn slot(session: &Session, name: &str) -> Slot {
    let slots = server::slots(session).await.unwrap();
    slots.into_iter().find(|slot| slot.name == name).unwrap()
}

#[tokio::test]
async fn a_standby_that_streams_is_seen_from_both_ends() {
    for major in available() {
        let Pair { primary, standby } = Pair::start(*major);
        let (ours, theirs) = (observer(&primary).await, observer(&standby).await);
        let replica = eventually("the standby streams", async || {
            the_replica(&ours).await.filter(|r| r.state == "streaming")
        })
        .await;
        assert_eq!(replica.application, "second");
        assert_eq!(replica.client.as_deref(), Some("127.0.0.1"));
        assert_eq!(replica.sync_state.as_deref(), Some("async"));
        assert!(server::facts(&theirs).await.unwrap().in_recovery);
        assert_eq!(server::standby(&ours).await.unwrap(), None);
        let second = slot(&ours, "second").await;
        assert_eq!(
            (second.kind, second.is_inactive()),
            (SlotKind::Physical, false)
        );

        // a paused standby receives and does not replay: its lag is what is written from now on
        standby
            .execute("postgres", "SELECT pg_wal_replay_pause()")
            .unwrap();
        eventually("the replay pauses", async || {
            server::standby(&theirs)
                .await
                .unwrap()
                .filter(|s| s.is_paused)
        })
        .await;
        primary
            .execute(
                "postgres",
                "CREATE TABLE item AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)",
            )
            .unwrap();
        let lag = eventually("it lags by what was written", async || {
            the_replica(&ours)
                .await?
                .lag_bytes
                .filter(|lag| *lag > 3_000_000)
        })
        .await;
        assert!(lag < 16_000_000, "{lag}");
        let waits = eventually("it has received all of it", async || {
            let standby = server::standby(&theirs).await.unwrap()?;
            standby.unreplayed_bytes.filter(|bytes| *bytes > 3_000_000)
        })
        .await;
        assert!(waits < 16_000_000, "{waits}");
        assert!(
            server::standby(&theirs)
                .await
                .unwrap()
                .unwrap()
                .is_streaming
        );

        standby
            .execute("postgres", "SELECT pg_wal_replay_resume()")
            .unwrap();
        eventually("it catches up", async || {
            the_replica(&ours)
                .await?
                .lag_bytes
                .filter(|lag| *lag < 100_000)
        })
        .await;
        // every read works on a standby that streams, too
        let health = server::health(&theirs).await.unwrap();
        assert!(health.unknown().is_empty(), "{:?}", health.unknown());
    }
}

#[tokio::test]
async fn a_slot_that_nobody_reads_keeps_more_and_more() {
    for major in available() {
        let Pair { primary, standby } = Pair::start(*major);
        let session = observer(&primary).await;
        primary
            .execute(
                "postgres",
                "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')",
            )
            .unwrap();
        let before = slot(&session, "feed").await;
        assert_eq!(
            (
                before.kind,
                before.plugin.as_deref(),
                before.database.as_deref()
            ),
            (SlotKind::Logical, Some("pgoutput"), Some("postgres"))
        );
        assert!(before.is_inactive() && !before.is_temporary);
        assert_eq!(before.inactive.is_some(), *major >= 17);
        assert!(
            before.xmin_age.is_some(),
            "a logical slot keeps the catalog's dead rows"
        );
        primary
            .execute(
                "postgres",
                "SET synchronous_commit = on; CREATE TABLE item AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)",
            )
            .unwrap();
        let after = slot(&session, "feed").await;
        let grown = after.retained_bytes.unwrap() - before.retained_bytes.unwrap();
        assert!((3_000_000..16_000_000).contains(&grown), "{grown}");
        assert_eq!(after.wal_status.as_deref(), Some("reserved"));

        // the physical one loses its reader
        drop(standby);
        eventually("nobody reads from it", async || {
            slot(&session, "second").await.is_inactive().then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_commit_that_waits_for_nobody_there() {
    for major in available() {
        let Pair {
            primary,
            standby: _standby,
        } = Pair::start(*major);
        let session = observer(&primary).await;
        eventually("the standby streams", async || {
            the_replica(&session)
                .await
                .filter(|r| r.state == "streaming")
        })
        .await;
        assert_eq!(
            server::synchronous(&session).await.unwrap().hangs(),
            Some(false)
        );
        for (names, sync, hangs) in [
            ("second", Some("sync"), false),
            ("third", Some("async"), true),
        ] {
            primary
                .execute(
                    "postgres",
                    &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"),
                )
                .unwrap();
            primary
                .execute("postgres", "SELECT pg_reload_conf()")
                .unwrap();
            eventually("the standby's part is known", async || {
                let synchronous = server::synchronous(&session).await.unwrap();
                let replica = the_replica(&session).await?;
                (synchronous.wanted == names && replica.sync_state.as_deref() == sync).then_some(())
            })
            .await;
            let synchronous = server::synchronous(&session).await.unwrap();
            // the servers of tests do not wait for their own disk, nor for a standby
            assert_eq!(
                (synchronous.commit.as_str(), synchronous.hangs()),
                ("off", Some(false))
            );
            primary
                .execute(
                    "postgres",
                    "ALTER ROLE postgres SET synchronous_commit = 'on'",
                )
                .unwrap();
            let other = observer(&primary).await;
            let synchronous = server::synchronous(&other).await.unwrap();
            assert_eq!(synchronous.hangs(), Some(hangs), "{synchronous:?}");
            primary
                .execute(
                    "postgres",
                    "SET synchronous_commit = off; ALTER ROLE postgres RESET synchronous_commit",
                )
                .unwrap();
        }
    }
}

#[tokio::test]
async fn without_pg_monitor_a_replica_is_there_and_no_more() {
    for major in available() {
        let Pair {
            primary,
            standby: _standby,
        } = Pair::start(*major);
        let seen = observer(&primary).await;
        eventually("the standby streams", async || the_replica(&seen).await).await;
        let dsn = plain_dsn(&primary, "postgres");
        let plain = pgdriver::connect_observer(&options(&dsn)).await.unwrap();
        let replicas = server::replicas(&plain).await.unwrap();
        assert_eq!(replicas.len(), 1);
        assert_eq!(replicas[0].detail, Permitted::NotPermitted);
        assert_eq!(
            server::synchronous(&plain).await.unwrap().present,
            Permitted::NotPermitted
        );
        // slots hide nothing
        assert_eq!(slot(&plain, "second").await.kind, SlotKind::Physical);
        let health = server::health(&plain).await.unwrap();
        assert!(health.unknown().is_empty(), "{:?}", health.unknown());
    }
}
