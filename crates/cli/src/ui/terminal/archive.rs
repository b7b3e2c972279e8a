//! A backup and a restore on the screen and in a log: how far they are, and what came of them.
//!
//! Absent here: numbers; they come with the events.

use indicatif::ProgressStyle;

use super::{Terminal, Volume};
use crate::event::{
    BackupFinished, BackupPhase, BackupProgress, BackupStarted, RestoreErred, RestorePhase,
    RestoreProgress, RestoreStarted,
};
use crate::report;
use crate::ui::style::{Look, paint};
use crate::ui::{bytes, count, one_line, seconds};

/// A smaller archive needs no word about room.
const WORTH_A_WORD: u64 = 64 << 20;
/// Errors that are passed over and shown one by one; the report and the document have them all.
const SHOWN: u64 = 20;

impl Terminal {
    pub(super) fn backup_started(&mut self, started: &BackupStarted) {
        if self.volume == Volume::Verbose {
            self.detail(format!("into {} by {}", started.folder, started.pg_dump));
        }
        if !started.options.is_empty() {
            self.detail(started.options.join(" "));
        }
        self.spin("pg_dump starts");
    }

    pub(super) fn backup_room(&self, needed: u64, free: u64) {
        if needed >= WORTH_A_WORD || self.volume == Volume::Verbose {
            self.detail(format!(
                "may need {} by the catalog's sizes, {} are free",
                bytes(needed),
                bytes(free)
            ));
        }
    }

    pub(super) fn backup_progress(&mut self, now_ms: u64, progress: &BackupProgress) {
        let (done, total) = match progress.phase {
            BackupPhase::Dumping => (progress.raw_bytes, progress.estimated_bytes),
            BackupPhase::Counting => (progress.tables, progress.tables_total),
            BackupPhase::Reading => (progress.bytes, progress.estimated_bytes),
        };
        let share = total
            .filter(|total| *total > done)
            .map(|total| (done, total));
        self.far(now_ms, &backup_words(progress), share);
    }

    pub(super) fn backup_finished(&mut self, backup: &BackupFinished) {
        self.clear();
        self.detail(&backup.file);
        let what = format!(
            "{}, {}, {}",
            bytes(backup.bytes),
            count(backup.tables, "table"),
            count(backup.rows, "row")
        );
        self.detail(format!(
            "{what}, by pg_dump {} in {}",
            backup.pg_dump,
            seconds(backup.seconds)
        ));
        self.detail(format!("verified: {}", report::proof(backup)));
        if let Some(left_out) = report::left_out(backup) {
            self.detail(paint(Look::Warning, left_out));
        }
    }

    pub(super) fn restore_started(&mut self, started: &RestoreStarted) {
        let over = match started.target.as_str() {
            "empty" => ", which is there and has to be empty",
            "replaced" => ", in the place of the one that is there",
            _ => ", a new database",
        };
        self.detail(format!(
            "{} into {} on {}{over}",
            started.file, started.database, started.server
        ));
        if !started.options.is_empty() {
            self.detail(started.options.join(" "));
        }
        self.spin("looking at the server");
    }

    pub(super) fn restore_progress(&mut self, now_ms: u64, progress: &RestoreProgress) {
        self.far(now_ms, &restore_words(progress), restore_share(progress));
    }

    pub(super) fn restore_erred(&mut self, erred: &RestoreErred) {
        self.restore_errors += 1;
        if self.restore_errors > SHOWN && self.volume != Volume::Verbose {
            if self.restore_errors == SHOWN + 1 {
                self.detail("more errors follow; they are listed at the end");
            }
            return;
        }
        self.detail(format!(
            "{} line {}: {} ({})",
            paint(Look::Bad, "error:"),
            erred.line,
            erred.message,
            erred.sqlstate
        ));
        self.detail(paint(
            Look::Faint,
            format!("  {}", one_line(&erred.statement, 120)),
        ));
    }

    /// The answer, or the report, says what came of it.
    pub(super) fn restore_finished(&mut self) {
        self.clear();
    }

    /// How far something is: a bar where its size is known.
    fn far(&mut self, now_ms: u64, text: &str, share: Option<(u64, u64)>) {
        self.progresses(now_ms, text);
        let Some((done, total)) = share else { return };
        if let Some(bar) = &self.bar
            && let Ok(style) =
                ProgressStyle::with_template("      {bar:20} {percent:>3}% {wide_msg}")
        {
            bar.set_style(style.progress_chars("━╸ "));
            bar.set_length(total);
            bar.set_position(done);
        }
    }
}

/// `3 of 12 tables, 1.2 GB read, 310 MB written, 120 MB/s, 12 s left, public.shop_order`
fn backup_words(p: &BackupProgress) -> String {
    let of = p.estimated_bytes.map(|all| format!(" of {}", bytes(all)));
    match p.phase {
        BackupPhase::Dumping => {}
        BackupPhase::Counting => {
            return format!(
                "counting on the server: {}",
                tables(p.tables, p.tables_total)
            );
        }
        BackupPhase::Reading => {
            return format!(
                "reading it back: {}{}",
                bytes(p.bytes),
                of.unwrap_or_default()
            );
        }
    }
    let mut parts = vec![
        tables(p.tables, p.tables_total),
        format!("{} read", bytes(p.raw_bytes)),
        format!("{} written", bytes(p.bytes)),
    ];
    parts.extend(rate(p.raw_bytes, p.seconds));
    parts.extend(left(p.seconds_left));
    parts.extend(p.table.clone());
    parts.join(", ")
}

/// `3 of 12 tables, 1,200 rows, 120 MB, 40 MB/s, 12 s left, public.shop_order`
fn restore_words(p: &RestoreProgress) -> String {
    let mut parts = match p.phase {
        RestorePhase::Reading => {
            let of = p.raw_total.map(|all| format!(" of {}", bytes(all)));
            return format!(
                "reading the file: {}{}",
                bytes(p.raw_bytes),
                of.unwrap_or_default()
            );
        }
        RestorePhase::Indexes if p.jobs_total > 0 => vec![format!(
            "{} of {} indexes and constraints",
            p.jobs, p.jobs_total
        )],
        _ => vec![tables(p.tables, p.tables_total), count(p.rows, "row")],
    };
    if p.phase != RestorePhase::Indexes {
        parts.push(bytes(p.raw_bytes));
        parts.extend(rate(p.raw_bytes, p.seconds));
    }
    if p.errors > 0 {
        parts.push(count(p.errors, "error"));
    }
    parts.extend(left(p.seconds_left));
    parts.extend(p.at.iter().cloned());
    parts.join(", ")
}

/// Rows first: they are what a bar can show. Indexes have a bar of their own.
fn restore_share(p: &RestoreProgress) -> Option<(u64, u64)> {
    match p.phase {
        RestorePhase::Indexes if p.jobs_total > 0 => Some((p.jobs, p.jobs_total)),
        _ => p
            .raw_total
            .filter(|total| *total >= p.raw_bytes && *total > 0)
            .map(|total| (p.raw_bytes, total)),
    }
}

fn tables(done: u64, total: Option<u64>) -> String {
    match total {
        Some(total) if total >= done => format!("{done} of {}", count(total, "table")),
        _ => count(done, "table"),
    }
}

fn rate(done: u64, took: f64) -> Option<String> {
    // the first moments say nothing of the rest
    (took >= 1.0).then(|| format!("{}/s", bytes((done as f64 / took) as u64)))
}

fn left(seconds_left: Option<f64>) -> Option<String> {
    seconds_left.map(|s| format!("{} left", seconds(s.max(1.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_says_how_far_it_is() {
        let progress = BackupProgress {
            table: Some("public.shop_order".into()),
            tables: 3,
            tables_total: Some(12),
            raw_bytes: 240 << 20,
            bytes: 60 << 20,
            seconds: 2.0,
            seconds_left: Some(12.4),
            ..BackupProgress::default()
        };
        assert_eq!(
            backup_words(&progress),
            "3 of 12 tables, 240 MB read, 60 MB written, 120 MB/s, 12 s left, public.shop_order"
        );
        assert_eq!(
            backup_words(&BackupProgress::default()),
            "0 tables, 0 bytes read, 0 bytes written"
        );
    }

    #[test]
    fn a_restore_says_how_far_it_is() {
        let rows = RestoreProgress {
            phase: RestorePhase::Rows,
            at: vec!["public.shop_order".into()],
            tables: 1,
            tables_total: Some(4),
            rows: 1200,
            raw_bytes: 10 << 20,
            raw_total: Some(40 << 20),
            seconds: 0.5,
            ..RestoreProgress::default()
        };
        assert_eq!(
            restore_words(&rows),
            "1 of 4 tables, 1,200 rows, 10 MB, public.shop_order"
        );
        assert_eq!(restore_share(&rows), Some((10 << 20, 40 << 20)));
        let indexes = RestoreProgress {
            phase: RestorePhase::Indexes,
            jobs: 2,
            jobs_total: 9,
            ..rows
        };
        assert_eq!(
            restore_words(&indexes),
            "2 of 9 indexes and constraints, public.shop_order"
        );
        assert_eq!(restore_share(&indexes), Some((2, 9)));
    }
}
