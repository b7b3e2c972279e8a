//! The bridge protocol, version 1: what Rust asks of the bridge script and what it answers.
//!
//! Transport. Rust starts `PYTHON -c BOOTSTRAP LENGTH`; the bootstrap reads LENGTH bytes of script from stdin and
//! runs it. The first line after the script is the [`Request`], every further line a [`Word`]; the end of stdin means
//! that Rust is gone, and the bridge stops as it would on SIGTERM. Before any code of the project runs, the bridge
//! keeps a private duplicate of stdout, points descriptor 1 at stderr (settings modules print) and descriptor 0 at
//! the null device. Answers are [`Answer`] lines on the private duplicate, each `\x1e` + nonce + space + JSON, so that
//! what a wrapper (`docker compose exec`, `ssh`) prints on the same stream cannot be taken for an answer.
//!
//! Absent here: decisions. These are the shapes on the wire; `facts` says what they mean.

use std::collections::BTreeMap;

use pgdriver::Secret;
use serde::{Deserialize, Serialize};

/// The only version that either side speaks.
pub(crate) const PROTOCOL: u32 = 1;

/// One call of the bridge.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Request {
    pub(crate) protocol: u32,
    pub(crate) nonce: String,
    pub(crate) action: Action,
    pub(crate) entry: Entry,
    /// `--settings`: overrides DJANGO_SETTINGS_MODULE before the entry runs.
    pub(crate) settings: Option<String>,
    /// `--pythonpath`: put first on sys.path.
    pub(crate) pythonpath: Option<String>,
    /// What `sys.argv` reads while the project starts: `["manage.py", "migrate", …]`; settings modules look at it.
    pub(crate) argv: Vec<String>,
    /// The alias whose database is meant.
    pub(crate) database: String,
    /// `APP`: only the plan of this app (its dependencies included, as `migrate APP` does).
    pub(crate) app: Option<String>,
    /// `MIGRATION`: up to this one; a prefix, as Django takes it.
    pub(crate) migration: Option<String>,
    /// What `inspect` looks at; empty for `migrate`.
    pub(crate) parts: Vec<Part>,
    pub(crate) render: Render,
    /// Server settings of every PostgreSQL session of `database`, set when the connection opens (name, value).
    pub(crate) session: Vec<(String, String)>,
    /// `migrate`: nothing else may run; none lets everything run.
    pub(crate) agreed: Option<Vec<Agreed>>,
    /// The plan goes backwards: of these, `app.name`, those that are applied.
    pub(crate) back: Option<Vec<String>>,
    /// `migrate`: wait for a word before each migration and each statement, and after each that failed.
    pub(crate) stepwise: bool,
}

/// A migration of the plan that was agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Agreed {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) source_sha256: Option<String>,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Read only, in a session with `default_transaction_read_only=on`.
    Inspect,
    /// The project's own `migrate`, with hooks.
    Migrate,
}

/// How the project starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A `manage.py`, relative to the project's root, which is the working directory.
    Manage { path: String },
    /// `--entry MODULE:FUNC`, for projects without manage.py.
    Function { module: String, function: String },
}

/// A part of `inspect`. Django is always started and described, and the databases listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// System checks, the `--database` ones too.
    Checks,
    /// Connection, loader, graph, history, plan.
    Graph,
    /// SQL forward and backward of every planned migration.
    Sql,
    /// Where in their files the operations stand.
    Lines,
    /// What `makemigrations --check` would say.
    Drift,
    /// The live schema against the models of the code.
    Schema,
    /// One real, bounded query through each managed model.
    Queries,
}

/// How model states are rendered for SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Render {
    /// Only what an operation can see; full rendering where an operation is not Django's own.
    Stub,
    /// Django's own incremental state, for everything.
    Full,
    /// Both; a difference is a `problem` of class `render-differs`.
    Compare,
}

/// Said to a running bridge, one JSON line each: `{"word": "go"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub(crate) enum Word {
    /// Begin the migration that was announced, or run the statement, with these server settings in force; afterwards with
    /// those, for what runs where no hook sees it.
    Go {
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        settings: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        afterwards: BTreeMap<String, String>,
    },
    /// Do not run the statement that was announced: what it would make is there already.
    Skip,
    /// Run what failed once more: the migration from its beginning, or the statement outside a transaction.
    Retry,
    /// Let what failed end the command.
    GiveUp,
    /// Give the running attempt up at once: cancel its statement, roll back, and ask again. Not once a COMMIT is sent.
    LetGo,
    /// Do not start another migration.
    StopAfterMigration,
    /// Stop now: raise in the running migration, so that it rolls back.
    StopNow,
}

/// One line from the bridge.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Answer {
    Hello(Hello),
    Django(Django),
    Database(Database),
    Check(Check),
    ChecksDone {
        count: u32,
        seconds: f64,
    },
    Graph(Graph),
    History(History),
    Migrations {
        items: Vec<MigrationItem>,
    },
    Planned(Planned),
    Sql(Sql),
    SqlDone {
        statements: u64,
        seconds: f64,
        cpu_seconds: f64,
    },
    Drift {
        changes: Vec<DriftChange>,
        seconds: f64,
    },
    Schema {
        differences: Vec<SchemaDifference>,
        models: u32,
        seconds: f64,
    },
    ModelQuery(ModelQuery),
    Warning(Warning),
    Problem(Problem),
    /// A session was opened: which backend, and the settings as `SHOW` read them back.
    Connected {
        alias: String,
        backend_pid: i32,
        settings: BTreeMap<String, String>,
        /// A transaction pooler lies in between: `SET` would not stay with us.
        #[serde(default)]
        pooled: bool,
        /// A thread's own session or a copy, which code of a migration works with beside the one of the migrations.
        #[serde(default)]
        beside: bool,
    },
    /// Before any transaction of it is open. With `stepwise` the bridge now waits.
    MigrationStarted {
        app: String,
        name: String,
        backward: bool,
        atomic: bool,
        /// From 1.
        #[serde(default = "first")]
        attempt: u32,
    },
    /// Before a statement runs; `number` counts from 1 in this process. With `stepwise` the bridge now waits.
    StatementStarted {
        number: u64,
        app: Option<String>,
        name: Option<String>,
        sql: String,
        in_transaction: bool,
    },
    /// `stepwise`: the settings that came with `go` are in force, as `SHOW` read them back; now it is sent.
    StatementRunning {
        number: u64,
        settings: BTreeMap<String, String>,
    },
    StatementSkipped {
        number: u64,
    },
    StatementFinished {
        number: u64,
        seconds: f64,
    },
    /// With `asks` (`stepwise`, and nothing but this statement is lost) the bridge now waits for `retry` or `give_up`.
    StatementFailed {
        number: u64,
        seconds: f64,
        exception: Exception,
        #[serde(default)]
        asks: bool,
    },
    /// A migration raised. With `stepwise` the bridge now waits for `retry` or `give_up`.
    AttemptFailed(AttemptFailed),
    /// Within a migration: a COMMIT is sent next.
    CommitStarted,
    /// Applied *and* recorded in django_migrations (Django's executor returned).
    MigrationApplied {
        app: String,
        name: String,
        backward: bool,
        seconds: f64,
    },
    MigrationFailed {
        app: String,
        name: String,
        backward: bool,
        seconds: f64,
        exception: Exception,
    },
    /// `migrate` is over. `outcome` is `done`, `stopped` (by a word or a signal) or `failed`.
    MigrateDone {
        outcome: MigrateOutcome,
        seconds: f64,
    },
    /// The last line of every call that was not killed.
    Bye {
        seconds: f64,
        cpu_seconds: f64,
    },
}

fn first() -> u32 {
    1
}

/// What is left of a migration that raised.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AttemptFailed {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) attempt: u32,
    pub(crate) exception: Exception,
    /// It is atomic, no COMMIT of it was sent, and its transaction is over: nothing of it stayed.
    pub(crate) rolled_back: bool,
    /// COMMITs that were sent during it.
    pub(crate) commits: u64,
    /// Functions of RunPython and operations that are not Django's, `module.name`, that were entered: what they did outside
    /// the database stays.
    pub(crate) code: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MigrateOutcome {
    Done,
    Stopped,
    Failed,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
    pub(crate) pid: u32,
    /// `3.11.7`
    pub(crate) python: String,
    pub(crate) executable: String,
    pub(crate) prefix: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Django {
    /// `5.2.4`
    pub(crate) version: String,
    pub(crate) settings_module: Option<String>,
    pub(crate) apps: Vec<App>,
    pub(crate) routers: Vec<String>,
    pub(crate) use_tz: bool,
    /// Seconds until the entry called Django, until settings were read, until `django.setup()` was over.
    pub(crate) entry_seconds: f64,
    pub(crate) settings_seconds: f64,
    pub(crate) setup_seconds: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct App {
    pub(crate) label: String,
    pub(crate) name: String,
    pub(crate) path: String,
    /// It has a migrations package.
    pub(crate) migrated: bool,
    /// It lies outside the interpreter's site-packages.
    pub(crate) own: bool,
}

/// A database alias as the driver would really open it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Database {
    pub(crate) alias: String,
    /// This is the alias that was asked for.
    pub(crate) selected: bool,
    pub(crate) engine: String,
    pub(crate) vendor: String,
    pub(crate) name: String,
    /// `psycopg 3.2.9`, `psycopg2 2.9.10`
    pub(crate) driver: Option<String>,
    /// libpq keywords after libpq resolved service, passfile and defaults (from the open connection, else from
    /// `get_connection_params()`); never the password.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) password: Option<Secret>,
    /// `parameters` come from an open connection, not only from settings.
    pub(crate) resolved: bool,
    pub(crate) test: TestDatabase,
    /// Only for the selected alias, when it could be opened.
    pub(crate) server: Option<Server>,
}

/// Where the project's tests would go.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TestDatabase {
    /// The name that Django's test runner would create, with its `test_`.
    pub(crate) name: String,
    pub(crate) mirror: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Server {
    /// `150018`
    pub(crate) version_num: u32,
    pub(crate) database: String,
    pub(crate) database_oid: u32,
    pub(crate) user: String,
    /// `pg_control_system()`; none where the role may not call it.
    pub(crate) system_identifier: Option<String>,
    pub(crate) backend_pid: i32,
    pub(crate) in_recovery: bool,
    pub(crate) schemas: Vec<String>,
    pub(crate) settings: BTreeMap<String, String>,
    /// A transaction pooler lies in between.
    #[serde(default)]
    pub(crate) pooled: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Check {
    /// Django's levels: 10 debug, 20 info, 30 warning, 40 error, 50 critical.
    pub(crate) level: u32,
    pub(crate) id: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) object: Option<String>,
    pub(crate) silenced: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Graph {
    pub(crate) nodes: u32,
    /// `app.name`
    pub(crate) leaves: Vec<String>,
    pub(crate) conflicts: BTreeMap<String, Vec<String>>,
    pub(crate) unmigrated_apps: Vec<String>,
    pub(crate) seconds: f64,
}

/// django_migrations as it stands, in order of id.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct History {
    pub(crate) has_table: bool,
    pub(crate) rows: Vec<HistoryRow>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct HistoryRow {
    pub(crate) app: String,
    pub(crate) name: String,
    /// RFC 3339
    pub(crate) applied: String,
}

/// Every migration on disk or in the history.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MigrationItem {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) state: MigrationState,
    /// A squash: what it replaces, `app.name`.
    pub(crate) replaces: Vec<String>,
    /// `app.name` of its dependencies that are migrations.
    pub(crate) dependencies: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MigrationState {
    Applied,
    Pending,
    /// Applied, but no file on disk.
    Missing,
    /// Replaced by a squash that is in use.
    Squashed,
    /// A squash of which only some replaced migrations are applied.
    PartlySquashed,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Planned {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) backward: bool,
    pub(crate) initial: bool,
    pub(crate) atomic: bool,
    pub(crate) file: Option<String>,
    /// SHA-256 of that file; none where there is none.
    pub(crate) source_sha256: Option<String>,
    pub(crate) dependencies: Vec<String>,
    pub(crate) replaces: Vec<String>,
    pub(crate) operations: Vec<Operation>,
    /// Of each operation its first line in the file, from 1; empty where that was not asked or is not to be told.
    #[serde(default)]
    pub(crate) lines: Vec<usize>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Operation {
    /// Dotted path of the class.
    pub(crate) class: String,
    /// The name of the Django operation that it is or derives from: `AddField`, `RunPython`, …
    pub(crate) base: Option<String>,
    /// Django's own `describe()`.
    pub(crate) describe: String,
    pub(crate) reversible: bool,
    /// Its reverse was written as doing nothing (RunPython.noop, RunSQL.noop).
    #[serde(default)]
    pub(crate) reverse_is_noop: bool,
    pub(crate) reduces_to_sql: bool,
    pub(crate) elidable: bool,
    pub(crate) atomic: Option<bool>,
    pub(crate) model: Option<String>,
    /// The table of the model before (else after) the operation.
    pub(crate) table: Option<String>,
    pub(crate) field: Option<String>,
    pub(crate) field_before: Option<FieldState>,
    pub(crate) field_after: Option<FieldState>,
    /// RunPython: the function, `module.name`.
    pub(crate) code: Option<String>,
    /// RunPython: the models that its functions import, `app.Model`, instead of asking the state for them.
    #[serde(default)]
    pub(crate) models_of_today: Vec<String>,
    /// SeparateDatabaseAndState.
    pub(crate) database_operations: Vec<Operation>,
    pub(crate) state_operations: Vec<Operation>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct FieldState {
    pub(crate) class: String,
    pub(crate) column: Option<String>,
    pub(crate) db_type: Option<String>,
    pub(crate) null: bool,
    pub(crate) unique: bool,
    pub(crate) db_index: bool,
    pub(crate) primary_key: bool,
    pub(crate) has_default: bool,
    pub(crate) has_db_default: bool,
    /// `app.Model` that it points to.
    pub(crate) related: Option<String>,
}

/// The SQL of one migration, each direction by operation; of one that goes back only `backward`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Sql {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) forward: Vec<OperationSql>,
    /// Run by the schema editor at the end (foreign keys, indexes).
    pub(crate) forward_deferred: Vec<String>,
    /// None where the migration is irreversible; in the order in which it would run.
    pub(crate) backward: Option<Vec<OperationSql>>,
    pub(crate) backward_deferred: Vec<String>,
    /// `describe()` of the operations without a way back.
    pub(crate) irreversible: Vec<String>,
    /// `stub`, `full`
    pub(crate) render: String,
    pub(crate) seconds: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OperationSql {
    /// Index into the migration's operations, from 0.
    pub(crate) operation: usize,
    pub(crate) statements: Vec<String>,
    /// The operation does not reduce to SQL (RunPython).
    pub(crate) opaque: bool,
    /// Why statements may be missing here; none means that the list is complete.
    pub(crate) missing: Option<String>,
    /// What was raised while the SQL was made. With `broken` the migration itself is at fault.
    pub(crate) exception: Option<Exception>,
    /// The exception is the migration's own fault, not a consequence of objects that are only pending.
    pub(crate) broken: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DriftChange {
    pub(crate) app: String,
    pub(crate) operations: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct SchemaDifference {
    /// `missing_table`, `missing_column`, `extra_column`, `null_mismatch`, `type_mismatch`
    pub(crate) what: String,
    pub(crate) table: String,
    pub(crate) column: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) detail: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ModelQuery {
    pub(crate) model: String,
    pub(crate) table: String,
    pub(crate) ok: bool,
    pub(crate) exception: Option<Exception>,
}

/// A Python warning (`DeprecationWarning`, Django's `RuntimeWarning`s).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Warning {
    pub(crate) category: String,
    pub(crate) message: String,
}

/// A known error: an answer, not a crash. After it the bridge goes on where that makes sense, else says `bye`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Problem {
    /// `entry`, `settings`, `setup`, `connect`, `checks`, `graph`, `history`, `plan`, `sql`, `drift`, `schema`,
    /// `queries`, `migrate`
    pub(crate) phase: String,
    pub(crate) class: ProblemClass,
    pub(crate) message: String,
    /// Members of a cycle, names of an ambiguity, the parents of a missing node: `app.name`, in order.
    pub(crate) members: Vec<String>,
    pub(crate) exception: Option<Exception>,
}

/// What kind of known error a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProblemClass {
    /// `import django` failed.
    DjangoMissing,
    /// Older than 4.2.
    DjangoTooOld,
    /// The entry does not exist, cannot be imported, or returned without calling Django.
    EntryFailed,
    /// Importing or reading settings raised.
    SettingsFailed,
    /// `django.setup()` raised (an app, a model).
    SetupFailed,
    /// The project called sys.exit() while it started.
    ProjectExited,
    /// `--database` names no alias.
    UnknownDatabase,
    /// The alias is not on a PostgreSQL backend.
    NotPostgresql,
    /// psycopg is not installed.
    DriverMissing,
    ConnectFailed,
    /// A check itself raised.
    ChecksCrashed,
    GraphCycle,
    /// A dependency names a migration that does not exist.
    MissingMigration,
    /// A migration file that cannot be imported, or has no Migration class.
    BadMigration,
    PlanConflict,
    InconsistentHistory,
    UnknownApp,
    AppWithoutMigrations,
    UnknownMigration,
    AmbiguousMigration,
    /// The target is behind what is applied.
    Backwards,
    /// A migration that was not agreed to, or whose file changed since.
    PlanChanged,
    RenderDiffers,
    /// Anything else, with its traceback.
    Unexpected,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Exception {
    /// Dotted path of the class.
    #[serde(rename = "type")]
    pub(crate) class: String,
    pub(crate) message: String,
    /// `type: message` of `__cause__`.
    pub(crate) cause: Option<String>,
    pub(crate) sqlstate: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) constraint: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) column: Option<String>,
    /// The last frames.
    pub(crate) traceback: Vec<String>,
}
