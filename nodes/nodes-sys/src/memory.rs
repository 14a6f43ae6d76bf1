//! Giving unused memory back.

use nix::libc;

/// Returns free heap pages to the kernel, where the allocator is glibc's; elsewhere it does nothing.
pub fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim only touches the allocator's own state, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Takes program and library pages out of this process's resident set: those that are an unchanged part of a
/// file. What is needed again comes back from the page cache. For a process that is about to be idle for long;
/// one with other threads is left alone.
pub fn forget_program_pages() {
    let is_alone = std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1);
    if !is_alone {
        return;
    }
    for (start, end) in unchanged_mappings() {
        let pages = std::ptr::without_provenance_mut::<libc::c_void>(start);
        // SAFETY: the range is a mapping of a file that is not writable and has no page that differs from the file
        // (`Anonymous: 0 kB`), and no other thread can change that meanwhile. The kernel only drops its page table
        // entries; the next access finds the same bytes in the file.
        unsafe { libc::madvise(pages, end - start, libc::MADV_DONTNEED) };
    }
}

/// Address ranges of mappings of files that are not writable and have no private pages.
fn unchanged_mappings() -> Vec<(usize, usize)> {
    let text = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let mut found = Vec::new();
    let mut candidate = None;
    for line in text.lines() {
        if let Some(size) = line.strip_prefix("Anonymous:") {
            found.extend(candidate.take().filter(|_| size.trim() == "0 kB"));
        } else if let Some(range) = read_only_file(line) {
            candidate = Some(range);
        }
    }
    found
}

/// The range in a line such as `7f00-7f80 r-xp 00001000 fe:00 1234  /usr/bin/starling`.
fn read_only_file(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let is_fixed = fields.next()?.get(1..2)? == "-";
    let has_file = fields.nth(2)? != "0" && fields.next()?.starts_with('/');
    let address = |text| usize::from_str_radix(text, 16).ok();
    (is_fixed && has_file).then_some((address(start)?, address(end)?))
}

#[cfg(test)]
mod tests {
    use super::read_only_file;

    #[test]
    fn only_files_that_cannot_be_written_are_forgotten() {
        let range = read_only_file("1000-2000 r-xp 00001000 fe:00 1234    /usr/bin/x").unwrap();
        assert_eq!(range, (0x1000, 0x2000));
        assert_eq!(read_only_file("1000-2000 rw-p 00001000 fe:00 1234    /usr/bin/x"), None);
        assert_eq!(read_only_file("1000-2000 r-xp 00000000 00:00 0       [vdso]"), None);
        assert_eq!(read_only_file("1000-2000 r--p 00000000 00:00 0"), None);
        assert_eq!(read_only_file("Anonymous:             0 kB"), None);
    }
}
