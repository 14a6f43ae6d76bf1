//! Where an image is read from: a directory, or an archive whose files are first staged under numbers.
//!
//! Never: a path of the archive used as a path on disk; the names inside are only keys of a map.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read, Seek},
    path::{Component, Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use super::manifest::DOCUMENT_LEN_MAX;
use crate::{FileError, at};

/// The files of an image by their names inside it.
#[derive(Debug)]
pub(super) struct Source {
    files: BTreeMap<String, PathBuf>,
    links: BTreeMap<String, String>,
}

/// The most files in one archive: a layout has a few per layer.
const FILES_MAX: usize = 10_000;
/// How many links of a `docker save` archive may follow each other.
const LINK_DEPTH_MAX: usize = 8;

impl Source {
    /// Opens a directory, or stages the files of a tar archive (plain or gzip) under `staging`.
    pub(super) fn open(path: &Path, staging: &Path) -> Result<Self, FileError> {
        let mut source = Self { files: BTreeMap::new(), links: BTreeMap::new() };
        if fs::metadata(path).map_err(at("open", path))?.is_dir() {
            source.scan_directory(path, "", 0)?;
        } else {
            let file = File::open(path).map_err(at("open", path))?;
            let reader = decompressed(file).map_err(at("read", path))?;
            source.stage(reader, path, staging)?;
        }
        Ok(source)
    }

    fn scan_directory(&mut self, path: &Path, prefix: &str, depth: usize) -> Result<(), FileError> {
        for entry in fs::read_dir(path).map_err(at("list", path))? {
            let entry = entry.map_err(at("list", path))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(at("inspect", &entry.path()))?;
            if kind.is_dir() && depth < LINK_DEPTH_MAX {
                self.scan_directory(&entry.path(), &format!("{name}/"), depth + 1)?;
            } else if kind.is_file() && self.files.len() < FILES_MAX {
                self.files.insert(name, entry.path());
            }
        }
        Ok(())
    }

    fn stage(
        &mut self,
        reader: impl Read,
        archive: &Path,
        staging: &Path,
    ) -> Result<(), FileError> {
        let failed = || at("read the archive", archive);
        let mut archive_reader = tar::Archive::new(reader);
        for entry in archive_reader.entries().map_err(failed())? {
            let mut entry = entry.map_err(failed())?;
            let Some(name) = clean(&entry.path().map_err(failed())?) else { continue };
            match entry.header().entry_type() {
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    if self.files.len() >= FILES_MAX {
                        let message = format!("more than {FILES_MAX} files: no image archive");
                        return Err(failed()(io::Error::other(message)));
                    }
                    let path = staging.join(format!("file-{}", self.files.len()));
                    let mut file = File::create(&path).map_err(at("create", &path))?;
                    io::copy(&mut entry, &mut file).map_err(at("write", &path))?;
                    self.files.insert(name, path);
                }
                tar::EntryType::Symlink | tar::EntryType::Link => {
                    let target = entry.link_name().map_err(failed())?.unwrap_or_default();
                    let base = Path::new(&name).parent().unwrap_or(Path::new(""));
                    let is_symbolic = entry.header().entry_type() == tar::EntryType::Symlink;
                    let full = if is_symbolic { base.join(&target) } else { target.to_path_buf() };
                    if let Some(target) = clean(&full) {
                        self.links.insert(name, target);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where the content of a file lies, links followed.
    pub(super) fn path(&self, name: &str) -> Option<&Path> {
        let mut name = clean(Path::new(name))?;
        for _ in 0..LINK_DEPTH_MAX {
            match self.links.get(&name) {
                Some(target) => name = target.clone(),
                None => break,
            }
        }
        self.files.get(&name).map(PathBuf::as_path)
    }

    /// The content of a small document; none if there is no such file.
    pub(super) fn document(&self, name: &str) -> Result<Option<Vec<u8>>, FileError> {
        let Some(path) = self.path(name) else { return Ok(None) };
        let file = File::open(path).map_err(at("open", path))?;
        let mut bytes = Vec::new();
        file.take(DOCUMENT_LEN_MAX).read_to_end(&mut bytes).map_err(at("read", path))?;
        Ok(Some(bytes))
    }
}

/// A file's content, without its gzip wrapping if it has one.
pub(super) fn decompressed(mut file: File) -> io::Result<Box<dyn Read>> {
    let mut magic = [0_u8; 4];
    let count = file.read(&mut magic)?;
    file.rewind()?;
    match magic.get(..count) {
        Some([0x1f, 0x8b, ..]) => {
            Ok(Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file)))))
        }
        Some([0x28, 0xb5, 0x2f, 0xfd]) => {
            Err(io::Error::other("zstd compression is not supported: save it as gzip or plain tar"))
        }
        _ => Ok(Box::new(BufReader::new(file))),
    }
}

/// A name with `.` and `..` worked out; none if it leaves the archive or is not UTF-8.
fn clean(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(parts.join("/"))
}
