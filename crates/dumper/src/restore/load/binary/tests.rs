use pgdriver::loading::LoadColumn;

use proptest::prelude::*;

use super::Translator;

fn column(name: &str, type_name: &str, element: u32) -> LoadColumn {
    LoadColumn {
        name: name.to_owned(),
        type_name: Some(type_name.to_owned()),
        element,
    }
}

fn of_one(type_name: &str) -> Translator {
    let element = if type_name == "_int4" { 23 } else { 25 };
    Translator::new(&["a".to_owned()], &[column("a", type_name, element)]).unwrap()
}

/// The one value of the one row.
fn value(type_name: &str, text: &str) -> Option<Vec<u8>> {
    let row = of_one(type_name).translate(format!("{text}\n").as_bytes(), 1)?;
    assert_eq!(&row[..2], &[0, 1]);
    let length = i32::from_be_bytes(row[2..6].try_into().unwrap());
    assert_eq!(usize::try_from(length).unwrap(), row.len() - 6);
    Some(row[6..].to_vec())
}

#[test]
fn a_row_has_a_count_and_values_behind_their_lengths() {
    let names = ["b".to_owned(), "a".to_owned(), "c".to_owned()];
    let table = [
        column("a", "int4", 0),
        column("b", "text", 0),
        column("c", "text", 0),
        column("d", "tsvector", 0),
    ];
    let translator = Translator::new(&names, &table).unwrap();
    let rows = translator
        .translate(b"x\\ty\t7\t\\N\n\t-1\t\\\\N\n", 2)
        .unwrap();
    let first = b"\0\x03\0\0\0\x03x\ty\0\0\0\x04\0\0\0\x07\xff\xff\xff\xff";
    let second = b"\0\x03\0\0\0\0\0\0\0\x04\xff\xff\xff\xff\0\0\0\x02\\N";
    assert_eq!(rows, [&first[..], &second[..]].concat());
}

#[test]
fn rows_that_are_not_what_they_should_be_stay_text() {
    let names = ["a".to_owned(), "b".to_owned()];
    let table = [column("a", "int4", 0), column("b", "text", 0)];
    let translator = Translator::new(&names, &table).unwrap();
    assert!(translator.translate(b"1\tx\n2\ty\n", 2).is_some());
    for (rows, count) in [
        (&b"1\tx\n2\ty\n"[..], 1),
        (b"1\tx\n2\ty\n", 3),
        (b"1\n", 1),
        (b"1\tx\ty\n", 1),
        (b"1\tx", 1),
        (b"1\tx\\", 1),
        (b"1\tx\\\n", 1),
        (b"1\tx\r\n", 1),
        (b"1\tx\0\n", 1),
        (b"1\t\\101\n", 1),
        (b"1\t\\.\n", 1),
        (b"\\.\n", 1),
        (b"\n", 1),
    ] {
        assert_eq!(translator.translate(rows, count), None, "{rows:?}");
    }
}

#[test]
fn a_table_with_a_column_that_is_not_known_stays_text() {
    let known = [column("a", "int4", 0)];
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|&n| n.to_owned()).collect() };
    assert!(Translator::new(&names(&["a"]), &known).is_some());
    assert!(Translator::new(&names(&["a", "b"]), &known).is_none());
    assert!(Translator::new(&names(&[]), &known).is_none());
    for other in [
        "tsvector",
        "money",
        "xml",
        "name",
        "char",
        "_tsvector",
        "int4range",
    ] {
        let known = [column("a", other, 0)];
        assert!(Translator::new(&names(&["a"]), &known).is_none(), "{other}");
    }
    let mut unknown = column("a", "", 0);
    unknown.type_name = None;
    assert!(Translator::new(&names(&["a"]), &[unknown]).is_none());
}

/// What the server takes in another spelling, or refuses, it is to judge by itself.
#[test]
fn other_spellings_stay_text() {
    for (type_name, texts) in [
        ("bool", &["true", "T", "", "1", "yes"][..]),
        (
            "int2",
            &[
                "32768", " 1", "1 ", "", "1e3", "0x1F", "1_000", "--1", "abc",
            ],
        ),
        ("int8", &["9223372036854775808"]),
        (
            "float8",
            &[
                "1e400", "1e-400", "inf", "nan", "infinity", "0.0", "", "0x1p3", "1 ",
            ],
        ),
        ("float4", &["1e39", "1e-50"]),
        (
            "numeric",
            &[
                "", "-", ".5", "1e5", "+1", "1.2.3", "nan", "1 ", "0x1F", "1_0",
            ],
        ),
        (
            "uuid",
            &[
                "0123456789abcdef0123456789abcdef",
                "{01234567-89ab-cdef-0123-456789abcdef}",
                "01234567-89ab-cdef-0123-456789abcdeg",
                "01234567-89ab-cdef-0123_456789abcdef",
            ],
        ),
        ("bytea", &["", "abc", "\\\\x1", "\\\\xzz", "\\\\x 00"]),
        (
            "inet",
            &[
                "10.1",
                "10.0.0.0/33",
                "::1/129",
                "10.0.0.1/",
                "x",
                "1.2.3.04",
            ],
        ),
        (
            "date",
            &[
                "infinity",
                "-infinity",
                "0001-01-01 BC",
                "10000-01-01",
                "2023-02-29",
                "0000-01-01",
                "2024-1-1",
                "01/02/2024",
                "2024-13-01",
            ],
        ),
        (
            "time",
            &[
                "24:00:00",
                "12:00",
                "12:00:60",
                "12:00:00.1234567",
                "12:00:00.",
                "12:00:00+02",
            ],
        ),
        (
            "timestamp",
            &[
                "infinity",
                "2024-01-01",
                "2024-01-01T00:00:00",
                "2024-01-01 24:00:00",
                "2024-01-01 00:00:00+00",
            ],
        ),
        (
            "timestamptz",
            &[
                "2024-01-01 00:00:00",
                "2024-01-01 00:00:00+16",
                "2024-01-01 00:00:00+02:60",
                "2024-01-01 00:00:00 UTC",
                "2024-01-01 00:00:00+02 BC",
                "-infinity",
            ],
        ),
        (
            "interval",
            &[
                "",
                "-1 days",
                "1 day -01:00:00",
                "1",
                "1 week",
                "P1D",
                "@ 1 day",
                "01:60:00",
                "01:00:00 1 day",
                "infinity",
                "3000000000 days",
            ],
        ),
        (
            "_int4",
            &[
                "",
                "{",
                "{1",
                "1,2",
                "{{1},{2}}",
                "[0:1]={1,2}",
                "{1, 2}",
                "{1,}",
                "{,1}",
                "{1}2",
                "{\"1\"x}",
                "{a}",
                "{1\\\\}",
            ],
        ),
        ("_text", &["{a b}", "{\"a}", "{a\"b}", "{\"a\"\"b\"}"]),
    ] {
        for text in texts {
            assert_eq!(value(type_name, text), None, "{type_name} {text:?}");
        }
    }
}

#[test]
fn numbers_of_base_ten_thousand() {
    let words = |text: &str| -> Vec<u16> {
        let value = value("numeric", text).unwrap();
        let (words, rest) = value.as_chunks::<2>();
        assert!(rest.is_empty());
        words.iter().map(|word| u16::from_be_bytes(*word)).collect()
    };
    let (plus, minus, below) = (0, 0x4000, 0xFFFF);
    for (text, expected) in [
        ("0", &[0, 0, plus, 0][..]),
        ("-0.00", &[0, 0, plus, 2]),
        ("1", &[1, 0, plus, 0, 1]),
        ("-12345.6789", &[3, 1, minus, 4, 1, 2345, 6789]),
        ("10000", &[1, 1, plus, 0, 1]),
        ("0.5", &[1, below, plus, 1, 5000]),
        ("0.00001230", &[1, below - 1, plus, 8, 1230]),
        ("100000000.00", &[1, 2, plus, 2, 1]),
        ("0009.10", &[2, 0, plus, 2, 9, 1000]),
        ("NaN", &[0, 0, 0xC000, 0]),
        ("-Infinity", &[0, 0, 0xF000, 0]),
    ] {
        assert_eq!(words(text), expected, "{text}");
    }
}

#[test]
fn moments_count_from_the_year_2000() {
    let number = |type_name: &str, text: &str| {
        let value = value(type_name, text).unwrap();
        match value.len() {
            4 => i64::from(i32::from_be_bytes(value.try_into().unwrap())),
            _ => i64::from_be_bytes(value.try_into().unwrap()),
        }
    };
    assert_eq!(number("date", "2000-01-01"), 0);
    assert_eq!(number("date", "1999-12-31"), -1);
    assert_eq!(number("date", "2000-03-01"), 60);
    assert_eq!(number("time", "23:59:59.999999"), 86_399_999_999);
    assert_eq!(number("timestamp", "2000-01-01 00:00:01.5"), 1_500_000);
    assert_eq!(number("timestamp", "1999-12-31 23:59:59.999999"), -1);
    assert_eq!(number("timestamptz", "2000-01-01 02:00:00+02"), 0);
    assert_eq!(number("timestamptz", "1999-12-31 20:30:00-03:30"), 0);
    assert_eq!(number("timestamptz", "2000-01-01 00:19:32+00:19:32"), 0);
    let interval = |micros: i64, days: i32, months: i32| {
        [
            &micros.to_be_bytes()[..],
            &days.to_be_bytes(),
            &months.to_be_bytes(),
        ]
        .concat()
    };
    for (text, expected) in [
        ("00:00:00", interval(0, 0, 0)),
        (
            "1 year 2 mons 3 days 04:05:06.7",
            interval(14_706_700_000, 3, 14),
        ),
        ("1 day", interval(0, 1, 0)),
        ("100:00:00", interval(360_000_000_000, 0, 0)),
    ] {
        assert_eq!(value("interval", text).unwrap(), expected, "{text}");
    }
}

#[test]
fn arrays_have_one_dimension_that_begins_at_one() {
    let (one, two, null) = ([0, 0, 0, 1], [0, 0, 0, 2], [0xFF; 4]);
    let (none, int4, four) = ([0; 4], [0, 0, 0, 23], [0, 0, 0, 4]);
    assert_eq!(value("_int4", "{}").unwrap(), [none, none, int4].concat());
    assert_eq!(
        value("_int4", "{2,NULL}").unwrap(),
        [one, one, int4, two, one, four, two, null].concat()
    );
    let text = [0, 0, 0, 25];
    let words = [
        &[one, none, text, two, one, four].concat()[..],
        b"a,\"\\",
        &null[..0],
        &[0, 0, 0, 0],
    ]
    .concat();
    assert_eq!(value("_text", r#"{"a,\\"\\\\",""}"#).unwrap(), words);
}

const ALL: [&str; 22] = [
    "bool",
    "int2",
    "int4",
    "int8",
    "oid",
    "float4",
    "float8",
    "numeric",
    "text",
    "varchar",
    "bpchar",
    "json",
    "jsonb",
    "enum",
    "bytea",
    "uuid",
    "inet",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "interval",
];

proptest! {
    /// Whatever a file holds, nothing but a translation or none comes of it, and a value is as long as it says.
    #[test]
    fn no_bytes_do_harm(
        bytes in prop_oneof![
            "[-+0-9.:/eEa-f \\\\x{},\"NTZB]{0,60}".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..60),
        ],
        of in 0..ALL.len(),
        array: bool,
    ) {
        let name = if array { format!("_{}", ALL[of]) } else { ALL[of].to_owned() };
        let row = [&bytes[..], b"\n"].concat();
        if let Some(row) = of_one(&name).translate(&row, 1) {
            prop_assert_eq!(&row[..2], &[0, 1]);
            let length = i32::from_be_bytes(row[2..6].try_into().unwrap());
            prop_assert_eq!(i64::from(length.max(0)), row.len() as i64 - 6);
        }
    }
}
