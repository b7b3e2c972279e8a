//! Strong locks that nobody waits for yet, and runs of this tool that stand outside of every queue.

use serde_json::{Value, json};

use super::scene::{MAJORS, cli, database, leave, look, plain, waits};
use crate::support::Database;

const RUN: &str = "20261123-042845-77";
/// As the lock's key is written: `djmi` in ASCII, 1.
const TAKE: &str = "SELECT pg_advisory_lock(1684696425, 1)";

fn of(rows: &Value, pid: i32) -> Option<&Value> {
    rows.as_array()?.iter().find(|row| row["pid"] == pid)
}

#[test]
fn who_holds_strong_locks_is_told_though_nobody_waits() {
    for major in MAJORS {
        let database = database(major);
        let strong = leave(
            &database,
            "deploy",
            "BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE; LOCK TABLE line IN SHARE MODE; \
             CREATE TABLE mine (id int); CREATE TEMP TABLE scratch (id int)",
            "",
        );
        let weak = leave(
            &database,
            "web",
            "BEGIN; UPDATE customer SET name = 'x'",
            "",
        );
        for cli in [cli(&database), plain(&database)] {
            let seen = look(&cli);
            let holder = of(&seen["holders"], strong.pid).expect("the holder");
            assert_eq!(
                json!([holder["locks"], holder["relations"], holder["waiting"]]),
                json!([
                    [
                        {"relation": "public.item", "mode": "AccessExclusiveLock"},
                        {"relation": "public.line", "mode": "ShareLock"}
                    ],
                    2,
                    0
                ])
            );
            assert!(of(&seen["holders"], weak.pid).is_none(), "{seen:#}");
            assert!(seen.get("holders_limited").is_none());
            let text = cli.run().expect(0).stdout;
            let expected = "ACCESS EXCLUSIVE on public.item, SHARE on public.line";
            assert!(text.contains(expected), "{text}");
            assert!(text.contains(&format!("  {} ", strong.pid)), "{text}");
            assert!(text.contains("nobody waits for a lock"), "{text}");
        }
        let age = look(&cli(&database));
        let age = &of(&age["holders"], strong.pid).expect("the holder")["xact_age_ms"];
        assert!(age.is_u64(), "{age}");
    }
}

#[test]
fn one_whom_others_wait_for_is_told_once() {
    let database = database(15);
    let strong = leave(&database, "deploy", "BEGIN; LOCK TABLE item", "");
    let reader = leave(&database, "web", "", "SELECT * FROM item");
    waits(&database, &reader);
    let text = cli(&database).run().expect(0).stdout;
    assert!(!text.contains("Strong locks"), "{text}");
    assert_eq!(text.matches("(deploy").count(), 1, "{text}");
    let seen = look(&cli(&database));
    assert_eq!(of(&seen["holders"], strong.pid).expect("it")["waiting"], 1);
}

#[test]
fn a_prepared_transaction_holds_too() {
    let database = database(18);
    let gid = format!("held_{}", database.name());
    database
        .execute(&format!(
            "BEGIN; LOCK TABLE item; PREPARE TRANSACTION '{gid}'"
        ))
        .expect("a prepared transaction");
    let seen = look(&cli(&database));
    let holder = of(&seen["holders"], 0).expect("the holder");
    assert_eq!(holder["prepared"], gid);
    assert!(holder["xact_age_ms"].is_u64(), "{holder}");
    database
        .execute(&format!("ROLLBACK PREPARED '{gid}'"))
        .expect("its end");
}

/// What the sessions of a run look like while it stands at its gate.
fn at_gate(database: &Database, waits_for: i32) -> Vec<super::scene::Left> {
    vec![
        leave(
            database,
            &format!("django-migrate {RUN} 0011aabb box"),
            TAKE,
            "",
        ),
        leave(database, &format!("django-migrate {RUN}"), "", ""),
        leave(
            database,
            &format!("django-migrate {RUN} gate {waits_for}"),
            "",
            "",
        ),
    ]
}

#[test]
fn a_run_at_its_gate_says_for_whom_it_waits() {
    for major in MAJORS {
        let database = database(major);
        let holder = leave(&database, "report", "BEGIN; SELECT price FROM item", "");
        let sessions = at_gate(&database, holder.pid);
        for cli in [cli(&database), plain(&database)] {
            let seen = look(&cli);
            let run = &seen["runs"][0];
            assert_eq!(
                json!([
                    run["run"],
                    run["plan"],
                    run["host"],
                    run["lock_pid"],
                    run["migrate_pids"],
                    run["at_gate"],
                    run["waits_for"]
                ]),
                json!([
                    RUN,
                    "0011aabb",
                    "box",
                    sessions[0].pid,
                    [sessions[1].pid],
                    true,
                    [holder.pid]
                ])
            );
            let text = cli.run().expect(0).stdout;
            for words in [
                &format!("run {RUN} on box, plan 0011aabb"),
                "stands at the gate, in no queue",
                &format!("{} ", holder.pid),
                "(report",
            ] {
                assert!(text.contains(words), "{words}: {text}");
            }
        }
    }
}

#[test]
fn sessions_that_a_killed_run_left_are_told_as_such() {
    let database = database(15);
    let left = leave(&database, &format!("django-migrate {RUN}"), "", "");
    let seen = look(&cli(&database));
    assert_eq!(
        json!([seen["runs"][0]["lock_pid"], seen["runs"][0]["migrate_pids"]]),
        json!([null, [left.pid]])
    );
    let text = cli(&database).run().expect(0).stdout;
    assert!(text.contains("holds its lock no more"), "{text}");
}
