//! What binds a waiver to the SQL that somebody has read.

use sha2::{Digest as _, Sha256};

use crate::sql::words;

/// Digits of hexadecimal that a person copies.
const DIGITS: usize = 16;

/// Of a statement however it is laid out and commented. The value of a DEFAULT is left out: Django computes it anew each
/// time that it writes the SQL (`timezone.now`, `uuid4`), and what the statement does does not depend on it.
pub(crate) fn sql_hash(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut follows_default = false;
    for word in words(sql) {
        let is_literal = word.ends_with('\'') || word.starts_with(|c: char| c.is_ascii_digit());
        text.push_str(if follows_default && is_literal {
            "?"
        } else {
            word
        });
        text.push(' ');
        follows_default = word.eq_ignore_ascii_case("DEFAULT");
    }
    hash(text.trim_end_matches([' ', ';']))
}

pub(super) fn hash(text: &str) -> String {
    use std::fmt::Write as _;
    let bytes = Sha256::digest(text);
    let mut hex = String::with_capacity(DIGITS);
    for byte in bytes.iter().take(DIGITS / 2) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
