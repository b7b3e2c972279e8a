//! What the server, the disk and the network refuse.

use std::time::Duration;

use dumper::{DumpError, Password, Progress, Refusal, dump};

use crate::support::{BIG, Fixture, SmallDisk, block_on, files, run, run_and, skipped};

const SMALL: &str = "CREATE TABLE a AS SELECT 1 AS id";

#[test]
fn a_wrong_password_is_refused_and_not_repeated() {
    let fixture = Fixture::new(SMALL);
    let mut request = fixture.request();
    request.password = Some(Password::new("wr0ng-secret"));
    let error = run(&request).unwrap_err();
    assert!(
        matches!(
            error,
            DumpError::Refused {
                refusal: Refusal::Login,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.class(), "backup-refused");
    assert!(
        error.to_string().contains("password authentication failed"),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains("wr0ng-secret"));
    assert!(fixture.files().is_empty());
}

#[test]
fn a_password_that_pg_dump_repeats_is_scrubbed() {
    let fixture = Fixture::new(SMALL);
    let mut request = fixture.request_with("echo \"password is $PGPASSWORD\" >&2; exit 1");
    request.password = Some(Password::new("s3cret"));
    let error = run(&request).unwrap_err();
    assert!(
        error.to_string().ends_with("password is ********"),
        "{error}"
    );
}

#[test]
fn no_such_database_is_refused() {
    let fixture = Fixture::new(SMALL);
    let mut request = fixture.request();
    request.database = "not there".to_owned();
    let error = run(&request).unwrap_err();
    assert!(
        matches!(
            error,
            DumpError::Refused {
                refusal: Refusal::Login,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_unreachable() {
    let fixture = Fixture::new(SMALL);
    let mut request = fixture.request();
    request.environment = vec![
        ("PGHOST".into(), "127.0.0.1".into()),
        ("PGPORT".into(), "1".into()),
    ];
    let error = run(&request).unwrap_err();
    assert!(
        matches!(
            error,
            DumpError::ConnectionLost {
                established: false,
                ..
            }
        ),
        "{error}"
    );
    assert!(fixture.files().is_empty());
}

#[test]
fn a_table_that_cannot_be_read_is_named_with_the_grant_that_helps() {
    let fixture = Fixture::new(&format!(
        "{SMALL}; CREATE TABLE secret (id int); REVOKE ALL ON secret FROM public"
    ));
    fixture
        .server()
        .create_role("dump_reader", "PASSWORD 'reader'")
        .unwrap();
    fixture
        .database
        .execute("GRANT SELECT ON a TO dump_reader")
        .unwrap();
    let mut request = fixture.request();
    request.environment.retain(|(name, _)| name != "PGUSER");
    request
        .environment
        .push(("PGUSER".into(), "dump_reader".into()));
    request.password = Some(Password::new("reader"));
    let error = run(&request).unwrap_err();
    let DumpError::Refused {
        refusal: Refusal::Privilege { object },
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(object, "table secret");
    assert!(error.hint().unwrap().contains("GRANT pg_read_all_data"));

    fixture
        .database
        .execute(
            "ALTER TABLE secret ENABLE ROW LEVEL SECURITY; GRANT SELECT ON secret TO dump_reader",
        )
        .unwrap();
    let error = run(&request).unwrap_err();
    let DumpError::Refused {
        refusal: Refusal::RowSecurity { table },
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(table, "secret");
    assert!(error.hint().unwrap().contains("BYPASSRLS"));
    assert!(fixture.files().is_empty());
}

#[test]
fn a_locked_table_is_waited_for_only_so_long() {
    let fixture = Fixture::new(SMALL);
    let mut request = fixture.request();
    request.lock_wait_timeout = Some(Duration::from_millis(300));
    let outcome = fixture
        .server()
        .with_client(fixture.database.name(), |client| {
            client.batch_execute("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE")?;
            let outcome = run(&request);
            client.batch_execute("ROLLBACK")?;
            Ok(outcome)
        });
    let error = outcome.unwrap().unwrap_err();
    let DumpError::LockTimeout { tables, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(tables, &["public.a"]);
    assert_eq!(error.class(), "backup-lock-timeout");
    assert!(error.to_string().contains("within 0.3 s"), "{error}");
    assert!(fixture.files().is_empty());
    run(&request).unwrap();
}

#[test]
fn a_connection_cut_midway_leaves_nothing() {
    let fixture = Fixture::new(BIG);
    let name = fixture.database.name().to_owned();
    let error = run_and(&fixture.request(), || {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = '{name}' AND application_name LIKE 'pg_dump %'"
        );
        assert_eq!(fixture.server().scalar("postgres", &sql).unwrap(), "1");
    })
    .unwrap_err();
    assert!(
        matches!(
            error,
            DumpError::ConnectionLost {
                established: true,
                ..
            }
        ),
        "{error}"
    );
    assert!(fixture.files().is_empty());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let fixture = Fixture::new(SMALL);
    fs_err::write(fixture.folder.path().join("file"), "").unwrap();
    let mut request = fixture.request();
    request.directory = fixture.folder.path().join("file/backups");
    let error = run(&request).unwrap_err();
    assert_eq!(error.class(), "backup-not-writable");
    assert!(error.to_string().contains("file/backups"), "{error}");
}

#[test]
fn a_full_disk_ends_the_dump_and_leaves_nothing() {
    let Some(disk) = SmallDisk::of(2048) else {
        skipped("this user may not mount a small file system");
        return;
    };
    let fixture = Fixture::new(BIG);
    let mut request = fixture.request();
    request.directory = disk.path().join("backups");
    request.estimated_bytes = Some(60_000_000);
    let mut warnings = Vec::new();
    let hear = |progress| {
        if let Progress::Warning(text) = progress {
            warnings.push(text);
        }
    };
    let error = block_on(dump(&request, hear, std::future::pending())).unwrap_err();
    let DumpError::OutOfDisk {
        written,
        free,
        estimated,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert!((1_000_000..2_097_152).contains(written), "{written}");
    assert!(free.is_some_and(|free| free > 1_900_000), "{free:?}");
    assert!(
        estimated.is_some_and(|bytes| bytes > 30_000_000),
        "{estimated:?}"
    );
    assert_eq!(error.class(), "out-of-disk");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("it may not fit"), "{warnings:?}");
    assert!(files(&request.directory).is_empty());
    assert_eq!(fixture.sessions(), 0);
}

#[test]
fn a_disk_without_any_room_is_refused_before_pg_dump_starts() {
    let Some(disk) = SmallDisk::of(64) else {
        skipped("this user may not mount a small file system");
        return;
    };
    let fixture = Fixture::new(BIG);
    let mut request = fixture.request();
    request.directory = disk.path().to_owned();
    let error = run(&request).unwrap_err();
    assert!(
        matches!(error, DumpError::OutOfDisk { written: 0, .. }),
        "{error}"
    );
}
