//! The user that a server runs as: PostgreSQL refuses root.
//!
//! Absent: users that are in no passwd file. initdb asks for the name of its user and finds none either.

use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::ServerError;

/// Who runs servers: ourselves, or where we are root `postgres` if there is one, else `nobody`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// Not root: no change.
    Ourselves,
    /// Root becomes this one.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The account of servers on this machine.
    pub(super) fn of_servers() -> Result<Self, ServerError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        choose(&passwd).ok_or(ServerError::OnlyRoot)
    }

    /// Makes the command run as this account, without the groups of root.
    pub(super) fn apply(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a file or folder to this account.
    pub(super) fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(uid), Some(gid)),
        }
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

    #[track_caller]
    fn check(passwd: &str, expected: Option<(u32, u32)>) {
        let expected = expected.map(|(uid, gid)| Account::Other { uid, gid });
        assert_eq!(choose(passwd), expected);
    }

    #[test]
    fn postgres_goes_before_nobody_and_root_is_neither() {
        check(
            "root:x:0:0:::\nnobody:x:65534:65534:::\npostgres:x:101:104:::\n",
            Some((101, 104)),
        );
        check(
            "root:x:0:0:::\nnobody:x:65534:65533:::\n",
            Some((65534, 65533)),
        );
        check("postgres:x:0:0:::\n", None);
        check("root:x:0:0:::\n", None);
    }
}
