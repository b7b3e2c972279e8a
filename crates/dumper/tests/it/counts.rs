//! Rows as the server counts them, in the snapshot that is dumped: what is the same, what differs, and what a snapshot
//! does not hide.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dumper::{Archive, DumpError, Format, Grade, Manifest, Progress, Verified, VerifyError, dump};
use xtask::env::Env;
use xtask::servers::{PoolMode, Pooler, TempServer, available};

use crate::support::{BIG, Fixture, block_on, eventually, run, run_and, skipped};

/// Every kind of table that holds rows, and some that hold none themselves.
const KINDS: &str = "\
    CREATE TABLE plain AS SELECT i AS id FROM generate_series(1, 100) i; CREATE INDEX ON plain (id); \
    CREATE TABLE part (id int, at int) PARTITION BY RANGE (at); \
    CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10); \
    CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20) PARTITION BY HASH (id); \
    CREATE TABLE part_2_0 PARTITION OF part_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
    CREATE TABLE part_2_1 PARTITION OF part_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
    INSERT INTO part SELECT i, i % 20 FROM generate_series(1, 300) i; \
    CREATE TABLE parent (id int); CREATE TABLE child (more text) INHERITS (parent); \
    INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (3, 'a'), (4, 'b'), (5, 'c'); \
    CREATE UNLOGGED TABLE quick AS SELECT 1 AS id; \
    CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; CREATE TABLE empty (id int); \
    CREATE MATERIALIZED VIEW seen AS SELECT * FROM plain; CREATE VIEW looked AS SELECT * FROM plain; \
    CREATE SCHEMA \"Odd \"\"s\"; CREATE TABLE \"Odd \"\"s\".\"t'\\x.y\" (id int); \
    INSERT INTO \"Odd \"\"s\".\"t'\\x.y\" VALUES (1); \
    CREATE TYPE mood AS ENUM ('a', 'b', 'c'); CREATE TABLE moods (m mood) PARTITION BY HASH (m); \
    CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
    CREATE TABLE moods_1 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
    INSERT INTO moods SELECT (ARRAY['a', 'b', 'c'])[1 + i % 3]::mood FROM generate_series(1, 30) i; \
    CREATE TABLE own_of_extension (id int); CREATE TABLE configured (id int); \
    INSERT INTO own_of_extension VALUES (1); INSERT INTO configured VALUES (1), (2), (3); \
    CREATE EXTENSION pgcrypto; ALTER EXTENSION pgcrypto ADD TABLE own_of_extension; \
    ALTER EXTENSION pgcrypto ADD TABLE configured; \
    UPDATE pg_extension SET extconfig = ARRAY['configured'::regclass::oid], extcondition = ARRAY['WHERE id > 1'] \
     WHERE extname = 'pgcrypto'";

fn rows_of(archive: &Archive, table: &str) -> u64 {
    let rows = archive.tables.iter().filter(|it| it.to_string() == table);
    rows.map(|it| it.rows).sum()
}

#[track_caller]
fn check_kinds(major: u32, format: Format) {
    let fixture = Fixture::on(major, KINDS);
    let mut request = fixture.request();
    request.format = format;
    let archive = run(&request).unwrap();
    assert_eq!(archive.verified, Verified::Counts);
    assert_eq!(archive.warnings, Vec::<String>::new());
    for table in &archive.tables {
        assert_eq!(table.grade, Grade::Exact, "{table}");
    }
    let expected = [
        ("public.plain", 100),
        ("public.parent", 2),
        ("public.child", 3),
        ("public.quick", 1),
        ("public.nothing", 1),
        ("public.empty", 0),
        ("public.configured", 2),
        ("public.own_of_extension", 0),
        ("Odd \"s.t'\\x.y", 1),
    ];
    for (table, rows) in expected {
        assert_eq!(rows_of(&archive, table), rows, "{table}");
    }
    let part =
        ["part_1", "part_2_0", "part_2_1"].map(|it| rows_of(&archive, &format!("public.{it}")));
    assert_eq!(part.iter().sum::<u64>(), 300);
    // as leaves, or as their root where pg_dump knows that an enum's hash is not to be relied on
    let moods =
        ["moods", "moods_0", "moods_1"].map(|it| rows_of(&archive, &format!("public.{it}")));
    assert_eq!(moods.iter().sum::<u64>(), 30);
    assert!(
        !archive
            .tables
            .iter()
            .any(|it| it.name == "own_of_extension")
    );
}

#[test]
fn every_kind_of_table_is_counted_on_every_version() {
    for major in available() {
        check_kinds(*major, Format::Plain);
    }
}

#[test]
fn every_kind_of_table_is_counted_in_pg_dumps_own_formats() {
    check_kinds(14, Format::Custom);
    check_kinds(18, Format::Directory);
}

#[test]
fn rows_that_come_and_go_meanwhile_change_nothing() {
    let fixture = Fixture::new(&format!(
        "{BIG}; CREATE TABLE busy AS SELECT i AS id FROM generate_series(1, 1000) i"
    ));
    let over = AtomicBool::new(false);
    let archive = thread::scope(|scope| {
        scope.spawn(|| {
            let mut rounds = 0;
            while !over.load(Ordering::Relaxed) {
                let sql = "INSERT INTO busy SELECT generate_series(1, 50); DELETE FROM busy WHERE id % 7 = 3; \
                           UPDATE big SET t = t WHERE i <= 20; DELETE FROM big WHERE i = (SELECT min(i) FROM big)";
                fixture.database.execute(sql).unwrap();
                rounds += 1;
            }
            assert!(rounds > 0);
        });
        let archive = run(&fixture.request());
        over.store(true, Ordering::Relaxed);
        archive.unwrap()
    });
    assert!(
        archive.tables.iter().all(|it| it.grade == Grade::Exact),
        "{:?}",
        archive.tables
    );
    let busy = archive.tables.iter().find(|it| it.name == "busy").unwrap();
    assert_eq!(busy.server_rows, Some(busy.rows));
}

#[track_caller]
fn check_lost(script: &str, what: &str) {
    let fixture = Fixture::new(
        "CREATE TABLE a AS SELECT i AS id FROM generate_series(1, 9) i; CREATE TABLE b (id int)",
    );
    let error = run(&fixture.request_with(script)).unwrap_err();
    let DumpError::Unverified(VerifyError::Differs { .. }) = &error else {
        panic!("{error:?}");
    };
    assert!(error.to_string().contains(what), "{error}");
    assert_eq!(error.class(), "backup-unverified");
    assert_eq!(fixture.files(), Vec::<String>::new());
}

#[test]
fn a_row_that_pg_dump_lost_is_no_backup() {
    check_lost(
        "\"$REAL\" \"$@\" | grep -vx 7",
        "rows of public.a is 8, was 9 on the server, in the same snapshot",
    );
}

#[test]
fn a_table_that_pg_dump_lost_is_no_backup() {
    check_lost(
        "\"$REAL\" \"$@\" | sed '/^COPY public.b /,/^\\\\\\.$/d'",
        "rows of public.b is missing, was 0 on the server",
    );
}

/// Waits for the file `go` before it becomes pg_dump: the snapshot is exported by then, and nothing is locked.
const WAITING: &str = "touch \"${0%/*}/begun\"; while [ ! -e \"${0%/*}/go\" ]; do sleep 0.02; done";

/// Dumps, and acts between the snapshot and pg_dump.
fn between(
    fixture: &Fixture,
    script: &str,
    act: impl FnOnce() + Send,
) -> Result<Archive, DumpError> {
    let folder = fixture.folder.path();
    let request = fixture.request_with(&format!("{WAITING}; {script}"));
    thread::scope(|scope| {
        scope.spawn(|| {
            let deadline = Instant::now() + Duration::from_secs(30);
            while !folder.join("begun").exists() {
                assert!(Instant::now() < deadline, "pg_dump was not started");
                thread::sleep(Duration::from_millis(10));
            }
            act();
            fs_err::write(folder.join("go"), "").unwrap();
        });
        run(&request)
    })
}

const REAL: &str = "exec \"$REAL\" \"$@\"";

#[test]
fn a_truncate_between_snapshot_and_lock_is_told() {
    let fixture = Fixture::new(
        "CREATE TABLE a AS SELECT i AS id FROM generate_series(1, 9) i; CREATE TABLE b AS SELECT 1 AS id",
    );
    // long enough for others to see its locks
    let script = "\"$REAL\" \"$@\" && true";
    let archive = between(&fixture, script, || {
        fixture.database.execute("TRUNCATE a").unwrap();
    })
    .unwrap();
    assert_eq!(rows_of(&archive, "public.a"), 0);
    assert_eq!(rows_of(&archive, "public.b"), 1);
    let a = archive.tables.iter().find(|it| it.name == "a").unwrap();
    match a.grade {
        // counted while pg_dump had its lock: both saw the empty table
        Grade::Exact => assert!(
            archive.warnings[0].contains("public.a was truncated or rewritten after the snapshot"),
            "{:?}",
            archive.warnings
        ),
        // pg_dump was faster
        _ => assert!(
            archive.warnings[0].contains("truncated, rewritten or replaced meanwhile"),
            "{:?}",
            archive.warnings
        ),
    }
}

#[test]
fn a_pg_dump_that_nobody_sees_is_counted_after_its_end() {
    let fixture = Fixture::new(
        "CREATE TABLE a AS SELECT i AS id FROM generate_series(1, 9) i; CREATE TABLE b AS SELECT 1 AS id",
    );
    // under a name that nobody looks for
    let script = "PGAPPNAME=other exec \"$REAL\" \"$@\"";
    let archive = between(&fixture, script, || {
        fixture.database.execute("TRUNCATE a").unwrap();
    })
    .unwrap();
    let grade = |name: &str| {
        archive
            .tables
            .iter()
            .find(|it| it.name == name)
            .unwrap()
            .grade
    };
    assert_eq!((grade("a"), grade("b")), (Grade::Unknown, Grade::Exact));
    assert_eq!(
        archive.warnings,
        [
            "the rows of public.a were not counted: it was truncated, rewritten or replaced meanwhile"
        ]
    );
}

#[test]
fn a_rewrite_before_the_lock_is_no_false_alarm() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT i AS id FROM generate_series(1, 9) i");
    let act = || fixture.database.execute("VACUUM FULL a").unwrap();
    let archive = between(&fixture, REAL, act).unwrap();
    assert_eq!(rows_of(&archive, "public.a"), 9);
}

#[test]
fn a_table_that_is_dropped_between_snapshot_and_lock_ends_the_dump() {
    let fixture = Fixture::new("CREATE TABLE a (id int); CREATE TABLE b (id int)");
    let act = || fixture.database.execute("DROP TABLE a").unwrap();
    let error = between(&fixture, REAL, act).unwrap_err();
    assert!(
        matches!(error, DumpError::SchemaChanged { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("\"public.a\" does not exist"),
        "{error}"
    );
    assert_eq!(fixture.files(), Vec::<String>::new());
}

#[test]
fn a_lost_snapshot_ends_the_dump() {
    let fixture = Fixture::new(BIG);
    let name = fixture.database.name().to_owned();
    let kill = || {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = '{name}' AND application_name = 'django-migrate backup'"
        );
        assert_eq!(fixture.server().scalar("postgres", &sql).unwrap(), "1");
    };
    let error = run_and(&fixture.request(), kill).unwrap_err();
    assert!(matches!(error, DumpError::SnapshotLost { .. }), "{error:?}");
    assert_eq!(error.class(), "backup-snapshot-lost");
    assert_eq!(fixture.files(), Vec::<String>::new());
}

#[test]
fn a_snapshot_that_is_lost_before_pg_dump_takes_it_ends_the_dump() {
    let fixture = Fixture::new("CREATE TABLE a (id int)");
    let name = fixture.database.name();
    let kill = || {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = '{name}' AND application_name = 'django-migrate backup'"
        );
        assert_eq!(fixture.server().scalar("postgres", &sql).unwrap(), "1");
        // pg_dump is never let go
        thread::sleep(Duration::from_millis(300));
        assert!(!fixture.folder.path().join("go").exists());
    };
    let error = between(&fixture, "sleep 60", kill).unwrap_err();
    assert!(matches!(error, DumpError::SnapshotLost { .. }), "{error:?}");
    assert_eq!(fixture.files(), Vec::<String>::new());
}

#[test]
fn nothing_of_it_is_left_in_the_server() {
    let fixture = Fixture::new("CREATE TABLE a (id int)");
    run(&fixture.request()).unwrap();
    let name = fixture.database.name();
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
    eventually(|| fixture.server().scalar("postgres", &sql).unwrap() == "0");
}

#[test]
fn a_trailer_is_all_where_no_more_was_asked_for() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let mut request = fixture.request();
    request.proof = Verified::Trailer;
    let archive = run(&request).unwrap();
    assert_eq!(archive.verified, Verified::Trailer);
    assert_eq!(archive.tables[0].grade, Grade::Unknown);
    // the snapshot is known nevertheless
    assert!(
        Manifest::of(&archive.path)
            .unwrap()
            .unwrap()
            .snapshot
            .is_some()
    );
}

#[test]
fn behind_a_pooler_nothing_is_counted_and_that_is_said() {
    let program = match Env::open().unwrap().pgbouncer() {
        Ok(program) => program,
        Err(why) => return skipped(&format!("no PgBouncer: {why}")),
    };
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let server = fixture.server();
    let pooler = Pooler::start(&program, server, PoolMode::Session).unwrap();
    let mut request = fixture.request();
    let port = |port: u16| format!(":{port}/");
    let dsn = fixture.database.dsn();
    let dsn = dsn.replace(&port(server.port()), &port(pooler.port()));
    request.connection =
        pgdriver::ConnectOptions::parse_in(&dsn, &pgdriver::Environment::default()).unwrap();
    let mut told = Vec::new();
    let hear = |progress| {
        if let Progress::Warning(warning) = progress {
            told.push(warning);
        }
    };
    let archive = block_on(dump(&request, hear, std::future::pending())).unwrap();
    assert_eq!(archive.verified, Verified::Trailer);
    assert_eq!(told, archive.warnings);
    assert!(told[0].contains("goes through a pooler"), "{told:?}");
    assert_eq!(Manifest::of(&archive.path).unwrap().unwrap().snapshot, None);
}

#[test]
fn a_standby_is_dumped_and_counted() {
    for major in [14, 18] {
        let install = Env::open().unwrap().postgres(major).unwrap();
        let mut server = TempServer::start(&install).unwrap();
        let database = server.named_database("shop").unwrap();
        database
            .execute(
                "CREATE TABLE a AS SELECT i AS id FROM generate_series(1, 9) i; CREATE UNLOGGED TABLE quick AS SELECT 1 AS id; \
                 CHECKPOINT",
            )
            .unwrap();
        server.stop_fast().unwrap();
        fs_err::write(server.data_dir().join("standby.signal"), "").unwrap();
        server.restart().unwrap();
        let fixture = Fixture {
            database,
            folder: tempfile::tempdir().unwrap(),
        };
        let archive = run(&fixture.request()).unwrap();
        assert_eq!(archive.verified, Verified::Counts, "{:?}", archive.warnings);
        assert_eq!(rows_of(&archive, "public.a"), 9);
        // its rows are on the primary alone
        assert!(
            !archive.tables.iter().any(|it| it.name == "quick"),
            "{:?}",
            archive.tables
        );
        let snapshot = Manifest::of(&archive.path)
            .unwrap()
            .unwrap()
            .snapshot
            .unwrap();
        assert!(snapshot.standby);
        assert!(snapshot.lsn.is_some());
        // what drops the database finds a primary again
        fs_err::remove_file(server.data_dir().join("standby.signal")).unwrap();
        server.restart().unwrap();
    }
}

#[test]
fn a_role_with_one_connection_is_backed_up_and_that_is_said() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let server = fixture.server();
    let role = format!("one_{}", fixture.database.name());
    server
        .create_role(
            &role,
            "PASSWORD 'secret' CONNECTION LIMIT 1 IN ROLE pg_read_all_data",
        )
        .unwrap();
    let mut request = fixture.request();
    let dsn = server.dsn_as(&role, "secret", fixture.database.name());
    request.connection =
        pgdriver::ConnectOptions::parse_in(&dsn, &pgdriver::Environment::default()).unwrap();
    request.environment = request.connection.libpq_environment();
    request.password = Some(dumper::Password::new("secret"));
    let outcome = run(&request);
    let dropped = format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"");
    fixture.database.execute(&dropped).unwrap();
    let archive = outcome.unwrap();
    assert_eq!((archive.rows, archive.verified), (1, Verified::Trailer));
    assert_eq!(archive.warnings.len(), 1);
    assert!(
        archive.warnings[0].contains("no connection to spare"),
        "{:?}",
        archive.warnings
    );
}

#[test]
fn a_table_over_a_gigabyte_has_its_estimate() {
    let install = Env::open().unwrap().postgres(15).unwrap();
    let mut server = TempServer::start(&install).unwrap();
    let database = server.named_database("shop").unwrap();
    database
        .execute("CREATE TABLE a AS SELECT i AS id FROM generate_series(1, 9) i; CREATE TABLE b AS SELECT * FROM a; ANALYZE a, b")
        .unwrap();
    let file = database.scalar("SELECT pg_relation_filepath('a')").unwrap();
    server.stop_fast().unwrap();
    // pages of zeros are pages without rows; on the disk they are a hole
    let path = server.data_dir().join(file);
    let segment = |path: &std::path::Path, length| {
        let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(length).unwrap();
    };
    segment(&path, 1 << 30);
    let mut second = path.into_os_string();
    second.push(".1");
    fs_err::copy(server.data_dir().join("PG_VERSION"), &second).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&server.data_dir().metadata().unwrap());
    std::os::unix::fs::chown(&second, Some(owner), None).unwrap();
    segment(second.as_ref(), 0);
    segment(second.as_ref(), 8192);
    server.restart().unwrap();
    let fixture = Fixture {
        database,
        folder: tempfile::tempdir().unwrap(),
    };
    let archive = run(&fixture.request()).unwrap();
    let said: Vec<_> = archive
        .tables
        .iter()
        .map(|it| (it.name.as_str(), it.rows, it.grade, it.server_rows))
        .collect();
    assert_eq!(
        said,
        [
            ("a", 9, Grade::Estimate, Some(9)),
            ("b", 9, Grade::Exact, Some(9))
        ]
    );
    assert_eq!(archive.warnings, Vec::<String>::new());
}

/// More tables than one statement could lock beside others.
#[test]
fn five_thousand_tables_are_counted_with_a_hundred_locks() {
    let fixture = Fixture::new(
        "DO $$ BEGIN FOR i IN 1..5000 LOOP EXECUTE format('CREATE TABLE t%s AS SELECT 1 AS id', i); \
         IF i % 200 = 0 THEN COMMIT; END IF; END LOOP; END $$",
    );
    let most = AtomicBool::new(false);
    let over = AtomicBool::new(false);
    let archive = thread::scope(|scope| {
        scope.spawn(|| {
            let sql = "SELECT count(*) > 110 FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                       WHERE a.application_name = 'django-migrate backup'";
            while !over.load(Ordering::Relaxed) {
                if fixture.database.scalar(sql).unwrap() == "t" {
                    most.store(true, Ordering::Relaxed);
                }
            }
        });
        let archive = run(&fixture.request());
        over.store(true, Ordering::Relaxed);
        archive
    })
    .unwrap();
    assert_eq!(archive.tables.len(), 5000);
    assert!(archive.tables.iter().all(|it| it.grade == Grade::Exact));
    assert!(!most.load(Ordering::Relaxed), "too many locks at a time");
}
