//! Security contexts of pods and containers.
//!
//! Spec: documentation, "configure a security context for a pod or container".

use crate::validate::{Errors, Spot, text};

/// What `securityContext` of a pod may say.
pub(super) fn validate_pod(spec: &Spot<'_>, out: &mut Errors) {
    let context = spec.field("securityContext");
    validate_ids(&context, out);
    out.between(&context.field("fsGroup"), 0, i64::from(i32::MAX));
    for group in context.each("supplementalGroups") {
        out.between(&group, 0, i64::from(i32::MAX));
    }
    out.one_of(&context.field("fsGroupChangePolicy"), &["Always", "OnRootMismatch"]);
    out.one_of(&context.field("supplementalGroupsPolicy"), &["Merge", "Strict"]);
    out.one_of(&context.field("seLinuxChangePolicy"), &["MountOption", "Recursive"]);
    validate_windows(&context, out);
    validate_profile(&context, out);
    for sysctl in context.each("sysctls") {
        out.check_required(&sysctl.field("name"), sysctl_name);
    }
    out.unique(&context, "sysctls", "name");
    let shares = spec.field("shareProcessNamespace");
    if shares.is_true() && spec.field("hostPID").is_true() {
        out.invalid(&shares, "cannot be true together with hostPID");
    }
}

/// What `securityContext` of a container may say.
pub(super) fn validate_container(container: &Spot<'_>, out: &mut Errors) {
    let context = container.field("securityContext");
    validate_ids(&context, out);
    validate_profile(&context, out);
    validate_windows(&context, out);
    out.one_of(&context.field("procMount"), &["Default", "Unmasked"]);
    let escalation = context.field("allowPrivilegeEscalation");
    if escalation.value.as_bool() != Some(false) {
        return;
    }
    if context.field("privileged").is_true() {
        out.invalid(&context, "`privileged: true` contradicts `allowPrivilegeEscalation: false`");
    }
    let capabilities = context.field("capabilities");
    if capabilities.each("add").any(|added| matches!(added.text(), "SYS_ADMIN" | "CAP_SYS_ADMIN")) {
        out.invalid(
            &context,
            "the capability SYS_ADMIN contradicts `allowPrivilegeEscalation: false`",
        );
    }
}

/// The account under which a container of Windows runs.
fn validate_windows(context: &Spot<'_>, out: &mut Errors) {
    let options = context.field("windowsOptions");
    let (name, spec) =
        (options.field("gmsaCredentialSpecName"), options.field("gmsaCredentialSpec"));
    out.check(&name, text::dns_subdomain);
    out.too_long(&spec, 64 * 1_024);
    let user = options.field("runAsUserName");
    if user.is_set() {
        out.filled(&user);
        if user.text().chars().any(char::is_control) || user.text().matches('\\').count() > 1 {
            out.invalid(&user, "must be USER or DOMAIN\\USER, without control characters");
        }
    }
}

fn validate_ids(context: &Spot<'_>, out: &mut Errors) {
    for id in ["runAsUser", "runAsGroup"] {
        out.between(&context.field(id), 0, i64::from(i32::MAX));
    }
}

/// Seccomp and AppArmor: a file of the node is named if, and only if, the type says so.
fn validate_profile(context: &Spot<'_>, out: &mut Errors) {
    for name in ["seccompProfile", "appArmorProfile"] {
        let profile = context.field(name);
        if !profile.is_set() {
            continue;
        }
        let (sort, file) = (profile.field("type"), profile.field("localhostProfile"));
        out.one_of_required(&sort, &["Localhost", "RuntimeDefault", "Unconfined"]);
        if sort.text() == "Localhost" && file.is_empty() {
            out.required(&file, "the type Localhost needs a file");
        } else if sort.text() != "Localhost" && !file.is_empty() {
            out.invalid(&file, "is only for the type Localhost");
        }
    }
}

/// Parts of lower case letters, digits, '-' and '_', separated by '.' or '/'.
fn sysctl_name(name: &str) -> text::Faults {
    let is_part = |part: &str| {
        let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let ends = [part.as_bytes().first(), part.as_bytes().last()];
        ends.into_iter().all(|end| end.is_some_and(|byte| is_good(*byte)))
            && part.bytes().all(|byte| is_good(byte) || byte == b'-' || byte == b'_')
    };
    if name.len() <= 253 && name.split(['.', '/']).all(is_part) {
        return Vec::new();
    }
    vec!["must be the name of a kernel parameter, such as net.ipv4.tcp_syncookies".to_owned()]
}
