//! Threads between pg_dump's stdout and the file: one reads and scans, all cores compress, one hashes and writes,
//! and behind it others read what it wrote.
//!
//! What is under way is bounded, so memory is; and each side ends when the other is gone, so a full disk cannot leave a
//! reader waiting for a writer. See [`pool`].
//!
//! Absent: waiting for pg_dump and judging what was read. Nothing here names a finished file.

use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::behind::{Ahead, behind};
use crate::compress::{Digested, Packed, Raw, Sink, pool};
use crate::error::VerifyError;
use crate::folder::Partial;
use crate::read::{Watch, follow};
use crate::request::Compression;
use crate::scan::Scanner;
use crate::verify::{Content, read_through};

/// What the pipe holds: pg_dump writes 4 kB at a time, and should not wait while a block is scanned. As much as Linux
/// grants anybody.
#[cfg(target_os = "linux")]
const PIPE: usize = 1024 * 1024;

/// What is done with pg_dump's bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// They are plain SQL: scanned, then stored like this.
    Scan(Compression),
    /// They are an archive of pg_dump's own: stored as they are.
    Raw,
}

/// How far the threads are.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) raw_bytes: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) tables: AtomicU64,
    pub(crate) written: Arc<AtomicU64>,
    table: Mutex<Option<String>>,
}

impl Counters {
    /// The table whose rows are passing.
    pub(crate) fn table(&self) -> Option<String> {
        self.table
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn store(&self, read: u64, scanner: Option<&Scanner>) {
        self.raw_bytes.store(read, Ordering::Relaxed);
        let Some(scanner) = scanner else { return };
        self.rows.store(scanner.rows(), Ordering::Relaxed);
        self.tables
            .store(scanner.tables() as u64, Ordering::Relaxed);
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = scanner.table();
    }
}

/// The whole stream, written and synced under its partial name.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) partial: Partial,
    pub(crate) written: Digested,
    /// Bytes that pg_dump wrote.
    pub(crate) read: u64,
    /// What was seen in them; `None` where they were not scanned.
    pub(crate) scanner: Option<Scanner>,
    /// What the disk gave back, unpacked and scanned again; `None` where the bytes were not scanned.
    pub(crate) reread: Option<Reread>,
}

/// What was found on the disk.
pub(crate) type Reread = Result<Content, VerifyError>;

/// The file, what is in it, and what the disk gave back of it.
type Written = (Partial, Digested, Option<Reread>);

/// The thread that reads behind the writer.
type Rereading = JoinHandle<Reread>;

/// Bytes read, and what was seen in them.
type Scanned = (u64, Option<Scanner>);

#[derive(Debug)]
struct Told {
    written: oneshot::Receiver<io::Result<Written>>,
    scanned: oneshot::Receiver<io::Result<Scanned>>,
}

/// The stream at work. It ends by itself when stdout does, or soon after [`Stream::give_up`].
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) counters: Arc<Counters>,
    /// `None` once told.
    told: Option<Told>,
    given_up: Arc<AtomicBool>,
}

impl Stream {
    /// Starts the threads.
    pub(crate) fn start(
        stdout: PipeReader,
        partial: Partial,
        file: File,
        through: Through,
    ) -> io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let given_up = Arc::new(AtomicBool::new(false));
        let (compression, scanner) = match through {
            Through::Scan(compression) => (compression, Some(Scanner::default())),
            Through::Raw => (Compression::None, None),
        };
        let (raw, packed) = pool(match compression {
            Compression::Gzip(level) => Some(level),
            Compression::Zstd(_) | Compression::None => None,
        })?;
        widen(&stdout);
        let (tell_scanned, scanned) = oneshot::channel();
        let (tell_written, written) = oneshot::channel();
        let sink = Sink::new(file, compression, Arc::clone(&counters.written))?;
        let reread = scanner
            .is_some()
            .then(|| reread(partial.path(), compression))
            .transpose()?;
        let stop = Arc::clone(&given_up);
        thread::Builder::new()
            .name("dump-write".into())
            .spawn(move || {
                let outcome = write(&packed, sink, reread, &stop);
                // a failure is told after its partial file is gone
                let outcome = match outcome {
                    Ok((digested, reread)) => Ok((partial, digested, reread)),
                    Err(error) => {
                        drop(partial);
                        Err(error)
                    }
                };
                let _ = tell_written.send(outcome);
            })?;
        let count = Arc::clone(&counters);
        thread::Builder::new()
            .name("dump-read".into())
            .spawn(move || {
                let _ = tell_scanned.send(read(stdout, &raw, scanner, &count));
            })?;
        Ok(Self {
            counters,
            told: Some(Told { written, scanned }),
            given_up,
        })
    }

    /// The end of the stream, or the first thing that failed; its partial file is gone by then. Told once. May be
    /// dropped and called again before: the reader always tells before the writer can see the end of the queue.
    pub(crate) async fn done(&mut self) -> io::Result<Streamed> {
        let ended = || io::Error::other("the dump's stream has ended");
        let told = self.told.as_mut().ok_or_else(ended)?;
        let written = (&mut told.written).await;
        let scanned = self.told.take().ok_or_else(ended)?.scanned;
        let panicked = |_| io::Error::other("a thread of the dump panicked");
        let (partial, written, reread) = written.map_err(panicked)??;
        let (read, scanner) = scanned.await.map_err(panicked)??;
        Ok(Streamed {
            partial,
            written,
            read,
            scanner,
            reread,
        })
    }

    /// Drop what is under way. pg_dump must be killed too, or its pipe keeps the reader waiting.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A pipe that holds more; one of the usual size does as well, only slower.
fn widen(stdout: &PipeReader) {
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(stdout, PIPE); // EPERM: the user's pipes hold enough already
    #[cfg(not(target_os = "linux"))]
    let _ = stdout;
}

fn read(
    mut stdout: PipeReader,
    raw: &Raw,
    mut scanner: Option<Scanner>,
    counters: &Counters,
) -> io::Result<Scanned> {
    let mut total = 0;
    loop {
        let mut block = raw.block();
        let room = Raw::room(&block);
        let length = (&mut stdout)
            .take(room as u64)
            .read_to_end(&mut block.raw)?;
        if let Some(scanner) = &mut scanner {
            scanner.feed(&block.raw);
        }
        total += length as u64;
        counters.store(total, scanner.as_ref());
        // where the writer is gone it has failed, and says why
        let gone = length > 0 && raw.send(block).is_err();
        if gone || length < room {
            return Ok((total, scanner));
        }
    }
}

fn write(
    packed: &Packed,
    mut sink: Sink,
    mut reread: Option<(Ahead, Rereading)>,
    stop: &AtomicBool,
) -> io::Result<(Digested, Option<Reread>)> {
    let stopped = || match stop.load(Ordering::Relaxed) {
        true => Err(io::Error::from(io::ErrorKind::Interrupted)),
        false => Ok(()),
    };
    let panicked = |_| io::Error::other("a thread of the dump panicked");
    while let Some(block) = packed.next() {
        stopped()?;
        let block = block?;
        sink.write(&block)?;
        packed.give_back(block);
        if let Some((ahead, _)) = &mut reread {
            ahead.written(sink.written());
        }
        // whoever reads behind ends before the file does only where it is damaged: no more of it is worth writing
        if reread.as_ref().is_some_and(|(_, it)| it.is_finished())
            && let Some((_, rereading)) = reread.take()
        {
            let found = rereading.join().map_err(panicked)?;
            found.map_err(io::Error::other)?;
        }
    }
    stopped()?; // else what is left would be flushed and read for nobody
    let digested = sink.finish()?;
    let reread = reread.map(|(ahead, rereading)| {
        ahead.end();
        rereading.join().map_err(panicked)
    });
    Ok((digested, reread.transpose()?))
}

/// Reads what is written, from the disk and behind the writer, as any reader of archives would: hashed, unpacked with
/// its checksums, scanned. It costs what it would afterwards, but in time that the dump takes anyway.
fn reread(path: &Path, compression: Compression) -> io::Result<(Ahead, Rereading)> {
    let (ahead, behind) = behind(path)?;
    let (path, watch) = (path.to_owned(), Watch::default());
    let reading = follow(&path, behind, compression, &watch)?;
    let thread = thread::Builder::new()
        .name("dump-reread".into())
        .spawn(move || read_through(&path, reading, &watch))?;
    Ok((ahead, thread))
}

#[cfg(test)]
mod tests;
