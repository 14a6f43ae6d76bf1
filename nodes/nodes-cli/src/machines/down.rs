//! `starling down` for clusters of several machines: everything that any of them has on this host.
//!
//! Way in: [`run`], and [`retire`] for one machine.  Order: the processes in order, then pods and mounts, then whatever
//! is left in the control groups, then namespaces, cables, bridge, rules. Everything follows from the plan alone and is
//! safe to repeat, also after an `up` that was killed.

use std::{fs, io::ErrorKind, thread};

use nodes_machines::{MachinePlan, MachineRecord, group, namespace, network};

use crate::{
    Caller, ClusterRecord, Failure, Output, Records,
    arguments::Part,
    down::{remove, stop},
    processes,
    up::unusable,
};

pub(crate) fn run(
    record: &ClusterRecord,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let plan = record.plan();
    let forwarder = processes::find_part(&record.run_dir, Part::Forwarder);
    for (what, pid) in
        [("forwarder's guardian", forwarder.guardian), ("forwarder", forwarder.server)]
    {
        pid.map_or(Ok(()), |pid| stop(what, pid))?;
    }
    output.progress(&format!("  stopping {} machines", plan.machines.len()));
    let teardown = caller.teardown;
    all(&plan.machines, power_off)?;
    output.progress("  removing pods, mounts, namespaces, interfaces, rules and cgroups");
    // One after another: they share the host's table of mounts.
    plan.machines.iter().try_for_each(|machine| clean(machine, teardown))?;
    // Group by group: this computer may be one machine of a cluster whose others are its neighbours here.
    for group in plan.machines.iter().map(|machine| &machine.group) {
        group::kill(group).map_err(|error| left_over(record, &error.to_string()))?;
    }
    group::remove_if_empty(&plan.group).map_err(|error| left_over(record, &error.to_string()))?;
    if record.is_hosted() {
        network::clear(&plan).map_err(|error| left_over(record, &Failure::of(&error).cause))?;
    }
    Ok(())
}

/// Stops a machine of this host that is out of its cluster, and forgets it: what it has is worth nothing any more.
pub(crate) fn retire(
    record: &ClusterRecord,
    machine: &MachinePlan,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let again = |cause: String| {
        Failure::new(format!("something of {} is left over: {cause}", machine.node))
            .next(format!("starling server remove {}   (again)", machine.node))
    };
    output.progress(&format!("  {}: stopping, and removing what it has", machine.node));
    power_off(machine)?;
    clean(machine, caller.teardown)?;
    group::kill(&machine.group).map_err(|error| again(error.to_string()))?;
    if let Some(segment) = &machine.segment {
        network::disconnect(segment).map_err(|error| again(Failure::of(&error).cause))?;
    }
    remove(&machine.run_dir)?;
    remove(&machine.data_dir)?;
    let records = Records::open(&caller.place).map_err(|error| unusable(&error))?;
    records.drop_machine(&record.name, &machine.node).map_err(|error| unusable(&error))?;
    drop(records);
    // It reads the record when it starts, and its guardian starts it at once.
    if let Some(pid) = processes::find_part(&record.run_dir, Part::Forwarder).server {
        processes::signal(pid, nix::sys::signal::Signal::SIGKILL);
    }
    Ok(())
}

fn left_over(record: &ClusterRecord, cause: &str) -> Failure {
    Failure::new(format!("something is left over: {cause}"))
        .next(format!("starling down --name {}", record.name))
}

/// Removes the folders of sockets and pids of these machines, and the cluster's if nobody else has one there.
pub(crate) fn remove_run_folders(record: &ClusterRecord) -> Result<(), Failure> {
    for machine in &record.plan().machines {
        remove(&machine.run_dir)?;
    }
    let files = Part::Forwarder.pid_files();
    for file in [files.guardian, files.child] {
        // What a forwarder that was killed left; usually it is gone already.
        let _gone = fs::remove_file(record.run_dir.join(file));
    }
    match fs::remove_dir(&record.run_dir) {
        Err(error)
            if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) =>
        {
            let cause = format!("cannot remove {}: {error}", record.run_dir.display());
            Err(Failure::new(cause).next("mount | grep starling"))
        }
        _ => Ok(()),
    }
}

/// Runs the work for all machines at once; the first failure counts.
fn all(
    machines: &[MachinePlan],
    work: impl Fn(&MachinePlan) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            machines.iter().map(|machine| scope.spawn(move || work(machine))).collect();
        let ended = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(Failure::new("a part of this command panicked")))
        });
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Stops a machine's own processes; its pods are left to [`clean`].
fn power_off(machine: &MachinePlan) -> Result<(), Failure> {
    if group::state(&machine.group) == group::State::Paused {
        group::resume(&machine.group, &machine.system_group())
            .map_err(|error| Failure::of(&error))?;
    }
    let living = processes::find(&machine.run_dir);
    for (what, pid) in [("guardian", living.guardian), ("process", living.server)] {
        let what = format!("{what} of {}", machine.node);
        pid.map_or(Ok(()), |pid| stop(&what, pid))?;
    }
    Ok(())
}

/// Removes the machine's pods and their mounts. A machine that never got its record had none.
fn clean(
    machine: &MachinePlan,
    teardown: &(dyn Fn(&MachineRecord) -> Result<(), String> + Sync),
) -> Result<(), Failure> {
    let Ok(record) = MachineRecord::read(&machine.record_path()) else { return Ok(()) };
    if let Some(netns) = record.netns.as_deref().filter(|netns| !namespace::exists(netns)) {
        // A name without a namespace, of a machine that was being made, leads nowhere.
        namespace::remove(netns).map_err(|error| Failure::of(&error))?;
    }
    teardown(&record).map_err(|cause| {
        Failure::new(format!("something of {} is left over: {cause}", machine.node))
            .next("starling down   (again)")
    })
}
