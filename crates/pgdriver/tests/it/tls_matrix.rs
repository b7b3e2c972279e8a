//! TLS, cell by cell: for every sslmode, server certificate, root file and pg_hba, psycopg's (libpq's) verdict is ours.
//!
//! Absent: verdicts written by hand; those that must hold whatever libpq says stand in `tls`.

use std::path::PathBuf;

use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose};
use xtask::env::Env;
use xtask::servers::{Options, TempServer};

use crate::libpq::certificates::{
    Authority, Shown, alternative, authority, expired, expired_authority, file, for_clients_only,
    for_signing_certificates_only, intermediate, issued, limited, marked_as_ca, named,
    not_yet_valid, revocations, self_signed, version_1, with_serial,
};
use crate::libpq::{Cell, Tally};
use crate::{MAJORS, soon};

const MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// Everybody comes in as he likes: what is looked at is TLS.
const OPEN: &str = "local all all trust\nhost all all 127.0.0.1/32 trust\n";

fn start(major: u32, shown: Option<&Shown>, client_ca: Option<&str>, hba: &str) -> TempServer {
    let (mut settings, mut files) = (Vec::new(), Vec::new());
    if let Some(shown) = shown {
        settings.extend(
            [
                ("ssl", "on"),
                ("ssl_cert_file", "own.crt"),
                ("ssl_key_file", "own.key"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        files.push(("own.crt".to_owned(), shown.chain.clone().into_bytes()));
        files.push(("own.key".to_owned(), shown.key.clone().into_bytes()));
    }
    if let Some(pem) = client_ca {
        settings.push(("ssl_ca_file".to_owned(), "client-ca.crt".to_owned()));
        files.push(("client-ca.crt".to_owned(), pem.as_bytes().to_vec()));
    }
    let install = Env::open().unwrap().postgres(major).unwrap();
    let options = Options {
        settings,
        files,
        hba: Some(hba.to_owned()),
    };
    TempServer::start_with(&install, options).unwrap()
}

/// One server that shows one certificate after the other: [`Wardrobe::wear`].
struct Wardrobe {
    server: TempServer,
}

impl Wardrobe {
    fn of<'a>(major: u32, all: impl IntoIterator<Item = &'a Shown>) -> Self {
        let mut files = Vec::new();
        for (at, shown) in all.into_iter().enumerate() {
            files.push((format!("{at}.crt"), shown.chain.clone().into_bytes()));
            files.push((format!("{at}.key"), shown.key.clone().into_bytes()));
        }
        files.push(("server.crt".to_owned(), files[0].1.clone()));
        files.push(("server.key".to_owned(), files[1].1.clone()));
        let install = Env::open().unwrap().postgres(major).unwrap();
        let options = Options {
            settings: vec![("ssl".to_owned(), "on".to_owned())],
            files,
            hba: Some(OPEN.to_owned()),
        };
        Self {
            server: TempServer::start_with(&install, options).unwrap(),
        }
    }

    /// A new session inherits the postmaster's settings, and its TLS context, which is loaded with them.
    async fn wear(&self, at: usize) {
        for (setting, suffix) in [("ssl_cert_file", "crt"), ("ssl_key_file", "key")] {
            let sql = format!("ALTER SYSTEM SET {setting} = '{at}.{suffix}'");
            self.server.execute("postgres", &sql).unwrap();
        }
        self.server
            .execute("postgres", "SELECT pg_reload_conf()")
            .unwrap();
        soon("the certificate is in use", || {
            let shown = self.server.scalar("postgres", "SHOW ssl_key_file");
            shown.unwrap() == format!("{at}.key")
        })
        .await;
    }
}

/// A home folder with or without libpq's default files, and what a connection string says of roots.
#[derive(Clone)]
struct Root {
    home: PathBuf,
    said: String,
}

/// Homes and files of one test.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        Self { folder }
    }

    fn empty(&self) -> PathBuf {
        self.folder.path().join("empty")
    }

    fn none(&self) -> Root {
        Root {
            home: self.empty(),
            said: String::new(),
        }
    }

    fn file(&self, name: &str, pem: &str) -> Root {
        let path = file(self.folder.path(), name, pem);
        Root {
            said: format!("sslrootcert={path}"),
            ..self.none()
        }
    }

    fn missing(&self) -> Root {
        let path = self.folder.path().join("missing.crt");
        Root {
            said: format!("sslrootcert={}", path.display()),
            ..self.none()
        }
    }

    /// `~/.postgresql` with these files.
    fn home(&self, name: &str, files: &[(&str, &str)]) -> Root {
        let home = self.folder.path().join(name);
        let folder = home.join(".postgresql");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, content) in files {
            file(&folder, name, content);
        }
        Root {
            home,
            said: String::new(),
        }
    }
}

fn cells(server: &TempServer, modes: &[&str], hosts: &[&str], roots: &[Root]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for mode in modes {
        for host in hosts {
            for root in roots {
                cells.push(Cell {
                    dsn: format!(
                        "host={host} hostaddr=127.0.0.1 port={} dbname=postgres user={} connect_timeout=10 \
                         sslmode={mode} {}",
                        server.port(),
                        server.user(),
                        root.said
                    ),
                    home: root.home.clone(),
                    ..Cell::default()
                });
            }
        }
    }
    cells
}

fn and(cells: Vec<Cell>, more: &str) -> Vec<Cell> {
    cells
        .into_iter()
        .map(|cell| Cell {
            dsn: format!("{} {more}", cell.dsn),
            ..cell
        })
        .collect()
}

/// Root files that one may have.
fn roots(desk: &Desk, ours: &Authority, other: &Authority) -> Vec<Root> {
    vec![
        desk.none(),
        desk.file("ours.crt", &ours.pem),
        desk.file("other.crt", &other.pem),
        desk.file("both.crt", &format!("{}{}", other.pem, ours.pem)),
        desk.file("broken.crt", "no certificate"),
        desk.missing(),
        desk.home("home-ours", &[("root.crt", &ours.pem)]),
        desk.home("home-other", &[("root.crt", &other.pem)]),
    ]
}

#[tokio::test]
async fn a_private_authority_in_each_mode() {
    let desk = Desk::new();
    let (ours, other) = (authority("ours"), authority("other"));
    let roots = roots(&desk, &ours, &other);
    let shown = issued(&ours, &alternative("common.test", &["db.test"]));
    let mut tally = Tally::default();
    for major in MAJORS {
        let server = start(major, Some(&shown), None, OPEN);
        tally
            .ask(
                "right",
                cells(&server, &MODES, &["db.test", "db2.test"], &roots),
            )
            .await;
        let off = start(major, None, None, OPEN);
        tally
            .ask("no TLS", cells(&off, &MODES, &["db.test"], &roots))
            .await;
    }
    tally.same_in_all(MAJORS.len() * 3 * MODES.len() * roots.len());
}

#[tokio::test]
async fn every_sort_of_certificate() {
    let desk = Desk::new();
    let (ours, other) = (authority("ours"), authority("other"));
    let (between, old) = (intermediate("between", &ours), expired_authority("old"));
    let chain = |shown: Shown| Shown {
        chain: format!("{}{}", shown.chain, between.pem),
        ..shown
    };
    let below = |authority: &Authority, shown: Shown| Shown {
        chain: format!("{}{}", shown.chain, authority.pem),
        ..shown
    };
    let nobody = limited("nobody", &ours, |p| p.is_ca = IsCa::ExplicitNoCa);
    let last = limited("last", &ours, |p| {
        p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let deeper = intermediate("deeper", &last);
    let two_below = |shown: Shown| Shown {
        chain: format!("{}{}{}", shown.chain, deeper.pem, last.pem),
        ..shown
    };
    let mute = limited("mute", &ours, |p| {
        p.key_usages = vec![KeyUsagePurpose::CrlSign];
    });
    let over = limited("over", &ours, |p| *p = expired(p.clone()));
    let db = || alternative("common.test", &["db.test"]);
    let served = [
        (
            "another name",
            issued(&ours, &alternative("x", &["elsewhere.test"])),
        ),
        ("expired", issued(&ours, &expired(db()))),
        ("not yet valid", issued(&ours, &not_yet_valid(db()))),
        ("address", issued(&ours, &alternative("x", &["127.0.0.1"]))),
        (
            "address and name",
            issued(&ours, &alternative("127.0.0.1", &["db.test"])),
        ),
        ("wildcard", issued(&ours, &alternative("x", &["*.test"]))),
        ("common name only", issued(&ours, &named("db.test"))),
        ("address as common name", issued(&ours, &named("127.0.0.1"))),
        (
            "address as DNS name",
            issued(&ours, &alternative("x", &["127.0.0.1", "db.test"])),
        ),
        ("version 1", version_1(&ours, "db.test")),
        ("marked as an authority", issued(&ours, &marked_as_ca(db()))),
        ("self-signed", self_signed(&db())),
        (
            "self-signed authority",
            self_signed(&marked_as_ca(named("db.test"))),
        ),
        (
            "self-signed and expired",
            self_signed(&expired(marked_as_ca(db()))),
        ),
        ("for clients only", issued(&ours, &for_clients_only(db()))),
        (
            "for signing only",
            issued(&ours, &for_signing_certificates_only(db())),
        ),
        ("with its intermediate", chain(issued(&between, &db()))),
        ("without its intermediate", issued(&between, &db())),
        (
            "version 1 with an intermediate",
            chain(version_1(&between, "db.test")),
        ),
        ("of no authority", below(&nobody, issued(&nobody, &db()))),
        (
            "version 1 of no authority",
            below(&nobody, version_1(&nobody, "db.test")),
        ),
        (
            "of the last that may sign",
            below(&last, issued(&last, &db())),
        ),
        (
            "version 1 of the last",
            below(&last, version_1(&last, "db.test")),
        ),
        ("beyond the last", two_below(issued(&deeper, &db()))),
        (
            "version 1 beyond the last",
            two_below(version_1(&deeper, "db.test")),
        ),
        (
            "of one that may not sign",
            below(&mute, issued(&mute, &db())),
        ),
        (
            "version 1 of one that may not sign",
            below(&mute, version_1(&mute, "db.test")),
        ),
        (
            "of an intermediate whose time is over",
            below(&over, issued(&over, &db())),
        ),
        (
            "version 1 of such an intermediate",
            below(&over, version_1(&over, "db.test")),
        ),
        ("of an expired authority", issued(&old, &db())),
        (
            "of another authority of the same name",
            issued(&authority("ours"), &db()),
        ),
        (
            "version 1 of another authority of the same name",
            version_1(&authority("ours"), "db.test"),
        ),
    ];
    let mut tally = Tally::default();
    let wardrobe = Wardrobe::of(MAJORS[0], served.iter().map(|(_, shown)| shown));
    for (at, (what, shown)) in served.iter().enumerate() {
        let roots = [
            desk.none(),
            desk.file("ours.crt", &ours.pem),
            desk.file("other.crt", &other.pem),
            desk.file("itself.crt", &shown.chain),
            desk.file("between.crt", &between.pem),
            desk.file("both.crt", &format!("{}{}", between.pem, ours.pem)),
            desk.file("old.crt", &old.pem),
        ];
        wardrobe.wear(at).await;
        let modes = ["prefer", "verify-ca", "verify-full"];
        let hosts = ["db.test", "127.0.0.1"];
        tally
            .ask(what, cells(&wardrobe.server, &modes, &hosts, &roots))
            .await;
    }
    tally.same_in_all(served.len() * 3 * 2 * 7);
}

#[tokio::test]
async fn what_pg_hba_wants() {
    let mut tally = Tally::default();
    let desk = Desk::new();
    let (ours, other) = (authority("ours"), authority("other"));
    let shown = issued(&ours, &alternative("x", &["db.test"]));
    let roots = roots(&desk, &ours, &other);
    // a role for each wish
    let wishes = [
        "hostssl all ROLE 127.0.0.1/32 trust\n",
        "hostnossl all ROLE 127.0.0.1/32 trust\n",
        "hostssl all ROLE 127.0.0.1/32 reject\nhost all ROLE 127.0.0.1/32 trust\n",
        "hostssl all ROLE 127.0.0.1/32 scram-sha-256\nhostnossl all ROLE 127.0.0.1/32 trust\n",
        "host elsewhere ROLE 127.0.0.1/32 trust\n",
    ];
    let role = |at: usize| format!("wish{at}");
    let mut hba = "host all postgres 127.0.0.1/32 trust\n".to_owned();
    for (at, wish) in wishes.iter().enumerate() {
        hba.push_str(&wish.replace("ROLE", &role(at)));
    }
    for major in MAJORS {
        let server = start(major, Some(&shown), None, &hba);
        for (at, wish) in wishes.iter().enumerate() {
            let role = role(at);
            let sql = format!("CREATE ROLE {role} LOGIN");
            server.execute("postgres", &sql).unwrap();
            let asked = cells(&server, &MODES, &["db.test"], &roots);
            tally.ask(wish, and(asked, &format!("user={role}"))).await;
        }
    }
    tally.same_in_all(MAJORS.len() * 5 * MODES.len() * roots.len());
}

#[tokio::test]
async fn client_certificates() {
    let mut tally = Tally::default();
    let desk = Desk::new();
    let (ours, other) = (authority("ours"), authority("other"));
    let shown = issued(&ours, &alternative("x", &["db.test"]));
    let (client, stranger) = (
        issued(&ours, &named("postgres")),
        issued(&other, &named("postgres")),
    );
    let somebody = issued(&ours, &named("somebody"));
    let write = |name: &str, text: &str| file(desk.folder.path(), name, text);
    let open = write("open.key", &client.key);
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let pair = |name: &str, shown: &Shown| {
        let cert = write(&format!("{name}.crt"), &shown.chain);
        let key = write(&format!("{name}.key"), &shown.key);
        Root {
            said: format!("sslcert={cert} sslkey={key}"),
            ..desk.none()
        }
    };
    let with = pair("client", &client);
    let cert = write("client.crt", &client.chain);
    let said = |said: String| Root {
        said,
        ..desk.none()
    };
    let shown_by = [
        desk.none(),
        with.clone(),
        pair("stranger", &stranger),
        pair("somebody", &somebody),
        said(format!("sslcert={cert} sslkey={open}")),
        said(format!("sslcert={cert} sslkey={}.none", open)),
        said(format!("sslcert={cert} sslkey={cert}")),
        said(format!("sslcert={open}.none")),
        said(format!(
            "sslcert={cert} sslkey={}",
            write("other.key", &stranger.key)
        )),
        said(format!("{} sslcertmode=disable", with.said)),
        said(format!("{} sslcertmode=allow", with.said)),
        said(format!("{} sslcertmode=require", with.said)),
        said("sslcertmode=require".to_owned()),
        desk.home(
            "home-client",
            &[
                ("postgresql.crt", &client.chain),
                ("postgresql.key", &client.key),
            ],
        ),
        desk.home("home-no-key", &[("postgresql.crt", &client.chain)]),
    ];
    for major in MAJORS {
        for (client_ca, hba) in [
            (
                Some(&ours.pem),
                "hostssl all all 127.0.0.1/32 cert\nhostnossl all all 127.0.0.1/32 trust\n",
            ),
            (
                Some(&ours.pem),
                "hostssl all all 127.0.0.1/32 trust clientcert=verify-full\n",
            ),
            (
                Some(&ours.pem),
                "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n",
            ),
            (None, OPEN),
        ] {
            let server = start(major, Some(&shown), client_ca.map(String::as_str), hba);
            let modes = ["disable", "allow", "prefer", "require"];
            tally
                .ask(hba, cells(&server, &modes, &["db.test"], &shown_by))
                .await;
        }
    }
    tally.same_in_all(MAJORS.len() * 4 * 4 * shown_by.len());
}

#[tokio::test]
async fn certificates_that_were_taken_back() {
    let mut tally = Tally::default();
    let desk = Desk::new();
    let (ours, other) = (authority("ours"), authority("other"));
    let between = intermediate("between", &ours);
    let good = with_serial(alternative("x", &["db.test"]), 7);
    let chained = |shown: Shown| Shown {
        chain: format!("{}{}", shown.chain, between.pem),
        ..shown
    };
    let lists = [
        ("nobody", revocations(&ours, &[], 2090)),
        ("seven", revocations(&ours, &[7], 2090)),
        ("eight", revocations(&ours, &[8], 2090)),
        ("stale", revocations(&ours, &[8], 2002)),
        ("others", revocations(&other, &[7], 2090)),
        ("broken", "nothing".to_owned()),
        (
            "two",
            format!(
                "{}{}",
                revocations(&ours, &[], 2090),
                revocations(&between, &[], 2090)
            ),
        ),
        (
            "two-seven",
            format!(
                "{}{}",
                revocations(&ours, &[], 2090),
                revocations(&between, &[7], 2090)
            ),
        ),
    ];
    let root = desk.file("ours.crt", &ours.pem);
    let mut ways: Vec<Root> = lists
        .iter()
        .flat_map(|(name, list)| {
            let path = file(desk.folder.path(), &format!("{name}.crl"), list);
            let home = desk.home(
                &format!("home-{name}"),
                &[("root.crt", &ours.pem), ("root.crl", list)],
            );
            [
                Root {
                    said: format!("{} sslcrl={path}", root.said),
                    ..root.clone()
                },
                home,
            ]
        })
        .collect();
    ways.push(Root {
        said: format!("{} sslcrl=/no/such.crl", root.said),
        ..root.clone()
    });
    let served = [
        issued(&ours, &good),
        chained(issued(&between, &good)),
        version_1(&ours, "db.test"),
        self_signed(&marked_as_ca(good.clone())),
    ];
    let wardrobe = Wardrobe::of(MAJORS[0], &served);
    let modes = ["prefer", "require", "verify-full"];
    for at in 0..served.len() {
        wardrobe.wear(at).await;
        let asked = cells(&wardrobe.server, &modes, &["db.test"], &ways);
        tally.ask("revoked", asked).await;
    }
    tally.same_in_all(4 * 3 * ways.len());
}

#[tokio::test]
async fn protocol_versions_names_and_direct_negotiation() {
    let mut tally = Tally::default();
    let desk = Desk::new();
    let ours = authority("ours");
    let shown = issued(&ours, &alternative("x", &["db.test"]));
    let root = [desk.file("ours.crt", &ours.pem)];
    for major in MAJORS {
        for (setting, value) in [
            ("ssl_min_protocol_version", "TLSv1.3"),
            ("ssl_max_protocol_version", "TLSv1.2"),
        ] {
            let mut options = Options {
                hba: Some(OPEN.to_owned()),
                ..Options::default()
            };
            options.settings = [
                ("ssl", "on"),
                ("ssl_cert_file", "own.crt"),
                ("ssl_key_file", "own.key"),
                (setting, value),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
            options.files = vec![
                ("own.crt".to_owned(), shown.chain.clone().into_bytes()),
                ("own.key".to_owned(), shown.key.clone().into_bytes()),
            ];
            let install = Env::open().unwrap().postgres(major).unwrap();
            let server = TempServer::start_with(&install, options).unwrap();
            let mut all = Vec::new();
            for more in [
                "",
                "ssl_min_protocol_version=TLSv1.3",
                "ssl_min_protocol_version=TLSv1",
                "ssl_max_protocol_version=TLSv1.2",
                "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
                "ssl_min_protocol_version=SSLv3",
                "sslsni=0",
                "sslnegotiation=direct",
                "gssencmode=disable",
            ] {
                let asked = cells(
                    &server,
                    &["disable", "allow", "prefer", "require", "verify-full"],
                    &["db.test"],
                    &root,
                );
                all.extend(and(asked, more));
            }
            tally.ask(value, all).await;
        }
    }
    tally.same_in_all(MAJORS.len() * 2 * 9 * 5);
}

#[tokio::test]
async fn passwords_and_channel_binding() {
    let mut tally = Tally::default();
    let desk = Desk::new();
    let ours = authority("ours");
    let shown = issued(&ours, &alternative("x", &["db.test"]));
    let root = [desk.file("ours.crt", &ours.pem)];
    for major in MAJORS {
        // the other two are as old as TLS itself
        let methods = match major {
            15 => &["scram-sha-256", "md5", "password", "trust"][..],
            _ => &["scram-sha-256", "md5"],
        };
        let roles = |method: &str| {
            ["scram", "md5", "bare", "nobody"].map(|role| format!("\"{method} {role}\""))
        };
        let mut hba = "host all postgres 127.0.0.1/32 trust\n".to_owned();
        for method in methods {
            let roles = roles(method).join(",");
            hba.push_str(&format!("host all {roles} 127.0.0.1/32 {method}\n"));
        }
        let server = start(major, Some(&shown), None, &hba);
        let mut all = Vec::new();
        for method in methods {
            let roles = roles(method);
            let [scram, md5, bare, _] = &roles;
            let sql = format!(
                "SET password_encryption = 'scram-sha-256'; CREATE ROLE {scram} LOGIN PASSWORD 'sesame'; \
                 SET password_encryption = 'md5'; CREATE ROLE {md5} LOGIN PASSWORD 'sesame'; \
                 CREATE ROLE {bare} LOGIN"
            );
            server.execute("postgres", &sql).unwrap();
            for role in &roles {
                let user = role.replace('"', "'");
                for password in ["password=sesame", "password=wrong", ""] {
                    for binding in ["disable", "prefer", "require"] {
                        let asked = cells(&server, &["disable", "require"], &["db.test"], &root);
                        let login = format!("user={user} {password} channel_binding={binding}");
                        all.extend(and(asked, &login));
                    }
                }
            }
        }
        tally.ask("passwords", all).await;
    }
    tally.same_in_all((4 + 2) * 4 * 3 * 3 * 2);
}
