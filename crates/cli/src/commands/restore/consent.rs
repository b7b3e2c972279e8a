//! The name of a database that is to be replaced has to be typed, or given by `--confirm-database`.
//!
//! Absent here: asking for anything else.

use dumper::swap::described;
use dumper::{Manifest, TypedName};
use pgdriver::renaming::Clients;

use super::answer;
use crate::args::ReplacingArgs;
use crate::commands::Context;
use crate::exit::Class;
use crate::failure::Failure;
use crate::ui::prompt::{self, Interaction};
use crate::ui::style::{Look, paint};
use crate::ui::{bytes, out, wrapped};

/// What would be dropped.
pub(super) struct Old<'a> {
    pub(super) name: &'a str,
    pub(super) server: &'a str,
    pub(super) clients: &'a [Clients],
    pub(super) bytes: Option<u64>,
    /// Why what takes its place may not be what one thinks.
    pub(super) but: Option<String>,
}

/// A backup of another database, or of a part of one: the rest would be lost with the old one.
pub(super) fn but(backup: &Manifest, into: &str) -> Option<String> {
    let mut facts = Vec::new();
    if backup.database != into {
        facts.push(format!("is of database \"{}\"", backup.database));
    }
    if !backup.selection.is_everything() {
        facts.push(format!(
            "does not hold everything: {}",
            answer::part(backup)
        ));
    }
    (!facts.is_empty()).then(|| format!("The backup {}", facts.join(", and ")))
}

pub(super) async fn replace(
    old: &Old<'_>,
    replacing: &ReplacingArgs,
    context: &Context,
) -> Result<TypedName, Failure> {
    in_use(old, replacing)?;
    if let Some(but) = &old.but {
        out::talk(paint(Look::Warning, wrapped("", but))); // however quiet it is to be
    }
    if let Some(given) = &replacing.confirm_database {
        return TypedName::new(given, old.name).ok_or_else(|| {
            Failure::new(
                Class::Declined,
                format!(
                    "--confirm-database says \"{given}\", not exactly \"{}\"",
                    old.name
                ),
            )
            .hint("nothing was changed")
        });
    }
    if context.interaction == Interaction::None {
        return Err(Failure::new(
            Class::NotConfirmed,
            format!(
                "{}, and there is no terminal to ask on",
                what(old, replacing)
            ),
        )
        .hint(format!(
            "--confirm-database {} confirms it",
            crate::shell::quoted(old.name)
        )));
    }
    out::talk(wrapped("", &what(old, replacing)));
    let question = format!("Type the name of the database, {}, to go on:", old.name);
    let typed = prompt::line(&question, &context.signals).await?;
    TypedName::new(&typed, old.name).ok_or_else(|| {
        Failure::new(
            Class::Declined,
            format!("\"{}\" was not typed: nothing was changed", old.name),
        )
    })
}

/// A database that somebody works on is not replaced by the way.
fn in_use(old: &Old<'_>, replacing: &ReplacingArgs) -> Result<(), Failure> {
    if old.clients.is_empty() || replacing.terminate_sessions {
        return Ok(());
    }
    let message = format!(
        "database \"{}\" of {} is in use: {}",
        old.name,
        old.server,
        described(old.clients)
    );
    Err(Failure::new(Class::RestoreTargetInUse, message).hint(
        "stop the application first (`django-migrate locks` shows who it is); --terminate-sessions ends them at the \
         swap; or restore beside it, --into another name",
    ))
}

/// What is about to be lost.
fn what(old: &Old<'_>, replacing: &ReplacingArgs) -> String {
    let size = old
        .bytes
        .map(|n| format!(" ({})", bytes(n)))
        .unwrap_or_default();
    let sessions = match (old.clients, replacing.terminate_sessions) {
        ([], _) => ", which nobody uses now,".to_owned(),
        (clients, _) => format!(", with {} that will be ended,", described(clients)),
    };
    format!(
        "Database \"{}\" of {}{size}{sessions} is dropped once the restored one is complete and takes its place",
        old.name, old.server
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(clients: &[Clients]) -> Old<'_> {
        Old {
            name: "shop",
            server: "ann@db1:5432",
            clients,
            bytes: Some(12 << 30),
            but: None,
        }
    }

    fn gunicorn() -> Clients {
        Clients {
            role: "shop".into(),
            application: "gunicorn".into(),
            client: Some("10.0.0.7".into()),
            sessions: 3,
        }
    }

    #[test]
    fn sessions_are_told_before_they_are_ended() {
        let ends = ReplacingArgs {
            clean: true,
            terminate_sessions: true,
            ..ReplacingArgs::default()
        };
        assert_eq!(
            what(&old(&[gunicorn()]), &ends),
            "Database \"shop\" of ann@db1:5432 (12 GB), with 3 sessions of shop (gunicorn) from 10.0.0.7 that will be \
             ended, is dropped once the restored one is complete and takes its place"
        );
        assert!(in_use(&old(&[gunicorn()]), &ends).is_ok());
        assert!(in_use(&old(&[]), &ReplacingArgs::default()).is_ok());
        let refused = in_use(&old(&[gunicorn()]), &ReplacingArgs::default()).unwrap_err();
        assert_eq!(refused.class, Class::RestoreTargetInUse);
        assert!(
            refused.message.contains("is in use: 3 sessions of shop"),
            "{}",
            refused.message
        );
    }
}
