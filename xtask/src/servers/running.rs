//! A server with an owner: started, watched, stopped.

use std::fs::File;
use std::net::TcpListener;
use std::ops::Deref;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::cluster::Cluster;
use super::template::{self, SUPERUSER};
use super::{Account, Server};
use crate::env::{Env, PgInstall};

/// How a server starts, beyond the defaults.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Settings as `postgresql.conf` has them: `("ssl", "on")`.
    pub settings: Vec<(String, String)>,
    /// The whole `pg_hba.conf`; SCRAM for everyone otherwise.
    pub hba: Option<String>,
    /// Files for the data folder, by name: keys, certificates.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A server with a cluster of its own. It stops at once when dropped, and when its owner dies in any way; then its
/// data is gone too.
#[derive(Debug)]
pub struct TempServer {
    server: Server,
    options: Options,
    running: Option<Running>,
    // dropped last: the folder goes once nobody runs in it
    cluster: Cluster,
}

impl Deref for TempServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl TempServer {
    /// Starts one and waits until it takes connections.
    ///
    /// # Errors
    /// What `initdb` or the server said.
    pub fn start(install: &PgInstall) -> Result<Self> {
        Self::start_with(install, Options::default())
    }

    /// Starts one with settings, a `pg_hba.conf` or files of its own.
    ///
    /// # Errors
    /// What `initdb` or the server said.
    pub fn start_with(install: &PgInstall, options: Options) -> Result<Self> {
        let template = template::get(&Env::open()?, install)?;
        let cluster = Cluster::copy_of(&template)?;
        if let Some(hba) = &options.hba {
            cluster.put("pg_hba.conf", hba.as_bytes())?;
        }
        for (name, content) in &options.files {
            cluster.put(name, content)?;
        }
        let server = Server {
            install: install.clone(),
            host: "127.0.0.1".to_owned(),
            port: 0,
            socket_dir: cluster.folder.clone(),
            user: SUPERUSER.to_owned(),
            password: template.password,
        };
        let mut started = Self {
            server,
            options,
            running: None,
            cluster,
        };
        started.start_on_a_free_port()?;
        Ok(started)
    }

    /// Stops the server at once, as a crash would: clients are cut off, and the next start recovers.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop_immediate(&mut self) -> Result<()> {
        match self.running.take() {
            Some(running) => running.end(Signal::QUIT),
            None => Ok(()),
        }
    }

    /// Stops the server in an orderly way: transactions are rolled back, nothing is left to recover.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop_fast(&mut self) -> Result<()> {
        match self.running.take() {
            Some(running) => running.end(Signal::INT),
            None => Ok(()),
        }
    }

    /// Starts it again on the same port, stopping it first where it runs.
    ///
    /// # Errors
    /// What the server said, such as that the port is taken by now.
    pub fn restart(&mut self) -> Result<()> {
        self.stop_fast()?;
        self.running = Some(self.spawn()?);
        Ok(())
    }

    /// Whether its process runs.
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(Running::is_alive)
    }

    /// The process id of the postmaster, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.postgres.id())
    }

    /// What the server logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.cluster.log()).unwrap_or_default()
    }

    /// The folder of its data.
    pub fn data_dir(&self) -> PathBuf {
        self.cluster.data()
    }

    /// Between choosing a port and binding it, somebody else can take it.
    fn start_on_a_free_port(&mut self) -> Result<()> {
        let mut last = None;
        for _ in 0..5 {
            self.server.port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            match self.spawn() {
                Ok(running) => {
                    self.running = Some(running);
                    return Ok(());
                }
                Err(why) if format!("{why:#}").contains("could not bind") => last = Some(why),
                Err(why) => return Err(why),
            }
        }
        Err(last.context("no attempt")?).context("no port was free in five attempts")
    }

    fn spawn(&self) -> Result<Running> {
        let log = File::options().append(true).open(self.cluster.log())?;
        let mut command = self.server.install.command("postgres");
        command
            .arg("-D")
            .arg(self.cluster.data())
            .arg("-p")
            .arg(self.server.port.to_string());
        command
            .arg("-k")
            .arg(&self.cluster.folder)
            .arg("-h")
            .arg(&self.server.host);
        for (name, value) in SETTINGS
            .iter()
            .copied()
            .chain(self.options.settings.iter().map(|(n, v)| (&**n, &**v)))
        {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command
            .current_dir(self.cluster.data())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        // PG* and locale variables of whoever runs the tests are not the server's
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").env("TZ", "UTC").process_group(0);
        Account::of_servers()?.apply(&mut command);
        let postgres = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.server.install))?;
        let mut running = Running::watched(postgres, &self.cluster.data())?;
        self.wait_until_ready(&mut running)?;
        Ok(running)
    }

    /// The postmaster writes `ready` as the eighth line of its pid file once it takes connections.
    fn wait_until_ready(&self, running: &mut Running) -> Result<()> {
        let (file, begun) = (self.cluster.data().join("postmaster.pid"), Instant::now());
        while begun.elapsed() < Duration::from_secs(60) {
            if !running.is_alive() {
                bail!("{} did not start:\n{}", self.server.install, self.log());
            }
            let own = running.postgres.id().to_string();
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if text.lines().next() == Some(&*own)
                && text
                    .lines()
                    .nth(7)
                    .is_some_and(|state| state.trim() == "ready")
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!(
            "{} was not ready within 60 s:\n{}",
            self.server.install,
            self.log()
        );
    }
}

/// Nothing is durable, much is allowed; tests override what they look at.
const SETTINGS: [(&str, &str); 9] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "200"),
    ("max_prepared_transactions", "10"),
    ("shared_buffers", "32MB"),
    ("jit", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];

/// The process, and a watchdog that ends it and removes its data when our end of a pipe closes, which it does however
/// we die.
#[derive(Debug)]
pub(super) struct Running {
    postgres: Child,
    watchdog: Child,
}

impl Running {
    pub(super) fn watched(postgres: Child, data: &Path) -> Result<Self> {
        const WATCH: &str = r#"read nothing
kill -QUIT "$1"
while kill -0 "$1" 2>/dev/null; do sleep 0.1; done
rm -rf "$2""#;
        let mut watch = Command::new("/bin/sh");
        watch
            .args(["-c", WATCH, "watchdog", &postgres.id().to_string()])
            .arg(data)
            .current_dir("/")
            .process_group(0);
        watch
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Account::of_servers()?.apply(&mut watch);
        match watch.spawn() {
            Ok(watchdog) => Ok(Self { postgres, watchdog }),
            Err(why) => {
                let mut postgres = postgres;
                let _ = postgres.kill();
                let _ = postgres.wait();
                Err(why).context("cannot start /bin/sh to watch the server")
            }
        }
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.postgres.try_wait(), Ok(None))
    }

    /// The watchdog first: once the server is gone, its pid may be somebody else's.
    fn end(mut self, signal: Signal) -> Result<()> {
        self.stop(signal)
    }

    fn stop(&mut self, signal: Signal) -> Result<()> {
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        if self.is_alive() {
            let pid = i32::try_from(self.postgres.id())
                .ok()
                .and_then(Pid::from_raw)
                .context("a pid")?;
            kill_process(pid, signal)?;
        }
        self.postgres.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop(Signal::QUIT);
    }
}
