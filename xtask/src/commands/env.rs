//! `cargo xtask env`: fetches what tests and the demo stand on, and says where it is.

use std::time::Instant;

use anyhow::{Result, bail};
use xtask::env::{Env, LINTERS, POSTGRES_MAJORS, VENVS};

/// Fetch PostgreSQL servers and Django environments (idempotent; the rest of xtask fetches what it needs by itself)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these: pg14 to pg18, django42, django42-psycopg2, django52, django61, newest, wagtail, oscar, pgbouncer, squawk, libclang
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    only: Vec<String>,
}

/// A thing that cannot be had is named with its reason; the others are fetched all the same.
pub(crate) fn run(args: &Args) -> Result<()> {
    let env = Env::open()?;
    println!("{}", env.root().display());
    let mut missing = Vec::new();
    for name in wanted(args) {
        let begun = Instant::now();
        match fetch(&env, &name) {
            Ok(what) => println!(
                "  {name:<18} {:>5.1} s  {what}",
                begun.elapsed().as_secs_f64()
            ),
            Err(why) => {
                println!("  {name:<18} is not to be had here: {why:#}");
                missing.push(name);
            }
        }
    }
    if !args.only.is_empty() && !missing.is_empty() {
        bail!("not to be had here: {}", missing.join(", "));
    }
    Ok(())
}

fn wanted(args: &Args) -> Vec<String> {
    if !args.only.is_empty() {
        return args.only.clone();
    }
    let servers = POSTGRES_MAJORS.iter().map(|major| format!("pg{major}"));
    servers
        .chain(VENVS.iter().map(|&name| name.to_owned()))
        .chain(["pgbouncer".to_owned()])
        .collect()
}

fn fetch(env: &Env, name: &str) -> Result<String> {
    if let Some(major) = name.strip_prefix("pg").and_then(|major| major.parse().ok()) {
        return Ok(env.postgres(major)?.to_string());
    }
    if name == "pgbouncer" {
        return Ok(format!("PgBouncer {}", env.pgbouncer()?.version));
    }
    if LINTERS.contains(&name) {
        return Ok(env.venv(name)?.folder.display().to_string());
    }
    let venv = if name == "newest" {
        env.django(name)?
    } else {
        env.venv(name)?
    };
    Ok(format!(
        "Django {}  {}",
        venv.django_version()?,
        venv.folder.display()
    ))
}
