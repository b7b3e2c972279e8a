//! What the screen knows, and how what happens changes it. Pure: a clock and a terminal are somebody else's.

use std::time::{Duration, Instant};

use ratatui_crossterm::crossterm::event::KeyEvent;

use super::keys;
use super::rows::{self, Key, List, Sort};
use super::target::{Signal, Target};
use crate::locks::Snapshot;

pub(crate) struct State {
    /// `shop@db1:5432/shop`
    pub(super) server: String,
    pub(super) interval: Duration,
    /// None until the first look has come.
    pub(super) picture: Option<Picture>,
    pub(super) link: Link,
    pub(super) flow: Flow,
    pub(super) sort: Sort,
    pub(super) filter: String,
    pub(super) mode: Mode,
    pub(super) list: List,
    /// Whom the keys are about; it stays when the list changes.
    pub(super) selected: Option<Key>,
    /// Where it is, or was, in the list.
    pub(super) cursor: usize,
    /// The first line that is shown, and how many fit.
    pub(super) top: usize,
    pub(super) height: usize,
    pub(super) told: Option<Told>,
    /// The locks of the session whose details are shown.
    pub(super) held: Option<(i32, Result<Vec<String>, String>)>,
}

/// One look, and what it took.
pub(crate) struct Picture {
    pub(crate) snapshot: Snapshot,
    pub(crate) at: Instant,
    /// `12:04:05`, of this machine.
    pub(crate) clock: String,
    /// What the server worked for it, as far as we can tell.
    pub(crate) cost: Duration,
    /// How long until the next.
    pub(crate) pause: Duration,
}

/// How it stands with the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Up,
    /// A look failed; the connection is there.
    Trouble {
        why: String,
    },
    /// A look is under way, for longer than a look should be.
    Slow {
        seconds: u64,
    },
    /// And we try to get it back.
    Lost {
        why: String,
        attempts: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Live,
    Paused,
}

/// What the keys mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mode {
    List,
    Filter,
    Help,
    Details {
        scroll: usize,
    },
    Confirm {
        target: Box<Target>,
        typed: String,
    },
    /// Why it is not done. `instead` is offered under its own key.
    Refused {
        title: String,
        lines: Vec<String>,
        instead: Option<Signal>,
    },
}

/// How something ended, on the line above the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Good(String),
    Bad(String),
}

impl Told {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Good(text) | Self::Bad(text) => text,
        }
    }
}

/// What happened.
pub(crate) enum Event {
    Key(KeyEvent),
    Looked(Box<Picture>),
    Link(Link),
    /// The locks of a backend, as asked for.
    Held(i32, Result<Vec<String>, String>),
    Signalled(Told),
}

/// What the screen wants done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wish {
    Quit,
    Pause,
    /// Look at once, and go on.
    Resume,
    Held(i32),
    Signal(Box<Target>),
}

impl State {
    pub(crate) fn new(server: String, interval: Duration) -> Self {
        Self {
            server,
            interval,
            picture: None,
            link: Link::Up,
            flow: Flow::Live,
            sort: Sort::Waited,
            filter: String::new(),
            mode: Mode::List,
            list: List::default(),
            selected: None,
            cursor: 0,
            top: 0,
            height: 1,
            told: None,
            held: None,
        }
    }

    /// Takes in what happened.
    pub(crate) fn update(&mut self, event: Event) -> Option<Wish> {
        match event {
            Event::Key(key) => return keys::press(self, key),
            Event::Looked(picture) => {
                self.link = Link::Up;
                // one that was under way when the picture was to stand still
                if self.flow == Flow::Paused && self.picture.is_some() {
                    return None;
                }
                self.picture = Some(*picture);
                self.arrange();
                if let Mode::Details { .. } = self.mode {
                    return self.selected_pid().map(Wish::Held);
                }
            }
            Event::Link(link) => self.link = link,
            Event::Held(pid, locks) => self.held = Some((pid, locks)),
            Event::Signalled(told) => self.told = Some(told),
        }
        None
    }

    /// The list anew, from the picture, the sort and the filter; the selection stays with its session.
    pub(super) fn arrange(&mut self) {
        let Some(picture) = &self.picture else {
            return;
        };
        self.list = rows::list(&picture.snapshot, self.sort, &self.filter);
        let place = self
            .selected
            .as_ref()
            .and_then(|key| self.list.place_of(key));
        self.select(place.unwrap_or(self.cursor), Towards::Either);
    }

    /// Goes to this line, or to the next session from there.
    pub(super) fn select(&mut self, place: usize, towards: Towards) {
        let last = self.list.lines.len().saturating_sub(1);
        let place = place.min(last);
        let forward = (place..=last).find(|at| self.list.row(*at).is_some());
        let back = (0..=place).rev().find(|at| self.list.row(*at).is_some());
        let found = match towards {
            Towards::Start => back.or(forward),
            Towards::Either | Towards::End => forward.or(back),
        };
        self.cursor = found.unwrap_or(0);
        self.selected = found
            .and_then(|at| self.list.row(at))
            .map(|row| row.key.clone());
        self.scroll();
    }

    /// So many lines of the list fit.
    pub(crate) fn fit(&mut self, height: usize) {
        self.height = height.max(1);
        self.scroll();
    }

    fn scroll(&mut self) {
        let most = self.list.lines.len().saturating_sub(self.height);
        // the heading above the first session is shown with it
        let first = match self.list.row(self.cursor.saturating_sub(1)) {
            None => self.cursor.saturating_sub(1),
            Some(_) => self.cursor,
        };
        if first < self.top {
            self.top = first;
        }
        if self.cursor >= self.top + self.height {
            self.top = self.cursor + 1 - self.height;
        }
        self.top = self.top.min(most);
    }

    /// The backend that is selected; none for a prepared transaction.
    pub(super) fn selected_pid(&self) -> Option<i32> {
        match self.selected {
            Some(Key::Backend(pid)) => Some(pid),
            _ => None,
        }
    }
}

/// Where to look for the nearest session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Towards {
    Start,
    End,
    Either,
}
