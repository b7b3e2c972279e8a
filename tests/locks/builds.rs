//! CREATE INDEX and REINDEX CONCURRENTLY wait for transactions, whose locks name no table: the look names it.

use serde_json::{Value, json};

use super::scene::{Left, MAJORS, cli, database, leave, look, plain, waits};
use crate::support::Database;

fn reader(database: &Database) -> Left {
    leave(
        database,
        "report",
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM customer",
        "",
    )
}

fn row(seen: &Value, pid: i32) -> &Value {
    let rows = seen["blocking"].as_array().expect("blocking");
    rows.iter().find(|row| row["pid"] == pid).expect("a waiter")
}

#[track_caller]
fn check(major: u32, setup: &str, statement: &str, command: &str) {
    let database = database(major);
    database.execute(setup).expect("the setup");
    let reader = reader(&database);
    let build = leave(&database, "deploy", "", statement);
    waits(&database, &build);
    let seen = look(&cli(&database));
    let waiter = row(&seen, build.pid);
    assert_eq!(
        json!([
            waiter["relation"],
            waiter["waits_for"],
            waiter["lock_type"],
            waiter["query"]
        ]),
        json!(["public.item", [reader.pid], "virtualxid", statement])
    );
    let what = waiter["waits_for_what"].as_str().expect("a text");
    for words in [
        command,
        "public.item_price",
        "on public.item",
        "waiting for",
    ] {
        assert!(what.contains(words), "{words}: {what}");
    }
    let text = cli(&database).run().expect(0).stdout;
    for words in [
        "holds a transaction open that",
        &format!("{} ", reader.pid),
        statement,
        "must wait out",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // the table stands in the lock that the build keeps on it, which every role may see
    let seen = look(&plain(&database));
    let waiter = row(&seen, build.pid);
    assert_eq!(
        json!([waiter["relation"], waiter["waits_for"], waiter["query"]]),
        json!(["public.item", [reader.pid], null])
    );
}

#[test]
fn create_index_concurrently_is_named_with_its_table() {
    for major in MAJORS {
        check(
            major,
            "SELECT 1",
            "CREATE INDEX CONCURRENTLY item_price ON item (price)",
            "CREATE INDEX CONCURRENTLY",
        );
    }
}

#[test]
fn reindex_concurrently_is_named_with_its_table() {
    for major in MAJORS {
        check(
            major,
            "CREATE INDEX item_price ON item (price)",
            "REINDEX INDEX CONCURRENTLY item_price",
            "REINDEX CONCURRENTLY",
        );
    }
}
