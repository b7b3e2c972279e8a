//! Scenes whose roots are known, exact in the JSON on the oldest and the newest server.

use serde_json::{Value, json};

use super::scene::{self, Left, MAJORS, cli, database, leave, look, waits};

/// `[pid, waits_for, root_pids, relation, mode]` of each waiter, by pid.
fn blocking(seen: &Value) -> Vec<Value> {
    let rows = seen["blocking"].as_array().expect("blocking");
    let mut rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!([
                row["pid"],
                row["waits_for"],
                row["root_pids"],
                row["relation"],
                row["mode"]
            ])
        })
        .collect();
    rows.sort_by_key(|row| row[0].as_i64());
    rows
}

#[track_caller]
fn check(seen: &Value, mut expected: Vec<Value>) {
    expected.sort_by_key(|row| row[0].as_i64());
    assert_eq!(blocking(seen), expected, "{seen:#}");
    for row in seen["blocking"].as_array().expect("blocking") {
        assert!(row["waited_ms"].is_u64(), "{row}");
        assert!(row["query"].is_string(), "{row}");
    }
}

fn sql(root: &Value) -> Vec<&str> {
    root["remedy"]["sql"]
        .as_array()
        .expect("sql")
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn a_chain_of_three_has_one_root() {
    for major in MAJORS {
        let database = database(major);
        let holder = leave(&database, "report", "BEGIN; SELECT price FROM item", "");
        let ddl = leave(
            &database,
            "deploy",
            "",
            "ALTER TABLE item ADD COLUMN note text",
        );
        waits(&database, &ddl);
        let reader = leave(&database, "web", "", "SELECT count(*) FROM item");
        waits(&database, &reader);
        let seen = look(&cli(&database));
        check(
            &seen,
            vec![
                json!([
                    ddl.pid,
                    [holder.pid],
                    [holder.pid],
                    "public.item",
                    "AccessExclusiveLock"
                ]),
                json!([
                    reader.pid,
                    [ddl.pid],
                    [holder.pid],
                    "public.item",
                    "AccessShareLock"
                ]),
            ],
        );
        let roots = seen["roots"].as_array().expect("roots");
        assert_eq!(roots.len(), 1);
        assert_eq!(roots[0]["pids"], json!([holder.pid]));
        assert_eq!(roots[0]["holds"][0]["mode"], "ACCESS SHARE");
        assert_eq!(roots[0]["waiting_pids"], json!([ddl.pid, reader.pid]));
        assert_eq!(
            sql(&roots[0]),
            [format!("SELECT pg_terminate_backend({});", holder.pid)]
        );
        let finding = &seen["findings"][0];
        assert_eq!(
            (&finding["code"], &finding["relation"]),
            (&json!("lock-queue"), &json!("public.item"))
        );
    }
}

#[test]
fn the_remedy_of_a_root_works() {
    let database = database(15);
    let holder = leave(&database, "report", "BEGIN; SELECT price FROM item", "");
    let ddl = leave(
        &database,
        "deploy",
        "",
        "ALTER TABLE item ADD COLUMN note text",
    );
    waits(&database, &ddl);
    let seen = look(&cli(&database));
    for statement in sql(&seen["roots"][0]) {
        database.execute(statement).expect(statement);
    }
    drop(holder);
    let columns =
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'item'::regclass AND attname = 'note'";
    scene::soon("the column is there", || {
        database.scalar(columns).is_ok_and(|n| n == "1")
    });
    assert_eq!(look(&cli(&database))["blocking"], json!([]));
}

#[test]
fn a_row_an_advisory_lock_and_several_waiters() {
    for major in MAJORS {
        let database = database(major);
        let writer = leave(
            &database,
            "writer",
            "BEGIN; UPDATE item SET price = 3 WHERE id = 1",
            "",
        );
        let update = "UPDATE item SET price = 4 WHERE id = 1";
        let first = leave(&database, "first", "", update);
        waits(&database, &first);
        let second = leave(&database, "second", "", update);
        waits(&database, &second);
        let keeper = leave(&database, "keeper", "SELECT pg_advisory_lock(4711)", "");
        let asker = leave(&database, "asker", "", "SELECT pg_advisory_lock(4711)");
        waits(&database, &asker);
        let seen = look(&cli(&database));
        check(
            &seen,
            vec![
                json!([
                    first.pid,
                    [writer.pid],
                    [writer.pid],
                    "public.item",
                    "ShareLock"
                ]),
                json!([
                    second.pid,
                    [first.pid],
                    [writer.pid],
                    "public.item",
                    "ExclusiveLock"
                ]),
                json!([asker.pid, [keeper.pid], [keeper.pid], null, "ExclusiveLock"]),
            ],
        );
        let what = |left: &Left| {
            let rows = seen["blocking"].as_array().expect("blocking");
            let row = rows
                .iter()
                .find(|row| row["pid"] == left.pid)
                .expect("a row");
            row["waits_for_what"].as_str().expect("what").to_owned()
        };
        assert_eq!(what(&first), "a row of public.item");
        assert_eq!(what(&asker), "advisory lock 4711");
        assert_eq!(seen["roots"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn a_prepared_transaction_is_zero_and_named() {
    for major in MAJORS {
        let database = database(major);
        let gid = format!("tx_{}", database.name());
        database
            .execute("CREATE TABLE other (id int)")
            .expect("a table");
        let prepare = |gid: &str, table: &str| {
            let sql =
                format!("BEGIN; LOCK TABLE {table} IN SHARE MODE; PREPARE TRANSACTION '{gid}'");
            database.execute(&sql).expect("a prepared transaction");
        };
        prepare(&gid, "item");
        prepare(&format!("{gid}_other"), "other");
        let ddl = leave(
            &database,
            "deploy",
            "",
            "ALTER TABLE item ADD COLUMN note text",
        );
        waits(&database, &ddl);
        let seen = look(&cli(&database));
        check(
            &seen,
            vec![json!([
                ddl.pid,
                [0],
                [0],
                "public.item",
                "AccessExclusiveLock"
            ])],
        );
        let roots = seen["roots"].as_array().expect("roots");
        assert_eq!((roots.len(), &roots[0]["prepared"]), (1, &json!(gid)));
        assert_eq!(sql(&roots[0]), [format!("ROLLBACK PREPARED '{gid}';")]);
        assert_eq!(
            seen["prepared_transactions"].as_array().map(Vec::len),
            Some(2)
        );
        let told = cli(&database).run().expect(0).stdout;
        assert!(
            told.contains(&format!("prepared transaction {gid} of")),
            "{told}"
        );
        drop(ddl);
        for gid in [gid.clone(), format!("{gid}_other")] {
            database
                .execute(&format!("ROLLBACK PREPARED '{gid}'"))
                .expect("its end");
        }
    }
}

#[test]
fn sessions_that_wait_for_each_other() {
    for major in MAJORS {
        let database = database(major);
        let gate = leave(&database, "gate", "SELECT pg_advisory_lock(1)", "");
        // the server would end one of them after a second
        let patient = "SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE";
        let one = leave(
            &database,
            "one",
            &format!("{patient} item"),
            "SELECT pg_advisory_xact_lock(1); LOCK TABLE customer",
        );
        waits(&database, &one);
        let other = leave(
            &database,
            "other",
            &format!("{patient} customer"),
            "LOCK TABLE item",
        );
        waits(&database, &other);
        drop(gate);
        let pids = [one.pid.min(other.pid), one.pid.max(other.pid)];
        let cli = cli(&database);
        scene::soon("a cycle", || look(&cli)["roots"][0]["deadlock"] == true);
        let seen = look(&cli);
        check(
            &seen,
            vec![
                json!([
                    one.pid,
                    [other.pid],
                    [other.pid],
                    "public.customer",
                    "AccessExclusiveLock"
                ]),
                json!([
                    other.pid,
                    [one.pid],
                    [one.pid],
                    "public.item",
                    "AccessExclusiveLock"
                ]),
            ],
        );
        let roots = seen["roots"].as_array().expect("roots");
        assert_eq!((roots.len(), &roots[0]["pids"]), (1, &json!(pids)));
        assert_eq!(seen["findings"][0]["code"], "deadlock");
        let told = cli.run().expect(0).stdout;
        assert!(told.contains("wait for each other"), "{told}");
    }
}
