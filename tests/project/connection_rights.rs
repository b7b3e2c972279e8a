//! Roles of few rights through every command that only looks: a useful answer, and no crash.

use serde_json::Value;

use super::halt::halts;
use crate::support::{Builder, Shop, cli, shop_with};

/// A shop that logs in as a role of its own, and what the role may do.
struct Humble {
    shop: Shop,
    role: String,
}

impl Humble {
    #[track_caller]
    fn who(name: &str, major: u32, grants: &str) -> Self {
        Self::with(name, major, grants, |builder| builder)
    }

    #[track_caller]
    fn with(
        name: &str,
        major: u32,
        grants: &str,
        describe: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let role = format!("humble_{name}_{}_{major}", std::process::id());
        let shop = shop_with("5.2", major, |builder| {
            describe(builder.login(&role, "plain secret"))
        });
        shop.server()
            .create_role(&role, "PASSWORD 'plain secret'")
            .expect("a role");
        let grants = grants.replace("ROLE", &role);
        shop.database.execute(&grants).expect("grants");
        Self { shop, role }
    }
}

impl Drop for Humble {
    fn drop(&mut self) {
        let drop = format!(
            "REASSIGN OWNED BY {0} TO CURRENT_USER; DROP OWNED BY {0}",
            self.role
        );
        let _ = self.shop.database.execute(&drop);
        let _ = self
            .shop
            .server()
            .execute("postgres", &format!("DROP ROLE {}", self.role));
    }
}

/// It owns what it migrates, as an application's role does, and has nothing else.
const OWNER: &str = "ALTER SCHEMA public OWNER TO ROLE;
    DO $$ DECLARE t text; BEGIN
      FOR t IN SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE 'ALTER TABLE ' || t || ' OWNER TO ROLE'; END LOOP; END $$";

#[test]
fn an_owner_without_pg_monitor() {
    for major in [15, 18] {
        let humble = Humble::who("owner", major, OWNER);
        let shop = &humble.shop;
        let document = cli(shop)
            .args(["check", "--format", "json"])
            .run()
            .expect(0)
            .json();
        let codes = document["findings"].as_array().expect("findings");
        let monitor = codes.iter().find(|f| f["code"] == "no-pg-monitor");
        let remedy = &monitor.expect("it is told what it does not see")["remedy"];
        assert_eq!(
            remedy,
            format!("GRANT pg_monitor TO {}", humble.role).as_str()
        );
        for command in [&["status"][..], &["preview"], &["run"]] {
            cli(shop).args(command).run().expect(0);
        }
    }
}

#[test]
fn a_role_that_only_reads() {
    let humble = Humble::who(
        "reader",
        15,
        "GRANT USAGE ON SCHEMA public TO ROLE; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ROLE",
    );
    let shop = &humble.shop;
    let status: Value = cli(shop)
        .args(["status", "--format", "json"])
        .run()
        .expect(0)
        .json();
    assert!(status.to_string().contains("0004"), "{status:#}");
    cli(shop).args(["preview"]).run().expect(0);
    // a run could not alter what it does not own: told before a backup, not by the server in the middle
    let halt = halts(shop, &["run"], 31, "privilege");
    halt.says(&[&humble.role]);
}

#[test]
fn a_role_that_may_only_connect() {
    let humble = Humble::who("stranger", 15, "REVOKE ALL ON SCHEMA public FROM PUBLIC");
    let grant = format!("GRANT USAGE ON SCHEMA public TO {}", humble.role);
    // its search path passes over the schema, and Django would say that nothing is applied
    for command in ["check", "status", "preview", "run", "backup"] {
        let halt = halts(&humble.shop, &[command], 31, "privilege");
        halt.says(&["django_migrations in schema public", &grant]);
    }
    let ran = cli(&humble.shop)
        .args(["status", "--no-django", "--dsn"])
        .arg(
            humble
                .shop
                .server()
                .dsn_as(&humble.role, "plain secret", humble.shop.database.name()),
        )
        .run();
    assert_eq!(ran.code(), 31, "{}", ran.snapshot());
    assert!(ran.stderr.contains(&grant), "{}", ran.snapshot());
    // with it the table is found, and what is missing is another thing
    humble.shop.database.execute(&grant).expect("granted");
    for command in ["check", "status", "preview", "run"] {
        let halt = halts(&humble.shop, &[command], 31, "privilege");
        halt.says(&[
            "permission denied for table django_migrations",
            &format!("GRANT SELECT ON … TO {}", humble.role),
        ]);
    }
}

#[test]
fn a_history_that_somebody_has_locked() {
    let shop = shop_with("5.2", 15, |builder| builder);
    let url = shop.database.dsn();
    let held = shop.server().with_client(shop.database.name(), |client| {
        let mut transaction = client.transaction()?;
        transaction.batch_execute("LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")?;
        for command in ["check", "status", "run"] {
            let ran = cli(&shop)
                .args([command, "--format", "json"])
                .run()
                .expect(30);
            let last = ran.stdout.lines().last().unwrap_or_default().to_owned();
            let document: Value = match command {
                "run" => serde_json::from_str(&last).expect("a line"),
                _ => ran.json(),
            };
            let error = &document["error"];
            assert_eq!(error["class"], "database-error", "{document:#}");
            assert!(
                error["hint"]
                    .as_str()
                    .unwrap_or_default()
                    .contains("django-migrate locks"),
                "{error:#}"
            );
        }
        Ok(transaction.rollback()?)
    });
    held.unwrap_or_else(|why| panic!("{url}: {why:#}"));
}

/// Django's `assume_role`: what logs in may do nothing, and what it becomes owns the tables.
#[test]
fn a_role_that_is_assumed() {
    let owner = format!("owner_of_all_{}", std::process::id());
    let assumes =
        format!("DATABASES['default'].setdefault('OPTIONS', {{}})['assume_role'] = '{owner}'");
    let grants = format!(
        "CREATE ROLE {owner} NOLOGIN; GRANT {owner} TO ROLE; ALTER ROLE ROLE NOINHERIT; {}",
        OWNER.replace("ROLE", &owner)
    )
    .replace("CREATE ROLE", "CREATE USER")
    .replace("ALTER ROLE", "ALTER USER");
    let humble = Humble::with("assumes", 15, &grants, |builder| builder.settings(&assumes));
    cli(&humble.shop).args(["check"]).run().expect(0);
    // pg_dump and the preview's catalog too
    let dry = cli(&humble.shop)
        .args(["run", "--yes", "--format", "json"])
        .run()
        .expect(0);
    let lines = dry.stdout.lines().map(serde_json::from_str::<Value>);
    let plan = lines
        .filter_map(|line| line.ok()?["plan_fingerprint"].as_str().map(str::to_owned))
        .next_back()
        .expect("a fingerprint");
    cli(&humble.shop)
        .args(["run", "--apply", "--yes", "--skip-tests", "--plan", &plan])
        .args(["--confirm-destructive", "I understand"])
        .run()
        .expect(0);
    let left = format!(
        "REASSIGN OWNED BY {owner} TO CURRENT_USER; DROP OWNED BY {owner}; DROP ROLE {owner}"
    );
    humble.shop.database.execute(&left).expect("dropped");
}

/// What was taken from everybody is unknown, and costs no other answer; of many sequences the number is told.
#[test]
fn views_and_sequences_that_the_role_may_not_ask() {
    for major in [14, 15, 18] {
        let taken = "REVOKE SELECT ON pg_stat_replication, pg_prepared_xacts, pg_stat_wal_receiver FROM PUBLIC;
            DO $$ BEGIN FOR n IN 1..30 LOOP EXECUTE format('CREATE SEQUENCE kept_%s', n); END LOOP; END $$;";
        let humble = Humble::who("blind", major, &format!("{OWNER};{taken}"));
        let shop = &humble.shop;
        let check = cli(shop).args(["check", "--format", "json"]);
        let document = check.run().expect(0).json();
        let server = &document["server"];
        assert_eq!(server["replicas"], Value::Null, "on {major}");
        assert_eq!(server["prepared_transactions"], Value::Null);
        let unknown = server["unknown"].as_array().expect("reasons");
        // synchronous standbys are looked for among the replicas, too
        assert_eq!(unknown.len(), 4, "{unknown:?}");
        assert_eq!(server["sequences_unread"]["not permitted to see"], 30);
        assert_eq!(server["sequences"].as_array().map(Vec::len), Some(5));
        let shown = cli(shop).args(["check", "-v"]).run().expect(0);
        let words = "30 sequences in all: not permitted to see";
        assert!(shown.stdout.contains(words), "{}", shown.snapshot());

        let dsn = shop
            .server()
            .dsn_as(&humble.role, "plain secret", shop.database.name());
        let status = ["status", "--no-django", "--dsn", &dsn];
        let ran = cli(shop).args(status).run().expect(0);
        let words = "whether a standby answered is not permitted to see";
        assert!(ran.stdout.contains(words), "{}", ran.snapshot());
    }
}
