//! Waits for the server process to say that it is ready, or why it is not, over a datagram socket.
//!
//! Way in: [`Listener`].  Spec: the idea of systemd's sd_notify(3): one `KEY=value` a datagram.

use std::{
    fs, io,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    time::Duration,
};

/// Hears what the starting server says.
pub(crate) struct Listener {
    socket: UnixDatagram,
    path: PathBuf,
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// It has come this far.
    Step(String),
    /// It serves.
    Ready,
    /// It cannot serve, and why; trying again does not help.
    Failed(String),
    /// It said nothing in time.
    Silence,
}

impl Listener {
    /// Listens at `notify.sock` in the cluster's folder.
    pub(crate) fn open(run_dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(run_dir)?;
        let path = run_dir.join("notify.sock");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self { socket: UnixDatagram::bind(&path)?, path })
    }

    /// The next word, at most `limit` from now.
    pub(crate) fn next(&self, limit: Duration) -> io::Result<Word> {
        let mut buffer = [0; 4_096];
        self.socket.set_read_timeout(Some(limit))?;
        let length = match self.socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Word::Silence),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        Ok(match text.split_once('=') {
            Some(("READY", _)) => Word::Ready,
            Some(("FAILED", why)) => Word::Failed(why.to_owned()),
            Some((_, step)) => Word::Step(step.to_owned()),
            None => Word::Step(text),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A socket that is gone already is as good as one that was removed.
        let _gone = fs::remove_file(&self.path);
    }
}
