//! A server in recovery answers every question, too.

use std::time::Duration;

use pgdriver::{ConnectErrorKind, activity, catalog, history, server};
use xtask::env::Env;
use xtask::servers::{Options, TempServer};

use crate::{MAJORS, options};

#[tokio::test]
async fn every_read_works_on_a_standby() {
    for major in MAJORS {
        let install = Env::open().unwrap().postgres(major).unwrap();
        let files = vec![("standby.signal".to_owned(), Vec::new())];
        let standby = TempServer::start_with(
            &install,
            Options {
                files,
                ..Options::default()
            },
        )
        .unwrap();
        let dsn = standby.dsn("postgres");
        let session = pgdriver::connect_observer(&options(&dsn)).await.unwrap();
        let facts = server::facts(&session).await.unwrap();
        assert!(facts.in_recovery);
        assert_eq!(history::read(&session).await.unwrap(), None);
        assert_eq!(catalog::invalid_indexes(&session).await.unwrap(), []);
        assert_eq!(activity::wait_graph(&session).await.unwrap().edges, []);
        activity::long_transactions(&session, Duration::ZERO)
            .await
            .unwrap();

        let wanted = |what: &str| options(&format!("{dsn}?target_session_attrs={what}"));
        for fits in ["standby", "prefer-standby", "read-only"] {
            assert!(pgdriver::connect(&wanted(fits)).await.is_ok(), "{fits}");
        }
        for other in ["primary", "read-write"] {
            let error = pgdriver::connect(&wanted(other)).await.unwrap_err();
            assert_eq!(error.kind(), ConnectErrorKind::WrongSessionAttrs, "{error}");
        }
    }
}
