//! Where the files of one pod lie.
//!
//! Way in: [`PodPaths`].  Two directories: `run`, on tmpfs, gone after a reboot as the pod's processes are; and
//! `data`, on disk, for what may be large or must be found after a reboot.
//!
//! ```text
//! run/pod.json                 the pod as the agent asked for it
//! run/state.json               the pod as its shim sees it
//! run/shim.sock, run/shim.log  where the shim answers, and what it has to say
//! run/shim.lock                held by the shim as long as it lives
//! run/shm/                     /dev/shm of all containers
//! run/oci/<container>/         libcontainer's own state
//! run/bundles/<container>/     config.json, rootfs/ (a mount point), mounts/
//! data/containers/<container>/ upper/, work/ (the writable layer), status.json
//! ```

use std::path::{Path, PathBuf};

/// The files of one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodPaths {
    run: PathBuf,
    data: PathBuf,
}

impl PodPaths {
    /// The pod whose run directory and data directory these are.
    #[must_use]
    pub fn new(run: &Path, data: &Path) -> Self {
        Self { run: run.to_path_buf(), data: data.to_path_buf() }
    }

    /// The run directory.
    #[must_use]
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The pod's specification.
    #[must_use]
    pub fn spec(&self) -> PathBuf {
        self.run.join("pod.json")
    }

    /// The shim's account of the pod.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.run.join("state.json")
    }

    /// The shim's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run.join("shim.sock")
    }

    /// The shim's log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.run.join("shim.log")
    }

    /// Held by the shim as long as it lives.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.run.join("shim.lock")
    }

    /// Shared memory of the pod.
    #[must_use]
    pub fn shm(&self) -> PathBuf {
        self.run.join("shm")
    }

    /// libcontainer's state of all containers.
    #[must_use]
    pub fn oci(&self) -> PathBuf {
        self.run.join("oci")
    }

    /// The bundle of a container.
    #[must_use]
    pub fn bundle(&self, container: &str) -> PathBuf {
        self.run.join("bundles").join(container)
    }

    /// Where a container's root file system is mounted, in the container's own mount namespace.
    #[must_use]
    pub fn rootfs(&self, container: &str) -> PathBuf {
        self.bundle(container).join("rootfs")
    }

    /// What a container leaves on disk.
    #[must_use]
    pub fn container_data(&self, container: &str) -> PathBuf {
        self.data.join("containers").join(container)
    }

    /// The writable layer of a container: what it has changed in its root file system.
    #[must_use]
    pub fn upper(&self, container: &str) -> PathBuf {
        self.container_data(container).join("upper")
    }

    /// Start, end and exit code of a container.
    #[must_use]
    pub fn status(&self, container: &str) -> PathBuf {
        self.container_data(container).join("status.json")
    }
}
