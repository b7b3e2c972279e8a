//! The project's database as our own connections reach it: where, whether it is fit, and what its history says.
//!
//! Connections come from Django's settings, as libpq resolved them; `--dsn` may give another way to the same
//! database. Absent here: what is done with the facts.

use std::collections::{BTreeMap, BTreeSet};

use pgdriver::catalog::{self, RelationName, RowCount};
use pgdriver::server::ServerFacts;
use pgdriver::{
    ConnectError, ConnectOptions, Environment, ObserverPool, PooledObserver, QueryError, Session,
    tables,
};

use crate::django::ProjectFacts;
use crate::django::wire::{Database, Operation, Server};
use crate::exit::Class;
use crate::failure::Failure;
use crate::gates;
use crate::hazards::{Context, Finding, beyond};
use crate::names::MigrationId;
use crate::plan::Plan;
use crate::preview::Stake;
use crate::settings::DjangoSettings;
use crate::sql::{Catalog, ForeignKey, Relation, TableFacts};
use crate::ui;

/// PostgreSQL 14.
const OLDEST: u32 = 140_000;

/// How our own connections go. A clone shares the observers.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    options: ConnectOptions,
    observers: ObserverPool,
}

impl Reach {
    pub(crate) fn of(facts: &ProjectFacts, settings: &DjangoSettings) -> Result<Self, Failure> {
        let database = facts.database().ok_or_else(|| {
            Failure::new(Class::Bug, "the bridge described no database of the alias")
        })?;
        let bad = |e: pgdriver::OptionsError| Failure::new(Class::DatabaseError, e.to_string());
        let options =
            ConnectOptions::from_keywords(&database.parameters, database.password.clone())
                .map_err(bad)?;
        let options = match &settings.dsn {
            None => options,
            Some(dsn) => options.by_way_of(dsn, &Environment::of_process()).map_err(|e| {
                Failure::new(Class::Settings, format!("--dsn cannot be used: {e}"))
                    .hint("say postgresql://HOST:PORT, or host=… port=…; the rest comes from Django's settings")
            })?,
        };
        let options = options.with_application_name("django-migrate");
        Ok(Self {
            observers: ObserverPool::new(options.clone()),
            options,
        })
    }

    /// `shop@db1:5432/shop`, never a password.
    pub(crate) fn describe(&self) -> String {
        self.options.describe()
    }

    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// What the settings ask of a connection and our own do not do: safeguards first.
    pub(crate) fn unfollowed(&self) -> Vec<Finding> {
        let safeguards: Vec<_> = self.options.ignored_safeguards().collect();
        let ignored = self.options.ignored().iter().map(String::as_str);
        let others: Vec<_> = ignored.filter(|name| !safeguards.contains(name)).collect();
        let finding = |code, names: &[&str], what: &str| {
            let message = || format!("{} {what}", names.join(", "));
            (!names.is_empty()).then(|| beyond::finding(code, message()))
        };
        let safeguards = finding(
            "connection-safeguard-not-enforced",
            &safeguards,
            "in the connection's settings: not enforced by our own connections and pg_dump's, only by Django's",
        );
        let others = finding(
            "connection-parameter-ignored",
            &others,
            "in the connection's settings: our own connections do not follow it",
        );
        safeguards.into_iter().chain(others).collect()
    }

    /// A session that reads only, and waits for nothing: on loan, so that a run does not log in for each look.
    pub(crate) async fn observer(&self) -> Result<PooledObserver, Failure> {
        self.observers.get().await.map_err(|e| connect_failure(&e))
    }

    /// A session of full rights, for the advisory lock.
    pub(crate) async fn session(&self) -> Result<Session, Failure> {
        pgdriver::connect(&self.options)
            .await
            .map_err(|e| connect_failure(&e))
    }

    /// Which migrations of the plan the history has, in the plan's order, read over a new connection.
    pub(crate) async fn recorded(&self, plan: &Plan) -> Result<Vec<MigrationId>, Failure> {
        let session = pgdriver::connect_observer(&self.options)
            .await
            .map_err(|e| connect_failure(&e))?;
        let applied = applied(&session).await?;
        session.close().await;
        Ok(plan
            .ids()
            .filter(|id| applied.contains(id))
            .cloned()
            .collect())
    }
}

/// What the history says is applied.
pub(crate) async fn applied(session: &Session) -> Result<BTreeSet<MigrationId>, Failure> {
    let history = pgdriver::history::read(session)
        .await
        .map_err(|e| query_failure(&e))?;
    let rows = history.map(|h| h.rows).unwrap_or_default();
    Ok(rows
        .iter()
        .map(|row| MigrationId::new(&row.app, &row.name))
        .collect())
}

/// The history must say what it said when the plan was made.
pub(crate) async fn same_history(session: &Session, facts: &ProjectFacts) -> Result<(), Failure> {
    let now = applied(session).await?;
    let rows = facts
        .history
        .as_ref()
        .map(|h| h.rows.as_slice())
        .unwrap_or_default();
    let then: BTreeSet<MigrationId> = rows
        .iter()
        .map(|row| MigrationId::new(&row.app, &row.name))
        .collect();
    if now == then {
        return Ok(());
    }
    let list = |a: &BTreeSet<MigrationId>, b: &BTreeSet<MigrationId>| {
        a.difference(b)
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut failure = Failure::new(
        Class::PlanChanged,
        "the history of migrations changed while the run waited",
    );
    for (name, ids) in [
        ("applied since", list(&now, &then)),
        ("gone since", list(&then, &now)),
    ] {
        if !ids.is_empty() {
            failure = failure.source(name, ids);
        }
    }
    Err(failure.hint("somebody else migrates this database: find out who, then run again"))
}

/// The live catalog as the assessment wants it: sizes, indexes and foreign keys of every table.
pub(crate) async fn context(session: &Session) -> Result<Context, Failure> {
    let failed = |e: QueryError| query_failure(&e);
    let tables = tables::tables(session).await.map_err(failed)?;
    let relation =
        |n: &RelationName| Relation::new(n.schema.clone().unwrap_or_default(), n.name.clone());
    let facts = tables.iter().map(|t| {
        let facts = TableFacts {
            rows: t.estimated_rows,
            bytes: t.bytes,
            indexes: t.indexes.iter().map(relation).collect(),
            foreign_keys: t
                .foreign_keys
                .iter()
                .map(|k| ForeignKey {
                    name: k.name.clone(),
                    columns: k.columns.clone(),
                    to: relation(&k.to),
                })
                .collect(),
        };
        (relation(&t.name), facts)
    });
    Ok(Context {
        catalog: Some(Catalog {
            tables: facts.collect(),
        }),
    })
}

/// How many rows are at stake in each table or column that a plan destroys: counted up to a million within the
/// observer's two seconds, else the planner's estimate. A table that is only planned has none.
pub(crate) async fn count_stakes(
    session: &Session,
    stakes: &BTreeSet<Stake>,
    known: &Context,
) -> BTreeMap<Stake, String> {
    const LIMIT: u64 = 1_000_000;
    let mut rows = BTreeMap::new();
    for stake in stakes {
        let (relation, column) = stake;
        let Some(facts) = known.catalog.as_ref().and_then(|c| c.tables.get(relation)) else {
            continue;
        };
        let name = RelationName::new(relation.schema(), relation.name());
        let counted = match column {
            Some(column) => catalog::count_values(session, &name, column, LIMIT).await,
            None => catalog::count_rows(session, &name, LIMIT).await,
        };
        let text = match counted {
            Ok(RowCount::Exactly(n)) => ui::count(n, "row"),
            Ok(RowCount::AtLeast(n)) => format!("{} or more", ui::count(n, "row")),
            // the planner's estimate is in the loss itself
            Err(_) if facts.rows.is_some() => continue,
            Err(e) if e.is_lock_timeout() => "rows not counted: the table is locked".to_owned(),
            Err(e) => format!("rows not counted: {}", e.message()),
        };
        rows.insert(stake.clone(), text);
    }
    rows
}

/// Whether the server has a database of that name.
pub(crate) async fn exists(session: &Session, database: &str) -> Result<bool, Failure> {
    tables::database_exists(session, database)
        .await
        .map_err(|e| query_failure(&e))
}

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
    if server.behind_pooler {
        return Err(Failure::new(
            Class::Pooler,
            "a transaction pooler stands between us and PostgreSQL: a dump through it can poison other clients' \
             sessions, and timeouts set for a session leak",
        )
        .hint("connect to the server itself: in the settings, or for our own connections with --dsn"));
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
    let creates = operations().any(|o| o.base.as_deref() == Some("CreateModel"));
    if creates && !server.may_create_tables {
        let schema = server
            .current_schema
            .as_deref()
            .unwrap_or("of the search path");
        return Err(Failure::new(
            Class::Privilege,
            format!(
                "the role {} may not create tables in schema {schema}",
                server.role
            ),
        )
        .hint(format!(
            "GRANT CREATE ON SCHEMA {schema} TO {} lets it",
            server.role
        )));
    }
    let altered: BTreeSet<&str> = operations()
        .filter(|o| alters(o))
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

pub(crate) fn connect_failure(error: &ConnectError) -> Failure {
    let message = format!("no connection to {}: {}", error.target(), error.message());
    let failure = Failure::new(gates::connect_class(error.kind()), message);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

pub(crate) fn query_failure(error: &QueryError) -> Failure {
    let class = if error.is_permission_denied() {
        Class::Privilege
    } else {
        Class::DatabaseError
    };
    Failure::new(class, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hazards::Severity;
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
        }
    }

    #[test]
    fn what_our_connections_do_not_do_is_told_safeguards_first() {
        let told = |dsn: &str| {
            let options = ConnectOptions::parse_in(dsn, &Environment::default()).unwrap();
            let reach = Reach {
                observers: ObserverPool::new(options.clone()),
                options,
            };
            let told = reach.unfollowed();
            told.into_iter()
                .map(|f| (f.code, f.severity, f.message))
                .collect::<Vec<_>>()
        };
        assert_eq!(told("user=u sslmode=require"), []);
        let [safeguards, others] =
            told("user=u sslpassword=sesame sslcrl=/x.crl require_auth=scram-sha-256")
                .try_into()
                .unwrap();
        assert_eq!(
            (safeguards.0, safeguards.1),
            ("connection-safeguard-not-enforced", Severity::Ask)
        );
        assert!(
            safeguards.2.starts_with("require_auth, sslcrl in"),
            "{}",
            safeguards.2
        );
        assert_eq!(
            (others.0, others.1),
            ("connection-parameter-ignored", Severity::Note)
        );
        assert!(others.2.starts_with("sslpassword in"), "{}", others.2);
        assert!(!others.2.contains("sesame"));
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
            replicas: vec![],
            prepared_transactions: vec![],
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
        assert_eq!(
            class(&ServerFacts {
                behind_pooler: true,
                ..ours()
            }),
            Err(Class::Pooler)
        );
    }
}
