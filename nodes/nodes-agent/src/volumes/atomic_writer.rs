//! Replaces all files of a folder at once, so that a reader sees the old ones or the new ones,
//! never a mixture.
//!
//! Way in: [`write`].  Owns: a folder; in it `..data` points to the folder of the current files,
//! and every name that readers use points into `..data`.
//! Order: new files, then the switch of `..data` by renaming, then names, then the old files go.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    path::Path,
};

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

/// Files by path within the volume.
pub(super) type Files = BTreeMap<String, File>;

/// Whom files belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Owner {
    /// `fsGroup`: the group that may read them.
    pub(super) group: Option<u32>,
}

const CURRENT: &str = "..data";
const NEXT: &str = "..data_tmp";

/// Whether the folder has files that were written as a whole.
pub(super) fn is_written(folder: &Path) -> bool {
    folder.join(CURRENT).is_dir()
}

/// Makes the files of `folder` those given; does nothing if they are already.
pub(super) fn write(folder: &Path, files: &Files, owner: Owner) -> io::Result<()> {
    let before = fs::read_link(folder.join(CURRENT)).ok();
    if let Some(before) = &before
        && is_same(&folder.join(before), files, owner)
    {
        return Ok(());
    }
    let number = before.as_deref().and_then(Path::to_str).and_then(|name| name.strip_prefix("..v"));
    let number =
        number.and_then(|number| number.parse::<u64>().ok()).map_or(1, |number| number + 1);
    let version = format!("..v{number}");
    let new = folder.join(&version);
    crate::pods::cleanup::remove(&new)?;
    fs::create_dir_all(&new)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    for (path, file) in files {
        let target = new.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&target, &file.bytes)?;
        if let Some(group) = owner.group {
            chown(&target, None, Some(group))?;
        }
        fs::set_permissions(&target, fs::Permissions::from_mode(mode(file, owner)))?;
    }
    let next = folder.join(NEXT);
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(&version, &next)?;
    fs::rename(&next, folder.join(CURRENT))?;
    name_files(folder, files)?;
    if let Some(before) = before.filter(|before| *before != Path::new(&version)) {
        crate::pods::cleanup::remove(&folder.join(before))?;
    }
    Ok(())
}

/// A group that is given must be able to read.
fn mode(file: &File, owner: Owner) -> u32 {
    if owner.group.is_some() { file.mode | 0o040 } else { file.mode }
}

/// Links from the names that readers use.
fn name_files(folder: &Path, files: &Files) -> io::Result<()> {
    let tops: BTreeSet<&str> = files.keys().filter_map(|path| path.split('/').next()).collect();
    for top in &tops {
        let link = folder.join(top);
        let wanted = Path::new(CURRENT).join(top);
        if fs::read_link(&link).ok().as_deref() != Some(&*wanted) {
            symlink(&wanted, &link)?;
        }
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with("..") && !tops.contains(&*name) {
            fs::remove_file(folder.join(&*name))?;
        }
    }
    Ok(())
}

fn is_same(current: &Path, files: &Files, owner: Owner) -> bool {
    let same = |(path, file): (&String, &File)| {
        let path = current.join(path);
        fs::read(&path).is_ok_and(|bytes| bytes == file.bytes)
            && fs::metadata(&path)
                .is_ok_and(|found| found.permissions().mode() & 0o7777 == mode(file, owner))
    };
    count(current) == Some(files.len()) && files.iter().all(same)
}

fn count(folder: &Path) -> Option<usize> {
    let mut all = 0;
    for entry in fs::read_dir(folder).ok()?.flatten() {
        all += if entry.file_type().ok()?.is_dir() { count(&entry.path())? } else { 1 };
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(&str, &str)]) -> Files {
        let file = |text: &str| File { bytes: text.as_bytes().to_vec(), mode: 0o640 };
        all.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect()
    }

    #[test]
    fn files_are_replaced_as_a_whole_and_unchanged_ones_are_left_alone() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path();
        let text = |path: &str| fs::read_to_string(folder.join(path)).ok();
        write(folder, &files(&[("a", "1"), ("sub/b", "2")]), Owner::default()).expect("written");
        assert_eq!((text("a"), text("sub/b")), (Some("1".into()), Some("2".into())));
        assert_eq!(
            fs::metadata(folder.join("a")).expect("a file").permissions().mode() & 0o777,
            0o640
        );
        let first = fs::read_link(folder.join(CURRENT)).expect("a link");
        write(folder, &files(&[("a", "1"), ("sub/b", "2")]), Owner::default()).expect("written");
        assert_eq!(fs::read_link(folder.join(CURRENT)).expect("a link"), first);
        write(folder, &files(&[("a", "3"), ("c", "4")]), Owner::default()).expect("written");
        assert_eq!(
            (text("a"), text("sub/b"), text("c")),
            (Some("3".into()), None, Some("4".into()))
        );
        let left: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("..v"))
            .collect();
        assert_eq!(left, ["..v2"], "old files are gone");
    }
}
