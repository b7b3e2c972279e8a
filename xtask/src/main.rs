//! `cargo xtask`: the workshop's commands, one file each.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the workshop talks to people at a terminal"
)]

mod commands;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The workshop of django-migrate.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Env(commands::env::Args),
}

fn main() -> Result<()> {
    match Args::parse().command {
        Command::Env(args) => commands::env::run(&args),
    }
}
