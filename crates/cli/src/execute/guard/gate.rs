//! When to stand in a lock's queue: not before those who hold the lock are gone, or are about to go.
//!
//! Whoever queues for ACCESS EXCLUSIVE keeps every later reader waiting, so time is better spent outside. Under short
//! transactions the lock is never free at a look; then what was seen of their lives tells how long the queue would take.
//! Pure: looks in, a step out. Absent here: looking, and what happens when the wait was too long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The shortest time that an attempt is given in the queue (facts.md: 0.11 s of stall at the worst).
const SHORTEST: Duration = Duration::from_millis(100);
/// A queue that is expected to end within this is not worth waiting outside.
const AT_ONCE: Duration = Duration::from_millis(50);
/// How long others are watched before a moment among them is chosen.
const WATCH: Duration = Duration::from_secs(1);
/// The share of moments that is good enough after one watch.
const CHOOSY: f64 = 0.1;
/// Looks that lie further apart have not seen who came and went between them.
const GAP: Duration = Duration::from_secs(1);
/// Lives that are remembered.
const LIVES: usize = 400;

/// Somebody who is in the way, as one look saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InTheWay {
    /// The virtual transaction: another one is another holder, though the session be the same.
    pub(super) transaction: String,
    /// Since its transaction began; none where that is hidden from us.
    pub(super) age: Option<Duration>,
    pub(super) what: What,
}

/// How it will leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// When its transaction ends.
    Session,
    /// When the deadlock check of whoever waits for it sends it away.
    Autovacuum,
    /// It waits for the lock itself.
    Queued,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Stand in the queue, for at most so long.
    Go(Duration),
    Wait,
}

/// What was seen of those in the way, since the migration was first held up.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    /// The longest that one attempt may queue.
    ceiling: Duration,
    /// After which a waiter's deadlock check sends an autovacuum away.
    deadlock_timeout: Duration,
    began: Option<Instant>,
    last: Option<Instant>,
    present: BTreeMap<String, Sighting>,
    lives: Vec<Duration>,
    /// What the queue would have cost, look by look.
    expected: Vec<Cost>,
    /// Attempts that timed out.
    failed: u32,
}

/// What it would cost to stand in the queue now.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Until the last of those in the way is gone.
    longest: Duration,
    /// All the time that the others, each of which comes back once it is gone, would wait behind us.
    together: Duration,
}

#[derive(Debug, Clone)]
struct Sighting {
    /// None: it was there before us, nobody knows since when.
    since: Option<Instant>,
    last: Instant,
}

impl Gate {
    pub(super) fn new(ceiling: Duration, deadlock_timeout: Duration) -> Self {
        Self {
            ceiling,
            deadlock_timeout,
            began: None,
            last: None,
            present: BTreeMap::new(),
            lives: Vec::new(),
            expected: Vec::new(),
            failed: 0,
        }
    }

    /// An attempt timed out in the queue: the next is given longer.
    pub(super) fn failed(&mut self) {
        self.failed += 1;
        self.expected.clear();
    }

    /// Other relations have other holders: what was seen of those before says nothing of them.
    pub(super) fn elsewhere(&mut self) {
        *self = Self {
            failed: self.failed,
            ..Self::new(self.ceiling, self.deadlock_timeout)
        };
    }

    /// Takes one look in.
    pub(super) fn look(&mut self, now: Instant, in_the_way: &[InTheWay]) -> Step {
        let gap = self.last.map(|last| now - last).filter(|gap| *gap > GAP);
        if let Some(gap) = gap {
            self.looked_away(gap);
        }
        self.last = Some(now);
        let first = self.began.is_none() || gap.is_some();
        let began = *self.began.get_or_insert(now);
        self.see(now, in_the_way, first);
        if in_the_way.is_empty() {
            return Step::Go(self.attempt());
        }
        let Some(cost) = self.cost(now, in_the_way) else {
            return Step::Wait;
        };
        let queue = cost.longest;
        if queue <= AT_ONCE {
            return Step::Go(self.attempt().max(self.allowed(queue * 2 + AT_ONCE)));
        }
        if in_the_way.iter().all(|h| h.what == What::Autovacuum) {
            return Step::Go(self.allowed(queue));
        }
        self.expected.push(cost);
        if queue + AT_ONCE > self.longest() || now < began + self.watch() {
            return Step::Wait;
        }
        if self.is_good(cost, now - began) {
            Step::Go(
                self.allowed(queue + queue / 4 + SHORTEST)
                    .max(self.attempt()),
            )
        } else {
            Step::Wait
        }
    }

    /// Nobody knows when those who were there ended, and the time between was not spent watching.
    fn looked_away(&mut self, gap: Duration) {
        self.present.clear();
        self.began = self.began.map(|began| began + gap);
    }

    /// Doubled after each failure.
    fn attempt(&self) -> Duration {
        self.allowed(SHORTEST * 2u32.saturating_pow(self.failed.min(16)))
    }

    fn allowed(&self, wanted: Duration) -> Duration {
        wanted.min(self.longest())
    }

    fn longest(&self) -> Duration {
        if self.ceiling.is_zero() {
            Duration::MAX
        } else {
            self.ceiling
        }
    }

    /// Others are watched for two of their lives, so that the best moment of one is known.
    fn watch(&self) -> Duration {
        let longest = self.lives.iter().max().copied().unwrap_or_default();
        WATCH.max(longest * 2)
    }

    /// Among the shortest tenth of what was seen, and among the cheapest; less choosy with each further watch.
    fn is_good(&self, cost: Cost, watched: Duration) -> bool {
        let rounds = watched.as_secs_f64() / self.watch().as_secs_f64();
        let together = self.share(CHOOSY * rounds, |cost| cost.together);
        let longest = self.share(CHOOSY * rounds, |cost| cost.longest);
        let slack = Duration::from_millis(20);
        cost.together <= together + slack && cost.longest <= longest + slack
    }

    /// What so large a share of the looks did not exceed.
    fn share(&self, share: f64, of: impl Fn(&Cost) -> Duration) -> Duration {
        let mut seen: Vec<Duration> = self.expected.iter().map(of).collect();
        seen.sort_unstable();
        let at = (seen.len().saturating_sub(1) as f64 * share.clamp(0.0, 1.0)) as usize;
        seen.get(at).copied().unwrap_or_default()
    }

    /// None where it cannot be told.
    fn cost(&self, now: Instant, in_the_way: &[InTheWay]) -> Option<Cost> {
        let mut remaining = Vec::new();
        for holder in in_the_way {
            remaining.push(match holder.what {
                What::Autovacuum => {
                    let needed = self.deadlock_timeout + self.deadlock_timeout / 2;
                    (needed <= self.longest()).then_some(needed)?
                }
                What::Queued => return None,
                What::Session => self.remaining(self.age(now, holder)?)?,
            });
        }
        let longest = remaining.iter().max().copied().unwrap_or_default();
        Some(Cost {
            longest,
            together: remaining.iter().map(|left| longest - *left).sum(),
        })
    }

    /// Since its transaction began, as the server says, or as we saw it come.
    fn age(&self, now: Instant, holder: &InTheWay) -> Option<Duration> {
        holder.age.or_else(|| {
            let seen = self.present.get(&holder.transaction)?;
            seen.since.map(|since| now - since)
        })
    }

    /// What others that came to this age still had before them: three quarters of them had no more. Where none lived so
    /// long before, only the very young are thought to be short, and not before anybody was seen to end.
    fn remaining(&self, age: Duration) -> Option<Duration> {
        let mut older: Vec<Duration> = self
            .lives
            .iter()
            .filter(|life| **life > age)
            .copied()
            .collect();
        older.sort_unstable();
        if let Some(life) = older.get(older.len() * 3 / 4) {
            return Some(*life - age);
        }
        (age <= AT_ONCE && !self.lives.is_empty()).then_some(age)
    }

    fn see(&mut self, now: Instant, in_the_way: &[InTheWay], first: bool) {
        for holder in in_the_way.iter().filter(|h| h.what == What::Session) {
            let sighting = self
                .present
                .entry(holder.transaction.clone())
                .or_insert_with(|| Sighting {
                    since: match holder.age {
                        Some(age) => now.checked_sub(age),
                        None => (!first).then_some(now),
                    },
                    last: now,
                });
            sighting.last = now;
        }
        let lives = &mut self.lives;
        self.present.retain(|_, sighting| {
            if sighting.last == now {
                return true;
            }
            // it ended after `last`, and before now
            if let Some(since) = sighting.since {
                lives.push(sighting.last - since + (now - sighting.last) / 2);
            }
            false
        });
        let surplus = lives.len().saturating_sub(LIVES);
        lives.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CEILING: Duration = Duration::from_secs(2);
    const MS: Duration = Duration::from_millis(1);

    fn gate() -> Gate {
        Gate::new(CEILING, Duration::from_secs(1))
    }

    fn session(name: &str, age: Option<u32>) -> InTheWay {
        InTheWay {
            transaction: name.to_owned(),
            age: age.map(|ms| MS * ms),
            what: What::Session,
        }
    }

    #[test]
    fn with_nobody_there_it_goes_at_once_and_longer_after_each_failure() {
        let mut gate = gate();
        let now = Instant::now();
        for expected in [100, 200, 400, 800, 1600, 2000, 2000] {
            assert_eq!(gate.look(now, &[]), Step::Go(MS * expected));
            gate.failed();
        }
    }

    #[test]
    fn a_long_transaction_is_waited_for_outside_and_short_ones_are_not() {
        let mut gate = gate();
        let start = Instant::now();
        for ms in (500..8000).step_by(20) {
            let holders = [
                session("long", Some(ms)),
                session(&format!("short {ms}"), Some(2)),
            ];
            assert_eq!(gate.look(start + MS * ms, &holders), Step::Wait, "{ms} ms");
        }
        let left = [session("short", Some(2))];
        assert_eq!(gate.look(start + MS * 8000, &left), Step::Go(SHORTEST));
    }

    #[test]
    fn who_was_there_before_us_at_an_unknown_age_is_not_taken_for_young() {
        let mut gate = gate();
        let start = Instant::now();
        for ms in (0..3000).step_by(20) {
            assert_eq!(
                gate.look(start + MS * ms, &[session("hidden", None)]),
                Step::Wait
            );
        }
        // nor anybody before somebody was seen to end; then one that came just now is
        let looks = [(3000, "one", Step::Wait), (3020, "two", Step::Go(SHORTEST))];
        for (ms, name, expected) in looks {
            assert_eq!(gate.look(start + MS * ms, &[session(name, None)]), expected);
        }
    }

    #[test]
    fn among_overlapping_readers_it_waits_for_a_good_moment() {
        let mut gate = gate();
        let start = Instant::now();
        // twenty readers of two seconds each, 100 ms apart, but for a pause of one second in every three
        let readers = |at: u32| -> Vec<InTheWay> {
            (0..at / 100 + 1)
                .map(|n| n * 100)
                .filter(|began| began % 3000 < 2000 && *began + 2000 > at)
                .map(|began| session(&began.to_string(), Some(at - began)))
                .collect()
        };
        let mut went = None;
        for at in (0..20_000).step_by(20) {
            if let Step::Go(patience) = gate.look(start + MS * at, &readers(at)) {
                went = Some((at, patience));
                break;
            }
        }
        let (at, patience) = went.expect("it goes");
        let last = readers(at)
            .iter()
            .map(|r| 2000 - r.age.unwrap().as_millis() as u32)
            .max();
        assert!(
            last.unwrap() <= 1800,
            "{} ms of queue at {at}",
            last.unwrap()
        );
        assert!(patience >= MS * last.unwrap() && patience <= CEILING);
    }

    #[test]
    fn lives_longer_than_the_ceiling_are_never_queued_for() {
        let mut gate = gate();
        let start = Instant::now();
        for at in (0..60_000u32).step_by(50) {
            let began = at / 1000 * 1000;
            let holders: Vec<_> = (0..8)
                .filter_map(|n| began.checked_sub(n * 1000))
                .map(|b| session(&b.to_string(), Some(at - b)))
                .collect();
            let step = gate.look(start + MS * at, &holders);
            assert!(step == Step::Wait || at < 60, "{at}");
        }
    }

    #[test]
    fn an_autovacuum_is_sent_away_by_a_wait_longer_than_deadlock_timeout() {
        let mut gate = gate();
        let vacuum = InTheWay {
            transaction: "3/7".to_owned(),
            age: Some(Duration::from_secs(60)),
            what: What::Autovacuum,
        };
        assert_eq!(
            gate.look(Instant::now(), std::slice::from_ref(&vacuum)),
            Step::Go(MS * 1500)
        );
        let mut short = Gate::new(MS * 900, Duration::from_secs(1));
        assert_eq!(short.look(Instant::now(), &[vacuum]), Step::Wait);
    }

    #[test]
    fn what_nobody_watched_is_no_life() {
        let mut gate = gate();
        let start = Instant::now();
        let look = |gate: &mut Gate, ms: u32, name: &str, age: Option<u32>| {
            gate.look(start + MS * ms, &[session(name, age)])
        };
        assert_eq!(look(&mut gate, 0, "one", Some(1)), Step::Wait);
        // its statement ran for a minute: whoever is here now may have come at any time since
        assert_eq!(look(&mut gate, 60_000, "two", None), Step::Wait);
        assert_eq!(gate.lives, [], "nobody saw the first one end");
        assert_eq!(look(&mut gate, 60_020, "three", Some(5)), Step::Wait);
        assert_eq!(gate.lives, [], "nobody knows when the second one came");
        assert!(gate.began > Some(start + MS * 59_000), "{:?}", gate.began);
        look(&mut gate, 60_040, "four", Some(5));
        assert_eq!(gate.lives.len(), 1);
        gate.failed();
        gate.elsewhere();
        assert_eq!((gate.lives.len(), gate.failed), (0, 1));
    }

    #[test]
    fn behind_another_that_queues_it_waits() {
        let mut gate = gate();
        let other = InTheWay {
            transaction: "4/1".to_owned(),
            age: Some(MS),
            what: What::Queued,
        };
        assert_eq!(gate.look(Instant::now(), &[other]), Step::Wait);
    }
}
