//! The two streams: stdout carries the answer, stderr the talk.
//!
//! A reader that went away (`| head`) is no error of ours, so write errors are dropped here and only here.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

pub(crate) fn answer(text: impl Display) {
    let mut out = anstream::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// A whole document for scripts.
pub(crate) fn document(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => answer(text),
        Err(e) => talk(format!("error: the answer is no JSON: {e}")),
    }
}

pub(crate) fn talk(text: impl Display) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{text}");
    let _ = err.flush();
}

/// Without the line's end, for prompts.
pub(crate) fn talk_on(text: impl Display) {
    let mut err = anstream::stderr().lock();
    let _ = write!(err, "{text}");
    let _ = err.flush();
}

/// Bytes as they are, for manual pages and completions.
pub(crate) fn raw(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes);
    let _ = out.flush();
}
