//! Dumps that others wrote: pg_dump of every version, with the options that change what it writes; and into other versions.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use dumper::{OnError, SkipReason, verify};
use xtask::servers::{Server, available, shared};

use crate::everything::{everything, prepare};
use crate::same::{assert_same_rows, pg_dump, pg_dump_of, plain};
use crate::support::{Fixture, tool};
use crate::trip::{Trip, run_restore, sessions};

/// What changes pg_dump's text, but not what comes of it.
const TEXTS: &[&[&str]] = &[
    &[],
    &["--create"],
    &["--clean", "--if-exists"],
    &["--create", "--clean", "--if-exists"],
    &["--quote-all-identifiers", "--disable-dollar-quoting"],
    &["--no-comments"],
];

const INSERTS: &[&[&str]] = &[
    &["--inserts"],
    &["--column-inserts"],
    &["--rows-per-insert=50"],
];

fn into_file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs_err::write(&path, bytes).unwrap();
    path
}

#[track_caller]
fn check_text(fixture: &Fixture, options: &[&str]) {
    let (server, name) = (fixture.server(), fixture.database.name());
    let what = format!("{} {options:?}", server.major());
    let sql = pg_dump(server, name, options);
    let file = into_file(fixture.folder.path(), "foreign.sql", &sql);
    verify(&file).unwrap_or_else(|error| panic!("{what}: {error}"));
    let trip = Trip::to(server);
    let mut request = trip.request(&file);
    let drops = options.contains(&"--clean") && !options.contains(&"--create");
    if drops {
        request.on_error = OnError::KeepGoing;
    }
    let restored = run_restore(&request).unwrap_or_else(|error| panic!("{what}: {error}"));
    for error in &restored.errors {
        // what pg_dump alters before it drops it (a view that depends on a key, a constraint) has no IF EXISTS of its schema
        let known = drops && !error.statement.starts_with("CREATE TABLE");
        assert!(known && error.sqlstate == "3F000", "{what}: {error}");
    }
    let kept: &[&str] = if options.contains(&"--no-comments") {
        &["--no-comments"]
    } else {
        &[]
    };
    let of = |name: &str| pg_dump(server, name, kept);
    assert_same_rows(&what, &of(&trip.name), &of(name));
    assert_eq!(trip.databases(), std::slice::from_ref(&trip.name), "{what}");
}

#[test]
fn heavy_what_pg_dump_writes_with_other_options_comes_back() {
    for major in [14, 18] {
        let fixture = everything(major);
        for options in TEXTS {
            check_text(&fixture, options);
        }
    }
}

/// Of a superuser's objects: another owner would have to have the rights to make his again.
#[test]
fn what_is_made_under_another_name_comes_back() {
    for major in [15, 18] {
        check_text(
            &Fixture::on(major, PORTABLE),
            &["--use-set-session-authorization"],
        );
    }
}

#[test]
fn heavy_rows_as_inserts_come_back() {
    let fixture = everything(18);
    // a statement for each of so many characters says nothing new
    fixture
        .database
        .execute("DELETE FROM vals.characters WHERE i BETWEEN 900 AND 12000")
        .unwrap();
    // pg_dump writes -0 without quotes, which is an integer's 0
    fixture
        .database
        .execute("DELETE FROM vals.floats WHERE d = 0")
        .unwrap();
    for options in INSERTS {
        check_text(&fixture, options);
    }
}

#[test]
fn heavy_compressed_texts_and_pg_dumps_own_formats_come_back() {
    for major in [14, 18] {
        let fixture = everything(major);
        let (server, name) = (fixture.server(), fixture.database.name());
        let direct = plain(server, name);
        let folder = fixture.folder.path();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&direct).unwrap();
        let mut files = vec![into_file(folder, "a.sql.gz", &gzip.finish().unwrap())];
        let file = |format: &str, name: &str, more: &[&str]| {
            let path = folder.join(name);
            let mut command = tool(&fixture.database, "pg_dump");
            let output = command
                .arg(format)
                .arg("-f")
                .arg(&path)
                .args(more)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            path
        };
        files.push(file("-Fc", "a.dump", &[]));
        files.push(file("-Ft", "a.tar", &[]));
        files.push(file("-Fd", "a.dir", &["-j2"]));
        if major >= 16 {
            files.push(file("-Fp", "a.sql.zst", &["--compress=zstd:1"]));
            files.push(file("-Fp", "renamed.gz.txt", &["--compress=gzip:1"]));
            files.push(file("-Fc", "zstd.dump", &["--compress=zstd:1"]));
        }
        for file in files {
            let what = format!("{major} {}", file.display());
            let trip = Trip::to(server);
            let restored =
                run_restore(&trip.request(&file)).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(restored.errors.is_empty(), "{what}");
            assert_same_rows(&what, &plain(server, &trip.name), &direct);
        }
    }
}

/// Both as the newest pg_dump sees them.
#[track_caller]
fn check_rows(what: &str, left: (&Server, &str), right: (&Server, &str)) {
    let newest = shared(*available().last().unwrap());
    let rows = |(server, name): (&Server, &str)| {
        pg_dump_of(
            newest,
            server,
            name,
            &["--data-only", "--no-publications", "--no-subscriptions"],
        )
    };
    let without_versions = |sql: Vec<u8>| {
        let lines = sql
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.starts_with(b"-- Dumped "));
        lines.collect::<Vec<_>>().join(&b'\n')
    };
    assert_same_rows(
        what,
        &without_versions(rows(left)),
        &without_versions(rows(right)),
    );
}

#[test]
fn heavy_a_dump_of_an_older_server_comes_back_on_every_newer_one() {
    let newest = *available().last().unwrap();
    for (at, &from) in available().iter().enumerate() {
        let fixture = everything(from);
        let (server, name) = (fixture.server(), fixture.database.name());
        let file = into_file(fixture.folder.path(), "a.sql", &plain(server, name));
        let to = available()[at + 1..]
            .iter()
            .filter(|to| **to == from + 1 || **to == newest);
        for &to in to {
            prepare(shared(to));
            let trip = Trip::to(shared(to));
            let restored = run_restore(&trip.request(&file))
                .unwrap_or_else(|error| panic!("{from} → {to}: {error}"));
            assert!(restored.errors.is_empty(), "{from} → {to}");
            check_rows(
                &format!("{from} → {to}"),
                (trip.server, &trip.name),
                (server, name),
            );
        }
    }
}

const PORTABLE: &str = "
    CREATE TABLE a (id int PRIMARY KEY, t text DEFAULT 'x', b bytea);
    INSERT INTO a SELECT i, E'\\\\.\\t' || i, decode(md5(i::text), 'hex') FROM generate_series(1, 2000) i;
    CREATE TABLE b (id int GENERATED ALWAYS AS IDENTITY, a int REFERENCES a);
    INSERT INTO b (a) SELECT i FROM generate_series(1, 500) i;
    CREATE INDEX ON a (t);
    CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;
    CREATE VIEW v AS SELECT count(*) FROM a;
    SELECT lo_from_bytea(4711, 'large');
    COMMENT ON TABLE a IS 'a;b'";

#[test]
fn heavy_a_dump_of_a_newer_server_comes_back_on_older_ones_and_says_what_it_left_out() {
    for from in [17, 18] {
        let fixture = Fixture::on(from, PORTABLE);
        let (server, name) = (fixture.server(), fixture.database.name());
        let file = into_file(fixture.folder.path(), "a.sql", &plain(server, name));
        for to in [14, 16] {
            for mode in [sessions(2), dumper::Mode::SingleTransaction] {
                let trip = Trip::to(shared(to));
                let mut request = trip.request(&file);
                request.mode = mode;
                let restored =
                    run_restore(&request).unwrap_or_else(|error| panic!("{from} → {to}: {error}"));
                let left_out: Vec<_> = restored
                    .skipped
                    .iter()
                    .map(|it| &it.reason)
                    .filter(|it| **it != SkipReason::Transaction)
                    .collect();
                assert_eq!(
                    left_out,
                    [&SkipReason::UnknownSetting(
                        "transaction_timeout".to_owned()
                    )],
                    "{from} → {to}"
                );
                check_rows(
                    &format!("{from} → {to}"),
                    (trip.server, &trip.name),
                    (server, name),
                );
            }
        }
    }
}
