//! The custom and directory formats, what they are compressed with, and what of a database is dumped.

use std::num::NonZeroU8;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use dumper::{
    Archive, Compression, DumpError, Format, Grade, GzipLevel, Manifest, Progress, Selection,
    Summary, Verified, ZstdLevel, dump, examine, list, verify,
};

use crate::support::{BIG, Fixture, SmallDisk, block_on, content, files, run, skipped, tool};

const SHOP: &str = "CREATE TABLE item (id int PRIMARY KEY, name text); \
     INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 500) i; \
     CREATE TABLE log (id int, line text); INSERT INTO log SELECT i, md5(i::text) FROM generate_series(1, 70) i; \
     CREATE SCHEMA audit; CREATE TABLE audit.\"Odd Name\" (id int); INSERT INTO audit.\"Odd Name\" VALUES (1), (2)";

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// `public.item 500 exact`, …
fn rows(archive: &Archive) -> Vec<(String, u64, Grade)> {
    let mut rows: Vec<_> = archive
        .tables
        .iter()
        .map(|it| (it.to_string(), it.rows, it.grade))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

fn all_of_shop() -> Vec<(String, u64, Grade)> {
    [
        ("audit.Odd Name", 2),
        ("public.item", 500),
        ("public.log", 70),
    ]
    .map(|(name, rows)| (name.to_owned(), rows, Grade::Exact))
    .into()
}

/// Read by the server's own pg_restore.
#[track_caller]
fn examined(fixture: &Fixture, archive: &Archive) -> Summary {
    let pg_restore = fixture.server().bin_dir().join("pg_restore");
    examine(&archive.path, Some(&pg_restore)).unwrap()
}

/// Restores with pg_restore and counts.
#[track_caller]
fn restores(fixture: &Fixture, archive: &Archive) {
    let target = fixture.server().database().unwrap();
    let mut pg_restore = tool(&target, "pg_restore");
    let restored = pg_restore
        .args(["--exit-on-error", "--dbname", target.name()])
        .arg(&archive.path)
        .output()
        .unwrap();
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    let sql = "SELECT (SELECT count(*) FROM item) + (SELECT count(*) FROM log) + (SELECT count(*) FROM audit.\"Odd Name\")";
    assert_eq!(target.scalar(sql).unwrap(), "572");
}

#[track_caller]
fn check_custom(major: u32, compression: &str) {
    let fixture = Fixture::on(major, SHOP);
    let mut request = fixture.request();
    request.format = Format::Custom;
    let archive = run(&request).unwrap();
    assert_eq!(archive.format, Format::Custom);
    assert_eq!(archive.compression, compression);
    assert_eq!(archive.warnings, Vec::<String>::new());
    let name = archive.path.file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with("_20261122_213000.dump"), "{name}");
    assert_eq!(mode(&archive.path), 0o600);
    assert_eq!(rows(&archive), all_of_shop());
    assert_eq!(archive.verified, Verified::Counts);
    let summary = examined(&fixture, &archive);
    assert_eq!(summary.sha256, archive.sha256);
    assert_eq!(summary.rows, 572);
    let manifest = summary.manifest.unwrap();
    assert_eq!(manifest.format, Format::Custom);
    assert_eq!(manifest.compression, compression);
    restores(&fixture, &archive);
}

#[test]
fn custom_is_hashed_and_read_back_on_14() {
    check_custom(14, "gzip:6");
}

#[test]
fn custom_is_zstd_where_both_know_it() {
    check_custom(18, "zstd:1");
}

#[track_caller]
fn check_directory(major: u32) {
    let fixture = Fixture::on(major, SHOP);
    let mut request = fixture.request();
    request.format = Format::Directory;
    request.jobs = NonZeroU8::new(2).unwrap();
    let archive = run(&request).unwrap();
    assert!(archive.path.is_dir());
    assert_eq!(mode(&archive.path), 0o700);
    let inside = files(&archive.path);
    assert!(inside.contains(&"toc.dat".to_owned()), "{inside:?}");
    assert_eq!(inside.len(), 4, "{inside:?}");
    for name in &inside {
        assert_eq!(mode(&archive.path.join(name)), 0o600, "{name}");
    }
    // the hash can be had with the system's own tools
    let theirs = Command::new("sh")
        .args(["-c", "LC_ALL=C; export LC_ALL; sha256sum * | sha256sum"])
        .current_dir(&archive.path)
        .output()
        .unwrap();
    let theirs = String::from_utf8(theirs.stdout).unwrap();
    assert_eq!(
        theirs.split_whitespace().next(),
        Some(archive.sha256.as_str())
    );
    let size = |name: &String| archive.path.join(name).metadata().unwrap().len();
    assert_eq!(inside.iter().map(size).sum::<u64>(), archive.bytes);
    assert_eq!(rows(&archive), all_of_shop());
    assert_eq!(Manifest::of(&archive.path).unwrap().unwrap().jobs, Some(2));
    assert_eq!(examined(&fixture, &archive).rows, 572);
    restores(&fixture, &archive);
    let listed = list(&fixture.backups()).unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].is_good(), "{:?}", listed[0].state);
    assert_eq!(listed[0].bytes, archive.bytes);
}

#[test]
fn a_directory_is_private_and_has_one_hash_on_15() {
    check_directory(15);
}

#[test]
fn a_directory_is_private_and_has_one_hash_on_18() {
    check_directory(18);
}

#[test]
fn a_directory_that_is_interrupted_is_gone() {
    let fixture = Fixture::new(BIG);
    let mut request = fixture.request();
    request.format = Format::Directory;
    let begun = || {
        fixture
            .files()
            .iter()
            .any(|name| name.ends_with(".dir.partial"))
    };
    let stop = async {
        while !begun() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let error = block_on(dump(&request, |_| {}, stop)).unwrap_err();
    assert!(error.is_interrupted(), "{error}");
    assert_eq!(fixture.files(), Vec::<String>::new());
}

#[test]
fn a_directory_whose_pg_dump_dies_is_gone() {
    let fixture = Fixture::new(SHOP);
    // writes all, and says that it failed
    let mut request =
        fixture.request_with("\"$REAL\" \"$@\"; echo 'pg_dump: error: no' >&2; exit 1");
    request.format = Format::Directory;
    let error = run(&request).unwrap_err();
    assert!(matches!(error, DumpError::Failed { .. }), "{error}");
    assert_eq!(fixture.files(), Vec::<String>::new());
}

/// Plays a pg_dump of 18 that was built without zstd.
const WITHOUT_ZSTD: &str = "for argument in \"$@\"; do case $argument in --compress=zstd*) \
     echo 'pg_dump: error: invalid compression specification: this build does not support compression with ZSTD' >&2; \
     exit 1;; esac; done; exec \"$REAL\" \"$@\"";

#[test]
fn without_zstd_gzip_does_and_says_so() {
    let fixture = Fixture::on(18, SHOP);
    let mut request = fixture.request_with(WITHOUT_ZSTD);
    let pg_restore = fixture.server().bin_dir().join("pg_restore");
    let library = fixture.server().install().library_variable();
    let library = library.map(|(name, value)| format!("export {name}='{value}'"));
    let script = format!(
        "{}\nexec '{}' \"$@\"",
        library.unwrap_or_default(),
        pg_restore.display()
    );
    fixture.program("pg_restore", &script);
    request.format = Format::Custom;
    let archive = run(&request).unwrap();
    assert_eq!(archive.compression, "gzip:6");
    assert_eq!(
        archive.warnings,
        ["this pg_dump was built without zstd:1: gzip:6 instead"]
    );
    request.compression = Some(Compression::Zstd(ZstdLevel::default()));
    let error = run(&request).unwrap_err();
    assert_eq!(error.class(), "backup-unsupported", "{error}");
    assert_eq!(fixture.files().len(), 2, "one archive and its manifest");
}

#[test]
fn compression_is_as_it_was_asked_for() {
    let fixture = Fixture::new(SHOP);
    let cases = [
        (
            Format::Plain,
            Compression::Zstd(ZstdLevel::new(3).unwrap()),
            "zstd:3",
            ".sql.zst",
        ),
        (Format::Plain, Compression::None, "none", ".sql"),
        (Format::Custom, Compression::None, "none", ".dump"),
        (
            Format::Custom,
            Compression::Gzip(GzipLevel::new(1).unwrap()),
            "gzip:1",
            ".dump",
        ),
        (Format::Directory, Compression::None, "none", ".dir"),
    ];
    for (format, compression, text, extension) in cases {
        let mut request = fixture.request();
        request.format = format;
        request.compression = Some(compression);
        let archive = run(&request).unwrap();
        assert_eq!(archive.compression, text);
        assert!(
            archive.path.to_str().unwrap().ends_with(extension),
            "{:?}",
            archive.path
        );
        assert_eq!(rows(&archive), all_of_shop(), "{text}");
        examined(&fixture, &archive);
    }
    let mut request = fixture.request();
    request.format = Format::Custom;
    request.compression = Some(Compression::Zstd(ZstdLevel::default()));
    let error = run(&request).unwrap_err();
    assert!(error.to_string().contains("pg_dump 15."), "{error}");
    assert_eq!(error.class(), "backup-unsupported");
}

#[test]
fn definitions_alone_have_no_rows() {
    let fixture = Fixture::new(SHOP);
    let mut request = fixture.request();
    request.selection.schema_only = true;
    let archive = run(&request).unwrap();
    assert_eq!((archive.rows, archive.tables.len()), (0, 0));
    assert!(content(&archive.path).contains("CREATE TABLE public.item"));
    let manifest = Manifest::of(&archive.path).unwrap().unwrap();
    assert!(manifest.selection.schema_only);
    assert!(!manifest.selection.is_everything());
}

/// Patterns of tables, patterns whose rows are left out, and what is dumped then.
type Case = (
    &'static [&'static str],
    &'static [&'static str],
    &'static [(&'static str, u64)],
);

#[test]
fn tables_are_chosen_and_left_out_as_pg_dump_reads_patterns() {
    let fixture = Fixture::new(SHOP);
    let cases: [Case; 4] = [
        (&["ITEM"], &[], &[("public.item", 500)]),
        (
            &["i*", "audit.\"Odd Name\""],
            &[],
            &[("audit.Odd Name", 2), ("public.item", 500)],
        ),
        (&[], &["log", "audit.*"], &[("public.item", 500)]),
        (&["public.*"], &["lo?"], &[("public.item", 500)]),
    ];
    for (tables, excluded, expected) in cases {
        let mut request = fixture.request();
        let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        request.selection = Selection {
            schema_only: false,
            tables: strings(tables),
            exclude_table_data: strings(excluded),
        };
        let archive = run(&request).unwrap();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, rows)| ((*name).to_owned(), *rows, Grade::Exact))
            .collect();
        assert_eq!(rows(&archive), expected, "{tables:?} {excluded:?}");
        let manifest = Manifest::of(&archive.path).unwrap().unwrap();
        assert_eq!(manifest.selection, request.selection);
    }
}

#[test]
fn a_pattern_that_is_no_tables_is_an_error_of_its_own() {
    let fixture = Fixture::new(SHOP);
    let mut request = fixture.request();
    request.selection.tables = vec!["no_such_table".to_owned()];
    let error = run(&request).unwrap_err();
    assert!(matches!(error, DumpError::NoMatch { .. }), "{error}");
    assert_eq!(error.class(), "backup-no-match");
    assert!(error.hint().unwrap().contains("psql"));
    assert_eq!(fixture.files(), Vec::<String>::new());
}

/// `head` of it, a pause, the rest.
const SLOW: &str = "\"$REAL\" \"$@\" | (head -c 9000000; sleep 1.5; cat)";

#[test]
fn what_is_left_is_known_by_the_sizes_of_the_tables() {
    let fixture = Fixture::new(&format!("{BIG}; CREATE TABLE zero (id int)"));
    let mut heard = Vec::new();
    let hear = |progress| match progress {
        Progress::Dumping(at) => heard.push(at),
        Progress::Room { needed, free } => assert!(needed > 1_000_000 && free > 0),
        _ => {}
    };
    let request = fixture.request_with(SLOW);
    block_on(dump(&request, hear, std::future::pending())).unwrap();
    assert!(heard.iter().all(|at| at.tables_total == Some(2)));
    let left = heard
        .iter()
        .filter_map(|at| at.left)
        .max()
        .expect("nothing was left");
    assert!((200..60_000).contains(&left.as_millis()), "{left:?}");
    assert_eq!(heard.last().unwrap().tables, 2);
}

#[test]
fn a_dump_ends_before_the_disk_is_full_for_everybody() {
    let Some(disk) = SmallDisk::of(4096) else {
        skipped("this user may not mount a small file system");
        return;
    };
    let fixture = Fixture::new(SHOP);
    // in pieces, and then nothing more for long
    let mut request = fixture.request_with("head -c 3800000 /dev/zero; sleep 60");
    request.directory = disk.path().join("backups");
    request.format = Format::Custom;
    let error = run(&request).unwrap_err();
    let DumpError::OutOfDisk { free, written, .. } = &error else {
        panic!("{error:?}");
    };
    assert!((3_000_000..4_000_000).contains(written), "{written}");
    assert!(
        free.is_some_and(|free| (1..1_048_576).contains(&free)),
        "{free:?}"
    );
    assert!(files(&request.directory).is_empty());
}

#[test]
fn what_pg_dump_says_is_heard_at_once() {
    let fixture = Fixture::new(SHOP);
    let script = "echo 'pg_dump: warning: odd' >&2; while [ ! -e \"${0%/*}/heard\" ]; do sleep 0.02; done; exec \"$REAL\" \"$@\"";
    let request = fixture.request_with(script);
    let heard = fixture.folder.path().join("heard");
    let hear = |progress| {
        if progress == Progress::Said("pg_dump: warning: odd".to_owned()) {
            fs_err::write(&heard, "").unwrap();
        }
    };
    let limit = std::time::Duration::from_secs(20);
    let archive = block_on(async {
        tokio::time::timeout(limit, dump(&request, hear, std::future::pending())).await
    });
    let archive = archive.expect("it was not heard").unwrap();
    assert_eq!(archive.warnings, ["pg_dump: warning: odd"]);
}

#[test]
fn a_manifest_tells_of_database_snapshot_and_needs() {
    let fixture = Fixture::new(&format!(
        "{SHOP}; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = audit, public', current_database()); \
         EXECUTE format('ALTER DATABASE %I SET \"app.jwt_secret\" = %L', current_database(), 's3cr3t-key'); END $$; \
         CREATE EXTENSION IF NOT EXISTS pgcrypto"
    ));
    let archive = run(&fixture.request()).unwrap();
    let text = fs_err::read_to_string(&archive.manifest).unwrap();
    assert!(!text.contains("s3cr3t-key"), "{text}");
    let manifest = Manifest::of(&archive.path).unwrap().unwrap();
    assert_eq!(manifest.manifest_version, 2);
    let properties = manifest.properties.unwrap();
    assert_eq!(properties.encoding, "UTF8");
    assert_eq!(properties.provider, "libc");
    let settings: Vec<_> = properties
        .settings
        .iter()
        .map(|it| (it.name.as_str(), it.value.as_deref()))
        .collect();
    assert_eq!(
        settings,
        [
            ("search_path", Some("audit, public")),
            ("app.jwt_secret", None)
        ]
    );
    let snapshot = manifest.snapshot.unwrap();
    assert!(
        snapshot.taken_at.starts_with("20") && snapshot.taken_at.ends_with('Z'),
        "{snapshot:?}"
    );
    assert!(snapshot.lsn.unwrap().contains('/'));
    assert!(!snapshot.standby);
    let needs = manifest.needs.unwrap();
    assert!(needs.extensions.contains("pgcrypto"), "{needs:?}");
    assert!(needs.roles.contains(fixture.server().user()), "{needs:?}");
}

#[test]
fn a_manifest_of_version_1_still_verifies() {
    let fixture = Fixture::new(SHOP);
    let archive = run(&fixture.request()).unwrap();
    let text = fs_err::read_to_string(&archive.manifest).unwrap();
    let mut manifest: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).unwrap();
    manifest.insert("manifest_version".to_owned(), 1.into());
    for newer in ["properties", "snapshot", "selection", "jobs", "needs"] {
        assert!(manifest.remove(newer).is_some(), "{newer}");
    }
    for table in manifest["tables"].as_array_mut().unwrap() {
        let table = table.as_object_mut().unwrap();
        table.remove("grade").unwrap();
        table.remove("server_rows").unwrap();
    }
    fs_err::write(&archive.manifest, serde_json::to_string(&manifest).unwrap()).unwrap();
    let summary = verify(&archive.path).unwrap();
    assert_eq!(summary.rows, 572);
    assert_eq!(summary.manifest.unwrap().tables[0].grade, Grade::Unknown);
}
