//! Certificate signing requests: approved where rules say so, signed where somebody approved, removed when they are old.
//!
//! Way in: [`CertificateController`].  Writes: conditions through `approval`, `certificate` and the condition `Failed`
//! through `status`; deletes requests.  Never: a key; the signer that it is given has one.
//! Spec: Kubernetes documentation, "Certificates and Certificate Signing Requests": only requests of nodes for their own
//! client certificates are approved by themselves, and only where RBAC lets the requester.

mod age;

use std::{fmt, sync::Arc};

use actors_controller::{
    Access, Controller, Item, Plan, Primary, Relations, Target, World, WriteVerb,
};
use actors_core::{Now, Wall};
use actors_kinds::{
    certificates::{NODE_CLIENT, SIGNERS, Wanted, fault},
    rbac::{Ask, is_subject, rule_allows},
};
use actors_object::{Object, Value, timefmt, value};

use crate::kinds::{CLUSTER_ROLE, CLUSTER_ROLE_BINDING, SIGNING_REQUEST};

/// What is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningOrder {
    /// The request: base64 of PEM.
    pub request: String,
    /// The key usages of the certificate.
    pub usages: Vec<String>,
    /// How long it shall be valid; `None` leaves it to the signer.
    pub seconds: Option<i64>,
    /// The time now.
    pub now: Wall,
}

/// Signs: the certificate, base64 of PEM; or why not.
pub type SignRequest = dyn Fn(&SigningOrder) -> Result<String, String> + Send + Sync;

/// Looks after certificate signing requests of the built-in signers.
#[derive(Clone)]
pub struct CertificateController {
    /// Signs.
    pub sign: Arc<SignRequest>,
}

impl fmt::Debug for CertificateController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateController")
    }
}

impl Controller for CertificateController {
    fn name(&self) -> &'static str {
        "certificate"
    }

    fn primary(&self) -> Primary {
        Primary::Of(SIGNING_REQUEST)
    }

    fn relations(&self) -> Relations {
        Relations::default()
    }

    fn access(&self) -> Access {
        Access::reads(&[&SIGNING_REQUEST, &CLUSTER_ROLE, &CLUSTER_ROLE_BINDING])
            .writes(&SIGNING_REQUEST, WriteVerb::Approve, &["status.conditions[Approved]"])
            .writes(
                &SIGNING_REQUEST,
                WriteVerb::Status,
                &["status.certificate", "status.conditions[Failed]"],
            )
            .writes(&SIGNING_REQUEST, WriteVerb::Delete, &[])
    }

    fn reconcile(&self, request: &Object, world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        if request.is_terminating() {
            return plan;
        }
        match age::left(request, now.wall) {
            None => {
                plan.delete(request);
                return plan;
            }
            Some(left) => plan.requeue(left),
        }
        let signer = request.str_at(&["spec", "signerName"]).unwrap_or_default();
        let issued =
            request.str_at(&["status", "certificate"]).is_some_and(|text| !text.is_empty());
        let ended = issued || has(request, "Denied") || has(request, "Failed");
        if ended || !SIGNERS.contains(&signer) {
            return plan;
        }
        if has(request, "Approved") {
            self.issue(request, signer, &mut plan, now.wall);
        } else if let Some(why) = approval(request, signer, world) {
            let patch = with_condition(request, &["Approved", "AutoApproved", why], now.wall);
            let target = Target::exactly(request);
            plan.items.push(Item::Approve { target, patch: value!({ "status": patch }) });
        }
        plan
    }
}

impl CertificateController {
    fn issue(&self, request: &Object, signer: &str, plan: &mut Plan, now: Wall) {
        let text = request.str_at(&["spec", "request"]).unwrap_or_default();
        let usages = usages_of(request);
        let refusal = match Wanted::read(text) {
            None => Some("spec.request cannot be read".to_owned()),
            Some(wanted) => fault(signer, &wanted, &usages).map(str::to_owned),
        };
        if let Some(why) = refusal {
            let told = ["Failed", "SignerValidationFailure", &why];
            plan.set_status_exactly(request, &with_condition(request, &told, now));
            return;
        }
        let order = SigningOrder {
            request: text.to_owned(),
            usages: usages.iter().map(|usage| (*usage).to_owned()).collect(),
            seconds: request.i64_at(&["spec", "expirationSeconds"]),
            now,
        };
        let status = match (self.sign)(&order) {
            Ok(certificate) => {
                let mut status = request.status().clone();
                status.set_path(&["certificate"], certificate);
                status
            }
            Err(why) => with_condition(request, &["Failed", "SigningError", &why], now),
        };
        plan.set_status_exactly(request, &status);
    }
}

/// Why a request is approved without a person, if it is.
fn approval(request: &Object, signer: &str, world: &dyn World) -> Option<&'static str> {
    let wanted = Wanted::read(request.str_at(&["spec", "request"])?)?;
    if signer != NODE_CLIENT || fault(signer, &wanted, &usages_of(request)).is_some() {
        return None;
    }
    let own = request.str_at(&["spec", "username"]) == Some(&wanted.common_name);
    if own && may(request, "certificatesigningrequests/selfnodeclient", world) {
        return Some("a node renews its own client certificate, and may");
    }
    may(request, "certificatesigningrequests/nodeclient", world)
        .then_some("a client certificate for a node, and the requester may ask for one")
}

/// Whether who made the request may create this, in the whole cluster.
fn may(request: &Object, resource: &str, world: &dyn World) -> bool {
    let user = request.str_at(&["spec", "username"]).unwrap_or_default();
    let groups = request.list_at(&["spec", "groups"]).iter().filter_map(Value::as_str);
    let groups: Vec<String> = groups.map(str::to_owned).collect();
    if groups.iter().any(|group| group == "system:masters") {
        return true;
    }
    let group = "certificates.k8s.io";
    let ask =
        Ask::Resource { verb: "create", group, resource, namespace: "", name: "", fields: "" };
    world.list(&CLUSTER_ROLE_BINDING, None).iter().any(|binding| {
        let mut subjects = binding.list_at(&["subjects"]).iter();
        let role = binding.str_at(&["roleRef", "name"]).unwrap_or_default();
        subjects.any(|subject| is_subject(subject, "", (user, &groups)))
            && world.get(&CLUSTER_ROLE, "", role).is_some_and(|role| {
                role.list_at(&["rules"]).iter().any(|rule| rule_allows(rule, ask))
            })
    })
}

fn usages_of(request: &Object) -> Vec<&str> {
    request.list_at(&["spec", "usages"]).iter().filter_map(Value::as_str).collect()
}

fn has(request: &Object, condition: &str) -> bool {
    let mut conditions = request.list_at(&["status", "conditions"]).iter();
    conditions.any(|one| one.str_at(&["type"]) == Some(condition))
}

/// The status with one more condition: its type, its reason, its sentence.
fn with_condition(request: &Object, [kind, reason, message]: &[&str; 3], now: Wall) -> Value {
    let stamp = timefmt::seconds(now);
    let mut status = request.status().clone();
    let mut conditions = request.list_at(&["status", "conditions"]).to_vec();
    conditions.push(value!({
        "type": *kind,
        "status": "True",
        "reason": *reason,
        "message": *message,
        "lastUpdateTime": stamp.as_str(),
        "lastTransitionTime": stamp.as_str(),
    }));
    status.set_path(&["conditions"], conditions);
    status
}

#[cfg(test)]
mod tests;
