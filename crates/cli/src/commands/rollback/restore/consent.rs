//! The name of the live database has to be typed, or given by `--confirm-database`, before it goes to another.
//!
//! Absent here: asking for anything else.

use dumper::TypedName;
use dumper::swap::described;
use pgdriver::renaming::Clients;

use crate::commands::run::Run;
use crate::event::EventKind;
use crate::exit::Class;
use crate::failure::Failure;
use crate::rollback::Compared;
use crate::settings::RestoreLeg;
use crate::ui::out;
use crate::ui::prompt::{self, Interaction};

/// What would happen.
pub(super) struct Swap<'a> {
    pub(super) live: &'a str,
    pub(super) restored: &'a str,
    pub(super) kept_as: &'a str,
    pub(super) clients: &'a [Clients],
    pub(super) compared: &'a Compared,
}

pub(super) async fn typed(
    swap: &Swap<'_>,
    leg: &RestoreLeg,
    run: &Run<'_>,
) -> Result<TypedName, Failure> {
    in_use(swap, leg)?;
    let by;
    let typed = match (&leg.confirm_database, run.context.interaction) {
        (Some(given), _) => {
            by = "--confirm-database";
            swap.lines().iter().for_each(out::talk);
            given.clone()
        }
        (None, Interaction::None) => {
            return Err(Failure::new(
                Class::NotConfirmed,
                format!(
                    "that \"{}\" takes the place of \"{}\" was not confirmed, and there is no terminal to ask on: {}",
                    swap.restored,
                    swap.live,
                    swap.compared.loss()
                ),
            )
            .hint(format!(
                "--confirm-database {} confirms it; --restored {} takes the database that is restored already",
                crate::shell::quoted(swap.live),
                crate::shell::quoted(swap.restored)
            )));
        }
        (None, Interaction::Terminal) => {
            by = "typed";
            swap.lines().iter().for_each(out::talk);
            let question = format!(
                "Type the name of the live database, {}, to go on:",
                swap.live
            );
            prompt::line(&question, &run.context.signals).await?
        }
    };
    let name = TypedName::new(&typed, swap.live).ok_or_else(|| {
        let typed: String = typed.chars().take(40).collect();
        Failure::new(
            Class::Declined,
            format!(
                "\"{typed}\" is not exactly \"{}\", the name of the live database",
                swap.live
            ),
        )
        .hint(format!(
            "\"{}\" keeps its name; \"{}\" stands beside it",
            swap.live, swap.restored
        ))
    })?;
    run.reporter.emit(EventKind::Answered {
        question: format!("{} takes the place of {}", swap.restored, swap.live),
        answer: typed,
        by: by.to_owned(),
    });
    Ok(name)
}

/// A database that somebody works on does not change by the way.
fn in_use(swap: &Swap<'_>, leg: &RestoreLeg) -> Result<(), Failure> {
    if swap.clients.is_empty() || leg.terminate_sessions {
        return Ok(());
    }
    Err(Failure::new(
        Class::RestoreTargetInUse,
        format!("database \"{}\" is in use: {}", swap.live, described(swap.clients)),
    )
    .hint(format!(
        "stop the application first; --terminate-sessions ends what is left. \"{}\" is restored and stands beside it: \
         --restored takes it",
        swap.restored
    )))
}

impl Swap<'_> {
    fn lines(&self) -> Vec<String> {
        let Self {
            live,
            restored,
            kept_as,
            ..
        } = self;
        let sessions = match self.clients {
            [] => format!("nobody is on \"{live}\" now"),
            some => format!("ended for it: {}", described(some)),
        };
        vec![
            format!(
                "\"{restored}\" takes the name \"{live}\"; the old one is kept, whole, as \"{kept_as}\""
            ),
            format!("  {sessions}"),
            format!("  {}", self.compared.loss()),
        ]
    }
}
