//! `run --format json`: one line on stdout for each event that scripts are promised, the last of them `run_finished`.
//!
//! Absent here: the rest of what happens; the journal in the run folder has it.

use crate::event::Line;
use crate::reporter::Listener;
use crate::ui::out;

#[derive(Debug, Default)]
pub(crate) struct JsonLines;

impl Listener for JsonLines {
    fn hear(&mut self, line: &Line) {
        if !line.kind.promised() {
            return;
        }
        if let Ok(text) = serde_json::to_string(line) {
            out::raw(format!("{text}\n").as_bytes());
        }
    }
}
