//! The strong locks of a migration: since when they were held, and who waited behind them.
//!
//! Pure: what was seen goes in, [`LockHeld`] comes out when they are let go. Times are of the run. Absent here: looking.

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

/// Locks that are held now.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline {
    /// By relation: mode as `pg_locks` spells it, and since when.
    held: BTreeMap<String, (String, Duration)>,
    waiters: u64,
    longest: Duration,
}

impl Timeline {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// In which mode a relation is held.
    pub(super) fn mode(&self, relation: &str) -> Option<&str> {
        self.held.get(relation).map(|(mode, _)| mode.as_str())
    }

    /// When the first of them was taken.
    pub(super) fn since(&self) -> Option<Duration> {
        self.held.values().map(|(_, at)| *at).min()
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
            .or_insert_with(|| (mode.to_owned(), at));
        if stronger(mode, &held.0) {
            mode.clone_into(&mut held.0);
        }
        held.1 = held.1.min(at);
    }

    /// So many stand behind us.
    pub(super) fn behind(&mut self, waiting: u64, longest: Duration) {
        self.waiters = self.waiters.max(waiting);
        self.longest = self.longest.max(longest);
    }

    /// All of them are let go at `at`.
    pub(super) fn released(
        &mut self,
        at: Duration,
        migration: Option<&MigrationId>,
        ended: Ended,
    ) -> Vec<LockHeld> {
        let Self {
            held,
            waiters,
            longest,
        } = std::mem::take(self);
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let line = |(relation, (mode, acquired)): (String, (String, Duration))| LockHeld {
            app: migration.map(|m| m.app.0.clone()),
            name: migration.map(|m| m.name.0.clone()),
            relation,
            mode,
            acquired_ms: ms(acquired),
            held_ms: ms(at.saturating_sub(acquired)),
            waiters,
            longest_wait_ms: ms(longest),
            end: match ended {
                Ended::Committed => "committed",
                Ended::RolledBack => "rolled_back",
            }
            .to_owned(),
        };
        let mut lines: Vec<LockHeld> = held.into_iter().map(line).collect();
        lines.sort_by_key(|held| held.acquired_ms);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_from_its_first_sight_to_the_end_in_its_strongest_mode() {
        let mut timeline = Timeline::default();
        let ms = Duration::from_millis;
        let stronger = |new: &str, old: &str| new == "AccessExclusiveLock" && old != new;
        timeline.holds("public.a", "ShareLock", ms(100), stronger);
        timeline.holds("public.a", "AccessExclusiveLock", ms(300), stronger);
        timeline.holds("public.a", "ShareLock", ms(400), stronger);
        timeline.behind(3, ms(50));
        timeline.behind(1, ms(90));
        assert_eq!(timeline.since(), Some(ms(100)));
        let lines = timeline.released(
            ms(1000),
            Some(&MigrationId::new("shop", "0002")),
            Ended::Committed,
        );
        let [line] = lines.as_slice() else {
            panic!("{lines:?}")
        };
        assert_eq!(
            (line.mode.as_str(), line.acquired_ms, line.held_ms),
            ("AccessExclusiveLock", 100, 900)
        );
        assert_eq!((line.waiters, line.longest_wait_ms), (3, 90));
        assert!(
            timeline.is_empty()
                && timeline
                    .released(ms(1100), None, Ended::RolledBack)
                    .is_empty()
        );
    }
}
