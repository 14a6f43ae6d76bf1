//! Tells `starling up` how far the server is, over the datagram socket that it listens on.
//!
//! Way in: [`Announcer`].  Nobody need listen: a server that its guardian started again has no audience.

use std::{
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
};

/// Speaks to whoever listens at `notify.sock` of the cluster.
pub(crate) struct Announcer {
    path: PathBuf,
}

impl Announcer {
    pub(crate) fn new(run_dir: &Path) -> Self {
        Self { path: run_dir.join("notify.sock") }
    }

    /// A step was reached.
    pub(crate) fn step(&self, step: &str) {
        tracing::info!("{step}");
        self.say(&format!("STEP={step}"));
    }

    /// Requests are served and the node is ready.
    pub(crate) fn ready(&self) {
        tracing::info!("ready");
        self.say("READY=1");
    }

    /// It cannot start, and trying again does not help.
    pub(crate) fn failed(&self, why: &str) {
        tracing::error!("cannot start: {why}");
        self.say(&format!("FAILED={why}"));
    }

    fn say(&self, word: &str) {
        // Without a listener there is nobody to tell.
        let _alone =
            UnixDatagram::unbound().and_then(|socket| socket.send_to(word.as_bytes(), &self.path));
    }
}
