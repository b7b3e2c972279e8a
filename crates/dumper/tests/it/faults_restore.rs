//! A restore that is cut, refused or stopped at many places: what it says, and what it leaves behind.
//!
//! The places are in the dump: a statement, a row or an index that ends its own session, or fails, exactly there.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dumper::{
    Left, Mode, OnError, RestoreError, RestoreFailure, RestoreProgress, RestoreRequest, Unfinished,
    restore,
};
use xtask::env::Env;
use xtask::servers::{Server, TempServer, shared};

use crate::same::{assert_same_rows, plain};
use crate::support::{BIG, Fixture, block_on};
use crate::trip::{Trip, connection, run_restore, sessions};

const SCHEMA: &str = "
    CREATE TABLE a (id int PRIMARY KEY, t text);
    INSERT INTO a SELECT i, 'row ' || i FROM generate_series(1, 3000) i;
    CREATE TABLE b (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int REFERENCES a);
    INSERT INTO b (a) SELECT i FROM generate_series(1, 300) i;
    CREATE INDEX a_t ON a (t); CREATE INDEX b_a ON b (a);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION f();
    CREATE VIEW v AS SELECT * FROM a JOIN b USING (id);
    CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM a;
    SELECT lo_from_bytea(4711, 'large')";

/// Ends its own session.
const BOMB: &str = "SELECT pg_terminate_backend(pg_backend_pid());";
const FAILS: &str = "SELECT 1/0;";

/// A dump, and where each of its statements begins that has a comment of its own.
struct Dump {
    fixture: Fixture,
    text: String,
    places: Vec<usize>,
}

impl Dump {
    fn new() -> Self {
        let fixture = Fixture::new(SCHEMA);
        let text = plain(fixture.server(), fixture.database.name());
        let text = String::from_utf8(text).unwrap();
        let places: Vec<_> = text
            .match_indices("\n\n--\n-- ")
            .map(|(at, _)| at + 1)
            .collect();
        assert!(places.len() > 15, "{}", places.len());
        Self {
            fixture,
            text,
            places,
        }
    }

    /// With a line at this place; and the line's number.
    fn with(&self, place: usize, line: &str) -> (PathBuf, u64) {
        let (before, after) = self.text.split_at(place);
        let number = before.matches('\n').count() as u64 + 1;
        (self.write(&format!("{before}{line}\n{after}")), number)
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.fixture.folder.path().join("cut.sql");
        fs_err::write(&path, text).unwrap();
        path
    }

    fn server(&self) -> &Server {
        self.fixture.server()
    }
}

const MODES: [fn() -> Mode; 3] = [|| Mode::SingleTransaction, || sessions(1), || sessions(3)];

#[track_caller]
fn check_gone(trip: &Trip<'_>, error: &RestoreError) {
    assert!(
        trip.databases().is_empty(),
        "{error}: {:?}",
        trip.databases()
    );
    assert_eq!(*error.left(), Left::Nothing, "{error}");
    soon("its sessions end", || trip.sessions() == 0);
}

#[track_caller]
fn soon(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_session_that_is_cut_at_any_statement_leaves_no_database() {
    let dump = Dump::new();
    for (at, &place) in dump.places.iter().enumerate() {
        let (file, line) = dump.with(place, BOMB);
        let trip = Trip::to(dump.server());
        let mut request = trip.request(&file);
        request.mode = MODES[at % 3]();
        let error = run_restore(&request).unwrap_err();
        assert_eq!(
            error.class(),
            "restore-connection-lost",
            "line {line}, {:?}: {error}",
            request.mode
        );
        assert!(error.hint().is_some());
        assert!(
            error.to_string().contains(&format!("line {line}")),
            "line {line}: {error}"
        );
        assert!(!error.to_string().contains(trip.server.password()));
        check_gone(&trip, &error);
    }
}

#[test]
fn a_statement_that_fails_anywhere_is_named_by_line_and_leaves_no_database() {
    let dump = Dump::new();
    for (at, &place) in dump.places.iter().enumerate() {
        let (file, line) = dump.with(place, FAILS);
        let trip = Trip::to(dump.server());
        let mut request = trip.request(&file);
        request.mode = MODES[at % 3]();
        let error = run_restore(&request).unwrap_err();
        let RestoreFailure::Statement(statement) = error.failure() else {
            panic!("line {line}: {error}")
        };
        assert_eq!(
            (statement.line, &*statement.sqlstate),
            (line, "22012"),
            "{error}"
        );
        assert_eq!(
            (&*statement.message, &*statement.statement),
            ("division by zero", "SELECT 1/0")
        );
        assert_eq!(error.class(), "restore-statement-failed");
        check_gone(&trip, &error);
    }
}

#[test]
fn what_fails_is_passed_over_where_asked_and_counted() {
    let dump = Dump::new();
    let mut text = dump.text.clone();
    let mut lines = Vec::new();
    for &place in dump.places.iter().rev() {
        text.insert_str(place, &format!("{FAILS}\n"));
    }
    for (at, line) in text.lines().enumerate() {
        if line == FAILS {
            lines.push(at as u64 + 1);
        }
    }
    let file = dump.write(&text);
    for mode in [sessions(1), sessions(3)] {
        let trip = Trip::to(dump.server());
        let mut request = trip.request(&file);
        (request.mode, request.on_error) = (mode, OnError::KeepGoing);
        let restored = run_restore(&request).unwrap();
        let failed: Vec<_> = restored.errors.iter().map(|error| error.line).collect();
        assert_eq!(failed, lines);
        let there = plain(dump.server(), dump.fixture.database.name());
        assert_same_rows(
            "all but the errors",
            &plain(trip.server, &trip.name),
            &there,
        );
    }
}

#[test]
fn one_transaction_does_not_keep_going() {
    let dump = Dump::new();
    let trip = Trip::to(dump.server());
    let mut request = trip.request(&dump.write(&dump.text));
    (request.mode, request.on_error) = (Mode::SingleTransaction, OnError::KeepGoing);
    let error = run_restore(&request).unwrap_err();
    assert!(error.is_usage(), "{error}");
    check_gone(&trip, &error);
}

/// Rows and indexes that end the session which is at them.
#[test]
fn a_session_that_is_cut_in_a_row_or_an_index_leaves_no_database() {
    let fixture = Fixture::new(
        "CREATE TABLE a (id int); INSERT INTO a SELECT generate_series(1, 200000);
         CREATE FUNCTION bomb(at int, id int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
             IF at = id THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN true;
         END $$",
    );
    let cases = [
        "ALTER TABLE a ADD CHECK (public.bomb(1, id)) NOT VALID",
        "ALTER TABLE a ADD CHECK (public.bomb(199999, id)) NOT VALID",
        "CREATE INDEX ON a (public.bomb(100000, id))",
    ];
    let text = |more: &str| {
        // what it does to itself it does to a copy of the definition only
        let sql = String::from_utf8(plain(fixture.server(), fixture.database.name())).unwrap();
        let marker = if more.contains("INDEX") {
            "\n\n--\n-- PostgreSQL database dump complete"
        } else {
            "\n\n--\n-- Data for Name: a;"
        };
        let at = sql.find(marker).unwrap();
        format!(
            "{}\n{}\n{}",
            &sql[..at],
            more.replace("TABLE a", "TABLE public.a")
                .replace("ON a", "ON public.a")
                + ";",
            &sql[at..]
        )
    };
    for case in cases {
        for mode in MODES {
            let file = fixture.folder.path().join("bomb.sql");
            fs_err::write(&file, text(case)).unwrap();
            let trip = Trip::to(fixture.server());
            let mut request = trip.request(&file);
            request.mode = mode();
            let error = run_restore(&request).unwrap_err();
            assert_eq!(
                error.class(),
                "restore-connection-lost",
                "{case} {:?}: {error}",
                request.mode
            );
            check_gone(&trip, &error);
        }
    }
}

#[test]
fn an_unfinished_database_may_be_kept_under_a_name_that_says_so() {
    let dump = Dump::new();
    for (line, class) in [
        (BOMB, "restore-connection-lost"),
        (FAILS, "restore-statement-failed"),
    ] {
        let (file, _) = dump.with(dump.places[dump.places.len() - 5], line);
        let trip = Trip::to(dump.server());
        let mut request = trip.request(&file);
        (request.mode, request.unfinished) = (sessions(1), Unfinished::Keep);
        let error = run_restore(&request).unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        let [left] = &trip.databases()[..] else {
            panic!("{error}: {:?}", trip.databases())
        };
        assert!(
            left.starts_with(&format!("{}_restoring", trip.name)),
            "{left}"
        );
        assert!(error.to_string().contains(&**left), "{error}");
        assert!(
            matches!(error.left(), Left::Part { database, .. } if database == left),
            "{error:?}"
        );
        assert_eq!(
            trip.server.scalar(left, "SELECT count(*) FROM a").unwrap(),
            "3000"
        );
    }
}

#[test]
fn a_file_that_is_cut_never_comes_under_its_final_name() {
    let dump = Dump::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, dump.text.as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    let lengths = |length: usize| {
        (1..10)
            .map(move |at| length * at / 10)
            .chain([0, 5, length - 9, length - 1])
    };
    let plain = dump.text.as_bytes();
    let cases = lengths(whole.len())
        .map(|length| ("cut.sql.gz", &whole[..length]))
        .chain(lengths(plain.len() - 60).map(|length| ("cut.sql", &plain[..length])));
    for (at, (name, bytes)) in cases.enumerate() {
        let file = dump.fixture.folder.path().join(name);
        fs_err::write(&file, bytes).unwrap();
        let trip = Trip::to(dump.server());
        let mut request = trip.request(&file);
        request.mode = MODES[at % 3]();
        let error = run_restore(&request).unwrap_err();
        assert!(
            matches!(
                error.failure(),
                RestoreFailure::Archive(_) | RestoreFailure::Dump { .. }
            ),
            "{name} of {} bytes: {error:?}",
            bytes.len()
        );
        check_gone(&trip, &error);
    }
}

#[test]
fn a_nul_byte_is_refused_by_line() {
    let dump = Dump::new();
    let text = dump.text.replace("2\trow 2\n", "2\trow\x002\n");
    let line = text[..text.find('\0').unwrap()].matches('\n').count() as u64 + 1;
    let file = dump.write(&text);
    for mode in MODES {
        let trip = Trip::to(dump.server());
        let mut request = trip.request(&file);
        request.mode = mode();
        let error = run_restore(&request).unwrap_err();
        let RestoreFailure::Statement(statement) = error.failure() else {
            panic!("{error:?}")
        };
        assert_eq!(
            (statement.line, &*statement.sqlstate),
            (line, "22021"),
            "{error}"
        );
        check_gone(&trip, &error);
    }
}

#[test]
fn a_row_that_does_not_fit_is_named_by_its_line() {
    let dump = Dump::new();
    for (row, sqlstate) in [
        ("2000\trow 2000\tmore\n", "22P04"),
        ("x\trow 2000\n", "22P02"),
        ("2000\n", "22P04"),
    ] {
        let text = dump.text.replace("2000\trow 2000\n", row);
        let line = text[..text.find(&format!("\n{row}")).unwrap() + 1]
            .matches('\n')
            .count() as u64
            + 1;
        let file = dump.write(&text);
        for mode in MODES {
            let trip = Trip::to(dump.server());
            let mut request = trip.request(&file);
            request.mode = mode();
            let error = run_restore(&request).unwrap_err();
            let RestoreFailure::Statement(statement) = error.failure() else {
                panic!("{error:?}")
            };
            assert_eq!(
                (statement.line, &*statement.sqlstate),
                (line, sqlstate),
                "{:?} {error}",
                request.mode
            );
            check_gone(&trip, &error);
        }
    }
}

#[test]
fn a_key_that_the_rows_break_is_named_by_its_statement() {
    let dump = Dump::new();
    let text = dump
        .text
        .replace("\n2999\trow 2999\n", "\n2998\trow 2999\n");
    let file = dump.write(&text);
    let line = text[..text.find("ADD CONSTRAINT a_pkey").unwrap()]
        .matches('\n')
        .count() as u64;
    for mode in MODES {
        let trip = Trip::to(dump.server());
        let mut request = trip.request(&file);
        request.mode = mode();
        let error = run_restore(&request).unwrap_err();
        let RestoreFailure::Statement(statement) = error.failure() else {
            panic!("{error:?}")
        };
        assert_eq!(
            (statement.line, &*statement.sqlstate),
            (line, "23505"),
            "{error}"
        );
        assert_eq!(
            statement.detail.as_deref(),
            Some("Key (id)=(2998) is duplicated.")
        );
        check_gone(&trip, &error);
    }
}

#[test]
fn another_command_of_psqls_is_refused_before_anything_is_run() {
    let dump = Dump::new();
    let touched = dump.fixture.folder.path().join("touched");
    for command in [
        format!("\\! touch {}", touched.display()),
        format!("\\o {}", touched.display()),
        "\\i /etc/passwd".to_owned(),
        "\\copy a FROM PROGRAM 'id'".to_owned(),
        format!("SELECT 1 \\g {}", touched.display()),
        "\\set ON_ERROR_STOP off".to_owned(),
        "\\gexec".to_owned(),
    ] {
        let (file, line) = dump.with(dump.places[7], &command);
        let trip = Trip::to(dump.server());
        let error = run_restore(&trip.request(&file)).unwrap_err();
        assert!(
            error.to_string().contains(&format!("line {line}")),
            "{command}: {error}"
        );
        assert!(
            matches!(
                error.failure(),
                RestoreFailure::Archive(_) | RestoreFailure::Dump { .. }
            ),
            "{command}: {error:?}"
        );
        assert!(!touched.exists());
        check_gone(&trip, &error);
    }
}

#[test]
fn missing_roles_are_found_before_the_first_statement() {
    let fixture = Fixture::new("CREATE TABLE a (id int)");
    let role = format!("gone_{}", std::process::id());
    let sql = format!("CREATE ROLE {role}; ALTER TABLE a OWNER TO {role}");
    fixture.database.execute(&sql).unwrap();
    let text = plain(fixture.server(), fixture.database.name());
    fixture
        .database
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .unwrap();
    let file = fixture.folder.path().join("roles.sql");
    fs_err::write(&file, &text).unwrap();
    let trip = Trip::to(fixture.server());
    let mut request = trip.request(&file);
    let error = run_restore(&request).unwrap_err();
    assert_eq!(error.class(), "restore-needs-missing", "{error}");
    assert!(
        error.to_string().contains(&format!("role {role}")),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("--no-owner"));
    check_gone(&trip, &error);
    request.owners = dumper::Owners::Skip;
    run_restore(&request).unwrap();
}

#[test]
fn a_stop_anywhere_leaves_no_database_and_no_session() {
    let dump = Dump::new();
    let big = Fixture::new(&format!("{BIG}; CREATE INDEX ON big (t)"));
    let file = big.folder.path().join("big.sql");
    fs_err::write(&file, plain(big.server(), big.database.name())).unwrap();
    let mut stopped = 0;
    for mode in MODES {
        for after in [0, 1, 3, 6, 10] {
            let trip = Trip::to(dump.server());
            let mut request = trip.request(&file);
            request.mode = mode();
            let heard = Cell::new(0);
            let outcome = block_on(restore(&request, |_| heard.set(heard.get() + 1), async {
                while heard.get() <= after {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }));
            match outcome {
                Err(error) => {
                    assert!(error.is_interrupted(), "{error}");
                    assert_eq!(error.class(), "restore-interrupted");
                    check_gone(&trip, &error);
                    stopped += 1;
                }
                Ok(_) => assert_eq!(trip.databases(), std::slice::from_ref(&trip.name)),
            }
        }
    }
    assert!(stopped >= 9, "{stopped}");
}

fn own_server() -> TempServer {
    TempServer::start(&Env::open().unwrap().postgres(15).unwrap()).unwrap()
}

/// Calls `act` once the first rows are on their way.
fn restore_and(
    request: &RestoreRequest,
    act: impl FnOnce(),
) -> Result<dumper::Restored, RestoreError> {
    let mut act = Some(act);
    let hear = |progress| {
        if let RestoreProgress::Loading(at) = progress
            && at.rows > 0
            && let Some(act) = act.take()
        {
            act();
        }
    };
    let outcome = block_on(restore(request, hear, std::future::pending()));
    assert!(act.is_none(), "it was over before it could be disturbed");
    outcome
}

#[test]
fn a_server_that_goes_midway_has_nothing_under_the_final_name() {
    let big = Fixture::new(BIG);
    let file = big.folder.path().join("big.sql");
    fs_err::write(&file, plain(big.server(), big.database.name())).unwrap();
    for (fast, mode) in [
        (true, sessions(2)),
        (false, sessions(2)),
        (false, Mode::SingleTransaction),
    ] {
        let mut server = own_server();
        let handle = (*server).clone();
        let trip = Trip::to(&handle);
        let mut request = trip.request(&file);
        request.mode = mode;
        let error = restore_and(&request, || {
            if fast {
                server.stop_fast()
            } else {
                server.stop_immediate()
            }
            .unwrap();
        })
        .unwrap_err();
        assert_eq!(error.class(), "restore-connection-lost", "{error}");
        assert!(!format!("{error} {error:?}").contains(handle.password()));
        // nobody could drop it, and that is said, with its name
        server.restart().unwrap();
        let left = trip.databases();
        assert!(!left.contains(&trip.name), "{left:?}");
        for name in &left {
            assert!(error.to_string().contains(&**name), "{name}: {error}");
            assert_ne!(*error.left(), Left::Nothing);
        }
        run_restore(&request).unwrap();
    }
}

#[test]
fn sessions_that_are_cut_by_somebody_leave_no_database() {
    let big = Fixture::new(&format!("{BIG}; CREATE INDEX ON big (t)"));
    let file = big.folder.path().join("big.sql");
    fs_err::write(&file, plain(big.server(), big.database.name())).unwrap();
    for mode in MODES {
        let trip = Trip::to(big.server());
        let mut request = trip.request(&file);
        request.mode = mode();
        let error = restore_and(&request, || {
            let cut = format!(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname LIKE '{}\\_restoring%'",
                trip.name
            );
            assert_ne!(trip.server.scalar("postgres", &cut).unwrap(), "0");
        })
        .unwrap_err();
        assert_eq!(error.class(), "restore-connection-lost", "{error}");
        check_gone(&trip, &error);
    }
}

#[test]
fn a_wrong_password_and_a_server_that_is_not_there_are_said_without_the_password() {
    let dump = Dump::new();
    let file = dump.write(&dump.text);
    let trip = Trip::to(dump.server());
    let mut request = trip.request(&file);
    let dsn = trip.server.dsn_as("postgres", "wr0ng-secret", "postgres");
    for dsn in [
        dsn.clone(),
        dsn.replace(&format!(":{}/", trip.server.port()), ":1/"),
    ] {
        request.connection =
            pgdriver::ConnectOptions::parse_in(&dsn, &pgdriver::Environment::default()).unwrap();
        let error = run_restore(&request).unwrap_err();
        assert_eq!(error.class(), "restore-unreachable", "{error}");
        assert!(!format!("{error} {error:?} {request:?}").contains("wr0ng-secret"));
        check_gone(&trip, &error);
    }
}

/// Settings that a database may have, and that a dump must not suffer from.
#[test]
fn a_server_with_awkward_settings_restores_the_same() {
    let install = Env::open().unwrap().postgres(15).unwrap();
    let settings = [
        ("statement_timeout", "200ms"),
        ("lock_timeout", "50ms"),
        ("idle_in_transaction_session_timeout", "300ms"),
        ("standard_conforming_strings", "off"),
        ("backslash_quote", "off"),
        ("datestyle", "SQL, DMY"),
        ("intervalstyle", "sql_standard"),
        ("bytea_output", "escape"),
        ("extra_float_digits", "-15"),
        ("timezone", "Asia/Kathmandu"),
        ("default_transaction_isolation", "serializable"),
        ("default_transaction_deferrable", "on"),
        ("check_function_bodies", "on"),
        ("row_security", "on"),
        ("xmloption", "document"),
        ("search_path", "nowhere"),
        ("quote_all_identifiers", "on"),
        ("client_min_messages", "error"),
        ("default_transaction_read_only", "off"),
    ];
    let options = xtask::servers::Options {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..Default::default()
    };
    let server = TempServer::start_with(&install, options).unwrap();
    let big = Fixture::new(&format!(
        "{BIG}; CREATE INDEX ON big (t); CREATE TABLE d AS SELECT date '2020-02-01' AS d, interval '-1 mon 2 days' AS i, '\\x5c27'::bytea AS b, 0.1::float8 AS f, timestamptz '2020-01-02 03:04+00' AS t, xml '<a/>b' AS x, 'a\\\\b''c'::text AS s"
    ));
    let text = plain(big.server(), big.database.name());
    let file = big.folder.path().join("big.sql");
    fs_err::write(&file, &text).unwrap();
    let handle = (*server).clone();
    for mode in MODES {
        let trip = Trip::to(&handle);
        let mut request = trip.request(&file);
        request.mode = mode();
        run_restore(&request).unwrap_or_else(|error| panic!("{:?}: {error}", request.mode));
        assert_same_rows("awkward", &plain(&handle, &trip.name), &text);
    }
}

#[test]
fn a_name_that_is_taken_is_refused_untouched() {
    let dump = Dump::new();
    let trip = Trip::to(dump.server());
    trip.server.create_database(&trip.name).unwrap();
    trip.server
        .execute(&trip.name, "CREATE TABLE mine (id int)")
        .unwrap();
    let file = dump.write(&dump.text);
    let mut request = trip.request(&file);
    let before = plain(trip.server, &trip.name);
    for target in [dumper::Target::New, dumper::Target::ExistingEmpty] {
        request.target = target;
        let error = run_restore(&request).unwrap_err();
        assert!(
            matches!(error.failure(), RestoreFailure::Target { .. }),
            "{error:?}"
        );
        assert_eq!(*error.left(), Left::Nothing);
        assert_eq!(trip.databases(), std::slice::from_ref(&trip.name));
        crate::same::assert_same("untouched", &plain(trip.server, &trip.name), &before);
    }
    // its own database is no place for maintenance either where it is the target
    request.connection = connection(trip.server, &trip.name);
    run_restore(&request).unwrap_err();
    let _ = shared(15);
}
