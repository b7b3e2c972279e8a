//! pg_dump missing, too old, broken, or lying.

use std::path::Path;

use dumper::{DumpError, Places, Version, find_pg_dump};

use crate::support::{Fixture, fake, run};

fn places(path: &Path) -> Places {
    Places {
        path: Some(path.as_os_str().to_owned()),
        version_folders: vec![],
    }
}

fn fixture() -> Fixture {
    Fixture::new("CREATE TABLE a AS SELECT 1 AS id")
}

#[test]
fn the_newest_of_path_and_version_folders_is_found() {
    let fixture = fixture();
    let folder = fixture.folder.path();
    for (name, version) in [
        ("pg/14/bin", "14.9"),
        ("pg/18/bin", "18.1"),
        ("pg/17/bin", "17.2"),
        ("path", "16.3"),
    ] {
        fs_err::create_dir_all(folder.join(name)).unwrap();
        fixture.program(
            &format!("{name}/pg_dump"),
            &format!("echo 'pg_dump (PostgreSQL) {version}'"),
        );
    }
    let mut places = places(&folder.join("path"));
    assert_eq!(
        places.find_pg_dump(None, 150_018).unwrap().version,
        Version {
            major: 16,
            minor: 3
        }
    );
    places.version_folders = vec![folder.join("pg/*/bin"), folder.join("none/*/bin")];
    let found = places.find_pg_dump(None, 150_018).unwrap();
    assert_eq!(found.path, folder.join("pg/18/bin/pg_dump"));
    assert_eq!(found.version_text, "pg_dump (PostgreSQL) 18.1");
    let error = places.find_pg_dump(None, 190_000).unwrap_err();
    assert!(
        matches!(
            error,
            DumpError::PgDumpTooOld {
                found: Version {
                    major: 18,
                    minor: 1
                },
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_missing_one_is_said_to_be_missing() {
    let fixture = fixture();
    let error = places(fixture.folder.path())
        .find_pg_dump(None, 150_018)
        .unwrap_err();
    assert_eq!(error.class(), "pg-dump-missing");
    assert!(
        error
            .to_string()
            .contains(fixture.folder.path().to_str().unwrap()),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("postgresql-client-15"));
    let error = find_pg_dump(Some(&fixture.folder.path().join("not/there")), 150_018).unwrap_err();
    assert!(
        error.to_string().ends_with("not/there: not there"),
        "{error}"
    );
}

#[test]
fn an_explicit_one_is_the_only_candidate() {
    let fixture = fixture();
    let old = fixture.program("pg_dump", "echo 'pg_dump (PostgreSQL) 9.6.24'");
    let error = find_pg_dump(Some(&old), 150_018).unwrap_err();
    assert!(
        matches!(&error, DumpError::PgDumpTooOld { path, .. } if *path == old),
        "{error}"
    );
    assert_eq!(error.class(), "pg-dump-too-old");
}

#[test]
fn what_is_no_pg_dump_is_named() {
    let fixture = fixture();
    let cases = [
        ("exit 127", "cannot be run (exit status: 127)"),
        (
            "echo 'pg_restore (PostgreSQL) 15.1'",
            "is not pg_dump: `--version` said `pg_restore (PostgreSQL) 15.1`",
        ),
        (
            "echo libpq.so.5: cannot open shared object file >&2; exit 127",
            "libpq.so.5: cannot open shared object",
        ),
    ];
    for (number, (script, expected)) in cases.into_iter().enumerate() {
        let program = fixture.program(&format!("program{number}"), script);
        let error = find_pg_dump(Some(&program), 150_018).unwrap_err();
        assert_eq!(error.class(), "pg-dump-missing");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn one_that_is_older_than_the_server_says_so_itself() {
    let mut fixture = Fixture::on(18, "CREATE TABLE a AS SELECT 1 AS id");
    let old = Fixture::on(15, "SELECT 1").request().pg_dump;
    fixture.folder = tempfile::tempdir().unwrap();
    let mut request = fixture.request();
    request.pg_dump = old;
    let error = run(&request).unwrap_err();
    assert!(
        matches!(
            &error,
            DumpError::PgDumpTooOld {
                needed: Version { major: 18, .. },
                ..
            }
        ),
        "{error}"
    );
    assert!(fixture.files().is_empty());
}

#[test]
fn success_with_nothing_written_is_a_failure() {
    let fixture = fixture();
    let error = run(&fixture.request_with("exit 0")).unwrap_err();
    assert_eq!(error.class(), "backup-empty");
    assert!(fixture.files().is_empty());
}

#[test]
fn success_with_a_part_written_is_a_failure() {
    let fixture = fixture();
    let error = run(&fixture.request_with("\"$REAL\" \"$@\" | head -c 500; exit 0")).unwrap_err();
    assert_eq!(error.class(), "backup-unverified");
    assert!(
        error.to_string().contains("holds an incomplete dump"),
        "{error}"
    );
    assert!(fixture.files().is_empty());
}

#[test]
fn everything_written_with_a_failure_is_a_failure() {
    let fixture = fixture();
    let error =
        run(&fixture.request_with("\"$REAL\" \"$@\"; echo 'pg_dump: error: late' >&2; exit 3"))
            .unwrap_err();
    assert_eq!(
        error.to_string(),
        "pg_dump failed (exit status: 3): pg_dump: error: late"
    );
    assert_eq!(error.class(), "backup-failed");
    assert!(fixture.files().is_empty());
}

#[test]
fn one_that_cannot_start_is_named() {
    let fixture = fixture();
    let mut request = fixture.request();
    request.pg_dump = fake(fixture.folder.path().join("gone"), 15);
    let error = run(&request).unwrap_err();
    assert!(matches!(error, DumpError::Start { .. }), "{error}");
    assert!(fixture.files().is_empty());
}
