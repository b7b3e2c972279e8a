//! Step 3: the SQL of the plan, what each statement does, and what is missing. Pure.
//!
//! A silent gap is never presented as complete: what the bridge could not render makes a migration incomplete, and an
//! incomplete migration asks. Absent here: making the SQL (the bridge) and judging a statement (the hazards).

mod deploy;
mod document;
mod locks;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::django::wire::{Operation, OperationSql, Sql};
use crate::event::{FindingLine, PreviewFinished, PreviewedMigration};
use crate::exit::Class;
use crate::failure::Failure;
use crate::hazards::data::{Data, Question};
use crate::hazards::{self, Atomic, Context, Finding, MigrationSql, Severity, SqlPart, beyond};
use crate::names::MigrationId;
use crate::plan::{Direction, Plan, PlanStep};
use crate::sql::{Blocks, ColumnBefore, Loss, Relation, Statement, World};

pub(crate) use deploy::{Breaks, Deploy};
pub(crate) use document::{Described, back_document, document};
pub(crate) use locks::Locked;

/// The whole plan, statement by statement.
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) direction: Direction,
    pub(crate) migrations: Vec<PreviewMigration>,
    pub(crate) fingerprint: String,
}

#[derive(Debug)]
pub(crate) struct PreviewMigration {
    pub(crate) id: MigrationId,
    pub(crate) atomic: bool,
    pub(crate) file: Option<String>,
    /// Of that file.
    pub(crate) sha256: Option<String>,
    pub(crate) operations: Vec<PreviewOperation>,
    pub(crate) irreversible: Vec<String>,
    pub(crate) missing: Vec<Missing>,
    /// The way that the plan goes.
    pub(crate) statements: Vec<Statement>,
    /// The way back, where there is one and it could be rendered; of a plan that goes back none.
    pub(crate) reverse: Vec<Statement>,
    /// Of a plan that goes back: what of the way forward is not undone by that.
    pub(crate) not_brought_back: Vec<String>,
    pub(crate) deploy: Deploy,
    pub(crate) breaks: Breaks,
    /// What concerns the migration as a whole.
    pub(crate) findings: Vec<Finding>,
    /// How many rows each loss of `statements` and `reverse` is about, as far as that was asked and answered.
    at_stake: BTreeMap<Stake, String>,
}

/// One operation of a migration.
#[derive(Debug, Clone)]
pub(crate) struct PreviewOperation {
    /// Django's own `describe()`.
    pub(crate) describe: String,
    /// Where it begins in the file, from 1, where that was asked.
    pub(crate) line: Option<usize>,
}

/// A table, or a column of it, whose values would be lost.
pub(crate) type Stake = (Relation, Option<String>);

/// SQL that is not there, and why.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Missing {
    pub(crate) operation: String,
    pub(crate) why: String,
}

/// What the findings come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Verdict {
    Go,
    Ask,
    Stop,
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }

    /// What the worst of the findings comes to.
    pub(crate) fn of(worst: Option<Severity>) -> Self {
        match worst {
            Some(Severity::Stop) => Self::Stop,
            Some(Severity::Ask) => Self::Ask,
            Some(Severity::Note) | None => Self::Go,
        }
    }
}

/// Joins plan, SQL and hazards. A migration that is itself broken is a failure: its SQL cannot be made.
pub(crate) fn preview(
    plan: &Plan,
    sql: &BTreeMap<MigrationId, Sql>,
    context: &Context,
) -> Result<Preview, Failure> {
    broken(plan, sql)?;
    let (way, reverse): (Parts, Parts) = match plan.direction {
        Direction::Forward => (forward_parts, backward_parts),
        Direction::Back => (backward_parts, |_, _| Vec::new()),
    };
    let way = assessed(plan, sql, context, way);
    let reverse = assessed(plan, sql, context, reverse);
    let migrations = plan.steps.iter().zip(way).zip(reverse);
    Ok(Preview {
        direction: plan.direction,
        migrations: migrations
            .map(|((step, way), reverse)| {
                migration(step, plan.direction, sql.get(&step.id), way, reverse)
            })
            .collect(),
        fingerprint: plan.fingerprint.clone(),
    })
}

fn broken(plan: &Plan, sql: &BTreeMap<MigrationId, Sql>) -> Result<(), Failure> {
    for step in &plan.steps {
        let Some(found) = sql.get(&step.id) else {
            continue;
        };
        let Some(at) = way(found, plan.direction).iter().find(|o| o.broken) else {
            continue;
        };
        let operation = step
            .operations
            .get(at.operation)
            .map_or("?", |o| o.describe.as_str());
        let why = at.exception.as_ref().map_or_else(
            || at.missing.clone().unwrap_or_default(),
            |e| format!("{}: {}", e.class, e.message),
        );
        let (of, flag) = match plan.direction {
            Direction::Forward => ("", ""),
            Direction::Back => ("the way back of ", " --backwards"),
        };
        let failure = Failure::new(
            Class::SqlUnavailable,
            format!("the SQL of {of}`{}` cannot be made: {why}", step.id),
        )
        .source("operation", operation)
        .hint(format!(
            "the migration itself is at fault; `manage.py sqlmigrate{flag}` should fail in the same way"
        ));
        return Err(match &step.file {
            Some(file) => failure.source("file", file.clone()),
            None => failure,
        });
    }
    Ok(())
}

/// What would run, by operation.
fn way(sql: &Sql, direction: Direction) -> &[OperationSql] {
    match direction {
        Direction::Forward => &sql.forward,
        Direction::Back => sql.backward.as_deref().unwrap_or_default(),
    }
}

type Parts = for<'a> fn(&'a PlanStep, &'a Sql) -> Vec<SqlPart<'a>>;

fn assessed(
    plan: &Plan,
    sql: &BTreeMap<MigrationId, Sql>,
    context: &Context,
    parts: Parts,
) -> Vec<Vec<Statement>> {
    let scripts: Vec<MigrationSql<'_>> = plan
        .steps
        .iter()
        .map(|step| MigrationSql {
            atomic: if step.atomic { Atomic::Yes } else { Atomic::No },
            parts: sql
                .get(&step.id)
                .map(|sql| parts(step, sql))
                .unwrap_or_default(),
        })
        .collect();
    hazards::assess_migrations(&scripts, context)
}

fn forward_parts<'a>(step: &'a PlanStep, sql: &'a Sql) -> Vec<SqlPart<'a>> {
    let operations = sql.forward.iter().flat_map(|o| {
        let before = step.operations.get(o.operation).and_then(column_before);
        let operation = Some(o.operation);
        o.statements.iter().map(move |sql| SqlPart {
            sql,
            operation,
            before,
        })
    });
    operations
        .chain(sql.forward_deferred.iter().map(|sql| deferred(sql)))
        .collect()
}

fn backward_parts<'a>(step: &'a PlanStep, sql: &'a Sql) -> Vec<SqlPart<'a>> {
    let operations = sql.backward.iter().flatten().flat_map(|o| {
        let before = step.operations.get(o.operation).and_then(column_after);
        let operation = Some(o.operation);
        o.statements.iter().map(move |sql| SqlPart {
            sql,
            operation,
            before,
        })
    });
    operations
        .chain(sql.backward_deferred.iter().map(|sql| deferred(sql)))
        .collect()
}

/// What the schema editor sends at the end.
fn deferred(sql: &str) -> SqlPart<'_> {
    SqlPart {
        sql,
        operation: None,
        before: None,
    }
}

fn column_before(operation: &Operation) -> Option<ColumnBefore<'_>> {
    column(operation, operation.field_before.as_ref())
}

fn column_after(operation: &Operation) -> Option<ColumnBefore<'_>> {
    column(operation, operation.field_after.as_ref())
}

fn column<'a>(
    operation: &'a Operation,
    field: Option<&'a crate::django::wire::FieldState>,
) -> Option<ColumnBefore<'a>> {
    let field = field?;
    Some(ColumnBefore {
        table: operation.table.as_deref()?,
        column: field.column.as_deref()?,
        db_type: field.db_type.as_deref()?,
    })
}

fn migration(
    step: &PlanStep,
    direction: Direction,
    sql: Option<&Sql>,
    statements: Vec<Statement>,
    reverse: Vec<Statement>,
) -> PreviewMigration {
    let missing = missing(step, direction, sql);
    let mut findings: Vec<Finding> = missing.iter().map(incomplete).collect();
    if let (true, Some(sql)) = (step.atomic, sql) {
        findings.extend(python(step, way(sql, direction), &statements));
    }
    findings.extend(step.operations.iter().filter_map(model_of_today));
    findings.extend(step.irreversible.iter().map(|operation| {
        let code = match direction {
            Direction::Forward => "irreversible-operation",
            Direction::Back => "no-way-back",
        };
        beyond::finding(
            code,
            format!("there is no way back by migrations: {operation}"),
        )
    }));
    // two operations that read alike have one way back, or none
    let mut seen = Vec::new();
    findings.retain(|f| {
        let first = !seen.contains(&f.message);
        seen.push(f.message.clone());
        first
    });
    let breaks = Breaks::of(&statements);
    PreviewMigration {
        id: step.id.clone(),
        atomic: step.atomic,
        file: step.file.clone(),
        sha256: step.source_sha256.clone(),
        operations: operations(step),
        irreversible: step.irreversible.clone(),
        deploy: breaks.deploy(missing.is_empty()),
        breaks,
        missing,
        statements,
        reverse,
        not_brought_back: Vec::new(),
        findings,
        at_stake: BTreeMap::new(),
    }
}

fn operations(step: &PlanStep) -> Vec<PreviewOperation> {
    let lines = step.lines.iter().copied().map(Some);
    let lines = lines.chain(std::iter::repeat(None));
    let of = |(operation, line): (&Operation, Option<usize>)| PreviewOperation {
        describe: operation.describe.clone(),
        line,
    };
    step.operations.iter().zip(lines).map(of).collect()
}

fn missing(step: &PlanStep, direction: Direction, sql: Option<&Sql>) -> Vec<Missing> {
    let Some(sql) = sql else {
        return vec![Missing {
            operation: "all".to_owned(),
            why: "its SQL was not rendered".to_owned(),
        }];
    };
    let gap = |o: &OperationSql| {
        let operation = step.operations.get(o.operation);
        let describe = operation.map_or_else(
            || format!("operation {}", o.operation),
            |o| o.describe.clone(),
        );
        let opaque = || {
            let code = operation
                .and_then(|o| o.code.as_deref())
                .unwrap_or("its code");
            format!("{code} runs in Python; what SQL it sends is only known when it runs")
        };
        let why = match (&o.missing, o.opaque) {
            (Some(why), _) => why.clone(),
            (None, true) => opaque(),
            (None, false) => return None,
        };
        Some(Missing {
            operation: describe,
            why,
        })
    };
    way(sql, direction).iter().filter_map(gap).collect()
}

fn model_of_today(operation: &Operation) -> Option<Finding> {
    let models = &operation.models_of_today;
    let code = operation.code.as_deref().unwrap_or("its code");
    (!models.is_empty()).then(|| {
        let message = format!(
            "{code} uses {} as the code of today has it",
            models.join(", ")
        );
        beyond::finding("model-of-today", message)
    })
}

/// What is said of operations in Python that share a transaction with changes of the schema.
fn python(step: &PlanStep, sql: &[OperationSql], statements: &[Statement]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, opaque) in sql.iter().enumerate().filter(|(_, sql)| sql.opaque) {
        let operation = step.operations.get(opaque.operation);
        let code = operation.and_then(|o| o.code.as_deref());
        if code.is_none_or(|code| code.ends_with(".noop")) {
            continue;
        }
        let code = code.unwrap_or_default();
        let before: Vec<usize> = sql[..at].iter().map(|sql| sql.operation).collect();
        let is_before = |s: &&Statement| s.operation.is_some_and(|at| before.contains(&at));
        let locks = statements
            .iter()
            .filter(is_before)
            .flat_map(Statement::felt);
        let strong = locks.filter(|lock| lock.mode.blocks() > Blocks::Nothing);
        if let Some(lock) = strong.max_by_key(|lock| lock.mode) {
            let message = format!(
                "{code} runs while the transaction still holds {} on {}",
                lock.mode, lock.relation
            );
            let mut finding = beyond::finding("python-under-lock", message);
            finding.relation = Some(lock.relation.clone());
            findings.push(finding);
        }
        let behind = statements.iter().filter(|s| !is_before(s));
        let mut changed = behind.flat_map(Statement::felt);
        if let Some(lock) = changed.find(|lock| lock.mode.blocks() > Blocks::Nothing) {
            let message = format!(
                "{code} runs before {} is changed in the same transaction: if it writes rows of it, that may fail",
                lock.relation
            );
            let mut finding = beyond::finding("schema-after-python", message);
            finding.relation = Some(lock.relation.clone());
            findings.push(finding);
        }
    }
    findings
}

fn incomplete(missing: &Missing) -> Finding {
    let message = format!(
        "SQL may be missing for \"{}\": {}",
        missing.operation, missing.why
    );
    beyond::finding("incomplete-sql", message)
}

impl PreviewMigration {
    pub(crate) fn complete(&self) -> bool {
        self.missing.is_empty()
    }

    pub(crate) fn reversible(&self) -> bool {
        self.irreversible.is_empty()
    }

    /// Of the migration and of its statements.
    pub(crate) fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .chain(self.statements.iter().flat_map(|s| &s.findings))
    }

    /// To each finding, of the migration and of its statements.
    pub(crate) fn each_finding(&mut self, each: impl FnMut(&mut Finding)) {
        let of_statements = self.statements.iter_mut().flat_map(|s| &mut s.findings);
        self.findings.iter_mut().chain(of_statements).for_each(each);
    }

    /// What it takes away for good, as a person reads it.
    pub(crate) fn destroys(&self) -> Vec<String> {
        self.told(&self.statements)
    }

    /// What its reverse would take away.
    pub(crate) fn reverse_destroys(&self) -> Vec<String> {
        self.told(&self.reverse)
    }

    fn told(&self, statements: &[Statement]) -> Vec<String> {
        let mut seen = Vec::new();
        for loss in losses(statements) {
            let rows = stake(loss).and_then(|stake| self.at_stake.get(&stake));
            let text = match rows {
                Some(rows) => format!("{} ({rows})", loss.without_estimate()),
                None => loss.to_string(),
            };
            if !seen.contains(&text) {
                seen.push(text);
            }
        }
        seen
    }
}

fn losses(statements: &[Statement]) -> impl Iterator<Item = &Loss> {
    statements
        .iter()
        .filter(|s| s.destructive)
        .flat_map(|s| &s.losses)
}

fn stake(loss: &Loss) -> Option<Stake> {
    let column = match loss {
        Loss::Column { column, .. } | Loss::Precision { column, .. } => Some(column.clone()),
        _ => None,
    };
    Some((loss.relation()?.clone(), column))
}

impl Preview {
    pub(crate) fn verdict(&self) -> Verdict {
        let worst = self
            .migrations
            .iter()
            .flat_map(PreviewMigration::all_findings)
            .map(Finding::counts)
            .max();
        Verdict::of(worst)
    }

    /// What asks, but for what destroys: that has a question, and words, of its own.
    pub(crate) fn asks(&self) -> usize {
        let asks = |f: &&Finding| f.counts() >= Severity::Ask;
        let of_statement = |s: &Statement| {
            let findings = s.findings.iter().filter(asks);
            findings
                .filter(|f| !s.destructive || !hazards::DESTROYS.contains(&f.code))
                .count()
        };
        let of_migration = |m: &PreviewMigration| {
            let statements: usize = m.statements.iter().map(of_statement).sum();
            m.findings.iter().filter(asks).count() + statements
        };
        self.migrations.iter().map(of_migration).sum()
    }

    /// What a count of rows would tell more about: tables and columns that the plan destroys.
    pub(crate) fn stakes(&self) -> BTreeSet<Stake> {
        self.migrations
            .iter()
            .flat_map(|m| losses(&m.statements))
            .filter_map(stake)
            .collect()
    }

    /// Adds the counts: `500 rows`, `about 12,000 rows`.
    pub(crate) fn count(&mut self, rows: &BTreeMap<Stake, String>) {
        for m in &mut self.migrations {
            m.at_stake.clone_from(rows);
        }
    }

    /// Rows that are to be looked for, with the place of their statement: migration and statement.
    pub(crate) fn questions(&self, world: &World) -> Vec<((usize, usize), Question)> {
        let mut data = Data::new(world);
        let mut questions = Vec::new();
        for (at, m) in self.migrations.iter().enumerate() {
            // it is not known where in the migration its code runs
            if !m.complete() {
                data.opaque();
            }
            for (place, statement) in m.statements.iter().enumerate() {
                let asked = data.questions(statement).into_iter();
                questions.extend(asked.map(|question| ((at, place), question)));
            }
        }
        questions
    }

    /// What the rows said.
    pub(crate) fn answer(&mut self, (at, place): (usize, usize), finding: Finding) {
        let statement = self
            .migrations
            .get_mut(at)
            .and_then(|m| m.statements.get_mut(place));
        if let Some(statement) = statement {
            statement.findings.push(finding);
        }
    }

    pub(crate) fn is_destructive(&self) -> bool {
        self.migrations
            .iter()
            .any(|m| m.statements.iter().any(|s| s.destructive))
    }

    pub(crate) fn event(&self) -> PreviewFinished {
        let line = |f: &Finding| FindingLine {
            code: f.code.to_owned(),
            severity: f.severity.to_string(),
            message: f.message.clone(),
            waived: f.waived.as_ref().map(ToString::to_string),
        };
        let migrations = self.migrations.iter().map(|m| PreviewedMigration {
            app: m.id.app.0.clone(),
            name: m.id.name.0.clone(),
            complete: m.complete(),
            statements: m.statements.len() as u64,
            findings: m.all_findings().map(line).collect(),
            destroys: m.destroys(),
            reverse_destroys: m.reverse_destroys(),
            not_brought_back: m.not_brought_back.clone(),
        });
        PreviewFinished {
            verdict: self.verdict().name().to_owned(),
            plan_fingerprint: self.fingerprint.clone(),
            statements: self
                .migrations
                .iter()
                .map(|m| m.statements.len() as u64)
                .sum(),
            migrations: migrations.collect(),
        }
    }

    /// The whole SQL as one readable script.
    pub(crate) fn script(&self) -> String {
        let mut text = String::new();
        for m in &self.migrations {
            let back = match self.direction {
                Direction::Forward => "",
                Direction::Back => "back: ",
            };
            text.push_str(&format!(
                "-- {back}{}{}\n",
                m.id,
                if m.atomic { "" } else { " (not atomic)" }
            ));
            for missing in &m.missing {
                text.push_str(&format!(
                    "-- SQL may be missing: {}: {}\n",
                    missing.operation,
                    missing.why.replace('\n', " ")
                ));
            }
            for statement in &m.statements {
                if let Some(proof) = &statement.skipped {
                    let sql = statement.sql.replace('\n', "\n-- ");
                    text.push_str(&format!("-- skipped, {proof}:\n-- {sql}\n"));
                    continue;
                }
                text.push_str(statement.sql.trim_end().trim_end_matches(';'));
                text.push_str(";\n");
            }
            text.push('\n');
        }
        text
    }
}

/// A plan of one migration with one operation.
#[cfg(test)]
pub(crate) fn sample(app: &str, name: &str, sql: &str) -> Preview {
    let part = SqlPart {
        sql,
        operation: Some(0),
        before: None,
    };
    let migration = MigrationSql {
        atomic: Atomic::Yes,
        parts: vec![part],
    };
    let statements = hazards::assess_migrations(&[migration], &Context::default());
    Preview {
        direction: Direction::Forward,
        migrations: vec![PreviewMigration {
            id: MigrationId::new(app, name),
            atomic: true,
            file: None,
            sha256: None,
            operations: vec![PreviewOperation {
                describe: "Raw SQL operation".to_owned(),
                line: None,
            }],
            irreversible: Vec::new(),
            missing: Vec::new(),
            statements: statements.concat(),
            reverse: Vec::new(),
            not_brought_back: Vec::new(),
            deploy: Deploy::Neither,
            breaks: Breaks::default(),
            findings: Vec::new(),
            at_stake: BTreeMap::new(),
        }],
        fingerprint: "0123456789abcdef".to_owned(),
    }
}
