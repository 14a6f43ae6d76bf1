//! What this process uses, as the kernel tells it.
//!
//! Way in: [`families`].  Spec: Prometheus documentation, "Writing client libraries", process metrics; proc(5).

use std::fs;

use super::text::Family;

/// Parts of a second in which the kernel tells times to programs. Spec: proc(5), `USER_HZ`.
const TICKS: f64 = 100.0;

/// The standard figures of a process; what the kernel does not tell is left out.
pub(super) fn families() -> Vec<Family> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The program's name may hold blanks and braces; all others are behind its end.
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or_default())
        .collect();
    // Numbers of proc(5), where the state is the third field and stands first here.
    let field = |number: usize| fields.get(number - 3).copied();
    let cpu = field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS);
    let started = field(22).zip(boot()).map(|(ticks, boot)| boot + ticks / TICKS);
    let open = fs::read_dir("/proc/self/fd").ok().map(|all| count(all.count()));
    let told = [
        (
            Family::counter("process_cpu_seconds_total", "Total user and system CPU time spent."),
            cpu,
        ),
        (Family::gauge("process_start_time_seconds", "Start time since the epoch."), started),
        (Family::gauge("process_resident_memory_bytes", "Resident memory size."), resident()),
        (Family::gauge("process_virtual_memory_bytes", "Virtual memory size."), field(23)),
        (Family::gauge("process_open_fds", "Number of open file descriptors."), open),
        (Family::gauge("process_max_fds", "Maximum number of open file descriptors."), limit()),
        (Family::gauge("process_threads", "Number of threads."), field(20)),
    ];
    let known = told.into_iter().filter_map(|(family, number)| number.map(|one| (family, one)));
    known.map(|(family, number)| family.with(Vec::new(), number)).collect()
}

/// Bytes of memory that are its own and shared, without what is swapped out.
fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib * 1_024.0)
}

/// When the machine was started, in seconds since the epoch.
fn boot() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Most files that may be open.
fn limit() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A count as Prometheus has all numbers.
pub(super) fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text::Sample;

    #[test]
    fn this_process_runs_and_has_files_open() {
        let families = families();
        let number = |name: &str| {
            let family = families.iter().find(|family| family.name == name).expect("told");
            match family.samples.as_slice() {
                [(_, Sample::Number(number))] => *number,
                other => panic!("{name}: {other:?}"),
            }
        };
        let open = number("process_open_fds");
        assert!(open > 2.0 && open <= number("process_max_fds"), "{open}");
        let memory = number("process_resident_memory_bytes");
        assert!(memory > 1e6 && memory < number("process_virtual_memory_bytes"), "{memory}");
        assert!(number("process_start_time_seconds") > 1.6e9);
        assert!(number("process_threads") >= 1.0);
    }
}
