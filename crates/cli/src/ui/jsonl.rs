//! `run --format json`: one line for each event on stdout, the last of them `run_finished`.

use crate::event::{EventKind, Line};
use crate::reporter::Listener;
use crate::ui::out;

#[derive(Debug, Default)]
pub(crate) struct JsonLines;

impl Listener for JsonLines {
    fn hear(&mut self, line: &Line) {
        // what is only a picture of work in progress has no place in a record
        if matches!(line.kind, EventKind::Working { .. }) {
            return;
        }
        if let Ok(text) = serde_json::to_string(line) {
            out::raw(format!("{text}\n").as_bytes());
        }
    }
}
