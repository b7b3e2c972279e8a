//! `lint` as a command: what it reads, what it refuses, what it writes for other programs, and with which code it ends.
//!
//! Absent here: what is said of a statement (see `crate::truth` and the units of the hazards).

mod formats;
mod input;
mod waived;

use std::path::Path;

use crate::support::{TestCli, cli_in};

/// A folder with one file of SQL, and the command in it.
fn folder(sql: &str) -> (tempfile::TempDir, TestCli) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "a.sql", sql.as_bytes());
    let cli = cli_in(folder.path()).arg("lint");
    (folder, cli)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).expect("a file");
}

/// Asks, and stops.
const GRAVE: &str = "BEGIN;\nCREATE INDEX CONCURRENTLY i ON shop_item (price);\nCOMMIT;\nALTER TABLE shop_item DROP COLUMN price;\n";
