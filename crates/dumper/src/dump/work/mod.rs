//! The part of a dump in which pg_dump runs: its bytes, its words, its end, its waits, and the rows that are counted
//! beside it.
//!
//! Absent: judging what was written (`prove`, `counts::compare`).

mod after;
mod ending;
mod far;
mod output;

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use after::judge_count;
use output::{Output, streamed_of, streaming, whole, writing};
use pgdriver::{QueryError, Session};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::archive::{Format, Verified};
use crate::counts::{self, At, Count, Look, Tally};
use crate::dump::options::Stored;
use crate::dump::pace::Pace;
use crate::dump::prove::Written;
use crate::dump::watcher::{self, Seen};
use crate::dump::{Company, beat, estimated, not_started};
use crate::error::DumpError;
use crate::folder::Partial;
use crate::password::scrub;
use crate::pg_dump::Start;
use crate::pipeline::Streamed;
use crate::progress::{Progress, Waiting};
use crate::request::DumpRequest;
use crate::running::{Heard, Running};
use crate::snapshot::Held;
use crate::space::Reserve;

/// All that pg_dump wrote is on the disk.
pub(super) struct Worked {
    pub(super) partial: Partial,
    pub(super) written: Written,
    pub(super) said: String,
    /// None where nobody counted.
    pub(super) counts: Option<HashMap<u32, Count>>,
    /// By the table's oid, where they were asked for.
    pub(super) checksums: HashMap<u32, u64>,
}

/// pg_dump at work.
pub(super) struct Job<'a> {
    request: &'a DumpRequest,
    stored: Stored,
    name: PathBuf,
    began: Instant,
    estimated: Option<u64>,
    // before the output: a folder is removed when nobody writes into it any more
    running: Running,
    output: Output,
    snapshot: Option<Arc<Session>>,
    counting: JoinSet<Result<HashMap<u32, Count>, QueryError>>,
    tally: Arc<Tally>,
    at: watch::Sender<At>,
    seen: watch::Receiver<Seen>,
    /// Ends with this value.
    _watcher: JoinSet<()>,
    waited: Option<Waiting>,
    reserve: Reserve,
    looked: Instant,
    pace: Pace,
    /// The table that passes, and how much had passed before it.
    passing: (Option<String>, u64),
    folder_bytes: u64,
}

impl<'a> Job<'a> {
    /// Starts pg_dump, and those who watch and count beside it.
    pub(super) fn start(
        request: &'a DumpRequest,
        stored: Stored,
        company: Company,
        held: Option<&Held>,
        began: Instant,
    ) -> Result<Self, DumpError> {
        let application = application();
        let start = Start {
            stored,
            application: &application,
            snapshot: held.map(Held::id),
            folder: None,
        };
        let (running, output, name) = match stored.format {
            Format::Plain | Format::Custom => streaming(request, &start)?,
            Format::Directory => writing(request, &start)?,
        };
        let (at, counter_at) = watch::channel(At::default());
        let tally = Arc::new(Tally::default());
        let mut counting = JoinSet::new();
        if let Some(held) = held.filter(|_| request.proof >= Verified::Counts) {
            let look = match request.proof {
                Verified::Restored => Look::Sum,
                Verified::Trailer | Verified::Counts => Look::Count,
            };
            counting.spawn(counts::count(
                Arc::clone(&held.session),
                held.tables.clone(),
                look,
                counter_at,
                Arc::clone(&tally),
            ));
        }
        let (tell, seen) = watch::channel(Seen::default());
        let mut watcher = JoinSet::new();
        let options = request.connection.clone().with_database(&request.database);
        if company == Company::Watched {
            watcher.spawn(watcher::watch(
                options,
                application,
                request.lock_wait_timeout,
                tell,
            ));
        }
        Ok(Self {
            request,
            stored,
            name,
            began,
            estimated: estimated(request, held),
            running,
            output,
            snapshot: held.map(|held| Arc::clone(&held.session)),
            counting,
            tally,
            at,
            seen,
            _watcher: watcher,
            waited: None,
            reserve: Reserve::of(&request.directory),
            looked: Instant::now(),
            pace: Pace::new(held.into_iter().flat_map(Held::wanted), stored.format),
            passing: (None, 0),
            folder_bytes: 0,
        })
    }

    /// Until pg_dump has ended well, all that it wrote is on the disk, and its rows are counted.
    pub(super) async fn run<S: Future<Output = ()>>(
        mut self,
        progress: &mut impl FnMut(Progress),
        mut stop: Pin<&mut S>,
    ) -> Result<Worked, DumpError> {
        let streamed = self.until_written(progress, stop.as_mut()).await?;
        progress(Progress::Dumping(self.dumping()));
        let said = self.said().await;
        self.running.leave();
        let (partial, written) = match streamed {
            Some(streamed) => whole(self.request, streamed)?,
            None => self.sealed(progress, stop.as_mut()).await?,
        };
        let counts = self.counted(progress, stop).await?;
        Ok(Worked {
            partial,
            written,
            said,
            counts,
            checksums: self.tally.checksums(),
        })
    }

    /// Until pg_dump has ended well and its stream, if it has one.
    async fn until_written<S: Future<Output = ()>>(
        &mut self,
        progress: &mut impl FnMut(Progress),
        mut stop: Pin<&mut S>,
    ) -> Result<Option<Streamed>, DumpError> {
        let mut beat = beat();
        let mut streamed = None;
        let mut status = None;
        let mut counts = None;
        loop {
            let stream_over = streamed.is_some() || matches!(self.output, Output::Folder(_));
            if stream_over && status.is_some() {
                break;
            }
            tokio::select! {
                () = stop.as_mut() => {
                    self.end().await;
                    return Err(DumpError::Interrupted);
                }
                done = streamed_of(&mut self.output), if !stream_over => match done {
                    Ok(done) => streamed = Some(done),
                    Err(error) => {
                        self.end().await;
                        return Err(self.write_error(error));
                    }
                },
                heard = self.running.next(), if status.is_none() => match heard {
                    Heard::Line(line) => {
                        progress(Progress::Said(scrub(&line, self.request.password.as_ref())));
                    }
                    Heard::End(ended) => {
                        let ended = ended.map_err(|source| not_started(self.request, source))?;
                        self.at.send_modify(|at| at.ended = true);
                        if !ended.success() {
                            return Err(self.died(ended).await);
                        }
                        status = Some(ended);
                    }
                },
                () = closed(self.snapshot.as_ref()), if status.is_none() => {
                    let reason = "the server closed the connection".to_owned();
                    return Err(self.snapshot_lost(reason).await);
                }
                Ok(()) = self.seen.changed() => self.look(),
                Some(counted) = self.counting.join_next(), if counts.is_none() => {
                    match judge_count(counted) {
                        Ok(judged) => counts = Some(judged),
                        Err(reason) => return Err(self.snapshot_lost(reason).await),
                    }
                }
                _ = beat.tick() => {
                    self.watch_room().await?;
                    progress(self.beat());
                }
            }
        }
        for line in self.running.rest() {
            progress(Progress::Said(scrub(&line, self.request.password.as_ref())));
        }
        // what is counted already is kept where `counted` looks for it
        if let Some(counts) = counts {
            self.counting.spawn(async { Ok(counts) });
        }
        Ok(streamed)
    }
}

async fn closed(session: Option<&Arc<Session>>) {
    match session {
        Some(session) => session.closed().await,
        None => std::future::pending().await,
    }
}

/// A name that no other pg_dump has.
fn application() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("pg_dump {:x}-{:x}", std::process::id(), now.as_nanos())
}
