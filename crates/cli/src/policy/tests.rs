use super::{Policy, Rule, Scope, TablePattern, Waiver, hash_of, sql_hash};
use crate::hazards::{Finding, Severity};
use crate::names::MigrationId;
use crate::preview::{Preview, Verdict, sample};
use jiff::civil::{Date, date};
use wildmatch::WildMatch;

const TODAY: Date = date(2026, 11, 23);

fn rule(severity: Severity) -> Rule {
    Rule {
        codes: Vec::new(),
        apps: Vec::new(),
        tables: Vec::new(),
        smaller_than: None,
        larger_than: None,
        severity,
    }
}

fn waiver(code: &str, scope: Scope) -> Waiver {
    Waiver {
        code: code.to_owned(),
        scope,
        reason: "read it".to_owned(),
        expires: TODAY,
        place: "waivers[1]".to_owned(),
    }
}

fn of_migration(sql: Option<String>) -> Scope {
    Scope::Migration {
        id: MigrationId::new("shop", "0002_x"),
        sql,
    }
}

const SQL: &str = "ALTER TABLE shop_item ADD CONSTRAINT c CHECK (price > 0); DROP TABLE shop_old;";

fn judged(rules: Vec<Rule>, waivers: Vec<Waiver>, bytes: Option<u64>) -> (Preview, Vec<String>) {
    let mut preview = sample("shop", "0002_x", SQL);
    preview.migrations[0].each_finding(|finding| finding.bytes = bytes);
    let unused = Policy { rules, waivers }.judge_plan(&mut preview, TODAY);
    (preview, unused)
}

fn found<'a>(preview: &'a Preview, code: &str) -> &'a Finding {
    let mut all = preview.migrations[0].all_findings();
    all.find(|finding| finding.code == code).unwrap()
}

#[test]
fn a_rule_says_how_grave_what_fits_it_is() {
    let severity =
        |rules: Vec<Rule>, bytes| found(&judged(rules, Vec::new(), bytes).0, "add-check").severity;
    let note = || rule(Severity::Note);
    assert_eq!(severity(Vec::new(), None), Severity::Ask);
    assert_eq!(severity(vec![note()], None), Severity::Note);
    // the last that fits
    let stop = Rule {
        codes: vec!["add-check".into()],
        ..rule(Severity::Stop)
    };
    assert_eq!(severity(vec![note(), stop.clone()], None), Severity::Stop);
    assert_eq!(severity(vec![stop, note()], None), Severity::Note);
    let of = |app: &str| Rule {
        apps: vec![app.into()],
        ..note()
    };
    assert_eq!(severity(vec![of("shop")], None), Severity::Note);
    assert_eq!(severity(vec![of("auth")], None), Severity::Ask);
    let on = |table: &str| Rule {
        tables: vec![TablePattern(WildMatch::new(table))],
        ..note()
    };
    assert_eq!(severity(vec![on("shop_*")], None), Severity::Note);
    assert_eq!(severity(vec![on("public.shop_item")], None), Severity::Note);
    assert_eq!(severity(vec![on("shop")], None), Severity::Ask);
    let small = Rule {
        smaller_than: Some(100),
        ..note()
    };
    assert_eq!(severity(vec![small.clone()], Some(99)), Severity::Note);
    assert_eq!(severity(vec![small.clone()], Some(100)), Severity::Ask);
    assert_eq!(severity(vec![small], None), Severity::Ask);
    let large = Rule {
        larger_than: Some(100),
        ..rule(Severity::Stop)
    };
    assert_eq!(severity(vec![large.clone()], Some(101)), Severity::Stop);
    assert_eq!(severity(vec![large], None), Severity::Ask);
}

#[test]
fn what_destroys_stays_a_question() {
    let (preview, _) = judged(vec![rule(Severity::Note)], Vec::new(), None);
    assert_eq!(found(&preview, "drop-table").severity, Severity::Ask);
    assert_eq!(preview.verdict(), Verdict::Ask);
}

#[test]
fn a_waiver_counts_for_the_sql_that_it_names_and_no_other() {
    let (plain, _) = judged(Vec::new(), Vec::new(), None);
    let is = hash_of(&plain.migrations[0], "add-check");
    let (preview, unused) = judged(
        Vec::new(),
        vec![waiver("add-check", of_migration(is.clone()))],
        None,
    );
    assert_eq!(found(&preview, "add-check").counts(), Severity::Note);
    assert_eq!(found(&preview, "drop-table").counts(), Severity::Ask);
    assert!(unused.is_empty() && preview.is_destructive());
    for sql in [None, Some("0123456789abcdef".to_owned())] {
        let (preview, unused) = judged(
            Vec::new(),
            vec![waiver("add-check", of_migration(sql))],
            None,
        );
        assert_eq!(found(&preview, "add-check").counts(), Severity::Ask);
        let said = found(&preview, "waiver-not-bound");
        let right = format!("sql = \"{}\"", is.clone().unwrap());
        assert!(said.message.contains(&right), "{}", said.message);
        assert!(unused.is_empty());
    }
}

#[test]
fn a_waiver_of_a_statement_finds_it_wherever_it_is() {
    let sql = "ALTER TABLE shop_item\n ADD CONSTRAINT c CHECK (price > 0) -- so\n";
    let (preview, _) = judged(
        Vec::new(),
        vec![waiver("add-check", Scope::Statement(sql_hash(sql)))],
        None,
    );
    assert!(found(&preview, "add-check").waived.is_some());
    let (preview, unused) = judged(
        Vec::new(),
        vec![waiver("add-check", Scope::Statement(sql_hash("SELECT 1")))],
        None,
    );
    assert!(found(&preview, "add-check").waived.is_none());
    assert_eq!(unused, ["waivers[1] (add-check) fits nothing in this plan"]);
}

#[test]
fn a_waiver_ends_with_its_day() {
    let is = sql_hash("ALTER TABLE shop_item ADD CONSTRAINT c CHECK (price > 0)");
    let over = Waiver {
        expires: TODAY.yesterday().unwrap(),
        ..waiver("add-check", Scope::Statement(is))
    };
    let (preview, _) = judged(Vec::new(), vec![over], None);
    assert_eq!(found(&preview, "add-check").counts(), Severity::Ask);
    assert!(
        found(&preview, "waiver-expired")
            .message
            .contains("2026-11-22: read it")
    );
}

#[test]
fn a_hash_stays_when_only_a_default_differs() {
    let at = |when: &str| {
        format!("ALTER TABLE a ADD COLUMN b timestamptz DEFAULT '{when}'::timestamptz NOT NULL")
    };
    assert_eq!(
        sql_hash(&at("2026-01-01 10:00")),
        sql_hash(&at("2026-01-02 11:00"))
    );
    assert_ne!(sql_hash(&at("x")), sql_hash(&at("x").replace('b', "c")));
    assert_ne!(
        sql_hash("UPDATE a SET b = 'x'"),
        sql_hash("UPDATE a SET b = 'y'")
    );
}
