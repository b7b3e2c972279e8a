//! The strongest proof: an archive in a scratch database of a real server, compared with what it is of.

use std::future::pending;
use std::num::NonZeroU8;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dumper::prove::{
    Proof, ProofError, ProofFailure, ProofProgress, ProofRequest, restored, scratch_name,
};
use dumper::{Archive, DumpRequest, Format, Manifest, Refutation, Refuted, Verified};
use pgdriver::{ConnectOptions, Environment};
use xtask::servers::available;

use crate::support::{Fixture, block_on, run};

const TABLES: &str = "
    CREATE SCHEMA \"S x\";
    CREATE TABLE \"S x\".\"T \"\"t\"\"\" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz, f float8, b bytea,
        m money, d date, j jsonb, n numeric, iv interval, double_f float8 GENERATED ALWAYS AS (f * 2) STORED);
    INSERT INTO \"S x\".\"T \"\"t\"\"\" (at, f, b, m, d, j, n, iv)
        SELECT timestamptz '2026-03-29 01:59:59.999999+00' + i * interval '1 hour', i / 3.0, decode(md5(i::text), 'hex'), i::money,
               date '2026-01-01' + i, jsonb_build_object('ä', i, 'b', repeat('x', i)), i / 7.0, i * interval '1 day 1 second'
        FROM generate_series(1, 500) i;
    CREATE TABLE parted (k int, t text) PARTITION BY HASH (k);
    CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO parted SELECT i, 'zeile ' || i FROM generate_series(1, 300) i;
    CREATE TABLE base (z int, a int);
    CREATE TABLE heir (b int, z int, a int);
    ALTER TABLE heir INHERIT base;
    INSERT INTO base VALUES (1, 2); INSERT INTO heir VALUES (3, 4, 5);
    CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES;
    CREATE TABLE empty (a int);
    CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM parted;
    CREATE SEQUENCE \"odd '1'\" START 7;
    SELECT nextval('\"odd ''1''\"');
    CREATE INDEX ON parted (t);
    SELECT lo_from_bytea(0, '\\x00ff');
";

struct Proven {
    fixture: Fixture,
    archive: Archive,
}

impl Proven {
    fn on(major: u32) -> Self {
        Self::of(major, TABLES, |_| {})
    }

    fn of(major: u32, sql: &str, ask: impl FnOnce(&mut DumpRequest)) -> Self {
        let fixture = Fixture::on(major, sql);
        let mut request = fixture.request();
        request.proof = Verified::Restored;
        ask(&mut request);
        let archive = run(&request).unwrap();
        Self { fixture, archive }
    }

    fn request(&self) -> ProofRequest {
        let asked = self.fixture.request();
        let dsn = self.fixture.server().dsn("postgres");
        ProofRequest {
            archive: self.archive.path.clone(),
            connection: ConnectOptions::parse_in(&dsn, &Environment::default()).unwrap(),
            scratch: scratch_name(self.fixture.database.name(), "20261123_090000"),
            sessions: NonZeroU8::new(2).unwrap(),
            pg_dump: Some(asked.pg_dump),
            environment: asked.environment,
            password: asked.password,
            pg_restore: None,
        }
    }

    fn prove(&self) -> Proof {
        proof(&self.request()).unwrap()
    }

    /// Databases that are not the source.
    fn scratches(&self) -> String {
        let name = self.fixture.database.name();
        let sql = format!(
            "SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE datname LIKE '{name}\\_%'"
        );
        self.fixture.server().scalar("postgres", &sql).unwrap()
    }
}

fn proof(request: &ProofRequest) -> Result<Proof, Box<ProofError>> {
    block_on(restored(request, |_| {}, pending())).map_err(Box::new)
}

fn said(proof: &Proof) -> Vec<String> {
    proof.differences.iter().map(ToString::to_string).collect()
}

#[test]
fn a_backup_is_proven_on_every_server() {
    for major in available() {
        let proven = Proven::on(*major);
        let proof = proven.prove();
        assert_eq!(said(&proof), [""; 0], "{major}");
        assert!(proof.holds());
        assert_eq!((proof.tables, proof.rows), (7, 803), "{major}");
        assert_eq!(proof.checksums, 7, "{major}");
        assert!(proof.definitions.unwrap() > 20, "{proof:?}");
        assert_eq!(
            proof.notes,
            ["large objects were restored, and not compared"]
        );
        assert_eq!(proven.scratches(), "", "{major}");
    }
}

#[test]
fn every_format_is_proven() {
    for format in [Format::Custom, Format::Directory] {
        let proven = Proven::of(17, TABLES, |request| request.format = format);
        let proof = proven.prove();
        assert_eq!(
            (said(&proof), proof.checksums),
            (Vec::new(), 7),
            "{format:?}"
        );
        assert!(proof.definitions.unwrap() > 20);
    }
}

/// Django's `Q(state__in=[…])` on a CharField, wherever an expression may stand.
#[test]
fn expressions_that_the_server_writes_otherwise_the_second_time_are_proven() {
    const IN: &str = "state IN ('a', 'it''s', 'c, d')";
    for major in available() {
        let proven = Proven::of(
            *major,
            &format!(
                "CREATE TABLE t (id int, state varchar(20) DEFAULT 'a', CONSTRAINT ck CHECK ({IN}),
                    made text GENERATED ALWAYS AS (CASE WHEN {IN} THEN 'x' ELSE 'y' END) STORED);
                 INSERT INTO t VALUES (1, 'a');
                 CREATE UNIQUE INDEX i ON t (id, ({IN})) WHERE {IN};
                 CREATE VIEW v AS SELECT * FROM t WHERE {IN};
                 CREATE POLICY p ON t USING ({IN});
                 CREATE RULE r AS ON DELETE TO t WHERE old.{IN} DO NOTHING;
                 CREATE STATISTICS s ON ({IN}), id FROM t;
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                 CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW WHEN (new.{IN}) EXECUTE FUNCTION f();"
            ),
            |_| {},
        );
        assert!(said(&proven.prove()).is_empty(), "{major}");
    }
}

/// The session that takes the checksums need not be set as the one that compares them.
#[test]
fn settings_of_the_source_do_not_matter() {
    let proven = Proven::of(15, TABLES, |_| {});
    let before = Manifest::of(&proven.archive.path).unwrap().unwrap();
    let name = proven.fixture.database.name();
    for setting in [
        "timezone = 'Australia/Adelaide'",
        "datestyle = 'SQL, DMY'",
        "intervalstyle = 'sql_standard'",
        "extra_float_digits = -5",
        "bytea_output = 'escape'",
        "quote_all_identifiers = on",
    ] {
        let sql = format!("ALTER DATABASE \"{name}\" SET {setting}");
        proven.fixture.database.execute(&sql).unwrap();
    }
    let mut request = proven.fixture.request();
    request.proof = Verified::Restored;
    request.timestamp = "20261123_100000".to_owned();
    let archive = run(&request).unwrap();
    let after = Manifest::of(&archive.path).unwrap().unwrap();
    let checksums = |of: Manifest| of.tables.iter().map(|it| it.checksum).collect::<Vec<_>>();
    let (before, after) = (checksums(before), checksums(after));
    assert!(before.iter().all(Option::is_some), "{before:?}");
    assert_eq!(before, after);
}

/// One byte of one row, and what else may come out otherwise.
#[test]
fn what_is_not_the_same_is_found() {
    let proven = Proven::on(15);
    let request = proven.request();
    let server = proven.fixture.server();
    let scratch = request.scratch.clone();
    let check = |sql: &str, expected: &[&str]| {
        let mut changed = false;
        let hear = |heard| {
            if matches!(heard, ProofProgress::Rows { tables: 0, .. }) && !changed {
                changed = true;
                server.execute(&scratch, sql).unwrap();
            }
        };
        let proof = block_on(restored(&request, hear, pending())).unwrap();
        assert!(changed);
        assert!(!proof.holds());
        let said = said(&proof);
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said}: {expected}");
        }
        assert_eq!(proven.scratches(), "");
    };
    check(
        "UPDATE \"S x\".\"T \"\"t\"\"\" SET b = set_byte(b, 3, (get_byte(b, 3) + 1) % 256) WHERE id = 77",
        &["content of S x.T \"t\": checksum "],
    );
    check(
        "UPDATE \"S x\".\"T \"\"t\"\"\" SET f = f + 1e-15 WHERE id = 1",
        &["content of S x.T \"t\": checksum "],
    );
    check(
        "DELETE FROM parted WHERE k = 5",
        &["rows of public.parted_"],
    );
    check(
        "INSERT INTO empty VALUES (1)",
        &["rows of public.empty: 1, expected 0"],
    );
    check(
        "DROP TABLE empty",
        &[
            "rows of public.empty: cannot be counted (ERROR: relation \"public.empty\" does not exist (SQLSTATE 42P01))",
            "CREATE TABLE public.empty",
            "ALTER TABLE public.empty OWNER TO",
        ],
    );
    check(
        "SELECT nextval('\"odd ''1''\"')",
        &["sequence public.\"odd '1'\": 8, true, expected 7, true"],
    );
    check(
        "ALTER TABLE empty ALTER a SET DEFAULT 7",
        &[
            "expected CREATE TABLE public.empty ( a integer )",
            "CREATE TABLE public.empty ( a integer DEFAULT 7 )",
        ],
    );
}

#[test]
fn a_stop_leaves_no_scratch_database() {
    let proven = Proven::on(15);
    let request = proven.request();
    // while it loads, and when all is loaded
    for after in ["Into", "Renaming", "Rows", "Definitions"] {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let mut tell = Some(tell);
        let hear = |heard: ProofProgress| {
            let text = format!("{heard:?}");
            if text.contains(after)
                && let Some(tell) = tell.take()
            {
                tell.send(()).unwrap();
            }
        };
        let stop = async {
            let _ = told.await;
        };
        let error = block_on(restored(&request, hear, stop)).unwrap_err();
        assert!(error.is_interrupted(), "{after}: {error}");
        assert_eq!(error.left(), None);
        assert_eq!(proven.scratches(), "", "{after}");
    }
}

#[test]
fn a_scratch_database_that_cannot_be_dropped_is_named() {
    let proven = Proven::on(15);
    let request = proven.request();
    let (server, scratch) = (proven.fixture.server(), request.scratch.clone());
    let hear = |heard| {
        if matches!(heard, ProofProgress::Dropping { .. }) {
            let sql = format!("ALTER DATABASE \"{scratch}\" IS_TEMPLATE true");
            server.execute("postgres", &sql).unwrap();
        }
    };
    let error = block_on(restored(&request, hear, pending())).unwrap_err();
    assert!(matches!(error.failure(), ProofFailure::NotDropped));
    assert_eq!(error.left(), Some(scratch.as_str()));
    assert!(
        error
            .to_string()
            .contains("cannot drop a template database"),
        "{error}"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains(&format!("DROP DATABASE \"{scratch}\""))
    );
    assert_eq!(proven.scratches(), scratch);
    let sql = format!("ALTER DATABASE \"{scratch}\" IS_TEMPLATE false");
    server.execute("postgres", &sql).unwrap();
    server
        .execute("postgres", &format!("DROP DATABASE \"{scratch}\""))
        .unwrap();
}

#[test]
fn a_damaged_archive_is_not_proven() {
    let proven = Proven::on(15);
    let path = &proven.archive.path;
    let bytes = fs_err::read(path).unwrap();
    fs_err::write(path, &bytes[..bytes.len() / 2]).unwrap();
    let error = proof(&proven.request()).unwrap_err();
    assert!(
        matches!(error.failure(), ProofFailure::Restore(_)),
        "{error}"
    );
    assert_eq!(proven.scratches(), "");
}

/// A dump of somebody else's: its own rows and statements are all that there is.
#[test]
fn a_foreign_dump_is_proven_without_checksums() {
    let proven = Proven::on(15);
    fs_err::remove_file(Manifest::path_of(&proven.archive.path)).unwrap();
    let proof = proven.prove();
    assert_eq!(
        (said(&proof), proof.tables, proof.checksums),
        (Vec::new(), 7, 0)
    );
    assert!(
        proof.notes[0].contains("the rows of 7 tables were counted"),
        "{:?}",
        proof.notes
    );
}

/// Roles are not in a dump: where they are not there, the rest is proven.
#[test]
fn owners_that_the_server_lacks_are_left_out_and_said() {
    let role = format!("gone_{}", std::process::id());
    let proven = Proven::of(15, "CREATE TABLE t AS SELECT 1 AS a", |_| {});
    let path = rewritten(&proven.archive.path, &role);
    let mut request = proven.request();
    request.archive = path;
    let proof = proof(&request).unwrap();
    assert_eq!(said(&proof), [""; 0]);
    assert!(
        proof.notes[0].contains(&format!("lacks role {role}")),
        "{:?}",
        proof.notes
    );
}

#[test]
fn a_server_that_has_room_for_few_sessions_proves_it_all_the_same() {
    let tables: String = (0..100)
        .map(|i| format!("CREATE TABLE t{i} AS SELECT {i} AS a;"))
        .collect();
    let proven = Proven::of(15, &tables, |_| {});
    let role = format!("prove_few_{}", std::process::id());
    let server = proven.fixture.server();
    server
        .create_role(&role, "CREATEDB CONNECTION LIMIT 3 PASSWORD 'x'")
        .unwrap();
    let mut request = proven.request();
    let dsn = server.dsn_as(&role, "x", "postgres");
    request.connection = ConnectOptions::parse_in(&dsn, &Environment::default()).unwrap();
    request.sessions = NonZeroU8::new(8).unwrap();
    request.pg_dump = None;
    let proof = proof(&request).unwrap();
    server
        .execute("postgres", &format!("DROP ROLE {role}"))
        .unwrap();
    assert_eq!(said(&proof), [""; 0]);
    assert_eq!((proof.tables, proof.rows), (100, 100));
}

/// Owned by somebody who is not there.
fn rewritten(archive: &Path, role: &str) -> std::path::PathBuf {
    let sql = crate::support::content(archive);
    let at = sql.find("OWNER TO ").unwrap() + "OWNER TO ".len();
    let end = at + sql[at..].find(';').unwrap();
    let path = archive.with_file_name("other.sql");
    fs_err::write(&path, format!("{}{role}{}", &sql[..at], &sql[end..])).unwrap();
    path
}

#[test]
fn a_name_says_what_it_is() {
    assert_eq!(
        scratch_name("shop", "20261123_090000"),
        "shop_proof_20261123_090000"
    );
    assert!(scratch_name(&"ä".repeat(31), "20261123_090000").len() <= 63);
}

/// Only what found it wrong, or what is stronger, takes that back.
#[test]
fn a_refutation_is_taken_back_by_its_like() {
    let proven = Proven::on(15);
    let path = &proven.archive.path;
    let refuted = |by| Refuted {
        by,
        why: "x".to_owned(),
    };
    let state = || {
        let listed = dumper::list(path.parent().unwrap()).unwrap();
        let one = listed.iter().find(|it| it.path == *path).unwrap();
        (one.is_good(), one.manifest.clone().unwrap().verified)
    };
    assert_eq!(state(), (true, Verified::Counts));
    for (by, after_reading) in [(Refutation::Read, true), (Refutation::Restored, false)] {
        Manifest::mark_refuted(path, &refuted(by)).unwrap();
        assert!(!state().0);
        Manifest::mark_read(path).unwrap();
        assert_eq!(state().0, after_reading);
        Manifest::mark_restored(path).unwrap();
        assert_eq!(state(), (true, Verified::Restored));
    }
    let mode = fs_err::metadata(Manifest::path_of(path))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}
