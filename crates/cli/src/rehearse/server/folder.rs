//! The folder of one server: where it may be, made for one account only, with the log that outlives it.
//!
//! As root the folder is given away, and a program that runs as its new owner could put links in it: so everything of
//! ours is written before that, and the log is read through the file that was opened then.
//!
//! Absent: data, which initdb makes.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::ServerError;
use super::account::Account;

/// So much of a log says why a server did not start.
const TAIL_BYTES: u64 = 8 * 1024;
const TAIL_LINES: usize = 20;

/// Removed when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    account: Account,
    log: File,
}

impl Folder {
    /// Makes one that nobody else may enter.
    pub(super) fn make(place: &Path, account: Account) -> Result<Self, ServerError> {
        let failed = |folder: &Path, source| ServerError::Prepare {
            folder: folder.to_owned(),
            source,
        };
        let random = random().map_err(|why| failed(place, why))?;
        let path = place.join(format!("django-migrate-rehearsal-{}", &random[..12]));
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        builder.create(&path).map_err(|why| failed(&path, why))?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create_new(true).mode(0o600);
        match options.open(path.join("log")) {
            Ok(log) => Ok(Self { path, account, log }),
            Err(why) => {
                let _ = std::fs::remove_dir_all(&path);
                Err(failed(&path, why))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a file in it that only the server may read.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), ServerError> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| self.account.own(&path));
        written.map_err(|why| self.cannot(why))
    }

    /// Gives it to the account of the server; nothing is written by us after that.
    pub(super) fn hand_over(&self) -> Result<(), ServerError> {
        self.account.own(&self.path).map_err(|why| self.cannot(why))
    }

    /// A way to write into the log.
    pub(super) fn log(&self) -> io::Result<File> {
        self.log.try_clone()
    }

    /// The last lines of the log, also after the folder is gone.
    pub(super) fn log_tail(&self) -> String {
        let length = self.log.metadata().map_or(0, |it| it.len());
        let from = length.saturating_sub(TAIL_BYTES);
        let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
        let read = self.log.read_at(&mut bytes, from).unwrap_or(0);
        last_lines(&String::from_utf8_lossy(&bytes[..read]))
    }

    /// Removes what is left of it.
    pub(super) fn remove(&self) -> Result<(), ServerError> {
        match std::fs::remove_dir_all(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ServerError::Stays {
                folder: self.path.clone(),
                source,
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn cannot(&self, source: io::Error) -> ServerError {
        ServerError::Prepare {
            folder: self.path.clone(),
            source,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Thirty-two characters that nobody can guess.
pub(super) fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The first folder for temporary files that the account may use: this process's, else those of every machine.
pub(super) fn place(account: Account) -> Result<PathBuf, ServerError> {
    choose(
        [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()],
        |place| usable(place, account),
    )
}

fn choose(
    places: impl IntoIterator<Item = PathBuf>,
    usable: impl Fn(&Path) -> Result<PathBuf, &'static str>,
) -> Result<PathBuf, ServerError> {
    let mut tried: Vec<(PathBuf, &'static str)> = Vec::new();
    for place in places {
        match usable(&place) {
            Ok(place) => return Ok(place),
            Err(_) if tried.iter().any(|(before, _)| *before == place) => {}
            Err(why) => tried.push((place, why)),
        }
    }
    Err(ServerError::NoPlace { tried })
}

/// The folder without links. Its path becomes a part of connection strings, where a comma would end it.
fn usable(place: &Path, account: Account) -> Result<PathBuf, &'static str> {
    let real = place.canonicalize().map_err(|_| "is not there")?;
    let text = real.to_str().ok_or("has a name that is no text")?;
    if text.contains([',', '"', '\n']) {
        return Err("has a name with a comma, a quote or a line break");
    }
    if rustix::fs::access(&real, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Err("cannot be written to");
    }
    match account {
        Account::Ourselves => Ok(real),
        Account::Other { .. } => match open_to_all(&real) {
            Ok(()) => Ok(real),
            Err(why) => Err(why),
        },
    }
}

/// The account must get in, and remove its folder at the end.
fn open_to_all(place: &Path) -> Result<(), &'static str> {
    let has = |step: &Path, bits: u32| {
        let permissions = std::fs::metadata(step).map(|it| it.permissions());
        permissions.is_ok_and(|it: Permissions| it.mode() & bits == bits)
    };
    if !place.ancestors().all(|step| has(step, 0o001)) {
        return Err("cannot be entered by the user that root runs servers as");
    }
    match has(place, 0o002) {
        true => Ok(()),
        false => Err("cannot be written to by the user that root runs servers as"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_usable_place_is_taken_and_else_each_says_why_not() {
        let places = || ["/a", "/b", "/b"].map(PathBuf::from);
        let only_b = |place: &Path| match place == "/b" {
            true => Ok(place.to_owned()),
            false => Err("is not there"),
        };
        assert_eq!(choose(places(), only_b).unwrap(), Path::new("/b"));
        let error = choose(places(), |_| Err("cannot be written to")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no place for a server: /a cannot be written to; /b cannot be written to"
        );
    }

    #[test]
    fn a_place_for_another_user_is_open_to_all_on_the_whole_way() {
        let parent = tempfile::tempdir_in("/tmp").unwrap();
        let place = parent.path().join("place");
        std::fs::create_dir(&place).unwrap();
        mode(parent.path(), 0o700);
        mode(&place, 0o777);
        let why = open_to_all(&place).unwrap_err();
        assert!(why.contains("entered"), "{why}");
        mode(parent.path(), 0o755);
        assert_eq!(open_to_all(&place), Ok(()));
        mode(&place, 0o755);
        let why = open_to_all(&place).unwrap_err();
        assert!(why.contains("written to"), "{why}");
    }

    #[test]
    fn a_comma_in_a_name_or_no_folder_is_no_place() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("a,b");
        assert_eq!(usable(&place, Account::Ourselves), Err("is not there"));
        std::fs::create_dir(&place).unwrap();
        let why = usable(&place, Account::Ourselves).unwrap_err();
        assert!(why.contains("comma"), "{why}");
    }

    #[test]
    fn a_folder_is_private_keeps_its_log_in_reach_and_goes_when_dropped() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::make(parent.path(), Account::Ourselves).unwrap();
        let path = folder.path().to_owned();
        let modes = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        folder.write("password", "secret").unwrap();
        assert_eq!(modes(&path), 0o700);
        assert_eq!(modes(&path.join("password")), 0o600);
        for line in 1..=30 {
            writeln!(folder.log().unwrap(), "line {line}").unwrap();
        }
        std::fs::remove_file(path.join("log")).unwrap();
        let tail = folder.log_tail();
        assert!(
            tail.starts_with("line 11\n") && tail.ends_with("line 30"),
            "{tail}"
        );
        drop(folder);
        assert!(!path.exists());
    }
}
