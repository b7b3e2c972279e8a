//! What an assessment of SQL stands on: every table with its indexes and keys, under names that need quotes too.

use pgdriver::catalog::RelationName;
use pgdriver::tables::{self, ForeignKey, Table};

use crate::{databases, observer, options, plain_dsn};

const SCHEMA: &str = r#"
CREATE SCHEMA "Odd.one";
CREATE TABLE "Odd.one"."It""em" ("Key 1" int, k2 int, k3 int, PRIMARY KEY ("Key 1", k2, k3));
CREATE TABLE item (id int PRIMARY KEY, sku text);
CREATE INDEX item_sku ON item (sku);
CREATE INDEX item_odd ON item (lower(sku)) WHERE id > 3;
CREATE TABLE line (c int, "A b" int, b int, item int CONSTRAINT z_item REFERENCES item,
    CONSTRAINT a_odd FOREIGN KEY (c, "A b", b) REFERENCES "Odd.one"."It""em" (k3, k2, "Key 1"));
ALTER TABLE line ADD CONSTRAINT m_open FOREIGN KEY (b) REFERENCES item NOT VALID;
CREATE TABLE event (at date PRIMARY KEY, item int REFERENCES item) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE parent (id int PRIMARY KEY, item int REFERENCES item);
CREATE TABLE child (extra int) INHERITS (parent);
CREATE MATERIALIZED VIEW totals AS SELECT 1 AS one;
CREATE VIEW seen AS SELECT 1 AS one;
CREATE SEQUENCE loose;
INSERT INTO item SELECT g, 'x' || g FROM generate_series(1, 1000) g;
ANALYZE item;
"#;

#[track_caller]
fn find<'a>(tables: &'a [Table], schema: &str, name: &str) -> &'a Table {
    let name = RelationName::new(schema, name);
    let found = tables.iter().find(|table| table.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {tables:#?}"))
}

fn public(names: &[&str]) -> Vec<RelationName> {
    let of = |&name: &&str| RelationName::new("public", name);
    names.iter().map(of).collect()
}

fn key(name: &str, columns: &[&str], to: RelationName) -> ForeignKey {
    ForeignKey {
        name: name.to_owned(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        to,
    }
}

#[tokio::test]
async fn every_table_of_every_schema_with_what_hangs_on_it() {
    for database in databases() {
        database.execute(SCHEMA).unwrap();
        let tables = tables::tables(&observer(&database).await).await.unwrap();
        let names: Vec<_> = tables.iter().map(|table| table.name.to_string()).collect();
        assert_eq!(
            names,
            [
                "Odd.one.It\"em",
                "public.child",
                "public.event",
                "public.event_1",
                "public.item",
                "public.line",
                "public.parent",
                "public.totals"
            ],
            "no view, no sequence, nothing of the system's"
        );

        let item = find(&tables, "public", "item");
        assert_eq!(item.indexes, public(&["item_odd", "item_pkey", "item_sku"]));
        assert_eq!(
            (item.estimated_rows, &item.foreign_keys),
            (Some(1000), &vec![])
        );
        let heap = database.scalar("SELECT pg_relation_size('item')").unwrap();
        assert_eq!(item.bytes.map(|n| n.to_string()), Some(heap));
        let line = find(&tables, "public", "line");
        assert_eq!(
            (line.estimated_rows, line.bytes),
            (None, None),
            "never analyzed"
        );

        let odd = find(&tables, "Odd.one", "It\"em");
        assert_eq!(odd.indexes, [RelationName::new("Odd.one", "It\"em_pkey")]);
    }
}

#[tokio::test]
async fn foreign_keys_with_their_columns_in_the_keys_order() {
    for database in databases() {
        database.execute(SCHEMA).unwrap();
        let tables = tables::tables(&observer(&database).await).await.unwrap();
        let item = || RelationName::new("public", "item");
        let odd = || RelationName::new("Odd.one", "It\"em");
        assert_eq!(
            find(&tables, "public", "line").foreign_keys,
            [
                key("a_odd", &["c", "A b", "b"], odd()),
                key("m_open", &["b"], item()),
                key("z_item", &["item"], item()),
            ]
        );
        assert_eq!(find(&tables, "Odd.one", "It\"em").foreign_keys, []);
        // heirs of an inheritance have neither the key nor the index
        let parent = find(&tables, "public", "parent");
        assert_eq!(
            parent.foreign_keys,
            [key("parent_item_fkey", &["item"], item())]
        );
        let child = find(&tables, "public", "child");
        assert_eq!((&child.foreign_keys, &child.indexes), (&vec![], &vec![]));
    }
}

#[tokio::test]
async fn partitions_have_keys_and_indexes_of_their_own() {
    for database in databases() {
        database.execute(SCHEMA).unwrap();
        let tables = tables::tables(&observer(&database).await).await.unwrap();
        for (table, index) in [("event", "event_pkey"), ("event_1", "event_1_pkey")] {
            let table = find(&tables, "public", table);
            assert_eq!(table.indexes, public(&[index]));
            let keys = &table.foreign_keys;
            assert_eq!(keys.len(), 1, "{keys:?}");
            assert_eq!(keys[0].columns, ["item"]);
            assert_eq!(keys[0].to, RelationName::new("public", "item"));
        }
        // a key to a partitioned table holds its triggers on each partition, and DDL on it locks them
        database
            .execute("CREATE TABLE visit (at date CONSTRAINT visit_at REFERENCES event)")
            .unwrap();
        let tables = tables::tables(&observer(&database).await).await.unwrap();
        let keys = &find(&tables, "public", "visit").foreign_keys;
        let to: Vec<_> = keys.iter().map(|key| key.to.clone()).collect();
        assert_eq!(to, public(&["event", "event_1"]));
        assert_eq!(keys[0].name, "visit_at");
    }
}

#[tokio::test]
async fn other_sessions_temporary_tables_are_nobodys_concern() {
    for database in databases() {
        let session = crate::superuser(&database).await;
        session
            .execute("CREATE TEMP TABLE mine (id int)")
            .await
            .unwrap();
        assert_eq!(tables::tables(&session).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_database_is_found_by_its_exact_name() {
    for database in databases() {
        let odd = format!("{}_Od\"d ", database.name());
        let quoted = odd.replace('"', "\"\"");
        database
            .execute(&format!("CREATE DATABASE \"{quoted}\""))
            .unwrap();
        // everybody may ask, and the question is not a pattern
        let plain = plain_dsn(database.server(), database.name());
        let session = pgdriver::connect_observer(&options(&plain)).await.unwrap();
        for (name, expected) in [
            (database.name(), true),
            (&odd, true),
            (&odd.to_lowercase(), false),
            (odd.trim_end(), false),
            ("%", false),
            ("", false),
        ] {
            let found = tables::database_exists(&session, name).await.unwrap();
            assert_eq!(found, expected, "{name:?}");
            let bytes = tables::database_bytes(&session, name).await.unwrap();
            assert_eq!(bytes.is_some_and(|n| n > 1 << 20), expected, "{name:?}");
        }
        database
            .execute(&format!(
                "REVOKE CONNECT ON DATABASE \"{quoted}\" FROM PUBLIC"
            ))
            .unwrap();
        let bytes = tables::database_bytes(&session, &odd).await.unwrap();
        assert_eq!(bytes, None, "not for this role to see");
        database
            .execute(&format!("DROP DATABASE \"{quoted}\""))
            .unwrap();
    }
}

#[tokio::test]
async fn tables_of_others_are_told_with_their_owner() {
    for database in databases() {
        let plain = plain_dsn(database.server(), database.name());
        database
            .execute(&format!(
                "CREATE TABLE theirs (id int); CREATE TABLE \"Our s\" (id int); \
                 ALTER TABLE \"Our s\" OWNER TO {}",
                crate::PLAIN
            ))
            .unwrap();
        let names = ["theirs", "Our s", "not there"];
        let session = pgdriver::connect_observer(&options(&plain)).await.unwrap();
        let others = tables::not_owned(&session, &names).await.unwrap();
        let told: Vec<_> = others
            .iter()
            .map(|t| (t.name.to_string(), t.owner.as_str()))
            .collect();
        assert_eq!(
            told,
            [("public.theirs".to_owned(), database.server().user())]
        );
        // a superuser may alter everything
        let session = observer(&database).await;
        assert!(
            tables::not_owned(&session, &names)
                .await
                .unwrap()
                .is_empty()
        );
    }
}
