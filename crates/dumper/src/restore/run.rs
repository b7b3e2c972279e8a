//! A restore from its request to its end.
//!
//! Absent: how rows travel ([`super::load`]) and where to ([`super::place`]).

use std::time::Instant;

use super::error::{Left, RestoreError, RestoreFailure};
use super::load::{Broken, Load, Loaded, Stays, load};
use super::place::{self, Prepared};
use super::progress::RestoreProgress;
use super::request::{Analyze, Mode, OnError, RestoreRequest, Target};
use super::restored::Restored;
use super::stop::Stop;
use crate::compress::Digested;
use crate::manifest::Manifest;
use crate::needs::Needs;
use crate::swap::quoted;
use crate::verify::verify_until;

/// Brings an archive back. Up to the moment when the database takes its name, `stop` ends it; what is left then is in the
/// error.
pub async fn restore(
    request: &RestoreRequest,
    progress: impl FnMut(RestoreProgress),
    stop: impl Future<Output = ()>,
) -> Result<Restored, RestoreError> {
    restore_until(request, progress, &mut Stop::new(stop)).await
}

/// [`restore`] as one of several steps that a word ends.
pub(crate) async fn restore_until(
    request: &RestoreRequest,
    mut progress: impl FnMut(RestoreProgress),
    stop: &mut Stop<impl Future<Output = ()>>,
) -> Result<Restored, RestoreError> {
    let begun = Instant::now();
    if request.mode == Mode::SingleTransaction && request.on_error == OnError::KeepGoing {
        return Err(RestoreError::new(RestoreFailure::Usage(
            "a single transaction cannot keep going after an error: leave out one of the two",
        )));
    }
    if let Target::Replace(typed) = &request.target
        && typed.as_str() != request.into
    {
        return Err(RestoreError::new(RestoreFailure::Usage(
            "the name that was typed is another database's",
        )));
    }
    let known = known(request, &mut progress, stop).await?;
    let properties = known
        .manifest
        .as_ref()
        .and_then(|manifest| manifest.properties.as_ref());
    // never dropped half way: nobody would know of the database that it makes
    let prepared = place::prepare(request, &known.needs, properties).await?;
    for note in prepared.notes() {
        progress(RestoreProgress::Warning(note.clone()));
    }
    let database = prepared.name().to_owned();
    progress(RestoreProgress::Into { database });
    let into = prepared.options();
    let job = Load {
        archive: &request.archive,
        pg_restore: request.pg_restore.clone(),
        must_be: known.must_be(),
        into: &into,
        mode: request.mode,
        owners: request.owners,
        privileges: request.privileges,
        on_error: request.on_error,
    };
    let loaded = match load(&job, &mut progress, stop.future.as_mut()).await {
        Ok(loaded) => loaded,
        Err(Broken { failure, stays }) => {
            let left = prepared.abandon(stays).await;
            let failure = of_damage(request, &known, failure, stop).await;
            return Err(RestoreError::new(failure).leaving(left));
        }
    };
    end(
        prepared,
        known.manifest.as_ref(),
        loaded,
        &mut progress,
        stop,
        begun,
    )
    .await
}

/// What is known of an archive before anything is done with it.
struct Known {
    manifest: Option<Manifest>,
    needs: Needs,
}

impl Known {
    fn must_be(&self) -> Option<Digested> {
        self.manifest.as_ref().map(|manifest| Digested {
            bytes: manifest.bytes,
            sha256: manifest.sha256.clone(),
        })
    }
}

/// Our own archive's manifest says what it needs; any other is read once before. So is one that replaces a database: what
/// is to be destroyed must not be for a file that turns out to be cut.
async fn known(
    request: &RestoreRequest,
    progress: &mut impl FnMut(RestoreProgress),
    stop: &mut Stop<impl Future<Output = ()>>,
) -> Result<Known, RestoreFailure> {
    let manifest = Manifest::of(&request.archive)?;
    let needs = manifest
        .as_ref()
        .and_then(|manifest| manifest.needs.clone());
    match needs {
        Some(needs) if !matches!(request.target, Target::Replace(_)) => {
            return Ok(Known { manifest, needs });
        }
        _ => {}
    }
    let bytes = std::fs::metadata(&request.archive).map_or(0, |file| file.len());
    let hear = |read| progress(RestoreProgress::Verifying { read, bytes });
    let pg_restore = request.pg_restore.as_deref();
    let found = verify_until(&request.archive, pg_restore, hear, stop.future.as_mut()).await?;
    if let Some(reason) = found.needs.of_a_server() {
        return Err(RestoreFailure::OfAServer(reason));
    }
    Ok(Known {
        manifest: found.manifest,
        needs: found.needs,
    })
}

/// A flipped byte may read as SQL that no server takes: where our own archive is not what was written, that is the reason.
async fn of_damage(
    request: &RestoreRequest,
    known: &Known,
    failure: RestoreFailure,
    stop: &mut Stop<impl Future<Output = ()>>,
) -> RestoreFailure {
    let by_content = matches!(
        failure,
        RestoreFailure::Statement(_) | RestoreFailure::Dump { .. }
    );
    if !by_content || known.manifest.is_none() {
        return failure;
    }
    let pg_restore = request.pg_restore.as_deref();
    let read = verify_until(&request.archive, pg_restore, |_| {}, stop.future.as_mut()).await;
    match read {
        Err(damage) if !damage.is_interrupted() => damage.into(),
        _ => failure,
    }
}

/// The dump is in: what is still to do before the database has its name.
async fn end(
    mut prepared: Prepared<'_>,
    manifest: Option<&Manifest>,
    loaded: Loaded,
    progress: &mut impl FnMut(RestoreProgress),
    stop: &mut Stop<impl Future<Output = ()>>,
    begun: Instant,
) -> Result<Restored, RestoreError> {
    let request = prepared.request();
    let mut notes = loaded.notes;
    progress(RestoreProgress::Checking);
    let differences = manifest
        .map(|manifest| place::compare(manifest, &loaded.tables))
        .unwrap_or_default();
    if request.analyze == Analyze::Yes {
        progress(RestoreProgress::Analyzing);
        let options = prepared.options();
        let analyzed = place::analyze(&options, prepared.sessions());
        match stop
            .or(async { Ok::<_, RestoreFailure>(analyzed.await) })
            .await
        {
            Ok(told) => notes.extend(told),
            Err(failure) => {
                return Err(give_up(prepared, failure, "the dump is whole in it").await);
            }
        }
    }
    if let Err(failure) = prepared.refresh().await {
        return Err(RestoreError::new(failure).leaving(nameless(&prepared)));
    }
    let replaces = matches!(request.target, Target::Replace(_));
    // one that takes another's place takes over what that one had
    if let Some(properties) = manifest.and_then(|manifest| manifest.properties.as_ref())
        && !replaces
    {
        notes.extend(place::settings(prepared.session(), prepared.name(), properties).await);
    }
    if replaces && !(loaded.errors.is_empty() && differences.is_empty()) {
        notes.push(format!(
            "\"{}\" was left as it was: what was restored is not whole, and stays beside it as \"{}\"",
            request.into,
            prepared.name()
        ));
    } else {
        match take_name(&mut prepared, progress).await {
            Ok(told) => notes.extend(told),
            Err(failure) => {
                return Err(RestoreError::new(failure).leaving(nameless(&prepared)));
            }
        }
    }
    Ok(Restored {
        database: prepared.name().to_owned(),
        statements: loaded.statements,
        rows: loaded.rows,
        tables: loaded.tables,
        errors: loaded.errors,
        skipped: loaded.skipped,
        differences,
        notes,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

async fn take_name(
    prepared: &mut Prepared<'_>,
    progress: &mut impl FnMut(RestoreProgress),
) -> Result<Vec<String>, RestoreFailure> {
    let database = prepared.request().into.clone();
    if prepared.name() != database {
        progress(RestoreProgress::Renaming { database });
    }
    prepared.finish().await
}

/// Nothing is lost but the name: what gives it to the database is said.
fn nameless(prepared: &Prepared<'_>) -> Left {
    let request = prepared.request();
    let rename =
        |from: &str, to: &str| format!("ALTER DATABASE {} RENAME TO {};", quoted(from), quoted(to));
    let what_to_do = match request.target {
        Target::Replace(_) => format!(
            "\"{}\" is as it was; drop this one and run it again, or exchange the two by hand",
            request.into
        ),
        _ => rename(prepared.name(), &request.into),
    };
    Left::Part {
        database: prepared.name().to_owned(),
        holds: format!("the dump is whole in it, but it did not get its name: {what_to_do}"),
    }
}

async fn give_up(prepared: Prepared<'_>, failure: RestoreFailure, holds: &str) -> RestoreError {
    let left = prepared.abandon(Stays::Part(holds.to_owned())).await;
    RestoreError::new(failure).leaving(left)
}
