//! Which statements both sides have, and which one has alone.
//!
//! Absent: where they come from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::mpsc::Receiver;

use pgdriver::shape;

use super::side::Told;
use crate::restore::Difference;

/// Statements of one side that are kept until the other has them; more are too many to tell.
const UNMATCHED: usize = 10_000;

/// What both sides have, and what one has alone.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub(super) same: u64,
    pub(super) unmatched: Vec<Difference>,
    pub(super) overflown: bool,
}

/// Takes from both in turn, so that what waits for its like is little.
pub(super) fn matched(archive: &Receiver<Told>, scratch: Option<Receiver<Told>>) -> Matched {
    let Some(scratch) = scratch else {
        while archive.recv().is_ok() {}
        return Matched::default();
    };
    let mut matched = Matched::default();
    // how many more the archive has
    let mut open: HashMap<Vec<u8>, (i64, u64)> = HashMap::new();
    let (mut archive, mut scratch) = (Some(archive), Some(&scratch));
    while archive.is_some() || scratch.is_some() {
        for (side, more) in [(&mut archive, 1), (&mut scratch, -1)] {
            let Some(next) = side.map(Receiver::recv) else {
                continue;
            };
            let Ok(told) = next else {
                *side = None;
                continue;
            };
            if matched.overflown {
                continue;
            }
            let text = in_one_order(settled(told.text));
            let entry = open.entry(text).or_insert((0, told.line));
            if entry.0 * more < 0 {
                matched.same += 1;
            }
            entry.0 += more;
            // those that are level stay for a while
            if open.len() > UNMATCHED {
                open.retain(|_, (more, _)| *more != 0);
                matched.overflown = open.len() > UNMATCHED / 2;
            }
        }
    }
    let mut left: Vec<_> = open
        .into_iter()
        .filter(|(_, (more, _))| *more != 0)
        .collect();
    left.sort_by_key(|(_, (more, line))| (*more < 0, *line));
    matched.unmatched = left
        .into_iter()
        .map(|(text, (more, line))| difference(&text, more, line))
        .collect();
    matched
}

/// As the server writes it when it has read it once.
fn settled(text: Vec<u8>) -> Vec<u8> {
    match std::str::from_utf8(&text).map(shape::settled) {
        Ok(Cow::Owned(other)) => other.into_bytes(),
        Ok(Cow::Borrowed(_)) | Err(_) => text,
    }
}

/// A table that inherits gets the columns of its parents first when it is made from a dump, wherever they stood before.
fn in_one_order(text: Vec<u8>) -> Vec<u8> {
    let is_heir =
        text.starts_with(b"CREATE ") && memchr::memmem::find(&text, b"\nINHERITS (").is_some();
    if !is_heir {
        return text;
    }
    let mut lines: Vec<&[u8]> = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b",").unwrap_or(line))
        .collect();
    // the first line names the table
    lines[1..].sort_unstable();
    lines.join(&b'\n')
}

fn difference(text: &[u8], more: i64, line: u64) -> Difference {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    match more > 0 {
        true => Difference {
            what: format!("definition at line {line} of the archive"),
            expected: shown,
            found: "missing".to_owned(),
        },
        false => Difference {
            what: "definition in the restored database".to_owned(),
            expected: "none".to_owned(),
            found: shown,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn sides(archive: &[&str], scratch: &[&str]) -> Matched {
        let side = |texts: &[&str]| {
            let (tell, told) = sync_channel(texts.len());
            for (at, text) in texts.iter().enumerate() {
                let (line, text) = (at as u64 + 1, text.as_bytes().to_vec());
                tell.send(Told { line, text }).unwrap();
            }
            told
        };
        matched(&side(archive), Some(side(scratch)))
    }

    #[test]
    fn what_one_side_has_alone_is_told() {
        let same = sides(&["a", "b", "a"], &["b", "a", "a"]);
        assert_eq!((same.same, same.unmatched.len()), (3, 0));
        let other = sides(&["a", "b", "b", "CREATE  x\n  y"], &["a", "b", "c"]);
        assert_eq!(other.same, 2);
        let told: Vec<String> = other.unmatched.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "definition at line 2 of the archive: missing, expected b",
                "definition at line 4 of the archive: missing, expected CREATE x y",
                "definition in the restored database: c, expected none",
            ]
        );
    }

    #[test]
    fn the_columns_of_an_heir_may_come_in_another_order() {
        let before =
            "CREATE TABLE public.h (\n    b integer,\n    a integer\n)\nINHERITS (public.p)";
        let after =
            "CREATE TABLE public.h (\n    a integer,\n    b integer\n)\nINHERITS (public.p)";
        assert!(sides(&[before], &[after]).unmatched.is_empty());
        let (before, after) = (
            before.replace("INHERITS", "x"),
            after.replace("INHERITS", "x"),
        );
        assert_eq!(sides(&[&before], &[&after]).unmatched.len(), 2);
    }

    #[test]
    fn many_differences_do_not_fill_the_memory() {
        let texts: Vec<String> = (0..3 * UNMATCHED).map(|n| n.to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert!(sides(&texts, &[]).overflown);
        let twice = sides(&texts, &texts);
        assert_eq!((twice.same, twice.overflown), (3 * UNMATCHED as u64, false));
    }
}
