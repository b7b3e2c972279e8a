//! The two streams: stdout carries the answer, stderr the talk.
//!
//! A reader that went away (`| head`) is no error of ours, so write errors are dropped here and only here.

use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

pub(crate) fn answer(text: impl Display) {
    end_row();
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

/// A row on stderr has no end yet.
static OPEN: AtomicBool = AtomicBool::new(false);

pub(crate) fn talk(text: impl Display) {
    end_row();
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{text}");
    let _ = err.flush();
}

/// Without the line's end, for prompts.
pub(crate) fn talk_on(text: impl Display) {
    end_row();
    let mut err = anstream::stderr().lock();
    let _ = write!(err, "{text}");
    let _ = err.flush();
}

/// More of a row; what begins it, where none is open. Whatever is said next ends it.
pub(crate) fn row(begins: impl Display, more: impl Display) {
    let mut err = anstream::stderr().lock();
    if !OPEN.swap(true, Ordering::Relaxed) {
        let _ = write!(err, "{begins}");
    }
    let _ = write!(err, "{more}");
    let _ = err.flush();
}

pub(crate) fn end_row() {
    if OPEN.swap(false, Ordering::Relaxed) {
        let mut err = anstream::stderr().lock();
        let _ = writeln!(err);
        let _ = err.flush();
    }
}

/// Bytes as they are, for manual pages and completions.
pub(crate) fn raw(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes);
    let _ = out.flush();
}
