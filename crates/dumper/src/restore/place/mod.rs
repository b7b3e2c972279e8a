//! The database that a dump goes into: made or found, and in the end given its name.
//!
//! A new one is made under a name of passage, so that nobody takes half a database for a whole one; and one that
//! replaces another takes its place only when it is whole.
//!
//! Absent: loading.

mod after;
mod make;
mod needs;
mod room;
mod swap;

use std::time::{Duration, Instant};

use pgdriver::{ConnectOptions, QueryError, Session, databases, dumped, renaming, tables};

pub(super) use after::{analyze, compare, settings};
pub(crate) use room::connect_soon;

use super::error::{Left, RestoreFailure};
use super::load::Stays;
use super::request::{Mode, RestoreRequest, Target, Unfinished};
use crate::manifest::DatabaseProperties;
use crate::needs::Needs;
use crate::swap::{described, quoted};

/// How long sessions that have said goodbye may take to go.
const GOING: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(50);
/// The longest name that PostgreSQL does not cut.
const NAME: usize = 63;

/// A database that is ready to be filled.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    request: &'a RestoreRequest,
    /// On another database.
    session: Session,
    /// What is being filled.
    name: String,
    /// What the user should know before it is.
    notes: Vec<String>,
}

/// Looks at everything that can be known before, then makes the database.
pub(super) async fn prepare<'a>(
    request: &'a RestoreRequest,
    needs: &Needs,
    properties: Option<&DatabaseProperties>,
) -> Result<Prepared<'a>, RestoreFailure> {
    let session = maintenance(request).await?;
    let exists = tables::database_exists(&session, &request.into).await?;
    let mut notes = Vec::new();
    match &request.target {
        Target::New if exists => return Err(taken(&session, request).await),
        Target::ExistingEmpty | Target::Replace(_) if !exists => return Err(absent(request)),
        Target::ExistingEmpty => {
            is_empty(request).await?;
            notes.extend(others(&session, &request.into).await?);
        }
        Target::Replace(_) => swap::allowed(&session, request).await?,
        Target::New => {}
    }
    notes.extend(left_over(&session, request).await?);
    needs::met(&session, request, needs).await?;
    let name = match request.target {
        Target::ExistingEmpty => request.into.clone(),
        Target::New => make::make(&session, request, properties).await?,
        Target::Replace(_) => {
            let before;
            let properties = match properties {
                Some(_) => properties,
                // of a dump that does not say what it was in, the database before does
                None => {
                    before = dumped::database_named(&session, &request.into)
                        .await?
                        .into();
                    Some(&before)
                }
            };
            make::make(&session, request, properties).await?
        }
    };
    Ok(Prepared {
        request,
        session,
        name,
        notes,
    })
}

/// Whoever is on a database that is about to be filled sees it half done. Sessions that looked whether it is empty, and
/// have said goodbye, are not meant.
async fn others(session: &Session, name: &str) -> Result<Option<String>, QueryError> {
    let begun = Instant::now();
    let mut clients = renaming::clients(session, name).await?;
    while !clients.is_empty() && begun.elapsed() < GOING {
        tokio::time::sleep(AGAIN).await;
        clients = renaming::clients(session, name).await?;
    }
    let said = || {
        format!(
            "others are on database \"{name}\" while it is filled: {}",
            described(&clients)
        )
    };
    Ok((!clients.is_empty()).then(said))
}

/// What an earlier restore left: nobody else knows what it is.
async fn left_over(
    session: &Session,
    request: &RestoreRequest,
) -> Result<Option<String>, QueryError> {
    let begins = beside(&request.into, make::UNFINISHED);
    let unfinished = databases::standing(session, &request.into, &begins)
        .await?
        .unfinished;
    let said = || {
        let drops: Vec<String> = unfinished
            .iter()
            .map(|name| format!("DROP DATABASE {};", quoted(name)))
            .collect();
        format!(
            "an earlier restore did not finish, or one is under way; where it is not: {}",
            drops.join(" ")
        )
    };
    Ok((!unfinished.is_empty()).then(said))
}

/// A session on a database that stays what it is.
async fn maintenance(request: &RestoreRequest) -> Result<Session, RestoreFailure> {
    let options = &request.connection;
    let itself = options.database() == request.into && request.target != Target::ExistingEmpty;
    let options = match itself {
        true => options.clone().with_database("postgres"),
        false => options.clone(),
    };
    let session = pgdriver::connect(&options).await?;
    if session.behind_pooler() {
        let target = session.target().to_owned();
        return Err(RestoreFailure::Pooler { target });
    }
    // it waits for the whole load, and copies or drops a whole database
    pgdriver::loading::without_limits(&session).await?;
    Ok(session)
}

async fn taken(session: &Session, request: &RestoreRequest) -> RestoreFailure {
    let name = &request.into;
    // what can be seen from outside; it may also be nothing
    let size = tables::database_bytes(session, name).await.ok().flatten();
    let size = size.map_or_else(String::new, |bytes| {
        format!(", {} MB", bytes.div_ceil(1 << 20))
    });
    let clients = renaming::clients(session, name).await.unwrap_or_default();
    let used = match clients.is_empty() {
        true => String::new(),
        false => format!(", in use by {}", described(&clients)),
    };
    RestoreFailure::Target {
        class: "restore-target-exists",
        reason: format!("there is a database \"{name}\" already{size}{used}"),
        hint: Some("restore into another name, and compare or swap the two".to_owned()),
    }
}

fn absent(request: &RestoreRequest) -> RestoreFailure {
    RestoreFailure::Target {
        class: "restore-target-missing",
        reason: format!("there is no database \"{}\"", request.into),
        hint: Some("restore into a new database of that name".to_owned()),
    }
}

async fn is_empty(request: &RestoreRequest) -> Result<(), RestoreFailure> {
    let options = request.connection.clone().with_database(&request.into);
    let session = pgdriver::connect(&options).await?;
    let objects = databases::objects(&session).await?;
    session.close().await;
    if objects.count == 0 {
        return Ok(());
    }
    Err(RestoreFailure::Target {
        class: "restore-target-not-empty",
        reason: format!(
            "database \"{}\" is not empty: it holds {} objects ({}{})",
            request.into,
            objects.count,
            objects.first,
            if objects.count > 3 { ", …" } else { "" }
        ),
        hint: Some("restore into a new database; --clean replaces this one".to_owned()),
    })
}

/// The name with something behind it, cut where it would be too long.
pub(crate) fn beside(name: &str, suffix: &str) -> String {
    let mut end = name.len().min(NAME - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
}

impl<'a> Prepared<'a> {
    pub(super) fn request(&self) -> &'a RestoreRequest {
        self.request
    }

    /// For the sessions that fill it.
    pub(super) fn options(&self) -> ConnectOptions {
        self.request.connection.clone().with_database(&self.name)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// To be said before the load.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Sessions that may work at once.
    pub(super) fn sessions(&self) -> usize {
        match self.request.mode {
            Mode::SingleTransaction => 1,
            Mode::Sessions(count) => count.get().into(),
        }
    }

    /// The session has had nothing to do during the whole load, and whatever stands between may have cut it off.
    pub(super) async fn refresh(&mut self) -> Result<(), RestoreFailure> {
        let fresh = maintenance(self.request).await?;
        std::mem::replace(&mut self.session, fresh).close().await;
        Ok(())
    }

    /// It takes its name. What else is to be known.
    pub(super) async fn finish(&mut self) -> Result<Vec<String>, RestoreFailure> {
        let Self { request, name, .. } = &*self;
        let notes = match &request.target {
            Target::ExistingEmpty => Vec::new(),
            Target::New => {
                self.rename().await?;
                Vec::new()
            }
            Target::Replace(typed) => swap::swap(&self.session, request, typed, name).await?,
        };
        self.name.clone_from(&request.into);
        Ok(notes)
    }

    async fn rename(&self) -> Result<(), RestoreFailure> {
        let Self {
            request,
            session,
            name,
            ..
        } = self;
        let Err(error) = databases::rename(session, name, &request.into).await else {
            return Ok(());
        };
        if session.is_closed() && self.is_renamed().await.unwrap_or(false) {
            return Ok(()); // the answer was lost, and nothing else
        }
        Err(error.into())
    }

    async fn is_renamed(&self) -> Result<bool, RestoreFailure> {
        let session = maintenance(self.request).await?;
        let has_old_name = tables::database_exists(&session, &self.name).await?;
        let has_name = tables::database_exists(&session, &self.request.into).await?;
        session.close().await;
        Ok(has_name && !has_old_name)
    }

    /// What becomes of a database that is not whole.
    pub(super) async fn abandon(self, stays: Stays) -> Left {
        let database = self.name.clone();
        let left = match stays {
            Stays::Nothing if self.request.target == Target::ExistingEmpty => Left::Nothing,
            Stays::Unknown => Left::Unknown { database },
            Stays::Part(holds) => Left::Part { database, holds },
            Stays::Nothing => Left::Part {
                database,
                holds: "it is empty".to_owned(),
            },
        };
        let new = self.request.target != Target::ExistingEmpty;
        if !new || self.request.unfinished == Unfinished::Keep {
            return left;
        }
        match self.remove().await {
            Ok(()) => Left::Nothing,
            Err(failure) => Left::Part {
                database: self.name,
                holds: format!("it could not be dropped: {failure}"),
            },
        }
    }

    async fn remove(&self) -> Result<(), RestoreFailure> {
        // the connection may be what broke
        match maintenance(self.request).await {
            Err(_) if !self.session.is_closed() => drop_whole(&self.session, &self.options()).await,
            Err(failure) => Err(failure),
            Ok(session) => {
                let dropped = drop_whole(&session, &self.options()).await;
                session.close().await;
                dropped
            }
        }
    }
}

/// Drops a database of ours, with the subscriptions that a dump has made in it.
pub(crate) async fn drop_whole(
    session: &Session,
    database: &ConnectOptions,
) -> Result<(), RestoreFailure> {
    let name = database.database();
    if databases::drop_database(session, name).await.is_ok() {
        return Ok(());
    }
    let inside = pgdriver::connect(database).await?;
    databases::drop_subscriptions(&inside).await?;
    inside.close().await;
    Ok(databases::drop_database(session, name).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_passage_is_never_too_long() {
        assert_eq!(beside("shop", "_x"), "shop_x");
        let long = "ä".repeat(31) + "b"; // 63 bytes
        let name = beside(&long, "_restoring_20261123_083000");
        assert_eq!(name.len(), 62);
        assert!(name.ends_with("ä_restoring_20261123_083000"));
    }
}
