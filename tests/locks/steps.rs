//! The same look in `run`, in `check` and for the plan of a project: who would block these migrations now.

use serde_json::Value;

use crate::support::{self, Shop};

use super::scene::{self, Left};

/// The shop with a report that has read the items and left its transaction open.
fn shop_with_a_reader() -> (Shop, Left) {
    let shop = support::shop("5.2", 15);
    let left = scene::leave(
        &shop.database,
        "the long report",
        "BEGIN; SELECT FROM shop_item LIMIT 1",
        "",
    );
    scene::is_old(&shop.database, left.pid, 1.0);
    (shop, left)
}

#[test]
fn a_run_names_who_is_in_the_way_and_goes_on() {
    let (shop, left) = shop_with_a_reader();
    let ran = support::cli(&shop)
        .args(["run", "--no-backup", "--acknowledge-no-backup", "--yes"])
        .run()
        .expect(0);
    for words in [
        "in the way of the plan's locks now",
        "the long report",
        "idle in transaction",
        "public.shop_item",
        &format!("SELECT pg_terminate_backend({})", left.pid),
    ] {
        let screen = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(screen.contains(words), "{words}: {screen}");
    }
}

#[test]
fn a_check_finds_who_is_in_the_way() {
    let (shop, left) = shop_with_a_reader();
    let seen = support::cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(0)
        .json();
    let findings = seen["findings"].as_array().expect("findings");
    let finding = findings
        .iter()
        .find(|f| f["code"] == "ddl-blocked")
        .unwrap_or_else(|| panic!("{seen:#}"));
    assert_eq!(finding["relation"], "public.shop_item");
    let message = finding["message"].as_str().expect("a message");
    assert!(
        message.contains("the long report") && message.contains(&left.pid.to_string()),
        "{message}"
    );
    let line = seen["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .find(|c| c["name"] == "blockers");
    let detail = line
        .and_then(|line| line["detail"].as_str())
        .expect("a detail");
    assert!(detail.contains("1 transaction in the way"), "{detail}");
    let twice = findings.iter().filter(|f| {
        f["message"]
            .as_str()
            .is_some_and(|m| m.contains(&format!("backend {}", left.pid)))
    });
    assert_eq!(twice.count(), 1, "{seen:#}");
}

#[test]
fn the_readiness_of_a_project_is_that_of_its_plan() {
    let (shop, left) = shop_with_a_reader();
    let cli = support::cli(&shop).args(["locks", "--readiness"]);
    let seen = cli
        .clone()
        .args(["--format", "json"])
        .run()
        .expect(0)
        .json();
    let wanted = seen["readiness"]["wanted"].as_array().expect("wanted");
    let has = |relation: &str, mode: &str| {
        wanted
            .iter()
            .any(|w| w["relation"] == relation && w["mode"] == mode)
    };
    assert!(
        has("public.shop_item", "AccessExclusiveLock"),
        "{wanted:#?}"
    );
    // 0007 adds a foreign key to the orders
    assert!(
        has("public.shop_order", "AccessExclusiveLock"),
        "{wanted:#?}"
    );
    let pids: Vec<&Value> = seen["readiness"]["in_the_way"]
        .as_array()
        .expect("others")
        .iter()
        .map(|o| &o["pid"])
        .collect();
    assert_eq!(pids, [&Value::from(left.pid)]);
    drop(left);
    let ran = cli.args(["--fail-on", "note"]).run().expect(0);
    assert!(
        ran.stdout.contains("ready: nobody is in the way"),
        "{}",
        ran.stdout
    );
}
