//! Sessions for the tests of this room.

use std::time::Duration;

use pgdriver::Permitted;
use pgdriver::activity::remedy::Asker;
use pgdriver::activity::{SessionDetail, SessionInfo};

use super::Us;

pub(super) fn us() -> Us {
    let asker = Asker {
        role: "ops".to_owned(),
        database: "shop".to_owned(),
        deadlock_timeout: Some(Duration::from_secs(1)),
    };
    Us {
        asker,
        superuser: false,
        version: "18.6".to_owned(),
    }
}

/// A client of the shop whose state this role may see.
pub(super) fn session(pid: i32, state: &str, xact_age: Duration) -> SessionInfo {
    let detail = SessionDetail {
        state: Some(state.to_owned()),
        backend_type: Some("client backend".to_owned()),
        xact_age: Some(xact_age),
        query: "SELECT 'sesame'".to_owned(),
        ..SessionDetail::default()
    };
    SessionInfo {
        detail: Permitted::Seen(detail),
        ..hidden(pid)
    }
}

/// A client of the shop that this role may not look at.
pub(super) fn hidden(pid: i32) -> SessionInfo {
    SessionInfo {
        pid,
        user: Some("web".to_owned()),
        database: Some("shop".to_owned()),
        application: None,
        superuser: false,
        may_signal: true,
        is_walsender: false,
        vacuums_an_old_table: None,
        detail: Permitted::NotPermitted,
    }
}

/// What of it is seen.
pub(super) fn detail(session: &mut SessionInfo) -> &mut SessionDetail {
    match &mut session.detail {
        Permitted::Seen(detail) => detail,
        Permitted::NotPermitted => unreachable!("made to be seen"),
    }
}
