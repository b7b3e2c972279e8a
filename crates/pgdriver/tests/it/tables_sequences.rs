//! Sequences near their end, read without waiting for anybody.

use std::time::{Duration, Instant};

use pgdriver::sequences::{self, SequenceUse, Unread};
use pgdriver::{Session, server, tables};
use xtask::servers::{available, shared};

use crate::{observer, options, plain_dsn, superuser};

#[track_caller]
fn of<'a>(found: &'a [SequenceUse], name: &str) -> &'a SequenceUse {
    let sequence = found.iter().find(|sequence| sequence.name.name == name);
    sequence.unwrap_or_else(|| panic!("no {name} in {found:?}"))
}

async fn near(session: &Session, share: f64) -> Vec<SequenceUse> {
    sequences::sequences(session, share).await.unwrap()
}

#[tokio::test]
async fn the_end_is_that_of_the_column_where_it_comes_first() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        database
            .execute(
                "CREATE SEQUENCE wide AS bigint;
                 CREATE TABLE narrow (id integer PRIMARY KEY DEFAULT nextval('wide'));
                 SELECT setval('wide', 2000000000);
                 CREATE TABLE roomy (id bigint GENERATED ALWAYS AS IDENTITY, n smallserial);
                 SELECT setval('roomy_id_seq', 2000000000); SELECT setval('roomy_n_seq', 30000);
                 CREATE DOMAIN tiny AS smallint; CREATE SEQUENCE shared_one;
                 CREATE TABLE by_domain (id tiny DEFAULT nextval('shared_one'), other bigint DEFAULT nextval('shared_one'));
                 SELECT setval('shared_one', 32767);
                 CREATE SEQUENCE alone AS smallint; SELECT setval('alone', 32000);
                 CREATE SEQUENCE down AS smallint INCREMENT BY -10 MINVALUE -1000 MAXVALUE 0 START 0; SELECT setval('down', -990);
                 CREATE SEQUENCE round AS smallint CYCLE; SELECT setval('round', 32767);
                 CREATE SEQUENCE wheel AS bigint CYCLE; CREATE TABLE wheeled (id integer DEFAULT nextval('wheel'));
                 SELECT setval('wheel', 1900000000);
                 CREATE DOMAIN tinier AS tiny; CREATE SEQUENCE deep AS bigint;
                 CREATE TABLE deepened (id tinier DEFAULT nextval('deep')); SELECT setval('deep', 32500);
                 CREATE TABLE fresh (id serial)",
            )
            .unwrap();
        let session = observer(&database).await;
        let found = near(&session, 0.75).await;
        let names: Vec<_> = found.iter().map(|s| s.name.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "shared_one",
                "deep",
                "down",
                "alone",
                "wide",
                "roomy_n_seq",
                "wheel"
            ],
            "the most used first, on {major}"
        );

        let wide = of(&found, "wide");
        let column = wide.column.as_ref().unwrap();
        assert_eq!(
            (column.table.to_string().as_str(), column.name.as_str()),
            ("public.narrow", "id")
        );
        assert!(column.ends_first && column.type_name == "integer");
        let position = wide.position.as_ref().unwrap();
        assert_eq!(
            (position.last, position.last_possible, position.remaining),
            (Some(2_000_000_000), 2_147_483_647, 147_483_647)
        );
        assert!((0.93..0.94).contains(&position.used), "{}", position.used);

        let n = of(&found, "roomy_n_seq").column.as_ref().unwrap();
        assert!(!n.ends_first && n.name == "n");
        let shared = of(&found, "shared_one");
        assert_eq!(shared.column.as_ref().unwrap().type_name, "tiny");
        assert_eq!(shared.position.as_ref().unwrap().remaining, 0);
        assert_eq!(of(&found, "alone").column, None);
        let down = of(&found, "down").position.as_ref().unwrap();
        assert_eq!((down.last_possible, down.remaining), (-1000, 1));

        let all = near(&session, 0.0).await;
        let fresh = of(&all, "fresh_id_seq").position.as_ref().unwrap();
        assert_eq!((fresh.last, fresh.used), (None, 0.0));
        assert!(all.iter().all(|s| s.name.name != "round"), "it has no end");
        let roomy = of(&all, "roomy_id_seq").position.as_ref().unwrap();
        assert_eq!(roomy.remaining, 9_223_372_036_854_775_807 - 2_000_000_000);
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_said_to_be() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        database
            .execute(
                "CREATE SEQUENCE hidden AS smallint; SELECT setval('hidden', 32000);
                 CREATE SEQUENCE given AS smallint; SELECT setval('given', 32000); GRANT SELECT ON SEQUENCE given TO PUBLIC",
            )
            .unwrap();
        let plain = plain_dsn(database.server(), database.name());
        let session = pgdriver::connect_observer(&options(&plain)).await.unwrap();
        let found = near(&session, 0.9).await;
        assert_eq!(of(&found, "hidden").position, Err(Unread::NotPermitted));
        assert_eq!(
            of(&found, "given").position.as_ref().unwrap().last,
            Some(32_000)
        );
    }
}

#[tokio::test]
async fn no_fact_waits_behind_access_exclusive() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        database
            .execute(
                "CREATE TABLE item (id serial PRIMARY KEY, sku int CHECK (sku > 0)); CREATE TABLE other (id serial);
                 SELECT setval('other_id_seq', 2000000000); ANALYZE item",
            )
            .unwrap();
        let holder = superuser(&database).await;
        holder
            .execute("BEGIN; LOCK TABLE item; DROP TABLE item; ALTER SEQUENCE other_id_seq CACHE 5")
            .await
            .unwrap();
        let session = observer(&database).await;
        let begun = Instant::now();
        let health = server::health(&session).await.unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
        assert!(
            health.unknown().is_empty(),
            "{:?} on {major}",
            health.unknown()
        );
        let sequences = health.sequences.unwrap();
        for name in ["item_id_seq", "other_id_seq"] {
            assert_eq!(of(&sequences, name).position, Err(Unread::Locked), "{name}");
        }
        assert_eq!(health.largest.unwrap().len(), 2);
        server::facts(&session).await.unwrap();
        holder.execute("ROLLBACK").await.unwrap();
        assert_eq!(
            of(&near(&session, 0.9).await, "other_id_seq")
                .position
                .as_ref()
                .unwrap()
                .last,
            Some(2_000_000_000)
        );
    }
}

#[tokio::test]
async fn the_largest_tables_with_their_indexes_and_toast() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        database
            .execute(
                "CREATE TABLE big (id int PRIMARY KEY, body text); INSERT INTO big SELECT g, 'x' FROM generate_series(1, 20000) g;
                 CREATE TABLE wide (id int, body text); ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
                 INSERT INTO wide SELECT g, repeat('x', 100000) FROM generate_series(1, 100) g;
                 CREATE TABLE unknown (id int)",
            )
            .unwrap();
        for table in ["big", "wide"] {
            database
                .execute(&format!("VACUUM ANALYZE {table}"))
                .unwrap();
        }
        let session = observer(&database).await;
        let found = tables::largest(&session, 2).await.unwrap();
        let names: Vec<_> = found.iter().map(|t| t.name.name.as_str()).collect();
        assert_eq!(names, ["wide", "big"]);
        assert_eq!(found[1].estimated_rows, Some(20_000));
        for (table, size) in [("wide", &found[0]), ("big", &found[1])] {
            let total = database
                .scalar(&format!("SELECT pg_total_relation_size('{table}') - pg_relation_size('{table}', 'fsm') - pg_relation_size('{table}', 'vm')"))
                .unwrap();
            let told = size.heap_bytes + size.other_bytes;
            let total: u64 = total.parse().unwrap();
            assert!(told <= total && told * 10 > total * 9, "{told} of {total}");
        }
        let all = tables::largest(&session, 10).await.unwrap();
        assert_eq!(all[2].estimated_rows, None);
    }
}

/// A statement keeps its locks to its end: thousands of them at once would leave others none.
#[tokio::test]
async fn a_thousand_sequences_are_not_locked_at_once() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        database
            .execute(
                "DO $$ BEGIN FOR n IN 1..1000 LOOP EXECUTE format('CREATE SEQUENCE many_%s AS smallint', n); \
                 EXECUTE format('SELECT setval(%L, 32000)', 'many_' || n); END LOOP; END $$",
            )
            .unwrap();
        let session = observer(&database).await;
        let sampled = superuser(&database).await;
        let sql = format!(
            "DO $$ DECLARE most int := 0; held int; BEGIN FOR n IN 1..400 LOOP \
             SELECT count(*) INTO held FROM pg_locks WHERE pid = {} AND mode = 'RowExclusiveLock'; \
             most := greatest(most, held); PERFORM pg_sleep(0.002); END LOOP; \
             IF most > 250 THEN RAISE EXCEPTION '% locks', most; END IF; END $$",
            session.pid()
        );
        let (found, most) = tokio::join!(near(&session, 0.75), sampled.execute(&sql));
        assert_eq!(found.len(), 1000, "on {major}");
        most.unwrap_or_else(|why| panic!("on {major}: {why}"));
    }
}
