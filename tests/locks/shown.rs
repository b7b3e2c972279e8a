//! What is shown of it: only what concerns a table, and queries without their literals.

use serde_json::{Value, json};

use super::scene::{cli, database, is_old, leave, look, waits};

#[test]
fn with_a_relation_only_what_concerns_it() {
    let database = database(15);
    let holder = leave(&database, "report", "BEGIN; SELECT price FROM item", "");
    let ddl = leave(
        &database,
        "deploy",
        "",
        "ALTER TABLE item ADD COLUMN note text",
    );
    waits(&database, &ddl);
    let other = leave(&database, "other", "BEGIN; LOCK TABLE customer", "");
    let waiter = leave(&database, "waiter", "", "SELECT count(*) FROM customer");
    waits(&database, &waiter);
    let seen = look(&cli(&database).args(["--relation", "item"]));
    let waiting = seen["blocking"].as_array().expect("blocking");
    let waiting: Vec<Value> = waiting
        .iter()
        .map(|row| json!([row["pid"], row["waits_for"], row["relation"]]))
        .collect();
    assert_eq!(waiting, [json!([ddl.pid, [holder.pid], "public.item"])]);
    assert_eq!(seen["relation"], "public.item");
    let locks = seen["locks"].as_array().expect("locks");
    let locks: Vec<Value> = locks
        .iter()
        .map(|lock| json!([lock["pid"], lock["mode"], lock["granted"]]))
        .collect();
    assert_eq!(
        locks,
        [
            json!([holder.pid, "AccessShareLock", true]),
            json!([ddl.pid, "AccessExclusiveLock", false])
        ]
    );
    let pids: Vec<i64> = seen["sessions"]
        .as_array()
        .expect("sessions")
        .iter()
        .filter_map(|s| s["pid"].as_i64())
        .collect();
    assert!(!pids.contains(&i64::from(other.pid)), "{seen:#}");
    let told = cli(&database)
        .args(["--relation", "public.item"])
        .run()
        .expect(0)
        .stdout;
    assert!(
        told.contains("holds ACCESS SHARE") && told.contains("awaits ACCESS EXCLUSIVE"),
        "{told}"
    );
    let unknown = cli(&database).args(["--relation", "itme"]).run().expect(2);
    assert!(
        unknown.stderr.contains("no relation itme in this database"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_literal_is_seen_only_where_it_was_asked_for() {
    let database = database(15);
    let secret = "sesame-4711";
    let idle = leave(
        &database,
        "idle",
        &format!("BEGIN; UPDATE customer SET name = '{secret}' /* {secret} */"),
        "",
    );
    let waiter = leave(
        &database,
        "web",
        "",
        &format!("UPDATE customer SET name = E'{secret}' WHERE id = 1"),
    );
    waits(&database, &waiter);
    // until then it passes by, and readiness only counts it
    is_old(&database, idle.pid, 1.0);
    let cli = cli(&database);
    let json = cli.clone().args(["--format", "json"]);
    for hidden in [
        &cli,
        &json,
        &cli.clone().args(["--relation", "customer"]),
        &cli.clone().args(["--readiness", "customer"]),
    ] {
        let ran = hidden.run().expect(0);
        assert!(
            ran.stdout.contains("UPDATE customer SET name = ?"),
            "{}",
            ran.stdout
        );
        assert!(
            !ran.stdout.contains("sesame") && !ran.stderr.contains("sesame"),
            "{}",
            ran.stdout
        );
    }
    for shown in [&cli, &json] {
        let ran = shown.clone().arg("--show-literals").run().expect(0);
        assert!(ran.stdout.contains(secret), "{}", ran.stdout);
    }
}

/// The fields that scripts are promised.
#[test]
fn every_promised_field_is_there() {
    let database = database(18);
    let _holder = leave(&database, "report", "BEGIN; SELECT price FROM item", "");
    let ddl = leave(&database, "deploy", "", "DROP TABLE item");
    waits(&database, &ddl);
    let seen = look(&cli(&database));
    let has = |value: &Value, fields: &[&str]| {
        let object = value.as_object().expect("an object");
        for field in fields {
            assert!(object.contains_key(*field), "{field}: {value:#}");
        }
    };
    has(
        &seen,
        &[
            "schema_version",
            "command",
            "sessions",
            "blocking",
            "findings",
        ],
    );
    for session in seen["sessions"].as_array().expect("sessions") {
        has(
            session,
            &[
                "pid",
                "user",
                "database",
                "application",
                "client",
                "state",
                "xact_age_ms",
                "query",
                "visible",
            ],
        );
    }
    has(
        &seen["blocking"][0],
        &[
            "pid",
            "waits_for",
            "root_pids",
            "relation",
            "mode",
            "waited_ms",
            "query",
        ],
    );
    has(
        &seen["findings"][0],
        &["code", "severity", "message", "remedy", "relation"],
    );
}

#[test]
fn other_databases_are_counted_or_shown() {
    let (here, there) = (database(15), database(15));
    let elsewhere = leave(&there, "elsewhere", "BEGIN; SELECT price FROM item", "");
    let pids = |seen: &Value| {
        let sessions = seen["sessions"].as_array().expect("sessions");
        let pids = sessions
            .iter()
            .filter_map(|session| session["pid"].as_i64());
        pids.collect::<Vec<_>>()
    };
    let seen = look(&cli(&here));
    assert!(!pids(&seen).contains(&i64::from(elsewhere.pid)), "{seen:#}");
    assert!(seen["sessions_elsewhere"].as_u64() >= Some(1), "{seen:#}");
    let told = cli(&here).run().expect(0).stdout;
    assert!(
        told.contains("in other databases: --all-databases shows them"),
        "{told}"
    );
    let seen = look(&cli(&here).arg("--all-databases"));
    assert!(pids(&seen).contains(&i64::from(elsewhere.pid)), "{seen:#}");
}
