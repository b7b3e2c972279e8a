//! A restored database takes the place of another of the same name, which is dropped.
//!
//! The exchange itself is one transaction ([`crate::swap`]): whatever breaks, the name stands for a whole database. What
//! comes after it is no failure of the restore: the old database is then there still, under a name that says so.
//!
//! Absent: asking. Its name was typed.

use pgdriver::databases;
use pgdriver::{QueryError, Session};

use super::super::error::RestoreFailure;
use super::super::request::{OldSessions, RestoreRequest, TypedName};
use super::beside;
use super::make::UNFINISHED;
use crate::swap::{self, SwapError, SwapRequest, described, quoted};

/// Databases that a server has by itself.
const THE_SERVERS: [&str; 3] = ["postgres", "template0", "template1"];

/// What would make the exchange fail, found before anything is loaded.
pub(super) async fn allowed(
    session: &Session,
    request: &RestoreRequest,
) -> Result<(), RestoreFailure> {
    let name = &request.into;
    let standing = databases::standing(session, name, &beside(name, UNFINISHED)).await?;
    if standing.template || THE_SERVERS.contains(&name.as_str()) {
        return Err(refused(
            "restore-target-protected",
            format!("database \"{name}\" is one of the server's own and is not replaced"),
            "restore into a database of another name",
        ));
    }
    if !standing.mine {
        return Err(refused(
            "restore-target-not-owned",
            format!(
                "database \"{name}\" belongs to another role, and {} can neither rename nor drop it",
                request.connection.user()
            ),
            "restore as its owner or as a superuser; or into another name",
        ));
    }
    if request.sessions == OldSessions::Refuse {
        let clients = pgdriver::renaming::clients(session, name).await?;
        if !clients.is_empty() {
            let database = name.clone();
            return Err(of(SwapError::InUse { database, clients }));
        }
    }
    Ok(())
}

/// The new one gets the old one's name, owner, rights and settings, and the old one is dropped. What else is to be known.
pub(super) async fn swap(
    session: &Session,
    request: &RestoreRequest,
    name: &TypedName,
    new: &str,
) -> Result<Vec<String>, RestoreFailure> {
    let mut notes = settings(session, name.as_str(), new).await?;
    let (_, stamp) = databases::owner_and_stamp(session, name.as_str()).await?;
    let asked = SwapRequest {
        connection: request.connection.clone(),
        name: name.clone(),
        by: new.to_owned(),
        kept_as: beside(name.as_str(), &format!("_before_{stamp}")),
        sessions: request.sessions,
    };
    let swapped = swap::swap(&asked).await.map_err(of)?;
    if swapped.ended > 0 {
        let sessions = if swapped.ended == 1 {
            "session"
        } else {
            "sessions"
        };
        notes.push(format!(
            "{} {sessions} on the database before it were ended",
            swapped.ended
        ));
    }
    // with a subscription it cannot be dropped, and it is nobody's business here to break one off
    if let Err(error) = databases::drop_database(session, &swapped.kept_as).await {
        notes.push(format!(
            "the database before it could not be dropped, and is \"{}\" now: {}. When nothing holds it any more: DROP \
             DATABASE {}",
            swapped.kept_as,
            error.message(),
            quoted(&swapped.kept_as)
        ));
    }
    Ok(notes)
}

/// What sessions of the old database begin with, those of the new one do, too: among it may be what no manifest holds.
async fn settings(session: &Session, old: &str, new: &str) -> Result<Vec<String>, RestoreFailure> {
    let mut notes = Vec::new();
    for (role, setting, value) in databases::settings_of(session, old).await? {
        let set = (setting.as_str(), value.as_str());
        let done: Result<(), QueryError> =
            databases::set_for_database(session, new, role.as_deref(), set).await;
        if let Err(error) = done {
            notes.push(format!(
                "the setting {setting} of the database before it could not be carried over: {}",
                error.message()
            ));
        }
    }
    Ok(notes)
}

fn refused(class: &'static str, reason: String, hint: &str) -> RestoreFailure {
    RestoreFailure::Target {
        class,
        reason,
        hint: Some(hint.to_owned()),
    }
}

fn of(error: SwapError) -> RestoreFailure {
    let reason = error.to_string();
    match error {
        SwapError::Connect(error) => error.into(),
        SwapError::Query(error) => error.into(),
        SwapError::InUse { database, clients } => refused(
            "restore-target-in-use",
            format!("database \"{database}\" is in use: {}", described(&clients)),
            "stop what uses it; --terminate-sessions ends its sessions at the swap; or restore into another name",
        ),
        SwapError::Unknown(_) => refused(
            "restore-swap-unknown",
            reason,
            "list the databases: the one that was restored is named so until it has the name; ALTER DATABASE … RENAME TO … \
             ends what is not done",
        ),
        SwapError::Missing(_) | SwapError::Name { .. } => refused(
            "restore-swap-refused",
            reason,
            "somebody else renames databases here at the same time: run it again",
        ),
    }
}
