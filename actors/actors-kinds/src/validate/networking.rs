//! Who may speak with whom, how requests come in, and which addresses Services have.
//!
//! Spec: documentation, "network policies", "ingress", "service `ClusterIP` allocation"; KEP-1880; API reference
//! of networking.k8s.io/v1.

mod ingress;
mod ingress_class;
mod ip_address;
mod network_policy;
mod service_cidr;

use super::{Errors, Rules, Spot, domain, text};

const GROUP: &str = "networking.k8s.io";

/// The rules of this group.
pub(super) const RULES: &[Rules] = &[
    ingress::RULES,
    ingress_class::RULES,
    ip_address::RULES,
    network_policy::RULES,
    service_cidr::RULES,
];

/// Another object, by its kind and name.
fn validate_named(reference: &Spot<'_>, out: &mut Errors) {
    for name in ["kind", "name"] {
        let field = reference.field(name);
        if field.is_empty() {
            out.required(&field, &format!("{name} is required"));
        } else {
            out.check(&field, text::path_segment);
        }
    }
}

/// Where a load balancer can be reached: addresses, or names that are no addresses.
pub(super) fn validate_points(balancer: &Spot<'_>, out: &mut Errors) {
    for point in balancer.each("ingress") {
        out.check(&point.field("ip"), text::ip);
        let host = point.field("hostname");
        if domain::is_ip(host.text()) {
            out.invalid(&host, "must be a DNS name, not an IP address");
        } else {
            out.check(&host, text::dns_subdomain);
        }
    }
}
