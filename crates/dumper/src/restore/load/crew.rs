//! The sessions of a load: who is free, who is at work, and how all of them come to an end.
//!
//! A session at work is moved into a task of its own and comes back with what it found, so that nothing that waits for
//! it can lose it.
//!
//! Absent: what is to be done.

use std::collections::BTreeMap;
use std::time::Duration;

use pgdriver::{CancelToken, ConnectOptions, Notice};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::error::RestoreFailure;
use super::fault::Fault;
use super::schedule::Ticket;
use super::worker::{Durability, Job, Worker, is_full};

/// How long a server may take to cancel what a broken load has left running.
const PATIENCE: Duration = Duration::from_secs(10);

/// All sessions.
#[derive(Debug)]
pub(super) struct Crew {
    options: ConnectOptions,
    idle: Vec<Worker>,
    busy: JoinSet<(Worker, Found)>,
    /// What each session at work is at.
    at: BTreeMap<usize, String>,
    tokens: Vec<CancelToken>,
}

/// What a session comes back with.
#[derive(Debug)]
pub(super) enum Found {
    /// A statement's rows.
    Ran(Result<u64, Fault>),
    /// Rows of a shared block are on their way.
    Sent(Result<(), Fault>),
    /// Its share of a shared block is in.
    Finished(Result<u64, Fault>),
    /// A whole block is in: which table's, of how many bytes.
    Copied {
        table: usize,
        bytes: u64,
        rows: Result<u64, Fault>,
    },
    /// A build of a schedule is done.
    Built {
        ticket: Ticket,
        job: Job,
        done: Result<u64, Fault>,
    },
}

impl Crew {
    /// Opens so many sessions, and a note where the server has no room for all of them.
    pub(super) async fn open(
        options: &ConnectOptions,
        size: usize,
        durability: Durability,
    ) -> Result<(Self, Option<String>), RestoreFailure> {
        let mut crew = Self {
            options: options.clone(),
            idle: Vec::new(),
            busy: JoinSet::new(),
            at: BTreeMap::new(),
            tokens: Vec::new(),
        };
        for number in 0..size {
            match Worker::open(number, options, durability).await {
                Ok(worker) => {
                    crew.tokens.push(worker.session().cancel_token());
                    crew.idle.push(worker);
                }
                Err(RestoreFailure::Connect(error)) if number > 0 && is_full(&error) => {
                    let note = format!(
                        "the server has room for {number} of {size} sessions: {}",
                        error.message()
                    );
                    return Ok((crew, Some(note)));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok((crew, None))
    }

    pub(super) fn size(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.busy.is_empty()
    }

    /// The session that runs what has to stand alone; none while it is at work.
    pub(super) fn first(&mut self) -> Option<Worker> {
        self.numbered(0)
    }

    pub(super) fn numbered(&mut self, number: usize) -> Option<Worker> {
        let at = self
            .idle
            .iter()
            .position(|worker| worker.number == number)?;
        Some(self.idle.swap_remove(at))
    }

    /// Any; rather one that has begun to copy than another.
    pub(super) fn any(&mut self) -> Option<Worker> {
        let copying = self.idle.iter().position(Worker::is_copying);
        match copying {
            Some(at) => Some(self.idle.swap_remove(at)),
            None => self.idle.pop(),
        }
    }

    /// The first that this is true of.
    pub(super) fn such(&mut self, is: impl Fn(&Worker) -> bool) -> Option<Worker> {
        let at = self.idle.iter().position(is)?;
        Some(self.idle.swap_remove(at))
    }

    /// A session that was looked at only.
    pub(super) fn put(&mut self, worker: Worker) {
        self.idle.push(worker);
    }

    /// A session in the place of one that is of no more use.
    pub(super) async fn renewed(&mut self, mut worker: Worker) -> Result<Worker, RestoreFailure> {
        if worker.is_unfit() {
            worker.renew(&self.options).await?;
            self.tokens[worker.number] = worker.session().cancel_token();
        }
        Ok(worker)
    }

    /// Puts a session to work.
    pub(super) fn work<F>(&mut self, number: usize, at: Option<String>, work: F)
    where
        F: Future<Output = (Worker, Found)> + Send + 'static,
    {
        if let Some(at) = at {
            self.at.insert(number, at);
        }
        self.busy.spawn(work);
    }

    /// What the next session that comes back has found; `None` where none is at work.
    pub(super) async fn next(&mut self) -> Option<Result<Found, RestoreFailure>> {
        let (worker, found) = match self.busy.join_next().await? {
            Ok(back) => back,
            Err(error) => {
                let message = format!("a session's task ended: {error}");
                let line = None;
                return Some(Err(RestoreFailure::ConnectionLost { line, message }));
            }
        };
        self.at.remove(&worker.number);
        self.idle.push(worker);
        Some(Ok(found))
    }

    /// What the sessions are at.
    pub(super) fn at(&self) -> Vec<String> {
        self.at.values().cloned().collect()
    }

    /// Cancels what runs, waits for its end, closes all sessions, and hands back what else went wrong meanwhile.
    pub(super) async fn dissolve(mut self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !self.busy.is_empty() {
            for token in &self.tokens {
                let _ = timeout(PATIENCE, token.cancel()).await; // of a server that is gone nothing runs on
            }
        }
        let coming = async {
            while let Some(Ok((worker, found))) = self.busy.join_next().await {
                self.idle.push(worker);
                faults.extend(found.fault());
            }
        };
        let _ = timeout(PATIENCE, coming).await;
        self.busy.abort_all();
        for worker in self.idle {
            let _ = timeout(PATIENCE, worker.close()).await;
        }
        faults
    }

    /// Says goodbye. What the server said beside its answers.
    pub(super) async fn close(self) -> Vec<Notice> {
        let idle = self.idle.iter();
        let notices = idle.flat_map(|worker| worker.session().take_notices().1);
        let notices = notices.collect();
        self.dissolve().await;
        notices
    }
}

impl Found {
    fn fault(self) -> Option<Fault> {
        match self {
            Self::Sent(done) => done.err(),
            Self::Ran(done)
            | Self::Finished(done)
            | Self::Copied { rows: done, .. }
            | Self::Built { done, .. } => done.err(),
        }
    }
}
