//! A wait in a log, where nothing can be drawn over: never silent, and still a few lines.
//!
//! A whole line when it begins, when what is in the way changes, and once a minute; between them a dot for each word of
//! it, in rows of half a minute. The clock is that of the events, so that all of this is pure. Absent here: printing.

use std::collections::BTreeMap;

use super::seconds;

/// The longest that nobody says again who is in the way.
const WHOLE: u64 = 60_000;
/// Who is in the way may change at each look, which would be as many lines.
const CHANGED: u64 = 10_000;
/// After so long a row of dots says how long the wait is by now.
const MARK: u64 = 10_000;
/// After so long a row of dots ends.
const ROW: u64 = 30_000;

/// One word of something that lasts.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// `waiting`, `blocking`: each has a beat of its own.
    pub(super) doing: &'static str,
    /// Another one is another wait, and is told at once.
    pub(super) what: String,
    /// Told once it is another, but not at each look.
    pub(super) who: String,
    /// How long it lasts by now.
    pub(super) lasts_ms: u64,
}

/// What to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Beat {
    /// All of it, in a line of its own.
    Whole,
    /// This much more of the row that is open; what begins a row, where none is.
    Row { begins: String, more: String },
    /// This much more, and the row ends.
    End { begins: String, more: String },
}

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    told: BTreeMap<&'static str, Told>,
}

#[derive(Debug)]
struct Told {
    word: Word,
    /// When all of it was said.
    whole_at: u64,
}

impl Pulse {
    /// What lasts begins anew.
    pub(super) fn rest(&mut self) {
        self.told.clear();
    }

    pub(super) fn beat(&mut self, now_ms: u64, word: Word) -> Beat {
        let Some(told) = self.told.get_mut(word.doing) else {
            return self.whole(now_ms, word);
        };
        let since = now_ms.saturating_sub(told.whole_at);
        let another = word.who != told.word.who && since >= CHANGED;
        if word.what != told.word.what || another || since >= WHOLE {
            return self.whole(now_ms, word);
        }
        let before = told.word.lasts_ms;
        let lasts = word.lasts_ms;
        told.word.lasts_ms = lasts;
        let passed = |span: u64| before / span < lasts / span;
        let begins = format!("still {} ", word.doing);
        if !passed(MARK) {
            let more = ".".to_owned();
            return Beat::Row { begins, more };
        }
        let mark = seconds((lasts / MARK * MARK) as f64 / 1000.0);
        match passed(ROW) {
            true => Beat::End {
                begins,
                more: format!(". {mark}"),
            },
            false => Beat::Row {
                begins,
                more: format!(". {mark} "),
            },
        }
    }

    fn whole(&mut self, now_ms: u64, word: Word) -> Beat {
        let whole_at = now_ms;
        self.told.insert(word.doing, Told { word, whole_at });
        Beat::Whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(what: &str, who: &str, lasts_ms: u64) -> Word {
        Word {
            doing: "waiting",
            what: what.to_owned(),
            who: who.to_owned(),
            lasts_ms,
        }
    }

    /// The log of words that come every 0.7 s for so long.
    fn log(total_ms: u64, of: impl Fn(u64) -> Word) -> String {
        let (mut pulse, mut log, mut open) = (Pulse::default(), String::new(), false);
        for ms in (0..=total_ms).step_by(700) {
            match pulse.beat(ms, of(ms)) {
                Beat::Whole => {
                    log.push_str(if open { "\n" } else { "" });
                    log.push_str(&format!("waits for {ms} ms\n"));
                    open = false;
                }
                Beat::Row { begins, more } => {
                    log.push_str(if open { "" } else { &begins });
                    log.push_str(&more);
                    open = true;
                }
                Beat::End { begins, more } => {
                    log.push_str(if open { "" } else { &begins });
                    log.push_str(&format!("{more}\n"));
                    open = false;
                }
            }
        }
        log
    }

    #[test]
    fn ten_minutes_are_some_thirty_lines_and_each_word_is_in_them() {
        let log = log(600_000, |ms| word("public.shop_item", "ann", ms));
        let lines = log.lines().count();
        assert!((25..=35).contains(&lines), "{lines} lines:\n{log}");
        assert_eq!(log.matches("waits for").count(), 10, "{log}");
        assert_eq!(
            log.matches("waits for").count() + log.matches('.').count(),
            858
        );
        assert!(log.lines().all(|line| line.len() < 96), "{log}");
        let first: Vec<&str> = log.lines().take(4).collect();
        insta::assert_snapshot!(first.join("\n"), @r"
        waits for 0 ms
        still waiting ............... 10 s .............. 20 s .............. 30 s
        still waiting ............... 40 s .............. 50 s .............
        waits for 60200 ms
        ");
    }

    #[test]
    fn another_relation_is_told_at_once_and_others_in_the_way_not_at_each_look() {
        let mut pulse = Pulse::default();
        assert_eq!(pulse.beat(0, word("a", "ann", 0)), Beat::Whole);
        assert_ne!(pulse.beat(700, word("a", "bob", 700)), Beat::Whole);
        assert_eq!(pulse.beat(1400, word("b", "bob", 1400)), Beat::Whole);
        assert_ne!(pulse.beat(2100, word("b", "ann", 2100)), Beat::Whole);
        assert_eq!(pulse.beat(11_400, word("b", "ann", 11_400)), Beat::Whole);
        let crowd = log(600_000, |ms| word("a", &ms.to_string(), ms));
        assert!(crowd.lines().count() < 160, "{crowd}");
    }

    #[test]
    fn what_begins_anew_is_told_whole() {
        let mut pulse = Pulse::default();
        assert_eq!(pulse.beat(0, word("a", "ann", 0)), Beat::Whole);
        pulse.rest();
        assert_eq!(pulse.beat(700, word("a", "ann", 0)), Beat::Whole);
    }
}
