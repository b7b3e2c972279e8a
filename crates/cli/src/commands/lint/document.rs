//! The JSON document of `lint`. A script of some megabytes has one of a hundred: each statement is written as soon as it is
//! assessed, and forgotten; the findings, which stand at the end, are kept.

use std::cell::RefCell;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::{Reading, Script};
use crate::hazards::{Finding, Severity};
use crate::preview::Verdict;
use crate::sql::Statement;

pub(super) struct Document<'a> {
    scripts: &'a [Script],
    reading: &'a Reading,
    /// Of the statements that were written.
    findings: RefCell<Vec<Finding>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(scripts: &'a [Script], reading: &'a Reading) -> Self {
        Self {
            scripts,
            reading,
            findings: RefCell::default(),
        }
    }

    /// Known once it is written.
    pub(super) fn worst(&self) -> Option<Severity> {
        let findings = self.findings.borrow();
        findings.iter().map(Finding::counts).max()
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("Document", 5)?;
        document.serialize_field("schema_version", &1_u32)?;
        document.serialize_field("command", "lint")?;
        document.serialize_field("files", &Files(self))?;
        document.serialize_field("verdict", &Verdict::of(self.worst()))?;
        document.serialize_field("findings", &*self.findings.borrow())?;
        document.end()
    }
}

struct Files<'a>(&'a Document<'a>);

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(document) = self;
        serializer.collect_seq(
            document
                .scripts
                .iter()
                .map(|script| File { script, document }),
        )
    }
}

struct File<'a> {
    script: &'a Script,
    document: &'a Document<'a>,
}

impl Serialize for File<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut file = serializer.serialize_struct("File", 2)?;
        file.serialize_field("path", &self.script.path)?;
        file.serialize_field("statements", &Statements(self))?;
        file.end()
    }
}

struct Statements<'a>(&'a File<'a>);

impl Serialize for Statements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(File { script, document }) = self;
        let statements = document.reading.statements(script);
        serializer.collect_seq(statements.map(|statement| Written {
            statement: RefCell::new(statement),
            document,
        }))
    }
}

/// A statement that leaves its findings behind.
struct Written<'a> {
    statement: RefCell<Statement>,
    document: &'a Document<'a>,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = self.statement.borrow().serialize(serializer)?;
        let mut findings = self.document.findings.borrow_mut();
        findings.append(&mut self.statement.borrow_mut().findings);
        Ok(written)
    }
}
