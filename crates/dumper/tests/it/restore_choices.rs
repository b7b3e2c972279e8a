//! What is left out, translated, refused or replaced, as the request says.
//!
//! Absent: errors of statements and rows.

use dumper::{
    Analyze, Changed, Owners, Privileges, RestoreError, RestoreFailure, SkipReason, Target,
    TypedName,
};

use crate::restore_engine::{MODES, Place, mode, run, sessions};

#[track_caller]
fn dump_refused(error: &RestoreError) -> (u64, &str) {
    match error.failure() {
        RestoreFailure::Dump { line, reason } => (*line, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn owners_and_privileges_are_left_out_and_counted() {
    let sql = "CREATE TABLE public.a (id int);\nALTER TABLE public.a OWNER TO nobody_here;\nGRANT SELECT ON TABLE public.a TO nobody_there;\n\
               REVOKE ALL ON TABLE public.a FROM nobody_there;\nSET SESSION AUTHORIZATION 'nobody_here';\nCREATE TABLE public.b (id int);\n";
    for count in MODES {
        let place = Place::new();
        let archive = place.dump(sql);
        let mut request = place.request(&archive, mode(count));
        let error = run(&request).unwrap_err();
        let RestoreFailure::Missing { missing, .. } = error.failure() else {
            panic!("{error:?}")
        };
        assert_eq!(missing, &["role nobody_here", "role nobody_there"]);
        assert_eq!(error.changed(), Changed::No);

        request.owners = Owners::Skip;
        request.privileges = Privileges::Skip;
        let restored = run(&request).unwrap();
        let skipped: Vec<_> = restored
            .skipped
            .iter()
            .map(|skip| (skip.reason.clone(), skip.count, skip.line))
            .collect();
        assert_eq!(
            skipped,
            [(SkipReason::Owner, 2, 2), (SkipReason::Privilege, 2, 3)]
        );
        assert_eq!(
            place.scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
            "2"
        );
    }
}

#[test]
fn an_unknown_parameter_of_the_preamble_is_left_out_and_another_is_an_error() {
    for count in MODES {
        let place = Place::new();
        let archive = place.dump("SET statement_timeout = 0;\nSET transaction_timeout_of_the_future = 0;\nCREATE TABLE public.a (id int);\n");
        let restored = run(&place.request(&archive, mode(count))).unwrap();
        assert_eq!(
            restored.skipped[0].reason,
            SkipReason::UnknownSetting("transaction_timeout_of_the_future".to_owned())
        );
        assert_eq!(restored.skipped[0].line, 2);

        let place = Place::new();
        let archive = place.dump("SET row_security = off;\n\n--\n-- Name: a; Type: TABLE; Schema: public; Owner: x\n--\n\nSET nix = 0;\n");
        let error = run(&place.request(&archive, mode(count))).unwrap_err();
        assert!(error.to_string().starts_with("line 7: "), "{error}");
    }
}

#[test]
fn a_parameter_counts_from_its_line_on_whichever_session_builds() {
    for count in MODES {
        let place = Place::new();
        let row: String = (0..1000).map(|i| format!("{i}\n")).collect();
        let mut sql = "CREATE FUNCTION public.tell(at int, id int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$\n\
                       BEGIN IF current_setting('work_mem') <> (100 + at) || 'kB' THEN RAISE 'of another line'; END IF; RETURN id; END $$;\n"
            .to_owned();
        for at in 0..6 {
            sql += &format!(
                "CREATE TABLE public.t{at} (id int);\nCOPY public.t{at} (id) FROM stdin;\n{row}\\.\n"
            );
        }
        for at in 0..6 {
            sql += &format!(
                "SET work_mem = '{}kB';\nCREATE INDEX i{at} ON public.t{at} USING btree (public.tell({at}, id));\n",
                100 + at
            );
        }
        let archive = place.dump(&sql);
        run(&place.request(&archive, mode(count))).unwrap();
        let built = "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%tell%'";
        assert_eq!(place.scalar(built), "6", "{count}");
    }
}

#[test]
fn the_database_of_a_dump_with_create_is_ours_to_choose() {
    let preamble = "CREATE DATABASE other WITH TEMPLATE = template0;\nALTER DATABASE other OWNER TO postgres;\n\\connect other\n\nSET row_security = off;\n";
    for count in MODES {
        let place = Place::new();
        let archive = place.dump(&format!("{preamble}CREATE TABLE public.a (id int);\n"));
        let restored = run(&place.request(&archive, mode(count))).unwrap();
        assert_eq!(
            (
                restored.skipped[0].reason.clone(),
                restored.skipped[0].count
            ),
            (SkipReason::Database, 3)
        );
        assert_eq!(place.scalar("SELECT count(*) FROM a"), "0");

        let place = Place::new();
        let archive = place.dump(&format!(
            "{preamble}SELECT 1;\n\\connect third\n\nSELECT 2;\n"
        ));
        let error = run(&place.request(&archive, mode(count))).unwrap_err();
        assert_eq!(
            (error.class(), error.changed()),
            ("restore-dump-refused", Changed::No)
        );
        let words =
            "the dump holds more than one database (other, third), as pg_dumpall writes them";
        assert_eq!(error.to_string(), words);
    }
}

/// Its statements are about the whole server: the password of whoever restores would be another afterwards.
#[test]
fn a_dump_of_a_whole_server_is_refused_before_its_first_statement() {
    let place = Place::new();
    let role = format!("choices_made_{}", std::process::id());
    let archive = place.dump(&format!(
        "CREATE ROLE {role};\nALTER ROLE {role} WITH LOGIN PASSWORD 'geheim';\n\\connect template1\n\nSELECT 1;\n"
    ));
    let error = run(&place.request(&archive, sessions(2))).unwrap_err();
    let there = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'");
    let made = place.scalar(&there);
    let server = place.database.server();
    server
        .execute("postgres", &format!("DROP ROLE IF EXISTS {role}"))
        .unwrap();
    assert_eq!(
        (error.class(), error.changed()),
        ("restore-dump-refused", Changed::No)
    );
    assert_eq!(made, "0");
    assert!(error.to_string().contains(&role), "{error}");
}

/// The server would take it back with the session, and psql would not say so either.
#[test]
fn a_transaction_without_an_end_is_no_success() {
    let place = Place::new();
    let archive = place.dump("SELECT 1;\nBEGIN;\nCREATE TABLE public.a (id int);\n");
    let error = run(&place.request(&archive, sessions(2))).unwrap_err();
    let (line, reason) = dump_refused(&error);
    assert_eq!(
        (line, reason),
        (2, "the transaction that begins there has no end")
    );
    // ours has one
    run(&place.request(&archive, mode(0))).unwrap();
    assert_eq!(place.scalar("SELECT count(*) FROM a"), "0");
}

/// Every piece of the rows would lose its first line as the header.
#[test]
fn rows_that_are_no_lines_are_refused_by_line() {
    let place = Place::new();
    let archive = place.dump(
        "CREATE TABLE public.a (id int);\nCOPY public.a (id) FROM stdin WITH (FORMAT csv, HEADER);\nid\n1\n\\.\n",
    );
    let error = run(&place.request(&archive, sessions(2))).unwrap_err();
    assert_eq!(
        (error.class(), error.changed()),
        ("backup-not-restorable", Changed::No),
        "{error}"
    );
}

#[test]
fn another_encoding_is_translated() {
    for strings in ["on", "off"] {
        check_encoding(&format!("SET standard_conforming_strings = {strings};\n"));
    }
}

fn check_encoding(setting: &str) {
    let latin: &[u8] = b"SET client_encoding = 'LATIN1';\nCREATE TABLE public.\"\xe4\" (t text DEFAULT '\xf6');\nCOPY public.\"\xe4\" (t) FROM stdin;\n\xfc\n\\.\n\nINSERT INTO public.\"\xe4\" DEFAULT VALUES;\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
    for count in MODES {
        let place = Place::new();
        let archive = place.dump_of(&[setting.as_bytes(), latin].concat());
        run(&place.request(&archive, mode(count))).unwrap();
        assert_eq!(
            place.scalar("SELECT string_agg(t, ',' ORDER BY t DESC) FROM \"ä\""),
            "ü,ö"
        );
    }
}

#[test]
fn what_no_transaction_takes_is_told_by_its_line() {
    let sql = "CREATE TABLE public.a (id int);\nCREATE INDEX CONCURRENTLY i ON public.a (id);\n";
    let place = Place::new();
    let archive = place.dump(sql);
    let error = run(&place.request(&archive, mode(0))).unwrap_err();
    assert!(error.to_string().starts_with("line 2: CREATE INDEX CONCURRENTLY cannot run inside a transaction block (SQLSTATE 25001)"), "{error}");
    assert_eq!(error.changed(), Changed::No);
    run(&place.request(&archive, sessions(2))).unwrap();
}

/// It has no effect, and is no error either: rights are not as the dump has them.
#[test]
fn what_the_server_only_warns_of_is_told() {
    let sql = "CREATE TABLE public.a (id int);\n\
               DO $$ BEGIN RAISE WARNING 'not as you think'; RAISE NOTICE 'never mind'; END $$;\n";
    for count in MODES {
        let place = Place::new();
        let archive = place.dump(sql);
        let restored = run(&place.request(&archive, mode(count))).unwrap();
        assert_eq!(
            restored.notes,
            ["the server warned: not as you think (SQLSTATE 01000)"]
        );
    }
}

#[test]
fn without_a_pg_restore_for_its_own_formats_it_is_said_what_to_do() {
    let place = Place::new();
    let source = crate::support::Fixture::new("CREATE TABLE a (id int)");
    let mut dump = source.request();
    dump.format = dumper::Format::Custom;
    let archive = crate::support::run(&dump).unwrap();
    let mut request = place.request(&archive.path, sessions(2));
    request.pg_restore = Some(place.folder.path().join("pg_restore"));
    let error = run(&request).unwrap_err();
    assert_eq!(
        (error.class(), error.changed()),
        ("pg-restore-missing", Changed::No)
    );
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("postgresql"), "{error} {hint}");
}

#[test]
fn a_subscription_s_password_is_in_no_error() {
    let sql = "CREATE SUBSCRIPTION s CONNECTION 'host=x password=geheim' PUBLICATION p WITH (nix = true);\n";
    for count in MODES {
        let place = Place::new();
        let archive = place.dump(sql);
        let error = run(&place.request(&archive, mode(count))).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("CREATE SUBSCRIPTION s CONNECTION …"),
            "{error}"
        );
        assert!(
            !format!("{error} {error:?}").contains("geheim"),
            "{error:?}"
        );
    }
}

#[test]
fn new_ones_empty_ones_and_ones_that_are_replaced() {
    let place = Place::new();
    let name = place.database.name();
    place.database.execute("CREATE TABLE old (id int)").unwrap();
    let archive =
        place.dump("CREATE TABLE public.new (id int);\nCOPY public.new (id) FROM stdin;\n1\n\\.\n");
    let mut request = place.request(&archive, sessions(2));
    request.analyze = Analyze::Yes;
    let refused = |error: RestoreError| (error.class(), error.changed());
    let no = Changed::No;
    assert_eq!(
        refused(run(&request).unwrap_err()),
        ("restore-target-not-empty", no)
    );
    request.target = Target::New;
    assert_eq!(
        refused(run(&request).unwrap_err()),
        ("restore-target-exists", no)
    );
    request.target = Target::Replace(TypedName::new("other", "other").unwrap());
    assert_eq!(refused(run(&request).unwrap_err()), ("restore-usage", no));
    request.target = Target::Replace(TypedName::new(name, name).unwrap());
    // its own sessions keep it
    let server = place.database.server();
    let user = server.dsn(name);
    let options =
        pgdriver::ConnectOptions::parse_in(&user, &pgdriver::Environment::default()).unwrap();
    crate::support::block_on(async {
        let session = pgdriver::connect(&options).await.unwrap();
        let stop = std::future::pending();
        let error = dumper::restore(&request, |_| {}, stop).await.unwrap_err();
        assert_eq!(refused(error), ("restore-target-in-use", no));
        session.close().await;
    });
    let restored = run(&request).unwrap();
    assert_eq!((restored.database.as_str(), restored.rows), (name, 1));
    assert_eq!(
        server.scalar(name, "SELECT count(*) FROM new").unwrap(),
        "1"
    );
    assert_eq!(
        server
            .scalar(name, "SELECT reltuples FROM pg_class WHERE relname = 'new'")
            .unwrap(),
        "1"
    );
    let beside = format!("SELECT count(*) FROM pg_database WHERE datname LIKE '{name}\\_%'");
    assert_eq!(
        server.scalar("postgres", &beside).unwrap(),
        "0",
        "neither the old one nor a passage is left"
    );
}
