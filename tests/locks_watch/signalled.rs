//! A pid that was typed ends a session, nothing else does.

use super::people::{WEB, database, person, person_as};
use super::screen::{becomes, picture, press, quit, shows, until, watch};

const HOLD: &str = "BEGIN; SELECT price FROM item";
const DDL: &str = "ALTER TABLE item ADD COLUMN note text";

#[test]
fn a_typed_terminate_ends_the_blocker_and_the_waiter_goes_on() {
    let database = database(15);
    let holder = person(&database, "report", HOLD, "");
    let ddl = person(&database, "deploy", "", DDL);
    let mut terminal = watch(&database);
    shows(&terminal, &["1 waits for 1 root"]);
    let question = format!("Type {} and Enter to terminate it", holder.pid);
    press(
        &mut terminal,
        "t",
        &[
            &format!("terminate backend {}?", holder.pid),
            &format!("{WEB} (report"),
            "idle in transaction",
            "its transaction is rolled back",
            "1 session waits for it",
            &question,
        ],
    );
    picture(&terminal, "terminate");
    terminal.type_line(&holder.pid.to_string());
    shows(&terminal, &["done, it is gone", "nobody waits for a lock"]);
    assert_eq!(ddl.outcome(), Ok(()), "the waiter went on");
    assert!(!holder.is_there());
    quit(&mut terminal);
    let output = terminal.output();
    assert!(
        output.ends_with(&format!(
            "terminate backend {} of {WEB} (report, 127.0.0.1): done, it is gone\n",
            holder.pid
        )),
        "{output}"
    );
}

#[test]
fn anything_but_the_pid_does_nothing() {
    let database = database(15);
    let holder = person(&database, "report", HOLD, "");
    let _ddl = person(&database, "deploy", "", DDL);
    let mut terminal = watch(&database);
    shows(&terminal, &["1 waits for 1 root"]);
    for wrong in [
        "y".to_owned(),
        "yes".to_owned(),
        format!("{}0", holder.pid),
        String::new(),
    ] {
        press(&mut terminal, "t", &["Enter to terminate it"]);
        terminal.type_line(&wrong);
        shows(
            &terminal,
            &[&format!(
                "`{wrong}` is not {}: nothing was done",
                holder.pid
            )],
        );
        // a key of the list takes the message away
        terminal.type_bytes(b"k");
        until(&terminal, "no message", |screen| {
            !screen.contains("nothing was done")
        });
    }
    press(&mut terminal, "t", &["Enter to terminate it"]);
    terminal.type_bytes(holder.pid.to_string().as_bytes());
    press(&mut terminal, "\x1b", &["left alone"]);
    assert!(holder.is_there());
    quit(&mut terminal);
    assert!(!terminal.output().contains("done, it is gone"));
}

#[test]
fn a_typed_cancel_ends_the_query_of_a_waiter() {
    let database = database(15);
    let holder = person(&database, "report", HOLD, "");
    let ddl = person(&database, "deploy", "", DDL);
    let mut terminal = watch(&database);
    shows(&terminal, &["1 waits for 1 root"]);
    press(
        &mut terminal,
        "j",
        &[&format!("backend {}, {WEB} (deploy", ddl.pid)],
    );
    press(
        &mut terminal,
        "c",
        &[
            &format!("cancel backend {}?", ddl.pid),
            "Its query ends with an error",
        ],
    );
    picture(&terminal, "cancel");
    terminal.type_line(&ddl.pid.to_string());
    shows(
        &terminal,
        &["done, its query has ended", "nobody waits for a lock"],
    );
    let outcome = ddl.outcome().expect_err("it was cancelled");
    assert!(outcome.contains("57014"), "{outcome}");
    assert!(ddl.is_there() && holder.is_there());
    quit(&mut terminal);
}

#[test]
fn a_cancel_of_an_idle_transaction_is_said_to_do_nothing() {
    let database = database(15);
    let holder = person(&database, "report", HOLD, "");
    let ddl = person(&database, "deploy", "", DDL);
    let mut terminal = watch(&database);
    shows(&terminal, &["1 waits for 1 root"]);
    press(
        &mut terminal,
        "c",
        &[
            "it would do nothing",
            "idle in transaction",
            "t to terminate it instead",
        ],
    );
    picture(&terminal, "idle");
    press(&mut terminal, "t", &["Enter to terminate it"]);
    terminal.type_line(&holder.pid.to_string());
    shows(&terminal, &["done, it is gone"]);
    assert_eq!(ddl.outcome(), Ok(()));
    quit(&mut terminal);
}

#[test]
fn a_superusers_session_is_never_signalled() {
    let database = database(15);
    let holder = person_as(&database, &database.dsn(), "repair", HOLD, "");
    let _ddl = person(&database, "deploy", "", DDL);
    let mut terminal = watch(&database);
    shows(&terminal, &["1 waits for 1 root", "repair"]);
    press(
        &mut terminal,
        "t",
        &[
            "a superuser's session, which this screen never ends",
            "Esc: back",
        ],
    );
    terminal.type_line(&holder.pid.to_string());
    until(&terminal, "no question", |screen| {
        !screen.contains("Esc: back")
    });
    assert!(holder.is_there());
    quit(&mut terminal);
    assert!(holder.is_there());
}

/// The pid is right, but what it was asked about is over: the session has gone on to other work.
#[test]
fn a_transaction_that_ended_meanwhile_is_not_avenged() {
    let database = database(15);
    let holder = person(
        &database,
        "report",
        "BEGIN; SELECT price FROM item; SELECT pg_advisory_lock(1)",
        "",
    );
    let key = person(
        &database,
        "worker",
        "BEGIN; SELECT count(*) FROM customer",
        "SELECT pg_advisory_lock(1)",
    );
    let mut terminal = watch(&database);
    shows(&terminal, &["1 waits for 1 root"]);
    press(
        &mut terminal,
        "j",
        &[&format!("backend {}, {WEB} (worker", key.pid)],
    );
    press(
        &mut terminal,
        "c",
        &[&format!("cancel backend {}?", key.pid)],
    );
    // its lock comes while somebody types: the statement is over, the transaction stays idle
    drop(holder);
    assert_eq!(key.outcome(), Ok(()));
    terminal.type_line(&key.pid.to_string());
    shows(&terminal, &["not done", "runs no query any more"]);
    becomes("it is still there", || key.is_there());
    quit(&mut terminal);
}
