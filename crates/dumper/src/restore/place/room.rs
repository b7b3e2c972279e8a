//! Room for another session on a server that had none a moment ago.
//!
//! Absent: how many sessions there should be.

use std::time::{Duration, Instant};

use pgdriver::{ConnectError, ConnectErrorKind, ConnectOptions, Session};

/// How long it is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(50);

/// The places of the sessions that have just said goodbye are free soon.
pub(crate) async fn connect_soon(options: &ConnectOptions) -> Result<Session, ConnectError> {
    let begun = Instant::now();
    loop {
        match pgdriver::connect(options).await {
            Err(error)
                if error.kind() == ConnectErrorKind::TooManyConnections
                    && begun.elapsed() < PATIENCE => {}
            other => return other,
        }
        tokio::time::sleep(AGAIN).await;
    }
}
