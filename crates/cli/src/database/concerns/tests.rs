use std::time::Duration;

use pgdriver::Permitted;
use pgdriver::catalog::{InvalidIndex, RelationName, UnvalidatedConstraint};
use pgdriver::sequences::{Position, SequenceUse, Unread};
use pgdriver::server::{
    Age, AutovacuumDetail, AutovacuumWorker, Connections, DatabaseAge, Health, Limit,
    PreparedElsewhere, Replica, ReplicaDetail, RoleFacts, ServerFacts, SessionCounts,
    SessionDefaults, Slot, SlotKind, Synchronous, TableAge, TableAges,
};

use super::concerns;
use crate::hazards::Severity;

fn server() -> ServerFacts {
    ServerFacts {
        version_num: 150_018,
        version: "PostgreSQL 15.18".into(),
        role: "shop".into(),
        is_superuser: false,
        sees_all_sessions: true,
        may_signal_backends: false,
        in_recovery: false,
        system_identifier: None,
        database: "shop".into(),
        database_oid: 16_384,
        database_bytes: None,
        encoding: "UTF8".into(),
        current_schema: None,
        may_create_schemas: true,
        may_create_tables: true,
        connections: Connections {
            max: 100,
            reserved: 3,
            used: 20,
        },
        behind_pooler: false,
        backend_pid: 2,
        defaults: SessionDefaults {
            lock_timeout: None,
            statement_timeout: None,
            idle_in_transaction_timeout: None,
            deadlock_timeout: None,
            read_only: false,
            time_zone: "UTC".into(),
        },
        replicas: Some(vec![]),
        prepared_transactions: Some(vec![]),
        prepared_elsewhere: Some(vec![]),
        unknown: vec![],
    }
}

/// Nothing to tell.
fn sound() -> Health {
    Health {
        role: Ok(RoleFacts {
            name: "shop".into(),
            session_role: "shop".into(),
            attributes: vec![],
            owns_database: true,
            predefined: vec!["pg_read_all_stats".into()],
            role_limit: None,
            database_limit: None,
        }),
        timeouts: Ok(vec![]),
        sessions: Ok(SessionCounts {
            all: 0,
            hidden: 0,
            active: 0,
            idle_in_transaction: 0,
            oldest_transaction: None,
            longest_idle: None,
            xmin_age: None,
        }),
        synchronous: Ok(Synchronous {
            wanted: String::new(),
            commit: "on".into(),
            present: Permitted::Seen(0),
        }),
        slots: Ok(vec![]),
        autovacuum: Ok(vec![]),
        databases: Ok(vec![]),
        tables: Ok(TableAges::default()),
        sequences: Ok(vec![]),
        invalid_indexes: Ok(vec![]),
        unvalidated: Ok(vec![]),
        largest: Ok(vec![]),
    }
}

#[track_caller]
fn check(health: &Health, expected: &[(&str, &str)]) {
    check_on(&server(), health, expected);
}

/// Codes with words of their messages, and no other finding.
#[track_caller]
fn check_on(server: &ServerFacts, health: &Health, expected: &[(&str, &str)]) {
    let found = concerns(server, health);
    let codes: Vec<_> = found.iter().map(|f| f.code).collect();
    let wanted: Vec<_> = expected.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, wanted, "{found:#?}");
    for (finding, (_, words)) in found.iter().zip(expected) {
        assert!(finding.message.contains(words), "{words} in {finding:#?}");
    }
}

const YOUNG: Age = Age {
    age: 10,
    limit: 200_000_000,
};

fn old(age: u64) -> Age {
    Age { age, ..YOUNG }
}

#[test]
fn a_sound_server_has_no_concerns() {
    check(&sound(), &[]);
}

#[test]
fn a_prepared_transaction_of_another_database_that_was_forgotten() {
    let of = |minutes: u64| PreparedElsewhere {
        gid: format!("tx{minutes}"),
        owner: "app".into(),
        database: "other".into(),
        age: Duration::from_secs(60 * minutes),
        xids: 12_345,
    };
    let server = ServerFacts {
        prepared_elsewhere: Some(vec![of(90), of(1)]),
        ..server()
    };
    let found = concerns(&server, &sound());
    let told: Vec<_> = found.iter().map(|f| (f.code, f.severity)).collect();
    assert_eq!(told, [("prepared-transaction", Severity::Note)]);
    for words in [
        "tx90 of app in database other",
        "1 h 30 min",
        "12,345 transactions",
    ] {
        assert!(found[0].message.contains(words), "{}", found[0].message);
    }
}

#[test]
fn connections_by_the_tightest_limit() {
    let mut tight = server();
    tight.connections.used = 95;
    let expected = [(
        "few-free-connections",
        "2 connections left of max_connections, 100",
    )];
    check_on(&tight, &sound(), &expected);
    // a superuser may take the reserved ones
    tight.is_superuser = true;
    tight.connections.used = 92;
    check_on(&tight, &sound(), &[]);
    let mut health = sound();
    health.role.as_mut().unwrap().database_limit = Some(Limit { most: 5, used: 4 });
    let expected = [(
        "few-free-connections",
        "1 connection left of the database's",
    )];
    check(&health, &expected);
}

#[test]
fn commits_that_hang() {
    let waits = |present, commit: &str| {
        let mut health = sound();
        health.synchronous = Ok(Synchronous {
            wanted: "ANY 1 (b, c)".into(),
            commit: commit.into(),
            present,
        });
        health
    };
    let hangs = [("synchronous-standby-missing", "ANY 1 (b, c)")];
    check(&waits(Permitted::Seen(0), "on"), &hangs);
    check(&waits(Permitted::Seen(1), "on"), &[]);
    check(&waits(Permitted::Seen(0), "local"), &[]);
    // what may not be seen is no alarm
    check(&waits(Permitted::NotPermitted, "on"), &[]);
}

#[test]
fn replicas_by_bytes_or_by_time() {
    let lagging = |lag_bytes, lag| {
        let mut server = server();
        server.replicas = Some(vec![Replica {
            pid: 7,
            detail: Permitted::Seen(ReplicaDetail {
                application: "second".into(),
                client: None,
                state: "streaming".into(),
                sync_state: None,
                lag_bytes,
                lag,
            }),
        }]);
        server
    };
    check_on(&lagging(Some(1 << 20), None), &sound(), &[]);
    check_on(&lagging(None, None), &sound(), &[]);
    let bytes = [("replica-lag", "second is 32 MB of WAL behind")];
    check_on(&lagging(Some(32 << 20), None), &sound(), &bytes);
    let time = [("replica-lag", "second is 8 bytes of WAL, 15 s behind")];
    check_on(
        &lagging(Some(8), Some(Duration::from_secs(15))),
        &sound(),
        &time,
    );
}

#[test]
fn slots_by_reader_and_by_size() {
    let slot = |active_pid, kept: u64, status: &str| {
        let mut health = sound();
        health.slots = Ok(vec![Slot {
            name: "feed".into(),
            kind: SlotKind::Logical,
            plugin: Some("pgoutput".into()),
            database: Some("shop".into()),
            is_temporary: false,
            active_pid,
            retained_bytes: Some(kept),
            wal_status: Some(status.into()),
            safe_bytes: None,
            xmin_age: None,
            inactive: None,
        }]);
        health
    };
    check(&slot(Some(9), 1 << 20, "reserved"), &[]);
    let idle = [(
        "slot-inactive",
        "logical slot feed (pgoutput, database shop): nobody reads from it; it keeps 1.0 MB",
    )];
    check(&slot(None, 1 << 20, "reserved"), &idle);
    let slow = [(
        "slot-retains-wal",
        "backend 9 reads from it; it keeps 2.0 GB of WAL",
    )];
    check(&slot(Some(9), 2 << 30, "extended"), &slow);
    check(
        &slot(None, 1 << 20, "unreserved"),
        &[("slot-retains-wal", "nobody reads")],
    );
    check(
        &slot(None, 0, "lost"),
        &[("slot-inactive", "its WAL is lost")],
    );
}

#[test]
fn autovacuum_that_does_not_give_way_in_this_database() {
    let worker = |database: &str, to_prevent_wraparound| AutovacuumWorker {
        pid: 5,
        database: Some(database.into()),
        table: Some(RelationName::new("public", "item")),
        detail: Permitted::Seen(AutovacuumDetail {
            to_prevent_wraparound,
            work: "VACUUM public.item (to prevent wraparound)".into(),
            age: None,
            phase: None,
            scanned: None,
        }),
    };
    let mut health = sound();
    health.autovacuum = Ok(vec![worker("other", true), worker("shop", false)]);
    check(&health, &[]);
    let mut health = sound();
    health.autovacuum = Ok(vec![worker("shop", true)]);
    check(
        &health,
        &[("wraparound-vacuum", "process 5: VACUUM public.item")],
    );

    // what may not be seen is told by the age of the table
    let hidden = |age| {
        let mut health = sound();
        health.autovacuum = Ok(vec![AutovacuumWorker {
            detail: Permitted::NotPermitted,
            ..worker("shop", true)
        }]);
        health.tables = Ok(TableAges {
            tables: vec![TableAge {
                name: RelationName::new("public", "item"),
                xids: old(age),
                multixacts: YOUNG,
            }],
            due: u64::from(age > 200_000_000),
        });
        health
    };
    check(&hidden(190_000_000), &[]);
    check(
        &hidden(210_000_000),
        &[
            ("wraparound-vacuum", "works on public.item, which is due"),
            ("wraparound-vacuum-due", "public.item"),
        ],
    );
}

#[test]
fn ages_of_databases_and_of_users_tables() {
    let mut health = sound();
    let database = |name: &str, xids, multixacts| DatabaseAge {
        database: name.into(),
        is_current: false,
        xids,
        multixacts,
    };
    health.databases = Ok(vec![
        database("a", old(1_700_000_000), YOUNG),
        database("b", YOUNG, old(1_650_000_000)),
        database("c", old(1_500_000_000), YOUNG),
    ]);
    check(
        &health,
        &[
            (
                "wraparound-near",
                "database a: the oldest is 1,700,000,000 transactions old, 444,483,648",
            ),
            (
                "wraparound-near",
                "database b: the oldest is 1,650,000,000 multixacts old",
            ),
        ],
    );
    let mut health = sound();
    let table = |schema: &str, age| TableAge {
        name: RelationName::new(schema, "item"),
        xids: old(age),
        multixacts: YOUNG,
    };
    let tables = vec![
        table("pg_catalog", 300_000_000),
        table("public", 200_000_001),
        table("tenant", 190_000_000),
    ];
    health.tables = Ok(TableAges { tables, due: 1 });
    check(
        &health,
        &[(
            "wraparound-vacuum-due",
            "public.item: 200,000,001 transactions old",
        )],
    );

    // of more than are listed the number is that of all
    let mut health = sound();
    health.tables = Ok(TableAges {
        tables: vec![table("public", 200_000_001); 100],
        due: 250,
    });
    let found = concerns(&server(), &health);
    let last = found.last().expect("findings");
    assert_eq!((found.len(), last.code), (6, "wraparound-vacuum-due"));
    assert_eq!(last.message, "and 245 more; -v shows them");
}

/// A list that the role may not ask for is not an empty one.
#[test]
fn what_the_role_may_not_ask_for_is_unknown() {
    let mut server = server();
    server.replicas = None;
    server.prepared_transactions = None;
    server.prepared_elsewhere = None;
    server.unknown = vec!["could not list the replicas: permission denied".into()];
    let found = concerns(&server, &sound());
    let told: Vec<_> = found.iter().map(|f| (f.code, f.message.as_str())).collect();
    let why = "could not list the replicas: permission denied";
    assert_eq!(told, [("server-fact-unknown", why)]);
}

#[test]
fn sequences_from_nine_tenths_on() {
    let sequence = |name: &str, position| SequenceUse {
        name: RelationName::new("public", name),
        column: None,
        position,
    };
    let position = |used| {
        Ok(Position {
            last: Some(1),
            last_possible: 2_147_483_647,
            used,
            remaining: 1,
        })
    };
    let mut health = sound();
    health.sequences = Ok(vec![
        sequence("a", position(0.95)),
        sequence("b", position(0.8)),
        sequence("c", Err(Unread::Locked)),
    ]);
    check(
        &health,
        &[(
            "sequence-near-end",
            "public.a feeds no column: 95% used, 1 value left",
        )],
    );
}

#[test]
fn leftovers_one_by_one_and_then_as_a_number() {
    let index = |name: &str, in_progress| InvalidIndex {
        name: RelationName::new("public", name),
        table: "item".into(),
        is_unique: false,
        takes_writes: true,
        is_partitioned: false,
        in_progress,
    };
    let mut health = sound();
    health.invalid_indexes = Ok(vec![index("left", false), index("new", true)]);
    check(
        &health,
        &[
            ("index-being-built", "public.new is being built"),
            (
                "invalid-index",
                "index public.left is INVALID: no query uses it, every write pays",
            ),
        ],
    );
    let mut health = sound();
    let constraint = |n| UnvalidatedConstraint {
        table: RelationName::new("public", "item"),
        name: format!("c{n}"),
        kind: "check".into(),
    };
    health.unvalidated = Ok((1..=8).map(constraint).collect());
    let code = "unvalidated-constraint";
    let told = ["c1", "c2", "c3", "c4", "c5", "and 3 more; -v"];
    check(&health, &told.map(|words| (code, words)));
}
