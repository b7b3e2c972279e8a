//! The dump, piece by piece, read and decoded on a thread of its own ahead of the sessions.
//!
//! The queue between is bounded by bytes, so memory is, whatever the pieces are; and each side ends when the other is
//! gone.
//!
//! Absent: what the pieces mean.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::Notify;

use super::super::error::RestoreFailure;
use crate::scan::Piece;

/// Read ahead at the most, but for one piece more.
const AHEAD: usize = 4 * 1024 * 1024;

/// What comes out of the thread.
#[derive(Debug)]
pub(super) enum Fed {
    Piece(Piece),
    /// The dump is whole, and this was all of it.
    End,
    /// It cannot be read on.
    Failed(RestoreFailure),
}

/// The end of the queue that is read. Dropping it ends the thread soon.
#[derive(Debug)]
pub(super) struct Feed(Arc<Queue>);

/// The end that is written. Dropping it without [`Filler::end`] is a failure.
#[derive(Debug)]
pub(super) struct Filler(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    room: Condvar,
    ready: Notify,
}

#[derive(Debug, Default)]
struct State {
    fed: VecDeque<(Fed, usize)>,
    bytes: usize,
    /// The reading end is gone.
    left: bool,
    ended: bool,
}

impl Feed {
    /// Runs `read` on a thread; it hands pieces to the filler until one is not wanted any more, or to their end.
    pub(super) fn start(
        read: impl FnOnce(&Filler) -> Result<(), RestoreFailure> + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let filler = Filler(Arc::clone(&queue));
        thread::Builder::new()
            .name("restore-read".into())
            .spawn(move || {
                let read = read(&filler);
                filler.end(read);
            })?;
        Ok(Self(queue))
    }

    /// The next; to be asked again after it was dropped. Behind the end there is nothing.
    pub(super) async fn next(&self) -> Fed {
        loop {
            if let Some(fed) = self.0.pop() {
                return fed;
            }
            self.0.ready.notified().await;
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.lock().left = true;
        self.0.room.notify_all();
    }
}

impl Filler {
    /// Waits for room. `false`: nobody wants more.
    pub(super) fn give(&self, piece: Piece) -> bool {
        let bytes = weight(&piece);
        let mut state = self.0.lock();
        while state.bytes >= AHEAD && !state.left {
            let waited = self.0.room.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if state.left {
            return false;
        }
        state.bytes += bytes;
        state.fed.push_back((Fed::Piece(piece), bytes));
        drop(state);
        self.0.ready.notify_one();
        true
    }

    /// Whether anybody wants more.
    pub(super) fn is_wanted(&self) -> bool {
        !self.0.lock().left
    }

    fn end(&self, read: Result<(), RestoreFailure>) {
        self.0.end(match read {
            Ok(()) => Fed::End,
            Err(failure) => Fed::Failed(failure),
        });
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let reason = "the reading thread panicked".to_owned();
        self.0
            .end(Fed::Failed(RestoreFailure::Dump { line: 0, reason }));
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pop(&self) -> Option<Fed> {
        let mut state = self.lock();
        let (fed, bytes) = state.fed.pop_front()?;
        state.bytes -= bytes;
        drop(state);
        self.room.notify_one();
        Some(fed)
    }

    fn end(&self, how: Fed) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.ended, true) {
            state.fed.push_back((how, 0));
        }
        drop(state);
        self.ready.notify_one();
    }
}

fn weight(piece: &Piece) -> usize {
    const FEW: usize = 64;
    FEW + match piece {
        Piece::Statement(statement) => statement.text.len(),
        Piece::Copy(copy) => copy.statement.len(),
        Piece::Rows(rows) => rows.bytes.len(),
        Piece::CopyEnd { .. } | Piece::Meta(_) | Piece::Entry(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Statement;

    fn statement(line: u64, length: usize) -> Piece {
        Piece::Statement(Statement {
            line,
            text: vec![b'x'; length],
        })
    }

    #[tokio::test]
    async fn pieces_come_in_order_and_then_the_end() {
        let feed = Feed::start(|filler| {
            for line in 0..5000 {
                filler.give(statement(line, 3));
            }
            Ok(())
        })
        .unwrap();
        for line in 0..5000 {
            assert!(matches!(feed.next().await, Fed::Piece(piece) if piece == statement(line, 3)));
        }
        assert!(matches!(feed.next().await, Fed::End));
    }

    #[tokio::test]
    async fn the_thread_waits_while_too_much_is_ahead_and_goes_when_nobody_reads() {
        let (tell, told) = std::sync::mpsc::channel();
        let feed = Feed::start(move |filler| {
            let mut given = 0;
            while filler.give(statement(1, 1024 * 1024)) {
                given += 1;
            }
            tell.send(given).unwrap();
            Ok(())
        })
        .unwrap();
        for _ in 0..7 {
            feed.next().await;
        }
        drop(feed);
        assert!((7..=12).contains(&told.recv().unwrap()));
    }

    #[tokio::test]
    async fn a_thread_that_dies_is_a_failure() {
        let feed = Feed::start(|_| panic!("on purpose")).unwrap();
        assert!(matches!(feed.next().await, Fed::Failed(_)));
        let refused = |_: &Filler| Err(RestoreFailure::Usage("x"));
        let feed = Feed::start(refused).unwrap();
        assert!(matches!(
            feed.next().await,
            Fed::Failed(RestoreFailure::Usage("x"))
        ));
    }
}
