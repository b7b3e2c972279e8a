//! Child processes that say what they said when they fail.

use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs to the end, stdin closed; a failure carries the command and the tail of its output.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(output);
    }
    bail!(
        "{} ended with {}\n{}",
        line(command),
        output.status,
        tail(&output)
    );
}

/// Runs to the end and gives what it wrote on stdout.
pub(crate) fn stdout(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&run(command)?.stdout)
        .trim_end()
        .to_owned())
}

fn line(command: &Command) -> String {
    let mut line = command.get_program().display().to_string();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

fn tail(output: &Output) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
