//! pg_dump in the queue of a lock: who is in the way is said while it waits, and when it gives up.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dumper::{Archive, DumpError, DumpRequest, Format, Grade, Holder, Progress, Waiting, dump};

use crate::support::{Fixture, block_on};

const TABLES: &str = "CREATE TABLE a AS SELECT 1 AS id; CREATE TABLE b AS SELECT 1 AS id";

/// Dumps while somebody has ACCESS EXCLUSIVE on `a`, who lets go when the first wait was heard, if `lets_go`.
fn behind(
    fixture: &Fixture,
    request: &DumpRequest,
    lets_go: bool,
) -> (Result<Archive, DumpError>, Vec<Waiting>) {
    let (held, is_held) = mpsc::channel();
    let (let_go, may_go) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            fixture
                .server()
                .with_client(fixture.database.name(), move |client| {
                    client.batch_execute(
                        "SET application_name = 'a migration'; BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE",
                    )?;
                    held.send(()).unwrap();
                    // ends when the sender is gone, too
                    let _ = may_go.recv();
                    Ok(())
                })
                .unwrap();
        });
        is_held.recv().unwrap();
        let mut waits = Vec::new();
        let mut let_go = Some(let_go);
        let hear = |progress| {
            if let Progress::Waiting(waiting) = progress {
                waits.push(waiting);
                if lets_go {
                    let_go.take();
                }
            }
        };
        let outcome = block_on(dump(request, hear, std::future::pending()));
        drop(let_go);
        (outcome, waits)
    })
}

#[track_caller]
fn check_holder(holder: &Holder) {
    assert!(holder.pid > 0);
    assert_eq!(holder.application.as_deref(), Some("a migration"));
    assert_eq!(holder.state.as_deref(), Some("idle in transaction"));
    assert!(
        holder.query.as_deref().unwrap().contains("LOCK TABLE a"),
        "{holder:?}"
    );
    assert!(holder.since.is_some());
    let text = holder.to_string();
    assert!(
        text.contains("a migration") && text.contains("LOCK TABLE a"),
        "{text}"
    );
}

#[track_caller]
fn check_wait(major: u32, format: Format) {
    let fixture = Fixture::on(major, TABLES);
    let mut request = fixture.request();
    request.format = format;
    let (outcome, waits) = behind(&fixture, &request, true);
    let first = waits.first().expect("nobody said that it waits");
    assert_eq!(first.relation.as_deref(), Some("public.a"));
    assert_eq!(first.holders.len(), 1);
    check_holder(&first.holders[0]);
    let archive = outcome.unwrap();
    assert_eq!(archive.rows, 2);
    assert!(
        archive.tables.iter().all(|it| it.grade == Grade::Exact),
        "{:?}",
        archive.tables
    );
}

#[test]
fn a_wait_says_for_whom_and_ends_on_14() {
    check_wait(14, Format::Plain);
}

#[test]
fn a_wait_says_for_whom_and_ends_on_18() {
    check_wait(18, Format::Directory);
}

#[test]
fn a_timeout_names_who_was_in_the_way() {
    for major in [14, 15, 18] {
        let fixture = Fixture::on(major, TABLES);
        let mut request = fixture.request();
        request.lock_wait_timeout = Some(Duration::from_millis(800));
        let (outcome, _) = behind(&fixture, &request, false);
        let error = outcome.unwrap_err();
        let DumpError::LockTimeout {
            holders, tables, ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert!(tables.iter().any(|table| table == "public.a"), "{tables:?}");
        assert_eq!(holders.len(), 1);
        check_holder(&holders[0]);
        assert!(error.to_string().contains("held by pid"), "{error}");
        assert_eq!(fixture.files(), Vec::<String>::new());
    }
}

#[test]
fn a_prepared_transaction_is_named() {
    let fixture = Fixture::new(TABLES);
    let gid = format!("gid_{}", fixture.database.name());
    fixture
        .database
        .execute(&format!(
            "BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION '{gid}'"
        ))
        .unwrap();
    let mut request = fixture.request();
    request.lock_wait_timeout = Some(Duration::from_millis(800));
    let outcome = block_on(dump(&request, |_| {}, std::future::pending()));
    fixture
        .database
        .execute(&format!("ROLLBACK PREPARED '{gid}'"))
        .unwrap();
    let error = outcome.unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("held by prepared transaction '{gid}'")),
        "{error}"
    );
}

#[test]
fn whoever_wants_a_table_that_is_dumped_does_not_stop_the_count() {
    let fixture = Fixture::new(&format!("{TABLES}; {}", crate::support::BIG));
    let request = fixture.request();
    let (go, begun) = mpsc::channel::<()>();
    let mut go = Some(go);
    let database = &fixture.database;
    let (outcome, altered) = thread::scope(|scope| {
        let altering = scope.spawn(move || {
            begun.recv().unwrap();
            // in the queue behind pg_dump, and everybody else behind it
            database
                .execute("ALTER TABLE big ADD COLUMN more int; ALTER TABLE b ADD COLUMN more int")
        });
        let hear = |progress| {
            if let Progress::Dumping(at) = progress
                && at.rows > 0
                && let Some(go) = go.take()
            {
                go.send(()).unwrap();
            }
        };
        let outcome = block_on(dump(&request, hear, std::future::pending()));
        (outcome, altering.join().unwrap())
    });
    altered.unwrap();
    let archive = outcome.unwrap();
    assert_eq!(archive.rows, 300_002);
    // adding a column rewrites nothing: what was not counted before is counted after
    assert!(
        archive.tables.iter().all(|it| it.grade == Grade::Exact),
        "{:?} {:?}",
        archive.tables,
        archive.warnings
    );
}
