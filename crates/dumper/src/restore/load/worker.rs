//! One session that loads.
//!
//! Absent: what comes next, which [`super::crew`] and [`super::drive`] decide.

use std::sync::Arc;

use bytes::Bytes;
use pgdriver::{ConnectError, ConnectOptions, CopyIn, QueryError, Session, loading};

use super::super::error::RestoreFailure;
use super::binary::Translator;
use super::fault::{Fault, LineMap};
use super::settings::Settings;
use crate::scan::TableName;

/// After so many bytes a COPY is ended and another begun in the same transaction: only the end of a COPY tells whether
/// the server refused a row.
const COPY_BYTES: u64 = 32 * 1024 * 1024;

/// A session, and what the dump has made of it so far.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) number: usize,
    session: Session,
    durability: Durability,
    applied: Settings,
    copying: Option<Copying>,
    /// In the transaction of a shared block.
    sharing: bool,
    /// The session does not answer rightly any more.
    unfit: bool,
}

/// When a commit is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// As the server has it.
    AtOnce,
    /// All together at the end, by [`Worker::flush`].
    AtTheEnd,
}

/// A statement with its place in the file and the parameters that hold there.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) line: u64,
    pub(super) text: String,
    pub(super) settings: Settings,
}

/// A COPY block.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) job: Job,
    pub(super) table: TableName,
    /// Several sessions share it, each in a transaction, so that all of its rows stay or none.
    pub(super) shared: bool,
    /// Those that the COPY names, where its rows are worth translating.
    pub(super) columns: Option<Vec<String>>,
}

/// A piece of a block's rows.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// Of its first row, or of the row that it goes on with.
    pub(super) line: u64,
    pub(super) rows: u64,
    pub(super) ends_row: bool,
}

struct Copying {
    block: Arc<Block>,
    translator: Option<Translator>,
    command: Option<Command>,
    /// Of the commands that are done.
    rows: u64,
}

impl std::fmt::Debug for Copying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Copying({}, {} rows)", self.block.table, self.rows)
    }
}

struct Command {
    sink: CopyIn,
    format: Format,
    bytes: u64,
    lines: LineMap,
}

/// Of the rows of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Binary,
}

impl Worker {
    pub(super) async fn open(
        number: usize,
        options: &ConnectOptions,
        durability: Durability,
    ) -> Result<Self, RestoreFailure> {
        let session = session(options, durability).await?;
        Ok(Self {
            number,
            session,
            durability,
            applied: Settings::default(),
            copying: None,
            sharing: false,
            unfit: false,
        })
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Another session in the place of one that is of no more use.
    pub(super) async fn renew(&mut self, options: &ConnectOptions) -> Result<(), RestoreFailure> {
        self.session = session(options, self.durability).await?;
        self.applied = Settings::default();
        self.copying = None;
        self.sharing = false;
        self.unfit = false;
        Ok(())
    }

    /// See [`Session::copy_in`].
    pub(super) fn is_unfit(&self) -> bool {
        self.unfit
    }

    /// Runs a statement and says how many rows it touched.
    pub(super) async fn run(&mut self, job: &Job) -> Result<u64, Fault> {
        self.apply(job).await?;
        self.simple(job.line, &job.text).await
    }

    /// A statement that sets a parameter of this session.
    pub(super) async fn set(&mut self, job: &Job, then: &Settings) -> Result<(), Fault> {
        self.run(job).await?;
        self.applied = then.clone();
        Ok(())
    }

    async fn apply(&mut self, job: &Job) -> Result<(), Fault> {
        let difference = self.applied.towards(&job.settings);
        if !difference.is_empty() {
            self.simple(job.line, &difference).await?;
            self.applied = job.settings.clone();
        }
        Ok(())
    }

    async fn simple(&self, line: u64, sql: &str) -> Result<u64, Fault> {
        let done = self.session.simple(sql).await;
        done.map_err(|error| Fault::of_statement(&error, line, sql))
    }

    /// Hands rows to the server, which may refuse them later.
    pub(super) async fn send(&mut self, block: &Arc<Block>, chunk: Chunk) -> Result<(), Fault> {
        let mut copying = match self.copying.take() {
            Some(copying) => copying,
            None => self.begin(block).await?,
        };
        let binary = copying.translated(&chunk);
        let format = match binary {
            Some(_) => Format::Binary,
            None => Format::Text,
        };
        let mut command = match copying.command.take() {
            Some(command) if command.format == format => command,
            Some(command) => {
                copying.rows += command.finish(block).await?;
                self.command(block, format).await?
            }
            None => self.command(block, format).await?,
        };
        command.lines.add(chunk.line, chunk.rows);
        command.bytes += chunk.bytes.len() as u64;
        let sent = command.sink.send(binary.unwrap_or(chunk.bytes)).await;
        sent.map_err(|error| of_rows(&error, block, &command.lines))?;
        if command.bytes >= COPY_BYTES && chunk.ends_row {
            copying.rows += command.finish(block).await?;
        } else {
            copying.command = Some(command);
        }
        self.copying = Some(copying);
        Ok(())
    }

    async fn begin(&mut self, block: &Arc<Block>) -> Result<Copying, Fault> {
        self.apply(&block.job).await?;
        if block.shared {
            self.simple(block.job.line, "BEGIN").await?;
            self.sharing = true;
        }
        Ok(Copying {
            block: Arc::clone(block),
            translator: self.translator(block).await?,
            command: None,
            rows: 0,
        })
    }

    async fn translator(&self, block: &Block) -> Result<Option<Translator>, Fault> {
        let Some(names) = &block.columns else {
            return Ok(None);
        };
        let TableName { schema, name } = &block.table;
        let columns = loading::columns(&self.session, schema, name).await;
        let columns = columns.map_err(|error| {
            let Job { line, text, .. } = &block.job;
            Fault::of_statement(&error, *line, text)
        })?;
        Ok(Translator::new(names, &columns))
    }

    async fn command(&mut self, block: &Block, format: Format) -> Result<Command, Fault> {
        let text = &block.job.text;
        let sink = match format {
            Format::Text => self.session.copy_in(text).await,
            Format::Binary => {
                let binary = format!("{text} WITH (FORMAT binary)");
                self.session.copy_in(&binary).await
            }
        };
        let mut sink = sink.map_err(|error| {
            self.unfit = true;
            of_rows(&error, block, &LineMap::default())
        })?;
        let lines = LineMap::default();
        if format == Format::Binary {
            let sent = sink.send(Translator::header()).await;
            sent.map_err(|error| of_rows(&error, block, &lines))?;
        }
        Ok(Command {
            sink,
            format,
            bytes: 0,
            lines,
        })
    }

    /// Whether it has sent rows of a block that has not ended.
    pub(super) fn is_copying(&self) -> bool {
        self.copying.is_some()
    }

    /// The end of the rows that this session was given: how many the server took.
    pub(super) async fn finish(&mut self) -> Result<u64, Fault> {
        let Some(mut copying) = self.copying.take() else {
            return Ok(0);
        };
        if let Some(command) = copying.command.take() {
            copying.rows += command.finish(&copying.block).await?;
        }
        Ok(copying.rows)
    }

    /// A block that needs no other session.
    pub(super) async fn copy(
        &mut self,
        block: &Arc<Block>,
        rows: Vec<Chunk>,
    ) -> Result<u64, Fault> {
        if rows.is_empty() {
            let mut copying = self.begin(block).await?;
            copying.command = Some(self.command(block, Format::Text).await?);
            self.copying = Some(copying);
        }
        for chunk in rows {
            self.send(block, chunk).await?;
        }
        self.finish().await
    }

    /// Whether it is in the transaction of a shared block.
    pub(super) fn is_sharing(&self) -> bool {
        self.sharing && !self.unfit
    }

    /// Ends the transaction of a shared block.
    pub(super) async fn end(&mut self, line: u64, how: &str) -> Result<u64, Fault> {
        self.copying = None;
        self.sharing = false;
        self.simple(line, how).await
    }

    /// What was committed is on the disk.
    pub(super) async fn flush(&self) -> Result<(), QueryError> {
        match self.durability {
            Durability::AtOnce => Ok(()),
            Durability::AtTheEnd => loading::flush(&self.session).await,
        }
    }

    pub(super) async fn close(self) {
        drop(self.copying);
        self.session.close().await;
    }
}

impl Copying {
    /// The rows of a piece in the binary format, where they have one. A command that has once been given text goes on
    /// with it: half of a row may be in it, and what is not translated comes in heaps.
    fn translated(&self, chunk: &Chunk) -> Option<Bytes> {
        let in_text = self
            .command
            .as_ref()
            .is_some_and(|command| command.format == Format::Text);
        if in_text || !chunk.ends_row {
            return None;
        }
        self.translator
            .as_ref()?
            .translate(&chunk.bytes, chunk.rows)
    }
}

impl Command {
    async fn finish(self, block: &Block) -> Result<u64, Fault> {
        let Self {
            mut sink,
            format,
            lines,
            ..
        } = self;
        if format == Format::Binary {
            let sent = sink.send(Translator::trailer()).await;
            sent.map_err(|error| of_rows(&error, block, &lines))?;
        }
        let rows = sink.finish().await;
        rows.map_err(|error| of_rows(&error, block, &lines))
    }
}

fn of_rows(error: &QueryError, block: &Block, lines: &LineMap) -> Fault {
    let Job { line, text, .. } = &block.job;
    Fault::of_rows(error, *line, text, &block.table.name, lines)
}

async fn session(
    options: &ConnectOptions,
    durability: Durability,
) -> Result<Session, RestoreFailure> {
    let session = pgdriver::connect(options).await?;
    if session.behind_pooler() {
        let target = session.target().to_owned();
        return Err(RestoreFailure::Pooler { target });
    }
    loading::without_limits(&session).await?;
    if durability == Durability::AtTheEnd {
        loading::commit_without_waiting(&session).await?;
    }
    Ok(session)
}

/// Whether the server has no room for another session.
pub(super) fn is_full(error: &ConnectError) -> bool {
    error.kind() == pgdriver::ConnectErrorKind::TooManyConnections
}
