//! `.pgpass`: the password for a target, by libpq's rules (`passwordFromFile` in `fe-connect.c`).
//!
//! Absent: the file itself; the edge reads it and checks its permissions.

use crate::Secret;

/// What a line of the file is matched with. `host` is `localhost` for a default socket directory.
pub(super) struct Target<'a> {
    pub(super) host: &'a str,
    pub(super) port: &'a str,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password of the first line that matches.
pub(super) fn password(text: &str, target: &Target<'_>) -> Option<Secret> {
    let wanted = [target.host, target.port, target.database, target.user];
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let mut rest = line;
            for value in wanted {
                let (field, after) = next_field(rest)?;
                if field.wildcard() || field.text == value {
                    rest = after;
                } else {
                    return None;
                }
            }
            let password = unescape(rest.trim_end_matches('\r'));
            (!password.is_empty()).then(|| Secret::from(password))
        })
}

struct Field {
    text: String,
    escaped: bool,
}

impl Field {
    fn wildcard(&self) -> bool {
        self.text == "*" && !self.escaped
    }
}

/// The field up to an unescaped colon, and what follows the colon.
fn next_field(line: &str) -> Option<(Field, &str)> {
    let mut field = Field {
        text: String::new(),
        escaped: false,
    };
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ':' => return Some((field, &line[at + 1..])),
            '\\' => {
                field.escaped = true;
                field.text.extend(chars.next().map(|(_, c)| c));
            }
            c => field.text.push(c),
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Target, password};

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let target = Target {
            host: "db1",
            port: "5432",
            database: "shop",
            user: "me",
        };
        assert_eq!(
            password(text, &target).as_ref().map(crate::Secret::expose),
            expected,
            "{text}"
        );
    }

    #[test]
    fn the_first_line_that_matches() {
        check("db1:5432:shop:me:one\n*:*:*:*:two", Some("one"));
        check("db2:5432:shop:me:one\n*:*:*:*:two", Some("two"));
        check("#db1:5432:shop:me:one", None);
        check("db1:5432:shop:you:one", None);
        check("db1:5432:shop:me", None);
        check("db1:5432:shop:me:", None);
        check(r"db1:5432:shop:me:a\:b\\c", Some(r"a:b\c"));
        check(r"d\b1:5432:shop:me:x", Some("x"));
        check(r"\*:5432:shop:me:x", None);
    }
}
