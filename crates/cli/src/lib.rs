//! `django-migrate`: a Django project's migrations on a production PostgreSQL, without fear.
//!
//! Facts in, decisions pure, effects at the rim; `docs/architecture.md` draws the house. This root parses, starts the
//! runtime and matches a command to its one verb. Absent here: any decision.

mod args;
mod settings;

mod event;
mod exit;
mod failure;
mod names;
mod process;
mod shell;

mod django;
mod hazards;
mod sql;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

mod consent;
mod gates;
mod plan;
mod policy;
mod preview;
mod rollback;

mod backup;
mod database;
mod execute;
mod lock;
mod locks;
mod project_tests;
mod rehearse;
mod restore;
mod verify;

mod journal;
mod reference;
mod report;
mod reporter;
mod signal;
mod ui;

mod commands;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, Format, GlobalArgs, ReportFormat};
use commands::Context;
use exit::Class;
use failure::Failure;
use settings::Layers;
use ui::style::Look;
use ui::{Volume, out, style};

/// Runs the command line of this process to its end.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    if cli.global.no_color {
        style::no_color();
    }
    let format = format_of(&cli.command);
    let name = name_of(&cli.command);
    // their last line has said it already
    let format_of_failure = match speaks_in_lines(&cli.command) {
        true => Format::Text,
        false => format,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            return end(
                &Failure::new(Class::Bug, format!("no runtime: {e}")),
                name,
                format,
            );
        }
    };
    let result = runtime.block_on(dispatch(cli));
    // a prompt may still wait for a line that nobody will type
    runtime.shutdown_background();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => end(&failure, name, format_of_failure),
    }
}

/// Events in JSON lines rather than one document.
fn speaks_in_lines(command: &Command) -> bool {
    match command {
        Command::Run(_) => true,
        Command::Rollback(args) => args.applies(),
        _ => false,
    }
}

async fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let (context, mut layers) = match (prepare(&cli.global), &cli.command) {
        (Err(failure), Command::Run(args)) => return commands::never_began(failure, args.format),
        (Err(failure), Command::Rollback(args)) if args.applies() => {
            return commands::never_began(failure, args.format);
        }
        (prepared, _) => prepared?,
    };
    match cli.command {
        Command::Run(args) => {
            let format = args.format;
            match settings::run(*args, &mut layers) {
                Ok(settings) => Box::pin(commands::run(settings, format, &context)).await,
                Err(failure) => commands::never_began(failure, format),
            }
        }
        Command::Check(args) => Box::pin(commands::check(*args, layers, &context)).await,
        Command::Status(args) => Box::pin(commands::status(args, layers, &context)).await,
        Command::Preview(args) => Box::pin(commands::preview(args, layers, &context)).await,
        Command::Lint(args) => Box::pin(commands::lint(args, layers, &context)).await,
        Command::Locks(args) => Box::pin(commands::locks(*args, layers, &context)).await,
        Command::Backup(args) => Box::pin(commands::backup(*args, layers, &context)).await,
        Command::Restore(args) => Box::pin(commands::restore(*args, layers, &context)).await,
        Command::Rollback(args) => {
            let (format, applies) = (args.format, args.applies());
            match settings::rollback(*args, &mut layers) {
                Ok(settings) => Box::pin(commands::rollback(settings, format, &context)).await,
                Err(failure) if applies => commands::never_began(failure, format),
                Err(failure) => Err(failure),
            }
        }
        Command::Report(args) => commands::report(args, layers),
        Command::Completions { shell } => Ok(commands::completions(shell)),
        Command::Man { dir } => commands::man(dir.as_deref()),
        Command::Reference { dir } => reference::write(&dir),
    }
}

fn prepare(global: &GlobalArgs) -> Result<(Context, Layers), Failure> {
    let root = global.project.clone().unwrap_or_else(|| PathBuf::from("."));
    let (context, layers) = (Context::new(global)?, Layers::read(&root)?);
    if context.volume > Volume::Quiet {
        layers.strangers().for_each(|note| {
            out::talk(format!("{} {note}", style::paint(Look::Faint, "note:")));
        });
    }
    Ok((context, layers))
}

/// The end of a command that failed: words on stderr, and where asked for a document on stdout.
fn end(failure: &Failure, command: &str, format: Format) -> ExitCode {
    out::talk(ui::failure(failure));
    if format == Format::Json {
        out::document(&failure.document(command));
    }
    ExitCode::from(failure.code())
}

/// clap's own errors, help and version.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let meant = args::meant(&words);
    if error.use_stderr() && meant.json {
        let (message, hint) = args::words(&error.render().to_string());
        let failure = Failure::new(Class::Usage, message);
        let failure = match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        };
        match meant.command.as_str() {
            "run" => drop(commands::never_began(failure, Format::Json)),
            command => out::document(&failure.document(command)),
        }
    }
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

fn format_of(command: &Command) -> Format {
    match command {
        Command::Run(args) => args.format,
        Command::Check(args) => args.format,
        Command::Status(args) => args.format,
        Command::Preview(args) => args.format.of_failure(),
        Command::Lint(args) => args.format.of_failure(),
        Command::Locks(args) => args.format,
        Command::Backup(args) => args.format(),
        Command::Restore(args) => args.format,
        Command::Rollback(args) => args.format,
        Command::Report(args) if args.format == ReportFormat::Json => Format::Json,
        Command::Report(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Reference { .. } => Format::Text,
    }
}

fn name_of(command: &Command) -> &'static str {
    match command {
        Command::Run(_) => "run",
        Command::Check(_) => "check",
        Command::Status(_) => "status",
        Command::Preview(_) => "preview",
        Command::Lint(_) => "lint",
        Command::Locks(_) => "locks",
        Command::Backup(_) => "backup",
        Command::Restore(_) => "restore",
        Command::Rollback(_) => "rollback",
        Command::Report(_) => "report",
        Command::Completions { .. } => "completions",
        Command::Man { .. } => "man",
        Command::Reference { .. } => "reference",
    }
}
