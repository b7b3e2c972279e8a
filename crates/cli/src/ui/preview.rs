//! The SQL preview as a person reads it: by migration, with locks, hazards, and a box that cannot be missed where
//! data is destroyed.

mod locks;
mod sql;

use std::collections::BTreeSet;
use std::fmt::Write;

use super::style::{Look, paint};
use super::{count, wrapped};
use crate::hazards::{Finding, Severity};
use crate::plan::Direction;
use crate::policy;
use crate::preview::{Deploy, Preview, PreviewMigration, Verdict};
use crate::sql::{Blocks, Statement};

/// What brings back the data that a plan destroys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rescue {
    Backup,
    /// The backup was skipped.
    Nothing,
}

impl Rescue {
    fn words(self) -> &'static str {
        match self {
            Self::Backup => "only the backup brings it back",
            Self::Nothing => "nothing brings it back: there is no backup",
        }
    }
}

/// How much of a long plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Whole,
    /// Every statement, of a long one what matters.
    Shortened,
    /// Of a plan with more statements than a person reads in one go: what asks, what keeps others waiting, what is
    /// destroyed, and what cannot be known.
    Folded,
}

/// Statements that are read in one go.
const MANY: usize = 100;

/// What is left out is counted, never what is destroyed.
pub(crate) fn preview(preview: &Preview, detail: Detail, rescue: Rescue) -> String {
    let mut out = String::new();
    let all: usize = preview.migrations.iter().map(|m| m.statements.len()).sum();
    match detail {
        Detail::Folded if all > MANY => folded(&mut out, preview),
        _ => preview
            .migrations
            .iter()
            .for_each(|m| whole(&mut out, m, preview.direction, detail)),
    }
    if preview.migrations.is_empty() {
        out.push_str("No migrations to apply\n");
    }
    locks::locks(&mut out, preview);
    lost(&mut out, preview);
    destructive(&mut out, preview, rescue);
    out.truncate(out.trim_end().len());
    out
}

fn whole(out: &mut String, m: &PreviewMigration, direction: Direction, detail: Detail) {
    heading(out, m, direction);
    let mut told = Told::new();
    for finding in &m.findings {
        self::finding(out, finding, &mut told);
    }
    let mut operation = None;
    for statement in &m.statements {
        if statement.operation != operation {
            operation = statement.operation;
            let described = operation.and_then(|at| m.operations.get(at));
            let words = described.map_or("at the end", |operation| &operation.describe);
            let _ = writeln!(
                out,
                "{}",
                wrapped("  ", &paint(Look::Faint, format!("-- {words}")))
            );
        }
        self::statement(out, statement, detail, &mut told);
    }
    out.push('\n');
}

fn folded(out: &mut String, preview: &Preview) {
    let (mut migrations, mut statements) = (0, 0);
    for m in &preview.migrations {
        if !needs_a_look(m) {
            migrations += 1;
            statements += m.statements.len() as u64;
            continue;
        }
        heading(out, m, preview.direction);
        let mut told = Told::new();
        for finding in m.findings.iter().filter(|f| f.counts() >= Severity::Ask) {
            self::finding(out, finding, &mut told);
        }
        let (shown, rest): (Vec<_>, Vec<_>) = m.statements.iter().partition(|s| matters(s));
        for statement in shown {
            self::statement(out, statement, Detail::Folded, &mut told);
        }
        if !rest.is_empty() {
            let rest = count(rest.len() as u64, "other statement");
            let _ = writeln!(out, "  {}", paint(Look::Faint, format!("and {rest}")));
        }
        out.push('\n');
    }
    if migrations > 0 {
        let (migrations, statements) = (
            count(migrations, "other migration"),
            count(statements, "statement"),
        );
        let rest =
            format!("{migrations} with {statements}: nothing that asks, nobody kept waiting");
        let _ = writeln!(out, "{rest}");
    }
    let _ = writeln!(
        out,
        "-v shows every statement; preview.sql in the run folder has them all\n"
    );
}

fn needs_a_look(m: &PreviewMigration) -> bool {
    let asks = |f: &Finding| f.counts() >= Severity::Ask;
    !m.complete() || m.findings.iter().any(asks) || m.statements.iter().any(matters)
}

fn matters(s: &Statement) -> bool {
    let asks = |f: &Finding| f.counts() >= Severity::Ask;
    s.skipped.is_some()
        || s.destructive
        || s.blocks != Blocks::Nothing
        || s.findings.iter().any(asks)
}

/// `verdict ask, plan 0123456789abcdef`
pub(crate) fn verdict(preview: &Preview) -> String {
    let verdict = painted(preview.verdict());
    format!("verdict {verdict}, plan {}", preview.fingerprint)
}

fn painted(verdict: Verdict) -> String {
    let look = match verdict {
        Verdict::Go => Look::Good,
        Verdict::Ask => Look::Warning,
        Verdict::Stop => Look::Bad,
    };
    paint(look, verdict.name()).to_string()
}

/// `lint`: files and their statements.
pub(crate) fn scripts(files: &[(&str, &[Statement])], detail: Detail, verdict: Verdict) -> String {
    let mut out = String::new();
    let all: usize = files.iter().map(|(_, statements)| statements.len()).sum();
    let folds = detail == Detail::Folded && all > MANY;
    let mut is_folded = false;
    for (path, statements) in files {
        let many = count(statements.len() as u64, "statement");
        let _ = writeln!(
            out,
            "{}  {}",
            paint(Look::Heading, path),
            paint(Look::Faint, many)
        );
        let mut told = Told::new();
        let (shown, rest): (Vec<_>, Vec<_>) = statements.iter().partition(|s| !folds || matters(s));
        for statement in shown {
            let line = format!("line {}", statement.line);
            let _ = writeln!(out, "  {}", paint(Look::Faint, line));
            self::statement(&mut out, statement, detail, &mut told);
        }
        if !rest.is_empty() {
            is_folded = true;
            let rest = count(rest.len() as u64, "other statement");
            let rest = format!("and {rest}: nothing that asks, nobody kept waiting");
            let _ = writeln!(out, "  {}", paint(Look::Faint, rest));
        }
        out.push('\n');
    }
    if is_folded {
        let _ = writeln!(out, "-v shows every statement\n");
    }
    let _ = write!(out, "verdict {}", painted(verdict));
    out
}

fn heading(out: &mut String, m: &PreviewMigration, direction: Direction) {
    let mut facts = match direction {
        Direction::Forward => Vec::new(),
        Direction::Back => vec!["goes back"],
    };
    facts.push(if m.atomic { "atomic" } else { "not atomic" });
    match (m.reversible(), direction) {
        (true, Direction::Forward) => facts.push("reversible"),
        (true, Direction::Back) => {}
        (false, _) => facts.push("irreversible"),
    }
    if !m.complete() {
        facts.push("SQL incomplete");
    }
    match m.deploy {
        // relative to code that would have to be deployed backwards
        _ if direction == Direction::Back => {}
        Deploy::Before => facts.push("apply before the deploy"),
        Deploy::After => facts.push("apply after the deploy"),
        Deploy::Either => facts.push("apply before or after the deploy"),
        Deploy::Neither if !m.complete() || !m.breaks.unknown.is_empty() => {}
        Deploy::Neither => facts.push("breaks old or new code while both run"),
    }
    let _ = writeln!(
        out,
        "{}  {}",
        paint(Look::Heading, &m.id),
        paint(Look::Faint, facts.join(", "))
    );
    if m.deploy == Deploy::Neither && direction == Direction::Forward {
        let old = m
            .breaks
            .old_code
            .iter()
            .map(|what| ("old code fails from the commit on", what));
        let new = m
            .breaks
            .new_code
            .iter()
            .map(|what| ("new code fails until the commit", what));
        for (whose, what) in old.chain(new) {
            let line = format!("{whose}: {what}");
            let _ = writeln!(out, "{}", wrapped("    ", &paint(Look::Faint, line)));
        }
    }
    if m.statements.is_empty() && m.complete() && m.reversible() {
        let _ = writeln!(
            out,
            "  {}",
            paint(Look::Faint, "no SQL: it changes only Django's state")
        );
    }
}

fn statement<'a>(out: &mut String, s: &'a Statement, detail: Detail, told: &mut Told<'a>) {
    for line in sql::lines(s, detail != Detail::Whole) {
        let _ = writeln!(out, "{line}");
    }
    let what = match &s.skipped {
        Some(proof) => format!("skipped, {proof}"),
        None => effects(s),
    };
    let _ = writeln!(out, "{}", wrapped("    ", &paint(Look::Faint, what)));
    for finding in &s.findings {
        self::finding(out, finding, told);
    }
    if detail == Detail::Whole && s.findings.iter().any(|f| f.counts() >= Severity::Ask) {
        let hash = format!("to waive one: statement = \"{}\"", policy::sql_hash(&s.sql));
        let _ = writeln!(out, "    {}", paint(Look::Faint, hash));
    }
}

/// `ACCESS EXCLUSIVE on public.shop_item; rewrites public.shop_item; blocks reads and writes`
fn effects(s: &Statement) -> String {
    let mut parts: Vec<String> = s
        .felt()
        .map(|l| format!("{} on {}", l.mode, l.relation))
        .collect();
    for (set, before, behind) in [
        (&s.rewrites, "rewrites ", ""),
        (&s.scans, "reads ", " in full"),
    ] {
        let there: Vec<String> = set.difference(&s.unfelt).map(ToString::to_string).collect();
        if !there.is_empty() {
            parts.push(format!("{before}{}{behind}", there.join(", ")));
        }
    }
    match s.blocks {
        Blocks::Nothing => {}
        Blocks::Writes => parts.push("blocks writes".to_owned()),
        Blocks::Reads => parts.push("blocks reads and writes".to_owned()),
    }
    if parts.is_empty() {
        parts.push("no lock on anything that existed before".to_owned());
    }
    parts.join("; ")
}

/// Remedies that a migration's findings have shown: each is said once.
type Told<'a> = BTreeSet<&'a str>;

fn finding<'a>(out: &mut String, f: &'a Finding, told: &mut Told<'a>) {
    let look = match f.severity {
        Severity::Note => Look::Keyword,
        Severity::Ask => Look::Warning,
        Severity::Stop => Look::Bad,
    };
    let (look, word) = match f.waived {
        Some(_) => (Look::Faint, "waived".to_owned()),
        None => (look, f.severity.to_string()),
    };
    let head = paint(look, format!("{word} {}:", f.code));
    let _ = writeln!(out, "{}", wrapped("    ", &format!("{head} {}", f.message)));
    if let Some(waived) = &f.waived {
        let _ = writeln!(out, "{}", wrapped("      ", &paint(Look::Faint, waived)));
        return;
    }
    if !f.remedy.is_empty() && told.insert(&f.remedy) {
        let _ = writeln!(out, "{}", wrapped("      ", &paint(Look::Faint, &f.remedy)));
    }
}

/// The plan and what asks in it, for who has to answer without having seen the preview.
pub(crate) fn asking(preview: &Preview) -> Vec<String> {
    let mut out = String::new();
    for m in &preview.migrations {
        let _ = writeln!(out, "[ ] {}", paint(Look::Heading, &m.id));
        let mut told = Told::new();
        for asks in m.all_findings().filter(|f| f.counts() >= Severity::Ask) {
            finding(&mut out, asks, &mut told);
        }
    }
    out.lines().map(str::to_owned).collect()
}

/// What the plan takes away; nothing where it takes nothing away.
pub(crate) fn destroyed(preview: &Preview, rescue: Rescue) -> Vec<String> {
    let mut out = String::new();
    lost(&mut out, preview);
    destructive(&mut out, preview, rescue);
    out.lines().map(str::to_owned).collect()
}

/// What going back leaves lost.
fn lost(out: &mut String, preview: &Preview) {
    let mut lines = Vec::new();
    for m in &preview.migrations {
        for lost in &m.not_brought_back {
            lines.push(wrapped(
                "  ",
                &format!("{} {lost}", paint(Look::Name, &m.id)),
            ));
        }
    }
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "{}",
        paint(Look::Warning, "Going back does not bring back")
    );
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(
        out,
        "  {}\n",
        paint(Look::Faint, "only the backup of that run has it")
    );
}

fn destructive(out: &mut String, preview: &Preview, rescue: Rescue) {
    if !preview.is_destructive() {
        return;
    }
    let title = match preview.direction {
        Direction::Forward => " DESTRUCTIVE: this plan takes away data for good ",
        Direction::Back => " DESTRUCTIVE: going back takes away data for good ",
    };
    let _ = writeln!(out, "{}", paint(Look::Destructive, title));
    for m in &preview.migrations {
        for loss in m.destroys() {
            let _ = writeln!(
                out,
                "{}",
                wrapped("  ", &format!("{} {loss}", paint(Look::Name, &m.id)))
            );
        }
    }
    let _ = writeln!(out, "  {}\n", paint(Look::Faint, rescue.words()));
}
