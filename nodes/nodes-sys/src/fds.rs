//! Descriptors that come from elsewhere: over a socket, or a terminal's.

use std::{
    io::IoSliceMut,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    sys::socket::{ControlMessageOwned, MsgFlags, recvmsg},
};

/// Takes one message from a unix socket and returns the descriptor in it: how a container's terminal comes.
///
/// # Errors
/// `EPROTO` if the message carries no descriptor; otherwise what recvmsg(2) says.
pub fn receive_fd(socket: impl AsFd) -> nix::Result<OwnedFd> {
    let mut text = [0_u8; 256];
    let mut parts = [IoSliceMut::new(&mut text)];
    let mut space = cmsg_space!([RawFd; 4]);
    let socket = socket.as_fd().as_raw_fd();
    let message = recvmsg::<()>(socket, &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut received = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control {
            for fd in fds {
                // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
                received.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    received.into_iter().next().ok_or(Errno::EPROTO)
}

/// Tells a terminal how large its window is; the foreground processes get SIGWINCH.
///
/// # Errors
/// `ENOTTY` if it is no terminal.
pub fn set_terminal_size(terminal: impl AsFd, rows: u16, columns: u16) -> nix::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = terminal.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open for the length of the call, and TIOCSWINSZ only reads one `winsize`.
    let result = unsafe { libc::ioctl(terminal, libc::TIOCSWINSZ, &raw const size) };
    Errno::result(result).map(|_| ())
}
