//! `backup`: take one now; `backup verify FILE` reads one whole; `backup list` shows what is there.

mod list;
mod verify;

use serde::Serialize;

use super::{Context, steps};
use crate::args::{BackupAction, BackupCommand, Format};
use crate::backup::{self, BackupPlan};
use crate::django::Django;
use crate::django::wire::Part;
use crate::event::BackupFinished;
use crate::failure::Failure;
use crate::gates;
use crate::reporter::{Listener, Reporter};
use crate::settings::{self, Layers, Target};
use crate::ui::{Terminal, out};

pub(crate) async fn backup(
    args: BackupCommand,
    mut layers: Layers,
    context: &Context,
) -> Result<u8, Failure> {
    let BackupCommand {
        action,
        django,
        backup,
        format,
    } = args;
    match action {
        Some(BackupAction::Verify(args)) => {
            return Box::pin(verify::verify(*args, layers, context)).await;
        }
        Some(BackupAction::List { folder, format }) => {
            let dir = settings::backup_dir(folder, &mut layers)?;
            return list::list(&backup::directory(&dir, layers.root()), format);
        }
        None => {}
    }
    let settings = settings::backup(backup, &mut layers)?;
    let django = Django::locate(&settings::django(django, &mut layers)?)?;
    steps::tell_settings(&layers, context);
    let (facts, observed) = steps::working(context, "reading the project's settings", async {
        let everything = Target {
            app: None,
            migration: None,
        };
        let facts = steps::inspect(&django, &everything, &[Part::Graph], context).await?;
        gates::project(&facts)?;
        gates::connection(&facts)?;
        let observed = steps::observe(&facts, &django, context).await?;
        Ok::<_, Failure>((facts, observed))
    })
    .await?;
    drop(facts);
    let listener: Box<dyn Listener> = Box::new(Terminal::new(context.volume));
    let reporter = Reporter::new(vec![listener]);
    let plan = BackupPlan {
        settings: &settings,
        root: &django.settings.root,
        reach: &observed.reach,
        server: &observed.server,
        reporter: &reporter,
        signals: &context.signals,
    };
    let pg_dump = backup::pg_dump(&settings, &observed.server)?;
    let done = backup::take(pg_dump, &plan).await?;
    match format {
        Format::Json => out::document(&Document {
            schema_version: 1,
            command: "backup",
            backup: done,
        }),
        Format::Text => out::answer(done.file),
    }
    Ok(0)
}

#[derive(Debug, Serialize)]
struct Document {
    schema_version: u32,
    command: &'static str,
    #[serde(flatten)]
    backup: BackupFinished,
}
