//! One database takes the place of another of the same name.
//!
//! The old one is renamed, then the new one, and only then is the old one dropped; where a step fails the steps before it
//! are undone, so that the name always stands for a whole database.
//!
//! Absent: asking. Its name was typed.

use pgdriver::databases::{self, Door};
use pgdriver::{QueryError, Session};

use super::super::error::RestoreFailure;
use super::super::request::OldSessions;
use super::beside;

/// Refuses where anybody is connected.
pub(super) async fn nobody(session: &Session, name: &str) -> Result<(), RestoreFailure> {
    let connected = databases::connected(session, name).await?;
    let count: u64 = connected.iter().map(|one| one.sessions).sum();
    if count == 0 {
        return Ok(());
    }
    let who: String = connected
        .iter()
        .map(|one| {
            let program = match one.application.as_str() {
                "" => "no name",
                application => application,
            };
            format!("\n  {} × {} ({program})", one.sessions, one.user)
        })
        .collect();
    let sessions = if count == 1 {
        "session is"
    } else {
        "sessions are"
    };
    Err(RestoreFailure::Target {
        class: "restore-target-in-use",
        reason: format!("{count} {sessions} on database \"{name}\":{who}"),
        hint: Some("stop what uses it".to_owned()),
    })
}

/// The new one gets the old one's name, and the old one is dropped.
pub(super) async fn swap(
    session: &Session,
    new: &str,
    name: &str,
    sessions: OldSessions,
) -> Result<(), RestoreFailure> {
    let (_, stamp) = databases::owner_and_stamp(session, name).await?;
    let aside = beside(name, &format!("_replaced_{stamp}"));
    databases::set_door(session, name, Door::Closed).await?;
    let moved = move_in(session, new, name, &aside, sessions).await;
    if let Err(failure) = moved {
        // whichever name the old one has now
        let _ = databases::set_door(session, name, Door::Open).await;
        return Err(failure);
    }
    // with a subscription it cannot be dropped, and it is nobody's business here to break one off
    databases::drop_database(session, &aside).await.map_err(|error| RestoreFailure::Target {
        class: "restore-old-not-dropped",
        reason: format!(
            "\"{name}\" is the restored database, but the one before it could not be dropped: it is \"{aside}\" now ({})",
            error.message()
        ),
        hint: Some(format!("drop \"{aside}\" when nothing holds it any more")),
    })
}

async fn move_in(
    session: &Session,
    new: &str,
    name: &str,
    aside: &str,
    sessions: OldSessions,
) -> Result<(), RestoreFailure> {
    match sessions {
        OldSessions::Refuse => nobody(session, name).await?,
        OldSessions::Terminate => databases::end_sessions(session, name).await?,
    }
    databases::rename(session, name, aside).await?;
    let renamed: Result<(), QueryError> = databases::rename(session, new, name).await;
    if let Err(error) = renamed {
        databases::rename(session, aside, name).await?;
        return Err(error.into());
    }
    Ok(())
}
