use pgdriver::dumped::Table;

use super::*;

fn expected(oid: u32, name: &str) -> Expected {
    Expected {
        table: Table {
            oid,
            schema: "public".to_owned(),
            name: name.to_owned(),
            file_node: oid,
            unlogged: false,
            estimated_rows: Some(70),
            estimated_bytes: 0,
            indexes: 0,
            root: None,
            condition: None,
            ours: true,
        },
        bytes: 0,
        rows: Rows::Wanted,
    }
}

fn leaf(oid: u32, name: &str) -> Expected {
    let mut leaf = expected(oid, name);
    leaf.table.root = Some(("public".to_owned(), "root".to_owned()));
    leaf
}

fn perhaps(oid: u32, name: &str) -> Expected {
    Expected {
        rows: Rows::Perhaps,
        ..expected(oid, name)
    }
}

fn dumped(name: &str, rows: u64) -> TableRows {
    TableRows {
        schema: "public".to_owned(),
        name: name.to_owned(),
        rows,
        bytes: rows,
    }
}

fn run(
    in_dump: &[(&str, u64)],
    tables: &[Expected],
    counts: &[(u32, Count)],
) -> Result<Compared, String> {
    let in_dump = in_dump
        .iter()
        .map(|(name, rows)| dumped(name, *rows))
        .collect();
    let counts = counts.iter().cloned().collect();
    compare(Path::new("x"), in_dump, tables, &counts).map_err(|error| error.to_string())
}

#[track_caller]
fn grades(compared: Result<Compared, String>) -> Vec<(Grade, Option<u64>)> {
    let tables = compared.unwrap().tables;
    tables.iter().map(|it| (it.grade, it.server_rows)).collect()
}

#[test]
fn as_many_rows_are_exact() {
    let both = [expected(1, "a"), expected(2, "b")];
    let counts = [(1, Count::Exact(3)), (2, Count::Exact(0))];
    let compared = run(&[("a", 3), ("b", 0)], &both, &counts);
    assert_eq!(
        grades(compared),
        [(Grade::Exact, Some(3)), (Grade::Exact, Some(0))]
    );
}

#[test]
fn one_row_less_is_no_backup() {
    let error = run(&[("a", 2)], &[expected(1, "a")], &[(1, Count::Exact(3))]).unwrap_err();
    assert_eq!(
        error,
        "x differs from what was written: rows of public.a is 2, was 3 on the server, in the same snapshot"
    );
}

#[test]
fn a_missing_table_is_no_backup_however_it_was_counted() {
    for count in [
        Count::Exact(0),
        Count::Estimate(Some(9)),
        Count::Unknown(String::new()),
    ] {
        let error = run(&[], &[expected(1, "a")], &[(1, count)]).unwrap_err();
        assert!(error.contains("rows of public.a is missing"), "{error}");
    }
    assert!(run(&[], &[perhaps(1, "a")], &[]).is_ok());
}

#[test]
fn what_nobody_counted_says_so() {
    let tables = [expected(1, "a"), expected(2, "b"), perhaps(3, "c")];
    let counts = [
        (1, Count::Estimate(Some(9))),
        (2, Count::Unknown("locked".to_owned())),
    ];
    let compared = run(&[("a", 2), ("b", 5), ("c", 1)], &tables, &counts).unwrap();
    assert_eq!(
        compared.notes,
        ["the rows of public.b were not counted: locked"]
    );
    assert_eq!(
        grades(Ok(compared)),
        [
            (Grade::Estimate, Some(9)),
            (Grade::Unknown, None),
            (Grade::Unknown, None)
        ]
    );
}

#[test]
fn a_table_that_was_truncated_before_its_lock_is_told() {
    let compared = run(&[("a", 0)], &[expected(1, "a")], &[(1, Count::Later(0))]).unwrap();
    assert!(
        compared.notes[0].starts_with("public.a was truncated or rewritten after the snapshot")
    );
    assert!(run(&[("a", 1)], &[expected(1, "a")], &[(1, Count::Later(0))]).is_err());
}

#[test]
fn partitions_may_be_dumped_as_their_root() {
    let leaves = [leaf(1, "leaf1"), leaf(2, "leaf2")];
    let counts = [(1, Count::Exact(3)), (2, Count::Exact(4))];
    // as themselves
    assert!(run(&[("leaf1", 3), ("leaf2", 4)], &leaves, &counts).is_ok());
    // as the root, each in a block of its own
    assert!(run(&[("root", 3), ("root", 4)], &leaves, &counts).is_ok());
    assert!(run(&[("root", 3), ("root", 3)], &leaves, &counts).is_err());
}
