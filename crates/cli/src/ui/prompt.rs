//! Questions on a terminal. Without one nothing is asked: the caller names the flag that answers.

use std::io::{BufRead, IsTerminal, stdin};

use crate::exit::Class;
use crate::failure::Failure;
use crate::signal::Signals;
use crate::ui::out;
use crate::ui::style::{Look, paint};

/// Whether somebody sits there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interaction {
    Terminal,
    None,
}

impl Interaction {
    pub(crate) fn here() -> Self {
        if stdin().is_terminal() && std::io::stderr().is_terminal() {
            Self::Terminal
        } else {
            Self::None
        }
    }
}

/// Reads one line. The end of input is an answer too: none was given.
pub(crate) async fn line(question: &str, signals: &Signals) -> Result<String, Failure> {
    out::talk_on(format!("{} ", paint(Look::Heading, question)));
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        stdin()
            .lock()
            .read_line(&mut answer)
            .map(|n| (n > 0).then_some(answer))
    });
    let answer = signals
        .or_stop(async { Ok(read.await) })
        .await
        .inspect_err(|_| out::talk(""))?;
    match answer {
        Ok(Ok(Some(answer))) => Ok(answer.trim_end_matches(['\n', '\r']).to_owned()),
        _ => {
            out::talk("");
            Err(Failure::new(
                Class::Declined,
                "the question was not answered: the input ended",
            ))
        }
    }
}
