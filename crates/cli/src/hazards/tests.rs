//! What a plan knows beyond one statement: new tables, held locks, the live catalog, Django's old types; and that no text
//! makes the reader fail.

use super::forms::line;
use super::{Atomic, Context, Finding, MigrationSql, Severity, SqlPart, assess_migrations};
use crate::sql::{ColumnBefore, Evidence, Statement, World};
use pgdriver::catalog::RelationName;
use pgdriver::schema::{self, Schema};
use proptest::prelude::*;

/// The migrations of a plan, each atomic, and the lines of all of their statements.
#[track_caller]
fn check(migrations: &[&str], context: &Context, expected: &[&str]) {
    let lines: Vec<String> = assess(migrations, context).iter().map(line).collect();
    assert_eq!(lines, expected);
}

fn assess(migrations: &[&str], context: &Context) -> Vec<Statement> {
    let migrations: Vec<_> = migrations
        .iter()
        .map(|sql| MigrationSql {
            atomic: Atomic::Yes,
            parts: vec![SqlPart {
                sql,
                operation: None,
                before: None,
            }],
        })
        .collect();
    assess_migrations(&migrations, context).concat()
}

fn findings(sql: &str, context: &Context) -> Vec<Finding> {
    assess(&[sql], context).remove(0).findings
}

/// shop ← item ← item_tag; item is big, shop is tiny.
fn catalog() -> Context {
    let name = |name: &str| RelationName::new("public", name);
    let relation = |oid: u32, of: &str, kind: char, size: Option<(u64, u64)>| schema::Relation {
        oid,
        name: name(of),
        kind,
        persistence: 'p',
        access_method: None,
        tablespace: "pg_default".to_owned(),
        owner: "postgres".to_owned(),
        is_partition: false,
        estimated_rows: size.map(|(rows, _)| rows),
        bytes: size.map(|(_, bytes)| bytes),
        belongs_to: (kind == 'i').then_some(2),
        owned_by_column: None,
        is_identity: false,
    };
    let column = |relation: u32, number: i16, name: &str, type_name: &str| schema::Column {
        relation,
        number,
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        type_kind: 'b',
        not_null: true,
        has_default: false,
        identity: None,
        generated: None,
        collation: None,
    };
    let key = |oid: u32, relation: u32, name: &str, column: &str, to: u32| schema::Constraint {
        oid,
        relation: Some(relation),
        domain: None,
        name: name.to_owned(),
        kind: 'f',
        is_valid: true,
        is_deferrable: true,
        is_deferred: true,
        on_update: Some('a'),
        on_delete: Some('a'),
        columns: vec![column.to_owned()],
        refers_to: Some(to),
        refers_to_columns: vec!["id".to_owned()],
        index: None,
        parent: None,
        proves_not_null: None,
    };
    let depends = |constraint: u32, relation: u32, on: u32, column: i32| schema::Dependent {
        class: "pg_constraint".to_owned(),
        object: constraint,
        column: None,
        relation: Some(relation),
        name: None,
        on_class: "pg_class".to_owned(),
        on_object: on,
        on_column: Some(column),
        how: 'a',
    };
    let schema = Schema {
        relations: vec![
            relation(1, "shop", 'r', Some((12, 8192))),
            relation(2, "item", 'r', Some((5_000_000, 900_000_000))),
            relation(3, "item_tag", 'r', None),
            relation(4, "item_code", 'i', None),
        ],
        columns: vec![
            column(1, 1, "id", "bigint"),
            column(2, 1, "id", "bigint"),
            column(2, 2, "shop_id", "bigint"),
            column(2, 3, "code", "character varying(20)"),
            column(3, 1, "item_id", "bigint"),
        ],
        constraints: vec![
            key(11, 2, "item_shop", "shop_id", 1),
            key(12, 3, "item_tag_item", "item_id", 2),
        ],
        indexes: vec![schema::Index {
            index: 4,
            relation: 2,
            is_unique: false,
            is_primary: false,
            is_valid: true,
            is_replica_identity: false,
            is_partial: false,
            has_expressions: false,
            keys: vec![Some("code".to_owned())],
            operator_classes: vec!["text_ops".to_owned()],
            uses: vec!["code".to_owned()],
        }],
        dependents: vec![
            depends(11, 2, 2, 2),
            depends(11, 2, 1, 1),
            depends(12, 3, 3, 1),
            depends(12, 3, 2, 1),
        ],
        settings: schema::Settings {
            major: 17,
            search_path: vec!["public".to_owned()],
            time_zone: "UTC".to_owned(),
        },
        ..Schema::default()
    };
    Context {
        world: World::of(&schema),
    }
}

#[test]
fn tables_that_the_plan_creates_hurt_nobody() {
    check(
        &[
            "CREATE TABLE a (id int); CREATE INDEX a_id ON a (id); ALTER TABLE a ADD COLUMN x uuid DEFAULT gen_random_uuid()",
            "ALTER TABLE a ALTER COLUMN x SET NOT NULL; DROP INDEX a_id; ALTER TABLE a RENAME TO b",
            "ALTER TABLE b DROP COLUMN x CASCADE; DELETE FROM b; DROP TABLE b CASCADE",
        ],
        &Context::default(),
        &[
            "create_table",
            "create_index; SHARE public.a; scans public.a (index_build)",
            "add_column; ACCESS EXCLUSIVE public.a; ACCESS EXCLUSIVE public.a_id; rewrites public.a; scans public.a (rewrite)",
            "set_not_null; ACCESS EXCLUSIVE public.a; scans public.a (verify)",
            "drop_index; ACCESS EXCLUSIVE public.a; ACCESS EXCLUSIVE public.a_id",
            "rename_table; ACCESS EXCLUSIVE public.a",
            "drop_column; ACCESS EXCLUSIVE public.b",
            "delete; ROW EXCLUSIVE public.b",
            "drop_table; ACCESS EXCLUSIVE public.b",
        ],
    );
}

#[test]
fn a_table_that_may_exist_is_not_new() {
    check(
        &["CREATE TABLE IF NOT EXISTS a (id int); CREATE INDEX a_id ON a (id)"],
        &Context::default(),
        &[
            "create_table",
            "create_index; SHARE public.a; scans public.a (index_build); blocks writes; ! create-index",
        ],
    );
    check(
        &["DROP TABLE a; CREATE TABLE a (id int); CREATE INDEX a_id ON a (id)"],
        &catalog(),
        &[
            "drop_table; ACCESS EXCLUSIVE public.a; blocks reads; destroys; ! drop-table unknown-effect",
            "create_table",
            "create_index; SHARE public.a; scans public.a (index_build)",
        ],
    );
}

#[test]
fn a_foreign_key_of_a_new_table_still_locks_its_parent() {
    let create = r#"CREATE TABLE a (id int, shop_id int); ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (shop_id) REFERENCES shop (id)"#;
    check(
        &[create],
        &Context::default(),
        &[
            "create_table",
            "add_foreign_key; SHARE ROW EXCLUSIVE public.a; SHARE ROW EXCLUSIVE public.shop; scans public.a (fk_validate); \
             blocks writes; ! foreign-key-locks-parent",
        ],
    );
}

#[test]
fn an_added_column_and_its_dropped_default_are_quiet() {
    check(
        &[
            r#"ALTER TABLE "item" ADD COLUMN "x" integer DEFAULT 0 NOT NULL; ALTER TABLE "item" ALTER COLUMN "x" DROP DEFAULT"#,
        ],
        &catalog(),
        &[
            "add_column; ACCESS EXCLUSIVE public.item; blocks reads",
            "drop_default; ACCESS EXCLUSIVE public.item; blocks reads",
        ],
    );
}

#[test]
fn not_valid_gains_nothing_in_one_transaction() {
    let add = "ALTER TABLE item ADD CONSTRAINT c CHECK (n > 0) NOT VALID";
    let validate = "ALTER TABLE item VALIDATE CONSTRAINT c";
    let quiet =
        "validate_constraint; SHARE UPDATE EXCLUSIVE public.item; scans public.item (verify)";
    let added = "add_check; ACCESS EXCLUSIVE public.item; blocks reads";
    check(&[add, validate], &Context::default(), &[added, quiet]);
    let both = format!("{add}; {validate}");
    check(
        &[&both],
        &Context::default(),
        &[added, &format!("{quiet}; ! validate-with-add")],
    );
}

#[test]
fn work_under_an_earlier_lock_is_told() {
    let add = "ALTER TABLE item ADD COLUMN x int";
    let fill = "UPDATE item SET x = 1 WHERE x IS NULL";
    let added = "add_column; ACCESS EXCLUSIVE public.item; blocks reads";
    check(
        &[add, fill],
        &Context::default(),
        &[added, "update; ROW EXCLUSIVE public.item"],
    );
    let both = format!("{add}; {fill}");
    check(
        &[&both],
        &Context::default(),
        &[
            added,
            "update; ROW EXCLUSIVE public.item; ! work-under-lock",
        ],
    );
}

#[test]
fn concurrently_stops_in_an_atomic_migration() {
    let found = findings(
        "CREATE INDEX CONCURRENTLY i ON item (code)",
        &Context::default(),
    );
    assert_eq!(
        found
            .iter()
            .map(|f| (f.code, f.severity))
            .collect::<Vec<_>>(),
        [("not-in-transaction", Severity::Stop)]
    );
}

#[test]
fn the_catalog_answers_what_the_text_leaves_open() {
    for (sql, expected) in [
        (
            "DROP INDEX item_code",
            "drop_index; ACCESS EXCLUSIVE public.item; ACCESS EXCLUSIVE public.item_code; blocks reads; ! drop-index",
        ),
        (
            "ALTER TABLE item DROP COLUMN shop_id",
            "drop_column; ACCESS EXCLUSIVE public.item; ACCESS EXCLUSIVE public.shop; blocks reads; destroys; ! drop-column \
             drop-foreign-key",
        ),
        (
            "ALTER TABLE item DROP COLUMN code",
            "drop_column; ACCESS EXCLUSIVE public.item; blocks reads; destroys; ! drop-column",
        ),
        (
            "ALTER TABLE item_tag DROP CONSTRAINT item_tag_item",
            "drop_constraint; ACCESS EXCLUSIVE public.item; ACCESS EXCLUSIVE public.item_tag; blocks reads; ! drop-foreign-key",
        ),
        (
            "ALTER TABLE item DROP CONSTRAINT some_check_of_ours",
            "drop_constraint; ACCESS EXCLUSIVE public.item; blocks reads",
        ),
        (
            "DROP TABLE item CASCADE",
            "drop_table; ACCESS EXCLUSIVE public.item; ACCESS EXCLUSIVE public.item_tag; ACCESS EXCLUSIVE public.shop; blocks \
             reads; destroys; ! drop-table cascade drop-foreign-key",
        ),
        (
            "TRUNCATE shop CASCADE",
            "truncate; ACCESS EXCLUSIVE public.item; ACCESS EXCLUSIVE public.item_code; ACCESS EXCLUSIVE public.item_tag; ACCESS EXCLUSIVE \
             public.shop; blocks reads; destroys; ! truncate cascade",
        ),
    ] {
        check(&[sql], &catalog(), &[expected]);
    }
    let statement = assess(&["DROP INDEX item_code"], &catalog()).remove(0);
    assert_eq!(statement.evidence, Evidence::Catalog);
    let statement = assess(&["DROP INDEX item_code"], &Context::default()).remove(0);
    assert_eq!(statement.evidence, Evidence::Static);
}

#[test]
fn what_the_plan_dropped_before_is_gone() {
    check(
        &[
            "ALTER TABLE item DROP CONSTRAINT item_shop",
            "ALTER TABLE item DROP COLUMN shop_id CASCADE",
            "DROP TABLE item_tag",
            "DROP TABLE item CASCADE",
        ],
        &catalog(),
        &[
            "drop_constraint; ACCESS EXCLUSIVE public.item; ACCESS EXCLUSIVE public.shop; blocks reads; ! drop-foreign-key",
            "drop_column; ACCESS EXCLUSIVE public.item; blocks reads; destroys; ! drop-column",
            "drop_table; ACCESS EXCLUSIVE public.item; ACCESS EXCLUSIVE public.item_tag; blocks reads; destroys; ! drop-table \
             drop-foreign-key",
            "drop_table; ACCESS EXCLUSIVE public.item; blocks reads; destroys; ! drop-table",
        ],
    );
}

#[test]
fn names_are_followed_through_a_plan() {
    check(
        &[
            "ALTER TABLE item RENAME TO product; ALTER INDEX item_code RENAME TO sku; DROP INDEX sku",
        ],
        &catalog(),
        &[
            "rename_table; ACCESS EXCLUSIVE public.item; blocks reads; ! rename-table",
            "rename_index; SHARE UPDATE EXCLUSIVE public.item_code",
            "drop_index; ACCESS EXCLUSIVE public.product; ACCESS EXCLUSIVE public.sku; blocks reads; ! drop-index",
        ],
    );
}

#[test]
fn django_sets_only_foreign_keys_immediate() {
    check(
        &["SET CONSTRAINTS \"x\" IMMEDIATE; ALTER TABLE \"other\" DROP CONSTRAINT \"x\""],
        &Context::default(),
        &[
            "set_constraints",
            "drop_constraint; ACCESS EXCLUSIVE public.other; blocks reads; ! unknown-effect",
        ],
    );
}

#[test]
fn a_loss_says_how_many_rows_are_at_stake() {
    let losses = |sql| {
        assess(&[sql], &catalog())
            .remove(0)
            .losses
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        losses("DROP TABLE item"),
        ["table public.item and all of its rows (about 5,000,000 rows)"]
    );
    assert_eq!(
        losses("ALTER TABLE item DROP COLUMN code CASCADE"),
        ["column code of public.item and its values (about 5,000,000 rows)"]
    );
    assert_eq!(
        losses("DELETE FROM item_tag"),
        ["all rows of public.item_tag"]
    );
}

#[test]
fn size_decides_and_is_said() {
    let sql = |table: &str| format!("CREATE INDEX i ON {table} (id)");
    let big = findings(&sql("item"), &catalog()).remove(0);
    assert_eq!(big.severity, Severity::Ask);
    assert!(
        big.message.contains("(about 5,000,000 rows, 858.3 MB)"),
        "{}",
        big.message
    );
    let tiny = findings(&sql("shop"), &catalog()).remove(0);
    assert_eq!(tiny.severity, Severity::Note);
    assert!(
        tiny.message.contains("(about 12 rows, 8.0 kB)"),
        "{}",
        tiny.message
    );
    let unknown = findings(&sql("item_tag"), &catalog()).remove(0);
    assert_eq!(unknown.severity, Severity::Ask);
}

/// ALTER COLUMN … TYPE with the old type from Django's state.
#[track_caller]
fn check_type(from: &str, action: &str, expected: &str) {
    let before = ColumnBefore {
        table: "item",
        column: "c",
        db_type: from,
    };
    let sql = format!("ALTER TABLE item ALTER COLUMN c {action}");
    let migration = MigrationSql {
        atomic: Atomic::Yes,
        parts: vec![SqlPart {
            sql: &sql,
            operation: None,
            before: Some(before),
        }],
    };
    let statement = assess_migrations(&[migration], &Context::default())
        .remove(0)
        .remove(0);
    let mut found: Vec<&str> = statement
        .findings
        .iter()
        .map(|finding| finding.code)
        .collect();
    if !statement.rewrites.is_empty() {
        found.insert(0, "rewrites");
    }
    assert_eq!(found.join(" "), expected, "{from} to {action}");
}

#[test]
fn a_known_old_type_tells_what_a_change_costs() {
    for (from, action, expected) in [
        ("varchar(50)", "TYPE varchar(100)", ""),
        ("varchar(50)", "TYPE varchar", ""),
        ("character varying(50)", "TYPE text USING c::text", ""),
        (
            "text",
            "TYPE varchar(100) USING c::varchar(100)",
            "rewrites narrowing-type-change alter-column-type",
        ),
        (
            "varchar(100)",
            "TYPE varchar(50)",
            "rewrites alter-column-type",
        ),
        (
            "varchar(100)",
            "TYPE varchar(50) USING c::varchar(50)",
            "rewrites narrowing-type-change alter-column-type",
        ),
        ("numeric(8, 2)", "TYPE numeric(10, 2)", ""),
        (
            "numeric(8, 2)",
            "TYPE numeric(10, 1)",
            "rewrites narrowing-type-change alter-column-type",
        ),
        (
            "numeric(8, 2)",
            "TYPE numeric(10, 3)",
            "rewrites alter-column-type",
        ),
        (
            "integer",
            "TYPE bigint USING c::bigint",
            "rewrites alter-column-type",
        ),
        ("serial", "TYPE integer", ""),
        ("bigint", "TYPE integer", "rewrites alter-column-type"),
        (
            "double precision",
            "TYPE integer USING c::integer",
            "rewrites narrowing-type-change alter-column-type",
        ),
        (
            "timestamp with time zone",
            "TYPE date USING c::date",
            "rewrites narrowing-type-change alter-column-type",
        ),
        (
            "date",
            "TYPE timestamp with time zone USING c::timestamp with time zone",
            "rewrites alter-column-type",
        ),
        (
            "timestamp",
            "TYPE timestamp with time zone",
            "rewrites alter-column-type",
        ),
        (
            "timestamptz",
            "TYPE timestamp(3) with time zone",
            "rewrites narrowing-type-change alter-column-type",
        ),
        (
            "varchar(10)[]",
            "TYPE varchar(20)[]",
            "rewrites alter-column-type",
        ),
        (
            "text",
            "TYPE integer USING (c::integer + 1)",
            "rewrites narrowing-type-change alter-column-type",
        ),
        ("varchar(50)", r#"TYPE varchar(100) COLLATE "C""#, ""),
        ("citext", "TYPE text USING c::text", ""),
        ("cidr", "TYPE inet", ""),
    ] {
        check_type(from, action, expected);
    }
}

/// AlterField on a primary key changes the foreign keys to it as well.
#[test]
fn the_old_type_of_a_key_is_that_of_what_refers_to_it() {
    let before = ColumnBefore {
        table: "item",
        column: "id",
        db_type: "integer",
    };
    let part = |sql| SqlPart {
        sql,
        operation: None,
        before: Some(before),
    };
    let parts = vec![
        part(r#"ALTER TABLE "item" ALTER COLUMN "id" TYPE bigint USING "id"::bigint"#),
        part(
            r#"ALTER TABLE "item_tag" ALTER COLUMN "item_id" TYPE bigint USING "item_id"::bigint"#,
        ),
    ];
    let statements = assess_migrations(
        &[MigrationSql {
            atomic: Atomic::Yes,
            parts,
        }],
        &Context::default(),
    )
    .remove(0);
    for statement in statements {
        assert!(
            !statement.destructive && statement.unknowns.is_empty(),
            "{}",
            statement.sql
        );
    }
}

#[test]
fn lines_count_through_the_parts_of_a_migration() {
    let parts = ["-- remark\nSELECT 1;\nSELECT 2", "SELECT 3", "\nSELECT 4"];
    let parts = parts
        .map(|sql| SqlPart {
            sql,
            operation: None,
            before: None,
        })
        .to_vec();
    let statements = assess_migrations(
        &[MigrationSql {
            atomic: Atomic::Yes,
            parts,
        }],
        &Context::default(),
    )
    .remove(0);
    assert_eq!(
        statements
            .iter()
            .map(|statement| statement.line)
            .collect::<Vec<_>>(),
        [2, 3, 4, 6]
    );
}

#[test]
fn one_unreadable_statement_does_not_hide_the_next() {
    check(
        &["FROBNICATE; DROP TABLE item"],
        &Context::default(),
        &[
            "unknown; blocks reads; unread; ! unreadable-statement",
            "drop_table; ACCESS EXCLUSIVE public.item; blocks reads; destroys; ! drop-table unknown-effect",
        ],
    );
}

/// Text made of the words that the reader looks for.
fn sql() -> impl Strategy<Value = String> {
    const WORDS: &str = "ALTER TABLE CREATE DROP INDEX CONCURRENTLY IF EXISTS NOT NULL ADD COLUMN CONSTRAINT FOREIGN KEY \
        REFERENCES CHECK UNIQUE PRIMARY DEFAULT GENERATED ALWAYS AS IDENTITY STORED TYPE USING SET SELECT FROM WHERE UPDATE \
        DELETE INSERT INTO VALUES WITH ON CASCADE RENAME TO ATTACH PARTITION VIEW SEQUENCE OWNED BY COMMENT IS TRUNCATE LOCK \
        IN MODE VACUUM FULL REINDEX COPY DO CALL EXPLAIN ANALYZE item \"Item\" a.b 'x' $$y$$ ( ) ( ) , , . ; :: 1 * = [ ]";
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    proptest::collection::vec(proptest::sample::select(words), 0..25)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in prop_oneof![sql(), any::<String>()]) {
        for statement in assess(&[&text], &catalog()) {
            prop_assert!(statement.parsed || statement.findings.iter().any(|f| f.severity >= Severity::Ask));
            prop_assert!(!statement.destructive || statement.findings.iter().any(|f| f.severity >= Severity::Ask));
            prop_assert!(text.contains(&statement.sql));
        }
    }
}

#[test]
fn who_has_a_connection_is_not_told_to_make_one() {
    let call = "SELECT rebuild_everything()";
    let remedy = |context: &Context| findings(call, context).remove(0).remedy;
    assert!(remedy(&Context::default()).contains("with a connection"));
    assert!(!remedy(&catalog()).contains("with a connection"));
}

#[test]
fn a_domain_that_checks_its_values_is_told() {
    let plan = [
        "CREATE DOMAIN sku AS text CHECK (VALUE <> '')",
        "ALTER TABLE item ADD COLUMN a sku; ALTER TABLE item ADD COLUMN b text",
    ];
    let expected = [
        "create_domain",
        "add_column; ACCESS EXCLUSIVE public.item; ACCESS EXCLUSIVE public.item_code; rewrites public.item; scans public.item (rewrite); blocks reads; ! add-column-domain",
        "add_column; ACCESS EXCLUSIVE public.item; blocks reads",
    ];
    check(&plan, &catalog(), &expected);
}

#[test]
fn the_rules_of_others_are_answered_with_codes_that_exist() {
    let page = include_str!("../../docs/rules-of-others.md");
    let ours = |code: &&str| {
        super::all().iter().any(|hazard| hazard.code == *code)
            || super::beyond::all().any(|row| row.code == *code)
    };
    let mut rows = 0;
    for row in page.lines().filter_map(|line| line.rsplit_once(" | ")) {
        let codes: Vec<&str> = row.1.split('`').skip(1).step_by(2).collect();
        assert!(codes.iter().all(ours), "{codes:?}");
        rows += codes.len();
    }
    assert!(rows > 150, "{rows}");
}
