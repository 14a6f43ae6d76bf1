//! Machines in the kernel: made, repeated, cut off, paused, removed without a trace. Needs root, and says so.

use std::{fs, io::Write as _, net::UdpSocket, path::Path, process::Command, time::Duration};

use nodes_machines::{Plan, group, namespace, network};

/// A number that no cluster of a user has: they begin at 0.
const INDEX: u8 = 98;

fn lacks_root(test: &str) -> bool {
    let is_root =
        fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Uid:\t0\t"));
    if !is_root {
        let told = writeln!(std::io::stderr(), "NOT RUN: {test}: only root can make namespaces");
        assert!(told.is_ok(), "standard error is closed");
    }
    !is_root
}

fn plan(name: &str, index: u8) -> Plan {
    let machines = Plan::grow(&[], 1, 1).unwrap_or_default();
    let folders = (Path::new("/tmp"), Path::new("/tmp"));
    Plan::of(name, index, folders, &machines)
}

fn segments(plan: &Plan) -> Vec<&nodes_machines::Segment> {
    plan.machines.iter().filter_map(|machine| machine.segment.as_ref()).collect()
}

fn has_interface(name: &str) -> bool {
    fs::exists(format!("/sys/class/net/{name}")).unwrap_or(false)
}

#[test]
fn machines_reach_each_other_until_a_cable_is_pulled_and_leave_nothing() {
    if lacks_root("machines_reach_each_other") {
        return;
    }
    let plan = plan("test-net", INDEX);
    network::clear(&plan).expect("cleared of what a killed run left");
    let both = segments(&plan);
    let (one, two) = (both[0], both[1]);
    for _ in 0..2 {
        network::lay(&plan).expect("the bridge");
        for segment in &both {
            network::connect(&plan, segment).expect("a machine");
        }
    }
    let receiver = namespace::run_in(&two.netns, || UdpSocket::bind((two.address, 7)))
        .expect("entered")
        .expect("bound");
    receiver.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let send = || {
        namespace::run_in(&one.netns, || {
            UdpSocket::bind((one.address, 0))
                .and_then(|socket| socket.send_to(b"x", (two.address, 7)))
        })
        .expect("entered")
    };
    let mut buffer = [0; 8];
    send().expect("sent");
    let (_, from) = receiver.recv_from(&mut buffer).expect("received");
    assert_eq!(from.ip(), one.address);

    network::set_cable(two, false).expect("pulled");
    receiver.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    drop(send());
    assert!(receiver.recv_from(&mut buffer).is_err(), "nothing comes through a pulled cable");
    drop(receiver);

    for _ in 0..2 {
        network::clear(&plan).expect("cleared");
    }
    assert!(!has_interface(&plan.bridge) && !has_interface(&one.interface));
    assert!(!one.netns.exists() && !two.netns.exists());
}

#[test]
fn a_machine_is_paused_resumed_and_killed_as_a_whole() {
    if lacks_root("a_machine_is_paused") {
        return;
    }
    let plan = plan("test-group", INDEX - 1);
    group::kill(&plan.group).expect("cleared of what a killed run left");
    let machine = &plan.machines[0];
    assert!(group::pause(&machine.group).is_err(), "there is nothing to pause");
    let mut sleeper = Command::new("sleep").arg("600").spawn().expect("sleep runs");
    group::enter(&machine.system_group(), sleeper.id()).expect("entered");
    assert_eq!(group::state(&machine.group), group::State::Running);
    group::pause(&machine.group).expect("paused");
    assert_eq!(group::state(&machine.group), group::State::Paused);
    group::resume(&machine.group, &machine.system_group()).expect("resumed");
    assert_eq!(group::state(&machine.group), group::State::Running);
    group::pause(&machine.group).expect("paused again");
    // A killed child of this very process is a zombie until it is waited for.
    std::thread::scope(|scope| {
        let killed = scope.spawn(|| group::kill(&machine.group));
        assert!(!sleeper.wait().expect("ended").success());
        killed.join().expect("no panic").expect("killed though paused");
    });
    assert_eq!(group::state(&machine.group), group::State::Down);
    group::kill(&plan.group).expect("nothing is left to kill");
}
