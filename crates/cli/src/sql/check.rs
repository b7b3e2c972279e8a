//! What must hold of the splitter and the tokens, whatever the script. For tests and for the fuzzer.

use super::split::split;
use super::tokens::check_tokens;

/// # Panics
/// Where it does not hold.
pub(crate) fn check_split(script: &str) {
    let mut at = 0;
    let mut lines = Lines::default();
    for piece in split(script) {
        assert!(script[at..].starts_with(piece.raw), "pieces stand in order");
        let begins = piece.sql.as_ptr() as usize - script.as_ptr() as usize;
        assert!(at <= begins && begins + piece.sql.len() <= at + piece.raw.len());
        assert_eq!(piece.line, lines.of(script, begins), "{:?}", piece.sql);
        assert_eq!(piece.sql.trim_ascii(), piece.sql, "no space around it");
        if !piece.sql.is_empty() {
            let again: Vec<_> = split(piece.sql).map(|piece| piece.sql).collect();
            assert_eq!(again, [piece.sql], "a statement is one statement");
            check_tokens(piece.sql);
        }
        at += piece.raw.len();
    }
    assert_eq!(at, script.len(), "nothing is lost");
}

/// Lines up to a place, counted on from the last place.
#[derive(Default)]
struct Lines {
    at: usize,
    ends: usize,
}

impl Lines {
    fn of(&mut self, script: &str, place: usize) -> usize {
        assert!(self.at <= place, "lines go on");
        self.ends += script[self.at..place].matches('\n').count();
        self.at = place;
        self.ends + 1
    }
}
