//! The two streams: stdout carries the answer, stderr the talk.
//!
//! A reader that went away (`| head`) is no error of ours, so write errors are dropped here and only here.

use std::fmt::Display;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::indented::{InLines, Indented};

pub(crate) fn answer(text: impl Display) {
    end_row();
    let mut out = anstream::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// A whole document for scripts, written while it is made: it may be larger than what it tells of.
pub(crate) fn document(value: &impl Serialize) {
    formatted(value, Indented::default());
}

/// One that may have a hundred megabytes: indented for who looks at it, in lines for who reads it.
pub(crate) fn long_document(value: &impl Serialize) {
    match std::io::stdout().is_terminal() {
        true => document(value),
        false => formatted(value, InLines::default()),
    }
}

fn formatted(value: &impl Serialize, formatter: impl Formatter) {
    end_row();
    let stdout = Undisturbed(std::io::stdout().lock());
    let mut out = BufWriter::with_capacity(1 << 16, stdout);
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    match value.serialize(&mut serializer) {
        Ok(()) => drop(out.write_all(b"\n")),
        Err(e) => talk(format!("error: the answer is no JSON: {e}")),
    }
    let _ = out.flush();
}

/// Takes everything, whether somebody reads it or not: what makes a document may count on coming to its end.
struct Undisturbed<W>(W);

impl<W: Write> Write for Undisturbed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let _ = self.0.flush();
        Ok(())
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
