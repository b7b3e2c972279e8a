//! `restore FILE --into DB`: what the file is, whether it may go there, then the restore, then what came of it.
//!
//! `place` finds the server, `consent` asks for the name of a database that is to be replaced, `answer` says what came of
//! it. Absent here: the loading, which is `dumper`'s.

mod answer;
mod consent;
mod place;

use std::path::Path;

use dumper::{
    Analyze, Manifest, Mode, OldSessions, OnError, Owners, Privileges, RestoreRequest, Target,
    Unfinished,
};

pub(crate) use self::place::Place;
use super::{Context, steps};
use crate::args::{LoadingArgs, ReplacingArgs, RestoreArgs};
use crate::exit::Class;
use crate::failure::Failure;
use crate::reporter::{Listener, Reporter};
use crate::restore::{self, Standing, Stands};
use crate::settings::{self, Layers};
use crate::ui::{Terminal, Volume, out};

/// Databases that a server needs for itself.
const RESERVED: [&str; 3] = ["template0", "template1", "postgres"];
/// NAMEDATALEN - 1: PostgreSQL cuts what is longer.
const LONGEST_NAME: usize = 63;

pub(crate) async fn restore(
    args: RestoreArgs,
    mut layers: Layers,
    context: &Context,
) -> Result<u8, Failure> {
    let RestoreArgs {
        file,
        into,
        replacing,
        loading,
        pg_restore,
        django,
        format,
    } = args;
    name_can_be(&into)?;
    let asked = Asked::of(
        loading,
        settings::pg_restore(pg_restore, &mut layers)?,
        &mut layers,
    )?;
    let manifest = manifest(&file)?;
    if context.volume > Volume::Quiet {
        for line in answer::file(&file, manifest.as_ref()) {
            out::talk(line);
        }
    }
    let place = Place::find(django, &mut layers, context).await?;
    if context.volume > Volume::Quiet {
        out::talk(format!("  onto {}, by {}", place.server, place.way));
    }
    let standing = context
        .signals
        .or_stop(Standing::of(&place.login, &into))
        .await?;
    let by = manifest.as_ref();
    let target = target(&into, by, &standing, &place, &replacing, context).await?;
    let request = asked.request(&file, &into, target, &replacing, standing);
    let listener: Box<dyn Listener> = Box::new(Terminal::new(context.volume));
    let reporter = Reporter::new(vec![listener]);
    let restoring = restore::restore(&request, manifest.as_ref(), &reporter, &context.signals);
    let outcome = match Box::pin(restoring).await {
        Ok(outcome) => outcome,
        Err(broken) => return answer::broken(broken, &into, &place, format),
    };
    let history = steps::working(
        context,
        "reading django_migrations back",
        place.history(&outcome.restored.database),
    )
    .await;
    answer::tell(outcome, &place, &history, format)
}

/// Before anything is asked of a server.
fn name_can_be(into: &str) -> Result<(), Failure> {
    let refused = |why: String| {
        Failure::new(Class::Usage, format!("--into \"{into}\": {why}"))
            .hint("name a database that is to be made, or an empty one")
    };
    if into.trim().is_empty() {
        return Err(refused("no name".to_owned()));
    }
    if into.len() > LONGEST_NAME {
        return Err(refused(format!(
            "a name has {LONGEST_NAME} bytes at the most, and this one has {}",
            into.len()
        )));
    }
    if into.contains('\0') || into.contains('\n') {
        return Err(refused("a name is one line".to_owned()));
    }
    if RESERVED.contains(&into) {
        return Err(refused(
            "the server needs that database for itself".to_owned(),
        ));
    }
    Ok(())
}

/// What was asked for, but for the database.
struct Asked {
    mode: Mode,
    owners: Owners,
    privileges: Privileges,
    on_error: OnError,
    analyze: Analyze,
    unfinished: Unfinished,
    pg_restore: Option<std::path::PathBuf>,
}

impl Asked {
    fn of(
        args: LoadingArgs,
        pg_restore: Option<std::path::PathBuf>,
        layers: &mut Layers,
    ) -> Result<Self, Failure> {
        let LoadingArgs {
            jobs,
            single_transaction,
            no_owner,
            no_privileges,
            keep_going,
            no_analyze,
            keep_unfinished,
        } = args;
        let jobs = settings::jobs(jobs, layers)?;
        Ok(Self {
            mode: match single_transaction {
                true => Mode::SingleTransaction,
                false => Mode::Sessions(jobs),
            },
            owners: if no_owner { Owners::Skip } else { Owners::Keep },
            privileges: match no_privileges {
                true => Privileges::Skip,
                false => Privileges::Keep,
            },
            on_error: match keep_going {
                true => OnError::KeepGoing,
                false => OnError::Stop,
            },
            analyze: if no_analyze {
                Analyze::No
            } else {
                Analyze::Yes
            },
            unfinished: match keep_unfinished {
                true => Unfinished::Keep,
                false => Unfinished::Drop,
            },
            pg_restore,
        })
    }

    fn request(
        self,
        file: &Path,
        into: &str,
        target: Target,
        replacing: &ReplacingArgs,
        standing: Standing,
    ) -> RestoreRequest {
        RestoreRequest {
            archive: file.to_owned(),
            connection: standing.connection,
            into: into.to_owned(),
            target,
            sessions: match replacing.terminate_sessions {
                true => OldSessions::Terminate,
                false => OldSessions::Refuse,
            },
            mode: self.mode,
            owners: self.owners,
            privileges: self.privileges,
            on_error: self.on_error,
            analyze: self.analyze,
            unfinished: self.unfinished,
            pg_restore: self.pg_restore,
        }
    }
}

/// A file that is not there is no damaged backup.
fn manifest(file: &Path) -> Result<Option<Manifest>, Failure> {
    if let Err(e) = std::fs::metadata(file) {
        return Err(
            Failure::new(Class::Usage, format!("cannot read {}: {e}", file.display())).hint(
                "name a file that `django-migrate backup list` shows, or any dump of pg_dump's",
            ),
        );
    }
    Manifest::of(file).map_err(|e| {
        Failure::new(Class::BackupUnverified, e.to_string()).hint(format!(
            "{} says what the archive is; remove it, and the archive is taken for one without a manifest",
            Manifest::path_of(file).display()
        ))
    })
}

async fn target(
    into: &str,
    by: Option<&Manifest>,
    standing: &Standing,
    place: &Place,
    replacing: &ReplacingArgs,
    context: &Context,
) -> Result<Target, Failure> {
    match &standing.stands {
        Stands::Nothing => Ok(Target::New),
        // dumper refuses one that is not empty
        Stands::Database { .. } if !replacing.clean => Ok(Target::ExistingEmpty),
        Stands::Database { clients, bytes } => {
            let old = consent::Old {
                name: into,
                server: &place.server,
                clients,
                bytes: *bytes,
                but: by.and_then(|by| consent::but(by, into)),
            };
            consent::replace(&old, replacing, context)
                .await
                .map(Target::Replace)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_the_servers_own_is_no_target() {
        for name in ["", " ", "postgres", "template1", "a\nb", &"é".repeat(32)] {
            assert_eq!(name_can_be(name).unwrap_err().class, Class::Usage, "{name}");
        }
        assert!(name_can_be(&"é".repeat(31)).is_ok());
    }
}
