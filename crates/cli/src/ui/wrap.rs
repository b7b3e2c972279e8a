//! Long lines, broken at words under a hanging indent where a terminal shows them; whole where a pipe takes them.
//!
//! SQL is pasted: it is broken only at blanks outside quotes, where PostgreSQL reads a line's end as a blank. Absent
//! here: commands, which are never broken.

use std::io::IsTerminal;

/// `text` behind `indent`, its further lines two columns deeper. Escape sequences have no width.
pub(crate) fn wrapped(indent: &str, text: &str) -> String {
    wrapped_to(width(), indent, text)
}

/// `text` behind `first`, its further lines behind `further`: in the branches of a tree.
pub(crate) fn hanging(first: &str, further: &str, text: &str) -> String {
    hanging_to(width(), first, further, text)
}

/// As much of `text` as fits on the line behind `indent`.
pub(crate) fn fitted(indent: &str, text: &str) -> String {
    fitted_to(width(), indent, text)
}

fn fitted_to(width: Option<usize>, indent: &str, text: &str) -> String {
    let Some(width) = width else {
        return text.to_owned();
    };
    // deep in a tree there is always room for a word
    let room = width.max(40).saturating_sub(indent.chars().count()).max(10);
    match text.chars().count() > room {
        true => format!("{}…", text.chars().take(room - 1).collect::<String>()),
        false => text.to_owned(),
    }
}

fn wrapped_to(width: Option<usize>, indent: &str, text: &str) -> String {
    hanging_to(width, indent, &format!("{indent}  "), text)
}

fn hanging_to(width: Option<usize>, first: &str, further: &str, text: &str) -> String {
    let Some(width) = width else {
        return format!("{first}{text}");
    };
    let lines = text.lines().map(|line| {
        // hyphens stand in names and paths, which are copied
        let options = textwrap::Options::new(width.max(40))
            .initial_indent(first)
            .subsequent_indent(further)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .break_words(false);
        textwrap::fill(line, options)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// SQL for a line behind `indent`.
pub(crate) fn wrapped_sql(indent: &str, sql: &str) -> String {
    match width() {
        Some(width) => sql_to(width.max(40) - indent.len(), sql),
        None => sql.to_owned(),
    }
}

fn sql_to(width: usize, sql: &str) -> String {
    // bodies of functions, block comments and escapes are left as they are
    if sql.contains('$') || sql.contains("/*") || sql.contains('\\') {
        return sql.to_owned();
    }
    let lines = words(sql).into_iter().map(|line| fill(width, &line));
    lines.collect::<Vec<_>>().join("\n")
}

/// The lines of `sql` and in each its words, with the blanks before them; a quoted text or a comment is one word.
fn words(sql: &str) -> Vec<Vec<String>> {
    let mut lines = vec![vec![String::new()]];
    let mut quote = None;
    let mut in_comment = false;
    for c in sql.chars() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        let at = line.len() - 1;
        let ends_word = line[at].ends_with(|c| c != ' ');
        match c {
            '\n' if quote.is_none() => {
                in_comment = false;
                lines.push(vec![String::new()]);
                continue;
            }
            ' ' if quote.is_none() && !in_comment && ends_word => line.push(String::new()),
            '\'' | '"' if quote.is_none() && !in_comment => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            '-' if quote.is_none() && line[at].ends_with('-') => in_comment = true,
            _ => {}
        }
        if let Some(word) = line.last_mut() {
            word.push(c);
        }
    }
    lines
}

fn fill(width: usize, words: &[String]) -> String {
    let mut out = String::new();
    let mut column = 0;
    for (n, word) in words.iter().enumerate() {
        let length = word.chars().count();
        if n > 0 && column + length > width {
            out.push_str("\n  ");
            out.push_str(word.trim_start());
            column = 2 + word.trim_start().chars().count();
        } else {
            out.push_str(word);
            column += length;
        }
    }
    out
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
    fn in_a_tree_a_line_goes_on_behind_the_trunk() {
        let text = "7 web  waits 6.0 s for ACCESS EXCLUSIVE on public.item";
        assert_eq!(
            hanging_to(Some(40), "├─ ", "│    ", text),
            "├─ 7 web  waits 6.0 s for ACCESS\n│    EXCLUSIVE on public.item"
        );
        assert_eq!(fitted_to(Some(40), "│  ", text).chars().count(), 37);
        assert!(fitted_to(Some(40), "│  ", text).ends_with("ACCESS EXCLUS…"));
        assert_eq!(fitted_to(Some(80), "│  ", text), text);
        assert_eq!(fitted_to(None, "", text), text);
        assert_eq!(fitted_to(Some(40), &"│  ".repeat(40), text), "7 web  wa…");
    }

    #[test]
    fn sql_is_broken_only_where_it_stays_the_same() {
        let sql = "ALTER TABLE \"shop item\" ADD COLUMN note varchar(10) DEFAULT 'a text of some length -- and more';";
        let broken = sql_to(30, sql);
        assert_eq!(
            broken,
            "ALTER TABLE \"shop item\" ADD\n  COLUMN note varchar(10)\n  DEFAULT\n  'a text of some length -- and more';"
        );
        assert_eq!(broken.replace("\n  ", " "), sql);
        let commented = "SELECT 1 -- one and two and three\n  FROM item";
        assert_eq!(
            sql_to(20, commented),
            "SELECT 1\n  -- one and two and three\n  FROM item"
        );
        let body = "DO $$ BEGIN PERFORM a_function_with_a_name(); END $$";
        assert_eq!(sql_to(20, body), body);
        assert_eq!(sql_to(200, sql), sql);
    }

    #[test]
    fn words_stay_whole_under_a_hanging_indent() {
        let text =
            "the backup is in backups/backup_shop-prod_20261122.sql.gz and was read back whole";
        let broken = wrapped_to(Some(50), "    ", text);
        assert!(
            broken.lines().count() == 3
                && broken.contains("backups/backup_shop-prod_20261122.sql.gz")
        );
        assert!(broken.lines().nth(1).unwrap().starts_with("      "));
        assert_eq!(wrapped_to(None, "  ", text), format!("  {text}"));
    }
}
