//! What was proven of a backup, in words. Pure.
//!
//! Absent here: the proving, which is `dumper`'s.

use crate::event::{BackupFinished, Counted};
use crate::ui::count;

/// `counts: all 12 tables have the rows that the server counted in the snapshot`
pub(crate) fn proof(backup: &BackupFinished) -> String {
    let grade = &backup.verified;
    match (grade.as_str(), &backup.counted) {
        ("counts" | "restored", Some(counted)) => {
            let counts = counts(counted);
            match grade.as_str() {
                "restored" => format!("restored: it came back as it was; {counts}"),
                _ => format!("counts: {counts}"),
            }
        }
        ("restored", None) => "restored: it came back as it was".to_owned(),
        ("trailer", Some(_)) => {
            "trailer: it is whole; no table's rows were counted on the server".to_owned()
        }
        _ => grade.clone(),
    }
}

fn counts(counted: &Counted) -> String {
    let Counted {
        exact,
        estimate,
        unknown,
        not_exact,
    } = counted;
    let all = exact + estimate + unknown;
    if *exact == all {
        return match all {
            0 => "no table has rows".to_owned(),
            1 => "its table has the rows that the server counted in the snapshot".to_owned(),
            _ => format!("all {all} tables have the rows that the server counted in the snapshot"),
        };
    }
    let mut parts = vec![format!("{exact} of {} counted", count(all, "table"))];
    if *estimate > 0 {
        parts.push(format!("{estimate} by estimate"));
    }
    if *unknown > 0 {
        parts.push(format!("{unknown} not counted"));
    }
    let more = (estimate + unknown).saturating_sub(not_exact.len() as u64);
    let mut names = not_exact.join(", ");
    if more > 0 {
        names.push_str(&format!(" and {more} more"));
    }
    format!("{} ({names})", parts.join(", "))
}

/// What is not in it: `without the rows of audit.*`.
pub(crate) fn left_out(backup: &BackupFinished) -> Option<String> {
    let mut parts = Vec::new();
    if backup.schema_only {
        parts.push("definitions only, no rows".to_owned());
    }
    if !backup.only_tables.is_empty() {
        parts.push(format!("only {}", backup.only_tables.join(", ")));
    }
    if !backup.without_rows_of.is_empty() {
        let patterns = backup.without_rows_of.join(", ");
        parts.push(format!("without the rows of {patterns}"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(grade: &str, counted: Option<(u64, u64, u64, &[&str])>, expected: &str) {
        let counted = counted.map(|(exact, estimate, unknown, names)| Counted {
            exact,
            estimate,
            unknown,
            not_exact: names.iter().map(|name| (*name).to_owned()).collect(),
        });
        let backup = BackupFinished {
            verified: grade.to_owned(),
            counted,
            ..BackupFinished::default()
        };
        assert_eq!(proof(&backup), expected);
    }

    #[test]
    fn a_proof_says_how_far_it_goes() {
        // a journal of an older version
        check("trailer", None, "trailer");
        check(
            "trailer",
            Some((0, 0, 3, &[])),
            "trailer: it is whole; no table's rows were counted on the server",
        );
        check(
            "counts",
            Some((12, 0, 0, &[])),
            "counts: all 12 tables have the rows that the server counted in the snapshot",
        );
        check(
            "counts",
            Some((10, 1, 2, &["public.big", "audit.log"])),
            "counts: 10 of 13 tables counted, 1 by estimate, 2 not counted (public.big, audit.log and 1 more)",
        );
        check(
            "restored",
            Some((1, 0, 0, &[])),
            "restored: it came back as it was; its table has the rows that the server counted in the snapshot",
        );
    }

    #[test]
    fn what_is_not_in_it_is_said() {
        assert_eq!(left_out(&BackupFinished::default()), None);
        let backup = BackupFinished {
            without_rows_of: vec!["audit.*".into(), "log".into()],
            ..BackupFinished::default()
        };
        assert_eq!(
            left_out(&backup).as_deref(),
            Some("without the rows of audit.*, log")
        );
    }
}
