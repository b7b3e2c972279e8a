//! Where statements begin and end.

use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(script: &str, expected: &[(usize, &str)]) {
    let pieces: Vec<_> = split(script).collect();
    let found: Vec<_> = pieces
        .iter()
        .filter(|piece| !piece.sql.is_empty())
        .map(|p| (p.line, p.sql))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(
        pieces.iter().map(|piece| piece.raw).collect::<String>(),
        script
    );
}

#[test]
fn semicolons_end_statements() {
    check("", &[]);
    check("  \n-- only this\n", &[]);
    check("SELECT 1; SELECT 2", &[(1, "SELECT 1"), (1, "SELECT 2")]);
    check(
        "SELECT 1;;\n;SELECT 2;\n",
        &[(1, "SELECT 1"), (2, "SELECT 2")],
    );
}

#[test]
fn lines_count_from_the_first_token() {
    check(
        "\n-- a; b\n/* c;\n /* d; */ */\nSELECT\n1;\nSELECT 2",
        &[(5, "SELECT\n1"), (7, "SELECT 2")],
    );
}

/// A file from an old Macintosh: the server ends a comment there too, and runs what follows.
#[test]
fn a_carriage_return_ends_a_comment() {
    check("-- a\rDROP TABLE b; -- c", &[(1, "DROP TABLE b")]);
    check(
        "SELECT 1;\r\n-- a;\r\nSELECT 2;\r\n",
        &[(1, "SELECT 1"), (3, "SELECT 2")],
    );
}

#[test]
fn operators_end_where_a_comment_begins() {
    check(
        "SELECT 1 +--;\n 2; x",
        &[(1, "SELECT 1 +--;\n 2"), (2, "x")],
    );
    check(
        "SELECT 1 */*;*/ 2; x",
        &[(1, "SELECT 1 */*;*/ 2"), (1, "x")],
    );
}

#[test]
fn quotes_hide_semicolons() {
    check(
        "SELECT 'a;''b;', \"c;\"\"d;\"; x",
        &[(1, "SELECT 'a;''b;', \"c;\"\"d;\""), (1, "x")],
    );
    check(r"SELECT E'a\';b' ; x", &[(1, r"SELECT E'a\';b'"), (1, "x")]);
    check(r"SELECT 'a\'; x", &[(1, r"SELECT 'a\'"), (1, "x")]);
    check(
        "SELECT E'a'\n'b\\';c'; x",
        &[(1, "SELECT E'a'\n'b\\';c'"), (2, "x")],
    );
    check(
        "SELECT E'a' -- b'\r -- '\n 'b\\';c'; x",
        &[(1, "SELECT E'a' -- b'\r -- '\n 'b\\';c'"), (2, "x")],
    );
    check(
        "SELECT E'a' /* */\n'b\\'; c",
        &[(1, "SELECT E'a' /* */\n'b\\'"), (2, "c")],
    );
    check(r"SELECT some'a\'; x", &[(1, r"SELECT some'a\'"), (1, "x")]);
    check(
        "SELECT $$a;$b;$$ || $x$;$$;$y$;$x$; z",
        &[(1, "SELECT $$a;$b;$$ || $x$;$$;$y$;$x$"), (1, "z")],
    );
    check(
        "SELECT $1; SELECT a$b$; c$b$",
        &[(1, "SELECT $1"), (1, "SELECT a$b$"), (1, "c$b$")],
    );
}

#[test]
fn an_open_quote_runs_to_the_end() {
    check("SELECT 'a; b", &[(1, "SELECT 'a; b")]);
    check("SELECT $$a; b", &[(1, "SELECT $$a; b")]);
    check("SELECT /* a; b", &[(1, "SELECT")]);
    check("SELECT 1 + $", &[(1, "SELECT 1 + $")]);
    check(r"SELECT E'\", &[(1, r"SELECT E'\")]);
}

#[test]
fn parentheses_hide_semicolons() {
    check(
        "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); x",
        &[
            (
                1,
                "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)",
            ),
            (1, "x"),
        ],
    );
}

#[test]
fn atomic_bodies_stay_whole() {
    let function = "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\n \
                    SELECT 2;\nEND";
    check(&format!("{function}; x"), &[(1, function), (4, "x")]);
    check(
        "BEGIN; SELECT 1; END; x",
        &[(1, "BEGIN"), (1, "SELECT 1"), (1, "END"), (1, "x")],
    );
    let labels = "CREATE PROCEDURE p() BEGIN /* */ ATOMIC SELECT 1 AS end, t.case, 2 AS case; END";
    check(&format!("{labels}; x"), &[(1, labels), (1, "x")]);
}

/// Only BEGIN ATOMIC opens a body, and only in CREATE FUNCTION and PROCEDURE.
#[test]
fn words_that_open_no_body() {
    for first in [
        "CREATE FUNCTION begin() RETURNS int RETURN 1",
        "CREATE OR REPLACE FUNCTION a(begin int) RETURNS int RETURN begin",
        "CREATE OPERATOR + (FUNCTION = begin)",
        "CREATE TABLE function (begin atomic)",
        "CREATE TRIGGER a AFTER INSERT ON b EXECUTE FUNCTION begin()",
    ] {
        check(
            &format!("{first}; DROP TABLE c; END"),
            &[(1, first), (1, "DROP TABLE c"), (1, "END")],
        );
    }
}

#[test]
fn copy_data_belongs_to_its_statement() {
    check(
        "COPY t (a) FROM stdin;\n1;2\n'\n\\.\nSELECT 1;",
        &[(1, "COPY t (a) FROM stdin"), (5, "SELECT 1")],
    );
    check(
        "COPY t TO stdout; SELECT 1",
        &[(1, "COPY t TO stdout"), (1, "SELECT 1")],
    );
}

/// psql runs the rest of the line before it reads the data.
#[test]
fn copy_data_begin_on_the_next_line() {
    check(
        "COPY t FROM stdin; DROP TABLE a; -- b\n1;2\n\\.\nSELECT 1;",
        &[
            (1, "COPY t FROM stdin"),
            (1, "DROP TABLE a"),
            (4, "SELECT 1"),
        ],
    );
    check(
        "COPY t FROM stdin; /* a */\n'\n\\.\nSELECT 1;",
        &[(1, "COPY t FROM stdin"), (4, "SELECT 1")],
    );
    check(
        "COPY t FROM stdin; COPY u FROM stdin;\n'\n\\.\n'\n\\.\nSELECT 1;",
        &[
            (1, "COPY t FROM stdin"),
            (1, "COPY u FROM stdin"),
            (6, "SELECT 1"),
        ],
    );
    check(
        "COPY t FROM stdin;\r\n1;2\r\n\\. \r\n\\.\r\nSELECT 1;",
        &[(1, "COPY t FROM stdin"), (5, "SELECT 1")],
    );
}

/// A migration has no data behind COPY, and what it has there is not to be hidden.
#[test]
fn copy_without_an_end_of_data_hides_nothing() {
    check(
        "COPY t FROM stdin;\nDROP TABLE a;\nCOPY t FROM stdin;\nDROP TABLE b;\n",
        &[
            (1, "COPY t FROM stdin"),
            (2, "DROP TABLE a"),
            (3, "COPY t FROM stdin"),
            (4, "DROP TABLE b"),
        ],
    );
}

#[test]
fn what_only_looks_like_copy_from_stdin() {
    for first in [
        "COPY t TO stdin",
        "COPY t FROM 'stdin'",
        "COPY t (stdin) FROM program 'stdin'",
        "COPY (SELECT a FROM stdin) TO stdout",
        "EXPLAIN COPY t FROM stdin",
    ] {
        check(
            &format!("{first};\nDROP TABLE a;\n\\.\n"),
            &[(1, first), (2, "DROP TABLE a"), (3, "\\.")],
        );
    }
}

#[test]
fn commands_of_psql_end_what_they_stand_behind() {
    check(
        "SELECT format('DROP TABLE %I', a) FROM b \\gexec\nDROP TABLE c;",
        &[
            (1, "SELECT format('DROP TABLE %I', a) FROM b \\gexec"),
            (2, "DROP TABLE c"),
        ],
    );
    check(
        "SELECT 1\\; DROP TABLE a;\\;",
        &[(1, "SELECT 1"), (1, "DROP TABLE a")],
    );
    check(
        "\\set a 'it\\'s \\\\' \\\\ DROP TABLE a;\r\n\\! b \\\\ c\r\n",
        &[
            (1, "\\set a 'it\\'s \\\\' \\\\"),
            (1, "DROP TABLE a"),
            (2, "\\! b \\\\ c"),
        ],
    );
    check(
        "\\set a 'b\nDROP TABLE a;",
        &[(1, "\\set a 'b"), (2, "DROP TABLE a")],
    );
    check(
        "\\copy t from stdin with csv\n1;2\n\\.\nSELECT 1;",
        &[(1, "\\copy t from stdin with csv"), (4, "SELECT 1")],
    );
}

#[test]
fn bytes_that_no_server_takes_hide_nothing() {
    check(
        "SELECT \0; DROP TABLE a;",
        &[(1, "SELECT \0"), (1, "DROP TABLE a")],
    );
}

#[test]
fn lines_of_psql_stand_alone() {
    check(
        "\\connect shop\nSELECT 1;\n\\unrestrict x",
        &[
            (1, "\\connect shop"),
            (2, "SELECT 1"),
            (3, "\\unrestrict x"),
        ],
    );
}

/// Text made of the parts that matter to the splitter.
fn script() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("'"),
        Just("\""),
        Just("$$"),
        Just("$a$"),
        Just("E'"),
        Just("\\"),
        Just("\\.\n"),
        Just("--"),
        Just("/*"),
        Just("*/"),
        Just(";"),
        Just("("),
        Just(")"),
        Just("\n"),
        Just(" "),
        Just("BEGIN "),
        Just("END "),
        Just("CASE "),
        Just("CREATE FUNCTION "),
        Just("COPY t FROM stdin;"),
        Just("\\copy t from stdin"),
        Just("\\\\"),
        Just("\\;"),
        Just("\r"),
        Just("OR REPLACE "),
        Just("ATOMIC "),
        Just("AS "),
        Just("."),
        Just("SELECT 1"),
        Just("é"),
        Just("$"),
        Just("1e"),
    ];
    proptest::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn nothing_is_lost(script in prop_oneof![script(), any::<String>()]) {
        let pieces: Vec<_> = split(&script).collect();
        prop_assert_eq!(pieces.iter().map(|piece| piece.raw).collect::<String>(), script.clone());
        for piece in &pieces {
            prop_assert!(piece.raw.contains(piece.sql));
            let before = piece.sql.as_ptr() as usize - script.as_ptr() as usize;
            prop_assert_eq!(piece.line, 1 + script[..before].matches('\n').count());
        }
    }
}

/// Counted rather than timed: each kind of opener, repeated, is passed over once.
#[test]
fn long_scripts_are_split_in_linear_time() {
    for part in [
        "$a",
        "/*",
        "'",
        "E'\n",
        "(",
        "$a$b",
        "COPY t FROM stdin;\n",
        "\\",
        "--\n",
        ";",
    ] {
        let script = part.repeat(400_000);
        let start = std::time::Instant::now();
        let pieces: Vec<_> = split(&script).collect();
        assert!(!pieces.is_empty());
        // quadratic time would be minutes; the bound only has to tell the two apart on a busy machine
        assert!(start.elapsed().as_secs() < 20, "{part:?}");
    }
}
