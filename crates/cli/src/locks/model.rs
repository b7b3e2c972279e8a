//! One look at the server as a value: what a screen or a document of `locks` shows.
//!
//! Pure. Absent here: asking (see [`super::look`]), putting it together (see [`super::assemble`]) and layout. No query in it is raw: see [`View`].

use std::time::Duration;

use pgdriver::Permitted;
use pgdriver::activity::locks::{Held, Strong};
use pgdriver::activity::remedy::{self, Remedy};
use pgdriver::activity::{Extent, LockWait, Prepared, SessionInfo, SessionKind, WaitGraph};
use pgdriver::catalog::RelationName;
use pgdriver::server::PreparedTransaction;

use super::holding::{Holders, Holding, Run};
use super::look::Us;
use super::tree::Node;
use crate::hazards::Finding;
use crate::sql;
use crate::ui;

/// A transaction older than this would hold up DDL, or be held up by it.
pub(crate) const LONG: Duration = Duration::from_secs(5);

/// As much of a query as is kept where its literals are hidden.
const QUERY: usize = 400;

/// Which sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those of this database, whoever waits for them or keeps them waiting, and walsenders.
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
    /// Only what concerns it; as the catalog has it, with its schema.
    pub(crate) relation: Option<RelationName>,
}

/// What the driver answered, all at nearly the same instant.
pub(crate) struct Seen {
    pub(crate) sessions: Vec<SessionInfo>,
    pub(crate) graph: WaitGraph,
    pub(crate) prepared: Vec<PreparedTransaction>,
    /// With a relation in the view: all locks on it.
    pub(crate) held: Vec<Held>,
    /// None: the server cancelled the question.
    pub(crate) strong: Option<Strong>,
}

#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) us: Us,
    pub(crate) view: View,
    /// The oldest transaction first. Their queries are masked and shortened as the view says.
    pub(crate) sessions: Vec<SessionInfo>,
    /// The longest wait first.
    pub(crate) waiters: Vec<Waiter>,
    /// Whether those are all that wait.
    pub(crate) extent: Extent,
    /// The one that most wait for first.
    pub(crate) roots: Vec<Root>,
    /// The oldest first.
    pub(crate) prepared: Vec<PreparedTransaction>,
    /// With a relation in the view: who has which lock on it, granted first.
    pub(crate) on_relation: Vec<Held>,
    /// Who holds strong locks here, whether anybody waits for them or not; with a relation in the view nobody.
    pub(crate) holders: Holders,
    /// Runs of this tool on this database.
    pub(crate) runs: Vec<Run>,
    pub(crate) findings: Vec<Finding>,
    /// Sessions of other databases that were left out.
    pub(crate) elsewhere: usize,
}

/// A session that waits for a lock; a parallel query by its leader.
#[derive(Debug, Clone)]
pub(crate) struct Waiter {
    pub(crate) pid: i32,
    /// Its direct blockers, each once; below 1 they are prepared transactions.
    pub(crate) waits_for: Vec<i32>,
    pub(crate) root_pids: Vec<i32>,
    /// None in the instant before the server notes it.
    pub(crate) wait: Option<LockWait>,
}

impl Waiter {
    pub(crate) fn waited(&self) -> Option<Duration> {
        self.wait.as_ref()?.waited
    }
}

/// Somebody who waits for nobody while others wait for him.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// One; of a deadlock all its members; below 1 it is a prepared transaction.
    pub(crate) pids: Vec<i32>,
    pub(crate) deadlock: bool,
    /// None also where a prepared transaction was gone when its name was asked for.
    pub(crate) prepared: Option<Prepared>,
    /// What he has that others wait for.
    pub(crate) holds: Vec<Hold>,
    /// Who would go on, the longest wait first.
    pub(crate) waiting: Vec<i32>,
    pub(crate) longest: Option<Duration>,
    pub(crate) remedy: Remedy,
    /// Each waiter stands in one tree only.
    pub(crate) tree: Node,
}

/// A lock that somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hold {
    /// `public.shop_item`, `a row of public.shop_item`, `advisory lock 7`
    pub(crate) what: String,
    /// `ACCESS EXCLUSIVE`; of locks on tables.
    pub(crate) mode: Option<&'static str>,
    /// The table, where it is about one.
    pub(crate) relation: Option<String>,
}

impl Root {
    pub(crate) fn pid(&self) -> i32 {
        self.pids[0]
    }
}

impl Snapshot {
    pub(crate) fn session(&self, pid: i32) -> Option<&SessionInfo> {
        self.sessions.iter().find(|session| session.pid == pid)
    }

    pub(crate) fn waiter(&self, pid: i32) -> Option<&Waiter> {
        self.waiters.iter().find(|waiter| waiter.pid == pid)
    }

    pub(crate) fn is_root(&self, pid: i32) -> bool {
        self.roots.iter().any(|root| root.pids.contains(&pid))
    }

    /// Sessions whose state this role may not see.
    pub(crate) fn hidden(&self) -> usize {
        let hidden = |session: &&SessionInfo| session.detail == Permitted::NotPermitted;
        self.sessions.iter().filter(hidden).count()
    }

    /// What would end this session's hold.
    pub(crate) fn remedy(&self, session: &SessionInfo) -> Remedy {
        remedy::remedy(session, &self.us.asker)
    }

    /// Clients whose transaction is open for at least [`LONG`] and that do nothing, the oldest first.
    pub(crate) fn long_idle(&self) -> impl Iterator<Item = &SessionInfo> {
        self.long().filter(|session| is_idle(session))
    }

    /// Clients that have worked in one transaction for at least [`LONG`], the oldest first.
    pub(crate) fn long_active(&self) -> impl Iterator<Item = &SessionInfo> {
        self.long().filter(|session| !is_idle(session))
    }

    fn long(&self) -> impl Iterator<Item = &SessionInfo> {
        self.sessions.iter().filter(|session| self.is_long(session))
    }

    /// A client whose transaction is open for at least [`LONG`].
    pub(crate) fn is_long(&self, session: &SessionInfo) -> bool {
        let age = session.detail.seen().and_then(|detail| detail.xact_age);
        session.kind() == SessionKind::Client && age.is_some_and(|age| age >= LONG)
    }

    /// Who holds strong locks and keeps nobody waiting. A vacuum that may be looked at is told as such.
    pub(crate) fn quiet_holders(&self) -> impl Iterator<Item = &Holding> {
        self.holders.some.iter().filter(|holding| {
            let session = self.session(holding.pid);
            let vacuum = session.is_some_and(|session| {
                matches!(session.kind(), SessionKind::Autovacuum { .. })
                    && session.detail.seen().is_some()
            });
            let is_root = match &holding.prepared {
                Some(gid) => self.roots.iter().any(|root| {
                    let prepared = root.prepared.as_ref();
                    prepared.is_some_and(|prepared| prepared.gid == *gid)
                }),
                None => self.is_root(holding.pid),
            };
            !vacuum && !is_root
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
    /// What ends a prepared transaction of this database.
    pub(crate) fn remedy_for_prepared(&self, prepared: &PreparedTransaction) -> Remedy {
        let named = Prepared {
            gid: prepared.gid.clone(),
            transaction: String::new(),
            owner: prepared.owner.clone(),
            database: self.asker.database.clone(),
            age: prepared.age,
            may_end: self.superuser || prepared.owner == self.asker.role,
        };
        remedy::remedy_for_prepared(&named, &self.asker)
    }
}

/// Idle in a transaction, or in one that has failed.
pub(crate) fn is_idle(session: &SessionInfo) -> bool {
    let state = session
        .detail
        .seen()
        .and_then(|detail| detail.state.as_deref());
    state.is_some_and(|state| state.starts_with("idle in transaction"))
}

/// Autovacuum's own words hold no literal, and tell of what sort it is.
pub(super) fn mask(session: &mut SessionInfo, literals: Literals) {
    let Permitted::Seen(detail) = &mut session.detail else {
        return;
    };
    let says_itself = detail.backend_type.as_deref() == Some("autovacuum worker");
    if literals == Literals::Hidden && !says_itself {
        detail.query = ui::one_line(&sql::masked(&detail.query), QUERY);
    }
}
