//! Archives in pg_dump's own formats that are not what was written: by their manifest every change is found.

use std::path::{Path, PathBuf};

use dumper::{Format, examine};

use crate::damage::{ROWS, places};
use crate::support::{Fixture, run};

struct Patient {
    fixture: Fixture,
    path: PathBuf,
}

impl Patient {
    fn of(format: Format) -> Self {
        let fixture = Fixture::on(16, ROWS);
        let mut request = fixture.request();
        request.format = format;
        let path = run(&request).unwrap().path;
        Self { fixture, path }
    }

    #[track_caller]
    fn check(&self, what: &str, is_whole: bool) {
        let pg_restore = self.fixture.server().bin_dir().join("pg_restore");
        let found = examine(&self.path, Some(&pg_restore));
        assert_eq!(found.is_ok(), is_whole, "{what}: {found:?}");
    }

    /// One file is changed, looked at, and put back.
    #[track_caller]
    fn check_changed(&self, file: &Path, what: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let whole = fs_err::read(file).unwrap();
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs_err::write(file, bytes).unwrap();
        self.check(&format!("{}: {what}", file.display()), false);
        fs_err::write(file, whole).unwrap();
    }

    fn check_file(&self, file: &Path, near: usize, between: usize) {
        let length = fs_err::metadata(file).unwrap().len() as usize;
        for place in places(length, near.min(length / 2), between) {
            self.check_changed(file, &format!("cut to {place}"), |bytes| {
                bytes.truncate(place);
            });
            self.check_changed(file, &format!("byte {place} flipped"), |bytes| {
                bytes[place] ^= 1 << (place % 8);
            });
        }
        self.check_changed(file, "a byte more", |bytes| bytes.push(b'\n'));
    }
}

#[test]
fn a_custom_archive_cut_or_flipped_anywhere_is_found() {
    let patient = Patient::of(Format::Custom);
    patient.check("untouched", true);
    patient.check_file(&patient.path, 10, 30);
    patient.check("put back", true);
}

#[test]
fn a_directory_with_any_file_changed_gone_or_added_is_found() {
    let patient = Patient::of(Format::Directory);
    patient.check("untouched", true);
    let entries = fs_err::read_dir(&patient.path).unwrap();
    let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in &files {
        patient.check_file(file, 2, 4);
        let aside = patient.fixture.folder.path().join("aside");
        fs_err::rename(file, &aside).unwrap();
        patient.check(&format!("{} gone", file.display()), false);
        fs_err::rename(&aside, file).unwrap();
    }
    let more = patient.path.join("9999.dat");
    fs_err::write(&more, "x").unwrap();
    patient.check("a file more", false);
    fs_err::remove_file(&more).unwrap();
    patient.check("put back", true);
}

#[test]
fn a_custom_archive_that_is_cut_is_found_without_a_manifest_too() {
    let patient = Patient::of(Format::Custom);
    let bytes = fs_err::read(&patient.path).unwrap();
    fs_err::remove_file(format!("{}.json", patient.path.display())).unwrap();
    patient.check("alone", true);
    for length in places(bytes.len(), 20, 30) {
        fs_err::write(&patient.path, &bytes[..length]).unwrap();
        patient.check(&format!("cut to {length} of {}", bytes.len()), false);
    }
}
