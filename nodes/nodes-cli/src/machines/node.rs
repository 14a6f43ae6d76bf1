//! `starling node`: what can happen to a machine of this host, made to happen; and a machine declared out of service.
//!
//! Way in: [`run`].  Time and order: a machine's cable is pulled before its processes die, so that, as with lost power,
//! nobody hears a goodbye.
//! Spec: Kubernetes documentation, "Non-graceful node shutdown handling", for the taint of `out`.

use nodes_machines::{MachinePlan, Plan, group, network};
use serde_json::{Value, json};

use super::{token::known_with_machines, up::power_on};
use crate::{
    Arguments, Caller, ClusterRecord, Failure, Output, actors::escape, arguments::NodeVerb,
    client::Client, processes,
};

/// What moves the pods of a machine that is off.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// How often a taint is tried that somebody else's change got ahead of.
const TRIES: u32 = 5;

pub(crate) fn run(
    arguments: &Arguments,
    verb: &NodeVerb,
    caller: &Caller<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let record = known_with_machines(arguments, caller)?;
    if let NodeVerb::Out { node, undo } = verb {
        return declare(&record, node, !undo, output);
    }
    if !caller.place.is_root {
        return Err(
            Failure::new("only root may do this to a machine").next("sudo starling node ...")
        );
    }
    let plan = record.plan();
    let (node, done, state) = match verb {
        NodeVerb::Kill { node } => {
            kill(here(&plan, node)?)?;
            (node, "killed; it stays down until `starling node start`", "down")
        }
        NodeVerb::Start { node } => {
            let machine = here(&plan, node)?;
            if processes::find(&machine.run_dir).guardian.is_some() {
                (node, "running already", "running")
            } else {
                if machine.segment.is_some() {
                    // The bridge is there, unless this host itself was restarted.
                    network::lay(&plan).map_err(|error| Failure::of(&error))?;
                }
                power_on(&plan, machine, output, &mut |_| {})?;
                (node, "started", "running")
            }
        }
        NodeVerb::Pause { node } => {
            group::pause(&here(&plan, node)?.group).map_err(|error| idle(node, &error))?;
            (node, "paused; `starling node resume` lets it go on", "paused")
        }
        NodeVerb::Resume { node } => {
            let machine = here(&plan, node)?;
            group::resume(&machine.group, &machine.system_group())
                .map_err(|error| idle(node, &error))?;
            (node, "running again", "running")
        }
        NodeVerb::Out { .. } => return Ok(()),
    };
    output.answer(&format!("machine {node} is {done}"), &json!({"node": node, "state": state}))
}

/// A machine of this host.
fn here<'a>(plan: &'a Plan, node: &str) -> Result<&'a MachinePlan, Failure> {
    plan.find(node).ok_or_else(|| {
        let names: Vec<&str> = plan.machines.iter().map(|one| one.node.as_str()).collect();
        let cause =
            format!("machine {node:?} is not on this host; there are: {}", names.join(", "));
        Failure::new(cause).next("starling status").code(4)
    })
}

fn kill(machine: &MachinePlan) -> Result<(), Failure> {
    if group::state(&machine.group) == group::State::Down {
        return Err(Failure::new(format!("machine {} is down already", machine.node))
            .next(format!("starling node start {}", machine.node)));
    }
    if let Some(segment) = &machine.segment {
        network::set_cable(segment, false).map_err(|error| Failure::of(&error))?;
    }
    group::kill(&machine.group).map_err(|error| Failure::of(&error))
}

fn idle(node: &str, error: &group::GroupError) -> Failure {
    match error {
        group::GroupError::Empty(_) => Failure::new(format!("machine {node} is down"))
            .next(format!("starling node start {node}")),
        error => Failure::of(error),
    }
}

/// Says, or takes back, that a machine is off and stays off.
fn declare(
    record: &ClusterRecord,
    node: &str,
    is_out: bool,
    output: &Output,
) -> Result<(), Failure> {
    let client = Client::of(record)?;
    let path = format!("/api/v1/nodes/{}", escape(node));
    for _ in 0..TRIES {
        let object = client.get(&path)?;
        let Some(taints) = changed(&object, is_out) else { break };
        let version = &object["metadata"]["resourceVersion"];
        let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"taints": taints}});
        match client.merge(&path, &patch) {
            // Somebody changed the node in between: look again.
            Err(failure) if failure.code == 5 => {}
            other => {
                other?;
                break;
            }
        }
    }
    let text = match is_out {
        true => format!("node {node} is out of service: its pods move to others"),
        false => format!("node {node} is in service"),
    };
    output.answer(&text, &json!({"node": node, "outOfService": is_out}))
}

/// The taints as they should be; none if they are so.
fn changed(node: &Value, is_out: bool) -> Option<Vec<Value>> {
    let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    let before = taints.len();
    taints.retain(|taint| taint["key"] != OUT_OF_SERVICE);
    let was_out = taints.len() < before;
    if is_out {
        taints.push(json!({"key": OUT_OF_SERVICE, "value": "nodeshutdown", "effect": "NoExecute"}));
    }
    (was_out != is_out).then_some(taints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_keeps_other_taints_and_is_made_once() {
        let other = json!({"key": "a", "effect": "NoSchedule"});
        let node = json!({"spec": {"taints": [other]}});
        let out = changed(&node, true).expect("a change");
        assert_eq!(out.len(), 2);
        let node = json!({"spec": {"taints": out}});
        assert_eq!(changed(&node, true), None);
        assert_eq!(changed(&node, false), Some(vec![other]));
        assert_eq!(changed(&json!({}), false), None);
    }
}
