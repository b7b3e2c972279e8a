//! Lines of psql's own, which files hold and servers never see: `\restrict`, `\connect`, `\copy`.

use super::{plain, read};
use crate::sql::StatementKind as Kind;
use crate::sql::action::Action;

/// Behind the backslash. Those that run something else, or that lead elsewhere, cannot be read.
pub(super) fn command(command: &str) -> Option<Vec<Action>> {
    let name = command.split_ascii_whitespace().next()?;
    match name {
        // as COPY … FROM STDIN and TO STDOUT, with the data on psql's side
        "copy" => Some(read(command)),
        // from here on each statement would be in a transaction
        "set" if command.contains("AUTOCOMMIT") => None,
        "restrict" | "unrestrict" | "echo" | "qecho" | "warn" | "set" | "unset" | "pset"
        | "timing" | "encoding" | "a" | "t" | "x" | "H" | "f" | "C" | "T" | "if" | "elif"
        | "else" | "endif" | "errverbose" | "prompt" | "q" | "." => {
            Some(plain(Kind::Set, Vec::new()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::{kind, read};

    #[test]
    fn lines_of_psql_are_read_where_they_do_nothing_else() {
        let cases = [
            ("\\restrict aBc", "set"),
            ("\\set ON_ERROR_STOP on", "set"),
            ("\\set AUTOCOMMIT off", "unknown"),
            ("\\connect shop", "unknown"),
            ("\\i other.sql", "unknown"),
            ("\\! rm a", "unknown"),
            ("\\copy t from 'a.csv' with csv", "copy"),
            ("\\", "unknown"),
            ("SELECT 1 \\gexec", "unknown"),
        ];
        for (line, expected) in cases {
            assert_eq!(kind::of(&read::read(line)).to_string(), expected, "{line}");
        }
    }
}
