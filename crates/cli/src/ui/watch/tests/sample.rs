//! A look at a shop with trouble: a report that holds, a deployment that waits, and the web behind both.

use std::time::{Duration, Instant};

use pgdriver::Permitted;
use pgdriver::activity::remedy::{Asker, remedy};
use pgdriver::activity::{LockWait, SessionDetail, SessionInfo, Target};
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::locks::{Hold, Literals, Node, Root, Scope, Snapshot, Us, View, Waiter};
use crate::ui::watch::draw::Palette;
use crate::ui::watch::state::{Event, Picture, State, Wish};

pub(super) const REPORT: i32 = 4711;
pub(super) const DEPLOY: i32 = 4800;
pub(super) const OLD: i32 = 9000;

pub(super) fn session(pid: i32, application: &str, state: &str, query: &str) -> SessionInfo {
    let seconds = |n| Some(Duration::from_secs(n));
    let detail = SessionDetail {
        state: Some(state.to_owned()),
        client: Some("10.0.0.3".to_owned()),
        backend_type: Some("client backend".to_owned()),
        session_age: seconds(600),
        xact_age: seconds(if state == "active" { 3 } else { 185 }),
        query_age: seconds(if state == "active" { 3 } else { 185 }),
        state_age: seconds(if state == "active" { 3 } else { 185 }),
        query: query.to_owned(),
        ..SessionDetail::default()
    };
    SessionInfo {
        pid,
        user: Some("web".to_owned()),
        database: Some("shop".to_owned()),
        application: Some(application.to_owned()),
        superuser: false,
        may_signal: true,
        is_walsender: false,
        vacuums_an_old_table: None,
        detail: Permitted::Seen(detail),
    }
}

fn waiter(pid: i32, blocker: i32, mode: &str, waited: u64) -> Waiter {
    let wait = LockWait {
        pid,
        lock_type: "relation".to_owned(),
        target: Target::Relation,
        relation: Some("public.shop_item".to_owned()),
        database: Some("shop".to_owned()),
        row: None,
        build: None,
        mode: mode.to_owned(),
        waited: Some(Duration::from_millis(waited)),
    };
    Waiter {
        pid,
        waits_for: vec![blocker],
        root_pids: vec![REPORT],
        wait: Some(wait),
    }
}

/// With so many readers in the queue.
pub(super) fn snapshot(readers: i32) -> Snapshot {
    let us = Us {
        asker: Asker {
            role: "dba".to_owned(),
            database: "shop".to_owned(),
            deadlock_timeout: Some(Duration::from_secs(1)),
        },
        superuser: false,
        version: "18.1".to_owned(),
    };
    let report = session(
        REPORT,
        "report",
        "idle in transaction",
        "SELECT sum(price) FROM shop_item WHERE price > ?",
    );
    let deploy = session(
        DEPLOY,
        "deploy",
        "active",
        "ALTER TABLE \"shop_item\" ADD COLUMN \"note\" text NULL",
    );
    let pids = DEPLOY + 1..=DEPLOY + readers;
    let reader = |pid| {
        session(
            pid,
            "gunicorn",
            "active",
            "SELECT id FROM shop_item WHERE id = ?",
        )
    };
    let mut sessions = vec![
        report.clone(),
        deploy,
        session(
            OLD,
            "shell",
            "idle in transaction",
            "UPDATE shop_customer SET name = ?",
        ),
    ];
    sessions.extend(pids.clone().map(reader));
    let mut waiters = vec![waiter(DEPLOY, REPORT, "AccessExclusiveLock", 12_300)];
    waiters.extend(pids.clone().map(|pid| {
        let waited = u64::try_from(2000 - (pid - DEPLOY).min(1900)).unwrap_or(0);
        waiter(pid, DEPLOY, "AccessShareLock", waited)
    }));
    let leaf = |pid| Node {
        pid,
        also: Vec::new(),
        children: Vec::new(),
    };
    let root = Root {
        pids: vec![REPORT],
        deadlock: false,
        prepared: None,
        holds: vec![Hold {
            what: "public.shop_item".to_owned(),
            mode: Some("ACCESS SHARE"),
            relation: Some("public.shop_item".to_owned()),
        }],
        waiting: waiters.iter().map(|waiter| waiter.pid).collect(),
        longest: Some(Duration::from_millis(12_300)),
        remedy: remedy(&report, &us.asker),
        tree: Node {
            children: vec![Node {
                children: pids.map(leaf).collect(),
                ..leaf(DEPLOY)
            }],
            ..leaf(REPORT)
        },
    };
    Snapshot {
        us,
        view: View {
            scope: Scope::Database,
            literals: Literals::Hidden,
            relation: None,
        },
        sessions,
        waiters,
        extent: pgdriver::activity::Extent::Whole,
        roots: vec![root],
        prepared: Vec::new(),
        on_relation: Vec::new(),
        findings: Vec::new(),
        holders: crate::locks::Holders::default(),
        runs: Vec::new(),
        elsewhere: 2,
    }
}

pub(super) fn quiet() -> Snapshot {
    let mut quiet = snapshot(0);
    quiet.sessions.truncate(1);
    quiet.sessions[0] = session(REPORT, "gunicorn", "idle", "COMMIT");
    if let Permitted::Seen(detail) = &mut quiet.sessions[0].detail {
        detail.xact_age = None;
    }
    quiet.waiters.clear();
    quiet.roots.clear();
    quiet
}

pub(super) fn picture(snapshot: Snapshot) -> Picture {
    Picture {
        snapshot,
        at: Instant::now(),
        clock: "12:04:05".to_owned(),
        cost: Duration::from_millis(3),
        pause: Duration::from_secs(1),
    }
}

/// A screen that shows this.
pub(super) fn state(snapshot: Snapshot) -> State {
    let mut state = State::new("web@db1:5432/shop".to_owned(), Duration::from_secs(1));
    look(&mut state, snapshot);
    state.fit(10);
    state
}

pub(super) fn look(state: &mut State, snapshot: Snapshot) -> Option<Wish> {
    state.update(Event::Looked(Box::new(picture(snapshot))))
}

/// Types letters; `⏎` is Enter, `⎋` Esc, `⌫` Backspace, `⇟` PgDn. What the last one wished.
pub(super) fn keys(state: &mut State, text: &str) -> Option<Wish> {
    let code = |letter| match letter {
        '⏎' => KeyCode::Enter,
        '⎋' => KeyCode::Esc,
        '⌫' => KeyCode::Backspace,
        '⇟' => KeyCode::PageDown,
        letter => KeyCode::Char(letter),
    };
    let mut wish = None;
    for letter in text.chars() {
        wish = state.update(Event::Key(KeyEvent::new(code(letter), KeyModifiers::NONE)));
    }
    wish
}

/// The screen's text at this size.
pub(super) fn screen(state: &mut State, width: u16, height: u16) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    state.resize(area);
    state.draw(Palette::Plain, area, &mut buffer);
    let row = |y| {
        let cells: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        cells.trim_end().to_owned()
    };
    (0..height).map(row).collect::<Vec<_>>().join("\n")
}
