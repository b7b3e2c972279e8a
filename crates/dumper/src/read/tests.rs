//! Archives of every kind, whole, cut and damaged.

mod script;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;

fn open(path: &Path, pg_restore: Option<&Path>) -> Result<Reading, VerifyError> {
    open_watched(path, pg_restore, &Watch::default())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// More than one block of what does not repeat.
fn text() -> Vec<u8> {
    let mut text = Vec::new();
    let mut state = 1_u64;
    while text.len() < 3 * BLOCK {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        writeln!(text, "{state:x}").unwrap();
    }
    text
}

fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, bytes).unwrap();
    (folder, path)
}

/// The text, with the file's size and hash, or the error's class.
fn outcome(name: &str, bytes: &[u8]) -> Result<(Vec<u8>, Digested), &'static str> {
    let (_folder, path) = file(name, bytes);
    let read = || {
        let mut reading = open(&path, None)?;
        let mut text = Vec::new();
        while let Some(block) = reading.block()? {
            assert!(!block.is_empty() && block.len() <= BLOCK);
            text.extend(block);
        }
        Ok((text, reading.finish()?))
    };
    read().map_err(|error: VerifyError| error.class())
}

#[track_caller]
fn check_whole(name: &str, bytes: &[u8], text: &[u8]) {
    let (found, digested) = outcome(name, bytes).unwrap();
    assert!(found == text, "{name}: {} bytes", found.len());
    assert_eq!(digested.bytes, bytes.len() as u64);
    let hash = <sha2::Sha256 as sha2::Digest>::digest(bytes);
    assert_eq!(digested.sha256, crate::compress::hex(&hash));
}

#[test]
fn plain_gzip_and_zstd_are_told_by_their_first_bytes() {
    let text = text();
    check_whole("a.sql", &text, &text);
    check_whole("a.sql.gz", &gzip(&text), &text);
    check_whole("misnamed.sql", &gzip(&text), &text);
    check_whole("a.sql.zst", &zstd(&text), &text);
    check_whole("misnamed.gz", &zstd(&text)[..], &text);
}

#[test]
fn all_members_and_frames_are_read() {
    let text = text();
    let (left, right) = text.split_at(777);
    check_whole("a.gz", &[gzip(left), gzip(right)].concat(), &text);
    check_whole("a.zst", &[zstd(left), zstd(right)].concat(), &text);
}

#[test]
fn what_is_cut_is_cut() {
    let text = text();
    for (name, packed) in [("a.gz", gzip(&text)), ("a.zst", zstd(&text))] {
        let end = packed.len();
        for length in (5..end).step_by(end / 7).chain(end - 9..end) {
            let found = outcome(name, &packed[..length]).unwrap_err();
            assert_eq!(found, "backup-cut-short", "{name} cut at {length} of {end}");
        }
    }
}

#[test]
fn what_is_behind_the_end_is_damage() {
    let text = text();
    for (name, packed) in [("a.gz", gzip(&text)), ("a.zst", zstd(&text))] {
        for garbage in [
            b"garbage that is long".as_slice(),
            &[0; 600],
            b"PGDMP and more",
        ] {
            let found = outcome(name, &[&packed, garbage].concat()).unwrap_err();
            assert_eq!(found, "backup-damaged", "{name}");
        }
    }
}

#[test]
fn a_flipped_bit_is_found() {
    let text = text();
    for (name, packed) in [("a.gz", gzip(&text)), ("a.zst", zstd(&text))] {
        for offset in (20..packed.len() - 8).step_by(packed.len() / 40) {
            let mut flipped = packed.clone();
            flipped[offset] ^= 4;
            let found = outcome(name, &flipped).unwrap_err();
            assert!(
                ["backup-damaged", "backup-cut-short"].contains(&found),
                "{name} {offset}: {found}"
            );
        }
    }
}

#[test]
fn names_that_promise_a_stream_are_held_to_it() {
    assert_eq!(
        outcome("a.sql.gz", b"-- PostgreSQL database dump").unwrap_err(),
        "backup-damaged"
    );
    assert_eq!(
        outcome("a.sql.zst", b"-- PostgreSQL database dump").unwrap_err(),
        "backup-damaged"
    );
    assert_eq!(outcome("a.sql", b"").unwrap_err(), "backup-empty");
    assert_eq!(outcome("a.dump", b"PGDMP").unwrap_err(), "backup-damaged");
}

#[test]
fn read_gives_the_same_as_the_blocks() {
    let text = text();
    let (_folder, path) = file("a.gz", &gzip(&text));
    let mut reading = open(&path, None).unwrap();
    let mut found = vec![0; 100];
    reading.read_exact(&mut found).unwrap();
    found.extend(reading.block().unwrap().unwrap());
    reading.read_to_end(&mut found).unwrap();
    assert!(found == text);
    assert!(reading.finish().is_ok());
}

#[test]
fn an_error_comes_through_read() {
    let packed = gzip(&text());
    let (_folder, path) = file("a.gz", &packed[..packed.len() / 2]);
    let error = open(&path, None)
        .unwrap()
        .read_to_end(&mut Vec::new())
        .unwrap_err();
    let inner = error
        .into_inner()
        .unwrap()
        .downcast::<VerifyError>()
        .unwrap();
    assert_eq!(inner.class(), "backup-cut-short");
}

#[test]
fn half_a_reading_is_no_reading() {
    let (_folder, path) = file("a.sql", &[b'x'; 20 * BLOCK]);
    let mut reading = open(&path, None).unwrap();
    reading.block().unwrap();
    assert!(reading.finish().is_err());
}

#[test]
fn who_watches_sees_how_far_it_is_and_can_stop_it() {
    let (_folder, path) = file("a.sql", &vec![b'x'; 40 * BLOCK]);
    let watch = Watch::default();
    let mut reading = open_watched(&path, None, &watch).unwrap();
    reading.block().unwrap().unwrap();
    assert!(watch.read.load(Ordering::Relaxed) >= BLOCK as u64);
    watch.stop.store(true, Ordering::Relaxed);
    let error = loop {
        match reading.block() {
            Ok(block) => assert!(block.is_some(), "it was not stopped"),
            Err(error) => break error,
        }
    };
    assert!(error.is_interrupted());
}
