//! Piece by piece: what each one is, and which way it takes.
//!
//! Absent: rows ([`super::rows`]) and what runs side by side ([`super::run`]).

use super::super::error::RestoreFailure;
use super::super::progress::{Phase, RestoreProgress};
use super::super::request::{Mode, OnError, Owners, Privileges};
use super::super::restored::SkipReason;
use super::board::Board;
use super::crew::{Crew, Found};
use super::fault::{Fault, shortened};
use super::feed::{Fed, Feed};
use super::kind::Kind;
use super::rows::Open;
use super::run::{Run, Sort};
use super::settings::Settings;
use super::tally::Tally;
use super::warnings;
use super::words::Words;
use super::worker::{Job, Worker};
use super::{Broken, Load, Loaded, Stays, first};
use crate::scan::{Connect, Meta, Piece, Statement, TocEntry};

/// A load under way.
#[derive(Debug)]
pub(super) struct Drive<'a> {
    load: &'a Load<'a>,
    feed: Feed,
    pub(super) crew: Crew,
    pub(super) tally: Tally,
    pub(super) board: Board,
    pub(super) settings: Settings,
    /// None is UTF8, which all sessions speak.
    pub(super) encoding: Option<String>,
    pub(super) entry: Option<TocEntry>,
    /// Before the first entry, or behind a `\connect`.
    preamble: bool,
    transaction: Transaction,
    /// Where a `\connect` went.
    connected: Option<String>,
    pub(super) open: Option<Open>,
    pub(super) run: Run,
}

/// Whose transaction is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// Nobody's: each statement is one.
    Each,
    /// The dump has begun one, at this line.
    Theirs(u64),
    /// Ours, around everything but the preamble; not begun yet.
    OursToCome,
    Ours,
    /// Being committed.
    Committing,
    Committed,
}

impl<'a> Drive<'a> {
    pub(super) fn new(
        load: &'a Load<'a>,
        feed: Feed,
        crew: Crew,
        board: Board,
        note: Option<String>,
    ) -> Self {
        let mut tally = Tally::default();
        tally.notes.extend(note);
        Self {
            load,
            feed,
            crew,
            tally,
            board,
            settings: Settings::default(),
            encoding: None,
            entry: None,
            preamble: true,
            transaction: match load.mode {
                Mode::SingleTransaction => Transaction::OursToCome,
                Mode::Sessions(_) => Transaction::Each,
            },
            connected: None,
            open: None,
            run: Run::default(),
        }
    }

    /// The whole dump. May be dropped anywhere; [`Drive::end`] is for afterwards.
    pub(super) async fn all(&mut self) -> Result<(), RestoreFailure> {
        loop {
            let fed = tokio::select! {
                Some(found) = self.crew.next() => {
                    self.found(found?)?;
                    continue;
                }
                fed = self.feed.next() => fed,
            };
            match fed {
                Fed::Piece(piece) => self.piece(piece).await?,
                Fed::Failed(failure) => return Err(failure),
                Fed::End => break,
            }
            self.show();
        }
        self.end_run().await?;
        self.settle().await?;
        if let Transaction::Theirs(line) = self.transaction {
            // with the session's end all of it would be gone
            let reason = "the transaction that begins there has no end".to_owned();
            return Err(RestoreFailure::Dump { line, reason });
        }
        if self.transaction == Transaction::Ours {
            self.transaction = Transaction::Committing;
            let line = 0; // behind the last
            self.alone(self.job(line, "COMMIT".to_owned())).await?;
            self.tally.statements -= 1;
        }
        let worker = self.free_first().await?;
        let flushed = worker.flush().await;
        self.crew.put(worker);
        flushed?;
        if self.transaction == Transaction::Committing {
            self.transaction = Transaction::Committed;
        }
        Ok(())
    }

    /// Closes the sessions, and says what came of it.
    pub(super) async fn end(mut self, done: Result<(), RestoreFailure>) -> Result<Loaded, Broken> {
        drop(self.feed);
        let failure = match done {
            Ok(()) => {
                let notices = self.crew.close().await;
                self.tally.notes.extend(warnings::told(&notices));
                let skipped = self.tally.skipped();
                self.tally.errors.sort_by_key(|error| error.line);
                return Ok(Loaded {
                    statements: self.tally.statements,
                    rows: self.tally.rows,
                    tables: self.tally.tables,
                    errors: self.tally.errors,
                    skipped,
                    notes: self.tally.notes,
                });
            }
            Err(failure) => failure,
        };
        let others = self.crew.dissolve().await;
        let stays = match self.transaction {
            Transaction::OursToCome | Transaction::Ours => Stays::Nothing,
            Transaction::Committing => match &failure {
                RestoreFailure::Statement(_) => Stays::Nothing,
                _ => Stays::Unknown,
            },
            Transaction::Each | Transaction::Theirs(_) | Transaction::Committed => {
                match self.tally.statements {
                    0 => Stays::Nothing,
                    _ => Stays::Part(self.tally.holds()),
                }
            }
        };
        let failure = first(failure, others);
        Err(Broken { failure, stays })
    }

    async fn piece(&mut self, piece: Piece) -> Result<(), RestoreFailure> {
        match piece {
            Piece::Statement(statement) => self.statement(statement).await,
            Piece::Copy(start) => self.copy(start).await,
            Piece::Rows(rows) => self.rows(rows).await,
            Piece::CopyEnd { .. } => self.copy_end().await,
            Piece::Entry(entry) => {
                self.preamble = false;
                self.entry = Some(entry);
                Ok(())
            }
            Piece::Meta(meta) => self.meta(meta),
        }
    }

    fn meta(&mut self, meta: Meta) -> Result<(), RestoreFailure> {
        match meta {
            Meta::Connect(connect) => self.connect(connect),
            Meta::Encoding { name, .. } => {
                self.encoding = foreign(&name);
                Ok(())
            }
            Meta::Restrict { .. } | Meta::Unrestrict { .. } => Ok(()), // kept by the reader
        }
    }

    /// The database is ours to choose, but it is one.
    fn connect(&mut self, connect: Connect) -> Result<(), RestoreFailure> {
        let Connect {
            line,
            database,
            user,
        } = connect;
        let refused = |reason: String| Err(RestoreFailure::Dump { line, reason });
        if let Some(user) = user {
            return refused(format!("it goes on as another user, \"{user}\""));
        }
        let Some(database) = database else {
            return Ok(());
        };
        match &self.connected {
            Some(known) if *known != database => {
                return refused(format!(
                    "it holds more than one database (\"{known}\" and \"{database}\"), as pg_dumpall writes them"
                ));
            }
            _ => {}
        }
        let shown = format!("\\connect {database}");
        self.tally.skip(SkipReason::Database, line, &shown);
        self.connected = Some(database);
        self.preamble = true;
        self.entry = None;
        Ok(())
    }

    async fn statement(&mut self, statement: Statement) -> Result<(), RestoreFailure> {
        let line = statement.line;
        let text = self.text(line, statement.text).await?;
        let kind = Kind::of(&text, self.entry.as_ref());
        let (owners, privileges) = (self.load.owners, self.load.privileges);
        let skipped = match kind {
            Kind::Database => Some(SkipReason::Database),
            Kind::Owner | Kind::Authorization if owners == Owners::Skip => Some(SkipReason::Owner),
            Kind::Privilege if privileges == Privileges::Skip => Some(SkipReason::Privilege),
            Kind::Begin | Kind::End if self.is_ours() => Some(SkipReason::Transaction),
            _ => None,
        };
        if let Some(reason) = skipped {
            self.tally.skip(reason, line, &text);
            return Ok(());
        }
        let beside = self.crew.size() > 1 && self.transaction == Transaction::Each;
        match kind {
            Kind::Encoding(name) => {
                self.encoding = foreign(&name);
                Ok(())
            }
            Kind::Setting(name) => self.set(name, line, text).await,
            Kind::Authorization => {
                self.set("session_authorization".to_owned(), line, text)
                    .await
            }
            Kind::Build(locks) if beside => self.gather(Sort::Build, line, text, locks).await,
            Kind::ForeignKey(locks) if beside => {
                self.gather(Sort::ForeignKey, line, text, locks).await
            }
            Kind::Light if !self.run.is_empty() => {
                let job = self.job(line, text);
                self.run.later(job);
                Ok(())
            }
            Kind::Begin => {
                self.plain(line, text).await?;
                self.transaction = Transaction::Theirs(line);
                Ok(())
            }
            Kind::End => {
                self.plain(line, text).await?;
                self.transaction = Transaction::Each;
                Ok(())
            }
            _ => self.plain(line, text).await,
        }
    }

    /// After everything before it, before everything behind it.
    async fn plain(&mut self, line: u64, text: String) -> Result<(), RestoreFailure> {
        self.end_run().await?;
        self.settle().await?;
        self.begin().await?;
        self.note_phase();
        let inserted = self.inserted(&text);
        let bytes = text.len() as u64;
        let rows = self.alone(self.job(line, text)).await?;
        if let Some((table, rows)) = inserted.zip(rows) {
            self.tally.took(table, rows, bytes);
        }
        Ok(())
    }

    /// Our own transaction, before the first statement that is no parameter: one that the server does not know would
    /// be the end of it.
    pub(super) async fn begin(&mut self) -> Result<(), RestoreFailure> {
        if self.transaction == Transaction::OursToCome {
            self.alone(self.job(0, "BEGIN".to_owned())).await?;
            self.tally.statements -= 1; // it is not the dump's
            self.transaction = Transaction::Ours;
        }
        Ok(())
    }

    fn is_ours(&self) -> bool {
        matches!(
            self.transaction,
            Transaction::OursToCome | Transaction::Ours
        )
    }

    pub(super) fn load_stops(&self) -> bool {
        self.load.on_error == OnError::Stop
    }

    /// Whether rows and builds may go to other sessions than the first.
    pub(super) fn is_split(&self) -> bool {
        self.transaction == Transaction::Each
    }

    /// A parameter: tried on one session, known to all.
    async fn set(&mut self, name: String, line: u64, text: String) -> Result<(), RestoreFailure> {
        self.settle().await?;
        let job = self.job(line, text);
        let mut then = self.settings.clone();
        then.put(name.clone(), job.text.clone());
        let mut worker = self.free_first().await?;
        let (set, number) = (then.clone(), worker.number);
        let sent = job.clone();
        self.crew.work(number, None, async move {
            let done = worker.set(&sent, &set).await;
            (worker, Found::Ran(done.map(|()| 0)))
        });
        match self.ran().await? {
            Ok(_) => {
                self.tally.statements += 1;
                self.settings = then;
                Ok(())
            }
            Err(Fault::Refused(error)) if self.preamble && error.sqlstate == "42704" => {
                let reason = SkipReason::UnknownSetting(name);
                self.tally.skip(reason, line, &job.text);
                Ok(())
            }
            Err(fault) => self.fault(fault),
        }
    }

    /// One statement on the first session, while no other runs: its rows, unless it failed.
    pub(super) async fn alone(&mut self, job: Job) -> Result<Option<u64>, RestoreFailure> {
        let mut worker = self.free_first().await?;
        let (number, at) = (worker.number, self.label(&job.text));
        self.crew.work(number, Some(at), async move {
            let done = worker.run(&job).await;
            (worker, Found::Ran(done))
        });
        match self.ran().await? {
            Ok(rows) => {
                self.tally.statements += 1;
                Ok(Some(rows))
            }
            Err(fault) => self.fault(fault).map(|()| None),
        }
    }

    async fn ran(&mut self) -> Result<Result<u64, Fault>, RestoreFailure> {
        self.show();
        loop {
            match self.crew.next().await {
                Some(Ok(Found::Ran(done))) => return Ok(done),
                Some(found) => self.found(found?)?,
                None => return Ok(Ok(0)), // it was put to work just before
            }
        }
    }

    /// The first session, free.
    pub(super) async fn free_first(&mut self) -> Result<Worker, RestoreFailure> {
        loop {
            if let Some(worker) = self.crew.first() {
                return self.crew.renewed(worker).await;
            }
            self.wait().await?;
        }
    }

    /// Waits for one session to come back.
    pub(super) async fn wait(&mut self) -> Result<(), RestoreFailure> {
        self.show();
        match self.crew.next().await {
            Some(found) => self.found(found?),
            None => Ok(()),
        }
    }

    /// Waits for all of them.
    pub(super) async fn settle(&mut self) -> Result<(), RestoreFailure> {
        while !self.crew.is_idle() {
            self.wait().await?;
        }
        Ok(())
    }

    /// An error that ends the load, or one that is passed over.
    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), RestoreFailure> {
        let error = match fault {
            Fault::Lost(failure) => return Err(failure),
            Fault::Refused(error) => error,
        };
        if self.load_stops() {
            return Err(RestoreFailure::Statement(Box::new(error)));
        }
        self.board.say(RestoreProgress::Failed(error.clone()));
        self.tally.errors.push(error);
        Ok(())
    }

    pub(super) fn job(&self, line: u64, text: String) -> Job {
        Job {
            line,
            text,
            settings: self.settings.clone(),
        }
    }

    /// What a screen says of a statement.
    pub(super) fn label(&self, text: &str) -> String {
        match &self.entry {
            Some(entry) => format!("{} {}", entry.kind.to_lowercase(), entry.name),
            None => shortened(text),
        }
    }

    fn note_phase(&self) {
        self.board.write(|loading| {
            if loading.phase == Phase::Rows && !self.is_data() {
                loading.phase = Phase::Indexes;
            }
        });
    }

    fn is_data(&self) -> bool {
        let kind = self.entry.as_ref().map_or("", |entry| entry.kind.as_str());
        [
            "TABLE DATA",
            "SEQUENCE SET",
            "BLOB",
            "BLOBS",
            "BLOB METADATA",
        ]
        .contains(&kind)
    }

    /// The table that an INSERT fills.
    fn inserted(&mut self, text: &str) -> Option<usize> {
        let mut words = Words::of(text);
        if !words.eat("INSERT INTO") {
            return None;
        }
        let table = words.table()?;
        Some(self.tally.table(&table))
    }

    pub(super) fn show(&self) {
        self.board.write(|loading| {
            loading.at = self.crew.at();
            loading.statements = self.tally.statements;
            loading.rows = self.tally.rows + self.open.as_ref().map_or(0, Open::rows);
            loading.tables =
                (self.tally.tables.len() as u64).saturating_sub(u64::from(self.open.is_some()));
            loading.jobs_done = self.tally.built;
            loading.errors = self.tally.errors.len() as u64;
        });
    }

    /// As UTF-8, which all sessions speak; a dump in another encoding is translated by the server.
    pub(super) async fn text(
        &mut self,
        line: u64,
        bytes: Vec<u8>,
    ) -> Result<String, RestoreFailure> {
        let bytes = match (&self.encoding, String::from_utf8(bytes)) {
            (None, Ok(text)) => return Ok(text),
            (Some(_), Ok(text)) if text.is_ascii() => return Ok(text),
            (Some(_), Ok(text)) => text.into_bytes(),
            (_, Err(error)) => error.into_bytes(),
        };
        let refused = |reason: String| RestoreFailure::Dump { line, reason };
        let Some(encoding) = self.encoding.clone() else {
            return Err(refused("it is not valid UTF-8".to_owned()));
        };
        self.settle().await?;
        let worker = self.free_first().await?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        // without a backslash, which the dump may have made an escape
        let sql = format!(
            "SELECT pg_catalog.convert_from(pg_catalog.decode('{hex}', 'hex'), '{encoding}')"
        );
        let answer = worker.session().query_text(&sql).await;
        self.crew.put(worker);
        let text = match answer {
            Ok(rows) => rows.into_iter().flatten().next().flatten(),
            Err(error) => return Err(refused(error.message())),
        };
        text.ok_or_else(|| refused(format!("it cannot be read as {encoding}")))
    }
}

/// `None` for UTF8.
fn foreign(name: &str) -> Option<String> {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_uppercase();
    let utf8 = ["UTF8", "UNICODE"].contains(&plain.as_str());
    // into a statement of ours it goes without anything that could end a string
    let name = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_-".contains(*c));
    (!utf8).then(|| name.collect())
}
