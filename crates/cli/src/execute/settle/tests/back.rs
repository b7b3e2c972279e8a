//! The same on the way back, where Django takes the row out in a transaction that follows the migration's own.

use super::*;
use crate::plan::Direction;

fn back() -> Vec<Answer> {
    let mut begun = started(true);
    if let Answer::MigrationStarted { backward, .. } = &mut begun {
        *backward = true;
    }
    vec![begun, statement(1), finished(1), Answer::CommitStarted]
}

/// What is said where the connection is lost after these; `done`: the row is gone.
fn lost_after(answers: &[Answer], row_gone: bool) -> (Failure, Changed) {
    let mut progress = Progress::default();
    answers.iter().for_each(|a| progress.absorb(a));
    progress.absorb(&failed(&exception(
        None,
        "server closed the connection unexpectedly",
    )));
    let id = MigrationId::new("shop", "0002");
    let mut plan = plan([&id].into_iter());
    plan.direction = Direction::Back;
    let ended = Ended {
        crash: None,
        asked: Asked::default(),
        stopped_for: None,
    };
    let done = if row_gone { vec![id] } else { vec![] };
    let failure = settle(&plan, &progress, &ended, Ok(done), &Seen::default()).unwrap_err();
    let changed = failure.changed;
    (failure, changed)
}

#[track_caller]
fn says(failure: &Failure, words: &[&str]) {
    let all = format!(
        "{}\n{:?}\n{:?}",
        failure.message, failure.sources, failure.hint
    );
    for word in words {
        assert!(all.contains(word), "no `{word}` in {all}");
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_settled_by_the_row() {
    let (failure, changed) = lost_after(&back(), true);
    assert_eq!((changed, failure.code()), (Changed::Yes, 51));
    says(
        &failure,
        &[
            "`shop.0002` is rolled back, and not recorded any more",
            "1 of 1 migrations",
            "rolled back",
        ],
    );
    let (failure, changed) = lost_after(&back(), false);
    assert_eq!((changed, failure.code()), (Changed::Unknown, 52));
    says(
        &failure,
        &["take its row out of django_migrations if what it made is gone"],
    );
}

/// The row's own transaction has a COMMIT too, which leaves no doubt about the one before.
#[test]
fn a_row_that_stayed_behind_is_told_with_its_way_out() {
    let mut answers = back();
    answers.extend([statement(2), finished(2), Answer::CommitStarted]);
    let (failure, changed) = lost_after(&answers, false);
    assert_eq!((changed, failure.code()), (Changed::Yes, 51));
    says(
        &failure,
        &[
            "is rolled back but still recorded",
            "DELETE FROM django_migrations WHERE app = 'shop' AND name = '0002';",
        ],
    );
}

#[test]
fn before_the_commit_all_of_it_stays_applied() {
    let (failure, changed) = lost_after(&back()[..3], false);
    assert_eq!((changed, failure.code()), (Changed::No, 50));
    says(
        &failure,
        &["the way back of `shop.0002` failed", "stays applied"],
    );
}
