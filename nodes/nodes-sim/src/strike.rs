//! What a fault of a plan is in the simulator's own words, whatever the world.
//!
//! Way in: [`id_of`], [`cut_under`], [`disk_under`], [`net_under`].

use std::time::Duration;

use actors_sim::{Cut, DiskFaults, Flap, NetFaults, NodeId};
use chaos_plan::{FaultKind, Machine, Rhythm, Way};

/// Which node a machine is: agents stand behind the servers.
pub(crate) fn id_of(machine: Machine, servers: u8) -> NodeId {
    NodeId(match machine {
        Machine::Server(number) => u32::from(number),
        Machine::Agent(number) => u32::from(servers) + u32::from(number),
    })
}

/// The partition that a fault makes around the machines that it hits.
pub(crate) fn cut_under(
    name: &str,
    fault: FaultKind,
    hit: &[NodeId],
    all: impl Iterator<Item = NodeId>,
) -> Option<Cut> {
    let others = || all.filter(|id| !hit.contains(id)).collect::<Vec<_>>();
    let between = |from, to| Cut::between(name.to_owned(), from, to);
    let flap = |Rhythm { cut, open }| Flap { cut, open };
    match (fault, hit) {
        (FaultKind::Isolate(_), [node]) => Some(between(vec![*node], others())),
        (FaultKind::Deaf(_), [node]) => {
            Some(Cut { is_one_way: true, ..between(others(), vec![*node]) })
        }
        (FaultKind::Mute(_), [node]) => {
            Some(Cut { is_one_way: true, ..between(vec![*node], others()) })
        }
        (FaultKind::Flap(_), [node]) => {
            Some(Cut { flap: Some(flap(Rhythm::USUAL)), ..between(vec![*node], others()) })
        }
        (FaultKind::Unlink { way, rhythm, .. }, [from, to]) if from != to => Some(Cut {
            is_one_way: way == Way::One,
            flap: rhythm.map(flap),
            ..between(vec![*from], vec![*to])
        }),
        _ => None,
    }
}

/// How a disk behaves under a fault, if it is one of disks.
pub(crate) fn disk_under(fault: FaultKind, usual: DiskFaults) -> Option<DiskFaults> {
    let ms = Duration::from_millis;
    match fault {
        FaultKind::SlowDisk(_) => {
            Some(DiskFaults { sync_min: ms(20), sync_max: ms(150), ..DiskFaults::default() })
        }
        FaultKind::StallDisk(_) => {
            Some(DiskFaults { stall_ppm: 200_000, stall: ms(1_400), ..DiskFaults::default() })
        }
        FaultKind::FullDisk(_) => Some(DiskFaults { is_full: true, ..usual }),
        FaultKind::FailDisk(_) => Some(DiskFaults { sync_error_ppm: 250_000, ..usual }),
        _ => None,
    }
}

/// How the network behaves under all of these faults at once.
pub(crate) fn net_under<'a>(faults: impl IntoIterator<Item = &'a FaultKind>) -> NetFaults {
    let mut net = NetFaults::default();
    for fault in faults {
        match fault {
            FaultKind::Loss { per_million } => net.loss_ppm = *per_million,
            FaultKind::Duplicate { per_million } => net.duplicate_ppm = *per_million,
            FaultKind::Jumble { per_million } => {
                net.duplicate_ppm = *per_million;
                net.reorder_ppm = *per_million;
            }
            FaultKind::SlowNet { latency_max } => net.latency_max = *latency_max,
            _ => {}
        }
    }
    net
}

/// Whether a fault is one of the whole network.
pub(crate) fn bends_net(fault: FaultKind) -> bool {
    matches!(
        fault,
        FaultKind::Loss { .. }
            | FaultKind::Duplicate { .. }
            | FaultKind::Jumble { .. }
            | FaultKind::SlowNet { .. }
    )
}
