//! Loads that are cut: by the server, by the caller, by the file; and how much memory one takes.
//!
//! Absent: kill -9 of this very process.

use std::cell::Cell;
use std::fmt::Write as _;
use std::future::{pending, poll_fn};
use std::io::Write as _;
use std::task::Poll;
use std::time::{Duration, Instant};

use dumper::{
    Changed, Left, RestoreError, RestoreFailure, RestoreProgress, Restored, Target, Unfinished,
    restore,
};

use crate::restore_engine::{MODES, Place, mode, rows, run, sessions};
use crate::support::block_on;

/// Rows that take a while.
fn long(place: &Place) -> std::path::PathBuf {
    let sql = format!(
        "CREATE TABLE public.t (id int, t text);\nCOPY public.t (id, t) FROM stdin;\n{}\\.\n",
        rows(200_000, None)
    );
    place.dump(&sql)
}

/// Restores, and acts once when so many rows were sent.
fn run_and(
    place: &Place,
    count: u8,
    rows: u64,
    act: impl FnOnce(),
) -> (Result<Restored, RestoreError>, Duration) {
    let archive = long(place);
    let mut act = Some(act);
    let acted = Cell::new(None);
    let hear = |progress| {
        if let RestoreProgress::Loading(at) = progress
            && at.rows >= rows
            && let Some(act) = act.take()
        {
            act();
            acted.set(Some(Instant::now()));
        }
    };
    let done = block_on(restore(
        &place.request(&archive, mode(count)),
        hear,
        pending(),
    ));
    let at = acted
        .get()
        .expect("the load was over before it could be disturbed");
    (done, at.elapsed())
}

#[test]
fn a_session_that_is_ended_ends_the_load_soon() {
    for count in MODES {
        let place = Place::new();
        let name = place.database.name().to_owned();
        let server = place.database.server();
        let (done, took) = run_and(&place, count, 20_000, || {
            let sql = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND query LIKE 'COPY%' LIMIT 1"
            );
            server.execute("postgres", &sql).unwrap();
        });
        let error = done.unwrap_err();
        assert!(
            matches!(error.failure(), RestoreFailure::ConnectionLost { .. }),
            "{count}: {error:?}"
        );
        assert_eq!(error.class(), "restore-connection-lost");
        assert!(took < Duration::from_secs(10), "{count}: {took:?}");
        assert_eq!(place.others(), 0, "{count}");
        let changed = if count == 0 {
            Changed::No
        } else {
            Changed::Yes
        };
        assert_eq!(error.changed(), changed);
    }
}

/// A future that comes once the flag is up.
async fn when(flag: &Cell<bool>) {
    poll_fn(|context| match flag.get() {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

#[test]
fn stopped_during_rows_or_a_statement_nothing_runs_on() {
    for count in MODES {
        for (what, sql) in [
            (
                "rows",
                format!(
                    "CREATE TABLE public.t (id int, t text);\nCOPY public.t (id, t) FROM stdin;\n{}\\.\n",
                    rows(200_000, None)
                ),
            ),
            (
                "a statement",
                "CREATE TABLE public.t (id int);\nSELECT pg_sleep(600);\n".to_owned(),
            ),
        ] {
            let place = Place::new();
            let archive = place.dump(&sql);
            let flag = Cell::new(false);
            let hear = |progress| {
                if let RestoreProgress::Loading(at) = progress
                    && (at.rows > 20_000 || at.at.iter().any(|at| at.contains("pg_sleep")))
                {
                    flag.set(true);
                }
            };
            let begun = Instant::now();
            let request = place.request(&archive, mode(count));
            let error = block_on(restore(&request, hear, when(&flag))).unwrap_err();
            assert!(error.is_interrupted(), "{what}: {error}");
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
            assert_eq!(place.others(), 0, "{what}, {count}");
            match count {
                0 => assert_eq!(error.left(), &Left::Nothing),
                _ => assert!(error.to_string().contains("is not whole: "), "{error}"),
            }
        }
    }
}

#[test]
fn a_new_database_that_did_not_finish_is_dropped_or_kept_under_another_name() {
    for (unfinished, kept) in [(Unfinished::Drop, "0"), (Unfinished::Keep, "1")] {
        let place = Place::new();
        let archive = place.dump("CREATE TABLE public.t (id int);\nSELECT 1/0;\n");
        let mut request = place.request(&archive, sessions(2));
        request.into = format!("{}_new", place.database.name());
        request.target = Target::New;
        request.unfinished = unfinished;
        let error = run(&request).unwrap_err();
        let there = |like: &str| {
            let sql = format!("SELECT count(*) FROM pg_database WHERE datname LIKE '{like}'");
            place.database.server().scalar("postgres", &sql).unwrap()
        };
        assert_eq!(there(&request.into), "0");
        assert_eq!(there(&format!("{}\\_restoring\\_%", request.into)), kept);
        match (unfinished, error.left()) {
            (Unfinished::Drop, Left::Nothing) => {}
            (Unfinished::Keep, Left::Part { database, .. }) => {
                let drop = format!("DROP DATABASE {database}");
                place.database.server().execute("postgres", &drop).unwrap();
            }
            (_, left) => panic!("{left:?}"),
        }
    }
}

#[test]
fn a_file_that_is_cut_is_no_success_and_a_single_transaction_leaves_nothing_of_it() {
    for count in MODES {
        let place = Place::new();
        let whole = format!(
            "CREATE TABLE public.t (id int, t text);\nCOPY public.t (id, t) FROM stdin;\n{}\\.\n",
            rows(50_000, None)
        );
        let archive = place.dump_of(whole.as_bytes()); // no end marker
        let error = run(&place.request(&archive, mode(count))).unwrap_err();
        assert!(
            matches!(error.failure(), RestoreFailure::Archive(_)),
            "{error:?}"
        );
        assert_eq!(
            error.changed(),
            Changed::No,
            "found before anything was made: {error}"
        );
    }
}

#[test]
fn heavy_two_hundred_megabytes_take_little_memory() {
    let place = Place::new();
    let path = place.folder.path().join("big.sql");
    let mut file = std::io::BufWriter::new(fs_err::File::create(&path).unwrap());
    writeln!(
        file,
        "CREATE TABLE public.t (id int, t text);\nCOPY public.t (id, t) FROM stdin;"
    )
    .unwrap();
    let mut row = String::new();
    for i in 0..200_000 {
        row.clear();
        writeln!(row, "{i}\t{:0>1000}", i).unwrap();
        file.write_all(row.as_bytes()).unwrap();
    }
    // and one row as long as all that, which no session may hold as a whole
    write!(file, "-1\t").unwrap();
    for _ in 0..1000 {
        file.write_all(&[b'x'; 50_000]).unwrap();
    }
    write!(
        file,
        "\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
    )
    .unwrap();
    drop(file.into_inner().unwrap());
    let before = peak();
    let restored = run(&place.request(&path, sessions(4))).unwrap();
    assert_eq!(restored.rows, 200_001);
    assert_eq!(place.scalar("SELECT max(length(t)) FROM t"), "50000000");
    let took = peak();
    assert!(took < 64 * 1024, "{took} kB, {before} before");
}

/// The most memory that this process ever had, in kB.
fn peak() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}
