//! Plans of machines: names that never collide, growth that keeps what is there.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};

use super::*;

fn check(machines: &[Machine], expected: Expect) {
    let plan =
        Plan::of("demo", 3, (Path::new("/data/demo"), Path::new("/run/starling/demo")), machines);
    let lines: Vec<String> = plan
        .machines
        .iter()
        .map(|one| {
            let segment = one.segment.as_ref().map(|segment| {
                format!("{} {} {}", segment.address, segment.interface, segment.netns.display())
            });
            let network = segment.unwrap_or("this computer".into());
            format!("{} {} | {} | {}\n", one.node, one.role, network, one.group)
        })
        .collect();
    expected.assert_eq(&format!("{} {}\n{}", plan.bridge, plan.gateway, lines.concat()));
}

#[test]
fn five_machines_have_names_addresses_and_groups_of_their_own() {
    let machines = Plan::grow(&[], 3, 2).expect("a plan");
    check(
        &machines,
        expect![[r#"
            stm3 10.32.3.1
            server-1 server | 10.32.3.11 stm3-1 /run/netns/stl-demo-server-1 | /starling/demo/server-1
            server-2 server | 10.32.3.12 stm3-2 /run/netns/stl-demo-server-2 | /starling/demo/server-2
            server-3 server | 10.32.3.13 stm3-3 /run/netns/stl-demo-server-3 | /starling/demo/server-3
            agent-1 agent | 10.32.3.14 stm3-4 /run/netns/stl-demo-agent-1 | /starling/demo/agent-1
            agent-2 agent | 10.32.3.15 stm3-5 /run/netns/stl-demo-agent-2 | /starling/demo/agent-2
        "#]],
    );
}

#[test]
fn this_computer_itself_has_no_segment() {
    let machines = [Machine { node: "metal-7".into(), role: Role::Server, number: None }];
    check(
        &machines,
        expect![[r#"
            stm3 10.32.3.1
            metal-7 server | this computer | /starling/demo/metal-7
        "#]],
    );
}

#[test]
fn growth_keeps_numbers_and_fills_gaps() {
    let mut machines = Plan::grow(&[], 1, 2).expect("a plan");
    machines.retain(|machine| machine.node != "agent-1");
    let grown = Plan::grow(&machines, 3, 2).expect("a larger plan");
    let names: Vec<String> =
        grown.iter().map(|one| format!("{}={:?}", one.node, one.number.unwrap_or(0))).collect();
    assert_eq!(names, ["server-1=1", "agent-2=3", "server-2=2", "server-3=4", "agent-1=5"]);
    assert_eq!(Plan::grow(&grown, 3, 2), Ok(grown.clone()), "the same wish changes nothing");
}

#[test]
fn wishes_that_make_no_cluster_are_refused() {
    let three = Plan::grow(&[], 3, 0).expect("a plan");
    assert_eq!(Plan::grow(&[], 0, 2), Err(PlanError::NoServer));
    assert_eq!(Plan::grow(&[], 3, 300), Err(PlanError::TooMany { asked: 303 }));
    assert_eq!(
        Plan::grow(&three, 1, 0).map_err(|error| error.to_string()),
        Err("the cluster has 3 servers already, and `up` removes none".to_owned())
    );
}

#[test]
fn no_name_is_too_long_for_the_kernel() {
    let machines = Plan::grow(&[], 100, 100).expect("the largest plan");
    let place = (Path::new("/var/lib/starling/x"), Path::new("/run/starling/x"));
    let plan = Plan::of("a1234567890123456789", 63, place, &machines);
    let interfaces: BTreeSet<String> = plan
        .machines
        .iter()
        .filter_map(|one| one.segment.as_ref().map(|segment| segment.interface.clone()))
        .collect();
    assert_eq!(interfaces.len(), 200);
    assert!(interfaces.iter().all(|name| name.len() <= 15), "IFNAMSIZ");
}
