//! The strong locks of a migration: how long it queued for them, since when they were held, and who waited behind them.
//!
//! Pure: what was seen goes in, [`LockHeld`] comes out when they are let go, or given up in the queue. Times are of the
//! run. Absent here: looking.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::LockHeld;
use crate::names::MigrationId;

/// How a transaction that held locks ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Committed,
    RolledBack,
}

/// Locks that are held now, or queued for.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline {
    held: BTreeMap<String, Held>,
    /// The statement's lock that was not to be had yet.
    queued: Option<Queued>,
    /// By what they waited for; none for rows.
    behind: BTreeMap<Option<String>, Behind>,
}

#[derive(Debug, Clone)]
struct Held {
    /// As `pg_locks` spells it.
    mode: String,
    since: Duration,
    queued: Duration,
}

#[derive(Debug, Clone)]
struct Queued {
    relation: Option<String>,
    mode: Option<String>,
    waited: Duration,
}

/// Others that stood behind us, at the worst.
#[derive(Debug, Clone, Copy, Default)]
struct Behind {
    waiters: u64,
    longest: Duration,
}

impl Timeline {
    /// No relation is held.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// In which mode a relation is held.
    pub(super) fn mode(&self, relation: &str) -> Option<&str> {
        self.held.get(relation).map(|held| held.mode.as_str())
    }

    /// When the first of them was taken.
    pub(super) fn since(&self) -> Option<Duration> {
        self.held.values().map(|held| held.since).min()
    }

    /// A lock is held since `at` at the latest. A stronger mode replaces a weaker one, not its time.
    pub(super) fn holds(
        &mut self,
        relation: &str,
        mode: &str,
        at: Duration,
        stronger: impl Fn(&str, &str) -> bool,
    ) {
        let held = self
            .held
            .entry(relation.to_owned())
            .or_insert_with(|| Held {
                mode: mode.to_owned(),
                since: at,
                queued: Duration::ZERO,
            });
        if stronger(mode, &held.mode) {
            mode.clone_into(&mut held.mode);
        }
        held.since = held.since.min(at);
        let queued = self.queued.as_ref().map(|q| q.relation.as_deref());
        if queued == Some(Some(relation)) {
            held.queued += self.queued.take().map_or(Duration::ZERO, |q| q.waited);
        }
    }

    /// A statement left the queue after so long: it had the lock, and then [`Timeline::acquired`] follows, or it had not.
    pub(super) fn queued(&mut self, relation: Option<&str>, mode: Option<&str>, waited: Duration) {
        self.queued = Some(Queued {
            relation: relation.map(str::to_owned),
            mode: mode.map(str::to_owned),
            waited,
        });
    }

    /// What was queued for was had at `at`, though nobody foresaw that the statement would need it.
    pub(super) fn acquired(&mut self, at: Duration, stronger: impl Fn(&str, &str) -> bool) {
        let queued = self.queued.clone().map(|q| (q.relation, q.mode));
        if let Some((Some(relation), Some(mode))) = queued {
            self.holds(&relation, &mode, at, stronger);
        }
        self.queued = None;
    }

    /// So many stand behind us for this relation, or, with none, for rows.
    pub(super) fn behind(&mut self, relation: Option<String>, waiters: u64, longest: Duration) {
        let behind = self.behind.entry(relation).or_default();
        behind.waiters = behind.waiters.max(waiters);
        behind.longest = behind.longest.max(longest);
    }

    /// All of them are let go at `at`; rows were changed since `rows`.
    pub(super) fn released(
        &mut self,
        at: Duration,
        rows: Option<Duration>,
        migration: Option<&MigrationId>,
        ended: Ended,
    ) -> Vec<LockHeld> {
        let Self {
            held,
            queued,
            mut behind,
        } = std::mem::take(self);
        let line = |relation, mode, had: Had, behind: Option<Behind>, end: &str| {
            let behind = behind.unwrap_or_default();
            LockHeld {
                app: migration.map(|m| m.app.0.clone()),
                name: migration.map(|m| m.name.0.clone()),
                relation,
                mode,
                queued_ms: ms(had.queued),
                acquired_ms: had.since.map(ms),
                held_ms: ms(had
                    .since
                    .map_or(Duration::ZERO, |since| at.saturating_sub(since))),
                waiters: behind.waiters,
                longest_wait_ms: ms(behind.longest),
                end: end.to_owned(),
            }
        };
        let end = match ended {
            Ended::Committed => "committed",
            Ended::RolledBack => "rolled_back",
        };
        let mut lines = Vec::new();
        for (relation, held) in held {
            let had = Had {
                queued: held.queued,
                since: Some(held.since),
            };
            let relation = Some(relation);
            let others = behind.remove(&relation);
            lines.push(line(relation, Some(held.mode), had, others, end));
        }
        if let Some(Queued {
            relation,
            mode,
            waited,
        }) = queued
        {
            let had = Had {
                queued: waited,
                since: None,
            };
            let others = behind.remove(&relation);
            lines.push(line(relation, mode, had, others, "not_acquired"));
        }
        // what others waited for is held, though nobody foresaw or saw it
        for (relation, others) in behind {
            let had = Had {
                queued: Duration::ZERO,
                since: rows,
            };
            // a writer of rows holds the lock of its own transaction in this mode, and others wait for that
            let mode = relation.is_none().then(|| "ExclusiveLock".to_owned());
            lines.push(line(relation, mode, had, Some(others), end));
        }
        lines.sort_by_key(|held| (held.acquired_ms.is_none(), held.acquired_ms));
        lines
    }
}

/// How a lock came.
#[derive(Debug, Clone, Copy)]
struct Had {
    queued: Duration,
    since: Option<Duration>,
}

fn ms(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn stronger(new: &str, old: &str) -> bool {
        new == "AccessExclusiveLock" && old != new
    }

    /// Relation, when it was acquired, how long it was queued for, waiters, end.
    type Line = (Option<String>, Option<u64>, u64, u64, String);

    fn short(lines: Vec<LockHeld>) -> Vec<Line> {
        let short = |l: LockHeld| (l.relation, l.acquired_ms, l.queued_ms, l.waiters, l.end);
        lines.into_iter().map(short).collect()
    }

    fn line(
        relation: Option<&str>,
        acquired: Option<u64>,
        queued: u64,
        waiters: u64,
        end: &str,
    ) -> Line {
        let relation = relation.map(str::to_owned);
        (relation, acquired, queued, waiters, end.to_owned())
    }

    #[test]
    fn a_lock_is_held_from_its_first_sight_to_the_end_in_its_strongest_mode() {
        let mut timeline = Timeline::default();
        let a = Some("public.a".to_owned());
        timeline.holds("public.a", "ShareLock", at(100), stronger);
        timeline.holds("public.a", "AccessExclusiveLock", at(300), stronger);
        timeline.holds("public.a", "ShareLock", at(400), stronger);
        timeline.behind(a.clone(), 3, at(50));
        timeline.behind(a, 1, at(90));
        assert_eq!(timeline.since(), Some(at(100)));
        let id = MigrationId::new("shop", "0002");
        let lines = timeline.released(at(1000), None, Some(&id), Ended::Committed);
        let [line] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        assert_eq!(
            (line.mode.as_deref(), line.acquired_ms, line.held_ms),
            (Some("AccessExclusiveLock"), Some(100), 900)
        );
        assert_eq!((line.waiters, line.longest_wait_ms), (3, 90));
        assert!(timeline.is_empty());
        let nothing = timeline.released(at(1100), None, None, Ended::RolledBack);
        assert_eq!(nothing, []);
    }

    #[test]
    fn whoever_waits_waits_for_one_of_them() {
        let mut timeline = Timeline::default();
        timeline.queued(Some("public.a"), Some("ShareLock"), at(40));
        timeline.holds("public.a", "ShareLock", at(140), stronger);
        timeline.holds("public.b", "AccessExclusiveLock", at(200), stronger);
        timeline.behind(Some("public.b".to_owned()), 7, at(50));
        timeline.behind(None, 2, at(10));
        let lines = timeline.released(at(1000), Some(at(150)), None, Ended::RolledBack);
        let lines = short(lines);
        let end = "rolled_back";
        assert_eq!(
            lines,
            [
                line(Some("public.a"), Some(140), 40, 0, end),
                line(None, Some(150), 0, 2, end),
                line(Some("public.b"), Some(200), 0, 7, end),
            ]
        );
    }

    #[test]
    fn what_was_queued_for_is_held_once_the_statement_went_on() {
        let mut timeline = Timeline::default();
        timeline.queued(Some("public.a"), Some("ExclusiveLock"), at(500));
        timeline.acquired(at(600), stronger);
        timeline.queued(None, Some("ShareLock"), at(20));
        timeline.acquired(at(700), stronger);
        let lines = short(timeline.released(at(1000), None, None, Ended::Committed));
        let expected = line(Some("public.a"), Some(600), 500, 0, "committed");
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn those_behind_a_waiter_are_told_though_it_never_had_its_lock() {
        let mut timeline = Timeline::default();
        timeline.holds("public.a", "ShareLock", at(100), stronger);
        timeline.behind(Some("public.b".to_owned()), 7, at(50));
        timeline.queued(Some("public.b"), Some("AccessExclusiveLock"), at(500));
        let lines = timeline.released(at(1000), None, None, Ended::RolledBack);
        assert_eq!(
            short(lines),
            [
                line(Some("public.a"), Some(100), 0, 0, "rolled_back"),
                line(Some("public.b"), None, 500, 7, "not_acquired"),
            ]
        );
    }
}
