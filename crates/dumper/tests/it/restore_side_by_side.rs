//! What runs side by side: keys, indexes and foreign keys in an order that any number of sessions may take.
//!
//! Absent: the order itself, which `restore::load::schedule` tests without a server.

use std::collections::BTreeSet;
use std::future::pending;

use dumper::{Phase, RestoreProgress, restore};

use crate::restore_engine::{MODES, Place, mode, run, sessions};
use crate::same::{assert_same, assert_same_rows};
use crate::support::block_on;

/// Keys and indexes that need each other, foreign keys in a cycle, partitions of partitions, heirs, matviews on matviews.
const SHOP: &str = r#"
CREATE SCHEMA "S 1";
CREATE TABLE chicken (id int PRIMARY KEY, egg int NOT NULL);
CREATE TABLE egg (id int PRIMARY KEY, chicken int REFERENCES chicken DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE chicken ADD CONSTRAINT from_egg FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree, up int UNIQUE REFERENCES tree (up));
CREATE TABLE "S 1"."Parent ""T" (id bigint GENERATED ALWAYS AS IDENTITY, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE "S 1".p1 PARTITION OF "S 1"."Parent ""T" FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE "S 1".p2 PARTITION OF "S 1"."Parent ""T" FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY HASH (id);
CREATE TABLE "S 1".p2a PARTITION OF "S 1".p2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "S 1".p2b PARTITION OF "S 1".p2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE INDEX notes ON "S 1"."Parent ""T" (note);
COMMENT ON INDEX "S 1".notes IS 'of all';
CREATE UNIQUE INDEX only_here ON "S 1".p1 (note, at) INCLUDE (id) WHERE note <> '';
CREATE TABLE child (id int PRIMARY KEY, of_id bigint, of_at date, FOREIGN KEY (of_id, of_at) REFERENCES "S 1"."Parent ""T");
ALTER TABLE "S 1"."Parent ""T" ADD COLUMN chicken int REFERENCES chicken;
CREATE TABLE base (id int PRIMARY KEY, v int CHECK (v > 0));
CREATE TABLE heir (extra text UNIQUE, PRIMARY KEY (id)) INHERITS (base);
CREATE INDEX ON heir (v);
ALTER TABLE base REPLICA IDENTITY USING INDEX base_pkey;
ALTER TABLE heir CLUSTER ON heir_v_idx;
COMMENT ON CONSTRAINT base_pkey ON base IS 'a key';
CREATE TABLE room (id int, during int4range, EXCLUDE USING gist (during WITH &&));
ALTER TABLE room ADD CONSTRAINT soon CHECK (id > 0) NOT VALID;
CREATE INDEX expression ON tree ((id % 7)) WITH (fillfactor = 70);
ALTER INDEX expression ALTER COLUMN 1 SET STATISTICS 500;
CREATE VIEW grouped AS SELECT id, egg FROM chicken GROUP BY id;
CREATE MATERIALIZED VIEW m1 AS SELECT count(*) AS n, parent FROM tree GROUP BY parent;
CREATE UNIQUE INDEX ON m1 (parent);
CREATE MATERIALIZED VIEW m2 AS SELECT sum(n) AS n FROM m1;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON tree FOR EACH ROW EXECUTE FUNCTION touch();
CREATE STATISTICS both_of ON id, parent FROM tree;
BEGIN;
INSERT INTO chicken SELECT i, i FROM generate_series(1, 20000) i;
INSERT INTO egg SELECT i, i FROM generate_series(1, 20000) i;
COMMIT;
INSERT INTO tree SELECT i, nullif(i / 2, 0), i FROM generate_series(1, 60000) i;
INSERT INTO "S 1"."Parent ""T" (at, note, chicken) SELECT '2020-06-01'::date + i % 500, repeat(md5(i::text), 3), 1 + i % 20000 FROM generate_series(1, 60000) i;
INSERT INTO child SELECT id, id, at FROM "S 1"."Parent ""T";
INSERT INTO base SELECT i, i FROM generate_series(1, 1000) i;
INSERT INTO heir SELECT i, i, 'x' || i FROM generate_series(1, 1000) i;
INSERT INTO room SELECT i, int4range(i, i + 1) FROM generate_series(1, 1000) i;
REFRESH MATERIALIZED VIEW m1;
REFRESH MATERIALIZED VIEW m2;
SELECT lo_from_bytea(4711, decode(repeat('00ff5c', 10000), 'hex'));
SELECT lo_from_bytea(4712, 'x');
COMMENT ON LARGE OBJECT 4711 IS 'large';
"#;

#[test]
fn keys_foreign_keys_partitions_and_heirs_come_back_in_any_company() {
    for major in [14, 15, 18] {
        let original = Place::on(major);
        original.database.execute(SHOP).unwrap();
        let dump = original.plain();
        for count in MODES {
            let place = Place::on(major);
            let archive = place.dump_of(&dump);
            let restored = run(&place.request(&archive, mode(count))).unwrap();
            assert!(restored.notes.is_empty() && restored.errors.is_empty());
            let what = format!("{major}, {count} sessions");
            match count {
                0 | 1 => assert_same(&what, &place.plain(), &dump),
                _ => assert_same_rows(&what, &place.plain(), &dump),
            }
        }
    }
}

#[test]
fn builds_run_beside_each_other_and_rows_go_to_all_sessions() {
    let place = Place::new();
    let table = |name: &str| {
        format!(
            "CREATE TABLE public.{name} (id int, t text);\nCOPY public.{name} (id, t) FROM stdin;\n{}\\.\n",
            (0..60_000)
                .map(|i| format!("{i}\t{:0>200}\n", i))
                .collect::<String>()
        )
    };
    let sql = format!(
        "{}{}CREATE INDEX ai ON public.a USING btree (t);\nCREATE INDEX bi ON public.b USING btree (t);\nCREATE INDEX aj ON public.a USING btree (id);\n",
        table("a"),
        table("b")
    );
    let archive = place.dump(&sql);
    let mut most = 0;
    let mut phases = BTreeSet::new();
    let mut last = None;
    let hear = |progress| {
        if let RestoreProgress::Loading(at) = progress {
            phases.insert(format!("{:?}", at.phase));
            if at.phase == Phase::Indexes {
                most = most.max(at.at.len());
            }
            last = Some(at);
        }
    };
    block_on(restore(
        &place.request(&archive, sessions(3)),
        hear,
        pending(),
    ))
    .unwrap();
    let last = last.unwrap();
    assert_eq!(
        (last.jobs_found, last.jobs_done, last.rows, last.tables),
        (3, 3, 120_000, 2)
    );
    assert_eq!(last.read, last.bytes);
    assert_eq!(
        phases.into_iter().collect::<Vec<_>>(),
        ["Definitions", "Indexes", "Rows"]
    );
    assert_eq!(most, 3, "three builds of two tables");
}
