//! A container's log file in CRI format, rotated by size.
//!
//! Way in: [`LogWriter`].  Each line is `<time> <stdout|stderr> <F|P> <text>`; `P` marks a part of a line that
//! was too long, and the next record of that stream continues it. The newest file has the given name, older
//! ones `.1` to `.4` behind it.
//! Never: a wait. What cannot be written (a full disk) is counted and lost; the container must not stand still.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use actors_core::Wall;

use crate::{clock, wire::OutputStream};

/// A file that would become longer is rotated first.
pub const LOG_SIZE_MAX: u64 = 10 << 20;
/// How many files one container's log has at most.
pub const LOG_FILES_MAX: usize = 5;
/// A longer line is written in parts.
const LINE_LEN_MAX: usize = 16 << 10;

/// Writes the log of one container.
#[derive(Debug)]
pub(crate) struct LogWriter {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    size_max: u64,
    /// The beginning of a line whose end has not come yet.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Records that could not be written.
    lost: u64,
}

impl LogWriter {
    /// Appends to the file at `path`; directories are made.
    pub(crate) fn open(path: &Path, size_max: u64) -> std::io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = append_to(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_path_buf(),
            file: Some(file),
            size,
            size_max,
            stdout: Vec::new(),
            stderr: Vec::new(),
            lost: 0,
        })
    }

    /// Takes output as it came.
    pub(crate) fn write(&mut self, stream: OutputStream, bytes: &[u8], at: Wall) {
        let mut line = std::mem::take(self.partial(stream));
        let mut records = Records::new(stream, at);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (mut text, is_complete) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            while line.len() + text.len() > LINE_LEN_MAX {
                let (part, rest) = text.split_at(LINE_LEN_MAX - line.len());
                line.extend_from_slice(part);
                records.add(b'P', &line);
                line.clear();
                text = rest;
            }
            line.extend_from_slice(text);
            if is_complete {
                records.add(b'F', &line);
                line.clear();
            }
        }
        // An idle container keeps no memory for a line that is not there.
        *self.partial(stream) = if line.is_empty() { Vec::new() } else { line };
        self.append(&records);
    }

    /// Writes what has no line end yet: the output is complete.
    pub(crate) fn finish(&mut self, at: Wall) {
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let line = std::mem::take(self.partial(stream));
            if !line.is_empty() {
                let mut records = Records::new(stream, at);
                records.add(b'F', &line);
                self.append(&records);
            }
        }
        self.file = None;
    }

    /// How many records could not be written so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    fn partial(&mut self, stream: OutputStream) -> &mut Vec<u8> {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }

    fn append(&mut self, records: &Records) {
        if records.count == 0 {
            return;
        }
        let len = u64::try_from(records.bytes.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(len) > self.size_max {
            self.rotate();
        }
        let file = self.file.as_mut();
        if file.is_some_and(|file| file.write_all(&records.bytes).is_ok()) {
            self.size += len;
        } else {
            self.lost += records.count;
        }
    }

    fn rotate(&mut self) {
        let numbered = |number: usize| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..LOG_FILES_MAX - 1).rev() {
            // A file that is not there yet has nothing to move.
            fs::rename(numbered(number), numbered(number + 1)).ok();
        }
        if fs::rename(&self.path, numbered(1)).is_ok() {
            self.file = append_to(&self.path).ok();
            self.size = 0;
        }
    }
}

fn append_to(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Records that are written at once.
struct Records {
    prefix: String,
    bytes: Vec<u8>,
    count: u64,
}

impl Records {
    fn new(stream: OutputStream, at: Wall) -> Self {
        let name = match stream {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
        };
        Self { prefix: format!("{} {name} ", clock::stamp(at)), bytes: Vec::new(), count: 0 }
    }

    fn add(&mut self, tag: u8, text: &[u8]) {
        self.bytes.extend_from_slice(self.prefix.as_bytes());
        self.bytes.extend_from_slice(&[tag, b' ']);
        self.bytes.extend_from_slice(text);
        self.bytes.push(b'\n');
        self.count += 1;
    }
}

#[cfg(test)]
mod tests;
