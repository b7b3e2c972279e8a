//! SIGINT and SIGTERM, the only handlers of this program.
//!
//! Absent here: what a step does about them.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Class;
use crate::failure::Failure;

/// What was asked of us so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Asked {
    /// How often Ctrl-C.
    pub(crate) interrupts: u32,
    pub(crate) terminated: bool,
}

impl Asked {
    pub(crate) fn anything(self) -> bool {
        self.interrupts > 0 || self.terminated
    }

    /// Why the run ends, once it does.
    pub(crate) fn failure(self) -> Failure {
        let failure = if self.terminated {
            Failure::new(Class::Terminated, "terminated (SIGTERM)")
        } else {
            Failure::new(Class::Interrupted, "interrupted (Ctrl-C)")
        };
        failure.hint("run it again when you are ready: it starts from what is true then")
    }
}

/// Hears signals; clones hear the same.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    asked: watch::Receiver<Asked>,
}

impl Signals {
    /// Installs the handlers. SIGINT is heard even where a shell started us with it ignored (`cmd &`).
    pub(crate) fn install() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, asked) = watch::channel(Asked::default());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(()) = interrupt.recv() => sender.send_modify(|asked| asked.interrupts += 1),
                    Some(()) = terminate.recv() => sender.send_modify(|asked| asked.terminated = true),
                    else => return,
                }
            }
        });
        Ok(Self { asked })
    }

    pub(crate) fn asked(&self) -> Asked {
        *self.asked.borrow()
    }

    /// Waits until more is asked than `heard`.
    pub(crate) async fn more_than(&self, heard: Asked) -> Asked {
        let mut receiver = self.asked.clone();
        match receiver.wait_for(|asked| *asked != heard).await {
            Ok(asked) => *asked,
            // the sender lives as long as the runtime
            Err(_) => std::future::pending().await,
        }
    }

    /// `work`, unless a signal comes first. For work that may be dropped at any point.
    pub(crate) async fn or_stop<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            asked = self.more_than(Asked::default()) => Err(asked.failure()),
            result = work => result,
        }
    }
}
