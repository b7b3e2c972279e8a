//! There and back: everything is dumped in each format, restored in each mode, and pg_dump finds no difference.

use std::path::Path;

use dumper::{Compression, Format, Mode, Owners, Privileges, ZstdLevel, examine};

use crate::everything::{Everything, everything};
use crate::same::{assert_same, assert_same_rows, pg_dump, plain};
use crate::support::run;
use crate::trip::{Trip, run_restore, sessions};

struct There {
    fixture: Everything,
    plain: Vec<u8>,
    with_database: Vec<u8>,
}

impl There {
    fn on(major: u32) -> Self {
        let fixture = everything(major);
        let (server, name) = (fixture.server(), fixture.database.name());
        Self {
            plain: plain(server, name),
            with_database: of_database(&fixture, name),
            fixture,
        }
    }

    #[track_caller]
    fn and_back(&self, what: &str, archive: &Path, mode: Mode) {
        let trip = Trip::to(self.fixture.server());
        let mut request = trip.request(archive);
        request.mode = mode;
        let pg_restore = request.pg_restore.clone();
        let what = format!("{} {what} {mode:?}", trip.server.major());
        let restored = run_restore(&request).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(restored.database, trip.name);
        assert_eq!(
            (&restored.errors, &restored.differences),
            (&vec![], &vec![]),
            "{what}"
        );
        assert_eq!(trip.databases(), std::slice::from_ref(&trip.name), "{what}");
        let again = plain(trip.server, &trip.name);
        match mode {
            Mode::Sessions(number) if number.get() > 1 => {
                assert_same_rows(&what, &again, &self.plain);
            }
            _ => assert_same(&what, &again, &self.plain),
        }
        assert_eq!(
            restored.rows,
            examine(archive, pg_restore.as_deref()).unwrap().rows,
            "{what}"
        );
    }

    /// With the database's own settings, which a manifest carries.
    #[track_caller]
    fn check_database(&self, archive: &Path) {
        let trip = Trip::to(self.fixture.server());
        run_restore(&trip.request(archive)).unwrap();
        assert_same(
            "the database itself",
            &of_database(&self.fixture, &trip.name),
            &self.with_database,
        );
    }
}

/// How the database is made and what is set for it, under one name. Its comment, connection limit and privileges are not
/// carried.
fn of_database(fixture: &Everything, name: &str) -> Vec<u8> {
    let sql = pg_dump(
        fixture.server(),
        name,
        &["-Fp", "--create", "--schema-only"],
    );
    let sql = String::from_utf8_lossy(&sql).replace(name, "it");
    let about =
        |line: &&str| line.starts_with("CREATE DATABASE") || line.contains("DATABASE it SET ");
    sql.lines()
        .filter(about)
        .collect::<Vec<_>>()
        .join("\n")
        .into_bytes()
}

#[track_caller]
fn check_modes(major: u32) {
    let there = There::on(major);
    let archive = run(&there.fixture.request()).unwrap();
    for mode in [
        sessions(1),
        sessions(2),
        sessions(4),
        Mode::SingleTransaction,
    ] {
        there.and_back("gzip", &archive.path, mode);
    }
    there.check_database(&archive.path);
}

#[test]
fn heavy_everything_comes_back_on_14() {
    check_modes(14);
}

#[test]
fn heavy_everything_comes_back_on_15() {
    check_modes(15);
}

#[test]
fn heavy_everything_comes_back_on_16() {
    check_modes(16);
}

#[test]
fn heavy_everything_comes_back_on_17() {
    check_modes(17);
}

#[test]
fn heavy_everything_comes_back_on_18() {
    check_modes(18);
}

#[test]
fn heavy_everything_comes_back_from_every_format() {
    for major in [14, 18] {
        let there = There::on(major);
        let mut request = there.fixture.request();
        for (format, compression) in [
            (Format::Plain, Some(Compression::None)),
            (Format::Plain, Some(Compression::Zstd(ZstdLevel::default()))),
            (Format::Custom, None),
            (Format::Directory, None),
        ] {
            (request.format, request.compression) = (format, compression);
            let archive = run(&request).unwrap();
            there.and_back(
                &format!("{format:?} {compression:?}"),
                &archive.path,
                sessions(2),
            );
        }
    }
}

#[test]
fn heavy_without_owners_and_privileges_it_is_what_pg_dump_writes_without_them() {
    let there = There::on(16);
    let archive = run(&there.fixture.request()).unwrap();
    for (owners, privileges, option) in [
        (Owners::Skip, Privileges::Keep, "--no-owner"),
        (Owners::Keep, Privileges::Skip, "--no-privileges"),
    ] {
        let trip = Trip::to(there.fixture.server());
        let mut request = trip.request(&archive.path);
        (request.owners, request.privileges) = (owners, privileges);
        let restored = run_restore(&request).unwrap();
        assert!(!restored.skipped.is_empty());
        let name = there.fixture.database.name();
        let of = |name: &str| pg_dump(trip.server, name, &["-Fp", "--no-owner", "--no-privileges"]);
        assert_same_rows(option, &of(&trip.name), &of(name));
    }
}
