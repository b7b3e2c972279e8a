//! A few observers that are used again, so that a run does not log in anew for each look.
//!
//! The pool is deadpool's, as deadpool-postgres uses it, but over our own [`Session`]: deadpool-postgres's `Manager`
//! opens a `tokio_postgres::Config` and knows no other error, so that libpq's order of hosts and TLS attempts, the
//! observer's settings and the reason of a failure would be lost on the way.
//!
//! Absent: sessions of full rights. One that comes back has lost `SET` and advisory locks, or keeps those of another.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use deadpool::managed::{self, Manager, Object, PoolError, RecycleError, RecycleResult};
use deadpool_postgres::{Metrics, Runtime, TimeoutType};

use super::{ConnectError, ConnectErrorKind, connect_observer};
use crate::options::ConnectOptions;
use crate::session::Session;

/// One for a whole run, one for the watch over a running migration, one for a look in between.
const MOST: usize = 3;
/// How long somebody waits for one of the others to give theirs back.
const WAIT: Duration = Duration::from_secs(10);
/// A session that does not answer for so long is given up: a firewall forgot it while it was idle.
const ANSWER: Duration = Duration::from_secs(5);

/// Observers ([`connect_observer`]) of one database. Cloning shares them.
#[derive(Clone)]
pub struct ObserverPool {
    pool: managed::Pool<Observers, PooledObserver>,
    target: String,
}

/// An observer on loan: back in the pool when dropped.
pub struct PooledObserver(Object<Observers>);

/// How deadpool makes and tests a session.
struct Observers(ConnectOptions);

impl ObserverPool {
    /// Opens nothing yet.
    pub fn new(options: ConnectOptions) -> Self {
        let target = options.describe();
        let pool = managed::Pool::builder(Observers(options))
            .max_size(MOST)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .recycle_timeout(Some(ANSWER))
            .build()
            .expect("timeouts have a runtime");
        Self { pool, target }
    }

    /// An idle observer that is alive and still restricted, else a new one.
    pub async fn get(&self) -> Result<PooledObserver, ConnectError> {
        let other =
            |message: String| ConnectError::new(ConnectErrorKind::Other, &self.target, message);
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Wait) => {
                other(format!("all {MOST} observers are in use"))
            }
            error => other(error.to_string()),
        })
    }

    /// How many are open, idle or on loan.
    pub fn open(&self) -> usize {
        self.pool.status().size
    }
}

impl Manager for Observers {
    type Type = Session;
    type Error = ConnectError;

    async fn create(&self) -> Result<Session, ConnectError> {
        connect_observer(&self.0).await
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<ConnectError> {
        if session.is_closed() {
            return Err(RecycleError::message("the connection is gone"));
        }
        match session.still_observes().await {
            Ok(true) => Ok(()),
            // not repaired: whoever changed it may have changed more
            Ok(false) => Err(RecycleError::message("its settings were changed")),
            Err(error) => Err(RecycleError::message(error.to_string())),
        }
    }
}

impl Deref for PooledObserver {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl From<Object<Observers>> for PooledObserver {
    fn from(object: Object<Observers>) -> Self {
        Self(object)
    }
}

impl fmt::Debug for ObserverPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ObserverPool({} of {} to {})",
            self.open(),
            MOST,
            self.target
        )
    }
}

impl fmt::Debug for PooledObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.deref().fmt(f)
    }
}
