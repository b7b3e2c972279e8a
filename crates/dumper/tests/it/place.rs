//! The database that a restore goes into: what is refused before the first statement, what it is made like, and how one
//! takes the place of another.

use std::cell::Cell;
use std::future::pending;
use std::path::PathBuf;

use dumper::{
    Analyze, Changed, Left, Manifest, OldSessions, RestoreError, RestoreProgress, RestoreRequest,
    Restored, Target, TypedName, restore,
};
use pgdriver::{ConnectOptions, Environment, Session};
use xtask::servers::{Server, available};

use crate::restore_engine::{Place, run, sessions};
use crate::support::{Fixture, block_on, eventually, skipped};

const ONE: &str = "CREATE TABLE public.new (id int);\nCOPY public.new (id) FROM stdin;\n1\n\\.\n";

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn options(server: &Server, database: &str) -> ConnectOptions {
    let dsn = server.dsn("postgres");
    let options = ConnectOptions::parse_in(&dsn, &Environment::default()).unwrap();
    options.with_database(database)
}

fn as_role(server: &Server, role: &str) -> ConnectOptions {
    let dsn = server.dsn_as(role, "x", "postgres");
    ConnectOptions::parse_in(&dsn, &Environment::default()).unwrap()
}

async fn open(server: &Server, database: &str) -> Session {
    pgdriver::connect(&options(server, database)).await.unwrap()
}

/// Dropped with the value, whatever became of it.
struct Named<'a> {
    server: &'a Server,
    name: String,
}

impl<'a> Named<'a> {
    fn new(server: &'a Server, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { server, name }
    }

    fn run(&self, sql: &str) {
        self.server.execute("postgres", sql).unwrap();
    }

    /// All databases whose names begin with the first letters of this one.
    fn all(&self) -> Vec<String> {
        let start: String = self.name.chars().take(15).collect();
        let sql = format!(
            "SELECT coalesce(string_agg(datname, chr(10) ORDER BY datname), '') FROM pg_database \
             WHERE starts_with(datname, '{}')",
            start.replace('\'', "''")
        );
        let all = self.server.scalar("postgres", &sql).unwrap();
        all.lines().map(str::to_owned).collect()
    }
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        for name in self.all() {
            let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(&name));
            let _ = self.server.execute("postgres", &sql);
        }
    }
}

fn unique(what: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{what}{}x{next}", std::process::id())
}

#[track_caller]
fn refused(result: Result<Restored, RestoreError>, class: &str) -> RestoreError {
    let error = result.unwrap_err();
    assert_eq!(
        (error.class(), error.changed()),
        (class, Changed::No),
        "{error}"
    );
    assert_eq!(error.left(), &Left::Nothing);
    error
}

/// A restore of which every word is heard.
fn heard(
    request: &RestoreRequest,
    act: impl Fn(&RestoreProgress),
) -> Result<Restored, RestoreError> {
    block_on(restore(request, |word| act(&word), pending()))
}

fn warnings(request: &RestoreRequest) -> (Result<Restored, RestoreError>, Vec<String>) {
    let told = std::cell::RefCell::new(Vec::new());
    let done = heard(request, |word| {
        if let RestoreProgress::Warning(word) = word {
            told.borrow_mut().push(word.clone());
        }
    });
    (done, told.into_inner())
}

fn to(place: &Place, named: &Named<'_>, sql: &str) -> RestoreRequest {
    let archive = place.dump(sql);
    let mut request = place.request(&archive, sessions(2));
    request.into.clone_from(&named.name);
    request.target = Target::New;
    request
}

fn replacing(mut request: RestoreRequest) -> RestoreRequest {
    let name = request.into.clone();
    request.target = Target::Replace(TypedName::new(&name, &name).unwrap());
    request
}

/// As long as a name can be, with everything that has to be quoted, cut in the middle of no character.
#[test]
fn names_may_be_as_long_and_odd_as_they_are() {
    for major in [14, 18] {
        let place = Place::on(major);
        let server = place.database.server();
        let start = unique("P\"l'ä ");
        let long = format!("{start}{}", "ü".repeat((63 - start.len()) / 2));
        let named = Named::new(server, long);
        let request = to(&place, &named, ONE);
        let into = Cell::new(String::new());
        let restored = heard(&request, |word| {
            if let RestoreProgress::Into { database } = word {
                into.set(database.clone());
            }
        });
        assert_eq!(restored.unwrap().database, named.name);
        let into = into.into_inner();
        assert!(into.len() <= 63 && into.contains("ü_restoring_2"), "{into}");
        assert_eq!(named.all(), std::slice::from_ref(&named.name));
        run(&replacing(request)).unwrap();
        assert_eq!(named.all(), std::slice::from_ref(&named.name));
        assert_eq!(
            server.scalar(&named.name, "SELECT id FROM new").unwrap(),
            "1"
        );
    }
}

#[test]
fn one_that_takes_another_s_place_takes_its_owner_rights_and_settings() {
    for major in [14, 15, 18] {
        let place = Place::on(major);
        let server = place.database.server();
        let named = Named::new(server, unique("place_replaced_"));
        let (owner, reader) = (unique("place_owner_"), unique("place_reader_"));
        let name = quoted(&named.name);
        named.run(&format!("CREATE ROLE {owner}; CREATE ROLE {reader}"));
        named.run(&format!("CREATE DATABASE {name} OWNER {owner}"));
        for sql in [
            format!("REVOKE CONNECT, TEMP ON DATABASE {name} FROM PUBLIC"),
            format!("GRANT CONNECT ON DATABASE {name} TO {reader}"),
            format!("ALTER DATABASE {name} SET search_path = \"S x\", public"),
            format!("ALTER DATABASE {name} SET app.jwt_secret = 'it''s \"x\"'"),
            format!("ALTER ROLE {reader} IN DATABASE {name} SET statement_timeout = '5s'"),
            format!("ALTER DATABASE {name} CONNECTION LIMIT 7"),
        ] {
            named.run(&sql);
        }
        server
            .execute(&named.name, "CREATE TABLE old (id int)")
            .unwrap();
        let is = || {
            let sql = format!(
                "SELECT concat_ws(' ', pg_get_userbyid(datdba), datacl, datconnlimit, datallowconn, (SELECT string_agg(
                     concat_ws(' ', setrole, setconfig), ', ' ORDER BY setrole) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid))
                   FROM pg_database d WHERE datname = '{}'",
                named.name
            );
            server.scalar("postgres", &sql).unwrap()
        };
        let before = is();
        assert!(
            before.contains("jwt_secret") && before.contains("S x"),
            "{before}"
        );
        let restored = run(&replacing(to(&place, &named, ONE))).unwrap();
        assert_eq!(restored.notes, [""; 0]);
        assert_eq!(is(), before, "{major}");
        assert_eq!(named.all(), std::slice::from_ref(&named.name));
        assert_eq!(
            server.scalar(&named.name, "SELECT id FROM new").unwrap(),
            "1"
        );
        drop(named);
        server
            .execute(
                "postgres",
                &format!("DROP ROLE {owner}; DROP ROLE {reader}"),
            )
            .unwrap();
    }
}

#[test]
fn the_server_s_own_databases_are_not_replaced() {
    let place = Place::new();
    for name in ["postgres", "template1", "template0"] {
        let named = Named::new(place.database.server(), unique("place_own_"));
        let mut request = to(&place, &named, ONE);
        request.into = name.to_owned();
        let error = refused(run(&replacing(request)), "restore-target-protected");
        assert_eq!(
            error.to_string(),
            format!("database \"{name}\" is one of the server's own and is not replaced")
        );
    }
}

#[test]
fn a_database_of_somebody_else_is_found_before_anything_is_loaded() {
    let place = Place::new();
    let server = place.database.server();
    let named = Named::new(server, unique("place_theirs_"));
    named.run(&format!("CREATE DATABASE {}", named.name));
    let role = unique("place_maker_");
    server.create_role(&role, "CREATEDB PASSWORD 'x'").unwrap();
    let mut request = replacing(to(&place, &named, ONE));
    request.connection = as_role(server, &role);
    let error = refused(run(&request), "restore-target-not-owned");
    assert_eq!(
        error.to_string(),
        format!(
            "database \"{}\" belongs to another role, and {role} can neither rename nor drop it",
            named.name
        )
    );
    named.run(&format!("DROP ROLE {role}"));
}

/// Nobody is on it at first, and somebody is when it is to be replaced.
#[test]
fn somebody_who_comes_during_the_load_keeps_the_old_database() {
    for major in [14, 18] {
        let place = Place::on(major);
        let server = place.database.server();
        let named = Named::new(server, unique("place_used_"));
        named.run(&format!("CREATE DATABASE {}", named.name));
        let mut request = replacing(to(&place, &named, ONE));
        block_on(async {
            let there = open(server, &named.name).await;
            there.call_itself("gunicorn").await.unwrap();
            let error = restore(&request, |_| {}, pending()).await;
            let error = refused(error, "restore-target-in-use");
            assert_eq!(
                error.to_string(),
                format!(
                    "database \"{}\" is in use: 1 session of {} (gunicorn) from 127.0.0.1",
                    named.name,
                    server.user()
                )
            );
            assert!(error.hint().unwrap().contains("--terminate-sessions"));
            there.close().await;
        });
        let guest = Cell::new(None);
        let error = heard(&request, |word| {
            if matches!(word, RestoreProgress::Checking) {
                let options = options(server, &named.name);
                let connected = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    let session = runtime.block_on(pgdriver::connect(&options)).unwrap();
                    (runtime, session)
                });
                guest.set(Some(connected.join().unwrap()));
            }
        });
        let error = error.unwrap_err();
        assert_eq!(
            (error.class(), error.changed()),
            ("restore-target-in-use", Changed::Yes)
        );
        let Left::Part { database, holds } = error.left() else {
            panic!("{error}");
        };
        assert!(
            database.starts_with(&format!("{}_restoring_", named.name)),
            "{database}"
        );
        assert!(
            holds.contains(&format!("\"{}\" is as it was", named.name)),
            "{holds}"
        );
        // whoever is there works on, and others come in
        let (runtime, session) = guest.take().unwrap();
        runtime.block_on(session.query_text("SELECT 1")).unwrap();
        server
            .execute(&named.name, "CREATE TABLE still_open (id int)")
            .unwrap();
        named.run(&format!("DROP DATABASE {database}"));

        request.sessions = OldSessions::Terminate;
        let restored = run(&request).unwrap();
        assert_eq!(
            restored.notes,
            ["1 session on the database before it were ended"]
        );
        assert!(runtime.block_on(session.query_text("SELECT 1")).is_err());
        assert_eq!(named.all(), std::slice::from_ref(&named.name));
    }
}

#[test]
fn a_name_that_somebody_takes_meanwhile_leaves_a_whole_database_and_the_words_that_end_it() {
    let place = Place::new();
    let server = place.database.server();
    let named = Named::new(server, unique("place_taken_"));
    let request = to(&place, &named, ONE);
    let error = heard(&request, |word| {
        if matches!(word, RestoreProgress::Checking) {
            named.run(&format!("CREATE DATABASE {}", named.name));
        }
    });
    let error = error.unwrap_err();
    let Left::Part { database, holds } = error.left() else {
        panic!("{error}");
    };
    assert_eq!(error.changed(), Changed::Yes);
    let way_out = format!(
        "ALTER DATABASE \"{database}\" RENAME TO \"{}\";",
        named.name
    );
    assert!(holds.ends_with(&way_out), "{holds}");
    named.run(&format!("DROP DATABASE {}", named.name));
    named.run(&way_out);
    assert_eq!(
        server.scalar(&named.name, "SELECT id FROM new").unwrap(),
        "1"
    );
}

#[test]
fn what_stands_there_is_told() {
    let place = Place::new();
    let server = place.database.server();
    let named = Named::new(server, unique("place_there_"));
    named.run(&format!("CREATE DATABASE {}", named.name));
    let request = to(&place, &named, ONE);
    let error = block_on(async {
        let there = open(server, &named.name).await;
        let error = restore(&request, |_| {}, pending()).await;
        there.close().await;
        refused(error, "restore-target-exists").to_string()
    });
    let begins = format!("there is a database \"{}\" already, ", named.name);
    assert!(
        error.starts_with(&begins) && error.contains(" MB, in use by 1 session of "),
        "{error}"
    );
    named.run(&format!("DROP DATABASE {}", named.name));

    // what a restore left that was killed
    let left = format!("{}_restoring_20260101_000000", named.name);
    named.run(&format!("CREATE DATABASE {left}"));
    let (done, told) = warnings(&request);
    done.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].ends_with(&format!("DROP DATABASE \"{left}\";")),
        "{told:?}"
    );
}

#[test]
fn an_empty_database_is_one_without_anything_of_a_user() {
    let place = Place::new();
    let server = place.database.server();
    for (what, sql) in [
        ("table public.a", "CREATE TABLE a ()"),
        ("schema s", "CREATE SCHEMA s"),
        ("type public.e", "CREATE TYPE e AS ENUM ()"),
        ("type public.c", "CREATE TYPE c AS (i int)"),
        (
            "collation public.l",
            "CREATE COLLATION l FROM pg_catalog.\"C\"",
        ),
        (
            "text search configuration public.t",
            "CREATE TEXT SEARCH CONFIGURATION t (COPY = pg_catalog.simple)",
        ),
        (
            "operator public.===",
            "CREATE OPERATOR === (FUNCTION = pg_catalog.int4eq, LEFTARG = int, RIGHTARG = int)",
        ),
        (
            "server s",
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w",
        ),
        ("sequence public.q", "CREATE SEQUENCE q"),
        ("large object 4711", "SELECT lo_create(4711)"),
        ("publication p", "CREATE PUBLICATION p FOR ALL TABLES"),
        (
            "event trigger t",
            "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; \
             CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f()",
        ),
    ] {
        let named = Named::new(server, unique("place_full_"));
        named.run(&format!(
            "CREATE DATABASE {} TEMPLATE template0",
            named.name
        ));
        server.execute(&named.name, sql).unwrap();
        let mut request = to(&place, &named, ONE);
        request.target = Target::ExistingEmpty;
        let error = refused(run(&request), "restore-target-not-empty").to_string();
        assert!(
            error.starts_with(&format!(
                "database \"{}\" is not empty: it holds",
                named.name
            )) && error.contains(what),
            "{error}"
        );
    }
    // an extension that somebody put there for the dump is none of its users
    let named = Named::new(server, unique("place_ready_"));
    named.run(&format!(
        "CREATE DATABASE {} TEMPLATE template0",
        named.name
    ));
    server
        .execute(
            &named.name,
            "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION hstore",
        )
        .unwrap();
    let mut request = to(&place, &named, ONE);
    request.target = Target::ExistingEmpty;
    // the session that put it there may still be going
    let sessions = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'",
        named.name
    );
    eventually(|| server.scalar("postgres", &sessions).unwrap() == "0");
    block_on(async {
        let there = open(server, &named.name).await;
        let mut told = Vec::new();
        let hear = |word| {
            if let RestoreProgress::Warning(word) = word {
                told.push(word);
            }
        };
        restore(&request, hear, pending()).await.unwrap();
        assert!(
            told[0].starts_with(&format!(
                "others are on database \"{}\" while it is filled: 1 session of ",
                named.name
            )),
            "{told:?}"
        );
        there.close().await;
    });
}

#[test]
fn everything_that_is_missing_is_one_error() {
    for major in available() {
        let place = Place::on(*major);
        let named = Named::new(place.database.server(), unique("place_needs_"));
        let request = to(
            &place,
            &named,
            "CREATE EXTENSION IF NOT EXISTS no_such_thing WITH SCHEMA public;\n\
             SET default_tablespace = fast;\nCREATE TABLE public.a (id int);\nALTER TABLE public.a OWNER TO \"No body\";\n\
             GRANT SELECT ON TABLE public.a TO reader_gone;\n",
        );
        let error = refused(run(&request), "restore-needs-missing");
        assert_eq!(
            error.to_string(),
            "the server lacks what the dump needs\n  extension no_such_thing\n  role No body\n  role reader_gone\n  \
             tablespace fast"
        );
        assert_eq!(
            error.hint().unwrap(),
            "CREATE ROLE \"No body\";\nCREATE ROLE \"reader_gone\";\n\
             or leave out what needs them: --no-owner --no-privileges\n\
             install the package that has the extension no_such_thing on the server (for those of PostgreSQL itself \
             postgresql-contrib)\nCREATE TABLESPACE \"fast\" LOCATION '…';"
        );
        assert!(named.all().is_empty());
    }
}

/// A role of its own, as managed servers give one.
#[test]
fn what_a_plain_role_cannot_do_is_found_before() {
    for major in available() {
        let place = Place::on(*major);
        let server = place.database.server();
        let named = Named::new(server, unique("place_plain_"));
        let (role, owner) = (unique("place_role_"), unique("place_other_"));
        server.create_role(&role, "CREATEDB PASSWORD 'x'").unwrap();
        named.run(&format!("CREATE ROLE {owner}"));
        let mut request = to(
            &place,
            &named,
            &format!(
                "CREATE EXTENSION IF NOT EXISTS hstore;\nCREATE EXTENSION IF NOT EXISTS pg_stat_statements;\n\
                 CREATE TABLE public.a (id int);\nALTER TABLE public.a OWNER TO {owner};\n"
            ),
        );
        request.connection = as_role(server, &role);
        let error = refused(run(&request), "restore-needs-missing").to_string();
        assert_eq!(
            error,
            format!(
                "the server lacks what the dump needs\n  extension pg_stat_statements: only a superuser may make it\n  \
                 role {owner}: {role} cannot act as it, and so cannot give it anything"
            ),
            "{major}"
        );
        // an administrator prepares the database, and lets the role act
        named.run(&format!("GRANT {owner} TO {role}"));
        named.run(&format!(
            "CREATE DATABASE {} OWNER {role} TEMPLATE template0",
            named.name
        ));
        server
            .execute(
                &named.name,
                &format!(
                    "CREATE EXTENSION pg_stat_statements; GRANT CREATE ON SCHEMA public TO {owner}"
                ),
            )
            .unwrap();
        request.target = Target::ExistingEmpty;
        run(&request).unwrap();
        let sql = "SELECT tableowner FROM pg_tables WHERE tablename = 'a'";
        assert_eq!(server.scalar(&named.name, sql).unwrap(), owner, "{major}");
        drop(named);
        server
            .execute("postgres", &format!("DROP ROLE {owner}; DROP ROLE {role}"))
            .unwrap();
    }
}

/// A backup with a manifest that says something else of its database.
fn said_to_be(fixture: &Fixture, change: impl FnOnce(&mut serde_json::Value)) -> PathBuf {
    let archive = crate::support::run(&fixture.request()).unwrap();
    let path = Manifest::path_of(&archive.path);
    let mut manifest = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs_err::write(&path, manifest.to_string()).unwrap();
    archive.path
}

#[test]
fn a_locale_that_the_server_lacks_is_said_with_the_way_out() {
    for major in [14, 15, 16, 18] {
        let fixture = Fixture::on(15, "CREATE TABLE a (id int)");
        let archive = said_to_be(&fixture, |manifest| {
            manifest["properties"]["collate"] = "xx_YY.UTF-8".into();
            manifest["properties"]["ctype"] = "xx_YY.UTF-8".into();
        });
        let place = Place::on(major);
        let named = Named::new(place.database.server(), unique("place_locale_"));
        let mut request = to(&place, &named, ONE);
        request.archive = archive;
        let error = refused(run(&request), "restore-locale-missing");
        let said = error.to_string();
        assert!(
            said.starts_with(
                "a database with the locale xx_YY.UTF-8 and encoding UTF8 cannot be made on this server: invalid "
            ) && said.contains("xx_YY.UTF-8\"") && said.ends_with("(SQLSTATE 42809)"),
            "{major}: {said}"
        );
        assert!(error.hint().unwrap().contains("TEMPLATE template0"));
    }
    let fixture = Fixture::on(15, "CREATE TABLE a (id int)");
    let archive = said_to_be(&fixture, |manifest| {
        manifest["properties"]["provider"] = "icu".into();
        manifest["properties"]["locale"] = "de-DE".into();
    });
    let place = Place::on(14);
    let named = Named::new(place.database.server(), unique("place_icu_"));
    let mut request = to(&place, &named, ONE);
    request.archive = archive;
    let error = refused(run(&request), "restore-locale-missing").to_string();
    assert!(
        error.contains("which databases have since PostgreSQL 15; this server is 14"),
        "{error}"
    );
}

/// What CREATE DATABASE has been given comes back, on each version in its words.
#[test]
fn a_new_database_is_made_like_the_dumped_one() {
    for (major, like) in [
        (14, "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"),
        (
            15,
            "LOCALE_PROVIDER icu ICU_LOCALE 'de-u-kn' LOCALE 'C.UTF-8'",
        ),
        (
            16,
            "LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&a < g' LOCALE 'C.UTF-8'",
        ),
        (
            17,
            "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C.UTF-8'",
        ),
        (
            18,
            "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST' LOCALE 'C'",
        ),
    ] {
        let fixture = Fixture::on(major, "");
        let server = fixture.server();
        let named = Named::new(server, unique("place_like_"));
        let source = format!("{}_source", named.name);
        let create = format!("CREATE DATABASE {source} TEMPLATE template0 {like}");
        match server.execute("postgres", &create) {
            Err(error) if format!("{error:#}").contains("ICU is not supported") => {
                skipped(&format!("{major} built without ICU"));
                continue;
            }
            other => other.unwrap(),
        }
        named.run(&format!(
            "ALTER DATABASE {source} SET search_path = \"S x\", public"
        ));
        server
            .execute(&source, "CREATE TABLE a AS SELECT 1 AS id")
            .unwrap();
        let mut request = fixture.request();
        request.database.clone_from(&source);
        request.connection = options(server, &source);
        request.proof = dumper::Verified::Counts;
        let archive = crate::support::run(&request).unwrap();
        let place = Place::on(major);
        let mut request = to(&place, &named, ONE);
        request.archive = archive.path;
        request.analyze = Analyze::Yes;
        let restored = run(&request).unwrap();
        assert_eq!(restored.notes, [""; 0]);
        let is = |name: &str| {
            let sql = format!(
                "SELECT (to_jsonb(d) - 'oid' - 'datname' - 'datfrozenxid' - 'datminmxid' - 'datacl')::text ||
                        (SELECT setconfig::text FROM pg_db_role_setting s WHERE s.setdatabase = d.oid)
                   FROM pg_database d WHERE datname = '{name}'"
            );
            server.scalar("postgres", &sql).unwrap()
        };
        assert_eq!(is(&named.name), is(&source), "{major}");
    }
}

/// Each with what ANALYZE without a name would look at.
#[test]
fn statistics_are_made_of_everything_on_several_sessions() {
    for major in [14, 18] {
        let place = Place::on(major);
        let named = Named::new(place.database.server(), unique("place_analyze_"));
        let mut sql = String::from(
            "CREATE TABLE public.p (id int) PARTITION BY RANGE (id);\nCREATE TABLE public.p1 PARTITION OF public.p DEFAULT;\n\
             COPY public.p1 (id) FROM stdin;\n1\n2\n\\.\n",
        );
        for n in 0..120 {
            sql += &format!(
                "CREATE TABLE public.\"t {n}\" (id int);\nCOPY public.\"t {n}\" (id) FROM stdin;\n1\n\\.\n"
            );
        }
        let mut request = to(&place, &named, &sql);
        request.analyze = Analyze::Yes;
        run(&request).unwrap();
        let sql = "SELECT count(*) FILTER (WHERE c.reltuples < 1) || ' ' || count(*)
                     FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')";
        let server = place.database.server();
        assert_eq!(server.scalar(&named.name, sql).unwrap(), "0 122", "{major}");
        let sql = "SELECT count(*) FROM pg_stats WHERE tablename = 'pg_class'";
        assert_ne!(server.scalar(&named.name, sql).unwrap(), "0");
    }
}

/// Rows and keys are all there: neither a full server nor a function that fails under ANALYZE is a reason to drop them.
#[test]
fn a_database_is_not_lost_for_want_of_statistics() {
    let place = Place::new();
    let server = place.database.server();
    let named = Named::new(server, unique("place_unanalyzed_"));
    let role = unique("place_few_");
    // one session makes the database, and two are left
    server
        .create_role(&role, "CREATEDB CONNECTION LIMIT 3 PASSWORD 'x'")
        .unwrap();
    let mut request = to(
        &place,
        &named,
        "CREATE FUNCTION public.f(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN\n\
         IF pg_catalog.current_query() ~ '^ANALYZE' THEN RAISE 'not now'; END IF; RETURN i; END $$;\n\
         CREATE TABLE public.bad (id int);\nCREATE TABLE public.new (id int);\n\
         COPY public.bad (id) FROM stdin;\n1\n2\n\\.\n\nCOPY public.new (id) FROM stdin;\n1\n\\.\n\n\
         CREATE INDEX i ON public.bad USING btree (public.f(id));\n",
    );
    request.connection = as_role(server, &role);
    request.mode = sessions(8);
    request.analyze = Analyze::Yes;
    let restored = run(&request).unwrap();
    assert_eq!(
        (restored.database.as_str(), restored.rows),
        (&*named.name, 3)
    );
    assert_eq!(restored.notes.len(), 2, "{:?}", restored.notes);
    assert!(
        restored.notes[0].starts_with("the server has room for 2 of 8 sessions: "),
        "{:?}",
        restored.notes
    );
    assert!(
        restored.notes[1].starts_with("the planner's statistics of public.bad were not made: ")
            && restored.notes[1].contains("not now"),
        "{:?}",
        restored.notes
    );
    let analyzed = "SELECT reltuples FROM pg_class WHERE relname = 'new'";
    assert_eq!(server.scalar(&named.name, analyzed).unwrap(), "1");
    let all = named.name.clone();
    drop(named);
    server
        .execute("postgres", &format!("DROP ROLE {role}"))
        .unwrap_or_else(|error| panic!("{all}: {error}"));
}

#[test]
fn a_role_that_makes_no_databases_learns_it_with_everything_else() {
    for major in [14, 18] {
        let place = Place::on(major);
        let server = place.database.server();
        let named = Named::new(server, unique("place_uncreated_"));
        let role = unique("place_poor_");
        server.create_role(&role, "PASSWORD 'x'").unwrap();
        let sql =
            "CREATE TABLE public.a (id int);\nGRANT SELECT ON TABLE public.a TO reader_gone;\n";
        let mut request = to(&place, &named, sql);
        request.connection = as_role(server, &role);
        let error = refused(run(&request), "restore-needs-missing");
        assert_eq!(
            error.to_string(),
            format!(
                "the server lacks what the dump needs\n  attribute CREATEDB: {role} may not make a database\n  \
                 role reader_gone"
            )
        );
        let remedy = format!("ALTER ROLE \"{role}\" CREATEDB; as a superuser, ");
        assert!(error.hint().unwrap().starts_with(&remedy), "{error}");
        named.run(&format!("DROP ROLE {role}"));
    }
}

/// A dump without a manifest says nothing of its database: text is to sort as it did before.
#[test]
fn what_takes_another_s_place_sorts_as_that_one_did() {
    for major in [14, 18] {
        let place = Place::on(major);
        let server = place.database.server();
        let named = Named::new(server, unique("place_sorts_"));
        named.run(&format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
            named.name
        ));
        run(&replacing(to(&place, &named, ONE))).unwrap();
        let is = format!(
            "SELECT pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || datctype FROM pg_database \
             WHERE datname = '{}'",
            named.name
        );
        assert_eq!(server.scalar("postgres", &is).unwrap(), "LATIN1 C C");
    }
}

/// It has had nothing to do for hours, and a firewall forgets such connections.
#[test]
fn a_session_that_is_lost_while_it_waits_for_the_load_is_opened_again() {
    let place = Place::new();
    let server = place.database.server();
    for unfinished in [false, true] {
        let named = Named::new(server, unique("place_idle_"));
        let role = unique("place_idler_");
        server.create_role(&role, "CREATEDB PASSWORD 'x'").unwrap();
        let sql = match unfinished {
            false => ONE,
            true => "CREATE TABLE public.a (id int);\nSELECT 1 / 0;\n",
        };
        let mut request = to(&place, &named, sql);
        request.connection = as_role(server, &role);
        let there =
            format!("FROM pg_stat_activity WHERE usename = '{role}' AND datname = 'postgres'");
        let cut = Cell::new(false);
        let restored = heard(&request, |word| {
            if matches!(word, RestoreProgress::Into { .. }) {
                named.run(&format!("SELECT pg_terminate_backend(pid) {there}"));
                let count = format!("SELECT count(*) {there}");
                eventually(|| server.scalar("postgres", &count).unwrap() == "0");
                cut.set(true);
            }
        });
        assert!(cut.get());
        match unfinished {
            false => assert_eq!(restored.unwrap().database, named.name),
            true => assert_eq!(restored.unwrap_err().left(), &Left::Nothing),
        }
        let expected = if unfinished {
            &[][..]
        } else {
            std::slice::from_ref(&named.name)
        };
        assert_eq!(named.all(), expected);
        drop(named);
        server
            .execute("postgres", &format!("DROP ROLE {role}"))
            .unwrap();
    }
}
