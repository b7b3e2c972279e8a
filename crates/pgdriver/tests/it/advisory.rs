//! One runner at a time, and the second one learns who.

use std::time::Duration;

use pgdriver::advisory::{self, Attempt, LockKey};

use crate::{databases, options, plain_dsn, soon, superuser};

const KEY: LockKey = LockKey::MIGRATIONS;

#[tokio::test]
async fn the_second_learns_who_holds_it() {
    for database in databases() {
        let first = superuser(&database).await;
        let pid = first.pid();
        let Attempt::Acquired(lock) =
            advisory::try_acquire(first, KEY, "django-migrate run 'r1' pid 7")
                .await
                .unwrap()
        else {
            panic!("nobody else is here");
        };
        assert!(lock.is_held().await.unwrap());
        assert_eq!(lock.pid(), pid);

        // another role, without pg_monitor
        let plain = plain_dsn(database.server(), database.name());
        let second = pgdriver::connect(&options(&plain)).await.unwrap();
        let Attempt::Busy { holder, session } =
            advisory::try_acquire(second, KEY, "r2").await.unwrap()
        else {
            panic!("two hold one lock");
        };
        let holder = holder.unwrap();
        assert_eq!(holder.pid, pid);
        assert_eq!(
            holder.application.as_deref(),
            Some("django-migrate run 'r1' pid 7")
        );
        assert_eq!(holder.user.as_deref(), Some(database.server().user()));
        assert_eq!(
            (holder.client, holder.since),
            (None, None),
            "hidden from a plain role"
        );

        // another lock is free, and so is the same one in another database
        let Attempt::Acquired(other) = advisory::try_acquire(session, LockKey::numbered(2), "r2")
            .await
            .unwrap()
        else {
            panic!("another number is another lock");
        };
        let elsewhere = pgdriver::connect(&options(&database.server().dsn("postgres")))
            .await
            .unwrap();
        assert!(matches!(
            advisory::try_acquire(elsewhere, LockKey::numbered(9), "x").await,
            Ok(Attempt::Acquired(_))
        ));

        other.release().await.unwrap();
        lock.release().await.unwrap();
        let again = superuser(&database).await;
        assert!(matches!(
            advisory::try_acquire(again, KEY, "r3").await.unwrap(),
            Attempt::Acquired(_)
        ));
    }
}

#[tokio::test]
async fn a_lock_whose_session_was_terminated_is_lost() {
    for database in databases() {
        let session = superuser(&database).await;
        let Attempt::Acquired(lock) = advisory::try_acquire(session, KEY, "r1").await.unwrap()
        else {
            panic!("nobody else is here");
        };
        database
            .execute(&format!("SELECT pg_terminate_backend({})", lock.pid()))
            .unwrap();
        tokio::time::timeout(Duration::from_secs(10), lock.lost())
            .await
            .expect("it is told");
        assert!(!lock.is_held().await.unwrap());
        assert!(lock.release().await.unwrap_err().is_connection_lost());
    }
}

#[tokio::test]
async fn timeouts_of_the_role_do_not_end_the_lock() {
    let database = databases().next().unwrap();
    database
        .execute(&format!(
            "ALTER DATABASE \"{}\" SET idle_session_timeout = '200ms'",
            database.name()
        ))
        .unwrap();
    let session = superuser(&database).await;
    let Attempt::Acquired(lock) = advisory::try_acquire(session, KEY, "r1").await.unwrap() else {
        panic!("nobody else is here");
    };
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(lock.is_held().await.unwrap());
    let pid = lock.pid();
    drop(lock);
    soon("a dropped lock is free", || {
        database
            .scalar(&format!(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = {pid}"
            ))
            .unwrap()
            == "0"
    })
    .await;
}
