use std::collections::{BTreeMap, BTreeSet};

use pgdriver::catalog::{NamedConstraint, NamedIndex, RelationName};

use super::*;
use crate::event::{EventKind, Line, Planned, PlannedMigration, RunFinished, RunStarted, Step};
use crate::exit::Changed;
use crate::sql::Relation;

const INDEX: &str = "CREATE INDEX CONCURRENTLY \"blog_slug\" ON \"blog_post\" (\"slug\")";
const COLUMN: &str = "ALTER TABLE \"blog_post\" ADD COLUMN \"likes\" integer NULL";
const UPDATE: &str = "UPDATE blog_post SET likes = likes + 1";

fn lines(atomic: bool, more: Vec<EventKind>) -> Vec<Line> {
    let started = EventKind::RunStarted(RunStarted {
        run: "20261122-093015-4711".into(),
        tool_version: "0".into(),
        dry_run: false,
        rolls_back: None,
        restores: false,
        backup_first: false,
        app: None,
        migration: None,
        database: "default".into(),
        project: "/p".into(),
        settings: None,
        pythonpath: None,
        host: "db1".into(),
        pid: 4711,
    });
    let planned = EventKind::Planned(Planned {
        plan_fingerprint: "0123456789abcdef".into(),
        migrations: vec![PlannedMigration {
            app: "blog".into(),
            name: "0002".into(),
            atomic,
            sha256: Some("aa".into()),
            operations: vec![],
            irreversible: vec![],
        }],
        previous: BTreeMap::new(),
    });
    [started, planned]
        .into_iter()
        .chain(more)
        .map(|kind| Line {
            schema_version: 1,
            at: "2026-11-22T09:30:15Z".into(),
            elapsed_ms: 0,
            kind,
        })
        .collect()
}

fn begins(atomic: bool) -> EventKind {
    EventKind::MigrationStarted {
        app: "blog".into(),
        name: "0002".into(),
        atomic,
        backward: false,
    }
}

fn starts(number: u64, sql: &str) -> EventKind {
    EventKind::StatementStarted {
        number,
        app: None,
        name: None,
        sql: sql.into(),
    }
}

fn ends(number: u64) -> EventKind {
    EventKind::StatementFinished {
        number,
        seconds: 0.1,
    }
}

fn run(atomic: bool, more: Vec<EventKind>) -> BrokenRun {
    let apply = EventKind::StepStarted { step: Step::Apply };
    let all = [apply, begins(atomic)].into_iter().chain(more).collect();
    BrokenRun::of(&lines(atomic, all)).expect("a start")
}

fn post() -> Relation {
    Relation::unqualified("blog_post")
}

/// The index as it stands; `None` is not there.
fn index(whole: Option<bool>, definition: &str) -> Found {
    let name = Relation::unqualified("blog_slug");
    let index = whole.map(|whole| NamedIndex {
        name: RelationName::new("public", "blog_slug"),
        table: RelationName::new("public", "blog_post"),
        oid: 1,
        is_valid: whole,
        takes_writes: true,
        in_progress: false,
    });
    Found {
        definitions: BTreeMap::from([(name.clone(), definition.to_owned())]),
        indexes: index
            .into_iter()
            .map(|index| (name.clone(), index))
            .collect(),
        tables: BTreeMap::from([(post(), BTreeSet::from(["id".to_owned()]))]),
        ..Found::default()
    }
}

fn done(run: &BrokenRun, sha: &str, sql: &str, found: &Found) -> bool {
    let id = MigrationId::new("blog", "0002");
    let before = before(std::slice::from_ref(run), &id, Some(sha), sql, found);
    matches!(before, Some(Before::Done(_)))
}

const DEFINED: &str = "CREATE INDEX blog_slug ON public.blog_post USING btree (slug)";

#[test]
fn an_index_that_was_built_to_its_end_need_not_be_built_again() {
    let finished = run(false, vec![starts(1, INDEX), ends(1)]);
    assert!(done(&finished, "aa", INDEX, &index(Some(true), "")));
    // the journal alone proves nothing, nor does the catalog alone
    assert!(!done(&finished, "aa", INDEX, &index(None, "")));
    let never = run(false, vec![starts(1, COLUMN), ends(1)]);
    assert!(!done(&never, "aa", INDEX, &index(Some(true), DEFINED)));
    // another file is another migration, whatever its name
    assert!(!done(&finished, "bb", INDEX, &index(Some(true), "")));
    let atomic = run(true, vec![starts(1, INDEX), ends(1)]);
    assert!(!done(&atomic, "aa", INDEX, &index(Some(true), DEFINED)));
}

#[test]
fn an_index_whose_end_nobody_saw_counts_only_where_it_is_the_same() {
    let cut = run(false, vec![starts(1, INDEX)]);
    assert!(done(&cut, "aa", INDEX, &index(Some(true), DEFINED)));
    let other = DEFINED.replace("slug)", "title)");
    assert!(!done(&cut, "aa", INDEX, &index(Some(true), &other)));
    // it failed, perhaps since an index of the name was there: that one proves nothing
    let end = EventKind::RunFinished(RunFinished {
        exit_code: 51,
        changed: Changed::Yes,
        run: String::new(),
        report: None,
        error: None,
    });
    let failed = run(false, vec![starts(1, INDEX), end]);
    assert!(!done(&failed, "aa", INDEX, &index(Some(true), DEFINED)));
}

/// Found by hand: kill -9 within the build, then a run that failed over the leftover, then REINDEX.
#[test]
fn a_run_that_failed_over_it_does_not_hide_the_one_that_made_it() {
    let end = EventKind::RunFinished(RunFinished {
        exit_code: 50,
        changed: Changed::No,
        run: String::new(),
        report: None,
        error: None,
    });
    let earlier = [
        run(false, vec![starts(1, INDEX), end]),
        run(false, vec![starts(1, INDEX)]),
    ];
    let id = MigrationId::new("blog", "0002");
    let found = index(Some(true), DEFINED);
    let before = before(&earlier, &id, Some("aa"), INDEX, &found);
    assert!(matches!(before, Some(Before::Done(_))), "{before:?}");
}

#[test]
fn a_condition_is_part_of_the_definition() {
    let partial = format!("{INDEX} WHERE slug IS NOT NULL");
    let cut = run(false, vec![starts(1, &partial)]);
    let is = |condition: &str| index(Some(true), &format!("{DEFINED} WHERE {condition}"));
    assert!(done(&cut, "aa", &partial, &is("slug IS NOT NULL")));
    assert!(!done(&cut, "aa", &partial, &is("slug IS NULL")));
    assert!(!done(&cut, "aa", &partial, &index(Some(true), DEFINED)));
}

#[test]
fn an_invalid_index_is_named_with_its_way_out() {
    let id = MigrationId::new("blog", "0002");
    for more in [vec![starts(1, INDEX)], vec![starts(1, INDEX), ends(1)]] {
        let run = run(false, more);
        let found = index(Some(false), DEFINED);
        let before = before(&[run], &id, Some("aa"), INDEX, &found);
        assert_eq!(
            before,
            Some(Before::Leftover {
                index: "public.blog_slug".into(),
                way_out: "DROP INDEX CONCURRENTLY IF EXISTS \"blog_slug\";".into()
            })
        );
    }
}

#[test]
fn a_column_that_a_finished_statement_added_counts_and_rows_never_do() {
    let run = run(
        false,
        vec![starts(1, COLUMN), ends(1), starts(2, UPDATE), ends(2)],
    );
    let mut found = Found::default();
    assert!(!done(&run, "aa", COLUMN, &found));
    let columns = BTreeSet::from(["likes".to_owned()]);
    found.tables.insert(post(), columns);
    assert!(done(&run, "aa", COLUMN, &found));
    assert!(!done(&run, "aa", UPDATE, &found));
}

#[test]
fn a_constraint_is_validated_or_it_is_not() {
    let sql = "ALTER TABLE blog_post VALIDATE CONSTRAINT likes_positive";
    let found = |is_validated| Found {
        constraints: BTreeMap::from([(
            (post(), "likes_positive".to_owned()),
            NamedConstraint {
                table: RelationName::new("public", "blog_post"),
                name: "likes_positive".into(),
                is_validated,
            },
        )]),
        ..Found::default()
    };
    let cut = run(false, vec![starts(1, sql)]);
    assert!(done(&cut, "aa", sql, &found(true)));
    assert!(!done(&cut, "aa", sql, &found(false)));
    let told = notes(&previous(cut, found(false), &[]));
    assert!(told.contains("NOT VALID"), "{told}");
    assert!(
        told.contains("VALIDATE CONSTRAINT \"likes_positive\""),
        "{told}"
    );
}

fn previous(run: BrokenRun, found: Found, recorded: &[&str]) -> Previous {
    Previous {
        run,
        recorded: recorded
            .iter()
            .map(|name| MigrationId::new("blog", name))
            .collect(),
        found,
        backends: vec![],
        partials: vec![],
    }
}

fn notes(previous: &Previous) -> String {
    let notes = previous.notes().into_iter().map(|(_, message)| message);
    notes.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_atomic_migration_is_told_by_what_is_recorded_and_by_what_is_there() {
    let cut = || run(true, vec![starts(1, COLUMN), ends(1)]);
    let with = |column: &str| Found {
        tables: BTreeMap::from([(post(), BTreeSet::from([column.to_owned()]))]),
        ..Found::default()
    };
    for (found, recorded, words) in [
        (with("id"), &[][..], "rolled back whole"),
        (with("likes"), &[][..], "applied but not recorded"),
        (
            with("likes"),
            &["0002"][..],
            "its commit arrived and is recorded",
        ),
        (Found::default(), &["0002"][..], "its commit arrived"),
    ] {
        let told = notes(&previous(cut(), found, recorded));
        assert!(told.contains(words), "{words}: {told}");
        assert!(
            told.contains("run 20261122-093015-4711 (apply, pid 4711 on db1"),
            "{told}"
        );
        assert!(
            told.contains("step 4, Apply, in migration blog.0002"),
            "{told}"
        );
    }
    let fake = notes(&previous(cut(), with("likes"), &[]));
    assert!(fake.contains("migrate blog 0002 --fake"), "{fake}");
    let nothing = notes(&previous(
        run(true, vec![starts(1, COLUMN)]),
        with("id"),
        &[],
    ));
    assert!(
        nothing.contains("its transaction was rolled back"),
        "{nothing}"
    );
}

#[test]
fn as_long_as_its_backend_works_nothing_is_settled() {
    let mut open = previous(
        run(true, vec![starts(1, COLUMN), ends(1)]),
        Found::default(),
        &[],
    );
    open.backends.push(Backend {
        pid: 99,
        run: "20261122-093015-4711".into(),
        what: "active for 3 s: COMMIT".into(),
    });
    let told = notes(&open);
    assert!(
        told.contains("backend 99 is still at work: active for 3 s: COMMIT"),
        "{told}"
    );
    assert!(told.contains("is open as long as"), "{told}");
    assert!(!told.contains("rolled back"), "{told}");
}

#[test]
fn half_of_a_migration_is_told_statement_by_statement() {
    let cut = run(
        false,
        vec![
            starts(1, COLUMN),
            ends(1),
            starts(2, UPDATE),
            ends(2),
            starts(3, INDEX),
        ],
    );
    let mut found = index(Some(false), "");
    let columns = BTreeSet::from(["id".to_owned(), "likes".to_owned()]);
    found.tables.insert(post(), columns);
    let told = notes(&previous(cut, found, &[]));
    for words in [
        "blog.0002 is not atomic and not recorded: 2 statements of it came to an end",
        "statement 1: finished, and the catalog proves its work: column likes of public.blog_post",
        "statement 2: finished, and nothing in the catalog proves it: run again it does its work a second time",
        "statement 3: was under way: index blog_slug",
        "DROP INDEX CONCURRENTLY IF EXISTS \"blog_slug\";",
    ] {
        let plain = told.replace("public.blog_slug on public.blog_post", "blog_slug");
        assert!(plain.contains(words), "{words}:\n{told}");
    }
}

#[test]
fn a_run_that_came_to_no_migration_changed_nothing() {
    let step = EventKind::StepStarted { step: Step::Backup };
    let cut = BrokenRun::of(&lines(true, vec![step])).expect("a start");
    let mut cut = previous(cut, Found::default(), &[]);
    cut.partials
        .push("backups/backup_shop.sql.gz.partial".into());
    let told = notes(&cut);
    assert!(
        told.contains("in step 2, Backup: no migration had begun"),
        "{told}"
    );
    assert!(
        told.contains("backup_shop.sql.gz.partial, which is no whole backup"),
        "{told}"
    );
    assert!(
        cut.notes()
            .iter()
            .all(|(level, _)| *level == crate::event::NoteLevel::Note)
    );
}

#[test]
fn a_journal_may_stop_anywhere() {
    let all = lines(
        false,
        vec![begins(false), starts(1, COLUMN), ends(1), starts(2, INDEX)],
    );
    for n in 1..=all.len() {
        let run = BrokenRun::of(&all[..n]).expect("the start is there");
        assert_eq!(run.reached_the_database(), n > 2);
        assert!(!notes(&previous(run, Found::default(), &[])).is_empty());
    }
    assert!(BrokenRun::of(&[]).is_none());
}

/// Found by hand: a third run was told that the second had made what it had only met and skipped.
#[test]
fn the_proof_names_the_run_that_did_it_and_not_one_that_skipped_it() {
    let skipped = EventKind::StatementSkipped {
        number: 1,
        sql: INDEX.into(),
        proof: "index public.blog_slug on public.blog_post is there and whole, from run first"
            .into(),
    };
    let mut first = run(false, vec![starts(1, INDEX), ends(1)]);
    first.run = "first".into();
    let mut second = run(false, vec![starts(1, INDEX), skipped]);
    second.run = "second".into();
    let id = MigrationId::new("blog", "0002");
    let found = index(Some(true), DEFINED);
    // also where the journal of the first is not there any more
    for earlier in [vec![second.clone(), first], vec![second]] {
        let before = before(&earlier, &id, Some("aa"), INDEX, &found);
        let Some(Before::Done(Proof(proof))) = before else {
            panic!("{before:?}");
        };
        assert!(proof.ends_with("from run first"), "{proof}");
    }
}
