//! SIGINT, and what ends a program politely: SIGTERM, SIGQUIT, and SIGHUP when a terminal is lost. No other handlers.
//!
//! Absent here: what a step does about them.

use tokio::signal::unix::{Signal, SignalKind, signal};
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
            Failure::new(
                Class::Terminated,
                "terminated (SIGTERM, SIGQUIT, or SIGHUP of a lost terminal)",
            )
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
    /// Installs the handlers. SIGINT is heard even where a shell started us with it ignored (`cmd &`); SIGHUP is not
    /// where `nohup` did so.
    pub(crate) fn install() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut quit = signal(SignalKind::quit())?;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mut hang_up = if ignores_hang_up(&status) {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        let (sender, asked) = watch::channel(Asked::default());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(()) = interrupt.recv() => sender.send_modify(|asked| asked.interrupts += 1),
                    Some(()) = terminate.recv() => sender.send_modify(|asked| asked.terminated = true),
                    Some(()) = quit.recv() => sender.send_modify(|asked| asked.terminated = true),
                    Some(()) = heard(&mut hang_up) => sender.send_modify(|asked| asked.terminated = true),
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

/// Never, where it is not listened to.
async fn heard(signal: &mut Option<Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether SIGHUP is ignored, by Linux's own account of a process; elsewhere there is none.
fn ignores_hang_up(status: &str) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1) // the first bit is signal 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nohup_is_respected() {
        assert!(ignores_hang_up("Name:\tx\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hang_up("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hang_up(""));
    }
}
