//! pg_dump as the server sees it: its sessions, whom they wait for, which tables they read.
//!
//! A session of its own asks, and gives up rather than wait. Where it cannot connect, a dump goes on without.
//!
//! Absent: doing anything about what is seen.

use std::time::Duration;

use pgdriver::activity::{self, SessionInfo, WaitGraph};
use pgdriver::dumped::{self, Copying};
use pgdriver::{ConnectOptions, QueryError, Session};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::progress::{Holder, Waiting};

const NAME: &str = "django-migrate backup's watch";
/// How often to look.
const PAUSE: Duration = Duration::from_millis(200);

/// What was seen last.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    /// pg_dump's sessions, the first one first.
    pub(super) pids: Vec<i32>,
    /// Whom one of them waits for now.
    pub(super) waiting: Option<Waiting>,
    /// What they are copying.
    pub(super) copies: Vec<Copying>,
}

/// Looks until it is dropped, or cannot look any more.
pub(super) async fn watch(
    options: ConnectOptions,
    application: String,
    lock_wait_timeout: Option<Duration>,
    tell: watch::Sender<Seen>,
) {
    let options = options.with_application_name(NAME);
    let Ok(session) = pgdriver::connect_observer(&options).await else {
        return;
    };
    // a wait that is over after half a second must be seen before
    let pause = lock_wait_timeout.map_or(PAUSE, |limit| PAUSE.min(limit / 4));
    loop {
        match look(&session, &application).await {
            Ok(seen) => {
                tell.send_if_modified(|last| {
                    let news = *last != seen;
                    *last = seen;
                    news
                });
            }
            Err(error) if error.is_connection_lost() => {
                // what nobody can see any more is not told on and on
                tell.send_modify(|last| last.waiting = None);
                return;
            }
            // a busy server: what was seen last stays
            Err(_) => {}
        }
        if tell.is_closed() {
            return;
        }
        sleep(pause.max(Duration::from_millis(20))).await;
    }
}

async fn look(session: &Session, application: &str) -> Result<Seen, QueryError> {
    let pids = dumped::backends(session, application).await?;
    let mut waiting = None;
    for pid in &pids {
        if activity::is_blocked(session, *pid).await? {
            waiting = waiting_for(&activity::blockers_of(session, *pid).await?, *pid);
        }
        if waiting.is_some() {
            break;
        }
    }
    let copies = dumped::copies(session, &pids).await?;
    Ok(Seen {
        pids,
        waiting,
        copies,
    })
}

/// `None` where the wait was over before it could be described.
fn waiting_for(graph: &WaitGraph, pid: i32) -> Option<Waiting> {
    let wait = graph.wait(pid)?;
    let mut holders: Vec<Holder> = graph
        .roots(pid)
        .into_iter()
        .filter_map(|root| graph.session(root))
        .map(holder)
        .collect();
    holders.extend(graph.prepared.iter().map(|prepared| Holder {
        pid: 0,
        user: Some(prepared.owner.clone()),
        application: None,
        state: None,
        query: None,
        since: Some(prepared.age),
        prepared: Some(prepared.gid.clone()),
    }));
    Some(Waiting {
        waited: wait.waited.unwrap_or_default(),
        relation: wait.table().map(str::to_owned),
        holders,
    })
}

fn holder(session: &SessionInfo) -> Holder {
    let detail = session.detail.seen();
    Holder {
        pid: session.pid,
        user: session.user.clone(),
        application: session.application.clone(),
        state: detail.and_then(|it| it.state.clone()),
        query: detail.map(|it| it.query.clone()),
        since: detail.and_then(|it| it.xact_age),
        prepared: None,
    }
}
