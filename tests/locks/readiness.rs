//! Whether DDL could have its locks: who would be in the way, on the tables that foreign keys refer to as well.

use serde_json::{Value, json};

use super::scene::{MAJORS, cli, database, is_old, leave, look};

fn wanted(seen: &Value) -> Vec<Value> {
    let wanted = seen["readiness"]["wanted"].as_array().expect("wanted");
    wanted
        .iter()
        .map(|w| json!([w["relation"], w["mode"], w["referenced_by"]]))
        .collect()
}

#[test]
fn nobody_in_the_way_is_ready() {
    let database = database(15);
    let cli = cli(&database).args(["--readiness", "line"]);
    let seen = look(&cli);
    assert_eq!(seen["readiness"]["ready"], true);
    assert_eq!(
        wanted(&seen),
        [
            json!(["public.line", "AccessExclusiveLock", null]),
            json!(["public.customer", "AccessExclusiveLock", "public.line"])
        ]
    );
    let ran = cli.args(["--fail-on", "note"]).run().expect(0);
    assert!(
        ran.stdout
            .contains("ready: nobody is in the way on 2 relations"),
        "{}",
        ran.stdout
    );
}

#[test]
fn an_idle_session_on_the_parent_is_in_the_way() {
    for major in MAJORS {
        let database = database(major);
        let idle = leave(
            &database,
            "left open",
            "BEGIN; SELECT name FROM customer",
            "",
        );
        is_old(&database, idle.pid, 1.0);
        let cli = cli(&database).args(["--readiness", "line"]);
        let seen = look(&cli);
        assert_eq!(seen["readiness"]["ready"], false);
        assert_eq!(seen["readiness"]["verdict"], "not_ready");
        // a script that wants an exit code says so: the document tells how
        let how = seen["readiness"]["exit_code"].as_str().expect("a text");
        assert!(how.contains("--fail-on ask") && how.contains("12"), "{how}");
        let other = &seen["readiness"]["in_the_way"][0];
        assert_eq!(
            json!([
                other["pid"],
                other["session"]["state"],
                other["locks"][0]["relation"],
                other["locks"][0]["mode"],
                other["locks"][0]["granted"]
            ]),
            json!([
                idle.pid,
                "idle in transaction",
                "public.customer",
                "AccessShareLock",
                true
            ])
        );
        assert!(
            other["xact_age_ms"].as_u64().is_some_and(|ms| ms >= 1000),
            "{other}"
        );
        assert_eq!(
            other["remedy"]["sql"],
            json!([format!("SELECT pg_terminate_backend({});", idle.pid)])
        );
        let finding = seen["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .find(|f| f["code"] == "ddl-blocked");
        assert_eq!(finding.expect("a finding")["relation"], "public.customer");
        let ran = cli.clone().args(["--fail-on", "ask"]).run().expect(12);
        for words in [
            "\nverdict not ready: 1 transaction in the way",
            "left open",
            "idle in transaction",
            "holds ACCESS SHARE on public.customer",
            "public.line refers to it",
        ] {
            assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
        }
        // a weaker lock goes with a reader
        let weaker = cli
            .args(["--mode", "share row exclusive", "--fail-on", "ask"])
            .run()
            .expect(0);
        assert!(weaker.stdout.contains("ready: nobody"), "{}", weaker.stdout);
    }
}

#[test]
fn who_waits_in_the_queue_is_in_the_way_too() {
    let database = database(15);
    let holder = leave(&database, "writer", "BEGIN; UPDATE item SET price = 9", "");
    let queued = leave(&database, "index", "", "CREATE INDEX ON item (price)");
    super::scene::waits(&database, &queued);
    is_old(&database, queued.pid, 1.0);
    let seen = look(&cli(&database).args(["--readiness", "public.item"]));
    let mut others: Vec<Value> = seen["readiness"]["in_the_way"]
        .as_array()
        .expect("in the way")
        .iter()
        .map(|other| {
            json!([
                other["pid"],
                other["locks"][0]["mode"],
                other["locks"][0]["granted"]
            ])
        })
        .collect();
    others.sort_by_key(|other| other[2] == json!(false));
    assert_eq!(
        others,
        [
            json!([holder.pid, "RowExclusiveLock", true]),
            json!([queued.pid, "ShareLock", false])
        ]
    );
}

#[test]
fn a_prepared_transaction_is_in_the_way() {
    let database = database(18);
    let gid = format!("tx_{}", database.name());
    database
        .execute(&format!(
            "BEGIN; UPDATE item SET price = 9; PREPARE TRANSACTION '{gid}'"
        ))
        .expect("a prepared transaction");
    let seen = look(&cli(&database).args(["--readiness", "item", "--mode", "SHARE"]));
    let other = &seen["readiness"]["in_the_way"][0];
    assert_eq!(
        (&other["pid"], &other["prepared"]),
        (&json!(0), &json!(gid))
    );
    assert_eq!(
        other["remedy"]["sql"],
        json!([format!("ROLLBACK PREPARED '{gid}';")])
    );
    database
        .execute(&format!("ROLLBACK PREPARED '{gid}'"))
        .expect("its end");
}

#[test]
fn what_cannot_be_asked_is_a_usage_error() {
    let database = database(15);
    let unknown = cli(&database)
        .args(["--readiness", "nothing"])
        .run()
        .expect(2);
    assert!(
        unknown.stderr.contains("no relation nothing"),
        "{}",
        unknown.stderr
    );
    let mode = cli(&database)
        .args(["--readiness", "item", "--mode", "EXCLUSIV"])
        .run()
        .expect(2);
    assert!(
        mode.stderr.contains("SHARE ROW EXCLUSIVE"),
        "{}",
        mode.stderr
    );
    cli(&database).args(["--mode", "SHARE"]).run().expect(2);
}
