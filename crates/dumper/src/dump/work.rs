//! The part of a dump in which pg_dump runs: its bytes, its words, its end, its waits, and the rows that are counted
//! beside it.
//!
//! Absent: judging what was written (`prove`, `counts::compare`).

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pgdriver::{QueryError, Session};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::options::Stored;
use super::pace::Pace;
use super::prove::Written;
use super::watcher::{self, Seen};
use super::{Company, beat, directory, estimated, folder_error, not_started, write_error};
use crate::archive::{Format, Verified};
use crate::compress::Digested;
use crate::counts::{self, At, Count, Look, Tally};
use crate::error::{DumpError, VerifyError};
use crate::folder::{self, Partial};
use crate::password::scrub;
use crate::pg_dump::{Start, classify, command};
use crate::pipeline::{Stream, Streamed, Through};
use crate::progress::{Dumping, Progress, Waiting};
use crate::request::DumpRequest;
use crate::running::{Heard, Running};
use crate::snapshot::Held;
use crate::space::{self, Reserve};

/// How often the free space is looked at, and the size of a folder that is written.
const LOOK: Duration = Duration::from_secs(1);
/// When the snapshot's session is lost, pg_dump's may be, too, and says more.
const SAME_FATE: Duration = Duration::from_secs(2);

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

/// Where pg_dump's bytes go.
enum Output {
    Stream(Stream),
    /// It writes into a folder itself; `None` once that is complete.
    Folder(Option<Partial>),
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

    /// What the watcher saw goes to those who want it.
    fn look(&mut self) {
        let seen = self.seen.borrow_and_update().clone();
        self.pace.copying(&seen.copies, self.began.elapsed());
        self.at.send_if_modified(|at| {
            let news = at.pids != seen.pids && !seen.pids.is_empty();
            if news {
                at.pids = seen.pids;
            }
            news
        });
        if seen.waiting.is_some() {
            self.waited = seen.waiting;
        }
    }

    fn beat(&mut self) -> Progress {
        let waiting = self.seen.borrow().waiting.clone();
        match waiting {
            Some(waiting) => Progress::Waiting(waiting),
            None => Progress::Dumping(self.dumping()),
        }
    }

    /// Ends the dump before the disk is full for others.
    async fn watch_room(&mut self) -> Result<(), DumpError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        if self.stored.format == Format::Directory {
            self.folder_bytes = directory::size(&folder::with_suffix(&self.name, ".partial"));
        }
        let Some(free) = self.reserve.touched(&self.request.directory) else {
            return Ok(());
        };
        let written = self.written();
        self.end().await;
        Err(DumpError::OutOfDisk {
            path: self.name.clone(),
            written,
            free: Some(free),
            estimated: self.estimated,
        })
    }

    /// Ends pg_dump and waits until the partial file is gone.
    async fn end(&mut self) {
        if let Output::Stream(stream) = &self.output {
            stream.give_up();
        }
        self.counting.abort_all();
        self.running.terminate().await;
        match &mut self.output {
            Output::Stream(stream) => {
                let _ = stream.done().await;
            }
            Output::Folder(partial) => *partial = None,
        }
    }

    async fn died(&mut self, status: ExitStatus) -> DumpError {
        if let Output::Stream(stream) = &self.output {
            stream.give_up();
        }
        self.running.leave();
        let written = match &mut self.output {
            Output::Stream(stream) => stream.done().await.map(drop),
            Output::Folder(partial) => {
                *partial = None;
                Ok(())
            }
        };
        let said = self.said().await;
        match written {
            // killed by SIGPIPE because our side could not write
            Err(error) if space::is_out_of_space(&error) => self.write_error(error),
            _ => self.classified(status, &said),
        }
    }

    fn classified(&mut self, status: ExitStatus, said: &str) -> DumpError {
        match classify(self.request, status, said) {
            DumpError::LockTimeout {
                tables,
                waited,
                said,
                ..
            } => DumpError::LockTimeout {
                tables,
                waited,
                holders: self.waited.take().map(|it| it.holders).unwrap_or_default(),
                said,
            },
            DumpError::OutOfDisk { .. } => {
                let full = io::ErrorKind::StorageFull.into();
                self.write_error(full)
            }
            other => other,
        }
    }

    async fn snapshot_lost(&mut self, reason: String) -> DumpError {
        if let Ok(Ok(ended)) = timeout(SAME_FATE, self.running.wait()).await
            && !ended.success()
        {
            return self.died(ended).await;
        }
        self.end().await;
        DumpError::SnapshotLost { reason }
    }

    async fn said(&mut self) -> String {
        scrub(&self.running.said().await, self.request.password.as_ref())
    }

    fn write_error(&self, source: io::Error) -> DumpError {
        let written = self.written();
        write_error(self.request, self.estimated, &self.name, written, source)
    }

    fn written(&self) -> u64 {
        match &self.output {
            Output::Stream(stream) => stream.counters.written.load(Ordering::Relaxed),
            Output::Folder(_) => self.folder_bytes,
        }
    }

    fn dumping(&mut self) -> Dumping {
        let elapsed = self.began.elapsed();
        let mut at = Dumping {
            tables_total: self.snapshot.as_ref().map(|_| self.pace.total()),
            bytes: self.written(),
            estimated_bytes: self.estimated,
            elapsed,
            ..Dumping::default()
        };
        if let Output::Stream(stream) = &self.output {
            at.raw_bytes = stream.counters.raw_bytes.load(Ordering::Relaxed);
        }
        match &self.output {
            Output::Stream(stream) if self.stored.format == Format::Plain => {
                at.table = stream.counters.table();
                at.tables = stream.counters.tables.load(Ordering::Relaxed);
                at.rows = stream.counters.rows.load(Ordering::Relaxed);
                if at.table != self.passing.0 {
                    self.passing = (at.table.clone(), at.raw_bytes);
                }
                if let (Some(table), before) = &self.passing {
                    self.pace.streaming(table, at.raw_bytes - before, elapsed);
                }
            }
            _ => {
                at.table = self.pace.table();
                at.tables = self.pace.tables();
            }
        }
        at.left = self.pace.left(elapsed);
        at
    }

    /// The folder, private and on the disk.
    async fn sealed<S: Future<Output = ()>>(
        &mut self,
        progress: &mut impl FnMut(Progress),
        mut stop: Pin<&mut S>,
    ) -> Result<(Partial, Written), DumpError> {
        let Output::Folder(partial) = &mut self.output else {
            return Err(DumpError::Interrupted);
        };
        let Some(partial) = partial.take() else {
            return Err(DumpError::Interrupted);
        };
        let path = partial.path().to_owned();
        let stopped = Arc::new(AtomicBool::new(false));
        let (tell, mut told) = oneshot::channel();
        let stop_it = Arc::clone(&stopped);
        std::thread::Builder::new()
            .name("dump-seal".into())
            .spawn(move || tell.send(directory::seal(&path, &stop_it)).is_ok())
            .map_err(|source| self.write_error(source))?;
        let mut beat = beat();
        loop {
            tokio::select! {
                () = stop.as_mut() => {
                    stopped.store(true, Ordering::Relaxed);
                    let _ = told.await;
                    return Err(DumpError::Interrupted);
                }
                sealed = &mut told => {
                    let sealed = sealed.unwrap_or_else(|_| Err(io::Error::other("the sealing thread panicked")));
                    let bytes = sealed.map_err(|source| self.write_error(source))?;
                    return Ok((partial, Written { bytes, sha256: None, scan: None, reread: None }));
                }
                _ = beat.tick() => progress(Progress::Dumping(self.dumping())),
            }
        }
    }

    /// What the server counted.
    async fn counted<S: Future<Output = ()>>(
        &mut self,
        progress: &mut impl FnMut(Progress),
        mut stop: Pin<&mut S>,
    ) -> Result<Option<HashMap<u32, Count>>, DumpError> {
        let mut beat = beat();
        loop {
            tokio::select! {
                () = stop.as_mut() => return Err(DumpError::Interrupted),
                counted = self.counting.join_next() => {
                    let lost = |reason| DumpError::SnapshotLost { reason };
                    return counted.map(judge_count).transpose().map_err(lost);
                }
                _ = beat.tick() => progress(Progress::Counting {
                    tables: self.tally.done.load(Ordering::Relaxed),
                    total: self.tally.total.load(Ordering::Relaxed),
                }),
            }
        }
    }
}

type Counted = Result<Result<HashMap<u32, Count>, QueryError>, JoinError>;

fn judge_count(counted: Counted) -> Result<HashMap<u32, Count>, String> {
    counted
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

async fn streamed_of(output: &mut Output) -> io::Result<Streamed> {
    match output {
        Output::Stream(stream) => stream.done().await,
        Output::Folder(_) => std::future::pending().await,
    }
}

async fn closed(session: Option<&Arc<Session>>) {
    match session {
        Some(session) => session.closed().await,
        None => std::future::pending().await,
    }
}

fn streaming(
    request: &DumpRequest,
    start: &Start<'_>,
) -> Result<(Running, Output, PathBuf), DumpError> {
    let stored = start.stored;
    let (partial, file) = Partial::claim(&request.directory, &stem(request), stored.extension())
        .map_err(|e| unclaimed(request, e))?;
    let (stdout, theirs) = io::pipe().map_err(|source| not_started(request, source))?;
    // the command owns our copy of the writing end: it must be gone before the reader can see the end
    let running = Running::start(command(request, start, Stdio::from(theirs)))
        .map_err(|source| not_started(request, source))?;
    let name = partial.name().to_owned();
    let through = match stored.format {
        Format::Plain => Through::Scan(stored.compression),
        Format::Custom | Format::Directory => Through::Raw,
    };
    let stream =
        Stream::start(stdout, partial, file, through).map_err(|source| DumpError::File {
            doing: "start writing",
            path: name.clone(),
            source,
        })?;
    Ok((running, Output::Stream(stream), name))
}

fn writing(
    request: &DumpRequest,
    start: &Start<'_>,
) -> Result<(Running, Output, PathBuf), DumpError> {
    let partial =
        Partial::claim_folder(&request.directory, &stem(request), start.stored.extension())
            .map_err(|e| unclaimed(request, e))?;
    let name = partial.name().to_owned();
    let start = Start {
        folder: Some(partial.path()),
        ..*start
    };
    let running = Running::start(command(request, &start, Stdio::null()))
        .map_err(|source| not_started(request, source))?;
    Ok((running, Output::Folder(Some(partial)), name))
}

fn stem(request: &DumpRequest) -> String {
    folder::stem(&request.database, &request.timestamp)
}

fn unclaimed(request: &DumpRequest, source: io::Error) -> DumpError {
    folder_error(request, "create a file in", &request.directory, source)
}

/// What was streamed, if it is a whole dump.
fn whole(request: &DumpRequest, streamed: Streamed) -> Result<(Partial, Written), DumpError> {
    let Streamed {
        partial,
        written,
        read,
        scanner,
        reread,
    } = streamed;
    if read == 0 {
        return Err(DumpError::Empty {
            path: request.pg_dump.path.clone(),
        });
    }
    let broken = |error| VerifyError::of_text(partial.name(), error);
    let scan = scanner.map(|it| it.finish()).transpose().map_err(broken)?;
    let Digested { bytes, sha256 } = written;
    let written = Written {
        bytes,
        sha256: Some(sha256),
        scan,
        reread: reread.transpose()?,
    };
    Ok((partial, written))
}

/// A name that no other pg_dump has.
fn application() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("pg_dump {:x}-{:x}", std::process::id(), now.as_nanos())
}
