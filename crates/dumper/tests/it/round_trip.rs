//! Dumps that succeed: the same bytes as pg_dump's own, private, listed, and restorable.

use std::future::pending;
use std::os::unix::fs::PermissionsExt;

use dumper::{
    Compression, Format, GzipLevel, Manifest, Progress, Verified, VerifyError, dump, list, verify,
};

use crate::support::{BIG, Fixture, block_on, content, run, tool, without_keys};

const SCHEMA: &str = r#"
    CREATE TABLE orders (id serial PRIMARY KEY, note text, blob bytea);
    INSERT INTO orders (note, blob)
        SELECT CASE WHEN i % 7 = 0 THEN NULL ELSE E'tab\t newline\n backslash \\ end \\. ü ' || i END,
               decode(lpad(to_hex(i % 256), 2, '0'), 'hex')
        FROM generate_series(1, 3000) i;
    CREATE SCHEMA "S 1";
    CREATE TABLE "S 1"."it's ""odd"".$x$" ("a b" int);
    INSERT INTO "S 1"."it's ""odd"".$x$" VALUES (1), (2);
    CREATE TABLE empty (id int);
    CREATE TABLE no_columns ();
    INSERT INTO no_columns DEFAULT VALUES;
    CREATE VIEW v AS SELECT count(*) AS n FROM orders;
    CREATE FUNCTION misleading() RETURNS text LANGUAGE sql AS $f$
        SELECT '
COPY public.fake (id) FROM stdin;
'::text $f$;
    COMMENT ON TABLE empty IS E'it''s\nCOPY public.fake (id) FROM stdin;\n-- PostgreSQL database dump complete\n';
"#;

#[track_caller]
fn check_round_trip(major: u32) {
    let fixture = Fixture::on(major, SCHEMA);
    let request = fixture.request();
    let archive = run(&request).unwrap();

    let direct = tool(&fixture.database, "pg_dump")
        .args(["-Fp", "-E", "UTF8"])
        .output()
        .unwrap();
    assert!(direct.status.success());
    let ours = content(&archive.path);
    assert_eq!(
        without_keys(&ours),
        without_keys(std::str::from_utf8(&direct.stdout).unwrap())
    );

    let rows: Vec<_> = archive
        .tables
        .iter()
        .map(|table| (table.to_string(), table.rows))
        .collect();
    let expected = [
        ("S 1.it's \"odd\".$x$", 2),
        ("public.empty", 0),
        ("public.no_columns", 1),
        ("public.orders", 3000),
    ];
    assert_eq!(rows, expected.map(|(name, rows)| (name.to_owned(), rows)));
    assert_eq!((archive.rows, archive.raw_bytes), (3003, ours.len() as u64));
    assert_eq!(archive.verified, Verified::Counts);
    assert_eq!(archive.pg_dump_version.major, major);

    let restored = fixture.server().database().unwrap();
    let sql = fixture.folder.path().join("plain.sql");
    fs_err::write(&sql, &ours).unwrap();
    let psql = tool(&restored, "psql")
        .args(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(&sql)
        .output()
        .unwrap();
    assert!(
        psql.status.success(),
        "{}",
        String::from_utf8_lossy(&psql.stderr)
    );
    let again = tool(&restored, "pg_dump")
        .args(["-Fp", "-E", "UTF8"])
        .output()
        .unwrap();
    assert_eq!(
        without_keys(&ours),
        without_keys(std::str::from_utf8(&again.stdout).unwrap())
    );
}

#[test]
fn an_archive_is_pg_dumps_own_and_restores_on_15() {
    check_round_trip(15);
}

#[test]
fn an_archive_is_pg_dumps_own_and_restores_on_18() {
    check_round_trip(18);
}

#[test]
fn everything_is_private_and_described() {
    let fixture = Fixture::new(SCHEMA);
    let request = fixture.request();
    let archive = run(&request).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.backups()), 0o700);
    assert_eq!(mode(&archive.path), 0o600);
    assert_eq!(mode(&archive.manifest), 0o600);
    assert_eq!(
        fs_err::read_to_string(fixture.backups().join(".gitignore")).unwrap(),
        "*\n"
    );
    let name = format!("backup_{}_20261122_213000.sql.gz", request.database);
    assert_eq!(fixture.files(), [name.clone(), format!("{name}.json")]);

    let manifest = Manifest::of(&archive.path).unwrap().unwrap();
    assert_eq!(manifest.file, name);
    assert_eq!(manifest.tables, archive.tables);
    assert_eq!(manifest.compression, "gzip:5");
    assert_eq!(manifest.server_version.major, 15);
    let text = fs_err::read_to_string(&archive.manifest).unwrap();
    assert!(!text.contains(fixture.server().password()));

    let summary = verify(&archive.path).unwrap();
    assert_eq!(
        (summary.rows, summary.bytes, summary.sha256),
        (archive.rows, archive.bytes, archive.sha256)
    );
    assert_eq!(summary.manifest, Some(manifest));
}

#[test]
fn a_second_archive_of_the_same_second_gets_a_number_and_both_are_listed() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let first = run(&fixture.request()).unwrap();
    let second = run(&fixture.request()).unwrap();
    assert!(
        second
            .path
            .to_str()
            .unwrap()
            .ends_with("_20261122_213000-2.sql.gz")
    );
    let listed = list(&fixture.backups()).unwrap();
    let paths: Vec<_> = listed.iter().map(|at| at.path.clone()).collect();
    assert_eq!(paths, [first.path, second.path]);
    assert!(listed.iter().all(|at| {
        at.manifest
            .as_ref()
            .is_some_and(|manifest| manifest.rows == 1)
    }));
    assert!(
        list(&fixture.folder.path().join("nowhere"))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_changed_archive_does_not_verify() {
    let fixture = Fixture::new(SCHEMA);
    let mut request = fixture.request();
    request.compression = Some(Compression::None);
    let archive = run(&request).unwrap();
    assert!(archive.path.to_str().unwrap().ends_with(".sql"));
    assert_eq!(archive.bytes, archive.raw_bytes);
    verify(&archive.path).unwrap();
    let mut text = fs_err::read(&archive.path).unwrap();
    let middle = text.len() / 2;
    text[middle] ^= 1;
    fs_err::write(&archive.path, text).unwrap();
    let error = verify(&archive.path).unwrap_err();
    assert!(
        matches!(&error, VerifyError::Differs { what, .. } if what == "sha256"),
        "{error}"
    );
}

#[test]
fn reading_an_archive_of_pg_dumps_own_back_is_told() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let mut request = fixture.request();
    request.format = Format::Custom;
    let mut heard = Vec::new();
    let archive = block_on(dump(&request, |progress| heard.push(progress), pending())).unwrap();
    let is_told = |progress: &Progress| matches!(progress, Progress::Verifying { bytes, .. } if *bytes == archive.bytes);
    assert!(heard.iter().any(is_told), "{heard:?}");
}

#[test]
fn progress_is_told_and_ends_at_the_whole() {
    let fixture = Fixture::new(BIG);
    let mut request = fixture.request();
    request.compression = Some(Compression::Gzip(GzipLevel::new(1).unwrap()));
    request.estimated_bytes = Some(70_000_000);
    let mut heard = Vec::new();
    let archive = block_on(dump(&request, |progress| heard.push(progress), pending())).unwrap();
    let dumping: Vec<_> = heard
        .iter()
        .filter_map(|progress| match progress {
            Progress::Dumping(at) => Some(at),
            _ => None,
        })
        .collect();
    assert!(
        dumping
            .windows(2)
            .all(|pair| pair[0].raw_bytes <= pair[1].raw_bytes && pair[0].rows <= pair[1].rows)
    );
    assert!(
        dumping
            .iter()
            .any(|at| at.table.as_deref() == Some("public.big"))
    );
    let last = dumping.last().unwrap();
    assert_eq!(
        (last.rows, last.raw_bytes, last.tables),
        (300_000, archive.raw_bytes, 1)
    );
    assert_eq!(last.bytes, archive.bytes);
    assert!(last.estimated_bytes.is_some_and(|bytes| bytes > 30_000_000));
}

#[test]
fn a_database_with_a_name_like_a_connection_string_is_itself() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let name = format!("{}_it's host=nowhere \\", fixture.database.name());
    fixture
        .server()
        .create_database_from(&name, fixture.database.name())
        .unwrap();
    let mut request = fixture.request();
    request.database.clone_from(&name);
    let outcome = run(&request);
    fixture.server().drop_database(&name).unwrap();
    let archive = outcome.unwrap();
    assert_eq!(archive.rows, 1);
    let file = archive
        .path
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        file.contains("_it_s_host_nowhere__") && !file.contains(['\'', ' ', '\\', '=']),
        "{file}"
    );
}

#[test]
fn what_pg_dump_warns_of_is_kept() {
    let fixture = Fixture::new(
        "CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
         ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b",
    );
    let mut request =
        fixture.request_with("echo 'pg_dump: warning: look out' >&2; exec \"$REAL\" \"$@\"");
    request.estimated_bytes = None;
    let archive = run(&request).unwrap();
    assert_eq!(archive.warnings, ["pg_dump: warning: look out"]);
}
