//! Rows that are handed over in the binary format are those of the text, bit for bit, on every server.
//!
//! Absent: which spellings are translated; the translation has tests of its own.

use xtask::servers::{Database, available, shared};

use crate::restore_engine::{Place, mode, rows, run};

/// Enough of each table for several pieces of rows, so that none of them is small.
const ROWS: u32 = 20_000;

/// Odd values among random ones. What stands under `left` makes a piece of rows go as text.
const TABLES: [(&str, &str); 5] = [
    (
        "numbers",
        "SELECT i AS id, (random() * 65535 - 32768)::int2 AS i2, (random() * 4294967295 - 2147483648)::int4 AS i4,
            (random() * 1e18)::int8 * (1 - 2 * (i % 2)) AS i8, (random() * 4294967295)::int8::oid AS o,
            ((random() - 0.5) * 10.0 ^ (random() * 74 - 37))::float4 AS f4,
            CASE i % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' WHEN 3 THEN '-0'
                WHEN 4 THEN 5e-324 WHEN 5 THEN 1.7976931348623157e308
                ELSE (random() - 0.5) * 10.0 ^ (random() * 600 - 300) END::float8 AS f8,
            CASE i % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN '0' WHEN 2 THEN '-0.000' WHEN 3 THEN '1e40' WHEN 4 THEN '1e-40'
                WHEN 5 THEN 'Infinity' WHEN 6 THEN '10000.00010000'
                ELSE ((random() - 0.5) * 1e9)::text || i END::numeric AS n,
            (random() * 1e7)::numeric(12, 4) AS price,
            ARRAY[i, NULL, -i]::int[] AS a, CASE WHEN i % 3 = 0 THEN '{}' ELSE ARRAY[i::numeric / 7] END::numeric[] AS an
           FROM generate_series(1, {rows}) AS i",
    ),
    (
        "moments",
        "SELECT i AS id, date '1900-01-01' + i * 3 AS d, time '00:00' + random() * interval '1 day' AS t,
            timestamp '0001-01-01' + random() * interval '9998 years' AS ts,
            timestamptz '1850-01-01' + random() * interval '300 years' AS tz,
            CASE WHEN i % 5 = 0 THEN NULL ELSE justify_interval(random() * interval '4000 days') END AS span,
            ARRAY[timestamptz '2024-01-01' + i * interval '1 minute', NULL] AS a
           FROM generate_series(1, {rows}) AS i",
    ),
    (
        "words",
        "SELECT i AS id, chr(1 + i % 126) || E'\\t\\n\\\\r\\\\\\b\\f\\v\\\\.' || chr(256 + i % 50000) AS t, ('v' || i)::varchar(20) AS v,
            ('c' || i)::char(10) AS c, json_build_object('a', i, 'b', E'x\\ty\"') AS j,
            jsonb_build_object('a', ARRAY[i], 'ü', NULL, 'z', E'\\\\') AS jb,
            (ARRAY['calm', 'very glad', NULL])[1 + i % 3]::public.mood AS m, (i % 90)::public.small AS s,
            ARRAY['', 'a b', NULL, 'null', E'\"\\\\{}', ',', 'plain', E'x\\ty'] AS a, i % 2 = 0 AS b,
            CASE WHEN i % 4 = 0 THEN '' END AS e
           FROM generate_series(1, {rows}) AS i WHERE i % 126 <> 13 - 1",
    ),
    (
        "things",
        "SELECT i AS id, md5(i::text)::uuid AS u, sha512(i::text::bytea) || decode('00ff0a5c', 'hex') AS by, ''::bytea AS e,
            CASE i % 3 WHEN 0 THEN '10.1.2.3' WHEN 1 THEN '10.0.0.0/8' ELSE '2001:db8::1' END::inet AS ip,
            CASE i % 3 WHEN 0 THEN '::/0' WHEN 1 THEN '10.0.0.0/8' ELSE '::ffff:1.2.3.4/128' END::cidr AS net,
            ARRAY[md5(i::text)::uuid] AS a, ARRAY[true, NULL] AS ab, ARRAY['\\x00'::bytea] AS aby
           FROM generate_series(1, {rows}) AS i",
    ),
    (
        "odd",
        "SELECT i AS id, repeat('x', CASE WHEN i = 900 THEN 3000000 ELSE 300 END) AS filler,
            CASE WHEN i > 12000 AND i % 1000 = 0 THEN '-infinity' ELSE '2024-02-29' END::date AS d,
            CASE WHEN i % 7000 = 0 THEN E'a\\rb' ELSE 'ab' END AS t,
            CASE WHEN i % 8000 = 0 THEN '0044-03-15 BC' ELSE '2024-02-29 12:00' END::timestamptz AS tz,
            CASE WHEN i % 9000 = 0 THEN '-1 day +01:00' ELSE '1 day' END::interval AS span,
            CASE WHEN i % 9500 = 0 THEN '{{1,2},{3,4}}' ELSE '{1}' END::int[] AS a
           FROM generate_series(1, {rows}) AS i",
    ),
];

const TYPES: &str = "CREATE TYPE public.mood AS ENUM ('calm', 'very glad'); \
                     CREATE DOMAIN public.small AS int4 CHECK (VALUE < 100);";

/// Keeps each COPY that put rows into a table.
const WITNESS: &str = "CREATE TABLE public.said (tab text, sql text);\n\
    CREATE FUNCTION public.say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    INSERT INTO public.said VALUES (TG_TABLE_NAME, current_query()); RETURN NULL; END $$;\n";

fn source(major: u32) -> Database {
    let database = shared(major).database().unwrap();
    database.execute(TYPES).unwrap();
    for (table, select) in TABLES {
        let select = select.replace("{rows}", &ROWS.to_string());
        let sql = format!("SELECT setseed(0.5); CREATE TABLE public.{table} AS {select}");
        database.execute(&sql).unwrap();
    }
    database
}

/// In a time zone whose offset has seconds before 1935, and with the witness.
fn dumped(source: &Database) -> Vec<u8> {
    let mut command = source.server().install().command("pg_dump");
    source.environment(&mut command);
    let output = command
        .env("PGTZ", "America/St_Johns")
        .args(["-Fp", "-E", "UTF8"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let dump = String::from_utf8(output.stdout).unwrap();
    assert!(dump.contains("-03:30:52"));
    let (before, behind) = dump.split_at(dump.find("COPY public.").unwrap());
    let triggers = TABLES.map(|(table, _)| {
        format!(
            "CREATE TRIGGER say BEFORE INSERT ON public.{table} FOR EACH STATEMENT EXECUTE FUNCTION public.say();\n"
        )
    });
    format!("{before}{WITNESS}{}{behind}", triggers.concat()).into_bytes()
}

/// What a table holds: its rows as text, and how long the text of each column is.
fn held(database: &Database, table: &str) -> String {
    let columns = format!(
        "SELECT string_agg(format('sum(octet_length(%I::text))', attname), ', ' ORDER BY attnum) FROM pg_attribute \
         WHERE attrelid = 'public.{table}'::regclass AND attnum > 0"
    );
    let columns = database.scalar(&columns).unwrap();
    let sql = format!(
        "SET extra_float_digits = 3; \
         SELECT format('%s %s %s', count(*), md5(string_agg(t::text, '|' ORDER BY id)), ROW({columns})::text) \
         FROM public.{table} t"
    );
    let rows = database.server().query(database.name(), &sql).unwrap();
    rows.last().unwrap()[0].clone()
}

#[test]
fn what_went_over_in_binary_is_what_the_text_said() {
    for major in available() {
        let source = source(*major);
        let dump = dumped(&source);
        for sessions in [0, 2] {
            let place = Place::on(*major);
            let archive = place.dump_of(&dump);
            let restored = run(&place.request(&archive, mode(sessions))).unwrap();
            let told: u64 = restored.tables.iter().map(|table| table.rows).sum();
            assert_eq!(told, restored.rows);
            for (table, _) in TABLES {
                assert_eq!(
                    held(&place.database, table),
                    held(&source, table),
                    "{table} on {major}, {sessions}"
                );
            }
            let formats = "SELECT string_agg(DISTINCT tab || CASE WHEN sql LIKE '%FORMAT binary%' THEN ' binary' ELSE ' text' END, ',') \
                           FROM public.said";
            assert_eq!(
                place.scalar(formats),
                "moments binary,numbers binary,odd binary,odd text,things binary,words binary",
                "{major}, {sessions}"
            );
        }
    }
}

/// As it is for rows of text.
#[test]
fn a_row_that_a_constraint_refuses_is_found_by_its_line() {
    for sessions in [0, 2] {
        let place = Place::new();
        let data = rows(40_000, None);
        let archive = place.dump(&format!(
            "CREATE TABLE public.t (id int CHECK (id <> 30001), t text);\n\
             COPY public.t (id, t) FROM stdin;\n{data}\\.\n"
        ));
        let error = run(&place.request(&archive, mode(sessions))).unwrap_err();
        let refused = crate::restore_engine::statement(&error);
        assert_eq!((refused.line, refused.sqlstate.as_str()), (30_003, "23514"));
    }
}

/// A type whose values are sent otherwise than its name says is not taken for PostgreSQL's own.
#[test]
fn types_of_others_go_as_text() {
    let place = Place::new();
    let data = rows(20_000, None);
    let archive = place.dump(&format!(
        "CREATE SCHEMA own; CREATE DOMAIN own.int4 AS text; CREATE DOMAIN own.twice AS own.int4;\n\
         CREATE TYPE own.pair AS (a int);\n{WITNESS}\
         CREATE TABLE public.t (id own.twice, t text);\n\
         CREATE TRIGGER say BEFORE INSERT ON public.t FOR EACH STATEMENT EXECUTE FUNCTION public.say();\n\
         COPY public.t (id, t) FROM stdin;\n{data}\\.\n"
    ));
    run(&place.request(&archive, mode(0))).unwrap();
    assert_eq!(place.scalar("SELECT count(*) FROM t"), "20000");
    assert_eq!(
        place.scalar("SELECT count(*) FROM said WHERE sql LIKE '%binary%'"),
        "0"
    );
}
