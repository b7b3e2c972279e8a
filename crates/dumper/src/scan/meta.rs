//! The lines for psql that pg_dump and pg_dumpall write, and no other: psql's own can run programs and read and write
//! files, and a dump of a server that is not trusted may hold them (CVE-2025-8714).
//!
//! Absent: following them.

use super::error::SplitRefusal;
use super::piece::{Connect, Meta};

impl Meta {
    /// The line behind its backslash. One in the middle of a statement is refused whatever it says.
    pub(super) fn read(line: u64, text: &[u8], is_inside: bool) -> Result<Self, SplitRefusal> {
        let text = String::from_utf8_lossy(text);
        let end = text.find(|letter: char| letter.is_ascii_whitespace() || letter == '\\');
        let (command, rest) = text.split_at(end.unwrap_or(text.len()));
        let refused = |reason: &'static str| SplitRefusal::Meta {
            command: shortened(command),
            reason,
        };
        if is_inside {
            return Err(refused("stands inside a statement"));
        }
        if !matches!(command, "connect" | "restrict" | "unrestrict" | "encoding") {
            return Err(refused(
                "is no line of pg_dump's, and others are not followed",
            ));
        }
        let arguments = arguments(rest).map_err(refused)?;
        let only = || match arguments.as_slice() {
            [Argument { text, .. }] if !text.is_empty() => Ok(text.clone()),
            _ => Err(refused("needs one argument")),
        };
        Ok(match command {
            "restrict" => Self::Restrict { key: only()?, line },
            "unrestrict" => Self::Unrestrict { key: only()?, line },
            "encoding" => Self::Encoding {
                name: only()?,
                line,
            },
            _ => Self::Connect(connect(line, &arguments).map_err(refused)?),
        })
    }
}

fn shortened(command: &str) -> String {
    match command.chars().next() {
        None => String::new(),
        // `\;` and others of one character need no space behind them
        Some(first) if !first.is_ascii_alphanumeric() => first.to_string(),
        Some(_) => command.chars().take(40).collect(),
    }
}

/// psql's restricted mode: from `\restrict KEY` on only `\unrestrict KEY` is followed.
#[derive(Debug, Default)]
pub(super) struct Restriction {
    key: Option<(String, u64)>,
}

impl Restriction {
    pub(super) fn apply(&mut self, meta: &Meta) -> Result<(), SplitRefusal> {
        let refused = |command: &str, reason| {
            Err(SplitRefusal::Meta {
                command: command.to_owned(),
                reason,
            })
        };
        const RESTRICTED: &str = "stands between \\restrict and \\unrestrict";
        match (meta, &self.key) {
            (Meta::Unrestrict { .. }, None) => {
                refused("unrestrict", "stands where nothing is restricted")
            }
            (Meta::Unrestrict { key, .. }, Some((restricted, _))) if key != restricted => {
                refused("unrestrict", "has another key than \\restrict")
            }
            (Meta::Unrestrict { .. }, Some(_)) => {
                self.key = None;
                Ok(())
            }
            (Meta::Restrict { key, line }, None) => {
                self.key = Some((key.clone(), *line));
                Ok(())
            }
            (Meta::Restrict { .. }, Some(_)) => refused("restrict", RESTRICTED),
            (Meta::Connect(_), Some(_)) => refused("connect", RESTRICTED),
            (Meta::Encoding { .. }, Some(_)) => refused("encoding", RESTRICTED),
            (Meta::Connect(_) | Meta::Encoding { .. }, None) => Ok(()),
        }
    }

    /// Of the `\restrict` that is in force.
    pub(super) fn line(&self) -> Option<u64> {
        self.key.as_ref().map(|(_, line)| *line)
    }
}

/// `dbname`, `"Db name"`, `-reuse-previous=on`
#[derive(Debug, PartialEq, Eq)]
struct Argument {
    text: String,
    quoted: bool,
}

/// psql's words, without what would be evaluated in them.
fn arguments(mut rest: &str) -> Result<Vec<Argument>, &'static str> {
    let mut arguments = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Ok(arguments);
        }
        let (argument, after) = argument(rest)?;
        arguments.push(argument);
        rest = after;
    }
}

fn argument(text: &str) -> Result<(Argument, &str), &'static str> {
    let mut argument = Argument {
        text: String::new(),
        quoted: false,
    };
    let mut rest = text;
    while let Some(first) = rest.chars().next().filter(|it| !it.is_ascii_whitespace()) {
        match first {
            '`' | ':' | '\\' | '|' => return Err("has an argument that psql would evaluate"),
            '"' | '\'' => {
                argument.quoted = true;
                rest = quoted(first, &rest[1..], &mut argument.text)?;
            }
            _ => {
                argument.text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    Ok((argument, rest))
}

/// Up to the other quote; a doubled one stands for itself.
fn quoted<'a>(quote: char, mut rest: &'a str, text: &mut String) -> Result<&'a str, &'static str> {
    loop {
        let (part, after) = rest
            .split_once(quote)
            .ok_or("has a quote that is not closed")?;
        if quote == '\'' && part.contains('\\') {
            return Err("has an argument that psql would evaluate");
        }
        text.push_str(part);
        match after.strip_prefix(quote) {
            Some(more) => {
                text.push(quote);
                rest = more;
            }
            None => return Ok(after),
        }
    }
}

fn connect(line: u64, arguments: &[Argument]) -> Result<Connect, &'static str> {
    let mut connect = Connect {
        line,
        ..Connect::default()
    };
    let arguments = match arguments {
        [first, rest @ ..] if !first.quoted && first.text.starts_with("-reuse-previous=") => {
            if first.text != "-reuse-previous=on" || rest.len() != 1 {
                return Err("would not keep the connection's other parameters");
            }
            rest
        }
        all => all,
    };
    if let [only] = arguments
        && is_connection_string(&only.text)
    {
        connection_string(&only.text, &mut connect)?;
        return Ok(connect);
    }
    let [database, rest @ ..] = arguments else {
        return Err("names no database");
    };
    connect.database = kept(database);
    connect.user = rest.first().and_then(kept);
    if rest.iter().skip(1).filter_map(kept).next().is_some() {
        return Err("goes to another server");
    }
    Ok(connect)
}

/// `-` keeps what the connection has.
fn kept(argument: &Argument) -> Option<String> {
    (argument.quoted || argument.text != "-").then(|| argument.text.clone())
}

/// libpq's `recognized_connection_string`.
fn is_connection_string(text: &str) -> bool {
    text.contains('=') || text.starts_with("postgresql://") || text.starts_with("postgres://")
}

/// `dbname='it\'s'`
fn connection_string(text: &str, connect: &mut Connect) -> Result<(), &'static str> {
    const WRONG: &str = "has a connection string that cannot be read";
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or(WRONG)?;
        let (value, after) = parameter(after.trim_ascii_start()).ok_or(WRONG)?;
        match name.trim_ascii() {
            "dbname" => connect.database = Some(value),
            "user" => connect.user = Some(value),
            _ => return Err("goes to another server"),
        }
        rest = after.trim_ascii_start();
    }
    Ok(())
}

fn parameter(text: &str) -> Option<(String, &str)> {
    let quoted = text.strip_prefix('\'');
    let mut value = String::new();
    let mut letters = quoted.unwrap_or(text).char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.push(letters.next()?.1),
            '\'' if quoted.is_some() => return Some((value, &quoted?[at + 1..])),
            _ if quoted.is_none() && letter.is_ascii_whitespace() => {
                return Some((value, &text[at..]));
            }
            _ => value.push(letter),
        }
    }
    quoted.is_none().then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<Meta, &str>) {
        let found = Meta::read(1, line.as_bytes(), false);
        let found = found.map_err(|error| error.to_string());
        match (found, expected) {
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => assert_eq!(found, expected.map_err(str::to_owned), "{line}"),
        }
    }

    fn to(database: &str) -> Result<Meta, &'static str> {
        Ok(Meta::Connect(Connect {
            line: 1,
            database: Some(database.to_owned()),
            user: None,
        }))
    }

    #[test]
    fn connections_as_pg_dump_writes_them() {
        check("connect shop", to("shop"));
        check("connect shop\r", to("shop"));
        check("connect \"Shop\"", to("Shop"));
        check("connect -reuse-previous=on \"dbname='a b'\"", to("a b"));
        check(
            "connect -reuse-previous=on \"dbname='a\"\"b\\'c\\\\d'\"",
            to("a\"b'c\\d"),
        );
        check("connect \"dbname=x\"", to("x"));
        let user = Connect {
            line: 1,
            database: None,
            user: Some("me".to_owned()),
        };
        check("connect - me", Ok(Meta::Connect(user)));
    }

    #[test]
    fn connections_elsewhere_are_refused() {
        for line in [
            "connect a - evil.example 5432",
            "connect \"dbname=a host=evil.example\"",
            "connect -reuse-previous=on \"dbname=a hostaddr=1.2.3.4\"",
        ] {
            check(line, Err("goes to another server"));
        }
        check("connect", Err("names no database"));
        check("connect `id`", Err("evaluate"));
        check("connect :HOME", Err("evaluate"));
        check("connect a \\! id", Err("evaluate"));
        check("connect \"a", Err("not closed"));
        check("connect postgresql://evil.example/x", Err("evaluate"));
        check(
            "connect \"postgresql://evil.example/x\"",
            Err("cannot be read"),
        );
    }

    #[test]
    fn all_others_are_refused_by_name() {
        for (line, name) in [
            ("! id", "`\\!`"),
            ("!id", "`\\!`"),
            ("i /etc/passwd", "`\\i`"),
            ("copy a from program 'id'", "`\\copy`"),
            ("o |id", "`\\o`"),
            ("gexec", "`\\gexec`"),
            (".", "`\\.`"),
            ("", "`\\`"),
            ("; SELECT", "`\\;`"),
            ("connect\\!id", "evaluate"),
        ] {
            check(line, Err(name));
        }
        let inside = Meta::read(1, b"connect a", true).unwrap_err();
        assert!(inside.to_string().contains("inside a statement"));
    }
}
