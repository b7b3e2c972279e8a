//! Who may be signalled, and whether he is still the same.

use std::time::{Duration, Instant};

use pgdriver::Permitted;
use pgdriver::activity::{SessionDetail, SessionInfo};

use super::sample::{REPORT, picture, session, snapshot};
use crate::ui::watch::rows::Key;
use crate::ui::watch::target::{Answer, Signal, Target, answer};

/// What a key gets where the root is changed like this.
fn asked(signal: Signal, change: impl FnOnce(&mut SessionInfo)) -> Answer {
    let mut picture = picture(snapshot(1));
    change(&mut picture.snapshot.sessions[0]);
    answer(signal, &Key::Backend(REPORT), &picture)
}

#[track_caller]
fn refused(because: &str, change: impl Fn(&mut SessionInfo)) {
    for signal in [Signal::Cancel, Signal::Terminate] {
        match asked(signal, &change) {
            Answer::Refuse { lines, instead, .. } => {
                assert!(lines.iter().any(|line| line.contains(because)), "{lines:?}");
                assert_eq!(instead, None);
            }
            Answer::Ask(_) => panic!("{because}: asked all the same"),
        }
    }
}

fn detail(session: &mut SessionInfo, change: impl Fn(&mut SessionDetail)) {
    if let Permitted::Seen(detail) = &mut session.detail {
        change(detail);
    }
}

#[test]
fn some_are_never_signalled() {
    refused("sends WAL", |one| one.is_walsender = true);
    refused("wraparound", |one| {
        detail(one, |detail| {
            detail.backend_type = Some("autovacuum worker".to_owned());
            "autovacuum: VACUUM public.shop_item (to prevent wraparound)"
                .clone_into(&mut detail.query);
        });
    });
    refused("wraparound", |one| {
        (one.user, one.detail) = (None, Permitted::NotPermitted);
    });
    refused("server's own", |one| {
        detail(one, |detail| {
            detail.backend_type = Some("checkpointer".to_owned());
        });
    });
    refused("signal that one", |one| {
        detail(one, |detail| {
            (detail.backend_type, detail.leader) = (Some("parallel worker".to_owned()), Some(7));
        });
    });
    refused("superuser's session", |one| one.superuser = true);
    refused("GRANT pg_signal_backend TO", |one| one.may_signal = false);
}

#[test]
fn a_cancel_that_would_do_nothing_offers_the_other() {
    for state in [
        "idle",
        "idle in transaction",
        "idle in transaction (aborted)",
    ] {
        let found = asked(Signal::Cancel, |one| {
            detail(one, |detail| detail.state = Some(state.to_owned()));
        });
        let Answer::Refuse { title, instead, .. } = found else {
            panic!("{state}: asked");
        };
        assert!(title.contains("it would do nothing"), "{title}");
        assert_eq!(instead, Some(Signal::Terminate));
    }
}

#[test]
fn a_question_says_what_would_happen() {
    let Answer::Ask(target) = asked(Signal::Terminate, |one| {
        one.application = Some("pg_dump".to_owned());
    }) else {
        panic!("refused");
    };
    let text = target.consequences.join("\n");
    for part in [
        "rolled back",
        "backup would be lost",
        "2 sessions wait for it",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// The transaction is so many seconds old, the connection so many, ten seconds after the question.
#[track_caller]
fn still(state: &str, signal: Signal, xact: Option<u64>, connected: u64) -> Result<(), String> {
    let at = Instant::now();
    let target = Target {
        signal,
        session: session(REPORT, "report", state, "SELECT"),
        at,
        consequences: Vec::new(),
    };
    let mut now = session(REPORT, "report", state, "SELECT");
    detail(&mut now, |detail| {
        detail.xact_age = xact.map(Duration::from_secs);
        detail.session_age = Some(Duration::from_secs(connected));
    });
    target.is_still(Some(&now), at + Duration::from_secs(10))
}

#[test]
fn a_pid_that_changed_hands_is_left_alone() {
    let idle = "idle in transaction";
    assert_eq!(still(idle, Signal::Terminate, Some(195), 610), Ok(()));
    assert_eq!(
        still(idle, Signal::Terminate, Some(196), 609),
        Ok(()),
        "clocks are no exact things"
    );
    let other = still(idle, Signal::Terminate, Some(195), 4).unwrap_err();
    assert!(other.contains("another session"), "{other}");
    for xact in [Some(4), None] {
        let over = still(idle, Signal::Terminate, xact, 610).unwrap_err();
        assert!(over.contains("another transaction"), "{over}");
    }
    // a query that is cancelled must be the one that was meant
    assert_eq!(still("active", Signal::Cancel, Some(13), 610), Ok(()));
    assert!(still("active", Signal::Cancel, Some(1), 610).is_err());
    // one that never rests is ended whatever it runs by now
    assert_eq!(still("active", Signal::Terminate, Some(1), 610), Ok(()));
    let at = Instant::now();
    let target = Target {
        signal: Signal::Cancel,
        session: session(REPORT, "report", "active", "SELECT"),
        at,
        consequences: Vec::new(),
    };
    assert!(
        target
            .is_still(None, at)
            .unwrap_err()
            .contains("gone already")
    );
}
