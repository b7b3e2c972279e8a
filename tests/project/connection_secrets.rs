//! A password stands nowhere, whichever way it came: settings, `--dsn`, variables, `.pgpass`, a service, OPTIONS.

use std::os::unix::fs::PermissionsExt as _;

use super::halt::{files, no_secret};
use crate::support::{Shop, TestCli, cli, shop_with};

/// Every character that one of the ways treats in its own manner.
const PASSWORD: &str = "Sesam:öffne@dich/%?#'x";
const ENCODED: &str = "Sesam%3A%C3%B6ffne%40dich%2F%25%3F%23%27x";

/// A role whose password is a secret that nobody else has, and a shop that logs in as it with `settings`.
struct Guarded {
    shop: Shop,
    role: String,
}

impl Guarded {
    #[track_caller]
    fn shop(way: &str, settings: &str) -> Self {
        let role = format!("guarded_{way}_{}", std::process::id());
        let settings = settings.replace("ROLE", &role);
        let shop = shop_with("5.2", 15, |builder| {
            builder.login(&role, "").settings(&settings)
        });
        let quoted = PASSWORD.replace('\'', "''");
        let attributes = format!("SUPERUSER PASSWORD '{quoted}'");
        shop.server()
            .create_role(&role, &attributes)
            .expect("a role");
        Self { shop, role }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.shop.folder().join(name);
        fs_err::write(&path, text).expect("a file");
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("private");
        path.display().to_string()
    }

    /// What works and what fails, for people and for scripts; `more` arguments go with each.
    #[track_caller]
    fn stays_secret(&self, cli: &TestCli, more: &[&str]) {
        let shop = &self.shop;
        let run = |arguments: &[&str], code: i32| {
            let ran = cli.clone().args(arguments).args(more).run().expect(code);
            for secret in [PASSWORD, ENCODED, "öffne", "C3%B6ffne"] {
                no_secret(shop, &ran, secret);
            }
        };
        run(&["check", "-v"], 0);
        run(&["status", "-v", "--format", "json"], 0);
        run(&["preview", "-v"], 0);
        run(&["run", "-v"], 0);
        run(&["run", "-v", "--format", "json"], 0);
        run(&["backup", "-v"], 0);
        for path in files(&shop.folder().join("backups")) {
            let text = String::from_utf8_lossy(&fs_err::read(&path).expect("ours")).into_owned();
            assert!(!text.contains("öffne"), "in {}", path.display());
        }
        // and when it is the wrong one
        let server = shop.server();
        let change = format!("ALTER ROLE {} PASSWORD 'another'", self.role);
        server.execute("postgres", &change).expect("changed");
        run(&["check", "-v"], 30);
        run(&["status", "-v", "--format", "json"], 30);
        run(&["run", "-v", "--format", "json"], 30);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let server = self.shop.server();
        let _ = server.execute("postgres", &format!("DROP ROLE {}", self.role));
    }
}

#[test]
fn in_the_settings() {
    let python = format!("DATABASES['default']['PASSWORD'] = {PASSWORD:?}");
    let guarded = Guarded::shop("settings", &python);
    guarded.stays_secret(&cli(&guarded.shop), &[]);
}

#[test]
fn in_a_variable() {
    let guarded = Guarded::shop("variable", "");
    let cli = cli(&guarded.shop).env("PGPASSWORD", PASSWORD);
    guarded.stays_secret(&cli, &[]);
}

#[test]
fn in_a_password_file() {
    let guarded = Guarded::shop("passfile", "");
    let line = format!("*:*:*:*:{}\n", PASSWORD.replace(':', "\\:"));
    guarded.file(".pgpass", &line);
    guarded.stays_secret(&cli(&guarded.shop), &[]);
}

#[test]
fn in_a_service() {
    let settings = "DATABASES['default'] = {'ENGINE': 'django.db.backends.postgresql', \
                    'NAME': DATABASES['default']['NAME'], 'OPTIONS': {'service': 'shop'}}";
    let guarded = Guarded::shop("service", settings);
    let server = guarded.shop.server();
    let text = format!(
        "[shop]\nhost={}\nport={}\nuser={}\npassword={PASSWORD}\n",
        server.host(),
        server.port(),
        guarded.role
    );
    let path = guarded.file("services.conf", &text);
    let cli = cli(&guarded.shop).env("PGSERVICEFILE", &path);
    guarded.stays_secret(&cli, &[]);
}

#[test]
fn in_a_dsn() {
    let python = format!("DATABASES['default']['PASSWORD'] = {PASSWORD:?}");
    let guarded = Guarded::shop("dsn", &python);
    let (role, database) = (&guarded.role, guarded.shop.database.name());
    let server = guarded.shop.server();
    let dsn = format!(
        "postgresql://{role}:{ENCODED}@{}:{}/{database}",
        server.host(),
        server.port()
    );
    guarded.stays_secret(&cli(&guarded.shop), &["--dsn", &dsn]);
}

#[test]
fn of_a_client_key() {
    let options = format!(
        "DATABASES['default']['PASSWORD'] = {PASSWORD:?}\n\
         DATABASES['default'].setdefault('OPTIONS', {{}})['sslpassword'] = {PASSWORD:?}"
    );
    let guarded = Guarded::shop("key", &options);
    guarded.stays_secret(&cli(&guarded.shop), &[]);
}

/// What is wrong with a connection string is said without the string.
#[test]
fn in_a_dsn_that_cannot_be_read() {
    let guarded = Guarded::shop("broken", "");
    for dsn in [
        format!("postgresql://u:{ENCODED}@[::1/x"),
        format!("postgresql://u:{ENCODED}@db:port/x"),
        format!("host=db password={PASSWORD} öffne dich"),
        format!("host=db password='{PASSWORD}"),
        format!("postgresql://u:{PASSWORD}@db/x?sslmode=maybe"),
        format!("postgis://u:{ENCODED}@db/x?sslmode=prefer"),
        format!("postgresql:u:{ENCODED}@db/x=1"),
        format!("postgresql://u:p@{ENCODED}@db:5432/x"),
        format!("postgresql://u:5432/{ENCODED}@db:5432/x"),
    ] {
        for command in ["status", "run"] {
            let ran = cli(&guarded.shop)
                .args([command, "-v", "--dsn", &dsn])
                .run();
            assert_ne!(ran.code(), 0, "{}", ran.snapshot());
            no_secret(&guarded.shop, &ran, "ffne");
        }
    }
}
