//! Relations, counts, and what a failed change left behind.

use pgdriver::catalog::{self, RelationKind, RelationName, RowCount};

use crate::activity::until_waiting;
use crate::{databases, leave_running, observer, options, plain_dsn, superuser};

#[tokio::test]
async fn relations_with_their_partitions() {
    for database in databases() {
        database
            .execute(
                "CREATE SCHEMA \"Odd.one\"; CREATE TABLE \"Odd.one\".\"T\" (a int NOT NULL, b varchar(50) DEFAULT 'x');
                 CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text);
                 INSERT INTO item (body) SELECT repeat('x', 500) FROM generate_series(1, 1000);
                 CREATE TABLE event (at date NOT NULL, n int) PARTITION BY RANGE (at);
                 CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
                 INSERT INTO event SELECT '2026-05-05', g FROM generate_series(1, 500) g;
                 CREATE VIEW v AS SELECT 1 AS one;
                 ANALYZE item; ANALYZE event",
            )
            .unwrap();
        let names =
            ["public.item", "event", "Odd.one.T", "public.none", "v"].map(RelationName::parse);
        let mut names = names.to_vec();
        names[2] = RelationName::new("Odd.one", "T");
        let found = catalog::relations(&observer(&database).await, &names)
            .await
            .unwrap();
        assert_eq!(
            found.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            [0, 1, 2, 4]
        );

        let item = &found[0].1;
        assert_eq!(
            (item.kind, item.estimated_rows),
            (RelationKind::Table, Some(1000))
        );
        let heap: u64 = database
            .scalar("SELECT pg_relation_size('item')")
            .unwrap()
            .parse()
            .unwrap();
        let total: u64 = database
            .scalar("SELECT pg_total_relation_size('item')")
            .unwrap()
            .parse()
            .unwrap();
        let bytes = item.estimated_bytes.unwrap();
        assert!(heap < bytes && bytes <= total, "{heap} {bytes} {total}");

        let event = &found[1].1;
        assert_eq!(
            (event.kind, event.estimated_rows),
            (RelationKind::PartitionedTable, Some(500))
        );
        assert_eq!(event.name, RelationName::new("public", "event"));

        let odd = &found[2].1;
        assert_eq!(
            (odd.estimated_rows, odd.estimated_bytes),
            (None, None),
            "never analyzed"
        );
        let columns: Vec<_> = odd
            .columns
            .iter()
            .map(|c| {
                (
                    c.name.as_str(),
                    c.type_name.as_str(),
                    c.nullable,
                    c.has_default,
                )
            })
            .collect();
        assert_eq!(
            columns,
            [
                ("a", "integer", false, false),
                ("b", "character varying(50)", true, true)
            ]
        );
        assert_eq!(found[3].1.kind, RelationKind::View);
    }
}

#[tokio::test]
async fn counts_are_bounded_and_do_not_wait() {
    for database in databases() {
        database
            .execute("CREATE TABLE \"it\"\"em\" (id int, \"va l\" int); INSERT INTO \"it\"\"em\" SELECT g, nullif(g % 2, 0) FROM generate_series(1, 10) g")
            .unwrap();
        let session = observer(&database).await;
        let table = RelationName::parse("it\"em");
        assert_eq!(
            catalog::count_rows(&session, &table, 100).await.unwrap(),
            RowCount::Exactly(10)
        );
        assert_eq!(
            catalog::count_rows(&session, &table, 10).await.unwrap(),
            RowCount::AtLeast(10)
        );
        assert_eq!(
            catalog::count_values(&session, &table, "va l", 100)
                .await
                .unwrap(),
            RowCount::Exactly(5)
        );

        let holder = superuser(&database).await;
        holder
            .execute("BEGIN; LOCK TABLE \"it\"\"em\"")
            .await
            .unwrap();
        let error = catalog::count_rows(&session, &table, 100)
            .await
            .unwrap_err();
        assert!(error.is_lock_timeout(), "{error}");
        // the catalog is read all the same
        assert_eq!(
            catalog::relations(&session, &[table]).await.unwrap().len(),
            1
        );
        assert_eq!(catalog::invalid_indexes(&session).await.unwrap(), []);
        holder.execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn leftovers_of_failed_changes() {
    for database in databases() {
        database
            .execute(
                "CREATE TABLE item (id int PRIMARY KEY, sku int, shop int); INSERT INTO item VALUES (1, 1, 1), (2, 1, 9);
                 ALTER TABLE item ADD CONSTRAINT positive CHECK (sku > 0) NOT VALID;
                 ALTER TABLE item ADD CONSTRAINT to_shop FOREIGN KEY (shop) REFERENCES item NOT VALID",
            )
            .unwrap();
        let session = superuser(&database).await;
        let built = session
            .execute("CREATE UNIQUE INDEX CONCURRENTLY item_sku ON item (sku)")
            .await;
        assert_eq!(built.unwrap_err().sqlstate(), Some("23505"));

        let session = observer(&database).await;
        let invalid = catalog::invalid_indexes(&session).await.unwrap();
        assert_eq!(invalid.len(), 1);
        assert_eq!(invalid[0].name, RelationName::new("public", "item_sku"));
        assert_eq!(invalid[0].table, "item");
        assert!(invalid[0].is_unique && !invalid[0].in_progress && !invalid[0].is_partitioned);

        let open = catalog::unvalidated_constraints(&session).await.unwrap();
        let open: Vec<_> = open
            .iter()
            .map(|c| (c.table.to_string(), c.name.as_str(), c.kind.as_str()))
            .collect();
        let table = || "public.item".to_owned();
        assert_eq!(
            open,
            [
                (table(), "positive", "check"),
                (table(), "to_shop", "foreign key")
            ]
        );
    }
}

/// For every role: without pg_monitor the server hides which index another role's session builds.
#[tokio::test]
async fn an_index_that_is_being_built_is_no_leftover() {
    for database in databases() {
        database
            .execute("CREATE TABLE item (id int, sku int); CREATE INDEX item_id ON item (id)")
            .unwrap();
        let plain = options(&plain_dsn(database.server(), database.name()));
        let observers = [
            observer(&database).await,
            pgdriver::connect_observer(&plain).await.unwrap(),
        ];
        let _writer = leave_running(&database, "BEGIN; INSERT INTO item VALUES (1)", "").await;
        for (count, statement, name) in [
            (1, "REINDEX TABLE CONCURRENTLY item", "item_id_ccnew"),
            (
                2,
                "CREATE INDEX CONCURRENTLY item_sku ON item (sku)",
                "item_sku",
            ),
        ] {
            if count == 2 {
                // the other one waits for it otherwise
                let sql = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'REINDEX%' \
                           AND datname = current_database()";
                database.scalar(sql).unwrap();
                until_waiting(&database, 0).await;
            }
            let builder = leave_running(&database, "", statement).await;
            until_waiting(&database, 1).await;
            for session in &observers {
                let invalid = catalog::invalid_indexes(session).await.unwrap();
                let built = invalid.iter().rfind(|index| index.name.name == name);
                let built = built.unwrap_or_else(|| panic!("no {name} in {invalid:?}"));
                assert!(built.in_progress, "{statement} by {builder}: {built:?}");
            }
        }
        // what the first one left when it was cancelled
        let invalid = catalog::invalid_indexes(&observers[0]).await.unwrap();
        let left = invalid
            .iter()
            .find(|index| index.name.name == "item_id_ccnew");
        assert!(left.is_some_and(|left| !left.in_progress), "{invalid:?}");
    }
}

#[tokio::test]
async fn a_constraint_that_is_not_enforced_is_no_leftover() {
    let database = xtask::servers::shared(18).database().unwrap();
    database
        .execute("CREATE TABLE item (id int, CONSTRAINT lax CHECK (id > 0) NOT ENFORCED)")
        .unwrap();
    assert_eq!(
        catalog::unvalidated_constraints(&observer(&database).await)
            .await
            .unwrap(),
        []
    );
}
