//! Nodes, namespaces, configuration, events, leases, RBAC.

use actors_core::Now;
use actors_object::{Object, Value};

use super::{
    AGE, ColumnDefinition, Layout, NAME, age, column, number, or_none, since, string, text, wide,
    workload,
};

const RBAC: &str = "rbac.authorization.k8s.io";
const CREATED: ColumnDefinition = column("Created At", "date", 0);
const BINDING: &[ColumnDefinition] =
    &[NAME, text("Role"), AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts")];
const EVENT: &[ColumnDefinition] = &[
    text("Last Seen"),
    text("Type"),
    text("Reason"),
    text("Object"),
    wide("Subobject"),
    wide("Source"),
    text("Message"),
    wide("First Seen"),
    wide("Count"),
    ColumnDefinition { name: "Name", sort: "string", format: "name", priority: 1 },
];

const fn layout(
    group: &'static str,
    kind: &'static str,
    columns: &'static [ColumnDefinition],
    cells: super::Cells,
) -> Layout {
    Layout { group, kind, columns, cells }
}

pub(super) const LAYOUTS: &[Layout] = &[
    layout(
        "",
        "Node",
        &[
            NAME,
            text("Status"),
            text("Roles"),
            AGE,
            text("Version"),
            wide("Internal-IP"),
            wide("External-IP"),
            wide("OS-Image"),
            wide("Kernel-Version"),
            wide("Container-Runtime"),
        ],
        node,
    ),
    layout("", "Namespace", &[NAME, text("Status"), AGE], |it, now| {
        vec![it.name().into(), string(it, &["status", "phase"]).into(), age(it, now)]
    }),
    layout("", "ConfigMap", &[NAME, text("Data"), AGE], |it, now| {
        let keys = it.map_at(&["data"]).len() + it.map_at(&["binaryData"]).len();
        vec![it.name().into(), keys.into(), age(it, now)]
    }),
    layout("", "Secret", &[NAME, text("Type"), text("Data"), AGE], |it, now| {
        let keys = it.map_at(&["data"]).len();
        vec![it.name().into(), string(it, &["type"]).into(), keys.into(), age(it, now)]
    }),
    layout("", "ServiceAccount", &[NAME, text("Secrets"), AGE], |it, now| {
        vec![it.name().into(), it.list_at(&["secrets"]).len().into(), age(it, now)]
    }),
    layout("", "Event", EVENT, event),
    layout("events.k8s.io", "Event", EVENT, event),
    layout("coordination.k8s.io", "Lease", &[NAME, text("Holder"), AGE], |it, now| {
        vec![it.name().into(), string(it, &["spec", "holderIdentity"]).into(), age(it, now)]
    }),
    layout(
        "scheduling.k8s.io",
        "PriorityClass",
        &[
            NAME,
            column("Value", "integer", 0),
            column("Global-Default", "boolean", 0),
            AGE,
            text("PreemptionPolicy"),
        ],
        priority_class,
    ),
    layout(RBAC, "Role", &[NAME, CREATED], created),
    layout(RBAC, "ClusterRole", &[NAME, CREATED], created),
    layout(RBAC, "RoleBinding", BINDING, binding),
    layout(RBAC, "ClusterRoleBinding", BINDING, binding),
];

fn created(object: &Object, _now: Now) -> Vec<Value> {
    vec![object.name().into(), object.creation_timestamp().into()]
}

fn node(object: &Object, now: Now) -> Vec<Value> {
    let info = |field: &str| {
        let text = string(object, &["status", "nodeInfo", field]);
        if text.is_empty() { "<unknown>" } else { text }.into()
    };
    let address = |sort: &str| {
        let mut all = object.list_at(&["status", "addresses"]).iter();
        let found = all.find(|one| string(one, &["type"]) == sort);
        or_none(found.map(|one| string(one, &["address"])).unwrap_or_default())
    };
    vec![
        object.name().into(),
        node_status(object).into(),
        or_none(&node_roles(object)),
        age(object, now),
        string(object, &["status", "nodeInfo", "kubeletVersion"]).into(),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

fn node_status(object: &Object) -> String {
    let mut conditions = object.list_at(&["status", "conditions"]).iter();
    let ready = conditions.find(|one| string(one, &["type"]) == "Ready");
    let word = match ready.map(|one| string(one, &["status"])) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let is_cordoned = object.bool_at(&["spec", "unschedulable"]) == Some(true);
    if is_cordoned { format!("{word},SchedulingDisabled") } else { word.to_owned() }
}

/// Roles are labels: `node-role.kubernetes.io/NAME`, and the older `kubernetes.io/role`.
fn node_roles(object: &Object) -> String {
    let role = |(key, value): (&str, &str)| match key.strip_prefix("node-role.kubernetes.io/") {
        Some(role) if !role.is_empty() => Some(role.to_owned()),
        None if key == "kubernetes.io/role" && !value.is_empty() => Some(value.to_owned()),
        _ => None,
    };
    let mut roles: Vec<String> = object.labels().filter_map(role).collect();
    roles.sort();
    roles.dedup();
    roles.join(",")
}

fn event(object: &Object, now: Now) -> Vec<Value> {
    let stamp = |path: &[&str]| Some(string(object, path)).filter(|stamp| !stamp.is_empty());
    let first = stamp(&["firstTimestamp"]).or_else(|| stamp(&["eventTime"]));
    let last = stamp(&["series", "lastObservedTime"]).or_else(|| stamp(&["lastTimestamp"]));
    let count = object.i64_at(&["series", "count"]).unwrap_or(number(object, &["count"])).max(1);
    let component = match string(object, &["source", "component"]) {
        "" => string(object, &["reportingComponent"]),
        component => component,
    };
    let host = match string(object, &["source", "host"]) {
        "" => string(object, &["reportingInstance"]),
        host => host,
    };
    let source: Vec<&str> = [component, host].into_iter().filter(|it| !it.is_empty()).collect();
    vec![
        since(last.or(first).unwrap_or_default(), now).into(),
        string(object, &["type"]).into(),
        string(object, &["reason"]).into(),
        workload::reference(object.at("involvedObject")).into(),
        string(object, &["involvedObject", "fieldPath"]).into(),
        source.join(", ").into(),
        string(object, &["message"]).trim().into(),
        since(first.unwrap_or_default(), now).into(),
        count.into(),
        object.name().into(),
    ]
}

fn priority_class(object: &Object, now: Now) -> Vec<Value> {
    vec![
        object.name().into(),
        number(object, &["value"]).into(),
        (object.bool_at(&["globalDefault"]) == Some(true)).into(),
        age(object, now),
        string(object, &["preemptionPolicy"]).into(),
    ]
}

fn binding(object: &Object, now: Now) -> Vec<Value> {
    let role = object.at("roleRef");
    let subjects = |kind: &str| {
        let all = object.list_at(&["subjects"]).iter();
        let some = all.filter(|subject| string(subject, &["kind"]) == kind);
        let names = some.map(|subject| match string(subject, &["namespace"]) {
            "" => string(subject, &["name"]).to_owned(),
            namespace => format!("{namespace}/{}", string(subject, &["name"])),
        });
        names.collect::<Vec<_>>().join(", ")
    };
    vec![
        object.name().into(),
        format!("{}/{}", string(role, &["kind"]), string(role, &["name"])).into(),
        age(object, now),
        subjects("User").into(),
        subjects("Group").into(),
        subjects("ServiceAccount").into(),
    ]
}
