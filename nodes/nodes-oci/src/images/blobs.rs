//! Content-addressed files: a blob's name is its digest, checked when it is written.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{Digest, digest::HashingReader};
use crate::{FileError, at};

/// The `blobs` directory of a store.
#[derive(Debug)]
pub(super) struct Blobs {
    directory: PathBuf,
}

impl Blobs {
    pub(super) fn open(directory: PathBuf) -> Result<Self, FileError> {
        fs::create_dir_all(&directory).map_err(at("create", &directory))?;
        Ok(Self { directory })
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(digest.hex())
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Keeps these bytes and returns their name.
    pub(super) fn add_bytes(&self, bytes: &[u8]) -> Result<Digest, FileError> {
        let digest = Digest::of(bytes);
        let path = self.path(&digest);
        write_atomic(&path, bytes)?;
        Ok(digest)
    }

    /// Keeps a copy of what `reader` gives, through a file in `staging`, and returns its name and length.
    pub(super) fn add(
        &self,
        reader: impl Read,
        staging: &Path,
    ) -> Result<(Digest, u64), FileError> {
        let partial = staging.join("blob.partial");
        let mut file = File::create(&partial).map_err(at("create", &partial))?;
        let mut reader = HashingReader::new(reader);
        let size = io::copy(&mut reader, &mut file).map_err(at("write", &partial))?;
        let digest = reader.finish().map_err(at("read", &partial))?;
        file.sync_data().map_err(at("sync", &partial))?;
        let path = self.path(&digest);
        fs::rename(&partial, &path).map_err(at("rename", &path))?;
        Ok((digest, size))
    }

    /// Reads a whole blob of at most `len_max` bytes.
    pub(super) fn read(&self, digest: &Digest, len_max: u64) -> Result<Vec<u8>, FileError> {
        let path = self.path(digest);
        let file = File::open(&path).map_err(at("open", &path))?;
        let mut bytes = Vec::new();
        file.take(len_max + 1).read_to_end(&mut bytes).map_err(at("read", &path))?;
        if u64::try_from(bytes.len()).is_ok_and(|len| len <= len_max) {
            Ok(bytes)
        } else {
            Err(at("read", &path)(io::Error::other(format!("it is larger than {len_max} bytes"))))
        }
    }

    /// Names and sizes of all blobs; files with other names are left alone.
    pub(super) fn list(&self) -> Result<Vec<(Digest, u64)>, FileError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(at("list", &self.directory))? {
            let entry = entry.map_err(at("list", &self.directory))?;
            let name = format!("sha256:{}", entry.file_name().to_string_lossy());
            if let Ok(digest) = Digest::parse(&name) {
                let metadata = entry.metadata().map_err(at("inspect", &entry.path()))?;
                found.push((digest, metadata.len()));
            }
        }
        Ok(found)
    }
}

/// Replaces a file so that a reader, or a crash, finds the old content or the new, never a part.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial).map_err(at("create", &partial))?;
    file.write_all(bytes).and_then(|()| file.sync_data()).map_err(at("write", &partial))?;
    fs::rename(&partial, path).map_err(at("rename", path))
}
