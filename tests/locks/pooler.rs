//! Through a transaction pooler the answer is the same: it is the server's, and its pids are the server's.

use serde_json::json;

use super::scene::{database, is_old, leave, look, waits};
use crate::support::{self, PoolMode};

#[test]
fn a_chain_is_seen_through_a_transaction_pooler() {
    let database = database(15);
    let Some(pooler) = support::pooler(database.server(), PoolMode::Transaction) else {
        return;
    };
    let holder = leave(&database, "report", "BEGIN; SELECT price FROM item", "");
    let ddl = leave(
        &database,
        "deploy",
        "",
        "ALTER TABLE item ADD COLUMN note text",
    );
    waits(&database, &ddl);
    let server = database.server();
    let dsn = format!(
        "host={} port={} user={} password={} dbname={}",
        pooler.host(),
        pooler.port(),
        server.user(),
        server.password(),
        database.name()
    );
    let cli = support::cli_in(&std::env::temp_dir()).args(["locks", "--dsn", &dsn]);
    let seen = look(&cli);
    let row = &seen["blocking"][0];
    assert_eq!(
        json!([row["pid"], row["root_pids"], row["relation"]]),
        json!([ddl.pid, [holder.pid], "public.item"])
    );
    is_old(&database, holder.pid, 1.0);
    let ready = look(&cli.args(["--readiness", "item"]));
    assert_eq!(ready["readiness"]["ready"], false);
}
