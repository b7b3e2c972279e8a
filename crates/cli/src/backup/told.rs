//! What `dumper` says while it dumps, as events.
//!
//! Absent here: words for a screen.

use dumper::{Archive, Dumping, Grade, Holder, Progress, Selection, TableProof, Verified, Waiting};

use crate::event::{
    BackupFinished, BackupPhase, BackupProgress, BackupStarted, Blocker, Counted, EventKind,
    LockWaiting, NoteLevel, Place,
};
use crate::reporter::Reporter;
use crate::ui;

/// Tables without an exact count that are named.
const NAMED: usize = 5;
/// Lines that are told as they come: who says more is heard at the end, as far as it is kept.
const LIVE: usize = 100;

pub(super) fn started(request: &dumper::DumpRequest) -> BackupStarted {
    BackupStarted {
        folder: ui::path(&request.directory),
        pg_dump: format!(
            "pg_dump {} ({})",
            request.pg_dump.version,
            request.pg_dump.path.display()
        ),
        estimated_bytes: request.estimated_bytes,
        format: request.format.as_str().to_owned(),
        options: options(request),
    }
}

/// What is not as it would be by itself.
fn options(request: &dumper::DumpRequest) -> Vec<String> {
    let mut options = Vec::new();
    if request.format != dumper::Format::Plain {
        options.push(format!("--backup-format {}", request.format.as_str()));
    }
    if request.format == dumper::Format::Directory {
        options.push(format!("--jobs {}", request.jobs));
    }
    options.extend(request.compression.map(|how| format!("--compress {how}")));
    if request.proof != Verified::Counts {
        options.push(format!("--verify {}", request.proof.as_str()));
    }
    let Selection {
        schema_only,
        tables,
        exclude_table_data,
    } = &request.selection;
    if *schema_only {
        options.push("--schema-only".to_owned());
    }
    let said = |flag: &str, pattern: &String| format!("{flag} {}", crate::shell::quoted(pattern));
    options.extend(tables.iter().map(|p| said("--tables", p)));
    let excluded = exclude_table_data.iter();
    options.extend(excluded.map(|p| said("--exclude-table-data", p)));
    options
}

/// What was told as it came, so that it is not told again at the end.
#[derive(Debug, Default)]
pub(super) struct Heard {
    told: Vec<String>,
    failing: bool,
}

impl Heard {
    /// Tells it, but for the words with which pg_dump fails: the failure has them.
    pub(super) fn hear(&mut self, progress: &Progress, reporter: &Reporter) {
        if let Progress::Said(line) = progress {
            self.failing |= line.starts_with("pg_dump: error:");
            if self.failing || self.told.len() >= LIVE {
                return;
            }
        }
        if let Progress::Said(message) | Progress::Warning(message) = progress {
            self.told.push(message.clone());
        }
        tell(progress, reporter);
    }

    pub(super) fn told(&self, message: &String) -> bool {
        self.told.contains(message)
    }
}

fn tell(progress: &Progress, reporter: &Reporter) {
    reporter.emit(match progress {
        Progress::Said(message) | Progress::Warning(message) => EventKind::Note {
            level: NoteLevel::Warning,
            message: message.clone(),
        },
        Progress::Room { needed, free } => EventKind::BackupRoom {
            needed_bytes: *needed,
            free_bytes: *free,
        },
        Progress::Waiting(wait) => EventKind::LockWaiting(waiting(wait)),
        Progress::Dumping(dumping) => EventKind::BackupProgress(far(dumping)),
        Progress::Counting { tables, total } => EventKind::BackupProgress(BackupProgress {
            phase: BackupPhase::Counting,
            tables: *tables,
            tables_total: Some(*total),
            ..BackupProgress::default()
        }),
        Progress::Verifying { read, bytes } => EventKind::BackupProgress(BackupProgress {
            phase: BackupPhase::Reading,
            bytes: *read,
            estimated_bytes: Some(*bytes),
            ..BackupProgress::default()
        }),
    });
}

fn far(dumping: &Dumping) -> BackupProgress {
    BackupProgress {
        phase: BackupPhase::Dumping,
        table: dumping.table.clone(),
        tables: dumping.tables,
        tables_total: dumping.tables_total,
        rows: dumping.rows,
        raw_bytes: dumping.raw_bytes,
        bytes: dumping.bytes,
        estimated_bytes: dumping.estimated_bytes,
        seconds: dumping.elapsed.as_secs_f64(),
        seconds_left: dumping.left.map(|left| left.as_secs_f64()),
    }
}

fn waiting(wait: &Waiting) -> LockWaiting {
    LockWaiting {
        relation: wait.relation.clone(),
        mode: Some("AccessShareLock".to_owned()),
        waited_ms: u64::try_from(wait.waited.as_millis()).unwrap_or(u64::MAX),
        blockers: wait.holders.iter().map(blocker).collect(),
        place: Place::InQueue,
    }
}

fn blocker(holder: &Holder) -> Blocker {
    Blocker {
        pid: holder.pid,
        what: who(holder),
    }
}

/// In one line, without what it runs: a query may hold anything.
pub(super) fn who(holder: &Holder) -> String {
    if let Some(name) = &holder.prepared {
        return format!("prepared transaction {name}");
    }
    let user = holder.user.as_deref().unwrap_or("somebody");
    let application = holder.application.as_deref().filter(|a| !a.is_empty());
    let application = application.map(|a| format!(" ({a})")).unwrap_or_default();
    let doing = match (&holder.state, holder.since) {
        (Some(state), Some(since)) => {
            format!(", {state} for {}", ui::seconds(since.as_secs_f64()))
        }
        (Some(state), None) => format!(", {state}"),
        (None, _) => ", not permitted to see what it does (pg_monitor would help)".to_owned(),
    };
    format!("{user}{application}, backend {}{doing}", holder.pid)
}

pub(super) fn finished(archive: &Archive, selection: &Selection) -> BackupFinished {
    BackupFinished {
        file: ui::path(&archive.path),
        format: archive.format.as_str().to_owned(),
        bytes: archive.bytes,
        sha256: archive.sha256.clone(),
        tables: archive.tables.len() as u64,
        rows: archive.rows,
        verified: archive.verified.as_str().to_owned(),
        pg_dump: archive.pg_dump_version.to_string(),
        seconds: archive.seconds,
        compression: Some(archive.compression.clone()),
        raw_bytes: Some(archive.raw_bytes),
        counted: Some(counted(&archive.tables)),
        schema_only: selection.schema_only,
        only_tables: selection.tables.clone(),
        without_rows_of: selection.exclude_table_data.clone(),
    }
}

/// The server's say on each table, summed up.
pub(crate) fn counted(tables: &[TableProof]) -> Counted {
    let of = |grade: Grade| tables.iter().filter(|t| t.grade == grade).count() as u64;
    let mut others: Vec<&TableProof> = tables.iter().filter(|t| t.grade != Grade::Exact).collect();
    others.sort_by_key(|t| std::cmp::Reverse(t.bytes));
    let exact = of(Grade::Exact);
    let named = if exact == 0 { 0 } else { NAMED };
    Counted {
        exact,
        estimate: of(Grade::Estimate),
        unknown: of(Grade::Unknown),
        not_exact: others.iter().take(named).map(ToString::to_string).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;
    use crate::event::Line;
    use crate::reporter::Listener;

    #[test]
    fn who_is_waited_for_is_told_without_its_query() {
        let holder = Holder {
            pid: 4711,
            user: Some("shop".into()),
            application: Some("gunicorn".into()),
            state: Some("idle in transaction".into()),
            query: Some("UPDATE account SET iban = 'DE89'".into()),
            since: Some(Duration::from_secs(12)),
            prepared: None,
        };
        assert_eq!(
            who(&holder),
            "shop (gunicorn), backend 4711, idle in transaction for 12 s"
        );
    }

    /// Keeps the notes.
    struct Notes(Rc<RefCell<Vec<String>>>);

    impl Listener for Notes {
        fn hear(&mut self, line: &Line) {
            if let EventKind::Note { message, .. } = &line.kind {
                self.0.borrow_mut().push(message.clone());
            }
        }
    }

    #[test]
    fn what_pg_dump_says_is_told_as_it_comes_but_for_its_failure() {
        let notes = Rc::new(RefCell::new(Vec::new()));
        let reporter = Reporter::new(vec![Box::new(Notes(Rc::clone(&notes)))]);
        let mut heard = Heard::default();
        let mut say = |line: &str| heard.hear(&Progress::Said(line.to_owned()), &reporter);
        say("pg_dump: warning: there are circular foreign-key constraints on this table:");
        say("pg_dump: detail: a");
        assert_eq!(notes.borrow().len(), 2);
        say("pg_dump: error: query failed: ERROR:  permission denied for table b");
        say("pg_dump: detail: Query was: LOCK TABLE b");
        assert_eq!(notes.borrow().len(), 2, "{:?}", notes.borrow());
        assert!(heard.told(&"pg_dump: detail: a".to_owned()));
        assert!(!heard.told(&"pg_dump: detail: Query was: LOCK TABLE b".to_owned()));

        let mut heard = Heard::default();
        for number in 0..10_000 {
            heard.hear(&Progress::Said(number.to_string()), &reporter);
        }
        assert_eq!(notes.borrow().len(), 2 + LIVE);
    }

    #[test]
    fn the_largest_uncounted_tables_are_named() {
        let table = |name: &str, bytes, grade| TableProof {
            schema: "public".into(),
            name: name.into(),
            rows: 1,
            bytes,
            grade,
            server_rows: None,
            checksum: None,
        };
        let tables = [
            table("a", 1, Grade::Exact),
            table("b", 5, Grade::Unknown),
            table("c", 9, Grade::Estimate),
        ];
        let counted = counted(&tables);
        assert_eq!(
            (counted.exact, counted.estimate, counted.unknown),
            (1, 1, 1)
        );
        assert_eq!(counted.not_exact, ["public.c", "public.b"]);
    }
}
