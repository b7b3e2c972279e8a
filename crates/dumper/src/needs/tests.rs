//! What statements of pg_dump and pg_dumpall need.

use super::*;

/// `owner:a grantee:b other:c extension:d tablespace:e`
#[track_caller]
fn check(statements: &[&str], expected: &str) {
    let mut needs = Needs::default();
    for statement in statements {
        needs.read(statement.as_bytes());
    }
    let Needs {
        roles,
        owners,
        grantees,
        others,
        extensions,
        tablespaces,
        ..
    } = &needs;
    let all: BTreeSet<_> = owners.union(grantees).chain(others).cloned().collect();
    assert_eq!(roles, &all);
    let mut found = Vec::new();
    for (kind, names) in [
        ("owner", owners),
        ("grantee", grantees),
        ("other", others),
        ("extension", extensions),
        ("tablespace", tablespaces),
    ] {
        found.extend(names.iter().map(|name| format!("{kind}:{name}")));
    }
    assert_eq!(found.join(" "), expected, "{statements:?}");
}

#[test]
fn owners() {
    check(&["ALTER TABLE public.a OWNER TO shop"], "owner:shop");
    check(
        &["ALTER TABLE public.a OWNER TO \"Shop \"\"x\"\"\""],
        "owner:Shop \"x\"",
    );
    check(
        &["ALTER FUNCTION public.f(a integer, \"owner to\" text) OWNER TO b"],
        "owner:b",
    );
    check(&["ALTER LARGE OBJECT 16400 OWNER TO c"], "owner:c");
    check(&["ALTER TABLE a OWNER TO CURRENT_USER"], "");
    check(&["ALTER TABLE a OWNER TO pg_database_owner"], "");
    check(&["CREATE SCHEMA s AUTHORIZATION d"], "owner:d");
    check(&["SET SESSION AUTHORIZATION 'e f'"], "owner:e f");
    check(&["SET SESSION AUTHORIZATION DEFAULT"], "");
    check(
        &["ALTER TABLE ONLY a ADD CONSTRAINT c CHECK ((b <> 'OWNER TO x'::text))"],
        "",
    );
}

#[test]
fn grantees() {
    check(
        &["GRANT SELECT,INSERT ON TABLE public.a TO reader"],
        "grantee:reader",
    );
    check(
        &[
            "GRANT ALL ON FUNCTION f(\"to\" timestamp without time zone) TO \"R 1\" WITH GRANT OPTION",
        ],
        "grantee:R 1",
    );
    check(&["REVOKE ALL ON SCHEMA public FROM PUBLIC"], "");
    check(&["GRANT ALL ON SCHEMA \"public\" TO \"public\""], "");
    check(
        &["REVOKE ALL ON SCHEMA public FROM a GRANTED BY b CASCADE"],
        "grantee:a grantee:b",
    );
    check(
        &["GRANT SELECT(id) ON TABLE t TO a, GROUP b, pg_monitor"],
        "grantee:a grantee:b",
    );
    check(
        &["ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA s GRANT SELECT ON TABLES TO b"],
        "grantee:a grantee:b",
    );
    check(
        &["ALTER DEFAULT PRIVILEGES FOR ROLE a REVOKE ALL ON FUNCTIONS FROM PUBLIC"],
        "grantee:a",
    );
}

#[test]
fn others() {
    check(
        &[
            "CREATE POLICY p ON s.t AS RESTRICTIVE FOR SELECT TO a, \"B\", PUBLIC USING ((x = 'to y'::text))",
        ],
        "other:B other:a",
    );
    check(&["CREATE POLICY p ON t USING ((a TO b))"], "");
    check(
        &["CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'b')"],
        "other:a",
    );
    check(&["CREATE USER MAPPING FOR PUBLIC SERVER s"], "");
    check(
        &["ALTER ROLE a IN DATABASE d SET search_path TO 'x'"],
        "other:a",
    );
    check(&["SET ROLE a"], "other:a");
    check(&["SET ROLE NONE"], "");
}

#[test]
fn extensions_and_tablespaces() {
    check(
        &[
            "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public",
            "CREATE EXTENSION ltree",
        ],
        "extension:ltree extension:uuid-ossp",
    );
    check(
        &[
            "SET default_tablespace = fast",
            "SET default_tablespace = ''",
            "SET default_tablespace = \"S 1\"",
        ],
        "tablespace:S 1 tablespace:fast",
    );
    check(
        &["CREATE DATABASE d WITH TEMPLATE = template0 TABLESPACE = fast"],
        "tablespace:fast",
    );
    check(
        &["CREATE TABLE t (tablespace text) TABLESPACE pg_default"],
        "",
    );
    check(
        &["CREATE INDEX i ON t USING btree (a) TABLESPACE b WHERE (c)"],
        "tablespace:b",
    );
}

#[test]
fn what_pg_dumpall_makes_is_not_needed() {
    check(
        &[
            "CREATE ROLE a",
            "ALTER TABLE t OWNER TO a",
            "GRANT a TO b GRANTED BY a",
        ],
        "other:b",
    );
    check(
        &[
            "CREATE TABLESPACE t OWNER a LOCATION '/x'",
            "SET default_tablespace = t",
        ],
        "owner:a",
    );
}

#[test]
fn other_statements_need_nothing() {
    check(
        &[
            "",
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ GRANT x TO y $$",
            "COMMENT ON TABLE t IS 'ALTER TABLE t OWNER TO x'",
            "INSERT INTO t VALUES ('GRANT a TO b')",
            "GRANT",
            "ALTER",
            "SET",
            "SET SESSION",
            "CREATE",
        ],
        "",
    );
}

#[test]
fn the_first_encoding_and_large_objects_are_seen() {
    let mut needs = Needs::default();
    needs.read(b"SET client_encoding = 'LATIN1'");
    needs.read(b"SET client_encoding = 'UTF8'");
    assert_eq!(needs.encoding.as_deref(), Some("LATIN1"));
    assert!(!needs.large_objects);
    needs.read(b"SELECT pg_catalog.lo_create('16400')");
    assert!(needs.large_objects);
}
