//! What a statement is, as far as it decides whether, where and when it runs.
//!
//! Absent: its meaning. Whatever is not known for sure runs alone, where it stands.

use super::words::{Word, Words};
use crate::scan::{TableName, TocEntry};

/// What a statement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// It sets a parameter of the session for everything that follows.
    Setting(String),
    /// It names the encoding of what follows.
    Encoding(String),
    /// It gives an object to a role.
    Owner,
    /// It acts as another role from here on, so that what follows is owned by it.
    Authorization,
    /// It grants or revokes.
    Privilege,
    /// It is about the database itself.
    Database,
    /// It begins a transaction.
    Begin,
    /// It ends one.
    End,
    /// It builds an index, alone or for a key.
    Build(Vec<TableLock>),
    /// A foreign key, which looks at every row.
    ForeignKey(Vec<TableLock>),
    /// It only adds a word to what the builds before it made; it may wait for all of them.
    Light,
    /// Anything else: after everything before it, before everything behind it.
    Plain,
}

/// A table that a statement locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableLock {
    pub(super) table: TableName,
    pub(super) strength: Strength,
}

/// How it gets on with others of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// SHARE: beside others that are shared.
    Shared,
    /// SHARE ROW EXCLUSIVE or ACCESS EXCLUSIVE: alone.
    Exclusive,
}

impl Kind {
    /// Of this statement, in this entry of the dump.
    pub(super) fn of(statement: &str, entry: Option<&TocEntry>) -> Self {
        let sort = entry.map_or("", |entry| entry.kind.as_str());
        if matches!(sort, "DATABASE" | "DATABASE PROPERTIES") {
            return Self::Database;
        }
        let words = Words::of(statement);
        let Some(Word::Plain(first)) = words.clone().next() else {
            return Self::Plain;
        };
        let privilege = matches!(sort, "ACL" | "DEFAULT ACL");
        match first.to_ascii_uppercase().as_str() {
            "SET" | "RESET" if privilege => Self::Privilege,
            "SET" => set(words),
            "RESET" => reset(words),
            "SELECT" => select(words),
            "ALTER" => alter(words),
            "CREATE" => create(words),
            "DROP" => database_or_plain(words, "DROP DATABASE"),
            "COMMENT" => comment(words),
            "GRANT" | "REVOKE" => grant(words),
            "BEGIN" => Self::Begin,
            "START" if words.clone().eat("START TRANSACTION") => Self::Begin,
            "COMMIT" | "END" | "ROLLBACK" | "ABORT" => end(words),
            _ => Self::Plain,
        }
    }
}

fn set(mut words: Words<'_>) -> Kind {
    words.eat("SET");
    if words.eat("SESSION AUTHORIZATION") {
        return Kind::Authorization;
    }
    words.eat("SESSION");
    if words.eat("NAMES") {
        return encoding(words);
    }
    for not_a_parameter in ["LOCAL", "TRANSACTION", "CONSTRAINTS", "CHARACTERISTICS"] {
        if words.eat(not_a_parameter) {
            return Kind::Plain;
        }
    }
    let Some(name) = parameter(&mut words) else {
        return Kind::Plain;
    };
    if name == "client_encoding" {
        let _ = words.eat_symbol('=') || words.eat("TO");
        return encoding(words);
    }
    Kind::Setting(name)
}

/// `name`, `extension.name`, `TIME ZONE`, `ROLE`.
fn parameter(words: &mut Words<'_>) -> Option<String> {
    if words.eat("TIME ZONE") {
        return Some("timezone".to_owned());
    }
    let mut name = words.name()?;
    while words.eat_symbol('.') {
        name.push('.');
        name += &words.name()?;
    }
    Some(name)
}

fn encoding(mut words: Words<'_>) -> Kind {
    match words.next() {
        Some(Word::Literal(text)) => Kind::Encoding(text.trim_matches('\'').to_owned()),
        Some(Word::Plain(word)) => Kind::Encoding(word.to_owned()),
        _ => Kind::Plain,
    }
}

fn reset(mut words: Words<'_>) -> Kind {
    words.eat("RESET");
    if words.eat("SESSION AUTHORIZATION") {
        return Kind::Authorization;
    }
    match parameter(&mut words) {
        Some(name) if name != "all" => Kind::Setting(name),
        _ => Kind::Plain,
    }
}

fn select(mut words: Words<'_>) -> Kind {
    words.eat("SELECT");
    words.eat_symbol('*');
    words.eat("FROM");
    words.eat("pg_catalog");
    words.eat_symbol('.');
    match words.name().as_deref() {
        Some("set_config") if words.eat_symbol('(') => match words.next() {
            Some(Word::Literal(name)) => Kind::Setting(name.trim_matches('\'').to_owned()),
            _ => Kind::Plain,
        },
        // the statistics of an index come behind it, those of a table before any index
        Some("pg_restore_relation_stats" | "pg_restore_attribute_stats") => Kind::Light,
        _ => Kind::Plain,
    }
}

fn alter(words: Words<'_>) -> Kind {
    let starts = |keywords: &str| words.clone().eat(keywords);
    if starts("ALTER DEFAULT PRIVILEGES") {
        return Kind::Privilege;
    }
    if starts("ALTER DATABASE") {
        return Kind::Database;
    }
    if gives_owner(words.clone()) {
        return Kind::Owner;
    }
    if starts("ALTER INDEX") {
        return Kind::Light;
    }
    let mut table = words;
    if !table.eat("ALTER TABLE") {
        return Kind::Plain;
    }
    table.eat("ONLY");
    match table.table() {
        Some(name) => alter_table(name, table),
        None => Kind::Plain,
    }
}

/// `… OWNER TO role` is the end of its statement.
fn gives_owner(mut words: Words<'_>) -> bool {
    words.seek("OWNER TO") && words.name().is_some() && words.next().is_none()
}

fn alter_table(table: TableName, mut words: Words<'_>) -> Kind {
    let light = ["CLUSTER ON", "REPLICA IDENTITY", "SET WITHOUT CLUSTER"];
    if light.iter().any(|keywords| words.clone().eat(keywords)) {
        return Kind::Light;
    }
    if !words.eat("ADD CONSTRAINT") || words.name().is_none() || has_several(words.clone()) {
        return Kind::Plain;
    }
    let alone = |table| TableLock {
        table,
        strength: Strength::Exclusive,
    };
    if words.eat("FOREIGN KEY") {
        if !words.seek("REFERENCES") {
            return Kind::Plain;
        }
        return match words.table() {
            Some(parent) => Kind::ForeignKey(vec![alone(table), alone(parent)]),
            None => Kind::Plain,
        };
    }
    let key = words.eat("PRIMARY KEY") || words.eat("UNIQUE") || words.eat("EXCLUDE");
    match key && !words.seek("USING INDEX") {
        true => Kind::Build(vec![alone(table)]),
        // `USING INDEX TABLESPACE` builds one
        false if key && words.eat("TABLESPACE") => Kind::Build(vec![alone(table)]),
        false => Kind::Plain,
    }
}

/// Whether a comma outside parentheses adds another action.
fn has_several(words: Words<'_>) -> bool {
    let mut depth = 0_i32;
    for word in words {
        match word {
            Word::Symbol('(' | '[') => depth += 1,
            Word::Symbol(')' | ']') => depth -= 1,
            Word::Symbol(',') if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

fn create(mut words: Words<'_>) -> Kind {
    words.eat("CREATE");
    if words.clone().eat("DATABASE") {
        return Kind::Database;
    }
    words.eat("UNIQUE");
    if !words.eat("INDEX") || words.eat("CONCURRENTLY") {
        return Kind::Plain;
    }
    words.eat("IF NOT EXISTS");
    if !words.eat("ON") && (words.name().is_none() || !words.eat("ON")) {
        return Kind::Plain;
    }
    words.eat("ONLY");
    match words.table() {
        Some(table) => Kind::Build(vec![TableLock {
            table,
            strength: Strength::Shared,
        }]),
        None => Kind::Plain,
    }
}

/// How much longer an index of this method takes than a btree on the same table, roughly: it is begun the earlier, so
/// that it is not what everybody waits for in the end.
pub(super) fn effort(statement: &str) -> u64 {
    let mut words = Words::of(statement);
    let method = words.seek("USING").then(|| words.name()).flatten();
    match method.as_deref() {
        Some("gin") => 8,
        Some("gist" | "spgist" | "hnsw" | "ivfflat") => 4,
        _ => 1,
    }
}

fn database_or_plain(mut words: Words<'_>, keywords: &str) -> Kind {
    match words.eat(keywords) {
        true => Kind::Database,
        false => Kind::Plain,
    }
}

fn comment(mut words: Words<'_>) -> Kind {
    words.eat("COMMENT ON");
    if words.eat("DATABASE") {
        return Kind::Database;
    }
    match words.eat("INDEX") || words.eat("CONSTRAINT") {
        true => Kind::Light,
        false => Kind::Plain,
    }
}

fn grant(mut words: Words<'_>) -> Kind {
    match words.seek("ON DATABASE") {
        true => Kind::Database,
        false => Kind::Privilege,
    }
}

/// `ROLLBACK TO` is no end.
fn end(mut words: Words<'_>) -> Kind {
    words.next();
    let _ = words.eat("TRANSACTION") || words.eat("WORK");
    match words.next() {
        None => Kind::End,
        Some(_) => Kind::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: &Kind) -> String {
        let locks = |locks: &[TableLock]| {
            let locks = locks
                .iter()
                .map(|lock| format!(" {:?} {}", lock.strength, lock.table));
            locks.collect::<String>()
        };
        match kind {
            Kind::Build(tables) => format!("build{}", locks(tables)),
            Kind::ForeignKey(tables) => format!("foreign key{}", locks(tables)),
            Kind::Setting(name) => format!("setting {name}"),
            Kind::Encoding(name) => format!("encoding {name}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    #[test]
    fn statements_of_dumps() {
        let cases = [
            ("SET statement_timeout = 0", "setting statement_timeout"),
            ("SET default_tablespace = ''", "setting default_tablespace"),
            ("SET TIME ZONE 'UTC'", "setting timezone"),
            ("SET SESSION my.own TO 'x'", "setting my.own"),
            ("SET LOCAL lock_timeout = 1", "plain"),
            ("SET CONSTRAINTS ALL DEFERRED", "plain"),
            ("SET client_encoding = 'LATIN1'", "encoding LATIN1"),
            ("set names 'utf8'", "encoding utf8"),
            (
                "SELECT pg_catalog.set_config('search_path', '', false)",
                "setting search_path",
            ),
            ("SELECT pg_catalog.setval('public.s', 42, true)", "plain"),
            (
                "SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180000'::integer)",
                "light",
            ),
            ("SET SESSION AUTHORIZATION 'shop'", "authorization"),
            ("RESET SESSION AUTHORIZATION", "authorization"),
            ("RESET ALL", "plain"),
            ("RESET row_security", "setting row_security"),
            ("ALTER TABLE public.t OWNER TO shop", "owner"),
            (
                "ALTER FUNCTION public.f(a integer, OUT \"OWNER TO\" text) OWNER TO \"Shop\"",
                "owner",
            ),
            ("ALTER LARGE OBJECT 16409 OWNER TO shop", "owner"),
            (
                "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a = 'OWNER TO b'))",
                "plain",
            ),
            (
                "GRANT SELECT ON TABLE public.t TO \"ON DATABASE\"",
                "privilege",
            ),
            ("REVOKE ALL ON SCHEMA public FROM PUBLIC", "privilege"),
            (
                "ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA b GRANT SELECT ON TABLES TO c",
                "privilege",
            ),
            ("GRANT CONNECT ON DATABASE shop TO app", "database"),
            ("CREATE DATABASE shop WITH TEMPLATE = template0", "database"),
            ("ALTER DATABASE shop SET search_path TO 'a'", "database"),
            ("ALTER DATABASE shop OWNER TO x", "database"),
            ("DROP DATABASE IF EXISTS shop", "database"),
            ("COMMENT ON DATABASE shop IS 'x'", "database"),
            ("BEGIN", "begin"),
            ("START TRANSACTION", "begin"),
            ("COMMIT", "end"),
            ("ROLLBACK TO a", "plain"),
            (
                "CREATE INDEX i ON public.t USING btree (a)",
                "build Shared public.t",
            ),
            (
                "CREATE UNIQUE INDEX \"I x\" ON ONLY \"S\".\"T t\" USING btree (lower(a))",
                "build Shared S.T t",
            ),
            ("CREATE INDEX i ON t USING btree (a)", "plain"),
            ("CREATE INDEX CONCURRENTLY i ON public.t (a)", "plain"),
            ("CREATE UNLOGGED TABLE public.t ()", "plain"),
            (
                "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (a, b) INCLUDE (c)",
                "build Exclusive public.t",
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT u UNIQUE NULLS NOT DISTINCT (a) DEFERRABLE",
                "build Exclusive public.t",
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT e EXCLUDE USING gist (a WITH &&)",
                "build Exclusive public.t",
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT u UNIQUE USING INDEX i",
                "plain",
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT u UNIQUE (a) USING INDEX TABLESPACE x",
                "build Exclusive public.t",
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT u UNIQUE (a), ADD CONSTRAINT f CHECK (b)",
                "plain",
            ),
            (
                "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a > 0)) NOT VALID",
                "plain",
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES s.p(a, b) ON DELETE CASCADE",
                "foreign key Exclusive public.t Exclusive s.p",
            ),
            (
                "ALTER TABLE ONLY public.t REPLICA IDENTITY USING INDEX i",
                "light",
            ),
            ("ALTER TABLE public.t CLUSTER ON i", "light"),
            (
                "ALTER INDEX public.p_pkey ATTACH PARTITION public.p1_pkey",
                "light",
            ),
            (
                "ALTER TABLE ONLY public.p ATTACH PARTITION public.p1 DEFAULT",
                "plain",
            ),
            ("COMMENT ON INDEX public.i IS 'x'", "light"),
            ("COMMENT ON CONSTRAINT c ON public.t IS 'x'", "light"),
            ("COMMENT ON TABLE public.t IS 'x'", "plain"),
            (
                "CREATE TRIGGER g AFTER INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.f()",
                "plain",
            ),
            ("REFRESH MATERIALIZED VIEW public.m", "plain"),
            ("INSERT INTO public.t VALUES (1)", "plain"),
        ];
        for (statement, kind) in cases {
            assert_eq!(shown(&Kind::of(statement, None)), kind, "{statement}");
        }
    }

    #[test]
    fn some_methods_take_longer() {
        let cases = [
            ("CREATE INDEX i ON public.t USING gin (a)", 8),
            ("CREATE INDEX i ON public.t USING btree (a)", 1),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT e EXCLUDE USING gist (a WITH &&)",
                4,
            ),
            (
                "ALTER TABLE ONLY public.t ADD CONSTRAINT k PRIMARY KEY (\"USING gin\")",
                1,
            ),
        ];
        for (statement, times) in cases {
            assert_eq!(effort(statement), times, "{statement}");
        }
    }

    #[test]
    fn an_entry_tells_what_a_statement_alone_does_not() {
        let entry = |kind: &str| TocEntry {
            kind: kind.to_owned(),
            ..TocEntry::default()
        };
        let update = "UPDATE pg_catalog.pg_database SET datistemplate = true";
        assert_eq!(Kind::of(update, Some(&entry("DATABASE"))), Kind::Database);
        let act = "SET SESSION AUTHORIZATION a";
        assert_eq!(Kind::of(act, Some(&entry("ACL"))), Kind::Privilege);
        assert_eq!(Kind::of(act, Some(&entry("TABLE"))), Kind::Authorization);
    }
}
