//! Probes and lifecycle hooks.
//!
//! Spec: documentation, "configure liveness, readiness and startup probes", "container lifecycle hooks".

use crate::validate::{Errors, Spot, text};

/// A probe: exactly one way to ask, and sensible numbers.
pub(super) fn validate(probe: &Spot<'_>, out: &mut Errors) {
    validate_handler(probe, &["exec", "grpc", "httpGet", "tcpSocket"], out);
    for name in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        out.at_least(&probe.field(name), 0);
    }
    let grace = probe.field("terminationGracePeriodSeconds");
    out.at_least(&grace, 1);
}

/// Exactly one action out of those allowed here.
pub(super) fn validate_handler(handler: &Spot<'_>, allowed: &[&str], out: &mut Errors) {
    let mut count = 0;
    for name in allowed {
        let action = handler.field(name);
        if !action.is_set() {
            continue;
        }
        count += 1;
        if count > 1 {
            out.forbidden(&action, "one action is allowed, and there is one already");
            continue;
        }
        match *name {
            "exec" if action.field("command").is_empty() => {
                out.required(&action.field("command"), "")
            }
            "httpGet" => validate_http(&action, out),
            "tcpSocket" => out.port_or_name(&action.field("port")),
            "grpc" => out.port(&action.field("port")),
            "sleep" => out.at_least(&action.field("seconds"), 0),
            _ => {}
        }
    }
    if count == 0 {
        out.required(handler, "must name one action");
    }
}

/// A hook that sleeps is done before the pod's time is up.
pub(super) fn validate_sleep(hook: &Spot<'_>, spec: &Spot<'_>, out: &mut Errors) {
    let sleep = hook.field("sleep");
    let (seconds, grace) = (sleep.field("seconds"), spec.field("terminationGracePeriodSeconds"));
    if let (Some(long), Some(most)) = (seconds.int(), grace.int())
        && long > most
    {
        out.invalid(&seconds, &format!("must not exceed terminationGracePeriodSeconds ({most})"));
    }
}

fn validate_http(action: &Spot<'_>, out: &mut Errors) {
    let path = action.field("path");
    if path.is_empty() {
        out.required(&path, "");
    }
    out.port_or_name(&action.field("port"));
    out.one_of_required(&action.field("scheme"), &["HTTP", "HTTPS"]);
    for header in action.each("httpHeaders") {
        out.check_required(&header.field("name"), header_name);
    }
}

/// RFC 9110 calls it a token; upstream takes letters, digits and dashes.
fn header_name(text: &str) -> text::Faults {
    let is_good =
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_good { Vec::new() } else { vec!["must be letters, digits, '-' or '_'".to_owned()] }
}
