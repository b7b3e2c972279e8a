//! Every form in which a version's pg_dump writes a database is read, found whole, and has the same rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dumper::examine;
use xtask::servers::available;

use crate::everything::everything;
use crate::support::{Fixture, tool};

/// Options that change the text, and whether rows come as COPY.
const TEXTS: &[(&[&str], bool)] = &[
    (&["-Fp"], true),
    (&["-Fp", "--create", "--clean", "--if-exists"], true),
    (
        &["-Fp", "--quote-all-identifiers", "--disable-dollar-quoting"],
        true,
    ),
    (&["-Fp", "--use-set-session-authorization"], true),
    (&["-Fp", "--data-only", "--disable-triggers"], true),
    (&["-Fp", "--inserts"], false),
    (&["-Fp", "--column-inserts", "--rows-per-insert=50"], false),
    (&["-Fp", "--schema-only"], false),
    (&["-Fc"], true),
    (&["-Ft"], true),
    (&["-Fd", "-j2"], true),
];

const SINCE_16: &[&[&str]] = &[
    &["-Fp", "--compress=zstd:3"],
    &["-Fp", "--compress=gzip:1"],
    &["-Fc", "--compress=zstd:1"],
    &["-Fc", "--compress=none"],
    &["-Fd", "--compress=zstd:1"],
];

fn written(fixture: &Fixture, number: usize, options: &[&str]) -> PathBuf {
    // the name tells nothing: the content has to
    let path = fixture.folder.path().join(format!("form{number}"));
    let mut command = tool(&fixture.database, "pg_dump");
    let output = command.args(options).arg("-f").arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{options:?}: {said}");
    path
}

type Rows = BTreeMap<(String, String), u64>;

#[track_caller]
fn rows(what: &str, path: &Path, fixture: &Fixture) -> Rows {
    let pg_restore = fixture.server().bin_dir().join("pg_restore");
    let summary =
        examine(path, Some(&pg_restore)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let rows = summary
        .tables
        .into_iter()
        .map(|table| ((table.schema, table.name), table.rows));
    rows.collect()
}

#[test]
fn heavy_every_form_of_everything_is_found_whole() {
    for &major in available() {
        let fixture = everything(major);
        let expected = rows("plain", &written(&fixture, 0, &["-Fp"]), &fixture);
        assert!(expected.len() > 40 && expected.values().sum::<u64>() > 14_000);
        let texts = TEXTS.iter().copied();
        let since = SINCE_16.iter().map(|options| (*options, true));
        let since = since.filter(|_| major >= 16);
        for (number, (options, copied)) in texts.chain(since).enumerate() {
            let what = format!("{major} {options:?}");
            let found = rows(&what, &written(&fixture, number + 1, options), &fixture);
            assert_eq!(
                found,
                if copied {
                    expected.clone()
                } else {
                    Rows::new()
                },
                "{what}"
            );
        }
    }
}
