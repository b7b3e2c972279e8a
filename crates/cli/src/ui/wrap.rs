//! Long lines, broken at words under a hanging indent where a terminal shows them; whole where a pipe takes them.
//!
//! Absent here: SQL and commands, which are pasted and so never broken.

use std::io::IsTerminal;

/// `text` behind `indent`, its further lines two columns deeper. Escape sequences have no width.
pub(crate) fn wrapped(indent: &str, text: &str) -> String {
    wrapped_to(width(), indent, text)
}

fn wrapped_to(width: Option<usize>, indent: &str, text: &str) -> String {
    let Some(width) = width else {
        return format!("{indent}{text}");
    };
    let deeper = format!("{indent}  ");
    let lines = text.lines().map(|line| {
        // hyphens stand in names and paths, which are copied
        let options = textwrap::Options::new(width.max(40))
            .initial_indent(indent)
            .subsequent_indent(&deeper)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .break_words(false);
        textwrap::fill(line, options)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Columns of the terminal that shows it; none where nobody looks.
fn width() -> Option<usize> {
    let of = |size: rustix::termios::Winsize| {
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    };
    let (out, err) = (std::io::stdout(), std::io::stderr());
    if out.is_terminal() {
        rustix::termios::tcgetwinsize(&out).ok().and_then(of)
    } else if err.is_terminal() {
        rustix::termios::tcgetwinsize(&err).ok().and_then(of)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_under_a_hanging_indent() {
        let text =
            "the backup is in backups/backup_shop-prod_20261122.sql.gz and was read back whole";
        let broken = wrapped_to(Some(50), "    ", text);
        assert!(
            broken.lines().count() == 2
                && broken.contains("backups/backup_shop-prod_20261122.sql.gz")
        );
        assert!(broken.lines().nth(1).unwrap().starts_with("      "));
        assert_eq!(wrapped_to(None, "  ", text), format!("  {text}"));
    }
}
