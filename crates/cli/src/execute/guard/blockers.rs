//! `--on-blocker`: which session is signalled, how and when. Opt-in; cancel, a grace, then terminate.
//!
//! Pure. Absent here: sending the signal. Never signalled: what streams WAL, a superuser's session, a vacuum that
//! prevents wraparound, and whoever we may not see well enough to know.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::settings::OnBlocker;

/// How long somebody may be in the way before anything is done about it, and how long a cancel is given.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// A root blocker, as far as a decision needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::execute) struct Root {
    pub(in crate::execute) pid: i32,
    /// Its virtual transaction: the session's next one has done nothing yet. None where it is in none that can be seen.
    pub(in crate::execute) transaction: Option<String>,
    /// Who and what, in one line.
    pub(in crate::execute) what: String,
    pub(in crate::execute) standing: Standing,
}

impl Root {
    fn key(&self) -> (i32, Option<String>) {
        (self.pid, self.transaction.clone())
    }
}

/// What may be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::execute) enum Standing {
    /// It runs a statement, which a cancel reaches.
    Running,
    /// Idle in transaction: a cancel does nothing.
    Idle,
    /// Never touched, for this reason.
    Untouchable(&'static str),
}

/// What is to be done to one root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Cancel,
    Terminate,
    /// It is left alone, which is said once.
    Leave(&'static str),
}

impl Act {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Terminate => "terminate",
            Self::Leave(_) => "leave",
        }
    }
}

/// What was done so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Signalled {
    roots: BTreeMap<(i32, Option<String>), Told>,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    first_seen: Instant,
    last: Option<(Act, Instant)>,
}

impl Signalled {
    /// What to do now about each of `roots`; a transaction that was not there at the last look is met anew.
    pub(super) fn due(
        &mut self,
        now: Instant,
        roots: &[Root],
        mode: OnBlocker,
    ) -> Vec<(Root, Act)> {
        if mode == OnBlocker::Wait {
            return Vec::new();
        }
        self.roots
            .retain(|known, _| roots.iter().any(|root| root.key() == *known));
        let mut due = Vec::new();
        for root in roots {
            let told = self.roots.entry(root.key()).or_insert(Told {
                first_seen: now,
                last: None,
            });
            if let Some(act) = next(told, root.standing, mode, now) {
                told.last = Some((act, now));
                due.push((root.clone(), act));
            }
        }
        due
    }
}

fn next(told: &Told, standing: Standing, mode: OnBlocker, now: Instant) -> Option<Act> {
    let Some((last, at)) = told.last else {
        if now < told.first_seen + GRACE {
            return None;
        }
        return Some(match (standing, mode) {
            (Standing::Untouchable(why), _) => Act::Leave(why),
            (Standing::Running, _) => Act::Cancel,
            (Standing::Idle, OnBlocker::Terminate) => Act::Terminate,
            (Standing::Idle, _) => {
                Act::Leave("it is idle in transaction, which a cancel does not reach")
            }
        });
    };
    let may_terminate = last == Act::Cancel && mode == OnBlocker::Terminate;
    let untouchable = matches!(standing, Standing::Untouchable(_));
    (may_terminate && !untouchable && now >= at + GRACE).then_some(Act::Terminate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(standing: Standing) -> Root {
        Root {
            pid: 7,
            transaction: Some("3/1045".to_owned()),
            what: "ann, backend 7".to_owned(),
            standing,
        }
    }

    #[track_caller]
    fn check(standing: Standing, mode: OnBlocker, expected: &[(u32, Act)]) {
        let mut signalled = Signalled::default();
        let start = Instant::now();
        let mut done = Vec::new();
        for seconds in 0..8 {
            let now = start + Duration::from_secs(1) * seconds;
            let due = signalled.due(now, &[root(standing)], mode);
            done.extend(due.into_iter().map(|(_, act)| (seconds, act)));
        }
        assert_eq!(done, expected);
    }

    #[test]
    fn cancel_then_grace_then_terminate() {
        check(Standing::Running, OnBlocker::Wait, &[]);
        check(Standing::Running, OnBlocker::Cancel, &[(2, Act::Cancel)]);
        check(
            Standing::Running,
            OnBlocker::Terminate,
            &[(2, Act::Cancel), (4, Act::Terminate)],
        );
        check(Standing::Idle, OnBlocker::Terminate, &[(2, Act::Terminate)]);
        let idle = "it is idle in transaction, which a cancel does not reach";
        check(Standing::Idle, OnBlocker::Cancel, &[(2, Act::Leave(idle))]);
        let walsender = Standing::Untouchable("it streams WAL");
        check(
            walsender,
            OnBlocker::Terminate,
            &[(2, Act::Leave("it streams WAL"))],
        );
    }

    #[test]
    fn whoever_comes_back_gets_the_grace_again() {
        let mut signalled = Signalled::default();
        let start = Instant::now();
        let at = |s: u32| start + Duration::from_secs(1) * s;
        let roots = [root(Standing::Running)];
        assert_eq!(signalled.due(at(0), &roots, OnBlocker::Cancel), []);
        assert_eq!(signalled.due(at(1), &[], OnBlocker::Cancel), []);
        assert_eq!(signalled.due(at(2), &roots, OnBlocker::Cancel), []);
        assert_eq!(signalled.due(at(4), &roots, OnBlocker::Cancel).len(), 1);
    }

    #[test]
    fn the_next_transaction_of_a_session_has_its_own_grace() {
        let mut signalled = Signalled::default();
        let start = Instant::now();
        let at = |s: u32| start + Duration::from_secs(1) * s;
        let next = Root {
            transaction: Some("3/1046".to_owned()),
            ..root(Standing::Running)
        };
        let terminate = OnBlocker::Terminate;
        assert_eq!(
            signalled.due(at(0), &[root(Standing::Running)], terminate),
            []
        );
        let due = signalled.due(at(2), &[root(Standing::Running)], terminate);
        assert_eq!(due.len(), 1);
        for (seconds, count) in [(3, 0), (4, 0), (5, 1)] {
            let due = signalled.due(at(seconds), std::slice::from_ref(&next), terminate);
            assert_eq!(due.len(), count, "after {seconds} s");
            assert!(due.iter().all(|(_, act)| *act == Act::Cancel), "{due:?}");
        }
    }
}
