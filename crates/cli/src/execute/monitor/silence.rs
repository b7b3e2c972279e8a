//! When nobody answers any more: neither the observer, nor the connection of the advisory lock, nor a new one.
//!
//! A network that swallows packets, or a server that stands still, tells nobody. Absent here: what follows from it.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::view::ANSWER;
use crate::lock::MigrationLock;

/// What a network may take to come back: its connections go on then.
pub(in crate::execute) const SILENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// Ends once nobody has answered for [`SILENCE`]. `silent` is the observer's; while it hears nothing, the lock's
/// connection is asked.
pub(in crate::execute) async fn silence(
    lock: &MigrationLock,
    mut silent: watch::Receiver<Option<Instant>>,
) {
    loop {
        let Ok(mut since) = silent
            .wait_for(Option::is_some)
            .await
            .map(|since| since.unwrap_or_else(Instant::now))
        else {
            return std::future::pending().await;
        };
        while silent.borrow().is_some() {
            if timeout(ANSWER, lock.still_held()).await.is_ok() {
                since = Instant::now();
            }
            if since.elapsed() >= SILENCE {
                return;
            }
            sleep(PAUSE).await;
        }
    }
}
