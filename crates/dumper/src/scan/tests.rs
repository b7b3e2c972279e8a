//! The scanner against dumps cut at every place.

mod pieces;
mod psql;

use proptest::prelude::*;

use super::*;

const PREAMBLE: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET standard_conforming_strings = on;\n\n";
const END: &str = "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n";

/// Rows of each table, whatever the chunks, or the reason why the dump is not whole.
#[track_caller]
fn check(dump: &str, expected: Result<&[(&str, u64)], &str>) {
    for size in [1, 2, 3, 7, 64, dump.len().max(1)] {
        let mut scanner = Scanner::default();
        for chunk in dump.as_bytes().chunks(size) {
            scanner.feed(chunk);
        }
        let found = scanner.finish().map(|scan| {
            assert_eq!(scan.raw_bytes, dump.len() as u64);
            assert_eq!(
                scan.rows,
                scan.tables.iter().map(|table| table.rows).sum::<u64>()
            );
            scan.tables
                .iter()
                .map(|table| (table.to_string(), table.rows))
                .collect::<Vec<_>>()
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let found: Vec<_> = found
                    .iter()
                    .map(|(name, rows)| (name.as_str(), *rows))
                    .collect();
                assert_eq!(found, expected, "in chunks of {size}");
            }
            (Err(found), Err(expected)) => {
                let found = found.to_string();
                assert!(found.contains(expected), "{found}");
            }
            (found, expected) => panic!("{found:?} is not {expected:?} in chunks of {size}"),
        }
    }
}

#[track_caller]
fn check_body(body: &str, expected: &[(&str, u64)]) {
    check(&format!("{PREAMBLE}{body}{END}"), Ok(expected));
}

#[test]
fn rows_are_counted() {
    check_body("", &[]);
    check_body(
        "COPY public.a (id, b) FROM stdin;\n1\tx\n2\ty\n\\.\n\n\n",
        &[("public.a", 2)],
    );
    check_body(
        "COPY public.a (id) FROM stdin;\n\\.\n\nCOPY s.b (id) FROM stdin;\n1\n\\.\n",
        &[("public.a", 0), ("s.b", 1)],
    );
    check_body(
        "COPY public.nothing  FROM stdin;\n\n\n\\.\n",
        &[("public.nothing", 2)],
    );
}

#[test]
fn rows_that_look_like_an_end_or_like_sql_are_rows() {
    check_body(
        "COPY a.b (t) FROM stdin;\n\\\\.\n.\n\\\n\\.x\n\\..\nCOPY a.c (d) FROM stdin;\n'\n$$\n\\.\n",
        &[("a.b", 8)],
    );
}

#[test]
fn names_lose_their_quotes() {
    check_body(
        "COPY \"S 1\".\"a \"\"b\"\".c\" (\"x;y\", \"'\") FROM stdin;\n1\n\\.\n",
        &[("S 1.a \"b\".c", 1)],
    );
}

#[test]
fn quoted_dumps_are_not_dumps() {
    let inner = "\nCOPY x.y (z) FROM stdin;\n-- PostgreSQL database dump complete\n";
    check_body(
        &format!("CREATE FUNCTION f() AS $_$ begin $$ {inner} $$ end $_$ LANGUAGE x;\n"),
        &[],
    );
    check_body(&format!("COMMENT ON TABLE a IS 'it''s{inner}';\n"), &[]);
    check_body(&format!("SELECT E'\\'{inner}';\n"), &[]);
    check_body(&format!("SELECT E'a''b\\'{inner}';\n"), &[]);
    check_body(&format!("SELECT 'a\\';\nSELECT '{inner}';\n"), &[]);
    check_body(&format!("/* a /* b */ {inner} */\n"), &[]);
    check_body(
        &format!("SET standard_conforming_strings = off;\nSELECT '\\'{inner}';\n"),
        &[],
    );
    check_body(&format!("CREATE TABLE \"a{inner}\" (b int);\n"), &[]);
}

#[test]
fn dollars_and_operators_outside_quotes_are_harmless() {
    let table = "COPY a.b (c) FROM stdin;\n1\n\\.\n";
    for sql in [
        "PREPARE p AS SELECT $1, $2;\n",
        "CREATE TABLE a$b$c (d int);\n",
        "SELECT 1 - 2 / 3 -- '\n;\n",
        "SELECT some'x\\';\n",
        "SELECT 1/-1;\n",
        "\\unrestrict abc\n\\connect shop\n\\restrict abc\n",
    ] {
        check_body(&format!("{sql}{table}"), &[("a.b", 1)]);
    }
}

#[test]
fn an_incomplete_dump_is_noticed() {
    check("", Err("no end marker"));
    check(PREAMBLE, Err("no end marker"));
    check(
        &format!("{PREAMBLE}COPY a.b (c) FROM stdin;\n1\n2\n"),
        Err("inside the rows of a.b, after 2"),
    );
    check(
        &format!("{PREAMBLE}COPY a.b (c) FROM stdin;\n1\n{END}"),
        Err("inside the rows of a.b"),
    );
    check(
        &format!("{PREAMBLE}{END}CREATE TABLE a (b int);\n"),
        Err("no end marker"),
    );
    check(
        &format!("{PREAMBLE}SELECT '{END}"),
        Err("inside the statement that begins in line 9"),
    );
    check(
        &format!("{PREAMBLE}-- PostgreSQL database dump complete\n--\n\n\\unrestr"),
        Err("inside line 12"),
    );
    check(
        &format!("{PREAMBLE}-- PostgreSQL database dump complete"),
        Err("no end marker"),
    );
}

#[test]
fn a_restriction_that_is_not_lifted_is_noticed() {
    check(
        &format!("{PREAMBLE}-- PostgreSQL database dump complete\n--\n\n"),
        Err("no `\\unrestrict` for the `\\restrict` of line 5"),
    );
}

/// Without a hash to compare with. What may be missing is the frame behind the end marker.
#[test]
fn every_cut_of_a_real_dump_is_noticed() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/dump");
    for name in [
        "pg_dump-14.sql",
        "pg_dump-18.sql",
        "inserts-create-18.sql",
        "pg_dumpall-18.sql",
    ] {
        let file = fs_err::read(corpus.join(name)).unwrap();
        let dump = &file[1..]; // before it stands the fuzzer's byte
        let is_whole = |length: usize| {
            let mut scanner = Scanner::default();
            scanner.feed(&dump[..length]);
            scanner.finish().is_ok()
        };
        let end = dump.len();
        assert!(is_whole(end), "{name}");
        let meaning = dump.trim_ascii_end();
        let meaning = meaning.strip_suffix(b"\n--").unwrap_or(meaning).len();
        for length in (0..meaning).step_by(7).chain(meaning - 150..=meaning) {
            assert!(!is_whole(length), "{name} cut at {length} of {end}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any bytes in any chunks: no panic, and the chunks do not matter.
    #[test]
    fn chunks_do_not_matter(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "COPY a.b (c) FROM stdin;\n", "1\t2\n", "\\.\n", "\\", ".", "\n", "'", "\"", "$$", "$a$", "$", "--",
                "/*", "*/", "E'", ";", "SELECT ", "-- PostgreSQL database dump complete\n", "x", "\u{e9}",
            ]),
            0..60,
        ),
        size in 1_usize..20,
    ) {
        let dump = pieces.concat();
        let mut whole = Scanner::default();
        whole.feed(dump.as_bytes());
        let mut cut = Scanner::default();
        for chunk in dump.as_bytes().chunks(size) {
            cut.feed(chunk);
        }
        prop_assert_eq!(whole.rows(), cut.rows());
        prop_assert_eq!(whole.table(), cut.table());
        prop_assert_eq!(whole.finish(), cut.finish());
    }
}
