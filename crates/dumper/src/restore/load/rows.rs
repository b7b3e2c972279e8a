//! Rows: dealt in pieces to all sessions, which copy into the same table.
//!
//! A small block goes to one session whole, so that small tables are copied beside each other. A larger one is shared:
//! each session copies in a transaction of its own, and all of them are committed when the last row is in, so that a
//! refused row leaves the table empty, as it does with psql. Its rows lie in another order then than in the file.
//!
//! Absent: triggers and foreign keys. pg_dump writes them behind the rows.

use std::sync::Arc;

use super::super::error::RestoreFailure;
use super::super::progress::Phase;
use super::crew::Found;
use super::drive::Drive;
use super::fault::Fault;
use super::words::Words;
use super::worker::{Block, Chunk, Job, Worker};
use crate::scan::{CopyStart, Rows, TableName};

/// A block of up to so many bytes is small.
const SMALL: u64 = 2 * 1024 * 1024;
/// What all sessions together may have of small blocks.
const SMALL_TOGETHER: u64 = 16 * 1024 * 1024;

/// The block whose rows are passing.
#[derive(Debug)]
pub(super) struct Open {
    job: Job,
    name: TableName,
    /// Its place in the tally.
    table: usize,
    /// Of the next row.
    line: u64,
    rows: u64,
    bytes: u64,
    /// Its pieces, as long as it is small.
    held: Vec<Chunk>,
    /// Once it is shared.
    block: Option<Arc<Block>>,
    /// The session that has half of a row.
    pinned: Option<usize>,
    /// Rows that were taken, when all sessions are done.
    taken: u64,
    failed: Option<Fault>,
}

impl Open {
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    fn fail(&mut self, fault: Fault) {
        let line = |fault: &Fault| match fault {
            Fault::Refused(error) => error.line,
            Fault::Lost(_) => 0,
        };
        if self
            .failed
            .as_ref()
            .is_none_or(|known| line(&fault) < line(known))
        {
            self.failed = Some(fault);
        }
    }
}

impl Drive<'_> {
    pub(super) async fn copy(&mut self, start: CopyStart) -> Result<(), RestoreFailure> {
        self.end_run().await?;
        self.begin().await?;
        self.board.write(|loading| loading.phase = Phase::Rows);
        let line = start.line;
        let mut text = self.text(line, start.statement).await?;
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        if let Some(encoding) = &self.encoding {
            text = in_encoding(&text, encoding).ok_or_else(|| RestoreFailure::Dump {
                line,
                reason: format!("a COPY with options cannot be read as {encoding}"),
            })?;
        }
        self.open = Some(Open {
            job: self.job(line, text),
            table: self.tally.table(&start.table),
            name: start.table,
            line: line + breaks + 1,
            rows: 0,
            bytes: 0,
            held: Vec::new(),
            block: None,
            pinned: None,
            taken: 0,
            failed: None,
        });
        Ok(())
    }

    pub(super) async fn rows(&mut self, rows: Rows) -> Result<(), RestoreFailure> {
        let Some(open) = &mut self.open else {
            return Ok(()); // the reader sends none without a COPY
        };
        let chunk = Chunk {
            bytes: rows.bytes,
            line: open.line,
            rows: rows.rows,
            ends_row: rows.ends_row,
        };
        open.line += chunk.rows;
        open.rows += chunk.rows;
        open.bytes += chunk.bytes.len() as u64;
        if open.failed.is_some() {
            return Ok(()); // what the block had is rolled back at its end
        }
        if open.block.is_some() {
            return self.deal(chunk).await;
        }
        open.held.push(chunk);
        let sessions = self.crew.size() as u64;
        if open.bytes > SMALL.min(SMALL_TOGETHER / sessions.max(1)) {
            let held = std::mem::take(&mut open.held);
            self.share();
            for chunk in held {
                self.deal(chunk).await?;
            }
        }
        Ok(())
    }

    fn share(&mut self) {
        let shared = self.is_split();
        // rows in another encoding are for the server to translate
        let foreign = self.encoding.is_some();
        if let Some(open) = &mut self.open {
            let columns = columns(&open.job.text).filter(|_| !foreign);
            open.block = Some(Arc::new(Block {
                job: open.job.clone(),
                table: open.name.clone(),
                shared,
                columns,
            }));
        }
    }

    /// To the next session that is free.
    async fn deal(&mut self, chunk: Chunk) -> Result<(), RestoreFailure> {
        let mut worker = self.free().await?;
        let open = self.open.as_mut().filter(|open| open.failed.is_none());
        let Some((open, block)) =
            open.and_then(|open| open.block.clone().map(|block| (open, block)))
        else {
            self.crew.put(worker);
            return Ok(());
        };
        let number = worker.number;
        open.pinned = (!chunk.ends_row).then_some(number);
        let at = Some(open.name.to_string());
        self.crew.work(number, at, async move {
            let sent = worker.send(&block, chunk).await;
            (worker, Found::Sent(sent))
        });
        self.show();
        Ok(())
    }

    async fn free(&mut self) -> Result<Worker, RestoreFailure> {
        loop {
            let pinned = self.open.as_ref().and_then(|open| open.pinned);
            let worker = match (pinned, self.is_split()) {
                (Some(number), _) => self.crew.numbered(number),
                (None, true) => self.crew.any(),
                (None, false) => self.crew.first(),
            };
            if let Some(worker) = worker {
                return self.crew.renewed(worker).await;
            }
            self.wait().await?;
        }
    }

    pub(super) async fn copy_end(&mut self) -> Result<(), RestoreFailure> {
        let shared = self.open.as_ref().is_some_and(|open| open.block.is_some());
        match shared {
            true => self.end_shared().await?,
            false => self.copy_whole().await?,
        }
        self.open = None;
        Ok(())
    }

    /// A small block.
    async fn copy_whole(&mut self) -> Result<(), RestoreFailure> {
        let mut worker = self.free().await?;
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let block = Arc::new(Block {
            job: open.job,
            table: open.name,
            shared: false,
            columns: None, // to ask for its types would take longer
        });
        let (table, bytes, held) = (open.table, open.bytes, open.held);
        let at = Some(block.table.to_string());
        self.crew.work(worker.number, at, async move {
            let rows = worker.copy(&block, held).await;
            (worker, Found::Copied { table, bytes, rows })
        });
        Ok(())
    }

    async fn end_shared(&mut self) -> Result<(), RestoreFailure> {
        self.settle().await?;
        while let Some(mut worker) = self.crew.such(Worker::is_copying) {
            let at = Some(
                self.open
                    .as_ref()
                    .map(|open| open.name.to_string())
                    .unwrap_or_default(),
            );
            self.crew.work(worker.number, at, async move {
                let rows = worker.finish().await;
                (worker, Found::Finished(rows))
            });
        }
        self.settle().await?;
        let Some(open) = &self.open else {
            return Ok(());
        };
        let (line, how) = match open.failed {
            None => (open.job.line, "COMMIT"),
            Some(_) => (open.job.line, "ROLLBACK"),
        };
        while let Some(mut worker) = self.crew.such(Worker::is_sharing) {
            self.crew.work(worker.number, None, async move {
                let done = worker.end(line, how).await;
                (worker, Found::Sent(done.map(drop)))
            });
        }
        self.settle().await?;
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        match open.failed {
            Some(fault) => self.fault(fault),
            None => {
                self.tally.statements += 1;
                self.tally.took(open.table, open.taken, open.bytes);
                Ok(())
            }
        }
    }

    /// What a session brought back that nobody waits for in particular.
    pub(super) fn found(&mut self, found: Found) -> Result<(), RestoreFailure> {
        match found {
            Found::Sent(Ok(())) | Found::Ran(Ok(_)) | Found::Built { done: Ok(_), .. } => Ok(()),
            Found::Finished(Ok(rows)) => {
                if let Some(open) = &mut self.open {
                    open.taken += rows;
                }
                Ok(())
            }
            Found::Sent(Err(fault)) | Found::Finished(Err(fault)) => self.share_failed(fault),
            Found::Copied { table, bytes, rows } => match rows {
                Ok(rows) => {
                    self.tally.statements += 1;
                    self.tally.took(table, rows, bytes);
                    Ok(())
                }
                Err(fault) => self.fault(fault),
            },
            Found::Ran(Err(fault))
            | Found::Built {
                done: Err(fault), ..
            } => self.fault(fault),
        }
    }

    /// One session's share: the others go on to the end of what they have, and nothing of it stays.
    fn share_failed(&mut self, fault: Fault) -> Result<(), RestoreFailure> {
        let stops = self.load_stops();
        match &mut self.open {
            Some(open) if !stops => {
                if let Fault::Lost(failure) = fault {
                    return Err(failure);
                }
                open.pinned = None;
                open.fail(fault);
                Ok(())
            }
            _ => self.fault(fault),
        }
    }
}

/// Those that a `COPY t (a, b) FROM stdin` without options names.
fn columns(statement: &str) -> Option<Vec<String>> {
    let mut words = Words::of(statement);
    if !words.eat("COPY") {
        return None;
    }
    words.table()?;
    if !words.eat_symbol('(') {
        return None;
    }
    let mut names = vec![words.name()?];
    while words.eat_symbol(',') {
        names.push(words.name()?);
    }
    let plain = words.eat_symbol(')') && words.eat("FROM stdin") && words.next().is_none();
    plain.then_some(names)
}

/// `COPY … FROM stdin` whose rows are in another encoding than the session.
fn in_encoding(statement: &str, encoding: &str) -> Option<String> {
    let plain = statement.trim_end();
    let end = plain.len().checked_sub("FROM stdin".len())?;
    let is_plain = plain.get(end..)?.eq_ignore_ascii_case("FROM stdin");
    is_plain.then(|| format!("{plain} WITH (ENCODING '{encoding}')"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_plain_copy_are_known() {
        let found = |statement| columns(statement).map(|names| names.join("|"));
        assert_eq!(
            found("COPY public.\"T\" (a, \"B c\", ü) FROM stdin").as_deref(),
            Some("a|B c|ü")
        );
        for other in [
            "COPY public.t FROM stdin",
            "COPY t (a) FROM stdin",
            "COPY public.t (a) FROM stdin WITH (ENCODING 'LATIN1')",
            "COPY public.t (a) FROM '/etc/passwd'",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn rows_of_another_encoding_say_so() {
        assert_eq!(
            in_encoding("COPY public.t (a) FROM stdin", "LATIN1").as_deref(),
            Some("COPY public.t (a) FROM stdin WITH (ENCODING 'LATIN1')")
        );
        assert_eq!(in_encoding("COPY t FROM stdin WITH CSV", "LATIN1"), None);
        assert_eq!(in_encoding("ü", "LATIN1"), None);
    }
}
