//! The definitions of the scratch database, as pg_dump writes them, against the archive's own.
//!
//! Both are read as statements. Order does not count: pg_dump's depends on what an object's number is. Of the archive what
//! carries rows is left out, which a dump of definitions alone has not.
//!
//! Absent: what a statement means. Two versions of pg_dump write the same thing differently, so theirs are not compared.

use std::collections::HashMap;
use std::io::{self, Read};
use std::num::NonZeroU8;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::oneshot;

use super::scratch::Scratch;
use super::{ProofFailure, ProofRequest};
use crate::archive::{Format, Verified};
use crate::dump::Stored;
use crate::error::VerifyError;
use crate::manifest::Manifest;
use crate::password::scrub;
use crate::pg_dump::{PgDump, Start, command};
use crate::read::{Watch, open_watched};
use crate::request::{Compression, DumpRequest, Selection};
use crate::restore::{Difference, Owners, Stop};
use crate::running::Running;
use crate::scan::{Piece, Scan, SplitError, Splitter, TocEntry};

/// Statements that wait between a reader and the comparison.
const WAITING: usize = 64;
/// Statements of one side that are kept until the other has them; more are too many to tell.
const UNMATCHED: usize = 10_000;
/// Differences that are told one by one.
const TOLD: usize = 20;
/// The longest statement that a server takes in one message.
const STATEMENT: usize = 1024 * 1024 * 1024 - 1;

/// What became of the comparison.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// None where nothing was compared.
    pub(super) same: Option<u64>,
    pub(super) differences: Vec<Difference>,
    pub(super) note: Option<String>,
    /// The archive's `setval` statements.
    pub(super) sequences: Vec<String>,
    pub(super) large_objects: bool,
}

/// Reads both sides at once.
pub(super) async fn compare(
    request: &ProofRequest,
    manifest: Option<&Manifest>,
    scratch: &Scratch,
    stop: &mut Stop<impl Future<Output = ()>>,
) -> Result<Said, ProofFailure> {
    let watch = Watch::default();
    let (archive, from_archive) = sync_channel(WAITING);
    let (path, pg_restore, watched) =
        (request.archive.clone(), request.pg_restore(), watch.clone());
    let owners = scratch.owners;
    let reading = thread("proof-archive", move || {
        read_archive(&path, pg_restore.as_deref(), &watched, owners, &archive)
    })?;
    let written = match &request.pg_dump {
        Some(pg_dump) => Some(Written::start(request, pg_dump, manifest, scratch)?),
        None => None,
    };
    let (mut running, from_scratch, writing) = match written {
        Some(Written {
            running,
            statements,
            done,
        }) => (Some(running), Some(statements), Some(done)),
        None => (None, None, None),
    };
    let matching = thread("proof-compare", move || {
        matched(&from_archive, from_scratch)
    })?;
    let all = async {
        let matched = ended(matching).await?;
        let read = ended(reading).await??;
        let wrote = match (running.as_mut(), writing) {
            (Some(running), Some(writing)) => Some((running.wait().await, ended(writing).await?)),
            _ => None,
        };
        Ok::<_, ProofFailure>((matched, read, wrote))
    };
    let done = tokio::select! {
        biased;
        () = stop.future.as_mut() => None,
        done = all => Some(done),
    };
    let Some(done) = done else {
        watch.stop.store(true, Ordering::Relaxed);
        if let Some(mut running) = running {
            running.terminate().await;
        }
        return Err(ProofFailure::Interrupted);
    };
    let (matched, read, wrote) = done?;
    let mut said = Said {
        sequences: read.sequences,
        large_objects: read.scan.needs.large_objects,
        ..Said::default()
    };
    let Some((status, wrote)) = wrote else {
        said.note = Some("the definitions were not compared: there is no pg_dump".to_owned());
        return Ok(said);
    };
    let status = status.map_err(|error| ProofFailure::PgDump(error.to_string()))?;
    if !status.success() {
        let words = match running {
            Some(mut running) => running.said().await,
            None => String::new(),
        };
        return Err(ProofFailure::PgDump(scrub(
            &words,
            request.password.as_ref(),
        )));
    }
    let wrote = wrote?;
    judge(&mut said, matched, &read.scan, &wrote.scan);
    Ok(said)
}

fn judge(said: &mut Said, matched: Matched, archive: &Scan, scratch: &Scan) {
    let Matched {
        same,
        unmatched,
        overflown,
    } = matched;
    said.same = Some(same);
    if unmatched.is_empty() && !overflown {
        return;
    }
    let by = |scan: &Scan| {
        let major = |version: &Option<crate::pg_dump::Version>| version.map(|it| it.major);
        (
            major(&scan.needs.pg_dump_version),
            major(&scan.needs.server_version),
        )
    };
    if by(archive) != by(scratch) {
        let told = |(pg_dump, server): (Option<u32>, Option<u32>)| {
            let one =
                |it: Option<u32>| it.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
            format!("pg_dump {} of PostgreSQL {}", one(pg_dump), one(server))
        };
        said.same = None;
        said.note = Some(format!(
            "the definitions were not compared: the archive's were written by {}, the scratch database's by {}, and they \
             do not write alike",
            told(by(archive)),
            told(by(scratch))
        ));
        return;
    }
    let more = unmatched.len().saturating_sub(TOLD);
    said.differences = unmatched.into_iter().take(TOLD).collect();
    if more > 0 || overflown {
        said.note = Some(match overflown {
            true => "the definitions differ in more than can be told".to_owned(),
            false => format!("{more} more definitions differ"),
        });
    }
}

/// A statement of one side, without what depends on nothing but the run.
#[derive(Debug)]
struct Told {
    line: u64,
    text: Vec<u8>,
}

/// What a side was, once it is read.
struct Whole {
    scan: Scan,
    sequences: Vec<String>,
}

/// pg_dump at work on the scratch database.
struct Written {
    running: Running,
    statements: Receiver<Told>,
    done: oneshot::Receiver<Result<Whole, ProofFailure>>,
}

impl Written {
    fn start(
        request: &ProofRequest,
        pg_dump: &PgDump,
        manifest: Option<&Manifest>,
        scratch: &Scratch,
    ) -> Result<Self, ProofFailure> {
        let failed = |error: io::Error| ProofFailure::PgDump(error.to_string());
        let asked = asked(request, pg_dump, manifest, scratch);
        let start = Start {
            stored: Stored::of(&asked).map_err(|error| ProofFailure::PgDump(error.to_string()))?,
            application: "django-migrate proof",
            snapshot: None,
            folder: None,
        };
        let (stdout, theirs) = io::pipe().map_err(failed)?;
        let running =
            Running::start(command(&asked, &start, Stdio::from(theirs))).map_err(failed)?;
        let (tell, statements) = sync_channel(WAITING);
        let owners = scratch.owners;
        let done = thread("proof-pg-dump", move || read_script(stdout, owners, &tell))?;
        Ok(Self {
            running,
            statements,
            done,
        })
    }
}

/// The same selection as the archive's, without rows.
fn asked(
    request: &ProofRequest,
    pg_dump: &PgDump,
    manifest: Option<&Manifest>,
    scratch: &Scratch,
) -> DumpRequest {
    let tables = manifest.map_or_else(Vec::new, |manifest| manifest.selection.tables.clone());
    DumpRequest {
        pg_dump: pg_dump.clone(),
        environment: request.environment.clone(),
        password: request.password.clone(),
        database: scratch.options.database().to_owned(),
        connection: scratch.options.clone(),
        server_version_num: 0,
        directory: request.archive.clone(),
        timestamp: String::new(),
        created_at: String::new(),
        tool_version: String::new(),
        format: Format::Plain,
        compression: Some(Compression::None),
        jobs: NonZeroU8::MIN,
        selection: Selection {
            schema_only: true,
            tables,
            exclude_table_data: Vec::new(),
        },
        proof: Verified::Trailer,
        lock_wait_timeout: None,
        estimated_bytes: None,
    }
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, ProofFailure> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || tell.send(work()).is_ok())
        .map_err(|error| ProofFailure::Thread(error.to_string()))?;
    Ok(told)
}

async fn ended<T>(told: oneshot::Receiver<T>) -> Result<T, ProofFailure> {
    told.await
        .map_err(|_| ProofFailure::Thread("it panicked".to_owned()))
}

fn read_archive(
    path: &Path,
    pg_restore: Option<&Path>,
    watch: &Watch,
    owners: Owners,
    tell: &SyncSender<Told>,
) -> Result<Whole, ProofFailure> {
    let mut reading = open_watched(path, pg_restore, watch)?;
    let mut side = Side::new(owners, tell);
    while let Some(block) = reading.block()? {
        side.feed(&block).map_err(|error| refused(path, &error))?;
    }
    reading.finish()?;
    side.finish().map_err(|error| refused(path, &error))
}

fn refused(path: &Path, error: &SplitError) -> ProofFailure {
    let source = io::Error::other(error.refusal.to_string());
    let path = path.to_owned();
    VerifyError::Read { path, source }.into()
}

fn read_script(
    mut stdout: impl Read,
    owners: Owners,
    tell: &SyncSender<Told>,
) -> Result<Whole, ProofFailure> {
    let failed = |error: SplitError| ProofFailure::PgDump(error.refusal.to_string());
    let mut side = Side::new(owners, tell);
    let mut block = vec![0; 64 * 1024];
    loop {
        match stdout.read(&mut block) {
            Ok(0) => return side.finish().map_err(failed),
            Ok(length) => side.feed(&block[..length]).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ProofFailure::PgDump(error.to_string())),
        }
    }
}

/// One side on its way into the comparison.
struct Side<'a> {
    splitter: Splitter,
    owners: Owners,
    entry: TocEntry,
    sequences: Vec<String>,
    tell: &'a SyncSender<Told>,
}

impl<'a> Side<'a> {
    fn new(owners: Owners, tell: &'a SyncSender<Told>) -> Self {
        Self {
            splitter: Splitter::new(STATEMENT),
            owners,
            entry: TocEntry::default(),
            sequences: Vec::new(),
            tell,
        }
    }

    fn feed(&mut self, block: &[u8]) -> Result<(), SplitError> {
        let Self {
            splitter,
            owners,
            entry,
            sequences,
            tell,
        } = self;
        splitter.feed(block, &mut |piece| match piece {
            Piece::Entry(now) => *entry = now,
            Piece::Statement(it) => match part(entry, &it.text, *owners) {
                Part::Definition => {
                    // who compares is gone where the other side failed; then this one is read for nothing
                    let _ = tell.send(Told {
                        line: it.line,
                        text: it.text,
                    });
                }
                Part::Sequence => {
                    sequences.push(String::from_utf8_lossy(&it.text).into_owned());
                }
                Part::LeftOut => {}
            },
            _ => {}
        })
    }

    fn finish(self) -> Result<Whole, SplitError> {
        Ok(Whole {
            scan: self.splitter.finish()?,
            sequences: self.sequences,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Definition,
    Sequence,
    LeftOut,
}

/// What of an archive a dump of definitions has, too. A SET stands before the entry that it is for, so that it is never
/// left out for the entry before it.
fn part(entry: &TocEntry, text: &[u8], owners: Owners) -> Part {
    let is = |keyword: &[u8]| {
        text.get(..keyword.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(keyword))
    };
    if is(b"SELECT pg_catalog.setval(") {
        return Part::Sequence;
    }
    if is(b"SET ") || is(b"SELECT pg_catalog.set_config(") {
        return Part::Definition;
    }
    let rows = matches!(
        entry.kind.as_str(),
        "TABLE DATA"
            | "MATERIALIZED VIEW DATA"
            | "SEQUENCE SET"
            | "STATISTICS DATA"
            | "BLOB"
            | "BLOBS"
            | "BLOB METADATA"
            | "DATABASE"
            | "DATABASE PROPERTIES"
    );
    let large_object = entry.name.starts_with("LARGE OBJECT") || is(b"SELECT pg_catalog.lo_");
    let privilege = is(b"GRANT ") || is(b"REVOKE ") || is(b"ALTER DEFAULT PRIVILEGES ");
    let owner = is(b"ALTER ") && gives_owner(text);
    match owners {
        _ if rows || large_object => Part::LeftOut,
        Owners::Skip if privilege || owner => Part::LeftOut,
        _ => Part::Definition,
    }
}

/// `… OWNER TO role` is the end of its statement.
fn gives_owner(text: &[u8]) -> bool {
    const WORDS: &[u8] = b" OWNER TO ";
    let Some(at) = memchr::memmem::rfind(text, WORDS) else {
        return false;
    };
    let role = &text[at + WORDS.len()..];
    match role.strip_prefix(b"\"") {
        Some(quoted) => quoted.ends_with(b"\""),
        None => role
            .iter()
            .all(|byte| !byte.is_ascii_whitespace() && *byte != b'\''),
    }
}

/// What both sides have, and what one has alone.
#[derive(Debug, Default)]
struct Matched {
    same: u64,
    unmatched: Vec<Difference>,
    overflown: bool,
}

/// Takes from both in turn, so that what waits for its like is little.
fn matched(archive: &Receiver<Told>, scratch: Option<Receiver<Told>>) -> Matched {
    let Some(scratch) = scratch else {
        while archive.recv().is_ok() {}
        return Matched::default();
    };
    let mut matched = Matched::default();
    // how many more the archive has
    let mut open: HashMap<Vec<u8>, (i64, u64)> = HashMap::new();
    let (mut archive, mut scratch) = (Some(archive), Some(&scratch));
    while archive.is_some() || scratch.is_some() {
        for (side, more) in [(&mut archive, 1), (&mut scratch, -1)] {
            let Some(next) = side.map(Receiver::recv) else {
                continue;
            };
            let Ok(told) = next else {
                *side = None;
                continue;
            };
            if matched.overflown {
                continue;
            }
            let text = in_one_order(told.text);
            let entry = open.entry(text).or_insert((0, told.line));
            if entry.0 * more < 0 {
                matched.same += 1;
            }
            entry.0 += more;
            // those that are level stay for a while
            if open.len() > UNMATCHED {
                open.retain(|_, (more, _)| *more != 0);
                matched.overflown = open.len() > UNMATCHED / 2;
            }
        }
    }
    let mut left: Vec<_> = open
        .into_iter()
        .filter(|(_, (more, _))| *more != 0)
        .collect();
    left.sort_by_key(|(_, (more, line))| (*more < 0, *line));
    matched.unmatched = left
        .into_iter()
        .map(|(text, (more, line))| difference(&text, more, line))
        .collect();
    matched
}

/// A table that inherits gets the columns of its parents first when it is made from a dump, wherever they stood before.
fn in_one_order(text: Vec<u8>) -> Vec<u8> {
    let is_heir =
        text.starts_with(b"CREATE ") && memchr::memmem::find(&text, b"\nINHERITS (").is_some();
    if !is_heir {
        return text;
    }
    let mut lines: Vec<&[u8]> = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b",").unwrap_or(line))
        .collect();
    // the first line names the table
    lines[1..].sort_unstable();
    lines.join(&b'\n')
}

fn difference(text: &[u8], more: i64, line: u64) -> Difference {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    match more > 0 {
        true => Difference {
            what: format!("definition at line {line} of the archive"),
            expected: shown,
            found: "missing".to_owned(),
        },
        false => Difference {
            what: "definition in the restored database".to_owned(),
            expected: "none".to_owned(),
            found: shown,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, name: &str) -> TocEntry {
        TocEntry {
            kind: kind.to_owned(),
            name: name.to_owned(),
            ..TocEntry::default()
        }
    }

    #[track_caller]
    fn check(kind: &str, name: &str, text: &str, owners: Owners, expected: Part) {
        assert_eq!(
            part(&entry(kind, name), text.as_bytes(), owners),
            expected,
            "{text}"
        );
    }

    #[test]
    fn rows_are_left_out_and_sequences_kept_apart() {
        use Part::{Definition, LeftOut, Sequence};
        let check = |kind, name, text, expected| check(kind, name, text, Owners::Keep, expected);
        check("TABLE", "t", "CREATE TABLE public.t ()", Definition);
        check(
            "TABLE DATA",
            "t",
            "SET default_tablespace = 'x'",
            Definition,
        );
        check(
            "TABLE DATA",
            "t",
            "INSERT INTO public.t VALUES (1)",
            LeftOut,
        );
        check(
            "SEQUENCE SET",
            "s",
            "SELECT pg_catalog.setval('public.s', 4, true)",
            Sequence,
        );
        check(
            "MATERIALIZED VIEW DATA",
            "m",
            "REFRESH MATERIALIZED VIEW public.m",
            LeftOut,
        );
        check(
            "BLOB",
            "16403",
            "SELECT pg_catalog.lo_create('16403')",
            LeftOut,
        );
        check(
            "COMMENT",
            "LARGE OBJECT 16403",
            "COMMENT ON LARGE OBJECT 16403 IS 'x'",
            LeftOut,
        );
        check(
            "",
            "",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            Definition,
        );
    }

    #[test]
    fn owners_and_privileges_go_together() {
        for text in [
            "ALTER TABLE public.t OWNER TO shop",
            "ALTER TABLE public.t OWNER TO \"my shop\"",
            "GRANT SELECT ON TABLE public.t TO shop",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
            "ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b",
        ] {
            check("TABLE", "t", text, Owners::Skip, Part::LeftOut);
            check("TABLE", "t", text, Owners::Keep, Part::Definition);
        }
        let text = "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a = ' OWNER TO b'))";
        check("CONSTRAINT", "t c", text, Owners::Skip, Part::Definition);
    }

    fn sides(archive: &[&str], scratch: &[&str]) -> Matched {
        let side = |texts: &[&str]| {
            let (tell, told) = sync_channel(texts.len());
            for (at, text) in texts.iter().enumerate() {
                let (line, text) = (at as u64 + 1, text.as_bytes().to_vec());
                tell.send(Told { line, text }).unwrap();
            }
            told
        };
        matched(&side(archive), Some(side(scratch)))
    }

    #[test]
    fn what_one_side_has_alone_is_told() {
        let same = sides(&["a", "b", "a"], &["b", "a", "a"]);
        assert_eq!((same.same, same.unmatched.len()), (3, 0));
        let other = sides(&["a", "b", "b", "CREATE  x\n  y"], &["a", "b", "c"]);
        assert_eq!(other.same, 2);
        let told: Vec<String> = other.unmatched.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "definition at line 2 of the archive: missing, expected b",
                "definition at line 4 of the archive: missing, expected CREATE x y",
                "definition in the restored database: c, expected none",
            ]
        );
    }

    #[test]
    fn the_columns_of_an_heir_may_come_in_another_order() {
        let before =
            "CREATE TABLE public.h (\n    b integer,\n    a integer\n)\nINHERITS (public.p)";
        let after =
            "CREATE TABLE public.h (\n    a integer,\n    b integer\n)\nINHERITS (public.p)";
        assert!(sides(&[before], &[after]).unmatched.is_empty());
        let (before, after) = (
            before.replace("INHERITS", "x"),
            after.replace("INHERITS", "x"),
        );
        assert_eq!(sides(&[&before], &[&after]).unmatched.len(), 2);
    }

    #[test]
    fn many_differences_do_not_fill_the_memory() {
        let texts: Vec<String> = (0..3 * UNMATCHED).map(|n| n.to_string()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert!(sides(&texts, &[]).overflown);
        let twice = sides(&texts, &texts);
        assert_eq!((twice.same, twice.overflown), (3 * UNMATCHED as u64, false));
    }
}
