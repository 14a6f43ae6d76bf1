//! Giving up every capability.

use nix::{errno::Errno, libc};

/// The header of capset(2), version 3: <https://man7.org/linux/man-pages/man2/capset.2.html>.
#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

/// 32 capabilities in three sets; version 3 takes two of these.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;
/// More than the kernel has (41 in 6.x); the first number that it does not know ends the loop.
const CAPABILITIES_MAX: libc::c_ulong = 64;

/// Empties the bounding, ambient, effective, permitted and inheritable sets of this thread.
///
/// # Errors
/// What capset(2) says. That the bounding set cannot be emptied for lack of CAP_SETPCAP is no error: without any
/// capability and with no program to execute, it is only a second lock.
pub fn drop_all_capabilities() -> nix::Result<()> {
    for capability in 0..CAPABILITIES_MAX {
        // SAFETY: this prctl operation takes one number and touches no memory.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            break;
        }
    }
    // SAFETY: this prctl operation takes numbers and touches no memory.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    let header = Header { version: VERSION_3, pid: 0 };
    let sets = [Sets { effective: 0, permitted: 0, inheritable: 0 }; 2];
    // SAFETY: both pointers are to live values of the layout that version 3 defines: one header, two sets.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) };
    Errno::result(result).map(|_| ())
}
