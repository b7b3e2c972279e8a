//! Loading: one session and many, errors to the line, sessions that are cut, and what stays.
//!
//! Absent: what pg_dump can write, and archives of other makes; those have tests of their own.

use std::future::pending;
use std::num::NonZeroU8;
use std::path::{Path, PathBuf};

use dumper::{
    Analyze, Changed, Left, Mode, OldSessions, OnError, Owners, Privileges, RestoreError,
    RestoreFailure, RestoreProgress, RestoreRequest, Restored, StatementError, Target, Unfinished,
    restore,
};
use pgdriver::{ConnectOptions, Environment};
use tempfile::TempDir;
use xtask::servers::{Database, shared};

use crate::same::plain;
use crate::support::block_on;

const END: &str = "\n--\n-- PostgreSQL database dump complete\n--\n\n";

/// An empty database, and a folder for dumps.
pub(crate) struct Place {
    pub(crate) database: Database,
    pub(crate) folder: TempDir,
}

pub(crate) fn sessions(count: u8) -> Mode {
    Mode::Sessions(NonZeroU8::new(count).unwrap())
}

pub(crate) const MODES: [u8; 4] = [0, 1, 2, 4];

/// 0 is a single transaction.
pub(crate) fn mode(count: u8) -> Mode {
    NonZeroU8::new(count).map_or(Mode::SingleTransaction, Mode::Sessions)
}

impl Place {
    pub(crate) fn on(major: u32) -> Self {
        Self {
            database: shared(major).database().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn new() -> Self {
        Self::on(15)
    }

    pub(crate) fn dump(&self, sql: &str) -> PathBuf {
        self.dump_of(format!("{sql}{END}").as_bytes())
    }

    pub(crate) fn dump_of(&self, sql: &[u8]) -> PathBuf {
        let path = self.folder.path().join("dump.sql");
        fs_err::write(&path, sql).unwrap();
        path
    }

    pub(crate) fn request(&self, archive: &Path, mode: Mode) -> RestoreRequest {
        let server = self.database.server();
        let dsn = server.dsn("postgres");
        RestoreRequest {
            archive: archive.to_owned(),
            connection: ConnectOptions::parse_in(&dsn, &Environment::default()).unwrap(),
            into: self.database.name().to_owned(),
            target: Target::ExistingEmpty,
            sessions: OldSessions::Refuse,
            mode,
            owners: Owners::Keep,
            privileges: Privileges::Keep,
            on_error: OnError::Stop,
            analyze: Analyze::No,
            unfinished: Unfinished::Drop,
            pg_restore: None,
        }
    }

    pub(crate) fn scalar(&self, sql: &str) -> String {
        self.database.scalar(sql).unwrap()
    }

    pub(crate) fn plain(&self) -> Vec<u8> {
        plain(self.database.server(), self.database.name())
    }

    /// Sessions on it that are not of the harness.
    pub(crate) fn others(&self) -> u64 {
        let name = self.database.name();
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'"
        );
        let count = self.database.server().scalar("postgres", &sql).unwrap();
        count.parse().unwrap()
    }
}

pub(crate) fn run(request: &RestoreRequest) -> Result<Restored, RestoreError> {
    block_on(restore(request, |_| {}, pending()))
}

#[track_caller]
pub(crate) fn statement(error: &RestoreError) -> &StatementError {
    match error.failure() {
        RestoreFailure::Statement(error) => error,
        other => panic!("{other:?}"),
    }
}

/// Rows whose lines are known: `id<TAB>text`.
pub(crate) fn rows(count: u32, bad: Option<u32>) -> String {
    let row = |i| match Some(i) == bad {
        true => format!("oops\tx{i}\n"),
        false => format!("{i}\t{}\n", "x".repeat(200)),
    };
    (1..=count).map(row).collect()
}

#[test]
fn tables_of_all_sizes_come_back_whole_on_any_number_of_sessions() {
    for count in MODES {
        let place = Place::new();
        let mut sql = String::new();
        for (table, rows_of) in [("none", 0), ("few", 7), ("many", 30_000), ("more", 60_000)] {
            sql += &format!("CREATE TABLE public.{table} (id int, t text);\n");
            let data = rows(rows_of, None);
            sql += &format!("COPY public.{table} (id, t) FROM stdin;\n{data}\\.\n\n");
            sql += &format!(
                "SELECT pg_catalog.setval('public.s', {}, true);\n",
                rows_of + 1
            );
        }
        let sql = format!("CREATE SEQUENCE public.s;\n{sql}");
        let archive = place.dump(&sql);
        let restored = run(&place.request(&archive, mode(count))).unwrap();
        assert_eq!(restored.rows, 90_007, "{count}");
        let told: Vec<_> = restored
            .tables
            .iter()
            .map(|table| (table.name.as_str(), table.rows))
            .collect();
        assert_eq!(
            told,
            [("none", 0), ("few", 7), ("many", 30_000), ("more", 60_000)]
        );
        assert_eq!(restored.statements, 13);
        assert_eq!(
            place.scalar("SELECT count(DISTINCT id) FROM more WHERE id BETWEEN 1 AND 60000"),
            "60000"
        );
        assert_eq!(place.scalar("SELECT count(*) FROM many"), "30000");
        assert_eq!(place.scalar("SELECT last_value FROM s"), "60001");
        assert_eq!(place.others(), 0);
    }
}

#[test]
fn a_refused_row_is_found_by_its_line_whichever_session_had_it() {
    for count in MODES {
        for bad in [1, 29_000, 60_000] {
            let place = Place::new();
            let head = "CREATE TABLE public.t (id int, t text);\nCREATE TABLE public.u (id int);\n\nCOPY public.t (id, t) FROM stdin;\n";
            let archive = place.dump(&format!(
                "{head}{}\\.\n\nCOPY public.u (id) FROM stdin;\n1\n\\.\n",
                rows(60_000, Some(bad))
            ));
            let error = run(&place.request(&archive, mode(count))).unwrap_err();
            let refused = statement(&error);
            assert_eq!(
                refused.line,
                4 + u64::from(bad),
                "{count} sessions: {error}"
            );
            assert_eq!(refused.sqlstate, "22P02");
            assert_eq!(
                refused.message,
                "invalid input syntax for type integer: \"oops\" (column id)"
            );
            assert_eq!(refused.statement, "COPY public.t (id, t) FROM stdin");
            let tables = place.scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
            match count {
                0 => {
                    assert_eq!(error.left(), &Left::Nothing);
                    assert_eq!(tables, "0");
                }
                _ => {
                    assert_eq!(error.changed(), Changed::Yes);
                    assert_eq!(tables, "2");
                    assert_eq!(place.scalar("SELECT count(*) FROM t"), "0", "{count}");
                }
            }
            assert_eq!(place.others(), 0);
        }
    }
}

#[test]
fn a_refused_statement_is_found_by_its_line_and_place() {
    for count in MODES {
        let place = Place::new();
        let archive = place.dump("SET check_function_bodies = false;\n\n-- a comment\nCREATE TABLE public.a (\n    id integer\n);\nCREATE VIEW public.v AS\n SELECT id,\n    nix\n   FROM public.a;\n");
        let error = run(&place.request(&archive, mode(count))).unwrap_err();
        let refused = statement(&error);
        assert_eq!((refused.line, refused.sqlstate.as_str()), (7, "42703"));
        let at = refused.place.unwrap();
        assert_eq!((at.line, at.column), (9, 5));
        assert_eq!(
            refused.statement,
            "CREATE VIEW public.v AS SELECT id, nix FROM public.a"
        );
        assert_eq!(error.class(), "restore-statement-failed");
    }
}

#[test]
fn keeping_going_counts_every_error_and_loads_the_rest() {
    for count in [1, 2, 4] {
        let place = Place::new();
        let mut sql = "CREATE TABLE public.a (id int, t text);\nCREATE TABLE public.a (id int);\nCREATE TABLE public.b (id int, t text);\n".to_owned();
        sql += &format!(
            "COPY public.a (id, t) FROM stdin;\n{}\\.\n",
            rows(50_000, Some(12_345))
        );
        sql += "COPY public.gone (id) FROM stdin;\n1\n2\n\\.\n";
        sql += &format!(
            "COPY public.b (id, t) FROM stdin;\n{}\\.\n",
            rows(50_000, None)
        );
        sql += "CREATE INDEX i ON public.b USING btree (id);\nCREATE INDEX j ON public.b USING btree (nix);\n";
        sql += "ALTER TABLE ONLY public.b ADD CONSTRAINT b_pkey PRIMARY KEY (id);\nSELECT 1/0;\n";
        let archive = place.dump(&sql);
        let mut request = place.request(&archive, sessions(count));
        request.on_error = OnError::KeepGoing;
        let mut heard = Vec::new();
        let hear = |progress| {
            if let RestoreProgress::Failed(error) = progress {
                heard.push(error.line);
            }
        };
        let restored = block_on(restore(&request, hear, pending())).unwrap();
        let told: Vec<_> = restored
            .errors
            .iter()
            .map(|error| (error.line, error.sqlstate.as_str()))
            .collect();
        let expected = [
            (2, "42P07"),
            (12_349, "22P02"),
            (50_006, "42P01"),
            (100_013, "42703"),
            (100_015, "22012"),
        ];
        assert_eq!(told, expected, "{count}");
        heard.sort_unstable();
        assert_eq!(heard, expected.map(|(line, _)| line));
        assert_eq!(
            place.scalar("SELECT count(*) FROM a"),
            "0",
            "as with psql, all or nothing of a COPY"
        );
        assert_eq!(place.scalar("SELECT count(*) FROM b"), "50000");
        assert_eq!(
            place.scalar("SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'"),
            "2"
        );
        assert_eq!(restored.rows, 50_000);
    }
}

#[test]
fn a_single_transaction_that_keeps_going_is_refused() {
    let place = Place::new();
    let archive = place.dump("SELECT 1;\n");
    let mut request = place.request(&archive, Mode::SingleTransaction);
    request.on_error = OnError::KeepGoing;
    let error = run(&request).unwrap_err();
    assert!(
        error.is_usage() && error.changed() == Changed::No,
        "{error}"
    );
}
