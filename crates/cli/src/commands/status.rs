//! `status`: every migration of the project and of the history, with its state.

mod alone;
mod row;

use std::collections::{BTreeMap, BTreeSet};

use row::{Document, Row, Source};

use super::{Context, previous, steps};
use crate::args::{Format, StatusArgs};
use crate::database::{self, Reach};
use crate::django::wire::{MigrationState, Part};
use crate::django::{Django, ProjectFacts};
use crate::failure::Failure;
use crate::gates;
use crate::settings::{self, Layers, Target};
use crate::ui::{self, out};

pub(crate) async fn status(
    args: StatusArgs,
    mut layers: Layers,
    context: &Context,
) -> Result<u8, Failure> {
    let StatusArgs {
        app,
        no_django,
        django,
        format,
    } = args;
    let target = settings::target_of(
        crate::args::TargetArgs {
            app,
            migration: None,
        },
        &mut layers,
    )?;
    if no_django {
        let dsn = settings::dsn(django.dsn, &mut layers)?;
        steps::tell_settings(&layers, context);
        return alone::status(target.app.as_deref(), dsn.as_deref(), format, context).await;
    }
    let runs = settings::run_dir(crate::args::RunDirArgs { run_dir: None }, &mut layers)?;
    let django = Django::locate(&settings::django(django, &mut layers)?)?;
    steps::tell_settings(&layers, context);
    // the whole project is read and the app filtered here: an app without pending migrations is no error
    let everything = Target {
        app: None,
        migration: None,
    };
    let facts = steps::working(
        context,
        "reading the project",
        steps::inspect(&django, &everything, &[Part::Graph], context),
    )
    .await?;
    gates::project(&facts)?;
    gates::connection(&facts)?;
    if facts.history.as_ref().is_some_and(|found| !found.has_table) {
        let observer = Reach::of(&facts, &django.settings)?.observer().await?;
        database::history_in_view(&observer, &facts).await?;
    }
    for message in previous::cut_off(&runs, &django.settings, &context.host).await {
        out::talk(message);
    }
    let rows = rows(&facts, target.app.as_deref());
    // what the loader found wrong does not hide what is known
    let broken = gates::graph(&facts).err();
    if rows.is_empty()
        && let Some(failure) = broken
    {
        return Err(failure);
    }
    if let Some(app) = target.app.as_deref()
        && rows.is_empty()
    {
        return Err(unknown_app(app, &facts));
    }
    match format {
        Format::Json => out::document(&Document {
            schema_version: 1,
            command: "status",
            source: Source::Django,
            migrations: rows,
            history: None,
            unknown: &[],
            failure: broken.as_ref().map(Failure::part),
        }),
        Format::Text => out::answer(text(&rows)),
    }
    // the answer has said it already, so the failure prints no document of its own
    Ok(broken.map_or(0, |failure| {
        out::talk(ui::failure(&failure));
        failure.code()
    }))
}

fn unknown_app(app: &str, facts: &ProjectFacts) -> Failure {
    let apps: BTreeSet<&str> = facts.migrations.iter().map(|m| m.app.as_str()).collect();
    Failure::new(
        crate::exit::Class::UnknownApp,
        format!("no app `{app}` with migrations"),
    )
    .hint(format!(
        "apps with migrations: {}",
        apps.into_iter().collect::<Vec<_>>().join(", ")
    ))
}

/// Every migration of the project, or of one app.
pub(super) fn rows(facts: &ProjectFacts, app: Option<&str>) -> Vec<Row> {
    let mut history: BTreeMap<(&str, &str), Vec<(usize, &str)>> = BTreeMap::new();
    for (at, row) in facts.history.iter().flat_map(|h| &h.rows).enumerate() {
        history
            .entry((&row.app, &row.name))
            .or_default()
            .push((at, &row.applied));
    }
    let first = |app: &str, name: &str| {
        history
            .get(&(app, name))
            .and_then(|rows| rows.first())
            .map(|row| row.0)
    };
    let in_scope = facts
        .migrations
        .iter()
        .filter(|m| app.is_none_or(|app| app == m.app));
    in_scope
        .map(|m| {
            let seen = history.get(&(m.app.as_str(), m.name.as_str()));
            let own = first(&m.app, &m.name);
            let after_own = |d: &String| {
                let (app, name) = d.split_once('.').unwrap_or((d, ""));
                own.zip(first(app, name))
                    .is_some_and(|(own, dependency)| dependency > own)
            };
            Row {
                app: m.app.clone(),
                name: m.name.clone(),
                state: m.state,
                applied_at: seen
                    .and_then(|rows| rows.first())
                    .map(|row| row.1.to_owned()),
                duplicate: seen.is_some_and(|rows| rows.len() > 1),
                out_of_order: m.dependencies.iter().any(after_own),
            }
        })
        .collect()
}

fn text(rows: &[Row]) -> String {
    let mut out = row::list(rows, Source::Django);
    let count = |state| rows.iter().filter(|r| r.state == state).count() as u64;
    let applied = count(MigrationState::Applied) + count(MigrationState::Squashed);
    let pending = count(MigrationState::Pending) + count(MigrationState::PartlySquashed);
    out.push_str(&format!("{applied} applied, {pending} pending"));
    match count(MigrationState::Missing) {
        0 => {}
        n => out.push_str(&format!(", {n} missing on disk")),
    }
    out
}
