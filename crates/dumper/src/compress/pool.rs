//! Blocks from one reader through many workers to one writer, who gets them in the order in which they were read.
//!
//! Memory is bounded by the one queue that is: the writer's, in which each block has its place before a worker sees it.
//! Its receiver is the writer's alone, so that a writer who is gone sends the reader home at once; a reader who is gone
//! ends the workers, and the queue. Nobody waits for somebody who is not there. Blocks go round.
//!
//! Absent: a join. Whoever waits, waits for the writer, and nothing that the workers do outlives its blocks.

use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use flate2::Crc;

use super::deflate::Deflater;
use crate::request::GzipLevel;

/// Of plain SQL in a block. Deflate looks back 32 kB, so that a block which starts anew costs a few hundred bytes.
pub(super) const BLOCK: usize = 512 * 1024;
/// pg_dump does not write faster than this many cores compress.
const MOST_WORKERS: usize = 12;

/// A piece of the stream, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Plain SQL. All blocks but the last are equally long: else the file would depend on how the pipe was read.
    pub(crate) raw: Vec<u8>,
    /// The same, compressed, where workers do that.
    pub(crate) packed: Vec<u8>,
    /// Of `raw`, where there is something `packed`.
    pub(crate) crc: Crc,
}

/// Where blocks go in.
#[derive(Debug)]
pub(crate) struct Raw {
    places: SyncSender<Place>,
    /// `None`: they go through as they are.
    jobs: Option<Sender<Job>>,
    spare: Receiver<Block>,
}

/// Where they come out, in order.
#[derive(Debug)]
pub(crate) struct Packed {
    places: Receiver<Place>,
    spare: Sender<Block>,
}

/// A block's place in the order.
#[derive(Debug)]
enum Place {
    Here(Block),
    AtWork(Receiver<io::Result<Block>>),
}

#[derive(Debug)]
struct Job {
    block: Block,
    done: SyncSender<io::Result<Block>>,
}

/// A pool that compresses on all cores, or without a level one that hands the blocks through.
pub(crate) fn pool(level: Option<GzipLevel>) -> io::Result<(Raw, Packed)> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    pool_of(level, cores.min(MOST_WORKERS))
}

pub(super) fn pool_of(level: Option<GzipLevel>, workers: usize) -> io::Result<(Raw, Packed)> {
    let (put, places) = sync_channel(places(workers));
    let (give, spare) = channel();
    let jobs = level.map(|level| start(level, workers)).transpose()?;
    let raw = Raw {
        places: put,
        jobs,
        spare,
    };
    let packed = Packed {
        places,
        spare: give,
    };
    Ok((raw, packed))
}

/// A block for each worker, as many again for every other of them, and some for the writer and the reader: 24 MB with the
/// most workers, if nothing shrinks.
pub(super) fn places(workers: usize) -> usize {
    workers + workers / 2 + 4
}

/// Threads that end when the sender is dropped.
fn start(level: GzipLevel, workers: usize) -> io::Result<Sender<Job>> {
    let (jobs, queue) = channel();
    let queue = Arc::new(Mutex::new(queue));
    for number in 1..=workers {
        let queue = Arc::clone(&queue);
        thread::Builder::new()
            .name(format!("dump-pack-{number}"))
            .spawn(move || work(level, &queue))?;
    }
    Ok(jobs)
}

fn work(level: GzipLevel, queue: &Mutex<Receiver<Job>>) {
    let mut deflater = Deflater::new(level);
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut block, done }) = next else {
            return;
        };
        let packed = deflater.pack(&block.raw, &mut block.packed);
        // a writer who is gone needs it no more
        let _ = done.send(packed.map(|crc| {
            block.crc = crc;
            block
        }));
    }
}

/// The writer is gone; it says why itself.
#[derive(Debug)]
pub(crate) struct WriterGone;

impl Raw {
    /// An empty block with room in it, used before if one is free.
    pub(crate) fn block(&self) -> Block {
        let mut block = self.spare.try_recv().unwrap_or_default();
        block.raw.clear();
        block.raw.reserve(BLOCK);
        block
    }

    /// How much the block still takes.
    pub(crate) fn room(block: &Block) -> usize {
        BLOCK - block.raw.len()
    }

    /// The next block; waits until it has a place.
    pub(crate) fn send(&self, block: Block) -> Result<(), WriterGone> {
        let Some(jobs) = &self.jobs else {
            return self.places.send(Place::Here(block)).map_err(|_| WriterGone);
        };
        let (done, at_work) = sync_channel(1);
        self.places
            .send(Place::AtWork(at_work))
            .map_err(|_| WriterGone)?;
        // without a worker `done` is dropped with the job, and the writer hears that
        let _ = jobs.send(Job { block, done });
        Ok(())
    }
}

impl Packed {
    /// The next block, waited for; `None` where the reader is done.
    pub(crate) fn next(&self) -> Option<io::Result<Block>> {
        Some(match self.places.recv().ok()? {
            Place::Here(block) => Ok(block),
            Place::AtWork(done) => done
                .recv()
                .unwrap_or_else(|_| Err(io::Error::other("a compressing thread panicked"))),
        })
    }

    /// Its memory is used again.
    pub(crate) fn give_back(&self, block: Block) {
        let _ = self.spare.send(block); // the reader is at its end; the queue may still hold blocks
    }
}
