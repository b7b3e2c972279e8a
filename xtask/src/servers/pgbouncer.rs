//! A PgBouncer before a server, with an owner: it ends when dropped, and when its owner is killed.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::running::Running;
use super::{Account, Server};
use crate::env::PgBouncer;

/// For how long a client has its server connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// Until it leaves.
    Session,
    /// For one transaction.
    Transaction,
}

impl PoolMode {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
        }
    }
}

/// A running PgBouncer, which knows the superuser.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    running: Running,
    // dropped last: the folder goes once nobody runs in it
    folder: TempDir,
}

impl Pooler {
    /// Server connections for each user and database in transaction pooling; PgBouncer's default otherwise.
    pub const POOL_SIZE: usize = 3;

    /// Starts one before this server and waits until it takes connections.
    ///
    /// # Errors
    /// What PgBouncer said.
    pub fn start(program: &PgBouncer, server: &Server, mode: PoolMode) -> Result<Self> {
        Self::start_with(program, server, mode, "")
    }

    /// Starts one with further lines of settings: of two with one name the last counts.
    ///
    /// # Errors
    /// What PgBouncer said.
    pub fn start_with(
        program: &PgBouncer,
        server: &Server,
        mode: PoolMode,
        more: &str,
    ) -> Result<Self> {
        let mut last = None;
        for _ in 0..5 {
            // between choosing a port and binding it, somebody else can take it
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            match Self::start_on(program, server, mode, port, more) {
                Ok(pooler) => return Ok(pooler),
                Err(why) => last = Some(why),
            }
        }
        Err(last.context("no attempt")?)
    }

    fn start_on(
        program: &PgBouncer,
        server: &Server,
        mode: PoolMode,
        port: u16,
        more: &str,
    ) -> Result<Self> {
        let account = Account::of_servers()?;
        let folder = tempfile::Builder::new().prefix("pgbouncer-").tempdir()?;
        let path = folder.path();
        let put = |name: &str, text: String| -> Result<()> {
            fs_err::write(path.join(name), text)?;
            account.own(&path.join(name))
        };
        let (user, password) = (server.user(), server.password());
        put("users.txt", format!("\"{user}\" \"{password}\"\n"))?;
        put("log", String::new())?;
        put(
            "pgbouncer.ini",
            format!("{}{more}", settings(server, mode, port)),
        )?;
        account.own(path)?;
        let log = File::options().append(true).open(path.join("log"))?;
        let mut command = program.command();
        command
            .arg("pgbouncer.ini")
            .current_dir(path)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        account.apply(&mut command);
        let process = command.spawn().context("cannot start PgBouncer")?;
        let mut started = Self {
            port,
            running: Running::watched(process, path)?,
            folder,
        };
        started.wait_until_ready()?;
        Ok(started)
    }

    /// `127.0.0.1`.
    pub fn host(&self) -> &str {
        "127.0.0.1"
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a client would find in each server connection of the pool: one row of the query's columns for each, the
    /// backend's pid first. All of them are held at the same time, so that none is seen twice.
    ///
    /// # Errors
    /// What PgBouncer or the server said.
    pub fn visit(
        &self,
        server: &Server,
        database: &str,
        columns: &str,
    ) -> Result<Vec<Vec<String>>> {
        let query = format!("BEGIN; SELECT pg_backend_pid(), {columns}");
        let visit = || -> Result<Vec<Vec<String>>> {
            let mut clients = Vec::new();
            let mut rows = Vec::new();
            for _ in 0..Self::POOL_SIZE {
                let mut client = postgres::Config::new()
                    .host(self.host())
                    .port(self.port)
                    .user(server.user())
                    .password(server.password())
                    .dbname(database)
                    .connect(postgres::NoTls)?;
                for message in client.simple_query(&query)? {
                    if let postgres::SimpleQueryMessage::Row(row) = message {
                        let text = |at| row.get(at).unwrap_or_default().to_owned();
                        rows.push((0..row.len()).map(text).collect());
                    }
                }
                clients.push(client);
            }
            for client in &mut clients {
                client.simple_query("ROLLBACK")?;
            }
            Ok(rows)
        };
        // a blocking client must not be dropped inside an async runtime
        std::thread::scope(|scope| match scope.spawn(visit).join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if !self.running.is_alive() {
                bail!("PgBouncer did not start:\n{}", self.log());
            }
            // a stranger on this port would not have it in our log
            if self.log().contains("process up")
                && TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("PgBouncer was not ready within 20 s:\n{}", self.log())
    }
}

fn settings(server: &Server, mode: PoolMode, port: u16) -> String {
    let size = match mode {
        PoolMode::Session => 20,
        PoolMode::Transaction => Pooler::POOL_SIZE,
    };
    format!(
        "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = users.txt\npool_mode = {}\n\
         default_pool_size = {size}\n",
        server.host(),
        server.port(),
        mode.name(),
    )
}
