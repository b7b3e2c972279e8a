//! Databases that belong to one test.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::Server;
use super::server::{literal, quote};

/// A database of its own on a server, dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    pub(super) fn create(server: &Server, template: Option<&str>) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!(
            "db_{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        match template {
            Some(template) => server.create_database_from(&name, template)?,
            None => server.create_database(&name)?,
        }
        Ok(Self {
            server: server.clone(),
            name,
        })
    }

    pub(super) fn named(server: &Server, name: &str) -> Result<Self> {
        server.create_database(name)?;
        Ok(Self {
            server: server.clone(),
            name: name.to_owned(),
        })
    }

    /// Its server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection string for the superuser.
    pub fn dsn(&self) -> String {
        self.server.dsn(&self.name)
    }

    /// Runs one or more statements as the superuser.
    ///
    /// # Errors
    /// What the server said.
    pub fn execute(&self, sql: &str) -> Result<()> {
        self.server.execute(&self.name, sql)
    }

    /// Runs a query as the superuser.
    ///
    /// # Errors
    /// What the server said.
    pub fn query(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        self.server.query(&self.name, sql)
    }

    /// The first column of the first row.
    ///
    /// # Errors
    /// What the server said, or that there is no row.
    pub fn scalar(&self, sql: &str) -> Result<String> {
        self.server.scalar(&self.name, sql)
    }

    /// libpq's `PG*` variables, for a child that connects as the superuser.
    pub fn environment(&self, command: &mut Command) {
        command
            .env("PGHOST", self.server.host())
            .env("PGPORT", self.server.port().to_string())
            .env("PGUSER", self.server.user())
            .env("PGPASSWORD", self.server.password())
            .env("PGDATABASE", &self.name);
    }

    /// Leaves the database on the server, and gives its name.
    pub fn keep(mut self) -> String {
        std::mem::take(&mut self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // the server may be gone already, which is as good
            let _ = self.server.drop_database(&self.name);
        }
    }
}

/// The template that `build` made for `key`, made now if nobody has. A session-level advisory lock in `postgres` makes
/// processes wait for each other; the name appears only once the build is whole.
pub(super) fn template(
    server: &Server,
    key: &str,
    build: impl FnOnce(&Database) -> Result<()> + Send,
) -> Result<String> {
    let name = format!("template_{key}");
    let exists = format!(
        "SELECT 1 FROM pg_database WHERE datname = {}",
        literal(&name)
    );
    server.with_client("postgres", |client| {
        client.batch_execute(&format!(
            "SELECT pg_advisory_lock(hashtext({}))",
            literal(&name)
        ))?;
        if client.query_opt(&exists, &[])?.is_none() {
            let database = Database::create(server, None)?;
            build(&database)?;
            let built = database.keep();
            disconnect(client, &built)?;
            client.batch_execute(&format!(
                "ALTER DATABASE {} RENAME TO {}",
                quote(&built),
                quote(&name)
            ))?;
        }
        Ok(())
    })?;
    Ok(name)
}

/// A backend outlives its client for a moment, and RENAME waits for no one.
fn disconnect(client: &mut postgres::Client, database: &str) -> Result<()> {
    const OTHERS: &str =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
    for _ in 0..100 {
        if client.query_one(OTHERS, &[&database])?.get::<_, i64>(0) == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(())
}
