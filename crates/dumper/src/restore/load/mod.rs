//! Loading: a stream of statements and rows into the sessions of one database.
//!
//! What comes before the rows runs on one session, rows go in pieces to all of them, and what builds indexes and checks
//! foreign keys runs on as many as its locks allow; everything else stands alone, in the order of the file.
//!
//! Absent: which database that is, and whether what it holds afterwards is right.

mod binary;
mod board;
mod crew;
mod drive;
mod fault;
mod feed;
mod kind;
mod rows;
mod run;
mod schedule;
mod settings;
mod source;
mod tally;
mod warnings;
mod words;
mod worker;

use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::time::Duration;

use pgdriver::ConnectOptions;
use tokio::time::{MissedTickBehavior, interval};

use self::board::Board;
use self::crew::Crew;
use self::drive::Drive;
use self::fault::Fault;
use self::worker::Durability;
use super::error::RestoreFailure;
use super::progress::RestoreProgress;
use super::request::{Mode, OnError, Owners, Privileges};
use super::restored::{Skipped, StatementError};
use crate::archive::TableRows;
use crate::compress::Digested;

const TICK: Duration = Duration::from_millis(100);

/// What to load, and where to.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    /// The archive.
    pub(crate) archive: &'a Path,
    /// For pg_dump's other formats.
    pub(crate) pg_restore: Option<PathBuf>,
    /// What the archive is, as its manifest says.
    pub(crate) must_be: Option<Digested>,
    /// The database that is filled.
    pub(crate) into: &'a ConnectOptions,
    pub(crate) mode: Mode,
    pub(crate) owners: Owners,
    pub(crate) privileges: Privileges,
    pub(crate) on_error: OnError,
}

/// A dump that was read to its end, and is on the disk.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// COPY and SET among them.
    pub(crate) statements: u64,
    pub(crate) rows: u64,
    /// Every COPY block, and every table of INSERT statements.
    pub(crate) tables: Vec<TableRows>,
    /// By line.
    pub(crate) errors: Vec<StatementError>,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) notes: Vec<String>,
}

/// A load that did not come to its end. Its sessions are closed.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) failure: RestoreFailure,
    pub(crate) stays: Stays,
}

/// What of a broken load is in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stays {
    /// Nothing was committed.
    Nothing,
    /// This much.
    Part(String),
    /// The connection broke while all of it was being committed.
    Unknown,
}

/// Loads, up to `stop`.
pub(crate) async fn load(
    load: &Load<'_>,
    hear: &mut impl FnMut(RestoreProgress),
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Result<Loaded, Broken> {
    let nothing = |failure| Broken {
        failure,
        stays: Stays::Nothing,
    };
    let (board, mut said) = Board::new();
    let (size, durability) = match load.mode {
        Mode::SingleTransaction => (1, Durability::AtOnce),
        Mode::Sessions(count) => (usize::from(count.get()), Durability::AtTheEnd),
    };
    let opened = tokio::select! {
        biased;
        () = &mut stop => return Err(nothing(RestoreFailure::Interrupted)),
        opened = Crew::open(load.into, size, durability) => opened,
    };
    let (crew, note) = opened.map_err(nothing)?;
    let feed = source::start(
        load.archive,
        load.pg_restore.clone(),
        load.must_be.clone(),
        &board,
    )
    .map_err(nothing)?;
    let mut drive = Drive::new(load, feed, crew, board.clone(), note);
    let done = {
        let mut all = pin!(drive.all());
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break Err(RestoreFailure::Interrupted),
                Some(word) = said.recv() => hear(word),
                done = &mut all => break done,
                _ = tick.tick() => hear(RestoreProgress::Loading(board.shown())),
            }
        }
    };
    let ended = drive.end(done).await;
    while let Ok(word) = said.try_recv() {
        hear(word);
    }
    hear(RestoreProgress::Loading(board.shown()));
    ended
}

/// Of several faults that came at once the first in the file; a cancellation is our own doing.
fn first(failure: RestoreFailure, others: Vec<Fault>) -> RestoreFailure {
    let mut first = failure;
    for other in others {
        if let (RestoreFailure::Statement(known), Fault::Refused(other)) = (&first, other)
            && other.line < known.line
            && other.sqlstate != "57014"
        {
            first = RestoreFailure::Statement(Box::new(other));
        }
    }
    first
}
