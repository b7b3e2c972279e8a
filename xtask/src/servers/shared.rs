//! One server a major version for a whole run of tests.
//!
//! `cargo xtask test` starts the servers and says where they are in `DJANGO_MIGRATE_TEST_PG15` and so on; without
//! that, each test process starts its own on first use.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::{Mutex, OnceLock};

use anyhow::{Context as _, Result};
use postgres::config::Host;

use super::{Server, TempServer};
use crate::env::{Env, POSTGRES_MAJORS, PgInstall};

/// The environment variable with the connection string of the superuser of a shared server.
pub fn variable(major: u32) -> String {
    format!("DJANGO_MIGRATE_TEST_PG{major}")
}

/// The shared server of a major version: the one that `cargo xtask test` started, else one of this process.
///
/// # Panics
/// When there is none: a test that wants a server and gets none has failed.
#[track_caller]
pub fn shared(major: u32) -> &'static Server {
    static SERVERS: Mutex<BTreeMap<u32, &'static Server>> = Mutex::new(BTreeMap::new());
    let mut servers = SERVERS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(server) = servers.get(&major) {
        return server;
    }
    let server =
        find_or_start(major).unwrap_or_else(|why| panic!("no shared PostgreSQL {major}: {why:#}"));
    servers.insert(major, server);
    server
}

/// Lives as long as the process; the watchdog ends the server with it.
fn find_or_start(major: u32) -> Result<&'static Server> {
    let install = Env::open()?.postgres(major)?;
    if let Some(dsn) = std::env::var(variable(major))
        .ok()
        .filter(|dsn| !dsn.is_empty())
    {
        return Ok(Box::leak(Box::new(
            given(&dsn, install).with_context(|| variable(major))?,
        )));
    }
    Ok(Box::leak(Box::new(TempServer::start(&install)?)))
}

fn given(dsn: &str, install: PgInstall) -> Result<Server> {
    let config = postgres::Config::from_str(dsn)?;
    let Some(Host::Tcp(host)) = config.get_hosts().first() else {
        anyhow::bail!("no TCP host")
    };
    let text = |bytes: Option<&[u8]>| {
        bytes
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .context("no password")
    };
    let mut server = Server {
        install,
        host: host.clone(),
        port: config.get_ports().first().copied().unwrap_or(5432),
        socket_dir: "/".into(),
        user: config.get_user().context("no user")?.to_owned(),
        password: text(config.get_password())?,
    };
    server.socket_dir = server
        .scalar("postgres", "SHOW unix_socket_directories")?
        .into();
    Ok(server)
}

/// The major versions that start on this machine, oldest first: those that `cargo xtask test` started, else every
/// supported one that is there or can be fetched.
pub fn available() -> &'static [u32] {
    static AVAILABLE: OnceLock<Vec<u32>> = OnceLock::new();
    AVAILABLE.get_or_init(|| {
        let named =
            |major: &u32| std::env::var_os(variable(*major)).is_some_and(|dsn| !dsn.is_empty());
        let given: Vec<u32> = POSTGRES_MAJORS.into_iter().filter(named).collect();
        if !given.is_empty() {
            return given;
        }
        let starts = |major: &u32| Env::open().and_then(|env| env.postgres(*major)).is_ok();
        POSTGRES_MAJORS.into_iter().filter(starts).collect()
    })
}
