//! What a server does with a statement: the locks it takes, the files it writes anew, the tables it reads in full.
//!
//! In a transaction that is rolled back, where the statement allows it; else on a copy of the database, where another
//! session keeps it waiting long enough to be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use xtask::postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::support::Server;

/// What was seen, by relation: `schema.name`, as it was called before the statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Measured {
    /// The strongest mode, in pg_locks' words.
    pub(super) locks: BTreeMap<String, String>,
    /// Tables and materialized views that have another file.
    pub(super) rewrites: BTreeSet<String>,
    /// Indexes that have another file while their table has not.
    pub(super) rebuilt: BTreeSet<String>,
    /// Tables whose rows were read from end to end, and why.
    pub(super) scans: BTreeMap<String, BTreeSet<&'static str>>,
    /// What others may still ask for and is no longer there under its name, and tables that lost rows.
    pub(super) gone: BTreeSet<String>,
    /// It refuses to run in a transaction.
    pub(super) outside: bool,
    /// The server's words of debug level 1.
    pub(super) said: Vec<String>,
}

/// From weak to strong.
const MODES: [&str; 8] = [
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
];

const RELATIONS: &str = "SELECT c.oid::text, n.nspname || '.' || c.relname, c.relkind::text, c.relfilenode::text, \
    coalesce(i.indrelid::text, '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_index i ON i.indexrelid = c.oid \
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'";
/// Foreign keys that this transaction has made or changed; those of partitions have their parents' names.
const KEYS: &str = "SELECT k.conname, k.conrelid::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
    WHERE k.contype = 'f' AND c.relkind = 'r' AND k.xmin = pg_current_xact_id()::xid";
/// Tables that were read from end to end in this transaction.
const READ: &str =
    "SELECT relid::text, seq_scan::text FROM pg_stat_xact_user_tables WHERE seq_scan > 0";
/// What queries name: relations but indexes, their columns, types with their labels, functions.
const NAMES: &str = "WITH own AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema') \
    SELECT nspname || '.' || relname FROM pg_class JOIN own ON own.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'S') \
    UNION SELECT nspname || '.' || relname || '.' || attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
        JOIN own ON own.oid = relnamespace WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'c') \
    UNION SELECT 'type ' || nspname || '.' || typname FROM pg_type JOIN own ON own.oid = typnamespace \
    UNION SELECT 'label ' || typname || '.' || enumlabel FROM pg_enum JOIN pg_type t ON t.oid = enumtypid \
    UNION SELECT 'function ' || nspname || '.' || proname || '(' || proargtypes::text || ')' \
        FROM pg_proc p JOIN own ON own.oid = pronamespace";
/// Tables of which this transaction deleted rows.
const DELETED: &str = "SELECT schemaname || '.' || relname, n_tup_del::text FROM pg_stat_xact_user_tables WHERE n_tup_del > 0";
/// Every lock of a session within some milliseconds; a look from outside would miss most.
const LOOK: &str = "CREATE FUNCTION pg_temp.look(who int) RETURNS TABLE (relation text, mode text) LANGUAGE plpgsql AS $$ \
    DECLARE until timestamptz := clock_timestamp() + interval '8 ms'; \
    BEGIN \
      CREATE TEMP TABLE IF NOT EXISTS looked (relation text, mode text, UNIQUE (relation, mode)); \
      WHILE clock_timestamp() < until LOOP \
        INSERT INTO looked SELECT l.relation::text, l.mode FROM pg_locks l WHERE l.pid = who AND l.locktype = 'relation' \
          ON CONFLICT DO NOTHING; \
      END LOOP; \
      RETURN QUERY SELECT l.relation, l.mode FROM looked l; \
    END $$";

type Said = Arc<Mutex<Vec<String>>>;
type Rows = Vec<Vec<String>>;

/// A relation before the statement.
struct Before {
    name: String,
    kind: String,
    file: String,
    table: String,
}

/// Two sessions on one database.
pub(super) struct Bench {
    doing: Client,
    seeing: Client,
    said: Said,
    pid: String,
    before: BTreeMap<String, Before>,
    names: BTreeSet<String>,
}

impl Bench {
    pub(super) fn new(server: &Server, database: &str) -> Self {
        let said = Said::default();
        let hear = Arc::clone(&said);
        let mut doing = config(server, database)
            .notice_callback(move |notice| hear.lock().unwrap().push(notice.message().to_owned()))
            .connect(NoTls)
            .unwrap();
        let mut seeing = config(server, database).connect(NoTls).unwrap();
        let pid = rows(&mut doing, "SELECT pg_backend_pid()").unwrap()[0][0].clone();
        let names = first_of(rows(&mut seeing, NAMES).unwrap());
        let before = rows(&mut seeing, RELATIONS).unwrap();
        let before = before.into_iter().map(|row| {
            let [oid, name, kind, file, table]: [String; 5] = row.try_into().unwrap();
            (
                oid,
                Before {
                    name,
                    kind,
                    file,
                    table,
                },
            )
        });
        Self {
            before: before.collect(),
            doing,
            seeing,
            said,
            pid,
            names,
        }
    }

    /// In a transaction that is rolled back. An error is its SQLSTATE and the server's words.
    pub(super) fn measure(&mut self, sql: &str) -> Result<Measured, String> {
        let measured = self.inside(sql);
        let _ = self.doing.simple_query("ROLLBACK");
        measured
    }

    /// The relations before the statement.
    pub(super) fn existed(&self) -> BTreeSet<String> {
        self.before
            .values()
            .map(|before| before.name.clone())
            .collect()
    }

    /// The indexes before the statement.
    pub(super) fn indexes(&self) -> BTreeSet<String> {
        let indexes = self
            .before
            .values()
            .filter(|before| ["i", "I"].contains(&before.kind.as_str()));
        indexes.map(|before| before.name.clone()).collect()
    }

    fn inside(&mut self, sql: &str) -> Result<Measured, String> {
        rows(&mut self.doing, "BEGIN")?;
        rows(&mut self.doing, "SET LOCAL client_min_messages = debug1")?;
        // what earlier transactions read is counted until the server has sent it away
        let read_before = rows(&mut self.doing, READ)?;
        let deleted_before = rows(&mut self.doing, DELETED)?;
        self.said.lock().unwrap().clear();
        rows(&mut self.doing, sql)?;
        let said = self.said.lock().unwrap().clone();
        let locks = self.locks()?;
        let read = rows(&mut self.doing, READ)?;
        rows(&mut self.doing, "SET LOCAL client_min_messages = notice")?;
        let after = rows(&mut self.doing, RELATIONS)?;
        let keys = rows(&mut self.doing, KEYS)?;
        let names = first_of(rows(&mut self.doing, NAMES)?);
        let mut deleted = rows(&mut self.doing, DELETED)?;
        deleted.retain(|row| !deleted_before.contains(row));
        let mut measured = Measured {
            locks,
            said,
            ..Measured::default()
        };
        let emptied = self.files(&after, &mut measured)?;
        self.scans(&keys, &mut measured);
        measured.scans.retain(|table, _| !emptied.contains(table));
        measured.gone = self.names.difference(&names).cloned().collect();
        measured.gone.extend(emptied);
        measured.gone.extend(first_of(deleted));
        // some checks of rows are made without a word
        let says = ["ALTER ", "CREATE TABLE"];
        let is_checked =
            says.iter().any(|word| sql.starts_with(word)) && !sql.contains(" AS SELECT");
        let looked_up = measured
            .scans
            .values()
            .flatten()
            .any(|why| *why == "fk_validate");
        if is_checked && !looked_up {
            for row in read.iter().filter(|row| !read_before.contains(row)) {
                if let Some(before) = self.before.get(&row[0]) {
                    let reasons = measured.scans.entry(before.name.clone()).or_default();
                    if reasons.is_empty() {
                        reasons.insert("verify");
                    }
                }
            }
        }
        Ok(measured)
    }

    /// By the server's own words; what is read to be rewritten it does not always say.
    fn scans(&self, keys: &Rows, measured: &mut Measured) {
        let named = |name: &str| {
            let table =
                |before: &&Before| before.kind != "i" && before.name.ends_with(&format!(".{name}"));
            self.before
                .values()
                .find(table)
                .map(|before| before.name.clone())
        };
        let key = |name: &str| -> Vec<String> {
            let keys = keys.iter().filter(|row| row[0] == name);
            keys.filter_map(|key| Some(self.before.get(&key[1])?.name.clone()))
                .collect()
        };
        let mut found = Vec::new();
        for word in &measured.said {
            let quoted: Vec<&str> = word.split('"').skip(1).step_by(2).collect();
            let scan = match (word.as_str(), quoted.as_slice()) {
                (word, [table]) if word.starts_with("verifying table") => {
                    named(table).map(|table| (table, "verify"))
                }
                (word, [table]) if word.starts_with("rewriting table") => {
                    named(table).map(|table| (table, "rewrite"))
                }
                (word, [name]) if word.starts_with("validating foreign key") => {
                    found.extend(key(name).into_iter().map(|table| (table, "fk_validate")));
                    None
                }
                (word, [_, table]) if word.starts_with("building index") => {
                    named(table).map(|table| (table, "index_build"))
                }
                _ => None,
            };
            found.extend(scan);
        }
        for table in &measured.rewrites {
            measured
                .scans
                .entry(table.clone())
                .or_default()
                .insert("rewrite");
        }
        for (table, why) in found {
            let rewritten = measured.rewrites.contains(&table);
            if !(rewritten && why == "index_build") {
                measured.scans.entry(table).or_default().insert(why);
            }
        }
    }

    /// A file that is new because it is empty is no rewrite; the tables that were emptied.
    fn files(&mut self, after: &Rows, measured: &mut Measured) -> Result<BTreeSet<String>, String> {
        let changed: BTreeSet<&str> = after
            .iter()
            .filter(|row| {
                self.before
                    .get(&row[0])
                    .is_some_and(|was| was.file != row[3])
            })
            .map(|row| row[0].as_str())
            .collect();
        let mut emptied = BTreeSet::new();
        for oid in &changed {
            let was = &self.before[*oid];
            let said = format!(
                "rewriting table \"{}\"",
                was.name.split('.').next_back().unwrap_or_default()
            );
            if ["r", "m"].contains(&was.kind.as_str()) && !measured.said.contains(&said) {
                let size = rows(&mut self.doing, &format!("SELECT pg_relation_size({oid})"))?;
                if size[0][0] == "0" {
                    emptied.insert(was.name.clone());
                }
            }
        }
        for oid in &changed {
            let was = &self.before[*oid];
            match was.kind.as_str() {
                _ if emptied.contains(&was.name) => {}
                "i" if changed.contains(was.table.as_str()) => {}
                "i" => drop(measured.rebuilt.insert(was.name.clone())),
                "S" => {}
                _ => drop(measured.rewrites.insert(was.name.clone())),
            }
        }
        Ok(emptied)
    }

    fn locks(&mut self) -> Result<BTreeMap<String, String>, String> {
        let sql = format!(
            "SELECT relation::text, mode FROM pg_locks WHERE pid = {} AND locktype = 'relation'",
            self.pid
        );
        let mut strongest: BTreeMap<String, String> = BTreeMap::new();
        for row in rows(&mut self.seeing, &sql)? {
            self.strongest(&row, &mut strongest);
        }
        Ok(strongest)
    }

    /// A row of relation and mode.
    fn strongest(&self, row: &[String], locks: &mut BTreeMap<String, String>) {
        if let Some(before) = self.before.get(&row[0]) {
            let known = locks
                .entry(before.name.clone())
                .or_insert_with(|| row[1].clone());
            if rank(&row[1]) > rank(known) {
                *known = row[1].clone();
            }
        }
    }
}

/// Of a statement that runs in no transaction, on a copy of the database that nobody else uses. What it holds only for a
/// moment may be missed.
pub(super) fn outside(
    server: &Server,
    database: &str,
    statement: &str,
    look: u64,
) -> Result<Measured, String> {
    let mut bench = Bench::new(server, database);
    let mut holding = config(server, database).connect(NoTls).unwrap();
    let tables = bench
        .before
        .values()
        .filter(|before| ["r", "p"].contains(&before.kind.as_str()));
    let quoted = tables.map(|before| {
        let (schema, name) = before.name.split_once('.').unwrap();
        format!("\"{schema}\".\"{name}\"")
    });
    let hold = format!(
        "BEGIN; LOCK TABLE {} IN ROW EXCLUSIVE MODE",
        quoted.collect::<Vec<_>>().join(", ")
    );
    rows(&mut holding, &hold)?;
    rows(&mut bench.seeing, LOOK)?;
    let said = Said::default();
    let hear = Arc::clone(&said);
    let mut doing = config(server, database)
        .notice_callback(move |notice| hear.lock().unwrap().push(notice.message().to_owned()))
        .connect(NoTls)
        .unwrap();
    let pid = rows(&mut doing, "SELECT pg_backend_pid()").unwrap()[0][0].clone();
    rows(
        &mut doing,
        "SET vacuum_cost_delay = 20; SET vacuum_cost_limit = 1; SET client_min_messages = debug1",
    )?;
    let done = Arc::new(AtomicBool::new(false));
    let braking = std::thread::spawn({
        let (mut brake, done) = (
            config(server, database).connect(NoTls).unwrap(),
            Arc::clone(&done),
        );
        move || brake_until(&mut brake, &done, look)
    });
    let text = statement.to_owned();
    let running = std::thread::spawn(move || {
        let done = rows(&mut doing, &text);
        let _ = rows(&mut doing, "SET client_min_messages = notice");
        done
    });
    let (begun, mut held) = (Instant::now(), true);
    let mut measured = Measured {
        outside: true,
        ..Measured::default()
    };
    let look = format!("SELECT relation, mode FROM pg_temp.look({pid})");
    while !running.is_finished() {
        for row in rows(&mut bench.seeing, &look)? {
            bench.strongest(&row, &mut measured.locks);
        }
        if held && begun.elapsed() > Duration::from_millis(100) {
            rows(&mut holding, "ROLLBACK")?;
            held = false;
        }
    }
    done.store(true, Ordering::Relaxed);
    braking.join().unwrap();
    running.join().unwrap()?;
    measured.said = said.lock().unwrap().clone();
    let names = first_of(rows(&mut bench.seeing, NAMES)?);
    measured.gone = bench.names.difference(&names).cloned().collect();
    let after = rows(&mut bench.seeing, RELATIONS)?;
    bench.files(&after, &mut measured)?;
    let keys = Rows::new();
    bench.scans(&keys, &mut measured);
    Ok(measured)
}

/// Keeps the catalog from being written, again and again for some milliseconds: whoever writes it stays where it is, and is
/// seen, each time elsewhere. It never waits itself, so that nobody is in a deadlock with it.
fn brake_until(brake: &mut Client, done: &AtomicBool, look: u64) {
    let hold = "BEGIN; LOCK TABLE pg_attribute, pg_class, pg_index, pg_depend IN SHARE MODE NOWAIT";
    while !done.load(Ordering::Relaxed) {
        let _ = rows(brake, hold);
        std::thread::sleep(Duration::from_millis(4 + look % 5 * 4));
        let _ = rows(brake, "ROLLBACK");
        std::thread::sleep(Duration::from_micros(200 + look % 7 * 300));
    }
}

fn config(server: &Server, database: &str) -> Config {
    let mut config = Config::new();
    config
        .host(server.host())
        .port(server.port())
        .user(server.user())
        .password(server.password())
        .dbname(database)
        .application_name("truth");
    config
}

pub(super) fn rank(mode: &str) -> Option<usize> {
    MODES.iter().position(|known| *known == mode)
}

fn first_of(rows: Rows) -> BTreeSet<String> {
    rows.into_iter()
        .filter_map(|row| row.into_iter().next())
        .collect()
}

fn rows(client: &mut Client, sql: &str) -> Result<Rows, String> {
    let messages = client
        .simple_query(sql)
        .map_err(|error| match error.as_db_error() {
            Some(error) => format!("{} {}", error.code().code(), error.message()),
            None => error.to_string(),
        })?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|at| row.get(at).unwrap_or_default().to_owned())
                .collect(),
        ),
        _ => None,
    });
    Ok(rows.collect())
}
