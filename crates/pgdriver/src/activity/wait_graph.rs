//! Who waits for whom, with everybody in it: sessions, what each waits for and how it is kept waiting.
//!
//! Absent: what to do about it ([`super::Cause`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::try_join;

use super::awaited::{self, How, Lock, LockWait};
use super::builds;
use super::graph::{self, Edge};
use super::kind::SessionKind;
use super::prepared::{self, Prepared};
use super::remedy::Asker;
use super::session_info::{self, SessionInfo};
use super::target::Target;
use crate::permitted::age;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const BLOCKING: Sql = sql!("ask who blocks a backend", "blocking_edges.sql", INT4);
const WAITING: Sql = sql!("ask who waits for whom", "waiting_edges.sql");
const ASKER: Sql = sql!("ask who we are", "asker.sql");

/// So many of those that wait are asked for their blockers: the longest wait first. As in waiting_edges.sql.
pub const LONGEST: u64 = 200;

/// How much of the whole a graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Everybody that was asked about.
    #[default]
    Whole,
    /// So many wait in all; the [`LONGEST`] are in it, with their blockers.
    Longest {
        /// Anywhere in the cluster.
        waiting: u64,
    },
    /// The server gave up on the question: an empty graph says nothing.
    Unknown,
}

/// A piece of the wait graph, with the sessions in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WaitGraph {
    /// Who waits for whom.
    pub edges: Vec<Edge>,
    /// Whether that is everybody.
    pub extent: Extent,
    /// How each blocker stands in its waiter's way; one for each prepared transaction that blocks.
    pub blocking: Vec<Blocking>,
    /// Everybody in `edges` who is still there, with their parallel workers.
    pub sessions: Vec<SessionInfo>,
    /// What the waiters wait for.
    pub waits: Vec<LockWait>,
    /// Where 0 is a blocker: the prepared transactions that it stands for.
    pub prepared: Vec<Prepared>,
    /// Who asks.
    pub asker: Asker,
}

/// One blocker of one waiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocking {
    /// Who waits.
    pub waiter: i32,
    /// For whom; 0 is a prepared transaction.
    pub blocker: i32,
    /// The prepared transaction's name.
    pub prepared: Option<String>,
    /// What it has on what the waiter wants.
    pub how: How,
}

impl WaitGraph {
    /// Who blocks `pid` directly.
    pub fn direct(&self, pid: i32) -> Vec<i32> {
        graph::direct(&self.edges, pid)
    }

    /// At the ends of the chains: whom to speak to.
    pub fn roots(&self, pid: i32) -> Vec<i32> {
        graph::roots(&self.edges, pid)
    }

    /// Who waits for `pid`, directly or not.
    pub fn queued_behind(&self, pid: i32) -> Vec<i32> {
        graph::queued_behind(&self.edges, pid)
    }

    /// A session by its pid.
    pub fn session(&self, pid: i32) -> Option<&SessionInfo> {
        self.sessions.iter().find(|session| session.pid == pid)
    }

    /// What a session waits for; of a parallel query's leader: what one of its workers waits for.
    pub fn wait(&self, pid: i32) -> Option<&LockWait> {
        let wait_of = |pid: i32| self.waits.iter().find(|wait| wait.pid == pid);
        let workers = || {
            let of_it = |session: &&SessionInfo| session.leader() == Some(pid);
            self.sessions.iter().filter(of_it)
        };
        wait_of(pid).or_else(|| workers().find_map(|worker| wait_of(worker.pid)))
    }

    /// Everybody who waits, once: a parallel query by its leader, where this role may see that.
    pub fn waiters(&self) -> Vec<i32> {
        let waiters = self.edges.iter().map(|edge| edge.waiter);
        let found: BTreeSet<i32> = waiters.map(|pid| self.leader_or_self(pid)).collect();
        found.into_iter().collect()
    }

    /// How the direct blockers of `pid` stand in its way.
    pub fn blocking(&self, pid: i32) -> impl Iterator<Item = &Blocking> {
        self.blocking.iter().filter(move |one| one.waiter == pid)
    }

    fn leader_or_self(&self, pid: i32) -> i32 {
        let leader = self.session(pid).and_then(SessionInfo::leader);
        leader.unwrap_or(pid)
    }
}

/// Who blocks a backend, through all levels. Empty edges: nobody.
pub async fn blockers_of(session: &Session, pid: i32) -> Result<WaitGraph, QueryError> {
    let edges = edges(&BLOCKING.rows(session, &[&pid]).await?)?;
    describe(session, edges).await
}

/// The sessions that wait for `pid`, directly or through others: what stands in the queue behind it. Of a crowd, as
/// [`wait_graph`]: those that wait longest.
pub async fn blocked_by(session: &Session, pid: i32) -> Result<WaitGraph, QueryError> {
    let (mut edges, extent) = waiting(&WAITING.rows(session, &[]).await?)?;
    let behind = graph::queued_behind(&edges, pid);
    edges.retain(|edge| behind.contains(&edge.waiter));
    let graph = describe(session, edges).await?;
    Ok(WaitGraph { extent, ..graph })
}

/// Everybody who waits for a lock, anywhere in the cluster; of a crowd the [`LONGEST`], with their blockers.
pub async fn wait_graph(session: &Session) -> Result<WaitGraph, QueryError> {
    let (edges, extent) = waiting(&WAITING.rows(session, &[]).await?)?;
    let graph = describe(session, edges).await?;
    Ok(WaitGraph { extent, ..graph })
}

/// Without those who would look like roots only because nobody asked whom they wait for.
fn waiting(rows: &[Row]) -> Result<(Vec<Edge>, Extent), QueryError> {
    let mut edges = edges(rows)?;
    let mut open = BTreeSet::new();
    let mut all = 0;
    for row in rows {
        all = row.get::<i64>("waiting")?;
        if row.get("is_open")? {
            open.insert(row.get::<i32>("blocker")?);
        }
    }
    graph::without_open(&mut edges, open);
    let waiting = u64::try_from(all).unwrap_or_default();
    let extent = match waiting > LONGEST {
        true => Extent::Longest { waiting },
        false => Extent::Whole,
    };
    Ok((edges, extent))
}

fn edges(rows: &[Row]) -> Result<Vec<Edge>, QueryError> {
    rows.iter()
        .map(|row| {
            Ok(Edge {
                waiter: row.get("waiter")?,
                blocker: row.get("blocker")?,
            })
        })
        .collect()
}

async fn describe(session: &Session, edges: Vec<Edge>) -> Result<WaitGraph, QueryError> {
    if edges.is_empty() {
        return Ok(WaitGraph::default());
    }
    let ends = edges.iter().flat_map(|edge| [edge.waiter, edge.blocker]);
    let among: BTreeSet<i32> = ends.collect();
    let pids: Vec<i32> = among.iter().copied().collect();
    let some_prepared = async {
        match among.contains(&0) {
            true => prepared::all(session).await,
            false => Ok(Vec::new()),
        }
    };
    let (sessions, prepared, asker) = try_join!(
        session_info::of(session, &pids),
        some_prepared,
        asker(session)
    )?;
    // the leader is named, and a worker waits
    let workers = sessions.iter().map(|session| session.pid);
    let among: BTreeSet<i32> = among.into_iter().chain(workers).collect();
    let pids: Vec<i32> = among.iter().copied().collect();
    let locks = awaited::locks(session, &pids).await?;
    let mut graph = WaitGraph {
        waits: awaited::waits(&locks, &among),
        edges,
        extent: Extent::Whole,
        blocking: Vec::new(),
        sessions,
        prepared,
        asker,
    };
    name_builds(session, &mut graph.waits).await?;
    graph.blocking = blocking(&graph, &locks);
    let named: BTreeSet<String> = graph
        .blocking
        .iter()
        .filter_map(|blocking| blocking.prepared.clone())
        .collect();
    graph.prepared.retain(|one| named.contains(&one.gid));
    Ok(graph)
}

/// A virtual transaction's lock tells nothing of what its waiter wants.
async fn name_builds(session: &Session, waits: &mut [LockWait]) -> Result<(), QueryError> {
    let is_one = |wait: &&LockWait| matches!(wait.target, Target::VirtualTransaction { .. });
    let pids: Vec<i32> = waits.iter().filter(is_one).map(|wait| wait.pid).collect();
    let mut builds = builds::of(session, &pids).await?;
    for wait in waits {
        wait.build = builds.remove(&wait.pid);
    }
    Ok(())
}

/// Who asks: the role, its database, and the server's deadlock_timeout.
pub async fn asker(session: &Session) -> Result<Asker, QueryError> {
    let row = ASKER.row(session, &[]).await?;
    Ok(Asker {
        role: row.get("role")?,
        database: row.get("database")?,
        deadlock_timeout: age(row.get("deadlock_timeout")?),
    })
}

fn blocking(graph: &WaitGraph, locks: &[Lock]) -> Vec<Blocking> {
    let leaders: HashMap<i32, i32> = graph
        .sessions
        .iter()
        .filter_map(|session| match session.kind() {
            SessionKind::ParallelWorker { leader } => Some((session.pid, leader)),
            _ => None,
        })
        .collect();
    let group = |pid: i32| leaders.get(&pid).copied().unwrap_or(pid);
    let groups = awaited::by_group(locks, group);
    let of = |pid: i32| {
        groups
            .get(&group(pid))
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    let mut found = Vec::new();
    for edge in &graph.edges {
        let locks = awaited::in_the_way(of(edge.waiter), of(edge.blocker));
        let one = |prepared: Option<String>, how: How| Blocking {
            waiter: edge.waiter,
            blocker: edge.blocker,
            prepared,
            how,
        };
        if edge.blocker != 0 {
            found.push(one(None, strongest(locks.iter().map(|(_, how)| *how))));
            continue;
        }
        let mut by_gid: BTreeMap<Option<&str>, Vec<How>> = BTreeMap::new();
        for (lock, how) in locks {
            let known = graph
                .prepared
                .iter()
                .find(|p| p.transaction == lock.transaction);
            let gid = known.map(|prepared| prepared.gid.as_str());
            by_gid.entry(gid).or_default().push(how);
        }
        if by_gid.is_empty() {
            found.push(one(None, How::Unknown));
        }
        found.extend(
            by_gid
                .into_iter()
                .map(|(gid, how)| one(gid.map(str::to_owned), strongest(how.into_iter()))),
        );
    }
    found
}

/// What is held counts before what is awaited.
fn strongest(hows: impl Iterator<Item = How>) -> How {
    hows.max_by_key(|how| match how {
        How::Holds(mode) => (2, Some(*mode)),
        How::Queued(mode) => (1, Some(*mode)),
        How::Unknown => (0, None),
    })
    .unwrap_or(How::Unknown)
}
