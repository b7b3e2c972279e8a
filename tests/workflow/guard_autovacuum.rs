//! An ordinary autovacuum is in the way: it leaves for whoever waits longer than deadlock_timeout, and the guard does so
//! where it may.

use std::time::{Duration, Instant};

use super::common::{Blog, Running, blog_on};
use crate::support::{Env, Options, TempServer};

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";
/// Each page costs it 0.4 s.
const DIRTY: &str = "INSERT INTO blog_post (title, slug) SELECT 'Post ' || n, 'post-' || n FROM generate_series(1, 20000) n; \
                     ALTER TABLE blog_post SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, \
                     autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1); UPDATE blog_post SET slug = slug || 'x'";
const AT_WORK: &str = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                       WHERE l.relation = 'blog_post'::regclass AND l.granted AND a.backend_type = 'autovacuum worker'";

fn eager() -> TempServer {
    let options = Options {
        settings: vec![("autovacuum_naptime".to_owned(), "1".to_owned())],
        ..Options::default()
    };
    let install = Env::open()
        .and_then(|env| env.postgres(15))
        .expect("PostgreSQL 15");
    TempServer::start_with(&install, options).expect("a server")
}

#[track_caller]
fn blog_under_vacuum(server: &TempServer) -> Blog {
    let models = super::common::models("likes = models.IntegerField(null=True)");
    let blog = blog_on(server, "5.2", |app| {
        app.models(&models).operations("0002_likes", ADD)
    });
    blog.execute(DIRTY);
    let begun = Instant::now();
    while blog.scalar(AT_WORK) == "0" {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "no autovacuum came"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    blog
}

#[test]
fn an_autovacuum_is_sent_away_by_one_patient_attempt() {
    let server = eager();
    let blog = blog_under_vacuum(&server);
    let told = Running::start(&blog.apply()).told(0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_likes"]);
    assert!(
        told.of_kind("retrying").is_empty(),
        "the first attempt is long enough"
    );
}

#[test]
fn where_the_lock_timeout_forbids_that_the_autovacuum_is_named() {
    let server = eager();
    let blog = blog_under_vacuum(&server);
    let flags = ["--lock-timeout", "500ms", "--max-wait", "2s"];
    let told = Running::start(&blog.apply().args(flags)).told(53);
    let told = told
        .because("migration-lock-timeout", "no")
        .says(&["public.blog_post", "an autovacuum"]);
    assert!(
        told.of_kind("lock_waiting")
            .iter()
            .all(|line| line["place"] == "outside_queue")
    );
    assert_eq!(blog.applied(), ["0001_initial"]);
}
