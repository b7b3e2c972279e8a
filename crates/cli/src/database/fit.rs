//! Whether a run may work there at all: version, role, standby, and whether it is Django's database.

use std::collections::BTreeSet;

use pgdriver::server::ServerFacts;
use pgdriver::{Session, tables};

use super::query_failure;
use crate::django::wire::{Database, Operation, Server};
use crate::exit::Class;
use crate::failure::Failure;
use crate::plan::{Direction, Plan};

/// PostgreSQL 14.
const OLDEST: u32 = 140_000;

/// Whether a run may work there at all. Pure.
pub(crate) fn fit(server: &ServerFacts, django: &Database) -> Result<(), Failure> {
    if server.version_num < OLDEST {
        return Err(Failure::new(
            Class::ServerTooOld,
            format!("the server is PostgreSQL {}", server.short_version()),
        )
        .hint("django-migrate knows PostgreSQL 14 and newer"));
    }
    if let Some(seen) = &django.server {
        same_database(server, seen)?;
    }
    if server.in_recovery {
        return Err(Failure::new(
            Class::Standby,
            "the server is a standby: it takes no changes",
        )
        .hint("name the primary in the settings, or say target_session_attrs=read-write"));
    }
    Ok(())
}

/// Whether the role may do what the plan's operations do, as far as they say: RunSQL and RunPython do not.
pub(crate) async fn permitted(
    session: &Session,
    server: &ServerFacts,
    plan: &Plan,
) -> Result<(), Failure> {
    let operations = || plan.steps.iter().flat_map(|s| &s.operations);
    let making = match plan.direction {
        Direction::Forward => "CreateModel",
        Direction::Back => "DeleteModel",
    };
    let creates = operations().any(|o| o.base.as_deref() == Some(making));
    if creates && !server.may_create_tables {
        let role = &server.role;
        let (message, hint) = match &server.current_schema {
            Some(schema) => (
                format!("the role {role} may not create tables in schema {schema}"),
                format!("GRANT CREATE ON SCHEMA {schema} TO {role} lets it"),
            ),
            None => (
                format!("the role {role} may use no schema of its search path"),
                format!(
                    "GRANT USAGE, CREATE ON SCHEMA public TO {role} lets it, where the tables belong in public"
                ),
            ),
        };
        return Err(Failure::new(Class::Privilege, message).hint(hint));
    }
    let altered: BTreeSet<&str> = operations()
        .filter(|o| {
            alters(o)
                || o.base.as_deref() == Some("CreateModel") && plan.direction == Direction::Back
        })
        .filter_map(|o| o.table.as_deref())
        .collect();
    let altered: Vec<&str> = altered.into_iter().collect();
    let foreign = tables::not_owned(session, &altered)
        .await
        .map_err(|e| query_failure(&e))?;
    let Some(first) = foreign.first() else {
        return Ok(());
    };
    let list: Vec<String> = foreign
        .iter()
        .map(|t| format!("{} (of {})", t.name, t.owner))
        .collect();
    Err(Failure::new(
        Class::Privilege,
        format!(
            "the role {} may not alter {}: only the owner may",
            server.role,
            list.join(", ")
        ),
    )
    .hint(format!(
        "migrate as {0}, or GRANT {0} TO {1}",
        first.owner, server.role
    )))
}

/// An operation of Django's own that sends ALTER TABLE or DROP TABLE for its table.
fn alters(operation: &Operation) -> bool {
    let silent = [
        "CreateModel",
        "AlterModelOptions",
        "AlterModelManagers",
        "RunSQL",
        "RunPython",
    ];
    operation.reduces_to_sql
        && operation
            .base
            .as_deref()
            .is_some_and(|b| !silent.contains(&b) && b != "SeparateDatabaseAndState")
}

/// `--dsn`, a load balancer or two hosts must not lead us elsewhere than Django.
fn same_database(ours: &ServerFacts, django: &Server) -> Result<(), Failure> {
    let identifiers_differ = match (&ours.system_identifier, &django.system_identifier) {
        (Some(ours), Some(django)) => ours != django,
        // one of both may not be read: the oid and the name have to do
        _ => ours.database != django.database,
    };
    if !identifiers_differ && ours.database_oid == django.database_oid {
        return Ok(());
    }
    let of = |system: Option<&String>, oid: u32, name: &str| {
        format!(
            "database {name}, oid {oid}, system {}",
            system.map_or("not permitted to see", String::as_str)
        )
    };
    Err(Failure::new(
        Class::NotTheSameDatabase,
        "our connection leads to another database than Django's",
    )
    .source(
        "django",
        of(
            django.system_identifier.as_ref(),
            django.database_oid,
            &django.database,
        ),
    )
    .source(
        "ours",
        of(
            ours.system_identifier.as_ref(),
            ours.database_oid,
            &ours.database,
        ),
    )
    .hint("correct --dsn: it may name another way, never another database"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn seen(system: Option<&str>, oid: u32) -> Server {
        Server {
            version_num: 150_018,
            database: "shop".into(),
            database_oid: oid,
            user: "shop".into(),
            system_identifier: system.map(Into::into),
            backend_pid: 1,
            in_recovery: false,
            schemas: vec![],
            settings: BTreeMap::new(),
            pooled: false,
        }
    }

    fn ours() -> ServerFacts {
        ServerFacts {
            version_num: 150_018,
            version: "PostgreSQL 15.18".into(),
            role: "shop".into(),
            is_superuser: false,
            sees_all_sessions: false,
            may_signal_backends: false,
            in_recovery: false,
            system_identifier: Some("7".into()),
            database: "shop".into(),
            database_oid: 16_384,
            database_bytes: None,
            encoding: "UTF8".into(),
            current_schema: Some("public".into()),
            may_create_schemas: true,
            may_create_tables: true,
            connections: pgdriver::server::Connections {
                max: 100,
                reserved: 3,
                used: 1,
            },
            behind_pooler: false,
            backend_pid: 2,
            defaults: pgdriver::server::SessionDefaults {
                lock_timeout: None,
                statement_timeout: None,
                idle_in_transaction_timeout: None,
                deadlock_timeout: None,
                read_only: false,
                time_zone: "UTC".into(),
            },
            replicas: None,
            prepared_transactions: None,
            prepared_elsewhere: None,
            unknown: vec![],
        }
    }

    #[test]
    fn another_system_or_another_oid_is_another_database() {
        assert!(same_database(&ours(), &seen(Some("7"), 16_384)).is_ok());
        assert!(same_database(&ours(), &seen(None, 16_384)).is_ok());
        for other in [seen(Some("8"), 16_384), seen(Some("7"), 99), seen(None, 99)] {
            assert_eq!(
                same_database(&ours(), &other).unwrap_err().class,
                Class::NotTheSameDatabase
            );
        }
    }

    #[test]
    fn unfit_servers_are_told_apart() {
        let database = |server| Database {
            alias: "default".into(),
            selected: true,
            engine: String::new(),
            vendor: "postgresql".into(),
            name: "shop".into(),
            driver: None,
            parameters: BTreeMap::new(),
            password: None,
            resolved: true,
            test: crate::django::wire::TestDatabase {
                name: "test_shop".into(),
                mirror: None,
            },
            server,
        };
        let class = |server: &ServerFacts| fit(server, &database(None)).map_err(|f| f.class);
        assert_eq!(class(&ours()), Ok(()));
        assert_eq!(
            class(&ServerFacts {
                version_num: 130_010,
                ..ours()
            }),
            Err(Class::ServerTooOld)
        );
        assert_eq!(
            class(&ServerFacts {
                in_recovery: true,
                ..ours()
            }),
            Err(Class::Standby)
        );
    }
}
