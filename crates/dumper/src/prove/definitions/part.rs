//! What of an archive is a definition, and what carries rows.
//!
//! Absent: what a definition says.

use crate::restore::Owners;
use crate::scan::TocEntry;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Definition,
    Sequence,
    LeftOut,
}

/// What of an archive a dump of definitions has, too. A SET stands before the entry that it is for, so that it is never
/// left out for the entry before it.
pub(super) fn part(entry: &TocEntry, text: &[u8], owners: Owners) -> Part {
    let is = |keyword: &[u8]| {
        text.get(..keyword.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(keyword))
    };
    if is(b"SELECT pg_catalog.setval(") {
        return Part::Sequence;
    }
    if is(b"SET ") || is(b"SELECT pg_catalog.set_config(") {
        return Part::Definition;
    }
    let rows = matches!(
        entry.kind.as_str(),
        "TABLE DATA"
            | "MATERIALIZED VIEW DATA"
            | "SEQUENCE SET"
            | "STATISTICS DATA"
            | "BLOB"
            | "BLOBS"
            | "BLOB METADATA"
            | "DATABASE"
            | "DATABASE PROPERTIES"
    );
    let large_object = entry.name.starts_with("LARGE OBJECT") || is(b"SELECT pg_catalog.lo_");
    let privilege = is(b"GRANT ") || is(b"REVOKE ") || is(b"ALTER DEFAULT PRIVILEGES ");
    let owner = is(b"ALTER ") && gives_owner(text);
    match owners {
        _ if rows || large_object => Part::LeftOut,
        Owners::Skip if privilege || owner => Part::LeftOut,
        _ => Part::Definition,
    }
}

/// `… OWNER TO role` is the end of its statement.
fn gives_owner(text: &[u8]) -> bool {
    const WORDS: &[u8] = b" OWNER TO ";
    let Some(at) = memchr::memmem::rfind(text, WORDS) else {
        return false;
    };
    let role = &text[at + WORDS.len()..];
    match role.strip_prefix(b"\"") {
        Some(quoted) => quoted.ends_with(b"\""),
        None => role
            .iter()
            .all(|byte| !byte.is_ascii_whitespace() && *byte != b'\''),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, name: &str) -> TocEntry {
        TocEntry {
            kind: kind.to_owned(),
            name: name.to_owned(),
            ..TocEntry::default()
        }
    }

    #[track_caller]
    fn check(kind: &str, name: &str, text: &str, owners: Owners, expected: Part) {
        assert_eq!(
            part(&entry(kind, name), text.as_bytes(), owners),
            expected,
            "{text}"
        );
    }

    #[test]
    fn rows_are_left_out_and_sequences_kept_apart() {
        use Part::{Definition, LeftOut, Sequence};
        let check = |kind, name, text, expected| check(kind, name, text, Owners::Keep, expected);
        check("TABLE", "t", "CREATE TABLE public.t ()", Definition);
        check(
            "TABLE DATA",
            "t",
            "SET default_tablespace = 'x'",
            Definition,
        );
        check(
            "TABLE DATA",
            "t",
            "INSERT INTO public.t VALUES (1)",
            LeftOut,
        );
        check(
            "SEQUENCE SET",
            "s",
            "SELECT pg_catalog.setval('public.s', 4, true)",
            Sequence,
        );
        check(
            "MATERIALIZED VIEW DATA",
            "m",
            "REFRESH MATERIALIZED VIEW public.m",
            LeftOut,
        );
        check(
            "BLOB",
            "16403",
            "SELECT pg_catalog.lo_create('16403')",
            LeftOut,
        );
        check(
            "COMMENT",
            "LARGE OBJECT 16403",
            "COMMENT ON LARGE OBJECT 16403 IS 'x'",
            LeftOut,
        );
        check(
            "",
            "",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            Definition,
        );
    }

    #[test]
    fn owners_and_privileges_go_together() {
        for text in [
            "ALTER TABLE public.t OWNER TO shop",
            "ALTER TABLE public.t OWNER TO \"my shop\"",
            "GRANT SELECT ON TABLE public.t TO shop",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            "ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b",
        ] {
            check("TABLE", "t", text, Owners::Skip, Part::LeftOut);
            check("TABLE", "t", text, Owners::Keep, Part::Definition);
        }
        let text = "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a = ' OWNER TO b'))";
        check("CONSTRAINT", "t c", text, Owners::Skip, Part::Definition);
    }
}
