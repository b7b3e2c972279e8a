//! `--on-blocker`: who is in the way is cancelled, then terminated, where that was asked for; some never are. Each is in
//! the report.

use xtask::load::{Clients, Load};

use super::common::{Blog, Running, Told, blog, in_order, text, until};
use crate::support::Server;

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";
const IDLE: &str = "BEGIN; SELECT FROM blog_post LIMIT 1";
const ROLE: &str = "guard_reader";
const SECRET: &str = "reader secret";

fn blog_with_likes() -> Blog {
    let models = super::common::models("likes = models.IntegerField(null=True)");
    blog(|app| app.models(&models).operations("0002_likes", ADD))
}

fn server(blog: &Blog) -> &Server {
    blog.database.server()
}

/// A session of somebody who is no superuser, which is in the way when this returns.
#[track_caller]
fn in_the_way(blog: &Blog, load: Load) -> Clients {
    // it is there already for the second of two tests
    let _ = server(blog).execute(
        "postgres",
        &format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{SECRET}'"),
    );
    blog.execute(&format!("GRANT SELECT ON blog_post TO {ROLE}"));
    let dsn = server(blog).dsn_as(ROLE, SECRET, blog.database.name());
    begun(blog, &dsn, load)
}

#[track_caller]
fn begun(blog: &Blog, dsn: &str, load: Load) -> Clients {
    let clients = Clients::start(dsn, 1, load).unwrap_or_else(|why| panic!("{why:#}"));
    until("somebody holds the posts", || {
        blog.scalar("SELECT count(*) FROM pg_locks WHERE granted AND relation = 'blog_post'::regclass AND pid <> pg_backend_pid()")
            != "0"
    });
    clients
}

#[track_caller]
fn run(blog: &Blog, mode: &str, max_wait: &str, code: i32) -> Told {
    Running::start(
        &blog
            .apply()
            .args(["--on-blocker", mode, "--max-wait", max_wait]),
    )
    .told(code)
}

/// `signal` of each, in order.
fn signals(told: &Told) -> Vec<&str> {
    told.of_kind("blocker_signalled")
        .iter()
        .map(|line| text(&line["signal"]))
        .collect()
}

#[test]
fn without_the_flag_nobody_is_touched() {
    let blog = blog_with_likes();
    let holder = in_the_way(&blog, Load::idle(IDLE));
    let told = run(&blog, "wait", "4s", 53);
    assert!(signals(&told).is_empty());
    assert_eq!(blog.scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = 'guard_reader' AND datname = current_database()"), "1");
    holder.stop().expect("the holder");
}

#[test]
fn a_cancel_does_not_reach_who_is_idle_in_transaction_and_that_is_said() {
    let blog = blog_with_likes();
    let holder = in_the_way(&blog, Load::idle(IDLE));
    let told = run(&blog, "cancel", "5s", 53).because("migration-lock-timeout", "no");
    let line = told.of_kind("blocker_signalled");
    assert_eq!(line.len(), 1, "once: {line:#?}");
    assert_eq!(line[0]["signal"], "leave");
    assert_eq!(
        line[0]["outcome"],
        "left alone: it is idle in transaction, which a cancel does not reach"
    );
    assert!(text(&line[0]["what"]).contains(ROLE), "{line:#?}");
    in_order(
        &told.report(&blog.project),
        &[
            "### Sessions that the run signalled",
            "leave guard_reader",
            "left alone",
        ],
    );
    holder.stop().expect("it is still there");
}

#[test]
fn who_is_idle_in_transaction_is_terminated_after_a_grace() {
    let blog = blog_with_likes();
    let holder = in_the_way(&blog, Load::idle(IDLE));
    let told = run(&blog, "terminate", "60s", 0);
    assert_eq!(signals(&told), ["terminate"]);
    let waited = told.of_kind("blocker_signalled")[0]["elapsed_ms"].as_u64();
    let since = told.of_kind("migration_started")[0]["elapsed_ms"].as_u64();
    assert!(
        waited >= since.map(|ms| ms + 1900),
        "after the grace: {since:?} {waited:?}"
    );
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_likes"]);
    in_order(
        &told.report(&blog.project),
        &[
            "### Sessions that the run signalled",
            "terminate guard_reader",
            "it was told",
        ],
    );
    drop(holder);
}

#[test]
fn a_running_query_is_cancelled_and_nobody_is_terminated() {
    let blog = blog_with_likes();
    let query = "SELECT pg_sleep(120) FROM blog_post LIMIT 1";
    let holder = in_the_way(&blog, Load::reads(query));
    let told = run(&blog, "cancel", "60s", 0);
    assert_eq!(signals(&told), ["cancel"]);
    assert_eq!(
        told.of_kind("blocker_signalled")[0]["outcome"],
        "it was told"
    );
    let why = format!("{:#}", holder.stop().expect_err("its query was cancelled"));
    assert!(
        why.contains("canceling statement due to user request"),
        "{why}"
    );
}

/// The transaction stays after its query is cancelled, where whoever runs it goes on.
#[test]
fn who_catches_the_cancel_is_terminated_after_another_grace() {
    let blog = blog_with_likes();
    let stubborn = "DO $$ BEGIN PERFORM FROM blog_post LIMIT 1; LOOP BEGIN PERFORM pg_sleep(120); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$";
    let holder = in_the_way(&blog, Load::reads(stubborn));
    let told = run(&blog, "terminate", "60s", 0);
    assert_eq!(signals(&told), ["cancel", "terminate"]);
    let why = format!(
        "{:#}",
        holder.stop().expect_err("its session was terminated")
    );
    assert!(
        why.contains("terminating connection") || why.contains("closed"),
        "{why}"
    );
}

#[test]
fn a_superusers_session_is_left_alone() {
    let blog = blog_with_likes();
    let holder = begun(&blog, &blog.database.dsn(), Load::idle(IDLE));
    let told = run(&blog, "terminate", "6s", 53).because("migration-lock-timeout", "no");
    assert_eq!(signals(&told), ["leave"]);
    assert_eq!(
        told.of_kind("blocker_signalled")[0]["outcome"],
        "left alone: it is a superuser's session"
    );
    holder.stop().expect("it is still there");
    assert_eq!(blog.applied().len(), 1);
}

/// Before anything is applied, a role that cannot do what `--on-blocker` asks for is told what it lacks.
#[test]
fn a_role_that_may_not_signal_others_is_told_both_grants_at_step_1() {
    let blog = blog_with_likes();
    let role = "guard_plain";
    server(&blog)
        .create_role(role, "NOSUPERUSER PASSWORD 'plain'")
        .expect("a role");
    blog.execute(&format!(
        "ALTER TABLE blog_post OWNER TO {role}; ALTER TABLE django_migrations OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role}"
    ));
    let path = "config/settings.py";
    let settings = blog.project.read_file(path).expect("settings");
    let plain =
        format!("{settings}\nDATABASES['default'].update(USER='{role}', PASSWORD='plain')\n");
    blog.project.write_file(path, &plain).expect("settings");
    let warned = |mode: &str| -> Vec<String> {
        let dry = ["run", "--no-backup", "--acknowledge-no-backup"];
        let cli = crate::support::cli(&blog.project).args(dry);
        let ran = cli.args(["--on-blocker", mode, "--format", "json"]).run();
        let told = Told::by(ran, 0);
        let notes = told.of_kind("note").into_iter();
        let notes = notes.map(|line| text(&line["message"]).to_owned());
        notes.filter(|note| note.contains("--on-blocker")).collect()
    };
    assert!(warned("wait").is_empty());
    let said = warned("terminate");
    assert_eq!(said.len(), 1, "{said:?}");
    in_order(
        &said[0],
        &[
            "--on-blocker terminate will reach no sessions but those of the role guard_plain itself",
            "GRANT pg_monitor TO guard_plain;",
            "GRANT pg_signal_backend TO guard_plain;",
        ],
    );
    blog.execute(&format!("GRANT pg_monitor TO {role}"));
    let said = warned("cancel");
    assert!(
        !said[0].contains("pg_monitor")
            && said[0].contains("GRANT pg_signal_backend TO guard_plain;"),
        "{said:?}"
    );
    blog.execute(&format!("GRANT pg_signal_backend TO {role}"));
    assert!(warned("terminate").is_empty());
    blog.execute(&format!("REVOKE pg_monitor, pg_signal_backend FROM {role}"));
}

/// Who holds the posts waits for somebody else, and would go on if that one were gone.
#[test]
fn only_the_root_of_a_chain_is_signalled() {
    let blog = blog_with_likes();
    let _ = server(&blog).execute(
        "postgres",
        &format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{SECRET}'"),
    );
    blog.execute(&format!(
        "CREATE TABLE other (id int); GRANT ALL ON other TO {ROLE}"
    ));
    let dsn = server(&blog).dsn_as(ROLE, SECRET, blog.database.name());
    let name = "SET application_name = 'the root'";
    let root = Load::idle(&format!("{name}; BEGIN; LOCK TABLE other"));
    let root = Clients::start(&dsn, 1, root).unwrap_or_else(|why| panic!("{why:#}"));
    let middle = in_the_way(
        &blog,
        Load::reads("BEGIN; SELECT FROM blog_post LIMIT 1; SELECT FROM other LIMIT 1; COMMIT"),
    );
    let told = run(&blog, "terminate", "60s", 0);
    let signalled = told.of_kind("blocker_signalled");
    assert_eq!(signalled.len(), 1, "{signalled:#?}");
    assert_eq!(signalled[0]["signal"], "terminate");
    assert!(
        text(&signalled[0]["what"]).contains("the root"),
        "{signalled:#?}"
    );
    middle.stop().expect("it went on");
    drop(root);
}
