//! `NetworkPolicy`: which pods may speak with whom.

use super::GROUP;
use crate::validate::{Errors, PLAIN, Rules, Spot, domain, selector, text};

pub(super) const RULES: Rules =
    Rules { group: GROUP, kind: "NetworkPolicy", object: validate, ..PLAIN };

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    selector::validate(&spec.field("podSelector"), out);
    for (list, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.each(list) {
            for port in rule.each("ports") {
                validate_port(&port, out);
            }
            for peer in rule.each(peers) {
                validate_peer(&peer, out);
            }
        }
    }
    let types = spec.field("policyTypes");
    if types.len() > 2 {
        out.invalid(&types, "may not specify more than two policyTypes");
        return;
    }
    for sort in spec.each("policyTypes") {
        out.one_of_required(&sort, &["Ingress", "Egress"]);
    }
}

/// A port by number or name, or a range of numbers.
fn validate_port(rule: &Spot<'_>, out: &mut Errors) {
    out.one_of(&rule.field("protocol"), &["TCP", "UDP", "SCTP"]);
    let (port, end) = (rule.field("port"), rule.field("endPort"));
    if port.is_set() {
        out.port_or_name(&port);
    } else if end.is_set() {
        out.invalid(&end, "may not be specified when `port` is not specified");
    }
    match (port.int(), end.int()) {
        (Some(first), Some(last)) => {
            if last < first {
                out.invalid(&end, "must be greater than or equal to `port`");
            }
            out.invalid_each(&end, &text::port_number(last));
        }
        (None, Some(_)) if port.is_set() => {
            out.invalid(&end, "may not be specified when `port` is non-numeric");
        }
        _ => {}
    }
}

/// Pods, namespaces, or a range of addresses.
fn validate_peer(peer: &Spot<'_>, out: &mut Errors) {
    let (pods, namespaces) = (peer.field("podSelector"), peer.field("namespaceSelector"));
    let block = peer.field("ipBlock");
    selector::validate(&pods, out);
    selector::validate(&namespaces, out);
    let selects = pods.is_set() || namespaces.is_set();
    match (selects, block.is_set()) {
        (false, false) => out.required(peer, "must specify a peer"),
        (true, true) => out.forbidden(peer, "may not specify both ipBlock and another peer"),
        (_, true) => validate_block(&block, out),
        _ => {}
    }
}

/// A range, and smaller ones inside of it that are left out.
fn validate_block(block: &Spot<'_>, out: &mut Errors) {
    let whole = block.field("cidr");
    out.check_required(&whole, text::cidr);
    let outer = domain::range(whole.text());
    for hole in block.each("except") {
        out.check_required(&hole, text::cidr);
        if let (Some(inner), Some(outer)) = (domain::range(hole.text()), outer)
            && !domain::is_strict_subset(inner, outer)
        {
            out.invalid(&hole, "must be a strict subset of `cidr`");
        }
    }
}
