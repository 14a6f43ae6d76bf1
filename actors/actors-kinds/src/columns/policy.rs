//! Network policies, ingresses, addresses; certificates, runtime classes, webhooks, policies, flow control, devices.

use actors_core::Now;
use actors_object::{FieldPath, LabelSelector, Object, Value};

use super::{
    AGE, ColumnDefinition, Layout, NAME, age, column, human_duration, or_none, string, text,
};

const NETWORKING: &str = "networking.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const FLOWCONTROL: &str = "flowcontrol.apiserver.k8s.io";
const DEVICES: &str = "resource.k8s.io";
/// How many hosts a cell shows.
const HOSTS_MAX: usize = 3;

const fn layout(
    group: &'static str,
    kind: &'static str,
    columns: &'static [ColumnDefinition],
    cells: super::Cells,
) -> Layout {
    Layout { group, kind, columns, cells }
}

const WEBHOOKS: &[ColumnDefinition] = &[NAME, column("Webhooks", "integer", 0), AGE];

pub(super) const LAYOUTS: &[Layout] = &[
    layout(NETWORKING, "NetworkPolicy", &[NAME, text("Pod-Selector"), AGE], |it, now| {
        vec![it.name().into(), selector(it.spec().at("podSelector")), age(it, now)]
    }),
    layout(
        NETWORKING,
        "Ingress",
        &[NAME, text("Class"), text("Hosts"), text("Address"), text("Ports"), AGE],
        ingress,
    ),
    layout(
        NETWORKING,
        "IngressClass",
        &[NAME, text("Controller"), text("Parameters"), AGE],
        ingress_class,
    ),
    layout(NETWORKING, "IPAddress", &[NAME, text("ParentRef")], |it, _| {
        vec![it.name().into(), or_none(&parent(it.spec().at("parentRef")))]
    }),
    layout(NETWORKING, "ServiceCIDR", &[NAME, text("CIDRs"), AGE], |it, now| {
        let ranges = it.list_at(&["spec", "cidrs"]).iter().filter_map(Value::as_str);
        vec![it.name().into(), ranges.collect::<Vec<_>>().join(",").into(), age(it, now)]
    }),
    layout("node.k8s.io", "RuntimeClass", &[NAME, text("Handler"), AGE], |it, now| {
        vec![it.name().into(), string(it, &["handler"]).into(), age(it, now)]
    }),
    layout(
        "certificates.k8s.io",
        "CertificateSigningRequest",
        &[
            NAME,
            AGE,
            text("SignerName"),
            text("Requestor"),
            text("RequestedDuration"),
            text("Condition"),
        ],
        certificate,
    ),
    layout(ADMISSION, "MutatingWebhookConfiguration", WEBHOOKS, webhooks),
    layout(ADMISSION, "ValidatingWebhookConfiguration", WEBHOOKS, webhooks),
    layout(
        ADMISSION,
        "ValidatingAdmissionPolicy",
        &[NAME, column("Validations", "integer", 0), text("ParamKind"), AGE],
        policy,
    ),
    layout(
        ADMISSION,
        "ValidatingAdmissionPolicyBinding",
        &[NAME, text("PolicyName"), text("ParamRef"), AGE],
        binding,
    ),
    layout(
        FLOWCONTROL,
        "FlowSchema",
        &[
            NAME,
            text("PriorityLevel"),
            text("MatchingPrecedence"),
            text("DistinguisherMethod"),
            AGE,
            text("MissingPL"),
        ],
        flow_schema,
    ),
    layout(
        FLOWCONTROL,
        "PriorityLevelConfiguration",
        &[
            NAME,
            text("Type"),
            text("NominalConcurrencyShares"),
            text("Queues"),
            text("HandSize"),
            text("QueueLengthLimit"),
            AGE,
        ],
        level,
    ),
    layout(DEVICES, "ResourceClaim", &[NAME, text("State"), AGE], |it, now| {
        vec![it.name().into(), claim_state(it).into(), age(it, now)]
    }),
    layout(
        DEVICES,
        "ResourceSlice",
        &[NAME, text("Node"), text("Driver"), text("Pool"), AGE],
        |it, now| {
            let of = |path: &[&str]| string(it, path).into();
            vec![
                it.name().into(),
                of(&["spec", "nodeName"]),
                of(&["spec", "driver"]),
                of(&["spec", "pool", "name"]),
                age(it, now),
            ]
        },
    ),
];

/// A selector as people write it.
fn selector(value: &Value) -> Value {
    let parsed = LabelSelector::from_value(value, &FieldPath::root());
    or_none(&parsed.map(|selector| selector.to_string()).unwrap_or_default())
}

fn ingress(object: &Object, now: Now) -> Vec<Value> {
    let rules = object.list_at(&["spec", "rules"]);
    let hosts = rules.iter().map(|rule| string(rule, &["host"]));
    let shown: Vec<&str> = hosts.take(HOSTS_MAX).filter(|host| !host.is_empty()).collect();
    let hosts = match (shown.is_empty(), rules.len().saturating_sub(HOSTS_MAX)) {
        (true, _) => "*".to_owned(),
        (false, 0) => shown.join(","),
        (false, more) => format!("{} + {more} more...", shown.join(",")),
    };
    let points = object.list_at(&["status", "loadBalancer", "ingress"]).iter();
    let mut points: Vec<&str> = points
        .map(|point| match string(point, &["ip"]) {
            "" => string(point, &["hostname"]),
            ip => ip,
        })
        .filter(|point| !point.is_empty())
        .collect();
    points.sort_unstable();
    points.dedup();
    let has_tls = !object.list_at(&["spec", "tls"]).is_empty();
    vec![
        object.name().into(),
        or_none(string(object, &["spec", "ingressClassName"])),
        hosts.into(),
        points.join(",").into(),
        if has_tls { "80, 443" } else { "80" }.into(),
        age(object, now),
    ]
}

fn ingress_class(object: &Object, now: Now) -> Vec<Value> {
    let parameters = object.spec().at("parameters");
    let named = match (string(parameters, &["apiGroup"]), string(parameters, &["kind"])) {
        (_, "") => String::new(),
        ("", kind) => format!("{kind}/{}", string(parameters, &["name"])),
        (group, kind) => format!("{kind}.{group}/{}", string(parameters, &["name"])),
    };
    vec![
        object.name().into(),
        string(object, &["spec", "controller"]).into(),
        or_none(&named),
        age(object, now),
    ]
}

/// `services/default/kubernetes`.
fn parent(reference: &Value) -> String {
    if reference.is_null() {
        return String::new();
    }
    let mut text = string(reference, &["resource"]).to_ascii_lowercase();
    let group = string(reference, &["group"]);
    if !group.is_empty() {
        text = format!("{text}.{group}");
    }
    let parts = [string(reference, &["namespace"]), string(reference, &["name"])];
    parts.iter().filter(|part| !part.is_empty()).fold(text, |text, part| format!("{text}/{part}"))
}

fn certificate(object: &Object, now: Now) -> Vec<Value> {
    let conditions = object.list_at(&["status", "conditions"]);
    let has = |sort: &str| conditions.iter().any(|one| string(one, &["type"]) == sort);
    let mut state = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }
    .to_owned();
    if has("Failed") {
        state.push_str(",Failed");
    }
    if !string(object, &["status", "certificate"]).is_empty() {
        state.push_str(",Issued");
    }
    let seconds = object.i64_at(&["spec", "expirationSeconds"]);
    vec![
        object.name().into(),
        age(object, now),
        or_none(string(object, &["spec", "signerName"])),
        string(object, &["spec", "username"]).into(),
        or_none(&seconds.map(human_duration).unwrap_or_default()),
        state.into(),
    ]
}

fn webhooks(object: &Object, now: Now) -> Vec<Value> {
    vec![object.name().into(), object.list_at(&["webhooks"]).len().into(), age(object, now)]
}

fn policy(object: &Object, now: Now) -> Vec<Value> {
    let kind = object.spec().at("paramKind");
    let kind = if kind.is_null() {
        "<unset>".to_owned()
    } else {
        format!("{}/{}", string(kind, &["apiVersion"]), string(kind, &["kind"]))
    };
    vec![
        object.name().into(),
        object.list_at(&["spec", "validations"]).len().into(),
        kind.into(),
        age(object, now),
    ]
}

fn binding(object: &Object, now: Now) -> Vec<Value> {
    let reference = object.spec().at("paramRef");
    let parameters = match (string(reference, &["namespace"]), string(reference, &["name"])) {
        (_, "") if reference.at("selector").is_null() => "<unset>".into(),
        (_, "") => selector(reference.at("selector")),
        ("", name) => format!("*/{name}").into(),
        (namespace, name) => format!("{namespace}/{name}").into(),
    };
    vec![
        object.name().into(),
        string(object, &["spec", "policyName"]).into(),
        parameters,
        age(object, now),
    ]
}

fn flow_schema(object: &Object, now: Now) -> Vec<Value> {
    let mut conditions = object.list_at(&["status", "conditions"]).iter();
    let dangling = conditions.find(|one| string(one, &["type"]) == "Dangling");
    vec![
        object.name().into(),
        string(object, &["spec", "priorityLevelConfiguration", "name"]).into(),
        super::number(object, &["spec", "matchingPrecedence"]).into(),
        or_none(string(object, &["spec", "distinguisherMethod", "type"])),
        age(object, now),
        dangling.map_or("?", |one| string(one, &["status"])).into(),
    ]
}

fn level(object: &Object, now: Now) -> Vec<Value> {
    let limited = object.spec().at("limited");
    let queuing = limited.at("limitResponse").at("queuing");
    let or_none = |above: &Value, name: &str| match above.i64_at(&[name]) {
        _ if above.is_null() => "<none>".into(),
        number => number.unwrap_or(0).into(),
    };
    vec![
        object.name().into(),
        string(object, &["spec", "type"]).into(),
        or_none(limited, "nominalConcurrencyShares"),
        or_none(queuing, "queues"),
        or_none(queuing, "handSize"),
        or_none(queuing, "queueLengthLimit"),
        age(object, now),
    ]
}

fn claim_state(object: &Object) -> String {
    let is_going = !object.at("metadata").at("deletionTimestamp").is_null();
    let is_allocated = !object.at("status").at("allocation").is_null();
    let is_reserved = !object.list_at(&["status", "reservedFor"]).is_empty();
    let words = [
        (is_going, "deleted"),
        (!is_going && !is_allocated, "pending"),
        (is_allocated, "allocated"),
        (is_allocated && is_reserved, "reserved"),
    ];
    let words = words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word);
    words.collect::<Vec<_>>().join(",")
}
