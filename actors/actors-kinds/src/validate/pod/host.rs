//! What a pod shares with its machine, and what belongs to one operating system.
//!
//! Spec: API reference of `PodSpec.os`, `hostUsers`, `hostnameOverride`, `setHostnameAsFQDN`; KEP-127, KEP-2802,
//! KEP-4762.

use crate::validate::{Errors, Spot, text};

/// The longest name that a machine can have.
const HOSTNAME_MAX: usize = 64;
/// What pods for Windows do not have: of the spec, of its security context, of those of containers.
const SPEC: [&str; 5] = ["hostPID", "hostIPC", "hostUsers", "resources", "shareProcessNamespace"];
const POD_CONTEXT: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
];
const CONTEXT: [&str; 9] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
];
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// What a pod shares, is called, and runs on.
pub(super) fn validate(spec: &Spot<'_>, out: &mut Errors) {
    validate_users(spec, out);
    validate_hostname(spec, out);
    let os = spec.field("os");
    match os.field("name").text() {
        "windows" => validate_windows(spec, out),
        "linux" => validate_linux(spec, out),
        _ => {}
    }
    if !spec.field("schedulingGates").is_empty() && !spec.field("nodeName").is_empty() {
        out.forbidden(&spec.field("nodeName"), "cannot be set while there are scheduling gates");
    }
}

/// A pod with users of its own shares no other namespace with its machine.
fn validate_users(spec: &Spot<'_>, out: &mut Errors) {
    if spec.field("hostUsers").value.as_bool() != Some(false) {
        for container in LISTS.iter().flat_map(|list| spec.each(list)) {
            let context = container.field("securityContext");
            let mount = context.field("procMount");
            if mount.text() == "Unmasked" {
                out.invalid(&mount, "needs `hostUsers: false`");
            }
        }
        return;
    }
    for name in ["hostNetwork", "hostPID", "hostIPC"] {
        let shared = spec.field(name);
        if shared.is_true() {
            out.forbidden(&shared, "cannot be shared by a pod with `hostUsers: false`");
        }
    }
}

/// A name that overrides all others stands alone.
fn validate_hostname(spec: &Spot<'_>, out: &mut Errors) {
    let name = spec.field("hostnameOverride");
    if !name.is_set() {
        return;
    }
    out.check_required(&name, text::dns_subdomain);
    out.too_long(&name, HOSTNAME_MAX);
    for other in ["setHostnameAsFQDN", "hostNetwork"] {
        if spec.field(other).is_true() {
            out.forbidden(&name, &format!("cannot be set with `{other}: true`"));
        }
    }
}

fn validate_windows(spec: &Spot<'_>, out: &mut Errors) {
    let detail = "cannot be set when `os.name` is windows";
    let context = spec.field("securityContext");
    for field in SPEC.iter().map(|name| spec.field(name)) {
        if field.is_set() && !field.is_empty() {
            out.forbidden(&field, detail);
        }
    }
    for field in POD_CONTEXT.iter().map(|name| context.field(name)) {
        if field.is_set() {
            out.forbidden(&field, detail);
        }
    }
    for container in LISTS.iter().flat_map(|list| spec.each(list)) {
        let context = container.field("securityContext");
        for field in CONTEXT.iter().chain(&["runAsGroup"]).map(|name| context.field(name)) {
            if field.is_set() {
                out.forbidden(&field, detail);
            }
        }
    }
}

fn validate_linux(spec: &Spot<'_>, out: &mut Errors) {
    let detail = "cannot be set when `os.name` is linux";
    let context = spec.field("securityContext");
    let options = context.field("windowsOptions");
    if options.is_set() {
        out.forbidden(&options, detail);
    }
    for container in LISTS.iter().flat_map(|list| spec.each(list)) {
        let context = container.field("securityContext");
        let options = context.field("windowsOptions");
        if options.is_set() {
            out.forbidden(&options, detail);
        }
    }
}
