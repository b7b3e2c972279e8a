//! Whole screens, without a terminal.

use super::scene::{cli, database, is_old, leave, waits};
use crate::support::{Database, TestCli};

/// Pids come in the order of the scene.
fn screen(database: &Database, pids: &[i32]) -> TestCli {
    let mut cli = cli(database)
        .filter(database.name(), "[DATABASE]")
        .filter(&format!(r"\b{}\b", database.server().port()), "[PORT]")
        .filter(r"PostgreSQL \d+\.\d+", "PostgreSQL [VERSION]")
        .filter(r"\b127\.0\.0\.1\b", "[HOST]")
        .filter(
            r"(; \d+ in other databases: --all-databases shows them)",
            "",
        );
    for (at, pid) in pids.iter().enumerate() {
        cli = cli.filter(&format!(r"\b{pid}\b"), &format!("P{}", at + 1));
    }
    cli
}

#[test]
fn nobody_waits() {
    let database = database(15);
    insta::assert_snapshot!(screen(&database, &[]).run().snapshot());
}

#[test]
fn a_chain_behind_an_idle_session() {
    let database = database(15);
    let idle = leave(
        &database,
        "report",
        "BEGIN; SELECT price FROM item WHERE id IN (1, 2, 3)",
        "",
    );
    let ddl = leave(
        &database,
        "deploy",
        "",
        "ALTER TABLE item ADD COLUMN note text DEFAULT 'x'",
    );
    waits(&database, &ddl);
    let web = leave(&database, "web", "", "SELECT count(*) FROM item");
    waits(&database, &web);
    let other = leave(
        &database,
        "forgotten",
        "BEGIN; SELECT name FROM customer",
        "",
    );
    is_old(&database, other.pid, 5.0);
    let pids = [idle.pid, ddl.pid, web.pid, other.pid];
    insta::assert_snapshot!(screen(&database, &pids).run().snapshot());
}

#[test]
fn a_relation() {
    let database = database(15);
    let idle = leave(&database, "report", "BEGIN; SELECT price FROM item", "");
    let ddl = leave(
        &database,
        "deploy",
        "",
        "ALTER TABLE item ADD COLUMN note text",
    );
    waits(&database, &ddl);
    insta::assert_snapshot!(
        screen(&database, &[idle.pid, ddl.pid])
            .args(["--relation", "item"])
            .run()
            .snapshot()
    );
}

#[test]
fn not_ready() {
    let database = database(15);
    let idle = leave(&database, "report", "BEGIN; SELECT name FROM customer", "");
    is_old(&database, idle.pid, 1.0);
    insta::assert_snapshot!(
        screen(&database, &[idle.pid])
            .args(["--readiness", "line"])
            .run()
            .snapshot()
    );
}
