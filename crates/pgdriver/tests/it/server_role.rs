//! What the role is and may, and that each grant that is named gives what it says.

use pgdriver::Session;
use pgdriver::server::{self, Limit};
use xtask::servers::{Database, available, shared};

use crate::{PLAIN, observer, options, plain_dsn};

async fn connected(dsn: &str) -> Session {
    pgdriver::connect_observer(&options(dsn)).await.unwrap()
}

/// A role of the test's own, which goes with its database.
struct Role<'a> {
    database: &'a Database,
    name: String,
}

impl<'a> Role<'a> {
    fn new(database: &'a Database, attributes: &str) -> Self {
        let name = format!("Role of {}", database.name());
        let server = database.server();
        server
            .create_role(&name, &format!("PASSWORD 'secret' {attributes}"))
            .unwrap();
        Self { database, name }
    }

    async fn observer(&self) -> Session {
        let server = self.database.server();
        connected(&server.dsn_as(&self.name, "secret", self.database.name())).await
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let _ = self
            .database
            .execute(&format!("DROP ROLE \"{}\"", self.name));
    }
}

#[tokio::test]
async fn a_superuser_lacks_nothing() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        let role = server::role(&observer(&database).await).await.unwrap();
        assert!(role.is_superuser() && role.owns_database);
        assert_eq!(role.missing_grants(180_000), []);
        assert!(role.has("pg_monitor") && role.has("pg_signal_backend"));
        assert_eq!((role.role_limit, role.database_limit), (None, None));
    }
}

#[tokio::test]
async fn each_grant_that_is_named_can_be_given_and_is_then_there() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        let role = Role::new(&database, "");
        let facts = server::role(&role.observer().await).await.unwrap();
        assert_eq!(
            (facts.name.as_str(), facts.session_role.as_str()),
            (role.name.as_str(), role.name.as_str())
        );
        assert!(facts.attributes.is_empty() && facts.predefined.is_empty());
        assert!(!facts.owns_database);
        let missing = facts.missing_grants(major * 10_000);
        assert_eq!(missing[0].role, "pg_monitor");
        assert_eq!(
            missing.len(),
            if *major >= 18 { 3 } else { 2 },
            "{missing:?}"
        );
        for grant in &missing {
            database.execute(&grant.statement).unwrap();
        }
        let session = role.observer().await;
        let facts = server::role(&session).await.unwrap();
        assert_eq!(facts.missing_grants(major * 10_000), []);
        for grant in &missing {
            assert!(facts.has(grant.role), "{} on {major}", grant.role);
        }
        // what pg_monitor is named for
        assert!(server::facts(&session).await.unwrap().sees_all_sessions);
    }
}

#[tokio::test]
async fn attributes_and_limits_of_role_and_database() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        let role = Role::new(&database, "CREATEDB BYPASSRLS CONNECTION LIMIT 3");
        database
            .execute(&format!(
                "ALTER DATABASE \"{}\" CONNECTION LIMIT 7",
                database.name()
            ))
            .unwrap();
        let one = role.observer().await;
        let two = role.observer().await;
        let facts = server::role(&two).await.unwrap();
        assert_eq!(facts.attributes, ["CREATEDB", "BYPASSRLS"]);
        assert_eq!(facts.role_limit, Some(Limit { most: 3, used: 2 }));
        assert_eq!(facts.database_limit, Some(Limit { most: 7, used: 2 }));
        assert_eq!(facts.role_limit.unwrap().free(), 1);
        one.close().await;
        two.close().await;
    }
}

#[tokio::test]
async fn a_role_without_privileges_gets_every_fact() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        database
            .execute("CREATE TABLE item (id serial PRIMARY KEY); CREATE SCHEMA closed; CREATE TABLE closed.item (id bigserial)")
            .unwrap();
        let session = connected(&plain_dsn(database.server(), database.name())).await;
        let health = server::health(&session).await.unwrap();
        assert!(
            health.unknown().is_empty(),
            "{:?} on {major}",
            health.unknown()
        );
        assert_eq!(health.role.unwrap().name, PLAIN);
        assert!(health.timeouts.unwrap().len() >= 6);
        let databases = health.databases.unwrap();
        assert!(
            databases
                .iter()
                .any(|d| d.is_current && d.database == database.name())
        );
        assert!(databases.iter().all(|d| d.xids.limit == 200_000_000));
        assert_eq!(health.largest.unwrap().len(), 2);
        assert_eq!(health.synchronous.unwrap().hangs(), Some(false));
        let facts = server::facts(&session).await.unwrap();
        let newest = facts.features().last().map(|feature| feature.since());
        assert!(newest.unwrap() <= *major && facts.major() == *major);
    }
}
