//! Somebody whose open transaction has read the table.
//!
//! Absent here: when it shall go.

use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context as _, Result};
use postgres::{Client, NoTls};
use xtask::servers::Database;

pub(super) const NAME: &str = "the nightly report";

pub(super) struct Holder {
    leave: Sender<Instant>,
    session: Option<JoinHandle<Result<Instant>>>,
}

impl Holder {
    /// It holds ACCESS SHARE when this returns.
    pub(super) fn start(database: &Database) -> Result<Self> {
        let mut client = Client::connect(&database.dsn(), NoTls)?;
        client.batch_execute(&format!(
            "SET application_name = '{NAME}'; BEGIN; SELECT FROM shop_item LIMIT 1"
        ))?;
        let (leave, told) = channel::<Instant>();
        let session = std::thread::spawn(move || {
            if let Ok(at) = told.recv() {
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
            }
            client.batch_execute("COMMIT")?;
            Ok(Instant::now())
        });
        Ok(Self {
            leave,
            session: Some(session),
        })
    }

    /// It shall commit then.
    pub(super) fn leave_at(&self, at: Instant) -> Result<()> {
        self.leave.send(at).context("the holder is gone")
    }

    /// When it was gone.
    pub(super) fn gone(mut self) -> Result<Instant> {
        let session = self.session.take().context("asked before")?;
        match session.join() {
            Ok(at) => at,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
