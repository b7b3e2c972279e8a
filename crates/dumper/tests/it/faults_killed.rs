//! kill -9 of the process that dumps: what it leaves looks like what it is, and is in nobody's way.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dumper::{
    Analyze, Format, OldSessions, OnError, Owners, Privileges, RestoreRequest, State, Target,
    Unfinished, Writer, list, verify,
};
use xtask::servers::Server;

use crate::support::{BIG, Fixture, eventually, run};
use crate::trip::{Trip, run_restore, sessions};

/// In the child: the database to dump and the folder for it.
const DATABASE: &str = "DUMPER_TEST_CHILD_DATABASE";
const FOLDER: &str = "DUMPER_TEST_CHILD_FOLDER";
const FORMAT: &str = "DUMPER_TEST_CHILD_FORMAT";
/// In the child that restores: what.
const ARCHIVE: &str = "DUMPER_TEST_CHILD_ARCHIVE";

/// Not a test of its own: the child that is killed while it restores.
#[test]
fn child_that_restores() {
    let Some(archive) = std::env::var_os(ARCHIVE) else {
        return;
    };
    let told = std::env::var(DATABASE).unwrap();
    let name = part(&told, 4);
    let request = RestoreRequest {
        archive: archive.into(),
        connection: connection(&told).with_database("postgres"),
        into: name,
        target: Target::New,
        sessions: OldSessions::Refuse,
        mode: sessions(2),
        owners: Owners::Keep,
        privileges: Privileges::Keep,
        on_error: OnError::Stop,
        analyze: Analyze::No,
        unfinished: Unfinished::Drop,
        pg_restore: None,
    };
    run_restore(&request).unwrap();
    unreachable!("it was to be killed");
}

/// Not a test of its own: the child that is killed.
#[test]
fn child_that_dumps() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let mut request = Fixture::new("SELECT 1").request();
    let database = std::env::var(DATABASE).unwrap();
    request.connection = connection(&database);
    request.environment = environment(&database);
    request.password = Some(dumper::Password::new(part(&database, 3)));
    request.database = part(&database, 4);
    request.directory = folder.into();
    if std::env::var(FORMAT).unwrap() == "custom" {
        request.format = Format::Custom;
    }
    run(&request).unwrap();
    unreachable!("it was to be killed");
}

/// `host port user password database`, a line each.
fn told(server: &Server, database: &str) -> String {
    let port = server.port().to_string();
    [
        server.host(),
        &port,
        server.user(),
        server.password(),
        database,
    ]
    .join("\n")
}

fn part(told: &str, at: usize) -> String {
    told.lines().nth(at).unwrap().to_owned()
}

fn environment(told: &str) -> Vec<(String, String)> {
    ["PGHOST", "PGPORT", "PGUSER"]
        .iter()
        .enumerate()
        .map(|(at, name)| ((*name).to_owned(), part(told, at)))
        .collect()
}

fn connection(told: &str) -> pgdriver::ConnectOptions {
    let parts: Vec<_> = told.lines().collect();
    let dsn = format!(
        "postgresql://{}:{}@{}:{}/{}",
        parts[2], parts[3], parts[0], parts[1], parts[4]
    );
    pgdriver::ConnectOptions::parse_in(&dsn, &pgdriver::Environment::default()).unwrap()
}

struct Doomed(Child);

impl Doomed {
    fn dumping(fixture: &Fixture, format: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "faults_killed::child_that_dumps", "--nocapture"])
            .env(DATABASE, told(fixture.server(), fixture.database.name()))
            .env(FOLDER, fixture.backups())
            .env(FORMAT, format)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn restoring(trip: &Trip<'_>, archive: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "faults_killed::child_that_restores"])
            .env(DATABASE, told(trip.server, &trip.name))
            .env(ARCHIVE, archive)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Once this is so, it is killed.
    fn killed_once(mut self, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            let ended = self.0.try_wait().unwrap();
            assert!(ended.is_none(), "it ended by itself: {ended:?}");
            assert!(Instant::now() < deadline, "nothing to be killed in");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().signal(), Some(9));
    }
}

fn partial(folder: &Path) -> Option<(PathBuf, u64)> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut partials = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|it| it == "partial"));
    let entry = partials.next()?;
    Some((entry.path(), entry.metadata().ok()?.len()))
}

#[track_caller]
fn check_killed(format: &str) {
    let fixture = Fixture::new(BIG);
    let folder = fixture.backups();
    Doomed::dumping(&fixture, format)
        .killed_once(|| partial(&folder).is_some_and(|(_, bytes)| bytes > 200_000));

    // only what is named so is left, and it is no backup
    let (left, _) = partial(&folder).unwrap();
    let names: Vec<_> = fixture.files();
    assert!(
        names.iter().all(|name| name.ends_with(".partial")),
        "{names:?}"
    );
    assert!(verify(&left).is_err());
    let listed = list(&folder).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state, State::Unfinished(Writer::Gone));
    assert!(!listed[0].is_good());

    // its pg_dump and its sessions end, since nobody reads them any more
    let others = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name <> 'xtask'",
        fixture.database.name()
    );
    eventually(|| fixture.server().scalar("postgres", &others).unwrap() == "0");

    // the next one does not stumble
    let archive = run(&fixture.request()).unwrap();
    assert_eq!(archive.rows, 300_000);
    verify(&archive.path).unwrap();
    assert_ne!(archive.path, left);
    assert!(list(&folder).unwrap().iter().any(dumper::Listed::is_good));
}

#[test]
fn kill_9_of_us_leaves_what_is_named_unfinished() {
    check_killed("plain");
}

#[test]
fn kill_9_of_us_leaves_a_custom_archive_that_is_named_unfinished() {
    check_killed("custom");
}

#[test]
fn kill_9_of_us_leaves_a_database_that_is_named_unfinished() {
    let fixture = Fixture::new(&format!("{BIG}; CREATE INDEX ON big (t)"));
    let archive = run(&fixture.request()).unwrap();
    let trip = Trip::to(fixture.server());
    let running = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '{}\\_restoring%' AND query LIKE 'COPY %' AND state = 'active'",
        trip.name
    );
    Doomed::restoring(&trip, &archive.path)
        .killed_once(|| trip.server.scalar("postgres", &running).unwrap() != "0");
    let [left] = &trip.databases()[..] else {
        panic!("{:?}", trip.databases())
    };
    assert!(
        left.starts_with(&format!("{}_restoring_", trip.name)),
        "{left}"
    );
    eventually(|| trip.sessions() == 0);

    // the next one is not in its way
    let restored = run_restore(&trip.request(&archive.path)).unwrap();
    assert_eq!(restored.rows, 300_000);
    assert_eq!(trip.databases(), [trip.name.clone(), left.clone()]);
}
