//! What `lint` and `preview` do alike: findings in the formats of other programs, and `--fail-on`.

use crate::args::FindingFormat;
use crate::hazards::{Finding, Severity};
use crate::settings::FailOn;
use crate::ui::{self, Place, out};

/// False where the format is one of our own, which is the command's to write.
pub(super) fn tell<'a>(
    format: FindingFormat,
    fail_on: FailOn,
    places: impl FnOnce() -> Vec<Place<'a>>,
) -> bool {
    match format {
        FindingFormat::Text | FindingFormat::Json => return false,
        FindingFormat::Sarif => out::document(&ui::sarif(&places())),
        FindingFormat::Github => {
            let lines = ui::github(&places());
            // an empty line is no annotation
            if !lines.is_empty() {
                out::answer(lines);
            }
        }
        FindingFormat::Junit => {
            let fails = |finding: &Finding| reaches(finding.counts(), fail_on);
            out::answer(ui::junit(&places(), fails).trim_end());
        }
    }
    true
}

pub(super) fn reaches(severity: Severity, fail_on: FailOn) -> bool {
    match fail_on {
        FailOn::Note => true,
        FailOn::Ask => severity >= Severity::Ask,
        FailOn::Stop => severity >= Severity::Stop,
        FailOn::Never => false,
    }
}
