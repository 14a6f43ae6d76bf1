//! Whom a process runs as: the image's user, the pod's wishes, and the root file system's /etc/passwd and
//! /etc/group.
//!
//! Spec: <https://kubernetes.io/docs/tasks/configure-pod-container/security-context/>; supplemental groups follow
//! the `Merge` policy.

use std::{collections::BTreeSet, fs::File, io::Read, path::Path};

use nix::{
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    sys::stat::Mode,
};

use crate::UserSpec;

/// The numbers that a process gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    pub uid: u32,
    pub gid: u32,
    pub groups: BTreeSet<u32>,
}

/// Why no user could be found.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// A name that /etc/passwd of the image does not have.
    #[error("the image's user {0:?} is not in its /etc/passwd")]
    UnknownUser(String),
    /// A name that /etc/group of the image does not have.
    #[error("the image's group {0:?} is not in its /etc/group")]
    UnknownGroup(String),
    /// `runAsNonRoot`, and the user would be root.
    #[error("runAsNonRoot is set, but the process would run as root")]
    Root,
}

/// /etc/passwd and /etc/group are read up to here.
const FILE_LEN_MAX: u64 = 1 << 20;

struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

/// Finds the numbers; `root` is the mounted root file system.
pub(crate) fn resolve(spec: &UserSpec, root: &Path) -> Result<Ids, UserError> {
    let passwd = read_inside(root, "etc/passwd");
    let group = read_inside(root, "etc/group");
    let (image_user, image_group) = match spec.image_user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (spec.image_user.as_str(), None),
    };
    let account = match spec.run_as_user {
        Some(uid) => find_uid(&passwd, uid),
        None if image_user.is_empty() => find_uid(&passwd, 0),
        None => match image_user.parse() {
            Ok(uid) => find_uid(&passwd, uid),
            Err(_) => accounts(&passwd)
                .find(|account| account.name == image_user)
                .ok_or_else(|| UserError::UnknownUser(image_user.to_owned()))?,
        },
    };
    if spec.must_be_non_root && account.uid == 0 {
        return Err(UserError::Root);
    }
    // The image's group belongs to the image's user.
    let gid = match (spec.run_as_group, image_group.filter(|_| spec.run_as_user.is_none())) {
        (Some(gid), _) => gid,
        (None, Some(name)) if !name.is_empty() => find_group(&group, name)?,
        (None, _) => account.gid,
    };
    let mut groups: BTreeSet<u32> = spec.supplemental_groups.iter().copied().collect();
    if !account.name.is_empty() {
        groups.extend(groups_of(&group, &account.name));
    }
    groups.insert(gid);
    Ok(Ids { uid: account.uid, gid, groups })
}

fn find_uid(passwd: &str, uid: u32) -> Account {
    // A number needs no entry; its group is then root's, as with other runtimes.
    let unnamed = Account { name: String::new(), uid, gid: 0 };
    accounts(passwd).find(|account| account.uid == uid).unwrap_or(unnamed)
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { name, uid, gid })
    })
}

/// Name, number and members of each line of /etc/group.
fn group_lines(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

fn find_group(group: &str, name: &str) -> Result<u32, UserError> {
    if let Ok(gid) = name.parse() {
        return Ok(gid);
    }
    group_lines(group)
        .find(|(known, _, _)| *known == name)
        .map(|(_, gid, _)| gid)
        .ok_or_else(|| UserError::UnknownGroup(name.to_owned()))
}

fn groups_of(group: &str, user: &str) -> BTreeSet<u32> {
    group_lines(group)
        .filter(|(_, _, members)| members.split(',').any(|member| member == user))
        .map(|(_, gid, _)| gid)
        .collect()
}

/// Reads a file below `root` without following a link out of it; empty if it is not there.
fn read_inside(root: &Path, name: &str) -> String {
    let mut text = String::new();
    let read = || {
        let directory =
            open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        openat2(&directory, name, how)
    };
    if let Ok(fd) = read() {
        // A file that is not text has no accounts; what was read before the flaw is kept.
        drop(File::from(fd).take(FILE_LEN_MAX).read_to_string(&mut text));
    }
    text
}

#[cfg(test)]
mod tests;
