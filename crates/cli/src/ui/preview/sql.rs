//! A statement's text, with carets under the words that matter.

use std::ops::Range;

use crate::hazards::{self, Severity};
use crate::sql::Statement;
use crate::ui::style::{self, Look, paint};
use crate::ui::wrapped_sql;

/// Lines of a statement that is shown whole.
const MANY: usize = 30;
/// Lines that are left of a longer one at its beginning, and around what is marked.
const HEAD: usize = 8;
const AROUND: usize = 1;

/// Words of the text, and the gravest finding about them.
struct Mark {
    at: Range<usize>,
    severity: Severity,
}

/// One line of the text as it is shown.
struct Line {
    text: String,
    carets: Option<String>,
}

/// The lines, each behind two blanks; of a long statement with `shorten` only its head and what is marked.
pub(super) fn lines(s: &Statement, shorten: bool) -> Vec<String> {
    let sql = format!("{};", s.sql.trim_end().trim_end_matches(';'));
    let text = wrapped_sql("  ", &sql);
    let lines = drawn(&text, &marks(s, &sql, &text));
    let many = lines.len();
    let marked: Vec<usize> = (0..many).filter(|n| lines[*n].carets.is_some()).collect();
    let is_shown = |n: usize| {
        let near = |at: &usize| at.abs_diff(n) <= AROUND;
        !shorten || many <= MANY || n < HEAD || n + 1 == many || marked.iter().any(near)
    };
    let mut out = Vec::new();
    let mut left_out = 0;
    for (n, line) in lines.into_iter().enumerate() {
        if !is_shown(n) {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            let words = format!("  … {}", crate::ui::count(left_out, "line"));
            out.push(paint(Look::Faint, words));
            left_out = 0;
        }
        out.push(format!("  {}", line.text));
        out.extend(line.carets.map(|carets| format!("  {carets}")));
    }
    out
}

/// What asks or stops, where it stands in the text as it is broken into lines.
fn marks(s: &Statement, sql: &str, text: &str) -> Vec<Mark> {
    let places = hazards::marks(s).into_iter().zip(&s.findings);
    let grave = places.filter(|(_, finding)| finding.counts() >= Severity::Ask);
    let places: Vec<(Range<usize>, Severity)> = grave
        .filter_map(|(place, finding)| Some((place?, finding.severity)))
        .collect();
    if places.is_empty() {
        return Vec::new();
    }
    let moved = moved(sql.as_bytes(), text.as_bytes());
    let mark = |(at, severity): (Range<usize>, Severity)| Mark {
        at: moved[at.start]..moved[at.end - 1] + 1,
        severity,
    };
    places.into_iter().map(mark).collect()
}

/// For each byte of `sql` where it is in `text`, in which blanks became ends of lines with an indent.
fn moved(sql: &[u8], text: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let mut moved = Vec::with_capacity(sql.len());
    for byte in sql {
        if *byte != b' ' {
            while at < text.len() && text[at] != *byte {
                at += 1;
            }
        }
        moved.push(at);
        if text.get(at) == Some(byte) {
            at += 1;
        }
    }
    moved
}

fn drawn(text: &str, marks: &[Mark]) -> Vec<Line> {
    let mut begin = 0;
    let painted = style::sql(text);
    let lines = text.split('\n').zip(painted.split('\n'));
    lines
        .map(|(plain, painted)| {
            let carets = carets(plain, begin, marks);
            begin += plain.len() + 1;
            Line {
                text: painted.to_owned(),
                carets,
            }
        })
        .collect()
}

/// `     ^^^^^^^^^^^` under the marked words of a line that begins at a byte of the text; none where nothing is marked.
fn carets(line: &str, begin: usize, marks: &[Mark]) -> Option<String> {
    let mut row = String::new();
    let mut worst = None;
    for (at, c) in line.char_indices() {
        let here = marks.iter().filter(|mark| mark.at.contains(&(begin + at)));
        let severity = here.map(|mark| mark.severity).max();
        worst = worst.max(severity);
        row.push(match severity {
            // the indent of a line is no word
            Some(_) if !row.trim().is_empty() || !c.is_whitespace() => '^',
            _ if c == '\t' => '\t',
            _ => ' ',
        });
    }
    let look = match worst? {
        Severity::Stop => Look::Bad,
        _ => Look::Warning,
    };
    Some(paint(look, row.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::{Mark, drawn, lines, moved};
    use crate::hazards::{Atomic, Context, Severity, assess_script};

    fn shown(sql: &str, shorten: bool) -> String {
        let statement = assess_script(sql, &Context::default(), Atomic::No)
            .last()
            .unwrap();
        let lines = lines(&statement, shorten).join("\n");
        anstream::adapter::strip_str(&lines).to_string()
    }

    #[test]
    fn carets_stand_under_the_words() {
        let sql = "ALTER TABLE item\n\tDROP COLUMN \"é\" CASCADE,\n  DROP COLUMN b";
        let expected = "  ALTER TABLE item\n  \tDROP COLUMN \"é\" CASCADE,\n  \t^^^^^^^^^^^^^^^ ^^^^^^^\n    \
                        DROP COLUMN b;\n    ^^^^^^^^^^^^^";
        assert_eq!(shown(sql, true), expected);
        assert!(!shown("CREATE TABLE a (b int)", true).contains('^'));
    }

    #[test]
    fn words_are_found_again_where_lines_were_broken() {
        let sql = "ALTER TABLE item  DROP COLUMN price;";
        let text = "ALTER TABLE item\n  DROP COLUMN\n  price;";
        let moved = moved(sql.as_bytes(), text.as_bytes());
        let at = sql.find("DROP").unwrap()..sql.find(';').unwrap();
        let mark = Mark {
            at: moved[at.start]..moved[at.end - 1] + 1,
            severity: Severity::Ask,
        };
        let carets: Vec<_> = drawn(text, &[mark])
            .into_iter()
            .map(|line| {
                line.carets
                    .map(|c| anstream::adapter::strip_str(&c).to_string())
            })
            .collect();
        assert_eq!(
            carets,
            [None, Some("  ^^^^^^^^^^^".into()), Some("  ^^^^^".into())]
        );
    }

    #[test]
    fn a_long_statement_keeps_its_head_and_what_is_marked() {
        let rows: Vec<String> = (0..100).map(|n| format!("  ADD COLUMN c{n} int")).collect();
        let sql = format!(
            "ALTER TABLE item\n{},\n  DROP COLUMN old;",
            rows.join(",\n")
        );
        let short = shown(&sql, true);
        assert!(short.contains("… 92 lines\n"), "{short}");
        assert!(
            short.ends_with("DROP COLUMN old;\n    ^^^^^^^^^^^^^^^"),
            "{short}"
        );
        assert_eq!(shown(&sql, false).lines().count(), 103);
    }
}
