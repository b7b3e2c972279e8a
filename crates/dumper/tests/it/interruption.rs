//! pg_dump killed, the caller stopping, the future dropped; and what others see meanwhile.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use dumper::{DumpError, Progress, dump};

use crate::support::{BIG, Fixture, block_on, run, run_and, skipped};

/// Writes its pid down and becomes pg_dump.
const KNOWN: &str = "echo $$ > \"${0%/*}/pid\"; exec \"$REAL\" \"$@\"";

fn pid(fixture: &Fixture) -> String {
    fs_err::read_to_string(fixture.folder.path().join("pid"))
        .unwrap()
        .trim()
        .to_owned()
}

fn has_pid(fixture: &Fixture) -> bool {
    std::fs::read_to_string(fixture.folder.path().join("pid")).is_ok_and(|pid| pid.ends_with('\n'))
}

/// A zombie is gone too: once its runtime is dropped, nobody in this process collects it.
fn is_gone(pid: &str) -> bool {
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // `pid (name) state …`
        return stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'));
    }
    !Command::new("kill")
        .args(["-0", pid])
        .output()
        .unwrap()
        .status
        .success()
}

/// A session's end, or a file's, is seen by others a moment later.
#[track_caller]
fn soon(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Resolves when it is so.
async fn once(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_killed_pg_dump_leaves_nothing() {
    let fixture = Fixture::new(BIG);
    let mut killed = None;
    let error = run_and(&fixture.request_with(KNOWN), || {
        assert!(
            Command::new("kill")
                .args(["-9", &pid(&fixture)])
                .status()
                .unwrap()
                .success()
        );
        killed = Some(Instant::now());
    })
    .unwrap_err();
    assert!(
        killed.unwrap().elapsed() < Duration::from_secs(2),
        "its death was noticed late"
    );
    assert!(matches!(error, DumpError::Failed { .. }), "{error}");
    assert!(error.to_string().contains("signal: 9"), "{error}");
    assert!(fixture.files().is_empty());
}

#[test]
fn a_stop_ends_pg_dump_and_its_query() {
    let fixture = Fixture::new(BIG);
    let request = fixture.request_with(KNOWN);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let mut stop = Some(stop);
    let hear = |progress| {
        if matches!(progress, Progress::Dumping(at) if at.rows > 0)
            && let Some(stop) = stop.take()
        {
            stop.send(()).unwrap();
        }
    };
    let error = block_on(dump(&request, hear, async { stopped.await.unwrap() })).unwrap_err();
    assert!(error.is_interrupted(), "{error}");
    assert_eq!(error.class(), "backup-interrupted");
    assert!(fixture.files().is_empty());
    assert!(is_gone(&pid(&fixture)));
    soon("the server still runs the dump's query", || {
        fixture.sessions() == 0
    });
}

#[test]
fn a_stop_while_pg_dump_waits_for_a_lock_ends_it() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let request = fixture.request_with(KNOWN);
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass";
    let is_waiting = || fixture.database.scalar(waiting).unwrap() == "1";
    let outcome = fixture
        .server()
        .with_client(fixture.database.name(), |client| {
            client.batch_execute("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE")?;
            let outcome = block_on(dump(&request, |_| {}, once(is_waiting)));
            // pg_dump cancels its query, so that nobody queues behind it; the server acts on that a moment later
            let deadline = Instant::now() + Duration::from_secs(5);
            while client.query_one(waiting, &[])?.get::<_, i64>(0) > 0 {
                assert!(
                    Instant::now() < deadline,
                    "the dump still waits for its lock"
                );
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(outcome)
        });
    assert!(outcome.unwrap().unwrap_err().is_interrupted());
    assert!(is_gone(&pid(&fixture)));
}

#[test]
fn a_stubborn_pg_dump_is_killed_with_its_children() {
    let fixture = Fixture::new("SELECT 1");
    let script = "trap '' TERM; echo $$ > \"${0%/*}/pid\"; echo x; sleep 60 & wait; sleep 60";
    let request = fixture.request_with(script);
    let began = Instant::now();
    let error = block_on(dump(&request, |_| {}, once(|| has_pid(&fixture)))).unwrap_err();
    assert!(error.is_interrupted(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(is_gone(&pid(&fixture)));
    assert!(fixture.files().is_empty());
}

#[test]
fn a_dropped_future_leaves_nothing() {
    let fixture = Fixture::new(BIG);
    let request = fixture.request_with(KNOWN);
    block_on(async {
        let seen = Cell::new(false);
        let work = dump(
            &request,
            |progress| {
                seen.set(seen.get() || matches!(progress, Progress::Dumping(at) if at.rows > 0));
            },
            std::future::pending(),
        );
        let watch = async {
            while !seen.get() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            outcome = work => panic!("{outcome:?}"),
            () = watch => {}
        }
    });
    soon("pg_dump still runs", || is_gone(&pid(&fixture)));
    soon("the partial file is still there", || {
        fixture.files().is_empty()
    });
}

#[test]
fn the_password_is_not_on_the_command_line() {
    if !PathBuf::from("/proc/self/cmdline").exists() {
        skipped("no /proc");
        return;
    }
    let fixture = Fixture::new(BIG);
    let mut line = String::new();
    run_and(&fixture.request_with(KNOWN), || {
        line = String::from_utf8(fs_err::read(format!("/proc/{}/cmdline", pid(&fixture))).unwrap())
            .unwrap();
    })
    .unwrap();
    assert!(line.contains("--format=plain"), "{line}");
    assert!(!line.contains(fixture.server().password()), "{line}");
}

#[test]
fn only_our_variables_of_libpq_reach_pg_dump() {
    let fixture = Fixture::new("SELECT 1");
    let request = fixture.request_with("env | grep '^PG' | sort | cut -d= -f1 >&2; exit 1");
    let error = run(&request).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with(": PGAPPNAME\nPGHOST\nPGHOSTADDR\nPGPASSWORD\nPGPORT\nPGUSER"),
        "{error}"
    );
}
