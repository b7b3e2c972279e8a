//! Inputs and the pieces that they are, whatever the chunks.

use proptest::prelude::*;

use crate::scan::{Connect, Meta, Piece, Rows, Splitter};

/// One line for each piece.
fn split(text: &[u8], size: usize, limit: usize) -> Vec<String> {
    let mut splitter = Splitter::with_rows(limit, 8);
    let mut told = Vec::new();
    for chunk in text.chunks(size) {
        let fed = splitter.feed(chunk, &mut |piece| told.push(tell(piece)));
        if let Err(error) = fed {
            told.push(format!("! {error}"));
            return told;
        }
    }
    told
}

fn tell(piece: Piece) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match piece {
        Piece::Statement(it) => format!("{} {}", it.line, text(&it.text)),
        Piece::Copy(it) => format!("{} {} [{}]", it.line, text(&it.statement), it.table),
        Piece::Rows(Rows {
            bytes,
            rows,
            ends_row,
        }) => {
            format!(
                "= {:?} {rows}{}",
                text(&bytes),
                if ends_row { "" } else { "…" }
            )
        }
        Piece::CopyEnd { line, rows } => format!("{line} end of {rows}"),
        Piece::Meta(Meta::Connect(Connect {
            line,
            database,
            user,
        })) => {
            format!("{line} connect {database:?} {user:?}")
        }
        Piece::Meta(Meta::Restrict { key, line }) => format!("{line} restrict {key}"),
        Piece::Meta(Meta::Unrestrict { key, line }) => format!("{line} unrestrict {key}"),
        Piece::Meta(Meta::Encoding { name, line }) => format!("{line} encoding {name}"),
        Piece::Entry(it) => format!("{} entry {} {}", it.line, it.kind, it.name),
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    check_limited(text, 1 << 20, expected);
}

#[track_caller]
fn check_limited(text: &str, limit: usize, expected: &[&str]) {
    for size in [1, 2, 3, 5, 11, 1000] {
        assert_eq!(
            split(text.as_bytes(), size, limit),
            expected,
            "in chunks of {size}"
        );
    }
}

#[test]
fn statements_have_the_line_of_their_first_word() {
    check(
        "\n -- c\n/* d\n*/ SELECT\n 1 ; SELECT 2;\nSELECT '\n'\n;SELECT 3;",
        &[
            "4 SELECT\n 1 ",
            "5 SELECT 2",
            "6 SELECT '\n'\n",
            "8 SELECT 3",
        ],
    );
    check(";;\n ; SELECT 1", &[]);
}

#[test]
fn comments_inside_stay_and_before_go() {
    check(
        "-- a\nSELECT 1 -- b;\n + /* c; */ 2 -- d\n;",
        &["2 SELECT 1 -- b;\n + /* c; */ 2 -- d\n"],
    );
    check("/* a */ -- b\n/**/SELECT 1;", &["2 SELECT 1"]);
}

#[test]
fn rows_come_in_pieces_of_whole_rows_or_of_a_long_one() {
    check(
        "COPY a FROM stdin;\n1\n22\n333\n\\.\nSELECT 1;",
        &[
            "1 COPY a FROM stdin [a]",
            "= \"1\\n22\\n\" 2",
            "= \"333\\n\" 1",
            "5 end of 3",
            "6 SELECT 1",
        ],
    );
    check(
        "COPY a FROM stdin;\n123456789012345678\n1\n\\.\n",
        &[
            "1 COPY a FROM stdin [a]",
            "= \"12345678\" 0…",
            "= \"90123456\" 0…",
            "= \"78\\n1\\n\" 2",
            "4 end of 2",
        ],
    );
    check(
        "COPY s.a  FROM stdin;\n\n\n\\.\n",
        &[
            "1 COPY s.a  FROM stdin [s.a]",
            "= \"\\n\\n\" 2",
            "4 end of 2",
        ],
    );
    check(
        "COPY a FROM stdin;\n\\.\n",
        &["1 COPY a FROM stdin [a]", "2 end of 0"],
    );
}

#[test]
fn the_end_line_is_told_from_rows() {
    check(
        "COPY a FROM stdin;\n\\\n\\.x\n\\..\n.\n\\.\r\n;",
        &[
            "1 COPY a FROM stdin [a]",
            "= \"\\\\\\n\\\\.x\\n\" 2",
            "= \"\\\\..\\n.\\n\" 2",
            "6 end of 4",
        ],
    );
    check(
        "COPY a FROM stdin;\r\n1\r\n\\.\r\r\n\\.\r\n",
        &[
            "1 COPY a FROM stdin [a]",
            "= \"1\\r\\n\\\\.\\r\\r\\n\" 2",
            "4 end of 2",
        ],
    );
}

#[test]
fn copies_that_cannot_be_read_are_refused() {
    check(
        "COPY a FROM stdin; SELECT 1;\n1\n\\.\n",
        &[
            "1 COPY a FROM stdin [a]",
            "! line 1: after COPY … FROM stdin the line must end",
        ],
    );
    check(
        "SELECT 1;\nCOPY a FROM stdin BINARY;\n",
        &[
            "1 SELECT 1",
            "! line 2: COPY in binary format is not in lines",
        ],
    );
    check("COPY a TO stdout;", &["1 COPY a TO stdout"]);
}

#[test]
fn lines_for_psql_are_followed_or_refused_by_line() {
    check(
        "\\restrict k\nSELECT 1;\n\\unrestrict k\n\\connect \"D b\"\n\\encoding UTF8\n",
        &[
            "1 restrict k",
            "2 SELECT 1",
            "3 unrestrict k",
            "4 connect Some(\"D b\") None",
            "5 encoding UTF8",
        ],
    );
    check(
        "SELECT 1;\n\\! id\n",
        &[
            "1 SELECT 1",
            "! line 2: `\\!` is no line of pg_dump's, and others are not followed",
        ],
    );
    check(
        "SELECT 1\n\\connect a\n",
        &["! line 2: `\\connect` stands inside a statement"],
    );
    check(
        "SELECT 1\\; SELECT 2;\n",
        &["! line 1: `\\;` stands inside a statement"],
    );
    check(
        "\\.\n",
        &["! line 1: `\\.` is no line of pg_dump's, and others are not followed"],
    );
}

#[test]
fn restricted_dumps_are_restricted() {
    let refused = "stands between \\restrict and \\unrestrict";
    check(
        "\\restrict k\n\\connect a\n",
        &["1 restrict k", &format!("! line 2: `\\connect` {refused}")],
    );
    check(
        "\\restrict k\n\\restrict k\n",
        &["1 restrict k", &format!("! line 2: `\\restrict` {refused}")],
    );
    check(
        "\\restrict k\n\\unrestrict j\n",
        &[
            "1 restrict k",
            "! line 2: `\\unrestrict` has another key than \\restrict",
        ],
    );
    check(
        "\\unrestrict k\n",
        &["! line 1: `\\unrestrict` stands where nothing is restricted"],
    );
    check(
        "\\restrict\n",
        &["! line 1: `\\restrict` needs one argument"],
    );
}

#[test]
fn entries_stand_before_their_statements() {
    check(
        "--\n-- Name: a; Type: TABLE; Schema: public; Owner: o\n--\n\nCREATE TABLE a ();\n\
         -- Data for Name: a; Type: TABLE DATA; Schema: public; Owner: o\nSELECT '\n-- Name: b; Type: TABLE; Schema: s; Owner: o\n';",
        &[
            "2 entry TABLE a",
            "5 CREATE TABLE a ()",
            "6 entry TABLE DATA a",
            "7 SELECT '\n-- Name: b; Type: TABLE; Schema: s; Owner: o\n'",
        ],
    );
}

#[test]
fn a_string_that_goes_on_stays_of_its_kind() {
    check(
        "SELECT E'a'\n'b\\';' ; SELECT E'a' -- c\n 'b\\';' ; SELECT E'a' 'b\\' ; SELECT E'a' /* c\n */ 'b\\' ; SELECT 1;",
        &[
            "1 SELECT E'a'\n'b\\';' ",
            "2 SELECT E'a' -- c\n 'b\\';' ",
            "3 SELECT E'a' 'b\\' ",
            "3 SELECT E'a' /* c\n */ 'b\\' ",
            "4 SELECT 1",
        ],
    );
}

#[test]
fn what_is_too_long_or_has_a_zero_byte_is_refused_at_its_line() {
    check_limited(
        "SELECT 1;\n\nSELECT 12345;",
        10,
        &[
            "1 SELECT 1",
            "! line 3: the statement that begins here is longer than 10 bytes",
        ],
    );
    check_limited(
        "SELECT '\n\n\n\n';",
        12,
        &["! line 1: the statement that begins here is longer than 12 bytes"],
    );
    check(
        "SELECT '\n\n\0';",
        &["! line 3: a zero byte stands in a statement"],
    );
    check(
        "SELECT 1;\n\0;",
        &["1 SELECT 1", "! line 2: a zero byte stands in a statement"],
    );
}

#[test]
fn encodings_that_hide_quotes_are_refused_at_their_line() {
    check(
        "SET client_encoding = 'LATIN1';",
        &["1 SET client_encoding = 'LATIN1'"],
    );
    check(
        "\nSET client_encoding = 'SJIS';",
        &[
            "! line 2: client_encoding SJIS cannot be split into statements: dump again with pg_dump --encoding=UTF8",
        ],
    );
}

#[test]
fn a_byte_order_mark_is_left_out() {
    check("\u{feff}SELECT 1;", &["1 SELECT 1"]);
    // U+FEFE is no mark, only as long as one
    check("\u{fefe};", &["1 \u{fefe}"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_cut_gives_the_same_pieces(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "COPY a.b (c) FROM stdin;\n", "1\t2\n", "\\.\n", "\\.\r\n", "\\", ".", "\n", "'", "\"", "$$", "$a$", "$",
                "--", "/*", "*/", "E'", "u&'", ";", "SELECT ", "CREATE FUNCTION ", "begin ", "end ", "\\restrict k\n",
                "\\unrestrict k\n", "-- Name: a; Type: b; Schema: c; Owner: d\n", "1.e", "(", ")", "\u{e9}", "\0",
            ]),
            0..40,
        ),
        size in 1_usize..9,
    ) {
        let text = words.concat();
        prop_assert_eq!(
            split(text.as_bytes(), text.len().max(1), 200),
            split(text.as_bytes(), size, 200)
        );
    }
}
