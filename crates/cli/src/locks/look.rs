//! Asks the server: the sessions, who waits for whom, and who has what they wait for.
//!
//! Absent here: what it means.

use pgdriver::activity::locks::{Held, LockMode, Strong, Wanted, in_the_way, strong};
use pgdriver::activity::remedy::Asker;
use pgdriver::activity::{self, Extent, WaitGraph};
use pgdriver::advisory::LockKey;
use pgdriver::server::{self, ServerFacts};
use pgdriver::{QueryError, Session};
use tokio::try_join;

use super::model::{Seen, Snapshot, View};

/// Who we are to the server: asked once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Us {
    /// With the database that we look from.
    pub(crate) asker: Asker,
    pub(crate) superuser: bool,
    /// `15.18`
    pub(crate) version: String,
}

impl From<&ServerFacts> for Us {
    fn from(facts: &ServerFacts) -> Self {
        Self {
            asker: Asker {
                role: facts.role.clone(),
                database: facts.database.clone(),
                deadlock_timeout: facts.defaults.deadlock_timeout,
            },
            superuser: facts.is_superuser,
            version: facts.short_version(),
        }
    }
}

impl Us {
    /// Asks who we are.
    pub(crate) async fn of(session: &Session) -> Result<Self, QueryError> {
        // not all of the server's facts: whoever looks at locks has no time for the size of the database
        let (asker, role) = try_join!(activity::asker(session), server::role(session))?;
        let version = session.server_version().unwrap_or_default();
        let version = version.split(' ').next().unwrap_or_default();
        Ok(Self {
            asker,
            superuser: role.is_superuser(),
            version: version.to_owned(),
        })
    }
}

/// One look.
pub(crate) async fn look(session: &Session, us: &Us, view: &View) -> Result<Snapshot, QueryError> {
    let (graph, sessions, prepared, strong) = try_join!(
        graph(session),
        activity::sessions(session),
        server::prepared_transactions(session),
        strong_locks(session, view)
    )?;
    let held = held(session, view).await?;
    let seen = Seen {
        sessions,
        graph,
        prepared,
        held,
        strong,
    };
    Ok(Snapshot::of(seen, us, view))
}

/// Without who waits for whom, said so, where the server cancels the question: the sessions are worth a look by themselves.
async fn graph(session: &Session) -> Result<WaitGraph, QueryError> {
    match activity::wait_graph(session).await {
        Err(error) if error.is_cancelled() => Ok(WaitGraph {
            extent: Extent::Unknown,
            ..WaitGraph::default()
        }),
        answer => answer,
    }
}

/// Who holds strong locks; who asks about one relation gets all locks on that instead.
async fn strong_locks(session: &Session, view: &View) -> Result<Option<Strong>, QueryError> {
    if view.relation.is_some() {
        return Ok(Some(Strong::default()));
    }
    match strong(session, LockKey::MIGRATIONS).await {
        Err(error) if error.is_cancelled() => Ok(None),
        answer => answer.map(Some),
    }
}

/// Everybody's locks on the relation of the view.
async fn held(session: &Session, view: &View) -> Result<Vec<Held>, QueryError> {
    let Some(relation) = &view.relation else {
        return Ok(Vec::new());
    };
    // ACCESS EXCLUSIVE conflicts with every mode
    let all = Wanted {
        relation: relation.clone(),
        mode: LockMode::AccessExclusive,
    };
    in_the_way(session, &[all], &[]).await
}
