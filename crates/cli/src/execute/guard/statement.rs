//! Before a statement: which way it goes, and how long it may queue.
//!
//! Absent here: the look at the gate itself (see [`super::entrance`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pgdriver::activity::locks::LockMode;

use super::gate::Step;
use super::needs::{self, Way};
use super::retry::LetGo;
use super::{
    Announced, Guard, Question, Running, Sight, Turn, WHILE_HOLDING, go, millis, say, stop, words,
};
use crate::django::wire::Word;
use crate::event::EventKind;
use crate::execute::resume::{Before, Proof};
use crate::exit::Class;
use crate::failure::Failure;
use crate::sql::Lock;
use crate::ui::one_line;

impl Guard<'_> {
    /// Before a statement: at once, or once its locks are to be had.
    pub(super) async fn statement(
        &mut self,
        statement: &Announced,
        question: &mut Question,
        sight: &mut Sight<'_>,
    ) -> Turn {
        let Announced {
            number,
            sql,
            in_transaction,
            needs,
        } = statement.clone();
        if in_transaction {
            if std::mem::take(&mut self.unseen) {
                self.sample(sight).await;
            }
        } else if let Some(turn) = self.resumed(number, &sql, sight).await {
            return turn;
        }
        let ceiling = self.around.guard.lock_timeout;
        let ceiling = (!ceiling.is_zero()).then_some(ceiling);
        let patience = match needs.way {
            Way::Light | Way::Unknown => ceiling,
            Way::Concurrently => self.left(),
            Way::Ordinary => {
                let wanted: Vec<Lock> = needs
                    .strong
                    .iter()
                    .filter(|l| !self.has(l))
                    .cloned()
                    .collect();
                match self.at_gate(&wanted, question, sight).await {
                    Err(failure) => return stop(failure),
                    Ok(Step::Go(_)) if wanted.is_empty() => ceiling,
                    Ok(Step::Go(patience)) => Some(patience),
                    Ok(Step::Wait) => {
                        match self.waits_while_holding(question, &wanted, in_transaction) {
                            Some(Busy::LetGo(why)) => return self.let_go(why),
                            Some(Busy::Try) => ceiling,
                            None => return Turn::default(),
                        }
                    }
                }
            }
        };
        let patience = match (patience, self.left()) {
            (Some(patience), Some(left)) => Some(patience.min(left)),
            (one, other) => one.or(other),
        };
        let attempt = self
            .running
            .take()
            .filter(|r| r.sql == sql)
            .map_or(1, |r| r.attempt + 1);
        self.running = Some(Running {
            sql,
            in_transaction,
            needs,
            sent: Instant::now(),
            patience,
            queued: None,
            awaits: None,
            waited: Duration::ZERO,
            attempt,
        });
        let settings = timeouts(patience, self.around.guard.statement_timeout);
        let mut afterwards = timeouts(ceiling, self.around.guard.statement_timeout);
        afterwards.retain(|name, value| settings.get(name) != Some(value));
        go(settings, afterwards)
    }

    /// Outside a transaction, an earlier run may have done this already: that is for the catalog to say.
    async fn resumed(&mut self, number: u64, sql: &str, sight: &mut Sight<'_>) -> Option<Turn> {
        let id = &self.current.as_ref()?.id;
        let sha256 = self.files.get(id).map(String::as_str);
        match sight
            .monitor
            .before(self.around.earlier, id, sha256, sql)
            .await?
        {
            Before::Done(Proof(proof)) => {
                self.around.reporter.emit(EventKind::StatementSkipped {
                    number,
                    sql: sql.to_owned(),
                    proof,
                });
                self.forecast.ran(sql);
                Some(say(Word::Skip))
            }
            Before::Leftover { index, way_out } => Some(stop(
                Failure::new(
                    Class::MigrationFailed,
                    format!(
                        "{index} is INVALID, left by an earlier run, and in the way of: {}",
                        one_line(sql, 200)
                    ),
                )
                .hint(format!("take it out, then run again: {way_out}")),
            )),
        }
    }

    /// A transaction that holds locks may not stand at a gate for long: it lets go, and waits with nothing in hand. Where
    /// it cannot be run again, it tries.
    fn waits_while_holding(
        &mut self,
        question: &Question,
        wanted: &[Lock],
        in_transaction: bool,
    ) -> Option<Busy> {
        if !in_transaction || !self.holds() || question.since.elapsed() < WHILE_HOLDING {
            return None;
        }
        let current = self.current.as_ref()?;
        if !current.retryable || current.attempt > self.around.guard.retries {
            return Some(Busy::Try);
        }
        let known = self.ahead.entry(current.id.clone()).or_default();
        for lock in wanted {
            needs::add(known, lock.clone());
        }
        let why = format!(
            "{} was busy while other locks were held",
            words::relations(wanted)
        );
        Some(Busy::LetGo(LetGo::Busy(why)))
    }

    /// We hold it already, in this mode or a stronger one.
    fn has(&self, lock: &Lock) -> bool {
        self.timeline
            .mode(&lock.relation.to_string())
            .is_some_and(|held| {
                LockMode::from_pg_locks(held).is_some_and(|held| held >= words::mode(lock.mode))
            })
    }
}

/// A transaction that holds locks meets a gate that is not open.
enum Busy {
    LetGo(LetGo),
    Try,
}

pub(super) fn timeouts(
    patience: Option<Duration>,
    statement: Duration,
) -> BTreeMap<String, String> {
    // zero is no limit to the server: what is over gets the shortest
    let patience = patience.map_or(0, |p| millis(p).max(1));
    BTreeMap::from([
        ("lock_timeout".to_owned(), patience.to_string()),
        (
            "statement_timeout".to_owned(),
            millis(statement).to_string(),
        ),
    ])
}
