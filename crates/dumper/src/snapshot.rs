//! The snapshot that pg_dump takes over from a session of ours, and what that session sees in it.
//!
//! A snapshot lives as long as the transaction that exported it: the session stays open until pg_dump has ended, and
//! counts rows meanwhile.
//!
//! Absent: the counting (`counts`), and a snapshot behind a pooler, where the session may be anybody's next.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pgdriver::dumped::{self, Exported, Setting, Table};
use pgdriver::{CancelToken, QueryError, Session};
use tokio::time::timeout;

use crate::archive::Snapshot;
use crate::manifest::{DatabaseProperties, DatabaseSetting};
use crate::request::{DumpRequest, Selection};

const NAME: &str = "django-migrate backup";
/// How long a cancel request may take: it has a connection of its own.
const CANCEL: Duration = Duration::from_secs(2);

/// A table of the snapshot, and whether its rows should be in the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) table: Table,
    /// On disk, with TOAST: measured, or as the catalog has it.
    pub(crate) bytes: u64,
    pub(crate) rows: Rows,
}

/// What a dump has of a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// All: without them the dump is not what was asked for.
    Wanted,
    /// All or none: an extension's own, or left out by what was asked for. If they are there they count.
    Perhaps,
}

/// A snapshot that is held.
pub(crate) struct Held {
    pub(crate) session: Arc<Session>,
    exported: Exported,
    pub(crate) tables: Vec<Expected>,
    pub(crate) properties: DatabaseProperties,
    cancel: Option<CancelToken>,
}

impl Held {
    /// Exports a snapshot, or says why there is none.
    pub(crate) async fn take(request: &DumpRequest) -> Result<Self, String> {
        let options = request.connection.clone();
        let options = options
            .with_database(&request.database)
            .with_application_name(NAME);
        let session = pgdriver::connect(&options)
            .await
            .map_err(|error| error.to_string())?;
        if session.behind_pooler() {
            return Err(
                "the connection goes through a pooler, which cannot hold a snapshot".to_owned(),
            );
        }
        Self::of(session, &request.selection)
            .await
            .map_err(|error| error.to_string())
    }

    async fn of(session: Session, selection: &Selection) -> Result<Self, QueryError> {
        let exported = dumped::export_snapshot(&session).await?;
        let tables = expected(&session, selection, &exported).await?;
        let properties = properties(&session).await?;
        Ok(Self {
            cancel: Some(session.cancel_token()),
            session: Arc::new(session),
            exported,
            tables,
            properties,
        })
    }

    /// For `pg_dump --snapshot`.
    pub(crate) fn id(&self) -> &str {
        &self.exported.id
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let Exported {
            taken_at,
            lsn,
            standby,
            ..
        } = self.exported.clone();
        Snapshot {
            taken_at,
            lsn,
            standby,
        }
    }

    /// Bytes on disk of all tables whose rows are dumped.
    pub(crate) fn bytes(&self) -> u64 {
        self.wanted().map(|it| it.bytes).sum()
    }

    pub(crate) fn wanted(&self) -> impl Iterator<Item = &Expected> {
        self.tables.iter().filter(|it| it.rows == Rows::Wanted)
    }

    /// Ends a count that runs: the server would go on with it after the connection is gone.
    pub(crate) async fn give_up(&mut self) {
        if let Some(token) = self.cancel.take() {
            let _ = timeout(CANCEL, token.cancel()).await;
        }
    }
}

async fn expected(
    session: &Session,
    selection: &Selection,
    exported: &Exported,
) -> Result<Vec<Expected>, QueryError> {
    let tables = dumped::tables(session).await?;
    let asked_for = union(session, &selection.tables).await?;
    let left_out = union(session, &selection.exclude_table_data).await?;
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let measured = dumped::measured(session, &oids).await?.unwrap_or_default();
    let rows = |table: &Table| {
        let asked_for = selection.tables.is_empty() || asked_for.contains(&table.oid);
        let gone = selection.schema_only
            || left_out.contains(&table.oid)
            || (table.unlogged && exported.standby);
        // with --table no extension is dumped, and what it configures only where it is named itself
        match asked_for && !gone && table.ours {
            true => Rows::Wanted,
            false => Rows::Perhaps,
        }
    };
    Ok(tables
        .into_iter()
        .map(|table| Expected {
            bytes: measured
                .get(&table.oid)
                .copied()
                .unwrap_or(table.estimated_bytes),
            rows: rows(&table),
            table,
        })
        .collect())
}

async fn union(session: &Session, patterns: &[String]) -> Result<HashSet<u32>, QueryError> {
    let mut oids = HashSet::new();
    for pattern in patterns {
        oids.extend(dumped::matching(session, pattern).await?);
    }
    Ok(oids)
}

async fn properties(session: &Session) -> Result<DatabaseProperties, QueryError> {
    let settings = {
        let settings = dumped::settings(session).await?;
        settings.into_iter().map(setting).collect()
    };
    Ok(DatabaseProperties {
        settings,
        ..dumped::database(session).await?.into()
    })
}

/// An application's own setting may be a secret: PostgREST's `app.jwt_secret` is one.
fn setting(setting: Setting) -> DatabaseSetting {
    let Setting {
        role,
        name,
        value,
        known,
    } = setting;
    DatabaseSetting {
        role,
        name,
        value: known.then_some(value),
    }
}
