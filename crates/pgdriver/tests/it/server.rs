//! The server's facts, as a superuser and as nobody in particular.

use std::time::Duration;

use pgdriver::server::{self, ServerFacts};

use xtask::servers::{available, shared};

use crate::{PLAIN, databases, leave_running, observer, options, plain_dsn};

#[tokio::test]
async fn facts_for_a_superuser() {
    for database in databases() {
        database
            .execute(&format!(
                "ALTER DATABASE \"{}\" SET lock_timeout = '3s'; ALTER DATABASE \"{0}\" SET timezone = 'Asia/Tokyo'",
                database.name()
            ))
            .unwrap();
        let facts = server::facts(&observer(&database).await).await.unwrap();
        assert_eq!(facts.major(), database.server().major());
        assert!(
            facts
                .version
                .starts_with(&format!("PostgreSQL {}", facts.short_version())),
            "{}",
            facts.version
        );
        assert_eq!(facts.role, database.server().user());
        assert!(
            facts.is_superuser
                && facts.sees_all_sessions
                && facts.may_signal_backends
                && facts.may_create_tables
        );
        assert!(!facts.in_recovery && !facts.behind_pooler);
        assert_eq!(facts.database, database.name());
        let oid = database
            .scalar("SELECT oid FROM pg_database WHERE datname = current_database()")
            .unwrap();
        assert_eq!(facts.database_oid.to_string(), oid);
        let identifier = database
            .scalar("SELECT system_identifier FROM pg_control_system()")
            .unwrap();
        assert_eq!(facts.system_identifier, Some(identifier));
        assert!(facts.database_bytes.unwrap() > 1_000_000);
        assert_eq!(facts.encoding, "UTF8");
        assert_eq!(facts.current_schema.as_deref(), Some("public"));
        assert!(
            facts.connections.used >= 1 && facts.connections.free() > 0,
            "{:?}",
            facts.connections
        );
        // the database's setting, not the observer's own 100 ms
        assert_eq!(facts.defaults.lock_timeout, Some(Duration::from_secs(3)));
        assert_eq!(facts.defaults.statement_timeout, None);
        assert_eq!(
            facts.defaults.deadlock_timeout,
            Some(Duration::from_secs(1))
        );
        assert_eq!(facts.defaults.time_zone, "Asia/Tokyo");
        assert!(!facts.defaults.read_only);
        assert_eq!(facts.replicas, Some(vec![]));
    }
}

async fn plain_facts(dsn: &str) -> ServerFacts {
    server::facts(&pgdriver::connect_observer(&options(dsn)).await.unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn facts_that_are_hidden_are_none() {
    for database in databases() {
        let dsn = plain_dsn(database.server(), database.name());
        let facts = plain_facts(&dsn).await;
        assert_eq!(facts.role, PLAIN);
        assert!(!facts.is_superuser && !facts.sees_all_sessions && !facts.may_signal_backends);
        assert!(!facts.may_create_tables && !facts.may_create_schemas);
        assert!(facts.connections.used >= 1);

        database
            .execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
            .unwrap();
        assert_eq!(plain_facts(&dsn).await.system_identifier, None);

        let facts = plain_facts(&dsn).await;
        assert_eq!((facts.replicas, facts.unknown), (Some(vec![]), vec![]));
        database
            .execute("REVOKE SELECT ON pg_stat_replication, pg_prepared_xacts FROM PUBLIC")
            .unwrap();
        let facts = plain_facts(&dsn).await;
        assert_eq!((facts.replicas, facts.prepared_transactions), (None, None));
        assert_eq!((facts.prepared_elsewhere, facts.unknown.len()), (None, 3));
        let denied = |why: &String| why.contains("permission denied for view pg_");
        assert!(facts.unknown.iter().all(denied), "{:?}", facts.unknown);
    }
}

#[tokio::test]
async fn sessions_in_numbers() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        let session = observer(&database).await;
        let none = server::session_counts(&session).await.unwrap();
        assert_eq!((none.all, none.oldest_transaction), (0, None));
        leave_running(&database, "BEGIN; CREATE TABLE item ()", "").await;
        leave_running(&database, "", "SELECT pg_sleep(60)").await;
        let plain = plain_dsn(database.server(), database.name());
        let plain = pgdriver::connect_observer(&options(&plain)).await.unwrap();
        // the sleeper may not have begun yet
        let mut counted = server::session_counts(&session).await.unwrap();
        for _ in 0..500 {
            if counted.active == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            counted = server::session_counts(&session).await.unwrap();
        }
        assert_eq!(counted.active, 1, "{counted:?}");
        assert_eq!(
            (counted.all, counted.hidden),
            (3, 0),
            "the plain role's own, too"
        );
        assert_eq!(counted.idle_in_transaction, 1);
        assert!(counted.longest_idle.is_some() && counted.xmin_age.is_some());
        assert!(
            counted.oldest_transaction >= counted.longest_idle,
            "{counted:?}"
        );

        let seen = server::session_counts(&plain).await.unwrap();
        assert_eq!((seen.all, seen.hidden), (3, 3), "{seen:?}");
        assert_eq!(
            (seen.active, seen.idle_in_transaction, seen.longest_idle),
            (0, 0, None)
        );
    }
}
