//! The two settings that change how the text is read.
//!
//! Absent: every other setting, and `set_config`, which pg_dump uses for the search path alone.

use super::error::SplitRefusal;
use super::statement::begins_with;
use super::words::words;

/// Encodings of clients only, in which a later byte of a character may be ASCII (`pg_valid_server_encoding`).
const UNSAFE: [&str; 17] = [
    "sjis",
    "shiftjis",
    "shiftjis2004",
    "mskanji",
    "win932",
    "windows932",
    "big5",
    "win950",
    "windows950",
    "gbk",
    "win936",
    "windows936",
    "uhc",
    "win949",
    "windows949",
    "johab",
    "gb18030",
];

/// `SET name = value`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    StandardStrings(bool),
    ClientEncoding(String),
}

impl Setting {
    pub(super) fn escapes_everywhere(&self) -> Option<bool> {
        match self {
            Self::StandardStrings(on) => Some(!on),
            Self::ClientEncoding(_) => None,
        }
    }

    pub(super) fn check(&self) -> Result<(), SplitRefusal> {
        match self {
            Self::ClientEncoding(name) => check_encoding(name),
            Self::StandardStrings(_) => Ok(()),
        }
    }
}

/// Whether a statement with this beginning may change how what follows is read.
pub(super) fn matters(statement: &[u8]) -> bool {
    [b"copy".as_slice(), b"set", b"reset"]
        .iter()
        .any(|word| begins_with(statement, word))
}

/// The setting that a statement changes, where it is one of the two.
pub(super) fn of(statement: &[u8]) -> Option<Setting> {
    let is_set = begins_with(statement, b"set");
    if !is_set && !begins_with(statement, b"reset") {
        return None;
    }
    let mut words = words(statement).skip(1);
    let mut name = words.next()?;
    if is_set && (name.is("session") || name.is("local")) {
        name = words.next()?;
    }
    let name = name.name()?.to_ascii_lowercase();
    if is_set && name == "names" {
        return Some(Setting::ClientEncoding(words.next()?.value()?.to_owned()));
    }
    let value = words.nth(1);
    let value = value.as_ref().and_then(|word| word.value());
    match name.as_str() {
        "standard_conforming_strings" => Some(Setting::StandardStrings(!value.is_some_and(is_off))),
        "client_encoding" => Some(Setting::ClientEncoding(value?.to_owned())),
        _ => None,
    }
}

/// As the server reads a boolean: any beginning of `false` and `no`, of `off` what is not one of `on`, and `0`.
fn is_off(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let begins = |word: &str| !value.is_empty() && word.starts_with(&value);
    begins("false") || begins("no") || value == "0" || (value.len() > 1 && begins("off"))
}

/// Refuses an encoding in which a byte of a character may look like a quote or a backslash.
pub(super) fn check_encoding(name: &str) -> Result<(), SplitRefusal> {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    if UNSAFE.contains(&plain.as_str()) {
        return Err(SplitRefusal::Encoding(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    #[allow(clippy::needless_pass_by_value)]
    fn check(statement: &str, expected: Option<Setting>) {
        assert_eq!(of(statement.as_bytes()), expected, "{statement}");
    }

    #[test]
    fn the_two_settings_are_found_in_every_form() {
        let strings = |on| Some(Setting::StandardStrings(on));
        check("SET standard_conforming_strings = off", strings(false));
        check("set Standard_Conforming_Strings TO 'OFF'", strings(false));
        check("SET LOCAL standard_conforming_strings=0", strings(false));
        check(
            "SET SESSION standard_conforming_strings = f",
            strings(false),
        );
        check("SET standard_conforming_strings = on", strings(true));
        check("SET standard_conforming_strings = 1", strings(true));
        check("SET standard_conforming_strings TO DEFAULT", strings(true));
        check("RESET standard_conforming_strings", strings(true));
        let encoding = |name: &str| Some(Setting::ClientEncoding(name.to_owned()));
        check("SET client_encoding = 'UTF8'", encoding("UTF8"));
        check("SET NAMES 'SJIS'", encoding("SJIS"));
        check("SET search_path = ''", None);
        check("SET ROLE none", None);
        check("SELECT 1", None);
    }

    #[test]
    fn encodings_that_hide_quotes_are_refused() {
        for name in [
            "SJIS",
            "Shift_JIS",
            "big5",
            "GBK",
            "WIN949",
            "JOHAB",
            "gb18030",
        ] {
            assert!(check_encoding(name).is_err(), "{name}");
        }
        for name in ["UTF8", "SQL_ASCII", "LATIN1", "EUC_JP", "WIN1252", "KOI8R"] {
            assert!(check_encoding(name).is_ok(), "{name}");
        }
    }
}
