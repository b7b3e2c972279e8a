//! What was measured, as JSON for whoever judges others by it (`cargo xtask bench linters`), in the file that `TRUTH_JSON`
//! names.
//!
//! Absent here: what was forecast. A judge must not know it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Cells;

pub(super) struct Record {
    major: u32,
    indexes: BTreeSet<String>,
    forms: Vec<Value>,
}

impl Record {
    pub(super) fn new(major: u32, indexes: BTreeSet<String>) -> Self {
        Self {
            major,
            indexes,
            forms: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, sql: &str, is: &Cells, gone: &BTreeSet<String>) {
        self.forms.push(json!({
            "sql": sql,
            "locks": is.locks,
            "rewrites": is.rewrites,
            "scans": is.scans,
            "outside": is.outside,
            "gone": gone,
        }));
    }

    pub(super) fn keep(&self) {
        if let Ok(path) = std::env::var("TRUTH_JSON") {
            let record =
                json!({ "major": self.major, "indexes": self.indexes, "forms": self.forms });
            fs_err::write(path, record.to_string()).unwrap();
        }
    }
}
