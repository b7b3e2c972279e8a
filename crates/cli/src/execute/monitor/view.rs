//! The observer's connection: every question has an end, and a connection that is lost is opened again.
//!
//! A question that is not answered in time, or that is dropped, takes its connection with it: an answer may still be in
//! the pipe. Absent here: what is asked.

use std::fmt;
use std::time::{Duration, Instant};

use pgdriver::{ConnectError, ConnectErrorKind, ConnectOptions, Session};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::database::{Reach, connect_failure};
use crate::failure::Failure;

/// The server ends an observer's query after two seconds itself.
pub(super) const ANSWER: Duration = Duration::from_secs(3);
/// For everything up to a usable session.
const OPEN: Duration = Duration::from_secs(5);
/// Between two attempts to open one.
const PAUSE: Duration = Duration::from_secs(1);
/// What a question waits for its connection, while others wait for what comes of it.
const SOON: Duration = Duration::from_secs(1);
/// A session that the server ends is gone so soon after its last word.
const LAST_WORD: Duration = Duration::from_millis(20);

/// Why nothing was seen.
#[derive(Debug, Clone)]
pub(in crate::execute) enum Unseen {
    /// Nobody answers.
    Silence(String),
    /// The server, or its host, said so.
    Said(String),
    /// Nobody listens there, or the server starts anew: no process of before is left.
    NoServer(String),
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence(why) | Self::Said(why) | Self::NoServer(why) => f.write_str(why),
        }
    }
}

pub(super) struct View {
    options: ConnectOptions,
    session: Option<Session>,
    opening: Option<Opening>,
    /// The last attempt to open one ended then.
    tried: Option<Instant>,
    why: Unseen,
    patience: Duration,
    /// Since when nobody answers.
    silent: watch::Sender<Option<Instant>>,
}

/// It goes on by itself: nobody waits for all of it.
struct Opening {
    began: Instant,
    task: JoinHandle<Result<Session, Unseen>>,
}

impl View {
    pub(super) async fn open(reach: &Reach) -> Result<Self, Failure> {
        let options = reach.options().clone();
        let session = Box::pin(pgdriver::connect_observer(&options))
            .await
            .map_err(|e| connect_failure(&e))?;
        Ok(Self {
            options,
            session: Some(session),
            opening: None,
            tried: None,
            why: Unseen::Said("its last look was cut short".to_owned()),
            patience: SOON,
            silent: watch::Sender::new(None),
        })
    }

    /// Since when nobody answers, as it changes.
    pub(super) fn silent(&self) -> watch::Receiver<Option<Instant>> {
        self.silent.subscribe()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent.borrow().is_some()
    }

    /// Nobody waits for what comes of a question any more: it may wait for its connection.
    pub(super) fn take_time(&mut self) {
        self.patience = OPEN;
    }

    /// The answer to a question, which may be put twice.
    pub(super) async fn ask<T, E: fmt::Display>(
        &mut self,
        question: impl AsyncFn(&Session) -> Result<T, E>,
    ) -> Result<T, Unseen> {
        loop {
            let session = self.take().await?;
            let began = Instant::now();
            match timeout(ANSWER, question(&session)).await {
                Err(_) => {
                    let why = format!("the server did not answer for {} s", ANSWER.as_secs());
                    self.why = Unseen::Silence(why);
                    self.unanswered(began);
                    return Err(self.why.clone());
                }
                Ok(Ok(answer)) => {
                    self.answered();
                    self.session = Some(session);
                    return Ok(answer);
                }
                Ok(Err(why)) => {
                    self.why = Unseen::Said(why.to_string());
                    if timeout(LAST_WORD, session.closed()).await.is_err() {
                        self.answered();
                        self.session = Some(session);
                        return Err(self.why.clone());
                    }
                    // the connection was lost: once more over another, unless that was just opened, too
                }
            }
        }
    }

    /// The connection, taken out: a question that is dropped does not put it back.
    async fn take(&mut self) -> Result<Session, Unseen> {
        if let Some(session) = self.session.take().filter(|s| !s.is_closed()) {
            return Ok(session);
        }
        if self.opening.is_none() && self.tried.is_some_and(|at| at.elapsed() < PAUSE) {
            return Err(self.why.clone());
        }
        let options = &self.options;
        let opening = self.opening.get_or_insert_with(|| Opening {
            began: Instant::now(),
            task: tokio::spawn(open(options.clone())),
        });
        let began = opening.began;
        let patience = self.patience.saturating_sub(began.elapsed());
        let Ok(opened) = timeout(patience, &mut opening.task).await else {
            return Err(self.why.clone());
        };
        self.opening = None;
        self.tried = Some(Instant::now());
        match opened {
            Ok(Ok(session)) => {
                self.answered();
                return Ok(session);
            }
            Ok(Err(why)) => self.why = why,
            Err(panicked) => self.why = Unseen::Said(panicked.to_string()),
        }
        match self.why {
            Unseen::Silence(_) => self.unanswered(began),
            Unseen::Said(_) | Unseen::NoServer(_) => self.answered(),
        }
        Err(self.why.clone())
    }

    fn answered(&self) {
        self.silent.send_if_modified(|since| since.take().is_some());
    }

    fn unanswered(&self, since: Instant) {
        self.silent.send_if_modified(|silent| {
            let first = silent.is_none();
            silent.get_or_insert(since);
            first
        });
    }
}

async fn open(options: ConnectOptions) -> Result<Session, Unseen> {
    let silence = || {
        let seconds = OPEN.as_secs();
        Unseen::Silence(format!("no new connection was to be had in {seconds} s"))
    };
    match timeout(OPEN, Box::pin(pgdriver::connect_observer(&options))).await {
        Ok(opened) => opened.map_err(|error| unseen(&error)),
        Err(_) => Err(silence()),
    }
}

fn unseen(error: &ConnectError) -> Unseen {
    let why = format!("no new connection: {}", error.message());
    match error.kind() {
        ConnectErrorKind::Timeout
        | ConnectErrorKind::Unreachable
        | ConnectErrorKind::NoSuchHost => Unseen::Silence(why),
        ConnectErrorKind::Refused | ConnectErrorKind::ServerStarting => Unseen::NoServer(why),
        _ => Unseen::Said(why),
    }
}
