//! `cargo xtask test`: everything, on what `env` gets.
//!
//! The servers are started once for all tests, whose processes find them by environment variables. With cargo-nextest
//! where it is installed, with plain `cargo test` otherwise. At the end the reader of dumps is fuzzed for a moment.

use std::process::Command;

use anyhow::{Result, bail};
use xtask::env::{Env, POSTGRES_MAJORS, VENVS};
use xtask::process::{self, cargo};
use xtask::servers::{TempServer, variable};

use super::fuzz;

/// Run every test: the library's, and the whole program on real PostgreSQL and Django
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// The slow ones too (those marked `ignore`)
    #[arg(long)]
    all: bool,
    /// Only tests of this package
    #[arg(long, short, value_name = "NAME")]
    package: Vec<String>,
    /// Only tests with this in their names
    filters: Vec<String>,
}

/// The versions without which the suite would prove too little.
const NEEDED: [u32; 2] = [15, 18];

pub(crate) fn run(args: &Args) -> Result<()> {
    let env = Env::open()?;
    println!("environment: {}", env.root().display());
    let servers = start_servers(&env)?;
    fetch_venvs(&env)?;
    let with_servers = |mut command: Command| {
        for server in &servers {
            command.env(variable(server.major()), server.dsn("postgres"));
        }
        process::show(&mut command)
    };
    if cargo()
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|said| said.status.success())
    {
        with_servers(nextest(args))?;
        // nextest leaves the examples of the documentation out
        if args.filters.is_empty() {
            with_servers(doctests(args))?;
        }
    } else {
        with_servers(plain(args))?;
    }
    if args.filters.is_empty() && args.package.is_empty() {
        fuzz::run(&fuzz::Args::bounded())?;
    }
    Ok(())
}

fn start_servers(env: &Env) -> Result<Vec<TempServer>> {
    let mut servers = Vec::new();
    for major in POSTGRES_MAJORS {
        match env
            .postgres(major)
            .and_then(|install| TempServer::start(&install))
        {
            Ok(server) => {
                println!(
                    "server:      {} on port {}",
                    server.install(),
                    server.port()
                );
                servers.push(server);
            }
            Err(why) if NEEDED.contains(&major) => return Err(why),
            Err(why) => println!("server:      PostgreSQL {major} is left out: {why:#}"),
        }
    }
    Ok(servers)
}

/// All that this machine's Python can run; one that fits no Python is left out aloud.
fn fetch_venvs(env: &Env) -> Result<()> {
    let mut djangos = 0;
    for name in VENVS {
        match env.venv(name).and_then(|venv| venv.django_version()) {
            Ok(version) => {
                println!("environment: {name}, Django {version}");
                djangos += usize::from(name.starts_with("django"));
            }
            Err(why) => println!("environment: {name} is left out: {why:#}"),
        }
    }
    if djangos < 2 {
        bail!("at least Django 4.2 and 5.2 are needed");
    }
    Ok(())
}

fn nextest(args: &Args) -> Command {
    let mut command = cargo();
    command
        .args(["nextest", "run", "--no-fail-fast"])
        .args(packages(args))
        .args(&args.filters);
    if args.all {
        command.args(["--run-ignored", "all"]);
    }
    command
}

fn plain(args: &Args) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--no-fail-fast"])
        .args(packages(args))
        .arg("--")
        .args(&args.filters);
    if args.all {
        command.arg("--include-ignored");
    }
    command
}

fn doctests(args: &Args) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--doc", "--quiet"])
        .args(packages(args));
    command
}

fn packages(args: &Args) -> Vec<String> {
    if args.package.is_empty() {
        return vec!["--workspace".to_owned()];
    }
    args.package
        .iter()
        .map(|package| format!("--package={package}"))
        .collect()
}
