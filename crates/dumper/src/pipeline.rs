//! Two threads between pg_dump's stdout and the file: one reads and scans, one compresses and writes.
//!
//! The queue between them is bounded, so memory is; and each side ends when the other is gone, so a full disk cannot
//! leave a reader waiting for a writer. Buffers go round.
//!
//! Absent: waiting for pg_dump and judging what was read. Nothing here names a finished file.

use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::folder::Partial;
use crate::gzip::{Digested, Sink};
use crate::request::Compression;
use crate::scan::Scanner;

const BLOCK: usize = 256 * 1024;
/// 4 MB under way at the most.
const BLOCKS: usize = 16;

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

    fn store(&self, read: u64, scanner: &Scanner) {
        self.raw_bytes.store(read, Ordering::Relaxed);
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
    pub(crate) scanner: Scanner,
}

#[derive(Debug)]
struct Told {
    written: oneshot::Receiver<io::Result<(Partial, Digested)>>,
    scanned: oneshot::Receiver<io::Result<Scanner>>,
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
        compression: Compression,
    ) -> io::Result<Self> {
        let counters = Arc::new(Counters::default());
        let given_up = Arc::new(AtomicBool::new(false));
        let (full, blocks) = sync_channel(BLOCKS);
        let (empty, spare) = sync_channel(BLOCKS + 2);
        let (tell_scanned, scanned) = oneshot::channel();
        let (tell_written, written) = oneshot::channel();
        let sink = Sink::new(file, compression, Arc::clone(&counters.written))?;
        let stop = Arc::clone(&given_up);
        thread::Builder::new()
            .name("dump-write".into())
            .spawn(move || {
                let outcome = write(&blocks, &empty, sink, &stop);
                // a failure is told after its partial file is gone
                let outcome = match outcome {
                    Ok(digested) => Ok((partial, digested)),
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
                let _ = tell_scanned.send(read(stdout, &full, &spare, &count));
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
        let (partial, written) = written.map_err(panicked)??;
        let scanner = scanned.await.map_err(panicked)??;
        Ok(Streamed {
            partial,
            written,
            scanner,
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

fn read(
    mut stdout: PipeReader,
    full: &SyncSender<Vec<u8>>,
    spare: &Receiver<Vec<u8>>,
    counters: &Counters,
) -> io::Result<Scanner> {
    let mut scanner = Scanner::default();
    let mut total = 0;
    loop {
        let mut block = spare.try_recv().unwrap_or_default();
        block.resize(BLOCK, 0);
        let mut filled = 0;
        while filled < BLOCK {
            let length = match stdout.read(&mut block[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if length == 0 {
                break;
            }
            scanner.feed(&block[filled..filled + length]);
            filled += length;
            total += length as u64;
            counters.store(total, &scanner);
        }
        let last = filled < BLOCK;
        block.truncate(filled);
        // where the writer is gone it has failed, and says why
        if full.send(block).is_err() || last {
            return Ok(scanner);
        }
    }
}

fn write(
    blocks: &Receiver<Vec<u8>>,
    empty: &SyncSender<Vec<u8>>,
    mut sink: Sink,
    stop: &AtomicBool,
) -> io::Result<Digested> {
    for block in blocks {
        if stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        sink.write(&block)?;
        if let Err(TrySendError::Disconnected(_)) = empty.try_send(block) {
            continue; // the reader is at its end; the queue may still hold blocks
        }
    }
    sink.finish()
}
