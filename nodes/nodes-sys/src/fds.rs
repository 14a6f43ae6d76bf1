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

/// Closes every descriptor but the three standard ones and `keep`: for a forked child that will live on without
/// executing a program, so that it holds nothing of its parent's open.
///
/// Whatever owns a descriptor that is not kept must not be used, or dropped, any more; it would find the number
/// closed or given to another file. A forked child that ends with [`crate::exit_now`] drops nothing of its
/// parent's.
///
/// # Errors
/// What close_range(2) says; kernels before 5.9 do not have it.
pub fn close_other_fds(keep: &[RawFd]) -> nix::Result<()> {
    let mut keep: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(*fd).ok()).collect();
    keep.sort_unstable();
    let mut first = 3_u32;
    for kept in keep.into_iter().chain([u32::MAX]) {
        if first < kept {
            // SAFETY: close_range takes three numbers and touches no memory; that owners of what is closed are not
            // used again is the caller's part, and a mistake there ends in EBADF.
            let closed = unsafe { libc::syscall(libc::SYS_close_range, first, kept - 1, 0_u32) };
            Errno::result(closed)?;
        }
        first = first.max(kept.saturating_add(1));
    }
    Ok(())
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
