//! Makes one snapshot of what the driver answered. Pure.
//!
//! A prepared transaction has no pid: here each has a number of its own below 1. Absent here: what the parts mean (see
//! [`super::model`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use pgdriver::activity::locks::Held;
use pgdriver::activity::remedy::{Action, Remedy};
use pgdriver::activity::{
    Blocking, Cause, Edge, How, LockWait, Prepared, SessionInfo, SessionKind, Target, WaitGraph,
};
use pgdriver::server::PreparedTransaction;

use super::look::Us;
use super::model::{Hold, Root, Scope, Seen, Snapshot, View, Waiter, mask};
use super::tree::{self, Group};
use super::{findings, holding, words};

impl Snapshot {
    pub(crate) fn of(mut seen: Seen, us: &Us, view: &View) -> Self {
        let causes = seen.graph.causes();
        let of_held = seen
            .held
            .iter_mut()
            .filter_map(|held| held.session.as_mut());
        for session in seen.sessions.iter_mut().chain(of_held) {
            mask(session, view.literals);
        }
        let leaders: BTreeMap<i32, i32> = seen
            .sessions
            .iter()
            .filter_map(|session| Some((session.pid, session.leader()?)))
            .collect();
        let mut edges = tree::fold(&edges(&seen.graph), |pid| leaders.get(&pid).copied());
        concern(&mut edges, &seen, us, view);
        let waits: BTreeMap<i32, &LockWait> = edges
            .iter()
            .filter_map(|edge| Some((edge.waiter, seen.graph.wait(edge.waiter)?)))
            .collect();
        let groups = tree::groups(&edges, |pid| {
            Reverse(waits.get(&pid).and_then(|wait| wait.waited))
        });
        let waiters = waiters(&edges, &groups, &waits);
        let mut roots: Vec<Root> = groups
            .into_iter()
            .map(|group| root(group, &seen, &causes, &waiters))
            .collect();
        roots.sort_by_key(|root| {
            (
                Reverse(root.waiting.len()),
                Reverse(root.longest),
                root.pid(),
            )
        });
        let involved: BTreeSet<i32> = edges
            .iter()
            .flat_map(|edge| [edge.waiter, edge.blocker])
            .collect();
        let ours = |session: &SessionInfo| is_shown(session, &involved, &seen.held, us, view);
        let elsewhere = |session: &&SessionInfo| {
            !ours(session)
                && session.database.is_some()
                && session.database.as_ref() != Some(&us.asker.database)
        };
        let elsewhere = seen.sessions.iter().filter(elsewhere).count();
        let here = seen
            .sessions
            .iter()
            .filter(|session| session.database.as_ref() == Some(&us.asker.database));
        let here: Vec<SessionInfo> = here.cloned().collect();
        let mut snapshot = Self {
            us: us.clone(),
            view: view.clone(),
            sessions: seen
                .sessions
                .iter()
                .filter(|session| ours(session))
                .cloned()
                .collect(),
            waiters,
            extent: seen.graph.extent,
            roots,
            prepared: seen
                .prepared
                .iter()
                .filter(|prepared| is_on(prepared, view))
                .cloned()
                .collect(),
            on_relation: seen.held,
            holders: holding::holders(seen.strong.as_ref(), &here),
            runs: holding::runs(seen.strong.as_ref(), &here),
            findings: Vec::new(),
            elsewhere,
        };
        snapshot.findings = findings::of(&snapshot);
        snapshot
    }
}

/// The graph's edges, where each prepared transaction is somebody: -1 is the first of them, 0 one without a name.
fn edges(graph: &WaitGraph) -> Vec<Edge> {
    let somebody = |gid: &Option<String>| {
        let at = graph
            .prepared
            .iter()
            .position(|one| Some(&one.gid) == gid.as_ref());
        at.and_then(|at| i32::try_from(at).ok())
            .map_or(0, |at| -1 - at)
    };
    let edge = |blocking: &Blocking| Edge {
        waiter: blocking.waiter,
        blocker: match blocking.blocker {
            0 => somebody(&blocking.prepared),
            pid => pid,
        },
    };
    graph.blocking.iter().map(edge).collect()
}

fn prepared_of(graph: &WaitGraph, pid: i32) -> Option<&Prepared> {
    graph
        .prepared
        .get(usize::try_from(-1 - i64::from(pid)).ok()?)
}

/// Leaves what the view is about: what is connected with this database, or with the relation.
fn concern(edges: &mut Vec<Edge>, seen: &Seen, us: &Us, view: &View) {
    let starts: BTreeSet<i32> = match &view.relation {
        Some(relation) => {
            let name = relation.to_string();
            let about = seen
                .graph
                .waits
                .iter()
                .filter(|wait| wait.table() == Some(&name));
            let on_it = seen.held.iter().map(|held| held.pid).filter(|pid| *pid > 0);
            about.map(|wait| wait.pid).chain(on_it).collect()
        }
        None if view.scope == Scope::Cluster => return,
        None => {
            let here =
                |session: &&SessionInfo| session.database.as_ref() == Some(&us.asker.database);
            seen.sessions
                .iter()
                .filter(here)
                .map(|session| session.pid)
                .collect()
        }
    };
    let near = tree::connected(edges, starts);
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
        let members = group.roots.iter().filter(|_| group.cycle);
        for pid in group.behind.iter().chain(members) {
            if let Some(waiter) = found.get_mut(pid) {
                waiter
                    .root_pids
                    .extend(group.roots.iter().filter(|root| *root != pid));
            }
        }
    }
    let mut waiters: Vec<Waiter> = found.into_values().collect();
    waiters.sort_by_key(|waiter| Reverse(waiter.waited()));
    waiters
}

fn root(group: Group, seen: &Seen, causes: &[Cause], waiters: &[Waiter]) -> Root {
    let pid = group.roots[0];
    let prepared = prepared_of(&seen.graph, pid).cloned();
    let gid = prepared.as_ref().map(|prepared| &prepared.gid);
    let is_it = |cause: &&Cause| match pid {
        ..=0 => cause.pid == 0 && cause.prepared.as_ref() == gid,
        pid => cause.pid == pid,
    };
    let behind = |waiter: &&Waiter| group.behind.contains(&waiter.pid);
    let remedy = match causes.iter().find(is_it) {
        Some(cause) => cause.remedy.clone(),
        None => Remedy {
            action: Action::None,
            hindrances: Vec::new(),
        },
    };
    Root {
        deadlock: group.cycle,
        holds: holds(&seen.graph, pid, gid),
        waiting: waiters
            .iter()
            .filter(behind)
            .map(|waiter| waiter.pid)
            .collect(),
        longest: waiters
            .iter()
            .filter(behind)
            .filter_map(Waiter::waited)
            .max(),
        prepared,
        remedy,
        tree: group.tree,
        pids: group.roots,
    }
}

/// What of it stands in the way of those who wait for it directly.
fn holds(graph: &WaitGraph, pid: i32, gid: Option<&String>) -> Vec<Hold> {
    let by_it = graph
        .blocking
        .iter()
        .filter(|one| one.blocker == pid.max(0) && one.prepared.as_ref() == gid);
    let mut holds: Vec<Hold> = by_it
        .filter_map(|one| {
            let wait = graph.wait(one.waiter)?;
            let mode = match (one.how, &wait.target) {
                (How::Holds(mode), Target::Relation) => Some(mode.sql()),
                _ => None,
            };
            Some(Hold {
                what: words::held(wait),
                mode,
                relation: wait.table().map(str::to_owned),
            })
        })
        .collect();
    holds.sort();
    holds.dedup();
    holds
}

fn is_on(prepared: &PreparedTransaction, view: &View) -> bool {
    let Some(relation) = &view.relation else {
        return true;
    };
    // the server leaves out a schema that the search path finds
    let name = relation.to_string();
    prepared
        .relations
        .iter()
        .any(|other| *other == name || *other == relation.name)
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
        _ => view.scope == Scope::Cluster || session.database.as_ref() == Some(&us.asker.database),
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Literals;
    use super::super::sample::{detail, hidden, session, us};
    use super::*;
    use pgdriver::activity::locks::LockMode;
    use std::time::Duration;

    fn view() -> View {
        View {
            scope: Scope::Database,
            literals: Literals::Hidden,
            relation: None,
        }
    }

    fn old(pid: i32, state: &str) -> SessionInfo {
        session(pid, state, Duration::from_secs(60))
    }

    /// Everybody in the graph is in the list too.
    fn seen(sessions: Vec<SessionInfo>, graph: WaitGraph) -> Seen {
        Seen {
            graph: WaitGraph {
                sessions: sessions.clone(),
                asker: us().asker,
                ..graph
            },
            sessions,
            prepared: Vec::new(),
            held: Vec::new(),
            strong: None,
        }
    }

    fn blocks(blocker: i32, waiter: i32, prepared: Option<&str>) -> Blocking {
        Blocking {
            waiter,
            blocker,
            prepared: prepared.map(str::to_owned),
            how: How::Holds(LockMode::AccessShare),
        }
    }

    fn graph(blocking: Vec<Blocking>, prepared: &[&str]) -> WaitGraph {
        let one = |gid: &&str| Prepared {
            gid: (*gid).to_owned(),
            transaction: String::new(),
            owner: "web".to_owned(),
            database: "shop".to_owned(),
            age: Duration::from_secs(60),
            may_end: false,
        };
        let edge = |one: &Blocking| Edge {
            waiter: one.waiter,
            blocker: one.blocker,
        };
        WaitGraph {
            edges: blocking.iter().map(edge).collect(),
            blocking,
            prepared: prepared.iter().map(one).collect(),
            ..WaitGraph::default()
        }
    }

    #[test]
    fn each_prepared_transaction_is_a_root() {
        let blocking = vec![
            blocks(0, 5, Some("b")),
            blocks(0, 6, Some("a")),
            blocks(5, 7, None),
        ];
        let sessions = vec![old(5, "active"), old(6, "active"), old(7, "active")];
        let shot = Snapshot::of(seen(sessions, graph(blocking, &["a", "b"])), &us(), &view());
        let roots: Vec<_> = shot
            .roots
            .iter()
            .map(|root| {
                (
                    root.prepared.as_ref().map(|p| p.gid.as_str()),
                    root.waiting.len(),
                    root.remedy.sql(),
                )
            })
            .collect();
        let end = |gid: &str| vec![format!("ROLLBACK PREPARED '{gid}'")];
        assert_eq!(roots, [(Some("b"), 2, end("b")), (Some("a"), 1, end("a"))]);
        let codes: Vec<&str> = shot.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes[..2], ["lock-queue", "lock-queue"]);
    }

    #[test]
    fn those_who_wait_for_each_other_are_one_root() {
        let sessions = vec![old(5, "active"), old(6, "active")];
        let blocking = vec![blocks(5, 6, None), blocks(6, 5, None)];
        let shot = Snapshot::of(seen(sessions, graph(blocking, &[])), &us(), &view());
        assert_eq!(shot.roots.len(), 1);
        assert_eq!(
            (shot.roots[0].deadlock, &shot.roots[0].pids),
            (true, &vec![5, 6])
        );
        assert!(shot.roots[0].remedy.sql().is_empty());
        assert_eq!(
            shot.waiter(5).map(|waiter| waiter.root_pids.clone()),
            Some(vec![6])
        );
        assert_eq!(shot.findings[0].code, "deadlock");
    }

    #[test]
    fn other_databases_are_left_out_unless_they_are_in_a_chain() {
        let mut sessions = vec![
            old(1, "idle"),
            old(2, "idle"),
            old(3, "active"),
            old(4, "active"),
        ];
        for session in &mut sessions[1..] {
            session.database = Some("other".to_owned());
        }
        sessions[3].database = Some("shop".to_owned());
        // 3 waits in the other database for 2, 4 waits here for 9, which is there
        sessions.push(SessionInfo {
            database: Some("other".to_owned()),
            ..old(9, "idle in transaction")
        });
        let blocking = || vec![blocks(2, 3, None), blocks(9, 4, None)];
        let shot = Snapshot::of(
            seen(sessions.clone(), graph(blocking(), &[])),
            &us(),
            &view(),
        );
        let pids: Vec<i32> = shot.sessions.iter().map(|session| session.pid).collect();
        assert_eq!((pids, shot.elsewhere), (vec![1, 4, 9], 2));
        assert_eq!(shot.roots.iter().map(Root::pid).collect::<Vec<_>>(), [9]);
        let cluster = View {
            scope: Scope::Cluster,
            ..view()
        };
        let shot = Snapshot::of(seen(sessions, graph(blocking(), &[])), &us(), &cluster);
        assert_eq!(
            (shot.sessions.len(), shot.roots.len(), shot.elsewhere),
            (5, 2, 0)
        );
    }

    #[test]
    fn what_is_told_beside_waits() {
        let mut vacuum = old(3, "active");
        vacuum.user = None;
        detail(&mut vacuum).backend_type = Some("autovacuum worker".to_owned());
        detail(&mut vacuum).query =
            "autovacuum: VACUUM public.item (to prevent wraparound)".to_owned();
        let sessions = vec![
            old(1, "idle in transaction"),
            old(2, "active"),
            vacuum,
            hidden(4),
            session(5, "idle in transaction", Duration::from_secs(1)),
        ];
        let shot = Snapshot::of(seen(sessions, WaitGraph::default()), &us(), &view());
        let told: Vec<(&str, &str)> = shot
            .findings
            .iter()
            .map(|finding| (finding.code, finding.message.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "idle-in-transaction",
                    "web, backend 1, idle in transaction, in a transaction for 60 s"
                ),
                (
                    "long-transaction",
                    "web, backend 2, active, in a transaction for 60 s"
                ),
                (
                    "wraparound-vacuum",
                    "backend 3: VACUUM public.item (to prevent wraparound), for 60 s"
                ),
                (
                    "sessions-hidden",
                    "ops is not permitted to see into 1 session"
                ),
            ]
        );
        assert!(
            shot.findings[0]
                .remedy
                .starts_with("SELECT pg_terminate_backend(1);")
        );
        assert_eq!(
            shot.session(1)
                .and_then(|s| Some(s.detail.seen()?.query.as_str())),
            Some("SELECT ?")
        );
    }
}
