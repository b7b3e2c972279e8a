//! A database with everything that pg_dump can write, in `everything/*.sql`: the oldest version's part, and what each
//! newer one brought. A dump of it is a fixed point: restored by psql and dumped again it is the same, byte for byte.
//!
//! Absent: ICU collations where the build has none, base types and languages in C of one's own, security labels (no
//! provider), statistics of the planner.

use dumper::verify;
use xtask::servers::{Database, Server, available, shared};

use crate::same::{assert_same, plain};
use crate::support::{Fixture, content, run, tool};

const PARTS: [&str; 7] = [
    include_str!("everything/01_types.sql"),
    include_str!("everything/02_code.sql"),
    include_str!("everything/03_tables.sql"),
    include_str!("everything/04_values.sql"),
    include_str!("everything/05_names.sql"),
    include_str!("everything/06_views_rules.sql"),
    include_str!("everything/07_outside.sql"),
];

const SINCE: [(u32, &str); 4] = [
    (15, include_str!("everything/since_15.sql")),
    (16, include_str!("everything/since_16.sql")),
    (17, include_str!("everything/since_17.sql")),
    (18, include_str!("everything/since_18.sql")),
];

/// A fixture with everything that this version knows.
pub fn everything(major: u32) -> Everything {
    let server = shared(major);
    prepare(server);
    let fixture = Everything(Fixture::on(major, PARTS[0]));
    let since = SINCE.iter().filter(|(since, _)| *since <= major);
    for part in PARTS[1..].iter().chain(since.map(|(_, part)| part)) {
        fixture.database.execute(part).unwrap();
    }
    let name = fixture.database.name().to_owned();
    fixture.database.execute(&of_database(&name)).unwrap();
    fixture
}

/// A [`Fixture`] whose database can be dropped: a subscription holds it.
pub struct Everything(Fixture);

impl std::ops::Deref for Everything {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.0
    }
}

impl Drop for Everything {
    fn drop(&mut self) {
        drop_subscriptions(self.server(), self.database.name());
    }
}

/// The roles and the tablespace, which belong to the cluster.
pub fn prepare(server: &Server) {
    let made = server.with_client("postgres", |client| {
        client.batch_execute(include_str!("everything/cluster.sql"))?;
        let there = "SELECT FROM pg_tablespace WHERE spcname = 'everything space'";
        if client.query(there, &[])?.is_empty() {
            client.batch_execute("SET allow_in_place_tablespaces = on")?;
            client.batch_execute("CREATE TABLESPACE \"everything space\" LOCATION ''")?;
        }
        Ok(())
    });
    made.unwrap();
}

/// None of them has a slot, so nobody is asked.
pub fn drop_subscriptions(server: &Server, database: &str) {
    let ours = "SELECT format('DROP SUBSCRIPTION %I', subname) FROM pg_subscription \
                WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
    for drop in server.query(database, ours).unwrap_or_default() {
        server.execute(database, &drop[0]).unwrap();
    }
}

/// What hangs on the database itself, which only a dump with `--create` holds.
fn of_database(name: &str) -> String {
    format!(
        "COMMENT ON DATABASE {name} IS 'it''s; everything';
         GRANT CONNECT, TEMPORARY ON DATABASE {name} TO \"everything reader\";
         REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC;
         ALTER DATABASE {name} SET work_mem = '5MB';
         ALTER DATABASE {name} SET search_path = shop, \"S 1\", public;
         ALTER DATABASE {name} SET application_name = 'it''s; a \"name\"\\';
         ALTER ROLE \"everything reader\" IN DATABASE {name} SET statement_timeout = '7s';
         ALTER DATABASE {name} CONNECTION LIMIT 77"
    )
}

/// What psql makes of a dump.
fn by_psql(fixture: &Fixture, sql: &[u8]) -> Database {
    let restored = fixture.server().database().unwrap();
    let file = fixture.folder.path().join("by_psql.sql");
    fs_err::write(&file, sql).unwrap();
    let psql = tool(&restored, "psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        psql.status.success(),
        "{}",
        String::from_utf8_lossy(&psql.stderr)
    );
    restored
}

/// The proof of the fixture, and of an archive by another program than ours.
#[test]
fn heavy_everything_is_dumped_as_pg_dump_does_and_comes_back_by_psql() {
    for &major in available() {
        let fixture = everything(major);
        let direct = plain(fixture.server(), fixture.database.name());
        let archive = run(&fixture.request()).unwrap();
        let ours = content(&archive.path);
        assert_same(&format!("{major}: our archive"), ours.as_bytes(), &direct);

        let restored = by_psql(&fixture, ours.as_bytes());
        let again = plain(fixture.server(), restored.name());
        drop_subscriptions(restored.server(), restored.name());
        assert_same(&format!("{major}: restored by psql"), &again, &direct);

        let summary = verify(&archive.path).unwrap();
        check_counts(&fixture, &summary.tables);
        assert_eq!(summary.rows, archive.rows);
    }
}

/// Rows per COPY block are the server's count of rows, and no table is missing.
fn check_counts(fixture: &Fixture, tables: &[dumper::TableRows]) {
    let with_rows = "SELECT format('%I.%I', n.nspname, c.relname), n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
                     WHERE relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1";
    let expected = fixture.database.query(with_rows).unwrap();
    let mut found: Vec<_> = tables
        .iter()
        .map(|table| (&table.schema, &table.name, table.rows))
        .collect();
    let mut counted: Vec<_> = Vec::new();
    for table in &expected {
        let count = format!("SELECT count(*) FROM ONLY {}", table[0]);
        let rows: u64 = fixture.database.scalar(&count).unwrap().parse().unwrap();
        counted.push((&table[1], &table[2], rows));
    }
    found.sort();
    counted.sort();
    assert!(found.len() > 40, "{}", found.len());
    assert_eq!(found, counted);
}
