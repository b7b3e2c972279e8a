//! The database that a dump goes into: made or found, and in the end given its name.
//!
//! A new one is made under a name of passage, so that nobody takes half a database for a whole one; and one that
//! replaces another takes its place only when it is whole.
//!
//! Absent: loading.

mod after;
mod swap;

use pgdriver::databases::{self, NewDatabase};
use pgdriver::{ConnectOptions, Session, tables};

pub(super) use after::{analyze, compare, settings};

use super::error::{Left, RestoreFailure};
use super::load::Stays;
use super::request::{OldSessions, Owners, Privileges, RestoreRequest, Target, Unfinished};
use crate::manifest::DatabaseProperties;
use crate::needs::Needs;

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
}

/// Looks at everything that can be known before, then makes the database.
pub(super) async fn prepare<'a>(
    request: &'a RestoreRequest,
    needs: &Needs,
    properties: Option<&DatabaseProperties>,
) -> Result<Prepared<'a>, RestoreFailure> {
    let session = maintenance(request).await?;
    let exists = tables::database_exists(&session, &request.into).await?;
    has_all(&session, request, needs).await?;
    let name = match &request.target {
        Target::New if exists => return Err(taken(request)),
        Target::ExistingEmpty | Target::Replace(_) if !exists => return Err(absent(request)),
        Target::ExistingEmpty => {
            is_empty(request).await?;
            request.into.clone()
        }
        Target::Replace(_) if request.sessions == OldSessions::Refuse => {
            swap::nobody(&session, &request.into).await?;
            make(&session, request, properties).await?
        }
        Target::New | Target::Replace(_) => make(&session, request, properties).await?,
    };
    Ok(Prepared {
        request,
        session,
        name,
    })
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

async fn has_all(
    session: &Session,
    request: &RestoreRequest,
    needs: &Needs,
) -> Result<(), RestoreFailure> {
    let mut roles: Vec<&str> = needs.others.iter().map(String::as_str).collect();
    if request.owners == Owners::Keep {
        roles.extend(needs.owners.iter().map(String::as_str));
    }
    if request.privileges == Privileges::Keep {
        roles.extend(needs.grantees.iter().map(String::as_str));
    }
    roles.sort_unstable();
    roles.dedup();
    let extensions: Vec<&str> = needs.extensions.iter().map(String::as_str).collect();
    let tablespaces: Vec<&str> = needs.tablespaces.iter().map(String::as_str).collect();
    let missing = databases::missing(session, &roles, &extensions, &tablespaces).await?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(RestoreFailure::Missing { missing }),
    }
}

fn taken(request: &RestoreRequest) -> RestoreFailure {
    RestoreFailure::Target {
        class: "restore-target-exists",
        reason: format!("there is a database \"{}\" already", request.into),
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

/// Makes a database under a name of passage.
async fn make(
    session: &Session,
    request: &RestoreRequest,
    properties: Option<&DatabaseProperties>,
) -> Result<String, RestoreFailure> {
    let (owner, stamp) = databases::owner_and_stamp(session, &request.into).await?;
    let version = session.server_version().unwrap_or_default();
    let major: u32 = version
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    let new = NewDatabase {
        owner: owner.as_deref(),
        ..properties.map_or_else(NewDatabase::default, |like| NewDatabase {
            encoding: Some(&like.encoding),
            collate: Some(&like.collate),
            ctype: Some(&like.ctype),
            provider: Some(like.provider.as_str()).filter(|it| *it != "libc" || major >= 15),
            locale: like.locale.as_deref(),
            icu_rules: like.icu_rules.as_deref(),
            ..NewDatabase::default()
        })
    };
    let mut suffix = format!("_restoring_{stamp}");
    for number in 2.. {
        let name = beside(&request.into, &suffix);
        let new = NewDatabase { name: &name, ..new };
        match databases::create(session, &new).await {
            Ok(()) => return Ok(name),
            // another of this second, or what it left
            Err(error) if error.sqlstate() == Some("42P04") && number < 100 => {
                suffix = format!("_restoring_{stamp}_{number}");
            }
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the loop returns")
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

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// It takes its name.
    pub(super) async fn finish(&mut self) -> Result<(), RestoreFailure> {
        let Self { request, name, .. } = &*self;
        match request.target {
            Target::ExistingEmpty => return Ok(()),
            Target::New => databases::rename(&self.session, name, &request.into).await?,
            Target::Replace(_) => {
                swap::swap(&self.session, name, &request.into, request.sessions).await?;
            }
        }
        self.name.clone_from(&request.into);
        Ok(())
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
        let again;
        let session = match self.session.is_closed() {
            true => {
                again = maintenance(self.request).await?;
                &again
            }
            false => &self.session,
        };
        if databases::drop_database(session, &self.name).await.is_ok() {
            return Ok(());
        }
        let inside = pgdriver::connect(&self.options()).await?;
        databases::drop_subscriptions(&inside).await?;
        inside.close().await;
        Ok(databases::drop_database(session, &self.name).await?)
    }
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
