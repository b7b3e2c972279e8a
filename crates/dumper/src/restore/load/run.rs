//! Index builds, keys and foreign keys: gathered from the file as long as nothing else stands between, then run side by
//! side.
//!
//! What only adds to them (comments, ATTACH PARTITION, CLUSTER ON, REPLICA IDENTITY) waits for their end, in the order of
//! the file.
//!
//! Absent: which of them get on with each other, which [`super::schedule`] knows.

use pgdriver::loading;

use super::super::error::RestoreFailure;
use super::super::progress::Phase;
use super::crew::Found;
use super::drive::Drive;
use super::kind::{self, TableLock};
use super::schedule::{Families, Schedule};
use super::worker::Job;
use crate::scan::TableName;

/// Statements that are gathered at the most, and their bytes.
const STATEMENTS: usize = 10_000;
const BYTES: usize = 4 * 1024 * 1024;

/// What runs side by side next.
#[derive(Debug, Default)]
pub(super) struct Run {
    sort: Option<Sort>,
    builds: Vec<Build>,
    later: Vec<Job>,
    bytes: usize,
}

/// Foreign keys need all keys, so these are never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Build,
    ForeignKey,
}

#[derive(Debug)]
struct Build {
    job: Job,
    locks: Vec<TableLock>,
    label: String,
}

impl Run {
    pub(super) fn is_empty(&self) -> bool {
        self.builds.is_empty()
    }

    fn is_full(&self) -> bool {
        self.bytes > BYTES || self.builds.len() + self.later.len() > STATEMENTS
    }

    pub(super) fn later(&mut self, job: Job) {
        self.bytes += job.text.len();
        self.later.push(job);
    }
}

impl Drive<'_> {
    pub(super) async fn gather(
        &mut self,
        sort: Sort,
        line: u64,
        text: String,
        locks: Vec<TableLock>,
    ) -> Result<(), RestoreFailure> {
        if self.run.sort.is_some_and(|known| known != sort) || self.run.is_full() {
            self.end_run().await?;
        }
        self.run.sort = Some(sort);
        self.run.bytes += text.len();
        let label = self.label(&text);
        let job = self.job(line, text);
        self.run.builds.push(Build { job, locks, label });
        self.board.write(|loading| loading.jobs_found += 1);
        Ok(())
    }

    /// Runs what was gathered.
    pub(super) async fn end_run(&mut self) -> Result<(), RestoreFailure> {
        let Run { builds, later, .. } = std::mem::take(&mut self.run);
        if builds.is_empty() {
            return Ok(());
        }
        self.settle().await?;
        self.board.write(|loading| loading.phase = Phase::Indexes);
        let mut again = self.side_by_side(builds).await?;
        again.sort_by_key(|job| job.line);
        let built = again.len() as u64;
        for job in again.into_iter().chain(later) {
            self.alone(job).await?;
        }
        self.tally.built += built;
        Ok(())
    }

    /// Gives back what the server ended because it waited in a circle: to be run alone.
    async fn side_by_side(&mut self, builds: Vec<Build>) -> Result<Vec<Job>, RestoreFailure> {
        let families = self.families().await?;
        let mut schedule = Schedule::new(builds.into_iter().map(|build| {
            let table = build.locks.first();
            let bytes = table.map_or(0, |lock| self.tally.weight(&lock.table));
            let weight = bytes * kind::effort(&build.job.text);
            let locks = families.widen(&build.locks);
            (weight, locks, (build.job, build.label))
        }));
        let mut again = Vec::new();
        loop {
            while let Some(worker) = self.crew.any() {
                let Some((ticket, (job, label))) = schedule.start() else {
                    self.crew.put(worker);
                    break;
                };
                let mut worker = self.crew.renewed(worker).await?;
                self.crew.work(worker.number, Some(label), async move {
                    let done = worker.run(&job).await;
                    (worker, Found::Built { ticket, job, done })
                });
            }
            self.show();
            match self.crew.next().await {
                None => return Ok(again),
                Some(found) => match found? {
                    Found::Built { ticket, job, done } => {
                        schedule.done(ticket);
                        match done {
                            Ok(_) => {
                                self.tally.statements += 1;
                                self.tally.built += 1;
                            }
                            Err(fault) if fault.is_deadlock() => again.push(job),
                            Err(fault) => self.fault(fault)?,
                        }
                    }
                    other => self.found(other)?,
                },
            }
        }
    }

    async fn families(&mut self) -> Result<Families, RestoreFailure> {
        let worker = self.free_first().await?;
        let found = loading::descents(worker.session()).await;
        self.crew.put(worker);
        let name = |(schema, name): (String, String)| TableName { schema, name };
        let pairs = found?
            .into_iter()
            .map(|one| (name(one.parent), name(one.child)));
        Ok(Families::new(pairs))
    }
}
