//! The user that programs run as (`--user`): its entries in the system's databases, and the rights that it has.

use std::{
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    thread,
};

use nix::unistd::{Group, User};
use rustix::{
    fs::{Access, access},
    process::{Gid, Uid},
};

use super::variable::Variable;
use crate::sys::Identity;

/// A user, and its groups when wsd has read the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The name.
    pub(crate) name: String,
    /// Its ids.
    pub(crate) identity: Identity,
    home: PathBuf,
    shell: PathBuf,
}

/// Why there is no such account.
#[derive(Debug)]
pub(crate) enum NoAccount {
    /// No user has this name.
    User,
    /// No group has this name.
    Group,
    /// The system cannot tell.
    Failed(io::Error),
}

impl From<nix::Error> for NoAccount {
    fn from(error: nix::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Account {
    /// Finds the user `name`, whose first group is `group` if that is given. Either may be a number that has an entry.
    pub(crate) fn find(name: &str, group: Option<&str>) -> Result<Self, NoAccount> {
        let by_id = |text: &str| text.parse::<u32>().ok();
        let user = match (User::from_name(name)?, by_id(name)) {
            (None, Some(id)) => User::from_uid(id.into())?,
            (found, _) => found,
        };
        let user = user.ok_or(NoAccount::User)?;
        let gid = match group {
            None => user.gid,
            Some(group) => {
                match (Group::from_name(group)?, by_id(group)) {
                    (None, Some(id)) => Group::from_gid(id.into())?,
                    (found, _) => found,
                }
                .ok_or(NoAccount::Group)?
                .gid
            }
        };
        let groups = groups(&user.name, gid)?;
        let raw = |gid: nix::unistd::Gid| Gid::from_raw(gid.as_raw());
        let identity = Identity {
            uid: Uid::from_raw(user.uid.as_raw()),
            gid: raw(gid),
            groups: groups.into_iter().map(raw).collect(),
        };
        Ok(Self { name: user.name, identity, home: user.dir, shell: user.shell })
    }

    /// Returns the variables that a program of this user has, as `su` and systemd set them.
    pub(crate) fn variables(&self) -> [Variable; 4] {
        let name = self.name.as_bytes();
        let shell = if self.shell.as_os_str().is_empty() { Path::new("/bin/sh") } else { &self.shell };
        [
            Variable::new("HOME", self.home.as_os_str().as_bytes()),
            Variable::new("USER", name),
            Variable::new("LOGNAME", name),
            Variable::new("SHELL", shell.as_os_str().as_bytes()),
        ]
    }

    /// Whether this user may execute a file, or search a folder. A thread that becomes the user asks the kernel.
    pub(crate) fn may_execute(&self, path: &Path) -> io::Result<()> {
        thread::scope(|scope| {
            let asked = thread::Builder::new().spawn_scoped(scope, || {
                self.identity.assume()?;
                Ok(access(path, Access::EXEC_OK)?)
            })?;
            asked.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
        })
    }
}

/// Returns the groups of a user, `first` among them (`initgroups(3)`).
#[cfg(target_os = "linux")]
fn groups(name: &str, first: nix::unistd::Gid) -> Result<Vec<nix::unistd::Gid>, NoAccount> {
    let name = std::ffi::CString::new(name).map_err(|_| NoAccount::User)?;
    Ok(nix::unistd::getgrouplist(&name, first)?)
}

/// Returns the first group: only on Linux do programs run as another user.
#[cfg(not(target_os = "linux"))]
fn groups(_: &str, first: nix::unistd::Gid) -> Result<Vec<nix::unistd::Gid>, NoAccount> {
    Ok(vec![first])
}
