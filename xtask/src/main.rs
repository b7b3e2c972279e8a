//! `cargo xtask`: the workshop's commands, one file each.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the workshop talks to people at a terminal"
)]

mod commands;

use std::process::ExitCode;

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
    Demo(commands::demo::Args),
    Test(commands::test::Args),
    Ci(commands::ci::Args),
    Fuzz(commands::fuzz::Args),
    Bench(commands::bench::Args),
    Codegen(commands::codegen::Args),
    Dist(commands::dist::Args),
    Release(commands::release::Args),
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Env(args) => commands::env::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Test(args) => commands::test::run(&args),
        Command::Ci(args) => commands::ci::run(&args),
        Command::Fuzz(args) => commands::fuzz::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Codegen(args) => commands::codegen::run(&args),
        Command::Dist(args) => commands::dist::run(&args),
        Command::Release(args) => commands::release::run(&args),
    }
}
