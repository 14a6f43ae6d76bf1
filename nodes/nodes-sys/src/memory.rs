//! Giving unused memory back.

/// Returns free heap pages to the kernel, where the allocator is glibc's; elsewhere it does nothing.
pub fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim only touches the allocator's own state, under the allocator's own locks.
    unsafe {
        nix::libc::malloc_trim(0)
    };
}
