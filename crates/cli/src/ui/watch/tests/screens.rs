//! The screen at some sizes, whole.

use insta::assert_snapshot;
use pgdriver::Permitted;
use ratatui_core::backend::TestBackend;
use ratatui_core::style::{Color, Modifier};
use ratatui_core::terminal::Terminal;

use super::sample::{keys, quiet, screen, snapshot, state};
use crate::ui::watch::draw::Palette;
use crate::ui::watch::rows::locks_age;

#[test]
fn a_tree_on_a_wide_screen() {
    assert_snapshot!(screen(&mut state(snapshot(3)), 150, 22));
}

#[test]
fn a_tree_on_a_narrow_screen() {
    assert_snapshot!(screen(&mut state(snapshot(3)), 80, 20));
}

#[test]
fn a_quiet_server() {
    assert_snapshot!(screen(&mut state(quiet()), 100, 16));
}

#[test]
fn the_question_before_a_terminate() {
    let mut state = state(snapshot(3));
    keys(&mut state, "t47");
    assert_snapshot!(screen(&mut state, 110, 24));
}

#[test]
fn a_cancel_that_would_do_nothing() {
    let mut state = state(snapshot(3));
    keys(&mut state, "c");
    assert_snapshot!(screen(&mut state, 110, 24));
}

#[test]
fn details_of_a_root() {
    let mut state = state(snapshot(3));
    keys(&mut state, "⏎");
    assert_snapshot!(screen(&mut state, 110, 24));
}

/// What the keys would refuse is not suggested either.
#[test]
fn details_suggest_only_what_the_screen_would_do() {
    let mut snapshot = snapshot(3);
    let root = snapshot.roots[0].pid();
    for session in &mut snapshot.sessions {
        session.superuser = session.pid == root;
    }
    let mut state = state(snapshot);
    keys(&mut state, "⏎");
    let text = screen(&mut state, 110, 24);
    assert!(text.contains("not from this screen"), "{text}");
    assert!(text.contains("in psql, as a superuser"), "{text}");
    assert!(
        !text
            .lines()
            .any(|line| line.trim_start().starts_with("SELECT pg_")),
        "{text}"
    );
}

#[test]
fn help() {
    let mut state = state(snapshot(3));
    keys(&mut state, "?");
    assert_snapshot!(screen(&mut state, 110, 30));
}

#[test]
fn no_size_is_too_small() {
    for mode in ["", "?", "t47", "c", "⏎", "/x"] {
        let mut state = state(snapshot(40));
        keys(&mut state, mode);
        for width in [1, 2, 5, 12, 30, 79, 200] {
            for height in [1, 2, 3, 4, 5, 9, 16, 60] {
                let text = screen(&mut state, width, height);
                assert!(
                    text.lines().count() <= usize::from(height),
                    "{width}x{height}"
                );
            }
        }
    }
}

#[test]
fn a_thousand_waiters_are_drawn_as_far_as_they_fit() {
    let mut state = state(snapshot(1000));
    let text = screen(&mut state, 150, 40);
    assert!(text.contains("1–32 of 1005"), "{text}");
    keys(&mut state, "G");
    let text = screen(&mut state, 150, 40);
    assert!(text.contains("of 1005") && text.contains("shell"), "{text}");
}

/// What does not change is not written again.
#[test]
fn the_same_picture_writes_nothing() {
    let mut state = state(snapshot(3));
    let mut terminal = Terminal::new(TestBackend::new(120, 24)).expect("a backend");
    let mut draw = || {
        let frame = terminal.draw(|frame| {
            let area = frame.area();
            state.resize(area);
            state.draw(Palette::Colour, area, frame.buffer_mut());
        });
        frame.expect("a frame").buffer.clone()
    };
    let (first, second) = (draw(), draw());
    assert_eq!(first.diff(&second).len(), 0);
    let root = &first[(0, 4)];
    assert_eq!((root.symbol(), root.fg), ("4", Color::Reset));
    assert!(root.modifier.contains(Modifier::REVERSED), "it is selected");
    let waited = first.content().iter().filter(|cell| cell.fg == Color::Red);
    assert!(waited.count() > 0, "twelve seconds are long");
}

/// An application may call itself anything; it must not reach the terminal as an order to it.
#[test]
fn names_with_escapes_are_only_text() {
    let mut snapshot = snapshot(1);
    snapshot.sessions[0].application = Some("\x1b[31mevil\x07\u{9b}2J".to_owned());
    if let Permitted::Seen(detail) = &mut snapshot.sessions[0].detail {
        "SELECT \x1b]0;title\x07 ?".clone_into(&mut detail.query);
    }
    let mut state = state(snapshot);
    for mode in ["", "⏎", "⎋t"] {
        keys(&mut state, mode);
        let text = screen(&mut state, 150, 24);
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(control), "{text:?}");
    }
}

#[test]
fn ages_are_narrow() {
    let age = |millis| locks_age(std::time::Duration::from_millis(millis));
    assert_eq!(
        [
            age(0),
            age(820),
            age(12_340),
            age(59_990),
            age(185_000),
            age(7_560_000),
            age(273_600_000)
        ],
        ["0.0s", "0.8s", "12s", "59s", "3m05s", "2h06m", "3d04h"]
    );
}
