//! What keys do to the state.

use super::sample::{DEPLOY, OLD, REPORT, keys, look, quiet, screen, snapshot, state};
use crate::ui::watch::rows::{Key, Line, Sort};
use crate::ui::watch::state::{Flow, Link, Mode, State, Told, Wish};
use crate::ui::watch::{Event, Signal};

fn pids(state: &State) -> Vec<i32> {
    let pid = |key: &Key| match key {
        Key::Backend(pid) => *pid,
        Key::Prepared(_) => 0,
    };
    state.list.rows().map(|row| pid(&row.key)).collect()
}

#[test]
fn the_tree_comes_first_and_then_the_old_ones() {
    let state = state(snapshot(2));
    assert_eq!(pids(&state), [REPORT, DEPLOY, DEPLOY + 1, DEPLOY + 2, OLD]);
    let headings = state
        .list
        .lines
        .iter()
        .filter(|line| matches!(line, Line::Heading(_)));
    assert_eq!(headings.count(), 2);
    let guides: Vec<&str> = state.list.rows().map(|row| &*row.guide).collect();
    assert_eq!(guides, ["", "└ ", "  ├ ", "  └ ", ""]);
}

#[test]
fn the_selection_steps_over_headings_and_stays_with_its_session() {
    let mut state = state(snapshot(2));
    assert_eq!(state.selected_pid(), Some(REPORT));
    keys(&mut state, "k");
    assert_eq!(state.selected_pid(), Some(REPORT), "nothing is above it");
    keys(&mut state, "jjjj");
    assert_eq!(state.selected_pid(), Some(OLD));
    keys(&mut state, "j");
    assert_eq!(state.selected_pid(), Some(OLD), "nothing is below it");
    keys(&mut state, "k");
    assert_eq!(state.selected_pid(), Some(DEPLOY + 2));
    look(&mut state, snapshot(8));
    assert_eq!(state.selected_pid(), Some(DEPLOY + 2), "others came");
    look(&mut state, snapshot(1));
    assert_eq!(
        state.selected_pid(),
        Some(OLD),
        "gone: whoever stands there now"
    );
    look(&mut state, quiet());
    assert_eq!(state.selected_pid(), None);
    assert_eq!(keys(&mut state, "jk⏎ct"), None, "nobody to act on");
    assert_eq!(state.mode, Mode::List);
}

#[test]
fn what_is_selected_is_in_sight() {
    let mut state = state(snapshot(1000));
    for page in 0..200 {
        keys(&mut state, "⇟");
        assert!(
            (state.top..state.top + state.height).contains(&state.cursor),
            "page {page}: {} of {}+{}",
            state.cursor,
            state.top,
            state.height
        );
    }
    assert_eq!(state.selected_pid(), Some(OLD));
    keys(&mut state, "g");
    assert_eq!((state.selected_pid(), state.top), (Some(REPORT), 0));
    keys(&mut state, "G");
    assert_eq!(state.selected_pid(), Some(OLD));
}

#[test]
fn sorts_go_round() {
    let mut state = state(snapshot(3));
    let readers = |state: &State| pids(state)[2..5].to_vec();
    let (up, down) = (
        vec![DEPLOY + 1, DEPLOY + 2, DEPLOY + 3],
        vec![DEPLOY + 1, DEPLOY + 2, DEPLOY + 3],
    );
    assert_eq!(readers(&state), up, "the longest wait first");
    for sort in [Sort::Age, Sort::Waiters, Sort::Pid, Sort::Waited] {
        keys(&mut state, "s");
        assert_eq!(state.sort, sort);
        assert_eq!(readers(&state), down);
    }
    let mut later = snapshot(3);
    if let Some(wait) = &mut later.waiters[3].wait {
        wait.waited = Some(std::time::Duration::from_secs(60));
    }
    look(&mut state, later);
    assert_eq!(readers(&state)[0], DEPLOY + 3);
    keys(&mut state, "sss");
    assert_eq!((state.sort, readers(&state)), (Sort::Pid, up));
}

#[test]
fn a_filter_keeps_whoever_matches_and_those_above() {
    #[track_caller]
    fn check(filter: &str, expected: &[i32]) {
        let mut state = state(snapshot(2));
        keys(&mut state, &format!("/{filter}"));
        if state.mode == Mode::Filter {
            keys(&mut state, "⏎");
        }
        assert_eq!(pids(&state), expected, "{filter}");
        assert_eq!(state.mode, Mode::List);
    }
    check("4802", &[REPORT, DEPLOY, DEPLOY + 2]);
    check("DEPLOY", &[REPORT, DEPLOY]);
    check("shell", &[OLD]);
    check("customer", &[OLD]);
    check("web", &[REPORT, DEPLOY, DEPLOY + 1, DEPLOY + 2, OLD]);
    check("nobody", &[]);
    check("shellx⌫", &[OLD]);
    check("shell⎋", &[REPORT, DEPLOY, DEPLOY + 1, DEPLOY + 2, OLD]);
}

#[test]
fn letters_of_a_filter_are_no_keys() {
    let mut state = state(snapshot(2));
    assert_eq!(keys(&mut state, "/qtcps?"), None);
    assert_eq!((state.filter.as_str(), state.flow), ("qtcps?", Flow::Live));
    keys(&mut state, "⏎⎋");
    assert_eq!(state.filter, "", "Esc in the list clears it");
}

#[test]
fn a_paused_picture_stands_still() {
    let mut state = state(snapshot(2));
    assert_eq!(keys(&mut state, "p"), Some(Wish::Pause));
    look(&mut state, snapshot(9));
    assert_eq!(pids(&state).len(), 5, "a look that was under way");
    assert_eq!(keys(&mut state, " "), Some(Wish::Resume));
    look(&mut state, snapshot(9));
    assert_eq!(pids(&state).len(), 12);
}

#[test]
fn only_the_pid_itself_signals() {
    let mut state = state(snapshot(1));
    for typed in ["t⏎", "ty⏎", "tyes⏎", "t471⏎", "t47110⏎", "t4711⎋", "t4711"] {
        let wish = keys(&mut state, typed);
        assert_eq!(wish, None, "{typed}");
        keys(&mut state, "⎋⎋");
    }
    let Some(Wish::Signal(target)) = keys(&mut state, "t4711⏎") else {
        panic!("no signal");
    };
    assert_eq!((target.pid(), target.signal), (REPORT, Signal::Terminate));
    let Some(Wish::Signal(target)) = keys(&mut state, "jc48012⌫⌫⌫00⏎") else {
        panic!("no signal");
    };
    assert_eq!((target.pid(), target.signal), (DEPLOY, Signal::Cancel));
}

/// The list moves on below the question; the question stays with whom it was asked about.
#[test]
fn a_question_stays_with_its_session() {
    let mut state = state(snapshot(1));
    keys(&mut state, "t47");
    look(&mut state, quiet());
    let Some(Wish::Signal(target)) = keys(&mut state, "11⏎") else {
        panic!("no signal");
    };
    assert_eq!(target.pid(), REPORT);
}

#[test]
fn what_came_of_it_stays_until_the_next_key() {
    let mut state = state(snapshot(1));
    state.update(Event::Signalled(Told::Bad("refused".to_owned())));
    look(&mut state, snapshot(2));
    assert!(screen(&mut state, 120, 30).contains("\nrefused\n"));
    keys(&mut state, "j");
    assert!(!screen(&mut state, 120, 30).contains("refused"));
}

#[test]
fn details_ask_for_locks_at_each_look() {
    let mut state = state(snapshot(1));
    assert_eq!(keys(&mut state, "⏎"), Some(Wish::Held(REPORT)));
    assert_eq!(look(&mut state, snapshot(1)), Some(Wish::Held(REPORT)));
    state.update(Event::Held(
        REPORT,
        Ok(vec!["SHARE on public.shop_item".to_owned()]),
    ));
    assert!(screen(&mut state, 120, 30).contains("SHARE on public.shop_item"));
    keys(&mut state, "q");
    assert_eq!(look(&mut state, snapshot(1)), None);
    assert_eq!(keys(&mut state, "q"), Some(Wish::Quit));
}

#[test]
fn a_look_that_takes_long_is_told_of() {
    let mut state = state(snapshot(1));
    state.update(Event::Link(Link::Slow { seconds: 6 }));
    let text = screen(&mut state, 140, 30);
    for part in [
        "has not answered for 6 s",
        "OLD: as it was at 12:04:05",
        "report",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_lost_connection_leaves_the_picture() {
    let mut state = state(snapshot(1));
    state.update(Event::Link(Link::Lost {
        why: "refused".to_owned(),
        attempts: 3,
    }));
    let text = screen(&mut state, 140, 30);
    for part in [
        "connection lost, attempt 3 to get it back: refused",
        "OLD: as it was at 12:04:05",
        "report",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    look(&mut state, snapshot(1));
    assert!(!screen(&mut state, 140, 30).contains("lost"));
}
