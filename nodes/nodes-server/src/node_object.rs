//! The Node objects of machines that were admitted: made before their agents speak, so that no two get one range.
//!
//! Way in: [`put`], [`free_range`].  Writes: labels and annotations of ours, `spec.podCIDR`.

use std::{collections::BTreeSet, net::Ipv4Addr};

use actors_object::{ApiError, Object, Value, value};
use nodes_client::{Calls, Later};
use nodes_door::Target;
use nodes_mesh::SignedLog;

use crate::control_plane::the_taint;

/// Which member of the store's group a server is.
pub(crate) const MEMBER: &str = "starling.dev/member";

/// The serial numbers of the certificates that the node was given, apart by blanks.
pub(crate) const SERIALS: &str = "starling.dev/certificate-serials";

/// The label of servers. Spec: Kubernetes documentation, "Well-Known Labels", `node-role.kubernetes.io/control-plane`.
pub(crate) const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// Most serial numbers that are kept of a node: older certificates have expired.
const SERIALS_MAX: usize = 8;

/// How often somebody else may come in between.
const CONFLICTS_MAX: u32 = 8;

/// What is known of a machine that is admitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewNode<'a> {
    pub(crate) name: &'a str,
    /// The addresses of its pods.
    pub(crate) range: &'a str,
    /// Which member of the store's group it is, if it is a server.
    pub(crate) member: Option<u64>,
    /// The serial number of the certificate that it gets.
    pub(crate) serial: Option<&'a str>,
    /// Whether pods that do not ask for it stay away.
    pub(crate) is_tainted: bool,
}

/// The place of Node objects.
pub(crate) fn target(name: Option<&str>) -> Target {
    Target {
        version: "v1".to_owned(),
        resource: "nodes".to_owned(),
        name: name.map(str::to_owned),
        ..Target::default()
    }
}

/// Makes the object, or says the new things of one that is there.
pub(crate) async fn put(calls: &Calls, node: &NewNode<'_>) -> Result<(), ApiError> {
    let known = match calls.get(target(Some(node.name))).await {
        Ok(known) => Some(known),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    let mut wanted = value!({
        "metadata": { "labels": {}, "annotations": {} },
        "spec": { "podCIDR": node.range, "podCIDRs": [node.range] },
    });
    let (label, member) = match node.member {
        Some(member) => (Value::from(""), Value::from(member.to_string())),
        None => (Value::Null, Value::Null),
    };
    // A merge patch takes away what is null; a new object just does not have it.
    let is_told = |value: &Value| known.is_some() || *value != Value::Null;
    for (path, value) in [
        (["metadata", "labels", CONTROL_PLANE], label),
        (["metadata", "annotations", MEMBER], member),
    ] {
        if is_told(&value) {
            wanted.set_path(&path, value);
        }
    }
    if let Some(serial) = node.serial {
        let all = with_serial(known.as_deref(), serial);
        wanted.set_path(&["metadata", "annotations", SERIALS], all);
    }
    // A node that was an agent's is a new server's too; what somebody did to a server's taints stays.
    let was_server = known.as_ref().is_some_and(|known| known.annotation(MEMBER).is_some());
    if node.is_tainted && !was_server {
        let known = known.as_ref().map(|known| known.0.list_at(&["spec", "taints"]).to_vec());
        let mut taints = known.unwrap_or_default();
        taints.retain(|taint| *taint != the_taint());
        taints.push(the_taint());
        wanted.set_path(&["spec", "taints"], Value::List(taints));
    }
    if known.is_some() {
        return calls.merge(target(Some(node.name)), &wanted).await.map(drop);
    }
    wanted.set_path(&["apiVersion"], "v1");
    wanted.set_path(&["kind"], "Node");
    wanted.set_path(&["metadata", "name"], node.name);
    match calls.create(target(None), &wanted).await {
        // Its agent was faster; what it said of itself stays.
        Err(error) if error.is_already_exists() => Box::pin(put(calls, node)).await,
        created => created.map(drop),
    }
}

/// The serial numbers of a node, the given one among them, oldest first.
fn with_serial(node: Option<&Object>, serial: &str) -> String {
    let before = node.map(serials).unwrap_or_default();
    let mut all: Vec<String> = before.into_iter().filter(|known| known != serial).collect();
    all.push(serial.to_owned());
    let from = all.len().saturating_sub(SERIALS_MAX);
    all.split_off(from).join(" ")
}

/// The serial numbers of the certificates that a node was given.
pub(crate) fn serials(node: &Object) -> Vec<String> {
    let text = node.annotation(SERIALS).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Remembers the serial number of one more certificate of a node. The node's agent writes to the same object: whoever
/// comes in between makes it read again, a few times.
pub(crate) async fn add_serial(calls: &Calls, node: &str, serial: &str) -> Result<(), ApiError> {
    let mut tries = 0;
    loop {
        let known = calls.get(target(Some(node))).await?;
        if serials(&known).iter().any(|other| other == serial) {
            return Ok(());
        }
        let mut patch = Value::Null;
        patch.set_path(&["metadata", "resourceVersion"], known.resource_version());
        patch.set_path(&["metadata", "annotations", SERIALS], with_serial(Some(&known), serial));
        match calls.merge(target(Some(node)), &patch).await {
            Err(error) if error.is_conflict() && tries < CONFLICTS_MAX => tries += 1,
            merged => return merged.map(drop),
        }
    }
}

/// Notes the certificates that are signed for nodes that are there.
pub(crate) struct SerialLog(pub(crate) Calls);

impl SignedLog for SerialLog {
    fn note(&self, node: String, serial: String) -> Later<'_, Result<(), ApiError>> {
        Box::pin(async move { add_serial(&self.0, &node, &serial).await })
    }
}

/// The lowest /24 of the cluster's pod addresses that no node has; `None` if all are taken, or the text is no range.
pub(crate) fn free_range<'a>(
    pod_cidr: &str,
    taken: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let (network, length) = parse(pod_cidr)?;
    let taken: BTreeSet<u32> = taken.filter_map(parse).map(|(network, _)| network >> 8).collect();
    let count = 1_u32.checked_shl(24_u32.checked_sub(length)?)?;
    let first = network >> 8;
    let free = (first..first + count).find(|number| !taken.contains(number))?;
    Some(format!("{}/24", Ipv4Addr::from(free << 8)))
}

fn parse(range: &str) -> Option<(u32, u32)> {
    let (network, length) = range.split_once('/')?;
    Some((
        network.parse::<Ipv4Addr>().ok()?.into(),
        length.parse().ok().filter(|length| *length <= 32)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_range_is_given() {
        let check = |cidr: &str, taken: &[&str], free: Option<&str>| {
            assert_eq!(
                free_range(cidr, taken.iter().copied()).as_deref(),
                free,
                "{cidr} {taken:?}"
            );
        };
        check("10.96.0.0/16", &[], Some("10.96.0.0/24"));
        check("10.96.0.0/16", &["10.96.0.0/24", "10.96.2.0/24"], Some("10.96.1.0/24"));
        check("10.96.0.0/23", &["10.96.0.0/24", "10.96.1.0/24"], None);
        check("10.96.0.0/24", &["10.97.0.0/24", "nonsense"], Some("10.96.0.0/24"));
        check("10.96.0.0/25", &[], None);
        check("nonsense", &[], None);
    }

    #[test]
    fn serial_numbers_are_kept_once_and_not_for_ever() {
        let mut node = Object(value!({ "metadata": { "name": "n" } }));
        for number in 0..12 {
            let all = with_serial(Some(&node), &format!("{number}"));
            node.0.set_path(&["metadata", "annotations", SERIALS], all);
        }
        assert_eq!(with_serial(Some(&node), "11"), "4 5 6 7 8 9 10 11");
    }
}
