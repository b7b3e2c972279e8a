//! What each key does, where. Absent here: doing it to anybody else.

use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::state::{Flow, Mode, State, Told, Towards, Wish};
use super::target::{Answer, Signal, answer};

/// The keys of the list, as help and the last line have them.
pub(super) const KEYS: [(&str, &str, &str); 10] = [
    ("↑↓", "select", "also j and k, PgUp and PgDn, Home and End"),
    (
        "Enter",
        "details",
        "the whole query, what it holds, what would end it",
    ),
    (
        "c",
        "cancel",
        "ends the query of the selected session, once you have typed its pid",
    ),
    (
        "t",
        "terminate",
        "ends the selected session, once you have typed its pid",
    ),
    ("s", "sort", "by waited, age, waiters, pid"),
    (
        "/",
        "filter",
        "by user, application, relation, query or pid; Esc clears it",
    ),
    (
        "p",
        "pause",
        "also the space bar; the server is not asked anything meanwhile",
    ),
    ("r", "look now", "without waiting for the interval"),
    ("?", "help", "this page"),
    ("q", "quit", "also Ctrl-C"),
];

pub(super) fn press(state: &mut State, key: KeyEvent) -> Option<Wish> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Wish::Quit),
            _ => None,
        };
    }
    match &state.mode {
        Mode::List => in_list(state, key.code),
        Mode::Filter => in_filter(state, key.code),
        Mode::Help => {
            state.mode = Mode::List;
            None
        }
        Mode::Details { .. } => in_details(state, key.code),
        Mode::Confirm { .. } => in_confirm(state, key.code),
        Mode::Refused { .. } => in_refused(state, key.code),
    }
}

fn in_list(state: &mut State, code: KeyCode) -> Option<Wish> {
    state.told = None;
    let (at, page) = (state.cursor, state.height.saturating_sub(1).max(1));
    match code {
        KeyCode::Up | KeyCode::Char('k') => state.select(at.saturating_sub(1), Towards::Start),
        KeyCode::Down | KeyCode::Char('j') => state.select(at + 1, Towards::End),
        KeyCode::PageUp => state.select(at.saturating_sub(page), Towards::Start),
        KeyCode::PageDown => state.select(at + page, Towards::End),
        KeyCode::Home | KeyCode::Char('g') => state.select(0, Towards::End),
        KeyCode::End | KeyCode::Char('G') => state.select(usize::MAX, Towards::Start),
        KeyCode::Char('s') => {
            state.sort = state.sort.next();
            state.arrange();
        }
        KeyCode::Char('p' | ' ') => return Some(toggle(state)),
        KeyCode::Char('r') => {
            state.flow = Flow::Live;
            return Some(Wish::Resume);
        }
        KeyCode::Char('/') => state.mode = Mode::Filter,
        KeyCode::Esc => {
            state.filter.clear();
            state.arrange();
        }
        KeyCode::Enter if state.selected.is_some() => {
            state.mode = Mode::Details { scroll: 0 };
            return state.selected_pid().map(Wish::Held);
        }
        KeyCode::Char('c') => ask(state, Signal::Cancel),
        KeyCode::Char('t') => ask(state, Signal::Terminate),
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => state.mode = Mode::Help,
        KeyCode::Char('q') => return Some(Wish::Quit),
        _ => {}
    }
    None
}

fn toggle(state: &mut State) -> Wish {
    match state.flow {
        Flow::Live => {
            state.flow = Flow::Paused;
            Wish::Pause
        }
        Flow::Paused => {
            state.flow = Flow::Live;
            Wish::Resume
        }
    }
}

fn in_filter(state: &mut State, code: KeyCode) -> Option<Wish> {
    match code {
        KeyCode::Char(letter) => state.filter.push(letter),
        KeyCode::Backspace => drop(state.filter.pop()),
        KeyCode::Esc => {
            state.filter.clear();
            state.mode = Mode::List;
        }
        KeyCode::Enter => state.mode = Mode::List,
        _ => return None,
    }
    state.arrange();
    None
}

fn in_details(state: &mut State, code: KeyCode) -> Option<Wish> {
    let Mode::Details { scroll } = &mut state.mode else {
        return None;
    };
    match code {
        KeyCode::Up | KeyCode::Char('k') => *scroll = scroll.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => *scroll += 1,
        KeyCode::PageUp => *scroll = scroll.saturating_sub(10),
        KeyCode::PageDown => *scroll += 10,
        KeyCode::Char('c') => ask(state, Signal::Cancel),
        KeyCode::Char('t') => ask(state, Signal::Terminate),
        KeyCode::Char('p' | ' ') => return Some(toggle(state)),
        KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => state.mode = Mode::List,
        _ => {}
    }
    None
}

/// Opens the question, or says why there is none.
fn ask(state: &mut State, signal: Signal) {
    let (Some(picture), Some(key)) = (&state.picture, &state.selected) else {
        return;
    };
    state.mode = match answer(signal, key, picture) {
        Answer::Ask(target) => Mode::Confirm {
            target,
            typed: String::new(),
        },
        Answer::Refuse {
            title,
            lines,
            instead,
        } => Mode::Refused {
            title,
            lines,
            instead,
        },
    };
}

fn in_confirm(state: &mut State, code: KeyCode) -> Option<Wish> {
    let Mode::Confirm { target, typed } = &mut state.mode else {
        return None;
    };
    match code {
        KeyCode::Char(letter) if typed.len() < 20 => typed.push(letter),
        KeyCode::Backspace => drop(typed.pop()),
        KeyCode::Esc => {
            let told = format!("{}: left alone", target.short());
            state.told = Some(Told::Good(told));
            state.mode = Mode::List;
        }
        KeyCode::Enter => {
            let right = typed.trim() == target.pid().to_string();
            let told = match right {
                true => Told::Good(format!("{} …", target.doing())),
                false => Told::Bad(format!(
                    "`{}` is not {}: nothing was done",
                    typed.trim(),
                    target.pid()
                )),
            };
            let wish = right.then(|| Wish::Signal(target.clone()));
            state.told = Some(told);
            state.mode = Mode::List;
            return wish;
        }
        _ => {}
    }
    None
}

fn in_refused(state: &mut State, code: KeyCode) -> Option<Wish> {
    let Mode::Refused { instead, .. } = &state.mode else {
        return None;
    };
    match (instead, code) {
        (Some(Signal::Terminate), KeyCode::Char('t')) => ask(state, Signal::Terminate),
        // a pid that is typed all the same must not be taken for keys of the list
        (_, KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | ' ')) => state.mode = Mode::List,
        _ => {}
    }
    None
}
