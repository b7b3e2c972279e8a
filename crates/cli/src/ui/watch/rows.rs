//! A snapshot as a list of lines: the trees of blocking first, then who else is old. Sorted and filtered.
//!
//! Absent here: width and colour.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgdriver::activity::{SessionInfo, SessionKind};

use crate::locks::{self, Holding, Node, Root, Run, Snapshot, Waiter, words};
use crate::ui;

/// As much of a query as a line can show.
const QUERY: usize = 300;
/// Deeper than this the tree's lines are not indented further.
const DEEPEST: usize = 6;

/// Whom a line is about, from look to look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Backend(i32),
    /// By its name; its number in the tree is another each time.
    Prepared(String),
}

#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) lines: Vec<Line>,
    /// How many sessions there would be without a filter.
    pub(super) all: usize,
}

#[derive(Debug)]
pub(super) enum Line {
    Heading(String),
    Session(Box<Row>),
}

/// What a session is in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Others wait for it, and it waits for nobody.
    Root,
    Waiter,
    Beside,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) role: Role,
    /// `│  └─ `
    pub(super) guide: String,
    pub(super) waited: Option<Duration>,
    /// Of its transaction.
    pub(super) age: Option<Duration>,
    pub(super) state: String,
    /// How many would go on without it.
    pub(super) behind: usize,
    /// `ACCESS EXCLUSIVE`
    pub(super) mode: String,
    /// `shop_item`, `a row of shop_item`
    pub(super) what: String,
    pub(super) user: String,
    pub(super) application: String,
    pub(super) client: String,
    pub(super) query: String,
}

/// Among roots, among the waiters of one blocker, and among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Waited,
    Age,
    Waiters,
    Pid,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Waited => Self::Age,
            Self::Age => Self::Waiters,
            Self::Waiters => Self::Pid,
            Self::Pid => Self::Waited,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Waited => "waited",
            Self::Age => "age",
            Self::Waiters => "waiters",
            Self::Pid => "pid",
        }
    }

    fn order(
        self,
        row: &Row,
        longest: Option<Duration>,
    ) -> (Reverse<Duration>, Reverse<usize>, Key) {
        let (age, key) = (row.age.unwrap_or_default(), row.key.clone());
        match self {
            Self::Waited => (Reverse(longest.unwrap_or_default()), Reverse(0), key),
            Self::Age => (Reverse(age), Reverse(0), key),
            Self::Waiters => (Reverse(Duration::ZERO), Reverse(row.behind), key),
            Self::Pid => (Reverse(Duration::ZERO), Reverse(0), key),
        }
    }
}

impl List {
    pub(super) fn row(&self, at: usize) -> Option<&Row> {
        match self.lines.get(at)? {
            Line::Session(row) => Some(row),
            Line::Heading(_) => None,
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        (0..self.lines.len()).filter_map(|at| self.row(at))
    }

    pub(super) fn place_of(&self, key: &Key) -> Option<usize> {
        (0..self.lines.len()).find(|at| self.row(*at).is_some_and(|row| row.key == *key))
    }
}

pub(super) fn list(snapshot: &Snapshot, sort: Sort, filter: &str) -> List {
    let known = Known::of(snapshot);
    let filter = filter.trim().to_lowercase();
    let mut roots: Vec<Branch> = snapshot
        .roots
        .iter()
        .map(|root| known.branch(root, sort))
        .collect();
    roots.sort_by_cached_key(|branch| sort.order(&branch.row, branch.longest));
    let in_trees: BTreeSet<Key> = roots.iter().flat_map(Branch::keys).collect();
    let told = |row: &Row| in_trees.contains(&row.key);
    let runs: Vec<Row> = snapshot
        .runs
        .iter()
        .filter_map(|run| known.run(run))
        .collect();
    let mut strong: Vec<Row> = snapshot
        .quiet_holders()
        .map(|holding| known.holder(holding))
        .filter(|row| !told(row))
        .collect();
    let mut beside = known.beside();
    beside.retain(|row| {
        let elsewhere = strong.iter().chain(&runs).any(|other| other.key == row.key);
        !told(row) && !elsewhere
    });
    strong.retain(|row| !runs.iter().any(|run| run.key == row.key));
    let by = if sort == Sort::Waited {
        Sort::Age
    } else {
        sort
    };
    beside.sort_by_cached_key(|row| by.order(row, None));
    strong.sort_by_cached_key(|row| by.order(row, None));
    let trees = roots.iter().map(Branch::count).sum::<usize>();
    let all = trees + runs.len() + strong.len() + beside.len();
    let mut lines = Vec::new();
    for branch in roots {
        branch.write(&filter, "", "", &mut lines);
    }
    section(
        &mut lines,
        0,
        "waiting for a lock, each under the one it waits for",
    );
    let mut part = |rows: Vec<Row>, title: &str| {
        let start = lines.len();
        let shown = rows.into_iter().filter(|row| row.matches(&filter));
        lines.extend(shown.map(|row| Line::Session(Box::new(row))));
        section(&mut lines, start, title);
    };
    part(runs, "runs of django-migrate");
    part(strong, "hold strong locks, and nobody waits for them");
    let old = format!(
        "in a transaction for {} s or more, and nobody waits for them",
        locks::LONG.as_secs()
    );
    part(beside, &old);
    List { lines, all }
}

/// A heading over the lines from here on, if there are any.
fn section(lines: &mut Vec<Line>, start: usize, title: &str) {
    if lines.len() > start {
        lines.insert(start, Line::Heading(title.to_owned()));
    }
}

/// `3.2s`, `12s`, `3m05s`, `2h06m`, `3d04h`: as narrow as a column.
pub(super) fn locks_age(age: Duration) -> String {
    let whole = age.as_secs();
    match whole {
        0..10 => format!("{:.1}s", age.as_secs_f64().min(9.9)),
        10..60 => format!("{whole}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3600..86_400 => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

/// A session with all that wait for it.
struct Branch {
    row: Row,
    longest: Option<Duration>,
    children: Vec<Branch>,
}

impl Branch {
    fn count(&self) -> usize {
        1 + self.children.iter().map(Self::count).sum::<usize>()
    }

    fn keys(&self) -> Vec<Key> {
        let below = self.children.iter().flat_map(Self::keys);
        std::iter::once(self.row.key.clone()).chain(below).collect()
    }

    fn matches(&self, filter: &str) -> bool {
        self.row.matches(filter) || self.children.iter().any(|child| child.matches(filter))
    }

    /// One that does not match stays if somebody below it does: by whom they are blocked is what it is about.
    fn write(mut self, filter: &str, guide: &str, below: &str, lines: &mut Vec<Line>) {
        if !self.matches(filter) {
            return;
        }
        self.children.retain(|child| child.matches(filter));
        guide.clone_into(&mut self.row.guide);
        lines.push(Line::Session(Box::new(self.row)));
        let count = self.children.len();
        let deeper = below.chars().count() < DEEPEST * 2;
        for (at, child) in self.children.into_iter().enumerate() {
            let (own, further) = match (at + 1 == count, deeper) {
                (_, false) => (format!("{below}… "), below.to_owned()),
                (true, _) => (format!("{below}└ "), format!("{below}  ")),
                (false, _) => (format!("{below}├ "), format!("{below}│ ")),
            };
            child.write(filter, &own, &further, lines);
        }
    }
}

impl Row {
    fn matches(&self, filter: &str) -> bool {
        let pid = match &self.key {
            Key::Backend(pid) => pid.to_string(),
            Key::Prepared(gid) => gid.clone(),
        };
        let texts = [
            &pid,
            &self.user,
            &self.application,
            &self.what,
            &self.query,
            &self.client,
            &self.state,
        ];
        filter.is_empty()
            || texts
                .iter()
                .any(|text| text.to_lowercase().contains(filter))
    }
}

/// A snapshot with its sessions and waiters by pid: a thousand of them are looked up for each list.
struct Known<'a> {
    snapshot: &'a Snapshot,
    sessions: BTreeMap<i32, &'a SessionInfo>,
    waiters: BTreeMap<i32, &'a Waiter>,
}

impl<'a> Known<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let sessions = snapshot.sessions.iter();
        let waiters = snapshot.waiters.iter();
        Self {
            snapshot,
            sessions: sessions.map(|session| (session.pid, session)).collect(),
            waiters: waiters.map(|waiter| (waiter.pid, waiter)).collect(),
        }
    }

    fn branch(&self, root: &Root, sort: Sort) -> Branch {
        let mut branch = self.node(&root.tree, sort);
        branch.row.role = Role::Root;
        branch.row.behind = root.waiting.len();
        branch.longest = root.longest;
        if let Some(prepared) = &root.prepared {
            branch.row.key = Key::Prepared(prepared.gid.clone());
            branch.row.state = "prepared".to_owned();
            branch.row.age = Some(prepared.age);
            branch.row.user.clone_from(&prepared.owner);
            branch.row.query = format!("prepared transaction {}", prepared.gid);
        }
        if root.deadlock {
            "deadlock".clone_into(&mut branch.row.state);
        } else if let Some(hold) = root.holds.first() {
            let more = match root.holds.len() {
                1 => String::new(),
                several => format!(" +{}", several - 1),
            };
            branch.row.mode = hold.mode.unwrap_or_default().to_owned();
            branch.row.what = format!("{}{more}", near(&hold.what));
        }
        branch
    }

    fn node(&self, node: &Node, sort: Sort) -> Branch {
        let mut children: Vec<Branch> = node
            .children
            .iter()
            .map(|child| self.node(child, sort))
            .collect();
        children.sort_by_cached_key(|branch| sort.order(&branch.row, branch.row.waited));
        let mut row = self.row(node.pid, Role::Waiter);
        row.behind = children.iter().map(Branch::count).sum();
        Branch {
            longest: row.waited,
            row,
            children,
        }
    }

    fn row(&self, pid: i32, role: Role) -> Row {
        let session = self.sessions.get(&pid).copied();
        let detail = session.and_then(|session| session.detail.seen());
        let waiter = self.waiters.get(&pid).copied();
        let wait = waiter.and_then(|waiter| waiter.wait.as_ref());
        let mode = wait.map(|wait| match wait.lock_mode() {
            Some(mode) => mode.to_string(),
            None => wait.mode.clone(),
        });
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        Row {
            key: Key::Backend(pid),
            role,
            guide: String::new(),
            waited: waiter.and_then(Waiter::waited),
            age: detail.and_then(|detail| detail.xact_age),
            state: session.map_or_else(|| "gone".to_owned(), state),
            behind: 0,
            mode: mode.unwrap_or_default(),
            what: wait
                .map(|wait| near(&locks::what(wait)))
                .unwrap_or_default(),
            user: text(session.and_then(|session| session.user.as_ref())),
            application: text(session.and_then(|session| session.application.as_ref())),
            client: text(detail.and_then(|detail| detail.client.as_ref())),
            query: detail
                .map(|detail| ui::one_line(&detail.query, QUERY))
                .unwrap_or_default(),
        }
    }

    /// By the session of it that works; at the gate, where none does, by the one that holds its lock.
    fn run(&self, run: &Run) -> Option<Row> {
        let busy = |pid: &&i32| {
            let session = self.sessions.get(pid);
            let state = session.and_then(|session| session.detail.seen()?.state.as_deref());
            state.is_some_and(|state| state != "idle")
        };
        let works = run.migrate.iter().find(busy).filter(|_| run.gate.is_none());
        let pid = works
            .copied()
            .or(run.lock)
            .or(run.migrate.first().copied())?;
        let mut row = self.row(pid, Role::Beside);
        if let Some(pids) = &run.gate {
            "at the gate".clone_into(&mut row.state);
            let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
            row.what = format!("waits for {}", pids.join(", "));
        } else if works.is_none() {
            "between".clone_into(&mut row.state);
        }
        row.query = words::run(run);
        Some(row)
    }

    fn holder(&self, holding: &Holding) -> Row {
        let mut row = self.row(holding.pid, Role::Beside);
        if let Some(gid) = &holding.prepared {
            let known = self.snapshot.prepared.iter().find(|one| one.gid == *gid);
            row.key = Key::Prepared(gid.clone());
            row.age = known.map(|one| one.age);
            row.state = "prepared".to_owned();
            row.user = known.map(|one| one.owner.clone()).unwrap_or_default();
            row.query = format!("prepared transaction {gid}");
        }
        if let Some((relation, mode)) = holding.locks.first() {
            let more = match holding.relations.saturating_sub(1) {
                0 => String::new(),
                n => format!(" +{n}"),
            };
            row.mode = mode.to_string();
            row.what = near(&format!("{relation}{more}"));
        }
        row
    }

    /// Old transactions, prepared ones, and vacuums against wraparound.
    fn beside(&self) -> Vec<Row> {
        let snapshot = self.snapshot;
        let old = snapshot.long_idle().chain(snapshot.long_active());
        let vacuums = snapshot
            .autovacuum()
            .filter(|(_, wraparound)| *wraparound == Some(true))
            .map(|(session, _)| session);
        let mut rows: Vec<Row> = old
            .chain(vacuums)
            .map(|session| self.row(session.pid, Role::Beside))
            .collect();
        for prepared in &snapshot.prepared {
            let mut row = self.row(0, Role::Beside);
            row.key = Key::Prepared(prepared.gid.clone());
            row.age = Some(prepared.age);
            row.state = "prepared".to_owned();
            row.user.clone_from(&prepared.owner);
            row.what = prepared
                .relations
                .iter()
                .map(|name| near(name))
                .collect::<Vec<_>>()
                .join(", ");
            row.query = format!("prepared transaction {}", prepared.gid);
            rows.push(row);
        }
        rows
    }
}

/// `idle in xact`, as the column beside it is XACT.
fn state(session: &SessionInfo) -> String {
    let Some(detail) = session.detail.seen() else {
        return match session.kind() {
            SessionKind::Autovacuum { .. } => "autovacuum".to_owned(),
            SessionKind::Walsender => "walsender".to_owned(),
            _ => "hidden".to_owned(),
        };
    };
    match (session.kind(), detail.state.as_deref()) {
        (SessionKind::Autovacuum { .. }, _) => "autovacuum".to_owned(),
        (_, Some("idle in transaction")) => "idle in xact".to_owned(),
        (_, Some("idle in transaction (aborted)")) => "failed xact".to_owned(),
        (_, Some("fastpath function call")) => "fastpath".to_owned(),
        (_, Some(state)) => state.to_owned(),
        (_, None) => detail.backend_type.clone().unwrap_or_default(),
    }
}

/// Without the schema that most tables are in.
fn near(name: &str) -> String {
    name.replace("public.", "")
}
