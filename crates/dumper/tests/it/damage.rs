//! Files that are not what was written: cut at many places, with flipped bits, with parts exchanged. `verify` finds every one.
//!
//! Absent: damage that nothing shows: a flipped bit in plain SQL that has no manifest.

use std::path::{Path, PathBuf};

use dumper::{Compression, Summary, VerifyError, ZstdLevel, verify};

use crate::support::{Fixture, run};

/// Some 400 kB in two tables: two blocks of gzip.
pub const ROWS: &str =
    "CREATE TABLE a AS SELECT i, md5(i::text) || md5((i * 7)::text) AS t FROM generate_series(1, 4000) i;
     CREATE TABLE z AS SELECT i, md5((i * 3)::text) AS t FROM generate_series(1, 2000) i;
     CREATE INDEX ON a (t)";

/// Places in a file of this length: every one near its ends and near a block's border, and many between.
pub fn places(length: usize, near: usize, between: usize) -> Vec<usize> {
    const BORDERS: usize = 64 * 1024;
    let mut places: Vec<_> = (0..near).chain(length - near..length).collect();
    for border in (BORDERS..length).step_by(BORDERS) {
        places.extend([border - 1, border, border + 1]);
    }
    let mut seed = 42_u64;
    for _ in 0..between {
        // Knuth's MMIX
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        places.push((seed >> 33) as usize % length);
    }
    places.retain(|place| *place < length);
    places.sort_unstable();
    places.dedup();
    places
}

/// An archive, and a folder where copies of it are damaged.
struct Patient {
    fixture: Fixture,
    path: PathBuf,
    bytes: Vec<u8>,
    whole: Summary,
}

impl Patient {
    fn of(compression: Compression) -> Self {
        let fixture = Fixture::new(ROWS);
        let mut request = fixture.request();
        request.compression = Some(compression);
        let archive = run(&request).unwrap();
        Self {
            bytes: fs_err::read(&archive.path).unwrap(),
            whole: verify(&archive.path).unwrap(),
            path: archive.path,
            fixture,
        }
    }

    /// What is found in a copy with these bytes, once beside its manifest and once alone.
    fn with(&self, bytes: &[u8]) -> [Result<Summary, VerifyError>; 2] {
        let folder = self.fixture.folder.path().join("damaged");
        let copy = folder.join(self.path.file_name().unwrap());
        let manifest = |path: &Path| PathBuf::from(format!("{}.json", path.display()));
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(&copy, bytes).unwrap();
        fs_err::copy(manifest(&self.path), manifest(&copy)).unwrap();
        let with_manifest = verify(&copy);
        fs_err::remove_file(manifest(&copy)).unwrap();
        [with_manifest, verify(&copy)]
    }

    /// Each bit is flipped by turns.
    fn flipped(&self, place: usize) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[place] ^= 1 << (place % 8);
        bytes
    }

    /// The copy holds the same SQL, to the byte.
    fn same_content(&self, found: &Summary) -> bool {
        (found.rows, found.raw_bytes, &found.tables)
            == (self.whole.rows, self.whole.raw_bytes, &self.whole.tables)
    }
}

#[track_caller]
fn check_truncations(compression: Compression, near: usize) {
    let patient = Patient::of(compression);
    for length in places(patient.bytes.len(), near, 100) {
        let [with, without] = patient.with(&patient.bytes[..length]);
        assert!(with.is_err(), "cut to {length} bytes, with a manifest");
        let Ok(found) = without else { continue };
        // pg_dump's last lines are its end marker, blank ones and, of a newer one, `\unrestrict`
        let tail = &patient.bytes[length..];
        assert!(
            compression == Compression::None && tail.iter().all(|byte| *byte == b'\n'),
            "cut to {length} of {} bytes, and found whole: {found:?}",
            patient.bytes.len()
        );
    }
    let [with, without] = patient.with(&patient.bytes);
    with.unwrap();
    without.unwrap();
}

#[test]
fn a_plain_file_cut_anywhere_is_found() {
    check_truncations(Compression::None, 100);
}

#[test]
fn a_gzip_file_cut_anywhere_is_found() {
    check_truncations(Compression::default(), 40);
}

#[test]
fn a_zstd_file_cut_anywhere_is_found() {
    check_truncations(Compression::Zstd(ZstdLevel::default()), 40);
}

/// A flip that changes no byte of the content (gzip's time of day, zstd's window, the bits that fill up a byte before the next block) is
/// found by the manifest alone; there may be so few of them.
#[track_caller]
fn check_flips(compression: Compression, harmless: usize) {
    let patient = Patient::of(compression);
    let mut missed = Vec::new();
    for place in places(patient.bytes.len(), 40, 150) {
        let [with, without] = patient.with(&patient.flipped(place));
        assert!(with.is_err(), "byte {place} flipped, with a manifest");
        match without {
            Err(_) => {}
            Ok(found) if patient.same_content(&found) => missed.push(place),
            Ok(found) => panic!("byte {place} of {} flipped: {found:?}", patient.bytes.len()),
        }
    }
    assert!(missed.len() <= harmless, "{missed:?}");
}

#[test]
fn a_flipped_bit_in_gzip_is_found_without_a_manifest_too() {
    check_flips(Compression::default(), 6 + 4);
}

#[test]
fn a_flipped_bit_in_zstd_is_found_without_a_manifest_too() {
    // the window's size, and the bits that fill up a byte behind each table of a block: how many depends on what pg_dump
    // writes, and it writes another random key each time
    check_flips(Compression::Zstd(ZstdLevel::default()), 2 + 6);
}

#[test]
fn a_flipped_bit_in_plain_sql_is_found_by_its_manifest() {
    let patient = Patient::of(Compression::None);
    for place in places(patient.bytes.len(), 40, 150) {
        let [with, _] = patient.with(&patient.flipped(place));
        assert!(with.is_err(), "byte {place} flipped, with a manifest");
    }
}

#[test]
fn what_was_added_doubled_or_exchanged_is_found() {
    for compression in [
        Compression::default(),
        Compression::Zstd(ZstdLevel::default()),
        Compression::None,
    ] {
        let patient = Patient::of(compression);
        let bytes = &patient.bytes;
        let half = bytes.len() / 2;
        let changed: [(&str, Vec<u8>); 6] = [
            ("a byte more", [bytes.as_slice(), b"\n"].concat()),
            ("zeros behind", [bytes.as_slice(), &[0; 4096]].concat()),
            ("twice", [bytes.as_slice(), bytes].concat()),
            (
                "halves exchanged",
                [&bytes[half..], &bytes[..half]].concat(),
            ),
            (
                "a page of zeros",
                [&bytes[..half], &[0; 4096], &bytes[half + 4096..]].concat(),
            ),
            (
                "a page lost",
                [&bytes[..half], &bytes[half + 4096..]].concat(),
            ),
        ];
        for (what, changed) in changed {
            let [with, without] = patient.with(&changed);
            assert!(with.is_err(), "{compression:?}: {what}");
            // of plain SQL alone nobody can tell that a page of rows is gone, nor that a line came
            if compression != Compression::None && what != "twice" {
                assert!(
                    without.is_err(),
                    "{compression:?}, without a manifest: {what}"
                );
            }
        }
    }
}

#[test]
fn a_manifest_that_was_cut_is_not_believed() {
    let patient = Patient::of(Compression::default());
    let path = PathBuf::from(format!("{}.json", patient.path.display()));
    let manifest = fs_err::read(&path).unwrap();
    let end = manifest.trim_ascii_end().len();
    for length in places(end, 30, 40) {
        fs_err::write(&path, &manifest[..length]).unwrap();
        let error = verify(&patient.path).expect_err("a cut manifest");
        assert!(error.to_string().contains(".json"), "{length}: {error}");
    }
    fs_err::write(&path, &manifest).unwrap();
    verify(&patient.path).unwrap();
}
