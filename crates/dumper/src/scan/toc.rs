//! pg_dump's comments, as far as they say something.
//!
//! Absent: trust. A comment is a comment, and names in it are not quoted.

use super::piece::TocEntry;
use crate::pg_dump::Version;

/// `Name: shop_order; Type: TABLE; Schema: public; Owner: shop`, `Data for Name: …`, `Statistics for Name: …`
pub(super) fn entry(line: u64, comment: &[u8]) -> Option<TocEntry> {
    if !comment.starts_with(b"Name: ")
        && memchr::memmem::find(comment, b" for Name: ").is_none_or(|at| at >= 20)
    {
        return None;
    }
    let text = String::from_utf8_lossy(comment);
    let (_, text) = text.split_once("Name: ")?;
    // from the end, since a name may hold anything; what follows it is pg_dump's and the owner's
    let (text, tablespace) = match text.rsplit_once("; Tablespace: ") {
        Some((text, tablespace)) => (text, known(tablespace)),
        None => (text, None),
    };
    let (text, owner) = text.rsplit_once("; Owner: ")?;
    let (text, schema) = text.rsplit_once("; Schema: ")?;
    let (name, kind) = text.rsplit_once("; Type: ")?;
    Some(TocEntry {
        line,
        name: name.to_owned(),
        kind: kind.to_owned(),
        schema: known(schema),
        owner: known(owner),
        tablespace,
    })
}

/// Versions are told in the dump's head: of the server, and of pg_dump.
pub(super) enum Told {
    Server(Version),
    PgDump(Version),
}

/// `Dumped from database version 15.18 (Debian 15.18-0+deb12u1)`, `Dumped by pg_dump version 18.1`
pub(super) fn version(comment: &[u8]) -> Option<Told> {
    let text = std::str::from_utf8(comment.strip_prefix(b"Dumped ")?).ok()?;
    match text.strip_prefix("from database version ") {
        Some(server) => Version::from_text(server).map(Told::Server),
        None => {
            let program = text.strip_prefix("by pg_dump version ")?;
            Version::from_text(program).map(Told::PgDump)
        }
    }
}

fn known(name: &str) -> Option<String> {
    (name != "-" && !name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(comment: &str, expected: Option<[&str; 5]>) {
        let found = entry(1, comment.as_bytes()).map(|it| {
            let or = |part: Option<String>| part.unwrap_or_default();
            [
                it.name,
                it.kind,
                or(it.schema),
                or(it.owner),
                or(it.tablespace),
            ]
        });
        let expected = expected.map(|parts| parts.map(str::to_owned));
        assert_eq!(found, expected, "{comment}");
    }

    #[test]
    fn entries_are_read() {
        check(
            "Name: shop_order; Type: TABLE; Schema: public; Owner: shop",
            Some(["shop_order", "TABLE", "public", "shop", ""]),
        );
        check(
            "Data for Name: a b; Type: TABLE DATA; Schema: S; Owner: -",
            Some(["a b", "TABLE DATA", "S", "", ""]),
        );
        check(
            "Statistics for Name: a; Type: STATISTICS DATA; Schema: s; Owner: -",
            Some(["a", "STATISTICS DATA", "s", "", ""]),
        );
        check(
            "Name: x; Type: y; Type: INDEX; Schema: public; Owner: o; Tablespace: fast",
            Some(["x; Type: y", "INDEX", "public", "o", "fast"]),
        );
        check(
            "Name: EXTENSION ltree; Type: COMMENT; Schema: -; Owner: ",
            Some(["EXTENSION ltree", "COMMENT", "", "", ""]),
        );
        check("PostgreSQL database dump", None);
        check("Name: half", None);
        check("what is the use for anything; Name: x", None);
    }

    #[test]
    fn versions_are_read() {
        let found = version(b"Dumped from database version 15.18 (Debian 15.18-0+deb12u1)");
        assert!(matches!(found, Some(Told::Server(it)) if it.to_string() == "15.18"));
        let found = version(b"Dumped by pg_dump version 18beta1");
        assert!(matches!(found, Some(Told::PgDump(it)) if it.to_string() == "18.0"));
        assert!(version(b"Dumped by hand").is_none());
    }
}
