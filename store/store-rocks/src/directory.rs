//! The folder of one database: whose it is, and who has it open.
//!
//! Way in: [`Directory::claim`].  Writes: the file `cluster`, once.
//! Invariant: no byte of a database is read or written before its cluster is known to be ours.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use actors_core::ports::DiskError;

use crate::{
    OpenError,
    error::{disk_error, file_error},
};

/// Names a cluster; made once, when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterUid(pub [u8; 16]);

/// The folder of one database.
#[derive(Debug, Clone)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// The folder, created if need be, after it is certain that it is this cluster's.
    pub(crate) fn claim(path: &Path, expected: ClusterUid) -> Result<Self, OpenError> {
        let directory = Self(path.to_owned());
        fs::create_dir_all(path).map_err(|error| directory.disk(file_error(&error)))?;
        match fs::read_to_string(directory.owner()) {
            Ok(text) => directory.check(&text, expected)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => directory.mark(expected)?,
            Err(error) => return Err(directory.disk(file_error(&error))),
        }
        Ok(directory)
    }

    /// Where RocksDB's own files are.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("db")
    }

    /// A file beside them.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Why RocksDB did not open.
    pub(crate) fn refused(&self, error: &rocksdb::Error) -> OpenError {
        // What RocksDB says when another process, or another part of this one, has it open.
        let is_locked = ["While lock file", "lock hold by current process"];
        match is_locked.iter().any(|words| error.as_ref().contains(words)) {
            true => OpenError::InUse { dir: self.0.clone() },
            false => self.disk(disk_error(error)),
        }
    }

    /// Why anything else about it failed.
    pub(crate) fn disk(&self, source: DiskError) -> OpenError {
        OpenError::Disk { dir: self.0.clone(), source }
    }

    fn owner(&self) -> PathBuf {
        self.file("cluster")
    }

    fn check(&self, text: &str, expected: ClusterUid) -> Result<(), OpenError> {
        let damaged = || {
            self.disk(DiskError::Damaged(format!("{} names no cluster", self.owner().display())))
        };
        let found: ClusterUid = text.trim().parse().map_err(|()| damaged())?;
        if found == expected {
            return Ok(());
        }
        Err(OpenError::OtherCluster { dir: self.0.clone(), found, expected })
    }

    /// Makes a new folder ours. One that has a database but no mark was damaged.
    fn mark(&self, uid: ClusterUid) -> Result<(), OpenError> {
        if self.database().exists() {
            let cause = format!("{} is missing beside a database", self.owner().display());
            return Err(self.disk(DiskError::Damaged(cause)));
        }
        let write = || {
            let draft = self.file("cluster.new");
            let mut file = File::create(&draft)?;
            writeln!(file, "{uid}")?;
            file.sync_all()?;
            fs::rename(&draft, self.owner())?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|error| self.disk(file_error(&error)))
    }
}

impl fmt::Display for ClusterUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let hyphen = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{hyphen}{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for ClusterUid {
    type Err = ();

    /// Reads 32 hexadecimal digits, hyphens anywhere between them.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits: String = text.chars().filter(|character| *character != '-').collect();
        let well_formed =
            digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(&digits, 16).ok().filter(|_| well_formed).ok_or(())?;
        Ok(Self(number.to_be_bytes()))
    }
}
