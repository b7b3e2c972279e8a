//! What a fuzzer calls: any text, and what must hold of it.
//!
//! Outside of this crate's own tests it is there with the feature `fuzzing` alone, for `fuzz/`.
//!
//! Absent: making the text, and what a server would say.

#[cfg(test)]
mod tests;

use crate::hazards;
use crate::sql;

/// A script is split, read and assessed: no panic, nothing lost, and each statement where it stands.
///
/// # Panics
/// Where a promise of the splitter's or the reader's is broken.
pub fn script(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    sql::check_split(text);
    let mut line = 1;
    for statement in hazards::assess_script(text, &hazards::Context::default(), hazards::Atomic::No)
    {
        assert!(statement.line >= line, "lines go on");
        line = statement.line;
        assert!(
            statement.parsed || !statement.findings.is_empty() || is_transaction(statement.kind),
            "what is not understood asks: {:?}",
            statement.sql
        );
    }
}

fn is_transaction(kind: sql::StatementKind) -> bool {
    use sql::StatementKind as Kind;
    matches!(kind, Kind::Begin | Kind::Commit | Kind::Rollback)
}

/// A query of somebody else's: no literal is left in it.
///
/// # Panics
/// Where one is.
pub fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let masked = sql::masked(&text);
    assert!(text.contains('"') || !masked.contains('\''), "{masked}");
    assert!(
        masked.len() <= 2 * text.len() + 200,
        "a mask is no longer than what it hides"
    );
}
