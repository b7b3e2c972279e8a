//! One look at the server as a value: what a screen or a document of `locks` shows. Made from what the driver answered.
//!
//! Pure. Absent here: asking (see [`super::look`]) and layout. No query in it is raw: see [`View`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgdriver::Permitted;
use pgdriver::activity::locks::Held;
use pgdriver::activity::{Edge, LockWait, SessionInfo, SessionKind, WaitGraph};
use pgdriver::server::PreparedTransaction;

use super::findings;
use super::look::Us;
use super::remedy::{self, Asker, Remedy};
use super::tree::{self, Group, Node};
use crate::hazards::Finding;
use crate::sql;
use crate::ui;

/// A transaction older than this would hold up DDL, or be held up by it.
pub(crate) const LONG: Duration = Duration::from_secs(5);

/// Which sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of this database, whoever waits for them or keeps them waiting, and the server's own.
    Database,
    Cluster,
}

/// What of a query may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Literals {
    Hidden,
    Shown,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) scope: Scope,
    pub(crate) literals: Literals,
    /// Only what concerns it: `schema.name`, as the catalog has it.
    pub(crate) relation: Option<String>,
}

/// What the driver answered, all at nearly the same instant.
pub(crate) struct Seen {
    pub(crate) sessions: Vec<SessionInfo>,
    pub(crate) graph: WaitGraph,
    pub(crate) prepared: Vec<PreparedTransaction>,
    /// Who holds, or awaits, what conflicts with a relation lock that somebody awaits; with a relation in the view, all
    /// locks on it.
    pub(crate) held: Vec<Held>,
}

#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) us: Us,
    pub(crate) view: View,
    /// The oldest transaction first. Their queries are masked and shortened as the view says.
    pub(crate) sessions: Vec<SessionInfo>,
    /// The longest wait first.
    pub(crate) waiters: Vec<Waiter>,
    /// The one that most wait for first.
    pub(crate) roots: Vec<Root>,
    /// The oldest first.
    pub(crate) prepared: Vec<PreparedTransaction>,
    /// With a relation in the view: who has which lock on it, granted first.
    pub(crate) on_relation: Vec<Held>,
    pub(crate) findings: Vec<Finding>,
    /// Sessions of other databases that were left out.
    pub(crate) elsewhere: usize,
}

/// A session that waits for a lock.
#[derive(Debug, Clone)]
pub(crate) struct Waiter {
    pub(crate) pid: i32,
    /// Its direct blockers, each once; 0 is a prepared transaction.
    pub(crate) waits_for: Vec<i32>,
    pub(crate) root_pids: Vec<i32>,
    /// None in the instant before the server notes it.
    pub(crate) wait: Option<LockWait>,
}

/// Somebody who waits for nobody while others wait for him.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// One; of a deadlock all its members; 0 is a prepared transaction.
    pub(crate) pids: Vec<i32>,
    pub(crate) deadlock: bool,
    /// Of a prepared one: those that it can be.
    pub(crate) prepared: Vec<PreparedTransaction>,
    /// What he has that others wait for: `public.shop_item`, `ACCESS EXCLUSIVE`.
    pub(crate) holds: Vec<(String, String)>,
    /// Who would go on, the longest wait first.
    pub(crate) waiting: Vec<i32>,
    pub(crate) longest: Option<Duration>,
    pub(crate) remedy: Remedy,
    /// Each waiter stands in one tree only.
    pub(crate) tree: Node,
}

impl Root {
    pub(crate) fn pid(&self) -> i32 {
        self.pids[0]
    }
}

impl Snapshot {
    pub(crate) fn of(mut seen: Seen, us: &Us, view: &View) -> Self {
        for session in seen.sessions.iter_mut().chain(&mut seen.graph.sessions) {
            mask(session, view.literals);
        }
        for session in seen
            .held
            .iter_mut()
            .filter_map(|held| held.session.as_mut())
        {
            mask(session, view.literals);
        }
        let leaders: BTreeMap<i32, i32> = seen
            .sessions
            .iter()
            .filter_map(|session| Some((session.pid, session.leader()?)))
            .collect();
        let mut edges = tree::fold(&seen.graph.edges, |pid| leaders.get(&pid).copied());
        let waits: BTreeMap<i32, &LockWait> = seen
            .graph
            .waits
            .iter()
            .map(|wait| (leaders.get(&wait.pid).copied().unwrap_or(wait.pid), wait))
            .collect();
        concern(&mut edges, &seen, &waits, us, view);
        let groups = tree::groups(&edges, |pid| {
            std::cmp::Reverse(waits.get(&pid).and_then(|wait| wait.waited))
        });
        let waiters = waiters(&edges, &groups, &waits);
        let roots = roots(groups, &seen, &waiters, us);
        let involved: BTreeSet<i32> = edges
            .iter()
            .flat_map(|edge| [edge.waiter, edge.blocker])
            .collect();
        let on_relation = on_relation(&seen.held, view);
        let before = seen.sessions.len();
        let mut sessions = seen.sessions;
        sessions.retain(|session| is_shown(session, &involved, &on_relation, us, view));
        let elsewhere = match view.scope {
            Scope::Database => before - sessions.len(),
            Scope::Cluster => 0,
        };
        let mut prepared = seen.prepared;
        if let Some(relation) = &view.relation {
            let name = relation.rsplit('.').next().unwrap_or(relation);
            prepared.retain(|p| p.relations.iter().any(|r| r == relation || r == name));
        }
        let mut snapshot = Self {
            us: us.clone(),
            view: view.clone(),
            sessions,
            waiters,
            roots,
            prepared,
            on_relation,
            findings: Vec::new(),
            elsewhere,
        };
        snapshot.findings = findings::of(&snapshot);
        snapshot
    }

    pub(crate) fn session(&self, pid: i32) -> Option<&SessionInfo> {
        self.sessions.iter().find(|session| session.pid == pid)
    }

    pub(crate) fn waiter(&self, pid: i32) -> Option<&Waiter> {
        self.waiters.iter().find(|waiter| waiter.pid == pid)
    }

    /// Sessions whose state this role may not see.
    pub(crate) fn hidden(&self) -> usize {
        let hidden = |session: &&SessionInfo| session.detail == Permitted::NotPermitted;
        self.sessions.iter().filter(hidden).count()
    }

    /// What would end this session's hold.
    pub(crate) fn remedy(&self, session: &SessionInfo) -> Remedy {
        remedy::of_session(session, self.us.asker())
    }

    /// Transactions open for at least [`LONG`], the oldest first: idle ones, or those that work.
    pub(crate) fn long(&self, idle: bool) -> impl Iterator<Item = &SessionInfo> {
        self.sessions.iter().filter(move |session| {
            let Some(detail) = session.detail.seen() else {
                return false;
            };
            let is_idle = detail
                .state
                .as_deref()
                .is_some_and(|state| state.starts_with("idle in transaction"));
            let is_client = matches!(session.kind(), SessionKind::Client);
            is_client && is_idle == idle && detail.xact_age.is_some_and(|age| age >= LONG)
        })
    }

    /// Autovacuum workers, with whether they work against wraparound.
    pub(crate) fn autovacuum(&self) -> impl Iterator<Item = (&SessionInfo, Option<bool>)> {
        self.sessions
            .iter()
            .filter_map(|session| match session.kind() {
                SessionKind::Autovacuum {
                    to_prevent_wraparound,
                } => Some((session, to_prevent_wraparound)),
                _ => None,
            })
    }
}

impl Us {
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker {
            role: &self.role,
            deadlock_timeout: self.deadlock_timeout,
        }
    }
}

/// The server's own words of autovacuum are no query and hold no literal.
pub(super) fn mask(session: &mut SessionInfo, literals: Literals) {
    let Permitted::Seen(detail) = &mut session.detail else {
        return;
    };
    if literals == Literals::Hidden {
        detail.query = ui::one_line(&sql::masked(&detail.query), 400);
    }
}

/// Leaves what the view is about: groups that touch this database, or wait for the relation.
fn concern(
    edges: &mut Vec<Edge>,
    seen: &Seen,
    waits: &BTreeMap<i32, &LockWait>,
    us: &Us,
    view: &View,
) {
    let databases: BTreeMap<i32, &str> = seen
        .sessions
        .iter()
        .chain(&seen.graph.sessions)
        .filter_map(|session| Some((session.pid, session.database.as_deref()?)))
        .collect();
    let starts: Vec<i32> = match &view.relation {
        Some(relation) => waits
            .iter()
            .filter(|(_, wait)| wait.relation.as_deref() == Some(relation))
            .map(|(pid, _)| *pid)
            .chain(
                seen.held
                    .iter()
                    .filter(|held| !held.granted && held.relation.to_string() == *relation)
                    .map(|held| held.pid),
            )
            .collect(),
        None if view.scope == Scope::Cluster => return,
        None => databases
            .iter()
            .filter(|(_, name)| **name == us.database)
            .map(|(pid, _)| *pid)
            .collect(),
    };
    let mut near: BTreeSet<i32> = starts.into_iter().collect();
    let mut grew = true;
    while grew {
        let before = near.len();
        for edge in edges.iter() {
            // 0 is any prepared transaction: what touches it need not belong together
            let touches = |pid: i32| pid != 0 && near.contains(&pid);
            match view.relation {
                // whom they wait for, and who waits for them
                _ if touches(edge.waiter) => drop(near.insert(edge.blocker)),
                _ if touches(edge.blocker) => drop(near.insert(edge.waiter)),
                _ => {}
            }
        }
        grew = near.len() > before;
    }
    edges.retain(|edge| near.contains(&edge.waiter));
}

fn waiters(edges: &[Edge], groups: &[Group], waits: &BTreeMap<i32, &LockWait>) -> Vec<Waiter> {
    let mut found: BTreeMap<i32, Waiter> = BTreeMap::new();
    for Edge { waiter, blocker } in edges {
        let own = found.entry(*waiter).or_insert_with(|| Waiter {
            pid: *waiter,
            waits_for: Vec::new(),
            root_pids: Vec::new(),
            wait: waits.get(waiter).map(|wait| (*wait).clone()),
        });
        own.waits_for.push(*blocker);
    }
    for group in groups {
        for pid in group
            .behind
            .iter()
            .chain(group.roots.iter().filter(|_| group.cycle))
        {
            if let Some(waiter) = found.get_mut(pid) {
                waiter.root_pids.extend(
                    group
                        .roots
                        .iter()
                        .filter(|root| !group.cycle || *root != pid),
                );
            }
        }
    }
    let mut waiters: Vec<Waiter> = found.into_values().collect();
    waiters
        .sort_by_key(|waiter| std::cmp::Reverse(waiter.wait.as_ref().and_then(|wait| wait.waited)));
    waiters
}

fn roots(groups: Vec<Group>, seen: &Seen, waiters: &[Waiter], us: &Us) -> Vec<Root> {
    let mut roots: Vec<Root> = groups
        .into_iter()
        .map(|group| root(group, seen, waiters, us))
        .collect();
    roots.sort_by_key(|root| {
        (
            std::cmp::Reverse(root.waiting.len()),
            std::cmp::Reverse(root.longest),
            root.pid(),
        )
    });
    roots
}

fn root(group: Group, seen: &Seen, waiters: &[Waiter], us: &Us) -> Root {
    let pid = group.roots[0];
    let is_behind = |waiter: &&Waiter| group.behind.contains(&waiter.pid);
    let direct: Vec<&Waiter> = waiters
        .iter()
        .filter(|waiter| waiter.waits_for.contains(&pid))
        .collect();
    let awaited: BTreeSet<&str> = direct
        .iter()
        .filter_map(|waiter| waiter.wait.as_ref()?.relation.as_deref())
        .collect();
    let mut holds: BTreeMap<String, pgdriver::activity::locks::LockMode> = BTreeMap::new();
    for held in seen
        .held
        .iter()
        .filter(|held| held.pid == pid && held.granted)
    {
        let name = held.relation.to_string();
        if awaited.contains(name.as_str()) {
            let mode = holds.entry(name).or_insert(held.mode);
            *mode = held.mode.max(*mode);
        }
    }
    let prepared = if pid == 0 {
        candidates(seen, &awaited)
    } else {
        Vec::new()
    };
    let session = seen
        .sessions
        .iter()
        .chain(&seen.graph.sessions)
        .find(|session| session.pid == pid);
    let remedy = match session {
        _ if group.cycle => remedy::of_deadlock(&group.roots, us.asker()),
        _ if pid == 0 => remedy::of_prepared(&prepared),
        Some(session) => remedy::of_session(session, us.asker()),
        None => remedy::of_gone(),
    };
    Root {
        deadlock: group.cycle,
        prepared,
        holds: holds
            .into_iter()
            .map(|(name, mode)| (name, mode.to_string()))
            .collect(),
        waiting: waiters
            .iter()
            .filter(is_behind)
            .map(|waiter| waiter.pid)
            .collect(),
        longest: waiters
            .iter()
            .filter(is_behind)
            .filter_map(|waiter| waiter.wait.as_ref()?.waited)
            .max(),
        remedy,
        tree: group.tree,
        pids: group.roots,
    }
}

/// Which prepared transactions it can be: those that the locks name, else all of the database.
fn candidates(seen: &Seen, awaited: &BTreeSet<&str>) -> Vec<PreparedTransaction> {
    let named: BTreeSet<&str> = seen
        .held
        .iter()
        .filter(|held| {
            held.pid == 0 && held.granted && awaited.contains(held.relation.to_string().as_str())
        })
        .filter_map(|held| held.prepared.as_deref())
        .collect();
    let all = seen.prepared.iter();
    match named.is_empty() {
        true => all.cloned().collect(),
        false => all
            .filter(|p| named.contains(p.gid.as_str()))
            .cloned()
            .collect(),
    }
}

fn on_relation(held: &[Held], view: &View) -> Vec<Held> {
    match &view.relation {
        Some(_) => held.to_vec(),
        None => Vec::new(),
    }
}

fn is_shown(
    session: &SessionInfo,
    involved: &BTreeSet<i32>,
    on_relation: &[Held],
    us: &Us,
    view: &View,
) -> bool {
    if involved.contains(&session.pid) {
        return true;
    }
    if view.relation.is_some() {
        return on_relation.iter().any(|held| held.pid == session.pid);
    }
    match session.kind() {
        // the checkpointer and its like hold nothing that anybody waits for
        SessionKind::Background => false,
        SessionKind::Walsender => true,
        _ => {
            view.scope == Scope::Cluster
                || session.database.as_deref() == Some(us.database.as_str())
        }
    }
}
