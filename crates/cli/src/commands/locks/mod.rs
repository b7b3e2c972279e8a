//! `locks`: who holds, who waits, who is the root; what is old; whether DDL could have its locks. Changes nothing.

mod place;

use place::{Needs, Place};

use super::{Context, steps, watch};
use crate::args::{Format, LocksArgs};
use crate::database::{self, query_failure};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::locks::{self, Literals, Readiness, Scope, Snapshot, Us, View, wanted};
use crate::plan::Plan;
use crate::settings::{self, FailOn, Layers};
use crate::ui::{self, Volume, out};
use pgdriver::activity::locks::LockMode;

pub(crate) async fn locks(
    args: LocksArgs,
    mut layers: Layers,
    context: &Context,
) -> Result<u8, Failure> {
    let LocksArgs {
        watch: is_watched,
        interval,
        relation,
        readiness,
        mode,
        all_databases,
        show_literals,
        django,
        findings,
        format,
    } = args;
    let watched = match is_watched {
        true => Some(watch::interval(interval.as_deref())?),
        false => None,
    };
    let fail_on = settings::fail_on(findings, FailOn::Never, &mut layers)?;
    let mode = mode
        .as_deref()
        .map_or(Ok(LockMode::AccessExclusive), lock_mode)?;
    let needs = match &readiness {
        Some(tables) if tables.is_empty() => Needs::Plan,
        _ => Needs::Connection,
    };
    let place = place::find(django, needs, &mut layers, context).await?;
    let session = &*place.observer;
    let scope = match all_databases {
        true => Scope::Cluster,
        false => Scope::Database,
    };
    let literals = match show_literals {
        true => Literals::Shown,
        false => Literals::Hidden,
    };
    let prepared = async {
        let us = Us::of(session).await.map_err(|e| query_failure(&e))?;
        let relation = match &relation {
            Some(name) => Some(wanted::resolve(session, name).await?),
            None => None,
        };
        let view = View {
            scope,
            literals,
            relation,
        };
        Ok::<_, Failure>((us, view))
    };
    let (us, view) = context.signals.or_stop(prepared).await?;
    if let Some(interval) = watched {
        let Place {
            reach, observer, ..
        } = place;
        // the screen's own observer takes it up
        drop(observer);
        return watch::watch(&reach, us, view, interval, context).await;
    }
    let look = async {
        let snapshot = locks::look(session, &us, &view)
            .await
            .map_err(|e| query_failure(&e))?;
        let readiness = match readiness {
            Some(tables) => Some(ready(&place, &tables, mode, &snapshot).await?),
            None => None,
        };
        Ok::<_, Failure>((snapshot, readiness))
    };
    let looked = context.signals.or_stop(look);
    let (snapshot, readiness) = steps::working(context, "looking at the locks", looked).await?;
    show(&snapshot, readiness.as_ref(), &place, format, context);
    // who asks whether some DDL could go ahead asks about nothing else
    let findings = match &readiness {
        Some(readiness) => readiness.findings(),
        None => snapshot.findings,
    };
    let worst = findings.iter().map(|finding| finding.severity).max();
    let over = worst.is_some_and(|worst| super::findings::reaches(worst, fail_on));
    Ok(if over {
        Class::Findings.code(Changed::No)
    } else {
        0
    })
}

fn lock_mode(text: &str) -> Result<LockMode, Failure> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    LockMode::from_sql(&words).ok_or_else(|| {
        let all: Vec<String> = LockMode::ALL.iter().map(ToString::to_string).collect();
        Failure::new(
            Class::Usage,
            format!("--mode {text}: no lock mode of PostgreSQL"),
        )
        .hint(format!("one of {}", all.join(", ")))
    })
}

/// Of the named tables, else of the plan.
async fn ready(
    place: &Place,
    tables: &[String],
    mode: LockMode,
    snapshot: &Snapshot,
) -> Result<Readiness, Failure> {
    let session = &*place.observer;
    let wanted = match &place.facts {
        Some(facts) if tables.is_empty() => {
            let known = database::context(session).await?;
            let preview = crate::preview::preview(&Plan::of(facts), &facts.sql, &known)?;
            wanted::of_preview(session, &preview)
                .await
                .map_err(|e| query_failure(&e))?
        }
        _ => wanted::of_names(session, tables, mode).await?,
    };
    locks::readiness(session, &snapshot.us, wanted, snapshot.view.literals)
        .await
        .map_err(|e| query_failure(&e))
}

fn show(
    snapshot: &Snapshot,
    readiness: Option<&Readiness>,
    place: &Place,
    format: Format,
    context: &Context,
) {
    let target = place.reach.describe();
    if context.volume > Volume::Quiet {
        out::talk(format!(
            "{target}, PostgreSQL {} (by {})",
            snapshot.us.version, place.way
        ));
    }
    match format {
        Format::Json => {
            let connection = locks::Connection {
                target: &target,
                from: &place.way,
            };
            out::document(&locks::document(snapshot, readiness, connection));
        }
        Format::Text => out::answer(ui::locks(snapshot, readiness)),
    }
}
