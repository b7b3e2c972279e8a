//! What the tests share: a database to dump, a request for it, programs that play pg_dump.

use std::fs::Permissions;
use std::future::pending;
use std::io::{Read, Write};
use std::num::NonZeroU8;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dumper::{
    Archive, DumpError, DumpRequest, Format, Password, PgDump, Progress, Selection, Verified,
    Version, dump,
};
use tempfile::TempDir;
use xtask::servers::{Database, Server, shared};

/// A database of its own and a folder for its archives.
pub struct Fixture {
    pub database: Database,
    pub folder: TempDir,
}

impl Fixture {
    /// On PostgreSQL 15, with what the SQL makes.
    pub fn new(sql: &str) -> Self {
        Self::on(15, sql)
    }

    pub fn on(major: u32, sql: &str) -> Self {
        let database = shared(major).database().unwrap();
        database.execute(sql).unwrap();
        Self {
            database,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn server(&self) -> &Server {
        self.database.server()
    }

    /// Not there before the first dump.
    pub fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    pub fn request(&self) -> DumpRequest {
        let server = self.server();
        let num: u32 = self
            .database
            .scalar("SHOW server_version_num")
            .unwrap()
            .parse()
            .unwrap();
        let pg_dump = dumper::find_pg_dump(Some(&server.bin_dir().join("pg_dump")), num).unwrap();
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        DumpRequest {
            pg_dump,
            environment: vec![
                variable("PGHOST", server.host()),
                variable("PGPORT", &server.port().to_string()),
                variable("PGUSER", server.user()),
            ],
            password: Some(Password::new(server.password())),
            database: self.database.name().to_owned(),
            server_version_num: num,
            system_identifier: None,
            directory: self.backups(),
            timestamp: "20261122_213000".to_owned(),
            created_at: "2026-11-22T21:30:00Z".to_owned(),
            tool_version: "0.1.0".to_owned(),
            connection: pgdriver::ConnectOptions::parse_in(
                &server.dsn(self.database.name()),
                &pgdriver::Environment::default(),
            )
            .unwrap(),
            format: Format::Plain,
            compression: None,
            jobs: NonZeroU8::MIN,
            selection: Selection::default(),
            proof: Verified::Counts,
            lock_wait_timeout: None,
            estimated_bytes: None,
        }
    }

    /// A request whose pg_dump is a script; `$REAL` in it is the real one.
    pub fn request_with(&self, script: &str) -> DumpRequest {
        let mut request = self.request();
        let real = format!("REAL='{}'", request.pg_dump.path.display());
        let library = self.server().install().library_variable();
        let library = library
            .map(|(name, value)| format!("export {name}='{value}'"))
            .unwrap_or_default();
        request.pg_dump.path = self.program("pg_dump", &format!("{real}\n{library}\n{script}"));
        request
    }

    /// An executable script in the fixture's folder.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        // written by a child: a descriptor of ours, inherited by a fork in another test, makes exec say "busy"
        let mut child = Command::new("sh")
            .args(["-c", "cat > \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        write!(stdin, "#!/bin/sh\n{script}\n").unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success());
        fs_err::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What the archives' folder holds, but for its `.gitignore`.
    pub fn files(&self) -> Vec<String> {
        files(&self.backups())
    }

    /// Sessions of pg_dump on this database.
    pub fn sessions(&self) -> u64 {
        let name = self.database.name();
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND application_name LIKE 'pg_dump %'"
        );
        self.server()
            .scalar("postgres", &sql)
            .unwrap()
            .parse()
            .unwrap()
    }
}

pub fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != ".gitignore").collect();
    names.sort();
    names
}

/// Some 30 MB that gzip is slow at, so that a dump of it is under way for a while.
pub const BIG: &str = "CREATE TABLE big AS SELECT i, md5(i::text) || md5((i + 1)::text) || md5((i * 7)::text) AS t \
                       FROM generate_series(1, 300000) i";

/// Dumps without being stopped.
pub fn run(request: &DumpRequest) -> Result<Archive, DumpError> {
    block_on(dump(request, |_| {}, pending()))
}

/// Dumps, and calls `act` once when the first rows have come.
pub fn run_and(request: &DumpRequest, act: impl FnOnce()) -> Result<Archive, DumpError> {
    let mut act = Some(act);
    let hear = |progress: Progress| {
        if let Progress::Dumping(at) = progress
            && at.rows > 0
            && let Some(act) = act.take()
        {
            act();
        }
    };
    let outcome = block_on(dump(request, hear, pending()));
    assert!(
        act.is_none(),
        "the dump was over before it could be disturbed"
    );
    outcome
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// The SQL in an archive.
pub fn content(archive: &Path) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(fs_err::File::open(archive).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// Without the keys of `\restrict` and `\unrestrict`, which are random.
pub fn without_keys(sql: &str) -> String {
    let lines = sql
        .lines()
        .filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
    lines.collect::<Vec<_>>().join("\n")
}

/// A program of the server's installation, run as its superuser.
pub fn tool(database: &Database, program: &str) -> Command {
    let mut command = database.server().install().command(program);
    database.environment(&mut command);
    command
}

pub fn fake(path: PathBuf, major: u32) -> PgDump {
    PgDump {
        path,
        version: Version { major, minor: 0 },
        version_text: String::new(),
    }
}

/// A test that this machine cannot run says so.
#[allow(clippy::print_stderr)]
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// A file system of this many kB, gone with the value; `None` where this user may not mount one.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub fn of(kilobytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let option = format!("size={kilobytes}k");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "tmpfs"])
            .arg(folder.path())
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(folder))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn make_read_only(&self) {
        let mounted = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(self.path())
            .status();
        assert!(mounted.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

/// Waits until it is so, for a while.
#[track_caller]
pub fn eventually(is: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < deadline, "it never came to be");
        std::thread::sleep(Duration::from_millis(20));
    }
}
