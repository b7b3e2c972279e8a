//! Looks for rows that the statements of a plan would fail on, before they run. Reads only, and not for long.
//!
//! Absent here: what is looked for, and what is said of it (see [`crate::hazards::data`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pgdriver::catalog::RelationName;
use pgdriver::{Session, offenders};

use crate::hazards::data::{self, Data, Question};
use crate::hazards::{Context, Finding};
use crate::preview::Preview;
use crate::sql::Statement;

/// Rows that are counted.
const LIMIT: u64 = 1000;
/// All questions together; each has the observer's own timeout.
const PATIENCE: Duration = Duration::from_secs(10);

/// Adds to a preview what the rows say.
pub(crate) async fn look(session: &Session, known: &Context, preview: &mut Preview) {
    let (places, questions): (Vec<_>, Vec<_>) = preview.questions(&known.world).into_iter().unzip();
    let findings = answers(session, &questions).await;
    for (place, finding) in places.into_iter().zip(findings) {
        if let Some(finding) = finding {
            preview.answer(place, finding);
        }
    }
}

/// What the rows say to the statements of a script, by their place in it.
pub(crate) async fn look_in(
    session: &Session,
    known: &Context,
    statements: impl Iterator<Item = Statement>,
) -> BTreeMap<usize, Vec<Finding>> {
    let mut data = Data::new(&known.world);
    let asked = statements.enumerate().flat_map(|(place, statement)| {
        let questions = data.questions(&statement).into_iter();
        questions.map(move |question| (place, question))
    });
    let (places, questions): (Vec<_>, Vec<_>) = asked.unzip();
    let findings = answers(session, &questions).await;
    let mut by_place: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (place, finding) in places.into_iter().zip(findings) {
        by_place.entry(place).or_default().extend(finding);
    }
    by_place
}

/// What the rows say to each question.
async fn answers(session: &Session, questions: &[Question]) -> Vec<Option<Finding>> {
    let begun = Instant::now();
    let mut findings = Vec::new();
    for question in questions {
        findings.push(match begun.elapsed() > PATIENCE {
            true => Some(data::not_looked(
                question,
                "the questions before it took too long",
            )),
            false => ask(session, question).await,
        });
    }
    findings
}

async fn ask(session: &Session, question: &Question) -> Option<Finding> {
    let table = RelationName::new(question.relation.schema(), question.relation.name());
    let found =
        offenders::offenders(session, &table, &question.offence, &question.key, LIMIT).await;
    match found {
        Ok(found) => data::finding(question, &found),
        Err(e) if e.is_lock_timeout() => Some(data::not_looked(question, "the table is locked")),
        Err(e) => Some(data::not_looked(question, &e.message())),
    }
}
