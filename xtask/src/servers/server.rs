//! A server that runs, as its clients see it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use postgres::{Client, NoTls};

use super::Database;
use crate::env::PgInstall;

/// A running server and its superuser.
///
/// Every call here opens a session of its own on a thread of its own, so that async tests may call it.
#[derive(Debug, Clone)]
pub struct Server {
    pub(super) install: PgInstall,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) socket_dir: PathBuf,
    pub(super) user: String,
    pub(super) password: String,
}

impl Server {
    /// Where it comes from.
    pub fn install(&self) -> &PgInstall {
        &self.install
    }

    /// `15`.
    pub fn major(&self) -> u32 {
        self.install.major
    }

    /// The folder of its `pg_dump`, `psql` and the rest; [`PgInstall::command`] starts them with what they need.
    pub fn bin_dir(&self) -> &Path {
        &self.install.bin_dir
    }

    /// `127.0.0.1`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its TCP port, which its socket's name carries too.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket, as libpq's `host` takes it.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The superuser.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The superuser's password (SCRAM, on TCP and on the socket).
    pub fn password(&self) -> &str {
        &self.password
    }

    /// A connection string for the superuser, over TCP.
    pub fn dsn(&self, database: &str) -> String {
        self.dsn_as(&self.user, &self.password, database)
    }

    /// A connection string for any role, over TCP.
    pub fn dsn_as(&self, user: &str, password: &str, database: &str) -> String {
        let (user, password, database) = (percent(user), percent(password), percent(database));
        format!(
            "postgresql://{user}:{password}@{}:{}/{database}",
            self.host, self.port
        )
    }

    /// Runs one or more statements as the superuser.
    ///
    /// # Errors
    /// What the server said.
    pub fn execute(&self, database: &str, sql: &str) -> Result<()> {
        self.with_client(database, |client| {
            client.batch_execute(sql).with_context(|| sql.to_owned())
        })
    }

    /// Runs a query as the superuser; each row's columns as the server writes them, NULL as an empty string.
    ///
    /// # Errors
    /// What the server said.
    pub fn query(&self, database: &str, sql: &str) -> Result<Vec<Vec<String>>> {
        self.with_client(database, |client| {
            let messages = client.simple_query(sql).with_context(|| sql.to_owned())?;
            let rows = messages.into_iter().filter_map(|message| match message {
                postgres::SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            Ok(rows
                .map(|row| {
                    (0..row.len())
                        .map(|at| row.get(at).unwrap_or_default().to_owned())
                        .collect()
                })
                .collect())
        })
    }

    /// The first column of the first row.
    ///
    /// # Errors
    /// What the server said, or that there is no row.
    pub fn scalar(&self, database: &str, sql: &str) -> Result<String> {
        let first = self
            .query(database, sql)?
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next());
        first.with_context(|| format!("no row: {sql}"))
    }

    /// Lends a blocking session of the superuser, on another thread: the session must not leave the closure, since
    /// dropping it inside an async runtime panics.
    ///
    /// # Errors
    /// What the closure says, or that there is no connection.
    pub fn with_client<T: Send>(
        &self,
        database: &str,
        work: impl FnOnce(&mut Client) -> Result<T> + Send,
    ) -> Result<T> {
        let connect = || -> Result<T> {
            let mut client = postgres::Config::new()
                .host(&self.host)
                .port(self.port)
                .user(&self.user)
                .password(&self.password)
                .dbname(database)
                .application_name("xtask")
                .connect(NoTls)
                .with_context(|| {
                    format!(
                        "cannot connect to {}:{} database {database}",
                        self.host, self.port
                    )
                })?;
            work(&mut client)
        };
        std::thread::scope(|scope| match scope.spawn(connect).join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Creates an empty database of exactly this name.
    ///
    /// # Errors
    /// What the server said.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.execute("postgres", &format!("CREATE DATABASE {}", quote(name)))
    }

    /// Creates a database of exactly this name as a copy of another, which nobody may be connected to.
    ///
    /// # Errors
    /// What the server said.
    pub fn create_database_from(&self, name: &str, template: &str) -> Result<()> {
        self.execute(
            "postgres",
            &format!(
                "CREATE DATABASE {} TEMPLATE {}",
                quote(name),
                quote(template)
            ),
        )
    }

    /// Drops a database, its sessions too.
    ///
    /// # Errors
    /// What the server said.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        self.execute(
            "postgres",
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote(name)),
        )
    }

    /// An empty database with a name of its own, dropped with the value.
    ///
    /// # Errors
    /// What the server said.
    pub fn database(&self) -> Result<Database> {
        Database::create(self, None)
    }

    /// An empty database of this name, dropped with the value: for a server of the caller's own.
    ///
    /// # Errors
    /// What the server said.
    pub fn named_database(&self, name: &str) -> Result<Database> {
        Database::named(self, name)
    }

    /// A database of its own with what `build` makes, dropped with the value. `build` runs once on this server for
    /// each `key`, in whichever process comes first; all others get a copy.
    ///
    /// # Errors
    /// What `build` or the server said.
    pub fn database_with(
        &self,
        key: &str,
        build: impl FnOnce(&Database) -> Result<()> + Send,
    ) -> Result<Database> {
        let template = super::database::template(self, key, build)?;
        Database::create(self, Some(&template))
    }

    /// Creates or replaces the attributes of a login role: `create_role("app", "NOSUPERUSER PASSWORD 'secret'")`.
    ///
    /// # Errors
    /// What the server said.
    pub fn create_role(&self, name: &str, attributes: &str) -> Result<()> {
        let role = quote(name);
        let known = self.query(
            "postgres",
            &format!("SELECT 1 FROM pg_roles WHERE rolname = {}", literal(name)),
        )?;
        let verb = if known.is_empty() { "CREATE" } else { "ALTER" };
        self.execute(
            "postgres",
            &format!("{verb} ROLE {role} LOGIN {attributes}"),
        )
    }
}

/// An identifier, quoted.
pub(super) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A string literal; `standard_conforming_strings` is on since 9.1.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn percent(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if keep(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
