//! Containers, init containers and ephemeral containers.

use actors_object::FieldError;

use super::{claims, environment, probe, resources, security, volume};
use crate::validate::{Errors, Spot, text};

/// All containers of a pod; their names are unique over all three lists.
pub(super) fn validate_all(spec: &Spot<'_>, out: &mut Errors) {
    let containers = spec.field("containers");
    if containers.is_empty() {
        out.required(&containers, "");
    }
    for container in spec.each("containers") {
        validate(&container, spec, out);
        let policy = container.field("restartPolicy");
        if !policy.is_empty() {
            out.one_of(&policy, &["Always", "Never", "OnFailure"]);
        }
    }
    for container in spec.each("initContainers") {
        validate(&container, spec, out);
        validate_init(&container, out);
    }
    for container in spec.each("ephemeralContainers") {
        validate(&container, spec, out);
        validate_ephemeral(&container, spec, out);
    }
    validate_unique_names(spec, out);
    validate_host_ports(spec, out);
}

fn validate_unique_names(spec: &Spot<'_>, out: &mut Errors) {
    let mut seen: Vec<String> = Vec::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec.each(list) {
            let name = container.field("name");
            if !name.is_empty() && seen.iter().any(|other| other == name.text()) {
                out.duplicate(&name, name.value);
            }
            seen.push(name.text().to_owned());
        }
    }
}

/// What holds for every container.
fn validate(container: &Spot<'_>, spec: &Spot<'_>, out: &mut Errors) {
    out.check_required(&container.field("name"), text::dns_label);
    let image = container.field("image");
    if image.is_empty() {
        out.required(&image, "");
    } else if image.text().trim() != image.text() {
        out.invalid(&image, "must not begin or end with a space");
    }
    out.one_of(&container.field("imagePullPolicy"), &["Always", "IfNotPresent", "Never"]);
    let log = container.field("terminationMessagePolicy");
    out.one_of(&log, &["FallbackToLogsOnError", "File"]);
    validate_ports(container, out);
    environment::validate(container, out);
    resources::validate(container, out);
    volume::validate_mounts(container, spec, out);
    volume::validate_devices(container, spec, out);
    claims::validate_container(container, spec, out);
    security::validate_container(container, out);
    let lifecycle = container.field("lifecycle");
    for hook in ["postStart", "preStop"] {
        let hook = lifecycle.field(hook);
        if hook.is_set() {
            probe::validate_handler(&hook, &["exec", "httpGet", "sleep", "tcpSocket"], out);
            probe::validate_sleep(&hook, spec, out);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let one = container.field(name);
        if one.is_set() {
            probe::validate(&one, out);
        }
    }
    for name in ["livenessProbe", "startupProbe"] {
        let one = container.field(name);
        let threshold = one.field("successThreshold");
        if threshold.int().is_some_and(|number| number != 1) {
            out.invalid(&threshold, "must be 1");
        }
    }
    let grace = container.field("readinessProbe");
    let grace = grace.field("terminationGracePeriodSeconds");
    if grace.is_set() {
        out.invalid(&grace, "does not belong to a readiness probe, which ends nothing");
    }
}

/// Init containers run to their end, unless they are sidecars (`restartPolicy: Always`).
fn validate_init(container: &Spot<'_>, out: &mut Errors) {
    let policy = container.field("restartPolicy");
    out.one_of(&policy, &["Always", "Never", "OnFailure"]);
    if policy.text() == "Always" {
        return;
    }
    for name in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        let field = container.field(name);
        if !field.is_empty() {
            out.forbidden(
                &field,
                "is only for init containers that stay (`restartPolicy: Always`)",
            );
        }
    }
}

/// Ephemeral containers look at a running pod: no guarantees, no ports, no probes.
fn validate_ephemeral(container: &Spot<'_>, spec: &Spot<'_>, out: &mut Errors) {
    for name in [
        "lifecycle",
        "livenessProbe",
        "ports",
        "readinessProbe",
        "resizePolicy",
        "resources",
        "restartPolicy",
        "startupProbe",
    ] {
        let field = container.field(name);
        if !field.is_empty() {
            out.forbidden(&field, "ephemeral containers cannot have this");
        }
    }
    for mount in container.each("volumeMounts") {
        for name in ["subPath", "subPathExpr"] {
            let path = mount.field(name);
            if !path.is_empty() {
                out.forbidden(&path, "ephemeral containers mount whole volumes only");
            }
        }
    }
    let target = container.field("targetContainerName");
    let is_there = ["containers", "initContainers"]
        .iter()
        .any(|list| spec.each(list).any(|other| other.field("name").text() == target.text()));
    if !target.is_empty() && !is_there {
        out.not_found(&target);
    }
}

/// The ports that a container says it has.
fn validate_ports(container: &Spot<'_>, out: &mut Errors) {
    for port in container.each("ports") {
        out.check(&port.field("name"), text::port_name);
        out.port(&port.field("containerPort"));
        let host_port = port.field("hostPort");
        if host_port.int().is_some_and(|number| number != 0) {
            out.port(&host_port);
        }
        out.one_of_required(&port.field("protocol"), &["SCTP", "TCP", "UDP"]);
        out.check(&port.field("hostIP"), text::ip);
    }
    out.unique(container, "ports", "name");
}

/// A port of the machine is taken once per pod, address and protocol; on the host's network it is the same port.
fn validate_host_ports(spec: &Spot<'_>, out: &mut Errors) {
    let on_host = spec.field("hostNetwork").is_true();
    let mut seen: Vec<(i64, String, String)> = Vec::new();
    for container in spec.each("containers") {
        for port in container.each("ports") {
            let host_port = port.field("hostPort");
            let number = host_port.int().unwrap_or(0);
            if on_host && number != port.field("containerPort").int().unwrap_or(0) {
                out.invalid(
                    &host_port,
                    "must be the `containerPort`, since the pod is on the host's network",
                );
            }
            if number == 0 {
                continue;
            }
            let place = (
                number,
                port.field("hostIP").text().to_owned(),
                port.field("protocol").text().to_owned(),
            );
            if seen.contains(&place) {
                let shown = format!("{}/{}/{number}", place.2, place.1);
                out.push(FieldError::duplicate(&host_port.path(), shown));
            }
            seen.push(place);
        }
    }
}
