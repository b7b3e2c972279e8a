//! What every integration test stands on: the real binary in a real Django project on a real PostgreSQL.
//!
//! ```ignore
//! let shop = support::shop("5.2", 15);
//! let ran = support::cli(&shop).args(["run", "--no-backup"]).run().expect(0);
//! insta::assert_snapshot!(ran.snapshot());
//! let mut terminal = support::cli(&shop).args(["run", "--apply"]).tty();
//! terminal.wait_for("I understand");
//! terminal.type_line("I understand");
//! assert_eq!(terminal.finish(), 0);
//! ```
//!
//! Servers are shared by all tests of a run, databases are not: each test clones its own. Tests that take minutes are
//! `#[ignore = "slow"]`, which `cargo xtask test --all` runs.
//!
//! Absent here: expectations. Those stand in the tests.
#![allow(dead_code, unused_imports, reason = "no test uses all of it")]

pub(crate) use xtask::env::{Env, PgInstall, Venv};
pub(crate) use xtask::harness::{Filters, Ran, Terminal, TestCli};
pub(crate) use xtask::project::{App, Builder, Project, SHOP_APPLIED, SHOP_PENDING, Shop};
pub(crate) use xtask::servers::{
    Database, Network, Options, PoolMode, Pooler, Server, TempServer, available, shared,
};

use std::path::Path;

/// Pairs of server and Django that a test of the whole walks through. Django 6.1, the newest, asks for PostgreSQL 15.
pub(crate) const MATRIX: [(u32, &str); 4] = [(15, "4.2"), (15, "5.2"), (18, "5.2"), (18, "newest")];

/// The binary in a project: its Python is active, its server's programs are on PATH, nothing else is inherited.
pub(crate) fn cli(project: &Project) -> TestCli {
    TestCli::in_project(env!("CARGO_BIN_EXE_django-migrate"), project)
}

/// The binary in any folder, where there need be no project.
pub(crate) fn cli_in(folder: &Path) -> TestCli {
    TestCli::new(env!("CARGO_BIN_EXE_django-migrate"), folder)
}

/// The environment of a Django version, or of the `"newest"`.
#[track_caller]
pub(crate) fn django(version: &str) -> Venv {
    environment()
        .django(version)
        .unwrap_or_else(|why| panic!("no Django {version}: {why:#}"))
}

/// An environment by its name in [`xtask::env::VENVS`].
#[track_caller]
pub(crate) fn venv(name: &str) -> Venv {
    environment()
        .venv(name)
        .unwrap_or_else(|why| panic!("no environment {name}: {why:#}"))
}

/// The shop of this Django on the shared server of this major version: three migrations applied, five pending.
#[track_caller]
pub(crate) fn shop(version: &str, major: u32) -> Shop {
    shop_with(version, major, |builder| builder)
}

/// The shop with changes to the project.
#[track_caller]
pub(crate) fn shop_with(
    version: &str,
    major: u32,
    describe: impl FnOnce(Builder) -> Builder,
) -> Shop {
    Shop::described(&django(version), shared(major), describe)
        .unwrap_or_else(|why| panic!("no shop: {why:#}"))
}

/// A project with one app, whose database is empty.
#[track_caller]
pub(crate) fn project(
    version: &str,
    major: u32,
    label: &str,
    describe: impl FnOnce(App) -> App,
) -> (Project, Database) {
    let made = || -> anyhow::Result<_> {
        let database = shared(major).database()?;
        Ok((
            Project::new(&django(version), &database)
                .app(label, describe)
                .write()?,
            database,
        ))
    };
    made().unwrap_or_else(|why| panic!("no project: {why:#}"))
}

/// A PgBouncer before this server. Where none can be had, that is said aloud and the test ends; Debian has a package, so
/// that root, who may fetch it, must have it there.
#[track_caller]
pub(crate) fn pooler(server: &Server, mode: PoolMode) -> Option<Pooler> {
    pooler_with(server, mode, "")
}

/// With further lines of settings.
#[track_caller]
#[expect(clippy::print_stderr, reason = "says what was not tested")]
pub(crate) fn pooler_with(server: &Server, mode: PoolMode, more: &str) -> Option<Pooler> {
    match environment().pgbouncer() {
        Ok(program) => {
            let started = Pooler::start_with(&program, server, mode, more);
            Some(started.unwrap_or_else(|why| panic!("no PgBouncer: {why:#}")))
        }
        Err(why) => {
            let expected =
                rustix::process::getuid().is_root() && Path::new("/etc/debian_version").exists();
            assert!(!expected, "{why:#}");
            eprintln!("NOT TESTED, no PgBouncer here: {why:#}");
            None
        }
    }
}

/// Lets the project's settings lead through the pooler.
#[track_caller]
pub(crate) fn lead_through(project: &Project, pooler: &Pooler) {
    lead_to(project, pooler.host(), pooler.port());
}

/// Lets the project's settings lead to this port.
#[track_caller]
pub(crate) fn lead_to(project: &Project, host: &str, port: u16) {
    let text = project.read_file("config/settings.py").expect("settings");
    let text = format!("{text}\nDATABASES['default'].update(HOST={host:?}, PORT='{port}')\n");
    project
        .write_file("config/settings.py", &text)
        .expect("settings");
}

#[track_caller]
fn environment() -> Env {
    Env::open().unwrap_or_else(|why| panic!("{why:#}"))
}
