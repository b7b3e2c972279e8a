//! What is seen: the tree, its order, the filter, pause, details, without colour, at any size.

use super::people::{WEB, database, dsn, person, person_as};
use super::screen::{cli, cli_as, line, picture, press, quit, shows, until, watch};
use crate::support::Database;

const HOLD: &str = "BEGIN; SELECT price FROM item WHERE id = 4711";
const DDL: &str = "ALTER TABLE item ADD COLUMN note text DEFAULT 'secret'";
const READ: &str = "SELECT count(*) FROM item WHERE price < 100";

#[test]
fn a_chain_is_a_tree_under_its_root() {
    let database = database(15);
    let holder = person(&database, "report", HOLD, "");
    let ddl = person(&database, "deploy", "", DDL);
    let reader = person(&database, "gunicorn", "", READ);
    let mut terminal = watch(&database);
    shows(
        &terminal,
        &[
            "2 wait for 1 root",
            "waiting for a lock",
            "report",
            "deploy",
            "gunicorn",
        ],
    );
    let root = line(&terminal, &format!("{} ", holder.pid));
    assert!(
        root.contains("idle in xact") && root.contains("has ACCESS SHARE"),
        "{root}"
    );
    let waiter = line(&terminal, &format!("└ {} ", ddl.pid));
    assert!(
        waiter.contains("ACCESS EXCLUSIVE") && waiter.contains("item"),
        "{waiter}"
    );
    let last = line(&terminal, &format!("  └ {} ", reader.pid));
    assert!(
        last.contains("ACCESS SHARE") && last.contains("gunicorn"),
        "{last}"
    );
    let screen = terminal.screen();
    assert!(
        !screen.contains("secret") && !screen.contains("4711 "),
        "{screen}"
    );
    assert!(
        screen.contains(&format!("SELECT pg_terminate_backend({})", holder.pid))
            || screen.contains("ignores a cancel"),
        "{screen}"
    );
    picture(&terminal, "tree");
    quit(&mut terminal);
}

#[test]
fn literals_are_shown_where_they_are_asked_for() {
    let database = database(15);
    let _holder = person(&database, "report", HOLD, "");
    let _ddl = person(&database, "deploy", "", DDL);
    let mut terminal = cli(&database).arg("--show-literals").tty_of(150, 30);
    shows(&terminal, &["1 waits for 1 root", "WHERE id = 4711"]);
    press(&mut terminal, "j", &["DEFAULT 'secret'"]);
    quit(&mut terminal);
}

#[test]
fn a_filter_keeps_those_who_match_and_whom_they_wait_for() {
    let database = database(15);
    let _holder = person(&database, "report", HOLD, "");
    let _ddl = person(&database, "deploy", "", DDL);
    let _first = person(&database, "gunicorn", "", READ);
    let _other = person(&database, "celery", "", READ);
    let mut terminal = watch(&database);
    shows(&terminal, &["3 wait for 1 root", "celery", "gunicorn"]);
    terminal.type_bytes(b"/celery\r");
    until(&terminal, "only celery and its blockers", |screen| {
        screen.contains("/celery: 3 of 4")
            && screen.contains("report")
            && !screen.contains("gunicorn")
    });
    terminal.type_bytes(b"\x1b");
    shows(&terminal, &["gunicorn", "celery"]);
    press(
        &mut terminal,
        "/nobody here",
        &["Nobody matches /nobody here"],
    );
    terminal.type_bytes(b"\x1b");
    shows(&terminal, &["gunicorn"]);
    quit(&mut terminal);
}

#[test]
fn a_pause_holds_the_picture_and_asks_nothing() {
    let database = database(15);
    let mut terminal = watch(&database);
    shows(&terminal, &["nobody waits for a lock"]);
    press(&mut terminal, "p", &["PAUSED"]);
    let asked = looks(&database);
    let holder = person(&database, "report", HOLD, "");
    let _ddl = person(&database, "deploy", "", DDL);
    // several intervals: what is not asked is not seen
    std::thread::sleep(std::time::Duration::from_millis(1000));
    assert_eq!(looks(&database), asked, "it asked while it was paused");
    let screen = terminal.screen();
    assert!(
        screen.contains("nobody waits") && !screen.contains("deploy"),
        "{screen}"
    );
    press(
        &mut terminal,
        " ",
        &["1 waits for 1 root", &holder.pid.to_string()],
    );
    until(&terminal, "no pause", |screen| !screen.contains("PAUSED"));
    quit(&mut terminal);
}

/// When the screen's session began its last query.
fn looks(database: &Database) -> String {
    let sql = format!(
        "SELECT max(query_start) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'django-migrate'",
        database.name()
    );
    database.scalar(&sql).expect("the screen's session")
}

#[test]
fn sorts_go_round_and_the_selection_stays_with_its_session() {
    let database = database(15);
    let _holder = person(&database, "report", HOLD, "");
    let _ddl = person(&database, "deploy", "", DDL);
    let reader = person(&database, "gunicorn", "", READ);
    let mut terminal = watch(&database);
    shows(&terminal, &["2 wait for 1 root"]);
    let selected = format!("backend {}, {WEB} (gunicorn", reader.pid);
    press(&mut terminal, "jj", &[&selected]);
    for sort in ["age", "waiters", "pid", "waited"] {
        press(&mut terminal, "s", &[&format!("sort: {sort}"), &selected]);
    }
    quit(&mut terminal);
}

#[test]
fn details_tell_all_of_one_session() {
    let database = database(15);
    let holder = person(
        &database,
        "report",
        "BEGIN; LOCK TABLE customer IN SHARE ROW EXCLUSIVE MODE; SELECT price FROM item",
        "",
    );
    let _ddl = person(&database, "deploy", "", DDL);
    let mut terminal = watch(&database);
    shows(&terminal, &["1 waits for 1 root"]);
    press(
        &mut terminal,
        "\r",
        &[
            &format!("backend {}, {WEB} (report", holder.pid),
            "blocks",
            "ACCESS SHARE on public.item",
            "SHARE ROW EXCLUSIVE on public.customer",
            "ignores a cancel",
            &format!("SELECT pg_terminate_backend({});", holder.pid),
        ],
    );
    picture(&terminal, "details");
    press(&mut terminal, "\x1b", &["waiting for a lock"]);
    press(
        &mut terminal,
        "j\r",
        &[
            "waits for",
            "ACCESS EXCLUSIVE on public.item",
            &format!("behind backend {}", holder.pid),
        ],
    );
    press(&mut terminal, "\x1b", &["waiting for a lock"]);
    press(&mut terminal, "?", &["Esc: back", "terminate"]);
    picture(&terminal, "help");
    terminal.type_bytes(b"\x1b");
    until(&terminal, "no help", |screen| !screen.contains("Esc: back"));
    quit(&mut terminal);
}

#[test]
fn a_narrow_screen_and_one_without_colour() {
    let database = database(15);
    let holder = person(&database, "report", HOLD, "");
    let ddl = person(&database, "deploy", "", DDL);
    let mut terminal = cli(&database).env("NO_COLOR", "1").tty_of(80, 24);
    shows(
        &terminal,
        &[
            "1 waits for 1 root",
            &holder.pid.to_string(),
            &ddl.pid.to_string(),
        ],
    );
    picture(&terminal, "narrow");
    terminal.resize(160, 40);
    shows(&terminal, &["APPLICATION", "r look now"]);
    terminal.resize(30, 8);
    until(&terminal, "what fits", |screen| {
        screen.contains(&holder.pid.to_string())
            && screen.lines().all(|line| line.chars().count() <= 30)
    });
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    let colours = regex_of_colours(&raw);
    assert!(
        colours.is_empty(),
        "colours in spite of NO_COLOR: {colours:?}"
    );
    quit(&mut terminal);
}

/// Foregrounds and backgrounds that were set to anything but the default.
fn regex_of_colours(raw: &str) -> Vec<String> {
    raw.split("\x1b[")
        .filter_map(|part| part.split_once('m'))
        .map(|(codes, _)| codes)
        .filter(|codes| codes.chars().all(|c| c.is_ascii_digit() || c == ';'))
        .filter(|codes| {
            let first = codes
                .split(';')
                .next()
                .and_then(|code| code.parse::<u32>().ok());
            first.is_some_and(|code| matches!(code, 30..=38 | 40..=48 | 90..=107))
        })
        .map(str::to_owned)
        .collect()
}

/// A role that may neither see nor signal anybody.
#[test]
fn a_role_without_privileges_sees_the_tree_and_the_grant() {
    let database = database(15);
    database
        .server()
        .create_role("watch_plain", "PASSWORD 'watch' NOSUPERUSER")
        .expect("a role");
    let holder = person(&database, "report", HOLD, "");
    let ddl = person_as(&database, &dsn(&database, WEB), "deploy", "", DDL);
    let mut terminal = cli_as(&dsn(&database, "watch_plain")).tty_of(150, 30);
    shows(
        &terminal,
        &[
            "1 waits for 1 root",
            &format!("{} ", holder.pid),
            &format!("└ {} ", ddl.pid),
            "hidden",
            "GRANT pg_monitor TO",
        ],
    );
    press(
        &mut terminal,
        "t",
        &[
            "watch_plain may not signal it",
            "GRANT pg_signal_backend TO",
        ],
    );
    picture(&terminal, "plain_role");
    terminal.type_bytes(b"\x1b");
    until(&terminal, "no question", |screen| {
        !screen.contains("Esc: back")
    });
    assert!(holder.is_there());
    quit(&mut terminal);
}
