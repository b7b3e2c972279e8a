//! Asks the server: the sessions, who waits for whom, and who has what they wait for.
//!
//! Absent here: what it means.

use std::time::Duration;

use pgdriver::activity::locks::{Held, LockMode, Wanted, in_the_way};
use pgdriver::activity::{self, WaitGraph};
use pgdriver::catalog::RelationName;
use pgdriver::server::{self, ServerFacts};
use pgdriver::{QueryError, Session};
use tokio::try_join;

use super::model::{Seen, Snapshot, View};

/// Who we are to the server: asked once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Us {
    pub(crate) role: String,
    pub(crate) database: String,
    /// It has pg_monitor, or is a superuser.
    pub(crate) sees_all_sessions: bool,
    pub(crate) deadlock_timeout: Option<Duration>,
}

impl From<&ServerFacts> for Us {
    fn from(facts: &ServerFacts) -> Self {
        Self {
            role: facts.role.clone(),
            database: facts.database.clone(),
            sees_all_sessions: facts.sees_all_sessions,
            deadlock_timeout: facts.defaults.deadlock_timeout,
        }
    }
}

/// One look.
pub(crate) async fn look(session: &Session, us: &Us, view: &View) -> Result<Snapshot, QueryError> {
    let (graph, sessions, prepared) = try_join!(
        activity::wait_graph(session),
        activity::sessions(session),
        server::prepared_transactions(session)
    )?;
    let held = held(session, &graph, view).await?;
    let seen = Seen {
        sessions,
        graph,
        prepared,
        held,
    };
    Ok(Snapshot::of(seen, us, view))
}

/// Who has what others wait for; with a relation, all that anybody has on it.
async fn held(session: &Session, graph: &WaitGraph, view: &View) -> Result<Vec<Held>, QueryError> {
    let mut wanted: Vec<Wanted> = graph
        .waits
        .iter()
        .filter_map(|wait| {
            let mode = LockMode::from_pg_locks(&wait.mode)?;
            // the first dot divides; a schema with a dot in its name is not found, and then nothing is said of it
            let relation = RelationName::parse(wait.relation.as_deref()?);
            Some(Wanted { relation, mode })
        })
        .collect();
    if let Some(relation) = &view.relation {
        // ACCESS EXCLUSIVE conflicts with every mode
        wanted = vec![Wanted {
            relation: RelationName::parse(relation),
            mode: LockMode::AccessExclusive,
        }];
    }
    wanted.sort_by(|a, b| (&a.relation, a.mode).cmp(&(&b.relation, b.mode)));
    wanted.dedup();
    match wanted.is_empty() {
        true => Ok(Vec::new()),
        false => in_the_way(session, &wanted, &[]).await,
    }
}
