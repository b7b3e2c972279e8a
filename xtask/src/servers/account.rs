//! The uid that servers run as: PostgreSQL refuses root.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

/// Who runs servers: ourselves, or as root `postgres` if there is one, else `nobody`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Not root: no change.
    Ourselves,
    /// Root drops to this one, which has an entry in the passwd file, since initdb asks for its name.
    Other {
        /// The user.
        uid: u32,
        /// Its group.
        gid: u32,
    },
}

impl Account {
    /// The account of servers on this machine.
    ///
    /// # Errors
    /// As root, where neither user exists.
    pub fn of_servers() -> Result<Self> {
        if !rustix::process::getuid().is_root() {
            return Ok(Self::Ourselves);
        }
        let passwd = fs_err::read_to_string("/etc/passwd")?;
        choose(&passwd).context(
            "running as root, and there is neither a user `postgres` nor `nobody` to drop to",
        )
    }

    /// Makes the command run as this account.
    pub fn apply(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a file or folder to this account.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn own(self, path: &Path) -> Result<()> {
        if let Self::Other { uid, gid } = self {
            chown(path, Some(uid), Some(gid))
                .with_context(|| format!("chown {}", path.display()))?;
        }
        Ok(())
    }
}

fn choose(passwd: &str) -> Option<Account> {
    ["postgres", "nobody"].iter().find_map(|name| {
        let mut fields = passwd
            .lines()
            .map(|line| line.split(':'))
            .find(|fields| fields.clone().next() == Some(name))?;
        let (uid, gid) = (fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?);
        (uid != 0).then_some(Account::Other { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_before_nobody_and_never_root() {
        let both = "root:x:0:0:::\nnobody:x:65534:65534:::\npostgres:x:101:104:::\n";
        assert_eq!(choose(both), Some(Account::Other { uid: 101, gid: 104 }));
        assert_eq!(
            choose("root:x:0:0:::\nnobody:x:65534:65533:::\n"),
            Some(Account::Other {
                uid: 65534,
                gid: 65533
            })
        );
        assert_eq!(choose("postgres:x:0:0:::\n"), None);
        assert_eq!(choose("root:x:0:0:::\n"), None);
    }
}
