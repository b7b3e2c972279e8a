//! What clients suffered: how late their answers were. Pure.
//!
//! Absent here: why they were late.

use std::time::{Duration, Instant};

/// A short answer takes no longer than this on a machine that has other things to do; what it takes beyond, the client
/// was kept waiting.
pub const USUAL: Duration = Duration::from_millis(50);

/// One answer that one client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Which client, from 0.
    pub client: usize,
    /// When it asked.
    pub sent: Instant,
    /// What the answer took beyond the statement's own time.
    pub late: Duration,
}

impl Answered {
    /// It was kept waiting.
    pub fn was_blocked(&self) -> bool {
        self.late > USUAL
    }

    /// When the answer came, where the statement itself takes no time.
    pub fn came(&self) -> Instant {
        self.sent + self.late
    }
}

/// All answers that some clients got.
#[derive(Debug, Clone)]
pub struct Suffered {
    clients: usize,
    answers: Vec<Answered>,
}

impl Suffered {
    pub(super) fn new(clients: usize, mut answers: Vec<Answered>) -> Self {
        answers.sort_by_key(|answered| answered.sent);
        Self { clients, answers }
    }

    /// In the order in which they asked.
    pub fn answers(&self) -> &[Answered] {
        &self.answers
    }

    /// The sum over all clients of the time for which they were kept waiting.
    pub fn blocked(&self) -> Duration {
        self.answers
            .iter()
            .map(|answered| answered.late.saturating_sub(USUAL))
            .sum()
    }

    /// The latest answer of all.
    pub fn worst(&self) -> Duration {
        let late = self.answers.iter().map(|answered| answered.late);
        late.max().unwrap_or_default()
    }

    /// When the first was kept waiting.
    pub fn first_blocked(&self) -> Option<Instant> {
        let first = self.answers.iter().find(|answered| answered.was_blocked());
        first.map(|answered| answered.sent)
    }

    /// Only what was asked before.
    #[must_use]
    pub fn before(&self, at: Instant) -> Self {
        self.only(|answered| answered.sent < at)
    }

    /// Only what was asked from then on.
    #[must_use]
    pub fn from(&self, at: Instant) -> Self {
        self.only(|answered| answered.sent >= at)
    }

    /// How many clients got no answer.
    pub fn unserved(&self) -> usize {
        let served = |client: &usize| self.answers.iter().any(|a| a.client == *client);
        (0..self.clients).filter(|client| !served(client)).count()
    }

    fn only(&self, which: impl Fn(&Answered) -> bool) -> Self {
        let answers = self.answers.iter().copied().filter(which);
        Self::new(self.clients, answers.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_goes_beyond_the_usual_is_suffered() {
        let start = Instant::now();
        let answered = |client, sent: u64, late: u64| Answered {
            client,
            sent: start + Duration::from_millis(sent),
            late: Duration::from_millis(late),
        };
        let answers = vec![
            answered(1, 100, 350),
            answered(0, 0, 50),
            answered(0, 200, 1050),
        ];
        let suffered = Suffered::new(3, answers);
        assert_eq!(suffered.blocked(), Duration::from_millis(1300));
        assert_eq!(suffered.worst(), Duration::from_millis(1050));
        assert_eq!(
            suffered.first_blocked(),
            Some(start + Duration::from_millis(100))
        );
        let later = suffered.from(start + Duration::from_millis(150));
        assert_eq!((later.answers().len(), later.unserved()), (1, 2));
        let earlier = suffered.before(start + Duration::from_millis(150));
        assert_eq!((earlier.worst().as_millis(), earlier.unserved()), (350, 1));
    }
}
