//! JUnit's report: a suite for each file or migration, a test case for each statement, a failure where a finding reaches
//! `--fail-on`; what does not reach it stands in the case's output.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Place, message};
use crate::hazards::Finding;

pub(crate) fn junit(places: &[Place<'_>], fails: impl Fn(&Finding) -> bool) -> String {
    let mut report = Report::new("django-migrate");
    let mut suites: Vec<TestSuite> = Vec::new();
    for place in places {
        if suites
            .last()
            .is_none_or(|suite| suite.name.as_str() != place.of)
        {
            suites.push(TestSuite::new(place.of.as_str()));
        }
        if let Some(suite) = suites.last_mut() {
            suite.add_test_case(case(place, &fails));
        }
    }
    report.add_test_suites(suites);
    // writing into memory does not fail
    report.to_string().unwrap_or_default()
}

fn case(place: &Place<'_>, fails: impl Fn(&Finding) -> bool) -> TestCase {
    let findings = place.findings.iter().map(|found| found.finding);
    let (failing, others): (Vec<&Finding>, Vec<&Finding>) = findings.partition(|f| fails(f));
    let at = match (&place.path, &place.region) {
        (Some(path), Some(lines)) => format!("{path}:{}", lines.first),
        (None, Some(lines)) => format!("line {}", lines.first),
        _ => place.of.clone(),
    };
    let status = match failing.as_slice() {
        [] => TestCaseStatus::success(),
        [first, ..] => {
            let sql = place.sql.unwrap_or_default();
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(first.code);
            status.set_message(first.message.as_str());
            status.set_description(format!("{at}\n{sql}\n\n{}", told(&failing)));
            status
        }
    };
    let mut case = TestCase::new(format!("{} ({at})", place.name), status);
    case.set_classname(place.of.as_str());
    if !others.is_empty() {
        case.set_system_out(told(&others));
    }
    case
}

fn told(findings: &[&Finding]) -> String {
    let lines = findings
        .iter()
        .map(|f| format!("{} {}: {}", f.severity, f.code, message(f)));
    lines.collect::<Vec<_>>().join("\n")
}
