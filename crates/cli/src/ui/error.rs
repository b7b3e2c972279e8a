//! A failure as a person reads it: what, where from, what to do next.

use super::style::{Look, paint};
use super::wrapped;
use crate::failure::Failure;

pub(crate) fn failure(failure: &Failure) -> String {
    let mut text = wrapped(
        "",
        &format!("{} {}", paint(Look::Bad, "error:"), failure.message),
    );
    let width = failure
        .sources
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    for (name, value) in &failure.sources {
        text.push_str(&format!(
            "\n  {} {value}",
            paint(
                Look::Faint,
                format!("{:<w$}", format!("{name}:"), w = width + 1)
            )
        ));
    }
    if let Some(hint) = &failure.hint {
        text.push('\n');
        text.push_str(&wrapped(
            "",
            &format!("{} {hint}", paint(Look::Keyword, "hint:")),
        ));
    }
    text
}
