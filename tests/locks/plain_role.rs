//! A role without pg_monitor gets what it may see, and is told what would show more.

use serde_json::json;

use super::scene::{
    MAJORS, ROLE, database, is_old, leave, leave_as, look, plain, plain_dsn, waits,
};

#[test]
fn who_blocks_whom_is_exact_and_the_rest_is_said_to_be_hidden() {
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
        let seen = look(&plain(&database));
        let row = &seen["blocking"][0];
        assert_eq!(
            json!([
                row["pid"],
                row["waits_for"],
                row["root_pids"],
                row["relation"],
                row["mode"],
                row["query"]
            ]),
            json!([
                ddl.pid,
                [holder.pid],
                [holder.pid],
                "public.item",
                "AccessExclusiveLock",
                null
            ])
        );
        let sessions = seen["sessions"].as_array().expect("sessions");
        let session = sessions
            .iter()
            .find(|s| s["pid"] == holder.pid)
            .expect("the holder");
        assert_eq!(
            json!([
                session["visible"],
                session["state"],
                session["query"],
                session["xact_age_ms"],
                session["application"]
            ]),
            json!([false, null, null, null, "report"])
        );
        let hidden = seen["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .find(|f| f["code"] == "sessions-hidden");
        assert_eq!(
            hidden.expect("a finding")["remedy"],
            format!("GRANT pg_monitor TO \"{ROLE}\";")
        );
        let told = plain(&database).run().expect(0).stdout;
        for words in [
            "not permitted to see",
            "GRANT pg_monitor",
            "ACCESS EXCLUSIVE on public.item",
            "only a superuser may signal it",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
}

#[test]
fn its_own_sessions_it_sees_and_may_end() {
    let database = database(15);
    let own = leave_as(
        &database,
        &plain_dsn(&database),
        "own",
        "BEGIN; SELECT price FROM item",
        "",
    );
    let ddl = leave(
        &database,
        "deploy",
        "",
        "ALTER TABLE item ADD COLUMN note text",
    );
    waits(&database, &ddl);
    let seen = look(&plain(&database));
    let root = &seen["roots"][0];
    assert_eq!(
        root["remedy"]["sql"],
        json!([format!("SELECT pg_terminate_backend({});", own.pid)])
    );
    assert!(
        !root["remedy"]["text"]
            .as_str()
            .expect("a text")
            .contains("may not"),
        "{root}"
    );
}

#[test]
fn readiness_counts_a_session_that_it_may_not_see() {
    let database = database(15);
    let holder = leave(&database, "report", "BEGIN; SELECT price FROM item", "");
    let seen = look(&plain(&database).args(["--readiness", "item"]));
    assert_eq!(seen["readiness"]["ready"], false);
    assert_eq!(seen["readiness"]["in_the_way"][0]["pid"], holder.pid);
    assert_eq!(
        seen["readiness"]["in_the_way"][0]["xact_age_ms"],
        json!(null)
    );
    is_old(&database, holder.pid, 0.0);
}
