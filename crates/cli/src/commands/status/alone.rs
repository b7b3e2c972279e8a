//! `status --no-django`: what `django_migrations` says by itself. No Python starts.
//!
//! Absent here: guesses. What is pending, missing on disk or replaced by a squash stands in files that only Django
//! can read.

use std::collections::{BTreeMap, BTreeSet};

use pgdriver::history::{self, AppliedMigration, History};
use pgdriver::{QueryError, Session, server};

use super::Context;
use super::row::{self, Document, Place, Row, Source};
use crate::args::Format;
use crate::database::{Direct, query_failure, within_reach};
use crate::django::wire::MigrationState;
use crate::failure::Failure;
use crate::ui::{count, out};

/// States that the table cannot tell.
const UNKNOWN: [&str; 4] = ["pending", "missing", "squashed", "partly_squashed"];

pub(super) async fn status(
    app: Option<&str>,
    dsn: Option<&str>,
    format: Format,
    context: &Context,
) -> Result<u8, Failure> {
    let direct = Direct::of(dsn)?;
    let recorded = context.signals.or_stop(read(&direct)).await?;
    let rows = rows(recorded.rows(), app);
    match format {
        Format::Text => out::answer(text(&recorded, &rows, app)),
        Format::Json => out::document(&Document {
            schema_version: 1,
            command: "status",
            source: Source::Database,
            migrations: rows,
            history: Some(recorded.place()),
            unknown: &UNKNOWN,
            failure: None,
        }),
    }
    Ok(0)
}

/// What the database says.
struct Recorded {
    target: String,
    history: Option<History>,
    elsewhere: Vec<String>,
    standby: Option<bool>,
}

impl Recorded {
    fn rows(&self) -> &[AppliedMigration] {
        self.history.as_ref().map_or(&[], |history| &history.rows)
    }

    fn place(&self) -> Place {
        Place {
            database: self.target.clone(),
            has_table: self.history.is_some(),
            schema: self.history.as_ref().map(|history| history.schema.clone()),
            elsewhere: self.elsewhere.clone(),
            standby: self.standby,
        }
    }
}

async fn read(direct: &Direct) -> Result<Recorded, Failure> {
    let observer = direct.observer().await?;
    let session: &Session = &observer;
    let history = history::read(session).await.map_err(|e| unreadable(&e))?;
    if history.is_none() {
        within_reach(session, direct.reach.options().user()).await?;
    }
    let elsewhere = history::elsewhere(session)
        .await
        .map_err(|e| query_failure(&e))?;
    // a footnote: what may not be asked is unknown
    let standby = match server::standby(session).await {
        Ok(standby) => Some(standby.is_some()),
        Err(error) if error.is_permission_denied() => None,
        Err(error) => return Err(query_failure(&error)),
    };
    Ok(Recorded {
        standby,
        target: direct.reach.describe(),
        history,
        elsewhere,
    })
}

fn unreadable(error: &QueryError) -> Failure {
    let failure = query_failure(error);
    if error.is_permission_denied() {
        return failure.hint("GRANT SELECT ON django_migrations lets the role read it");
    }
    match error.is_lock_timeout() || error.is_cancelled() {
        true => failure.hint("somebody has locked the table, and it is not waited for: try again"),
        false => failure,
    }
}

/// One row for each migration, in order of app and name; the time is that of its first record.
fn rows(recorded: &[AppliedMigration], app: Option<&str>) -> Vec<Row> {
    let strays = history::out_of_order(recorded);
    let mut found: BTreeMap<(&str, &str), Row> = BTreeMap::new();
    for (at, record) in recorded.iter().enumerate() {
        if app.is_some_and(|app| app != record.app) {
            continue;
        }
        let out_of_order = strays.binary_search(&at).is_ok();
        found
            .entry((&record.app, &record.name))
            .and_modify(|row| {
                row.duplicate = true;
                row.out_of_order |= out_of_order;
            })
            .or_insert_with(|| Row {
                app: record.app.clone(),
                name: record.name.clone(),
                state: MigrationState::Applied,
                applied_at: Some(record.applied.to_string()),
                duplicate: false,
                out_of_order,
            });
    }
    found.into_values().collect()
}

fn text(recorded: &Recorded, rows: &[Row], app: Option<&str>) -> String {
    let mut out = match &recorded.history {
        None => nowhere(recorded),
        Some(_) => there(recorded, rows, app),
    };
    out.push_str(match recorded.standby {
        Some(true) => "\na standby answered: what the primary recorded last may be missing",
        Some(false) => "",
        None => "\nwhether a standby answered is not permitted to see",
    });
    out
}

fn nowhere(recorded: &Recorded) -> String {
    let target = &recorded.target;
    match recorded.elsewhere.join(", ").as_str() {
        "" => format!("no table django_migrations in {target}: nothing is recorded there"),
        schemas => format!(
            "no table django_migrations on the search path of {target}; there is one in schema {schemas}"
        ),
    }
}

fn there(recorded: &Recorded, rows: &[Row], app: Option<&str>) -> String {
    let mut out = row::list(rows, Source::Database);
    if let (Some(app), true) = (app, rows.is_empty()) {
        let apps: BTreeSet<&str> = recorded.rows().iter().map(|r| r.app.as_str()).collect();
        let apps = apps.into_iter().collect::<Vec<_>>().join(", ");
        out.push_str(&format!(
            "nothing is recorded of `{app}`; recorded are: {apps}\n"
        ));
    }
    if !recorded.elsewhere.is_empty() {
        let schemas = recorded.elsewhere.join(", ");
        out.push_str(&format!(
            "another django_migrations is in schema {schemas}, off the search path\n"
        ));
    }
    let applied = count(rows.len() as u64, "migration");
    out.push_str(&format!(
        "{applied} recorded in {}; what is pending, missing on disk or replaced by a squash is unknown without Django",
        recorded.target
    ));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn one_row_for_each_migration_with_what_its_records_say() {
        let record = |id, app: &str, name: &str, second| AppliedMigration {
            id,
            app: app.into(),
            name: name.into(),
            applied: Timestamp::from_second(second).unwrap(),
        };
        let recorded = [
            record(1, "shop", "0001", 10),
            record(2, "auth", "0001", 20),
            record(3, "shop", "0001", 30),
            record(4, "auth", "0002", 5),
        ];
        let of = |app| -> Vec<_> {
            let rows = rows(&recorded, app);
            rows.into_iter()
                .map(|r| format!("{}.{} {} {}", r.app, r.name, r.duplicate, r.out_of_order))
                .collect()
        };
        assert_eq!(
            of(None),
            [
                "auth.0001 false false",
                "auth.0002 false true",
                "shop.0001 true false"
            ]
        );
        assert_eq!(of(Some("shop")), ["shop.0001 true false"]);
        assert!(of(Some("none")).is_empty());
    }
}
