//! The report as JSON: `report --format json`, and report.json in the run folder.

use serde::Serialize;

use super::model::RunReport;

#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    #[serde(flatten)]
    report: &'a RunReport,
}

pub(crate) fn document(report: &RunReport) -> Document<'_> {
    Document {
        schema_version: 1,
        command: "report",
        report,
    }
}
