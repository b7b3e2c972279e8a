//! The server goes, pg_dump is told to go, the folder refuses.

use std::process::Command;

use dumper::{DumpError, list};
use xtask::env::Env;
use xtask::servers::TempServer;

use crate::support::{BIG, Fixture, SmallDisk, files, run, run_and, skipped};

/// A server of the test's own, with a database to dump on it.
fn own(sql: &str) -> (TempServer, Fixture) {
    let install = Env::open().unwrap().postgres(15).unwrap();
    let server = TempServer::start(&install).unwrap();
    let database = server.database().unwrap();
    database.execute(sql).unwrap();
    // a crash may lose what was not written yet
    database.execute("CHECKPOINT").unwrap();
    let folder = tempfile::tempdir().unwrap();
    (server, Fixture { database, folder })
}

#[track_caller]
fn check_lost(error: &DumpError, fixture: &Fixture) {
    assert!(
        matches!(
            error,
            DumpError::ConnectionLost {
                established: true,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.class(), "backup-connection-lost");
    assert!(error.hint().unwrap().contains("server's log"), "{error}");
    assert!(!format!("{error} {error:?}").contains(fixture.server().password()));
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
}

#[test]
fn a_server_that_crashes_midway_leaves_nothing() {
    let (mut server, fixture) = own(BIG);
    let error = run_and(&fixture.request(), || server.stop_immediate().unwrap()).unwrap_err();
    check_lost(&error, &fixture);
    server.restart().unwrap();
    assert_eq!(run(&fixture.request()).unwrap().rows, 300_000);
}

#[test]
fn a_server_that_is_stopped_midway_leaves_nothing() {
    let (mut server, fixture) = own(BIG);
    let error = run_and(&fixture.request(), || server.stop_fast().unwrap()).unwrap_err();
    check_lost(&error, &fixture);
    assert!(list(&fixture.backups()).unwrap().is_empty());
}

#[test]
fn every_signal_that_ends_pg_dump_is_named_and_leaves_nothing() {
    for (signal, words) in [
        ("-15", "terminated by user"),
        ("-9", "signal: 9"),
        ("-11", "signal: 11"),
    ] {
        let fixture = Fixture::new(BIG);
        let known = "echo $$ > \"${0%/*}/pid\"; exec \"$REAL\" \"$@\"";
        let error = run_and(&fixture.request_with(known), || {
            let pid = fs_err::read_to_string(fixture.folder.path().join("pid")).unwrap();
            let killed = Command::new("kill").args([signal, pid.trim()]).status();
            assert!(killed.unwrap().success());
        })
        .unwrap_err();
        assert!(matches!(error, DumpError::Failed { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(
            fixture.files().is_empty(),
            "{signal}: {:?}",
            fixture.files()
        );
    }
}

#[test]
fn a_file_system_that_is_read_only_is_named() {
    let Some(disk) = SmallDisk::of(1024) else {
        skipped("this user may not mount a small file system");
        return;
    };
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let mut request = fixture.request();
    request.directory = disk.path().join("backups");
    fs_err::create_dir(&request.directory).unwrap();
    disk.make_read_only();
    let error = run(&request).unwrap_err();
    assert_eq!(error.class(), "backup-not-writable", "{error:?}");
    assert!(error.to_string().contains("backups"), "{error}");
    assert!(error.to_string().contains("Read-only"), "{error}");
    assert!(error.hint().unwrap().contains("--backup-dir"));
    assert!(files(&request.directory).is_empty());
}

/// Root may write anywhere; others are refused.
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let mut request = fixture.request();
    request.directory = fixture.folder.path().join("shut");
    fs_err::create_dir(&request.directory).unwrap();
    fs_err::set_permissions(&request.directory, std::fs::Permissions::from_mode(0o500)).unwrap();
    if std::fs::write(request.directory.join("probe"), "").is_ok() {
        skipped("this user may write anywhere");
        return;
    }
    let error = run(&request).unwrap_err();
    assert_eq!(error.class(), "backup-not-writable", "{error:?}");
    assert!(error.to_string().contains("ermission denied"), "{error}");
}
