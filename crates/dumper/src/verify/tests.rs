//! Damaged files at many offsets: each is found.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn plain() -> Vec<u8> {
    let mut text =
        b"--\n-- PostgreSQL database dump\n--\n\nCOPY public.a (id, t) FROM stdin;\n".to_vec();
    let mut state = 1_u64;
    for id in 0..2000_u64 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(id);
        writeln!(text, "{id}\t{state:x}").unwrap();
    }
    text.extend_from_slice(b"\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n");
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The class of the error, or the number of rows.
fn outcome(name: &str, bytes: &[u8]) -> Result<u64, &'static str> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, bytes).unwrap();
    verify(&path)
        .map(|summary| summary.rows)
        .map_err(|error| error.class())
}

#[test]
fn whole_files_pass_plain_gzipped_and_in_many_members() {
    let plain = plain();
    assert_eq!(outcome("a.sql", &plain), Ok(2000));
    assert_eq!(outcome("a.sql.gz", &gzip(&plain)), Ok(2000));
    assert_eq!(outcome("misnamed.sql", &gzip(&plain)), Ok(2000));
    let (left, right) = plain.split_at(777);
    assert_eq!(
        outcome("a.sql.gz", &[gzip(left), gzip(right)].concat()),
        Ok(2000)
    );
}

#[test]
fn empty_files_are_empty() {
    assert_eq!(outcome("a.sql.gz", b""), Err("backup-empty"));
    assert_eq!(outcome("a.sql", b""), Err("backup-empty"));
    assert_eq!(outcome("a.sql.gz", &gzip(b"")), Err("backup-empty"));
}

#[test]
fn every_truncation_is_found() {
    let file = gzip(&plain());
    for length in (1..file.len())
        .step_by(97)
        .chain(file.len() - 30..file.len())
    {
        assert_eq!(
            outcome("a.sql.gz", &file[..length]),
            Err("backup-cut-short"),
            "cut at {length} of {}",
            file.len()
        );
    }
}

/// What a killed pg_dump leaves in a pipe to gzip: a valid file.
#[test]
fn a_valid_gzip_of_a_truncated_dump_is_found() {
    let plain = plain();
    for length in (1..plain.len() - 10).step_by(4001) {
        assert_eq!(
            outcome("a.sql.gz", &gzip(&plain[..length])),
            Err("backup-incomplete"),
            "cut at {length}"
        );
    }
}

#[test]
fn bytes_after_the_end_are_found() {
    let mut file = gzip(&plain());
    file.extend_from_slice(b"rubbish after the end");
    assert_eq!(outcome("a.sql.gz", &file), Err("backup-damaged"));
}

/// Without a manifest a flipped bit is found, or it was one that no reader looks at (the header's time, a bit of
/// padding) and the content is the same. With the manifest's SHA-256 none passes.
#[test]
fn every_flipped_bit_is_found() {
    let plain = plain();
    let file = gzip(&plain);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sql.gz");
    fs_err::write(&path, &file).unwrap();
    let whole = read_back(&path, None, &Watch::default()).unwrap();
    let mut harmless = 0;
    for offset in (0..20)
        .chain((20..file.len()).step_by(61))
        .chain(file.len() - 20..file.len())
    {
        let mut flipped = file.clone();
        flipped[offset] ^= 1 << (offset % 8);
        fs_err::write(&path, &flipped).unwrap();
        match read_back(&path, None, &Watch::default()) {
            Err(_) => {}
            Ok(content) => {
                assert!(
                    content.compare(&path, &whole).is_err(),
                    "bit at {offset} passed SHA-256"
                );
                assert_eq!(
                    content.scan, whole.scan,
                    "bit at {offset} changed the content"
                );
                harmless += 1;
            }
        }
    }
    assert!(harmless <= 8, "{harmless} flips passed the CRC");
}

#[test]
fn differences_are_named() {
    let table = |name: &str, rows| TableRows {
        schema: "public".into(),
        name: name.into(),
        rows,
        bytes: 1,
    };
    let content = |tables: Vec<TableRows>, sha256: &str, bytes| Content {
        bytes,
        sha256: sha256.into(),
        scan: Scan {
            rows: tables.iter().map(|table| table.rows).sum(),
            tables,
            raw_bytes: 5,
            needs: Needs::default(),
        },
    };
    let whole = content(vec![table("a", 2), table("b", 3)], "aa", 10);
    let check = |other: Content, expected: &str| {
        let error = other
            .compare(Path::new("x.sql.gz"), &whole)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    assert!(whole.compare(Path::new("x"), &whole.clone()).is_ok());
    check(content(vec![], "aa", 9), "size is 9, was 10");
    check(
        content(vec![table("a", 2), table("b", 3)], "bb", 10),
        "sha256 is bb, was aa",
    );
    check(
        content(vec![table("a", 2), table("b", 1)], "aa", 10),
        "rows of public.b is 1, was 3",
    );
    check(
        content(vec![table("a", 2)], "aa", 10),
        "number of tables is 1, was 2",
    );
}

#[test]
fn gzip_of_empty_content_has_no_dump_in_it_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sql.gz");
    fs_err::write(&path, gzip(b"")).unwrap();
    assert!(
        verify(&path)
            .unwrap_err()
            .to_string()
            .ends_with("a.sql.gz is empty")
    );
}

#[test]
fn what_cannot_be_opened_is_told_from_what_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let missing = verify(&folder.path().join("gone.sql.gz")).unwrap_err();
    assert!(missing.is_unopened(), "{missing}");
    let directory = verify(folder.path()).unwrap_err();
    assert!(directory.is_unopened(), "{directory}");
    let path = folder.path().join("empty.sql");
    fs_err::write(&path, b"").unwrap();
    assert!(!verify(&path).unwrap_err().is_unopened());
}

#[tokio::test]
async fn a_reading_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sql");
    fs_err::write(&path, plain()).unwrap();
    let read = verify_until(&path, None, |_| {}, std::future::pending())
        .await
        .unwrap();
    assert_eq!(read.rows, 2000);
    let stopped = verify_until(&path, None, |_| {}, std::future::ready(())).await;
    assert!(stopped.unwrap_err().is_interrupted());
}
