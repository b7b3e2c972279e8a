//! Timeouts as a new session of the role has them, and who says so.

use std::time::Duration;

use pgdriver::server::{self, SettingOrigin, settings};
use xtask::servers::{available, shared};

use crate::{observer, options, plain_dsn};

#[tokio::test]
async fn each_place_that_can_say_so_is_told_apart() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        let (name, role) = (database.name(), format!("role {}", database.name()));
        let server = database.server();
        server.create_role(&role, "PASSWORD 'secret'").unwrap();
        database
            .execute(&format!(
                "ALTER DATABASE \"{name}\" SET lock_timeout = '3s'; ALTER DATABASE \"{name}\" SET statement_timeout = '1h';
                 ALTER ROLE \"{role}\" SET statement_timeout = '2min';
                 ALTER ROLE \"{role}\" IN DATABASE \"{name}\" SET idle_in_transaction_session_timeout = '5s'"
            ))
            .unwrap();
        let dsn = format!(
            "{}?options=-c%20idle_session_timeout%3D9000",
            server.dsn_as(&role, "secret", name)
        );
        let session = pgdriver::connect_observer(&options(&dsn)).await.unwrap();
        let found = server::timeouts(&session).await.unwrap();
        let of = |name: &str| {
            let setting = found.iter().find(|setting| setting.name == name).unwrap();
            (setting.duration(), setting.origin.clone())
        };
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(of("lock_timeout"), (seconds(3), SettingOrigin::Database));
        assert_eq!(of("statement_timeout"), (seconds(120), SettingOrigin::Role));
        assert_eq!(
            of("idle_in_transaction_session_timeout"),
            (seconds(5), SettingOrigin::RoleInDatabase)
        );
        assert_eq!(
            of("idle_session_timeout"),
            (seconds(9), SettingOrigin::Client)
        );
        assert_eq!(of("deadlock_timeout"), (seconds(1), SettingOrigin::Default));
        assert_eq!(
            found.iter().any(|s| s.name == "transaction_timeout"),
            *major >= 17
        );
        // looking has not lifted the observer's own
        assert_eq!(
            session.show("lock_timeout").await.unwrap().as_deref(),
            Some("100ms")
        );
        assert_eq!(
            session.show("statement_timeout").await.unwrap().as_deref(),
            Some("2s")
        );
        session.close().await;
        database
            .execute(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""))
            .unwrap();
    }
}

#[tokio::test]
async fn the_observers_own_timeouts_are_nobodys_settings() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        let found = server::timeouts(&observer(&database).await).await.unwrap();
        for name in ["lock_timeout", "statement_timeout"] {
            let setting = found.iter().find(|setting| setting.name == name).unwrap();
            assert_eq!(
                (setting.duration(), &setting.origin),
                (None, &SettingOrigin::Default),
                "{name} on {major}"
            );
        }
    }
}

#[tokio::test]
async fn a_file_is_named_to_those_who_may_see_it() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        let plain = plain_dsn(database.server(), database.name());
        for (dsn, sees) in [(database.dsn(), true), (plain, false)] {
            let session = pgdriver::connect_observer(&options(&dsn)).await.unwrap();
            let names = ["max_wal_size", "max_connections"];
            let found = settings::settings(&session, &names).await.unwrap();
            assert_eq!(found[0].origin, SettingOrigin::CommandLine);
            let SettingOrigin::File { place } = &found[1].origin else {
                panic!("{:?}", found[1]);
            };
            assert_eq!(place.is_some(), sees, "{place:?}");
            assert!(
                place
                    .as_ref()
                    .is_none_or(|at| at.contains("postgresql.conf:")),
                "{place:?}"
            );
        }
    }
}
