//! What `check` says of the server: each state that a migration may run into, made on a real server.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    Env, Options, Ran, Shop, TempServer, available, cli, django, shop, shop_with,
};

#[track_caller]
fn checked(shop: &Shop) -> Value {
    let ran = cli(shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(0);
    ran.json()
}

#[track_caller]
fn finding<'a>(document: &'a Value, code: &str) -> &'a Value {
    let findings = document["findings"].as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["code"] == code);
    found.unwrap_or_else(|| panic!("no {code} in {findings:#?}"))
}

/// Its severity, and words of its message.
#[track_caller]
fn says(document: &Value, code: &str, severity: &str, words: &[&str]) {
    let finding = finding(document, code);
    assert_eq!(finding["severity"], severity, "{finding}");
    let message = finding["message"].as_str().expect("a message");
    for word in words {
        assert!(message.contains(word), "{word} in {message}");
    }
    assert!(!finding["remedy"].as_str().expect("a remedy").is_empty());
}

fn codes(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().expect("findings");
    findings.iter().filter_map(|f| f["code"].as_str()).collect()
}

#[test]
fn a_sound_server_has_facts_and_no_findings() {
    for major in available() {
        let shop = shop("5.2", *major);
        let document = checked(&shop);
        assert_eq!(codes(&document), [""; 0], "on {major}");
        let server = &document["server"];
        assert_eq!(server["standby"], false);
        assert_eq!(server["pooler"], false);
        assert_eq!(server["unknown"], serde_json::json!([]));
        assert_eq!(server["role"]["attributes"][0], "SUPERUSER");
        assert_eq!(server["role"]["would_show_more"], serde_json::json!([]));
        assert!(server["connections"]["free"].as_u64() > Some(8));
        assert_eq!(
            server["version"].as_str().unwrap().split('.').next(),
            Some(major.to_string().as_str())
        );
        let features = server["features"].as_array().expect("features");
        let has = features.iter().any(|f| f == "transaction_timeout");
        assert_eq!(has, *major >= 17, "{features:?}");
        let largest = server["largest_tables"].as_array().expect("tables");
        assert!(largest.iter().any(|t| t["table"] == "public.shop_item"));
    }
}

#[test]
fn timeouts_that_would_end_a_migration() {
    for major in [15, 18] {
        let shop = shop("5.2", major);
        let name = shop.database.name();
        let set = |setting: &str| {
            let sql = format!("ALTER DATABASE \"{name}\" SET {setting}");
            shop.database.execute(&sql).expect("a setting");
        };
        set("idle_in_transaction_session_timeout = '5s'");
        set("idle_session_timeout = '30s'");
        if major >= 17 {
            set("transaction_timeout = '10min'");
        }
        let document = checked(&shop);
        assert_eq!(document["verdict"], "ask");
        let origin = "(ALTER DATABASE)";
        says(
            &document,
            "idle-in-transaction-timeout",
            "ask",
            &["is 5.0 s", origin],
        );
        says(
            &document,
            "idle-session-timeout",
            "ask",
            &["is 30 s", origin],
        );
        match major >= 17 {
            true => says(
                &document,
                "transaction-timeout",
                "ask",
                &["is 10 min 00 s", origin],
            ),
            false => assert!(!codes(&document).contains(&"transaction-timeout")),
        }
        // long enough is no finding
        set("idle_in_transaction_session_timeout = '10min'");
        set("idle_session_timeout = '1h'");
        let document = checked(&shop);
        assert!(!codes(&document).contains(&"idle-in-transaction-timeout"));
        assert!(!codes(&document).contains(&"idle-session-timeout"));
    }
}

#[test]
fn a_role_that_only_reads_by_default() {
    let shop = shop("5.2", 15);
    let sql = format!(
        "ALTER DATABASE \"{}\" SET default_transaction_read_only = on",
        shop.database.name()
    );
    shop.database.execute(&sql).expect("a setting");
    says(
        &checked(&shop),
        "read-only-by-default",
        "ask",
        &["default_transaction_read_only"],
    );
}

#[test]
fn what_earlier_changes_left_behind() {
    for major in [15, 18] {
        let shop = shop("5.2", major);
        let server = shop.server();
        shop.database
            .execute(
                "ALTER TABLE shop_item ADD CONSTRAINT priced CHECK (price > 0) NOT VALID;
                 CREATE SEQUENCE tickets; CREATE TABLE ticket (id integer DEFAULT nextval('tickets'), n int);
                 SELECT setval('tickets', 2147480000); INSERT INTO ticket (n) VALUES (1), (1)",
            )
            .expect("leftovers");
        let built = server.with_client(shop.database.name(), |client| {
            Ok(client.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY ticket_n ON ticket (n)")?)
        });
        assert!(built.is_err(), "the rows are not unique");
        let document = checked(&shop);
        says(
            &document,
            "invalid-index",
            "note",
            &["unique index public.ticket_n", "INVALID"],
        );
        assert_eq!(
            finding(&document, "invalid-index")["relation"],
            "public.ticket"
        );
        says(
            &document,
            "unvalidated-constraint",
            "note",
            &["priced of public.shop_item"],
        );
        says(
            &document,
            "sequence-near-end",
            "ask",
            &[
                "public.tickets feeds public.ticket.id",
                "type integer ends first",
                "99% used",
                "left until 2147483647",
            ],
        );
        assert_eq!(
            finding(&document, "sequence-near-end")["relation"],
            "public.ticket"
        );
        let sequence = &document["server"]["sequences"][0];
        assert_eq!(
            (&sequence["column_ends_first"], &sequence["column_type"]),
            (&true.into(), &"integer".into())
        );
        let ran = cli(&shop).arg("check").run().expect(0);
        let remedy = "make the column a BigAutoField";
        assert_eq!(ran.stdout.matches(remedy).count(), 1, "{}", ran.snapshot());
        // what another session has locked is not waited for
        let seen = server.with_client(shop.database.name(), |client| {
            let mut transaction = client.transaction()?;
            transaction.batch_execute("LOCK TABLE ticket; ALTER SEQUENCE tickets CACHE 2")?;
            let document = checked(&shop);
            transaction.rollback()?;
            Ok(document)
        });
        let seen = seen.expect("a lock");
        assert!(!codes(&seen).contains(&"sequence-near-end"));
        assert_eq!(
            seen["server"]["sequences"][0]["unread"],
            "somebody has locked it"
        );
        assert_eq!(seen["server"]["unknown"], serde_json::json!([]));
    }
}

#[test]
fn a_prepared_transaction_that_holds_what_the_plan_does_not_touch() {
    let shop = shop("5.2", 15);
    let gid = format!("left over {}", shop.database.name());
    shop.database
        .execute(&format!(
            "BEGIN; LOCK TABLE auth_group IN SHARE MODE; PREPARE TRANSACTION '{gid}'"
        ))
        .expect("prepared");
    let document = checked(&shop);
    shop.database
        .execute(&format!("ROLLBACK PREPARED '{gid}'"))
        .expect("rolled back");
    says(&document, "prepared-transaction", "ask", &[&gid]);
    let prepared = &document["server"]["prepared_transactions"][0];
    assert_eq!(prepared["gid"], gid.as_str());
    assert_eq!(prepared["relations"], serde_json::json!(["auth_group"]));
}

/// The shop whose tables belong to a role without any privilege beyond.
fn shop_of_a_plain_role(major: u32) -> (Shop, String) {
    let role = format!("shop_plain_{}_{major}", std::process::id());
    let shop = shop_with("5.2", major, |builder| builder.login(&role, "plain secret"));
    let server = shop.server();
    server
        .create_role(&role, "PASSWORD 'plain secret'")
        .expect("a role");
    let own = format!(
        "ALTER SCHEMA public OWNER TO {role}; ALTER DATABASE \"{}\" OWNER TO {role};
         DO $$ DECLARE t text; BEGIN
           FOR t IN SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
             EXECUTE 'ALTER TABLE ' || t || ' OWNER TO {role}'; END LOOP; END $$",
        shop.database.name()
    );
    shop.database.execute(&own).expect("owned");
    (shop, role)
}

fn drop_role(shop: Shop, role: &str) {
    let server = shop.server().clone();
    drop(shop);
    server
        .execute("postgres", &format!("DROP ROLE {role}"))
        .expect("dropped");
}

#[test]
fn a_role_without_pg_monitor_is_told_the_grant_and_gets_the_rest() {
    for major in available() {
        let (shop, role) = shop_of_a_plain_role(*major);
        let document = checked(&shop);
        says(
            &document,
            "no-pg-monitor",
            "note",
            &[&role, "of other roles' sessions"],
        );
        let grant = format!("GRANT pg_monitor TO {role}");
        assert_eq!(
            finding(&document, "no-pg-monitor")["remedy"],
            grant.as_str()
        );
        assert_eq!(
            document["server"]["unknown"],
            serde_json::json!([]),
            "on {major}"
        );
        assert_eq!(document["verdict"], "go", "{document:#}");
        let more = document["server"]["role"]["would_show_more"].to_string();
        assert!(more.contains("pg_signal_backend"), "{more}");
        shop.database.execute(&grant).expect("a grant");
        assert!(!codes(&checked(&shop)).contains(&"no-pg-monitor"));
        drop_role(shop, &role);
    }
}

#[test]
fn what_may_not_be_read_is_unknown_and_leaves_the_rest() {
    let (shop, role) = shop_of_a_plain_role(15);
    shop.database
        .execute("REVOKE SELECT ON pg_replication_slots FROM PUBLIC")
        .expect("revoked");
    let why = "could not list the replication slots: ERROR: permission denied";
    let document = checked(&shop);
    says(&document, "server-fact-unknown", "note", &[why]);
    assert_eq!(document["server"]["slots"], Value::Null);
    assert_eq!(document["server"]["autovacuum"], serde_json::json!([]));
    let ran = cli(&shop).args(["check", "-v"]).run().expect(0);
    let line = format!("replication slots      unknown: {why}");
    assert!(ran.stdout.contains(&line), "{}", ran.snapshot());
    drop_role(shop, &role);
}

#[test]
fn few_connections_are_left() {
    let (shop, role) = shop_of_a_plain_role(15);
    let limit = format!("ALTER ROLE {role} CONNECTION LIMIT 6");
    shop.database.execute(&limit).expect("a limit");
    let document = checked(&shop);
    let words = ["left of the role's CONNECTION LIMIT, 6", "takes up to 8"];
    says(&document, "few-free-connections", "ask", &words);
    drop_role(shop, &role);
}

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn until(what: &str, mut probe: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !probe() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn server_with(major: u32, settings: &[(&str, &str)], files: &[&str]) -> TempServer {
    let install = Env::open()
        .and_then(|env| env.postgres(major))
        .expect("a server");
    let options = Options {
        settings: settings.iter().map(|(n, v)| setting(n, v)).collect(),
        files: files
            .iter()
            .map(|f| ((*f).to_owned(), Vec::new()))
            .collect(),
        ..Options::default()
    };
    TempServer::start_with(&install, options).expect("it starts")
}

#[test]
fn slots_that_keep_wal_and_replicas_that_lag() {
    for major in [15, 18] {
        let primary = server_with(
            major,
            &[("wal_level", "logical"), ("wal_keep_size", "128MB")],
            &[],
        );
        let conninfo = format!(
            "host={} port={} user={} password={} application_name=reader",
            primary.host(),
            primary.port(),
            primary.user(),
            primary.password()
        );
        let standby = server_with(
            major,
            &[("primary_conninfo", &conninfo), ("wal_level", "logical")],
            &["standby.signal"],
        );
        let shop = Shop::new(&django("5.2"), &primary).expect("a shop");
        shop.database
            .execute("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
            .expect("a slot");
        // paused before it streams, it would never begin to
        until("the standby streams", || {
            let sql = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
            primary.scalar("postgres", sql).expect("counted") == "1"
        });
        standby
            .execute("postgres", "SELECT pg_wal_replay_pause()")
            .expect("paused");
        // more than the 16 MB from which a lag is told
        shop.database
            .execute("SET synchronous_commit = on; CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 25000)")
            .expect("filled");
        let document = checked(&shop);
        says(
            &document,
            "slot-inactive",
            "note",
            &["logical slot feed (pgoutput, database", "MB of WAL"],
        );
        says(
            &document,
            "replica-lag",
            "note",
            &["reader at 127.0.0.1", "MB of WAL"],
        );
        let replica = &document["server"]["replicas"][0];
        assert!(replica["lag_bytes"].as_u64() > Some(16 << 20), "{replica}");
        assert_eq!(document["server"]["slots"][0]["active_pid"], Value::Null);
        drop(standby);

        primary
            .execute(
                "postgres",
                "ALTER SYSTEM SET synchronous_standby_names = 'gone'; ",
            )
            .expect("set");
        primary
            .execute("postgres", "SELECT pg_reload_conf()")
            .expect("reloaded");
        primary
            .execute(
                "postgres",
                "ALTER ROLE postgres SET synchronous_commit = 'on'",
            )
            .expect("set");
        until("the setting is in force", || {
            let sql = "SHOW synchronous_standby_names";
            shop.database.scalar(sql).expect("shown") == "gone"
        });
        says(
            &checked(&shop),
            "synchronous-standby-missing",
            "ask",
            &["gone"],
        );
        // dropping the shop's database must not wait for the standby that is gone
        primary
            .execute(
                "postgres",
                "SET synchronous_commit = off; ALTER ROLE postgres SET synchronous_commit = 'off'",
            )
            .expect("set");
        shop.database
            .execute("SELECT pg_drop_replication_slot('feed')")
            .expect("dropped");
    }
}

#[test]
fn verbose_shows_all_facts() {
    let shop = shop("5.2", 18);
    let name = shop.database.name();
    let sql = format!("ALTER DATABASE \"{name}\" SET lock_timeout = '3s'");
    shop.database.execute(&sql).expect("a setting");
    let ran: Ran = cli(&shop).args(["check", "-v"]).run().expect(0);
    for (fact, value) in [
        ("server", "PostgreSQL 18."),
        ("features", "NOT NULL … NOT VALID"),
        ("database", "UTF8"),
        ("connections", "free of 200"),
        ("role", "owns the database, SUPERUSER"),
        ("timeouts", "lock_timeout = 3.0 s (ALTER DATABASE)"),
        ("", "deadlock_timeout = 1.0 s (default)"),
        ("sessions", "0 other sessions"),
        ("replicas", "none"),
        ("synchronous commit", "waits for no standby"),
        ("replication slots", "none"),
        ("prepared transactions", "none"),
        ("database ages", "of the limit"),
        ("sequences", "none"),
        ("invalid indexes", "none"),
        ("NOT VALID", "none"),
        ("largest tables", "public."),
    ] {
        let shown = ran.stdout.lines().any(|line| {
            line.get(2..).is_some_and(|line| line.starts_with(fact)) && line.contains(value)
        });
        assert!(shown, "{fact}: {value}\n{}", ran.snapshot());
    }
    let quiet = cli(&shop).args(["check"]).run().expect(0);
    assert!(!quiet.stdout.contains("largest tables"), "only with -v");
}

#[test]
fn a_migration_that_was_recorded_before_what_it_depends_on() {
    let shop = shop("5.2", 15);
    shop.database
        .execute(
            "UPDATE django_migrations SET id = 1000 WHERE app = 'shop' AND name = '0001_initial'",
        )
        .expect("edited");
    says(
        &checked(&shop),
        "history-out-of-order",
        "note",
        &["shop.0002_item_stock"],
    );
}

#[test]
fn prepared_transactions_of_other_databases_are_among_the_facts() {
    let shop = shop("5.2", 15);
    let other = shop.server().database().expect("another database");
    let gid = format!("elsewhere_{}", other.name());
    other
        .execute(&format!(
            "CREATE TABLE t (id int); BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION '{gid}'"
        ))
        .expect("a prepared transaction");
    let document = checked(&shop);
    let all = document["server"]["prepared_transactions_elsewhere"].as_array();
    let found = all.and_then(|all| all.iter().find(|one| one["gid"] == gid));
    let found = found.unwrap_or_else(|| panic!("not told: {document:#}"));
    assert_eq!(found["database"], other.name());
    assert!(
        found["xids"].is_u64() && found["age_ms"].is_u64(),
        "{found}"
    );
    let shown = cli(&shop).args(["check", "-v"]).run().expect(0).stdout;
    assert!(shown.contains(&format!("{gid} of")), "{shown}");
    other
        .execute(&format!("ROLLBACK PREPARED '{gid}'"))
        .expect("its end");
}
