//! The two extended attributes that unpacking a layer needs.

use std::{
    ffi::CStr,
    os::fd::{AsFd, AsRawFd},
};

use nix::{errno::Errno, libc};

/// <https://docs.kernel.org/filesystems/overlayfs.html>, "whiteouts and opaque directories".
const OPAQUE: &CStr = c"trusted.overlay.opaque";
/// <https://man7.org/linux/man-pages/man7/capabilities.7.html>, "file capabilities".
const CAPABILITY: &CStr = c"security.capability";

/// Marks a directory of a layer as opaque: nothing of the layers below shows through.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `EOPNOTSUPP` where the file system has no such attributes.
pub fn mark_opaque(directory: impl AsFd) -> nix::Result<()> {
    set_attribute(directory, OPAQUE, b"y")
}

/// Gives a file the capabilities that `value`, in the kernel's own encoding, describes.
///
/// # Errors
/// `EINVAL` if the value is malformed, `EPERM` without CAP_SETFCAP.
pub fn set_capability_attribute(file: impl AsFd, value: &[u8]) -> nix::Result<()> {
    set_attribute(file, CAPABILITY, value)
}

fn set_attribute(file: impl AsFd, name: &CStr, value: &[u8]) -> nix::Result<()> {
    let fd = file.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open, the name ends with a zero byte, and the value has the length that is given.
    let set = unsafe { libc::fsetxattr(fd, name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    Errno::result(set).map(|_| ())
}
