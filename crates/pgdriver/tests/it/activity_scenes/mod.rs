//! Known scenes of blocking: direct blockers with how they block, the roots and the remedy for each, exactly; as a
//! superuser sees them and as a role without any privilege does.

mod chains;
mod clients;
mod indexes;
mod objects;
mod parallel;
mod permissions;
mod rows;
mod servers;
mod vacuum;

use pgdriver::Session;
use pgdriver::activity::locks::{LockMode, queue_behind};
use pgdriver::activity::remedy::{Action, Because, Hindrance};
use pgdriver::activity::{self, Cause, How, LockWait, WaitGraph};
use xtask::servers::Database;

use crate::activity::until_waiting;
use crate::{PLAIN, leave_running, observer, options, plain_dsn, superuser};

pub(crate) const AX: LockMode = LockMode::AccessExclusive;
pub(crate) const READ: LockMode = LockMode::AccessShare;
const WRITE: LockMode = LockMode::RowExclusive;

/// A database with sessions in it that block each other.
struct Scene {
    database: Database,
    waiting: usize,
    observer: Session,
    plain: Session,
}

impl Scene {
    async fn new(database: Database, schema: &str) -> Self {
        database.execute(schema).unwrap();
        let dsn = plain_dsn(database.server(), database.name());
        Self {
            observer: observer(&database).await,
            plain: pgdriver::connect_observer(&options(&dsn)).await.unwrap(),
            waiting: 0,
            database,
        }
    }

    /// A session that has run this and stays.
    async fn after(&self, setup: &str) -> i32 {
        leave_running(&self.database, setup, "").await
    }

    /// A session that runs this last, and does not wait for a lock.
    async fn busy(&self, setup: &str, statement: &str) -> i32 {
        leave_running(&self.database, setup, statement).await
    }

    /// A session that waits for a lock now.
    async fn waits(&mut self, setup: &str, statement: &str) -> i32 {
        let pid = leave_running(&self.database, setup, statement).await;
        self.waiting += 1;
        until_waiting(&self.database, self.waiting).await;
        pid
    }

    /// A session that has run this, for more to come.
    async fn open(&self, setup: &str) -> Session {
        let session = superuser(&self.database).await;
        session.execute(setup).await.unwrap();
        session
    }

    /// Such a session waits for a lock now.
    async fn goes_on_to_wait(&mut self, session: Session, statement: &str) -> i32 {
        let pid = session.pid();
        let statement = statement.to_owned();
        tokio::spawn(async move {
            let _ = session.execute(&statement).await;
            session.closed().await;
        });
        self.waiting += 1;
        until_waiting(&self.database, self.waiting).await;
        pid
    }

    /// What everybody may see of the wait.
    async fn wait(&self, pid: i32) -> LockWait {
        let graph = activity::blockers_of(&self.plain, pid).await.unwrap();
        let seen = activity::blockers_of(&self.observer, pid).await.unwrap();
        let wait = graph.wait(pid).unwrap().clone();
        assert_eq!(wait.target, seen.wait(pid).unwrap().target);
        wait
    }

    /// Compares the direct blockers and the roots of `waiter` exactly: from its own end and in the whole graph, for
    /// both roles.
    async fn check(&self, waiter: i32, direct: &[(i32, How)], roots: &[(i32, Action)]) {
        let mut direct = direct.to_vec();
        direct.sort_by_key(|(pid, _)| *pid);
        for session in [&self.observer, &self.plain] {
            assert!(activity::is_blocked(session, waiter).await.unwrap());
            let near = activity::blockers_of(session, waiter).await.unwrap();
            let whole = activity::wait_graph(session).await.unwrap();
            for graph in [near, whole] {
                compare(&graph, waiter, &direct, roots);
            }
        }
        self.check_remedies(waiter, roots).await;
        self.check_queues(waiter, roots).await;
    }

    async fn check_remedies(&self, waiter: i32, roots: &[(i32, Action)]) {
        let graph = activity::blockers_of(&self.observer, waiter).await.unwrap();
        let expected: Vec<Action> = roots.iter().map(|(_, action)| action.clone()).collect();
        assert_eq!(actions(graph.causes_of(waiter)), sorted(expected));
        assert!(
            graph
                .causes_of(waiter)
                .iter()
                .all(|cause| cause.remedy.hindrances.is_empty()),
            "a superuser may do everything"
        );
        let graph = activity::blockers_of(&self.plain, waiter).await.unwrap();
        let expected = roots.iter().map(|(_, action)| unseen(action)).collect();
        assert_eq!(actions(graph.causes_of(waiter)), sorted(expected));
        let owner = self.database.server().user();
        for cause in graph.causes_of(waiter) {
            assert_eq!(cause.remedy.hindrances, hindrances(&cause, owner));
        }
    }

    /// Whoever is behind a root in the graph stands in the queue that the guard counts.
    async fn check_queues(&self, waiter: i32, roots: &[(i32, Action)]) {
        for (root, _) in roots.iter().filter(|(root, _)| *root != 0) {
            for session in [&self.observer, &self.plain] {
                let queue = queue_behind(session, *root, 100).await.unwrap();
                assert!(queue.pids.contains(&waiter), "{queue:?}");
                assert_eq!(queue.waiting, queue.pids.len() as u64);
            }
        }
    }
}

#[track_caller]
fn compare(graph: &WaitGraph, waiter: i32, direct: &[(i32, How)], roots: &[(i32, Action)]) {
    let pids: Vec<i32> = direct.iter().map(|(pid, _)| *pid).collect();
    assert_eq!(graph.direct(waiter), pids, "direct blockers");
    let mut how: Vec<_> = graph.blocking(waiter).map(|b| (b.blocker, b.how)).collect();
    how.sort_by_key(|(pid, _)| *pid);
    assert_eq!(how, direct, "how they block");
    let mut ends: Vec<i32> = roots.iter().map(|(pid, _)| *pid).collect();
    ends.sort_unstable();
    assert_eq!(graph.roots(waiter), ends, "roots");
    assert!(graph.causes().iter().any(|cause| ends.contains(&cause.pid)));
}

fn actions(causes: Vec<Cause>) -> Vec<Action> {
    sorted(
        causes
            .into_iter()
            .map(|cause| cause.remedy.action)
            .collect(),
    )
}

fn sorted(mut actions: Vec<Action>) -> Vec<Action> {
    actions.sort_by_key(|action| format!("{action:?}"));
    actions
}

/// What the remedy is for a role that may not see what the root does.
fn unseen(action: &Action) -> Action {
    match *action {
        Action::CancelQuery { pid }
        | Action::CancelIndexBuild { pid }
        | Action::Terminate { pid, .. } => Action::CancelOrTerminate { pid },
        _ => action.clone(),
    }
}

/// What keeps a role without privileges from it: every session here is a superuser's.
fn hindrances(cause: &Cause, owner: &str) -> Vec<Hindrance> {
    let grant = format!("GRANT pg_monitor TO \"{PLAIN}\"");
    let cannot_see = Hindrance::NotPermittedToSee { grant };
    match cause.remedy.action {
        Action::CancelOrTerminate { .. } => vec![Hindrance::SuperuserOnly, cannot_see],
        Action::EndPrepared { .. } => vec![Hindrance::OwnerOnly {
            owner: owner.to_owned(),
        }],
        _ => vec![],
    }
}

fn idle_in_transaction(pid: i32) -> Action {
    Action::Terminate {
        pid,
        because: Because::IdleInTransaction,
    }
}
