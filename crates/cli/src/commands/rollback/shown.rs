//! The way back as it is shown: for a person, or as the document of `--format json`.

use serde_json::{Value, json};

use super::find::Found;
use crate::commands::run::{Pending, Run};
use crate::failure::Failure;
use crate::preview::{self, Described, Preview};
use crate::rollback::Judged;
use crate::ui;

/// The preview, what is closed, and what to type next.
pub(super) fn text(found: &Found, preview: &Preview, closed: Option<&Failure>) -> String {
    let paste = |more: &[&str]| found.undone.started.rollback(found.undone.id(), more);
    let mut lines = vec![
        ui::preview(preview, ui::Detail::Whole, ui::Rescue::Backup),
        String::new(),
        ui::verdict(preview),
    ];
    match closed {
        Some(failure) => {
            lines.push(failure.message.clone());
            lines.extend(failure.hint.clone());
        }
        None => lines.push(format!("to run it: {}", paste(&["--apply"]))),
    }
    if let Some(backup) = found.undone.backup.as_ref().filter(|_| closed.is_none()) {
        lines.push(format!(
            "or the run's backup, {}, beside the live database: {}",
            backup.file,
            paste(&["--restore"])
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The preview's document, with what is about going back.
pub(super) fn document(
    run: &Run<'_>,
    found: &Found,
    pending: &Pending,
    preview: &Preview,
    judged: &Judged,
    closed: Option<&Failure>,
) -> Value {
    let server = &pending.observed.server;
    let database = Described {
        alias: run.settings.django.database.clone(),
        name: server.database.clone(),
        server_version: server.version_num,
    };
    let mut document = preview::back_document(preview, &database);
    let more = json!({
        "of": found.undone.id(),
        "run": run.folder.id,
        "possible": closed.is_none(),
        "why_not": closed.map(|failure| failure.message.clone()),
        "notes": judged.notes.iter().map(|(_, message)| message).collect::<Vec<_>>(),
        "backup": found.undone.backup.as_ref().map(|backup| &backup.file),
    });
    merge(&mut document, more);
    document
}

/// Nothing goes back.
pub(super) fn nothing(run: &Run<'_>, why: &str) -> Value {
    json!({
        "schema_version": 1,
        "command": "rollback",
        "of": run.back.map(|back| back.of),
        "run": run.folder.id,
        "migrations": [],
        "findings": [],
        "verdict": "go",
        "possible": true,
        "nothing": why,
    })
}

fn merge(document: &mut Value, more: Value) {
    if let (Value::Object(document), Value::Object(more)) = (document, more) {
        document.extend(more);
    }
}
